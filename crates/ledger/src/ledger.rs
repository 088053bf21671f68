//! The ledger: a state, its authenticated trie, and the blocks that change them.

use std::fmt;
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{NetworkId, PublicKey, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};

use crate::answers::answer;
use crate::block::{Block, Outcome, genesis_header, next_header};
use crate::context::{Context, Verdict};
use crate::cycle::{self, Cycle};
use crate::economy::Economy;
use crate::error::{AuditError, BlockError, GenesisError, RestoreError, TransactionError};
use crate::genesis::{Genesis, Parameters};
use crate::merkle::{StateProof, Trie};
use crate::signatures::{Verified, verify_all};
use crate::state::{Change, Row, State, StateKey};
use crate::{Answer, Header, Query, SignedTransaction, accounts, audit};

/// How far ahead of a key's next nonce [`Ledger::check`] lets a transaction be: so many of one
/// key may wait for one block.
pub const NONCES_AHEAD_MAX: u64 = 64;

/// The ledger of one network: what every block so far did to balances.
///
/// It is a pure function of its genesis, the blocks' times and their transactions. It keeps
/// the whole state in memory; who runs it stores [`Applied::changes`] with each block and
/// comes back by [`Ledger::restore`].
#[derive(Clone)]
pub struct Ledger {
    grantor: PublicKey,
    head: Header,
    state: State,
    trie: Trie,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("head", &self.head)
            .field("records", &self.trie.len())
            .finish_non_exhaustive()
    }
}

/// A block that was just applied: what to store, and the way back if storing fails.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The block.
    pub block: Block,
    /// The leaves that it changed, each once, sorted by key; `None` removes one.
    pub changes: Vec<Change>,
    undo: Undo,
}

#[derive(Clone, Debug)]
struct Undo {
    parent: Header,
    journal: Vec<Row>,
    /// The changed leaves as they were.
    leaves: Vec<Change>,
}

/// A record (or its absence) with its proof against the state root of the newest header.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Proven {
    /// The record's bytes: a version byte, then strict borsh.
    pub value: Option<Vec<u8>>,
    /// The proof: [`StateProof::verify`] takes [`StateKey::to_bytes`] and these.
    pub proof: StateProof,
}

impl Ledger {
    /// The ledger at height 0.
    ///
    /// # Errors
    /// [`GenesisError`] when the genesis breaks a bound.
    pub fn new(genesis: &Genesis) -> Result<Self, GenesisError> {
        genesis.validate()?;
        let mut state = State::default();
        state.write(Row::Parameters((), Some(genesis.parameters)));
        state.write(Row::Economy((), Some(Arc::new(genesis.economy.clone()))));
        state.put_supply(crate::Supply::EMPTY);
        for entry in &genesis.accounts {
            state.endow(entry).map_err(|_| GenesisError::Overflow)?;
        }
        accounts::begin(&mut state, genesis)?;
        state.take_journal();
        let mut trie = Trie::new();
        for (key, value) in state.tables.leaves() {
            trie.set(&key, Some(&value));
        }
        let head = genesis_header(genesis.network(), genesis.time, trie.root());
        Ok(Self { grantor: genesis.grantor, head, state, trie })
    }

    /// The ledger as it was when `head` was its newest block, from all leaves of that state
    /// in any order.
    ///
    /// # Errors
    /// [`RestoreError`] unless the leaves give exactly the root that `head` names.
    pub fn restore(
        genesis: &Genesis,
        head: Header,
        leaves: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<Self, RestoreError> {
        genesis.validate()?;
        if head.network != genesis.network() {
            return Err(RestoreError::WrongNetwork);
        }
        let (mut state, mut trie) = (State::default(), Trie::new());
        for (key, value) in leaves {
            let row = Row::decode(&key, &value)
                .ok_or_else(|| RestoreError::Malformed { key: hex::encode(&key) })?;
            if state.load(row) {
                return Err(RestoreError::Duplicate { key: hex::encode(&key) });
            }
            trie.set(&key, Some(&value));
        }
        let found = trie.root();
        if found != head.state {
            return Err(RestoreError::Root { expected: head.state, found });
        }
        Ok(Self { grantor: genesis.grantor, head, state, trie })
    }

    /// The newest block's header.
    #[must_use]
    pub const fn head(&self) -> &Header {
        &self.head
    }

    /// The network.
    #[must_use]
    pub const fn network(&self) -> NetworkId {
        self.head.network
    }

    /// The bounds in force.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        self.state.tables.parameters.get(&()).copied().unwrap_or_default()
    }

