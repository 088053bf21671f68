//! What holds for every order, every crowd of providers and every draw.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use proptest::prelude::*;
use remuda_market::{Candidate, Explanation, Liveness, RANKED_MAX, Terms, eligible, match_order};
use remuda_types::job::JobKind;
use remuda_types::{
    Announcement, DeviceClass, Hash, Load, ManifestHash, ModelOffer, NodeAddress, NodeId, Order,
    OrderId, Price, ProviderState, PublicKey,
};

#[derive(Clone, Debug)]
struct Provider {
    announcement: Announcement,
    liveness: Liveness,
    resting: bool,
    in_flight: u32,
    channel_open: bool,
}

impl Provider {
    fn view(&self) -> Candidate<'_> {
        Candidate {
            announcement: &self.announcement,
            liveness: self.liveness,
            resting: self.resting,
            in_flight: self.in_flight,
            channel_open: self.channel_open,
        }
    }
}

fn order() -> Order {
    Order {
        id: OrderId(Hash([1; 32])),
        kind: JobKind::Generate,
        model: "m0".into(),
        manifest: None,
        context: 100,
        max_price: Price { input: 50, output: 50 },
    }
}

fn offer(model: u8, manifest: u8, context: u32, price: u64, embeds: bool) -> ModelOffer {
    ModelOffer {
        name: format!("m{model}"),
        manifest: ManifestHash(Hash([manifest; 32])),
        kinds: vec![if embeds { JobKind::Embed } else { JobKind::Generate }],
        context,
        price: Price { input: price, output: price },
        numerics: (manifest == 1).then(|| "exact".to_owned()),
    }
}

fn announcement(node: u8, models: Vec<ModelOffer>, load: Load) -> Announcement {
    Announcement {
        address: NodeAddress { node: PublicKey([node; 32]), direct: Vec::new(), relay: None },
        sequence: 1,
        announced_at: 0,
        models,
        load,
        state: ProviderState::Ready,
        device: DeviceClass(String::new()),
        software: String::new(),
    }
}

fn plain(node: u8, load: Load) -> Provider {
    let announcement = announcement(node, vec![offer(0, 0, 200, 10, false)], load);
    let liveness = Liveness::Connected;
    Provider { announcement, liveness, resting: false, in_flight: 0, channel_open: false }
}

fn idle(slots: u32) -> Load {
    Load { active: 0, queued: 0, slots }
}

prop_compose! {
    fn offers()(model in 0..2_u8, manifest in 0..3_u8, context in 50..200_u32,
                price in 0..100_u64, embeds in prop::bool::weighted(0.2)) -> ModelOffer {
        offer(model, manifest, context, price, embeds)
    }
}

prop_compose! {
    fn provider()(node in 0..40_u8, models in prop::collection::vec(offers(), 0..4),
                  active in 0..5_u32, slots in 0..5_u32, state in 0..6_u8, liveness in 0..4_u8,
                  resting in prop::bool::weighted(0.2), in_flight in 0..4_u32,
                  channel_open: bool) -> Provider {
        let mut announcement = announcement(node, models, Load { active, queued: 0, slots });
        announcement.state = match state {
            0 => ProviderState::Paused,
            1 => ProviderState::Draining,
            _ => ProviderState::Ready,
        };
        let liveness = match liveness {
            0 => Liveness::Lost,
            1 => Liveness::Unknown,
            _ => Liveness::Connected,
        };
        Provider { announcement, liveness, resting, in_flight, channel_open }
    }
}

/// The rules, said once more and differently.
fn may_serve(terms: &Terms<'_>, it: &Provider) -> bool {
    let order = terms.order;
    it.announcement.state == ProviderState::Ready
        && it.liveness != Liveness::Lost
        && !it.resting
        && !terms.tried.contains(&it.announcement.address.node)
        && it.announcement.models.iter().any(|offer| {
            order.manifest.map_or(offer.name == order.model, |exact| offer.manifest == exact)
                && offer.kinds.contains(&order.kind)
                && offer.context >= order.context
                && offer.price.within(&order.max_price)
        })
}

fn counts(explanation: &Explanation) -> impl PartialEq + std::fmt::Debug {
    (explanation.considered, explanation.fit, explanation.reasons.clone())
}

