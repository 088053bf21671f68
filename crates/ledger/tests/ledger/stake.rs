//! Stake seen from outside: every action, every refusal, and what it comes to.

mod epochs;
mod networks;

use remuda_ledger::math::{Fixed, Period, Share};
use remuda_ledger::stake::{
    CommissionRules, Load, Offence, Risk, Role, RoleRules, Rules, StakeAction, StakeAnswer,
    StakeQuery, Subject, SubjectView, UNBONDINGS_PER_ACCOUNT_MAX,
};
use remuda_ledger::{Action, Answer, Economy, Genesis, GenesisAccount, Parameters, Query};
use remuda_types::{Credits, SecretKey, Tokens};

use crate::world::*;

/// One token.
const TOKEN: u128 = 1_000_000_000;
/// What Alice and Bob hold at the start.
const FUNDS: u128 = 1_000_000 * TOKEN;
const DAY: u64 = 86_400_000;

fn tokens(whole: u128) -> Tokens {
    Tokens(whole * TOKEN)
}

fn world(stake: Rules) -> World {
    world_with(stake, |_| ())
}

fn world_with(stake: Rules, change: impl FnOnce(&mut Economy)) -> World {
    let funded = |key: SecretKey| GenesisAccount {
        account: account_of(&key),
        tokens: Tokens(FUNDS),
        credits: Credits(CREDITS),
    };
    let mut economy = Economy { stake, ..Economy::default() };
    change(&mut economy);
    let accounts = vec![funded(alice()), funded(bob()), funded(key(3))];
    let genesis = genesis_with(Parameters::default());
    World::from_genesis(Genesis { accounts, economy, ..genesis })
}

fn open_role() -> RoleRules {
    RoleRules { open: true, ..RoleRules::default() }
}

fn subject_of(node: &SecretKey) -> Subject {
    Subject { role: Role::Provider, operator: node.public() }
}

fn subject() -> Subject {
    subject_of(&node())
}

fn stake(action: StakeAction) -> Action {
    Action::Stake(Box::new(action))
}

fn enroll_as(role: Role, commission: Share) -> Action {
    stake(StakeAction::Enroll { role, owner: account_of(&alice()), commission })
}

fn bond(amount: Tokens) -> Action {
    stake(StakeAction::Bond { subject: subject(), amount })
}

fn delegate(amount: Tokens) -> Action {
    stake(StakeAction::Delegate { subject: subject(), amount })
}

fn unbond(amount: Option<Tokens>) -> Action {
    stake(StakeAction::Unbond { subject: subject(), amount })
}

fn claim() -> Action {
    stake(StakeAction::Claim { subject: subject() })
}

fn fund(amount: Tokens) -> Action {
    stake(StakeAction::Fund { subject: subject(), amount })
}

fn judge(offence: Offence, at_risk: Risk) -> Action {
    let (reporter, affected) = (None, vec![]);
    stake(StakeAction::Judge { subject: subject(), offence, at_risk, reporter, affected })
}

/// What these tests ask a world.
trait Staking: Sized {
    fn ask(&self, query: StakeQuery) -> StakeAnswer;
    fn wait(&mut self, period: u64);

    fn subject(&self, subject: Subject) -> SubjectView {
        match self.ask(StakeQuery::Subject(subject)) {
            StakeAnswer::Subject(Some(view)) => *view,
            other => panic!("{other:?}"),
        }
    }

    /// What an account's only position is worth.
    fn worth(&self, key: &SecretKey) -> Tokens {
        match self.ask(StakeQuery::PositionsOf(account_of(key))) {
            StakeAnswer::Positions(held) => held.first().map_or(Tokens(0), |view| view.worth),
            other => panic!("{other:?}"),
        }
    }

    fn suffices(&self, loads: Vec<Load>) -> bool {
        match self.ask(StakeQuery::Suffices { subject: subject(), loads }) {
            StakeAnswer::Suffices(suffices) => suffices,
            other => panic!("{other:?}"),
        }
    }
}

impl Staking for World {
    fn ask(&self, query: StakeQuery) -> StakeAnswer {
        match self.ledger.query(&Query::Stake(query)) {
            Answer::Stake(answer) => *answer,
            other => panic!("{other:?}"),
        }
    }

    fn wait(&mut self, period: u64) {
        self.now += period;
        self.block(&[]);
    }
}

/// A network with this stake, in which Alice owns the enrolled [`node`].
fn enrolled(rules: Rules) -> World {
    enrolled_with(rules, |_| ())
}

fn enrolled_with(rules: Rules, change: impl FnOnce(&mut Economy)) -> World {
    let mut world = world_with(rules, change);
    world.done(&node(), enroll_as(Role::Provider, Share::ZERO));
    world
}

