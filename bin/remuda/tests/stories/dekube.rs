//! DEKUBE: the genesis is empty and everybody earns by computed work; points bring chests;
//! revenue buys tokens and burns them; several keys spend from the treasury after a timelock.

use remuda_ledger::accounts::MultisigPolicy;
use remuda_types::AccountId;
use serde_json::{Value, json};

use crate::story::{Person, Story};
use crate::trade::{DOLLAR, TOKEN, give, set};

/// Half of the hour's 400,000,000 / 17,520 = 22,831.050228310: for capacity, or for work.
const HALF_HOUR: u64 = 11_415_525_114_155;

struct Dekube {
    story: Story,
    /// Founds the network and measures devices.
    founder: Person,
    miner: Person,
    friend: Person,
    /// Has 5,000 dollars.
    customer: Person,
    developer: Person,
    /// Two of founder, miner and friend.
    council: AccountId,
}

fn begin() -> Dekube {
    let mut story = Story::new();
    let [founder, miner, friend, customer, developer] =
        ["founder", "miner", "friend", "customer", "developer"].map(|name| story.person(name));
    let members = [&founder, &miner, &friend].map(|person| person.key.public());
    let council = MultisigPolicy::new(members, 2).account();
    let args = [
        set("epochs.reporters", &json!([founder.account])),
        set("governance.treasury.council", &json!(council)),
        give("--credit", customer.account, 5_000),
    ];
    story.begin(&founder, "dekube", &args.concat());
    story.register(&miner, "miner");
    story.register(&friend, "friend");
    Dekube { story, founder, miner, friend, customer, developer, council }
}

#[test]
fn work_earns_revenue_burns_and_two_keys_spend() {
    let dekube = begin();
    a_miner_earns(&dekube);
    a_team(&dekube);
    chests(&dekube);
    revenue(&dekube);
    decided(&dekube);
    carried_out(&dekube);
    let Dekube { story, founder, miner, friend, customer, developer, .. } = &dekube;
    // Two halves of an hour: 22,831.050228310 - 10,000 sent to the customer.
    assert_eq!(story.holds(miner), (12_831_050_228_310, 0, 0));
    // One half.
    assert_eq!(story.holds(friend), (HALF_HOUR.into(), 0, 0));
    assert_eq!(story.holds(developer), (500 * u128::from(TOKEN), 0, 0));
    // $5,000 - $4,100 - $1
    assert_eq!(story.holds(customer), (0, 899 * DOLLAR, 0));
    // 4,000 - 2,000 for the pool - 500; $4,101 - $2,000 - $100 that bought tokens.
    assert_eq!(story.treasury(founder), (1_500 * TOKEN, 2_001 * DOLLAR));
    // 34,246.575342465 mined - 6,000 of the order - 94.965947516 bought back.
    assert_eq!(story.supply(founder, "tokens"), 28_151_609_394_949);
    points_become_tokens(&dekube);
    // All points with a certificate are the miner's: 75,000,000 in twelve monthly batches.
    assert_eq!(story.holds(miner).0, 12_831_050_228_310 + 6_250_000 * u128::from(TOKEN));
}

/// The genesis has no token. In the first hour only one device stands ready.
fn a_miner_earns(dekube: &Dekube) {
    let Dekube { story, founder, miner, .. } = dekube;
    assert_eq!(story.supply(founder, "minted"), 0);
    story.report_capacity(founder, miner.node, "1");
    story.advance(founder, "1h");
    assert_eq!(story.rewards(miner), HALF_HOUR);
    story.run(miner, &["epoch", "claim"]);
    // The half for work is not minted: nobody worked.
    assert_eq!(story.supply(founder, "minted"), HALF_HOUR);
    story.report_capacity(founder, miner.node, "0");
}

