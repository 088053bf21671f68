//! What the networks pay for, as pure functions, one file a network; and the choice of the
//! one by which an economy weighs capacity.
//!
//! All are of [`Fixed`] numbers with twenty places, each product and quotient rounded toward
//! zero. A network that publishes only prose or a picture has a reconstruction here that says
//! so.

pub mod aethir;
pub mod filecoin;
pub mod helium;
pub mod heurist;
pub mod ionet;
pub mod phala;
pub mod render;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::AmountError;
use serde::{Deserialize, Serialize};

use super::records::Facts;
use crate::economy::RuleError;
use crate::math::{Fixed, Share};

/// By which formula the capacity of a device weighs. Every weight is multiplied by the
/// coverage of the device, which is one where nobody reported another.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(tag = "formula", rename_all = "snake_case", deny_unknown_fields)]
pub enum Formula {
    /// `score · count · uptime`: linear in hardware (Aethir's proof of capacity).
    Score {},
    /// `√min(score · count, most) · uptime`: a large machine gets more than a small one, but
    /// less than in proportion. A `most` of 0 is no bound.
    Root {
        /// Beyond this score a device weighs no more.
        #[serde(default)]
        most: Fixed,
    },
    /// `multiplier · count · tier · uptime`, nothing unless the device passed its proofs
    /// (io.net). The multiplier is the score.
    Ionet {},
    /// The weighted sum of work, tier, model and uptime (RNP-006).
    Rnp006 {
        /// Of earlier work.
        work: Share,
        /// Of the tier.
        tier: Share,
        /// Of the model's factor.
        model: Share,
        /// Of uptime.
        uptime: Share,
    },
    /// Availability by score, memory and age beside their means, with a penalty for many
    /// nodes of one account (RNP-015).
    Rnp015 {
        /// So many nodes of one account have no penalty.
        free_nodes: u32,
        /// How fast the penalty grows beyond them.
        steepness: Fixed,
    },
    /// The same for each device, by uptime (RNP-019: availability).
    Uptime {},
    /// By a value that grows while the device stands ready and falls when it is paid, and by
    /// its performance (Phala). It starts from score, confidence (the tier) and stake.
    Phala(phala::Parameters),
    /// By how many witnesses a device's signal has (HIP-15); the score is their number.
    Hip15 {
        /// How many witnesses are wanted.
        target: u32,
        /// By which factor each further one counts less.
        ratio: Fixed,
    },
}

impl Default for Formula {
    fn default() -> Self {
        Self::Score {}
    }
}

/// What all devices together have: what some formulas compare with.
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
pub struct Statistics {
    /// How many there are.
    pub devices: u64,
    /// The sum of their scores, each times its count.
    pub scores: Fixed,
    /// The sum of their memories, in MiB.
    pub memories: Fixed,
    /// The sum of their ages, in days.
    pub ages: Fixed,
    /// The most earlier work that one of them has.
    pub most_work: Fixed,
}

impl Statistics {
    fn mean(&self, sum: Fixed) -> Result<Fixed, AmountError> {
        sum.div(Fixed::from_integer(self.devices)?)
    }
}

/// One device at the end of an epoch.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) facts: Facts,
    pub(crate) uptime: Share,
    pub(crate) coverage: Fixed,
    pub(crate) age_days: Fixed,
    /// How many devices its account has.
    pub(crate) nodes: u32,
    /// Phala's value, after this epoch's growth.
    pub(crate) value: Fixed,
}

impl Formula {
    /// Whether it keeps a value per device from epoch to epoch.
    #[must_use]
    pub const fn has_memory(&self) -> bool {
        matches!(self, Self::Phala(_))
    }

    /// The weight of one device among all.
    ///
    /// # Errors
    /// [`AmountError`] when the facts give no weight: a logarithm of nothing, a division by a
    /// mean of nothing, or a result out of range.
    pub(crate) fn weight(&self, device: &Standing, all: &Statistics) -> Result<Fixed, AmountError> {
        let (facts, uptime) = (&device.facts, share(device.uptime));
        let score = total_score(facts)?;
        let weight = match self {
            Self::Score {} => score.mul(uptime)?,
            Self::Root { most: Fixed::ZERO } => score.sqrt()?.mul(uptime)?,
            Self::Root { most } => score.min(*most).sqrt()?.mul(uptime)?,
            Self::Ionet {} => {
                let count = Fixed::from_integer(facts.count)?;
                ionet::score(facts.score, count, share(facts.tier), uptime, facts.passed)?
            }
            Self::Rnp006 { work, tier, model, uptime: weight } => {
                let weights = [*work, *tier, *model, *weight];
                let experience = render::experience(facts.earlier, all.most_work)?;
                let parts = [experience, share(facts.tier), share(facts.model), uptime];
                render::node_score(weights, parts)?
            }
            Self::Rnp015 { free_nodes, steepness } => {
                let memory = Fixed::from_integer(facts.memory_mib)?;
                let pairs = [
                    (score, all.mean(all.scores)?),
                    (memory, all.mean(all.memories)?),
                    (device.age_days, all.mean(all.ages)?),
                ];
                let penalty = render::node_penalty(device.nodes, *free_nodes, *steepness)?;
                render::availability(uptime, pairs, penalty, Fixed::ONE)?.max(Fixed::ZERO)
            }
            Self::Uptime {} => uptime,
            Self::Phala(_) => phala::share(device.value, score, share(facts.tier))?.mul(uptime)?,
            Self::Hip15 { target, ratio } => {
                let witnesses = u32::try_from(facts.score.0 / Fixed::SCALE);
                let witnesses = witnesses.map_err(|_| AmountError::Overflow)?;
                helium::transmit_units(witnesses, *target, *ratio)?.mul(uptime)?
            }
        };
        weight.mul(device.coverage)
    }

