//! IoTeX: a device has an identity that its maker attests, provers stand by stake, and the
//! application pays for the proofs that it accepts.

use serde_json::{Value, json};

use crate::story::{Person, Story};
use crate::trade::{TOKEN, give};

/// A year of certificates, in milliseconds.
const YEAR_MS: u64 = 31_536_000_000;

struct Iotex {
    story: Story,
    /// Founds the network, and cannot judge.
    founder: Person,
    /// Attests the sensors that it makes.
    maker: Person,
    /// Has a sensor, whose node sells what it senses.
    owner: Person,
    /// Has 999 tokens.
    prover: Person,
    /// Has 1,000 tokens.
    other: Person,
    /// Has 1 token, and votes with it.
    voter: Person,
    /// Has 100 tokens, and pays for everything.
    application: Person,
}

fn begin() -> Iotex {
    let mut story = Story::new();
    let [founder, maker, owner, prover, other, voter, application] =
        ["founder", "maker", "owner", "prover", "other", "voter", "application"]
            .map(|name| story.person(name));
    let args = [
        give("--fund", prover.account, 999),
        give("--fund", other.account, 1_000),
        give("--fund", voter.account, 1),
        give("--fund", application.account, 100),
    ];
    story.begin(&founder, "iotex", &args.concat());
    for (person, name) in [(&owner, "sensor"), (&prover, "prover"), (&other, "other")] {
        story.register(person, name);
    }
    Iotex { story, founder, maker, owner, prover, other, voter, application }
}

#[test]
fn an_application_pays_attested_devices_and_staked_provers() {
    let iotex = begin();
    an_identity(&iotex);
    stake_of_provers(&iotex);
    three_proofs(&iotex);
    readings(&iotex);
    three_days(&iotex);
    let Iotex { story, founder, owner, prover, other, voter, application, .. } = &iotex;
    // 100 - 60 for three proofs - 5 for the readings.
    assert_eq!(story.holds(application), (Story::tokens(35), 0, 0));
    // The stake is back, and two of three proofs.
    assert_eq!(story.holds(prover), (Story::tokens(999 + 40), 0, 0));
    assert_eq!(story.holds(voter), (Story::tokens(1), 0, 0));
    // The proof that the first prover failed.
    assert_eq!(story.holds(other), (Story::tokens(1_000 + 20), 0, 0));
    assert_eq!(story.holds(owner), (Story::tokens(5), 0, 0));
    // Nothing is minted, taken or burned: 35 + 1,039 + 1 + 1,020 + 5
    assert_eq!(story.supply(founder, "tokens"), 2_100 * TOKEN);
    assert_eq!(story.treasury(founder), (0, 0));
}

/// The sensor's name: the digest over what it says of itself.
fn sensor() -> String {
    "5e".repeat(32)
}

fn register(class: &str) -> Value {
    json!({ "devices": { "register": {
        "fingerprint": sensor(), "class": class, "region": "hangzhou", "vram_mib": 0,
        "attributes": { "senses": "temperature" },
    } } })
}

fn attest(iotex: &Iotex, serial: u64, days: u64) -> Value {
    let now = iotex.story.now(&iotex.founder);
    json!({ "devices": { "certify": {
        "serial": serial, "subject": { "device": sensor() },
        "statement": { "attestation": { "measurement": "a7".repeat(32) } },
        "valid_until": now + days * YEAR_MS / 365,
    } } })
}

fn certificates(iotex: &Iotex) -> Value {
    let query = json!({ "devices": { "certificates_about": { "device": sensor() } } });
    iotex.story.ask(&iotex.founder, &query)["devices"]["certificates"].clone()
}

fn refused(story: &Story, person: &Person, action: &Value) -> String {
    story.refused(person, &["ledger", "submit", &action.to_string()])
}

fn refused_as_node(story: &Story, person: &Person, action: &Value) -> String {
    story.refused(person, &["ledger", "submit", "--node", "provider", &action.to_string()])
}

