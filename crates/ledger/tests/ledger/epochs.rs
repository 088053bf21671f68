//! Epochs: the clock, the split, what is owed, and every refusal.

mod rewards;
mod stakes;

use remuda_ledger::epochs::{
    CapacityEntry, CoverageEntry, Density, DutyEntry, EpochAction, EpochAnswer, EpochQuery,
    EpochSplit, Facts, Forecast, Recipient, Rules, Schedule, Split, Stream, StreamState,
    UptimeEntry,
};
use remuda_ledger::math::{Fixed, Period, Share};
use remuda_ledger::{Action, Answer, Economy, Query, Vault};
use remuda_types::{Credits, Hash, SecretKey, Tokens};

use crate::world::*;

/// Who may report.
fn reporter() -> SecretKey {
    key(40)
}

fn fixed(text: &str) -> Fixed {
    text.parse().unwrap()
}

/// A stream of 1,000 base units an hour, all for capacity.
fn stream() -> Stream {
    Stream {
        schedule: constant("0.000001"),
        split: Split { capacity: Share::ALL, ..Split::default() },
        ..Stream::default()
    }
}

/// So many tokens in each epoch.
fn constant(tokens: &str) -> Schedule {
    Schedule::Stages { epochs: 1, table: vec![fixed(tokens)], factor: Fixed::ONE, stages: 1 << 30 }
}

fn rules(streams: Vec<Stream>) -> Rules {
    Rules {
        streams,
        reporters: vec![account_of(&reporter())],
        uptime_default: Share::ALL,
        ..Rules::default()
    }
}

/// A world whose streams have begun.
fn world(rules: Rules) -> World {
    let mut world = World::with_economy(Economy { epochs: rules, ..Economy::default() });
    world.block(&[]);
    world
}

fn capacity(provider: &SecretKey, device: u8, score: &str) -> CapacityEntry {
    let facts = Facts { score: fixed(score), ..Facts::default() };
    CapacityEntry { provider: provider.public(), device: Hash([device; 32]), facts }
}

fn report(entries: Vec<CapacityEntry>) -> Action {
    Action::Epochs(EpochAction::ReportCapacity { entries })
}

fn uptime(provider: &SecretKey, device: u8, uptime: Share) -> Action {
    let entry = UptimeEntry { provider: provider.public(), device: Hash([device; 32]), uptime };
    Action::Epochs(EpochAction::ReportUptime { entries: vec![entry] })
}

fn coverage(provider: &SecretKey, device: u8, density: Vec<Density>) -> Action {
    let entry = CoverageEntry { provider: provider.public(), device: Hash([device; 32]), density };
    Action::Epochs(EpochAction::ReportCoverage { entries: vec![entry] })
}

fn duty(recipient: Recipient, entries: &[(&SecretKey, u64)]) -> Action {
    let entry =
        |(node, weight): &(&SecretKey, u64)| DutyEntry { node: node.public(), weight: *weight };
    let entries = entries.iter().map(entry).collect();
    Action::Epochs(EpochAction::ReportDuty { recipient, entries })
}

fn claim() -> Action {
    Action::Epochs(EpochAction::ClaimRewards)
}

impl World {
    fn epoch_answer(&self, query: EpochQuery) -> EpochAnswer {
        match self.ledger.query(&Query::Epochs(query)) {
            Answer::Epochs(answer) => *answer,
            other => panic!("{other:?}"),
        }
    }

    fn epoch_owed(&self, key: &SecretKey) -> u128 {
        match self.epoch_answer(EpochQuery::Rewards(account_of(key))) {
            EpochAnswer::Rewards(owed) => owed.0,
            other => panic!("{other:?}"),
        }
    }

    fn epoch_stream(&self) -> StreamState {
        match self.epoch_answer(EpochQuery::Streams) {
            EpochAnswer::Streams(mut streams) => streams.swap_remove(0).1,
            other => panic!("{other:?}"),
        }
    }

    fn epoch_splits(&self, stream: &str) -> Vec<EpochSplit> {
        match self.epoch_answer(EpochQuery::Splits { stream: stream.into(), count: u32::MAX }) {
            EpochAnswer::Splits(splits) => splits,
            other => panic!("{other:?}"),
        }
    }