    /// The rules of the economy in force.
    #[must_use]
    pub fn economy(&self) -> Arc<Economy> {
        self.state.economy()
    }

    /// When a block is due even if no transaction comes, so that rules on block time run.
    #[must_use]
    pub fn next_due(&self) -> Option<TimestampMs> {
        cycle::next_due(&self.state)
    }

    /// Answers a query from the state after the newest block.
    #[must_use]
    pub fn query(&self, query: &Query) -> Answer {
        answer(&self.state, &self.trie, &self.head, query)
    }

    /// All leaves of the state: what [`Ledger::restore`] takes.
    pub fn leaves(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
        self.state.tables.leaves()
    }

    /// A record, or its absence, with the proof against `head().state`.
    #[must_use]
    pub fn prove(&self, key: &StateKey) -> Proven {
        let proof = self.trie.prove(&key.to_bytes());
        Proven { value: self.state.tables.value_bytes(key), proof }
    }

    /// Recomputes every invariant from the records, at the cost of reading them all.
    ///
    /// # Errors
    /// [`AuditError`]: a defect of this program.
    pub fn audit(&self) -> Result<(), AuditError> {
        audit::audit(&self.state)
    }

    /// Whether a block could hold `transaction`: its size, its signature, its network, a nonce
    /// that is the key's next or at most [`NONCES_AHEAD_MAX`] later, and a signer who could pay
    /// its fee now. It does not say whether the transaction will succeed.
    ///
    /// # Errors
    /// The [`TransactionError`] with which a block would refuse it.
    pub fn check(&self, transaction: &SignedTransaction) -> Result<(), TransactionError> {
        self.check_envelope(transaction)?;
        let (expected, found) = (self.state.nonce(&transaction.signer), transaction.body.nonce);
        if found < expected || found - expected > NONCES_AHEAD_MAX {
            return Err(TransactionError::WrongNonce { expected, found });
        }
        transaction.verify().map_err(|_| TransactionError::BadSignature)?;
        self.state.check_fee(transaction, self.head.time)
    }

    /// What `transaction` would cost in the next block, in tokens.
    ///
    /// # Errors
    /// [`TransactionError::Overflow`].
    pub fn fee(&self, transaction: &SignedTransaction) -> Result<Tokens, TransactionError> {
        self.state.fee_of(&self.economy(), transaction)
    }

    fn check_envelope(&self, transaction: &SignedTransaction) -> Result<(), TransactionError> {
        let most = u64::from(self.parameters().transaction_bytes_max);
        let bytes = borsh::object_length(transaction).map_or(u64::MAX, |bytes| bytes as u64);
        if bytes > most {
            return Err(TransactionError::TooLarge { bytes, most });
        }
        if transaction.body.network != self.head.network {
            return Err(TransactionError::WrongNetwork);
        }
        Ok(())
    }

    /// Builds and applies the next block at block time `time`, in milliseconds since the
    /// epoch. Each transaction takes effect whole or not at all; a refused one is recorded
    /// with its reason, and consumes its nonce unless it was inadmissible.
    ///
    /// # Errors
    /// [`BlockError`]; the ledger is untouched then.
    pub fn apply(
        &mut self,
        time: TimestampMs,
        transactions: &[SignedTransaction],
    ) -> Result<Applied, BlockError> {
        self.check_block(time, transactions.len())?;
        let verified = verify_all(transactions);
        let mut cycle = self.cycle(time);
        cycle::begin(&mut self.state, &cycle);
        let outcomes = transactions
            .iter()
            .zip(&verified)
            .map(|(transaction, verified)| self.apply_one(&cycle, transaction, verified).into())
            .collect::<Vec<Outcome>>();
        if cycle.economy.accounts.fees.are_on() {
            cycle.weight = weight_of(transactions, &outcomes);
        }
        cycle::end(&mut self.state, &cycle);
        Ok(self.seal(time, transactions, outcomes))
    }

