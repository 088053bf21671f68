//! The room from inside, where slashes come from: interleavings, and what each rule takes.

use std::sync::Arc;

use proptest::prelude::*;
use remuda_types::{AccountId, PublicKey, TimestampMs, Tokens};

use super::*;
use crate::context::Context;
use crate::cycle::Cycle;
use crate::economy::Economy;
use crate::genesis::Parameters;
use crate::math::{Period, Share};
use crate::money::{Flow, Holder, Vault};
use crate::state::Row;
use crate::{Supply, audit as whole_audit};

const OWNER: u8 = 1;
const ANN: u8 = 2;
const BEN: u8 = 3;
const FUNDS: u128 = 1_000_000;
const START: TimestampMs = 1_000;

fn key(index: u8) -> PublicKey {
    PublicKey([index; 32])
}

fn account(index: u8) -> AccountId {
    key(index).into()
}

fn subject(index: u8) -> Subject {
    Subject { role: Role::Provider, operator: key(index) }
}

fn offence(offence: Offence, parts: &[&str], jail: u64, eject_at: u32) -> OffenceRules {
    let parts = parts.iter().map(|part| part.parse().unwrap()).collect();
    OffenceRules { offence, parts, window: Period(1_000), jail: Period(jail), eject_at }
}

fn rules() -> Rules {
    let role = RoleRules { open: true, minimum: Tokens(100), ..RoleRules::default() };
    Rules {
        provider: RoleRules { sharing: Sharing::Bribe, ..role.clone() },
        validator: role,
        cooldown: Period(100),
        delegation: true,
        moves: true,
        bribe: BribeRules { most: Share::percent(90), notice: Period(50) },
        co_stake: CoStakeRules { most: Share::percent(50), offers: 2, cooldown: Period(70) },
        offences: vec![
            offence(Offence::StatisticalFailure, &["30%", "100%"], 60, 2),
            offence(Offence::Timeout, &["0.1%"], 0, 0),
            offence(Offence::Interruption, &["1/3"], 0, 0),
            offence(Offence::Malice, &["100%"], 10, 0),
        ],
        split: SplitRules {
            reporter: Share::percent(30),
            affected: Share::percent(20),
            treasury: Share::ZERO,
        },
        ..Rules::default()
    }
}

fn bond(amount: Tokens) -> StakeAction {
    StakeAction::Bond { subject: subject(10), amount }
}

fn delegate(amount: Tokens) -> StakeAction {
    StakeAction::Delegate { subject: subject(10), amount }
}

fn unbond(node: u8, amount: Option<Tokens>) -> StakeAction {
    StakeAction::Unbond { subject: subject(node), amount }
}

struct Bench {
    state: State,
    now: TimestampMs,
}

impl Bench {
    fn new(rules: Rules) -> Self {
        let mut state = State::default();
        let economy = Economy { stake: rules, ..Economy::default() };
        economy.validate().unwrap();
        state.write(Row::Parameters((), Some(Parameters::default())));
        state.write(Row::Economy((), Some(Arc::new(economy))));
        state.put_supply(Supply::EMPTY);
        for index in [OWNER, ANN, BEN] {
            let to = Holder::Account(account(index));
            state.mint_tokens(to, Tokens(FUNDS), Flow::Genesis).unwrap();
        }
        let mut bench = Self { state, now: START };
        for node in [10, 11] {
            let (role, owner) = (Role::Provider, account(OWNER));
            let commission = Share::percent(10);
            bench.act(node, StakeAction::Enroll { role, owner, commission }).unwrap();
        }
        bench
    }

    /// With so much from the owner and from Ann on node 10.
    fn staked(own: u128, ann: u128) -> Self {
        let mut bench = Self::new(rules());
        let subject = subject(10);
        bench.act(OWNER, StakeAction::Bond { subject, amount: Tokens(own) }).unwrap();
        bench.act(ANN, StakeAction::Delegate { subject, amount: Tokens(ann) }).unwrap();
        bench
    }

