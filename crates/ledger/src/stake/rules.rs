//! The rules of stake: the section `[stake]` of a profile.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AmountError, Credits, Tokens};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::{Offence, Role};
use crate::economy::RuleError;
use crate::genesis::PERIOD_MS_MAX;
use crate::math::units::{dollars, tokens};
use crate::math::{Period, Rounding, Share, mul_div};

/// The most severities of one offence: the last one holds for all further times.
pub const SEVERITIES_MAX: usize = 8;

macro_rules! rules {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
        )]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    };
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize,
            Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }
    };
}

rules! {
    /// Who may bond what, what it is good for, and what it is lost by. The default has no
    /// role open, so that nobody can stake and nobody needs to.
    Rules {
        /// Providers.
        provider: RoleRules,
        /// Validators.
        validator: RoleRules,
        /// Checkers.
        checker: RoleRules,
        /// Indexers.
        indexer: RoleRules,
        /// Gateways.
        gateway: RoleRules,
        /// How long stake stays at risk after its owner wants it back. `"0s"` pays at once.
        cooldown: Period,
        /// Whether others than the owner may bond to a subject.
        delegation: bool,
        /// The least that one bond or delegation adds.
        #[serde(with = "tokens")]
        minimum_delegation: Tokens,
        /// Whether stake moves from one subject to another of the same role at once.
        moves: bool,
        /// How long moved stake rests before it may move again.
        move_wait: Period,
        /// Whether rewards of stake become stake themselves until they are claimed.
        compound: bool,
        /// Over how long claimed rewards of stake become free, linearly. `"0s"`: at once.
        reward_vesting: Period,
        /// What an owner may keep of its stakers' rewards.
        commission: CommissionRules,
        /// What a provider may offer of its own rewards to its stakers.
        bribe: BribeRules,
        /// Half the stake from somebody else, at an agreed share of the rewards.
        co_stake: CoStakeRules,
        /// From which stake on a subject works, and from which at full efficiency.
        ramp: RampRules,
        /// How stake weighs where subjects are drawn or vote.
        weight: WeightRules,
        /// What each offence costs; one that is not named costs nothing.
        offences: Vec<OffenceRules>,
        /// Where slashed tokens go.
        split: SplitRules,
        /// The most of a subject's stake that one slash may take, unless it ejects.
        slash_cap: Share,
        /// Whether the network's grantor may report offences that no other rule decides: for
        /// networks whose founders judge. Ours has `false`.
        grantor_judges: bool,
        /// How many subjects there may be. At the limit, an empty one makes room.
        subjects_max: u32,
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            provider: RoleRules::default(),
            validator: RoleRules::default(),
            checker: RoleRules::default(),
            indexer: RoleRules::default(),
            gateway: RoleRules::default(),
            cooldown: Period(0),
            delegation: false,
            minimum_delegation: Tokens::ZERO,
            moves: false,
            move_wait: Period(0),
            compound: false,
            reward_vesting: Period(0),
            commission: CommissionRules::default(),
            bribe: BribeRules::default(),
            co_stake: CoStakeRules::default(),
            ramp: RampRules::default(),
            weight: WeightRules::default(),
            offences: Vec::new(),
            split: SplitRules::default(),
            slash_cap: Share::ALL,
            grantor_judges: false,
            subjects_max: 100_000,
        }
    }
}

rules! {
    /// The rules of one role.
    #[derive(Default)]
    RoleRules {
        /// Whether the role may stake.
        open: bool,
        /// The least stake with which a subject is in good standing.
        #[serde(with = "tokens")]
        minimum: Tokens,
        /// What its devices require beyond that.
        required: RequiredRules,
        /// How rewards are shared with stakers.
        sharing: Sharing,
        /// Up to this many dollars of earnings that the owner has not taken count as stake,
        /// and stay until it retires (RNP-019). `"0"`: none.
        #[serde(with = "dollars")]
        implicit: Credits,
    }
}

