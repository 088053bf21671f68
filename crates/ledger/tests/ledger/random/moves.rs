//! What the actors of a random history try, and what is wrong with it.

use proptest::prelude::*;
use remuda_ledger::{Action, SignedTransaction};
use remuda_types::job::JobKind;
use remuda_types::{Canonical, Hash, ManifestHash, NetworkId, SecretKey, Signed};

use super::{accounts, actor};
use crate::world::{account_of, bob, key};

/// What somebody tries. Numbers pick actors and channels, modulo how many there are.
#[derive(Clone, Debug)]
pub(super) enum Attempt {
    Transfer { to: u8, amount: u128 },
    Grant { to: u8, amount: u64 },
    CreateSession { session: u8, cap: u64, life: u64 },
    Revoke { session: u8 },
    Open { provider: u8, nonce: u8, deposit: u64, life: u64 },
    TopUp { channel: u8, amount: u64 },
    RequestClose { channel: u8 },
    Redeem { vouchers: Vec<(u8, u64, Fraud)> },
    Close { channel: u8, voucher: Option<(u64, Fraud)> },
    Expire { channel: u8 },
    Register { reward: u8 },
    Deregister,
    Model { name: u8 },
    Accounts(accounts::Attempt),
    Credits { what: u8, amount: u64 },
    Escrow(super::escrow::Step),
    Epochs { what: u8, amount: u64 },
    Points { what: u8, amount: u64, other: u8 },
    Stake { what: u8, amount: u64, other: u8 },
    Devices { what: u8, amount: u64, other: u8 },
    Governance { what: u8, amount: u64, other: u8 },
    Dispute(super::disputes::Step),
}

/// What is wrong with a signature, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fraud {
    None,
    /// Another key signs in the signer's name.
    Forged,
    /// A bit of the signature is flipped.
    Flipped,
    /// Signed by whoever signs, under that key's own name.
    Stranger,
}

/// What is wrong with a transaction's envelope, if anything.
#[derive(Clone, Copy, Debug)]
pub(super) enum Envelope {
    Honest,
    Nonce(u64),
    Network,
    Signature(Fraud),
    Twice,
}

#[derive(Clone, Debug)]
pub(super) struct Move {
    /// `None`: who is entitled to it, where the attempt has such a one.
    pub(super) signer: Option<u8>,
    pub(super) attempt: Attempt,
    pub(super) envelope: Envelope,
}

fn fraud() -> impl Strategy<Value = Fraud> {
    prop_oneof![
        8 => Just(Fraud::None),
        1 => Just(Fraud::Forged),
        1 => Just(Fraud::Flipped),
        1 => Just(Fraud::Stranger),
    ]
}

fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![12 => 0..2_000_u64, 1 => Just(u64::MAX), 1 => 9_000..30_000_u64]
}

fn life() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 1..300_u64, 1 => 0..400_u64, 1 => Just(u64::MAX)]
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let any = any::<u8>;
    prop_oneof![
        2 => (any(), amount()).prop_map(|(to, n)| Attempt::Transfer { to, amount: n.into() }),
        1 => (any(), amount()).prop_map(|(to, amount)| Attempt::Grant { to, amount }),
        3 => (any(), amount(), life())
            .prop_map(|(session, cap, life)| Attempt::CreateSession { session, cap, life }),
        1 => any().prop_map(|session| Attempt::Revoke { session }),
        6 => (any(), 0..4_u8, amount(), life()).prop_map(|(provider, nonce, deposit, life)| {
            Attempt::Open { provider, nonce, deposit, life }
        }),
        2 => (any(), amount()).prop_map(|(channel, amount)| Attempt::TopUp { channel, amount }),
        1 => any().prop_map(|channel| Attempt::RequestClose { channel }),
        6 => prop::collection::vec((any(), amount(), fraud()), 0..4)
            .prop_map(|vouchers| Attempt::Redeem { vouchers }),
        2 => (any(), prop::option::of((amount(), fraud())))
            .prop_map(|(channel, voucher)| Attempt::Close { channel, voucher }),
        2 => any().prop_map(|channel| Attempt::Expire { channel }),
        1 => any().prop_map(|reward| Attempt::Register { reward }),
        1 => Just(Attempt::Deregister),
        1 => (0..3_u8).prop_map(|name| Attempt::Model { name }),
        6 => accounts::attempt().prop_map(Attempt::Accounts),
        5 => (any(), amount()).prop_map(|(what, amount)| Attempt::Credits { what, amount }),
        3 => super::escrow::step().prop_map(Attempt::Escrow),
        4 => (any(), amount()).prop_map(|(what, amount)| Attempt::Epochs { what, amount }),
        5 => (any(), amount(), any())
            .prop_map(|(what, amount, other)| Attempt::Points { what, amount, other }),
        14 => (any(), prop_oneof![3 => 0..200_u64, 1 => amount()], any())
            .prop_map(|(what, amount, other)| Attempt::Stake { what, amount, other }),
        6 => (any(), amount(), any())
            .prop_map(|(what, amount, other)| Attempt::Devices { what, amount, other }),
        8 => (any(), amount(), any())
            .prop_map(|(what, amount, other)| Attempt::Governance { what, amount, other }),
        2 => super::disputes::step().prop_map(Attempt::Dispute),
    ]
}

