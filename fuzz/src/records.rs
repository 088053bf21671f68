//! Records in their canonical encoding.

use std::fmt::Debug;
use std::sync::LazyLock;

use remuda_gateway::ReceiptRecord;
use remuda_ledger::{
    Block, Genesis, GenesisAccount, Header, Ledger, Parameters, SignedTransaction, StateKey,
    StateProof, Transaction,
};
use remuda_types::job::JobInput;
use remuda_types::{
    Announcement, Canonical, ChannelUse, Credits, FinalReceipt, Receipt, SecretKey, Tokens, Voucher,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// More accounts than this make the state too slow to build for each input.
const ACCOUNTS_MAX: usize = 64;

/// A value of the only bytes that encode it.
fn canonical<T: Canonical + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let value = T::from_canonical(bytes).ok()?;
    assert_eq!(value.to_canonical(), bytes, "another encoding of the same value");
    let longer = [bytes, &[0]].concat();
    assert!(T::from_canonical(&longer).is_err(), "bytes after the value");
    assert!(T::from_canonical(&bytes[..bytes.len() - 1]).is_err(), "a cut value");
    Some(value)
}

/// The same, of a type that is also written as JSON.
fn record<T>(bytes: &[u8]) -> Option<T>
where
    T: Canonical + PartialEq + Debug + Serialize + DeserializeOwned,
{
    let value: T = canonical(bytes)?;
    let text = serde_json::to_string(&value).expect("a record has a JSON form");
    // JSON refuses keys that are no points of the curve; the binary form leaves that to the
    // check of the signature.
    if let Ok(back) = serde_json::from_str::<T>(&text) {
        assert_eq!(back, value, "JSON says something else: {text}");
    }
    Some(value)
}

/// A receipt that both sides signed.
pub fn final_receipt(bytes: &[u8]) {
    let Some(receipt) = record::<FinalReceipt>(bytes) else { return };
    if receipt.verify().is_ok() {
        let (body, voucher) = (&receipt.receipt.body, &receipt.voucher.body);
        assert_eq!(body.check_amount(), Ok(()));
        assert!(voucher.cumulative >= body.amount && voucher.receipt == Some(body.id()));
    }
}

/// A provider's statement.
pub fn receipt(bytes: &[u8]) {
    let Some(receipt) = record::<Receipt>(bytes) else { return };
    let fits = receipt.check_amount().is_ok();
    let Receipt { price, usage, amount, .. } = receipt;
    assert_eq!(fits, price.cost(usage.units_in, usage.units_out) == Ok(amount));
}

/// A payer's promise.
pub fn voucher(bytes: &[u8]) {
    record::<Voucher>(bytes);
}

/// A payer's leave to use a channel.
pub fn channel_use(bytes: &[u8]) {
    record::<ChannelUse>(bytes);
}

/// A provider's description of itself.
pub fn announcement(bytes: &[u8]) {
    let Some(announcement) = record::<Announcement>(bytes) else { return };
    let text = remuda_net::address::format(&announcement.address);
    if let Ok(address) = remuda_net::address::parse(&text) {
        assert_eq!(address.node, announcement.address.node, "{text}");
    }
}

/// A job's input.
pub fn job_input(bytes: &[u8]) {
    let Some(input) = record::<JobInput>(bytes) else { return };
    assert_eq!(input.validate(), input.validate());
    assert_ne!(input.commit(&[0; 32]), input.commit(&[1; 32]));
}

/// What a transaction's signature is over.
pub fn transaction(bytes: &[u8]) {
    record::<Transaction>(bytes);
}

/// The signer that acts in the seeds of [`signed_transaction`], and owns something.
#[must_use]
pub fn actor() -> SecretKey {
    SecretKey::from_seed([2; 32])
}

