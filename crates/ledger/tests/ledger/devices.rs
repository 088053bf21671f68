//! Devices, certificates, auditors, and whose say a node's rewards are.

mod licences;

use std::collections::BTreeMap;

use remuda_ledger::devices::*;
use remuda_ledger::math::{Fixed, Period};
use remuda_ledger::{Action, Answer, Economy, Query};
use remuda_types::{Hash, SecretKey, Tokens};

use crate::world::*;

const DAY: u64 = 86_400_000;
const HOUR: u64 = 3_600_000;

fn fixed(text: &str) -> Fixed {
    text.parse().unwrap()
}

fn class(benchmark_min: &str, vram_mib_min: u32) -> ClassRules {
    let benchmark_min = fixed(benchmark_min);
    ClassRules { benchmark_min, vram_mib_min, ..ClassRules::default() }
}

/// io.net's bounds: 8 devices, 12 hours; OctaneBench from 20 points.
fn rules() -> Rules {
    let classes = [("h100", class("20", 80_000)), ("cpu", class("0", 0))];
    Rules {
        enabled: true,
        waiting: Period::HOUR.times(12),
        per_provider_max: 8,
        classes: classes.map(|(name, class)| (name.into(), class)).into(),
        ..Rules::default()
    }
}

fn world_with(devices: Rules) -> World {
    let mut world = World::with_economy(Economy { devices, ..Economy::default() });
    world.done(&node(), provider(&alice()));
    world
}

fn provider(reward: &SecretKey) -> Action {
    Action::RegisterProvider { reward: account_of(reward), name: "p".into() }
}

fn act(action: DevicesAction) -> Action {
    Action::Devices(Box::new(action))
}

fn print(index: u8) -> Hash {
    Hash([index; 32])
}

fn entry(fingerprint: u8, class: &str) -> Action {
    act(DevicesAction::Register {
        fingerprint: print(fingerprint),
        class: class.into(),
        region: "eu-west".into(),
        vram_mib: 81_920,
        attributes: BTreeMap::from([("bus".into(), "pcie5".into())]),
    })
}

fn activate(fingerprint: u8) -> Action {
    act(DevicesAction::Activate { fingerprint: print(fingerprint) })
}

fn retire(fingerprint: u8) -> Action {
    act(DevicesAction::Retire { fingerprint: print(fingerprint) })
}

fn report(fingerprint: u8, points: [&str; 3]) -> Action {
    let [info, direct_light, path_trace] = points.map(fixed);
    let results = BenchmarkResults { info, direct_light, path_trace };
    act(DevicesAction::Report { fingerprint: print(fingerprint), results })
}

fn ask(world: &World, query: DevicesQuery) -> DevicesAnswer {
    match world.ledger.query(&Query::Devices(query)) {
        Answer::Devices(answer) => *answer,
        other => panic!("{other:?}"),
    }
}

fn device(world: &World, fingerprint: u8) -> Option<Device> {
    match ask(world, DevicesQuery::Device(print(fingerprint))) {
        DevicesAnswer::Device(device) => device,
        other => panic!("{other:?}"),
    }
}

fn status(world: &World, fingerprint: u8) -> Option<DeviceStatus> {
    device(world, fingerprint).map(|device| device.status)
}

fn wait(world: &mut World, ms: u64) {
    world.now += ms;
    world.block(&[]);
}

