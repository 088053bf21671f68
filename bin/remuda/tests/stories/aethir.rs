//! Aethir: stake by the specification, a third of it for an interruption, 180 days of cooldown,
//! a fifth of every session as the fee, and earnings that vest over 45 days.

use serde_json::{Value, json};

use crate::story::{Person, Story};
use crate::trade::{DOLLAR, TOKEN, give, set};

/// One day in milliseconds.
const DAY_MS: u64 = 86_400_000;

struct Aethir {
    story: Story,
    /// Founds the network, says what a token costs, and judges.
    founder: Person,
    /// Holds 11.75 % of 42 billion.
    investor: Person,
    host: Person,
    gamer: Person,
    checker: Person,
}

fn begin() -> Aethir {
    let mut story = Story::new();
    let [founder, investor, host, gamer, checker] =
        ["founder", "investor", "host", "gamer", "checker"].map(|name| story.person(name));
    let args = [
        set("credits.oracle.posters", &json!([founder.account])),
        set("stake.grantor_judges", &json!(true)),
        give("--role", "investors", investor.account),
    ];
    story.begin(&founder, "aethir", &args.concat());
    Aethir { story, founder, investor, host, gamer, checker }
}

#[test]
fn a_third_is_slashed_and_the_rest_waits_for_180_days() {
    let aethir = begin();
    let Aethir { story, founder, host, gamer, checker, .. } = &aethir;
    tokens_at_the_start(&aethir);
    staked(&aethir);
    slashed(&aethir);
    let begun = story.now(founder);
    story.run(host, &["stake", "unbond", "provider", &host.node_id()]);
    let licence = ["licence", "buy", "1", "--dollars", "377.70"];
    assert_eq!(story.refused(checker, &licence), "licence_sale_closed");
    two_sessions(&aethir);
    story.run(checker, &licence);
    licensed(&aethir);
    vested(&aethir);
    cooled_down(&aethir, begun + 180 * DAY_MS);
    returned(&aethir);
    // 2,000 - 1,334.22 bonded + 1,600 for $80 + 889.48 of the stake.
    assert_eq!(story.holds(host), (3_155_260_000_000, 0, 0));
    // 20,000 - 4,000 for $200; one session of $100, the other was refunded whole.
    assert_eq!(story.holds(gamer), (16_000 * u128::from(TOKEN), 100 * DOLLAR, 0));
    // 20,000 - 10,000 for $500; - 377.70 + 339.93.
    assert_eq!(story.holds(checker), (10_000 * u128::from(TOKEN), 462_230_000, 0));
    // 20 % of $100, and 10 % of the licence.
    assert_eq!(story.treasury(founder).1, 57_770_000);
}

/// 42 billion, of which 43.75 % exist: team, investors, ecosystem and treasury.
fn tokens_at_the_start(aethir: &Aethir) {
    let Aethir { story, investor, host, gamer, checker, .. } = aethir;
    assert_eq!(story.supply(investor, "minted"), 18_375_000_000 * TOKEN);
    assert_eq!(story.holds(investor).0, u128::from(4_935_000_000 * TOKEN));
    for (person, tokens) in [(host, "2000"), (gamer, "20000"), (checker, "20000")] {
        story.run(investor, &["wallet", "send", &person.id(), tokens]);
    }
}

fn subject(aethir: &Aethir) -> Value {
    json!({ "role": "provider", "operator": aethir.host.node })
}

/// One container of the standard specification.
fn load() -> Value {
    json!({ "count": 1, "weight": "1" })
}

fn suffices(aethir: &Aethir) -> Value {
    let question = json!({ "subject": subject(aethir), "loads": [load()] });
    let answer = aethir.story.ask(&aethir.host, &json!({ "stake": { "suffices": question } }));
    answer["stake"]["suffices"].clone()
}

/// K = 1, and the coefficient is 1,334.22.
fn staked(aethir: &Aethir) {
    let Aethir { story, host, .. } = aethir;
    story.register(host, "a container");
    story.run(host, &["stake", "enroll", "provider"]);
    let question = json!({ "stake": { "required": { "role": "provider", "load": load() } } });
    assert_eq!(story.ask(host, &question)["stake"]["required"], 1_334_220_000_000_u64);
    story.run(host, &["stake", "bond", "provider", &host.node_id(), "1334.22"]);
    assert_eq!(suffices(aethir), true);
}

