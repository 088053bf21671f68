//! What a transaction costs: its weight times a base fee that follows the fullness of blocks.
//!
//! The base fee is of the kind that EIP-1559 describes: a block above the target weight raises
//! it, one below lowers it, by at most `change_max`, and by at least one unit, so that it leaves
//! a floor of zero under load and comes back to it when the load ends.
//!
//! Who pays: the signer's own account, in tokens. Whoever has none pays in credits at the
//! oracle's price of the token (while it has none, at the profile's), rounded up to a whole
//! micro-dollar, and they end by that: an account of its credits, a live session key of its
//! account's within its cap, an earner of what it earned. So buyers never see a token, and a
//! session key costs no more than it may spend. Nobody pays for another, so naming somebody (as
//! a provider names its reward account) burdens nobody.
//!
//! Closing and expiring a channel is paid for when it is opened: each of the two that succeeds
//! is free, and only one can for each channel. So a provider whose node key holds nothing can
//! always take what it is owed.
//!
//! A refused transaction pays as one that takes effect does. One whose signer cannot pay leaves
//! no trace at all, not even a nonce: a key without funds cannot fill the state. It names the
//! fee that would be accepted.

use remuda_types::{AccountId, Credits, PublicKey, TimestampMs, Tokens};

use super::records::BaseFee;
use super::rules::FeeRules;
use super::{AccountsError, Done};
use crate::SignedTransaction;
use crate::context::{Context, Verdict};
use crate::cycle::Cycle;
use crate::economy::Economy;
use crate::error::TransactionError;
use crate::execute::execute;
use crate::math::{Rounding, mul_div};
use crate::money::{Flow, Holder, Vault};
use crate::signatures::signatures_of;
use crate::state::{Row, State};
use crate::transaction::Action;

/// The highest base fee: a billion tokens for one unit of weight.
pub(crate) const BASE_FEE_MAX: Tokens = Tokens(1_000_000_000_000_000_000);
/// What checking one signature weighs.
pub const SIGNATURE_WEIGHT: u64 = 256;
/// What opening a channel weighs beside itself: its closing.
pub const CLOSING_WEIGHT: u64 = 1_024;

/// Base units of one token.
const TOKEN: u128 = 1_000_000_000;

/// What a transaction weighs: its bytes, the signatures to be checked, and what it pays ahead.
#[must_use]
pub fn weight(transaction: &SignedTransaction) -> u64 {
    let bytes = borsh::object_length(transaction).map_or(u64::MAX, |bytes| bytes as u64);
    let signatures = SIGNATURE_WEIGHT.saturating_mul(signatures_of(transaction) as u64);
    let ahead = match transaction.body.action {
        Action::OpenChannel { .. } => CLOSING_WEIGHT,
        _ => 0,
    };
    bytes.saturating_add(signatures).saturating_add(ahead)
}

/// The base fee after a block of this weight.
fn next_price(price: Tokens, weight: u64, rules: &FeeRules) -> Tokens {
    let target = rules.target_weight;
    // At double the target the change is the largest.
    let distance = weight.abs_diff(target).min(target);
    if distance == 0 {
        return price;
    }
    let part = |amount| mul_div(amount, distance.into(), target.max(1).into(), Rounding::Down);
    let most = rules.change_max.of(price.0);
    // A part of a change of at most all fits.
    let change = part(most).unwrap_or(most).max(1);
    let next = match weight > target {
        true => price.0.saturating_add(change).min(BASE_FEE_MAX.0),
        false => price.0.saturating_sub(change),
    };
    Tokens(next).max(rules.floor)
}

/// Out of what a fee is paid.
#[derive(Debug)]
enum Source {
    Tokens(AccountId),
    Credits { account: AccountId, session: Option<PublicKey>, amount: Credits },
    Earned { account: AccountId, amount: Credits },
}

impl State {
    /// The base fee in force.
    pub(crate) fn base_fee(&self, rules: &FeeRules) -> BaseFee {
        let found = self.tables.base_fee.get(&()).copied();
        found.unwrap_or(BaseFee { price: rules.floor, weight: 0 })
    }

