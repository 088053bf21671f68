//! Node licences: a capped series, its sale, and its way back.

use remuda_types::{AccountId, Credits, NodeId, TimestampMs, Tokens};

use super::actions::BUY_LICENCES_MAX;
use super::{DevicesError, Licence, LicenceBuyer, LicenceRules, LicenceSale};
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::math::{Share, split_by_shares};
use crate::money::{Denomination, Holder, Purse, Vault};
use crate::state::{Row, State};

const TREASURY: Holder = Holder::Vault(Vault::Treasury);
const RESERVE: Holder = Holder::Vault(Vault::Licences);

/// What somebody wants to buy.
pub(super) struct Order {
    pub(super) count: u32,
    pub(super) denomination: Denomination,
    pub(super) most: u128,
    pub(super) whitelisted: bool,
    pub(super) referrer: Option<AccountId>,
}

/// Where the price of one licence goes; the parts come to the whole.
struct Parts {
    paid: u128,
    treasury: u128,
    referrer: u128,
    reserve: u128,
}

impl State {
    /// The sale so far; none before it began.
    pub(crate) fn licence_sale(&self) -> Option<&LicenceSale> {
        self.tables.licence_sale.get(&())
    }

    /// What an account bought so far.
    pub(crate) fn licence_buyer(&self, account: &AccountId) -> LicenceBuyer {
        let none = LicenceBuyer { tier: None, open: 0, whitelisted: 0 };
        self.tables.licence_buyers.get(account).cloned().unwrap_or(none)
    }

    fn licence_of(&self, owner: &AccountId, number: u32) -> Result<Licence, DevicesError> {
        let licence = self.tables.licences.get(&number).filter(|found| found.owner == *owner);
        licence.cloned().ok_or(DevicesError::UnknownLicence { number })
    }

    fn put_licence(&mut self, licence: Licence) {
        self.write(Row::Licence(licence.number, Some(licence)));
    }
}

/// A purse with more (`adds`) or less of a denomination.
fn change(
    purse: Purse,
    unit: Denomination,
    amount: u128,
    adds: bool,
) -> Result<Purse, TransactionError> {
    let mut purse = purse;
    match unit {
        Denomination::Token => {
            let amount = Tokens(amount);
            purse.tokens = if adds { purse.tokens.add(amount) } else { purse.tokens.sub(amount) }?;
        }
        Denomination::Credit => {
            let amount = Credits(u64::try_from(amount).map_err(|_| TransactionError::Overflow)?);
            purse.credits =
                if adds { purse.credits.add(amount) } else { purse.credits.sub(amount) }?;
        }
    }
    Ok(purse)
}

/// The first block under rules with a series begins its sale.
pub(crate) fn begin_sale(state: &mut State, cycle: &Cycle) -> Result<(), TransactionError> {
    if cycle.economy.devices.licences.series > 0 && state.licence_sale().is_none() {
        let sale = LicenceSale {
            began_at: cycle.before,
            sold: 0,
            given_back: 0,
            whitelisted: Vec::new(),
            reserve: Purse::default(),
        };
        state.write(Row::LicenceSale((), Some(sale)));
    }
    Ok(())
}

/// An account buys licences.
pub(super) fn buy(state: &mut State, context: &Context<'_>, order: &Order) -> Verdict {
    let rules = &context.economy.devices.licences;
    let closed = DevicesError::LicenceSaleClosed;
    let mut sale = state.licence_sale().cloned().ok_or(closed)?;
    if order.count == 0 || order.count > BUY_LICENCES_MAX {
        return Err(DevicesError::LicenceCount { most: BUY_LICENCES_MAX }.into());
    }
    let buyer = context.account();
    let bought = admit(state, context, &mut sale, order)?;
    check_referrer(state, order, &buyer)?;
    let mut whole = Parts { paid: 0, treasury: 0, referrer: 0, reserve: 0 };
    for _ in 0..order.count {
        let parts = parts(rules, order, sale.sold)?;
        state.put_licence(Licence {
            number: sale.sold,
            owner: buyer,
            operator: None,
            paid: parts.paid,
            denomination: order.denomination,
            reserve: parts.reserve,
            bought_at: context.now,
        });
        sale.sold = sale.sold.checked_add(1).ok_or(TransactionError::Overflow)?;
        whole = whole.add(&parts)?;
    }
    if whole.paid > order.most {
        return Err(DevicesError::LicencePrice { cost: whole.paid }.into());
    }
    pay(state, order, buyer, &whole)?;
    sale.reserve = change(sale.reserve, order.denomination, whole.reserve, true)?;
    state.write(Row::LicenceSale((), Some(sale)));
    state.write(Row::LicenceBuyer(buyer, Some(bought)));
    let earned = match order.denomination {
        Denomination::Credit => u64::try_from(whole.referrer).unwrap_or_default(),
        Denomination::Token => 0,
    };
    Ok(Effects { earned: Credits(earned), ..Effects::default() })
}

