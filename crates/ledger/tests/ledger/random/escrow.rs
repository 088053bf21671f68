//! What happens to leases and orders in a random history.

use proptest::prelude::*;
use remuda_ledger::escrow::{
    EscrowAccount, EscrowAnswer, EscrowId, EscrowQuery, FeeRule, LeaseAction, Order, OrderAction,
    order_id,
};
use remuda_ledger::math::{Period, Share};
use remuda_ledger::{Action, Answer, Denomination, Economy, Query};
use remuda_types::{Hash, OrderId, SecretKey};

use super::{Run, account_of, alice, bob, key, owner};

/// What somebody tries. Numbers pick what there is.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Open { owner: bool, nonce: u8, credits: bool, deposit: u16, rate_max: u16 },
    TopUp { escrow: u8, amount: u16 },
    Bid { escrow: u8, node: bool, rate: u16 },
    WithdrawBid { escrow: u8 },
    Accept { escrow: u8, bid: u8 },
    Withdraw { escrow: u8, lease: u8 },
    EndLease { escrow: u8, lease: u8, by_owner: bool },
    Close { escrow: u8 },
    Settle { escrow: u8 },
    Order { buyer: bool, nonce: u8, credits: bool, parts: u16, price: u16, named: bool },
    Take { order: u8, node: bool, part: u16 },
    Deliver { order: u8, part: u16 },
    Approve { order: u8, part: u16 },
    Reject { order: u8, part: u16, refund: bool },
    Cancel { order: u8 },
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let (any, flag) = (any::<u8>, any::<bool>);
    prop_oneof![
        14 => leases(),
        2 => (flag(), 0..4_u8, flag(), 0..5_u16, 0..300_u16, flag()).prop_map(
            |(buyer, nonce, credits, parts, price, named)| {
                Step::Order { buyer, nonce, credits, parts, price, named }
            }
        ),
        5 => (any(), flag(), 0..4_u16)
            .prop_map(|(order, node, part)| Step::Take { order, node, part }),
        4 => (any(), 0..4_u16).prop_map(|(order, part)| Step::Deliver { order, part }),
        1 => (any(), 0..4_u16).prop_map(|(order, part)| Step::Approve { order, part }),
        3 => (any(), 0..4_u16, flag()).prop_map(|(order, part, refund)| Step::Reject {
            order,
            part,
            refund
        }),
        1 => any().prop_map(|order| Step::Cancel { order }),
    ]
}

fn leases() -> impl Strategy<Value = Step> {
    let (any, flag) = (any::<u8>, any::<bool>);
    prop_oneof![
        3 => (flag(), 0..4_u8, flag(), 0..900_u16, 20..60_u16).prop_map(
            |(owner, nonce, credits, deposit, rate_max)| {
                Step::Open { owner, nonce, credits, deposit, rate_max }
            }
        ),
        1 => (any(), 0..200_u16).prop_map(|(escrow, amount)| Step::TopUp { escrow, amount }),
        6 => (any(), flag(), 0..60_u16).prop_map(|(escrow, node, rate)| Step::Bid {
            escrow,
            node,
            rate
        }),
        1 => any().prop_map(|escrow| Step::WithdrawBid { escrow }),
        6 => (any(), any()).prop_map(|(escrow, bid)| Step::Accept { escrow, bid }),
        2 => (any(), 0..3_u8).prop_map(|(escrow, lease)| Step::Withdraw { escrow, lease }),
        2 => (any(), 0..3_u8, flag()).prop_map(|(escrow, lease, by_owner)| Step::EndLease {
            escrow,
            lease,
            by_owner
        }),
        1 => any().prop_map(|escrow| Step::Close { escrow }),
        3 => any().prop_map(|escrow| Step::Settle { escrow }),
    ]
}

/// Short times, small bounds, odd shares.
pub(super) fn rules(economy: &mut Economy) {
    let rules = &mut economy.escrow;
    rules.hold = Period(200);
    rules.fees.token = FeeRule { burn: Share::percent(3), treasury: Share::percent(4) };
    rules.fees.credit = FeeRule { burn: Share::percent(7), treasury: Share::percent(20) };
    (rules.leases.leases_max, rules.leases.bids_max, rules.leases.open_max) = (3, 2, 2);
    (rules.leases.hold, rules.orders.hold) = (Period(30), Period(20));
    (rules.orders.approval, rules.orders.penalty) = (Period(50), Share::percent(20));
    (rules.orders.parts_max, rules.orders.open_max) = (4, 2);
    (rules.orders.redo_max, rules.orders.rejections_max) = (1, 1);
    (rules.orders.rejection_period, rules.orders.quarantine) = (Period(200), Period(100));
    rules.orders.reopen_undelivered = true;
}

fn denomination(credits: bool) -> Denomination {
    if credits { Denomination::Credit } else { Denomination::Token }
}

fn node_key(second: bool) -> SecretKey {
    key(if second { 21 } else { 20 })
}

fn buyer_key(second: bool) -> SecretKey {
    if second { bob() } else { alice() }
}

