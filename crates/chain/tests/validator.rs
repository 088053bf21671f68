//! The embedded validator on a real file.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use remuda_chain::{
    LedgerClient, LedgerClientExt, LedgerError, ManualClock, Signer, StorageError, Validator,
    ValidatorConfig, transaction_digest,
};
use remuda_ledger::{NONCES_AHEAD_MAX, Query};
use remuda_types::{Signature, Tokens};
use support::{TOKENS, account, genesis, key, replay, signed, to};

fn config(home: &Path) -> ValidatorConfig {
    ValidatorConfig::new(home.join("ledger.redb"), genesis())
}

async fn open(home: &Path) -> Validator {
    Validator::open(config(home)).await.unwrap()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let validator = open(home.path()).await;
    let sent = signed(1, 0, to(2, 5));
    let included = validator.submit(sent.clone()).await.unwrap();
    assert_eq!(included.digest, transaction_digest(&sent));
    let head = validator.head().await.unwrap();
    validator.close().await;
    let stopped = validator.submit(signed(1, 1, to(2, 5))).await.unwrap_err();
    assert_eq!(stopped.code(), "ledger_unreachable");

    let validator = open(home.path()).await;
    assert_eq!(validator.head().await.unwrap(), head);
    assert_eq!(validator.account(account(2)).await.unwrap().tokens, Tokens(TOKENS.0 + 5));
    assert_eq!(validator.nonce(key(1).public()).await, Ok(1));
    assert_eq!(validator.submit(sent).await, Ok(included), "the answer was kept, too");
    let blocks = validator.blocks(0, 100).await.unwrap();
    assert_eq!(*replay(&genesis(), &blocks).head(), head);
}

#[tokio::test]
async fn transactions_of_one_key_share_a_block_in_any_order_of_arrival() {
    let home = tempfile::tempdir().unwrap();
    let mut config = config(home.path());
    // Long enough that all of them arrive; a full second is never waited for more than once.
    config.collect = Duration::from_secs(1);
    let validator = Validator::open(config).await.unwrap();
    let submissions = [3, 1, 0, 2].map(|nonce| {
        let (validator, sent) = (validator.clone(), signed(1, nonce, to(2, 1)));
        tokio::spawn(async move { validator.submit(sent).await })
    });
    for submission in submissions {
        assert_eq!(submission.await.unwrap().unwrap().height, 1);
    }
    assert_eq!(validator.blocks(1, 9).await.unwrap()[0].transactions.len(), 4);
}

#[tokio::test]
async fn refusals_are_typed_and_cost_nothing() {
    let home = tempfile::tempdir().unwrap();
    let validator = open(home.path()).await;
    let mut forged = signed(1, 0, to(2, 5));
    forged.signature = Signature([7; 64]);
    let mut foreign = signed(1, 0, to(2, 5));
    foreign.body.network.0.0[0] ^= 1;
    let cases = [
        (forged, "bad_signature"),
        (foreign, "wrong_network"),
        (signed(1, NONCES_AHEAD_MAX + 1, to(2, 5)), "wrong_nonce"),
        (signed(1, 1, to(2, 5)), "wrong_nonce"),
    ];
    for (transaction, code) in cases {
        assert_eq!(validator.submit(transaction).await.unwrap_err().code(), code);
    }
    assert_eq!(validator.head().await.unwrap().height, 0, "not even a block");
    let broke = validator.submit(signed(1, 0, to(2, TOKENS.0 + 1))).await.unwrap_err();
    assert_eq!(broke.code(), "insufficient_tokens");
    assert_eq!(validator.nonce(key(1).public()).await, Ok(1), "it is in a block");
    assert_eq!(validator.submit(signed(1, 0, to(2, 5))).await.unwrap_err().code(), "wrong_nonce");
}