    #[expect(clippy::needless_pass_by_value)]
    fn act(&mut self, signer: u8, action: StakeAction) -> Result<(), &'static str> {
        let context = Context {
            signer: key(signer),
            network: remuda_types::NetworkId::default(),
            now: self.now,
            height: 1,
            grantor: key(0),
            beacon: remuda_types::Hash::default(),
            economy: self.state.economy(),
            parameters: Parameters::default(),
            voucher_holds: &[],
        };
        let mark = self.state.mark();
        let result = execute(&mut self.state, &context, &action);
        if result.is_err() {
            self.state.roll_back(mark);
        }
        self.check();
        result.map(|_| ()).map_err(|error| error.code())
    }

    fn slash(&mut self, offence: Offence, at_risk: Risk) -> Slashed {
        let charge = Charge {
            subject: subject(10),
            offence,
            at_risk,
            reporter: Some(account(BEN)),
            affected: &[(account(ANN), 2), (account(BEN), 1)],
            now: self.now,
        };
        let slashed = self.state.slash(&charge).unwrap();
        self.check();
        slashed
    }

    fn reward(&mut self, amount: u128) {
        let from = Holder::Account(account(BEN));
        self.state.reward_stake(&subject(10), Tokens(amount), from, self.now).unwrap();
        self.check();
    }

    fn wait(&mut self, time: u64) {
        self.now += time;
        let cycle = Cycle {
            now: self.now,
            before: self.now - time,
            height: 1,
            weight: 0,
            beacon: remuda_types::Hash::default(),
            economy: self.state.economy(),
            parameters: Parameters::default(),
        };
        sweep(&mut self.state, &cycle).unwrap();
        self.check();
    }

    fn check(&self) {
        whole_audit::audit(&self.state).unwrap();
    }

    fn tokens(&self, index: u8) -> u128 {
        self.state.account(&account(index)).tokens.0
    }

    fn pool(&self) -> StakePool {
        self.state.pool(&subject(10)).unwrap()
    }

    /// What an account's stake on node 10 is worth.
    fn worth(&self, index: u8) -> u128 {
        let query = StakeQuery::PositionsOf(account(index));
        let StakeAnswer::Positions(positions) = answer(&self.state, self.now, &query) else {
            panic!()
        };
        let of = |view: &&PositionView| view.subject == subject(10);
        positions.iter().find(of).map_or(0, |view| view.worth.0)
    }
}

#[test]
fn a_slash_takes_rewards_first_and_all_stakers_alike() {
    let mut bench = Bench::staked(600, 300);
    bench
        .act(ANN, StakeAction::Unbond { subject: subject(10), amount: Some(Tokens(100)) })
        .unwrap();
    bench
        .act(OWNER, StakeAction::SetBribe { subject: subject(10), share: Share::percent(50) })
        .unwrap();
    bench.wait(50);
    bench.reward(40);
    assert_eq!((bench.pool().owed, bench.pool().rewards), (Tokens(20), Tokens(20)));
    // All at risk: 800 bonded, 100 unbonding, 40 of rewards; 30 % of 940.
    let slashed = bench.slash(Offence::StatisticalFailure, Risk::All);
    let expected = Slashed {
        taken: Tokens(282),
        from_rewards: Tokens(40),
        burned: Tokens(142),
        reporter: Tokens(84),
        affected: Tokens(56),
        treasury: Tokens(0),
    };
    assert_eq!(slashed, expected);
    // 242 of 900: 216 (215.1 and a unit of dust) and 26 (26.9).
    let pool = bench.pool();
    assert_eq!((pool.owed, pool.rewards), (Tokens::ZERO, Tokens::ZERO));
    assert_eq!((pool.tokens, pool.unbonding), (Tokens(584), Tokens(74)));
    assert_eq!((bench.worth(OWNER), bench.worth(ANN)), (438, 146));
    assert_eq!(pool.standing, Standing::Jailed(START + 50 + 60));
    let ann = bench.tokens(ANN);
    bench.wait(50);
    assert_eq!(bench.tokens(ANN), ann + 74, "what unbonds was slashed, too");
}

