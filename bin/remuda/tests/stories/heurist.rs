//! Heurist: an image is counted in credits, miners share what the day gives, and a bribe moves
//! stake from one miner to another.

use serde_json::{Value, json};

use crate::story::{Person, Story};
use crate::trade::{DOLLAR, TOKEN, give};

/// 1024 by 1024 pixels in 40 steps, beside 512 by 512 in 20: 4 * 2 = 8 credits. A dollar is
/// 100 credits.
const IMAGE: u64 = 8 * DOLLAR / 100;

struct Heurist {
    story: Story,
    /// Founds the network.
    founder: Person,
    /// Has 10 dollars.
    user: Person,
    alice: Person,
    bob: Person,
    /// Has the investors' 60,000,000, free from the third month on.
    carol: Person,
}

fn begin() -> Heurist {
    let mut story = Story::new();
    let [founder, user, alice, bob, carol] =
        ["founder", "user", "alice", "bob", "carol"].map(|name| story.person(name));
    let args = [give("--role", "investors", carol.account), give("--credit", user.account, 10)];
    story.begin(&founder, "heurist", &args.concat());
    for (miner, name) in [(&alice, "alice"), (&bob, "bob")] {
        story.register(miner, name);
        story.run(miner, &["stake", "enroll", "provider"]);
    }
    Heurist { story, founder, user, alice, bob, carol }
}

#[test]
fn an_image_costs_eight_credits_and_a_bribe_moves_stake() {
    let heurist = begin();
    eight_credits(&heurist);
    nobody_staked(&heurist);
    alice_mines(&heurist);
    the_bribe(&heurist);
    bob_mines(&heurist);
    points_become_tokens(&heurist);
    let Heurist { story, user, alice, bob, carol, .. } = &heurist;
    // Six images of 8 cents; used credits end.
    assert_eq!(story.holds(user), (0, 9_520_000, 0));
    // 130,136.7 of the second day, and for 32 of the 48 points 33,333,333.333333333.
    assert_eq!(story.holds(alice), (33_463_470_033_333_333, 0, 0));
    // 70 % of the third day's 123,629.865, and for 16 points 16,666,666.666666666.
    assert_eq!(story.holds(bob), (16_753_207_572_166_666, 0, 0));
    // 82,191.780821917 - 40,000 staked + 40,000 after the cooldown; her 30 % vest.
    assert_eq!(story.holds(carol), (82_191_780_821_917, 0, 0));
    // 37.7 % at genesis (team, investors, treasury), two days of mining, and the points.
    assert_eq!(story.supply(user, "minted"), 427_253_766_565_000_000);
}

fn image(heurist: &Heurist, miner: &Person, number: u8) {
    heurist.story.sell((miner, &heurist.user), number, "credit", IMAGE);
}

/// The image costs 8 credits, and is worth 8 points.
fn eight_credits(heurist: &Heurist) {
    let Heurist { story, user, alice, .. } = heurist;
    image(heurist, alice, 1);
    assert_eq!(story.holds(user).1, 10 * DOLLAR - 80_000);
    let points = story.run(alice, &["points", "show"]);
    assert_eq!(points["points"]["account"]["work"], "8");
    let book = story.run(alice, &["points", "book"]);
    assert_eq!(book["points"]["book"]["total"], "8");
}

/// A day in which both sold an image.
fn a_day(heurist: &Heurist, number: u8) {
    image(heurist, &heurist.alice, number);
    image(heurist, &heurist.bob, number + 1);
    heurist.story.advance(&heurist.founder, "24h");
}

fn claim(heurist: &Heurist, staker: &Person, miner: &Person) {
    heurist.story.run(staker, &["stake", "claim", "provider", &miner.node_id()]);
}

/// Mining begins after 2,190 hours with 136,986 a day. Without a stake of 10,000 nobody mines,
/// and what nobody mines is not minted.
fn nobody_staked(heurist: &Heurist) {
    let Heurist { story, founder, alice, .. } = heurist;
    story.advance(founder, "2190h");
    image(heurist, alice, 2);
    story.advance(founder, "24h");
    assert_eq!(story.supply(founder, "minted"), 377_000_000 * TOKEN);
}

