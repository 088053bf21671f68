//! The line to the provider of one attempt: its stream, its alarm, its count and its place on
//! the channel.

use std::pin::Pin;
use std::time::Duration;

use remuda_net::protocol::job::{ClientFrame, ProviderFrame};
use remuda_net::{FrameError, Stream};
use remuda_types::{ReceiptId, SecretKey, Signed, Voucher};
use tokio::time::{Instant, Sleep};

use super::feed::Feed;
use super::meter::{Agreed, Meter};
use super::watch::Watch;
use crate::ClientConfig;
use crate::channels::Lease;
use crate::providers::InFlight;

/// An alarm later than this means that we slept, not they: it is excused once.
const ALARM_LATE: Duration = Duration::from_millis(100);

/// A provider that has spoken often is missed after this many of its longest silences…
const SILENCES: u32 = 4;
/// …but not before this, whatever its habit: a busy machine delays anyone's heartbeat.
const STALL_MIN: Duration = Duration::from_millis(150);

/// How far an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not accepted yet.
    Opening,
    /// Accepted; the input is not understood yet.
    Preparing,
    /// Output may come.
    Running,
}

/// What wakes an attempt.
pub(super) enum Wake {
    Frame(Result<Option<ProviderFrame>, FrameError>),
    /// The caller is gone.
    Gone,
    /// The provider has been silent for half as long as it may, for the first time.
    Uneasy,
    /// The provider is silent for too long.
    Stalled,
    /// The provider's process is gone.
    Vanished,
}

/// How long the provider may take for what.
#[derive(Clone, Copy, Debug)]
struct Patience {
    accept: Duration,
    prepare: Duration,
    stall: Duration,
    /// Four round trips, which every silence may take on top.
    round_trips: Duration,
    cancel: Duration,
}

pub(super) struct Line {
    pub(super) stream: Stream,
    pub(super) agreed: Agreed,
    pub(super) meter: Meter,
    pub(super) lease: Lease,
    pub(super) in_flight: InFlight,
    pub(super) phase: Phase,
    /// Heartbeats since something was received that is not promised yet.
    pub(super) beats_unpaid: u32,
    patience: Patience,
    began: Instant,
    heard: Option<Instant>,
    /// The longest silence while output came.
    longest_silence: Duration,
    cancelled: Option<Instant>,
    excused: bool,
    /// Whether the first long silence was told.
    uneasy: bool,
    watch: Watch,
    alarm: Pin<Box<Sleep>>,
}

impl Line {
    pub(super) fn new(
        config: &ClientConfig,
        stream: Stream,
        agreed: Agreed,
        meter: Meter,
        lease: Lease,
        in_flight: InFlight,
    ) -> Self {
        let round_trips = stream.connection.rtt().min(Duration::from_secs(1)) * 4;
        let patience = Patience {
            accept: config.accept + round_trips,
            prepare: config.prepare,
            stall: config.stall + round_trips,
            round_trips,
            cancel: config.cancel,
        };
        let began = Instant::now();
        Self {
            stream,
            agreed,
            meter,
            lease,
            in_flight,
            phase: Phase::Opening,
            beats_unpaid: 0,
            patience,
            began,
            heard: None,
            longest_silence: Duration::ZERO,
            cancelled: None,
            excused: false,
            uneasy: false,
            watch: Watch::new(began, round_trips),
            alarm: Box::pin(tokio::time::sleep_until(began + patience.accept)),
        }
    }

    /// Waits for what comes first. A frame that has arrived goes before an alarm: what counts
    /// is their silence, not our slowness.
    pub(super) async fn wake(&mut self, feed: &Feed) -> Wake {
        loop {
            tokio::select! {
                biased;
                () = feed.gone(), if self.cancelled.is_none() => return Wake::Gone,
                frame = self.stream.reader.receive() => {
                    self.hear(Instant::now());
                    return Wake::Frame(frame);
                }
                () = self.watch.refused() => {
                    if self.heard.is_some_and(|heard| self.watch.refused_means_gone(heard)) {
                        return Wake::Vanished;
                    }
                    continue;
                }
                () = &mut self.alarm => {}
            }
            if let Some(wake) = self.ring() {
                return wake;
            }
        }
    }

