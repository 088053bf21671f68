//! The real state machine, played block by block: agents sign real transactions, and what the
//! ledger refuses is counted by its code.

use std::collections::BTreeMap;

use remuda_ledger::credits::{CreditsAnswer, CreditsQuery, Status};
use remuda_ledger::epochs::{EpochAnswer, EpochQuery};
use remuda_ledger::stake::{Load, Role, StakeAnswer, StakeQuery, Subject, SubjectView};
use remuda_ledger::{
    Account, Action, Answer, BlockError, Economy, Flow, Genesis, GenesisAccount, GenesisError,
    Ledger, Parameters, Purse, Query, SignedTransaction, Supply, Transaction, Vault,
};
use remuda_types::{
    AccountId, Credits, NetworkId, PublicKey, SecretKey, Signed, TimestampMs, Tokens,
};

use crate::amounts::from_tokens;
use crate::chance::Chance;

/// When every simulated network begins: the first second of 2026, in milliseconds.
pub(crate) const START: TimestampMs = 1_767_225_600_000;
/// The most blocks that finish what one step left due.
const DUE_BLOCKS_MAX: u32 = 4_096;

/// Somebody who signs.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub(crate) key: SecretKey,
    pub(crate) account: AccountId,
}

impl Actor {
    /// The actor `name` of `seed`.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let key = SecretKey::from_seed(Chance::new(seed, name).bytes());
        Self { account: key.public().into(), key }
    }
}

/// A ledger that is played.
#[derive(Clone, Debug)]
pub(crate) struct Play {
    pub(crate) ledger: Ledger,
    pub(crate) now: TimestampMs,
    /// How often each refusal was heard.
    pub(crate) refused: BTreeMap<String, u64>,
    /// How many transactions took effect.
    pub(crate) applied: u64,
    network: NetworkId,
    nonces: BTreeMap<PublicKey, u64>,
    pending: Vec<SignedTransaction>,
}

/// How a network begins.
#[derive(Clone, Debug)]
pub(crate) struct Beginning {
    pub(crate) economy: Economy,
    pub(crate) grantor: PublicKey,
    pub(crate) accounts: Vec<GenesisAccount>,
    pub(crate) roles: BTreeMap<String, AccountId>,
}

impl Play {
    /// A network that begins so.
    pub(crate) fn new(beginning: Beginning) -> Result<Self, GenesisError> {
        let genesis = Genesis {
            name: "simulation".into(),
            time: START,
            grantor: beginning.grantor,
            accounts: beginning.accounts,
            roles: beginning.roles,
            parameters: Parameters::default(),
            economy: beginning.economy,
        };
        let ledger = Ledger::new(&genesis)?;
        Ok(Self {
            network: ledger.network(),
            ledger,
            now: START,
            refused: BTreeMap::new(),
            applied: 0,
            nonces: BTreeMap::new(),
            pending: Vec::new(),
        })
    }

    /// Signs an action for the next block; its place among that block's transactions.
    pub(crate) fn act(&mut self, actor: &SecretKey, action: Action) -> usize {
        let public = actor.public();
        let nonce = *self.nonces.entry(public).or_insert_with(|| 0);
        let body = Transaction { network: self.network, nonce, action };
        self.pending.push(Signed::sign(body, actor));
        self.nonces.insert(public, nonce + 1);
        self.pending.len() - 1
    }

    /// Makes a block of what was signed, at a time. Says of each transaction whether it took
    /// effect.
    pub(crate) fn block(&mut self, time: TimestampMs) -> Result<Vec<bool>, BlockError> {
        self.now = self.now.max(time);
        let pending = std::mem::take(&mut self.pending);
        let applied = self.ledger.apply(self.now, &pending)?;
        let mut done = Vec::with_capacity(pending.len());
        for (transaction, outcome) in pending.iter().zip(&applied.block.outcomes) {
            match outcome.result() {
                Ok(_) => self.applied += 1,
                Err(error) => {
                    *self.refused.entry(error.code().into()).or_default() += 1;
                    // An inadmissible one consumed no nonce: the key's next must know.
                    if error.is_inadmissible() {
                        self.resynchronise(transaction.signer);
                    }
                }
            }
            done.push(outcome.is_applied());
        }
        Ok(done)
    }

    /// Makes a block at a time, and those that rules on block time then ask for.
    pub(crate) fn finish(&mut self, time: TimestampMs) -> Result<Vec<bool>, BlockError> {
        let done = self.block(time)?;
        for _ in 0..DUE_BLOCKS_MAX {
            if self.ledger.next_due().is_none_or(|due| due > self.now) {
                break;
            }
            self.ledger.apply(self.now, &[])?;
        }
        Ok(done)
    }

