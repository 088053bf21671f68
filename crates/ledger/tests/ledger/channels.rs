//! Channels: opening, paying, ending.

use remuda_ledger::{Action, Answer, Channel, Parameters, Query, REDEEM_VOUCHERS_MAX};
use remuda_types::{ChannelId, Credits, Hash, SecretKey};

use crate::world::*;

fn expire(channel: ChannelId) -> Action {
    Action::ExpireChannel { channel }
}

fn close(channel: ChannelId) -> Action {
    Action::CloseChannel { channel, voucher: None }
}

fn top_up(channel: ChannelId, amount: u64) -> Action {
    Action::TopUpChannel { channel, amount: Credits(amount) }
}

fn register(world: &mut World, reward: &SecretKey) {
    let action = Action::RegisterProvider { reward: account_of(reward), name: "p".into() };
    world.done(&node(), action);
}

#[test]
fn an_account_s_own_key_pays_without_a_session() {
    let mut world = World::new();
    let channel = world.open(&alice(), 500);
    assert_eq!(world.account(&alice()).credits, Credits(CREDITS - 500));
    let paid = world.done(&node(), redeem(vec![voucher(&alice(), channel, 200)]));
    assert_eq!(paid.earned, Credits(200));
    assert_eq!(world.account(&node()).earned, Credits(200));
    assert_eq!(world.supply().locked, Credits(300));
    assert_eq!(world.channel(channel).unwrap().remaining(), Credits(300));
}

#[test]
fn the_registered_reward_account_earns() {
    let mut world = World::new();
    register(&mut world, &bob());
    let channel = world.open(&alice(), 500);
    world.done(&node(), redeem(vec![voucher(&alice(), channel, 200)]));
    assert_eq!(world.account(&bob()).earned, Credits(200));
    world.done(&node(), Action::DeregisterProvider);
    world.done(&node(), redeem(vec![voucher(&alice(), channel, 300)]));
    assert_eq!(world.account(&bob()).earned, Credits(200));
    assert_eq!(world.account(&node()).earned, Credits(100));
}

#[test]
fn earned_credits_cannot_be_spent() {
    let mut world = World::new();
    let channel = world.open(&alice(), 500);
    world.done(&node(), redeem(vec![voucher(&alice(), channel, 500)]));
    let open = open_channel([7; 32], &key(21), 1, world.now + 10);
    assert_eq!(world.refused(&node(), open), "insufficient_credits");
}

#[test]
fn the_same_voucher_pays_once_and_an_old_one_nothing() {
    let mut world = World::new();
    let channel = world.open(&alice(), 500);
    let (old, new) = (voucher(&alice(), channel, 100), voucher(&alice(), channel, 250));
    assert_eq!(world.done(&node(), redeem(vec![new.clone()])).earned, Credits(250));
    assert_eq!(world.done(&node(), redeem(vec![new.clone(), new, old])).earned, Credits(0));
    assert_eq!(world.channel(channel).unwrap().redeemed, Credits(250));
}

#[test]
fn one_redeem_takes_many_channels() {
    let mut world = World::new();
    let (a, b) = (world.open(&alice(), 100), world.open(&bob(), 100));
    let vouchers = vec![voucher(&alice(), a, 30), voucher(&bob(), b, 40), voucher(&alice(), a, 50)];
    assert_eq!(world.done(&node(), redeem(vouchers)).earned, Credits(90));
}

#[test]
fn one_bad_voucher_refuses_all() {
    let mut world = World::new();
    let (a, b) = (world.open(&alice(), 100), world.open(&bob(), 100));
    let good = voucher(&alice(), a, 30);
    let mut altered = voucher(&bob(), b, 10);
    altered.body.cumulative = Credits(90);
    let mut posing = voucher(&alice(), b, 10);
    posing.signer = bob().public();
    for forged in [voucher(&alice(), b, 10), altered, posing] {
        let action = redeem(vec![good.clone(), forged]);
        assert_eq!(world.refused(&node(), action), "voucher_forged");
    }
    let beyond = redeem(vec![good.clone(), voucher(&bob(), b, 101)]);
    assert_eq!(world.refused(&node(), beyond), "voucher_beyond_deposit");
    let unknown = redeem(vec![good.clone(), voucher(&bob(), ChannelId(Hash([9; 32])), 1)]);
    assert_eq!(world.refused(&node(), unknown), "unknown_channel");
    assert_eq!(world.refused(&key(21), redeem(vec![good.clone()])), "not_provider");
    assert_eq!(world.refused(&node(), redeem(vec![])), "voucher_count");
    let many = redeem(vec![good; REDEEM_VOUCHERS_MAX + 1]);
    assert_eq!(world.refused(&node(), many), "voucher_count");
    assert_eq!(world.supply().earned, Credits(0));
}

