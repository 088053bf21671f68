//! Random histories, honest and hostile. `PROPTEST_CASES` makes the run longer.

mod accounts;
mod credits;
mod devices;
mod disputes;
mod epochs;
mod escrow;
mod governance;
mod leaves;
mod lively;
mod moves;
mod points;
mod snapshot;
mod stake;
mod trade;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use remuda_ledger::{
    Action, Applied, Economy, Genesis, Ledger, Parameters, SignedTransaction, StateKey,
};
use remuda_types::{ChannelId, Credits, Hash, SecretKey, Signed, Tokens};

use self::leaves::{is_payment, tamper};
use self::moves::{Attempt, Envelope, Fraud, Move, envelop, history, registry_action, spoil};
use self::snapshot::Snapshot;
use crate::world::*;

/// The actors: the grantor, two accounts, two keys for sessions, two nodes, a stranger.
const ACTORS: [u8; 8] = [0, 1, 2, 10, 11, 20, 21, 50];
/// Histories of one run, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 192;

fn actor(index: u8) -> SecretKey {
    key(ACTORS[usize::from(index) % ACTORS.len()])
}

fn owner(key: &remuda_types::PublicKey) -> Option<SecretKey> {
    (0..8).map(actor).find(|actor| actor.public() == *key)
}

/// Small bounds, so that histories meet them.
fn parameters() -> Parameters {
    Parameters {
        channel_life_ms_max: 300,
        close_grace_ms: 40,
        closed_memory_ms: 150,
        sessions_per_account_max: 2,
        channels_per_payer_max: 3,
        transactions_per_block_max: 32,
        ..Parameters::default()
    }
}

/// The economy of a history: every room is on.
fn economy(variant: usize) -> Economy {
    let mut economy = plain_economy(variant);
    escrow::rules(&mut economy);
    economy.devices = devices::rules();
    economy.governance = governance::rules();
    disputes::rules(&mut economy);
    economy
}

/// The economy of a history in which only credits and channels move credits: more can be said
/// about it.
fn plain_economy(variant: usize) -> Economy {
    let mut economy = Economy {
        credits: credits::rules(variant),
        epochs: epochs::rules(),
        points: points::rules(),
        stake: stake::rules(variant),
        ..Economy::default()
    };
    accounts::switch_on(&mut economy);
    economy
}

struct Run {
    /// Whether nothing but credits and channels moves credits: then more can be said.
    plain: bool,
    world: World,
    follower: Ledger,
    store: BTreeMap<Vec<u8>, Vec<u8>>,
    channels: Vec<ChannelId>,
    parties: BTreeMap<ChannelId, (SecretKey, SecretKey)>,
}

impl Run {
    fn new(plain: bool, economy: Economy) -> Self {
        let world = World::from_genesis(Genesis { economy, ..genesis_with(parameters()) });
        let follower = Ledger::new(&world.genesis).unwrap();
        let store = follower.leaves().collect();
        let mut run =
            Self { plain, world, follower, store, channels: Vec::new(), parties: BTreeMap::new() };
        run.begin();
        run
    }

    /// Most histories need sessions: Alice and Bob make one each, with different ends.
    fn begin(&mut self) {
        let create = |session, cap, life| create_session(&key(session), cap, START + life);
        let transactions = [
            self.world.sign(&alice(), create(10, 4_000, 5_000)),
            self.world.sign(&bob(), create(11, 1_500, 600)),
        ];
        self.apply(&transactions);
        let transactions = accounts::beginning(&self.world);
        self.apply(&transactions);
        for transactions in stake::beginning() {
            let sign = |(signer, action)| self.world.sign(&signer, action);
            let transactions: Vec<_> = transactions.into_iter().map(sign).collect();
            self.apply(&transactions);
        }
        for (signer, action) in governance::funding() {
            let transaction = self.world.sign(&signer, action);
            self.apply(&[transaction]);
        }
    }

    /// Mostly an open channel, sometimes one of the past or one that was never opened.
    fn pick(&self, channel: u8) -> ChannelId {
        let open: Vec<ChannelId> = Snapshot::of(&self.world).channels.into_keys().collect();
        if channel < 200 && !open.is_empty() {
            return open[usize::from(channel) % open.len()];
        }
        match self.channels.len() {
            0 => ChannelId(Hash([channel; 32])),
            count => self.channels[usize::from(channel) % count],
        }
    }

    fn payer(&self, channel: ChannelId) -> Option<SecretKey> {
        self.parties.get(&channel).map(|(payer, _)| payer.clone())
    }

    fn provider(&self, channel: ChannelId) -> Option<SecretKey> {
        self.parties.get(&channel).map(|(_, provider)| provider.clone())
    }