    /// Applies a block that was made before, here or elsewhere, and checks that the rules
    /// give exactly its header and outcomes.
    ///
    /// # Errors
    /// [`BlockError`]; the ledger is untouched then.
    pub fn replay(&mut self, block: &Block) -> Result<Applied, BlockError> {
        block.verify_links(&self.head)?;
        let applied = self.apply(block.header.time, &block.transactions)?;
        if applied.block == *block {
            return Ok(applied);
        }
        let same = applied.block.outcomes == block.outcomes;
        self.revert(applied)?;
        Err(BlockError::Diverged { part: if same { "state" } else { "outcomes" } })
    }

    /// Takes the newest block back, as if it had never been applied: for a block that could
    /// not be stored.
    ///
    /// # Errors
    /// [`BlockError::NotTheHead`] when another block is the newest.
    pub fn revert(&mut self, applied: Applied) -> Result<(), BlockError> {
        if applied.block.header != self.head {
            return Err(BlockError::NotTheHead);
        }
        let Undo { parent, journal, leaves } = applied.undo;
        self.state.undo(journal);
        let root = self.trie.update(&leaves);
        debug_assert_eq!(root, parent.state);
        self.head = parent;
        Ok(())
    }

    fn check_block(&self, time: TimestampMs, count: usize) -> Result<(), BlockError> {
        if time < self.head.time {
            return Err(BlockError::TimeBackwards { head: self.head.time, found: time });
        }
        let most = self.parameters().transactions_per_block_max;
        if u32::try_from(count).is_ok_and(|count| count <= most) {
            return Ok(());
        }
        Err(BlockError::TooManyTransactions { count, most })
    }

    fn cycle(&self, now: TimestampMs) -> Cycle {
        Cycle {
            now,
            before: self.head.time,
            height: self.head.height + 1,
            beacon: self.head.beacon,
            weight: 0,
            economy: self.state.economy(),
            parameters: self.parameters(),
        }
    }

    fn apply_one(
        &mut self,
        cycle: &Cycle,
        transaction: &SignedTransaction,
        verified: &Verified,
    ) -> Verdict {
        self.check_envelope(transaction)?;
        if !verified.transaction {
            return Err(TransactionError::BadSignature);
        }
        let signer = transaction.signer;
        let (expected, found) = (self.state.nonce(&signer), transaction.body.nonce);
        if found != expected {
            return Err(TransactionError::WrongNonce { expected, found });
        }
        let context = Context {
            signer,
            network: self.head.network,
            now: cycle.now,
            height: cycle.height,
            grantor: self.grantor,
            beacon: cycle.beacon,
            economy: self.state.economy(),
            parameters: self.parameters(),
            voucher_holds: &verified.vouchers,
        };
        accounts::run(&mut self.state, &context, transaction)
    }

    /// Ends the block: the trie, the header, and what is needed to store or to revert it.
    fn seal(
        &mut self,
        time: TimestampMs,
        transactions: &[SignedTransaction],
        outcomes: Vec<Outcome>,
    ) -> Applied {
        let journal = self.state.take_journal();
        let (before, changes) = self.state.changed(&journal);
        let root = self.trie.update(&changes);
        let header = next_header(&self.head, time, transactions, &outcomes, root);
        let parent = std::mem::replace(&mut self.head, header.clone());
        Applied {
            block: Block { header, transactions: transactions.to_vec(), outcomes },
            changes,
            undo: Undo { parent, journal, leaves: before },
        }
    }
}

/// What the transactions weigh that a block had to hold.
fn weight_of(transactions: &[SignedTransaction], outcomes: &[Outcome]) -> u64 {
    let admitted = |outcome: &Outcome| match outcome {
        Outcome::Applied(_) => true,
        Outcome::Refused(error) => !error.is_inadmissible(),
    };
    let held = transactions.iter().zip(outcomes).filter(|(_, outcome)| admitted(outcome));
    held.fold(0, |sum, (transaction, _)| sum.saturating_add(accounts::weight(transaction)))
}
