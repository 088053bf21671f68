//! The records of the ledger: tables, their secondary indexes, and the journal that makes a
//! transaction (and a block) take effect whole or not at all.
//!
//! A new kind of record is one line in [`tables!`]: its tag, its key and its value. All
//! writes go through [`State::write`], which keeps indexes and journal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use borsh::BorshSerialize;
use remuda_types::{
    AccountId, ChannelId, Hash, Height, NodeId, OrderId, PublicKey, TimestampMs, Tokens,
};
use serde::Serialize;

use crate::accounts::{
    AccountIndexes, AllocationPartId, AllocationUse, BaseFee, Grant, Multisig, MultisigProposal,
    MultisigProposalId, Vesting,
};
use crate::disputes::{
    Checker, Conviction, Dispute, DisputeId, DisputeIndex, ReceiptRoot, RootKey,
};
use crate::economy::Economy;
use crate::escrow::{
    EscrowAccount, EscrowId, EscrowIndex, HeldKey, HeldPayout, Order, Part, PartKey, Standing,
};
use crate::genesis::Parameters;
use crate::money::{Flow, Purse, Vault};
use crate::stake::{
    Offence, Offending, SlashEntry, StakeIndexes, StakeMeasures, StakeNumbers, StakePool,
    StakePosition, Subject, Unbonding,
};
use crate::{Account, Channel, Model, Provider, Session, Supply};

/// The first byte of every stored value: the format of the records.
const RECORD_VERSION: u8 = 1;

/// A record's key and value as bytes: a leaf of the state. `None` removes it.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

