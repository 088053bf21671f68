//! Reports, true and false, and claims; epochs of two clocks end within a history.

use remuda_ledger::Action;
use remuda_ledger::epochs::formulas::Formula;
use remuda_ledger::epochs::{
    CapacityEntry, CoverageEntry, Density, DutyEntry, EpochAction, Facts, Recipient, Rules,
    Schedule, Split, Stream, Unclaimed, UptimeEntry,
};
use remuda_ledger::math::{Fixed, Period, Share};
use remuda_types::{Hash, Tokens};

use crate::world::{account_of, alice, key};

/// Short epochs, few records a block: closing takes several blocks.
pub(super) fn rules() -> Rules {
    let percent = Share::percent;
    let split = Split {
        capacity: percent(50),
        work: percent(20),
        checkers: percent(15),
        validators: percent(10),
        treasury: percent(5),
        ..Split::default()
    };
    let decay = Schedule::Decay {
        first: "0.00000101".parse().unwrap(),
        decay: "0.03".parse().unwrap(),
        epochs: 20,
    };
    let demand = Schedule::Demand {
        first: Tokens(50),
        least: Tokens(5),
        most: Tokens(90),
        step: percent(10),
    };
    let main = Stream {
        length: Period(35),
        schedule: decay,
        cap: Tokens(9_000),
        recycle: Tokens(40),
        split,
        unclaimed: Unclaimed::Carried,
        ..Stream::default()
    };
    let other = Stream {
        name: "other".into(),
        length: Period(90),
        schedule: demand,
        unclaimed: Unclaimed::Treasury,
        ..main.clone()
    };
    Rules {
        streams: vec![main, other],
        epochs_per_block: 2,
        items_per_block: 3,
        reporters: vec![account_of(&alice())],
        report_life: Period(80),
        uptime_default: percent(50),
        capacity: Formula::Root { most: Fixed::ZERO },
        ..Rules::default()
    }
}

/// What somebody tries.
pub(super) fn action(what: u8, amount: u64) -> Action {
    let node = key([20, 21, 10][usize::try_from(amount % 3).unwrap()]).public();
    let device = Hash([u8::try_from(amount % 4).unwrap(); 32]);
    let small = i128::from(amount % 2_000) - 400;
    let action = match what % 8 {
        0 | 1 => {
            let facts = Facts { score: Fixed(small * Fixed::SCALE / 7), ..Facts::default() };
            let entries = vec![CapacityEntry { provider: node, device, facts }];
            EpochAction::ReportCapacity { entries }
        }
        2 => {
            let uptime = Share::percent(amount % 101);
            let entries = vec![UptimeEntry { provider: node, device, uptime }];
            EpochAction::ReportUptime { entries }
        }
        3 => {
            let level = Density { limit: 1, count: u32::try_from(amount % 5).unwrap() };
            let entries = vec![CoverageEntry { provider: node, device, density: vec![level] }];
            EpochAction::ReportCoverage { entries }
        }
        4 | 5 => {
            let recipients = [Recipient::Checkers, Recipient::Validators, Recipient::Work];
            let recipient = recipients[usize::from(what / 8 % 3)];
            EpochAction::ReportDuty { recipient, entries: vec![DutyEntry { node, weight: amount }] }
        }
        _ => EpochAction::ClaimRewards,
    };
    Action::Epochs(action)
}
