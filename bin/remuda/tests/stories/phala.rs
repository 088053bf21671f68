//! Phala: workers weigh by a value that grows while they stand ready, what they earn is shared
//! by stake, and offences are paid out of rewards first.

use serde_json::{Value, json};

use crate::story::{Person, Story};
use crate::trade::{TOKEN, give, set};

struct Phala {
    story: Story,
    /// Founds the network, says what workers do, and judges.
    founder: Person,
    /// Owns a pool with a commission of 10 %.
    alice: Person,
    /// Stakes alone.
    bob: Person,
    /// Delegates to alice.
    dave: Person,
}

fn begin() -> Phala {
    let mut story = Story::new();
    let [founder, alice, bob, dave] =
        ["founder", "alice", "bob", "dave"].map(|name| story.person(name));
    let args = [
        set("epochs.reporters", &json!([founder.account])),
        set("stake.grantor_judges", &json!(true)),
        // All 1,000,000,000 are allocated: room for what these three hold from the start.
        set("token.cap", &json!("1000004000")),
        give("--fund", alice.account, 1_000),
        give("--fund", bob.account, 2_000),
        give("--fund", dave.account, 1_000),
    ];
    story.begin(&founder, "phala", &args.concat());
    for (person, name, commission) in [(&alice, "alice", "10%"), (&bob, "bob", "100%")] {
        story.register(person, name);
        story.run(person, &["stake", "enroll", "provider", "--commission", commission]);
    }
    Phala { story, founder, alice, bob, dave }
}

#[test]
fn workers_earn_by_value_and_stakers_by_stake() {
    let phala = begin();
    only_bob(&phala);
    half_each(&phala);
    a_wrong_result(&phala);
    malice(&phala);
    seven_days(&phala);
    let Phala { story, founder, alice, bob, dave } = &phala;
    // 1,186 of commission and 5,337 as a staker; the 1,000 are back.
    assert_eq!(story.holds(alice).0, Story::tokens(1_186 + 5_337 + 1_000));
    assert_eq!(story.holds(dave).0, Story::tokens(5_337 + 1_000));
    // 24,000 + 12,000, and 2,000 less a tenth.
    assert_eq!(story.holds(bob).0, Story::tokens(36_000 + 1_800));
    // 6,000 of each hour, two and seven days.
    assert_eq!(story.treasury(founder).0, (2 + 7 * 24) * 6_000 * TOKEN);
    // 4,000 at the start, two hours of 24,000, 170 of 6,000; 140 and 200 burned.
    assert_eq!(story.supply(founder, "minted"), (4_000 + 48_000 + 1_020_000) * TOKEN);
    assert_eq!(story.supply(founder, "burned"), 340 * TOKEN);
}

fn report(phala: &Phala, name: &str, entry: impl Fn(&Person) -> Value) {
    let entries = [&phala.alice, &phala.bob].map(|person| {
        let mut entry = entry(person);
        entry["provider"] = json!(person.node);
        entry["device"] = json!("00".repeat(32));
        entry
    });
    let report = json!({ "epochs": { name: { "entries": entries } } });
    phala.story.submit(&phala.founder, &report);
}

/// An hour in which both heartbeats come.
fn hour(phala: &Phala) {
    report(phala, "report_uptime", |_| json!({ "uptime": "100%" }));
    phala.story.advance(&phala.founder, "1h");
}

fn value(phala: &Phala, person: &Person) -> Value {
    let device = json!({ "provider": person.node, "device": "00".repeat(32) });
    let answer = phala.story.ask(person, &json!({ "epochs": { "device": device } }));
    answer["epochs"]["device"]["value"].clone()
}

fn subject(person: &Person) -> Value {
    json!({ "role": "provider", "operator": person.node })
}

/// 1,600 iterations a second take a stake of 50 * 40 = 2,000. With 1,000 alice earns nothing,
/// and bob has all that the hour gives to workers: 129,600,000 / 4,320 = 30,000, less a fifth.
fn only_bob(phala: &Phala) {
    let Phala { story, founder, alice, bob, .. } = phala;
    let load = json!({ "role": "provider", "load": { "count": 1, "weight": "1600" } });
    let answer = story.ask(founder, &json!({ "stake": { "required": load } }));
    assert_eq!(answer["stake"]["required"], 2_000 * TOKEN);
    for (person, amount) in [(alice, "1000"), (bob, "2000")] {
        story.run(person, &["stake", "bond", "provider", &person.node_id(), amount]);
    }
    let facts = json!({ "score": "1600", "stake": 2_000 * TOKEN });
    report(phala, "report_capacity", |_| json!({ "facts": facts }));
    hour(phala);
    story.run(bob, &["stake", "claim", "provider", &bob.node_id()]);
    assert_eq!(story.holds(bob).0, Story::tokens(24_000));
    assert_eq!(story.treasury(founder).0, 6_000 * TOKEN);
    // 1.5 * (2,000 + 0.3 * 1,600 / 0.1)
    assert_eq!((value(phala, alice), value(phala, bob)), (json!("10200"), json!("10200")));
}

/// Dave delegates what is missing. Both values grew by 0.02 % of 10,200; what bob's grew before
/// was paid out. So they share the hour's 24,000 evenly.
fn half_each(phala: &Phala) {
    let Phala { story, alice, bob, dave, .. } = phala;
    story.run(dave, &["delegate", "provider", &alice.node_id(), "1000"]);
    hour(phala);
    assert_eq!((value(phala, alice), value(phala, bob)), (json!("10202.04"), json!("10202.04")));
    story.run(bob, &["stake", "claim", "provider", &bob.node_id()]);
    assert_eq!(story.holds(bob).0, Story::tokens(36_000));
    // The workers go, so that only the treasury earns from here on.
    report(phala, "report_capacity", |_| json!({ "facts": { "score": "0" } }));
}

fn judge(phala: &Phala, person: &Person, offence: &str) {
    let charge = json!({
        "subject": subject(person), "offence": offence, "at_risk": "all", "reporter": null,
        "affected": [],
    });
    phala.story.submit(&phala.founder, &json!({ "stake": { "judge": charge } }));
}

/// 1 % of 2,000 staked and 12,000 not yet taken are 140, all of it out of the rewards: 14 of the
/// commission of 1,200, and 126 of the stakers' 10,800.
fn a_wrong_result(phala: &Phala) {
    let Phala { story, alice, dave, .. } = phala;
    judge(phala, alice, "wrong_result");
    story.run(alice, &["stake", "claim", "provider", &alice.node_id()]);
    story.run(dave, &["stake", "claim", "provider", &alice.node_id()]);
    assert_eq!(story.holds(alice).0, Story::tokens(1_186 + 5_337));
    assert_eq!(story.holds(dave).0, Story::tokens(5_337));
}

/// Level 3 takes a tenth. Bob took his rewards before: it comes out of the stake.
fn malice(phala: &Phala) {
    let Phala { story, founder, bob, .. } = phala;
    judge(phala, bob, "malice");
    let listed = story.ask(founder, &json!({ "stake": { "subject": subject(bob) } }));
    assert_eq!(listed["stake"]["subject"]["stake"], 1_800 * TOKEN);
}

fn seven_days(phala: &Phala) {
    let Phala { story, founder, alice, bob, dave } = phala;
    for (person, node) in [(alice, alice), (dave, alice), (bob, bob)] {
        story.run(person, &["stake", "unbond", "provider", &node.node_id()]);
    }
    story.advance(founder, "167h");
    assert_eq!(story.holds(dave).0, Story::tokens(5_337));
    story.advance(founder, "1h");
}
