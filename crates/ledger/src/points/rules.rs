//! The rules of points: what earns them, what teams and invitations add, the odds of chests,
//! who gets a certificate, and what points become.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{Credits, Tokens};
use serde::{Deserialize, Serialize};

use super::amount::Points;
use crate::economy::RuleError;
use crate::math::{Fixed, Period, Share};

/// The most seasons that a profile may state.
pub const SEASONS_MAX: usize = 16;
/// The most outcomes that a chest may have.
pub const PRIZES_MAX: usize = 16;
/// The most members that a team may have.
pub const TEAM_MEMBERS_MAX: u32 = 10_000;
/// The most chests that an account may have, whatever the profile says.
pub const CHESTS_MAX: u32 = 10_000;
/// The highest rate or multiplier.
const FACTOR_MAX: Fixed = Fixed(1_000_000 * Fixed::SCALE);

/// The room's section of an economy.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Whether there are points at all.
    pub on: bool,
    /// What work earns.
    pub rates: Rates,
    /// By what earned points are multiplied, one time after the other. After the last, and
    /// where none is stated, by one.
    pub seasons: Vec<Season>,
    /// How many points of work make an account count as a member, as invited, and for a
    /// certificate: so that made-up accounts bring nothing.
    pub qualified_at: Points,
    /// Teams.
    pub teams: TeamRules,
    /// Invitations, one step deep.
    pub referrals: ReferralRules,
    /// Treasure chests.
    pub chests: ChestRules,
    /// Certificates.
    pub certificates: CertificateRules,
    /// What points become.
    pub conversion: ConversionRules,
}

/// Points for work, by its kind.
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
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// For each dollar earned.
    pub dollar: Fixed,
    /// For each verified unit of work, as epochs count them.
    pub unit: Fixed,
    /// For each verdict of a checker.
    pub verdict: Fixed,
    /// For each thousand tokens of a language model, in and out: a Llama point.
    pub llama: Fixed,
    /// For each image of 512 by 512 in 20 steps: a Waifu point.
    pub waifu: Fixed,
}

/// A time in which work earns more, or less.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Season {
    /// How long it is.
    pub length: Period,
    /// By what points are multiplied.
    pub multiplier: Fixed,
}

/// Teams.
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
#[serde(default, deny_unknown_fields)]
pub struct TeamRules {
    /// The most members; 0 is no teams.
    pub members_max: u32,
    /// How long after leaving a team an account must wait for the next.
    pub cooldown: Period,
    /// What each other qualified member adds to a member's points of work.
    pub bonus: Share,
    /// The most that all of them add.
    pub bonus_max: Share,
}

/// Invitations.
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
#[serde(default, deny_unknown_fields)]
pub struct ReferralRules {
    /// What the inviter gets of the invited account's points of work; made in addition, not
    /// taken. 0% is no invitations.
    pub share: Share,
    /// How many accounts may name one inviter.
    pub invited_max: u32,
}

/// Treasure chests. They are earned, never sold.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(default, deny_unknown_fields)]
pub struct ChestRules {
    /// The most that one account may ever take; 0 is no chests.
    pub cap: u32,
    /// For each so many points of work there is one; 0 is none.
    pub milestone: Points,
    /// How many a team's founder earns for each member that qualifies in the team.
    pub per_member: u32,
    /// How many an inviter earns for each invited account that qualifies.
    pub per_invited: u32,
    /// The first so many qualified accounts bring twice as many.
    pub early: u64,
    /// What may be in it. The odds come to 100%.
    pub prizes: Vec<Prize>,
}

/// One outcome of opening a chest.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Prize {
    /// How likely it is.
    pub odds: Share,
    /// What it is.
    pub content: Content,
}

/// What is in a chest.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Nothing.
    Nothing,
    /// So many points.
    Points(Points),
    /// A certificate; so many points for an account that has one, or when none is left.
    Certificate(Points),
    /// So many credits, from what somebody funded.
    Credits(#[serde(with = "crate::math::units::dollars")] Credits),
}