/// Who is offline while idle loses nothing; who breaks off a session loses a third: 444.74.
fn slashed(aethir: &Aethir) {
    let Aethir { story, founder, .. } = aethir;
    for offence in ["offline", "interruption"] {
        let judge = json!({
            "subject": subject(aethir), "offence": offence, "at_risk": { "load": load() },
            "reporter": null, "affected": [],
        });
        story.submit(founder, &json!({ "stake": { "judge": judge } }));
    }
    let slashes = story.ask(founder, &json!({ "stake": { "slashes": null } }));
    let slashes = slashes["stake"]["slashes"].as_array().unwrap();
    assert_eq!(slashes.len(), 1);
    assert_eq!(slashes[0]["offence"], "interruption");
    assert_eq!(slashes[0]["slashed"]["taken"], 444_740_000_000_u64);
    // All of it is the treasury's. The container may not work until it is topped up.
    assert_eq!(story.treasury(founder), (444_740_000_000, 0));
    assert_eq!(suffices(aethir), false);
}

/// The host earns 80 of 100 dollars after a day; a session that is rejected pays no fee.
fn two_sessions(aethir: &Aethir) {
    let Aethir { story, founder, host, gamer, checker, .. } = aethir;
    story.run(founder, &["oracle", "post", "0.05"]);
    // 4,000 * 0.05 and 10,000 * 0.05
    story.run(gamer, &["wallet", "buy", "4000", "--least", "200"]);
    story.run(checker, &["wallet", "buy", "10000", "--least", "500"]);
    story.sell((host, gamer), 1, "credit", 100 * DOLLAR);
    let order = story.open_order(gamer, 2, "credit", (1, 100 * DOLLAR));
    story.take(host, order, 0);
    story.deliver(host, order, 0);
    story.reject(gamer, order, 0, true);
    assert_eq!(story.holds(gamer).1, 100 * DOLLAR);
    // A day, and at most a sixty-fourth of it.
    story.advance(founder, "24h");
    assert_eq!(story.holds(host).2, 0);
    story.advance(founder, "1h");
    assert_eq!(story.holds(host).2, 80 * DOLLAR);
    assert_eq!(story.treasury(founder).1, 20 * DOLLAR);
}

/// A licence costs 0.1259 * 3,000 = 377.70 dollars, 10 % of which are the treasury's.
fn licensed(aethir: &Aethir) {
    let Aethir { story, founder, checker, investor, .. } = aethir;
    let price = story.run(founder, &["licence", "price"]);
    assert_eq!(price["devices"]["licence_sale"]["sold"], 1);
    assert_eq!(story.holds(checker).1, 122_300_000);
    story.run(checker, &["licence", "delegate", "0", &checker.node_id()]);
    let licences = story.run(checker, &["licence", "ls"]);
    let licence = &licences["devices"]["licences"][0];
    assert_eq!(licence["operator"], json!(checker.node));
    assert_eq!(licence["reserve"], 339_930_000);
    let transfer = ["licence", "transfer", "0", &investor.id()];
    assert_eq!(story.refused(checker, &transfer), "licence_bound");
    assert_eq!(story.refused(checker, &["licence", "return", "0"]), "licence_bound");
}

/// 80 dollars at 0.05 are 1,600 tokens; they vest from the next midnight on, over 45 days.
fn vested(aethir: &Aethir) {
    let Aethir { story, founder, host, .. } = aethir;
    story.run(founder, &["oracle", "post", "0.05"]);
    story.run(host, &["wallet", "settle", "80", "--least", "1600"]);
    let grants = story.run(host, &["wallet", "grants"]);
    let grant = &grants["accounts"]["grants"][0];
    assert_eq!(grant["amount"], 1_600 * TOKEN);
    let claim = ["wallet", "claim-grant", &grant["id"].to_string()];
    let midnight = grant["starts_at"].as_u64().unwrap();
    assert_eq!(midnight % DAY_MS, 0);
    story.advance_until(founder, midnight);
    assert_eq!(story.refused(host, &claim), "vesting_nothing");
    assert_eq!(story.holds(host).0, 665_780_000_000);
    for half in 1..=2 {
        // 22.5 days: a half.
        story.advance(founder, "540h");
        story.run(host, &claim);
        assert_eq!(story.holds(host).0, 665_780_000_000 + half * u128::from(800 * TOKEN));
    }
}

/// The stake is there after 180 days, and not an hour earlier.
fn cooled_down(aethir: &Aethir, until: u64) {
    let Aethir { story, founder, host, .. } = aethir;
    story.advance_until(founder, until - DAY_MS / 24);
    assert_eq!(story.holds(host).0, 2_265_780_000_000);
    story.advance_until(founder, until);
    assert_eq!(story.holds(host).0, 2_265_780_000_000 + 889_480_000_000);
}

/// After 180 days of its own the licence comes back for its price less 10 %: 339.93.
fn returned(aethir: &Aethir) {
    let Aethir { story, founder, checker, .. } = aethir;
    story.advance(founder, "2d");
    story.run(checker, &["licence", "return", "0"]);
    assert_eq!(story.run(checker, &["licence", "ls"])["devices"]["licences"], json!([]));
}