#[test]
fn a_new_device_waits_twelve_hours() {
    let mut world = world_with(rules());
    world.done(&node(), entry(1, "cpu"));
    assert_eq!(status(&world, 1), Some(DeviceStatus::New));
    assert_eq!(world.ledger.next_due(), Some(START + 12 * HOUR));
    assert_eq!(world.refused(&node(), activate(1)), "device_state");
    wait(&mut world, 12 * HOUR - 1);
    assert_eq!(status(&world, 1), Some(DeviceStatus::New));
    wait(&mut world, 1);
    assert_eq!(status(&world, 1), Some(DeviceStatus::Standby));
    assert_eq!(world.ledger.next_due(), None);
    world.done(&node(), activate(1));
    assert_eq!(status(&world, 1), Some(DeviceStatus::Active));
    world.done(&node(), act(DevicesAction::Pause { fingerprint: print(1) }));
    assert_eq!(status(&world, 1), Some(DeviceStatus::Standby));
    let pause = act(DevicesAction::Pause { fingerprint: print(1) });
    assert_eq!(world.refused(&node(), pause), "device_state");
}

#[test]
fn a_fingerprint_is_one_device_in_the_whole_network() {
    let mut world = world_with(rules());
    world.done(&key(21), provider(&bob()));
    world.done(&node(), entry(1, "cpu"));
    assert_eq!(world.refused(&key(21), entry(1, "cpu")), "device_taken");
    assert_eq!(world.refused(&node(), entry(1, "cpu")), "device_taken");
    assert_eq!(world.refused(&key(21), retire(1)), "device_unknown");
    // A changed fingerprint is another device, which waits again.
    wait(&mut world, 12 * HOUR);
    world.done(&node(), entry(2, "cpu"));
    assert_eq!(status(&world, 2), Some(DeviceStatus::New));
    world.done(&node(), retire(1));
    assert_eq!(world.refused(&node(), retire(1)), "device_unknown");
    world.done(&key(21), entry(1, "cpu"));
    assert_eq!(device(&world, 1).unwrap().provider, key(21).public());
    assert_eq!(status(&world, 1), Some(DeviceStatus::New));
}

#[test]
fn a_retired_device_is_forgotten_in_time() {
    let mut world = world_with(rules());
    world.done(&node(), entry(1, "cpu"));
    world.done(&node(), retire(1));
    wait(&mut world, 30 * DAY - 1);
    assert_eq!(status(&world, 1), Some(DeviceStatus::Retired));
    wait(&mut world, 1);
    assert_eq!(status(&world, 1), None);
}

#[test]
fn entries_have_bounds() {
    let mut world = world_with(rules());
    assert_eq!(world.refused(&key(21), entry(1, "cpu")), "unknown_provider");
    assert_eq!(world.refused(&node(), entry(1, "tpu")), "device_class");
    let small = |vram_mib, region: &str, attributes| {
        act(DevicesAction::Register {
            fingerprint: print(1),
            class: "h100".into(),
            region: region.into(),
            vram_mib,
            attributes,
        })
    };
    let none = BTreeMap::new();
    assert_eq!(world.refused(&node(), small(79_999, "eu", none.clone())), "device_memory");
    assert_eq!(world.refused(&node(), small(80_000, "", none)), "text_length");
    let many: BTreeMap<String, String> = (0..33).map(|n| (n.to_string(), "x".into())).collect();
    assert_eq!(world.refused(&node(), small(80_000, "eu", many)), "device_attribute_limit");
    for index in 0..8 {
        world.done(&node(), entry(index, "cpu"));
    }
    assert_eq!(world.refused(&node(), entry(8, "cpu")), "device_limit");
    world.done(&node(), retire(0));
    world.done(&node(), entry(8, "cpu"));
    let mut small = world_with(Rules { devices_max: 1, ..rules() });
    small.done(&node(), entry(1, "cpu"));
    assert_eq!(small.refused(&node(), entry(2, "cpu")), "device_limit");
    let mut off = world_with(Rules::default());
    assert_eq!(off.refused(&node(), entry(1, "cpu")), "device_disabled");
}

