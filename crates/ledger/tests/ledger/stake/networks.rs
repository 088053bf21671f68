//! Stake as other networks have it: Heurist's bribes, io.net's co-stakes, Aethir's slashes.

use remuda_ledger::accounts::AccountsAction;
use remuda_ledger::credits::{CreditsAction, CreditsAnswer, CreditsQuery};
use remuda_ledger::math::{Fixed, Period, Share};
use remuda_ledger::stake::{
    BribeRules, CoStakeRules, Formula, Load, Offence, OffenceRules, RampRules, RequiredRules, Risk,
    Role, RoleRules, Rules, Sharing, SplitRules, StakeAction, StakeAnswer, StakeQuery, Standing,
    Subject,
};
use remuda_ledger::{Action, Answer, Flow, Query};
use remuda_types::{Credits, Tokens};

use super::*;

fn heurist() -> Rules {
    let provider = RoleRules { minimum: tokens(10_000), sharing: Sharing::Bribe, ..open_role() };
    Rules {
        provider,
        cooldown: Period::DAY.times(30),
        moves: true,
        compound: true,
        reward_vesting: Period::DAY.times(365),
        bribe: BribeRules { most: Share::percent(90), notice: Period::DAY },
        ramp: RampRules { floor: tokens(10_000), full: tokens(100_000) },
        ..basic()
    }
}

/// Two nodes of Alice; Bob's stake follows the bribe, and pays off on both sides.
#[test]
fn a_bribe_moves_stake() {
    let mut world = enrolled(heurist());
    let other = subject_of(&key(21));
    world.done(&key(21), enroll_as(Role::Provider, Share::ZERO));
    world.done(&alice(), bond(tokens(10_000)));
    world.done(&alice(), stake(StakeAction::Bond { subject: other, amount: tokens(10_000) }));
    world.done(&bob(), stake(StakeAction::Delegate { subject: other, amount: tokens(40_000) }));
    let announce = |percent| {
        let share = Share::percent(percent);
        stake(StakeAction::SetBribe { subject: subject(), share })
    };
    assert_eq!(world.refused(&alice(), announce(91)), "stake_share_bound");
    assert_eq!(world.refused(&bob(), announce(40)), "stake_not_owner");
    world.done(&alice(), announce(40));
    world.done(&key(3), fund(tokens(100)));
    assert_eq!(world.subject(subject()).pool.owed, tokens(100), "announced, not yet in force");
    world.wait(DAY);
    let moving = |from, to, amount| stake(StakeAction::Move { from, to, amount });
    world.done(&bob(), moving(other, subject(), None));
    assert_eq!(world.worth(&bob()), tokens(40_000));
    // From 10 % to 50 % of full efficiency, of which Alice keeps 60 %.
    let view = world.subject(subject());
    assert_eq!(view.efficiency.to_string(), "0.5");
    assert_eq!(world.subject(other).efficiency.to_string(), "0.1");
    world.done(&key(3), fund(tokens(500)));
    assert_eq!(world.subject(subject()).pool.owed, tokens(100 + 300));
    // 200 for 50,000 of stake, compounded.
    assert_eq!(world.worth(&bob()), tokens(40_160));
    assert_eq!(world.refused(&bob(), moving(subject(), subject(), None)), "stake_move_between");
    let checker = Subject { role: Role::Validator, ..subject() };
    assert_eq!(world.refused(&bob(), moving(subject(), checker, None)), "stake_unknown_subject");
    let much = Some(tokens(40_001));
    assert_eq!(world.refused(&bob(), moving(subject(), other, much)), "stake_insufficient");
    assert_eq!(world.refused(&bob(), moving(subject(), other, Some(Tokens(0)))), "zero_amount");
}

#[test]
fn compounded_rewards_are_claimed_at_once_and_free_over_a_year() {
    let mut world = enrolled_with(heurist(), |economy| economy.accounts.vesting.grid = Period(0));
    world.done(&alice(), bond(tokens(10_000)));
    world.done(
        &alice(),
        stake(StakeAction::SetBribe { subject: subject(), share: Share::percent(50) }),
    );
    world.done(&bob(), delegate(tokens(10_000)));
    world.wait(DAY);
    world.done(&key(3), fund(tokens(1_460)));
    assert_eq!(world.worth(&bob()), tokens(10_365));
    world.done(&bob(), claim());
    assert_eq!(world.account(&bob()).tokens, Tokens(FUNDS - 10_000 * TOKEN), "locked");
    let release = || Action::Accounts(AccountsAction::ClaimGrant { grant: 0 });
    assert_eq!(world.refused(&bob(), release()), "vesting_nothing");
    world.wait(30 * DAY);
    world.done(&bob(), release());
    assert_eq!(world.account(&bob()).tokens, Tokens(FUNDS - 9_970 * TOKEN));
    world.done(&bob(), unbond(Some(tokens(5_000))));
    world.wait(29 * DAY);
    assert_eq!(world.account(&bob()).tokens, Tokens(FUNDS - 9_970 * TOKEN));
    world.wait(DAY);
    assert_eq!(world.account(&bob()).tokens, Tokens(FUNDS - 4_970 * TOKEN));
    world.wait(305 * DAY);
    world.done(&bob(), release());
    assert_eq!(world.account(&bob()).tokens, Tokens(FUNDS - 4_635 * TOKEN));
    assert_eq!(world.refused(&bob(), release()), "vesting_grant_unknown");
}

