//! Disputes: evidence, checks, escalation, bisection, and where the money goes.

use remuda_ledger::disputes::{
    Checker, Conviction, Dispute, DisputeAction, DisputeAnswer, DisputeId, DisputeKind,
    DisputeQuery, Evidence, Inclusion, Stage, Verdict, check_commitment, receipts_root,
};
use remuda_ledger::math::{Period, Share};
use remuda_ledger::stake::Offence;
use remuda_ledger::{Action, Answer, Economy, Query, TransactionError, Vault};
use remuda_types::job::JobKind;
use remuda_types::{
    Canonical, ChannelId, Credits, DeviceClass, FinalReceipt, Hash, JobId, ManifestHash, NetworkId,
    Price, PublicKey, Receipt, SecretKey, Seed, SeedSource, Signed, StopReason, Tokens, Usage,
    Voucher,
};

use crate::escrow::{register, reward, vault};
use crate::world::*;

mod objective;

/// A receipt for `amount` on a channel, signed by both sides.
pub(crate) fn receipt_on(
    network: NetworkId,
    channel: ChannelId,
    payer: &SecretKey,
    provider: &SecretKey,
    amount: u64,
    sequence: u64,
) -> FinalReceipt {
    let receipt = Receipt {
        network,
        job: JobId(Hash([4; 32])),
        attempt: 0,
        kind: JobKind::Generate,
        manifest: ManifestHash(Hash([5; 32])),
        input: Hash([6; 32]),
        seed: Seed::from_caller(1),
        seed_source: SeedSource::Caller(1),
        output: Hash([7; 32]),
        usage: Usage { units_out: amount, ..Usage::default() },
        stop: StopReason::Stop,
        fingerprint: None,
        started_at: START,
        finished_at: START + 1,
        device: DeviceClass("test".into()),
        numerics: None,
        price: Price { input: 0, output: 1_000_000 },
        amount: Credits(amount),
        channel,
        sequence,
        cumulative: Credits(amount),
        provider: provider.public(),
        payer: payer.public(),
    };
    let cumulative = Credits(amount);
    let voucher = Voucher { channel, sequence, cumulative, receipt: Some(receipt.id()) };
    FinalReceipt { receipt: Signed::sign(receipt, provider), voucher: Signed::sign(voucher, payer) }
}

/// A gateway's node key.
fn gateway() -> SecretKey {
    key(30)
}

fn checker(index: u8) -> SecretKey {
    key(60 + index)
}

fn economy() -> Economy {
    let mut economy = Economy::default();
    economy.escrow.hold = Period::HOUR.times(2);
    let rules = &mut economy.disputes;
    rules.window = Period::HOUR.times(2);
    (rules.referee_cost, rules.checker_bond) = (Tokens(50), Tokens(40));
    (rules.slash.objective, rules.slash.statistical) = (Share::ALL, Share::percent(30));
    rules.slash.statistical_again = Share::ALL;
    (rules.slash.checker_absent, rules.slash.checker_lazy) =
        (Share::percent(25), Share::percent(50));
    rules.rounds = 2;
    rules.arity = 2;
    economy
}