#[test]
fn the_largest_redeem_fits_in_a_transaction() {
    let mut world = World::new();
    let channel = world.open(&alice(), 1_000);
    let vouchers: Vec<_> =
        (1..=REDEEM_VOUCHERS_MAX as u64).map(|sum| voucher(&alice(), channel, sum)).collect();
    assert_eq!(world.done(&node(), redeem(vouchers)).earned, Credits(64));
}

#[test]
fn a_closed_channel_pays_no_more_and_gives_the_rest_back() {
    let mut world = World::new();
    let channel = world.open(&alice(), 500);
    assert_eq!(world.refused(&alice(), close(channel)), "not_provider");
    let last = Some(voucher(&alice(), channel, 120));
    let effects = world.done(&node(), Action::CloseChannel { channel, voucher: last });
    assert_eq!((effects.earned, effects.returned), (Credits(120), Credits(380)));
    assert_eq!(world.account(&alice()).credits, Credits(CREDITS - 120));
    assert_eq!(world.channel(channel), None);
    let late = redeem(vec![voucher(&alice(), channel, 400)]);
    assert_eq!(world.refused(&node(), late), "channel_closed");
    assert_eq!(world.refused(&node(), close(channel)), "channel_closed");
    assert_eq!(world.refused(&alice(), top_up(channel, 1)), "channel_closed");
    assert_eq!(world.refused(&alice(), expire(channel)), "channel_closed");
}

#[test]
fn a_close_takes_vouchers_of_its_own_channel_only() {
    let mut world = World::new();
    let (a, b) = (world.open(&alice(), 100), world.open(&bob(), 100));
    let other = Action::CloseChannel { channel: a, voucher: Some(voucher(&bob(), b, 10)) };
    assert_eq!(world.refused(&node(), other), "voucher_of_other_channel");
    let forged = Action::CloseChannel { channel: a, voucher: Some(voucher(&bob(), a, 10)) };
    assert_eq!(world.refused(&node(), forged), "voucher_forged");
    let beyond = Action::CloseChannel { channel: a, voucher: Some(voucher(&alice(), a, 101)) };
    assert_eq!(world.refused(&node(), beyond), "voucher_beyond_deposit");
}

#[test]
fn a_channel_s_name_is_not_used_again_while_it_is_remembered() {
    let mut world = World::new();
    let open = |world: &World| open_channel([5; 32], &node(), 100, world.now + 1_000);
    let id = ChannelId::derive(&alice().public(), &node().public(), &[5; 32]);
    world.done(&alice(), open(&world));
    assert_eq!(world.refused(&alice(), open(&world)), "channel_exists");
    world.done(&node(), close(id));
    assert_eq!(world.refused(&alice(), open(&world)), "channel_exists");
    world.now += Parameters::default().closed_memory_ms;
    world.block(&[]);
    assert_eq!(world.refused(&node(), redeem(vec![voucher(&alice(), id, 1)])), "unknown_channel");
    world.done(&alice(), open(&world));
}

#[test]
fn a_channel_expires_when_its_time_is_over() {
    let mut world = World::new();
    let channel = world.open(&alice(), 500);
    world.now += 499_999;
    assert_eq!(world.refused(&key(50), expire(channel)), "channel_not_over");
    world.now += 1;
    assert_eq!(world.refused(&alice(), top_up(channel, 1)), "channel_ending");
    // Until somebody expires it, the provider still takes what it was promised.
    world.done(&node(), redeem(vec![voucher(&alice(), channel, 200)]));
    assert_eq!(world.done(&key(50), expire(channel)).returned, Credits(300));
    assert_eq!(world.account(&alice()).credits, Credits(CREDITS - 200));
    let late = redeem(vec![voucher(&alice(), channel, 400)]);
    assert_eq!(world.refused(&node(), late), "channel_closed");
}

