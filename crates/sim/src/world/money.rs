//! What a token costs, and how tokens and credits change hands.

use remuda_ledger::accounts::{AccountsAction, AccountsAnswer, AccountsQuery, Beneficiary, Grant};
use remuda_ledger::credits::CreditsAction;
use remuda_ledger::epochs::EpochAction;
use remuda_ledger::math::Period;
use remuda_ledger::{Action, Answer, Query, Vault};
use remuda_types::{ChannelId, Credits, NodeId, SecretKey, Signed, Tokens, Voucher};

use super::World;
use crate::amounts::{credits, from_credits, from_tokens, tokens};
use crate::assumptions::{BUYERS, DECISION_DAYS, INVENTORY_DAYS, PRICE_DAYS, PRICE_MIN, VELOCITY};
use crate::play::Actor;

/// The vaults, all of them: what they hold does not circulate.
const VAULTS: [Vault; 15] = [
    Vault::Treasury,
    Vault::Vesting,
    Vault::CreditReserve,
    Vault::Escrow,
    Vault::Held,
    Vault::Stake,
    Vault::StakeRewards,
    Vault::EpochRewards,
    Vault::Points,
    Vault::Proposals,
    Vault::Pool,
    Vault::Licences,
    Vault::Disputes,
    Vault::Fees,
    Vault::CheckerFees,
];

/// The least that is worth a payment, in dollars.
const PAYMENT_MIN: f64 = 0.01;
/// How much more than the quote a buyer brings, so that rounding refuses nothing.
const MARGIN: f64 = 1.001;

/// A payment that a buyer signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payment {
    /// Which provider.
    provider: usize,
    dollars: f64,
    /// The transaction that pays it.
    place: usize,
}

impl World {
    /// Tokens that no vault holds, whole.
    pub(crate) fn circulating(&self) -> f64 {
        let supply = self.play.supply().map_or(0.0, |supply| from_tokens(supply.tokens));
        let vaulted: f64 =
            VAULTS.iter().map(|vault| from_tokens(self.play.vault(*vault).tokens)).sum();
        (supply - vaulted).max(0.0)
    }

    /// Moves the price toward MV = PT.
    pub(super) fn reprice(&mut self) {
        let circulating = self.circulating();
        if circulating < 1.0 || !self.is_market() {
            return;
        }
        let fair = (self.wanted * 365.0 / (VELOCITY * circulating)).max(PRICE_MIN);
        let weight = if self.priced { (f64::from(self.days) / PRICE_DAYS).min(1.0) } else { 1.0 };
        self.priced = true;
        self.price += (fair - self.price) * weight;
    }

    pub(super) fn post_prices(&mut self) {
        if !self.is_market() {
            return;
        }
        for (poster, bias) in self.cast.posters.clone().iter().zip(self.bias) {
            let price = credits((self.price * bias).max(PRICE_MIN)).max(Credits(1));
            let post = CreditsAction::PostPrice { price };
            self.play.act(&poster.key, Action::Credits(post));
        }
    }

    /// Those whose turn it is take what epochs and grants owe them.
    pub(super) fn collect(&mut self) {
        for index in 0..self.providers.len() {
            if self.is_turn(self.providers[index].turn) {
                let actor = self.providers[index].actor.clone();
                self.claim(&actor);
            }
        }
        let others: Vec<Actor> = self.cast.duties.clone();
        for (index, actor) in others.iter().enumerate() {
            if self.is_turn(index) {
                self.claim(actor);
            }
        }
        let holder = self.cast.holder.clone();
        if (self.day / self.days).is_multiple_of((DECISION_DAYS / self.days).max(1)) {
            self.claim_grants(&holder);
        }
    }

    /// An account takes what epochs owe it, and what is free of its grants.
    pub(crate) fn claim(&mut self, actor: &Actor) {
        if self.play.rewards(actor.account) > Tokens(0) {
            self.play.act(&actor.key, Action::Epochs(EpochAction::ClaimRewards));
        }
        self.claim_grants(actor);
    }

