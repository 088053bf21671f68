//! Ocean: an algorithm visits the data. Dataset, algorithm and environment are ordered apart,
//! each is paid less a thousandth, and what is not delivered is given back.

use serde_json::json;

use crate::story::{Person, Story};
use crate::trade::{DOLLAR, TOKEN, give, set};

struct Ocean {
    story: Story,
    /// Founds the network and says what a token costs.
    founder: Person,
    /// Has 1,000 tokens.
    consumer: Person,
    publisher: Person,
    author: Person,
    /// Runs algorithms beside the data.
    environment: Person,
}

fn begin() -> Ocean {
    let mut story = Story::new();
    let [founder, consumer, publisher, author, environment] =
        ["founder", "consumer", "publisher", "author", "environment"]
            .map(|name| story.person(name));
    let args = [
        set("credits.oracle.posters", &json!([founder.account])),
        give("--fund", consumer.account, 1_000),
    ];
    story.begin(&founder, "ocean", &args.concat());
    let sellers = [(&publisher, "publisher"), (&author, "author"), (&environment, "environment")];
    for (seller, name) in sellers {
        story.register(seller, name);
    }
    Ocean { story, founder, consumer, publisher, author, environment }
}

#[test]
fn an_algorithm_visits_the_data_and_everybody_is_paid() {
    let ocean = begin();
    data_and_algorithm(&ocean);
    three_runs(&ocean);
    in_dollars(&ocean);
    let Ocean { story, founder, consumer, publisher, author, environment } = &ocean;
    // 1,000 - 600 - 100 - 300 + 100 back - 100 for dollars, which went to the author.
    assert_eq!(story.holds(consumer), (0, 0, 0));
    // 600 - 0.1 %
    assert_eq!(story.holds(publisher), (599_400_000_000, 0, 0));
    // 100 - 0.1 %, and 99.7002 for $49.8501.
    assert_eq!(story.holds(author), (199_600_200_000, 0, 0));
    // Two runs of 100 - 0.1 %; the third was given back.
    assert_eq!(story.holds(environment), (199_800_000_000, 0, 0));
    // 0.1 % of 600 + 100 + 200; 0.2 % of $49.95.
    assert_eq!(story.treasury(founder), (900_000_000, 99_900));
    // 1,000, and what the author settled; 100 burned for dollars.
    assert_eq!(story.supply(founder, "minted"), 1_000 * TOKEN + 99_700_200_000);
    assert_eq!(story.supply(founder, "burned"), 100 * TOKEN);
    // 1,000 + 99.7002 - 100 = 599.4 + 199.6002 + 199.8 + 0.9
    assert_eq!(story.supply(founder, "tokens"), 999_700_200_000);
}

/// A right to the dataset for 600 and one to the algorithm for 100: paid, delivered, released.
fn data_and_algorithm(ocean: &Ocean) {
    let Ocean { story, consumer, publisher, author, .. } = ocean;
    let order = story.open_order(consumer, 1, "token", (1, 600 * TOKEN));
    story.take(publisher, order, 0);
    // The money is in escrow: gone from one, not yet with the other.
    assert_eq!(story.holds(consumer).0, Story::tokens(400));
    story.deliver(publisher, order, 0);
    assert_eq!(story.holds(publisher).0, 0);
    let approve = json!({ "order": { "approve": { "order": order, "parts": [0] } } }).to_string();
    assert_eq!(story.refused(publisher, &["ledger", "submit", &approve]), "order_not_buyer");
    story.approve(consumer, order, 0);
    assert_eq!(story.holds(publisher).0, 599_400_000_000);
    story.sell((author, consumer), 2, "token", 100 * TOKEN);
    assert_eq!(story.holds(author).0, 99_900_000_000);
}

/// Three runs for 100 each. One is approved; one waits, and is paid after 72 hours; one never
/// ends, and is given back after its day.
fn three_runs(ocean: &Ocean) {
    let Ocean { story, founder, consumer, environment, .. } = ocean;
    let order = story.open_order(consumer, 3, "token", (3, 100 * TOKEN));
    for part in 0..3 {
        story.take(environment, order, part);
    }
    story.deliver(environment, order, 0);
    story.deliver(environment, order, 1);
    story.approve(consumer, order, 0);
    assert_eq!(story.holds(environment).0, 99_900_000_000);
    assert_eq!(story.holds(consumer).0, 0);
    story.advance(founder, "24h");
    assert_eq!(story.part_states(founder, order), ["approved", "delivered", "refunded"]);
    assert_eq!(story.holds(consumer).0, Story::tokens(100));
    story.advance(founder, "47h");
    assert_eq!(story.holds(environment).0, 99_900_000_000);
    story.advance(founder, "1h");
    assert_eq!(story.holds(environment).0, 199_800_000_000);
}

/// 100 tokens at $0.50 are $50, less a thousandth of the swap. All of it buys the algorithm
/// again, for the fee of 0.2 % with other coins.
fn in_dollars(ocean: &Ocean) {
    let Ocean { story, founder, consumer, author, .. } = ocean;
    story.run(founder, &["oracle", "post", "0.5"]);
    story.run(consumer, &["wallet", "buy", "100", "--least", "49.95"]);
    assert_eq!(story.holds(consumer), (0, 49_950_000, 0));
    story.sell((author, consumer), 4, "credit", 49 * DOLLAR + 950_000);
    // 49.95 - 0.0999
    assert_eq!(story.holds(author).2, 49_850_100);
    // 49.8501 / 0.50
    story.run(author, &["wallet", "settle", "49.8501", "--least", "99.7002"]);
}
