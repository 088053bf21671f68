//! Proposals, votes, the treasury, the council, the pool and the buy-back.

mod council;
mod pool;

use remuda_ledger::devices::{self, DevicesAction, LicenceRules, LicenceTier};
use remuda_ledger::governance::*;
use remuda_ledger::math::{Period, Share};
use remuda_ledger::stake::{self, Role, StakeAction};
use remuda_ledger::{Action, Answer, Denomination, Economy, Flow, Parameters, Purse, Query, Vault};
use remuda_types::{Credits, SecretKey, Tokens};

use crate::world::*;

const DAY: u64 = 86_400_000;

/// The founders' account.
fn council() -> SecretKey {
    key(3)
}

fn rules() -> Rules {
    Rules { enabled: true, deposit: Tokens(100), ..Rules::default() }
}

/// The treasury's only income here: what licences cost.
fn licences() -> LicenceRules {
    let price = "1".parse().unwrap();
    LicenceRules {
        series: 1_000,
        tiers: vec![LicenceTier { count: 1_000, price }],
        unit_tokens: Tokens(100),
        unit_credits: Credits(1_000),
        per_account_max: 1_000,
        ..LicenceRules::default()
    }
}

fn economy(governance: Rules) -> Economy {
    let devices = devices::Rules { licences: licences(), ..devices::Rules::default() };
    Economy { governance, devices, ..Economy::default() }
}

fn world_with(governance: Rules) -> World {
    let mut world = World::with_economy(economy(governance));
    world.block(&[]);
    world
}

fn act(action: GovernanceAction) -> Action {
    Action::Governance(Box::new(action))
}

/// An account pays into the treasury.
fn fund(world: &mut World, from: &SecretKey, count: u32, denomination: Denomination) {
    let (most, referrer) = (u128::MAX, None);
    let action =
        DevicesAction::BuyLicences { count, denomination, most, whitelisted: false, referrer };
    world.done(from, Action::Devices(Box::new(action)));
}

fn propose(kind: ProposalKind) -> Action {
    let (title, text) = ("title".into(), "text".into());
    act(GovernanceAction::Propose { title, text, kind })
}

fn change(path: &str, value: &str) -> ProposalKind {
    ProposalKind::Change {
        changes: vec![ParameterChange { path: path.into(), value: value.into() }],
    }
}

fn spend(to: &SecretKey, amount: u128) -> ProposalKind {
    ProposalKind::Spend { to: account_of(to), amount, denomination: Denomination::Token }
}

fn lock(amount: u128) -> Action {
    act(GovernanceAction::LockVotes { amount: Tokens(amount) })
}

fn unlock(amount: u128) -> Action {
    act(GovernanceAction::UnlockVotes { amount: Tokens(amount) })
}

fn vote(proposal: u64, choice: Choice) -> Action {
    act(GovernanceAction::Vote { proposal, choice })
}

fn execute(proposal: u64) -> Action {
    act(GovernanceAction::Execute { proposal })
}

fn ask(world: &World, query: GovernanceQuery) -> GovernanceAnswer {
    match world.ledger.query(&Query::Governance(query)) {
        Answer::Governance(answer) => *answer,
        other => panic!("{other:?}"),
    }
}

fn proposal(world: &World, id: u64) -> Proposal {
    match ask(world, GovernanceQuery::Proposal(id)) {
        GovernanceAnswer::Proposal(Some(proposal)) => *proposal,
        other => panic!("{other:?}"),
    }
}

fn status(world: &World, id: u64) -> ProposalStatus {
    proposal(world, id).status
}

fn governance(world: &World) -> Governance {
    match ask(world, GovernanceQuery::State) {
        GovernanceAnswer::State(Some(governance)) => governance,
        other => panic!("{other:?}"),
    }
}

fn outflows(world: &World) -> Vec<Outflow> {
    match ask(world, GovernanceQuery::Outflows { before: None }) {
        GovernanceAnswer::Outflows(outflows) => outflows,
        other => panic!("{other:?}"),
    }
}