fn envelope() -> impl Strategy<Value = Envelope> {
    prop_oneof![
        16 => Just(Envelope::Honest),
        1 => (1..3_u64).prop_map(Envelope::Nonce),
        1 => Just(Envelope::Network),
        1 => fraud().prop_map(Envelope::Signature),
        1 => Just(Envelope::Twice),
    ]
}

fn one_move() -> impl Strategy<Value = Move> {
    (prop::option::weighted(0.3, any::<u8>()), attempt(), envelope())
        .prop_map(|(signer, attempt, envelope)| Move { signer, attempt, envelope })
}

/// A history of leases, orders and disputes over channels that pay: nearly all of it signed by
/// who is entitled to it.
pub(super) fn trade_history() -> impl Strategy<Value = Vec<(u64, Vec<Move>)>> {
    let any = any::<u8>;
    let attempt = prop_oneof![
        1 => (any(), 0..4_u8, 300..900_u64, 100..300_u64).prop_map(
            |(provider, nonce, deposit, life)| Attempt::Open { provider, nonce, deposit, life }
        ),
        2 => prop::collection::vec((0..200_u8, 0..300_u64, Just(Fraud::None)), 1..3)
            .prop_map(|vouchers| Attempt::Redeem { vouchers }),
        1 => any().prop_map(|reward| Attempt::Register { reward }),
        12 => super::escrow::step().prop_map(Attempt::Escrow),
        16 => super::disputes::step().prop_map(Attempt::Dispute),
    ];
    let signer = prop::option::weighted(0.03, any());
    let envelope = Just(Envelope::Honest);
    let one = (signer, attempt, envelope).prop_map(|(signer, attempt, envelope)| Move {
        signer,
        attempt,
        envelope,
    });
    prop::collection::vec((0..20_u64, prop::collection::vec(one, 0..8)), 10..50)
}

/// A history: blocks, each some time after the one before.
pub(super) fn history() -> impl Strategy<Value = Vec<(u64, Vec<Move>)>> {
    let block = (0..60_u64, prop::collection::vec(one_move(), 0..8));
    prop::collection::vec(block, 1..24)
}

pub(super) fn spoil<T: Canonical>(signed: &mut Signed<T>, fraud: Fraud) {
    let thief = key(50);
    match fraud {
        Fraud::None => {}
        Fraud::Forged => signed.signature = thief.sign(&signed.body.digest()),
        Fraud::Flipped => signed.signature.0[17] ^= 4,
        Fraud::Stranger => {
            (signed.signer, signed.signature) = (thief.public(), thief.sign(&signed.body.digest()));
        }
    }
}

/// Spoils an envelope; whether the transaction still consumes its nonce.
pub(super) fn envelop(
    transaction: &mut SignedTransaction,
    signer: &SecretKey,
    envelope: Envelope,
) -> bool {
    match envelope {
        Envelope::Honest | Envelope::Twice => return true,
        Envelope::Nonce(ahead) => transaction.body.nonce += ahead,
        Envelope::Network => transaction.body.network = NetworkId::default(),
        // A stranger's own transaction would count that key's nonce: not this kind.
        Envelope::Signature(Fraud::None | Fraud::Stranger) => return true,
        Envelope::Signature(fraud) => {
            spoil(transaction, fraud);
            return fraud == Fraud::Forged && signer.public() == key(50).public();
        }
    }
    *transaction = Signed::sign(transaction.body.clone(), signer);
    false
}

/// The action of an attempt on the registry, and who is entitled to it.
pub(super) fn registry_action(attempt: &Attempt) -> (Option<SecretKey>, Action) {
    match *attempt {
        Attempt::Register { reward } => {
            let reward = account_of(&actor(reward));
            (Some(key(20)), Action::RegisterProvider { reward, name: "p".into() })
        }
        Attempt::Model { name } => {
            let manifest = ManifestHash(Hash([name; 32]));
            let (name, licence) = (format!("m{name}"), "MIT".into());
            let kinds = vec![JobKind::Generate];
            (Some(bob()), Action::RegisterModel { name, manifest, kinds, licence })
        }
        _ => (Some(key(20)), Action::DeregisterProvider),
    }
}