fn ask(world: &World, query: DisputeQuery) -> DisputeAnswer {
    match world.ledger.query(&Query::Disputes(query)) {
        Answer::Disputes(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn dispute_of(world: &World, receipt: &FinalReceipt) -> Dispute {
    match ask(world, DisputeQuery::Dispute(DisputeId::of(&receipt.receipt.body.id()))) {
        DisputeAnswer::Dispute(Some(dispute)) => *dispute,
        other => panic!("{other:?}"),
    }
}

fn conviction(world: &World, node: &SecretKey) -> Option<Conviction> {
    match ask(world, DisputeQuery::Conviction(node.public())) {
        DisputeAnswer::Conviction(conviction) => conviction,
        other => panic!("{other:?}"),
    }
}

fn checker_record(world: &World, node: &PublicKey) -> Checker {
    match ask(world, DisputeQuery::Checker(*node)) {
        DisputeAnswer::Checker(Some(checker)) => checker,
        other => panic!("{other:?}"),
    }
}

fn act(action: DisputeAction) -> Action {
    Action::Dispute(action)
}

fn accuse(evidence: Evidence) -> Action {
    act(DisputeAction::Accuse { evidence: Box::new(evidence) })
}

/// Alice's channel paid 100 of 1,000 for a receipt that is under a root; five checkers are
/// enrolled.
fn begun(economy: Economy) -> (World, FinalReceipt, Inclusion) {
    let mut world = World::with_economy(economy);
    register(&mut world);
    for index in 0..5 {
        let to = account_of(&checker(index));
        world.done(&alice(), Action::Transfer { to, amount: Tokens(100) });
        let bond = Tokens(40);
        world.done(&checker(index), act(DisputeAction::EnrolChecker { bond }));
    }
    let channel = world.open(&alice(), 1_000);
    world.done(&node(), redeem(vec![voucher(&alice(), channel, 100)]));
    let network = world.genesis.network();
    let receipt = receipt_on(network, channel, &alice(), &node(), 60, 1);
    let place = posted(&mut world, &receipt);
    (world, receipt, place)
}

fn posted(world: &mut World, receipt: &FinalReceipt) -> Inclusion {
    let receipts = [Hash([1; 32]), receipt.digest(), Hash([2; 32])];
    let root = receipts_root(&receipts).unwrap();
    world.done(&gateway(), act(DisputeAction::PostReceiptRoot { root, count: 3 }));
    let height = world.ledger.head().height;
    Inclusion::of(&receipts, 1, height, gateway().public()).unwrap()
}

fn challenge(receipt: &FinalReceipt, kind: DisputeKind, place: &Inclusion) -> Action {
    let (receipt, place) = (Box::new(receipt.clone()), place.clone());
    act(DisputeAction::Challenge { receipt, kind, place })
}

fn checker_key(node: &PublicKey) -> SecretKey {
    (0..5).map(checker).find(|key| key.public() == *node).unwrap()
}

/// The checkers of the present draw commit and reveal.
fn check(world: &mut World, receipt: &FinalReceipt, verdicts: &[Verdict]) {
    world.block(&[]);
    world.block(&[]);
    let dispute = dispute_of(world, receipt);
    assert_eq!(dispute.stage, Stage::Selected);
    assert_eq!(dispute.checks.len(), verdicts.len());
    let (fingerprint, salt) = (Hash([3; 32]), [4; 32]);
    for (check, verdict) in dispute.checks.iter().zip(verdicts) {
        let commitment =
            check_commitment(&dispute.id, &check.checker, *verdict, &fingerprint, &salt);
        let commit = DisputeAction::CommitCheck { dispute: dispute.id, commitment };
        world.done(&checker_key(&check.checker), act(commit));
    }
    for (check, verdict) in dispute.checks.iter().zip(verdicts) {
        let (dispute, verdict) = (dispute.id, *verdict);
        let reveal = DisputeAction::RevealCheck { dispute, verdict, fingerprint, salt };
        world.done(&checker_key(&check.checker), act(reveal));
    }
}

use Verdict::{CouldNotCheck, Failed, Passed};

#[test]
fn a_passed_check_costs_the_challenger_its_bond() {
    let (mut world, receipt, place) = begun(economy());
    let channel = receipt.receipt.body.channel;
    world.done(&bob(), challenge(&receipt, DisputeKind::Statistical, &place));
    let dispute = dispute_of(&world, &receipt);
    assert_eq!((dispute.bond, dispute.frozen), (Tokens(100), Credits(60)));
    assert_eq!((dispute.payer, dispute.channel), (account_of(&alice()), channel));
    assert_eq!(vault(&world, Vault::Held).credits, Credits(40));
    assert_eq!(vault(&world, Vault::Disputes).credits, Credits(60));
    assert_eq!(
        world.refused(&bob(), challenge(&receipt, DisputeKind::Exact, &place)),
        "dispute_exists"
    );
    check(&mut world, &receipt, &[Passed]);
    assert_eq!(dispute_of(&world, &receipt).stage, Stage::Final);
    assert_eq!(world.account(&reward()).earned, Credits(60), "what was frozen is paid");
    assert_eq!(world.account(&reward()).tokens, Tokens(50), "half of the bond");
    assert_eq!(world.account(&bob()).tokens, Tokens(900));
    assert_eq!(world.supply().burned, Tokens(50), "the other half");
    assert_eq!(conviction(&world, &node()), None);
}

#[test]
fn two_of_three_fresh_checkers_convict() {
    let mut rules = economy();
    rules.disputes.checker_reward = Tokens(5);
    let (mut world, receipt, place) = begun(rules);
    world.done(&bob(), challenge(&receipt, DisputeKind::Statistical, &place));
    check(&mut world, &receipt, &[Failed]);
    let first = dispute_of(&world, &receipt);
    assert_eq!(first.stage, Stage::Escalated);
    check(&mut world, &receipt, &[Failed, Passed, Failed]);
    let dispute = dispute_of(&world, &receipt);
    assert_eq!(dispute.stage, Stage::Convicted);
    assert!(dispute.checks.iter().all(|check| !dispute.earlier.contains(&check.checker)));
    assert_eq!(world.account(&alice()).credits, Credits(CREDITS - 1_000 + 60 + 3), "refund, 20 %");
    assert_eq!(world.account(&bob()).tokens, Tokens(1_000), "the bond is back");
    // 30 % of the 40 still held: 6 retired, 3 to the reporter, the rest to who was harmed.
    assert_eq!(vault(&world, Vault::Held).credits, Credits(28));
    assert_eq!(world.account(&bob()).earned, Credits(3));
    assert_eq!(world.supply().retired, Credits(6));
    let found = conviction(&world, &node()).unwrap();
    assert_eq!((found.offence, found.count), (Offence::StatisticalFailure, 1));
    assert!(!found.ejected);
}

#[test]
fn a_second_statistical_conviction_ejects() {
    let (mut world, receipt, place) = begun(economy());
    world.done(&bob(), challenge(&receipt, DisputeKind::Statistical, &place));
    check(&mut world, &receipt, &[Failed]);
    check(&mut world, &receipt, &[Failed, Failed, Failed]);
    let channel = receipt.receipt.body.channel;
    let network = world.genesis.network();
    let second = receipt_on(network, channel, &alice(), &node(), 10, 2);
    let place = posted(&mut world, &second);
    world.done(&bob(), challenge(&second, DisputeKind::Statistical, &place));
    check(&mut world, &second, &[Failed]);
    check(&mut world, &second, &[Failed, Failed, CouldNotCheck]);
    let found = conviction(&world, &node()).unwrap();
    assert_eq!((found.count, found.ejected), (2, true));
    assert_eq!(vault(&world, Vault::Held).credits, Credits(0), "all that was held");
    match world.ledger.query(&Query::Provider(node().public())) {
        Answer::Provider(None) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn fresh_checkers_may_clear_or_not_know() {
    for (verdicts, stage, bond) in [
        ([Passed, Failed, Passed], Stage::Cleared, 900),
        ([CouldNotCheck, Failed, Passed], Stage::Unchecked, 1_000),
    ] {
        let (mut world, receipt, place) = begun(economy());
        world.done(&bob(), challenge(&receipt, DisputeKind::Statistical, &place));
        check(&mut world, &receipt, &[Failed]);
        check(&mut world, &receipt, &verdicts);
        assert_eq!(dispute_of(&world, &receipt).stage, stage);
        assert_eq!(world.account(&bob()).tokens, Tokens(bond));
        assert_eq!(world.account(&reward()).earned, Credits(60));
        assert_eq!(conviction(&world, &node()), None);
    }
}

#[test]
fn could_not_check_moves_no_money() {
    let (mut world, receipt, place) = begun(economy());
    world.done(&bob(), challenge(&receipt, DisputeKind::Exact, &place));
    check(&mut world, &receipt, &[CouldNotCheck]);
    assert_eq!(dispute_of(&world, &receipt).stage, Stage::Unchecked);
    assert_eq!(world.account(&bob()).tokens, Tokens(1_000));
    assert_eq!(world.account(&reward()).earned, Credits(60));
    assert_eq!(world.supply().burned, Tokens(0));
}

#[test]
fn an_absent_checker_pays_and_is_replaced() {
    let (mut world, receipt, place) = begun(economy());
    world.done(&bob(), challenge(&receipt, DisputeKind::Statistical, &place));
    world.block(&[]);
    world.block(&[]);
    let absent = dispute_of(&world, &receipt).checks[0].checker;
    world.now += Period::MINUTE.ms();
    assert_eq!(world.ledger.next_due(), Some(world.now));
    world.block(&[]);
    assert_eq!(checker_record(&world, &absent).bond, Tokens(30), "a quarter");
    assert_eq!((checker_record(&world, &absent).missed, world.supply().burned), (1, Tokens(10)));
    assert_eq!(dispute_of(&world, &receipt).stage, Stage::Delivered);
    check(&mut world, &receipt, &[Passed]);
    let dispute = dispute_of(&world, &receipt);
    assert_ne!(dispute.checks[0].checker, absent);
    assert_eq!(dispute.stage, Stage::Final);
}

#[test]
fn a_checker_that_does_not_reveal_is_absent_too() {
    let (mut world, receipt, place) = begun(economy());
    world.done(&bob(), challenge(&receipt, DisputeKind::Statistical, &place));
    world.block(&[]);
    world.block(&[]);
    let dispute = dispute_of(&world, &receipt);
    let lazy = checker_key(&dispute.checks[0].checker);
    let id = dispute.id;
    let commitment = Hash([1; 32]);
    let commit = act(DisputeAction::CommitCheck { dispute: id, commitment });
    assert_eq!(world.refused(&alice(), commit.clone()), "dispute_not_drawn");
    world.done(&lazy, commit.clone());
    assert_eq!(world.refused(&lazy, commit), "dispute_wrong_stage");
    let (fingerprint, salt) = (Hash::default(), [0; 32]);
    let reveal = DisputeAction::RevealCheck { dispute: id, verdict: Passed, fingerprint, salt };
    assert_eq!(world.refused(&lazy, act(reveal)), "dispute_not_committed");
    world.now += 30_000;
    world.block(&[]);
    assert_eq!(checker_record(&world, &lazy.public()).bond, Tokens(30));
}

fn bisecting() -> (World, FinalReceipt, Dispute) {
    let (mut world, receipt, place) = begun(economy());
    world.done(&bob(), challenge(&receipt, DisputeKind::Exact, &place));
    check(&mut world, &receipt, &[Failed]);
    let dispute = dispute_of(&world, &receipt);
    assert_eq!(dispute.stage, Stage::Bisecting);
    (world, receipt, dispute)
}

#[test]
fn who_does_not_move_loses() {
    let (mut world, receipt, _) = bisecting();
    for _ in 0..9 {
        world.block(&[]);
        assert_eq!(dispute_of(&world, &receipt).stage, Stage::Bisecting);
    }
    world.block(&[]);
    assert_eq!(dispute_of(&world, &receipt).stage, Stage::Convicted, "the accused slept");
    let found = conviction(&world, &node()).unwrap();
    assert_eq!((found.offence, found.ejected), (Offence::OutputMismatch, true));
    assert_eq!(world.account(&alice()).credits, Credits(CREDITS - 1_000 + 60 + 8));

    let (mut world, receipt, dispute) = bisecting();
    let claimed = receipt.receipt.body.output;
    let split = DisputeAction::Split { dispute: dispute.id, states: vec![Hash([1; 32]), claimed] };
    world.done(&node(), act(split));
    for _ in 0..10 {
        world.block(&[]);
    }
    assert_eq!(dispute_of(&world, &receipt).stage, Stage::ChallengerSlashed);
    assert_eq!(world.account(&bob()).tokens, Tokens(900));
    assert_eq!(world.account(&reward()).earned, Credits(60));
}

#[test]
fn a_bisection_narrows_down_to_one_step_and_checkers_vote_on_it() {
    let (mut world, receipt, dispute) = bisecting();
    let id = dispute.id;
    let (input, output) = (receipt.receipt.body.input, receipt.receipt.body.output);
    let split = |states| act(DisputeAction::Split { dispute: id, states });
    let pick = |index| act(DisputeAction::Pick { dispute: id, index });
    let (a, b) = (Hash([11; 32]), Hash([12; 32]));
    assert_eq!(world.refused(&bob(), pick(0)), "dispute_not_mover");
    assert_eq!(world.refused(&bob(), split(vec![a, output])), "dispute_not_mover");
    assert_eq!(world.refused(&node(), split(vec![a, b])), "dispute_wrong_split");
    assert_eq!(world.refused(&node(), split(vec![output])), "dispute_wrong_split");
    world.done(&node(), split(vec![a, output]));
    assert_eq!(world.refused(&node(), split(vec![a, output])), "dispute_not_mover");
    assert_eq!(world.refused(&bob(), pick(2)), "dispute_wrong_pick");
    world.done(&bob(), pick(1));
    let game = dispute_of(&world, &receipt).bisection.unwrap();
    assert_eq!((game.agreed, game.claimed, game.round), (a, output, 1));
    world.done(&node(), split(vec![b, output]));
    world.done(&bob(), pick(0));
    let narrowed = dispute_of(&world, &receipt);
    let game = narrowed.bisection.unwrap();
    assert_eq!((game.agreed, game.claimed), (a, b));
    assert_ne!(game.agreed, input);
    assert_eq!(narrowed.stage, Stage::Leaf);
    let prove = act(DisputeAction::ProveLeaf { dispute: id, evidence: vec![0; 8] });
    assert_eq!(world.refused(&bob(), prove), "dispute_undecided");
    for _ in 0..9 {
        world.block(&[]);
    }
    assert_eq!(dispute_of(&world, &receipt).stage, Stage::Escalated);
    check(&mut world, &receipt, &[Passed, Passed, Failed]);
    assert_eq!(dispute_of(&world, &receipt).stage, Stage::Cleared);
}

#[test]
fn a_gateway_answers_for_the_signatures_under_its_root() {
    let (mut world, mut receipt, place) = begun(economy());
    let elsewhere = Evidence::ForgedSignature {
        receipt: {
            receipt.receipt.signature.0[9] ^= 1;
            receipt.clone()
        },
        place,
    };
    assert_eq!(world.refused(&bob(), accuse(elsewhere)), "dispute_not_included");
    let place = posted(&mut world, &receipt);
    let challenged = challenge(&receipt, DisputeKind::Exact, &place);
    assert_eq!(world.refused(&bob(), challenged), "dispute_receipt_forged");
    world.done(&bob(), accuse(Evidence::ForgedSignature { receipt, place }));
    assert_eq!(conviction(&world, &gateway()).unwrap().offence, Offence::ForgedSignature);
    assert_eq!(conviction(&world, &node()), None);
}

#[test]
fn roots_and_challenges_have_a_window() {
    let (mut world, receipt, place) = begun(economy());
    let post = |count| act(DisputeAction::PostReceiptRoot { root: Hash::default(), count });
    assert_eq!(world.refused(&gateway(), post(0)), "dispute_root_count");
    let nonce = world.nonce(&gateway());
    let two =
        [world.sign_at(&gateway(), nonce, post(1)), world.sign_at(&gateway(), nonce + 1, post(2))];
    let applied = world.block(&two);
    let code = applied.block.outcomes[1].result().map_err(|error| error.code());
    assert_eq!(code, Err("dispute_root_posted"));
    let moved = Inclusion { index: 2, ..place.clone() };
    let challenged = challenge(&receipt, DisputeKind::Exact, &moved);
    assert_eq!(world.refused(&bob(), challenged), "dispute_not_included");
    let challenged = challenge(&receipt, DisputeKind::Exact, &place);
    assert_eq!(world.refused(&key(70), challenged.clone()), "insufficient_tokens", "no bond");
    world.now += Period::HOUR.times(2).ms() + 1;
    assert_eq!(world.refused(&bob(), challenged), "dispute_unknown_root");

    let mut plain = World::new();
    assert_eq!(plain.refused(&gateway(), post(1)), "dispute_closed");
}

#[test]
fn what_the_beacon_draws_needs_no_bond() {
    let mut rules = economy();
    rules.disputes.audit = Share::ALL;
    let (mut world, receipt, place) = begun(rules);
    for _ in 0..3 {
        world.block(&[]);
    }
    // Anyone may bring it in, even one who holds nothing.
    world.done(&key(70), challenge(&receipt, DisputeKind::Exact, &place));
    let dispute = dispute_of(&world, &receipt);
    assert_eq!((dispute.accuser, dispute.bond), (None, Tokens(0)));
    check(&mut world, &receipt, &[Failed]);
    let dispute = dispute_of(&world, &receipt);
    let challenger = dispute.bisection.as_ref().unwrap().challenger;
    let first = dispute.earlier[0];
    assert_eq!(challenger, first.into(), "the checker that found it plays");
    let states = vec![Hash([1; 32]), receipt.receipt.body.output];
    world.done(&node(), act(DisputeAction::Split { dispute: dispute.id, states }));
    for _ in 0..10 {
        world.block(&[]);
    }
    assert_eq!(dispute_of(&world, &receipt).stage, Stage::ChallengerSlashed);
    assert_eq!(checker_record(&world, &first).bond, Tokens(20), "half of it");
}

#[test]
fn a_checker_leaves_with_its_bond_once_it_owes_nothing() {
    let (mut world, ..) = begun(economy());
    let retire = || act(DisputeAction::RetireChecker);
    assert_eq!(world.refused(&bob(), retire()), "dispute_not_checker");
    let low = act(DisputeAction::EnrolChecker { bond: Tokens(39) });
    assert_eq!(world.refused(&bob(), low), "dispute_bond_too_low");
    world.done(&checker(0), retire());
    assert_eq!(world.refused(&checker(0), retire()), "dispute_not_checker");
    world.now += Period::DAY.times(14).ms();
    world.block(&[]);
    assert_eq!(world.account(&checker(0)).tokens, Tokens(100));
    let answer = ask(&world, DisputeQuery::Checker(checker(0).public()));
    assert_eq!(answer, DisputeAnswer::Checker(None));
}

#[test]
fn without_checkers_nobody_could_check() {
    let mut world = World::with_economy(economy());
    register(&mut world);
    let channel = world.open(&alice(), 1_000);
    let network = world.genesis.network();
    let receipt = receipt_on(network, channel, &alice(), &node(), 60, 1);
    let place = posted(&mut world, &receipt);
    world.done(&bob(), challenge(&receipt, DisputeKind::Exact, &place));
    assert_eq!(dispute_of(&world, &receipt).frozen, Credits(0), "nothing was paid yet");
    world.block(&[]);
    world.block(&[]);
    assert_eq!(dispute_of(&world, &receipt).stage, Stage::Unchecked);
    assert_eq!(world.account(&bob()).tokens, Tokens(1_000));
    let unknown = act(DisputeAction::CommitCheck {
        dispute: DisputeId::default(),
        commitment: Hash::default(),
    });
    assert_eq!(world.refused(&bob(), unknown), "dispute_unknown");
    let found = TransactionError::from(remuda_ledger::disputes::DisputeError::Late);
    assert_eq!(found.code(), "dispute_late");
}
