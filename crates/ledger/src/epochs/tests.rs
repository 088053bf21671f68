//! κ and recycling, on a state whose burns are made at will.

use std::sync::Arc;

use proptest::prelude::*;
use remuda_types::{AccountId, Hash, PublicKey, Tokens};

use super::*;
use crate::Economy;
use crate::cycle::Cycle;
use crate::genesis::Parameters;
use crate::math::{Period, Share};
use crate::money::{Flow, Holder};
use crate::state::{Row, State};

const PURSE: u128 = 1_000_000;

fn account(index: u8) -> AccountId {
    PublicKey([index; 32]).into()
}

/// A network that gives 10,000 an hour for work, and its clock.
struct Net {
    state: State,
    cycle: Cycle,
}

impl Net {
    fn new(change: impl FnOnce(&mut Rules)) -> Self {
        let schedule = Schedule::Stages {
            epochs: 1,
            table: vec!["0.00001".parse().unwrap()],
            factor: crate::math::Fixed::ONE,
            stages: u32::MAX,
        };
        let split = Split { work: Share::ALL, ..Split::default() };
        let mut rules = Rules {
            streams: vec![Stream { schedule, split, ..Stream::default() }],
            ..Rules::default()
        };
        change(&mut rules);
        let economy = Arc::new(Economy { epochs: rules, ..Economy::default() });
        economy.validate().unwrap();
        let mut state = State::default();
        state.write(Row::Economy((), Some(economy.clone())));
        for index in 0..4 {
            let holder = Holder::Account(account(index));
            state.mint_tokens(holder, Tokens(PURSE), Flow::Genesis).unwrap();
        }
        let (before, parameters, beacon) = (0, Parameters::default(), Hash([0; 32]));
        let cycle = Cycle { now: 0, before, height: 1, weight: 0, beacon, economy, parameters };
        let mut net = Self { state, cycle };
        net.pass(Period(0));
        net
    }

    fn pass(&mut self, period: Period) {
        self.cycle.before = self.cycle.now;
        self.cycle.now += period.ms();
        run(&mut self.state, &self.cycle).unwrap();
        audit(&self.state).unwrap();
    }

    fn burn(&mut self, index: u8, amount: u128, flow: Flow) {
        self.state.burn_tokens(Holder::Account(account(index)), Tokens(amount), flow).unwrap();
    }

    fn work(&mut self, index: u8, credits: u64) {
        let credits = remuda_types::Credits(credits);
        self.state.note_work(PublicKey([index; 32]), credits).unwrap();
    }

    fn owed(&self, index: u8) -> u128 {
        self.state.rewards_of(&account(index)).0
    }
}

#[test]
fn work_mints_at_most_kappa_times_the_burn() {
    let mut net = Net::new(|rules| rules.work.kappa = Some(Share::percent(80)));
    net.work(1, 5);
    net.work(2, 5);
    net.burn(0, 1_000, Flow::CreditPurchase);
    net.burn(0, 400, Flow::JobFee);
    net.burn(0, 100, Flow::BaseFee);
    // Not for work.
    net.burn(0, 70_000, Flow::Offering);
    net.pass(Period::HOUR);
    assert_eq!((net.owed(1), net.owed(2)), (600, 600));
    // A burn counts in one epoch only.
    net.work(1, 5);
    net.pass(Period::HOUR);
    assert_eq!(net.owed(1), 600);
    // Beyond the schedule nothing is minted, however much is burned.
    net.burn(0, 500_000, Flow::CreditPurchase);
    net.work(1, 5);
    net.pass(Period::HOUR);
    assert_eq!(net.owed(1), 10_600);
}

#[test]
fn purchases_that_settlements_mint_again_do_not_count() {
    let mut net = Net::new(|rules| {
        rules.work.kappa = Some(Share::ALL);
        rules.work.purchases = Share::percent(5);
    });
    net.work(1, 1);
    net.burn(0, 1_000, Flow::CreditPurchase);
    net.burn(0, 7, Flow::JobFee);
    net.pass(Period::HOUR);
    assert_eq!(net.owed(1), 57);
}

#[test]
fn burned_tokens_are_given_again_up_to_a_bound() {
    let mut net = Net::new(|rules| rules.streams[0].recycle = Tokens(500));
    net.burn(0, 300, Flow::Offering);
    net.work(1, 1);
    net.pass(Period::HOUR);
    assert_eq!(net.owed(1), 10_300);
    net.burn(0, 3_000, Flow::Offering);
    net.work(1, 1);
    net.pass(Period::HOUR);
    assert_eq!(net.owed(1), 20_800);
}

#[test]
fn supply_tracks_demand() {
    let mut net = Net::new(|rules| {
        rules.streams[0].schedule = Schedule::Demand {
            first: Tokens(1_000),
            least: Tokens(100),
            most: Tokens(2_000),
            step: Share::percent(50),
        };
    });
    net.work(1, 1);
    net.pass(Period::HOUR);
    assert_eq!(net.owed(1), 1_000);
    net.burn(0, 1_001, Flow::JobFee);
    net.work(1, 1);
    net.pass(Period::HOUR);
    assert_eq!(net.owed(1), 2_500);
    net.work(1, 1);
    net.pass(Period::HOUR);
    assert_eq!(net.owed(1), 3_250);
}

proptest! {
    /// Somebody who burns and works for itself, beside honest others, gets back at most κ
    /// times what all burned in proportion to its part of the work; alone, at most κ times
    /// what it burned itself: it never gains.
    #[test]
    fn paying_oneself_never_profits(
        kappa in 0_u64..=100,
        hours in prop::collection::vec((0_u64..3_000, 0_u64..3_000, 1_u64..10), 1..12),
    ) {
        // One credit costs `price` tokens in an hour, for everyone.
        let mut net = Net::new(|rules| rules.work.kappa = Some(Share::percent(kappa)));
        let mut spent = 0;
        for (own, others, price) in hours {
            net.burn(1, u128::from(own * price), Flow::CreditPurchase);
            net.burn(2, u128::from(others * price), Flow::CreditPurchase);
            net.work(1, own);
            net.work(3, others);
            spent += u128::from(own * price);
            net.pass(Period::HOUR);
            prop_assert!(net.owed(1) <= spent, "{}", net.owed(1));
        }
    }
}
