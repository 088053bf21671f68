//! Gensyn: a task is paid a day after its approval; a receipt that a whistle-blower challenges
//! is checked, played out between the two, and costs the solver its whole deposit.

use remuda_ledger::disputes::{DisputeId, Inclusion, Verdict, check_commitment, receipts_root};
use remuda_types::job::JobKind;
use remuda_types::{
    Canonical, ChannelId, Credits, DeviceClass, FinalReceipt, Hash, JobId, ManifestHash, Price,
    Receipt, SecretKey, Seed, SeedSource, Signed, StopReason, Usage, Voucher,
};
use serde_json::{Value, json};

use crate::story::{Person, Story};
use crate::trade::{DOLLAR, TOKEN, give};

/// The most blocks that any stage of the dispute takes here: one more than a side has to move.
const BLOCKS_MAX: u32 = 11;

struct Gensyn {
    story: Story,
    founder: Person,
    /// Has 100 tokens and 40 dollars.
    submitter: Person,
    /// Trains as it should.
    solver: Person,
    /// Has 1,000 tokens, and does not train.
    cheat: Person,
    /// Its node has 100 tokens.
    verifier: Person,
    /// Has 20 tokens.
    whistle_blower: Person,
}

fn begin() -> Gensyn {
    let mut story = Story::new();
    let [founder, submitter, solver, cheat, verifier, whistle_blower] =
        ["founder", "submitter", "solver", "cheat", "verifier", "whistle-blower"]
            .map(|name| story.person(name));
    let args = [
        give("--fund", submitter.account, 100),
        give("--credit", submitter.account, 40),
        give("--fund", cheat.account, 1_000),
        give("--fund", verifier.node_account(), 100),
        give("--fund", whistle_blower.account, 20),
    ];
    story.begin(&founder, "gensyn", &args.concat());
    story.register(&solver, "solver");
    story.register(&cheat, "cheat");
    Gensyn { story, founder, submitter, solver, cheat, verifier, whistle_blower }
}

#[test]
fn a_solver_is_paid_and_a_cheat_loses_its_deposit() {
    let gensyn = begin();
    a_task(&gensyn);
    deposits(&gensyn);
    let receipt = a_receipt(&gensyn);
    let dispute = DisputeId::of(&receipt.receipt.body.id());
    challenged(&gensyn, &receipt, dispute);
    verified(&gensyn, dispute);
    convicted(&gensyn, dispute);
    let Gensyn { story, founder, submitter, solver, cheat, verifier, whistle_blower } = &gensyn;
    // 100 less 1 %.
    assert_eq!(story.holds(solver), (99 * u128::from(TOKEN), 0, 0));
    // 100 paid; a fifth of the cheat's 1,000. The 40 dollars are back.
    assert_eq!(story.holds(submitter), (Story::tokens(200), 40 * DOLLAR, 0));
    // 20 of bond are back; 30 % of 1,000.
    assert_eq!(story.holds(whistle_blower), (Story::tokens(320), 0, 0));
    assert_eq!(story.holds(cheat), (0, 0, 0));
    // The deposit, and half a token for the verdict.
    assert_eq!(story.tokens_of(founder, verifier.node_account()), 100 * TOKEN + TOKEN / 2);
    // 1 % of 100, less the verdict's half.
    assert_eq!(story.treasury(founder), (TOKEN / 2, 0));
    // 99 + 200 + 320 + 100.5 + 0.5 = 100 + 1,000 + 100 + 20 - 500 burned
    assert_eq!(story.supply(founder, "tokens"), 720 * TOKEN);
    assert_eq!(story.supply(founder, "burned"), 500 * TOKEN);
}

/// Submitted, solved, approved; after a day nobody can challenge it, and 99 of 100 are paid.
fn a_task(gensyn: &Gensyn) {
    let Gensyn { story, founder, submitter, solver, .. } = gensyn;
    story.sell((solver, submitter), 1, "token", 100 * TOKEN);
    assert_eq!(story.holds(solver).0, 0);
    // The hold ends at a step of a 64th.
    story.advance(founder, "25h");
    assert_eq!(story.holds(solver).0, Story::tokens(99));
    assert_eq!(story.treasury(founder).0, TOKEN);
}

/// A solver deposits 1,000, 25 times the 40 at risk, of its own accord: the profile holds
/// payouts and requires no stake. A verifier deposits 100.
fn deposits(gensyn: &Gensyn) {
    let Gensyn { story, cheat, verifier, .. } = gensyn;
    story.run(cheat, &["stake", "enroll", "provider"]);
    story.run(cheat, &["stake", "bond", "provider", &cheat.node_id(), "1000"]);
    story.submit_as_node(
        verifier,
        &json!({ "dispute": { "enrol_checker": { "bond": 100 * TOKEN } } }),
    );
}

/// The key of somebody's provider node.
fn node_key(gensyn: &Gensyn, name: &str) -> SecretKey {
    let path = gensyn.story.file(name).join("provider/node.key");
    let seed: Hash = std::fs::read_to_string(path).unwrap().trim().parse().unwrap();
    SecretKey::from_seed(seed.0)
}

