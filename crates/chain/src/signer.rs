//! One key's way into the ledger: numbers its transactions and signs them.

use std::sync::Arc;
use std::time::Duration;

use remuda_ledger::{Action, SignedTransaction, Transaction, TransactionError};
use remuda_types::{NetworkId, PublicKey, SecretKey, Signed};
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::{Included, LedgerClient, LedgerClientExt, LedgerError};

/// How often an action is signed anew because another holder of the key took its nonce.
pub const NONCE_RACES_MAX: u32 = 8;

/// The pause after the first lost race; it grows by as much with each.
const RACE_PAUSE: Duration = Duration::from_millis(10);

/// Signs actions with one key and sees them into the ledger, one after the other. Clones
/// share the count; several signers of one key, even in other processes, get along by
/// retrying.
///
/// One thing they cannot do: the very same action, signed at the same moment by two signers
/// of one key, is one transaction (same key, same nonce, same words), takes effect once, and
/// both hear that it did.
#[derive(Clone, Debug)]
pub struct Signer {
    ledger: Arc<dyn LedgerClient>,
    key: SecretKey,
    next: Arc<Mutex<Next>>,
}

/// What the next transaction needs; fetched when it is missing.
#[derive(Debug, Default)]
struct Next {
    network: Option<NetworkId>,
    nonce: Option<u64>,
}

impl Signer {
    /// A signer with `key`. Nothing is fetched until the first action.
    #[must_use]
    pub fn new(ledger: Arc<dyn LedgerClient>, key: SecretKey) -> Self {
        Self { ledger, key, next: Arc::default() }
    }

    /// The key's public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// The ledger that it writes to.
    #[must_use]
    pub const fn ledger(&self) -> &Arc<dyn LedgerClient> {
        &self.ledger
    }

    /// Signs `action`, submits it, and waits until it is on disk. A nonce that another took
    /// first is replaced, at most [`NONCE_RACES_MAX`] times; nothing else is signed twice.
    ///
    /// # Errors
    /// [`LedgerError`]. When [`LedgerError::is_outcome_unknown`], the action may have taken
    /// effect: look before doing it again.
    pub async fn send(&self, action: Action) -> Result<Included, LedgerError> {
        let mut next = self.next.lock().await;
        let mut races = 0;
        loop {
            let transaction = self.sign(&mut next, action.clone()).await?;
            let nonce = transaction.body.nonce;
            // Taken out until the outcome is known: also when this future is dropped here.
            next.nonce = None;
            match self.ledger.submit(transaction).await {
                Err(LedgerError::Refused(TransactionError::WrongNonce { expected, .. }))
                    if races < NONCE_RACES_MAX =>
                {
                    races += 1;
                    sleep(RACE_PAUSE * races).await;
                    // An equal one says that another transaction with it waits: ask again.
                    next.nonce = (expected > nonce).then_some(expected);
                }
                answer => {
                    if consumed_its_nonce(&answer) {
                        next.nonce = nonce.checked_add(1);
                    }
                    return answer;
                }
            }
        }
    }

    async fn sign(
        &self,
        next: &mut Next,
        action: Action,
    ) -> Result<SignedTransaction, LedgerError> {
        let network = match next.network {
            Some(network) => network,
            None => *next.network.insert(self.ledger.network().await?),
        };
        let nonce = match next.nonce {
            Some(nonce) => nonce,
            None => self.ledger.nonce(self.key.public()).await?,
        };
        Ok(Signed::sign(Transaction { network, nonce, action }, &self.key))
    }
}

/// Whether the transaction is in a block, with or without effect.
fn consumed_its_nonce(answer: &Result<Included, LedgerError>) -> bool {
    match answer {
        Ok(_) => true,
        Err(LedgerError::Refused(error)) => !error.is_inadmissible(),
        Err(_) => false,
    }
}