fn pool(world: &World) -> Pool {
    match ask(world, GovernanceQuery::Pool) {
        GovernanceAnswer::Pool(pool) => pool,
        other => panic!("{other:?}"),
    }
}

fn vault(world: &World, vault: Vault) -> Purse {
    match world.ledger.query(&Query::Vault(vault)) {
        Answer::Vault(purse) => purse,
        other => panic!("{other:?}"),
    }
}

fn flow(world: &World, wanted: Flow) -> Tokens {
    match world.ledger.query(&Query::Flows) {
        Answer::Flows(flows) => {
            flows.iter().find(|(flow, _)| *flow == wanted).map_or(Tokens(0), |(_, sum)| *sum)
        }
        other => panic!("{other:?}"),
    }
}

/// Block time goes on to when something is due, and to nothing else.
fn to_next(world: &mut World) {
    world.now = world.ledger.next_due().unwrap();
    world.block(&[]);
}

fn wait(world: &mut World, ms: u64) {
    world.now += ms;
    world.block(&[]);
}

/// Alice's 900 locked tokens pass what Bob or she proposed; then it is executed.
fn pass(world: &mut World, id: u64) {
    if world.account(&alice()).tokens >= Tokens(400) {
        world.done(&alice(), lock(400));
    }
    world.done(&alice(), vote(id, Choice::Yes));
    to_next(world);
    assert!(matches!(status(world, id), ProposalStatus::Queued { failure: None, .. }));
    to_next(world);
}

#[test]
fn a_text_goes_its_way() {
    let mut world = world_with(rules());
    world.done(&bob(), propose(ProposalKind::Text));
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS - 100));
    assert_eq!(vault(&world, Vault::Proposals).tokens, Tokens(100));
    assert_eq!(world.ledger.next_due(), Some(START + 7 * DAY));
    assert_eq!(world.refused(&alice(), vote(0, Choice::Yes)), "governance_no_votes");
    assert_eq!(world.refused(&alice(), vote(1, Choice::Yes)), "governance_unknown_proposal");
    assert_eq!(world.refused(&alice(), execute(0)), "governance_proposal_state");
    world.done(&alice(), lock(300));
    world.done(&alice(), vote(0, Choice::No));
    world.done(&alice(), vote(0, Choice::Yes));
    let tally = Tally { yes: 300, no: 0, abstain: 0, veto: 0, turnout: 300 };
    assert_eq!(proposal(&world, 0).tally, tally);
    assert_eq!(world.refused(&alice(), unlock(301)), "governance_votes_short");
    assert_eq!(world.refused(&alice(), unlock(300)), "governance_votes_bound");
    to_next(&mut world);
    // Passed: the deposit and the votes are free, the timelock runs.
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS));
    world.done(&alice(), unlock(300));
    assert_eq!(world.account(&alice()).tokens, Tokens(TOKENS));
    assert_eq!(world.refused(&alice(), execute(0)), "governance_timelock");
    assert_eq!(world.refused(&alice(), vote(0, Choice::No)), "governance_proposal_state");
    assert_eq!(world.ledger.next_due(), Some(START + 9 * DAY));
    to_next(&mut world);
    assert_eq!(status(&world, 0), ProposalStatus::Executed);
    assert_eq!(world.ledger.next_due(), None);
    let votes = ask(&world, GovernanceQuery::Votes { proposal: 0, after: None });
    assert_eq!(votes, GovernanceAnswer::Votes(vec![]));
    assert_eq!(world.refused(&alice(), execute(0)), "governance_proposal_state");
}

