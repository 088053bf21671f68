//! A small network to act in. After every block all invariants are audited.

use std::collections::BTreeMap;

use remuda_ledger::{
    Account, Action, Answer, Applied, Channel, Economy, Effects, Genesis, GenesisAccount, Ledger,
    Parameters, Query, Session, SignedTransaction, StateKey, Supply, Transaction, TransactionError,
};
use remuda_types::{
    AccountId, Canonical, ChannelId, Credits, SecretKey, Signed, TimestampMs, Tokens, Voucher,
};

/// When the network begins.
pub(crate) const START: TimestampMs = 1_000_000;
/// What each account holds at the start.
pub(crate) const CREDITS: u64 = 10_000;
/// What each account holds at the start.
pub(crate) const TOKENS: u128 = 1_000;

/// The key number `index`.
pub(crate) fn key(index: u8) -> SecretKey {
    SecretKey::from_seed([index; 32])
}

/// The key that grants credits.
pub(crate) fn grantor() -> SecretKey {
    key(0)
}

/// An account with funds.
pub(crate) fn alice() -> SecretKey {
    key(1)
}

/// Another account with funds.
pub(crate) fn bob() -> SecretKey {
    key(2)
}

/// A session key that nobody has used.
pub(crate) fn session_key() -> SecretKey {
    key(10)
}

/// A provider's node key.
pub(crate) fn node() -> SecretKey {
    key(20)
}

pub(crate) fn account_of(key: &SecretKey) -> AccountId {
    key.public().into()
}

pub(crate) fn genesis_with(parameters: Parameters) -> Genesis {
    let funded = |key: SecretKey| GenesisAccount {
        account: account_of(&key),
        tokens: Tokens(TOKENS),
        credits: Credits(CREDITS),
    };
    Genesis {
        name: "test".into(),
        time: START,
        grantor: grantor().public(),
        accounts: vec![funded(alice()), funded(bob())],
        roles: std::collections::BTreeMap::new(),
        parameters,
        economy: remuda_ledger::Economy::default(),
    }
}

