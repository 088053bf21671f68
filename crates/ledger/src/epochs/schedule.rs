//! How much each epoch has to give, as pure functions. A schedule states the sum over all
//! epochs up to one, rounded down once; an epoch gives the difference of two sums. So no
//! fraction is ever lost, and the order of asking does not matter.

use borsh::{BorshDeserialize, BorshSerialize};
use ethnum::U256;
use remuda_types::{AmountError, Tokens};
use serde::{Deserialize, Serialize};

use super::formulas::filecoin;
use crate::economy::RuleError;
use crate::math::units::tokens;
use crate::math::{Fixed, Share};

/// The steps of a [`Fixed`] in one base unit of tokens.
const STEPS_PER_UNIT: u64 = 100_000_000_000;
/// The most amounts in a schedule's table.
pub const STAGES_MAX: usize = 64;

/// How much each epoch has to give.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// Nothing.
    None {},
    /// The first epoch's amount, each further one smaller by the same fraction:
    /// `E_n = first·(1 - decay)^n` (io.net).
    Decay {
        /// The first epoch's amount, in tokens.
        first: Fixed,
        /// By which fraction each epoch gives less than the one before.
        decay: Fixed,
        /// How many epochs give anything.
        epochs: u32,
    },
    /// Stages of equally many epochs, in each of which all epochs give the same: first those
    /// of the table, then each `factor` times the stage before. A factor of 1 is a fixed
    /// pool, 0.5 a halving, 0.945 Render's damping.
    Stages {
        /// How many epochs a stage has.
        epochs: u32,
        /// What the first stages give in all, in tokens.
        table: Vec<Fixed>,
        /// How much of a stage the next one gives; after the table.
        factor: Fixed,
        /// How many stages give anything.
        stages: u32,
    },
    /// Toward demand: an epoch that burned more than the epoch's amount lets the next one
    /// give `step` more, any other `step` less, within bounds. (Heurist says that supply
    /// tracks demand and gives no formula; this one is our choice.)
    Demand {
        /// The first epoch's amount.
        #[serde(with = "tokens")]
        first: Tokens,
        /// No epoch gives less.
        #[serde(with = "tokens")]
        least: Tokens,
        /// No epoch gives more.
        #[serde(with = "tokens")]
        most: Tokens,
        /// By how much the amount changes from epoch to epoch.
        step: Share,
    },
    /// Partly by time, partly by capacity beside a growing baseline (Filecoin: 30 % simple,
    /// 70 % baseline).
    Baseline {
        /// All that is ever given.
        #[serde(with = "tokens")]
        total: Tokens,
        /// The part that depends on time alone.
        simple: Share,
        /// After how many epochs half of a part has been given.
        half_life: u32,
        /// The baseline of the first epoch, in the unit of device scores.
        base: Fixed,
        /// After how many epochs the baseline doubles.
        doubling: u32,
    },
}

impl Default for Schedule {
    fn default() -> Self {
        Self::None {}
    }
}

/// How far a schedule has come.
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
pub struct Progress {
    /// Epochs that have ended.
    pub epochs: u64,
    /// What they had to give in all, before any clip.
    pub scheduled: Tokens,
    /// What the last of them had to give: what a schedule toward demand goes on from.
    pub last: Tokens,
    /// The sum of the capacity of all epochs, each in units of the first baseline and counted
    /// at most up to its own baseline.
    pub realised: Fixed,
}

impl Schedule {
    /// What the first `count` epochs give in all; none when that depends on their history.
    ///
    /// # Errors
    /// [`AmountError`] when it does not fit.
    pub fn sum(&self, count: u64) -> Result<Option<Tokens>, AmountError> {
        match self {
            Self::None {} => Ok(Some(Tokens::ZERO)),
            Self::Decay { first, decay, epochs } => {
                let count = bounded(count, *epochs);
                geometric_sum(*first, Fixed::ONE.sub(*decay)?, count).map(Some)
            }
            Self::Stages { epochs, table, factor, stages } => {
                let epochs = u64::from((*epochs).max(1));
                let stage = bounded(count / epochs, *stages);
                let before = stages_sum(table, *factor, stage)?;
                if stage == *stages {
                    return Ok(Some(before));
                }
                let whole = stages_sum(table, *factor, stage + 1)?.sub(before)?;
                let part = mul_div(whole.0, count % epochs, epochs)?;
                before.add(Tokens(part)).map(Some)
            }
            Self::Demand { .. } | Self::Baseline { .. } => Ok(None),
        }
    }

