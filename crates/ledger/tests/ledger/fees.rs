//! What transactions cost.

use remuda_ledger::accounts::{AccountsAnswer, AccountsQuery, BaseFee, weight};
use remuda_ledger::math::Share;
use remuda_ledger::{
    Action, Answer, Economy, Flow, Genesis, GenesisAccount, Parameters, Query, SignedTransaction,
    TransactionError, Vault,
};
use remuda_types::{Credits, SecretKey, Tokens};

use crate::world::*;

/// One token.
const TOKEN: u128 = 1_000_000_000;

/// Alice and Bob hold a token and a dollar each.
fn world(floor: u128, target_weight: u64) -> World {
    let mut economy = Economy::default();
    economy.accounts.fees.target_weight = target_weight;
    economy.accounts.fees.floor = Tokens(floor);
    // A dollar a token.
    economy.accounts.fees.token_price = Credits::DOLLAR;
    with(economy)
}

fn with(economy: Economy) -> World {
    let funded = |key: SecretKey| GenesisAccount {
        account: account_of(&key),
        tokens: Tokens(TOKEN),
        credits: Credits::DOLLAR,
    };
    let accounts = vec![funded(alice()), funded(bob())];
    World::from_genesis(Genesis { accounts, economy, ..genesis_with(Parameters::default()) })
}

fn price(world: &World) -> u128 {
    match world.ledger.query(&Query::Accounts(AccountsQuery::BaseFee)) {
        Answer::Accounts(AccountsAnswer::BaseFee(BaseFee { price, .. })) => price.0,
        other => panic!("{other:?}"),
    }
}

fn transfer(to: &SecretKey, amount: u128) -> Action {
    Action::Transfer { to: account_of(to), amount: Tokens(amount) }
}

fn unpayable(world: &mut World, transaction: SignedTransaction) -> (Tokens, Option<Credits>) {
    use remuda_ledger::accounts::AccountsError::FeeUnpayable;
    let before = without_price(world);
    let checked = world.ledger.check(&transaction);
    let error = world.submit(transaction).unwrap_err();
    assert_eq!(without_price(world), before, "it leaves no trace");
    assert!(error.is_inadmissible() && error.is_retryable());
    assert_eq!(error.code(), "fee_unpayable");
    assert!(checked == Err(error.clone()) || checked.is_ok());
    match error {
        TransactionError::Accounts(FeeUnpayable { fee, credits, .. }) => (fee, credits),
        other => panic!("{other}"),
    }
}

/// The records but the base fee, which every block moves.
fn without_price(world: &World) -> std::collections::BTreeMap<Vec<u8>, Vec<u8>> {
    let mut all = records(&world.ledger);
    all.remove(&remuda_ledger::StateKey::BaseFee(()).to_bytes());
    all
}

#[test]
fn free_while_idle_and_dearer_under_load() {
    let mut world = world(0, 1_000);
    world.done(&alice(), transfer(&bob(), 1));
    assert_eq!((price(&world), world.supply().burned), (0, Tokens::ZERO));
    for expected in 1..=9 {
        let nonce = world.nonce(&alice());
        let load: Vec<_> =
            (0..5).map(|more| world.sign_at(&alice(), nonce + more, transfer(&bob(), 1))).collect();
        assert!(load.iter().map(weight).sum::<u64>() > 2_000);
        world.block(&load);
        assert_eq!(price(&world), expected);
    }
    for expected in (0..9).rev() {
        world.block(&[]);
        assert_eq!(price(&world), expected);
    }
    assert_eq!(price(&world), 0);
}

#[test]
fn the_fee_is_the_weight_times_the_price_and_is_burned() {
    let mut world = world(3, 1 << 40);
    let transaction = world.sign(&alice(), transfer(&bob(), 1_000));
    let fee = Tokens(3 * u128::from(weight(&transaction)));
    assert_eq!(world.ledger.fee(&transaction), Ok(fee));
    world.submit(transaction).unwrap();
    assert_eq!(world.account(&alice()).tokens, Tokens(TOKEN - 1_000 - fee.0));
    assert_eq!(world.supply().burned, fee);
    assert_eq!(
        world.ledger.query(&Query::Flows),
        Answer::Flows(vec![(Flow::Genesis, Tokens(2 * TOKEN)), (Flow::BaseFee, fee),])
    );
}

#[test]
fn what_is_not_burned_is_the_treasurys() {
    let mut economy = world(3, 1 << 40).genesis.economy;
    economy.accounts.fees.burned = Share::percent(75);
    let mut world = with(economy);
    let transaction = world.sign(&alice(), transfer(&bob(), 1_000));
    let fee = world.ledger.fee(&transaction).unwrap().0;
    world.submit(transaction).unwrap();
    let burned = fee * 3 / 4;
    assert_eq!(world.supply().burned, Tokens(burned));
    let Answer::Vault(treasury) = world.ledger.query(&Query::Vault(Vault::Treasury)) else {
        panic!("no purse")
    };
    assert_eq!(treasury.tokens, Tokens(fee - burned));
}

#[test]
fn a_refused_transaction_pays() {
    let mut world = world(3, 1 << 40);
    let transaction = world.sign(&alice(), transfer(&bob(), 2 * TOKEN));
    let fee = world.ledger.fee(&transaction).unwrap();
    let error = world.submit(transaction).unwrap_err();
    assert_eq!(error.code(), "insufficient_tokens");
    assert_eq!(world.account(&alice()).tokens, Tokens(TOKEN - fee.0));
    assert_eq!(world.nonce(&alice()), 1);
}

