//! An economy made ready to be played: roles that a founder binds are bound to actors of the
//! simulation, and epochs that are shorter than a step are taken together. Nothing else of the
//! profile changes.

use remuda_ledger::Economy;
use remuda_ledger::epochs::{Schedule, Stream};
use remuda_ledger::math::{Fixed, Period};
use remuda_types::{AccountId, AmountError, Tokens};

/// The actors that a founder's roles go to.
#[derive(Clone, Debug)]
pub(crate) struct Bindings {
    /// Who says what a token costs.
    pub(crate) posters: Vec<AccountId>,
    /// Who reports capacity, uptime and duties.
    pub(crate) reporter: AccountId,
}

/// The economy to play, and what was changed, for the report.
pub(crate) fn prepare(
    economy: &Economy,
    bindings: Bindings,
    step: Period,
) -> Result<(Economy, Vec<String>), AmountError> {
    let mut played = economy.clone();
    played.credits.oracle.posters = bindings.posters;
    played.epochs.reporters = vec![bindings.reporter];
    let mut notes = vec![format!(
        "Bound to actors of the simulation: {} posters of the price, one reporter of epochs, the \
         grantor, and the holders of genesis allocations.",
        played.credits.oracle.posters.len()
    )];
    for stream in &mut played.epochs.streams {
        let times = step.ms() / stream.length.ms().max(1);
        if times > 1 {
            notes.push(format!(
                "Stream \"{}\": {times} of its epochs are taken as one, of the same sum, because \
                 a step is longer than an epoch.",
                stream.name
            ));
            *stream = coarsened(stream, times)?;
        }
    }
    Ok((played, notes))
}

/// A stream with epochs so many times as long that gives the same in the same time.
fn coarsened(stream: &Stream, times: u64) -> Result<Stream, AmountError> {
    let count = u32::try_from(times).map_err(|_| AmountError::Overflow)?;
    let mut coarse = stream.clone();
    coarse.length = stream.length.times(times);
    coarse.recycle = multiple(stream.recycle, count)?;
    coarse.schedule = match &stream.schedule {
        Schedule::Decay { first, decay, epochs } => {
            let kept = Fixed::ONE.sub(*decay)?.powi(count)?;
            let lost = Fixed::ONE.sub(kept)?;
            let sum = match *decay {
                Fixed::ZERO => first.mul(Fixed::from_integer(count)?)?,
                decay => first.mul(lost)?.div(decay)?,
            };
            Schedule::Decay { first: sum, decay: lost, epochs: epochs.div_ceil(count) }
        }
        Schedule::Stages { epochs, table, factor, stages } => Schedule::Stages {
            epochs: nearest(*epochs, count),
            table: table.clone(),
            factor: *factor,
            stages: *stages,
        },
        Schedule::Demand { first, least, most, step } => Schedule::Demand {
            first: multiple(*first, count)?,
            least: multiple(*least, count)?,
            most: multiple(*most, count)?,
            step: *step,
        },
        Schedule::Baseline { total, simple, half_life, base, doubling } => Schedule::Baseline {
            total: *total,
            simple: *simple,
            half_life: nearest(*half_life, count),
            base: *base,
            doubling: nearest(*doubling, count),
        },
        Schedule::None {} => Schedule::None {},
    };
    Ok(coarse)
}

fn multiple(amount: Tokens, count: u32) -> Result<Tokens, AmountError> {
    amount.0.checked_mul(count.into()).map(Tokens).ok_or(AmountError::Overflow)
}

/// A number of epochs in longer ones: the nearest, at least 1.
fn nearest(epochs: u32, count: u32) -> u32 {
    (epochs.saturating_add(count / 2) / count.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_stream_gives_the_same_sum() {
        let schedule = Schedule::Decay {
            first: Fixed::from_integer(1_000).unwrap_or_default(),
            decay: Fixed::ratio(1, 1_000).unwrap_or_default(),
            epochs: 240,
        };
        let fine = Stream { length: Period::HOUR, schedule, ..Stream::default() };
        let coarse = coarsened(&fine, 24).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(coarse.length, Period::DAY);
        let sum = |stream: &Stream, count| {
            let sum = stream.schedule.sum(count).ok().flatten();
            sum.map_or(0, |sum| sum.0 / 1_000)
        };
        assert_eq!(sum(&coarse, 10), sum(&fine, 240));
        assert_eq!(sum(&coarse, 3), sum(&fine, 72));
    }
}