fn staked(heurist: &Heurist) -> Value {
    let positions = json!({ "stake": { "positions_of": heurist.carol.account } });
    heurist.story.ask(&heurist.founder, &positions)["stake"]["positions"].clone()
}

fn efficiency(heurist: &Heurist, miner: &Person) -> Value {
    let subject = json!({ "role": "provider", "operator": miner.node });
    let answer = heurist.story.ask(&heurist.founder, &json!({ "stake": { "subject": subject } }));
    answer["stake"]["subject"]["efficiency"].clone()
}

/// Nothing burned, so that the second day gives 5 % less: 130,136.7. Carol stakes with alice,
/// who has all of it: she promised nothing.
fn alice_mines(heurist: &Heurist) {
    let Heurist { story, alice, bob, carol, .. } = heurist;
    let grants = story.run(carol, &["wallet", "grants"]);
    let grant = grants["accounts"]["grants"][0]["id"].to_string();
    story.run(carol, &["wallet", "claim-grant", &grant]);
    // 60,000,000 over 17,520 hours from hour 2,190 on: 24 of them.
    assert_eq!(story.holds(carol).0, 82_191_780_821_917);
    story.run(carol, &["delegate", "provider", &alice.node_id(), "40000"]);
    // 40,000 of 100,000
    assert_eq!((efficiency(heurist, alice), efficiency(heurist, bob)), (json!("0.4"), json!("0")));
    // What is announced holds after a day.
    story.run(bob, &["bribe", "set", &bob.node_id(), "30%"]);
    a_day(heurist, 3);
    claim(heurist, alice, alice);
    assert_eq!(story.holds(alice).0, 130_136_700_000_000);
}

/// Bob offers 30 %: the stake moves at once, and the mining with it.
fn the_bribe(heurist: &Heurist) {
    let Heurist { story, alice, bob, carol, .. } = heurist;
    story.run(carol, &["bribe", "move", &alice.node_id(), &bob.node_id()]);
    assert_eq!((efficiency(heurist, alice), efficiency(heurist, bob)), (json!("0"), json!("0.4")));
    assert_eq!(staked(heurist)[0]["subject"]["operator"], json!(bob.node));
    assert_eq!(staked(heurist)[0]["worth"], 40_000 * TOKEN);
}

/// The third day gives 123,629.865: 30 % are carol's, 37,088.9595, and 70 % bob's.
fn bob_mines(heurist: &Heurist) {
    let Heurist { story, founder, bob, carol, .. } = heurist;
    a_day(heurist, 5);
    assert_eq!(staked(heurist)[0]["worth"], 77_088_959_500_000_u64);
    assert_eq!(staked(heurist)[0]["earned"], 37_088_959_500_000_u64);
    claim(heurist, bob, bob);
    claim(heurist, carol, bob);
    let grants = story.run(carol, &["wallet", "grants"]);
    assert_eq!(grants["accounts"]["grants"][1]["amount"], 37_088_959_500_000_u64);
    story.run(carol, &["stake", "unbond", "provider", &bob.node_id()]);
    assert_eq!(story.holds(carol).0, 42_191_780_821_917);
    story.advance(founder, "30d");
    let leaving = story.run(carol, &["stake", "show"]);
    assert_eq!(leaving["stake"]["unbondings"], json!([]));
    assert_eq!(story.holds(carol).0, 82_191_780_821_917);
}

/// After half a year all points become 50,000,000 tokens, liquid. Alice sold four images and
/// bob two, each for 8 points.
fn points_become_tokens(heurist: &Heurist) {
    let Heurist { story, founder, alice, bob, .. } = heurist;
    assert_eq!(story.refused(alice, &["points", "claim"]), "points_nothing_due");
    story.advance(founder, "60d");
    for miner in [alice, bob] {
        story.run(miner, &["points", "claim"]);
        assert_eq!(story.refused(miner, &["points", "claim"]), "points_nothing_due");
    }
}