rules! {
    /// The stake that devices require. One [`Load`](super::Load) says how many devices of a
    /// kind there are, and their weight.
    #[derive(Default)]
    RequiredRules {
        /// Which formula.
        formula: Formula,
        /// Its amount, as the formula says.
        #[serde(with = "tokens")]
        amount: Tokens,
        /// Its multiple, as the formula says.
        multiple: u32,
        /// Its share, as the formula says.
        share: Share,
    }
}

choice! {
    /// How required stake is computed.
    Formula {
        /// `amount` for each device.
        #[default]
        Flat,
        /// `amount · max(1, weight)` for each device; the weight is its reward multiplier
        /// (io.net: 200).
        Multiplier,
        /// `weight · coefficient` for each device: the coefficient that the last epoch
        /// measured, or `amount` before (Aethir: `K · coefficient`).
        Coefficient,
        /// `amount · √weight` for each device; the weight is its performance (Phala: 50·√P).
        SquareRoot,
        /// `multiple` daily rewards plus `share` of all circulating tokens in proportion to
        /// the weight, which is power, over the larger of baseline and network power
        /// (Filecoin: 20 days, 30 %).
        Pledge,
        /// `multiple` times the weight, which is the value at risk in whole tokens.
        Risk,
    }
}

choice! {
    /// How a subject's rewards are shared with its stakers.
    Sharing {
        /// The owner keeps its commission, the stakers have the rest.
        #[default]
        Commission,
        /// The stakers have the share that the owner offers, the owner keeps the rest.
        Bribe,
    }
}

rules! {
    /// Bounds of commission.
    CommissionRules {
        /// The highest.
        most: Share,
        /// The largest change at one time.
        step: Share,
        /// The least time between two changes.
        every: Period,
    }
}

impl Default for CommissionRules {
    /// Any commission; it changes by at most one hundredth a day.
    fn default() -> Self {
        Self { most: Share::ALL, step: Share::percent(1), every: Period::DAY }
    }
}

rules! {
    /// Bounds of bribes.
    BribeRules {
        /// The highest.
        most: Share,
        /// How long before it holds a new one is announced.
        notice: Period,
    }
}

impl Default for BribeRules {
    /// Any bribe, a day ahead.
    fn default() -> Self {
        Self { most: Share::ALL, notice: Period::DAY }
    }
}

rules! {
    /// Bounds of co-staking.
    #[derive(Default)]
    CoStakeRules {
        /// The most of a subject's stake that a co-staker may hold. `"0%"`: no co-staking.
        most: Share,
        /// Offers that one owner may have at a time.
        offers: u32,
        /// How long a co-staker waits for its stake.
        cooldown: Period,
    }
}

rules! {
    /// Efficiency grows linearly with stake: nothing below `floor`, all from `full` on.
    #[derive(Default)]
    RampRules {
        /// Below this stake a subject does not work at all.
        #[serde(with = "tokens")]
        floor: Tokens,
        /// From here on it works at full efficiency. `"0"`: always.
        #[serde(with = "tokens")]
        full: Tokens,
    }
}

rules! {
    /// How stake weighs.
    #[derive(Default)]
    WeightRules {
        /// By which curve.
        curve: Curve,
        /// What is beyond this weighs nothing more. `"0"`: no bound.
        #[serde(with = "tokens")]
        cap: Tokens,
    }
}

choice! {
    /// A curve of weight over stake.
    Curve {
        /// Stake weighs as it is.
        #[default]
        Linear,
        /// By its square root: kind to small holders, and to one who poses as many.
        SquareRoot,
    }
}

/// What one offence costs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OffenceRules {
    /// Which.
    pub offence: Offence,
    /// The part of what is at risk that is lost: the first time, the second, and so on; the
    /// last one holds for all further times. Rounded up.
    pub parts: Vec<Part>,
    /// How long a time counts as an earlier one.
    #[serde(default)]
    pub window: Period,
    /// How long the subject is jailed. `"0s"`: it is not.
    #[serde(default)]
    pub jail: Period,
    /// From which time on it is ejected for good. 0: never.
    #[serde(default)]
    pub eject_at: u32,
}

