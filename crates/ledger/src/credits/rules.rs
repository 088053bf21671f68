//! The rules of credits: how tokens become credits and earned credits become tokens, whose
//! word the price is, and when buying stops.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Credits};
use serde::{Deserialize, Serialize};

use crate::accounts::VestingTerms;
use crate::economy::RuleError;
use crate::math::{Period, Share};

/// The most accounts that a profile may name as posters of the price.
pub const POSTERS_MAX: usize = 64;
/// The most samples that one averaging window may hold.
pub const WINDOW_SAMPLES_MAX: u64 = 512;

/// How credits and tokens turn into each other.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They do not: credits are granted, and what is earned stays.
    #[default]
    Off,
    /// Burned tokens go to a reserve. Earned credits are paid at the price of that moment,
    /// first from the reserve, then with new tokens (AEP-76).
    Akash,
    /// Tokens are burned for good. Earned credits end without payment: the epochs' rewards
    /// pay those who worked (RNP-001).
    Render,
    /// Tokens are burned for good, and earned credits are paid with new tokens at the price
    /// of that moment, under the token's cap.
    Direct,
    /// Tokens are burned for good. Earned credits are paid at the price of that moment, but
    /// never with more than their part of what purchases burned and settlements left.
    Remuda,
}

/// The room's section of an economy.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// How credits and tokens turn into each other.
    pub mode: Mode,
    /// By how much a buyer gets less than the price says. The tokens stay with the reserve,
    /// or burned.
    pub spread: Share,
    /// By how much a provider gets less than the price says; nobody is paid the difference.
    pub settle_spread: Share,
    /// How what a settlement pays comes free.
    pub settle_vesting: VestingTerms,
    /// Credits given on top of those bought; only in the mode `render`, where they never
    /// become tokens again.
    pub bonus: Share,
    /// Of the tokens that a buyer hands over, what is a fee. The rest becomes credits.
    pub fee: Share,
    /// Of a fee, what the treasury gets.
    pub fee_to_treasury: Share,
    /// Of a fee, what is kept for checkers. What neither gets is burned.
    pub fee_to_checkers: Share,
    /// Whether credits that were not spent turn back into tokens.
    pub refunds: bool,
    /// In the mode `remuda`: of the burned tokens, the most that settlements may mint again.
    pub settle_share: Share,
    /// When buying stops in the mode `akash`.
    pub breaker: BreakerRules,
    /// Where the price comes from.
    pub oracle: OracleRules,
}

/// The circuit breaker (AEP-76). It looks at what the reserve is worth beside all credits that
/// have not ended, the collateral ratio.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerRules {
    /// Below this ratio it warns.
    pub warn: Share,
    /// Below this ratio nobody can buy. Settlement goes on.
    pub halt: Share,
    /// From this ratio on, buying goes on again.
    pub resume: Share,
    /// While it warns, the least that one purchase must come to: it encourages fewer and
    /// larger ones.
    #[serde(with = "crate::math::units::dollars")]
    pub warned_purchase_min: Credits,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self {
            warn: Share::percent(95),
            halt: Share::percent(90),
            resume: Share::percent(93),
            warned_purchase_min: Credits::ZERO,
        }
    }
}

/// The oracle: who says what a token costs, and what is made of it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OracleRules {
    /// Accounts that may post, each with the weight 1 unless its stake says more.
    pub posters: Vec<AccountId>,
    /// Whether bonded validators post too, with the weight of their stake.
    pub validators: bool,
    /// How long a post counts.
    pub post_life: Period,
    /// How many posts must count for there to be a price.
    pub posts_min: u32,
    /// Posts farther than this from the median are left out; 0% leaves none out.
    pub outlier: Share,
    /// The most by which one sample may differ from the one before; 0% is no bound.
    pub step: Share,
    /// At most one sample of the median is taken in so much time.
    pub sample: Period,
    /// The price is the average of the samples over so much time, weighted by time; 0 takes
    /// the median of the moment.
    pub window: Period,
}

impl Default for OracleRules {
    fn default() -> Self {
        Self {
            posters: Vec::new(),
            validators: false,
            post_life: Period::MINUTE.times(5),
            posts_min: 1,
            outlier: Share::ZERO,
            step: Share::ZERO,
            sample: Period::MINUTE,
            window: Period::MINUTE.times(30),
        }
    }
}