    fn hear(&mut self, now: Instant) {
        if let (Phase::Running, Some(last)) = (self.phase, self.heard) {
            self.longest_silence = self.longest_silence.max(now - last);
        }
        self.heard = Some(now);
    }

    /// How long this provider may be silent while output comes: a few times its own longest
    /// silence so far, so that a steady one is missed soon and an unsteady one is not given up.
    fn silence_allowed(&self) -> Duration {
        let Patience { stall, round_trips, .. } = self.patience;
        if self.longest_silence.is_zero() {
            return stall;
        }
        (self.longest_silence * SILENCES).max(STALL_MIN).saturating_add(round_trips).min(stall)
    }

    /// Looks at the clock when the alarm rang, and sets it anew when it rang for nothing.
    fn ring(&mut self) -> Option<Wake> {
        let (now, deadline) = (Instant::now(), self.deadline());
        if now >= deadline {
            let late = now.duration_since(self.alarm.deadline());
            if late <= ALARM_LATE || std::mem::replace(&mut self.excused, true) {
                return Some(Wake::Stalled);
            }
            self.heard = Some(now);
        } else if let Some(heard) = self.listening_since() {
            if self.watch.look(now, heard, &self.stream.connection) {
                return Some(Wake::Vanished);
            }
            if !self.uneasy && now >= self.unease(heard) {
                self.uneasy = true;
                self.set_alarm();
                return Some(Wake::Uneasy);
            }
        }
        self.set_alarm();
        None
    }

    /// Since when a provider that delivers output is silent.
    fn listening_since(&self) -> Option<Instant> {
        let delivers = self.phase == Phase::Running && self.cancelled.is_none();
        self.heard.filter(|_| delivers)
    }

    /// When a silence is long enough to prepare for the worst.
    fn unease(&self, heard: Instant) -> Instant {
        heard + self.silence_allowed() / 2
    }

    fn deadline(&self) -> Instant {
        let Patience { accept, prepare, stall, cancel, .. } = self.patience;
        if let Some(cancelled) = self.cancelled {
            return cancelled + cancel;
        }
        match (self.phase, self.heard) {
            (_, None) => self.began + accept,
            (Phase::Running, Some(heard)) => heard + self.silence_allowed(),
            (_, Some(heard)) => (heard + stall).min(self.began + prepare),
        }
    }

    fn set_alarm(&mut self) {
        let mut next = self.deadline();
        if let Some(heard) = self.listening_since() {
            next = self.watch.next_look(heard).map_or(next, |look| next.min(look));
            if !self.uneasy {
                next = next.min(self.unease(heard));
            }
        }
        self.alarm.as_mut().reset(next);
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.set_alarm();
    }

    /// We were busy with something else: their silence meanwhile does not count.
    pub(super) fn pardon(&mut self) {
        self.heard = Some(Instant::now());
        self.set_alarm();
    }

    pub(super) const fn is_cancelled(&self) -> bool {
        self.cancelled.is_some()
    }

    /// Asks the provider to stop. What arrives until its final receipt still counts.
    pub(super) async fn cancel(&mut self) -> Result<(), FrameError> {
        self.cancelled = Some(Instant::now());
        self.set_alarm();
        self.stream.writer.send(&ClientFrame::Cancel).await
    }

    /// Promises all that is owed on the channel, and says so to the provider.
    pub(super) async fn pay(
        &mut self,
        payer: &SecretKey,
        receipt: Option<ReceiptId>,
    ) -> (Signed<Voucher>, Result<(), FrameError>) {
        self.beats_unpaid = 0;
        let voucher = self.lease.promise(payer, receipt);
        let frame = ClientFrame::Voucher(voucher.clone());
        let sent = self.stream.writer.send(&frame).await;
        (voucher, sent)
    }
}
