//! What a rule may know beside the state: who acts, when, and which signatures hold.

use std::sync::Arc;

use remuda_types::{AccountId, Hash, Height, NetworkId, PublicKey, TimestampMs};

use crate::block::Effects;
use crate::economy::Economy;
use crate::error::TransactionError;
use crate::genesis::Parameters;

/// What a rule decides.
pub(crate) type Verdict = Result<Effects, TransactionError>;

/// The surroundings of one transaction.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// Who signed.
    pub(crate) signer: PublicKey,
    /// The network.
    pub(crate) network: NetworkId,
    /// The time of the block being built.
    pub(crate) now: TimestampMs,
    /// Its height.
    pub(crate) height: Height,
    /// The only key that may grant credits.
    pub(crate) grantor: PublicKey,
    /// The beacon of the block before.
    pub(crate) beacon: Hash,
    /// The rules of the economy.
    pub(crate) economy: Arc<Economy>,
    /// The bounds.
    pub(crate) parameters: Parameters,
    /// Whether each signature that the transaction brings beside its own holds, in their
    /// order: of vouchers, or of receipts brought as evidence.
    pub(crate) voucher_holds: &'a [bool],
}

impl Context<'_> {
    /// The account of the signer's own key.
    pub(crate) fn account(&self) -> AccountId {
        self.signer.into()
    }

    /// The surroundings of what is done in the name of an account that no key signs for, such
    /// as one of several keys: every rule sees that account, and none sees a signature. (The
    /// bytes of its name stand where a signer's key does; nobody can sign for them.)
    pub(crate) fn acting_as(&self, account: AccountId) -> Context<'static> {
        Context {
            signer: PublicKey(account.0.0),
            network: self.network,
            now: self.now,
            height: self.height,
            grantor: self.grantor,
            beacon: self.beacon,
            economy: self.economy.clone(),
            parameters: self.parameters,
            voucher_holds: &[],
        }
    }
}

/// Checks the length of a text that a transaction brings into the state.
pub(crate) fn check_text(field: &str, text: &str, most: u32) -> Result<(), TransactionError> {
    let fits = u32::try_from(text.len()).is_ok_and(|length| length <= most);
    if fits && !text.is_empty() {
        return Ok(());
    }
    Err(TransactionError::TextLength { field: field.into(), most })
}

/// Whether `count` entries leave no room for one more.
pub(crate) fn is_full(count: usize, most: u32) -> bool {
    !u32::try_from(count).is_ok_and(|count| count < most)
}
