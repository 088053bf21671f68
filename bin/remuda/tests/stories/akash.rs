//! Akash: leases stream from an escrow until it is overdrawn, fees are 4 % of tokens and 20 %
//! of dollars, and burned tokens become dollars (AEP-76).

use serde_json::{Value, json};

use crate::story::{Person, Story};
use crate::trade::{DOLLAR, TOKEN, give, set};

struct Akash {
    story: Story,
    /// Founds the network and says what a token costs.
    founder: Person,
    /// Has 2,000 tokens.
    buyer: Person,
    alice: Person,
    bob: Person,
}

fn begin() -> Akash {
    let mut story = Story::new();
    let [founder, buyer, alice, bob] =
        ["founder", "buyer", "alice", "bob"].map(|name| story.person(name));
    let args = [
        // Without gas, so that every sum below can be done by heart.
        set("accounts.fees.target_weight", &json!(0)),
        set("credits.oracle.posters", &json!([founder.account])),
        set("stake.grantor_judges", &json!(true)),
        give("--fund", buyer.account, 2_000),
        // Each bid deposits 50, which come back.
        give("--fund", alice.node_account(), 50),
        give("--fund", bob.node_account(), 50),
    ];
    story.begin(&founder, "akash", &args.concat());
    story.register(&alice, "alice");
    story.register(&bob, "bob");
    Akash { story, founder, buyer, alice, bob }
}

#[test]
fn an_escrow_runs_dry_and_burned_tokens_become_dollars() {
    let akash = begin();
    ten_at_three_and_one(&akash);
    four_and_twenty_percent(&akash);
    burned_and_minted(&akash);
    the_breaker_halts(&akash);
    an_offline_validator(&akash);
    let Akash { story, buyer, alice, bob, .. } = &akash;
    // 2,000 - 11 - 100 in escrow - 900 for dollars; $1,023.435 bought - $100 leased.
    assert_eq!(story.holds(buyer), (989_000_000_000, 923_435_000, 0));
    // 7.2 + 96 of leases + 53.333333333 for $80.
    assert_eq!(story.holds(alice), (156_533_333_333, 0, 0));
    // 3.36 of the lease - 0.01 slashed, all of which burned.
    assert_eq!(story.holds(bob), (3_350_000_000, 0, 0));
    // 4 % of 7.5 and of 3.5 and of 100; 20 % of $100.
    assert_eq!(story.treasury(buyer), (4_440_000_000, 20 * DOLLAR));
    // Nothing was minted: 2,100 at the start = 989 + 156.533333333 + 3.35 + 4.44, the two nodes'
    // 100, the reserve's 846.666666667, and the 0.01 that burned.
    assert_eq!(story.supply(buyer, "minted"), 2_100 * TOKEN);
    assert_eq!(story.supply(buyer, "tokens"), 2_100 * TOKEN - 10_000_000);
}

fn lease(escrow: &Value, index: usize) -> (&str, u64) {
    let lease = &escrow["leases"][index];
    (lease["state"].as_str().unwrap(), lease["withdrawn"].as_u64().unwrap())
}

/// 10 tokens at rates of 3 and 1 a block last for two blocks; the other 2 are split 1.5 to 0.5.
fn ten_at_three_and_one(akash: &Akash) {
    let Akash { story, founder, buyer, alice, bob } = akash;
    // Eleven: one goes to bob for the block in which his lease runs alone.
    let escrow = story.open_escrow(buyer, 1, "token", (11 * TOKEN, 3 * TOKEN));
    story.bid(alice, escrow, 3 * TOKEN);
    story.bid(bob, escrow, TOKEN);
    story.accept(buyer, escrow, bob.node);
    story.accept(buyer, escrow, alice.node);
    assert_eq!(story.escrow(buyer, escrow)["balance"], 10 * TOKEN);
    // Three blocks, and the fourth settles.
    for _ in 0..3 {
        story.advance(founder, "6s");
    }
    story.submit(founder, &json!({ "lease": { "settle": { "escrow": escrow } } }));
    let escrow = story.escrow(buyer, escrow);
    assert_eq!((&escrow["state"], &escrow["balance"]), (&json!("overdrawn"), &json!(0)));
    // Bob: 1 alone, 2 blocks at 1, and 0.5. Alice: 2 blocks at 3, and 1.5.
    assert_eq!(lease(&escrow, 0), ("overdrawn", 3_500_000_000));
    assert_eq!(lease(&escrow, 1), ("overdrawn", 7_500_000_000));
    // Less 4 %: 7.5 - 0.3, and 3.5 - 0.14. The deposits of the bids are back.
    assert_eq!(story.holds(alice).0, 7_200_000_000);
    assert_eq!(story.holds(bob).0, 3_360_000_000);
    assert_eq!(story.tokens_of(buyer, alice.node_account()), 50 * TOKEN);
}