#[test]
fn the_second_time_ejects_for_good() {
    let mut bench = Bench::staked(600, 300);
    bench.slash(Offence::StatisticalFailure, Risk::All);
    bench.wait(1_000);
    let slashed = bench.slash(Offence::StatisticalFailure, Risk::All);
    assert_eq!(slashed.taken, Tokens(630));
    assert_eq!(bench.pool().standing, Standing::Ejected);
    let subject = subject(10);
    let amount = Tokens(1);
    assert_eq!(bench.act(OWNER, StakeAction::Bond { subject, amount }), Err("stake_ejected"));
    assert_eq!(bench.act(OWNER, StakeAction::Unjail { subject }), Err("stake_ejected"));
    let (role, owner, commission) = (Role::Provider, account(ANN), Share::ZERO);
    let again = StakeAction::Enroll { role, owner, commission };
    assert_eq!(bench.act(10, again), Err("stake_enrolled"));
    assert_eq!(bench.act(ANN, StakeAction::Unbond { subject, amount: None }), Ok(()));
    let gone = StakeAction::Unbond { subject, amount: None };
    assert_eq!(bench.act(ANN, gone), Err("stake_no_position"));
}

#[test]
fn outside_the_window_it_is_the_first_time_again() {
    let mut bench = Bench::staked(600, 300);
    bench.slash(Offence::StatisticalFailure, Risk::All);
    bench.wait(1_001);
    assert_eq!(bench.slash(Offence::StatisticalFailure, Risk::All).taken, Tokens(189));
}

#[test]
fn who_comes_after_a_total_loss_begins_anew() {
    let mut bench = Bench::staked(600, 300);
    bench.slash(Offence::Malice, Risk::All);
    assert_eq!((bench.pool().tokens, bench.pool().era), (Tokens::ZERO, 1));
    let subject = subject(10);
    bench.act(OWNER, StakeAction::Bond { subject, amount: Tokens(500) }).unwrap();
    assert_eq!((bench.worth(OWNER), bench.worth(ANN)), (500, 0));
    assert_eq!(bench.act(ANN, StakeAction::Claim { subject }), Err("stake_nothing_to_claim"));
    assert_eq!(bench.act(ANN, StakeAction::Unbond { subject, amount: None }), Ok(()));
    assert_eq!(bench.act(OWNER, StakeAction::Unjail { subject }), Err("stake_jailed_until"));
    bench.wait(10);
    assert_eq!(bench.act(10, StakeAction::Unjail { subject }), Ok(()), "the node itself may");
    assert_eq!(bench.act(10, StakeAction::Unjail { subject }), Err("stake_not_jailed"));
}

#[test]
fn one_third_of_a_container_is_exactly_that() {
    let mut rules = rules();
    rules.provider.required.formula = Formula::Coefficient;
    rules.provider.required.amount = Tokens(1_334_220_000_000);
    rules.offences.push(offence(Offence::FakeHardware, &["100%"], 0, 0));
    let mut bench = Bench::new(rules);
    let supply = Tokens(10_000_000_000_000);
    bench.state.mint_tokens(Holder::Account(account(OWNER)), supply, Flow::Genesis).unwrap();
    let bond = StakeAction::Bond { subject: subject(10), amount: Tokens(4_000_000_000_000) };
    bench.act(OWNER, bond).unwrap();
    let container = || Risk::Load(Load { count: 1, weight: crate::math::Fixed::ONE });
    let third = bench.slash(Offence::Interruption, container());
    assert_eq!(third.taken, Tokens(444_740_000_000));
    let full = bench.slash(Offence::FakeHardware, container());
    assert_eq!(full.taken, Tokens(1_334_220_000_000));
}

#[test]
fn a_slash_reaches_a_co_staker_and_its_rewards() {
    let mut bench = Bench::staked(600, 1);
    let (subject, share) = (subject(10), Share::percent(25));
    let amount = Tokens(400);
    bench.act(OWNER, StakeAction::OfferCoStake { subject, amount, share }).unwrap();
    bench.act(BEN, StakeAction::AcceptCoStake { subject, amount, share }).unwrap();
    bench.reward(80);
    let co_stake = bench.pool().co_stake.unwrap();
    assert_eq!((co_stake.rewards, bench.pool().owed), (Tokens(20), Tokens(60)));
    let slashed = bench.slash(Offence::Interruption, Risk::Tokens(Tokens(120)));
    assert_eq!((slashed.taken, slashed.from_rewards), (Tokens(40), Tokens(40)));
    let co_stake = bench.pool().co_stake.unwrap();
    assert_eq!((co_stake.rewards, bench.pool().owed), (Tokens(10), Tokens(30)));
    let slashed = bench.slash(Offence::Malice, Risk::Tokens(Tokens(140)));
    assert_eq!((slashed.taken, slashed.from_rewards), (Tokens(140), Tokens(40)));
    assert_eq!(bench.pool().co_stake.unwrap().tokens, Tokens(361), "39.96, and dust on others");
}