/// OctaneBench's example: 920/699/688 are 715.6 points.
#[test]
fn a_score_is_what_was_measured() {
    let mut world = world_with(Rules { waiting: Period(0), ..rules() });
    world.done(&node(), entry(1, "h100"));
    assert_eq!(world.refused(&node(), activate(1)), "device_benchmark_low");
    world.done(&node(), report(1, ["920", "699", "688"]));
    let benchmark = device(&world, 1).unwrap().benchmark.unwrap();
    assert_eq!(benchmark.score.to_string(), "715.6");
    world.done(&node(), activate(1));
    world.done(&node(), report(1, ["19", "20", "20"]));
    assert_eq!(status(&world, 1), Some(DeviceStatus::Standby));
    assert_eq!(world.refused(&node(), report(1, ["-1", "0", "0"])), "device_benchmark_range");
    assert_eq!(world.refused(&key(21), report(1, ["1", "1", "1"])), "device_unknown");
}

#[test]
fn only_reporters_report_where_the_rules_name_them() {
    let reporters = [account_of(&bob())].into();
    let mut world = world_with(Rules { waiting: Period(0), reporters, ..rules() });
    world.done(&node(), entry(1, "h100"));
    let points = ["100", "100", "100"];
    assert_eq!(world.refused(&node(), report(1, points)), "device_not_reporter");
    assert_eq!(world.refused(&bob(), report(2, points)), "device_unknown");
    world.done(&bob(), report(1, points));
    assert_eq!(device(&world, 1).unwrap().benchmark.unwrap().reporter, account_of(&bob()));
}

#[test]
fn a_provider_leaves_with_its_devices() {
    let mut world = world_with(rules());
    world.done(&node(), entry(1, "cpu"));
    world.done(&node(), entry(2, "cpu"));
    let query = || DevicesQuery::DevicesOf(node().public());
    assert!(matches!(ask(&world, query()), DevicesAnswer::Devices(found) if found.len() == 2));
    world.done(&node(), Action::DeregisterProvider);
    assert_eq!(ask(&world, query()), DevicesAnswer::Devices(vec![]));
    assert_eq!(status(&world, 1), Some(DeviceStatus::Retired));
    let page = ask(&world, DevicesQuery::Devices { after: Some(print(1)) });
    assert!(matches!(page, DevicesAnswer::Devices(found) if found.len() == 1));
}

#[test]
fn a_device_is_described_anew() {
    let mut world = world_with(rules());
    world.done(&node(), entry(1, "cpu"));
    let describe = |index: u8| {
        let (region, attributes) = ("us-east".into(), BTreeMap::new());
        act(DevicesAction::Describe { fingerprint: print(index), region, attributes })
    };
    world.done(&node(), describe(1));
    assert_eq!(device(&world, 1).unwrap().region, "us-east");
    assert_eq!(world.refused(&node(), describe(2)), "device_unknown");
}

fn certify(serial: u64, subject: Subject, statement: Statement, valid_until: u64) -> Action {
    act(DevicesAction::Certify { serial, subject, statement, valid_until })
}

fn audit(tier: u8) -> Statement {
    let attributes = BTreeMap::from([("country".into(), "DE".into())]);
    Statement::Audit { tier, evidence: print(9), attributes }
}

fn tier(world: &World, subject: Subject) -> u8 {
    match ask(world, DevicesQuery::AuditTier(subject)) {
        DevicesAnswer::AuditTier(tier) => tier,
        other => panic!("{other:?}"),
    }
}

