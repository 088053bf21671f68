//! Buying credits for tokens, and settling credits in tokens.
//!
//! All tokens that a purchase takes are burned, or go to the reserve, or are a fee with an
//! owner. What a settlement pays comes from the reserve first and is minted only then.

use remuda_types::{Credits, TimestampMs, Tokens};

use super::error::CreditsError;
use super::records::{Book, Breaker, Purchase, Settlement};
use super::rules::{Mode, Rules};
use super::terms;
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::math::{Share, split_by_shares};
use crate::money::{Flow, Holder, Vault};
use crate::state::{Row, State};

type Done = Result<(), TransactionError>;

impl State {
    /// The sums of buying and settling.
    pub(crate) fn credit_book(&self) -> Book {
        self.tables.credit_book.get(&()).cloned().unwrap_or_default()
    }

    fn put_credit_book(&mut self, book: Book) {
        self.write(Row::CreditBook((), Some(book)));
    }

    /// All credits that have not ended, whoever holds them.
    pub(crate) fn outstanding_credits(&self) -> Credits {
        let supply = self.supply();
        supply.granted.excess_over(supply.retired)
    }

    /// The tokens that settlements may pay without making new ones beyond what was burned:
    /// the reserve, and of all tokens that purchases burned the rules' share, less what
    /// settlements minted.
    pub(crate) fn settlement_budget(&self, rules: &Rules) -> Result<Tokens, TransactionError> {
        let burned = rules.settle_share.of(self.flow(Flow::CreditPurchase).0);
        let left = Tokens(burned).excess_over(self.flow(Flow::Settlement));
        Ok(self.credit_book().reserved.add(left)?)
    }

    /// The price, or why there is none.
    fn price_now(&self, now: TimestampMs) -> Result<Credits, TransactionError> {
        Ok(self.price(now).ok_or(CreditsError::NoPrice)?)
    }

    /// What the circuit breaker says, and the collateral ratio in billionths.
    pub(super) fn breaker(&self, rules: &Rules, now: TimestampMs) -> (Breaker, Option<u128>) {
        let Some(price) = self.price(now) else { return (Breaker::NoPrice, None) };
        let book = self.credit_book();
        let ratio = terms::ratio(book.reserved, price, self.outstanding_credits());
        if rules.mode != Mode::Akash {
            return (Breaker::Healthy, ratio);
        }
        let below =
            |share: Share| ratio.is_some_and(|ratio| ratio < u128::from(share.billionths()));
        let limit = if book.halted { rules.breaker.resume } else { rules.breaker.halt };
        let breaker = match (below(limit), below(rules.breaker.warn)) {
            (true, _) => Breaker::Halted,
            (false, true) => Breaker::Warned,
            (false, false) => Breaker::Healthy,
        };
        (breaker, ratio)
    }

    /// What settling `credits` pays now.
    pub(super) fn settlement_terms(
        &self,
        rules: &Rules,
        now: TimestampMs,
        credits: Credits,
    ) -> Result<Settlement, TransactionError> {
        if rules.mode == Mode::Off {
            return Err(CreditsError::MarketOff.into());
        }
        if rules.mode == Mode::Render {
            return Ok(Settlement { price: Credits::ZERO, credits, tokens: Tokens::ZERO });
        }
        let price = self.price_now(now)?;
        let mut tokens = terms::settlement(rules, price, credits)?;
        if rules.mode == Mode::Remuda {
            let budget = self.settlement_budget(rules)?;
            let outstanding = self.outstanding_credits().max(credits);
            tokens = tokens.min(terms::budget_part(budget, credits, outstanding)?);
        }
        Ok(Settlement { price, credits, tokens })
    }

    /// Pays from the reserve first; what it lacks is minted.
    fn pay_settled(&mut self, to: Holder, tokens: Tokens) -> Done {
        let mut book = self.credit_book();
        let reserved = tokens.min(book.reserved);
        book.reserved = book.reserved.sub(reserved)?;
        book.paid = book.paid.add(tokens)?;
        self.put_credit_book(book);
        self.move_tokens(Holder::Vault(Vault::CreditReserve), to, reserved)?;
        self.mint_tokens(to, tokens.sub(reserved)?, Flow::Settlement)
    }

    /// The fee's parts go to the treasury and to the checkers; the rest, and all dust, is
    /// burned.
    fn split_fee(&mut self, from: Holder, rules: &Rules, fee: Tokens) -> Done {
        let shares = [rules.fee_to_treasury, rules.fee_to_checkers];
        let (parts, rest) = split_by_shares(fee.0, &shares)?;
        for (part, vault) in parts.into_iter().zip([Vault::Treasury, Vault::CheckerFees]) {
            self.move_tokens(from, Holder::Vault(vault), Tokens(part))?;
        }
        self.burn_tokens(from, Tokens(rest), Flow::JobFee)
    }

    fn take_in(&mut self, from: Holder, rules: &Rules, purchase: &Purchase) -> Done {
        self.split_fee(from, rules, purchase.fee)?;
        let net = purchase.tokens.sub(purchase.fee)?;
        if rules.mode == Mode::Akash {
            return self.reserve_tokens(from, net);
        }
        self.burn_tokens(from, net, Flow::CreditPurchase)
    }

    fn reserve_tokens(&mut self, from: Holder, tokens: Tokens) -> Done {
        let mut book = self.credit_book();
        book.reserved = book.reserved.add(tokens)?;
        self.put_credit_book(book);
        self.move_tokens(from, Holder::Vault(Vault::CreditReserve), tokens)
    }
}

