//! Remuda: nobody is given anything, a provider earns by what it proved, work is never paid with
//! more than what it burned, and anyone can check a balance without trusting who shows it.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::story::{Person, Story};
use crate::trade::{DOLLAR, TOKEN, set};

struct Remuda {
    story: Story,
    /// Founds the network, measures devices, and says what a token costs.
    founder: Person,
    provider: Person,
    buyer: Person,
}

fn begin() -> Remuda {
    let mut story = Story::new();
    let [founder, provider, buyer] =
        ["founder", "provider", "buyer"].map(|name| story.person(name));
    let args = [
        set("credits.oracle.posters", &json!([founder.account])),
        set("epochs.reporters", &json!([founder.account])),
    ];
    story.begin(&founder, "remuda", &args.concat());
    Remuda { story, founder, provider, buyer }
}

#[test]
fn all_supply_is_mined_by_proven_work() {
    let remuda = begin();
    nothing_is_allocated(&remuda);
    an_hour_of_standing_ready(&remuda);
    a_lease_of_a_hundred_dollars(&remuda);
    work_is_paid_by_what_it_burned(&remuda);
    let Remuda { story, provider, buyer, .. } = &remuda;
    // 5,530 for the first hour - 2,000 for the buyer + 1.9 for work + 98 for $98.
    assert_eq!(story.holds(provider), (3_629_900_000_000, 0, 0));
    // 2 * $990 - the lease of $100
    assert_eq!(story.holds(buyer), (0, 1_880 * DOLLAR, 0));
    a_balance_is_proven(&remuda);
}

/// The genesis has no token, no role can be given one, and there is no room for any.
fn nothing_is_allocated(remuda: &Remuda) {
    let Remuda { story, founder, .. } = remuda;
    assert_eq!(story.supply(founder, "minted"), 0);
    let allocations = story.ask(founder, &json!({ "accounts": "allocations" }));
    let allocations = allocations["accounts"]["allocations"].as_array().unwrap();
    assert_eq!(allocations.len(), 1);
    assert_eq!(allocations[0]["to"], "emission");
}

/// The first hour of the stream gives 11,060: 50 % for capacity, 4 % for the treasury. What
/// nobody did is not minted.
fn an_hour_of_standing_ready(remuda: &Remuda) {
    let Remuda { story, founder, provider, buyer } = remuda;
    story.register(provider, "a machine at home");
    story.report_capacity(founder, provider.node, "1");
    story.advance(founder, "1h");
    assert_eq!(story.rewards(provider), 5_530 * TOKEN);
    // 442.4
    assert_eq!(story.treasury(founder), (442_400_000_000, 0));
    assert_eq!(story.supply(founder, "minted"), 5_972_400_000_000);
    // From now on it only works.
    story.report_capacity(founder, provider.node, "0");
    story.run(provider, &["epoch", "claim"]);
    story.run(provider, &["wallet", "send", &buyer.id(), "2000"]);
}

/// 1,000 tokens at a dollar: 1 % is the fee (8 for the treasury, 2 burn), 990 burn.
fn buy(remuda: &Remuda) {
    let Remuda { story, founder, buyer, .. } = remuda;
    story.run(founder, &["oracle", "post", "1"]);
    story.run(buyer, &["wallet", "buy", "1000", "--least", "990"]);
}

/// A hundred minutes at a dollar each. The money is held for as long as it can be disputed.
fn a_lease_of_a_hundred_dollars(remuda: &Remuda) {
    let Remuda { story, founder, provider, buyer } = remuda;
    buy(remuda);
    let escrow = story.open_escrow(buyer, 1, "credit", (100 * DOLLAR, DOLLAR));
    story.bid(provider, escrow, DOLLAR);
    story.accept(buyer, escrow, provider.node);
    story.advance(founder, "100m");
    story.close_escrow(buyer, escrow);
    assert_eq!(story.holds(buyer), (u128::from(1_000 * TOKEN), 890 * DOLLAR, 0));
    assert_eq!(story.holds(provider).2, 0);
    // The hold is two hours and at most a sixty-fourth of it: 1h + 100m + 1h50m = 4h30m.
    story.advance(founder, "110m");
    assert_eq!(story.holds(provider).2, 0);
}

