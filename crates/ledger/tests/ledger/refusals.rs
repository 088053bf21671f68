//! Bad input, by kind: each is refused with its code, and the state is as before.

use remuda_ledger::{Action, TransactionError};
use remuda_types::{Credits, NetworkId, SecretKey, Signed, Tokens};

use crate::world::*;

fn transfer(to: &SecretKey, amount: u128) -> Action {
    Action::Transfer { to: account_of(to), amount: Tokens(amount) }
}

fn grant(amount: u64) -> Action {
    Action::GrantCredits { to: account_of(&bob()), amount: Credits(amount) }
}

#[test]
fn overflow() {
    let mut world = World::new();
    assert_eq!(world.refused(&grantor(), grant(u64::MAX)), "overflow");
    world.done(&grantor(), grant(u64::MAX - 2 * CREDITS));
    assert_eq!(world.refused(&grantor(), grant(1)), "overflow");
    let id = world.open(&bob(), 10);
    let more = Action::TopUpChannel { channel: id, amount: Credits(u64::MAX) };
    assert_eq!(world.refused(&bob(), more), "overflow");
}

#[test]
fn zero() {
    let mut world = World::new();
    world.create_session(&session_key(), 100);
    assert_eq!(world.refused(&alice(), transfer(&bob(), 0)), "zero_amount");
    assert_eq!(world.refused(&grantor(), grant(0)), "zero_amount");
    let opening = world.opening(0);
    assert_eq!(world.refused(&session_key(), opening), "zero_amount");
    let session = create_session(&key(11), 0, world.now + 1);
    assert_eq!(world.refused(&alice(), session), "zero_amount");
    let id = world.open(&session_key(), 5);
    let more = Action::TopUpChannel { channel: id, amount: Credits(0) };
    assert_eq!(world.refused(&session_key(), more), "zero_amount");
}

/// The smallest amounts are as exact as any: nothing is rounded away, nothing is left behind.
#[test]
fn dust() {
    let mut world = World::new();
    world.done(&alice(), transfer(&key(40), 1));
    assert_eq!(world.refused(&key(40), transfer(&bob(), 2)), "insufficient_tokens");
    world.done(&key(40), transfer(&alice(), 1));
    assert_eq!(world.account(&alice()).tokens, Tokens(TOKENS));
    let id = world.open(&bob(), 1);
    world.done(&node(), redeem(vec![voucher(&bob(), id, 1)]));
    let over = redeem(vec![voucher(&bob(), id, 2)]);
    assert_eq!(world.refused(&node(), over), "voucher_beyond_deposit");
    assert_eq!(world.account(&node()).earned, Credits(1));
}

#[test]
fn replay() {
    let mut world = World::new();
    let payment = world.sign(&alice(), transfer(&bob(), 10));
    world.submit(payment.clone()).unwrap();
    let before = records(&world.ledger);
    assert_eq!(world.submit(payment).unwrap_err().code(), "wrong_nonce");
    let twice = world.sign(&alice(), transfer(&bob(), 10));
    let outcomes = world.block(&[twice.clone(), twice]).block.outcomes;
    assert!(outcomes[0].is_applied());
    assert_eq!(outcomes[1].result().unwrap_err().code(), "wrong_nonce");
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS + 20));
    assert_ne!(records(&world.ledger), before);
    // An old voucher pays nothing again.
    let id = world.open(&bob(), 100);
    let old = redeem(vec![voucher(&bob(), id, 60)]);
    assert_eq!(world.done(&node(), old.clone()).earned, Credits(60));
    assert_eq!(world.done(&node(), old).earned, Credits(0));
}

#[test]
fn wrong_nonce() {
    let mut world = World::new();
    let before = records(&world.ledger);
    for nonce in [1, 2, u64::MAX] {
        let early = world.sign_at(&alice(), nonce, transfer(&bob(), 10));
        let expected = TransactionError::WrongNonce { expected: 0, found: nonce };
        assert_eq!(world.submit(early), Err(expected));
    }
    assert_eq!(records(&world.ledger), before);
}

#[test]
fn wrong_chain() {
    let mut world = World::new();
    let before = records(&world.ledger);
    let mut elsewhere = world.sign(&alice(), transfer(&bob(), 1)).body;
    elsewhere.network = NetworkId::default();
    let elsewhere = Signed::sign(elsewhere, &alice());
    assert_eq!(world.submit(elsewhere), Err(TransactionError::WrongNetwork));
    assert_eq!(records(&world.ledger), before);
}

#[test]
fn expired_session_key() {
    let mut world = World::new();
    world.create_session(&session_key(), 100);
    world.now += 1_000_000;
    let opening = world.opening(5);
    assert_eq!(world.refused(&session_key(), opening.clone()), "session_expired");
    let revoke = Action::RevokeSession { session: session_key().public() };
    world.done(&alice(), revoke);
    assert_eq!(world.refused(&session_key(), opening), "session_revoked");
}

#[test]
fn over_cap_spend() {
    let mut world = World::new();
    world.create_session(&session_key(), 100);
    let opening = world.opening(101);
    assert_eq!(world.refused(&session_key(), opening), "session_cap");
    let id = world.open(&session_key(), 60);
    let opening = world.opening(41);
    assert_eq!(world.refused(&session_key(), opening), "session_cap");
    let more = Action::TopUpChannel { channel: id, amount: Credits(41) };
    assert_eq!(world.refused(&session_key(), more), "session_cap");
    // Nor can it spend what its account no longer has.
    let session = create_session(&key(11), CREDITS + 5, world.now + 1_000);
    world.done(&alice(), session);
    let opening = world.opening(CREDITS + 1);
    assert_eq!(world.refused(&key(11), opening), "insufficient_credits");
}
