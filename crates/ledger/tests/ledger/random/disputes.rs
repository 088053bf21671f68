//! What happens to disputes in a random history.

use proptest::prelude::*;
use remuda_ledger::disputes::{
    Dispute, DisputeAction, DisputeAnswer, DisputeId, DisputeKind, DisputeQuery, Evidence,
    Inclusion, Stage, Verdict, check_commitment, receipts_root,
};
use remuda_ledger::math::{Period, Share};
use remuda_ledger::{Action, Answer, Economy, Query};
use remuda_types::{
    Canonical, FinalReceipt, Hash, ReceiptId, SecretKey, Signed, StopReason, Tokens,
};

use super::{Fraud, Run, key, owner, spoil};
use crate::disputes::receipt_on;

/// What somebody tries. Numbers pick what there is.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Post { channel: u8, forged: bool },
    Challenge { channel: u8, exact: bool },
    Accuse { channel: u8, kind: u8 },
    Enrol { checker: u8, bond: u8 },
    Retire { checker: u8 },
    Commit { checker: u8, verdict: u8 },
    Reveal { checker: u8, verdict: u8 },
    Play { index: u8 },
    Prove,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let (any, flag) = (any::<u8>, any::<bool>);
    prop_oneof![
        4 => (0..6_u8, prop::bool::weighted(0.1))
            .prop_map(|(channel, forged)| Step::Post { channel, forged }),
        4 => (0..6_u8, flag()).prop_map(|(channel, exact)| Step::Challenge { channel, exact }),
        1 => (0..6_u8, 0..12_u8).prop_map(|(channel, kind)| Step::Accuse { channel, kind }),
        2 => (any(), 0..40_u8).prop_map(|(checker, bond)| Step::Enrol { checker, bond }),
        1 => any().prop_map(|checker| Step::Retire { checker }),
        10 => (any(), 0..20_u8).prop_map(|(checker, verdict)| Step::Commit { checker, verdict }),
        10 => (any(), 0..20_u8).prop_map(|(checker, verdict)| Step::Reveal { checker, verdict }),
        10 => any().prop_map(|index| Step::Play { index }),
        1 => Just(Step::Prove),
    ]
}

/// Short times, small bonds, every penalty.
pub(super) fn rules(economy: &mut Economy) {
    let rules = &mut economy.disputes;
    (rules.window, rules.audit) = (Period(200), Share::percent(20));
    (rules.referee_cost, rules.checker_bond) = (Tokens(5), Tokens(10));
    (rules.checker_reward, rules.checker_cooldown) = (Tokens(2), Period(100));
    (rules.checkers, rules.escalation) = (1, 1);
    (rules.commit, rules.reveal) = (Period(60), Period(60));
    (rules.move_blocks, rules.rounds, rules.arity) = (4, 2, 2);
    let slash = &mut rules.slash;
    (slash.objective, slash.statistical) = (Share::percent(90), Share::percent(30));
    (slash.statistical_again, slash.repeat) = (Share::ALL, Period(150));
    (slash.checker_absent, slash.checker_lazy) = (Share::percent(25), Share::percent(50));
    slash.undelivered = Share::percent(1);
}

/// Keys that may become checkers: two accounts with tokens among them.
fn checker_key(index: u8) -> SecretKey {
    key([1, 2, 50, 21][usize::from(index % 4)])
}

/// What a checker says of a dispute: mostly the same, and mostly that it failed.
fn verdict(dispute: DisputeId, checker: &SecretKey, slip: u8) -> Verdict {
    let slip = if slip == 0 { 9 } else { 0 };
    match (dispute.0.0[0] ^ checker.public().0[0]).wrapping_add(slip) % 16 {
        0..=8 => Verdict::Failed,
        9..=14 => Verdict::Passed,
        _ => Verdict::CouldNotCheck,
    }
}