rules! {
    /// Where slashed tokens go; the rest, with all dust and the parts of parties that are not
    /// there, burns.
    #[derive(Default)]
    SplitRules {
        /// To who reported.
        reporter: Share,
        /// To who was harmed.
        affected: Share,
        /// To the treasury.
        treasury: Share,
    }
}

/// A part of a whole as an exact fraction. Text: `"1/3"` or `"30%"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Part {
    /// How many.
    pub numerator: u64,
    /// Of how many; never 0, and not less than the numerator.
    pub denominator: u64,
}

/// Why a text is not a [`Part`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a part: write a fraction such as \"1/3\" or a percentage from \"0%\" to \"100%\"")]
pub struct PartError;

impl Part {
    const fn new(numerator: u64, denominator: u64) -> Option<Self> {
        if denominator > 0 && numerator <= denominator {
            Some(Self { numerator, denominator })
        } else {
            None
        }
    }

    /// This part of `amount`, rounded up, and never more than `amount`.
    ///
    /// # Errors
    /// [`AmountError::Overflow`] when the denominator is 0.
    pub fn of(self, amount: Tokens) -> Result<Tokens, AmountError> {
        let (numerator, denominator) = (self.numerator.into(), self.denominator.into());
        Ok(Tokens(mul_div(amount.0, numerator, denominator, Rounding::Up)?.min(amount.0)))
    }
}

impl From<Share> for Part {
    fn from(share: Share) -> Self {
        Self { numerator: share.billionths(), denominator: Share::ALL.billionths() }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Share::new(self.numerator) {
            Some(share) if self.denominator == Share::ALL.billionths() => share.fmt(f),
            _ => write!(f, "{}/{}", self.numerator, self.denominator),
        }
    }
}

impl FromStr for Part {
    type Err = PartError;