    /// What `transaction` would cost now.
    pub(crate) fn fee_of(
        &self,
        economy: &Economy,
        transaction: &SignedTransaction,
    ) -> Result<Tokens, TransactionError> {
        let rules = &economy.accounts.fees;
        if !rules.are_on() {
            return Ok(Tokens::ZERO);
        }
        let price = self.base_fee(rules).price.0;
        let fee = price.checked_mul(weight(transaction).into());
        fee.map(Tokens).ok_or(TransactionError::Overflow)
    }

    /// Whether the signer could pay for `transaction` now.
    pub(crate) fn check_fee(
        &self,
        transaction: &SignedTransaction,
        now: TimestampMs,
    ) -> Result<(), TransactionError> {
        let (economy, signer) = (self.economy(), transaction.signer);
        let fee = self.fee_of(&economy, transaction)?;
        if fee.is_zero() || self.is_paid_ahead(signer, &transaction.body.action) {
            return Ok(());
        }
        self.fee_source(&economy, signer, fee, now).map(|_| ())
    }

    /// Whether the transaction costs nothing if it succeeds, as it may.
    fn is_paid_ahead(&self, signer: PublicKey, action: &Action) -> bool {
        let channels = &self.tables.channels;
        match action {
            Action::CloseChannel { channel, .. } => {
                channels.get(channel).is_some_and(|channel| channel.provider == signer)
            }
            Action::ExpireChannel { channel } => channels.contains_key(channel),
            _ => false,
        }
    }

    fn fee_source(
        &self,
        economy: &Economy,
        signer: PublicKey,
        fee: Tokens,
        now: TimestampMs,
    ) -> Result<Source, TransactionError> {
        let own = AccountId::from(signer);
        let holding = self.account(&own);
        if holding.tokens >= fee {
            return Ok(Source::Tokens(own));
        }
        let price = self.price(now).unwrap_or(economy.accounts.fees.token_price);
        let credits = fee_in_credits(price, fee);
        if let Some(amount) = credits {
            let session = self.session(&signer).filter(|session| !session.has_ended(now));
            if let Some(session) = session.filter(|session| session.left() >= amount) {
                let account = session.account;
                if self.account(&account).credits >= amount {
                    return Ok(Source::Credits { account, session: Some(signer), amount });
                }
            }
            if holding.credits >= amount {
                return Ok(Source::Credits { account: own, session: None, amount });
            }
            if holding.earned >= amount {
                return Ok(Source::Earned { account: own, amount });
            }
        }
        let available = holding.tokens;
        Err(AccountsError::FeeUnpayable { fee, credits, available }.into())
    }

    /// Takes the fee. Of tokens a share is burned, rounded down, and the treasury has the rest.
    fn charge(&mut self, context: &Context<'_>, fee: Tokens) -> Done {
        let economy = &context.economy;
        match self.fee_source(economy, context.signer, fee, context.now)? {
            Source::Tokens(account) => {
                let burned = Tokens(economy.accounts.fees.burned.of(fee.0));
                let (from, rest) = (Holder::Account(account), fee.sub(burned)?);
                self.burn_tokens(from, burned, Flow::BaseFee)?;
                self.move_tokens(from, Holder::Vault(Vault::Treasury), rest)
            }
            Source::Credits { account, session, amount } => {
                if let Some(session) = session {
                    self.spend(&session, amount)?;
                }
                self.retire_credits(Holder::Account(account), amount)
            }
            Source::Earned { account, amount } => {
                self.retire_credits(Holder::Earner(account), amount)
            }
        }
    }
}

/// The fee in credits at this price of a token, rounded up; none when they are not accepted.
fn fee_in_credits(price: Credits, fee: Tokens) -> Option<Credits> {
    if price.is_zero() {
        return None;
    }
    let amount = mul_div(fee.0, price.0.into(), TOKEN, Rounding::Up).ok()?;
    u64::try_from(amount).map(Credits).ok()
}