    /// The progress after one more epoch, in which so many tokens were `burned` and the
    /// devices had so much `power`.
    ///
    /// # Errors
    /// [`AmountError`] when it does not fit.
    pub fn advance(
        &self,
        progress: &Progress,
        burned: Tokens,
        power: Fixed,
    ) -> Result<Progress, AmountError> {
        let mut next = *progress;
        next.epochs = progress.epochs.checked_add(1).ok_or(AmountError::Overflow)?;
        next.scheduled = match self {
            Self::None {} | Self::Decay { .. } | Self::Stages { .. } => {
                self.sum(next.epochs)?.unwrap_or(progress.scheduled)
            }
            Self::Demand { first, least, most, step } => {
                let amount = match progress.epochs {
                    0 => *first,
                    _ => toward(progress.last, burned, *step)?,
                };
                progress.scheduled.add(amount.clamp(*least, *most))?
            }
            Self::Baseline { total, simple, half_life, base, doubling } => {
                let curve = filecoin::Curve {
                    total: *total,
                    simple: *simple,
                    half_life: *half_life,
                    doubling: *doubling,
                };
                next.realised = curve.realise(progress, power, *base)?;
                // Rounding may let the sum stand still, never fall.
                curve.sum(next.epochs, next.realised)?.max(progress.scheduled)
            }
        };
        next.last = next.scheduled.sub(progress.scheduled)?;
        Ok(next)
    }

    /// Checks the parameters, under `path`.
    ///
    /// # Errors
    /// The first [`RuleError`] found.
    pub(super) fn validate(&self, path: &str) -> Result<(), RuleError> {
        let require = |holds, field: &str, rule: &str| {
            RuleError::require(holds, &format!("{path}.{field}"), rule)
        };
        let fraction = |value: Fixed| (Fixed::ZERO..=Fixed::ONE).contains(&value);
        match self {
            Self::None {} => return Ok(()),
            Self::Decay { first, decay, epochs } => {
                require(!first.is_negative(), "first", "must not be negative")?;
                require(fraction(*decay), "decay", "must be from 0 to 1")?;
                require(*epochs > 0, "epochs", "must be at least 1")?;
            }
            Self::Stages { epochs, table, factor, stages } => {
                require(*epochs > 0, "epochs", "must be at least 1")?;
                let fits = (1..=STAGES_MAX).contains(&table.len());
                let fits = fits && table.iter().all(|amount| !amount.is_negative());
                require(fits, "table", "must have 1 to 64 amounts, none negative")?;
                require(fraction(*factor), "factor", "must be from 0 to 1")?;
                require(*stages > 0, "stages", "must be at least 1")?;
            }
            Self::Demand { first, least, most, .. } => {
                let ordered = least <= first && first <= most;
                require(ordered, "first", "must lie between least and most")?;
            }
            Self::Baseline { half_life, base, doubling, .. } => {
                require(*half_life > 0, "half_life", "must be at least 1")?;
                require(*doubling > 0, "doubling", "must be at least 1")?;
                require(*base > Fixed::ZERO, "base", "must be above 0")?;
            }
        }
        let fits = self.sum(u64::MAX).is_ok();
        RuleError::require(fits, path, "must give a sum that fits in the amounts of tokens")
    }
}

/// At most `most`.
fn bounded(count: u64, most: u32) -> u32 {
    u32::try_from(count).unwrap_or(most).min(most)
}

fn mul_div(amount: u128, part: u64, whole: u64) -> Result<u128, AmountError> {
    crate::math::mul_div(amount, part.into(), whole.into(), crate::math::Rounding::Down)
}

/// `step` more when more was burned than given, else `step` less.
fn toward(last: Tokens, burned: Tokens, step: Share) -> Result<Tokens, AmountError> {
    let change = Tokens(step.of(last.0));
    if burned > last { last.add(change) } else { last.sub(change) }
}

/// `first·(1 - ratio^count)/(1 - ratio)` tokens, rounded down to base units.
fn geometric_sum(first: Fixed, ratio: Fixed, count: u32) -> Result<Tokens, AmountError> {
    let positive = |value: Fixed| u128::try_from(value.0).map_err(|_| AmountError::Underflow);
    let first = U256::from(positive(first)?);
    let steps = if ratio == Fixed::ONE {
        first * U256::from(count)
    } else {
        let given = positive(Fixed::ONE.sub(ratio.powi(count)?)?)?;
        first * U256::from(given) / U256::from(positive(Fixed::ONE.sub(ratio)?)?)
    };
    let units = steps / U256::from(STEPS_PER_UNIT);
    u128::try_from(units).map(Tokens).map_err(|_| AmountError::Overflow)
}

/// What the first `count` stages give in all.
fn stages_sum(table: &[Fixed], factor: Fixed, count: u32) -> Result<Tokens, AmountError> {
    let listed = bounded(table.len() as u64, count);
    let mut first = table.iter().take(listed as usize);
    let sum = first.clone().try_fold(Fixed::ZERO, |sum, amount| sum.add(*amount))?;
    let sum = geometric_sum(sum, Fixed::ONE, 1)?;
    let further = match first.next_back() {
        Some(last) if count > listed => geometric_sum(last.mul(factor)?, factor, count - listed)?,
        _ => Tokens::ZERO,
    };
    sum.add(further)
}

#[cfg(test)]
mod tests;
