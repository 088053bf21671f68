//! The rules of governance, treasury and buy-back: the section `governance` of an economy.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Tokens};
use serde::{Deserialize, Serialize};

use crate::economy::RuleError;
use crate::math::{Period, Share};

/// The most paths that a profile may make immutable.
pub const IMMUTABLE_MAX: usize = 64;
/// The longest path of a parameter, in bytes.
pub const PATH_BYTES_MAX: usize = 128;

/// The rules of governance. The default: nobody can propose, nothing is bought back.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Whether accounts may propose and vote.
    pub enabled: bool,
    /// What a proposer locks. It comes back unless the proposal is vetoed by vote.
    #[serde(with = "crate::math::units::tokens")]
    pub deposit: Tokens,
    /// Proposals that may be open (voting, or waiting for their execution) at a time.
    pub open_max: u32,
    /// How long votes are taken.
    pub voting: Period,
    /// How long a passed proposal waits before it can be executed.
    pub timelock: Period,
    /// How long after that anyone may execute it by hand, should the rule of every block have
    /// failed at it; then it lapses.
    pub grace: Period,
    /// What gives votes.
    pub power: Power,
    /// How an account's tokens become votes.
    pub curve: Curve,
    /// The most of all tokens (or stake) that counts for one account; the rest of what it has
    /// is ignored. `"100%"`: no cap.
    pub voter_cap: Share,
    /// The least part of all tokens (or stake) that must take part, abstentions included.
    pub quorum: Share,
    /// What of the votes that do not abstain must be exceeded by yes.
    pub threshold: Share,
    /// What of all votes must be exceeded by veto to reject a proposal and burn its deposit.
    pub veto: Share,
    /// Paths that no proposal may change, beside those that are never changed.
    pub immutable: Vec<String>,
    /// When the network leaves its first phase, and its second.
    pub phases: PhaseRules,
    /// Spending.
    pub treasury: TreasuryRules,
    /// The pool in which tokens and credits are traded.
    pub pool: PoolRules,
    /// The buy-back of tokens.
    pub buy_back: BuyBackRules,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            enabled: false,
            deposit: Tokens::ZERO,
            open_max: 64,
            voting: Period::DAY.times(7),
            timelock: Period::DAY.times(2),
            grace: Period::DAY.times(7),
            power: Power::default(),
            curve: Curve::default(),
            voter_cap: Share::ALL,
            quorum: Share::percent(10),
            threshold: Share::percent(50),
            veto: Share::percent(33),
            immutable: Vec::new(),
            phases: PhaseRules::default(),
            treasury: TreasuryRules::default(),
            pool: PoolRules::default(),
            buy_back: BuyBackRules::default(),
        }
    }
}

/// What gives votes.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[borsh(use_discriminant = false)]
pub enum Power {
    /// Tokens that an account locks for voting. They stay locked until the last proposal on
    /// which it voted has ended, so that no token votes twice.
    #[default]
    LockedTokens,
    /// Bonded stake, by whoever bonded or delegated it.
    Stake,
}

/// How tokens become votes.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[borsh(use_discriminant = false)]
pub enum Curve {
    /// As they are.
    #[default]
    Linear,
    /// Their square root, rounded down: great holdings count for less. Who splits a holding
    /// over many accounts gains by it; a profile that uses it says what it does against that.
    SquareRoot,
}

/// The three phases of a network, by measures that the ledger itself keeps. A phase once
/// reached is never left. The default is the last phase from the start: only votes decide.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(default, deny_unknown_fields)]
pub struct PhaseRules {
    /// What ends the cold start.
    pub growth: Gate,
    /// What begins maturity; each measure at least that of `growth`.
    pub maturity: Gate,
}

/// Measures that must all be reached.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(default, deny_unknown_fields)]
pub struct Gate {
    /// Registered providers.
    pub providers: u32,
    /// Tokens in stake.
    #[serde(with = "crate::math::units::tokens")]
    pub stake: Tokens,
    /// Block time since the network's start.
    pub age: Period,
}

/// Who spends from the treasury, and how much.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TreasuryRules {
    /// The most of the treasury that one proposal may spend.
    pub proposal_share: Share,
    /// The account that may spend and, in the first phase, veto and execute: an m-of-n
    /// multisig of founders. None: nobody may but votes.
    pub council: Option<AccountId>,
    /// What the council may spend in one period; nothing in the last phase.
    #[serde(with = "crate::math::units::tokens")]
    pub council_cap: Tokens,
    /// The period of `council_cap`.
    pub council_period: Period,
    /// How long the council's spend waits, so that all can see it before it happens.
    pub council_timelock: Period,
    /// Proposals that the council may veto, or pass without a vote, in one period of the first
    /// phase.
    pub council_acts: u32,
}

impl Default for TreasuryRules {
    fn default() -> Self {
        Self {
            proposal_share: Share::ALL,
            council: None,
            council_cap: Tokens::ZERO,
            council_period: Period::DAY.times(30),
            council_timelock: Period::DAY.times(2),
            council_acts: 0,
        }
    }
}

/// The constant-product pool. Only proposals seed it; accounts sell it tokens for credits that
/// count as earned, and the buy-back buys tokens. Credits of accounts never enter it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolRules {
    /// Whether accounts may sell.
    pub enabled: bool,
    /// What of each trade's input stays in the pool.
    pub fee: Share,
}