    /// Checks the parameters, under `path`.
    ///
    /// # Errors
    /// The first [`RuleError`] found.
    pub(super) fn validate(&self, path: &str) -> Result<(), RuleError> {
        let require = |holds, field: &str, rule: &str| {
            RuleError::require(holds, &format!("{path}.{field}"), rule)
        };
        match self {
            Self::Root { most } => require(!most.is_negative(), "most", "must not be negative"),
            Self::Rnp006 { work, tier, model, uptime } => {
                let sum: u64 =
                    [work, tier, model, uptime].map(|part| part.billionths()).iter().sum();
                let whole = sum == Share::ALL.billionths();
                require(whole, "work", "must come to 100% with tier, model and uptime")
            }
            Self::Rnp015 { steepness, .. } => {
                let fits = !steepness.is_negative();
                require(fits, "steepness", "must not be negative")
            }
            Self::Phala(parameters) => parameters.validate(path),
            Self::Hip15 { target, ratio } => {
                require(*target > 0, "target", "must be at least 1")?;
                let fits = (Fixed::ZERO..=Fixed::ONE).contains(ratio);
                require(fits, "ratio", "must be from 0 to 1")
            }
            Self::Score {} | Self::Ionet {} | Self::Uptime {} => Ok(()),
        }
    }
}

/// The score of all that a device has.
pub(crate) fn total_score(facts: &Facts) -> Result<Fixed, AmountError> {
    facts.score.mul(Fixed::from_integer(facts.count)?)
}

/// A share as a number from 0 to 1.
#[must_use]
pub fn share(share: Share) -> Fixed {
    // A share has nine places: exact.
    Fixed(i128::from(share.billionths()) * (Fixed::SCALE / i128::from(Share::ALL.billionths())))
}

/// A number from decimal text, for tests.
#[cfg(test)]
pub(crate) fn fixed(text: &str) -> Fixed {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

/// A number rounded half away from zero to so many places, for tests against printed digits.
#[cfg(test)]
pub(crate) fn rounded(value: Fixed, places: u32) -> String {
    let unit = Fixed::SCALE / 10_i128.pow(places);
    let half = value.0.signum() * (unit / 2);
    Fixed((value.0 + half) / unit * unit).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(score: &str, count: u32) -> Standing {
        let facts = Facts { score: fixed(score), count, passed: true, ..Facts::default() };
        Standing {
            facts,
            uptime: Share::percent(50),
            coverage: Fixed::ONE,
            age_days: Fixed::ONE,
            nodes: 1,
            value: Fixed::ZERO,
        }
    }

    fn weight(formula: &Formula, device: &Standing) -> String {
        let all = Statistics { devices: 1, most_work: fixed("1"), ..Statistics::default() };
        formula.weight(device, &all).map_or_else(|error| error.to_string(), |w| w.to_string())
    }

    #[test]
    fn each_formula_has_its_weight() {
        let all = |formula| weight(&formula, &device("25", 4));
        assert_eq!(all(Formula::Score {}), "50");
        assert_eq!(all(Formula::Root { most: Fixed::ZERO }), "5");
        assert_eq!(all(Formula::Root { most: fixed("16") }), "2");
        assert_eq!(all(Formula::Ionet {}), "50");
        assert_eq!(all(Formula::Uptime {}), "0.5");
        assert_eq!(all(Formula::Hip15 { target: 4, ratio: fixed("0.8") }), {
            let units = helium::transmit_units(25, 4, fixed("0.8"));
            units
                .and_then(|units| units.mul(fixed("0.5")))
                .map_or_else(|e| e.to_string(), |u| u.to_string())
        });
        let half = Standing { coverage: fixed("0.5"), ..device("25", 4) };
        assert_eq!(weight(&Formula::Score {}, &half), "25");
        let failed = Standing { facts: Facts { passed: false, ..half.facts.clone() }, ..half };
        assert_eq!(weight(&Formula::Ionet {}, &failed), "0");
    }

    #[test]
    fn a_device_like_all_others_has_the_weight_of_its_uptime_and_no_more() {
        // Each logarithm is that of the mean: 3 + 3 + 1.
        let formula = Formula::Rnp015 { free_nodes: 3, steepness: fixed("0.65") };
        let mut device = device("100", 1);
        device.facts.memory_mib = 24_576;
        device.age_days = fixed("30");
        let all = Statistics {
            devices: 2,
            scores: fixed("200"),
            memories: fixed("49152"),
            ages: fixed("60"),
            most_work: Fixed::ZERO,
        };
        assert_eq!(formula.weight(&device, &all), Ok(fixed("3.5")));
        let none = Statistics::default();
        assert!(formula.weight(&device, &none).is_err());
    }
}