#[test]
fn who_cannot_pay_leaves_no_trace_and_hears_the_price() {
    let mut world = world(3, 1 << 40);
    let poor = world.sign(&key(40), transfer(&bob(), 1));
    let (fee, credits) = unpayable(&mut world, poor.clone());
    assert_eq!(credits, Some(Credits(2)));
    assert_eq!(world.nonce(&key(40)), 0);
    world.done(&alice(), transfer(&key(40), fee.0 + 1));
    world.submit(poor).unwrap();
    assert_eq!(world.account(&key(40)).tokens, Tokens::ZERO);
}

/// Keys cost nothing to make, so they must not buy anything: neither records nor a dearer fee.
#[test]
fn keys_without_funds_cannot_load_the_network() {
    let mut world = world(1, 1_000);
    let before = without_price(&world);
    let spam: Vec<_> =
        (100..250).map(|index| world.sign_at(&key(index), 0, transfer(&bob(), 1))).collect();
    world.block(&spam);
    assert_eq!((without_price(&world), price(&world)), (before, 1));
}

#[test]
fn buyers_pay_in_credits() {
    let mut world = world(2_000, 1 << 40);
    world.create_session(&session_key(), 500_000);
    let (tokens, opening) = (world.account(&alice()).tokens, world.opening(1_000));
    let transaction = world.sign(&session_key(), opening);
    // A dollar a token: 2,000 billionths for each unit of weight, rounded up to micro-dollars.
    let fee = world.ledger.fee(&transaction).unwrap();
    let credits = u64::try_from(fee.0.div_ceil(1_000)).unwrap();
    world.submit(transaction).unwrap();
    assert_eq!(world.account(&alice()).tokens, tokens);
    assert_eq!(world.account(&alice()).credits, Credits(1_000_000 - 1_000 - credits));
    let session = world.session(&session_key()).unwrap();
    assert_eq!((session.spent, session.locked), (Credits(credits), Credits(1_000)));
    assert_eq!(world.supply().retired, Credits(credits));
}

#[test]
fn a_session_key_pays_no_more_than_it_may_spend() {
    let mut world = world(2_000, 1 << 40);
    world.create_session(&session_key(), 100);
    let opening = world.opening(50);
    let transaction = world.sign(&session_key(), opening);
    unpayable(&mut world, transaction);
    assert_eq!(world.session(&session_key()).unwrap().spent, Credits::ZERO);

    world.create_session(&key(11), 400_000);
    world.now += 2_000_000;
    let opening = world.opening(50);
    let transaction = world.sign(&key(11), opening);
    // Ended: it spends nothing more, not even for a refusal.
    let error = world.submit(transaction).unwrap_err();
    assert_eq!(error.code(), "fee_unpayable");
    assert_eq!(world.session(&key(11)).unwrap().spent, Credits::ZERO);
}

#[test]
fn credits_are_taken_only_at_a_price() {
    let mut economy = world(3, 1 << 40).genesis.economy;
    economy.accounts.fees.token_price = Credits::ZERO;
    let mut world = with(economy);
    world.create_session(&session_key(), 500_000);
    let opening = world.opening(1_000);
    let transaction = world.sign(&session_key(), opening);
    assert_eq!(unpayable(&mut world, transaction).1, None);
}

#[test]
fn opening_a_channel_pays_for_its_closing() {
    let mut world = world(5, 1 << 40);
    world.create_session(&session_key(), 500_000);
    let id = world.open(&session_key(), 1_000);
    let good = voucher(&session_key(), id, 600);

    // The provider holds nothing: redeeming early is not paid for, a failed closing neither.
    let early = world.sign(&node(), redeem(vec![good.clone()]));
    unpayable(&mut world, early);
    let over = voucher(&session_key(), id, 5_000);
    let wrong = Action::CloseChannel { channel: id, voucher: Some(over) };
    let wrong = world.sign(&node(), wrong);
    unpayable(&mut world, wrong);
    let stranger = Action::CloseChannel { channel: id, voucher: None };
    let stranger = world.sign(&key(40), stranger);
    unpayable(&mut world, stranger);

    let close = Action::CloseChannel { channel: id, voucher: Some(good) };
    world.done(&node(), close.clone());
    assert_eq!(world.account(&node()).earned, Credits(600));
    // Now it has earned: its next mistake is paid of that.
    let error = world.send(&node(), close).unwrap_err();
    assert_eq!(error.code(), "channel_closed");
    assert!(world.account(&node()).earned < Credits(600));
}

#[test]
fn a_channel_expires_for_nothing() {
    let mut world = world(5, 1 << 40);
    let id = world.open(&bob(), 1_000);
    world.now += 1_000_000;
    world.done(&key(40), Action::ExpireChannel { channel: id });
    assert_eq!(world.nonce(&key(40)), 1);
}

#[test]
fn without_a_target_nothing_costs() {
    let mut world = World::new();
    let transaction = world.sign(&key(40), Action::DeregisterProvider);
    assert_eq!(world.ledger.fee(&transaction), Ok(Tokens::ZERO));
    assert_eq!(world.refused(&key(40), Action::DeregisterProvider), "unknown_provider");
    let base = remuda_ledger::StateKey::BaseFee(()).to_bytes();
    assert!(!records(&world.ledger).contains_key(&base));
}