pub(crate) struct World {
    pub(crate) genesis: Genesis,
    pub(crate) ledger: Ledger,
    pub(crate) now: TimestampMs,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Parameters::default())
    }

    pub(crate) fn with(parameters: Parameters) -> Self {
        Self::from_genesis(genesis_with(parameters))
    }

    pub(crate) fn with_economy(economy: Economy) -> Self {
        let genesis = Genesis { economy, ..genesis_with(Parameters::default()) };
        Self::from_genesis(genesis)
    }

    pub(crate) fn from_genesis(genesis: Genesis) -> Self {
        let ledger = Ledger::new(&genesis).unwrap();
        Self { genesis, ledger, now: START }
    }

    pub(crate) fn nonce(&self, key: &SecretKey) -> u64 {
        match self.ledger.query(&Query::Nonce(key.public())) {
            Answer::Nonce(nonce) => nonce,
            other => panic!("{other:?}"),
        }
    }

    /// Signs `action` with the key's next nonce.
    pub(crate) fn sign(&self, key: &SecretKey, action: Action) -> SignedTransaction {
        self.sign_at(key, self.nonce(key), action)
    }

    pub(crate) fn sign_at(&self, key: &SecretKey, nonce: u64, action: Action) -> SignedTransaction {
        let network = self.genesis.network();
        Signed::sign(Transaction { network, nonce, action }, key)
    }

    /// Applies a block and audits the ledger.
    pub(crate) fn block(&mut self, transactions: &[SignedTransaction]) -> Applied {
        let applied = self.ledger.apply(self.now, transactions).unwrap();
        self.ledger.audit().unwrap();
        applied
    }

    /// Applies a block of one transaction.
    pub(crate) fn submit(
        &mut self,
        transaction: SignedTransaction,
    ) -> Result<Effects, TransactionError> {
        self.block(&[transaction]).block.outcomes[0].result()
    }

    pub(crate) fn send(
        &mut self,
        key: &SecretKey,
        action: Action,
    ) -> Result<Effects, TransactionError> {
        self.submit(self.sign(key, action))
    }

    /// The action must take effect.
    pub(crate) fn done(&mut self, key: &SecretKey, action: Action) -> Effects {
        self.send(key, action).unwrap()
    }

    /// The action must be refused; but for the signer's nonce the state must be the one that
    /// an empty block gives.
    pub(crate) fn refused(&mut self, key: &SecretKey, action: Action) -> &'static str {
        let nonce = self.nonce(key);
        let mut empty = self.ledger.clone();
        empty.apply(self.now, &[]).unwrap();
        let error = self.send(key, action).unwrap_err();
        let same = records_but_nonce(&empty, key) == records_but_nonce(&self.ledger, key);
        assert!(same, "the refused action left a trace: {error}");
        assert_eq!(self.nonce(key), nonce + 1, "a recorded failure consumes its nonce");
        error.code()
    }

    pub(crate) fn account(&self, key: &SecretKey) -> Account {
        match self.ledger.query(&Query::Account(account_of(key))) {
            Answer::Account(account) => account,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn session(&self, key: &SecretKey) -> Option<Session> {
        match self.ledger.query(&Query::Session(key.public())) {
            Answer::Session(session) => session,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn channel(&self, id: ChannelId) -> Option<Channel> {
        match self.ledger.query(&Query::Channel(id)) {
            Answer::Channel(channel) => channel,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn supply(&self) -> Supply {
        match self.ledger.query(&Query::Supply) {
            Answer::Supply(supply) => supply,
            other => panic!("{other:?}"),
        }
    }

    /// Alice makes a session key with this cap that ends 1,000 s from now.
    pub(crate) fn create_session(&mut self, session: &SecretKey, cap: u64) {
        let action = create_session(session, cap, self.now + 1_000_000);
        self.done(&alice(), action);
    }

    /// `payer` opens a channel toward [`node`] that ends 500 s from now.
    pub(crate) fn open(&mut self, payer: &SecretKey, deposit: u64) -> ChannelId {
        let action = self.opening(deposit);
        let nonce = opening_nonce(&action);
        self.done(payer, action);
        ChannelId::derive(&payer.public(), &node().public(), &nonce)
    }

    /// The action of opening a channel toward [`node`]; each block gives it another name.
    pub(crate) fn opening(&self, deposit: u64) -> Action {
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&self.ledger.head().height.to_le_bytes());
        open_channel(nonce, &node(), deposit, self.now + 500_000)
    }
}

fn opening_nonce(action: &Action) -> [u8; 32] {
    match action {
        Action::OpenChannel { nonce, .. } => *nonce,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn create_session(session: &SecretKey, cap: u64, expires_at: TimestampMs) -> Action {
    Action::CreateSession { session: session.public(), cap: Credits(cap), expires_at }
}

pub(crate) fn open_channel(
    nonce: [u8; 32],
    provider: &SecretKey,
    deposit: u64,
    expires_at: TimestampMs,
) -> Action {
    let provider = provider.public();
    let client = key(30).public();
    Action::OpenChannel { nonce, provider, client, deposit: Credits(deposit), expires_at }
}

pub(crate) fn voucher(payer: &SecretKey, channel: ChannelId, cumulative: u64) -> Signed<Voucher> {
    let cumulative = Credits(cumulative);
    Signed::sign(Voucher { channel, sequence: cumulative.0, cumulative, receipt: None }, payer)
}

pub(crate) fn redeem(vouchers: Vec<Signed<Voucher>>) -> Action {
    Action::Redeem { vouchers }
}

/// The state root alone decides equality of two ledgers at one height.
pub(crate) fn assert_same(a: &Ledger, b: &Ledger) {
    assert_eq!(a.head().digest(), b.head().digest());
    assert!(a.leaves().eq(b.leaves()));
}

fn records_but_nonce(ledger: &Ledger, key: &SecretKey) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut records = records(ledger);
    records.remove(&StateKey::Nonce(key.public()).to_bytes());
    records
}

/// Whether a leaf's key is that of a beacon: every block keeps one, whatever it holds.
pub(crate) fn is_beacon(key: &[u8]) -> bool {
    key[0] == StateKey::Beacon(0).to_bytes()[0]
}

/// All leaves but the beacons.
pub(crate) fn records(ledger: &Ledger) -> BTreeMap<Vec<u8>, Vec<u8>> {
    ledger.leaves().filter(|(key, _)| !is_beacon(key)).collect()
}
