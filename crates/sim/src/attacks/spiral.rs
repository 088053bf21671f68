//! The death spiral of pledges: the price falls, those who no longer earn their costs leave and
//! take their pledge, what was pledged comes to the market, and the price falls again.
//!
//! This one is a model beside the ledger, because it asks for many networks: a grid of falls
//! of the price and of pledged parts of the supply. Its costs and its price rule are those of
//! the simulation.

use serde::Serialize;

use crate::assumptions::PRICE_DAYS;

/// How many providers the model has; their costs lie evenly between [`COST_LEAST`] and
/// [`COST_MOST`] of what one earned before the fall.
const PROVIDERS: usize = 200;
const COST_LEAST: f64 = 0.3;
const COST_MOST: f64 = 0.95;
/// What capital costs in a year: a pledge must earn it, too.
const CAPITAL: f64 = 0.15;
/// What a provider earned in a year, as a multiple of what it pledges when the pledged part is
/// a half: so pledge and income are in proportion, as formulas make them.
const INCOME_PER_PLEDGE: f64 = 1.0;
/// For how long the model runs, in weeks.
const WEEKS: u32 = 104;
/// The part of the losing that leaves in a week.
const LEAVING: f64 = 0.25;
/// By so much fewer providers than without a pledge, and the network spiralled.
const SPIRAL: f64 = 0.1;

/// The falls of demand, and with it of the price, that are tried.
pub(crate) const FALLS: [f64; 5] = [0.1, 0.2, 0.4, 0.6, 0.8];
/// The pledged parts of the supply that are tried.
pub(crate) const PLEDGES: [f64; 6] = [0.0, 0.1, 0.2, 0.3, 0.5, 0.7];

/// What became of one network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// By which part the demand fell, and with it the price.
    pub fall: f64,
    /// Which part of the supply was pledged.
    pub pledged: f64,
    /// Which part of the providers is left.
    pub left: f64,
    /// The price at the end, of what it was before.
    pub price: f64,
    /// Whether the pledge made it worse: a tenth fewer providers are left than without one.
    pub spiral: bool,
}

/// A grid of networks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sweep {
    /// Which part of what providers earn is minted; the rest is paid by buyers.
    pub minted: f64,
    /// For how long a pledge stays after its owner left, in days.
    pub cooldown: f64,
    /// What became of each.
    pub outcomes: Vec<Outcome>,
}

/// A network between two weeks; prices and incomes as parts of those before the fall.
struct Network {
    /// Who is still there, by costs, the cheapest first.
    active: Vec<f64>,
    /// Tokens on their way out of pledges: per week, parts of the supply.
    leaving: Vec<f64>,
    circulating: f64,
    price: f64,
}

/// Tries all falls with all pledges.
pub(crate) fn sweep(minted: f64, cooldown: f64) -> Sweep {
    let mut outcomes = Vec::new();
    for fall in FALLS {
        let alone = run(fall, 0.0, minted, cooldown).0;
        for pledged in PLEDGES {
            let (left, price) = run(fall, pledged, minted, cooldown);
            let spiral = left < alone - SPIRAL;
            outcomes.push(Outcome { fall, pledged, left, price, spiral });
        }
    }
    Sweep { minted, cooldown, outcomes }
}

/// Which part of the providers is left, and the price.
fn run(fall: f64, pledged: f64, minted: f64, cooldown: f64) -> (f64, f64) {
    let step = (COST_MOST - COST_LEAST) / PROVIDERS as f64;
    let before = (1.0 - pledged).max(0.01);
    let mut network = Network {
        active: (0..PROVIDERS).map(|index| COST_LEAST + step * index as f64).collect(),
        leaving: Vec::new(),
        circulating: before,
        price: 1.0,
    };
    let each = pledged / PROVIDERS as f64;
    let wait = crate::amounts::whole(cooldown / 7.0);
    for week in 0..u64::from(WEEKS) {
        if let Some(come) = week.checked_sub(wait).and_then(|at| network.at(at)) {
            network.circulating += come;
        }
        let fair = (1.0 - fall) * before / network.circulating;
        network.price += (fair - network.price) * (7.0 / PRICE_DAYS).min(1.0);
        let left = network.active.len() as f64 / PROVIDERS as f64;
        // Buyers pay so much less; what is minted is worth so much less; fewer share both.
        let income = (minted * network.price + (1.0 - minted) * (1.0 - fall)) / left.max(1e-9);
        // A pledge that fell in value is lost already; what it could earn elsewhere is not.
        let capital = CAPITAL * pledged * 2.0 / INCOME_PER_PLEDGE * network.price;
        // Who expects the price to fall on would rather hold dollars: it leaves earlier.
        let sliding = (network.price - fair).max(0.0) * pledged * 2.0;
        let income = income - capital - sliding;
        let losing = network.active.iter().filter(|cost| **cost > income).count();
        let going = (losing as f64 * LEAVING + 0.999).min(losing as f64);
        let going = usize::try_from(crate::amounts::whole(going)).unwrap_or(losing);
        network.active.truncate(network.active.len() - going);
        network.leaving.push(each * going as f64);
    }
    (network.active.len() as f64 / PROVIDERS as f64, network.price)
}

impl Network {
    /// What left its pledge in a week.
    fn at(&self, week: u64) -> Option<f64> {
        usize::try_from(week).ok().and_then(|week| self.leaving.get(week)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_pledge_there_is_no_spiral() {
        let sweep = sweep(0.5, 14.0);
        assert_eq!(sweep.outcomes.len(), FALLS.len() * PLEDGES.len());
        let none: Vec<_> = sweep.outcomes.iter().filter(|outcome| outcome.pledged == 0.0).collect();
        assert!(none.iter().all(|outcome| !outcome.spiral));
        // A deeper fall never leaves more.
        assert!(none.windows(2).all(|two| two[1].left <= two[0].left));
    }
}