impl Run {
    fn ask(&self, query: EscrowQuery) -> EscrowAnswer {
        match self.world.ledger.query(&Query::Escrow(query)) {
            Answer::Escrow(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn escrows(&self) -> Vec<EscrowAccount> {
        let of = |key: SecretKey| match self.ask(EscrowQuery::EscrowsOf(account_of(&key))) {
            EscrowAnswer::Escrows(escrows) => escrows,
            other => panic!("{other:?}"),
        };
        [of(alice()), of(bob())].concat()
    }

    fn orders(&self) -> Vec<Order> {
        let of = |key: SecretKey| match self.ask(EscrowQuery::OrdersOf(account_of(&key))) {
            EscrowAnswer::Orders(orders) => orders,
            other => panic!("{other:?}"),
        };
        [of(alice()), of(bob())].concat()
    }

    /// The action of a step, and who is entitled to it.
    pub(super) fn escrow_action(&self, step: &Step) -> (Option<SecretKey>, Action) {
        match step.clone() {
            Step::Open { owner, nonce, credits, deposit, rate_max } => {
                let (deposit, rate_max) = (deposit.into(), rate_max.into());
                let (nonce, spec) = ([nonce; 32], Hash::default());
                let denomination = denomination(credits);
                let open = LeaseAction::Open { nonce, denomination, deposit, rate_max, spec };
                (Some(buyer_key(owner)), Action::Lease(open))
            }
            Step::Order { buyer, nonce, credits, parts, price, named } => {
                let open = OrderAction::Open {
                    nonce: [nonce; 32],
                    denomination: denomination(credits),
                    parts,
                    part_price: price.into(),
                    part_time: Period(70),
                    provider: named.then(|| key(20).public()),
                    work: Hash::default(),
                };
                (Some(buyer_key(buyer)), Action::Order(open))
            }
            Step::Take { order, .. }
            | Step::Deliver { order, .. }
            | Step::Approve { order, .. }
            | Step::Reject { order, .. }
            | Step::Cancel { order } => self.order_action(step, order),
            Step::TopUp { escrow, .. }
            | Step::Bid { escrow, .. }
            | Step::WithdrawBid { escrow }
            | Step::Accept { escrow, .. }
            | Step::Withdraw { escrow, .. }
            | Step::EndLease { escrow, .. }
            | Step::Close { escrow }
            | Step::Settle { escrow } => self.lease_action(step, escrow),
        }
    }

    fn lease_action(&self, step: &Step, chosen: u8) -> (Option<SecretKey>, Action) {
        let escrows = self.escrows();
        let found = escrows.get(usize::from(chosen) % escrows.len().max(1));
        let escrow = found.map_or(EscrowId(Hash([chosen; 32])), |found| found.id);
        let pays = found
            .and_then(|found| [alice(), bob()].into_iter().find(|k| account_of(k) == found.owner));
        let bidder = found.and_then(|found| found.bids.first()).map(|bid| bid.provider);
        let lessor = |lease: u8| {
            let lease = found.and_then(|found| found.leases.get(usize::from(lease)));
            lease.and_then(|lease| owner(&lease.provider))
        };
        let (who, action) = match *step {
            Step::TopUp { amount, .. } => {
                (pays, LeaseAction::TopUp { escrow, amount: amount.into() })
            }
            Step::Bid { node, rate, .. } => {
                (Some(node_key(node)), LeaseAction::PlaceBid { escrow, rate: rate.into() })
            }
            Step::WithdrawBid { .. } => {
                (bidder.and_then(|node| owner(&node)), LeaseAction::WithdrawBid { escrow })
            }
            Step::Accept { bid, .. } => {
                let bids = found.map(|found| found.bids.clone()).unwrap_or_default();
                let chosen = bids.get(usize::from(bid) % bids.len().max(1));
                let provider = chosen.map_or(key(20).public(), |bid| bid.provider);
                (pays, LeaseAction::AcceptBid { escrow, provider })
            }
            Step::Withdraw { lease, .. } => {
                (lessor(lease), LeaseAction::Withdraw { escrow, lease: lease.into() })
            }
            Step::EndLease { lease, by_owner, .. } => {
                let who = if by_owner { pays } else { lessor(lease) };
                (who, LeaseAction::EndLease { escrow, lease: lease.into() })
            }
            Step::Close { .. } => (pays, LeaseAction::Close { escrow }),
            _ => (None, LeaseAction::Settle { escrow }),
        };
        (who, Action::Lease(action))
    }

    fn order_action(&self, step: &Step, chosen: u8) -> (Option<SecretKey>, Action) {
        let orders = self.orders();
        let found = orders.get(usize::from(chosen) % orders.len().max(1));
        let order = found.map_or(order_id(&account_of(&alice()), &[chosen; 32]), |found| found.id);
        let pays = found
            .and_then(|found| [alice(), bob()].into_iter().find(|k| account_of(k) == found.buyer));
        let (who, action) = match *step {
            Step::Take { node, part, .. } => {
                (Some(node_key(node)), OrderAction::Take { order, parts: vec![part] })
            }
            Step::Deliver { part, .. } => {
                let output = Hash::default();
                (self.part_owner(order, part), OrderAction::Deliver { order, part, output })
            }
            Step::Approve { part, .. } => (pays, OrderAction::Approve { order, parts: vec![part] }),
            Step::Reject { part, refund, .. } => {
                (pays, OrderAction::Reject { order, part, refund })
            }
            _ => (pays, OrderAction::Cancel { order }),
        };
        (who, Action::Order(action))
    }

    fn part_owner(&self, order: OrderId, part: u16) -> Option<SecretKey> {
        let EscrowAnswer::Parts(parts) = self.ask(EscrowQuery::Parts(order)) else { return None };
        let part = parts.into_iter().find(|found| found.key.1 == part)?;
        owner(&part.provider)
    }
}