    fn voucher(&self, channel: ChannelId, sum: u64, fraud: Fraud) -> Signed<remuda_types::Voucher> {
        let payer = self.payer(channel).unwrap_or_else(alice);
        let mut voucher = voucher(&payer, channel, sum);
        spoil(&mut voucher, fraud);
        voucher
    }

    /// The action of an attempt, and who is entitled to it.
    fn action(&self, attempt: &Attempt, signer: u8) -> (Option<SecretKey>, Action) {
        let now = self.world.now;
        let later = |life: u64| now.saturating_add(life);
        match attempt.clone() {
            Attempt::Transfer { to, amount } => {
                let to = account_of(&actor(to));
                (Some(alice()), Action::Transfer { to, amount: Tokens(amount) })
            }
            Attempt::Grant { to, amount } => {
                let to = account_of(&actor(to));
                (Some(grantor()), Action::GrantCredits { to, amount: Credits(amount) })
            }
            Attempt::CreateSession { session, cap, life } => {
                // Used ones, and ones that never sign.
                let session = key([10, 50, 60, 61, 62, 63, 64, 65][usize::from(session % 8)]);
                (Some(alice()), create_session(&session, cap, later(life)))
            }
            Attempt::Revoke { session } => {
                let session = actor(session).public();
                (Some(alice()), Action::RevokeSession { session })
            }
            Attempt::Open { provider, nonce, deposit, life } => {
                let provider = key([20, 21][usize::from(provider % 2)]);
                let payer = key([10, 11, 1, 2][usize::from(signer % 4)]);
                (Some(payer), open_channel([nonce; 32], &provider, deposit, later(life)))
            }
            Attempt::Accounts(attempt) => accounts::action(&self.world, &attempt),
            other => self.channel_action(&other),
        }
    }

    fn channel_action(&self, attempt: &Attempt) -> (Option<SecretKey>, Action) {
        match attempt.clone() {
            Attempt::TopUp { channel, amount } => {
                let channel = self.pick(channel);
                let amount = Credits(amount);
                (self.payer(channel), Action::TopUpChannel { channel, amount })
            }
            Attempt::RequestClose { channel } => {
                let channel = self.pick(channel);
                (self.payer(channel), Action::RequestClose { channel })
            }
            Attempt::Redeem { vouchers } => {
                let first = vouchers.first().map(|(channel, ..)| self.pick(*channel));
                let vouchers = vouchers
                    .into_iter()
                    .map(|(channel, sum, fraud)| self.voucher(self.pick(channel), sum, fraud))
                    .collect();
                (first.and_then(|first| self.provider(first)), Action::Redeem { vouchers })
            }
            Attempt::Close { channel, voucher } => {
                let channel = self.pick(channel);
                let voucher = voucher.map(|(sum, fraud)| self.voucher(channel, sum, fraud));
                (self.provider(channel), Action::CloseChannel { channel, voucher })
            }
            Attempt::Expire { channel } => {
                (None, Action::ExpireChannel { channel: self.pick(channel) })
            }
            Attempt::Credits { what, amount } => {
                let (signer, action) = credits::action(what, amount);
                (Some(signer), action)
            }
            Attempt::Escrow(step) => self.escrow_action(&step),
            Attempt::Epochs { what, amount } => (Some(alice()), epochs::action(what, amount)),
            Attempt::Points { what, amount, other } => {
                (None, points::action(what, amount, account_of(&actor(other))))
            }
            Attempt::Stake { what, amount, other } => {
                let (signer, action) = stake::action(what, amount, other);
                (Some(signer), action)
            }
            Attempt::Devices { what, amount, other } => {
                let (signer, action) = devices::action(what, amount, account_of(&actor(other)));
                (Some(signer), action)
            }
            Attempt::Governance { what, amount, other } => {
                let (signer, action) = governance::action(what, amount, account_of(&actor(other)));
                (Some(signer), action)
            }
            Attempt::Dispute(step) => self.dispute_action(&step),
            other => registry_action(&other),
        }
    }

    /// Signs the moves of one block, counting each signer's nonces on.
    fn sign(&mut self, moves: &[Move]) -> Vec<SignedTransaction> {
        let mut next: BTreeMap<_, u64> = BTreeMap::new();
        let mut block = Vec::new();
        let foreign =
            |step: &Move| matches!(step.attempt, Attempt::Escrow(_) | Attempt::Dispute(_));
        for (index, step) in moves.iter().enumerate() {
            if self.plain && foreign(step) {
                continue;
            }
            let chosen = step.signer.unwrap_or(u8::try_from(index).unwrap());
            let (entitled, action) = self.action(&step.attempt, chosen);
            let signer = match (step.signer, entitled) {
                (None, Some(entitled)) => entitled,
                _ => actor(chosen),
            };
            self.note_opening(&signer, &action);
            let nonce = self.world.nonce(&signer);
            let nonce = next.entry(signer.public()).or_insert(nonce);
            let mut transaction = self.world.sign_at(&signer, *nonce, action);
            if envelop(&mut transaction, &signer, step.envelope) {
                *nonce += 1;
            }
            block.push(transaction.clone());
            if matches!(step.envelope, Envelope::Twice) {
                block.push(transaction);
            }
        }
        block
    }

