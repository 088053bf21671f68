//! `[accounts]`: fees, accounts of several keys, and vesting, as a profile states them.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{Credits, Tokens};
use serde::{Deserialize, Serialize};

use crate::economy::RuleError;
use crate::genesis::PERIOD_MS_MAX;
use crate::math::{Period, Share};

/// The most members that any network lets an account of several keys have.
pub const MEMBERS_MAX: u16 = 64;
/// The most open and the most remembered proposals that any network lets such an account have.
pub const PROPOSALS_MAX: u32 = 1_024;
/// The most parts in which a grant may vest.
pub const PARTS_MAX: u32 = 3_650;

/// The section `[accounts]`.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(default, deny_unknown_fields)]
pub struct AccountRules {
    /// What a transaction costs. Off by default.
    pub fees: FeeRules,
    /// Accounts of several keys.
    pub multisig: MultisigRules,
    /// Tokens that come free over time.
    pub vesting: VestingRules,
}

/// A base fee that rises and falls with the fullness of blocks, as EIP-1559 has it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeeRules {
    /// The weight that a block should hold; a small transaction weighs about 450. 0: no fees.
    pub target_weight: u64,
    /// The lowest base fee, for one unit of weight. 0: free while blocks stay below the target.
    #[serde(with = "crate::math::units::tokens")]
    pub floor: Tokens,
    /// The most by which the base fee changes from one block to the next.
    pub change_max: Share,
    /// How much of the fee is burned; the rest goes to the public treasury.
    pub burned: Share,
    /// What one token is worth to those who pay in credits, while no oracle says so; 0: then
    /// fees cannot be paid in credits.
    #[serde(with = "crate::math::units::dollars")]
    pub token_price: Credits,
}

impl Default for FeeRules {
    fn default() -> Self {
        Self {
            target_weight: 0,
            floor: Tokens::ZERO,
            // One eighth.
            change_max: Share::new(125_000_000).unwrap_or(Share::ZERO),
            burned: Share::ALL,
            token_price: Credits::ZERO,
        }
    }
}

/// Accounts whose actions several keys approve.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MultisigRules {
    /// The most members of one account; 0: there are no such accounts.
    pub members_max: u16,
    /// The most open proposals of one account.
    pub open_max: u32,
    /// How many ended proposals of one account are remembered, the newest.
    pub history_max: u32,
    /// How long a proposal may stay open.
    pub life_max: Period,
}

impl Default for MultisigRules {
    fn default() -> Self {
        Self { members_max: 32, open_max: 32, history_max: 256, life_max: Period::DAY.times(30) }
    }
}

/// Bounds of grants.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VestingRules {
    /// The most unfinished grants that one account may have made; 0: accounts make none.
    pub grants_per_grantor_max: u32,
    /// Grants that the network's own rules make begin at the next multiple of this, so that
    /// those of one period become one. 0: each begins at once.
    pub grid: Period,
}

impl Default for VestingRules {
    fn default() -> Self {
        Self { grants_per_grantor_max: 1_024, grid: Period::DAY }
    }
}

impl FeeRules {
    /// Whether transactions cost anything at all.
    #[must_use]
    pub const fn are_on(&self) -> bool {
        self.target_weight > 0
    }
}

impl AccountRules {
    /// Checks the bounds of the section.
    ///
    /// # Errors
    /// The first rule that cannot stand.
    pub fn validate(&self) -> Result<(), RuleError> {
        let (fees, multisig) = (&self.fees, &self.multisig);
        let longest = |period: Period| period.ms() <= PERIOD_MS_MAX;
        let bounded = |count: u32| (1..=PROPOSALS_MAX).contains(&count);
        let rules = [
            (
                fees.floor <= super::fees::BASE_FEE_MAX,
                "accounts.fees.floor",
                "must be at most a billion tokens",
            ),
            (
                fees.change_max > Share::ZERO || fees.target_weight == 0,
                "accounts.fees.change_max",
                "must be more than 0%",
            ),
            (
                multisig.members_max <= MEMBERS_MAX,
                "accounts.multisig.members_max",
                "must be at most 64",
            ),
            (bounded(multisig.open_max), "accounts.multisig.open_max", "must be 1 to 1024"),
            (bounded(multisig.history_max), "accounts.multisig.history_max", "must be 1 to 1024"),
            (
                longest(multisig.life_max) && multisig.life_max.ms() > 0,
                "accounts.multisig.life_max",
                "must be more than nothing and at most ten years",
            ),
            (longest(self.vesting.grid), "accounts.vesting.grid", "must be at most ten years"),
        ];
        match rules.iter().find(|(holds, ..)| !holds) {
            Some((_, path, rule)) => Err(RuleError::new(*path, *rule)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_stands_and_each_bound_is_kept() {
        let good = AccountRules::default();
        assert_eq!(good.validate(), Ok(()));
        let path = |change: fn(&mut AccountRules)| {
            let mut wrong = good.clone();
            change(&mut wrong);
            wrong.validate().map_err(|error| error.path).unwrap_err()
        };
        assert_eq!(path(|r| r.fees.floor.0 = u128::MAX), "accounts.fees.floor");
        let steady = path(|r| {
            r.fees.target_weight = 1;
            r.fees.change_max = Share::ZERO;
        });
        assert_eq!(steady, "accounts.fees.change_max");
        assert_eq!(path(|r| r.multisig.members_max = 65), "accounts.multisig.members_max");
        assert_eq!(path(|r| r.multisig.open_max = 0), "accounts.multisig.open_max");
        assert_eq!(path(|r| r.multisig.history_max = 2_000), "accounts.multisig.history_max");
        assert_eq!(path(|r| r.multisig.life_max = Period(0)), "accounts.multisig.life_max");
        assert_eq!(path(|r| r.vesting.grid = Period(u64::MAX)), "accounts.vesting.grid");
    }
}