    fn epoch_forecast(&self, count: u32) -> Option<Forecast> {
        match self.epoch_answer(EpochQuery::Forecast { stream: "main".into(), count }) {
            EpochAnswer::Forecast(forecast) => forecast,
            other => panic!("{other:?}"),
        }
    }

    fn epoch_vault(&self, vault: Vault) -> u128 {
        match self.ledger.query(&Query::Vault(vault)) {
            Answer::Vault(purse) => purse.tokens.0,
            other => panic!("{other:?}"),
        }
    }

    /// Block time goes on, with an empty block at the end.
    fn sleep(&mut self, period: Period) {
        self.now += period.ms();
        self.block(&[]);
    }

    /// The reporter reports.
    fn epoch_report(&mut self, action: Action) {
        self.done(&reporter(), action);
    }
}

#[test]
fn an_epoch_ends_on_block_time_and_wants_a_block() {
    let mut world = world(rules(vec![stream()]));
    let end = START + Period::HOUR.ms();
    assert_eq!(world.ledger.next_due(), Some(end));
    world.epoch_report(report(vec![capacity(&node(), 0, "1")]));
    world.sleep(Period(Period::HOUR.ms() - 1));
    assert_eq!((world.epoch_stream().epoch, world.epoch_owed(&node())), (0, 0));
    world.sleep(Period(1));
    assert_eq!((world.epoch_stream().epoch, world.epoch_owed(&node())), (1, 1_000));
    assert_eq!(world.ledger.next_due(), Some(end + Period::HOUR.ms()));
}

#[test]
fn a_network_without_streams_wants_no_block() {
    let world = World::new();
    assert_eq!(world.ledger.next_due(), None);
}

#[test]
fn a_stream_begins_at_once_and_its_epochs_after_the_delay() {
    let delay = Period::DAY;
    let rules = rules(vec![Stream { delay, ..stream() }]);
    let mut world = World::with_economy(Economy { epochs: rules, ..Economy::default() });
    assert_eq!(world.ledger.next_due(), Some(0));
    world.block(&[]);
    assert_eq!(world.ledger.next_due(), Some(START + delay.ms() + Period::HOUR.ms()));
}

#[test]
fn several_epochs_due_are_closed_one_by_one_a_few_a_block() {
    let mut world = world(Rules { epochs_per_block: 3, ..rules(vec![stream()]) });
    world.epoch_report(report(vec![capacity(&node(), 0, "1")]));
    world.sleep(Period::HOUR.times(8));
    assert_eq!((world.epoch_stream().epoch, world.epoch_owed(&node())), (3, 3_000));
    // The next block is due at once.
    assert!(world.ledger.next_due().unwrap() <= world.now);
    world.block(&[]);
    world.block(&[]);
    assert_eq!((world.epoch_stream().epoch, world.epoch_owed(&node())), (8, 8_000));
    assert!(world.ledger.next_due().unwrap() > world.now);
    let numbers: Vec<u64> = world.epoch_splits("main").iter().map(|split| split.epoch).collect();
    assert_eq!(numbers, [7, 6, 5, 4, 3, 2, 1, 0]);
}

/// Streams that end together take turns over many blocks. Who makes blocks takes the time that
/// is due twice as a rule that cannot go on, so each of these blocks is due at another.
#[test]
fn what_waits_for_its_turn_wants_each_next_block() {
    let other = Stream { name: "other".into(), ..stream() };
    let mut world = world(Rules { epochs_per_block: 1, ..rules(vec![stream(), other]) });
    world.sleep(Period::HOUR.times(20));
    let mut served = None;
    let mut blocks = 1;
    while world.ledger.next_due().unwrap() <= world.now {
        assert_ne!(world.ledger.next_due(), served);
        served = world.ledger.next_due();
        world.block(&[]);
        blocks += 1;
    }
    assert_eq!(blocks, 2 * 20);
    for name in ["main", "other"] {
        assert_eq!(world.epoch_splits(name).len(), 20);
    }
}

