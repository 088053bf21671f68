//! Whether a silent provider's process is gone: its own system says so when asked.
//!
//! A knock at the provider's port while it lives shows whether anything on the way refuses
//! knocks of itself. If not, a refusal during a silence means that nobody listens there any
//! more, long before the silence alone would say as much. Short jobs never knock.

use std::time::Duration;

use remuda_net::{Connection, Knock, PathKind};
use tokio::time::Instant;

/// Only a job that has run for so long is watched: a socket is not worth it for others.
const WATCHED_AFTER: Duration = Duration::from_millis(250);
/// How long the first knock's refusal may take on top of the round trips. Until then no later
/// refusal would be believed.
const TRIAL: Duration = Duration::from_millis(200);
/// After so long a silence, a little more than a heartbeat's time, the port is knocked at…
const SILENCE: Duration = Duration::from_millis(60);
/// …and again after so long, should a knock be lost.
const AGAIN: Duration = Duration::from_millis(50);

#[derive(Debug)]
enum State {
    /// Not begun.
    Unwatched,
    /// Knocked while the provider lived, at this time.
    Trial(Knock, Instant),
    /// A refusal would be believed.
    Trusted(Knock),
    /// Knocking tells nothing here.
    Off,
}

/// Watches the port of one provider during one attempt.
#[derive(Debug)]
pub(super) struct Watch {
    state: State,
    began: Instant,
    trial: Duration,
    knocked: Option<Instant>,
}

impl Watch {
    pub(super) const fn new(began: Instant, round_trips: Duration) -> Self {
        let trial = TRIAL.saturating_add(round_trips);
        Self { state: State::Unwatched, began, trial, knocked: None }
    }

    /// Looks at the clock: begins to watch, or knocks, when it is time. `heard` is when the
    /// provider last said something. True when it is gone.
    pub(super) fn look(&mut self, now: Instant, heard: Instant, connection: &Connection) -> bool {
        match &self.state {
            State::Unwatched if now >= self.began + WATCHED_AFTER => {
                self.state = Self::begin(now, connection);
            }
            // Something must have been heard since: else it may have died before the knock.
            State::Trial(_, at) if heard >= *at + self.trial => {
                if let State::Trial(knock, _) = std::mem::replace(&mut self.state, State::Off) {
                    self.state = State::Trusted(knock);
                }
            }
            _ => {}
        }
        match &self.state {
            State::Trusted(knock) if self.due(heard) <= now => {
                if !knock.knock() {
                    return self.refused_means_gone(heard);
                }
                self.knocked = Some(now);
            }
            _ => {}
        }
        false
    }

    fn begin(now: Instant, connection: &Connection) -> State {
        let PathKind::Direct(address) = connection.path() else { return State::Off };
        match Knock::toward(address) {
            Ok(knock) => State::Trial(knock, now),
            Err(_) => State::Off,
        }
    }

    fn due(&self, heard: Instant) -> Instant {
        let again = self.knocked.map(|at| at + AGAIN);
        again.map_or(heard + SILENCE, |again| again.max(heard + SILENCE))
    }

    /// When to look again.
    pub(super) fn next_look(&self, heard: Instant) -> Option<Instant> {
        match &self.state {
            State::Unwatched => Some(self.began + WATCHED_AFTER),
            State::Trial(_, at) => Some((*at + self.trial).max(heard + SILENCE)),
            State::Trusted(_) => Some(self.due(heard)),
            State::Off => None,
        }
    }

    /// Resolves when a knock was refused. Cancel-safe.
    pub(super) async fn refused(&self) {
        match &self.state {
            State::Trial(knock, _) | State::Trusted(knock) => knock.refused().await,
            State::Unwatched | State::Off => std::future::pending().await,
        }
    }

    /// Takes in a refusal: whether it means that the provider is gone. Otherwise somebody on
    /// the way refuses knocks at living nodes, and nothing more is asked.
    pub(super) fn refused_means_gone(&mut self, heard: Instant) -> bool {
        let state = std::mem::replace(&mut self.state, State::Off);
        let silent = self.knocked.is_some_and(|knocked| knocked > heard);
        silent && matches!(state, State::Trusted(_))
    }
}