/// Counts the nonce, takes the fee and runs the action. What is refused after the fee was paid
/// keeps fee and nonce; what could not pay leaves nothing.
pub(crate) fn run(
    state: &mut State,
    context: &Context<'_>,
    transaction: &SignedTransaction,
) -> Verdict {
    let start = state.mark();
    let verdict = counted(state, context, transaction);
    if verdict.as_ref().is_err_and(TransactionError::is_inadmissible) {
        state.roll_back(start);
    }
    verdict
}

fn counted(state: &mut State, context: &Context<'_>, transaction: &SignedTransaction) -> Verdict {
    let action = &transaction.body.action;
    state.consume_nonce(context.signer);
    let fee = state.fee_of(&context.economy, transaction)?;
    if fee.is_zero() {
        return attempt(state, context, action);
    }
    if state.is_paid_ahead(context.signer, action) {
        let verdict = attempt(state, context, action);
        if verdict.is_err() {
            state.charge(context, fee)?;
        }
        return verdict;
    }
    state.charge(context, fee)?;
    attempt(state, context, action)
}

/// Runs an action, whole or not at all.
fn attempt(state: &mut State, context: &Context<'_>, action: &Action) -> Verdict {
    let mark = state.mark();
    let verdict = execute(state, context, action);
    if verdict.is_err() {
        state.roll_back(mark);
    }
    verdict
}

/// Moves the base fee by what the block held.
pub(crate) fn adjust(state: &mut State, cycle: &Cycle) -> Done {
    let rules = &cycle.economy.accounts.fees;
    if !rules.are_on() {
        return Ok(());
    }
    let before = state.base_fee(rules);
    let price = next_price(before.price, cycle.weight, rules);
    let after = BaseFee { price, weight: cycle.weight };
    if state.tables.base_fee.get(&()) != Some(&after) {
        state.write(Row::BaseFee((), Some(after)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(floor: u128) -> FeeRules {
        FeeRules { target_weight: 1_000, floor: Tokens(floor), ..FeeRules::default() }
    }

    fn after(price: u128, weight: u64, floor: u128) -> u128 {
        next_price(Tokens(price), weight, &rules(floor)).0
    }

    #[test]
    fn the_price_moves_by_an_eighth_at_most() {
        assert_eq!(after(8_000, 1_000, 0), 8_000);
        assert_eq!(after(8_000, 2_000, 0), 9_000);
        assert_eq!(after(8_000, u64::MAX, 0), 9_000);
        assert_eq!(after(8_000, 1_500, 0), 8_500);
        assert_eq!(after(8_000, 0, 0), 7_000);
        assert_eq!(after(8_000, 500, 0), 7_500);
    }

    #[test]
    fn it_leaves_zero_under_load_and_comes_back() {
        let mut price = 0;
        for expected in 1..=8 {
            price = after(price, 2_000, 0);
            assert_eq!(price, expected);
        }
        for _ in 0..8 {
            price = after(price, 0, 0);
        }
        assert_eq!((price, after(price, 0, 0)), (0, 0));
        assert_eq!(after(5, 0, 5), 5);
        assert_eq!(after(2, 0, 5), 5);
    }

    #[test]
    fn it_has_a_highest() {
        assert_eq!(after(BASE_FEE_MAX.0, 2_000, 0), BASE_FEE_MAX.0);
        assert_eq!(after(BASE_FEE_MAX.0 - 1, 1_001, 0), BASE_FEE_MAX.0);
    }

    #[test]
    fn credits_are_rounded_up() {
        let at = |price, fee| fee_in_credits(Credits(price), Tokens(fee));
        assert_eq!(at(0, 1), None);
        assert_eq!(at(500_000, 1), Some(Credits(1)));
        assert_eq!(at(500_000, TOKEN), Some(Credits(500_000)));
        assert_eq!(at(500_000, TOKEN + 1), Some(Credits(500_001)));
        assert_eq!(at(500_000, u128::MAX), None);
    }
}
