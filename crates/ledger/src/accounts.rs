//! Accounts: tokens and their transfer, and the nonces of keys.

use remuda_types::{AccountId, PublicKey, Tokens};

use crate::Account;
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::error::TransactionError;
use crate::money::Holder;
use crate::state::{Row, State};

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
