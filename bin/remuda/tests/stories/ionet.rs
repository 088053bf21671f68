//! io.net: hours of emission to the last digit, 16,000 of stake behind eight H100, half of them
//! from somebody else, and fourteen days until they are free.

use serde_json::{Value, json};

use crate::story::{Person, Story};
use crate::trade::{TOKEN, give, set};

struct IoNet {
    story: Story,
    /// Founds the network and says what devices have.
    founder: Person,
    /// Has eight H100 and 8,000 tokens.
    alice: Person,
    /// Has four RTX 4070 and 800 tokens.
    bob: Person,
    /// Has 8,000 tokens and no device.
    carol: Person,
}

fn begin() -> IoNet {
    let mut story = Story::new();
    let [founder, alice, bob, carol] =
        ["founder", "alice", "bob", "carol"].map(|name| story.person(name));
    let args = [
        set("epochs.reporters", &json!([founder.account])),
        // All 800,000,000 are allocated: room for what these three hold from the start.
        set("token.cap", &json!("800016800")),
        give("--fund", alice.account, 8_000),
        give("--fund", bob.account, 800),
        give("--fund", carol.account, 8_000),
    ];
    story.begin(&founder, "ionet", &args.concat());
    for (person, name) in [(&alice, "alice"), (&bob, "bob")] {
        story.register(person, name);
        story.run(person, &["stake", "enroll", "provider", "--commission", "100%"]);
    }
    IoNet { story, founder, alice, bob, carol }
}

#[test]
fn eight_h100_earn_by_the_hour_once_16_000_stand_behind_them() {
    let ionet = begin();
    below_the_stake(&ionet);
    with_a_co_staker(&ionet);
    beside_a_small_one(&ionet);
    claimed(&ionet);
    fourteen_days(&ionet);
    let IoNet { story, alice, bob, carol, founder } = &ionet;
    // 8,000 back; three quarters of the second hour and of 80/81 of the third.
    // 3,424.609976190 + 3,382.283870415
    assert_eq!(story.holds(alice).0, 14_806_893_846_605);
    // 800 back, and 1/81 of the third hour.
    assert_eq!(story.holds(bob).0, 856_371_397_840);
    // 8,000 back, and one quarter: 1,141.536658730 + 1,127.427956805
    assert_eq!(story.holds(carol).0, 10_268_964_615_535);
    // 500,000,000 of allocations and 16,800 at the start; the second and the third hour.
    let hours = 4_566_146_634_920 + 4_566_083_225_060;
    assert_eq!(story.supply(founder, "minted"), 500_016_800 * TOKEN + hours);
}

fn report(ionet: &IoNet, person: &Person, score: &str, count: u32) {
    let IoNet { story, founder, .. } = ionet;
    let facts = json!({ "score": score, "count": count });
    let entry = json!({ "provider": person.node, "device": zero(), "facts": facts });
    let report = json!({ "report_capacity": { "entries": [entry] } });
    story.submit(founder, &json!({ "epochs": report }));
    if score != "0" {
        let entry = json!({ "provider": person.node, "device": zero(), "uptime": "100%" });
        let report = json!({ "report_uptime": { "entries": [entry] } });
        story.submit(founder, &json!({ "epochs": report }));
    }
}

/// The provider as a whole.
fn zero() -> String {
    "00".repeat(32)
}

fn subject(person: &Person) -> Value {
    json!({ "role": "provider", "operator": person.node })
}

/// Whether the stake suffices for so many devices of a multiplier.
fn suffices(ionet: &IoNet, person: &Person, count: u32, multiplier: &str) -> Value {
    let loads = json!([{ "count": count, "weight": multiplier }]);
    let query = json!({ "suffices": { "subject": subject(person), "loads": loads } });
    ionet.story.ask(person, &json!({ "stake": query }))["stake"]["suffices"].clone()
}

fn required(ionet: &IoNet, count: u32, multiplier: &str) -> Value {
    let load = json!({ "count": count, "weight": multiplier });
    let query = json!({ "required": { "role": "provider", "load": load } });
    ionet.story.ask(&ionet.founder, &json!({ "stake": query }))["stake"]["required"].clone()
}