#[test]
fn moved_stake_rests_where_the_rules_say_so() {
    let mut world = enrolled(Rules { move_wait: Period::DAY, ..heurist() });
    let other = subject_of(&key(21));
    world.done(&key(21), enroll_as(Role::Provider, Share::ZERO));
    world.done(&bob(), delegate(tokens(40_000)));
    let moving = |from, to| stake(StakeAction::Move { from, to, amount: None });
    world.done(&bob(), moving(subject(), other));
    assert_eq!(world.refused(&bob(), moving(other, subject())), "stake_move_too_soon");
    world.wait(DAY);
    world.done(&bob(), moving(other, subject()));
    let mut fixed = enrolled(basic());
    assert_eq!(fixed.refused(&bob(), moving(subject(), other)), "stake_moves_off");
}

fn io_net() -> Rules {
    let required =
        RequiredRules { formula: Formula::Multiplier, amount: tokens(200), ..Default::default() };
    Rules {
        provider: RoleRules { required, ..open_role() },
        delegation: false,
        co_stake: CoStakeRules {
            most: Share::percent(50),
            offers: 2,
            cooldown: Period::DAY.times(7),
        },
        ..basic()
    }
}

#[test]
fn devices_require_stake_half_of_which_may_be_anothers() {
    let mut world = enrolled(io_net());
    let eight_h100 = || vec![Load { count: 8, weight: Fixed::from_integer(10).unwrap() }];
    let four_4070 = || vec![Load { count: 4, weight: "0.25".parse().unwrap() }];
    let required =
        |load: Vec<Load>| StakeQuery::Required { role: Role::Provider, load: load[0].clone() };
    assert_eq!(world.ask(required(eight_h100())), StakeAnswer::Required(Some(tokens(16_000))));
    assert_eq!(world.ask(required(four_4070())), StakeAnswer::Required(Some(tokens(800))));
    world.done(&alice(), bond(tokens(8_000)));
    assert!(!world.suffices(eight_h100()) && world.suffices(four_4070()));
    let offer = |amount, percent| {
        let share = Share::percent(percent);
        stake(StakeAction::OfferCoStake { subject: subject(), amount: tokens(amount), share })
    };
    let accept = |amount, percent| {
        let share = Share::percent(percent);
        stake(StakeAction::AcceptCoStake { subject: subject(), amount: tokens(amount), share })
    };
    assert_eq!(world.refused(&alice(), offer(8_001, 40)), "stake_co_stake_bound");
    assert_eq!(world.refused(&alice(), offer(0, 40)), "zero_amount");
    assert_eq!(world.refused(&bob(), offer(8_000, 40)), "stake_not_owner");
    world.done(&alice(), offer(8_000, 40));
    assert_eq!(world.refused(&alice(), offer(8_000, 40)), "stake_co_stake_exists");
    assert_eq!(world.refused(&bob(), accept(8_000, 41)), "stake_no_co_stake");
    assert_eq!(world.refused(&alice(), accept(8_000, 40)), "stake_own_subject");
    world.done(&bob(), accept(8_000, 40));
    assert!(world.suffices(eight_h100()));
    assert_eq!(world.refused(&key(3), accept(8_000, 40)), "stake_no_co_stake");
    assert_eq!(world.refused(&alice(), unbond(Some(Tokens(1)))), "stake_co_stake_bound");
    let withdraw = || stake(StakeAction::WithdrawOffer { subject: subject() });
    assert_eq!(world.refused(&alice(), withdraw()), "stake_no_co_stake");
    world.done(&key(3), fund(tokens(100)));
    world.done(&bob(), claim());
    assert_eq!(world.account(&bob()).tokens, Tokens(FUNDS - 7_960 * TOKEN));
    let end = || stake(StakeAction::EndCoStake { subject: subject() });
    assert_eq!(world.refused(&key(3), end()), "stake_not_owner");
    world.done(&bob(), end());
    let cancel = stake(StakeAction::CancelUnbonding { unbonding: 0 });
    assert_eq!(world.refused(&bob(), cancel), "stake_unbonding_of_co_stake");
    world.wait(7 * DAY);
    assert_eq!(world.account(&bob()).tokens, Tokens(FUNDS + 40 * TOKEN));
    assert!(!world.suffices(eight_h100()));
    assert_eq!(world.refused(&bob(), end()), "stake_no_co_stake");
}