/// The rules, and the price, when somebody may buy.
fn open_market(state: &State, context: &Context<'_>) -> Result<Credits, TransactionError> {
    let rules = &context.economy.credits;
    if rules.mode == Mode::Off {
        return Err(CreditsError::MarketOff.into());
    }
    let price = state.price_now(context.now)?;
    if matches!(state.breaker(rules, context.now).0, Breaker::Halted) {
        return Err(CreditsError::Halted.into());
    }
    Ok(price)
}

/// The signer turns tokens into credits.
pub(super) fn buy(
    state: &mut State,
    context: &Context<'_>,
    tokens: Tokens,
    credits_min: Credits,
) -> Verdict {
    if tokens.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    let price = open_market(state, context)?;
    let purchase = terms::purchase(&context.economy.credits, price, tokens)?;
    let credits = purchase.credits;
    if credits < credits_min {
        return Err(CreditsError::TooFewCredits { credits, least: credits_min }.into());
    }
    conclude(state, context, &purchase)
}

/// The signer buys so many credits.
pub(super) fn buy_exact(
    state: &mut State,
    context: &Context<'_>,
    credits: Credits,
    tokens_max: Tokens,
) -> Verdict {
    if credits.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    let price = open_market(state, context)?;
    let purchase = terms::purchase_exact(&context.economy.credits, price, credits)?;
    let tokens = purchase.tokens;
    if tokens > tokens_max {
        return Err(CreditsError::TooDear { tokens, most: tokens_max }.into());
    }
    conclude(state, context, &purchase)
}

fn conclude(state: &mut State, context: &Context<'_>, purchase: &Purchase) -> Verdict {
    let rules = &context.economy.credits;
    if purchase.credits.is_zero() {
        return Err(CreditsError::Dust.into());
    }
    let least = rules.breaker.warned_purchase_min;
    let warned = matches!(state.breaker(rules, context.now).0, Breaker::Warned);
    if warned && purchase.credits < least {
        return Err(CreditsError::PurchaseSmall { least }.into());
    }
    let buyer = Holder::Account(context.account());
    state.take_in(buyer, rules, purchase)?;
    state.mint_credits(buyer, purchase.credits)?;
    let mut book = state.credit_book();
    book.sold = book.sold.add(purchase.credits)?;
    state.put_credit_book(book);
    Ok(Effects::default())
}

/// The signer's earned credits are paid in tokens, at once or as they vest.
pub(super) fn settle(
    state: &mut State,
    context: &Context<'_>,
    credits: Credits,
    tokens_min: Tokens,
) -> Verdict {
    let account = context.account();
    let tokens = end_credits(state, context, Holder::Earner(account), credits, tokens_min)?;
    let terms = context.economy.credits.settle_vesting;
    state.vest(account, tokens, terms, context.now, Holder::Account(account))?;
    let mut book = state.credit_book();
    book.settled = book.settled.add(credits)?;
    state.put_credit_book(book);
    Ok(Effects::default())
}

/// The signer's unspent credits turn back into tokens.
pub(super) fn refund(
    state: &mut State,
    context: &Context<'_>,
    credits: Credits,
    tokens_min: Tokens,
) -> Verdict {
    if !context.economy.credits.refunds {
        return Err(CreditsError::RefundsOff.into());
    }
    let owner = Holder::Account(context.account());
    end_credits(state, context, owner, credits, tokens_min)?;
    let mut book = state.credit_book();
    book.refunded = book.refunded.add(credits)?;
    state.put_credit_book(book);
    Ok(Effects::default())
}

/// Ends credits of a holder and pays for them; how much.
fn end_credits(
    state: &mut State,
    context: &Context<'_>,
    holder: Holder,
    credits: Credits,
    tokens_min: Tokens,
) -> Result<Tokens, TransactionError> {
    if credits.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    let rules = &context.economy.credits;
    let tokens = state.settlement_terms(rules, context.now, credits)?.tokens;
    if tokens < tokens_min {
        return Err(CreditsError::TooFewTokens { tokens, least: tokens_min }.into());
    }
    state.retire_credits(holder, credits)?;
    if tokens.is_zero() && rules.mode != Mode::Render {
        return Err(CreditsError::Dust.into());
    }
    state.pay_settled(holder, tokens)?;
    Ok(tokens)
}

/// The signer gives tokens to the reserve.
pub(super) fn fund(state: &mut State, context: &Context<'_>, tokens: Tokens) -> Verdict {
    if tokens.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    if context.economy.credits.mode == Mode::Off {
        return Err(CreditsError::MarketOff.into());
    }
    state.reserve_tokens(Holder::Account(context.account()), tokens)?;
    Ok(Effects::default())
}

/// Every block: the circuit breaker remembers whether it stopped buying, so that buying goes
/// on only from the higher ratio. Without a price it stays as it was.
pub(crate) fn watch(state: &mut State, cycle: &Cycle) -> Done {
    let rules = &cycle.economy.credits;
    if rules.mode != Mode::Akash {
        return Ok(());
    }
    let (breaker, _) = state.breaker(rules, cycle.now);
    let mut book = state.credit_book();
    let halted = breaker == Breaker::Halted;
    if breaker != Breaker::NoPrice && book.halted != halted {
        book.halted = halted;
        state.put_credit_book(book);
    }
    Ok(())
}