#[test]
fn proposals_have_bounds() {
    let mut world = world_with(Rules { open_max: 1, ..rules() });
    let texts = [("", "text"), ("title", ""), (&*"x".repeat(129), "text")];
    for (title, text) in texts {
        let (title, text, kind) = (title.into(), text.into(), ProposalKind::Text);
        let action = act(GovernanceAction::Propose { title, text, kind });
        assert_eq!(world.refused(&alice(), action), "text_length");
    }
    assert_eq!(world.refused(&key(40), propose(ProposalKind::Text)), "insufficient_tokens");
    assert_eq!(world.refused(&alice(), propose(spend(&bob(), 0))), "zero_amount");
    assert_eq!(world.refused(&alice(), propose(spend(&bob(), 1))), "governance_spend_limit");
    let plan = UpgradePlan { name: "2".into(), height: 2 };
    let upgrade = propose(ProposalKind::Upgrade { plan });
    assert_eq!(world.refused(&alice(), upgrade), "governance_upgrade_height");
    world.done(&alice(), propose(ProposalKind::Text));
    assert_eq!(world.refused(&alice(), propose(ProposalKind::Text)), "governance_open_limit");
    assert_eq!(world.refused(&alice(), lock(0)), "zero_amount");
    assert_eq!(world.refused(&alice(), unlock(0)), "zero_amount");
    let mut off = World::new();
    assert_eq!(off.refused(&alice(), propose(ProposalKind::Text)), "governance_disabled");
    assert_eq!(off.refused(&alice(), lock(1)), "governance_disabled");
}

#[test]
fn too_few_reject_and_veto_burns() {
    let mut world = world_with(rules());
    world.done(&bob(), propose(ProposalKind::Text));
    world.done(&alice(), lock(199));
    world.done(&alice(), vote(0, Choice::Yes));
    to_next(&mut world);
    // The quorum is 10 % of 2,000.
    assert_eq!(status(&world, 0), ProposalStatus::Rejected);
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS));
    world.done(&bob(), propose(ProposalKind::Text));
    world.done(&alice(), lock(1));
    world.done(&alice(), vote(1, Choice::Veto));
    to_next(&mut world);
    assert_eq!(status(&world, 1), ProposalStatus::Vetoed);
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS - 100));
    assert_eq!(flow(&world, Flow::Offering), Tokens(100));
    assert_eq!(world.supply().tokens, Tokens(2 * TOKENS - 100));
}

/// No token votes twice: locked ones stay until the last vote is over.
#[test]
fn one_lock_votes_on_all_proposals() {
    let mut world = world_with(rules());
    world.done(&bob(), propose(ProposalKind::Text));
    wait(&mut world, DAY);
    world.done(&bob(), propose(ProposalKind::Text));
    world.done(&alice(), lock(300));
    world.done(&alice(), vote(1, Choice::Yes));
    world.done(&alice(), vote(0, Choice::Yes));
    to_next(&mut world);
    assert_eq!(world.refused(&alice(), unlock(1)), "governance_votes_bound");
    wait(&mut world, DAY);
    world.done(&alice(), unlock(300));
}

/// A cap of 10 % of 2,000, and the root of what is below it.
#[test]
fn great_holdings_are_capped_or_rooted() {
    let mut capped = world_with(Rules { voter_cap: Share::percent(10), ..rules() });
    capped.done(&bob(), propose(ProposalKind::Text));
    capped.done(&alice(), lock(900));
    capped.done(&alice(), vote(0, Choice::Yes));
    assert_eq!(proposal(&capped, 0).tally.yes, 200);
    let mut rooted = world_with(Rules { curve: Curve::SquareRoot, ..rules() });
    rooted.done(&bob(), propose(ProposalKind::Text));
    rooted.done(&alice(), lock(900));
    rooted.done(&bob(), lock(99));
    rooted.done(&alice(), vote(0, Choice::Yes));
    rooted.done(&bob(), vote(0, Choice::No));
    let tally = Tally { yes: 30, no: 9, abstain: 0, veto: 0, turnout: 999 };
    assert_eq!(proposal(&rooted, 0).tally, tally);
}