macro_rules! tables {
    ($($(#[$doc:meta])* $tag:literal $variant:ident $table:ident: $key:ty => $value:ty,)*) => {
        /// The name of a record in the authenticated state.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum StateKey { $($(#[$doc])* $variant($key),)* }

        impl StateKey {
            /// The bytes by which the record's leaf is named: a tag, then the key.
            #[must_use]
            pub fn to_bytes(&self) -> Vec<u8> {
                match self { $(Self::$variant(key) => tagged($tag, key),)* }
            }

            /// The name behind its bytes; `None` unless they are exactly those of one.
            #[must_use]
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                let (tag, key) = bytes.split_first()?;
                match *tag {
                    $($tag => Some(Self::$variant(borsh::from_slice(key).ok()?)),)*
                    _ => None,
                }
            }
        }

        /// A record of the state, as a light client reads it.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(clippy::large_enum_variant, reason = "one at a time is read and looked at")]
        #[non_exhaustive]
        pub enum Record { $($(#[$doc])* $variant($value),)* }

        impl Record {
            /// Reads a leaf; `None` unless its bytes are exactly those of a record.
            #[must_use]
            pub fn decode(key: &[u8], value: &[u8]) -> Option<Self> {
                match Row::decode(key, value)? {
                    $(Row::$variant(_, value) => value.map(Self::$variant),)*
                }
            }
        }

        /// A record with its key; no value means that it does not exist.
        #[derive(Clone, Debug)]
        pub(crate) enum Row { $($variant($key, Option<$value>),)* }

        impl Row {
            pub(crate) fn key(&self) -> StateKey {
                match self { $(Self::$variant(key, _) => StateKey::$variant(key.clone()),)* }
            }

            pub(crate) fn is_present(&self) -> bool {
                match self { $(Self::$variant(_, value) => value.is_some(),)* }
            }

            pub(crate) fn value_bytes(&self) -> Option<Vec<u8>> {
                match self { $(Self::$variant(_, value) => value_bytes(value.as_ref()),)* }
            }

            /// Reads a leaf; `None` unless its bytes are exactly those of a record.
            pub(crate) fn decode(key: &[u8], value: &[u8]) -> Option<Self> {
                let (tag, key) = key.split_first()?;
                let (version, value) = value.split_first()?;
                if *version != RECORD_VERSION {
                    return None;
                }
                match *tag {
                    $($tag => Some(Self::$variant(
                        borsh::from_slice(key).ok()?,
                        Some(borsh::from_slice(value).ok()?),
                    )),)*
                    _ => None,
                }
            }
        }

        #[derive(Clone, Default)]
        pub(crate) struct Tables { $(pub(crate) $table: BTreeMap<$key, $value>,)* }

        impl Tables {
            /// Writes a row and returns the one that was there.
            fn swap(&mut self, row: Row) -> Row {
                match row {$(
                    Row::$variant(key, Some(value)) => {
                        let old = self.$table.insert(key.clone(), value);
                        Row::$variant(key, old)
                    }
                    Row::$variant(key, None) => {
                        let old = self.$table.remove(&key);
                        Row::$variant(key, old)
                    }
                )*}
            }

            /// The bytes of a record.
            pub(crate) fn value_bytes(&self, key: &StateKey) -> Option<Vec<u8>> {
                match key { $(StateKey::$variant(key) => value_bytes(self.$table.get(key)),)* }
            }

            /// All records as leaves, tables in the order of their tags, keys in their order.
            pub(crate) fn leaves(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
                // Boxed: a chain of all would be a type too deep for the compiler.
                let tables: Vec<Box<dyn Iterator<Item = (Vec<u8>, Vec<u8>)> + '_>> =
                    vec![$(Box::new(self.$table.iter().filter_map(|(key, value)| {
                        Some((tagged($tag, key), value_bytes(Some(value))?))
                    })),)*];
                tables.into_iter().flatten()
            }
        }
    };
}

tables! {
    /// The bounds, changed by later rules only.
    0 Parameters parameters: () => Parameters,
    /// All money there is.
    1 Supply supply: () => Supply,
    /// An account; an empty one has no record.
    2 Account accounts: AccountId => Account,
    /// The next nonce of a key that has signed.
    3 Nonce nonces: PublicKey => u64,
    /// A session key.
    4 Session sessions: PublicKey => Session,
    /// An open channel.
    5 Channel channels: ChannelId => Channel,
    /// When a channel was closed, while its name is remembered.
    6 Closed closed: ChannelId => TimestampMs,
    /// A provider's registration.
    7 Provider providers: NodeId => Provider,
    /// A model's registration, by its public name.
    8 Model models: String => Model,
    /// The rules of the economy, changed by governance only.
    9 Economy economy: () => Arc<Economy>,
    /// What a vault holds; an empty one has no record.
    10 Vault vaults: Vault => Purse,
    /// All tokens that were minted or burned for one reason.
    11 Flow flows: Flow => Tokens,
    /// The beacon of a block, for a while.
    12 Beacon beacons: Height => Hash,
    /// An account of several keys.
    20 Multisig multisigs: AccountId => Multisig,
    /// What the members of such an account were asked to approve.
    21 MultisigProposal multisig_proposals: MultisigProposalId => MultisigProposal,
    /// Tokens that come free over time, by the grant's number.
    22 Grant grants: u64 => Grant,
    /// All grants together.
    23 Vesting vesting: () => Vesting,
    /// What has been minted of an allocation, by its name.
    24 AllocationUse allocation_uses: String => AllocationUse,
    /// What an account was given of an allocation.
    25 AllocationPart allocation_parts: AllocationPartId => Tokens,
    /// The base fee, where there are fees.
    26 BaseFee base_fee: () => BaseFee,

    /// What a poster says that a token costs.
    30 PricePost price_posts: AccountId => crate::credits::Post,
    /// A time in which the posts' median had one value, by its beginning.
    31 PriceSample price_samples: TimestampMs => crate::credits::Sample,
    /// The sums of buying and settling credits.
    32 CreditBook credit_book: () => crate::credits::Book,

    /// A payout that is held until its dispute window has passed.
    40 Held held: HeldKey => HeldPayout,
    /// An escrow account with its bids and leases.
    41 Escrow escrows: EscrowId => EscrowAccount,
    /// An order in parts.
    42 Order orders: OrderId => Order,
    /// A part of an order that was taken at least once.
    43 OrderPart order_parts: PartKey => Part,
    /// How a buyer stands that rejected parts.
    44 Standing standings: AccountId => Standing,

    /// A device, by its fingerprint.
    50 Device devices: Hash => crate::devices::Device,
    /// A certificate, by its issuer and serial.
    51 Certificate certificates: (AccountId, u64) => crate::devices::Certificate,
    /// An auditor and its bond.
    52 Auditor auditors: AccountId => crate::devices::Auditor,
    /// The account that alone decides where a node's rewards go.
    53 RewardOwner reward_owners: NodeId => AccountId,
    /// A node licence, by its number.
    54 Licence licences: u32 => crate::devices::Licence,
    /// The sale of licences so far.
    55 LicenceSale licence_sale: () => crate::devices::LicenceSale,
    /// What an account bought in the sale.
    56 LicenceBuyer licence_buyers: AccountId => crate::devices::LicenceBuyer,

    /// All stake behind a subject.
    60 StakePool stake_pools: Subject => StakePool,
    /// What an account staked on a subject.
    61 StakePosition stake_positions: (Subject, AccountId) => StakePosition,
    /// Stake on its way out, by number.
    62 Unbonding unbondings: u64 => Unbonding,
    /// How often a subject committed an offence.
    63 Offending offendings: (Subject, Offence) => Offending,
    /// The newest slashes, by number.
    64 Slash slashes: u64 => SlashEntry,
    /// The next free numbers of stake.
    65 StakeNumbers stake_numbers: () => StakeNumbers,
    /// What the last epoch measured, for required stake.
    66 StakeMeasures stake_measures: () => StakeMeasures,

    /// A stream of emission: its running epoch.
    70 Stream streams: String => crate::epochs::StreamState,
    /// What a node contributed to an epoch that is not paid.
    71 Contribution contributions: crate::epochs::ContributionKey => u128,
    /// A device whose capacity is known.
    72 Capacity capacities: crate::epochs::DeviceKey => crate::epochs::Capacity,
    /// What an account is owed for epochs.
    73 Reward rewards: AccountId => Tokens,
    /// How an epoch was split, for a while: by stream and number.
    74 EpochSplit epoch_splits: (String, u64) => crate::epochs::EpochSplit,

    /// The sums of points.
    80 PointsBook points_book: () => crate::points::PointsBook,
    /// What an account has of points.
    81 PointsAccount points_accounts: AccountId => crate::points::PointsAccount,
    /// A team.
    82 Team teams: crate::points::TeamNumber => crate::points::Team,
    /// Chests that wait for their draw, by the block in which that was committed.
    83 ChestOpening chest_openings: (Height, AccountId) => crate::points::Opening,
    /// What the last draw for an account gave.
    84 ChestsDrawn chests_drawn: AccountId => crate::points::Drawn,

    /// Governance as a whole.
    90 Governance governance: () => crate::governance::Governance,
    /// A proposal, by its number.
    91 Proposal proposals: u64 => crate::governance::Proposal,
    /// A vote on a proposal.
    92 Vote votes: (u64, AccountId) => crate::governance::Vote,
    /// When a proposal ended whose votes are not yet forgotten.
    93 VoteSweep vote_sweeps: u64 => TimestampMs,
    /// Tokens that an account locked for voting.
    94 VotingLock voting_locks: AccountId => crate::governance::VotingLock,
    /// A spend of the council, by its number.
    95 CouncilSpend council_spends: u64 => crate::governance::CouncilSpend,
    /// What left the treasury, by its number.
    96 Outflow outflows: u64 => crate::governance::Outflow,
    /// The pool of tokens and credits.
    97 Pool pool: () => crate::governance::Pool,

    /// The root of a gateway's receipts in one block.
    100 ReceiptRoot receipt_roots: RootKey => ReceiptRoot,
    /// A dispute about a receipt.
    101 Dispute disputes: DisputeId => Box<Dispute>,
    /// What a node was convicted of.
    102 Conviction convictions: NodeId => Conviction,
    /// A checker with its bond.
    103 Checker checkers: NodeId => Checker,
}

fn tagged<K: BorshSerialize>(tag: u8, key: &K) -> Vec<u8> {
    encode(tag, key)
}

fn value_bytes<V: BorshSerialize>(value: Option<&V>) -> Option<Vec<u8>> {
    value.map(|value| encode(RECORD_VERSION, value))
}

fn encode<T: BorshSerialize>(first: u8, item: &T) -> Vec<u8> {
    let mut bytes = vec![first];
    // Writing to a vector fails only for a NaN, and no record holds a float.
    if let Err(error) = item.serialize(&mut bytes) {
        unreachable!("a record did not encode: {error}");
    }
    bytes
}

/// What the secondary indexes answer without a scan.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Indexes {
    pub(crate) sessions_of: BTreeMap<AccountId, BTreeSet<PublicKey>>,
    pub(crate) channels_of_payer: BTreeMap<PublicKey, BTreeSet<ChannelId>>,
    pub(crate) channels_of_provider: BTreeMap<NodeId, BTreeSet<ChannelId>>,
    pub(crate) closed_by_time: BTreeSet<(TimestampMs, ChannelId)>,
    pub(crate) accounts: AccountIndexes,

    pub(crate) escrow: EscrowIndex,

    pub(crate) devices: crate::devices::DeviceIndexes,

    pub(crate) stake: StakeIndexes,
    pub(crate) devices_of_account: BTreeMap<AccountId, u32>,

    pub(crate) points: crate::points::PointsIndexes,
    pub(crate) governance: crate::governance::GovernanceIndexes,
    pub(crate) disputes: DisputeIndex,
}

pub(crate) fn link<K: Ord, V: Ord>(
    index: &mut BTreeMap<K, BTreeSet<V>>,
    key: K,
    value: V,
    present: bool,
) {
    if present {
        index.entry(key).or_default().insert(value);
        return;
    }
    if let Some(values) = index.get_mut(&key) {
        values.remove(&value);
        if values.is_empty() {
            index.remove(&key);
        }
    }
}

impl Indexes {
    /// Enters (`present`) or takes out a record.
    fn note(&mut self, row: &Row, present: bool) {
        self.accounts.note(row, present);
        self.stake.note(row, present);
        match row {
            Row::Session(key, Some(session)) => {
                link(&mut self.sessions_of, session.account, *key, present);
            }
            Row::Channel(id, Some(channel)) => {
                link(&mut self.channels_of_payer, channel.payer, *id, present);
                link(&mut self.channels_of_provider, channel.provider, *id, present);
            }
            Row::Closed(id, Some(closed_at)) => {
                if present {
                    self.closed_by_time.insert((*closed_at, *id));
                } else {
                    self.closed_by_time.remove(&(*closed_at, *id));
                }
            }

            Row::Held(..) | Row::Escrow(..) | Row::Order(..) | Row::OrderPart(..) => {
                self.escrow.note(row, present);
            }

            Row::Device(..) | Row::Certificate(..) | Row::Licence(..) => {
                self.devices.note(row, present);
            }

            Row::Capacity(_, Some(capacity)) => {
                crate::epochs::note(&mut self.devices_of_account, capacity.account, present);
            }

            Row::PointsAccount(..) | Row::ChestOpening(..) => self.points.note(row, present),

            Row::Proposal(..) | Row::CouncilSpend(..) => self.governance.note(row, present),

            Row::Dispute(..) | Row::Checker(..) => self.disputes.note(row, present),
            _ => {}
        }
    }
}

/// A point in the journal to which the state can return.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(usize);

/// All records. Before a block begins the journal is empty.
#[derive(Clone, Default)]
pub(crate) struct State {
    pub(crate) tables: Tables,
    pub(crate) indexes: Indexes,
    journal: Vec<Row>,
}

impl State {
    pub(crate) fn write(&mut self, row: Row) {
        let old = self.swap(row);
        self.journal.push(old);
    }

    /// Takes in a stored record, past the journal; whether its key was taken.
    pub(crate) fn load(&mut self, row: Row) -> bool {
        self.swap(row).is_present()
    }

    fn swap(&mut self, row: Row) -> Row {
        let incoming = row.clone();
        let old = self.tables.swap(row);
        self.indexes.note(&old, false);
        self.indexes.note(&incoming, true);
        old
    }

    /// The rules in force.
    pub(crate) fn economy(&self) -> Arc<Economy> {
        self.tables.economy.get(&()).cloned().unwrap_or_default()
    }

    /// The beacon of the block at `height`, while it is kept.
    pub(crate) fn beacon(&self, height: Height) -> Option<Hash> {
        self.tables.beacons.get(&height).copied()
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark(self.journal.len())
    }

    /// Undoes everything since `mark`.
    pub(crate) fn roll_back(&mut self, mark: Mark) {
        while self.journal.len() > mark.0 {
            if let Some(old) = self.journal.pop() {
                self.swap(old);
            }
        }
    }

    /// Ends the block: the journal in the order in which it was written.
    pub(crate) fn take_journal(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.journal)
    }

    /// Undoes a block by the journal that [`State::take_journal`] gave.
    pub(crate) fn undo(&mut self, journal: Vec<Row>) {
        for old in journal.into_iter().rev() {
            self.swap(old);
        }
    }

    /// The leaves that differ from before the journal began, sorted by key: as they were, and
    /// as they are.
    pub(crate) fn changed(&self, journal: &[Row]) -> (Vec<Change>, Vec<Change>) {
        let mut first = BTreeMap::new();
        for row in journal {
            first.entry(row.key()).or_insert(row);
        }
        let mut changes: Vec<(Change, Change)> = first
            .into_iter()
            .map(|(key, row)| (key.to_bytes(), row.value_bytes(), self.tables.value_bytes(&key)))
            .filter(|(_, old, new)| old != new)
            .map(|(key, old, new)| ((key.clone(), old), (key, new)))
            .collect();
        changes.sort_unstable();
        changes.into_iter().unzip()
    }
}
