//! The circuit breaker of one provider: after a failure it rests, twice as long each time, and
//! is then tried with one job before others follow.

use std::time::{Duration, Instant};

use crate::RestPolicy;

/// A probe that has not ended after this time no longer keeps other jobs away.
const PROBE_MAX: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Breaker {
    failures: u32,
    rests_until: Option<Instant>,
    probe_since: Option<Instant>,
}

impl Breaker {
    /// Whether no job should go there now.
    pub(crate) fn rests(&self, now: Instant) -> bool {
        let resting = self.rests_until.is_some_and(|until| now < until);
        let probed = self.probe_since.is_some_and(|since| now < since + PROBE_MAX);
        resting || probed
    }

    /// A job goes there. After a rest it is the probe.
    pub(crate) fn begin(&mut self, now: Instant) {
        if self.failures > 0 {
            self.probe_since = Some(now);
        }
    }

    /// The provider took the job: others may follow, but the past is not forgotten yet.
    pub(crate) fn answered(&mut self) {
        self.probe_since = None;
    }

    /// A job came to its end there.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A job broke there.
    pub(crate) fn failed(&mut self, now: Instant, policy: &RestPolicy) {
        let doublings = self.failures.min(16);
        let rest = policy.first.saturating_mul(1 << doublings).min(policy.longest);
        self.rest(now, rest);
    }

    /// The provider lied.
    pub(crate) fn cheated(&mut self, now: Instant, policy: &RestPolicy) {
        self.rest(now, policy.cheat);
    }

    fn rest(&mut self, now: Instant, rest: Duration) {
        let until = now + rest;
        self.failures = self.failures.saturating_add(1);
        self.probe_since = None;
        self.rests_until = Some(self.rests_until.map_or(until, |known| known.max(until)));
    }

    /// Whether there is nothing to remember.
    pub(crate) const fn is_clean(&self) -> bool {
        self.failures == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RestPolicy = RestPolicy {
        first: Duration::from_millis(500),
        longest: Duration::from_secs(4),
        cheat: Duration::from_secs(600),
    };

    #[test]
    fn rests_double_up_to_the_longest() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        let mut now = start;
        for expected_ms in [500, 1000, 2000, 4000, 4000] {
            breaker.failed(now, &POLICY);
            let rest = Duration::from_millis(expected_ms);
            assert!(breaker.rests(now + rest - Duration::from_millis(1)));
            assert!(!breaker.rests(now + rest));
            now += rest;
        }
    }

    #[test]
    fn after_a_rest_one_probe_goes_first() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        breaker.begin(now);
        assert!(!breaker.rests(now), "a healthy provider takes any number of jobs");
        breaker.failed(now, &POLICY);
        let later = now + POLICY.first;
        breaker.begin(later);
        assert!(breaker.rests(later), "the probe is alone");
        breaker.answered();
        assert!(!breaker.rests(later));
        breaker.failed(later, &POLICY);
        assert!(breaker.rests(later + POLICY.first), "an answer alone does not reset the rest");
        breaker.succeeded();
        assert!(!breaker.rests(later) && breaker.is_clean());
    }

    #[test]
    fn a_probe_that_never_ends_does_not_lock_the_provider_out() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        breaker.failed(now, &POLICY);
        let later = now + POLICY.first;
        breaker.begin(later);
        assert!(!breaker.rests(later + PROBE_MAX));
    }

    #[test]
    fn a_cheat_rests_longest_and_a_later_failure_does_not_shorten_it() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        breaker.cheated(now, &POLICY);
        breaker.failed(now, &POLICY);
        assert!(breaker.rests(now + Duration::from_secs(599)));
    }
}
