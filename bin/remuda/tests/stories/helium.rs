//! Helium: a hotspot that its maker certifies earns for coverage, four times as much where it is
//! alone; data is paid out of what was burned for it, and burned tokens are given again.

use serde_json::{Value, json};

use crate::story::{Person, Story};
use crate::trade::{DOLLAR, TOKEN, give, set};

struct Helium {
    story: Story,
    /// Founds the network, says who witnesses whom and what a token costs.
    founder: Person,
    /// Certifies hotspots.
    maker: Person,
    /// Has the only hotspot of its hexagon.
    lone: Person,
    /// Has one of sixteen where four would do.
    crowded: Person,
    /// Has 2,000 tokens.
    buyer: Person,
}

fn begin() -> Helium {
    let mut story = Story::new();
    let [founder, maker, lone, crowded, buyer] =
        ["founder", "maker", "lone", "crowded", "buyer"].map(|name| story.person(name));
    let args = [
        set("epochs.reporters", &json!([founder.account])),
        set("credits.oracle.posters", &json!([founder.account])),
        give("--fund", buyer.account, 2_000),
    ];
    story.begin(&founder, "helium", &args.concat());
    story.register(&lone, "lone");
    story.register(&crowded, "crowded");
    Helium { story, founder, maker, lone, crowded, buyer }
}

#[test]
fn a_lone_hotspot_earns_four_times_as_much_as_a_crowded_one() {
    let helium = begin();
    certified(&helium);
    coverage(&helium);
    data(&helium);
    let Helium { story, founder, lone, crowded, buyer, .. } = &helium;
    // 85,479.452054795 + 85,999.452054796 + 100 for data
    assert_eq!(story.holds(lone), (171_578_904_109_591, 0, 0));
    // 21,369.863013698 + 21,499.863013698
    assert_eq!(story.holds(crowded), (42_869_726_027_396, 0, 0));
    // 1,000 tokens became $5,000, and $500 of them data.
    assert_eq!(story.holds(buyer), (Story::tokens(1_000), 4_500 * DOLLAR, 0));
    // 2,000, two days of coverage, and 100 for data.
    let days = 106_849_315_068_493 + 107_499_315_068_494;
    assert_eq!(story.supply(founder, "minted"), 2_100 * TOKEN + days);
    assert_eq!(story.supply(founder, "burned"), 1_000 * TOKEN);
}

fn fingerprint(number: u8) -> String {
    format!("{number:02x}").repeat(32)
}

fn device(name: &str, number: u8) -> Value {
    let mut what = json!({ "fingerprint": fingerprint(number) });
    if name == "register" {
        what["class"] = json!("hotspot");
        what["region"] = json!("montreal");
        what["vram_mib"] = json!(0);
        what["attributes"] = json!({});
    }
    json!({ "devices": { name: what } })
}

/// Without its maker's word a hotspot is not switched on; a key has one hotspot.
fn certified(helium: &Helium) {
    let Helium { story, maker, lone, crowded, .. } = helium;
    for (owner, number) in [(lone, 1), (crowded, 2)] {
        story.submit_as_node(owner, &device("register", number));
        let activate = device("activate", number);
        let text = activate.to_string();
        let refused = story.refused(owner, &["ledger", "submit", "--node", "provider", &text]);
        assert_eq!(refused, "device_tier_low");
        let audit = json!({ "tier": 1, "evidence": fingerprint(9), "attributes": {} });
        let certify = json!({
            "serial": number, "subject": { "device": fingerprint(number) },
            "statement": { "audit": audit }, "valid_until": story.now(maker) + 31_536_000_000,
        });
        story.submit(maker, &json!({ "devices": { "certify": certify } }));
        story.submit_as_node(owner, &activate);
    }
    let second = device("register", 3).to_string();
    let refused = story.refused(lone, &["ledger", "submit", "--node", "provider", &second]);
    assert_eq!(refused, "device_limit");
}

/// Both have five witnesses; for one more than the four that are wanted they count
/// 1 + (1 - 0.8) = 1.2. The crowded one's hexagon holds 4 without loss and has 16: a quarter.
fn report(helium: &Helium) {
    let Helium { story, founder, lone, crowded, .. } = helium;
    let entries = |entry: &dyn Fn(&Person) -> Value| {
        let entry = |person: &Person| {
            let mut entry = entry(person);
            entry["provider"] = json!(person.node);
            entry["device"] = json!(fingerprint(0));
            entry
        };
        json!({ "entries": [entry(lone), entry(crowded)] })
    };
    let count = |person: &Person| if person.node == lone.node { 1 } else { 16 };
    let density = |person: &Person| json!([{ "limit": 4, "count": count(person) }]);
    let capacity = entries(&|_| json!({ "facts": { "score": "5" } }));
    let uptime = entries(&|_| json!({ "uptime": "100%" }));
    let coverage = entries(&|person| json!({ "density": density(person) }));
    story.submit(founder, &json!({ "epochs": { "report_capacity": capacity } }));
    story.submit(founder, &json!({ "epochs": { "report_uptime": uptime } }));
    story.submit(founder, &json!({ "epochs": { "report_coverage": coverage } }));
}

/// The day's split: what the schedule gave, what was given again, and what was minted.
fn day(helium: &Helium) -> [Value; 3] {
    let splits = helium.story.run(&helium.founder, &["epoch", "splits", "main", "1"]);
    ["scheduled", "recycled", "minted"].map(|sum| splits["epochs"]["splits"][0][sum].clone())
}

fn claimed(helium: &Helium) {
    for person in [&helium.lone, &helium.crowded] {
        helium.story.run(person, &["epoch", "claim"]);
    }
}

/// 120,000,000 / 730 = 164,383.561643835 a day, 65 % of it for coverage: 106,849.315068493. A
/// witness counts for six hours, so that the last ones decide.
fn coverage(helium: &Helium) {
    let Helium { story, founder, lone, crowded, .. } = helium;
    story.advance(founder, "20h");
    report(helium);
    story.advance(founder, "4h");
    let minted = 106_849_315_068_493_u64;
    assert_eq!(day(helium), [json!(164_383_561_643_835_u64), json!(0), json!(minted)]);
    claimed(helium);
    // 4/5 and 1/5
    assert_eq!(story.holds(lone).0, 85_479_452_054_795);
    assert_eq!(story.holds(crowded).0, 21_369_863_013_698);
}

/// 1,000 tokens burn for data, and the next day gives 1,000 more: 65 % of 165,383.561643836 are
/// 107,499.315068494, with the unit that rounding leaves. $500 of data at $5 pay no more than
/// 100 tokens, though 35 % would be 57,884.
fn data(helium: &Helium) {
    let Helium { story, founder, lone, buyer, .. } = helium;
    story.advance(founder, "20h");
    story.run(founder, &["oracle", "post", "5"]);
    story.run(buyer, &["wallet", "buy", "1000", "--least", "5000"]);
    story.sell((lone, buyer), 1, "credit", 500 * DOLLAR);
    report(helium);
    story.advance(founder, "4h");
    let minted = 107_499_315_068_494 + 100 * TOKEN;
    let given = [json!(164_383_561_643_836_u64), json!(1_000 * TOKEN), json!(minted)];
    assert_eq!(day(helium), given);
    claimed(helium);
}