/// What the newest hour had to give, and what it minted.
fn hour(ionet: &IoNet) -> (u64, u64) {
    ionet.story.advance(&ionet.founder, "1h");
    let splits = ionet.story.run(&ionet.founder, &["epoch", "splits", "block rewards", "1"]);
    let split = &splits["epochs"]["splits"][0];
    (split["scheduled"].as_u64().unwrap(), split["minted"].as_u64().unwrap())
}

/// 200 for each of eight devices that count tenfold are 16,000. With 8,000 the first hour,
/// 500,000,000 * 8 % / 8,760 = 4,566.2100456621, is not minted.
fn below_the_stake(ionet: &IoNet) {
    let IoNet { story, alice, .. } = ionet;
    assert_eq!(required(ionet, 8, "10"), 16_000 * TOKEN);
    assert_eq!(required(ionet, 4, "0.25"), 800 * TOKEN);
    story.run(alice, &["stake", "bond", "provider", &alice.node_id(), "8000"]);
    assert_eq!(suffices(ionet, alice, 8, "10"), false);
    report(ionet, alice, "10", 8);
    assert_eq!(hour(ionet), (4_566_210_045_662, 0));
}

/// Carol stakes the other half for a quarter of what it earns.
fn with_a_co_staker(ionet: &IoNet) {
    let IoNet { story, alice, carol, .. } = ionet;
    let offer = |amount: u64| {
        let terms = json!({ "subject": subject(alice), "amount": amount, "share": "25%" });
        json!({ "stake": { "offer_co_stake": terms } })
    };
    // Half of the stake at most.
    let more = offer(8_001 * TOKEN).to_string();
    assert_eq!(story.refused(alice, &["ledger", "submit", &more]), "stake_co_stake_bound");
    story.submit(alice, &offer(8_000 * TOKEN));
    let terms = json!({ "subject": subject(alice), "amount": 8_000 * TOKEN, "share": "25%" });
    story.submit(carol, &json!({ "stake": { "accept_co_stake": terms } }));
    assert_eq!(suffices(ionet, alice, 8, "10"), true);
    // 4,566.2100456621 * (1 - 1.38869523959793e-5)
    assert_eq!(hour(ionet), (4_566_146_634_920, 4_566_146_634_920));
}

/// Four RTX 4070 count as much as one part beside eighty.
fn beside_a_small_one(ionet: &IoNet) {
    let IoNet { story, bob, alice, .. } = ionet;
    story.run(bob, &["stake", "bond", "provider", &bob.node_id(), "800"]);
    report(ionet, bob, "0.25", 4);
    // 4,566.0832250591: the sum of three hours is 13,698.4399056421 and rounded down once.
    assert_eq!(hour(ionet), (4_566_083_225_060, 4_566_083_225_060));
    // They go offline, so that nothing more is minted.
    report(ionet, alice, "0", 1);
    report(ionet, bob, "0", 1);
}

fn claimed(ionet: &IoNet) {
    let IoNet { story, alice, bob, carol, .. } = ionet;
    for (person, node) in [(alice, alice), (carol, alice), (bob, bob)] {
        story.run(person, &["stake", "claim", "provider", &node.node_id()]);
    }
    // 4,566.083225060 / 81
    assert_eq!(story.holds(bob).0, 56_371_397_840);
}

/// Alice does not leave before carol; a co-stake is free after 7 days, any other after 14.
fn fourteen_days(ionet: &IoNet) {
    let IoNet { story, founder, alice, bob, carol } = ionet;
    let unbond = ["stake", "unbond", "provider", &alice.node_id()];
    assert_eq!(story.refused(alice, &unbond), "stake_co_stake_bound");
    let end = json!({ "stake": { "end_co_stake": { "subject": subject(alice) } } });
    story.submit(carol, &end);
    story.run(alice, &unbond);
    story.run(bob, &["stake", "unbond", "provider", &bob.node_id()]);
    let before = [alice, carol].map(|person| story.holds(person).0);
    story.advance(founder, "7d");
    let whole = Story::tokens(8_000);
    let after = [alice, carol].map(|person| story.holds(person).0);
    assert_eq!(after, [before[0], before[1] + whole]);
    story.advance(founder, "6d");
    assert_eq!(story.holds(alice).0, before[0]);
    story.advance(founder, "1d");
    assert_eq!(story.holds(alice).0, before[0] + whole);
}