    fn grants(&self, actor: &Actor) -> Vec<Grant> {
        let of = Beneficiary::Account(actor.account);
        let query = Query::Accounts(AccountsQuery::GrantsOf(of));
        match self.play.ledger.query(&query) {
            Answer::Accounts(AccountsAnswer::Grants(grants)) => grants,
            _ => Vec::new(),
        }
    }

    /// Tokens that are an account's but not free yet, or not taken.
    pub(crate) fn granted(&self, actor: &Actor) -> f64 {
        let left = |grant: &Grant| from_tokens(grant.amount) - from_tokens(grant.claimed);
        self.grants(actor).iter().map(left).sum()
    }

    /// How long what is paid is held back, in days.
    pub(crate) fn hold_days(&self) -> u32 {
        let days = self.economy.escrow.hold.ms().div_ceil(Period::DAY.ms());
        u32::try_from(days).unwrap_or(u32::MAX)
    }

    fn claim_grants(&mut self, actor: &Actor) {
        for grant in self.grants(actor) {
            let claim = AccountsAction::ClaimGrant { grant: grant.id };
            self.play.act(&actor.key, Action::Accounts(claim));
        }
    }

    /// What the market still takes of tokens.
    fn market_room(&self) -> f64 {
        let most = self.wanted * INVENTORY_DAYS.max(2.0 * f64::from(self.days)) / self.price;
        (most - self.tokens_of(&self.cast.exchange)).max(0.0)
    }

    /// Holders sell what the velocity implies, as far as the market takes it.
    pub(super) fn sell(&mut self) {
        if !self.is_market() {
            return;
        }
        let part = (VELOCITY * self.turn_days() / 365.0).min(1.0);
        let mut offers: Vec<(Option<usize>, Actor, f64)> = Vec::new();
        for index in 0..self.providers.len() {
            if self.is_turn(self.providers[index].turn) && !self.providers[index].hostile {
                let actor = self.providers[index].actor.clone();
                let amount = self.tokens_of(&actor) * part;
                offers.push((Some(index), actor, amount));
            }
        }
        let others = self.cast.duties.iter().chain([&self.cast.holder]).cloned();
        for (index, actor) in others.enumerate() {
            if self.is_turn(index) {
                let amount = self.tokens_of(&actor) * part;
                offers.push((None, actor, amount));
            }
        }
        let offered: f64 = offers.iter().map(|offer| offer.2).sum();
        let taken = if offered > 0.0 { (self.market_room() / offered).min(1.0) } else { 0.0 };
        for (index, actor, amount) in offers {
            self.sell_some(index, &actor, amount * taken);
        }
    }

    fn sell_some(&mut self, index: Option<usize>, actor: &Actor, amount: f64) {
        let sold = tokens(amount);
        let exchange = self.cast.exchange.clone();
        self.transfer(actor, &exchange, sold);
        let dollars = from_tokens(sold) * self.price;
        match index {
            Some(index) => {
                self.providers[index].dollars += dollars;
                self.providers[index].sold += from_tokens(sold);
            }
            None => self.holder_dollars += dollars,
        }
    }

    /// Buyers pay for the work of those whose turn it is: they buy tokens, turn them into
    /// credits, and pay through a channel each.
    pub(super) fn pay(&mut self) -> Vec<Payment> {
        let due: Vec<(usize, f64)> = (0..self.providers.len())
            .filter(|&index| self.is_turn(self.providers[index].turn))
            .map(|index| (index, self.providers[index].owed))
            .filter(|(_, owed)| *owed >= PAYMENT_MIN)
            .collect();
        let part = self.affordable(due.iter().map(|(_, owed)| owed).sum());
        let mut payments = Vec::new();
        for buyer in 0..BUYERS {
            let own = due.iter().copied().filter(|(index, _)| index % BUYERS == buyer);
            let own: Vec<_> = own.map(|(index, owed)| (index, owed * part)).collect();
            let needed: f64 = own.iter().map(|(_, dollars)| dollars).sum();
            if needed >= PAYMENT_MIN && self.fund_buyer(buyer, needed) {
                let own = own.into_iter().filter(|(_, dollars)| *dollars >= PAYMENT_MIN);
                for (index, dollars) in own {
                    payments.push(self.pay_one(buyer, index, dollars));
                }
            }
        }
        payments
    }