#[test]
fn a_payer_gets_out_after_the_grace_period() {
    let mut world = World::with(Parameters { close_grace_ms: 60, ..Parameters::default() });
    world.create_session(&session_key(), 1_000);
    let channel = world.open(&session_key(), 500);
    let request = || Action::RequestClose { channel };
    assert_eq!(world.refused(&bob(), request()), "not_payer");
    world.done(&session_key(), request());
    let closes_at = world.channel(channel).unwrap().closes_at;
    assert_eq!(closes_at, Some(START + 60));
    world.now += 59;
    // The account's own key may ask, too; asking again prolongs nothing.
    world.done(&alice(), request());
    assert_eq!(world.channel(channel).unwrap().closes_at, closes_at);
    assert_eq!(world.refused(&session_key(), top_up(channel, 1)), "channel_ending");
    assert_eq!(world.refused(&alice(), expire(channel)), "channel_not_over");
    world.done(&node(), redeem(vec![voucher(&session_key(), channel, 20)]));
    world.now += 1;
    assert_eq!(world.done(&alice(), expire(channel)).returned, Credits(480));
    assert_eq!(world.session(&session_key()).unwrap().locked, Credits(0));
}

#[test]
fn a_top_up_is_locked_and_counts() {
    let mut world = World::new();
    world.create_session(&session_key(), 600);
    let channel = world.open(&session_key(), 500);
    assert_eq!(world.refused(&alice(), top_up(channel, 1)), "not_payer");
    assert_eq!(world.refused(&session_key(), top_up(channel, 0)), "zero_amount");
    assert_eq!(world.refused(&session_key(), top_up(channel, 101)), "session_cap");
    assert_eq!(world.refused(&session_key(), top_up(channel, u64::MAX)), "overflow");
    world.done(&session_key(), top_up(channel, 100));
    assert_eq!(world.channel(channel).unwrap().deposit, Credits(600));
    let paid = world.done(&node(), redeem(vec![voucher(&session_key(), channel, 600)]));
    assert_eq!(paid.earned, Credits(600));
}

#[test]
fn an_opening_has_bounds() {
    let mut world = World::new();
    let life = Parameters::default().channel_life_ms_max;
    let now = world.now;
    let open = |deposit, ends_at| open_channel([1; 32], &node(), deposit, ends_at);
    assert_eq!(world.refused(&alice(), open(1, now)), "channel_end");
    assert_eq!(world.refused(&alice(), open(1, now + life + 1)), "channel_end");
    assert_eq!(world.refused(&alice(), open(0, now + 1)), "zero_amount");
    assert_eq!(world.refused(&alice(), open(CREDITS + 1, now + 1)), "insufficient_credits");
    let own = open_channel([1; 32], &alice(), 1, now + 1);
    assert_eq!(world.refused(&alice(), own), "self_channel");
    world.done(&alice(), open(CREDITS, now + life));
}

#[test]
fn a_payer_has_a_bounded_number_of_channels() {
    let mut world = World::with(Parameters { channels_per_payer_max: 2, ..Parameters::default() });
    let first = world.open(&alice(), 1);
    world.open(&alice(), 1);
    let third = world.opening(1);
    assert_eq!(world.refused(&alice(), third), "channel_limit");
    world.done(&node(), close(first));
    world.open(&alice(), 1);
}

#[test]
fn channels_are_found_by_payer_and_by_provider() {
    let mut world = World::new();
    let (a, b) = (world.open(&alice(), 1), world.open(&bob(), 1));
    let ids = |world: &World, query| match world.ledger.query(&query) {
        Answer::Channels(found) => found.into_iter().map(|c: Channel| c.id).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(ids(&world, Query::ChannelsOfPayer(alice().public())), [a]);
    let mut both = [a, b];
    both.sort_unstable();
    assert_eq!(ids(&world, Query::ChannelsOfProvider(node().public())), both);
    world.done(&node(), close(a));
    assert_eq!(ids(&world, Query::ChannelsOfPayer(alice().public())), []);
    assert_eq!(ids(&world, Query::ChannelsOfProvider(node().public())), [b]);
}
