//! Accounts: tokens and their transfer, the nonces of keys, accounts of several keys, grants
//! that vest, the allocations of the supply, and what a transaction costs.

mod actions;
mod allocations;
mod audit;
mod endow;
mod error;
mod fees;
mod indexes;
mod multisig;
mod queries;
mod records;
mod rules;
#[cfg(test)]
mod tests;
mod vesting;

use remuda_types::{AccountId, PublicKey, Tokens};

pub use self::actions::AccountsAction;
pub use self::allocations::{ALLOCATIONS_MAX, Allocation, Recipient};
pub use self::error::AccountsError;
pub use self::fees::{CLOSING_WEIGHT, SIGNATURE_WEIGHT, weight};
pub use self::multisig::{MultisigPolicy, SEALED_BYTES_MAX, SealedAction};
pub use self::queries::{AccountsAnswer, AccountsQuery, AllocationState};
pub use self::records::{
    AllocationPartId, AllocationUse, BaseFee, Beneficiary, Grant, GrantSource, Multisig,
    MultisigProposal, MultisigProposalId, MultisigStatus, Vesting,
};
pub use self::rules::{
    AccountRules, FeeRules, MEMBERS_MAX, MultisigRules, PARTS_MAX, PROPOSALS_MAX, VestingRules,
};
pub use self::vesting::VestingTerms;

pub(crate) use self::actions::execute;
pub(crate) use self::audit::audit;
pub(crate) use self::endow::{begin, validate};
pub(crate) use self::fees::{adjust, run};
pub(crate) use self::indexes::AccountIndexes;
pub(crate) use self::multisig::expire;
pub(crate) use self::queries::answer;

use crate::Account;
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::error::TransactionError;
use crate::money::Holder;
use crate::state::{Row, State};

/// What a change of the state comes to.
type Done = Result<(), TransactionError>;

impl Account {
    /// An account that holds nothing; it has no record.
    pub const EMPTY: Self = Self {
        tokens: Tokens::ZERO,
        credits: remuda_types::Credits::ZERO,
        earned: remuda_types::Credits::ZERO,
    };
}

impl State {
    /// An account; an unknown one is empty.
    pub(crate) fn account(&self, id: &AccountId) -> Account {
        self.tables.accounts.get(id).cloned().unwrap_or(Account::EMPTY)
    }

    pub(crate) fn put_account(&mut self, id: AccountId, account: Account) {
        let record = (account != Account::EMPTY).then_some(account);
        self.write(Row::Account(id, record));
    }

    /// The next nonce of a key.
    pub(crate) fn nonce(&self, key: &PublicKey) -> u64 {
        self.tables.nonces.get(key).copied().unwrap_or_default()
    }

    /// Counts a transaction of `key`, whatever becomes of it.
    pub(crate) fn consume_nonce(&mut self, key: PublicKey) {
        let next = self.nonce(&key) + 1;
        self.write(Row::Nonce(key, Some(next)));
    }
}

/// Moves tokens from the signer's account.
pub(crate) fn transfer(
    state: &mut State,
    context: &Context<'_>,
    to: AccountId,
    amount: Tokens,
) -> Verdict {
    if amount.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    let (from, to) = (Holder::Account(context.account()), Holder::Account(to));
    state.move_tokens(from, to, amount)?;
    Ok(Effects::default())
}