    /// Which part of so many dollars the market's tokens suffice for: all are paid the same
    /// part, whoever pays them.
    fn affordable(&self, dollars: f64) -> f64 {
        if !self.is_market() || dollars < PAYMENT_MIN {
            return 1.0;
        }
        let Some(cost) = self.play.cost(credits(dollars * MARGIN)) else { return 0.0 };
        let stock = self.tokens_of(&self.cast.exchange);
        (stock / (from_tokens(cost) * MARGIN)).min(1.0)
    }

    /// Gives a buyer credits for so many dollars, if that can be.
    fn fund_buyer(&mut self, buyer: usize, dollars: f64) -> bool {
        let actor = self.cast.buyers[buyer].clone();
        let has = from_credits(self.play.account(actor.account).credits);
        let lacking = credits((dollars * MARGIN - has).max(0.0));
        if lacking == Credits(0) {
            return true;
        }
        if !self.is_market() {
            let grant = Action::GrantCredits { to: actor.account, amount: lacking };
            let grantor = self.cast.grantor.key.clone();
            self.play.act(&grantor, grant);
            return true;
        }
        let Some(cost) = self.play.cost(lacking) else { return false };
        let bought = (from_tokens(cost) * MARGIN - self.tokens_of(&actor)).max(0.0);
        let exchange = self.cast.exchange.clone();
        self.transfer(&exchange, &actor, tokens(bought));
        let buy =
            CreditsAction::BuyExactCredits { credits: lacking, tokens_max: Tokens(u128::MAX) };
        self.play.act(&actor.key, Action::Credits(buy));
        true
    }

    fn pay_one(&mut self, buyer: usize, provider: usize, dollars: f64) -> Payment {
        let payer = self.cast.buyers[buyer].key.clone();
        let node = self.providers[provider].actor.key.clone();
        let place = self.pay_through_channel(&payer, &node, credits(dollars));
        Payment { provider, dollars, place }
    }

    /// Opens a channel, pays all of it with one voucher and closes it; the transaction that
    /// closes it.
    pub(crate) fn pay_through_channel(
        &mut self,
        payer: &SecretKey,
        node: &SecretKey,
        amount: Credits,
    ) -> usize {
        let provider: NodeId = node.public();
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&self.channels.to_le_bytes());
        self.channels += 1;
        let expires_at = self.noon_time() + remuda_ledger::math::Period::DAY.ms();
        let open = Action::OpenChannel {
            nonce,
            provider,
            client: payer.public(),
            deposit: amount,
            expires_at,
        };
        self.play.act(payer, open);
        let channel = ChannelId::derive(&payer.public(), &provider, &nonce);
        let voucher = Voucher { channel, sequence: 1, cumulative: amount, receipt: None };
        let voucher = Some(Signed::sign(voucher, payer));
        self.play.act(node, Action::CloseChannel { channel, voucher })
    }

    /// What was paid is no longer owed.
    pub(super) fn note_payments(&mut self, payments: &[Payment], done: &[bool]) {
        let mut paid = 0.0;
        for payment in payments {
            if done.get(payment.place).copied().unwrap_or(false) {
                let provider = &mut self.providers[payment.provider];
                provider.owed = (provider.owed - payment.dollars).max(0.0);
                paid += payment.dollars;
            }
        }
        self.paid = paid / f64::from(self.days);
    }

    /// Providers turn what they earned into tokens.
    pub(super) fn settle(&mut self) {
        if !self.settles() {
            return;
        }
        for index in 0..self.providers.len() {
            // The day after its pay, when the hold of most profiles is over.
            if self.is_turn(self.providers[index].turn + 1) && !self.providers[index].hostile {
                let actor = self.providers[index].actor.clone();
                self.settle_all(&actor);
            }
        }
    }

    /// Somebody turns all that it earned into tokens.
    pub(crate) fn settle_all(&mut self, actor: &Actor) {
        let earned = self.play.account(actor.account).earned;
        if earned > Credits(0) {
            let settle = CreditsAction::SettleEarned { credits: earned, tokens_min: Tokens(0) };
            self.play.act(&actor.key, Action::Credits(settle));
        }
    }
}
