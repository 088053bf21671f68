//! Orders in parts: confirmed, rejected, undelivered, silent.

use remuda_ledger::escrow::{
    EscrowAnswer, EscrowQuery, FeeRule, Order, OrderAction, OrderState, Part, PartState, order_id,
};
use remuda_ledger::math::{Period, Share};
use remuda_ledger::{Action, Denomination, Economy, Purse, Vault};
use remuda_types::{Credits, Hash, OrderId, SecretKey, Tokens};

use crate::escrow::{akash, ask, other_node, register, reward, vault};
use crate::world::*;

fn id(nonce: u8) -> OrderId {
    order_id(&account_of(&alice()), &[nonce; 32])
}

fn opening(nonce: u8, denomination: Denomination, parts: u16, part_price: u128) -> Action {
    Action::Order(OrderAction::Open {
        nonce: [nonce; 32],
        denomination,
        parts,
        part_price,
        part_time: Period::HOUR,
        provider: None,
        work: Hash([8; 32]),
    })
}

fn take(parts: &[u16]) -> Action {
    Action::Order(OrderAction::Take { order: id(1), parts: parts.to_vec() })
}

fn deliver(part: u16) -> Action {
    let output = Hash([7; 32]);
    Action::Order(OrderAction::Deliver { order: id(1), part, output })
}

fn approve(parts: &[u16]) -> Action {
    Action::Order(OrderAction::Approve { order: id(1), parts: parts.to_vec() })
}

fn reject(part: u16, refund: bool) -> Action {
    Action::Order(OrderAction::Reject { order: id(1), part, refund })
}

fn cancel() -> Action {
    Action::Order(OrderAction::Cancel { order: id(1) })
}

fn order(world: &World) -> Order {
    match ask(world, EscrowQuery::Order(id(1))) {
        EscrowAnswer::Order(Some(order)) => order,
        other => panic!("{other:?}"),
    }
}