#[test]
fn what_the_table_does_not_name_costs_nothing() {
    let mut bench = Bench::staked(600, 300);
    assert_eq!(bench.slash(Offence::Offline, Risk::All), Slashed::default());
    let slashed = bench.slash(Offence::Timeout, Risk::Tokens(Tokens(u128::MAX)));
    assert_eq!(slashed.taken, Tokens(900), "never more than there is");
}

#[test]
fn one_slash_is_capped_unless_it_ejects() {
    let mut rules = rules();
    rules.slash_cap = Share::percent(5);
    let mut bench = Bench::new(rules);
    let bond = StakeAction::Bond { subject: subject(10), amount: Tokens(1_000) };
    bench.act(OWNER, bond).unwrap();
    assert_eq!(bench.slash(Offence::StatisticalFailure, Risk::All).taken, Tokens(50));
    assert_eq!(bench.slash(Offence::StatisticalFailure, Risk::All).taken, Tokens(950));
}

#[test]
fn rewards_make_good_what_was_lost_before_any_is_taken() {
    let mut bench = Bench::staked(500, 500);
    let subject = subject(10);
    let share = Share::percent(90);
    bench.act(OWNER, StakeAction::SetBribe { subject, share }).unwrap();
    bench.wait(50);
    bench.slash(Offence::Malice, Risk::Tokens(Tokens(400)));
    bench.act(BEN, StakeAction::Delegate { subject, amount: Tokens(600) }).unwrap();
    bench.reward(200);
    // 180 for 1,200 of stake: Ben earned 90; Ann's 300 are worth 345 of the 500 she put in.
    assert_eq!((bench.worth(ANN), bench.worth(BEN)), (345, 690));
    let ben = bench.tokens(BEN);
    bench.act(BEN, StakeAction::Claim { subject }).unwrap();
    assert_eq!(bench.tokens(BEN), ben + 90);
    assert_eq!(bench.act(ANN, StakeAction::Claim { subject }), Err("stake_nothing_to_claim"));
    // The shares that the claim cost were rounded up: 599.99 of Ben's 600 are left.
    assert_eq!((bench.worth(ANN), bench.worth(BEN)), (345, 599));
    bench.act(ANN, StakeAction::Unbond { subject, amount: None }).unwrap();
    bench.act(BEN, StakeAction::Unbond { subject, amount: None }).unwrap();
    bench.act(OWNER, StakeAction::Unbond { subject, amount: None }).unwrap();
    assert_eq!(bench.pool().value(), 0, "the last one out has the dust");
}

#[test]
fn only_so_many_slashes_are_remembered() {
    let mut bench = Bench::staked(600, 300);
    let rest = SLASHES_KEPT + 3;
    for _ in 0..rest {
        let charge = Charge {
            subject: subject(10),
            offence: Offence::Timeout,
            at_risk: Risk::Tokens(Tokens::ZERO),
            reporter: None,
            affected: &[],
            now: bench.now,
        };
        bench.state.slash(&charge).unwrap();
    }
    let StakeAnswer::Slashes(kept) = answer(&bench.state, bench.now, &StakeQuery::Slashes(None))
    else {
        panic!()
    };
    assert_eq!(kept.first().map(|entry| entry.sequence), Some(3));
    assert_eq!(kept.len() as u64, SLASHES_KEPT);
}

/// What may happen to node 10.
#[derive(Clone, Debug)]
enum Event {
    Act(u8, StakeAction),
    Reward(u128),
    Slash(Offence, Option<u128>),
    Wait(u64),
}

fn amount() -> impl Strategy<Value = Tokens> {
    prop_oneof![6 => 0..5_000_u128, 1 => Just(u128::MAX), 2 => 0..4_u128].prop_map(Tokens)
}

