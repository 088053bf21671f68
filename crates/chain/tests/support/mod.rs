//! A network for tests: named keys with money, and transfers between them.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses another part")]
#![allow(clippy::unwrap_used)]

use remuda_ledger::{
    Action, Block, Economy, Genesis, GenesisAccount, Ledger, Parameters, SignedTransaction,
    Transaction,
};
use remuda_types::{AccountId, Credits, SecretKey, Signed, Tokens};

/// What every account of the test network begins with.
pub const TOKENS: Tokens = Tokens(1_000_000);

/// How many accounts the test network has: those of `key(0)` to `key(ACCOUNTS - 1)`.
pub const ACCOUNTS: u8 = 8;

pub fn key(number: u8) -> SecretKey {
    SecretKey::from_seed([number; 32])
}

pub fn account(number: u8) -> AccountId {
    key(number).public().into()
}

pub fn genesis() -> Genesis {
    let accounts = (0..ACCOUNTS)
        .map(|number| GenesisAccount {
            account: account(number),
            tokens: TOKENS,
            credits: Credits::DOLLAR,
        })
        .collect();
    Genesis {
        name: "test".into(),
        time: 1_000,
        grantor: key(0).public(),
        accounts,
        roles: std::collections::BTreeMap::new(),
        parameters: Parameters::default(),
        economy: Economy::default(),
    }
}

pub fn to(number: u8, amount: u128) -> Action {
    Action::Transfer { to: account(number), amount: Tokens(amount) }
}

pub fn signed(from: u8, nonce: u64, action: Action) -> SignedTransaction {
    Signed::sign(Transaction { network: genesis().network(), nonce, action }, &key(from))
}

/// The ledger that `blocks` give from the beginning. Every rule and every header is checked.
pub fn replay(genesis: &Genesis, blocks: &[Block]) -> Ledger {
    let mut ledger = Ledger::new(genesis).unwrap();
    for block in blocks {
        ledger.replay(block).unwrap();
    }
    ledger.audit().unwrap();
    ledger
}
