//! Render: work is priced in dollars, 95 % of what buys them burns, silence approves after 72
//! hours, and what a period mints pays those who rendered.

use serde_json::json;

use crate::story::{Person, Story};
use crate::trade::{DOLLAR, TOKEN, give, set};

struct Render {
    story: Story,
    /// Founds the network and says what a token costs.
    founder: Person,
    /// Holds all that there was before: 536,870,912 tokens.
    creator: Person,
    alice: Person,
    bob: Person,
}

fn begin() -> Render {
    let mut story = Story::new();
    let [founder, creator, alice, bob] =
        ["founder", "creator", "alice", "bob"].map(|name| story.person(name));
    let args = [
        set("credits.oracle.posters", &json!([founder.account])),
        give("--role", "before", creator.account),
    ];
    story.begin(&founder, "render", &args.concat());
    story.register(&alice, "alice");
    story.register(&bob, "bob");
    Render { story, founder, creator, alice, bob }
}

#[test]
fn a_frame_is_rejected_and_silence_approves_after_72_hours() {
    let render = begin();
    dollars_are_bought(&render);
    two_frames(&render);
    a_frame_for_tokens(&render);
    a_period_pays(&render);
    let Render { story, creator, alice, bob, .. } = &render;
    // 536,870,912 - 1,000 for dollars - 100 for a frame; $4,750 - two frames of $100.
    assert_eq!(story.holds(creator), (536_869_812 * u128::from(TOKEN), 4_550 * DOLLAR, 0));
    // 760,567 a month * 25 % for work = 190,141.75, half each: both rendered for $100.
    assert_eq!(story.holds(alice), (95_070_875_000_000, 0, 0));
    assert_eq!(story.holds(bob), (95_070_875_000_000, 0, 0));
    // 5 % of 1,000 and of 100, and 50 % of the month: 50 + 5 + 380,283.5.
    assert_eq!(story.treasury(creator), (380_338_500_000_000, 0));
    // 536,870,912 - 950 - 95 burned + 190,141.75 + 380,283.5 minted; nobody took the 25 % for
    // standing ready, which was never minted.
    assert_eq!(story.supply(creator, "burned"), 1_045 * TOKEN);
    assert_eq!(story.supply(creator, "tokens"), 537_440_292_250_000_000);
}

/// 1,000 tokens at 5 dollars: 5 % are the fee, 950 burn and become 4,750 dollars.
fn dollars_are_bought(render: &Render) {
    let Render { story, founder, creator, .. } = render;
    story.run(founder, &["oracle", "post", "5"]);
    let buy = ["wallet", "buy", "1000", "--least", "4750.01"];
    assert_eq!(story.refused(creator, &buy), "credits_too_few");
    story.run(creator, &["wallet", "buy", "1000", "--least", "4750"]);
    assert_eq!(story.holds(creator).1, 4_750 * DOLLAR);
    assert_eq!(story.supply(creator, "burned"), 950 * TOKEN);
    assert_eq!(story.treasury(creator), (50 * TOKEN, 0));
}

/// Alice renders both frames. One is rejected: another node does it again. The other is not
/// looked at, and so it is approved.
fn two_frames(render: &Render) {
    let Render { story, founder, creator, alice, bob } = render;
    let order = story.open_order(creator, 1, "credit", (2, 100 * DOLLAR));
    for frame in [0, 1] {
        story.take(alice, order, frame);
        story.deliver(alice, order, frame);
    }
    story.reject(creator, order, 0, false);
    assert_eq!(story.part_states(creator, order), ["offered", "delivered"]);
    assert_eq!(story.take_refused(alice, order, 0), "order_part_failed");
    story.take(bob, order, 0);
    story.deliver(bob, order, 0);
    story.approve(creator, order, 0);
    assert_eq!(story.part_states(creator, order), ["approved", "delivered"]);

    story.advance(founder, "71h59m59s");
    assert_eq!(story.part_states(creator, order), ["approved", "delivered"]);
    story.advance(founder, "1s");
    assert_eq!(story.part_states(creator, order), ["approved", "approved"]);
    // The dollars have ended: $4,750 were made, 2 * $100 are gone, and nobody earned them.
    assert_eq!(story.holds(creator).1, 4_550 * DOLLAR);
    assert_eq!(story.supply(creator, "retired"), 200 * DOLLAR);
    assert_eq!(story.holds(alice).2, 0);
}

/// Who pays in tokens: 95 % burn and 5 % are the treasury's, too.
fn a_frame_for_tokens(render: &Render) {
    let Render { story, creator, bob, .. } = render;
    story.sell((bob, creator), 2, "token", 100 * TOKEN);
    assert_eq!(story.supply(creator, "burned"), 1_045 * TOKEN);
    assert_eq!(story.treasury(creator), (55 * TOKEN, 0));
}

/// After 730 hours the first period ends.
fn a_period_pays(render: &Render) {
    let Render { story, founder, alice, bob, .. } = render;
    let forecast = story.run(founder, &["epoch", "forecast", "main", "2"]);
    // 9,126,804 in twelve parts.
    let month = 760_567_000_000_000_u64;
    assert_eq!(forecast["epochs"]["forecast"]["amounts"], json!([month, month]));
    story.advance(founder, "658h");
    let split = story.run(founder, &["epoch", "splits", "main", "1"]);
    // 25 % for work + 50 % for the treasury
    assert_eq!(split["epochs"]["splits"][0]["minted"], 570_425_250_000_000_u64);
    for person in [alice, bob] {
        assert_eq!(story.rewards(person), 95_070_875_000_000);
        story.run(person, &["epoch", "claim"]);
    }
    assert_eq!(story.refused(alice, &["epoch", "claim"]), "epoch_nothing_to_claim");
}