impl Rules {
    /// Checks the section.
    ///
    /// # Errors
    /// The first [`RuleError`] found.
    pub fn validate(&self) -> Result<(), RuleError> {
        let below = |share: Share| share < Share::ALL;
        RuleError::require(below(self.spread), "credits.spread", "must be below 100%")?;
        RuleError::require(
            below(self.settle_spread),
            "credits.settle_spread",
            "must be below 100%",
        )?;
        RuleError::require(below(self.fee), "credits.fee", "must be below 100%")?;
        let paid = self.fee_to_treasury.billionths() + self.fee_to_checkers.billionths();
        let rule = "must not exceed 100% together with credits.fee_to_treasury";
        RuleError::require(Share::new(paid).is_some(), "credits.fee_to_checkers", rule)?;
        let bonus = self.bonus == Share::ZERO || self.mode == Mode::Render;
        let rule = "must be 0% unless credits.mode is \"render\": elsewhere it would be money";
        RuleError::require(bonus, "credits.bonus", rule)?;
        let refunds = !self.refunds || self.mode != Mode::Render;
        let rule = "must be false in the mode \"render\": what was burned does not come back";
        RuleError::require(refunds, "credits.refunds", rule)?;
        let settles = self.mode != Mode::Remuda || self.settle_share > Share::ZERO;
        let rule = "must be above 0% in the mode \"remuda\"";
        RuleError::require(settles, "credits.settle_share", rule)?;
        let vesting = self.settle_vesting.check();
        vesting.map_err(|rule| RuleError::new("credits.settle_vesting", rule))?;
        self.breaker.validate()?;
        self.oracle.validate()
    }
}

impl BreakerRules {
    fn validate(&self) -> Result<(), RuleError> {
        let ordered = self.halt <= self.resume && self.resume <= self.warn;
        RuleError::require(ordered, "credits.breaker.resume", "must lie between halt and warn")
    }
}

impl OracleRules {
    fn validate(&self) -> Result<(), RuleError> {
        let require = |holds, field: &str, rule: &str| {
            RuleError::require(holds, &format!("credits.oracle.{field}"), rule)
        };
        let distinct: BTreeSet<_> = self.posters.iter().collect();
        let posters = distinct.len() == self.posters.len() && distinct.len() <= POSTERS_MAX;
        require(posters, "posters", "must name at most 64 accounts, each once")?;
        require(self.post_life.ms() > 0, "post_life", "must be longer than nothing")?;
        require(self.posts_min > 0, "posts_min", "must be at least 1")?;
        require(self.sample.ms() > 0, "sample", "must be longer than nothing")?;
        let samples = self.window.ms() / self.sample.ms().max(1);
        require(samples <= WINDOW_SAMPLES_MAX, "window", "must hold at most 512 samples")
    }
}

#[cfg(test)]
mod tests {
    use remuda_types::Hash;

    use super::*;

    fn path(rules: &Rules) -> Option<String> {
        rules.validate().err().map(|error| error.path)
    }

    #[test]
    fn the_default_is_off_and_stands() {
        assert_eq!(Rules::default().mode, Mode::Off);
        assert_eq!(path(&Rules::default()), None);
    }

    #[test]
    fn wrong_rules_are_named() {
        let half = Share::percent(60);
        let with = |change: fn(&mut Rules)| {
            let mut rules = Rules::default();
            change(&mut rules);
            path(&rules)
        };
        assert_eq!(with(|r| r.spread = Share::ALL).as_deref(), Some("credits.spread"));
        assert_eq!(with(|r| r.fee = Share::ALL).as_deref(), Some("credits.fee"));
        assert_eq!(with(|r| r.mode = Mode::Remuda).as_deref(), Some("credits.settle_share"));
        assert_eq!(with(|r| r.bonus = Share::percent(1)).as_deref(), Some("credits.bonus"));
        assert_eq!(
            with(|r| r.breaker.resume = Share::percent(96)).as_deref(),
            Some("credits.breaker.resume")
        );
        assert_eq!(
            with(|r| r.oracle.posters = vec![AccountId(Hash([1; 32])); 2]).as_deref(),
            Some("credits.oracle.posters")
        );
        assert_eq!(
            with(|r| r.oracle.sample = Period::SECOND).as_deref(),
            Some("credits.oracle.window")
        );
        let fees = Rules { fee_to_treasury: half, fee_to_checkers: half, ..Rules::default() };
        assert_eq!(path(&fees).as_deref(), Some("credits.fee_to_checkers"));
    }
}