/// The cheat is paid 40 dollars through a channel, which are held for a day; both sides signed
/// the receipt.
fn a_receipt(gensyn: &Gensyn) -> FinalReceipt {
    let Gensyn { story, submitter, cheat, .. } = gensyn;
    let nonce = [9; 32];
    let open = json!({
        "nonce": nonce, "provider": cheat.node, "client": submitter.node,
        "deposit": 40 * DOLLAR, "expires_at": story.now(submitter) + 86_400_000,
    });
    story.submit(submitter, &json!({ "open_channel": open }));
    let channel = ChannelId::derive(&submitter.key.public(), &cheat.node, &nonce);
    let receipt = signed_receipt(gensyn, channel);
    story.submit_as_node(cheat, &json!({ "redeem": { "vouchers": [receipt.voucher] } }));
    assert_eq!(story.holds(cheat).2, 0);
    receipt
}

fn signed_receipt(gensyn: &Gensyn, channel: ChannelId) -> FinalReceipt {
    let Gensyn { story, submitter, cheat, .. } = gensyn;
    let file = std::fs::read_to_string(story.file("network.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    let amount = Credits(40 * DOLLAR);
    let receipt = Receipt {
        network: serde_json::from_value(file["network"].clone()).unwrap(),
        job: JobId(Hash([4; 32])),
        attempt: 0,
        kind: JobKind::Generate,
        manifest: ManifestHash(Hash([5; 32])),
        input: Hash([6; 32]),
        seed: Seed::from_caller(1),
        seed_source: SeedSource::Caller(1),
        output: Hash([7; 32]),
        usage: Usage { units_out: amount.0, ..Usage::default() },
        stop: StopReason::Stop,
        fingerprint: None,
        started_at: story.now(submitter),
        finished_at: story.now(submitter) + 1,
        device: DeviceClass("v100-equivalent".into()),
        numerics: None,
        price: Price { input: 0, output: 1_000_000 },
        amount,
        channel,
        sequence: 1,
        cumulative: amount,
        provider: cheat.node,
        payer: submitter.key.public(),
    };
    let voucher = Voucher { channel, sequence: 1, cumulative: amount, receipt: Some(receipt.id()) };
    FinalReceipt {
        receipt: Signed::sign(receipt, &node_key(gensyn, "cheat")),
        voucher: Signed::sign(voucher, &submitter.key),
    }
}

/// The whistle-blower deposits twice what a referee costs. The 40 dollars are frozen.
fn challenged(gensyn: &Gensyn, receipt: &FinalReceipt, dispute: DisputeId) {
    let Gensyn { story, submitter, whistle_blower, .. } = gensyn;
    let receipts = [receipt.digest()];
    let root = json!({ "root": receipts_root(&receipts).unwrap(), "count": 1 });
    let posted =
        story.submit_as_node(submitter, &json!({ "dispute": { "post_receipt_root": root } }));
    let height = posted["height"].as_u64().unwrap();
    let place = Inclusion::of(&receipts, 0, height, submitter.node).unwrap();
    let challenge = json!({ "receipt": receipt, "kind": "exact", "place": place });
    story.submit(whistle_blower, &json!({ "dispute": { "challenge": challenge } }));
    assert_eq!(story.holds(whistle_blower).0, 0);
    let found = record(gensyn, dispute);
    assert_eq!((&found["bond"], &found["frozen"]), (&json!(20 * TOKEN), &json!(40 * DOLLAR)));
}

fn record(gensyn: &Gensyn, dispute: DisputeId) -> Value {
    let query = json!({ "disputes": { "dispute": dispute } });
    gensyn.story.ask(&gensyn.founder, &query)["disputes"]["dispute"].clone()
}

/// Draws and turns count in blocks. While time stands still, only transactions make blocks: the
/// solver sends itself a token in each, until the dispute has come to a stage.
fn blocks_until(gensyn: &Gensyn, dispute: DisputeId, stage: &str) {
    let Gensyn { story, solver, .. } = gensyn;
    for _ in 0..=BLOCKS_MAX {
        if record(gensyn, dispute)["stage"] == stage {
            return;
        }
        story.run(solver, &["wallet", "send", &solver.id(), "1"]);
    }
    panic!("the dispute did not come to {stage}: {}", record(gensyn, dispute));
}

/// The verifier is drawn, commits, and reveals that the result is wrong. It is paid for the
/// verdict, whatever it says.
fn verified(gensyn: &Gensyn, dispute: DisputeId) {
    let Gensyn { story, founder, verifier, .. } = gensyn;
    blocks_until(gensyn, dispute, "selected");
    let (fingerprint, salt) = (Hash([3; 32]), [4; 32]);
    let commitment =
        check_commitment(&dispute, &verifier.node, Verdict::Failed, &fingerprint, &salt);
    let commit = json!({ "dispute": dispute, "commitment": commitment });
    story.submit_as_node(verifier, &json!({ "dispute": { "commit_check": commit } }));
    let reveal = json!({
        "dispute": dispute, "verdict": "failed", "fingerprint": fingerprint, "salt": salt,
    });
    story.submit_as_node(verifier, &json!({ "dispute": { "reveal_check": reveal } }));
    assert_eq!(story.tokens_of(founder, verifier.node_account()), TOKEN / 2);
}

/// The cheat would have to name the states between which it trained. It does not: after ten
/// blocks it is convicted, and sells nothing any more.
fn convicted(gensyn: &Gensyn, dispute: DisputeId) {
    let Gensyn { story, founder, submitter, cheat, verifier, .. } = gensyn;
    blocks_until(gensyn, dispute, "convicted");
    let order = story.open_order(submitter, 2, "token", (1, TOKEN));
    assert_eq!(story.take_refused(cheat, order, 0), "escrow_ejected");
    story.submit(submitter, &json!({ "order": { "cancel": { "order": order } } }));
    story.submit_as_node(verifier, &json!({ "dispute": "retire_checker" }));
    story.advance(founder, "14d");
}
