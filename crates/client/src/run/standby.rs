//! Who goes on when the provider at work is lost: made ready while it is only silent.
//!
//! Half-way to giving a provider up, the next is chosen, dialled, and a channel toward it is
//! opened if there is none. All of it stays if the silence ends: the connection and the channel
//! serve later jobs as if a job had used them, and the deposit comes back as it always does. One
//! attempt prepares at most one provider. Nothing is asked of it, and nothing is owed to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use remuda_net::protocol::job::ALPN;

use super::choose::Target;
use super::driver::{Driver, Tried};

/// A choice older than this is made anew.
const FRESH: Duration = Duration::from_secs(1);

/// The next provider, as it was chosen.
#[derive(Debug)]
pub(super) struct Standby {
    target: Target,
    chosen: Instant,
}

impl Driver {
    /// Chooses who would go on if `current` were lost, and makes it ready in the background.
    pub(super) fn stand_by(&mut self, current: &Target) {
        self.tried.push(Tried { node: current.node(), later: true });
        let snapshot = self.shared.listings.known();
        let target = self.matched(&snapshot).0;
        self.tried.pop();
        let Some(target) = target else { return };
        let worst = self.worst_case(&target);
        let (shared, payer) = (Arc::clone(&self.shared), Arc::clone(&self.job.payer));
        let ready = target.clone();
        self.shared.tasks.spawn(async move {
            let dialling = tokio::time::timeout(
                shared.config.dial,
                shared.endpoint.connect(ready.address(), ALPN),
            );
            // What fails here fails again, and is told, when it is needed.
            let _ = tokio::join!(shared.channels.lease(&payer, ready.node(), worst), dialling);
        });
        self.standby = Some(Standby { target, chosen: Instant::now() });
    }

    /// The provider that was made ready, if it may still be asked.
    pub(super) fn take_standby(&mut self) -> Option<Target> {
        let Standby { target, chosen } = self.standby.take()?;
        let tried = self.tried.iter().any(|it| it.node == target.node());
        let standing = self.shared.providers.standings([target.node()].into_iter(), Instant::now());
        let rests = standing.iter().any(|it| it.resting);
        (chosen.elapsed() < FRESH && !tried && !rests).then_some(target)
    }
}
