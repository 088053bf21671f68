//! Credits: their grant, their way through channels, and how tokens become credits and
//! earned credits tokens at the oracle's price. Each step keeps the sums of
//! [`Supply`] beside the records.

mod actions;
mod audit;
mod error;
mod market;
mod oracle;
mod queries;
mod records;
mod rules;
mod terms;

use remuda_types::{AccountId, Credits};

pub use self::actions::CreditsAction;
pub(crate) use self::actions::execute;
pub(crate) use self::audit::audit;
pub use self::error::CreditsError;
pub(crate) use self::market::watch;
pub use self::oracle::POSTS_MAX;
pub(crate) use self::oracle::observe;
pub(crate) use self::queries::answer;
pub use self::queries::{CreditsAnswer, CreditsQuery};
pub use self::records::{Book, Breaker, Post, Purchase, Sample, Settlement, Status};
pub use self::rules::{BreakerRules, Mode, OracleRules, POSTERS_MAX, Rules, WINDOW_SAMPLES_MAX};
use crate::Supply;
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::error::TransactionError;
use crate::genesis::GenesisAccount;
use crate::money::{Flow, Holder};
use crate::state::{Row, State};

impl Supply {
    /// Nothing.
    pub(crate) const EMPTY: Self = Self {
        tokens: remuda_types::Tokens::ZERO,
        minted: remuda_types::Tokens::ZERO,
        burned: remuda_types::Tokens::ZERO,
        credits: Credits::ZERO,
        locked: Credits::ZERO,
        vaulted: Credits::ZERO,
        earned: Credits::ZERO,
        retired: Credits::ZERO,
        granted: Credits::ZERO,
    };
}

impl State {
    pub(crate) fn supply(&self) -> Supply {
        self.tables.supply.get(&()).cloned().unwrap_or(Supply::EMPTY)
    }

    pub(crate) fn put_supply(&mut self, supply: Supply) {
        self.write(Row::Supply((), Some(supply)));
    }

    /// What an account holds at the start.
    pub(crate) fn endow(&mut self, entry: &GenesisAccount) -> Result<(), TransactionError> {
        let holder = Holder::Account(entry.account);
        self.mint_tokens(holder, entry.tokens, Flow::Genesis)?;
        self.mint_credits(holder, entry.credits)
    }

    /// An account's credits go into a channel.
    pub(crate) fn lock_credits(
        &mut self,
        from: AccountId,
        amount: Credits,
    ) -> Result<(), TransactionError> {
        let mut account = self.account(&from);
        let available = account.credits;
        account.credits = available
            .sub(amount)
            .map_err(|_| TransactionError::InsufficientCredits { available, needed: amount })?;
        let mut supply = self.supply();
        supply.credits = supply.credits.sub(amount)?;
        supply.locked = supply.locked.add(amount)?;
        self.put_supply(supply);
        self.put_account(from, account);
        Ok(())
    }

    /// What a channel did not pay goes back to its account.
    pub(crate) fn unlock_credits(
        &mut self,
        to: AccountId,
        amount: Credits,
    ) -> Result<(), TransactionError> {
        let mut supply = self.supply();
        supply.locked = supply.locked.sub(amount)?;
        supply.credits = supply.credits.add(amount)?;
        let mut account = self.account(&to);
        account.credits = account.credits.add(amount)?;
        self.put_supply(supply);
        self.put_account(to, account);
        Ok(())
    }

    /// What a channel pays is earned by an account.
    pub(crate) fn pay_credits(
        &mut self,
        to: AccountId,
        amount: Credits,
    ) -> Result<(), TransactionError> {
        let mut supply = self.supply();
        supply.locked = supply.locked.sub(amount)?;
        supply.earned = supply.earned.add(amount)?;
        let mut account = self.account(&to);
        account.earned = account.earned.add(amount)?;
        self.put_supply(supply);
        self.put_account(to, account);
        self.award_points(to, crate::points::Work::Earned(amount.0.into()));
        Ok(())
    }
}

/// The genesis grantor creates credits.
pub(crate) fn grant(
    state: &mut State,
    context: &Context<'_>,
    to: AccountId,
    amount: Credits,
) -> Verdict {
    if context.signer != context.grantor {
        return Err(TransactionError::NotGrantor);
    }
    if amount.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    state.mint_credits(Holder::Account(to), amount)?;
    Ok(Effects::default())
}
