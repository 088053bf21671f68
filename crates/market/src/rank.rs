//! Who is drawn among those that fit: the least loaded of three random draws, again and again
//! until everybody has a place.
//!
//! Three draws keep the load nearly even without everyone running to the one idle provider
//! that all clients see at the same time.

use remuda_types::{Announcement, NodeId};

use crate::{Candidate, Explanation, ProviderNote, Reason, Terms, eligible};

/// How many are drawn for each place.
pub const DRAWS: usize = 3;

/// The most places of a ranking: more than any job tries.
pub const RANKED_MAX: usize = 16;

/// One place of the ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// Which of the candidates.
    pub candidate: usize,
    /// Which of its offers.
    pub offer: usize,
}

/// The outcome of matching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Who to try, best first, at most [`RANKED_MAX`].
    pub ranked: Vec<Ranked>,
    /// Who did not fit, and why.
    pub explanation: Explanation,
}

/// Matches an order. `draw(n)` gives a uniformly random number below `n`; a larger one is
/// reduced modulo `n`.
#[must_use]
pub fn match_order(
    terms: &Terms<'_>,
    candidates: &[Candidate<'_>],
    draw: &mut dyn FnMut(usize) -> usize,
) -> Match {
    let mut explanation = Explanation::default();
    let mut pool = Vec::new();
    for (candidate, view) in candidates.iter().enumerate() {
        let found = eligible(terms, view);
        explanation.note(note(terms, view.announcement, found));
        if let Ok(offer) = found {
            pool.push(Ranked { candidate, offer });
        }
    }
    let ranked = rank(terms, candidates, pool, draw);
    Match { ranked, explanation }
}

fn note(terms: &Terms<'_>, it: &Announcement, found: Result<usize, Reason>) -> ProviderNote {
    let order = terms.order;
    let asked = |offer: &&remuda_types::ModelOffer| {
        offer.name == order.model || Some(offer.manifest) == order.manifest
    };
    let offer = match found {
        Ok(index) => it.models.get(index),
        Err(_) => it.models.iter().find(asked),
    };
    ProviderNote {
        node: it.address.node,
        reason: found.err(),
        price: offer.map(|offer| offer.price),
        context: offer.map(|offer| offer.context),
    }
}

fn rank(
    terms: &Terms<'_>,
    candidates: &[Candidate<'_>],
    pool: Vec<Ranked>,
    draw: &mut dyn FnMut(usize) -> usize,
) -> Vec<Ranked> {
    let exact = |place: &Ranked| {
        let offer = &candidates[place.candidate].announcement.models[place.offer];
        terms.numerics.is_some() && offer.numerics.as_deref() == terms.numerics
    };
    let (first, second): (Vec<_>, Vec<_>) = pool.into_iter().partition(exact);
    let mut ranked = Vec::with_capacity(RANKED_MAX.min(first.len() + second.len()));
    for mut pool in [first, second] {
        while !pool.is_empty() && ranked.len() < RANKED_MAX {
            let best = best_of_draws(candidates, &mut pool, draw);
            ranked.push(best);
        }
    }
    ranked
}

/// Takes the best of a few draws (without replacement) out of a pool that is not empty.
fn best_of_draws(
    candidates: &[Candidate<'_>],
    pool: &mut Vec<Ranked>,
    draw: &mut dyn FnMut(usize) -> usize,
) -> Ranked {
    let drawn = DRAWS.min(pool.len());
    for place in 0..drawn {
        let left = pool.len() - place;
        pool.swap(place, place + draw(left) % left);
    }
    let best = (1..drawn).fold(0, |best, other| {
        let challenger = &candidates[pool[other].candidate];
        if better(challenger, &candidates[pool[best].candidate]) { other } else { best }
    });
    pool.swap_remove(best)
}

/// Less loaded; at equal load, one with an open channel.
fn better(a: &Candidate<'_>, b: &Candidate<'_>) -> bool {
    let (busy_a, slots_a) = load(a);
    let (busy_b, slots_b) = load(b);
    let (left, right) = (busy_a * slots_b, busy_b * slots_a);
    left < right || (left == right && a.channel_open && !b.channel_open)
}

/// Busy jobs and slots, each below 2^34, so that their products cannot overflow. A provider
/// without slots counts as one slot that is always taken.
fn load(candidate: &Candidate<'_>) -> (u128, u128) {
    let load = &candidate.announcement.load;
    let busy = u128::from(load.active) + u128::from(load.queued) + u128::from(candidate.in_flight);
    if load.slots == 0 { (busy + 1, 1) } else { (busy, u128::from(load.slots)) }
}

impl Ranked {
    /// The provider's key.
    #[must_use]
    pub fn node(&self, candidates: &[Candidate<'_>]) -> Option<NodeId> {
        candidates.get(self.candidate).map(|view| view.announcement.address.node)
    }
}
