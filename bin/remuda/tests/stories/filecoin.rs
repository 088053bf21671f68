//! Filecoin: whoever stores pledges before, a missed window costs a hundredth of the pledge, and
//! pledge and reward are free after 180 days.

use serde_json::{Value, json};

use crate::story::{Person, Story};
use crate::trade::{TOKEN, give, set};

/// What the first day gives: 330,000,000 * (1 - 2^(-1/2190)).
const FIRST_DAY: u64 = 104_430_308_168_375;

struct Filecoin {
    story: Story,
    /// Founds the network, says what is stored, and judges.
    founder: Person,
    /// Stores 100 PiB and has 2,200,000 tokens.
    miner: Person,
    /// Stores nothing.
    neighbour: Person,
}

fn begin() -> Filecoin {
    let mut story = Story::new();
    let [founder, miner, neighbour] =
        ["founder", "miner", "neighbour"].map(|name| story.person(name));
    let args = [
        set("epochs.reporters", &json!([founder.account])),
        set("stake.grantor_judges", &json!(true)),
        // Without gas, so that every sum below can be done by heart.
        set("accounts.fees.target_weight", &json!(0)),
        // All 2,000,000,000 are allocated: room for what the miner holds from the start.
        set("token.cap", &json!("2002200000")),
        give("--fund", miner.account, 2_200_000),
    ];
    story.begin(&founder, "filecoin", &args.concat());
    story.register(&miner, "miner");
    Filecoin { story, founder, miner, neighbour }
}

#[test]
fn who_stores_pledges_before_and_pays_for_a_missed_window() {
    let filecoin = begin();
    the_first_day(&filecoin);
    without_a_pledge(&filecoin);
    let reward = pledged(&filecoin);
    a_missed_window(&filecoin);
    half_a_year(&filecoin, reward);
    let Filecoin { story, founder, miner, neighbour } = &filecoin;
    let whole = Story::tokens(2_200_000 - 22_000) + u128::from(FIRST_DAY + reward);
    assert_eq!(story.holds(miner).0, whole);
    assert_eq!(story.holds(neighbour), (0, 0, 0));
    // All there is belongs to the miner; 1 % of the pledge burned.
    assert_eq!(u128::from(story.supply(founder, "tokens")), whole);
    assert_eq!(story.supply(founder, "burned"), 22_000 * TOKEN);
}

/// The miner stores so many PiB, and proved it all day long.
fn report(filecoin: &Filecoin, power: &str) {
    let Filecoin { story, founder, miner, .. } = filecoin;
    story.report_capacity(founder, miner.node, power);
}

fn day(filecoin: &Filecoin) -> Value {
    filecoin.story.advance(&filecoin.founder, "1d");
    let splits = filecoin.story.run(&filecoin.founder, &["epoch", "splits", "storage mining", "1"]);
    splits["epochs"]["splits"][0].clone()
}

/// The pledge for so many PiB.
fn pledge(filecoin: &Filecoin, power: &str) -> u64 {
    let load = json!({ "role": "provider", "load": { "count": 1, "weight": power } });
    let answer = filecoin.story.ask(&filecoin.founder, &json!({ "stake": { "required": load } }));
    answer["stake"]["required"].as_u64().unwrap()
}

fn suffices(filecoin: &Filecoin) -> Value {
    let miner = &filecoin.miner;
    let subject = json!({ "role": "provider", "operator": miner.node });
    let loads = json!([{ "count": 1, "weight": "100" }]);
    let query = json!({ "stake": { "suffices": { "subject": subject, "loads": loads } } });
    filecoin.story.ask(miner, &query)["stake"]["suffices"].clone()
}

/// Before anything was measured no pledge is asked for: 100 PiB have the whole first day, and
/// it gives what depends on time alone.
fn the_first_day(filecoin: &Filecoin) {
    let Filecoin { story, miner, .. } = filecoin;
    assert_eq!(pledge(filecoin, "100"), 0);
    report(filecoin, "100");
    assert_eq!(day(filecoin)["minted"], FIRST_DAY);
    story.run(miner, &["epoch", "claim"]);
    assert_eq!(story.holds(miner).0, Story::tokens(2_200_000) + u128::from(FIRST_DAY));
}

/// Twenty days of what the network earned, and 30 % of the 2,304,430.308168375 in circulation
/// times 100 PiB beside a baseline of 2,888.88888 * 2^(1/365) = 2,894.38018:
/// 2,088,606.163367500 + 23,885.23... With less, the second day is not minted.
fn without_a_pledge(filecoin: &Filecoin) {
    let Filecoin { story, miner, .. } = filecoin;
    assert_eq!(pledge(filecoin, "100"), 0);
    // Half the power, half the pledge.
    assert_eq!(pledge(filecoin, "50"), 0);
    story.run(miner, &["stake", "enroll", "provider"]);
    story.run(miner, &["stake", "bond", "provider", &miner.node_id(), "1000000"]);
    assert_eq!(suffices(filecoin), false);
    report(filecoin, "100");
    let unpaid = day(filecoin);
    assert_eq!(unpaid["minted"], 0);
}

/// With 2,200,000 it is enough, and the third day is paid.
fn pledged(filecoin: &Filecoin) -> u64 {
    let Filecoin { story, miner, .. } = filecoin;
    story.run(miner, &["stake", "bond", "provider", &miner.node_id(), "1200000"]);
    assert_eq!(suffices(filecoin), true);
    report(filecoin, "100");
    let reward = day(filecoin)["minted"].as_u64().unwrap();
    assert_eq!(reward, 0);
    story.run(miner, &["stake", "claim", "provider", &miner.node_id()]);
    report(filecoin, "0");
    reward
}

/// One percent of 2,200,000 burns. A second window missed within a day and a half would count
/// as the second in a row.
fn a_missed_window(filecoin: &Filecoin) {
    let Filecoin { story, founder, miner, .. } = filecoin;
    let judge = json!({
        "subject": { "role": "provider", "operator": miner.node }, "offence": "offline",
        "at_risk": "all", "reporter": null, "affected": [],
    });
    story.submit(founder, &json!({ "stake": { "judge": judge } }));
    let listed = story.run(founder, &["stake", "ls", "provider"]);
    assert_eq!(listed["stake"]["subjects"][0]["stake"], 2_178_000 * TOKEN);
}

/// The pledge is locked for 180 days, and so long the reward comes free.
fn half_a_year(filecoin: &Filecoin, reward: u64) {
    let Filecoin { story, founder, miner, .. } = filecoin;
    story.run(miner, &["stake", "unbond", "provider", &miner.node_id()]);
    let before = story.holds(miner).0;
    assert_eq!(before, u128::from(FIRST_DAY));
    story.advance(founder, "179d");
    assert_eq!(story.holds(miner).0, before);
    // A grant begins with the next day.
    story.advance(founder, "2d");
    let grants = story.run(miner, &["wallet", "grants"]);
    let grant = &grants["accounts"]["grants"][0];
    assert_eq!(grant["amount"], reward);
    story.run(miner, &["wallet", "claim-grant", &grant["id"].to_string()]);
}