/// Of 100 tokens a provider has 96, of 100 dollars 80.
fn four_and_twenty_percent(akash: &Akash) {
    let Akash { story, founder, buyer, alice, .. } = akash;
    let escrow = story.open_escrow(buyer, 2, "token", (100 * TOKEN, 100 * TOKEN));
    story.bid(alice, escrow, 100 * TOKEN);
    story.accept(buyer, escrow, alice.node);
    // The next block: one tick has passed.
    story.close_escrow(buyer, escrow);
    assert_eq!(story.holds(alice).0, 7_200_000_000 + 96 * u128::from(TOKEN));

    // Without a price nobody buys. With it, 900 tokens at 1.14 less 25 basis points:
    // 900 * 1.14 * 0.9975 = 1,023.435 dollars.
    let buy = ["wallet", "buy", "900", "--least", "1023.435"];
    assert_eq!(story.refused(buyer, &buy), "credits_no_price");
    story.run(founder, &["oracle", "post", "1.14"]);
    story.run(buyer, &buy);
    let escrow = story.open_escrow(buyer, 3, "credit", (100 * DOLLAR, 100 * DOLLAR));
    story.bid(alice, escrow, 100 * DOLLAR);
    story.accept(buyer, escrow, alice.node);
    story.close_escrow(buyer, escrow);
    assert_eq!(story.holds(alice).2, 80 * DOLLAR);
    assert_eq!(story.holds(buyer).1, 923_435_000);
}

fn status(akash: &Akash) -> Value {
    akash.story.ask(&akash.founder, &json!({ "credits": "status" }))["credits"]["status"].clone()
}

/// A new price after a gap: what was posted before lies outside of the half hour of the average.
fn new_price(akash: &Akash, price: &str) {
    akash.story.advance(&akash.founder, "36m");
    akash.story.run(&akash.founder, &["oracle", "post", price]);
    let posts = akash.story.run(&akash.founder, &["oracle", "show"]);
    assert_eq!(posts["credits"]["posts"].as_array().unwrap().len(), 1);
}

/// The tokens that bought dollars pay for dollars again, before new ones are made.
fn burned_and_minted(akash: &Akash) {
    let Akash { story, alice, .. } = akash;
    assert_eq!(status(akash)["reserve"], 900 * TOKEN);
    new_price(akash, "1.5");
    // 80 / 1.5 = 53.333333333
    assert_eq!(
        story.refused(alice, &["wallet", "settle", "80", "--least", "53.333333334"]),
        "credits_too_few_tokens"
    );
    story.run(alice, &["wallet", "settle", "80", "--least", "53.333333333"]);
    assert_eq!(status(akash)["reserve"], 846_666_666_667_u64);
    assert_eq!(status(akash)["minted"], 0);
}

/// 846.67 tokens at 0.90 are worth 762 dollars, 81 % of the 943.435 that are out: below 90 %.
fn the_breaker_halts(akash: &Akash) {
    let Akash { story, buyer, .. } = akash;
    new_price(akash, "0.9");
    let halted = status(akash);
    assert_eq!(halted["outstanding"], 943_435_000);
    assert_eq!(halted["breaker"], "halted");
    let buy = ["wallet", "buy", "1", "--least", "0"];
    assert_eq!(story.refused(buyer, &buy), "credits_halted");
    // At 1.05 it is 94 %: buying is open again, with a warning.
    new_price(akash, "1.05");
    assert_eq!(status(akash)["breaker"], "warned");
}

/// A validator that is offline loses 0.01 %, and comes back from jail after ten minutes.
fn an_offline_validator(akash: &Akash) {
    let Akash { story, founder, buyer, bob, .. } = akash;
    story.run(buyer, &["wallet", "send", &bob.id(), "100"]);
    let enroll = json!({ "role": "validator", "owner": bob.account, "commission": "10%" });
    story.submit_as_node(bob, &json!({ "stake": { "enroll": enroll } }));
    let (node, subject) = (bob.node_id(), json!({ "role": "validator", "operator": bob.node }));
    story.run(bob, &["stake", "bond", "validator", &node, "100"]);
    let judge = json!({
        "subject": subject, "offence": "offline", "at_risk": "all", "reporter": null,
        "affected": [],
    });
    story.submit(founder, &json!({ "stake": { "judge": judge } }));
    let unjail = ["stake", "unjail", "validator", &node];
    assert_eq!(story.refused(bob, &unjail), "stake_jailed_until");
    story.advance(founder, "10m");
    story.run(bob, &unjail);
    let listed = story.run(founder, &["stake", "ls", "validator"]);
    // 100 - 0.01 % = 99.99
    assert_eq!(listed["stake"]["subjects"][0]["stake"], 99_990_000_000_u64);
    story.run(bob, &["stake", "unbond", "validator", &node]);
    story.advance(founder, "21d");
    story.run(bob, &["wallet", "send", &buyer.id(), "100"]);
}