    fn resynchronise(&mut self, signer: PublicKey) {
        if let Answer::Nonce(next) = self.ledger.query(&Query::Nonce(signer)) {
            self.nonces.insert(signer, next);
        }
    }

    /// What an account holds.
    pub(crate) fn account(&self, id: AccountId) -> Account {
        match self.ledger.query(&Query::Account(id)) {
            Answer::Account(account) => account,
            _ => Account { tokens: Tokens(0), credits: Credits(0), earned: Credits(0) },
        }
    }

    /// What epochs owe to an account.
    pub(crate) fn rewards(&self, id: AccountId) -> Tokens {
        match self.ledger.query(&Query::Epochs(EpochQuery::Rewards(id))) {
            Answer::Epochs(answer) => match *answer {
                EpochAnswer::Rewards(owed) => owed,
                _ => Tokens(0),
            },
            _ => Tokens(0),
        }
    }

    /// All money there is.
    pub(crate) fn supply(&self) -> Option<Supply> {
        match self.ledger.query(&Query::Supply) {
            Answer::Supply(supply) => Some(supply),
            _ => None,
        }
    }

    /// What a vault holds.
    pub(crate) fn vault(&self, vault: Vault) -> Purse {
        match self.ledger.query(&Query::Vault(vault)) {
            Answer::Vault(purse) => purse,
            _ => Purse::default(),
        }
    }

    /// All that was ever minted or burned for one reason.
    pub(crate) fn flows(&self) -> BTreeMap<Flow, Tokens> {
        match self.ledger.query(&Query::Flows) {
            Answer::Flows(flows) => flows.into_iter().collect(),
            _ => BTreeMap::new(),
        }
    }

    /// What so many credits cost now, in tokens; none while nothing can be bought.
    pub(crate) fn cost(&self, credits: Credits) -> Option<Tokens> {
        let quote = CreditsQuery::QuoteExactPurchase(credits);
        match self.ledger.query(&Query::Credits(quote)) {
            Answer::Credits(CreditsAnswer::Purchase(purchase)) => Some(purchase.tokens),
            _ => None,
        }
    }

    /// How many credits so many tokens buy now; none while nothing can be bought.
    pub(crate) fn bought_for(&self, tokens: Tokens) -> Option<Credits> {
        let quote = CreditsQuery::QuotePurchase(tokens);
        match self.ledger.query(&Query::Credits(quote)) {
            Answer::Credits(CreditsAnswer::Purchase(purchase)) => Some(purchase.credits),
            _ => None,
        }
    }

    /// The stake behind a subject.
    pub(crate) fn pool(&self, subject: Subject) -> Option<SubjectView> {
        match self.ask_stake(StakeQuery::Subject(subject)) {
            Some(StakeAnswer::Subject(view)) => view.map(|view| *view),
            _ => None,
        }
    }

    /// The stake that devices require of a provider.
    pub(crate) fn required(&self, load: Load) -> Option<Tokens> {
        match self.ask_stake(StakeQuery::Required { role: Role::Provider, load }) {
            Some(StakeAnswer::Required(required)) => required,
            _ => None,
        }
    }

    /// What an account has in stake: bonded, on its way out, or earned by it.
    pub(crate) fn staked(&self, id: AccountId) -> f64 {
        let mut sum = 0.0;
        if let Some(StakeAnswer::Positions(held)) = self.ask_stake(StakeQuery::PositionsOf(id)) {
            for position in held {
                sum += from_tokens(position.worth);
                let owner = self.pool(position.subject).filter(|view| view.pool.owner == id);
                sum += owner.map_or(0.0, |view| from_tokens(view.pool.owed));
            }
        }
        if let Some(StakeAnswer::Unbondings(out)) = self.ask_stake(StakeQuery::UnbondingsOf(id)) {
            sum += out.iter().map(|(_, worth)| from_tokens(*worth)).sum::<f64>();
        }
        sum
    }

    fn ask_stake(&self, query: StakeQuery) -> Option<StakeAnswer> {
        if !self.economy().stake.provider.open {
            return None;
        }
        match self.ledger.query(&Query::Stake(query)) {
            Answer::Stake(answer) => Some(*answer),
            _ => None,
        }
    }

    fn economy(&self) -> std::sync::Arc<Economy> {
        self.ledger.economy()
    }

    /// The state of buying and settling.
    pub(crate) fn market(&self) -> Option<Status> {
        match self.ledger.query(&Query::Credits(CreditsQuery::Status)) {
            Answer::Credits(CreditsAnswer::Status(status)) => Some(*status),
            _ => None,
        }
    }
}