impl Parts {
    fn add(self, other: &Self) -> Result<Self, TransactionError> {
        let sum = |a: u128, b: u128| a.checked_add(b).ok_or(TransactionError::Overflow);
        Ok(Self {
            paid: sum(self.paid, other.paid)?,
            treasury: sum(self.treasury, other.treasury)?,
            referrer: sum(self.referrer, other.referrer)?,
            reserve: sum(self.reserve, other.reserve)?,
        })
    }
}

/// The price of one licence and where it goes. The discount is rounded down, and so are the
/// parts of treasury and referrer: the reserve has the dust.
fn parts(rules: &LicenceRules, order: &Order, number: u32) -> Result<Parts, TransactionError> {
    let price = rules.price(number).ok_or(DevicesError::LicenceLimit { left: 0 })?;
    let cost = rules.cost(price, order.denomination)?;
    let cost = cost.ok_or(DevicesError::LicenceDenomination)?;
    let discount = order.referrer.map_or(Share::ZERO, |_| rules.referral_discount);
    let paid = cost - discount.of(cost);
    let (parts, reserve) = split_by_shares(paid, &[rules.treasury_share, rules.referral_reward])?;
    let (treasury, referrer) = (parts[0], parts[1]);
    let parts = Parts { paid, treasury, referrer, reserve };
    Ok(match order.referrer {
        Some(_) => parts,
        None => Parts { treasury: treasury + referrer, referrer: 0, ..parts },
    })
}

fn pay(
    state: &mut State,
    order: &Order,
    buyer: AccountId,
    parts: &Parts,
) -> Result<(), TransactionError> {
    let (from, unit) = (Holder::Account(buyer), order.denomination);
    state.move_amount(from, TREASURY, parts.treasury, unit)?;
    state.move_amount(from, RESERVE, parts.reserve, unit)?;
    match order.referrer {
        Some(referrer) => state.move_amount(from, Holder::Earner(referrer), parts.referrer, unit),
        None => Ok(()),
    }
}

/// Whether so many may be bought now, by the series, the tier and the account; the buyer's
/// record as it is after the purchase. Counts the tier's in `sale`.
fn admit(
    state: &State,
    context: &Context<'_>,
    sale: &mut LicenceSale,
    order: &Order,
) -> Result<LicenceBuyer, DevicesError> {
    let rules = &context.economy.devices.licences;
    let left = rules.series.saturating_sub(sale.sold);
    let mut buyer = state.licence_buyer(&context.account());
    let is_open = |opens: u64| context.now >= sale.began_at.saturating_add(opens);
    if !order.whitelisted {
        let left = left.min(rules.per_account_max.saturating_sub(buyer.open));
        check_count(order, is_open(rules.opens.ms()), left)?;
        buyer.open += order.count;
        return Ok(buyer);
    }
    let index = usize::from(buyer.tier.ok_or(DevicesError::LicenceSaleClosed)?);
    let tier = rules.whitelist.get(index).ok_or(DevicesError::LicenceSaleClosed)?;
    let opened = is_open(tier.opens.ms());
    if sale.whitelisted.len() <= index {
        sale.whitelisted.resize(index + 1, 0);
    }
    let taken = &mut sale.whitelisted[index];
    let left = left
        .min(tier.allotment.saturating_sub(*taken))
        .min(tier.per_account_max.saturating_sub(buyer.whitelisted));
    check_count(order, opened, left)?;
    *taken += order.count;
    buyer.whitelisted += order.count;
    Ok(buyer)
}

