//! Whether a provider may serve an order, and with which of its offers.

use remuda_types::{Announcement, ModelOffer, NodeId, Order, ProviderState};

use crate::Reason;

/// How sure the caller is that a provider lives. Missing information is not failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Liveness {
    /// Heard from lately.
    Connected,
    /// Silent for a little while: still served, it may be the indexer that is away.
    Unknown,
    /// Silent for long.
    Lost,
}

/// A provider, and what the caller itself knows of it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What it announced.
    pub announcement: &'a Announcement,
    /// How sure the caller is that it lives.
    pub liveness: Liveness,
    /// It failed the caller lately and rests until its time is over.
    pub resting: bool,
    /// Jobs of the caller that run there, which its announcement may not know of yet.
    pub in_flight: u32,
    /// The caller has a channel open toward it.
    pub channel_open: bool,
}

/// What is asked for: an order, and what its earlier attempts taught.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The order.
    pub order: &'a Order,
    /// Providers that were tried already.
    pub tried: &'a [NodeId],
    /// When a job is resumed: the numerics of the engine that began it. Providers with equal
    /// numerics come first, for only they continue it bit by bit.
    pub numerics: Option<&'a str>,
}

impl<'a> Terms<'a> {
    /// The terms of an order that nobody has tried yet.
    #[must_use]
    pub const fn of(order: &'a Order) -> Self {
        Self { order, tried: &[], numerics: None }
    }
}

/// The cheapest offer with which `candidate` may serve, as an index into its models.
///
/// # Errors
/// The one [`Reason`] that came closest to fitting: a provider that has the model but asks
/// too much is reported for its price, not for its other models.
pub fn eligible(terms: &Terms<'_>, candidate: &Candidate<'_>) -> Result<usize, Reason> {
    let best = best_offer(terms.order, &candidate.announcement.models)?;
    let node = candidate.announcement.address.node;
    if candidate.announcement.state != ProviderState::Ready {
        return Err(Reason::NotReady);
    }
    if candidate.liveness == Liveness::Lost {
        return Err(Reason::Lost);
    }
    if candidate.resting {
        return Err(Reason::Resting);
    }
    if terms.tried.contains(&node) {
        return Err(Reason::Tried);
    }
    Ok(best)
}

fn best_offer(order: &Order, offers: &[ModelOffer]) -> Result<usize, Reason> {
    let mut nearest = Reason::Model;
    let mut best: Option<usize> = None;
    for (index, offer) in offers.iter().enumerate() {
        match offer_fits(order, offer) {
            Ok(()) if best.is_none_or(|best| cheaper(offer, &offers[best])) => best = Some(index),
            Ok(()) => {}
            Err(reason) => nearest = nearest.max(reason),
        }
    }
    best.ok_or(nearest)
}

fn cheaper(offer: &ModelOffer, than: &ModelOffer) -> bool {
    (offer.price.output, offer.price.input) < (than.price.output, than.price.input)
}

fn offer_fits(order: &Order, offer: &ModelOffer) -> Result<(), Reason> {
    match order.manifest {
        Some(manifest) if offer.manifest == manifest => {}
        Some(_) if offer.name == order.model => return Err(Reason::Manifest),
        None if offer.name == order.model => {}
        _ => return Err(Reason::Model),
    }
    if !offer.kinds.contains(&order.kind) {
        return Err(Reason::Kind);
    }
    if offer.context < order.context {
        return Err(Reason::Context);
    }
    if !offer.price.within(&order.max_price) {
        return Err(Reason::Price);
    }
    Ok(())
}