/// However little a block may do, the same is paid in the end.
#[test]
fn closing_in_pieces_pays_the_same() {
    let owed = |items_per_block| {
        let mut world = world(Rules { items_per_block, ..rules(vec![stream()]) });
        let entries = (0..20).map(|index| {
            let score = (u32::from(index) * 7 + 1).to_string();
            capacity(&key(60 + index % 7), index, &score)
        });
        world.epoch_report(report(entries.collect()));
        world.sleep(Period::HOUR);
        let mut blocks = 1;
        while world.epoch_stream().closing.is_some() {
            assert!(world.ledger.next_due().unwrap() <= world.now);
            world.block(&[]);
            blocks += 1;
        }
        let owed: Vec<u128> = (60..67).map(|index| world.epoch_owed(&key(index))).collect();
        assert_eq!(owed.iter().sum::<u128>(), 1_000);
        (owed, blocks)
    };
    let (at_once, one) = owed(4_096);
    let (in_pieces, many) = owed(3);
    assert_eq!((at_once, one), (in_pieces, 1));
    assert!(many > 15, "{many}");
}

#[test]
fn streams_have_clocks_of_their_own() {
    let daily = Stream {
        name: "bonus".into(),
        length: Period::DAY,
        schedule: constant("0.000007"),
        split: Split { checkers: Share::ALL, ..Split::default() },
        ..Stream::default()
    };
    let mut world = world(Rules { epochs_per_block: 64, ..rules(vec![stream(), daily]) });
    world.epoch_report(report(vec![capacity(&node(), 0, "1")]));
    world.epoch_report(duty(Recipient::Checkers, &[(&key(21), 3), (&key(22), 4)]));
    world.sleep(Period::HOUR.times(23));
    assert_eq!((world.epoch_owed(&node()), world.epoch_owed(&key(21))), (23_000, 0));
    world.sleep(Period::HOUR);
    assert_eq!((world.epoch_owed(&node()), world.epoch_owed(&key(21))), (24_000, 3_000));
    assert_eq!(world.epoch_owed(&key(22)), 4_000);
    // What was noted counted once.
    world.sleep(Period::DAY);
    assert_eq!(world.epoch_owed(&key(22)), 4_000);
}

#[test]
fn rewards_are_claimed_by_the_reward_account() {
    let mut world = world(rules(vec![stream()]));
    let reward = account_of(&bob());
    world.done(&node(), Action::RegisterProvider { reward, name: "n".into() });
    world.epoch_report(report(vec![capacity(&node(), 0, "1")]));
    world.sleep(Period::HOUR);
    assert_eq!((world.epoch_owed(&node()), world.epoch_owed(&bob())), (0, 1_000));
    assert_eq!(world.epoch_vault(Vault::EpochRewards), 1_000);
    assert_eq!(world.refused(&node(), claim()), "epoch_nothing_to_claim");
    world.done(&bob(), claim());
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS + 1_000));
    assert_eq!(world.epoch_vault(Vault::EpochRewards), 0);
    assert_eq!(world.refused(&bob(), claim()), "epoch_nothing_to_claim");
}

#[test]
fn rewards_may_be_paid_without_a_claim() {
    let mut world = world(Rules { auto_pay: true, ..rules(vec![stream()]) });
    world.epoch_report(report(vec![capacity(&node(), 0, "1")]));
    world.sleep(Period::HOUR);
    assert_eq!((world.epoch_owed(&node()), world.account(&node()).tokens), (0, Tokens(1_000)));
}