#[test]
fn an_owner_has_so_many_offers() {
    let mut world = enrolled(io_net());
    let nodes = [key(20), key(21), key(22)];
    let offer = |node: &SecretKey| {
        let (subject, share) = (subject_of(node), Share::percent(40));
        stake(StakeAction::OfferCoStake { subject, amount: tokens(10), share })
    };
    for node in &nodes {
        world.done(node, enroll_as(Role::Provider, Share::ZERO));
        let (subject, amount) = (subject_of(node), tokens(10));
        world.done(&alice(), stake(StakeAction::Bond { subject, amount }));
    }
    world.done(&alice(), offer(&nodes[0]));
    world.done(&alice(), offer(&nodes[1]));
    assert_eq!(world.refused(&alice(), offer(&nodes[2])), "stake_offer_limit");
    let StakeAnswer::Subjects(open) = world.ask(StakeQuery::Offers) else { panic!() };
    assert_eq!(open.len(), 2);
    world.done(&alice(), stake(StakeAction::WithdrawOffer { subject: subject() }));
    world.done(&alice(), offer(&nodes[2]));
    let mut without = enrolled(basic());
    assert_eq!(without.refused(&alice(), offer(&nodes[0])), "stake_co_stake_off");
}

fn aethir() -> Rules {
    let required = RequiredRules {
        formula: Formula::Coefficient,
        amount: Tokens(1_334_220_000_000),
        ..RequiredRules::default()
    };
    let offence = |offence, part: &str| OffenceRules {
        offence,
        parts: vec![part.parse().unwrap()],
        window: Period(0),
        jail: Period(0),
        eject_at: 0,
    };
    Rules {
        provider: RoleRules { required, ..open_role() },
        cooldown: Period::DAY.times(180),
        delegation: false,
        offences: vec![
            offence(Offence::Interruption, "1/3"),
            offence(Offence::FakeHardware, "100%"),
        ],
        split: SplitRules { treasury: Share::ALL, ..SplitRules::default() },
        grantor_judges: true,
        ..basic()
    }
}

/// K = 1 and a coefficient of 1334.22: a third, and all; 180 days to the last of it.
#[test]
fn a_container_halts_until_it_is_topped_up() {
    let mut world = enrolled(aethir());
    let container = || Load { count: 1, weight: Fixed::ONE };
    world.done(&alice(), bond(Tokens(1_334_220_000_000)));
    assert!(world.suffices(vec![container()]));
    let by_load = || Risk::Load(container());
    assert_eq!(world.refused(&bob(), judge(Offence::Interruption, by_load())), "stake_not_judge");
    world.done(&grantor(), judge(Offence::Interruption, by_load()));
    assert_eq!(world.subject(subject()).stake, Tokens(889_480_000_000), "444.74 are gone");
    assert!(!world.suffices(vec![container()]));
    world.done(&alice(), bond(Tokens(444_740_000_000)));
    assert!(world.suffices(vec![container()]));
    // Rewards go first.
    world.done(&bob(), fund(tokens(100)));
    world.done(&alice(), unbond(Some(tokens(1_000))));
    world.done(&grantor(), judge(Offence::FakeHardware, by_load()));
    let StakeAnswer::Slashes(slashes) = world.ask(StakeQuery::Slashes(Some(subject()))) else {
        panic!()
    };
    assert_eq!(slashes.len(), 2);
    assert_eq!(slashes[1].slashed.taken, Tokens(1_334_220_000_000));
    assert_eq!(slashes[1].slashed.from_rewards, tokens(100));
    // 100 of 1,434.22 are left, of which 1,000 of 1,334.22 are on their way out.
    let StakeAnswer::Unbondings(leaving) =
        world.ask(StakeQuery::UnbondingsOf(account_of(&alice())))
    else {
        panic!()
    };
    assert_eq!(leaving[0].1, Tokens(74_950_158_145));
    let before = world.account(&alice()).tokens;
    world.wait(180 * DAY - 1);
    assert_eq!(world.account(&alice()).tokens, before);
    world.wait(1);
    assert_eq!(world.account(&alice()).tokens, before.add(leaving[0].1).unwrap());
}