    fn note_opening(&mut self, signer: &SecretKey, action: &Action) {
        let Action::OpenChannel { nonce, provider, .. } = action else { return };
        let id = ChannelId::derive(&signer.public(), provider, nonce);
        let provider = owner(provider).unwrap();
        if self.parties.insert(id, (signer.clone(), provider)).is_none() {
            self.channels.push(id);
        }
    }

    /// One block, with every check after it.
    fn block(&mut self, pause: u64, moves: &[Move]) {
        self.world.now += pause;
        let transactions = self.sign(moves);
        self.apply(&transactions);
    }

    fn apply(&mut self, transactions: &[SignedTransaction]) {
        self.check_refusals_alone(transactions);
        let before = Snapshot::of(&self.world);
        let applied = self.world.block(transactions);
        let after = Snapshot::of(&self.world);
        before.check_against(&after);
        if self.plain {
            before.check_channels_alone(&after, &applied);
        }
        self.store(&applied);
        let followed = self.follower.replay(&applied.block).unwrap();
        assert_eq!(followed.changes, applied.changes);
        assert_same(&self.follower, &self.world.ledger);
    }

    /// Each transaction alone: when it is refused, it changes its signer's nonce and what its
    /// fee is paid of at most, and an inadmissible one nothing at all.
    fn check_refusals_alone(&self, transactions: &[SignedTransaction]) {
        let mut base = self.world.ledger.clone();
        base.apply(self.world.now, &[]).unwrap();
        // What a block does by itself, whatever is in it.
        let quiet = base.clone().apply(self.world.now, &[]).unwrap().changes;
        let quiet: BTreeSet<_> = quiet.into_iter().map(|(key, _)| key).collect();
        for transaction in transactions {
            let mut probe = base.clone();
            let applied = probe.apply(self.world.now, std::slice::from_ref(transaction)).unwrap();
            let Err(error) = applied.block.outcomes[0].result() else { continue };
            let nonce = StateKey::Nonce(transaction.signer).to_bytes();
            let expected: &[&Vec<u8>] = if error.is_inadmissible() { &[] } else { &[&nonce] };
            let changed: Vec<_> = applied.changes.iter().map(|(key, _)| key).collect();
            // The base fee follows what the block holds.
            let base_fee = StateKey::BaseFee(()).to_bytes();
            let own = |key: &&Vec<u8>| !quiet.contains(*key) && **key != base_fee;
            let pays = !error.is_inadmissible() && base.fee(transaction) != Ok(Tokens::ZERO);
            let payment = |key: &&Vec<u8>| pays && is_payment(key);
            let changed: Vec<_> =
                changed.into_iter().filter(own).filter(|key| !payment(key)).collect();
            assert_eq!(changed, expected, "{error}");
        }
    }

    fn store(&mut self, applied: &Applied) {
        for (key, value) in applied.changes.clone() {
            match value {
                Some(value) => self.store.insert(key, value),
                None => self.store.remove(&key),
            };
        }
    }

    /// At the end: the store gives the same ledger, and every record is proven.
    fn finish(mut self) {
        let head = self.world.ledger.head().clone();
        let root = head.state;
        let restored = Ledger::restore(&self.world.genesis, head, self.store.clone()).unwrap();
        restored.audit().unwrap();
        assert_same(&restored, &self.world.ledger);
        for index in 0..u8::try_from(ACTORS.len()).unwrap() {
            let key = StateKey::Account(account_of(&actor(index)));
            let proven = self.world.ledger.prove(&key);
            let value = proven.value.as_deref();
            assert_eq!(proven.proof.verify(&root, &key.to_bytes(), value), Ok(()));
            tamper(&proven.proof, &root, &key.to_bytes(), value);
        }
        let before = self.world.ledger.clone();
        let opening = self.world.opening(1);
        let transaction = self.world.sign(&bob(), opening);
        let applied = self.world.block(&[transaction]);
        self.world.ledger.revert(applied).unwrap();
        assert_same(&self.world.ledger, &before);
    }
}

fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => ProptestConfig { cases: CASES, ..config },
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_history_keeps_every_invariant(history in history()) {
        let mut run = Run::new(true, plain_economy(history.len()));
        for (pause, moves) in &history {
            run.block(*pause, moves);
        }
        run.finish();
    }

    #[test]
    fn every_history_keeps_every_invariant_with_all_rules(history in history()) {
        let mut run = Run::new(false, economy(history.len()));
        for (pause, moves) in &history {
            run.block(*pause, moves);
        }
        run.finish();
    }
}