fn basic() -> Rules {
    Rules {
        provider: open_role(),
        validator: open_role(),
        cooldown: Period::DAY.times(14),
        delegation: true,
        minimum_delegation: Tokens(10),
        ..Rules::default()
    }
}

#[test]
fn without_rules_there_is_no_stake_and_no_need() {
    let mut world = World::new();
    assert_eq!(world.refused(&node(), enroll_as(Role::Provider, Share::ZERO)), "stake_role_closed");
    assert_eq!(world.refused(&alice(), bond(Tokens(1))), "stake_unknown_subject");
    assert!(world.suffices(vec![Load { count: 8, weight: Fixed::ONE }]));
}

#[test]
fn a_node_names_its_owner_who_bonds_and_gets_it_back_after_the_cooldown() {
    let mut world = enrolled(basic());
    world.done(&alice(), bond(tokens(100)));
    assert_eq!(world.subject(subject()).stake, tokens(100));
    world.done(&alice(), unbond(Some(tokens(30))));
    assert_eq!(world.subject(subject()).stake, tokens(70));
    world.wait(14 * DAY - 1);
    assert_eq!(world.account(&alice()).tokens, Tokens(FUNDS - 100 * TOKEN));
    world.wait(1);
    assert_eq!(world.account(&alice()).tokens, Tokens(FUNDS - 70 * TOKEN));
    world.done(&alice(), unbond(None));
    world.wait(14 * DAY);
    assert_eq!(world.account(&alice()).tokens, Tokens(FUNDS));
    // Nobody depends on it now: the node may name another owner.
    let owner = account_of(&bob());
    let again = StakeAction::Enroll { role: Role::Provider, owner, commission: Share::ZERO };
    world.done(&node(), stake(again));
    assert_eq!(world.refused(&alice(), bond(tokens(1))), "stake_not_owner");
}

#[test]
fn a_change_of_mind_needs_no_cooldown() {
    let mut world = enrolled(basic());
    world.done(&alice(), bond(tokens(100)));
    world.done(&alice(), unbond(Some(tokens(60))));
    let cancel = |unbonding| stake(StakeAction::CancelUnbonding { unbonding });
    assert_eq!(world.refused(&bob(), cancel(0)), "stake_unknown_unbonding");
    world.done(&alice(), cancel(0));
    assert_eq!(world.refused(&alice(), cancel(0)), "stake_unknown_unbonding");
    assert_eq!(world.worth(&alice()), tokens(100));
}

#[test]
fn without_a_cooldown_stake_is_back_at_once() {
    let mut world = enrolled(Rules { cooldown: Period(0), ..basic() });
    world.done(&alice(), bond(tokens(100)));
    world.done(&alice(), unbond(None));
    assert_eq!(world.account(&alice()).tokens, Tokens(FUNDS));
}

#[test]
fn what_cannot_be_staked_is_refused() {
    let mut world = enrolled(basic());
    assert_eq!(world.refused(&alice(), bond(Tokens(0))), "zero_amount");
    assert_eq!(world.refused(&alice(), bond(Tokens(9))), "stake_below_minimum");
    assert_eq!(world.refused(&alice(), bond(Tokens(u128::MAX))), "insufficient_tokens");
    assert_eq!(world.refused(&bob(), bond(tokens(1))), "stake_not_owner");
    assert_eq!(world.refused(&alice(), delegate(tokens(1))), "stake_own_subject");
    assert_eq!(world.refused(&alice(), unbond(Some(Tokens(0)))), "zero_amount");
    assert_eq!(world.refused(&alice(), unbond(Some(Tokens(1)))), "stake_no_position");
    world.done(&alice(), bond(tokens(1)));
    assert_eq!(world.refused(&alice(), unbond(Some(tokens(2)))), "stake_insufficient");
    assert_eq!(world.refused(&node(), enroll_as(Role::Provider, Share::ZERO)), "stake_enrolled");
    assert_eq!(world.refused(&node(), enroll_as(Role::Checker, Share::ZERO)), "stake_role_closed");
    let mut alone = enrolled(Rules { delegation: false, ..basic() });
    assert_eq!(alone.refused(&bob(), delegate(tokens(1))), "stake_delegation_off");
}

#[test]
fn one_account_has_so_many_unbondings() {
    let mut world = enrolled(basic());
    world.done(&alice(), bond(tokens(100)));
    for _ in 0..UNBONDINGS_PER_ACCOUNT_MAX {
        world.done(&alice(), unbond(Some(Tokens(1))));
    }
    assert_eq!(world.refused(&alice(), unbond(Some(Tokens(1)))), "stake_unbonding_limit");
    world.wait(14 * DAY);
    world.done(&alice(), unbond(Some(Tokens(1))));
}