/// Held earnings worth up to $100 are all the stake that Render's nodes have (RNP-019).
#[test]
fn earnings_that_are_held_are_stake() {
    let implicit = Credits(100_000_000);
    let provider = RoleRules { implicit, minimum: tokens(50), ..open_role() };
    let mut world = enrolled_with(Rules { provider, ..basic() }, |economy| {
        economy.credits.oracle.posters = vec![account_of(&bob())];
    });
    let post = CreditsAction::PostPrice { price: Credits(2_000_000) };
    world.done(&bob(), Action::Credits(post));
    world.done(&bob(), fund(tokens(40)));
    assert!(!world.suffices(vec![]));
    assert_eq!(world.refused(&alice(), claim()), "stake_nothing_to_claim");
    world.done(&bob(), fund(tokens(40)));
    assert!(world.suffices(vec![]));
    world.done(&alice(), claim());
    assert_eq!(world.account(&alice()).tokens, Tokens(FUNDS + 30 * TOKEN), "$100 are 50 tokens");
    assert_eq!(world.subject(subject()).stake, tokens(50));
    world.done(&alice(), stake(StakeAction::Retire { subject: subject() }));
    world.wait(14 * DAY);
    assert_eq!(world.account(&alice()).tokens, Tokens(FUNDS + 80 * TOKEN));
}

#[test]
fn a_validator_posts_prices_with_the_weight_of_its_stake() {
    let mut world = enrolled_with(basic(), |economy| {
        economy.credits.oracle.posters = vec![account_of(&bob())];
        economy.credits.oracle.validators = true;
        economy.credits.oracle.window = Period(0);
    });
    world.done(&node(), enroll_as(Role::Validator, Share::ZERO));
    let post = |price| Action::Credits(CreditsAction::PostPrice { price: Credits(price) });
    assert_eq!(world.refused(&node(), post(3_000_000)), "oracle_not_poster");
    let subject = Subject { role: Role::Validator, ..subject() };
    world.done(&alice(), stake(StakeAction::Bond { subject, amount: tokens(1) }));
    world.done(&bob(), post(1_000_000));
    world.done(&node(), post(3_000_000));
    let query = Query::Credits(CreditsQuery::Price);
    let Answer::Credits(CreditsAnswer::Price(price)) = world.ledger.query(&query) else { panic!() };
    assert_eq!(price, Some(Credits(3_000_000)));
}

#[test]
fn only_a_judge_whom_the_rules_name_judges() {
    let mut world = enrolled(Rules { grantor_judges: false, ..aethir() });
    let charge = judge(Offence::FakeHardware, Risk::All);
    assert_eq!(world.refused(&grantor(), charge), "stake_not_judge");
    let mut world = enrolled(aethir());
    let affected = (0..65).map(|index| account_of(&key(index))).collect();
    let (offence, at_risk, reporter) = (Offence::FakeHardware, Risk::All, None);
    let charge = StakeAction::Judge { subject: subject(), offence, at_risk, reporter, affected };
    assert_eq!(world.refused(&grantor(), stake(charge)), "stake_affected_count");
}

#[test]
fn slashed_tokens_burn_but_for_reporter_and_harmed() {
    let split = SplitRules {
        reporter: Share::percent(30),
        affected: Share::percent(20),
        treasury: Share::ZERO,
    };
    let mut world = enrolled(Rules { split, ..aethir() });
    world.done(&alice(), bond(tokens(1_000)));
    let (reporter, affected) = (Some(account_of(&bob())), vec![account_of(&key(3))]);
    let (offence, at_risk) = (Offence::FakeHardware, Risk::Tokens(tokens(100)));
    let charge = StakeAction::Judge { subject: subject(), offence, at_risk, reporter, affected };
    world.done(&grantor(), stake(charge));
    assert_eq!(world.account(&bob()).tokens, Tokens(FUNDS + 30 * TOKEN));
    assert_eq!(world.account(&key(3)).tokens, Tokens(FUNDS + 20 * TOKEN));
    assert_eq!(world.supply().burned, tokens(50));
    let Answer::Flows(flows) = world.ledger.query(&Query::Flows) else { panic!() };
    assert!(flows.contains(&(Flow::Slash, tokens(50))));
}

#[test]
fn jail_ends_with_time_and_enough_stake() {
    let mut rules = aethir();
    rules.provider.minimum = tokens(1_000);
    rules.offences[0].jail = Period::DAY;
    let mut world = enrolled(rules);
    world.done(&alice(), bond(tokens(1_000)));
    let unjail = || stake(StakeAction::Unjail { subject: subject() });
    assert_eq!(world.refused(&alice(), unjail()), "stake_not_jailed");
    world.done(&grantor(), judge(Offence::Interruption, Risk::Tokens(tokens(300))));
    assert_eq!(world.subject(subject()).pool.standing, Standing::Jailed(world.now + DAY));
    assert!(!world.suffices(vec![]));
    assert_eq!(world.refused(&alice(), unjail()), "stake_jailed_until");
    world.wait(DAY);
    assert_eq!(world.refused(&alice(), unjail()), "stake_insufficient");
    world.done(&alice(), bond(tokens(100)));
    assert_eq!(world.refused(&bob(), unjail()), "stake_not_owner");
    world.done(&alice(), unjail());
    assert!(world.suffices(vec![]));
}