/// Where stake votes, its cooldown outlasts the vote, so that no stake votes twice.
#[test]
fn stake_votes_where_the_rules_say_so() {
    let mut economy = economy(Rules { power: Power::Stake, ..rules() });
    let refused = economy.validate().map_err(|error| error.path);
    assert_eq!(refused, Err("governance.power".into()));
    economy.stake.cooldown = Period::DAY.times(7);
    economy.stake.provider.open = true;
    assert_eq!(economy.validate(), Ok(()));
    let mut world = World::with_economy(economy);
    world.block(&[]);
    let subject = stake::Subject { role: Role::Provider, operator: node().public() };
    let (owner, commission) = (account_of(&alice()), Share::ZERO);
    let enroll = StakeAction::Enroll { role: Role::Provider, owner, commission };
    world.done(&node(), Action::Stake(Box::new(enroll)));
    let bond = StakeAction::Bond { subject, amount: Tokens(300) };
    world.done(&alice(), Action::Stake(Box::new(bond)));
    world.done(&bob(), propose(ProposalKind::Text));
    assert_eq!(proposal(&world, 0).electorate, 300);
    world.done(&bob(), lock(500));
    assert_eq!(world.refused(&bob(), vote(0, Choice::No)), "governance_no_votes");
    world.done(&alice(), vote(0, Choice::Yes));
    assert_eq!(proposal(&world, 0).tally.yes, 300);
}

#[test]
fn parameters_change_by_a_vote_only() {
    let mut world = world_with(rules());
    world.done(&bob(), propose(change("governance.voting", "\"1d\"")));
    world.done(&bob(), propose(change("bounds.models_max", "7")));
    world.done(&alice(), lock(300));
    world.done(&alice(), vote(0, Choice::Yes));
    world.done(&alice(), vote(1, Choice::Yes));
    to_next(&mut world);
    to_next(&mut world);
    assert_eq!(status(&world, 0), ProposalStatus::Executed);
    assert_eq!(world.ledger.economy().governance.voting, Period::DAY);
    assert_eq!(world.ledger.parameters(), Parameters { models_max: 7, ..Parameters::default() });
    // The new rule holds.
    world.done(&bob(), propose(ProposalKind::Text));
    assert_eq!(proposal(&world, 2).votes_until, world.now + DAY);
}

/// A provider registered before the rule; the rule holds for it all the same.
#[test]
fn a_reward_account_is_kept_from_the_change_on() {
    let mut world = world_with(rules());
    let register =
        |to: &SecretKey| Action::RegisterProvider { reward: account_of(to), name: "p".into() };
    world.done(&node(), register(&bob()));
    world.done(&bob(), propose(change("devices.reward_by_owner_only", "true")));
    pass(&mut world, 0);
    world.done(&node(), Action::DeregisterProvider);
    assert_eq!(world.refused(&node(), register(&alice())), "reward_owned");
    world.done(&node(), register(&bob()));
}

#[test]
fn a_change_that_would_break_a_rule_is_refused() {
    let mut economy = economy(Rules { immutable: vec!["governance.veto".into()], ..rules() });
    economy.token.cap = Some(Tokens(1_000_000_000));
    let mut world = World::with_economy(economy);
    world.block(&[]);
    for (path, value, code) in [
        ("governance.threshold", "\"1%\"", "governance_rule_broken"),
        ("governance.veto", "\"1%\"", "governance_immutable"),
        ("token.cap", "\"2\"", "governance_cap_raised"),
        ("token.cap", "\"0.000001999\"", "governance_cap_raised"),
        ("token.kap", "\"1\"", "governance_parameter_value"),
        ("tokens.cap", "\"1\"", "governance_unknown_parameter"),
        ("devices.licences.series", "7", "governance_rule_broken"),
    ] {
        assert_eq!(world.refused(&bob(), propose(change(path, value))), code, "{path}");
    }
    let none = ProposalKind::Change { changes: vec![] };
    assert_eq!(world.refused(&bob(), propose(none)), "governance_change_count");
}

