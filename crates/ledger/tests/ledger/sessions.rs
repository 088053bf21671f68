//! Session keys: cap, end, revocation.

use remuda_ledger::{Action, Answer, Parameters, Query};
use remuda_types::{Credits, Tokens};

use crate::world::*;

fn revoke(session: &remuda_types::SecretKey) -> Action {
    Action::RevokeSession { session: session.public() }
}

#[test]
fn a_session_spends_its_account_s_credits_up_to_its_cap() {
    let mut world = World::new();
    world.create_session(&session_key(), 1_000);
    world.open(&session_key(), 600);
    let session = world.session(&session_key()).unwrap();
    assert_eq!((session.locked, session.spent), (Credits(600), Credits(0)));
    assert_eq!(session.left(), Credits(400));
    assert_eq!(world.account(&alice()).credits, Credits(CREDITS - 600));
    let more = world.opening(401);
    assert_eq!(world.refused(&session_key(), more), "session_cap");
    world.open(&session_key(), 400);
}

#[test]
fn what_was_spent_counts_against_the_cap_and_what_came_back_does_not() {
    let mut world = World::new();
    world.create_session(&session_key(), 1_000);
    let channel = world.open(&session_key(), 1_000);
    let last = Some(voucher(&session_key(), channel, 300));
    world.done(&node(), Action::CloseChannel { channel, voucher: last });
    let session = world.session(&session_key()).unwrap();
    assert_eq!((session.locked, session.spent), (Credits(0), Credits(300)));
    let too_much = world.opening(701);
    assert_eq!(world.refused(&session_key(), too_much), "session_cap");
    world.open(&session_key(), 700);
}

#[test]
fn a_cap_above_the_account_s_credits_is_no_money() {
    let mut world = World::new();
    world.create_session(&session_key(), u64::MAX);
    let action = world.opening(CREDITS + 1);
    assert_eq!(world.refused(&session_key(), action), "insufficient_credits");
    assert_eq!(world.session(&session_key()).unwrap().locked, Credits(0));
}

#[test]
fn an_ended_session_opens_nothing() {
    let mut world = World::new();
    world.create_session(&session_key(), 1_000);
    world.now += 999_999;
    let channel = world.open(&session_key(), 10);
    let ends_at = world.session(&session_key()).unwrap().expires_at;
    assert_eq!(world.channel(channel).unwrap().expires_at, ends_at, "no longer than its session");
    world.now += 1;
    let action = world.opening(1);
    assert_eq!(world.refused(&session_key(), action), "session_expired");
    let top_up = Action::TopUpChannel { channel, amount: Credits(1) };
    assert_eq!(world.refused(&session_key(), top_up), "channel_ending");
}

#[test]
fn a_revoked_session_opens_nothing_and_its_channels_run_on() {
    let mut world = World::new();
    world.create_session(&session_key(), 1_000);
    let channel = world.open(&session_key(), 100);
    assert_eq!(world.refused(&bob(), revoke(&session_key())), "not_session_owner");
    assert_eq!(world.refused(&session_key(), revoke(&session_key())), "not_session_owner");
    world.done(&alice(), revoke(&session_key()));
    world.done(&alice(), revoke(&session_key()));
    let action = world.opening(1);
    assert_eq!(world.refused(&session_key(), action), "session_revoked");
    let top_up = Action::TopUpChannel { channel, amount: Credits(1) };
    assert_eq!(world.refused(&session_key(), top_up), "session_revoked");
    let paid = world.done(&node(), redeem(vec![voucher(&session_key(), channel, 40)]));
    assert_eq!(paid.earned, Credits(40));
    assert_eq!(world.refused(&alice(), revoke(&key(77))), "unknown_session");
}

#[test]
fn a_session_key_must_be_new() {
    let mut world = World::new();
    let later = world.now + 10;
    for used in [alice(), bob()] {
        let action = create_session(&used, 5, later);
        assert_eq!(world.refused(&alice(), action), "session_key_taken");
    }
    world.create_session(&session_key(), 5);
    for owner in [alice(), bob()] {
        let again = create_session(&session_key(), 5, later);
        assert_eq!(world.refused(&owner, again), "session_key_taken");
    }
    let funded = key(41);
    world.done(&alice(), Action::Transfer { to: account_of(&funded), amount: Tokens(1) });
    assert_eq!(world.refused(&bob(), create_session(&funded, 5, later)), "session_key_taken");
    // A key that signed before, even in vain.
    world.refused(&key(42), Action::DeregisterProvider);
    assert_eq!(world.refused(&bob(), create_session(&key(42), 5, later)), "session_key_taken");
}

#[test]
fn a_session_has_a_cap_and_a_future_end() {
    let mut world = World::new();
    let now = world.now;
    assert_eq!(world.refused(&alice(), create_session(&session_key(), 0, now + 1)), "zero_amount");
    assert_eq!(world.refused(&alice(), create_session(&session_key(), 1, now)), "session_end");
}

#[test]
fn a_session_key_cannot_act_for_its_account() {
    let mut world = World::new();
    world.create_session(&session_key(), 1_000);
    let steal = Action::Transfer { to: account_of(&session_key()), amount: Tokens(1) };
    assert_eq!(world.refused(&session_key(), steal), "insufficient_tokens");
}

#[test]
fn at_the_limit_an_ended_session_makes_room_but_never_one_in_use() {
    let parameters = Parameters { sessions_per_account_max: 2, ..Parameters::default() };
    let mut world = World::with(parameters);
    world.create_session(&key(11), 100);
    world.create_session(&key(12), 100);
    let later = world.now + 10;
    assert_eq!(world.refused(&alice(), create_session(&key(13), 5, later)), "session_limit");
    let channel = world.open(&key(11), 50);
    world.done(&alice(), revoke(&key(11)));
    assert_eq!(world.refused(&alice(), create_session(&key(13), 5, later)), "session_limit");
    world.done(&node(), Action::CloseChannel { channel, voucher: None });
    world.create_session(&key(13), 5);
    assert_eq!(world.session(&key(11)), None);
    // The forgotten key has signed: it never becomes a session again.
    assert_eq!(world.refused(&bob(), create_session(&key(11), 5, later)), "session_key_taken");
    match world.ledger.query(&Query::SessionsOf(account_of(&alice()))) {
        Answer::Sessions(sessions) => assert_eq!(sessions.len(), 2),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_with_an_empty_but_open_channel_is_not_forgotten() {
    let parameters = Parameters { sessions_per_account_max: 1, ..Parameters::default() };
    let mut world = World::with(parameters);
    world.create_session(&key(11), 100);
    let channel = world.open(&key(11), 100);
    world.done(&node(), redeem(vec![voucher(&key(11), channel, 100)]));
    world.done(&alice(), revoke(&key(11)));
    let later = world.now + 10;
    assert_eq!(world.refused(&alice(), create_session(&key(13), 5, later)), "session_limit");
    let top_up = Action::TopUpChannel { channel, amount: Credits(1) };
    assert_eq!(world.refused(&key(11), top_up), "session_revoked");
}
