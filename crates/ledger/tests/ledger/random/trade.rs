//! Histories of leases, orders and disputes: dense enough to reach their ends.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use remuda_ledger::Action;
use remuda_ledger::disputes::{DisputeAction, DisputeAnswer, DisputeQuery};
use remuda_ledger::escrow::{EscrowAnswer, EscrowQuery};
use remuda_ledger::{Answer, Query};
use remuda_types::Tokens;

use super::moves::trade_history;
use super::{Run, account_of, alice, bob, config, economy, key};
use crate::world::World;

impl Run {
    /// A run in which both nodes are registered and have tokens, and four checkers are there.
    fn of_trade(variant: usize) -> Self {
        let mut run = Self::new(false, economy(variant));
        let world = &mut run.world;
        let mut block = Vec::new();
        let mut add = |world: &World, signer: u8, nonce: u64, action: Action| {
            let signer = key(signer);
            block.push(world.sign_at(&signer, world.nonce(&signer) + nonce, action));
        };
        for (nonce, (from, to)) in [(1, 20), (1, 21), (1, 50)].into_iter().enumerate() {
            let to = account_of(&key(to));
            let transfer = Action::Transfer { to, amount: Tokens(100) };
            add(world, from, nonce as u64, transfer);
        }
        for node in [20, 21] {
            let reward = account_of(&key(node));
            add(world, node, 0, Action::RegisterProvider { reward, name: "p".into() });
        }
        let enrol = || Action::Dispute(DisputeAction::EnrolChecker { bond: Tokens(30) });
        for (checker, nonce) in [(1, 3), (2, 0), (50, 0), (21, 1)] {
            add(world, checker, nonce, enrol());
        }
        run.apply(&block);
        run
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_history_of_trade_keeps_every_invariant(history in trade_history()) {
        let mut run = Run::of_trade(history.len());
        for (pause, moves) in &history {
            run.block(*pause, moves);
        }
        run.finish();
    }
}

/// Counts where things stand.
fn note(world: &World, seen: &mut BTreeMap<String, u32>) {
    let mut count = |name: String| *seen.entry(name).or_default() += 1;
    for node in [key(20), key(21)] {
        let query = Query::Disputes(DisputeQuery::DisputesOf(node.public()));
        if let Answer::Disputes(DisputeAnswer::Disputes(found)) = world.ledger.query(&query) {
            found.iter().for_each(|dispute| count(format!("{:?}", dispute.stage)));
        }
    }
    let ask = |query| match world.ledger.query(&Query::Escrow(query)) {
        Answer::Escrow(answer) => answer,
        other => panic!("{other:?}"),
    };
    for buyer in [alice(), bob()] {
        for nonce in 0..4 {
            let order = remuda_ledger::escrow::order_id(&account_of(&buyer), &[nonce; 32]);
            if let EscrowAnswer::Parts(parts) = ask(EscrowQuery::Parts(order)) {
                parts.iter().for_each(|part| count(format!("{:?}", part.state)));
            }
            let id = remuda_ledger::escrow::EscrowId::derive(&account_of(&buyer), &[nonce; 32]);
            if let EscrowAnswer::Escrow(Some(escrow)) = ask(EscrowQuery::Escrow(id)) {
                count(format!("escrow {:?}", escrow.state));
                escrow.leases.iter().for_each(|lease| count(format!("lease {:?}", lease.state)));
            }
        }
    }
}

/// Histories of trade reach every end that there is.
#[test]
fn histories_of_trade_are_lively() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..150 {
        let history = trade_history().new_tree(&mut runner).unwrap().current();
        let mut run = Run::of_trade(history.len());
        for (pause, moves) in history {
            run.world.now += pause;
            let block = run.sign(&moves);
            for outcome in run.world.ledger.apply(run.world.now, &block).unwrap().block.outcomes {
                let name = outcome.result().map_or_else(|error| error.code(), |_| "applied");
                *seen.entry(name.into()).or_default() += 1;
            }
            note(&run.world, &mut seen);
        }
    }
    for name in [
        "Selected",
        "CheckCommitted",
        "Escalated",
        "Bisecting",
        "Leaf",
        "Final",
        "Cleared",
        "Convicted",
        "ChallengerSlashed",
        "Unchecked",
        "Offered",
        "Taken",
        "Delivered",
        "Approved",
        "Refunded",
        "escrow Open",
        "escrow Overdrawn",
        "escrow Closed",
        "lease Active",
        "lease Closed",
        "lease Overdrawn",
        "order_quarantined",
        "dispute_not_committed",
    ] {
        assert!(seen.contains_key(name), "never met: {name}; met: {seen:?}");
    }
}
