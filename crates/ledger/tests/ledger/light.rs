//! One record from a trusted header: by proof, never by trust.

use proptest::prelude::*;
use remuda_ledger::light::{self, LightError, Record};
use remuda_ledger::{Account, Header, Proven, StateKey, StateProof};
use remuda_types::{Canonical, ChannelId, Credits, Hash, Tokens};

use crate::world::*;

/// A network with some of each kind of record, and a channel in it.
fn network() -> (World, ChannelId) {
    let mut world = World::new();
    world.create_session(&session_key(), 5_000);
    let channel = world.open(&session_key(), 700);
    world.done(&node(), redeem(vec![voucher(&session_key(), channel, 300)]));
    (world, channel)
}

fn keys(channel: ChannelId) -> Vec<StateKey> {
    vec![
        StateKey::Account(account_of(&alice())),
        StateKey::Account(account_of(&key(99))),
        StateKey::Channel(channel),
        StateKey::Channel(ChannelId(Hash([7; 32]))),
        StateKey::Session(session_key().public()),
        StateKey::Supply(()),
        StateKey::Economy(()),
        StateKey::Nonce(node().public()),
    ]
}

#[test]
fn records_are_read_from_a_trusted_header() {
    let (world, channel) = network();
    let trusted = world.ledger.head();
    let prove = |key: &StateKey| world.ledger.prove(key);
    let id = account_of(&alice());
    let account = light::verify_account(trusted, id, &prove(&StateKey::Account(id)));
    assert_eq!(account, Ok(world.account(&alice())));
    let earner = account_of(&node());
    let account = light::verify_account(trusted, earner, &prove(&StateKey::Account(earner)));
    assert_eq!(account.map(|account| account.earned), Ok(Credits(300)));
    let nobody = account_of(&key(99));
    let account = light::verify_account(trusted, nobody, &prove(&StateKey::Account(nobody)));
    assert_eq!(account, Ok(Account::EMPTY));
    let found = light::verify_channel(trusted, channel, &prove(&StateKey::Channel(channel)));
    assert_eq!(found, Ok(world.channel(channel)));
    let absent = ChannelId(Hash([7; 32]));
    let found = light::verify_channel(trusted, absent, &prove(&StateKey::Channel(absent)));
    assert_eq!(found, Ok(None));
    let supply = light::verify(trusted, &StateKey::Supply(()), &prove(&StateKey::Supply(())));
    assert_eq!(supply, Ok(Some(Record::Supply(world.supply()))));
}

#[test]
fn what_was_proven_of_another_record_or_state_is_refused() {
    let (mut world, channel) = network();
    let old = world.ledger.head().clone();
    let all = keys(channel);
    for (index, key) in all.iter().enumerate() {
        let other = world.ledger.prove(&all[(index + 1) % all.len()]);
        assert!(light::verify(&old, key, &other).is_err(), "{key:?}");
    }
    let stale = world.ledger.prove(&all[0]);
    world.done(
        &alice(),
        remuda_ledger::Action::Transfer { to: account_of(&bob()), amount: Tokens(1) },
    );
    let head = world.ledger.head().clone();
    assert_eq!(
        light::verify(&head, &all[0], &stale).map_err(|e| e.code()),
        Err("light_proof_root")
    );
    assert!(light::verify(&old, &all[0], &stale).is_ok());
    // A present record cannot be hidden, nor an absent one made up.
    let hidden = Proven { value: None, ..world.ledger.prove(&all[0]) };
    let hidden = light::verify(&head, &all[0], &hidden).map_err(|e| e.code());
    assert_eq!(hidden, Err("light_proof_malformed"));
    let made_up = Proven { value: stale.value, ..world.ledger.prove(&all[1]) };
    assert!(light::verify(&head, &all[1], &made_up).is_err());
}

/// Every byte of every part, one at a time, changed in every bit.
#[test]
fn every_tampered_byte_is_noticed() {
    let (world, channel) = network();
    let trusted = world.ledger.head();
    for key in keys(channel) {
        let proven = world.ledger.prove(&key);
        for bit in 0..8 {
            let bytes = proven.proof.to_canonical();
            for at in 0..bytes.len() {
                check_proof(trusted, &key, &proven, &bytes, at, 1 << bit);
            }
            for at in 0..proven.value.as_ref().map_or(0, Vec::len) {
                check_value(trusted, &key, &proven, at, 1 << bit);
            }
            for at in 0..key.to_bytes().len() {
                check_key(trusted, &key, &proven, at, 1 << bit);
            }
        }
    }
}

fn check_proof(
    trusted: &Header,
    key: &StateKey,
    proven: &Proven,
    bytes: &[u8],
    at: usize,
    flip: u8,
) {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= flip;
    let Ok(proof) = StateProof::from_canonical(&bytes) else { return };
    let bent = Proven { proof, ..proven.clone() };
    let error = light::verify(trusted, key, &bent).unwrap_err();
    assert!(matches!(error, LightError::Proof(_)), "byte {at}: {error}");
}

fn check_value(trusted: &Header, key: &StateKey, proven: &Proven, at: usize, flip: u8) {
    let mut bent = proven.clone();
    if let Some(value) = &mut bent.value {
        value[at] ^= flip;
    }
    assert!(light::verify(trusted, key, &bent).is_err(), "byte {at}");
}

fn check_key(trusted: &Header, key: &StateKey, proven: &Proven, at: usize, flip: u8) {
    let mut name = key.to_bytes();
    name[at] ^= flip;
    let value = proven.value.as_deref();
    let verdict = proven.proof.verify(&trusted.state, &name, value);
    // An absence is that of many keys: of a neighbour too, if its walk ends at the same leaf.
    assert!(value.is_none() || verdict.is_err(), "byte {at}");
}

#[test]
fn headers_form_a_chain() {
    let mut world = World::new();
    let first = world.ledger.head().clone();
    world.now += 10;
    let second = world.block(&[]).block.header;
    let third = world.block(&[]).block.header;
    assert_eq!(light::verify_successor(&first, &second), Ok(()));
    assert_eq!(light::verify_successor(&second, &third), Ok(()));
    let code = |next: &Header| light::verify_successor(&first, next).unwrap_err().code();
    assert_eq!(code(&third), "block_wrong_height");
    assert_eq!(code(&first), "block_wrong_height");
    let mut bent = second.clone();
    bent.network = Default::default();
    assert_eq!(code(&bent), "block_wrong_network");
    let mut bent = second.clone();
    bent.parent.0[0] ^= 1;
    assert_eq!(code(&bent), "block_wrong_parent");
    let mut bent = second.clone();
    bent.time = first.time - 1;
    assert_eq!(code(&bent), "block_time_backwards");
    // What a successor says beside that is bound by the one after it.
    let mut bent = second;
    bent.state.0[5] ^= 1;
    assert_eq!(light::verify_successor(&first, &bent), Ok(()));
    assert!(light::verify_successor(&bent, &third).is_err());
    let last = Header { height: u64::MAX, ..first.clone() };
    assert!(light::verify_successor(&last, &first).is_err());
}

proptest! {
    #[test]
    fn arbitrary_bytes_prove_nothing(
        proof in prop::collection::vec(any::<u8>(), 0..400),
        value in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
    ) {
        let world = World::new();
        let key = StateKey::Account(account_of(&alice()));
        let Ok(proof) = StateProof::from_canonical(&[&[1][..], &proof].concat()) else {
            return Ok(());
        };
        let proven = Proven { value, proof };
        prop_assert!(light::verify(world.ledger.head(), &key, &proven).is_err());
    }
}
