//! Tokens, credits and nonces.

use remuda_ledger::{Account, Action, Parameters, TransactionError};
use remuda_types::{Credits, NetworkId, Tokens};

use crate::world::*;

fn transfer(to: &remuda_types::SecretKey, amount: u128) -> Action {
    Action::Transfer { to: account_of(to), amount: Tokens(amount) }
}

fn grant(to: &remuda_types::SecretKey, amount: u64) -> Action {
    Action::GrantCredits { to: account_of(to), amount: Credits(amount) }
}

#[test]
fn tokens_move_whole() {
    let mut world = World::new();
    world.done(&alice(), transfer(&bob(), 400));
    assert_eq!(world.account(&alice()).tokens, Tokens(TOKENS - 400));
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS + 400));
    assert_eq!(world.supply().tokens, Tokens(2 * TOKENS));
}

#[test]
fn a_transfer_to_oneself_changes_nothing() {
    let mut world = World::new();
    let before = world.account(&alice());
    world.done(&alice(), transfer(&alice(), TOKENS));
    assert_eq!(world.account(&alice()), before);
    assert_eq!(world.refused(&alice(), transfer(&alice(), TOKENS + 1)), "insufficient_tokens");
}

#[test]
fn transfers_are_bounded() {
    let mut world = World::new();
    assert_eq!(world.refused(&alice(), transfer(&bob(), 0)), "zero_amount");
    assert_eq!(world.refused(&alice(), transfer(&bob(), TOKENS + 1)), "insufficient_tokens");
    assert_eq!(world.refused(&alice(), transfer(&bob(), u128::MAX)), "insufficient_tokens");
    assert_eq!(world.refused(&key(99), transfer(&bob(), 1)), "insufficient_tokens");
}

#[test]
fn an_emptied_account_leaves_no_record() {
    let mut world = World::new();
    world.done(&alice(), transfer(&key(40), 7));
    let count = records(&world.ledger).len();
    world.done(&key(40), transfer(&alice(), 7));
    assert_eq!(world.account(&key(40)), Account::EMPTY);
    // One account less, one nonce more.
    assert_eq!(records(&world.ledger).len(), count);
}

#[test]
fn only_the_grantor_grants() {
    let mut world = World::new();
    world.done(&grantor(), grant(&bob(), 50));
    assert_eq!(world.account(&bob()).credits, Credits(CREDITS + 50));
    assert_eq!(world.supply().granted, Credits(2 * CREDITS + 50));
    assert_eq!(world.refused(&alice(), grant(&alice(), 1)), "not_grantor");
    assert_eq!(world.refused(&grantor(), grant(&bob(), 0)), "zero_amount");
    assert_eq!(world.refused(&grantor(), grant(&bob(), u64::MAX)), "overflow");
}

#[test]
fn inadmissible_transactions_leave_no_trace() {
    let mut world = World::new();
    let before = records(&world.ledger);
    let good = world.sign(&alice(), transfer(&bob(), 1));

    let mut forged = good.clone();
    forged.signer = bob().public();
    let mut flipped = good.clone();
    flipped.signature.0[3] ^= 1;
    let mut altered = good.clone();
    altered.body.action = transfer(&bob(), 2);
    for bad in [forged, flipped, altered] {
        assert_eq!(world.ledger.check(&bad), Err(TransactionError::BadSignature));
        assert_eq!(world.submit(bad), Err(TransactionError::BadSignature));
    }

    let mut elsewhere = good.body;
    elsewhere.network = NetworkId::default();
    let elsewhere = remuda_types::Signed::sign(elsewhere, &alice());
    assert_eq!(world.ledger.check(&elsewhere), Err(TransactionError::WrongNetwork));
    assert_eq!(world.submit(elsewhere), Err(TransactionError::WrongNetwork));

    let early = world.sign_at(&alice(), 1, transfer(&bob(), 1));
    let expected = TransactionError::WrongNonce { expected: 0, found: 1 };
    assert_eq!(world.submit(early), Err(expected));
    assert_eq!(records(&world.ledger), before);
    assert_eq!(world.ledger.head().height, 5);
}

#[test]
fn a_nonce_is_used_once() {
    let mut world = World::new();
    let payment = world.sign(&alice(), transfer(&bob(), 10));
    assert!(world.submit(payment.clone()).is_ok());
    let error = world.submit(payment).unwrap_err();
    assert_eq!(error, TransactionError::WrongNonce { expected: 1, found: 0 });
    assert!(error.is_retryable() && error.is_inadmissible());
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS + 10));
}

#[test]
fn a_recorded_failure_cannot_be_submitted_again() {
    let mut world = World::new();
    let too_much = world.sign(&key(40), transfer(&bob(), 5));
    assert!(world.submit(too_much.clone()).is_err());
    world.done(&alice(), transfer(&key(40), 5));
    assert_eq!(world.submit(too_much).unwrap_err().code(), "wrong_nonce");
    assert_eq!(world.account(&key(40)).tokens, Tokens(5));
}

#[test]
fn several_transactions_of_one_key_fit_in_a_block() {
    let mut world = World::new();
    let block: Vec<_> =
        (0..10).map(|nonce| world.sign_at(&alice(), nonce, transfer(&bob(), 1))).collect();
    assert!(block.iter().all(|transaction| world.ledger.check(transaction).is_ok()));
    let applied = world.block(&block);
    assert!(applied.block.outcomes.iter().all(remuda_ledger::Outcome::is_applied));
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS + 10));
    let far =
        world.sign_at(&alice(), 10 + remuda_ledger::NONCES_AHEAD_MAX + 1, transfer(&bob(), 1));
    assert_eq!(world.ledger.check(&far).unwrap_err().code(), "wrong_nonce");
}

#[test]
fn a_transaction_has_a_largest_size() {
    let parameters = Parameters { transaction_bytes_max: 300, ..Parameters::default() };
    let mut world = World::with(parameters);
    let name = "x".repeat(400);
    let action = Action::RegisterProvider { reward: account_of(&bob()), name };
    let large = world.sign(&alice(), action);
    assert_eq!(world.ledger.check(&large).unwrap_err().code(), "transaction_too_large");
    assert_eq!(world.submit(large).unwrap_err().code(), "transaction_too_large");
    assert_eq!(world.nonce(&alice()), 0);
}
