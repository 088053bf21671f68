//! How much to lock in a channel, pure.

use remuda_types::{Credits, Price};

use crate::{DepositPolicy, RunError};

/// A job is taken on when at least one part in this many of its worst case is there.
const WORST_CASE_SHARE: u64 = 4;

/// What a job may cost at worst.
///
/// A cost that does not fit its type is more than anybody has.
pub(crate) fn worst_case(price: &Price, units_in: u64, units_out: u64) -> Credits {
    price.cost(units_in, units_out).unwrap_or(Credits(u64::MAX))
}

/// Whether `left` is enough to take on a job that may cost `needed`.
pub(crate) fn suffices(left: Credits, needed: Credits) -> bool {
    left.0 >= (needed.0 / WORST_CASE_SHARE).max(1)
}

/// How much more to lock for a job that may cost `needed`, when the payer has `left`.
///
/// # Errors
/// [`RunError::Exhausted`].
pub(crate) fn deposit(
    policy: &DepositPolicy,
    left: Credits,
    needed: Credits,
) -> Result<Credits, RunError> {
    if !suffices(left, needed) {
        return Err(RunError::Exhausted { needed, left });
    }
    let target = Credits(needed.0.saturating_mul(policy.jobs.into())).max(policy.floor);
    let share = Credits(left.0 / u64::from(policy.share.max(1)));
    Ok(target.min(share.max(needed)).min(left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lock(left: u64, needed: u64) -> Result<Credits, RunError> {
        deposit(&DepositPolicy::default(), Credits(left), Credits(needed))
    }

    #[test]
    fn a_deposit_is_a_share_of_what_is_left_but_enough_for_the_job() {
        assert_eq!(lock(5_000_000, 80), Ok(Credits(10_000)), "the floor");
        assert_eq!(lock(5_000_000, 1_000), Ok(Credits(32_000)), "several jobs");
        assert_eq!(lock(40_000, 1_000), Ok(Credits(5_000)), "a share of what is left");
        assert_eq!(lock(1_500, 1_000), Ok(Credits(1_000)), "the job itself");
        assert_eq!(lock(600, 1_000), Ok(Credits(600)), "all that is left");
        let exhausted = RunError::Exhausted { needed: Credits(1_000), left: Credits(249) };
        assert_eq!(lock(249, 1_000), Err(exhausted));
        assert!(lock(0, 0).is_err(), "a channel cannot be empty");
    }

    proptest! {
        #[test]
        fn never_more_than_is_left_and_never_nothing(left: u64, needed: u64) {
            if let Ok(locked) = lock(left, needed) {
                prop_assert!(locked.0 >= 1 && locked.0 <= left);
            }
        }
    }
}