/// Work of 4,100 dollars, then work of a friend whom the miner invited into its team.
fn a_team(dekube: &Dekube) {
    let Dekube { story, founder, miner, friend, customer, .. } = dekube;
    story.sell((miner, customer), 1, "credit", 4_100 * DOLLAR);
    story.run(miner, &["team", "create", "herd"]);
    story.run(friend, &["team", "join", "1"]);
    story.run(friend, &["points", "invited", &miner.id()]);
    story.advance(founder, "1h");
    assert_eq!(story.rewards(miner), HALF_HOUR);
    story.sell((friend, customer), 2, "credit", DOLLAR);
    story.advance(founder, "1h");
    assert_eq!(story.rewards(friend), HALF_HOUR);
    let teams = story.run(founder, &["team", "ls"]);
    let team = &teams["points"]["teams"][0];
    assert_eq!((&team["members"], &team["qualified"]), (&json!(2), &json!(2)));
    // 10 points a dollar, twice in the first season; 1 % for one other in the team.
    let points = story.run(friend, &["points", "show"]);
    let points = &points["points"]["account"];
    assert_eq!((&points["work"], &points["team_bonus"]), (&json!("20"), &json!("0.2")));
    // 5 % of the friend's 20 are added for who invited it.
    let points = story.run(miner, &["points", "show"]);
    let points = &points["points"]["account"];
    assert_eq!((&points["work"], &points["referral"]), (&json!("82000"), &json!("1")));
}

/// What 825 chests held, by the odds of the profile; the certificate is the miner's already.
fn won(chests: &Value) -> u64 {
    let prizes = chests["last"]["prizes"].as_array().unwrap();
    assert_eq!(prizes.len(), 825);
    let points = |prize: &Value| [5, 20, 100, 0][usize::try_from(prize.as_u64().unwrap()).unwrap()];
    prizes.iter().map(points).sum()
}

/// One for each 100 points: 820; two for the member and one for the invited, twice for the
/// early: 6. That is 826, and the last one stays closed.
fn chests(dekube: &Dekube) {
    let Dekube { story, founder, miner, .. } = dekube;
    let odds = story.run(founder, &["chest", "odds"]);
    assert_eq!(odds["points"]["odds"][0]["odds"], "60%");
    let chests = story.run(miner, &["chest", "show"])["points"]["chests"].clone();
    assert_eq!((&chests["earned"], &chests["openable"]), (&json!(826), &json!(825)));
    story.run(miner, &["points", "certificate"]);
    story.run(miner, &["chest", "open", "825"]);
    assert_eq!(story.refused(miner, &["chest", "open", "1"]), "points_chest_cap");
    // Some are drawn in each block, from the beacon of two blocks later.
    story.advance(founder, "1s");
    let chests = story.run(miner, &["chest", "show"])["points"]["chests"].clone();
    assert_eq!((&chests["opened"], &chests["waiting"]), (&json!(825), &json!(0)));
    let points = story.run(miner, &["points", "show"])["points"]["account"].clone();
    assert_eq!(points["won"], won(&chests).to_string());
    assert_eq!(points["certificate"], 1);
}

/// 10,000 tokens of revenue: 60 % burn, 40 % are the treasury's. All dollars are, too.
fn revenue(dekube: &Dekube) {
    let Dekube { story, founder, miner, friend, customer, .. } = dekube;
    story.run(miner, &["epoch", "claim"]);
    story.run(friend, &["epoch", "claim"]);
    story.run(miner, &["wallet", "send", &customer.id(), "10000"]);
    story.sell((friend, customer), 3, "token", 10_000 * TOKEN);
    assert_eq!(story.supply(founder, "burned"), 6_000 * TOKEN);
    assert_eq!(story.treasury(founder), (4_000 * TOKEN, 4_101 * DOLLAR));
    // 11,415.525114155 three times - 6,000
    assert_eq!(story.supply(founder, "tokens"), 3 * HALF_HOUR - 6_000 * TOKEN);
}

fn proposal(dekube: &Dekube, number: &str) -> Value {
    let listed = dekube.story.run(&dekube.founder, &["dao", "ls"]);
    let proposals = listed["governance"]["proposals"].as_array().unwrap();
    let found = proposals.iter().find(|found| format!("{}", found["id"]) == number);
    found.unwrap()["status"].clone()
}