/// The network of the seeds: its grantor is also the [`actor`].
#[must_use]
pub fn small_genesis() -> Genesis {
    let key = actor().public();
    let account = GenesisAccount {
        account: key.into(),
        tokens: Tokens(5_000_000_000),
        credits: Credits::DOLLAR,
    };
    Genesis {
        name: "fuzz".to_owned(),
        time: 1_700_000_000_000,
        grantor: key,
        accounts: vec![account],
        roles: std::collections::BTreeMap::new(),
        parameters: Parameters::default(),
        economy: remuda_ledger::Economy::default(),
    }
}

static LEDGER: LazyLock<Ledger> =
    LazyLock::new(|| Ledger::new(&small_genesis()).expect("the genesis holds"));

/// A transaction as it travels, and what it does to a ledger: all sums still agree, and the
/// ledger that undoes it is the one from before.
pub fn signed_transaction(bytes: &[u8]) {
    let Ok(transaction) = borsh::from_slice::<SignedTransaction>(bytes) else { return };
    let again = borsh::to_vec(&transaction).expect("a transaction has an encoding");
    assert_eq!(again, bytes, "another encoding of the same value");
    let mut ledger = LEDGER.clone();
    let admitted = ledger.check(&transaction);
    let applied = ledger.apply(1_700_000_000_500, &[transaction]).expect("time goes on");
    let outcome = &applied.block.outcomes[0];
    assert!(admitted.is_ok() || !outcome.is_applied(), "{admitted:?}, yet it was applied");
    assert!(ledger.audit().is_ok(), "{:?}", ledger.audit());
    let block = applied.block.clone();
    ledger.revert(applied).expect("it was the newest block");
    assert_eq!(ledger.head(), LEDGER.head());
    ledger.replay(&block).expect("what was applied can be replayed");
}

/// How a network begins.
pub fn genesis(bytes: &[u8]) {
    let Some(genesis) = record::<Genesis>(bytes) else { return };
    if genesis.accounts.len() > ACCOUNTS_MAX {
        return;
    }
    if let Ok(ledger) = Ledger::new(&genesis) {
        assert_eq!(genesis.validate(), Ok(()));
        assert!(ledger.audit().is_ok(), "{:?}", ledger.audit());
    }
}

/// A block, alone and as the successor of some other.
pub fn block(bytes: &[u8]) {
    let Some(block) = record::<Block>(bytes) else { return };
    assert!(block.verify_links(&block.header).is_err(), "a block cannot follow itself");
    let mut ledger = LEDGER.clone();
    let head = ledger.head().clone();
    match ledger.replay(&block) {
        Ok(applied) => assert_eq!(applied.block, block),
        Err(_) => assert_eq!(*ledger.head(), head, "a refused block left its mark"),
    }
}

/// A block's header.
pub fn header(bytes: &[u8]) {
    record::<Header>(bytes);
}

/// A proof: nothing but the truth can be proven of a record that exists.
pub fn state_proof(bytes: &[u8]) {
    let Some(proof) = record::<StateProof>(bytes) else { return };
    let key = StateKey::Account(actor().public().into());
    let (root, key) = (LEDGER.head().state, (key.to_bytes(), LEDGER.prove(&key)));
    let (key, truth) = (key.0, key.1.value.expect("the account exists"));
    let _ = proof.verify(&root, &key, Some(&truth));
    assert!(proof.verify(&root, &key, None).is_err(), "proved that nothing is there");
    assert!(proof.verify(&root, &key, Some(b"forged")).is_err(), "proved a forged value");
}

/// The proof that [`state_proof`] would accept, for its seeds.
#[must_use]
pub fn true_proofs() -> Vec<StateProof> {
    let account = StateKey::Account(actor().public().into());
    let absent = StateKey::Nonce(actor().public());
    [account, absent].iter().map(|key| LEDGER.prove(key).proof).collect()
}

/// What a gateway keeps of a job.
pub fn gateway_record(bytes: &[u8]) {
    canonical::<ReceiptRecord>(bytes);
}