fn event() -> impl Strategy<Value = Event> {
    let (ten, eleven) = (subject(10), subject(11));
    let who = || prop::sample::select(vec![OWNER, ANN, BEN]);
    let act = |who, action| Event::Act(who, action);
    let part = || prop::option::weighted(0.7, amount());
    prop_oneof![
        3 => amount().prop_map(move |amount| act(OWNER, bond(amount))),
        4 => (who(), amount()).prop_map(move |(who, amount)| act(who, delegate(amount))),
        4 => (who(), part()).prop_map(move |(who, amount)| act(who, unbond(10, amount))),
        1 => (who(), 0..20_u64).prop_map(move |(who, unbonding)| {
            act(who, StakeAction::CancelUnbonding { unbonding })
        }),
        1 => (who(), part(), any::<bool>()).prop_map(move |(who, amount, there)| {
            let (from, to) = if there { (ten, eleven) } else { (eleven, ten) };
            act(who, StakeAction::Move { from, to, amount })
        }),
        2 => who().prop_map(move |who| act(who, StakeAction::Claim { subject: ten })),
        1 => (0..=90_u64).prop_map(move |share| {
            act(OWNER, StakeAction::SetBribe { subject: ten, share: Share::percent(share) })
        }),
        1 => Just(act(OWNER, StakeAction::OfferCoStake {
            subject: ten, amount: Tokens(50), share: Share::percent(30),
        })),
        1 => Just(act(BEN, StakeAction::AcceptCoStake {
            subject: ten, amount: Tokens(50), share: Share::percent(30),
        })),
        1 => who().prop_map(move |who| act(who, StakeAction::EndCoStake { subject: ten })),
        1 => Just(act(OWNER, StakeAction::Unjail { subject: ten })),
        3 => (0..3_000_u128).prop_map(Event::Reward),
        2 => (
            prop::sample::select(vec![Offence::Timeout, Offence::Interruption, Offence::Malice]),
            prop::option::weighted(0.8, 0..2_000_u128),
        )
            .prop_map(|(offence, at_risk)| Event::Slash(offence, at_risk)),
        3 => (0..90_u64).prop_map(Event::Wait),
    ]
}

/// One event; every invariant is audited after it.
fn play(bench: &mut Bench, event: Event) -> Result<(), TestCaseError> {
    let holders = [OWNER, ANN, BEN];
    let before = holders.map(|who| bench.worth(who));
    let lost = match event {
        Event::Act(who, action) => {
            let _ = bench.act(who, action);
            Some(who)
        }
        Event::Reward(amount) if bench.tokens(BEN) < amount => None,
        Event::Reward(amount) => {
            bench.reward(amount);
            None
        }
        Event::Wait(time) => {
            bench.wait(time);
            None
        }
        Event::Slash(offence, at_risk) => {
            let (pool, held) = (bench.pool(), bench.state.vault(Vault::Stake).tokens);
            let at_risk = at_risk.map_or(Risk::All, |tokens| Risk::Tokens(Tokens(tokens)));
            let slashed = bench.slash(offence, at_risk.clone());
            if let Risk::Tokens(most) = at_risk {
                prop_assert!(slashed.taken <= most);
            }
            let given = slashed.burned.0 + slashed.reporter.0 + slashed.affected.0;
            prop_assert_eq!(slashed.taken.0, given);
            let from_stake = slashed.taken.0 - slashed.from_rewards.0;
            prop_assert!(from_stake <= pool.stake().0 + pool.unbonding.0 && from_stake <= held.0);
            return Ok(());
        }
    };
    for (who, before) in holders.into_iter().zip(before) {
        let after = bench.worth(who);
        prop_assert!(Some(who) == lost || after + 1 >= before, "{who} lost by another's action");
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_interleaving_keeps_the_books(
        events in prop::collection::vec(event(), 1..40), compound: bool, vesting in 0..2_u64
    ) {
        let mut rules = rules();
        rules.compound = compound;
        rules.reward_vesting = Period(vesting * 500);
        let mut bench = Bench::new(rules);
        for event in events {
            play(&mut bench, event)?;
        }
        // Everybody leaves: nothing of the stake is left behind.
        for who in [OWNER, ANN, BEN] {
            for node in [10, 11] {
                let _ = bench.act(who, StakeAction::EndCoStake { subject: subject(node) });
                let _ = bench.act(who, unbond(node, None));
            }
        }
        bench.wait(100);
        prop_assert_eq!(bench.state.vault(Vault::Stake).tokens, Tokens::ZERO);
    }
}