fn certificate(world: &World, issuer: &SecretKey, serial: u64) -> Option<Certificate> {
    let issuer = account_of(issuer);
    match ask(world, DevicesQuery::Certificate { issuer, serial }) {
        DevicesAnswer::Certificate(found) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_transport_certificate_is_one_s_own_and_lives_a_year() {
    let mut world = world_with(rules());
    let subject = Subject::Node(node().public());
    let statement = Statement::Transport { digest: print(7) };
    let until = START + 365 * DAY;
    let issue = |serial, until| certify(serial, subject, statement.clone(), until);
    assert_eq!(world.refused(&bob(), issue(1, until)), "certificate_subject");
    assert_eq!(world.refused(&node(), issue(1, until + 1)), "certificate_end");
    assert_eq!(world.refused(&node(), issue(1, START)), "certificate_end");
    world.done(&node(), issue(1, until));
    assert_eq!(world.refused(&node(), issue(1, until)), "certificate_serial_taken");
    // The reward account speaks for its node too.
    world.done(&alice(), issue(1, until));
    world.done(&node(), act(DevicesAction::Revoke { serial: 1 }));
    let revoke = act(DevicesAction::Revoke { serial: 1 });
    assert_eq!(world.refused(&node(), revoke), "certificate_unknown");
    let found = certificate(&world, &node(), 1).unwrap();
    assert!(!found.holds(world.now) && found.revoked_at == Some(START));
    assert!(certificate(&world, &alice(), 1).unwrap().holds(until - 1));
    wait(&mut world, 365 * DAY);
    assert_eq!(certificate(&world, &node(), 1), None);
    let about = ask(&world, DevicesQuery::CertificatesAbout(subject));
    assert_eq!(about, DevicesAnswer::Certificates(vec![]));
}

/// AEP-86: validity 365, 180, 90 and 90 days from L1 to L4; L3 takes two auditors.
#[test]
fn audits_have_tiers() {
    let mut world = world_with(rules());
    world.done(&node(), entry(1, "cpu"));
    let subject = Subject::Device(print(1));
    for (tier, days) in [(1, 365), (2, 180), (3, 90), (4, 90)] {
        let long = certify(1, subject, audit(tier), START + days * DAY + 1);
        assert_eq!(world.refused(&bob(), long), "certificate_end");
    }
    for wrong in [0, 5] {
        let action = certify(1, subject, audit(wrong), START + DAY);
        assert_eq!(world.refused(&bob(), action), "certificate_tier");
    }
    let own = certify(1, subject, audit(1), START + DAY);
    assert_eq!(world.refused(&alice(), own.clone()), "certificate_subject");
    assert_eq!(world.refused(&node(), own), "certificate_subject");
    let nothing = certify(1, Subject::Device(print(5)), audit(1), START + DAY);
    assert_eq!(world.refused(&bob(), nothing), "device_unknown");
    world.done(&bob(), certify(1, subject, audit(3), START + 90 * DAY));
    assert_eq!(tier(&world, subject), 2);
    world.done(&key(40), certify(1, subject, audit(3), START + 10 * DAY));
    assert_eq!(tier(&world, subject), 3);
    wait(&mut world, 10 * DAY);
    assert_eq!(tier(&world, subject), 2);
    // A new audit of the same auditor takes the place of the former one.
    world.done(&bob(), certify(2, subject, audit(1), world.now + DAY));
    assert_eq!(tier(&world, subject), 1);
    assert!(certificate(&world, &bob(), 1).unwrap().revoked_at.is_some());
}

#[test]
fn auditors_who_disagree_void_each_other() {
    let mut world = world_with(rules());
    let subject = Subject::Node(node().public());
    let until = START + DAY;
    world.done(&bob(), certify(1, subject, audit(2), until));
    world.done(&key(40), certify(1, subject, audit(1), until));
    assert_eq!(tier(&world, subject), 2);
    world.done(&key(41), certify(1, subject, audit(4), until));
    assert_eq!(tier(&world, subject), 0);
    for issuer in [&bob(), &key(40), &key(41)] {
        assert!(certificate(&world, issuer, 1).unwrap().is_void);
    }
}

#[test]
fn activity_may_take_an_audit() {
    let active = Rules { waiting: Period(0), active_tier_min: 2, ..rules() };
    let mut world = world_with(active);
    world.done(&node(), entry(1, "cpu"));
    assert_eq!(world.refused(&node(), activate(1)), "device_tier_low");
    world.done(&bob(), certify(1, Subject::Node(node().public()), audit(2), START + DAY));
    world.done(&node(), activate(1));
}

#[test]
fn certificates_are_bounded() {
    let certificates =
        CertificateRules { per_subject_max: 2, per_issuer_max: 3, ..CertificateRules::default() };
    let mut world = world_with(Rules { certificates, ..rules() });
    let statement = || Statement::Attestation { measurement: print(3) };
    let until = START + DAY;
    let about = |index: u8| Subject::Account(account_of(&key(index)));
    world.done(&bob(), certify(1, about(1), statement(), until));
    world.done(&bob(), certify(2, about(1), statement(), until));
    let third = certify(3, about(1), statement(), until);
    assert_eq!(world.refused(&bob(), third), "certificate_limit");
    world.done(&bob(), certify(3, about(2), statement(), until));
    let fourth = certify(4, about(2), statement(), until);
    assert_eq!(world.refused(&bob(), fourth), "certificate_limit");
    wait(&mut world, DAY);
    world.done(&bob(), certify(4, about(2), statement(), until + DAY));
}

#[test]
fn auditors_lock_a_bond() {
    let certificates =
        CertificateRules { auditor_bond: Tokens(300), ..CertificateRules::default() };
    let mut world = world_with(Rules { certificates, ..rules() });
    let subject = Subject::Node(node().public());
    let issue = |serial| certify(serial, subject, audit(1), START + 30 * DAY);
    assert_eq!(world.refused(&bob(), issue(1)), "auditor_unknown");
    world.done(&bob(), act(DevicesAction::BecomeAuditor));
    assert_eq!(world.refused(&bob(), act(DevicesAction::BecomeAuditor)), "auditor_exists");
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS - 300));
    world.done(&bob(), issue(1));
    assert_eq!(world.refused(&bob(), act(DevicesAction::TakeBond)), "auditor_bonded");
    world.done(&bob(), act(DevicesAction::LeaveAuditors));
    assert_eq!(world.refused(&bob(), act(DevicesAction::LeaveAuditors)), "auditor_unknown");
    assert_eq!(world.refused(&bob(), issue(2)), "auditor_unknown");
    wait(&mut world, 14 * DAY - 1);
    assert_eq!(world.refused(&bob(), act(DevicesAction::TakeBond)), "auditor_bonded");
    wait(&mut world, 1);
    world.done(&bob(), act(DevicesAction::TakeBond));
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS));
    let poor = world.refused(&key(40), act(DevicesAction::BecomeAuditor));
    assert_eq!(poor, "insufficient_tokens");
}

