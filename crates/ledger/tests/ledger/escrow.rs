//! Held payouts, fees, and leases with their exact overdraw.

use remuda_ledger::escrow::{
    Behind, EscrowAccount, EscrowAnswer, EscrowId, EscrowQuery, EscrowState, FeeRule, HeldPayout,
    LeaseAction, LeaseState,
};
use remuda_ledger::math::{Period, Share};
use remuda_ledger::{Account, Action, Answer, Denomination, Economy, Purse, Query, Vault};
use remuda_types::{Credits, Hash, SecretKey, Tokens};

use crate::world::*;

/// Where [`node`] earns.
pub(crate) fn reward() -> SecretKey {
    key(40)
}

/// Another provider's node key; it earns on its own account.
pub(crate) fn other_node() -> SecretKey {
    key(21)
}

pub(crate) fn register(world: &mut World) {
    let action =
        |reward| Action::RegisterProvider { reward: account_of(&reward), name: "p".into() };
    world.done(&node(), action(reward()));
    world.done(&other_node(), action(other_node()));
}

pub(crate) fn ask(world: &World, query: EscrowQuery) -> EscrowAnswer {
    match world.ledger.query(&Query::Escrow(query)) {
        Answer::Escrow(answer) => answer,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn vault(world: &World, vault: Vault) -> Purse {
    match world.ledger.query(&Query::Vault(vault)) {
        Answer::Vault(purse) => purse,
        other => panic!("{other:?}"),
    }
}

/// Akash's fees: 4 % of tokens, 20 % of credits.
pub(crate) fn akash() -> Economy {
    let mut economy = Economy::default();
    economy.escrow.fees.token = FeeRule { burn: Share::ZERO, treasury: Share::percent(4) };
    economy.escrow.fees.credit = FeeRule { burn: Share::ZERO, treasury: Share::percent(20) };
    economy
}

fn held(world: &World) -> Vec<HeldPayout> {
    match ask(world, EscrowQuery::HeldOf(node().public())) {
        EscrowAnswer::Held(held) => held,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_channel_pays_is_held_and_then_paid_less_the_fee() {
    let mut economy = akash();
    economy.escrow.hold = Period(64_000);
    let mut world = World::with_economy(economy);
    register(&mut world);
    let channel = world.open(&alice(), 1_000);
    let effects = world.done(&node(), redeem(vec![voucher(&alice(), channel, 100)]));
    assert_eq!(effects.earned, Credits(100), "taken, before fees and held");
    assert_eq!(world.account(&reward()).earned, Credits(0));
    assert_eq!(vault(&world, Vault::Held).credits, Credits(100));
    // More of the same second joins the same record.
    world.done(&node(), redeem(vec![voucher(&alice(), channel, 150)]));
    let payouts = held(&world);
    assert_eq!(payouts.len(), 1);
    assert_eq!((payouts[0].amount, payouts[0].payer), (150, account_of(&alice())));
    assert_eq!(payouts[0].key.behind, Behind::Channel(channel));
    let behind = ask(&world, EscrowQuery::HeldBehind(Behind::Channel(channel)));
    assert_eq!(behind, EscrowAnswer::Held(payouts));
    let due = START + 64_000;
    assert_eq!(world.ledger.next_due(), Some(due));
    world.now = due - 1;
    world.block(&[]);
    assert_eq!(world.account(&reward()).earned, Credits(0));
    world.now = due;
    world.block(&[]);
    assert_eq!(world.account(&reward()).earned, Credits(120));
    assert_eq!(vault(&world, Vault::Treasury).credits, Credits(30));
    assert_eq!((held(&world), world.ledger.next_due()), (vec![], None));
}

#[test]
fn payouts_of_other_times_are_other_records_in_bounded_number() {
    let mut economy = Economy::default();
    economy.escrow.hold = Period(64_000);
    let mut world = World::with_economy(economy);
    let channel = world.open(&alice(), 5_000);
    for step in 1..=400_u64 {
        world.now += 500;
        world.done(&node(), redeem(vec![voucher(&alice(), channel, step)]));
        assert!(held(&world).len() <= 65);
    }
    assert!(held(&world).len() >= 64);
    world.now += 65_000;
    world.block(&[]);
    assert_eq!(world.account(&node()).earned, Credits(400));
}

#[test]
fn a_fee_without_a_hold_is_taken_at_once() {
    let mut world = World::with_economy(akash());
    register(&mut world);
    let channel = world.open(&alice(), 1_000);
    world.done(&node(), redeem(vec![voucher(&alice(), channel, 100)]));
    assert_eq!(world.account(&reward()).earned, Credits(80));
    assert_eq!(vault(&world, Vault::Treasury).credits, Credits(20));
    // What goes back has paid nothing.
    let effects = world.done(&node(), Action::CloseChannel { channel, voucher: None });
    assert_eq!(effects.returned, Credits(900));
}

const NONCE: [u8; 32] = [1; 32];

fn escrow_id() -> EscrowId {
    EscrowId::derive(&account_of(&alice()), &NONCE)
}

fn opening(denomination: Denomination, deposit: u128) -> Action {
    let (nonce, rate_max, spec) = (NONCE, 300, Hash([9; 32]));
    Action::Lease(LeaseAction::Open { nonce, denomination, deposit, rate_max, spec })
}

fn bid(rate: u128) -> Action {
    Action::Lease(LeaseAction::PlaceBid { escrow: escrow_id(), rate })
}

fn accept(node: &SecretKey) -> Action {
    let provider = node.public();
    Action::Lease(LeaseAction::AcceptBid { escrow: escrow_id(), provider })
}

fn settle() -> Action {
    Action::Lease(LeaseAction::Settle { escrow: escrow_id() })
}

fn withdraw(lease: u32) -> Action {
    Action::Lease(LeaseAction::Withdraw { escrow: escrow_id(), lease })
}

fn end_lease(lease: u32) -> Action {
    Action::Lease(LeaseAction::EndLease { escrow: escrow_id(), lease })
}

fn close() -> Action {
    Action::Lease(LeaseAction::Close { escrow: escrow_id() })
}

fn top_up(amount: u128) -> Action {
    Action::Lease(LeaseAction::TopUp { escrow: escrow_id(), amount })
}

fn escrow(world: &World) -> EscrowAccount {
    match ask(world, EscrowQuery::Escrow(escrow_id())) {
        EscrowAnswer::Escrow(Some(escrow)) => escrow,
        other => panic!("{other:?}"),
    }
}

/// Alice opens, both nodes bid `rates`, and both leases begin in one block.
fn leased(economy: Economy, denomination: Denomination, deposit: u128, rates: [u128; 2]) -> World {
    let mut world = World::with_economy(economy);
    register(&mut world);
    world.done(&alice(), opening(denomination, deposit));
    world.done(&node(), bid(rates[0]));
    world.done(&other_node(), bid(rates[1]));
    let nonce = world.nonce(&alice());
    let both = [
        world.sign_at(&alice(), nonce, accept(&node())),
        world.sign_at(&alice(), nonce + 1, accept(&other_node())),
    ];
    let applied = world.block(&both);
    assert!(applied.block.outcomes.iter().all(|outcome| outcome.is_applied()));
    world
}

/// Part 3: balance 10, rates 3 and 1, 4 blocks: 8 paid, the rest 2 split 1.5 and 0.5. Here one
/// is a hundred units. Then 96 % and 80 % after fees.
#[test]
fn the_published_overdraw_ends_to_the_digit_in_either_denomination() {
    let mut world = leased(akash(), Denomination::Token, 1_000, [300, 100]);
    for _ in 0..3 {
        world.block(&[]);
    }
    world.done(&bob(), settle());
    let ended = escrow(&world);
    assert_eq!(ended.state, EscrowState::Overdrawn);
    let withdrawn: Vec<u128> = ended.leases.iter().map(|lease| lease.withdrawn).collect();
    assert_eq!(withdrawn, [750, 250], "7.5 and 2.5: 8 in whole blocks, then 1.5 and 0.5");
    assert!(ended.leases.iter().all(|lease| lease.state == LeaseState::Overdrawn));
    assert_eq!(world.account(&reward()).tokens, Tokens(720), "96 %");
    assert_eq!(world.account(&other_node()).tokens, Tokens(240));
    assert_eq!(vault(&world, Vault::Treasury).tokens, Tokens(40));
    assert_eq!(vault(&world, Vault::Escrow), Purse::default());

    let mut world = leased(akash(), Denomination::Credit, 1_000, [300, 100]);
    for _ in 0..3 {
        world.block(&[]);
    }
    world.done(&bob(), settle());
    assert_eq!(world.account(&reward()).earned, Credits(600), "80 %");
    assert_eq!(world.account(&other_node()).earned, Credits(200));
    assert_eq!(vault(&world, Vault::Treasury).credits, Credits(200));
}

#[test]
fn exactly_enough_is_not_overdrawn_yet() {
    let mut world = leased(Economy::default(), Denomination::Token, 800, [300, 100]);
    world.block(&[]);
    world.done(&bob(), settle());
    assert_eq!((escrow(&world).state, escrow(&world).balance), (EscrowState::Open, 0));
    assert_eq!(world.refused(&alice(), accept(&node())), "escrow_ended", "the next block is over");
    assert_eq!(escrow(&world).state, EscrowState::Open, "a refusal settles nothing");
    world.done(&bob(), settle());
    assert_eq!(escrow(&world).state, EscrowState::Overdrawn);
    assert_eq!(world.refused(&bob(), settle()), "escrow_ended");
}

#[test]
fn ticks_may_be_hours() {
    let mut economy = Economy::default();
    economy.escrow.leases.tick = Period::HOUR;
    let mut world = leased(economy, Denomination::Credit, 5_000, [30, 10]);
    for _ in 0..10 {
        world.block(&[]);
    }
    assert_eq!(world.done(&node(), withdraw(0)).earned, Credits(0), "blocks cost nothing");
    world.now += 3 * Period::HOUR.ms();
    assert_eq!(world.done(&node(), withdraw(0)).earned, Credits(90));
    assert_eq!(world.account(&reward()).earned, Credits(90));
    assert_eq!(escrow(&world).leases[1].accrued, 30, "settled, not withdrawn");
    assert_eq!(escrow(&world).balance, 4_880);
    world.done(&alice(), top_up(100));
    assert_eq!(world.done(&alice(), close()).returned, Credits(4_980));
    assert_eq!(world.account(&other_node()).earned, Credits(30));
    assert_eq!(escrow(&world).state, EscrowState::Closed);
    // The name is remembered for a while.
    assert_eq!(world.refused(&alice(), opening(Denomination::Token, 1)), "escrow_exists");
    world.now += world.genesis.parameters.closed_memory_ms;
    world.block(&[]);
    assert_eq!(ask(&world, EscrowQuery::Escrow(escrow_id())), EscrowAnswer::Escrow(None));
}

#[test]
fn deposits_come_back_whichever_side_ends() {
    let mut economy = Economy::default();
    economy.escrow.leases.bid_deposit = Tokens(50);
    economy.escrow.leases.deployment_min = Tokens(5);
    economy.escrow.leases.bids_max = 2;
    let mut world = World::with_economy(economy);
    register(&mut world);
    for (to, amount) in [(node(), 100), (other_node(), 60)] {
        let to = account_of(&to);
        world.done(&bob(), Action::Transfer { to, amount: Tokens(amount) });
    }
    assert_eq!(world.refused(&alice(), opening(Denomination::Token, 4)), "escrow_deposit_too_low");
    world.done(&alice(), opening(Denomination::Token, 500));
    world.done(&node(), bid(10));
    world.done(&other_node(), bid(20));
    assert_eq!(vault(&world, Vault::Escrow).tokens, Tokens(600));
    world.done(&other_node(), Action::Lease(LeaseAction::WithdrawBid { escrow: escrow_id() }));
    assert_eq!(world.account(&other_node()).tokens, Tokens(60));
    world.done(&other_node(), bid(25));
    world.done(&alice(), accept(&node()));
    // A provider may bid again while it serves.
    world.done(&node(), bid(30));
    assert_eq!(world.account(&node()).tokens, Tokens(0));
    world.done(&node(), end_lease(0));
    assert_eq!(world.account(&node()).tokens, Tokens(50), "its first bid's deposit");
    assert_eq!(world.account(&reward()).tokens, Tokens(20), "two blocks at 10");
    assert_eq!(world.refused(&node(), withdraw(0)), "escrow_lease_ended");
    assert_eq!(world.refused(&alice(), end_lease(0)), "escrow_lease_ended");
    world.done(&alice(), close());
    assert_eq!(world.account(&node()).tokens, Tokens(100), "open bids come back, too");
    assert_eq!(world.account(&other_node()).tokens, Tokens(60));
    assert_eq!(world.account(&alice()).tokens, Tokens(980));
    assert_eq!(vault(&world, Vault::Escrow), Purse::default());
}

#[test]
fn leases_refuse_by_name() {
    let mut economy = Economy::default();
    (economy.escrow.leases.bids_max, economy.escrow.leases.leases_max) = (1, 1);
    economy.escrow.leases.open_max = 1;
    let mut world = World::with_economy(economy);
    assert_eq!(world.refused(&node(), bid(1)), "unknown_provider");
    register(&mut world);
    assert_eq!(world.refused(&node(), bid(1)), "escrow_unknown");
    let zero = opening(Denomination::Token, 0);
    assert_eq!(world.refused(&alice(), zero), "zero_amount");
    let much = opening(Denomination::Token, 1_001);
    assert_eq!(world.refused(&alice(), much), "insufficient_tokens");
    let huge = opening(Denomination::Credit, u128::MAX);
    assert_eq!(world.refused(&alice(), huge), "overflow");
    world.done(&alice(), opening(Denomination::Token, 500));
    assert_eq!(world.refused(&alice(), opening(Denomination::Token, 1)), "escrow_exists");
    let second = LeaseAction::Open {
        nonce: [2; 32],
        denomination: Denomination::Token,
        deposit: 1,
        rate_max: 1,
        spec: Hash::default(),
    };
    assert_eq!(world.refused(&alice(), Action::Lease(second)), "escrow_limit");
    assert_eq!(world.refused(&node(), bid(0)), "zero_amount");
    assert_eq!(world.refused(&node(), bid(301)), "escrow_rate_too_high");
    assert_eq!(world.refused(&alice(), accept(&node())), "escrow_unknown_bid");
    world.done(&node(), bid(30));
    assert_eq!(world.refused(&node(), bid(200)), "escrow_bid_exists");
    assert_eq!(world.refused(&other_node(), bid(200)), "escrow_bid_limit");
    assert_eq!(world.refused(&bob(), accept(&node())), "escrow_not_owner");
    assert_eq!(world.refused(&bob(), top_up(1)), "escrow_not_owner");
    assert_eq!(world.refused(&alice(), top_up(0)), "zero_amount");
    assert_eq!(world.refused(&bob(), close()), "escrow_not_owner");
    world.done(&alice(), accept(&node()));
    assert_eq!(world.refused(&node(), withdraw(1)), "escrow_unknown_lease");
    assert_eq!(world.refused(&other_node(), withdraw(0)), "escrow_not_lease_side");
    assert_eq!(world.refused(&bob(), end_lease(0)), "escrow_not_lease_side");
    world.done(&alice(), end_lease(0));
    world.done(&other_node(), bid(50));
    assert_eq!(world.refused(&alice(), accept(&other_node())), "escrow_lease_limit");
}

#[test]
fn one_tick_must_be_there_to_begin() {
    let mut world = World::new();
    register(&mut world);
    world.done(&alice(), opening(Denomination::Token, 100));
    world.done(&node(), bid(101));
    assert_eq!(world.refused(&alice(), accept(&node())), "escrow_too_little");
    world.done(&alice(), top_up(1));
    world.done(&alice(), accept(&node()));
    assert_eq!(world.account(&alice()), Account { tokens: Tokens(899), ..world.account(&bob()) });
    let answer = ask(&world, EscrowQuery::EscrowsOfProvider(node().public()));
    assert_eq!(answer, EscrowAnswer::Escrows(vec![escrow(&world)]));
}