/// Two voters seed the pool from which the revenue buys; nobody votes on the other proposal.
fn decided(dekube: &Dekube) {
    let Dekube { story, founder, miner, friend, .. } = dekube;
    for voter in [miner, friend] {
        story.run(voter, &["dao", "lock", "5000"]);
    }
    let kind = json!({ "seed_pool": { "tokens": 2_000 * TOKEN, "credits": 2_000 * DOLLAR } });
    let propose = json!({ "title": "A market", "text": "To buy from", "kind": kind });
    story.submit(miner, &json!({ "governance": { "propose": propose } }));
    story.run(friend, &["dao", "propose", "Thank the testers", "text"]);
    for voter in [miner, friend] {
        story.run(voter, &["dao", "vote", "0", "yes"]);
    }
    assert_eq!(story.refused(miner, &["dao", "unlock", "5000"]), "governance_votes_bound");
    assert_eq!(story.refused(founder, &["dao", "execute", "0"]), "governance_proposal_state");
    story.advance(founder, "7d");
    assert_eq!(proposal(dekube, "1"), "rejected");
    assert!(proposal(dekube, "0")["queued"].is_object());
    assert_eq!(story.refused(founder, &["dao", "execute", "0"]), "governance_timelock");
    let votes = story.run(founder, &["dao", "show", "0"]);
    assert_eq!(votes["governance"]["votes"], json!([]));
}

/// The council's 500 and the vote's pool come after two days; the treasury's first buy-back
/// spends 5 % of the pool's dollars, which is less than 60 % of its own.
fn carried_out(dekube: &Dekube) {
    let Dekube { story, founder, miner, friend, developer, council, .. } = dekube;
    let keys = [founder, miner, friend].map(|person| person.key.public().to_string());
    let mut create = vec!["wallet", "multisig", "create", "--threshold", "2"];
    create.extend(keys.iter().flat_map(|key| ["--member", key]));
    story.run(founder, &create);
    let spend = json!({ "to": developer.account, "amount": 500 * TOKEN, "memo": "the client" });
    let spend = json!({ "governance": { "council_spend": spend } }).to_string();
    story.run(miner, &["wallet", "multisig", "propose", &council.to_string(), &spend]);
    story.run(founder, &["dao", "sign", &format!("{council}/0")]);
    story.run(founder, &["wallet", "multisig", "show", &council.to_string()]);
    story.advance(founder, "24h");
    assert_eq!(story.holds(developer).0, 0);
    story.advance(founder, "24h");
    assert_eq!(story.holds(developer).0, u128::from(500 * TOKEN));
    assert_eq!(proposal(dekube, "0"), "executed");
    // $100 into a pool of 2,000 tokens and $2,000, less 0.3 %:
    // 2,000 * 99.7 / 2,099.7 = 94.965947516 tokens, which burn.
    let pool = story.run(founder, &["treasury", "pool"])["governance"]["pool"].clone();
    assert_eq!(
        (&pool["bought"], &pool["spent"]),
        (&json!(94_965_947_516_u64), &json!(100 * DOLLAR))
    );
    let outflows = story.run(founder, &["treasury", "outflows"]);
    assert_eq!(outflows["governance"]["outflows"].as_array().unwrap().len(), 3);
    for voter in [miner, friend] {
        story.run(voter, &["dao", "unlock", "5000"]);
    }
}

/// The main network begins after 90 days; a twelfth comes free each month.
fn points_become_tokens(dekube: &Dekube) {
    let Dekube { story, founder, miner, friend, .. } = dekube;
    story.run(friend, &["team", "leave"]);
    assert_eq!(story.refused(miner, &["points", "claim"]), "points_nothing_due");
    for _ in 0..3 {
        story.advance(founder, "27d");
    }
    assert_eq!(story.refused(miner, &["points", "claim"]), "points_nothing_due");
    story.advance(founder, "730h");
    story.run(miner, &["points", "claim"]);
}