fn check_count(order: &Order, is_open: bool, left: u32) -> Result<(), DevicesError> {
    if !is_open {
        return Err(DevicesError::LicenceSaleClosed);
    }
    if order.count > left { Err(DevicesError::LicenceLimit { left }) } else { Ok(()) }
}

fn check_referrer(state: &State, order: &Order, buyer: &AccountId) -> Result<(), DevicesError> {
    let Some(referrer) = order.referrer else { return Ok(()) };
    let owns = state.indexes.devices.licences_of_owner.contains_key(&referrer);
    if owns && referrer != *buyer { Ok(()) } else { Err(DevicesError::LicenceReferrer) }
}

/// An owner says which key works with a licence.
pub(super) fn delegate(
    state: &mut State,
    context: &Context<'_>,
    number: u32,
    operator: Option<NodeId>,
) -> Verdict {
    let licence = state.licence_of(&context.account(), number)?;
    state.put_licence(Licence { operator, ..licence });
    Ok(Effects::default())
}

/// An owner gives a licence to another account.
pub(super) fn transfer(
    state: &mut State,
    context: &Context<'_>,
    number: u32,
    to: AccountId,
) -> Verdict {
    let licence = state.licence_of(&context.account(), number)?;
    let bound = context.economy.devices.licences.transfer_after.ms();
    check_free(&licence, bound, context.now)?;
    state.put_licence(Licence { owner: to, operator: None, ..licence });
    Ok(Effects::default())
}

fn check_free(licence: &Licence, bound: u64, now: TimestampMs) -> Result<(), DevicesError> {
    let (number, until) = (licence.number, licence.bought_at.saturating_add(bound));
    if now < until { Err(DevicesError::LicenceBound { number, until }) } else { Ok(()) }
}

/// An owner gives a licence back: its price less the fee, rounded down, and never more than
/// what backs it. The rest of that goes to the treasury. Credits come back as credits to spend.
pub(super) fn give_back(state: &mut State, context: &Context<'_>, number: u32) -> Verdict {
    let rules = &context.economy.devices.licences;
    let owner = context.account();
    let licence = state.licence_of(&owner, number)?;
    let after = rules.buy_back_after.ok_or(DevicesError::LicenceNoBuyBack)?;
    check_free(&licence, after.ms(), context.now)?;
    let refund = rules.buy_back_fee.complement().of(licence.paid).min(licence.reserve);
    let unit = licence.denomination;
    state.move_amount(RESERVE, Holder::Account(owner), refund, unit)?;
    state.move_amount(RESERVE, TREASURY, licence.reserve - refund, unit)?;
    let mut sale = state.licence_sale().cloned().ok_or(DevicesError::LicenceSaleClosed)?;
    sale.reserve = change(sale.reserve, unit, licence.reserve, false)?;
    sale.given_back = sale.given_back.checked_add(1).ok_or(TransactionError::Overflow)?;
    state.write(Row::LicenceSale((), Some(sale)));
    state.write(Row::Licence(number, None));
    Ok(Effects::default())
}

/// The whitelister puts an account into a tier, or out of all.
pub(super) fn whitelist(
    state: &mut State,
    context: &Context<'_>,
    account: AccountId,
    tier: Option<u8>,
) -> Verdict {
    let rules = &context.economy.devices.licences;
    let known = tier.is_none_or(|tier| usize::from(tier) < rules.whitelist.len());
    if rules.whitelister != Some(context.account()) || !known {
        return Err(DevicesError::NotWhitelister.into());
    }
    let buyer = LicenceBuyer { tier, ..state.licence_buyer(&account) };
    let empty = buyer.tier.is_none() && buyer.open == 0 && buyer.whitelisted == 0;
    state.write(Row::LicenceBuyer(account, (!empty).then_some(buyer)));
    Ok(Effects::default())
}