#[tokio::test]
async fn several_signers_of_one_key_get_along() {
    let home = tempfile::tempdir().unwrap();
    let validator = open(home.path()).await;
    let ledger: Arc<dyn LedgerClient> = Arc::new(validator.clone());
    let tasks = [1, 2, 3].map(|amount| {
        let signer = Signer::new(Arc::clone(&ledger), key(1));
        tokio::spawn(async move {
            for _ in 0..5 {
                signer.send(to(2, amount)).await.unwrap();
            }
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(validator.account(account(2)).await.unwrap().tokens, Tokens(TOKENS.0 + 30));
    assert_eq!(validator.nonce(key(1).public()).await, Ok(15));
}

#[tokio::test]
async fn a_signer_counts_on_after_a_refusal() {
    let home = tempfile::tempdir().unwrap();
    let validator = open(home.path()).await;
    let signer = Signer::new(Arc::new(validator.clone()), key(1));
    let refused = signer.send(to(2, TOKENS.0 + 1)).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Refused(_)));
    assert!(!refused.is_outcome_unknown());
    assert_eq!(signer.send(to(2, 1)).await.unwrap().height, 2);
    assert_eq!(signer.send(to(2, 1)).await.unwrap().height, 3);
}

#[tokio::test]
async fn block_time_follows_the_clock_and_never_runs_back() {
    let home = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(5_000));
    let config = ValidatorConfig { clock: clock.clone(), ..config(home.path()) };
    let validator = Validator::open(config).await.unwrap();
    let mut times = Vec::new();
    for (nonce, step) in [(0, 5_000), (1, 9_000), (2, 2_000), (3, 9_500)] {
        clock.set(step);
        validator.submit(signed(1, nonce, to(2, 1))).await.unwrap();
        times.push(validator.head().await.unwrap().time);
    }
    assert_eq!(times, [5_000, 9_000, 9_000, 9_500]);
}

#[tokio::test]
async fn without_transactions_there_are_only_heartbeats() {
    let home = tempfile::tempdir().unwrap();
    let mut config = config(home.path());
    config.heartbeat = Some(Duration::from_millis(20));
    let validator = Validator::open(config).await.unwrap();
    let head = validator.next_head(1, Duration::from_secs(30)).await.unwrap();
    assert!(head.height > 1);
    let blocks = validator.blocks(1, 2).await.unwrap();
    assert!(blocks.iter().all(|block| block.transactions.is_empty()));
}

#[tokio::test]
async fn a_second_validator_on_the_same_store_is_told_so() {
    let home = tempfile::tempdir().unwrap();
    let first = open(home.path()).await;
    let second = Validator::open(config(home.path())).await.unwrap_err();
    assert_eq!(second, StorageError::Locked);
    first.close().await;
    assert!(Validator::open(config(home.path())).await.is_ok());
}

#[tokio::test]
async fn a_store_of_another_network_is_refused() {
    let home = tempfile::tempdir().unwrap();
    open(home.path()).await.close().await;
    let mut other = config(home.path());
    other.genesis.name = "other".into();
    let expected = other.genesis.network();
    let error = Validator::open(other).await.unwrap_err();
    assert_eq!(error, StorageError::OtherNetwork { expected, found: genesis().network() });
    let mut wrong = config(&home.path().join("none"));
    wrong.genesis.name = String::new();
    assert_eq!(Validator::open(wrong).await.unwrap_err().code(), "store_io");
    let mut wrong = config(home.path());
    wrong.path = home.path().join("new.redb");
    wrong.genesis.name = String::new();
    assert_eq!(Validator::open(wrong).await.unwrap_err().code(), "store_genesis");
}

#[tokio::test]
async fn a_damaged_store_is_a_typed_error() {
    let home = tempfile::tempdir().unwrap();
    let validator = open(home.path()).await;
    for nonce in 0..20 {
        validator.submit(signed(1, nonce, to(2, 1))).await.unwrap();
    }
    let head = validator.head().await.unwrap();
    validator.close().await;
    let path = home.path().join("ledger.redb");
    let whole = std::fs::read(&path).unwrap();

    let mut noticed = 0;
    for step in 1..24 {
        let mut damaged = whole.clone();
        let place = damaged.len() * step / 24;
        if step % 4 == 0 {
            damaged.truncate(place);
        } else {
            damaged[place..place + 64].fill(0xa5);
        }
        std::fs::write(&path, damaged).unwrap();
        match Validator::open(config(home.path())).await {
            // An unused page was hit: then nothing may be missing.
            Ok(validator) => {
                assert_eq!(validator.head().await.unwrap(), head);
                let blocks = validator.blocks(1, 100).await.unwrap();
                assert_eq!(*replay(&genesis(), &blocks).head(), head);
                validator.close().await;
            }
            Err(error) => {
                assert_eq!(error.code(), "store_corrupt", "{error}");
                noticed += 1;
            }
        }
    }
    assert!(noticed > 0);
    std::fs::write(&path, b"this is no database").unwrap();
    let error = Validator::open(config(home.path())).await.unwrap_err();
    assert_eq!(error.code(), "store_corrupt");
    assert!(error.hint().contains("restore"));
}

#[tokio::test]
async fn questions_of_all_kinds_have_answers_of_their_kind() {
    let home = tempfile::tempdir().unwrap();
    let validator = open(home.path()).await;
    let ledger: &dyn LedgerClient = &validator;
    assert_eq!(ledger.network().await, Ok(genesis().network()));
    assert_eq!(ledger.supply().await.unwrap().tokens.0, TOKENS.0 * u128::from(support::ACCOUNTS));
    assert_eq!(ledger.session(key(1).public()).await, Ok(None));
    assert_eq!(ledger.sessions_of(account(1)).await, Ok(vec![]));
    assert_eq!(ledger.channels_of_payer(key(1).public()).await, Ok(vec![]));
    assert_eq!(ledger.channels_of_provider(key(1).public()).await, Ok(vec![]));
    assert_eq!(ledger.provider(key(1).public()).await, Ok(None));
    assert_eq!(ledger.providers().await, Ok(vec![]));
    assert_eq!(ledger.models().await, Ok(vec![]));
    assert!(ledger.query(Query::Head).await.is_ok());
}