fn part(world: &World, part: u16) -> Part {
    match ask(world, EscrowQuery::Parts(id(1))) {
        EscrowAnswer::Parts(parts) => parts.into_iter().find(|p| p.key.1 == part).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn ordered(economy: Economy, denomination: Denomination, parts: u16, price: u128) -> World {
    let mut world = World::with_economy(economy);
    register(&mut world);
    world.done(&alice(), opening(1, denomination, parts, price));
    world
}

/// Render: a frame rejected and done again elsewhere, silence approves after 72 h, and 95 % of
/// the price ends; the operators live on the epoch's mint.
#[test]
fn a_rejected_frame_is_done_elsewhere_and_silence_approves_after_72_hours() {
    let mut economy = Economy::default();
    economy.escrow.fees.credit = FeeRule { burn: Share::percent(95), treasury: Share::percent(5) };
    let mut world = ordered(economy, Denomination::Credit, 2, 100);
    world.done(&node(), take(&[0, 1]));
    world.done(&node(), deliver(0));
    world.done(&node(), deliver(1));
    world.done(&alice(), reject(0, false));
    assert_eq!(part(&world, 0).state, PartState::Offered);
    assert_eq!(world.refused(&node(), take(&[0])), "order_part_failed");
    world.done(&other_node(), take(&[0]));
    world.done(&other_node(), deliver(0));
    let over = START + 72 * Period::HOUR.ms();
    assert_eq!(world.ledger.next_due(), Some(over));
    world.now = over - 1;
    world.block(&[]);
    assert_eq!(order(&world).settled, 0);
    world.now = over;
    world.block(&[]);
    assert_eq!(part(&world, 0).state, PartState::Approved);
    assert_eq!((order(&world).settled, order(&world).state), (2, OrderState::Ended));
    assert_eq!(world.supply().retired, Credits(190), "95 %");
    assert_eq!(vault(&world, Vault::Treasury).credits, Credits(10));
    assert_eq!(world.account(&reward()).earned, Credits(0));
    assert_eq!(vault(&world, Vault::Escrow), Purse::default());
}

#[test]
fn approval_pays_less_the_fee_and_a_refund_waives_it() {
    let mut world = ordered(akash(), Denomination::Token, 3, 100);
    assert_eq!(world.account(&alice()).tokens, Tokens(700));
    world.done(&node(), take(&[0, 1]));
    world.done(&node(), deliver(0));
    world.done(&node(), deliver(1));
    world.done(&alice(), approve(&[0]));
    assert_eq!(world.account(&reward()).tokens, Tokens(96));
    world.done(&alice(), reject(1, true));
    assert_eq!(world.account(&alice()).tokens, Tokens(800), "all of it, no fee");
    world.done(&alice(), cancel());
    assert_eq!(world.account(&alice()).tokens, Tokens(900));
    assert_eq!(order(&world).state, OrderState::Ended);
    assert_eq!(vault(&world, Vault::Treasury).tokens, Tokens(4));
}

/// B.10: what is not delivered costs its price and a fifth more, to the buyer.
#[test]
fn a_failed_period_is_refunded_with_a_fifth_on_top() {
    let mut economy = Economy::default();
    economy.escrow.orders.penalty = Share::percent(20);
    let mut world = ordered(economy, Denomination::Token, 2, 100);
    assert_eq!(world.refused(&node(), take(&[0])), "insufficient_tokens", "no deposit");
    let to = account_of(&node());
    world.done(&bob(), Action::Transfer { to, amount: Tokens(40) });
    world.done(&node(), take(&[0, 1]));
    assert_eq!(world.account(&node()).tokens, Tokens(0));
    world.done(&node(), deliver(0));
    world.now += Period::HOUR.ms();
    world.block(&[]);
    assert_eq!(world.account(&alice()).tokens, Tokens(800 + 120), "the second, times 1.2");
    assert_eq!(part(&world, 1).state, PartState::Refunded);
    world.done(&alice(), approve(&[0]));
    assert_eq!(world.account(&node()).tokens, Tokens(20), "the first one's deposit");
    assert_eq!(world.account(&reward()).tokens, Tokens(100));
    assert_eq!(order(&world).state, OrderState::Ended);
}

#[test]
fn an_undelivered_part_may_be_offered_again() {
    let mut economy = Economy::default();
    economy.escrow.orders.reopen_undelivered = true;
    let mut world = ordered(economy, Denomination::Credit, 1, 100);
    world.done(&node(), take(&[0]));
    world.now += Period::HOUR.ms();
    assert_eq!(world.refused(&node(), deliver(0)), "order_part_state", "the block was first");
    assert_eq!(part(&world, 0).state, PartState::Offered);
    world.done(&other_node(), take(&[0]));
    world.done(&other_node(), deliver(0));
    world.done(&alice(), approve(&[0]));
    assert_eq!(world.account(&other_node()).earned, Credits(100));
}

#[test]
fn a_serial_rejecter_is_quarantined_and_its_silence_pays() {
    let mut economy = Economy::default();
    economy.escrow.orders.rejections_max = 2;
    let mut world = ordered(economy, Denomination::Credit, 3, 100);
    world.done(&node(), take(&[0, 1, 2]));
    for part in 0..3 {
        world.done(&node(), deliver(part));
    }
    world.done(&alice(), reject(0, true));
    world.done(&alice(), reject(1, true));
    assert_eq!(world.refused(&alice(), reject(2, true)), "order_quarantined");
    let another = opening(2, Denomination::Credit, 1, 1);
    assert_eq!(world.refused(&alice(), another.clone()), "order_quarantined");
    let answer = ask(&world, EscrowQuery::Standing(account_of(&alice())));
    let EscrowAnswer::Standing(Some(standing)) = answer else { panic!("{answer:?}") };
    assert_eq!(standing.quarantined_until, START + 7 * Period::DAY.ms());
    world.now += 72 * Period::HOUR.ms();
    world.block(&[]);
    assert_eq!(world.account(&reward()).earned, Credits(100), "approved by silence");
    world.now = START + 7 * Period::DAY.ms();
    world.done(&alice(), another);
}

#[test]
fn a_part_is_done_again_only_so_often() {
    let mut economy = Economy::default();
    economy.escrow.orders.redo_max = 1;
    let mut world = ordered(economy, Denomination::Credit, 1, 100);
    for node in [node(), other_node()] {
        world.done(&node, take(&[0]));
        world.done(&node, deliver(0));
        world.done(&alice(), reject(0, false));
    }
    assert_eq!(part(&world, 0).state, PartState::Refunded);
    assert_eq!(world.account(&alice()).credits, Credits(CREDITS));
}

#[test]
fn what_is_with_a_provider_goes_on_after_a_cancel() {
    let mut world = ordered(Economy::default(), Denomination::Credit, 2, 100);
    world.done(&node(), take(&[1]));
    assert_eq!(world.done(&alice(), cancel()).returned, Credits(100));
    assert_eq!(order(&world).state, OrderState::Cancelled);
    assert_eq!(world.refused(&other_node(), take(&[0])), "order_ended");
    assert_eq!(world.refused(&alice(), cancel()), "order_ended");
    world.done(&node(), deliver(1));
    world.done(&alice(), reject(1, false));
    assert_eq!(part(&world, 1).state, PartState::Refunded, "nobody could do it again");
    assert_eq!(order(&world).state, OrderState::Ended);
    world.now += world.genesis.parameters.closed_memory_ms;
    world.block(&[]);
    assert_eq!(ask(&world, EscrowQuery::Order(id(1))), EscrowAnswer::Order(None));
    assert_eq!(ask(&world, EscrowQuery::Parts(id(1))), EscrowAnswer::Parts(vec![]));
}

fn named(provider: &SecretKey) -> Action {
    Action::Order(OrderAction::Open {
        nonce: [1; 32],
        denomination: Denomination::Credit,
        parts: 1,
        part_price: 10,
        part_time: Period::HOUR,
        provider: Some(provider.public()),
        work: Hash::default(),
    })
}

#[test]
fn a_named_provider_is_first_and_the_others_follow_when_it_fails() {
    let mut world = World::new();
    register(&mut world);
    world.done(&alice(), named(&node()));
    assert_eq!(world.refused(&other_node(), take(&[0])), "order_part_reserved");
    world.done(&node(), take(&[0]));
    world.done(&node(), deliver(0));
    world.done(&alice(), reject(0, false));
    world.done(&other_node(), take(&[0]));
    let answer = ask(&world, EscrowQuery::PartsOf(other_node().public()));
    assert_eq!(answer, EscrowAnswer::Parts(vec![part(&world, 0)]));
}

#[test]
fn orders_refuse_by_name() {
    let mut economy = Economy::default();
    (economy.escrow.orders.parts_max, economy.escrow.orders.open_max) = (3, 1);
    let mut world = World::with_economy(economy);
    let credits = Denomination::Credit;
    assert_eq!(world.refused(&alice(), opening(1, credits, 0, 1)), "order_part_count");
    assert_eq!(world.refused(&alice(), opening(1, credits, 4, 1)), "order_part_count");
    assert_eq!(world.refused(&alice(), opening(1, credits, 1, 0)), "zero_amount");
    let much = opening(1, credits, 3, 5_000);
    assert_eq!(world.refused(&alice(), much), "insufficient_credits");
    let huge = opening(1, Denomination::Token, 3, u128::MAX);
    assert_eq!(world.refused(&alice(), huge), "overflow");
    let Action::Order(OrderAction::Open { nonce, denomination, parts, part_price, work, .. }) =
        opening(1, credits, 1, 1)
    else {
        panic!()
    };
    let (part_time, provider) = (Period(0), None);
    let rushed =
        OrderAction::Open { nonce, denomination, parts, part_price, part_time, provider, work };
    assert_eq!(world.refused(&alice(), Action::Order(rushed)), "order_part_time");
    assert_eq!(world.refused(&node(), take(&[0])), "unknown_provider");
    register(&mut world);
    assert_eq!(world.refused(&node(), take(&[0])), "order_unknown");
    world.done(&alice(), opening(1, credits, 3, 10));
    assert_eq!(world.refused(&alice(), opening(1, credits, 1, 1)), "order_exists");
    assert_eq!(world.refused(&alice(), opening(2, credits, 1, 1)), "order_limit");
    assert_eq!(world.refused(&node(), take(&[])), "order_part_count");
    assert_eq!(world.refused(&node(), take(&[3])), "order_unknown_part");
    assert_eq!(world.refused(&node(), take(&[1, 1])), "order_part_state");
    assert_eq!(world.refused(&node(), deliver(0)), "order_part_state");
    world.done(&node(), take(&[0]));
    assert_eq!(world.refused(&other_node(), take(&[0])), "order_part_state");
    assert_eq!(world.refused(&other_node(), deliver(0)), "order_not_part_provider");
    assert_eq!(world.refused(&alice(), approve(&[0])), "order_part_state");
    world.done(&node(), deliver(0));
    assert_eq!(world.refused(&bob(), approve(&[0])), "order_not_buyer");
    assert_eq!(world.refused(&bob(), reject(0, true)), "order_not_buyer");
    assert_eq!(world.refused(&bob(), cancel()), "order_not_buyer");
    assert_eq!(world.refused(&alice(), approve(&[0, 0])), "order_part_state");
}
