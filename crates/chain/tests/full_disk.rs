//! A file that the operating system itself does not let grow any further.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use remuda_chain::{LedgerClientExt, Signer, Validator, ValidatorConfig};
use support::{TOKENS, account, genesis, key, to};
use tokio::task::JoinSet;

/// Tells the child which store to write to.
const STORE: &str = "REMUDA_TEST_FULL_STORE";
/// How far the file may grow, in the shell's blocks of 512 or 1,024 bytes.
const BLOCKS_MAX: u32 = 6_000;
const WRITERS: u8 = 6;

/// Not a test of its own: the process whose files may not grow. It does nothing unless told.
#[tokio::test]
async fn limited_process() {
    let Some(store) = std::env::var_os(STORE) else { return };
    let config = ValidatorConfig::new(Path::new(&store), genesis());
    let validator = Validator::open(config).await.unwrap();
    let mut writers = JoinSet::new();
    for number in 1..=WRITERS {
        let signer = Signer::new(Arc::new(validator.clone()), key(number));
        writers.spawn(write_until_full(signer));
    }
    let mut acknowledged = 0;
    while let Some(count) = writers.join_next().await {
        acknowledged += count.unwrap();
    }
    let received = validator.account(account(7)).await.unwrap().tokens.0 - TOKENS.0;
    // Reads go on. Of the block that failed nobody was told; it may be there.
    assert!((acknowledged..=acknowledged + u128::from(WRITERS)).contains(&received));
    println!("full after {acknowledged}");
}

async fn write_until_full(signer: Signer) -> u128 {
    let mut acknowledged = 0;
    loop {
        match signer.send(to(7, 1)).await {
            Ok(_) => acknowledged += 1,
            Err(error) => {
                assert_eq!(error.code(), "store_full", "{error}");
                return acknowledged;
            }
        }
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_the_next_life_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let store = home.path().join("ledger.redb");
    // Without the trap the first write beyond the limit would kill the process.
    let script = format!(
        "trap '' XFSZ; ulimit -S -f {BLOCKS_MAX}; exec \"$0\" --exact limited_process --nocapture"
    );
    let child = Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(STORE, &store)
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout).into_owned();
    let errors = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{output}\n{errors}");
    let line = output.lines().find_map(|line| line.strip_prefix("full after "));
    let acknowledged: u128 = line.unwrap().parse().unwrap();

    let validator = Validator::open(ValidatorConfig::new(&store, genesis())).await.unwrap();
    let received = validator.account(account(7)).await.unwrap().tokens.0 - TOKENS.0;
    // Of the last block nobody was told; it may or may not be there.
    assert!((acknowledged..=acknowledged + u128::from(WRITERS)).contains(&received));
    let signer = Signer::new(Arc::new(validator.clone()), key(1));
    signer.send(to(7, 1)).await.unwrap();
}