/// A device is of a known class, has one owner, and its maker's word for a year, until the maker
/// takes it back.
fn an_identity(iotex: &Iotex) {
    let Iotex { story, maker, owner, prover, .. } = iotex;
    assert_eq!(refused_as_node(story, owner, &register("toaster")), "device_class");
    story.submit_as_node(owner, &register("sensor"));
    assert_eq!(refused_as_node(story, prover, &register("sensor")), "device_taken");
    assert_eq!(refused(story, maker, &attest(iotex, 1, 366)), "certificate_end");
    story.submit(maker, &attest(iotex, 1, 365));
    assert_eq!(refused(story, maker, &attest(iotex, 1, 365)), "certificate_serial_taken");
    story.submit(maker, &json!({ "devices": { "revoke": { "serial": 1 } } }));
    story.submit(maker, &attest(iotex, 2, 365));
    let known = certificates(iotex);
    assert_ne!(known[0]["revoked_at"], Value::Null);
    assert_eq!(known[1]["revoked_at"], Value::Null);
    let activate = json!({ "devices": { "activate": { "fingerprint": sensor() } } });
    story.submit_as_node(owner, &activate);
    // Who steals the node's key does not get its earnings.
    let thief = json!({ "register_provider": { "reward": prover.account, "name": "sensor" } });
    assert_eq!(refused_as_node(story, owner, &thief), "reward_owned");
}

fn suffices(iotex: &Iotex) -> Value {
    let subject = json!({ "role": "provider", "operator": iotex.prover.node });
    let query = json!({ "suffices": { "subject": subject, "loads": [] } });
    iotex.story.ask(&iotex.founder, &json!({ "stake": query }))["stake"]["suffices"].clone()
}

/// A prover stands with 1,000: 999 of its own, and a voter's one.
fn stake_of_provers(iotex: &Iotex) {
    let Iotex { story, founder, prover, other, voter, .. } = iotex;
    for (person, amount) in [(prover, "999"), (other, "1000")] {
        story.run(person, &["stake", "enroll", "provider"]);
        story.run(person, &["stake", "bond", "provider", &person.node_id(), amount]);
    }
    assert_eq!(suffices(iotex), false);
    story.run(voter, &["delegate", "provider", &prover.node_id(), "1"]);
    assert_eq!(suffices(iotex), true);
    // No person takes a stake away.
    let judge = json!({ "stake": { "judge": {
        "subject": { "role": "provider", "operator": prover.node }, "offence": "output_mismatch",
        "at_risk": "all", "reporter": null, "affected": [],
    } } });
    assert_eq!(refused(story, founder, &judge), "stake_not_judge");
}

/// Three proofs for 20 each. The verifier does not accept one: another prover makes it.
fn three_proofs(iotex: &Iotex) {
    let Iotex { story, prover, other, application, .. } = iotex;
    let order = story.open_order(application, 1, "token", (3, 20 * TOKEN));
    for part in 0..3 {
        story.take(prover, order, part);
        story.deliver(prover, order, part);
    }
    story.reject(application, order, 2, false);
    assert_eq!(story.take_refused(prover, order, 2), "order_part_failed");
    story.take(other, order, 2);
    story.deliver(other, order, 2);
    for part in 0..3 {
        story.approve(application, order, part);
    }
    assert_eq!(story.holds(prover).0, Story::tokens(40));
    assert_eq!(story.holds(other).0, Story::tokens(20));
}

/// What the sensor measured costs 5, which its owner has.
fn readings(iotex: &Iotex) {
    let Iotex { story, owner, application, .. } = iotex;
    story.sell((owner, application), 2, "token", 5 * TOKEN);
}

/// Stake is free after three days.
fn three_days(iotex: &Iotex) {
    let Iotex { story, founder, prover, other, voter, .. } = iotex;
    for (person, node) in [(prover, prover), (voter, prover), (other, other)] {
        story.run(person, &["stake", "unbond", "provider", &node.node_id()]);
    }
    story.advance(founder, "2d");
    assert_eq!(story.holds(voter).0, 0);
    story.advance(founder, "1d");
}