proptest! {
    #[test]
    fn only_those_who_may_serve_are_ranked_and_each_once(
        crowd in prop::collection::vec(provider(), 0..40),
        exact in prop::option::of(0..3_u8),
        tried in prop::collection::vec(0..40_u8, 0..5),
        draws in prop::collection::vec(any::<usize>(), 1..20),
    ) {
        let order = Order { manifest: exact.map(|it| ManifestHash(Hash([it; 32]))), ..order() };
        let tried: Vec<NodeId> = tried.into_iter().map(|it| PublicKey([it; 32])).collect();
        let terms = Terms { order: &order, tried: &tried, numerics: Some("exact") };
        let views: Vec<_> = crowd.iter().map(Provider::view).collect();
        let mut at = 0;
        let found = match_order(&terms, &views, &mut |_| {
            at += 1;
            draws[at % draws.len()]
        });
        let able = crowd.iter().filter(|it| may_serve(&terms, it)).count();
        prop_assert_eq!(found.ranked.len(), able.min(RANKED_MAX));
        prop_assert_eq!(found.explanation.fit as usize, able);
        let refused: u32 = found.explanation.reasons.values().sum();
        prop_assert_eq!(found.explanation.considered, found.explanation.fit + refused);
        let mut seen = HashSet::new();
        for place in &found.ranked {
            let it = &crowd[place.candidate];
            prop_assert!(may_serve(&terms, it) && seen.insert(place.candidate));
            prop_assert_eq!(eligible(&terms, &it.view()), Ok(place.offer));
            let offer = &it.announcement.models[place.offer];
            prop_assert!(offer.price.within(&order.max_price) && offer.context >= order.context);
        }
        // Those who continue exactly come before all others.
        let exact = |place: &remuda_market::Ranked| {
            crowd[place.candidate].announcement.models[place.offer].numerics.is_some()
        };
        let first_other = found.ranked.iter().position(|place| !exact(place));
        let after = &found.ranked[first_other.unwrap_or(found.ranked.len())..];
        prop_assert!(!after.iter().any(exact));
    }

    #[test]
    fn the_counts_do_not_depend_on_the_order_of_the_list(
        crowd in prop::collection::vec(provider(), 0..30),
        turn in any::<prop::sample::Index>(),
    ) {
        let order = order();
        let terms = Terms::of(&order);
        let mut views: Vec<_> = crowd.iter().map(Provider::view).collect();
        let before = match_order(&terms, &views, &mut |_| 0).explanation;
        if !views.is_empty() {
            let middle = turn.index(views.len());
            views.rotate_left(middle);
            views.reverse();
        }
        let after = match_order(&terms, &views, &mut |_| 0).explanation;
        prop_assert_eq!(counts(&before), counts(&after));
    }
}

/// A small generator, so that a failing run is the same every time.
fn draws(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below.max(1)
    }
}

#[test]
fn equals_get_equal_shares() {
    let crowd: Vec<Provider> = (0..10).map(|node| plain(node, idle(4))).collect();
    let views: Vec<_> = crowd.iter().map(Provider::view).collect();
    let order = order();
    let mut draw = draws(1);
    let mut shares = [0_u32; 10];
    for _ in 0..10_000 {
        let found = match_order(&Terms::of(&order), &views, &mut draw);
        shares[found.ranked[0].candidate] += 1;
    }
    assert!(shares.iter().all(|share| (800..1_200).contains(share)), "{shares:?}");
}

#[test]
fn the_less_loaded_come_first_and_the_busiest_is_not_starved_for_ever() {
    let mut crowd: Vec<Provider> =
        (0..5).map(|node| plain(node, Load { active: 1, queued: 0, slots: 4 })).collect();
    crowd[0].announcement.load = Load { active: 4, queued: 3, slots: 4 };
    crowd[1].announcement.load = idle(4);
    let order = order();
    let mut draw = draws(2);
    let mut first = [0_u32; 5];
    let views: Vec<_> = crowd.iter().map(Provider::view).collect();
    for _ in 0..1_000 {
        let found = match_order(&Terms::of(&order), &views, &mut draw);
        first[found.ranked[0].candidate] += 1;
        assert_eq!(found.ranked.len(), 5);
    }
    assert_eq!(first[0], 0, "three of five always hold one that is less loaded");
    assert!(first[1] > 500, "{first:?}");
}

#[test]
fn at_equal_load_an_open_channel_decides() {
    let mut crowd: Vec<Provider> = (0..3).map(|node| plain(node, idle(1))).collect();
    crowd[2].channel_open = true;
    let views: Vec<_> = crowd.iter().map(Provider::view).collect();
    let order = order();
    let mut draw = draws(3);
    for _ in 0..50 {
        assert_eq!(match_order(&Terms::of(&order), &views, &mut draw).ranked[0].candidate, 2);
    }
}

#[test]
fn an_explanation_survives_json() {
    let crowd = [plain(0, idle(1))];
    let order = Order { context: 10_000, ..order() };
    let views: Vec<_> = crowd.iter().map(Provider::view).collect();
    let it = match_order(&Terms::of(&order), &views, &mut |_| 0).explanation;
    let json = serde_json::to_string(&it).unwrap();
    assert!(json.contains(r#""reasons":{"context":1}"#), "{json}");
    assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), it);
}