/// Two proposals that cannot both stand: the second fails against the rules of its own time,
/// and lapses.
#[test]
fn a_change_is_checked_again_when_it_is_executed() {
    let mut economy = economy(rules());
    economy.token.cap = Some(Tokens(1_000_000_000));
    let mut world = World::with_economy(economy);
    world.block(&[]);
    world.done(&bob(), propose(change("token.cap", "\"0.5\"")));
    world.done(&bob(), propose(change("token.cap", "\"0.9\"")));
    world.done(&alice(), lock(300));
    world.done(&alice(), vote(0, Choice::Yes));
    world.done(&alice(), vote(1, Choice::Yes));
    to_next(&mut world);
    to_next(&mut world);
    assert_eq!(status(&world, 0), ProposalStatus::Executed);
    let ProposalStatus::Queued { failure: Some(failure), .. } = status(&world, 1) else {
        panic!("{:?}", status(&world, 1))
    };
    assert_eq!(failure, "governance_cap_raised");
    assert_eq!(world.refused(&alice(), execute(1)), "governance_cap_raised");
    assert_eq!(world.ledger.economy().token.cap, Some(Tokens(500_000_000)));
    to_next(&mut world);
    assert_eq!(status(&world, 1), ProposalStatus::Lapsed);
    assert_eq!(governance(&world).open, 0);
}

#[test]
fn a_spend_is_public_and_bounded() {
    let treasury = TreasuryRules { proposal_share: Share::percent(50), ..TreasuryRules::default() };
    let mut world = world_with(Rules { treasury, ..rules() });
    fund(&mut world, &alice(), 2, Denomination::Token);
    assert_eq!(vault(&world, Vault::Treasury).tokens, Tokens(200));
    assert_eq!(world.refused(&bob(), propose(spend(&bob(), 101))), "governance_spend_limit");
    world.done(&bob(), propose(spend(&key(40), 100)));
    pass(&mut world, 0);
    assert_eq!(world.account(&key(40)).tokens, Tokens(100));
    let found = outflows(&world);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].reason, OutflowReason::Proposal(0));
    assert_eq!((found[0].to, found[0].tokens), (Some(account_of(&key(40))), Tokens(100)));
    world.done(&bob(), propose(ProposalKind::Burn { amount: Tokens(50) }));
    pass(&mut world, 1);
    assert_eq!(flow(&world, Flow::Offering), Tokens(50));
    assert_eq!(vault(&world, Vault::Treasury).tokens, Tokens(50));
}

/// Of two spends that the treasury could pay one by one, the second waits, and anyone may try
/// again when there is money.
#[test]
fn what_failed_can_be_tried_by_hand() {
    let mut world = world_with(rules());
    fund(&mut world, &alice(), 1, Denomination::Token);
    world.done(&bob(), propose(spend(&key(40), 100)));
    world.done(&bob(), propose(spend(&key(41), 100)));
    world.done(&alice(), lock(400));
    world.done(&alice(), vote(0, Choice::Yes));
    world.done(&alice(), vote(1, Choice::Yes));
    to_next(&mut world);
    to_next(&mut world);
    assert_eq!(status(&world, 0), ProposalStatus::Executed);
    assert_eq!(world.refused(&bob(), execute(1)), "governance_spend_limit");
    fund(&mut world, &alice(), 1, Denomination::Token);
    world.done(&bob(), execute(1));
    assert_eq!(world.account(&key(41)).tokens, Tokens(100));
    assert_eq!(world.ledger.next_due(), None);
}

#[test]
fn an_upgrade_is_announced() {
    let mut world = world_with(rules());
    let plan = UpgradePlan { name: "2.0".into(), height: 1_000 };
    world.done(&bob(), propose(ProposalKind::Upgrade { plan: plan.clone() }));
    pass(&mut world, 0);
    assert_eq!(governance(&world).upgrade, Some(plan));
}