#[test]
fn the_reward_account_alone_rotates_where_the_rules_say_so() {
    let rotate = |to: &SecretKey| {
        act(DevicesAction::RotateReward { node: node().public(), reward: account_of(to) })
    };
    let mut world = world_with(Rules { reward_by_owner_only: true, ..rules() });
    assert_eq!(world.refused(&node(), provider(&bob())), "reward_owned");
    world.done(&node(), Action::DeregisterProvider);
    assert_eq!(world.refused(&node(), provider(&node())), "reward_owned");
    assert_eq!(world.refused(&bob(), rotate(&bob())), "reward_owned");
    world.done(&alice(), rotate(&bob()));
    world.done(&node(), provider(&bob()));
    world.done(&bob(), rotate(&alice()));
    match world.ledger.query(&Query::Provider(node().public())) {
        Answer::Provider(Some(found)) => assert_eq!(found.reward, account_of(&alice())),
        other => panic!("{other:?}"),
    }
    let stranger =
        DevicesAction::RotateReward { node: key(29).public(), reward: account_of(&bob()) };
    assert_eq!(world.refused(&bob(), act(stranger)), "unknown_provider");
    // Where they do not, the node key may, as before.
    let mut free = world_with(rules());
    free.done(&node(), provider(&bob()));
    assert_eq!(free.refused(&alice(), rotate(&alice())), "reward_owned");
    free.done(&bob(), rotate(&alice()));
}