#[test]
fn reports_are_refused_by_name() {
    let mut world = world(Rules { devices_max: 2, ..rules(vec![stream()]) });
    let fine = report(vec![capacity(&node(), 0, "1")]);
    assert_eq!(world.refused(&alice(), fine.clone()), "epoch_not_reporter");
    let refuse = |world: &mut World, action| world.refused(&reporter(), action);
    assert_eq!(refuse(&mut world, report(vec![])), "epoch_entry_count");
    let many = report(vec![capacity(&node(), 0, "1"); 65]);
    assert_eq!(refuse(&mut world, many), "epoch_entry_count");
    let early = uptime(&node(), 0, Share::ALL);
    assert_eq!(refuse(&mut world, early), "epoch_unknown_device");
    assert_eq!(refuse(&mut world, coverage(&node(), 0, vec![])), "epoch_unknown_device");
    let gone = report(vec![capacity(&node(), 0, "0")]);
    assert_eq!(refuse(&mut world, gone.clone()), "epoch_unknown_device");
    for wrong in ["-1", "1000000000.1"] {
        let action = report(vec![capacity(&node(), 0, wrong)]);
        assert_eq!(refuse(&mut world, action), "epoch_fact");
    }
    let mut none = capacity(&node(), 0, "1");
    none.facts.count = 0;
    // One wrong entry refuses them all.
    let action = report(vec![capacity(&node(), 1, "1"), none]);
    assert_eq!(refuse(&mut world, action), "epoch_fact");
    world.epoch_report(fine);
    let level = Density { limit: 1, count: 1 };
    assert_eq!(refuse(&mut world, coverage(&node(), 0, vec![level; 9])), "epoch_fact");
    let empty = Density { limit: 0, count: 1 };
    assert_eq!(refuse(&mut world, coverage(&node(), 0, vec![empty])), "epoch_fact");
    world.epoch_report(report(vec![capacity(&node(), 1, "1")]));
    let third = report(vec![capacity(&node(), 2, "1")]);
    assert_eq!(refuse(&mut world, third.clone()), "epoch_device_limit");
    world.epoch_report(gone);
    world.epoch_report(third);
    for recipient in [Recipient::Capacity, Recipient::Work, Recipient::Treasury] {
        let action = duty(recipient, &[(&node(), 1)]);
        assert_eq!(refuse(&mut world, action), "epoch_not_reported");
    }
}

#[test]
fn forecasts_say_what_will_be_minted() {
    let first = Fixed::ratio(40_000_000, 8_760).unwrap();
    let schedule =
        Schedule::Decay { first, decay: fixed("0.0000138869523959793"), epochs: 175_319 };
    let cap = Tokens(9_000_000_000_000);
    let mut world = world(rules(vec![Stream { schedule, cap, ..stream() }]));
    let forecast = world.epoch_forecast(3).unwrap();
    let expected = [4_566_210_045_662, 4_433_789_954_338, 0].map(Tokens);
    assert_eq!((forecast.epoch, forecast.amounts), (0, expected.to_vec()));
    assert_eq!(forecast.supply, Tokens(2 * TOKENS + cap.0));
    assert_eq!(world.epoch_forecast(5_000).map(|forecast| forecast.amounts.len()), Some(1_024));
    let scheduled = |world: &World, epochs| {
        world.epoch_answer(EpochQuery::Scheduled { stream: "main".into(), epochs })
    };
    let sum = EpochAnswer::Scheduled(Some(Tokens(4_566_210_045_662)));
    assert_eq!(scheduled(&world, 1), sum);
    assert_eq!(scheduled(&world, u64::MAX), EpochAnswer::Scheduled(Some(cap)));
    let unknown = EpochQuery::Forecast { stream: "none".into(), count: 1 };
    assert_eq!(world.epoch_answer(unknown), EpochAnswer::Forecast(None));
    world.epoch_report(report(vec![capacity(&node(), 0, "1")]));
    world.sleep(Period::HOUR.times(5));
    assert_eq!(world.epoch_owed(&node()), cap.0);
}

#[test]
fn devices_can_be_asked_for() {
    let mut world = world(rules(vec![stream()]));
    world.epoch_report(report(vec![capacity(&node(), 3, "2"), capacity(&node(), 4, "1")]));
    let query = EpochQuery::Device { provider: node().public(), device: Hash([3; 32]) };
    let EpochAnswer::Device(Some(device)) = world.epoch_answer(query) else { panic!() };
    assert_eq!((device.facts.score, device.since), (fixed("2"), world.now));
    let EpochAnswer::Devices(devices) = world.epoch_answer(EpochQuery::DevicesOf(node().public()))
    else {
        panic!()
    };
    assert_eq!(devices.len(), 2);
}