#[test]
fn an_empty_subject_makes_room() {
    let mut world = enrolled(Rules { subjects_max: 1, ..basic() });
    world.done(&key(21), enroll_as(Role::Provider, Share::ZERO));
    assert_eq!(world.refused(&alice(), bond(tokens(1))), "stake_unknown_subject");
    world.done(&node(), enroll_as(Role::Provider, Share::ZERO));
    world.done(&alice(), bond(tokens(1)));
    let full = world.refused(&key(21), enroll_as(Role::Provider, Share::ZERO));
    assert_eq!(full, "stake_subjects_full");
}

#[test]
fn commission_is_shared_out_and_changes_slowly() {
    let commission =
        CommissionRules { most: Share::percent(20), step: Share::percent(5), every: Period::DAY };
    let mut world = self::world(Rules { commission, ..basic() });
    let too_much = enroll_as(Role::Provider, Share::percent(21));
    assert_eq!(world.refused(&node(), too_much), "stake_share_bound");
    world.done(&node(), enroll_as(Role::Provider, Share::percent(10)));
    world.done(&alice(), bond(tokens(100)));
    world.done(&bob(), delegate(tokens(300)));
    world.done(&key(3), fund(tokens(100)));
    // 10 for the owner, 90 for 400 of stake.
    assert_eq!(world.subject(subject()).pool.owed, tokens(10));
    assert_eq!(world.worth(&bob()), Tokens(367_500_000_000));
    world.done(&alice(), claim());
    world.done(&bob(), claim());
    assert_eq!(world.account(&alice()).tokens, Tokens(FUNDS - 67_500_000_000));
    assert_eq!(world.account(&bob()).tokens, Tokens(FUNDS - 232_500_000_000));
    assert_eq!(world.refused(&bob(), claim()), "stake_nothing_to_claim");
    let set = |percent| {
        let commission = Share::percent(percent);
        stake(StakeAction::SetCommission { subject: subject(), commission })
    };
    assert_eq!(world.refused(&alice(), set(12)), "stake_commission_too_soon");
    world.wait(DAY);
    assert_eq!(world.refused(&bob(), set(12)), "stake_not_owner");
    assert_eq!(world.refused(&alice(), set(16)), "stake_commission_step");
    assert_eq!(world.refused(&alice(), set(21)), "stake_share_bound");
    world.done(&alice(), set(15));
    assert_eq!(world.refused(&alice(), set(12)), "stake_commission_too_soon");
}

#[test]
fn validators_are_ranked_by_stake_and_weigh_as_the_rules_say() {
    let mut rules = basic();
    rules.validator.minimum = tokens(10);
    rules.weight.cap = tokens(50);
    let mut world = self::world(rules);
    for (index, amount) in [(20, 30), (21, 90), (22, 9)] {
        world.done(&key(index), enroll_as(Role::Validator, Share::ZERO));
        let subject = Subject { role: Role::Validator, operator: key(index).public() };
        world.done(&alice(), stake(StakeAction::Bond { subject, amount: tokens(amount) }));
    }
    let weights = world.ask(StakeQuery::Weights(Role::Validator));
    let expected = vec![(key(21).public(), 50 * TOKEN), (key(20).public(), 30 * TOKEN)];
    assert_eq!(weights, StakeAnswer::Weights(expected));
    let StakeAnswer::Subjects(all) = world.ask(StakeQuery::Subjects(Role::Validator)) else {
        panic!()
    };
    assert_eq!(all.len(), 3);
    let StakeAnswer::Totals(totals) = world.ask(StakeQuery::Totals) else { panic!() };
    assert_eq!(totals.iter().map(|total| total.stake.0).sum::<u128>(), 129 * TOKEN);
}

#[test]
fn a_node_without_stakers_earns_for_its_owner() {
    let mut world = enrolled(basic());
    assert_eq!(world.refused(&bob(), fund(Tokens(0))), "zero_amount");
    world.done(&bob(), fund(tokens(7)));
    let retire = || stake(StakeAction::Retire { subject: subject() });
    assert_eq!(world.refused(&bob(), retire()), "stake_not_owner");
    world.done(&alice(), retire());
    assert_eq!(world.refused(&alice(), retire()), "stake_nothing_to_claim");
    world.wait(14 * DAY);
    assert_eq!(world.account(&alice()).tokens, Tokens(FUNDS + 7 * TOKEN));
    world.done(&alice(), bond(tokens(1)));
    assert_eq!(world.refused(&alice(), retire()), "stake_still_staked");
}
