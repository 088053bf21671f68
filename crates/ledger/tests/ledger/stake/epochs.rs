//! Stake in epochs: what it makes of devices, and who shares in their rewards.

use remuda_ledger::epochs::{CapacityEntry, EpochAction, Facts, Schedule, Split, Stream};
use remuda_ledger::math::{Fixed, Period, Share};
use remuda_ledger::stake::{
    BribeRules, Formula, RampRules, RequiredRules, RoleRules, Rules, Sharing, StakeAction,
};
use remuda_ledger::{Action, Economy};
use remuda_types::{Hash, SecretKey};

use super::*;

const HOUR: u64 = DAY / 24;

/// 900 tokens an hour for one recipient; Bob reports.
fn paying(recipient: fn(&mut Split)) -> impl FnOnce(&mut Economy) {
    move |economy| {
        let table = vec![Fixed::from_integer(900).unwrap()];
        let mut split = Split::default();
        recipient(&mut split);
        economy.epochs.streams = vec![Stream {
            name: "main".into(),
            length: Period::HOUR,
            schedule: Schedule::Stages { epochs: 1, table, factor: Fixed::ONE, stages: 1 << 30 },
            split,
            ..Stream::default()
        }];
        economy.epochs.reporters = vec![account_of(&bob())];
        economy.epochs.uptime_default = Share::ALL;
    }
}

fn device(node: &SecretKey) -> CapacityEntry {
    let facts = Facts { score: Fixed::ONE, ..Facts::default() };
    CapacityEntry { provider: node.public(), device: Hash([1; 32]), facts }
}

/// Two equal devices, one with half of the stake that full efficiency takes: one third and two
/// thirds; then the second node's bribe gives 40 % of its part to who staked on it.
#[test]
fn stake_raises_what_a_device_earns_and_a_bribe_shares_it() {
    let provider = RoleRules { sharing: Sharing::Bribe, ..open_role() };
    let ramp = RampRules { floor: tokens(10), full: tokens(100) };
    let bribe = BribeRules { most: Share::ALL, notice: Period::HOUR.times(2) };
    let rules = Rules { provider, ramp, bribe, ..basic() };
    let mut world = enrolled_with(rules, paying(|split| split.capacity = Share::ALL));
    let other = subject_of(&key(21));
    world.done(&key(21), enroll_as(Role::Provider, Share::ZERO));
    world.done(&alice(), bond(tokens(50)));
    world.done(&bob(), stake(StakeAction::Delegate { subject: other, amount: tokens(100) }));
    let share = Share::percent(40);
    world.done(&alice(), stake(StakeAction::SetBribe { subject: other, share }));
    let entries = vec![device(&node()), device(&key(21)), device(&key(22))];
    world.done(&bob(), Action::Epochs(EpochAction::ReportCapacity { entries }));
    world.wait(HOUR);
    let (first, second) = (world.subject(subject()).pool.owed, world.subject(other).pool.owed);
    assert_eq!((first, second), (tokens(300), tokens(600)), "no stake, no pay");
    world.wait(HOUR);
    world.wait(HOUR);
    let pool = world.subject(other).pool;
    assert_eq!(world.subject(subject()).pool.owed, tokens(900));
    assert_eq!((pool.owed, pool.rewards), (tokens(600 + 2 * 360), tokens(2 * 240)));
    assert_eq!(world.worth(&bob()), tokens(100 + 2 * 240));
}

#[test]
fn devices_without_the_stake_that_they_require_together_earn_nothing() {
    let amount = tokens(100);
    let required = RequiredRules { formula: Formula::Flat, amount, ..RequiredRules::default() };
    let provider = RoleRules { required, ..open_role() };
    let rules = Rules { provider, ..basic() };
    let mut world = enrolled_with(rules, paying(|split| split.capacity = Share::ALL));
    let second = CapacityEntry { device: Hash([2; 32]), ..device(&node()) };
    let entries = vec![device(&node()), second];
    world.done(&bob(), Action::Epochs(EpochAction::ReportCapacity { entries }));
    world.done(&alice(), bond(tokens(199)));
    world.wait(HOUR);
    assert_eq!(world.subject(subject()).pool.rewards, tokens(0));
    world.done(&alice(), bond(tokens(1)));
    world.wait(HOUR);
    assert_eq!(world.subject(subject()).pool.rewards, tokens(900));
}

#[test]
fn the_part_of_delegators_is_all_theirs() {
    let by_stake = |economy: &mut Economy| {
        paying(|split| split.delegators = Share::ALL)(economy);
        economy.epochs.by_stake = true;
    };
    let mut world = enrolled_with(basic(), by_stake);
    world.done(&node(), enroll_as(Role::Validator, Share::percent(50)));
    let subject = Subject { role: Role::Validator, ..subject() };
    world.done(&alice(), stake(StakeAction::Bond { subject, amount: tokens(100) }));
    world.done(&bob(), stake(StakeAction::Delegate { subject, amount: tokens(200) }));
    world.wait(HOUR);
    assert_eq!(world.subject(subject).pool.owed, tokens(0));
    assert_eq!((world.worth(&alice()), world.worth(&bob())), (tokens(400), tokens(800)));
}