impl Run {
    fn disputed(&self, query: DisputeQuery) -> Vec<Dispute> {
        match self.world.ledger.query(&Query::Disputes(query)) {
            Answer::Disputes(DisputeAnswer::Disputes(found)) => {
                found.into_iter().map(|dispute| *dispute).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    /// The receipt that a channel's provider would sign; its root holds it alone.
    fn receipt(&self, channel: u8) -> FinalReceipt {
        let channel = self.pick(channel);
        let payer = self.payer(channel).unwrap_or_else(|| key(10));
        let provider = self.provider(channel).unwrap_or_else(|| key(20));
        receipt_on(self.world.genesis.network(), channel, &payer, &provider, 40, 1)
    }

    /// The last block in which the gateway posted a root.
    fn last_root(&self) -> u64 {
        let head = self.world.ledger.head().height;
        let posted = |height: &u64| {
            let query = Query::Disputes(DisputeQuery::Roots(*height));
            match self.world.ledger.query(&query) {
                Answer::Disputes(DisputeAnswer::Roots(roots)) => !roots.is_empty(),
                other => panic!("{other:?}"),
            }
        };
        (0..=head).rev().take(8).find(posted).unwrap_or(head)
    }

    /// The action of a step, and who is entitled to it.
    pub(super) fn dispute_action(&self, step: &Step) -> (Option<SecretKey>, Action) {
        let (who, action) = match *step {
            Step::Post { channel, forged } => {
                let mut receipt = self.receipt(channel);
                spoil(&mut receipt.receipt, if forged { Fraud::Flipped } else { Fraud::None });
                let root = receipts_root(&[receipt.digest()]).unwrap();
                (key(11), DisputeAction::PostReceiptRoot { root, count: 1 })
            }
            Step::Challenge { channel, exact } => {
                let receipt = self.receipt(channel);
                let kind = if exact { DisputeKind::Exact } else { DisputeKind::Statistical };
                let place = self.place(&receipt);
                (key(1), DisputeAction::Challenge { receipt: Box::new(receipt), kind, place })
            }
            Step::Accuse { channel, kind } => (key(50), self.accusation(channel, kind)),
            Step::Enrol { checker, bond } => {
                (checker_key(checker), DisputeAction::EnrolChecker { bond: Tokens(bond.into()) })
            }
            Step::Retire { checker } => (checker_key(checker), DisputeAction::RetireChecker),
            Step::Commit { checker, verdict: said } => {
                let (node, dispute) = self.duty(checker);
                let said = verdict(dispute, &node, said);
                let (print, salt) = (Hash::default(), [3; 32]);
                let commitment = check_commitment(&dispute, &node.public(), said, &print, &salt);
                (node, DisputeAction::CommitCheck { dispute, commitment })
            }
            Step::Reveal { checker, verdict: said } => {
                let (node, dispute) = self.duty(checker);
                let verdict = verdict(dispute, &node, said);
                let (fingerprint, salt) = (Hash::default(), [3; 32]);
                (node, DisputeAction::RevealCheck { dispute, verdict, fingerprint, salt })
            }
            Step::Play { index } => self.play(index),
            Step::Prove => {
                let dispute = self.games().first().map(|game| game.id).unwrap_or_default();
                (key(50), DisputeAction::ProveLeaf { dispute, evidence: vec![1] })
            }
        };
        (Some(who), Action::Dispute(action))
    }

    fn place(&self, receipt: &FinalReceipt) -> Inclusion {
        Inclusion::of(&[receipt.digest()], 0, self.last_root(), key(11).public()).unwrap()
    }

    fn accusation(&self, channel: u8, kind: u8) -> DisputeAction {
        let receipt = self.receipt(channel);
        let provider = owner(&receipt.receipt.body.provider).unwrap();
        let mut other = receipt.receipt.body.clone();
        let first = receipt.receipt.clone();
        let evidence = match kind {
            0 => {
                other.output = Hash([1; 32]);
                Evidence::Equivocation { first, second: Signed::sign(other, &provider) }
            }
            1 => {
                other.sequence += 1;
                Evidence::DoubleBill { first, second: Signed::sign(other, &provider) }
            }
            2 => {
                (other.sequence, other.stop) = (other.sequence + 1, StopReason::Partial);
                Evidence::DoubleBill { first, second: Signed::sign(other, &provider) }
            }
            3 => Evidence::Equivocation { second: first.clone(), first },
            _ => {
                let mut receipt = receipt;
                spoil(&mut receipt.receipt, if kind < 8 { Fraud::Flipped } else { Fraud::None });
                let place = self.place(&receipt);
                Evidence::ForgedSignature { receipt, place }
            }
        };
        DisputeAction::Accuse { evidence: Box::new(evidence) }
    }

    /// A checker with something to do, and what.
    fn duty(&self, checker: u8) -> (SecretKey, DisputeId) {
        let start = checker % 4;
        for index in (start..4).chain(0..start) {
            let node = checker_key(index);
            let duties = self.disputed(DisputeQuery::DutiesOf(node.public()));
            if let Some(dispute) = duties.first() {
                return (node, dispute.id);
            }
        }
        (checker_key(checker), DisputeId::of(&ReceiptId::default()))
    }

    fn games(&self) -> Vec<Dispute> {
        let of = |key: SecretKey| self.disputed(DisputeQuery::DisputesOf(key.public()));
        let plays = |d: &Dispute| matches!(d.stage, Stage::Bisecting | Stage::Leaf);
        [of(key(20)), of(key(21))].concat().into_iter().filter(plays).collect()
    }

    fn play(&self, index: u8) -> (SecretKey, DisputeAction) {
        let games = self.games();
        let Some(game) = games.get(usize::from(index) % games.len().max(1)) else {
            let dispute = DisputeId::default();
            return (key(20), DisputeAction::Pick { dispute, index: 0 });
        };
        let (dispute, board) = (game.id, game.bisection.clone().unwrap());
        if board.split.is_empty() {
            let states = vec![Hash([index; 32]), board.claimed];
            return (owner(&game.accused).unwrap(), DisputeAction::Split { dispute, states });
        }
        let challenger = remuda_types::PublicKey(board.challenger.0.0);
        let who = owner(&challenger).unwrap();
        (who, DisputeAction::Pick { dispute, index: u32::from(index % 9 / 4) })
    }
}