impl Default for PoolRules {
    fn default() -> Self {
        Self { enabled: false, fee: Share::new(3_000_000).unwrap_or_default() }
    }
}

/// Buying tokens with the treasury's credits, and burning them.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BuyBackRules {
    /// What of the treasury's credits is spent in each period; `"0%"`: no buy-back.
    pub share: Share,
    /// How often.
    pub period: Period,
    /// The most by which one buy-back may move the price that it pays above the pool's;
    /// credits beyond that wait for the next period.
    pub slippage: Share,
}

impl Default for BuyBackRules {
    fn default() -> Self {
        Self { share: Share::ZERO, period: Period::DAY, slippage: Share::percent(5) }
    }
}

impl Rules {
    /// Checks every bound.
    ///
    /// # Errors
    /// The first [`RuleError`] found.
    pub fn validate(&self) -> Result<(), RuleError> {
        let require = RuleError::require;
        let bounded = |period: Period| period.ms() <= crate::PERIOD_MS_MAX;
        let fits = (1..=1_024).contains(&self.open_max);
        require(fits, "governance.open_max", "must be 1 to 1024")?;
        let fits = bounded(self.voting) && self.voting.ms() > 0;
        require(fits, "governance.voting", "must be from 1ms to ten years")?;
        require(bounded(self.timelock), "governance.timelock", "must be at most ten years")?;
        let fits = bounded(self.grace) && self.grace.ms() > 0;
        require(fits, "governance.grace", "must be from 1ms to ten years")?;
        let some = self.voter_cap > Share::ZERO;
        require(some, "governance.voter_cap", "must be above 0%")?;
        let fits = self.threshold >= Share::percent(50) && self.threshold < Share::ALL;
        require(fits, "governance.threshold", "must be at least 50% and below 100%")?;
        let fits = self.immutable.len() <= IMMUTABLE_MAX;
        require(fits, "governance.immutable", "must be at most 64 paths")?;
        let fits = |path: &String| !path.is_empty() && path.len() <= PATH_BYTES_MAX;
        let fits = self.immutable.iter().all(fits);
        require(fits, "governance.immutable", "must be paths of 1 to 128 bytes")?;
        self.phases.validate()?;
        self.treasury.validate()?;
        self.buy_back.validate()?;
        let fits = self.pool.fee < Share::ALL;
        require(fits, "governance.pool.fee", "must be below 100%")
    }
}

impl Rules {
    /// Checks what must hold between votes and stake: stake that voted must not come free, and
    /// vote again from another account, before the vote is over.
    ///
    /// # Errors
    /// The [`RuleError`].
    pub(crate) fn validate_with(&self, stake: &crate::stake::Rules) -> Result<(), RuleError> {
        let bound = stake.cooldown >= self.voting;
        let holds = !self.enabled || self.power != Power::Stake || bound;
        let rule = "can be \"stake\" only if stake.cooldown is at least governance.voting";
        RuleError::require(holds, "governance.power", rule)
    }
}

impl PhaseRules {
    fn validate(&self) -> Result<(), RuleError> {
        let (growth, maturity) = (&self.growth, &self.maturity);
        let ordered = growth.providers <= maturity.providers
            && growth.stake <= maturity.stake
            && growth.age <= maturity.age;
        let rule = "must ask for at least what phases.growth does";
        RuleError::require(ordered, "governance.phases.maturity", rule)
    }
}

impl TreasuryRules {
    fn validate(&self) -> Result<(), RuleError> {
        let fits = (1..=crate::PERIOD_MS_MAX).contains(&self.council_period.ms());
        let path = "governance.treasury.council_period";
        RuleError::require(fits, path, "must be from 1ms to ten years")?;
        let fits = self.council_timelock.ms() <= crate::PERIOD_MS_MAX;
        let path = "governance.treasury.council_timelock";
        RuleError::require(fits, path, "must be at most ten years")
    }
}

impl BuyBackRules {
    fn validate(&self) -> Result<(), RuleError> {
        let fits = (1_000..=crate::PERIOD_MS_MAX).contains(&self.period.ms());
        let path = "governance.buy_back.period";
        RuleError::require(fits, path, "must be from 1s to ten years")?;
        let fits = self.slippage < Share::ALL;
        RuleError::require(fits, "governance.buy_back.slippage", "must be below 100%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_rules_are_named() {
        let path = |rules: &Rules| rules.validate().map_err(|error| error.path);
        assert_eq!(path(&Rules::default()), Ok(()));
        let low = Rules { threshold: Share::percent(49), ..Rules::default() };
        assert_eq!(path(&low), Err("governance.threshold".into()));
        let growth = Gate { providers: 2, ..Gate::default() };
        let phases = PhaseRules { growth, maturity: Gate::default() };
        let backwards = Rules { phases, ..Rules::default() };
        assert_eq!(path(&backwards), Err("governance.phases.maturity".into()));
        let never = BuyBackRules { period: Period(0), ..BuyBackRules::default() };
        let never = Rules { buy_back: never, ..Rules::default() };
        assert_eq!(path(&never), Err("governance.buy_back.period".into()));
    }
}