/// The fifth hour burns 2 tokens for work, and the dollars paid in it are worth 100 tokens: it
/// mints 95 % of 2 for work, not the 4,740 that its schedule has.
fn work_is_paid_by_what_it_burned(remuda: &Remuda) {
    let Remuda { story, founder, provider, .. } = remuda;
    buy(remuda);
    story.advance(founder, "15m");
    // Of $100, 1 % ends and 1 % is the treasury's.
    assert_eq!(story.holds(provider).2, 98 * DOLLAR);
    story.advance(founder, "15m");
    assert_eq!(story.rewards(provider), 1_900_000_000);
    story.run(provider, &["epoch", "claim"]);
    let split = story.run(founder, &["epoch", "splits", "work", "1"]);
    let split = &split["epochs"]["splits"][0];
    assert_eq!((&split["burned"], &split["minted"]), (&json!(2 * TOKEN), &json!(1_900_000_000)));
    // Purchases burned 2 * 990 for 2 * $990 - $1 that are still out: more than a token each, so
    // that the price decides, and $98 are 98 tokens.
    story.run(founder, &["oracle", "post", "1"]);
    story.run(provider, &["wallet", "settle", "98", "--least", "98"]);
}

/// Writes a proof into a file.
fn keep(remuda: &Remuda, name: &str, proof: &Value) -> PathBuf {
    let path = remuda.story.file(name);
    std::fs::write(&path, proof.to_string()).unwrap();
    path
}

/// Changes one byte of a record: a number in a list, or a digit of a text.
fn tampered(value: &Value) -> Value {
    match value {
        Value::Array(bytes) => {
            let mut bytes = bytes.clone();
            let last = bytes.len() - 1;
            bytes[last] = json!(bytes[last].as_u64().unwrap() ^ 1);
            Value::Array(bytes)
        }
        text => {
            let text = text.as_str().unwrap();
            let last = if text.ends_with('0') { '1' } else { '0' };
            json!(format!("{}{last}", &text[..text.len() - 1]))
        }
    }
}

/// The provider's balance, checked without the network; changed, it is refused.
fn a_balance_is_proven(remuda: &Remuda) {
    let Remuda { story, provider, buyer, .. } = remuda;
    let proof = story.run(provider, &["proof", "show", "account", &provider.id()]);
    let root = proof["header"]["state"].as_str().unwrap().to_owned();
    let good = keep(remuda, "proof.json", &proof);
    let verify = |path: &PathBuf, root: &str| {
        let path = path.to_str().unwrap().to_owned();
        ["proof".into(), "verify".into(), path, "--root".into(), root.to_owned()]
    };
    let args = verify(&good, &root);
    let shown = story.run(buyer, &args.each_ref().map(String::as_str));
    assert_eq!(shown["valid"], true);
    assert!(shown["record"].as_str().unwrap().contains("3629900000000"), "{shown}");

    let mut wrong = proof.clone();
    wrong["proven"]["value"] = tampered(&proof["proven"]["value"]);
    let wrong = keep(remuda, "wrong.json", &wrong);
    let args = verify(&wrong, &root);
    let refusal = story.refused(buyer, &args.each_ref().map(String::as_str));
    assert!(refusal.contains("light_proof_root"), "{refusal}");
    // Nor does the good one hold in another state than the one that is trusted.
    let other = proof["header"]["parent"].as_str().unwrap();
    let args = verify(&good, other);
    story.refused(buyer, &args.each_ref().map(String::as_str));
    // That somebody has nothing is proven as well.
    let none = story.run(buyer, &["proof", "show", "account", &buyer.node_id()]);
    let none = keep(remuda, "none.json", &none);
    let shown = story.run(buyer, &["proof", "verify", none.to_str().unwrap()]);
    assert_eq!((&shown["valid"], &shown["record"]), (&json!(true), &Value::Null));
}