/// Certificates: the first so many qualified accounts get one each.
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
#[serde(default, deny_unknown_fields)]
pub struct CertificateRules {
    /// How many there are.
    pub cap: u32,
}

/// What points become, once.
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
#[serde(default, deny_unknown_fields)]
pub struct ConversionRules {
    /// All tokens that all points together become, by their parts; 0 is never.
    #[serde(with = "crate::math::units::tokens")]
    pub pool: Tokens,
    /// How long after the points' first block they end and become tokens: the genesis of the
    /// main network.
    pub after: Period,
    /// Whether only accounts with a certificate take part.
    pub certified_only: bool,
    /// Over how long the tokens come free, evenly.
    pub vesting: Period,
    /// In steps of this length; 0 is continuously.
    pub step: Period,
}

fn require(holds: bool, field: &str, rule: &str) -> Result<(), RuleError> {
    RuleError::require(holds, &format!("points.{field}"), rule)
}

fn is_factor(factor: Fixed) -> bool {
    !factor.is_negative() && factor <= FACTOR_MAX
}

impl Rules {
    /// Checks the section.
    ///
    /// # Errors
    /// The first [`RuleError`] found.
    pub fn validate(&self) -> Result<(), RuleError> {
        let Rates { dollar, unit, verdict, llama, waifu } = self.rates;
        let rates = [dollar, unit, verdict, llama, waifu].into_iter().all(is_factor);
        require(rates, "rates", "must lie between 0 and 1000000")?;
        require(self.seasons.len() <= SEASONS_MAX, "seasons", "must be at most 16")?;
        let seasons = self.seasons.iter().all(|season| is_factor(season.multiplier));
        require(seasons, "seasons", "must have multipliers between 0 and 1000000")?;
        let members = self.teams.members_max <= TEAM_MEMBERS_MAX;
        require(members, "teams.members_max", "must be at most 10000")?;
        self.chests.validate()?;
        let ConversionRules { vesting, step, .. } = self.conversion;
        require(step <= vesting, "conversion.step", "must not exceed points.conversion.vesting")
    }
}

impl ChestRules {
    fn validate(&self) -> Result<(), RuleError> {
        require(self.cap <= CHESTS_MAX, "chests.cap", "must be at most 10000")?;
        require(self.prizes.len() <= PRIZES_MAX, "chests.prizes", "must be at most 16")?;
        let odds: u64 = self.prizes.iter().map(|prize| prize.odds.billionths()).sum();
        let whole = odds == Share::ALL.billionths() || (self.cap == 0 && self.prizes.is_empty());
        require(whole, "chests.prizes", "must have odds that come to 100%")
    }

    /// The most credits that one chest may hold.
    pub(crate) fn credits_max(&self) -> Credits {
        let credits = self.prizes.iter().map(|prize| match prize.content {
            Content::Credits(credits) => credits,
            _ => Credits::ZERO,
        });
        credits.max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_off_and_stands() {
        assert!(!Rules::default().on);
        assert_eq!(Rules::default().validate(), Ok(()));
    }

    #[test]
    fn odds_come_to_the_whole() {
        let prize = |percent| Prize { odds: Share::percent(percent), content: Content::Nothing };
        let with = |prizes: Vec<Prize>| {
            let chests = ChestRules { cap: 825, prizes, ..ChestRules::default() };
            Rules { chests, ..Rules::default() }.validate().map_err(|error| error.path)
        };
        assert_eq!(with(vec![prize(60), prize(40)]), Ok(()));
        assert_eq!(with(vec![prize(60), prize(39)]), Err("points.chests.prizes".into()));
        assert_eq!(with(Vec::new()), Err("points.chests.prizes".into()));
    }

    #[test]
    fn factors_are_bounded() {
        let mut rules = Rules::default();
        rules.rates.llama = Fixed(-1);
        assert_eq!(rules.validate().map_err(|e| e.path), Err("points.rates".into()));
        let mut rules = Rules::default();
        rules.conversion.step = Period::DAY;
        assert_eq!(rules.validate().map_err(|e| e.path), Err("points.conversion.step".into()));
    }
}