    fn from_str(text: &str) -> Result<Self, PartError> {
        let Some((numerator, denominator)) = text.split_once('/') else {
            return text.parse::<Share>().map(Self::from).map_err(|_| PartError);
        };
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| PartError);
        Self::new(number(numerator)?, number(denominator)?).ok_or(PartError)
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Rules {
    /// The rules of one role.
    #[must_use]
    pub const fn role(&self, role: Role) -> &RoleRules {
        match role {
            Role::Provider => &self.provider,
            Role::Validator => &self.validator,
            Role::Checker => &self.checker,
            Role::Indexer => &self.indexer,
            Role::Gateway => &self.gateway,
        }
    }

    /// What an offence costs, if anything.
    #[must_use]
    pub fn offence(&self, offence: Offence) -> Option<&OffenceRules> {
        self.offences.iter().find(|rules| rules.offence == offence)
    }

    /// Checks every bound.
    ///
    /// # Errors
    /// The first [`RuleError`] found.
    pub fn validate(&self) -> Result<(), RuleError> {
        self.validate_periods()?;
        let require = RuleError::require;
        require(self.subjects_max > 0, "stake.subjects_max", "must be at least 1")?;
        let ramp = self.ramp.full.is_zero() || self.ramp.floor < self.ramp.full;
        require(ramp, "stake.ramp.floor", "must be less than stake.ramp.full")?;
        let ramp = !self.ramp.full.is_zero() || self.ramp.floor.is_zero();
        require(ramp, "stake.ramp.full", "must be given with stake.ramp.floor")?;
        let SplitRules { reporter, affected, treasury } = &self.split;
        let given = reporter.billionths() + affected.billionths() + treasury.billionths();
        let fits = given <= Share::ALL.billionths();
        require(fits, "stake.split", "reporter, affected and treasury exceed 100%")?;
        let co_stake = self.co_stake.most < Share::ALL;
        require(co_stake, "stake.co_stake.most", "must be less than 100%")?;
        self.offences
            .iter()
            .enumerate()
            .try_for_each(|(at, rules)| self.validate_offence(at, rules))
    }

    fn validate_periods(&self) -> Result<(), RuleError> {
        let periods = [
            ("stake.cooldown", self.cooldown),
            ("stake.move_wait", self.move_wait),
            ("stake.reward_vesting", self.reward_vesting),
            ("stake.commission.every", self.commission.every),
            ("stake.bribe.notice", self.bribe.notice),
            ("stake.co_stake.cooldown", self.co_stake.cooldown),
        ];
        periods.iter().try_for_each(|(path, period)| require_period(path, *period))
    }

    fn validate_offence(&self, at: usize, rules: &OffenceRules) -> Result<(), RuleError> {
        let path = format!("stake.offences[{at}]");
        let first = self.offences.iter().position(|other| other.offence == rules.offence);
        RuleError::require(first == Some(at), &path, "names an offence a second time")?;
        let count = (1..=SEVERITIES_MAX).contains(&rules.parts.len());
        RuleError::require(count, &format!("{path}.parts"), "must have 1 to 8 parts")?;
        let whole = |part: &Part| Part::new(part.numerator, part.denominator).is_some();
        let parts = rules.parts.iter().all(whole);
        RuleError::require(parts, &format!("{path}.parts"), "must be at most the whole")?;
        require_period(&format!("{path}.window"), rules.window)?;
        require_period(&format!("{path}.jail"), rules.jail)
    }
}

fn require_period(path: &str, period: Period) -> Result<(), RuleError> {
    RuleError::require(period.ms() <= PERIOD_MS_MAX, path, "must be at most ten years")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_exact_fractions() {
        for text in ["1/3", "30%", "0.1%", "100%"] {
            assert_eq!(text.parse::<Part>().map(|part| part.to_string()), Ok(text.into()));
        }
        for wrong in ["", "1/0", "4/3", "-1/3", "101%", "x"] {
            assert_eq!(wrong.parse::<Part>(), Err(PartError), "{wrong}");
        }
        let third = Part { numerator: 1, denominator: 3 };
        assert_eq!(third.of(Tokens(1_334_220_000_000)), Ok(Tokens(444_740_000_000)));
        assert_eq!(third.of(Tokens(10)), Ok(Tokens(4)), "rounded up");
    }

    fn path(change: impl FnOnce(&mut Rules)) -> Result<(), String> {
        let mut rules = Rules::default();
        change(&mut rules);
        rules.validate().map_err(|error| error.path)
    }

    #[test]
    fn wrong_rules_are_named() {
        assert_eq!(path(|_| ()), Ok(()));
        let wrong = |path: &str| Err(path.to_owned());
        assert_eq!(path(|r| r.subjects_max = 0), wrong("stake.subjects_max"));
        assert_eq!(path(|r| r.ramp.floor = Tokens(1)), wrong("stake.ramp.full"));
        let ramp = RampRules { floor: Tokens(2), full: Tokens(2) };
        assert_eq!(path(|r| r.ramp = ramp), wrong("stake.ramp.floor"));
        assert_eq!(path(|r| r.cooldown = Period(u64::MAX)), wrong("stake.cooldown"));
        assert_eq!(path(|r| r.co_stake.most = Share::ALL), wrong("stake.co_stake.most"));
        let split = |r: &mut Rules| {
            (r.split.reporter, r.split.treasury) = (Share::percent(60), Share::percent(60));
        };
        assert_eq!(path(split), wrong("stake.split"));
        let rule = OffenceRules {
            offence: Offence::Equivocation,
            parts: vec![Share::ALL.into()],
            window: Period::DAY,
            jail: Period(0),
            eject_at: 1,
        };
        let empty = OffenceRules { parts: vec![], ..rule };
        assert_eq!(path(|r| r.offences = vec![empty]), wrong("stake.offences[0].parts"));
        assert_eq!(path(|r| r.offences = vec![rule.clone(), rule]), wrong("stake.offences[1]"));
    }
}
