//! Leases: an owner deposits, providers bid, accepted bids are paid by the tick until one side
//! ends them or the deposit runs out. Accounts settle when they are touched, not every block.

use remuda_types::{Credits, Hash, NodeId};

use super::streaming::earned_credits;
use super::{Bid, EscrowAccount, EscrowError, EscrowId, EscrowState, Lease, LeaseState};
use crate::block::Effects;
use crate::context::{Context, Verdict, is_full};
use crate::error::TransactionError;
use crate::money::{Denomination, Holder, Vault};
use crate::state::State;

/// What an owner asks for when it opens an account.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) nonce: [u8; 32],
    pub(super) denomination: Denomination,
    pub(super) deposit: u128,
    pub(super) rate_max: u128,
    pub(super) spec: Hash,
}

impl State {
    fn escrow(&self, id: EscrowId) -> Result<EscrowAccount, EscrowError> {
        let escrow = self.tables.escrows.get(&id).cloned();
        escrow.ok_or(EscrowError::Unknown { escrow: id })
    }

    /// An account that still pays, settled up to this block. When it runs out by that, it is
    /// written as ended, and the caller finds its state changed.
    fn settled(
        &mut self,
        id: EscrowId,
        context: &Context<'_>,
    ) -> Result<EscrowAccount, TransactionError> {
        let mut escrow = self.escrow(id)?;
        if escrow.state != EscrowState::Open {
            return Err(EscrowError::Ended { escrow: id }.into());
        }
        self.settle_escrow(&mut escrow, context)?;
        Ok(escrow)
    }

    /// As [`State::settled`], for what makes no sense when the account has just run out.
    fn solvent(
        &mut self,
        id: EscrowId,
        context: &Context<'_>,
    ) -> Result<EscrowAccount, TransactionError> {
        let escrow = self.settled(id, context)?;
        match escrow.state {
            EscrowState::Open => Ok(escrow),
            _ => Err(EscrowError::Ended { escrow: id }.into()),
        }
    }

    fn deposit(
        &mut self,
        from: Holder,
        amount: u128,
        denomination: Denomination,
    ) -> Result<(), TransactionError> {
        self.move_amount(from, Holder::Vault(Vault::Escrow), amount, denomination)
    }

    /// Refuses nodes that are not registered, or were ejected.
    pub(super) fn check_seller(&self, node: &NodeId) -> Result<(), TransactionError> {
        if self.is_ejected(node) {
            return Err(EscrowError::Ejected.into());
        }
        if !self.tables.providers.contains_key(node) {
            return Err(TransactionError::UnknownProvider);
        }
        Ok(())
    }
}

fn check_owner(escrow: &EscrowAccount, context: &Context<'_>) -> Result<(), EscrowError> {
    if escrow.owner == context.account() { Ok(()) } else { Err(EscrowError::NotOwner) }
}

/// The signer's account opens an escrow account.
pub(super) fn open(state: &mut State, context: &Context<'_>, opening: &Opening) -> Verdict {
    let owner = context.account();
    let id = EscrowId::derive(&owner, &opening.nonce);
    if state.tables.escrows.contains_key(&id) {
        return Err(EscrowError::Exists { escrow: id }.into());
    }
    let rules = &context.economy.escrow.leases;
    let open = state.indexes.escrow.open_escrows.get(&owner).map_or(0, |open| open.len());
    if is_full(open, rules.open_max) {
        return Err(EscrowError::Limit { most: rules.open_max }.into());
    }
    let least = match opening.denomination {
        Denomination::Token => rules.deployment_min.0,
        Denomination::Credit => rules.deployment_min_credits.0.into(),
    };
    if opening.deposit == 0 || opening.rate_max == 0 {
        return Err(TransactionError::ZeroAmount);
    }
    if opening.deposit < least {
        return Err(EscrowError::DepositTooLow { least }.into());
    }
    state.deposit(Holder::Account(owner), opening.deposit, opening.denomination)?;
    let mut escrow = EscrowAccount {
        id,
        owner,
        denomination: opening.denomination,
        balance: opening.deposit,
        rate_max: opening.rate_max,
        spec: opening.spec,
        tick: rules.tick,
        settled_at: 0,
        state: EscrowState::Open,
        ended_at: None,
        bids: Vec::new(),
        leases: Vec::new(),
    };
    escrow.settled_at = escrow.tick_of(context.height, context.now);
    state.put_escrow(escrow);
    Ok(Effects::default())
}

/// The owner deposits more.
pub(super) fn top_up(
    state: &mut State,
    context: &Context<'_>,
    id: EscrowId,
    amount: u128,
) -> Verdict {
    let mut escrow = state.solvent(id, context)?;
    check_owner(&escrow, context)?;
    if amount == 0 {
        return Err(TransactionError::ZeroAmount);
    }
    state.deposit(Holder::Account(escrow.owner), amount, escrow.denomination)?;
    escrow.balance = escrow.balance.checked_add(amount).ok_or(TransactionError::Overflow)?;
    state.put_escrow(escrow);
    Ok(Effects::default())
}

/// A registered provider offers to serve.
pub(super) fn bid(state: &mut State, context: &Context<'_>, id: EscrowId, rate: u128) -> Verdict {
    let provider = context.signer;
    state.check_seller(&provider)?;
    let mut escrow = state.solvent(id, context)?;
    if rate == 0 {
        return Err(TransactionError::ZeroAmount);
    }
    if rate > escrow.rate_max {
        return Err(EscrowError::RateTooHigh { most: escrow.rate_max }.into());
    }
    if escrow.bids.iter().any(|bid| bid.provider == provider) {
        return Err(EscrowError::BidExists.into());
    }
    let rules = &context.economy.escrow.leases;
    if is_full(escrow.bids.len(), rules.bids_max) {
        return Err(EscrowError::BidLimit { most: rules.bids_max }.into());
    }
    let deposit = rules.bid_deposit;
    state.deposit(Holder::Account(context.account()), deposit.0, Denomination::Token)?;
    escrow.bids.push(Bid { provider, rate, deposit });
    state.put_escrow(escrow);
    Ok(Effects::default())
}

fn take_bid(escrow: &mut EscrowAccount, provider: &NodeId) -> Result<Bid, EscrowError> {
    let place = escrow.bids.iter().position(|bid| bid.provider == *provider);
    place.map(|place| escrow.bids.remove(place)).ok_or(EscrowError::UnknownBid)
}

/// A provider takes its open bid back.
pub(super) fn withdraw_bid(state: &mut State, context: &Context<'_>, id: EscrowId) -> Verdict {
    let mut escrow = state.solvent(id, context)?;
    let bid = take_bid(&mut escrow, &context.signer)?;
    let to = Holder::Account(bid.provider.into());
    state.move_tokens(Holder::Vault(Vault::Escrow), to, bid.deposit)?;
    state.put_escrow(escrow);
    Ok(Effects::default())
}

/// The owner accepts a bid. The balance must reach for one tick of all leases.
pub(super) fn accept(
    state: &mut State,
    context: &Context<'_>,
    id: EscrowId,
    provider: NodeId,
) -> Verdict {
    let mut escrow = state.solvent(id, context)?;
    check_owner(&escrow, context)?;
    let most = context.economy.escrow.leases.leases_max;
    if is_full(escrow.leases.len(), most) {
        return Err(EscrowError::LeaseLimit { most }.into());
    }
    let Bid { provider, rate, deposit } = take_bid(&mut escrow, &provider)?;
    state.check_seller(&provider)?;
    let needed = escrow.tick_cost()?.checked_add(rate).ok_or(TransactionError::Overflow)?;
    if escrow.balance < needed {
        return Err(EscrowError::TooLittle { available: escrow.balance, needed }.into());
    }
    escrow.leases.push(Lease {
        provider,
        rate,
        deposit,
        started_at: escrow.settled_at,
        state: LeaseState::Active,
        accrued: 0,
        withdrawn: 0,
    });
    state.put_escrow(escrow);
    Ok(Effects::default())
}

/// The position of a lease that is active, or was until this very settlement.
fn position(escrow: &EscrowAccount, lease: u32) -> Result<usize, EscrowError> {
    let index = usize::try_from(lease).ok().filter(|index| *index < escrow.leases.len());
    index.ok_or(EscrowError::UnknownLease { lease })
}

/// A provider takes what its lease has earned.
pub(super) fn withdraw(
    state: &mut State,
    context: &Context<'_>,
    id: EscrowId,
    lease: u32,
) -> Verdict {
    let before = state.escrow(id)?;
    let index = position(&before, lease)?;
    if before.leases[index].provider != context.signer {
        return Err(EscrowError::NotLeaseSide.into());
    }
    if before.leases[index].state != LeaseState::Active {
        return Err(EscrowError::LeaseEnded { lease }.into());
    }
    let mut escrow = state.settled(id, context)?;
    state.pay_lease(&mut escrow, index, context)?;
    let paid = escrow.leases[index].withdrawn - before.leases[index].withdrawn;
    let earned = earned_credits(paid, escrow.denomination);
    state.put_escrow(escrow);
    Ok(Effects { earned, returned: Credits::ZERO })
}

/// The owner or the provider ends a lease.
pub(super) fn end_lease(
    state: &mut State,
    context: &Context<'_>,
    id: EscrowId,
    lease: u32,
) -> Verdict {
    let before = state.escrow(id)?;
    let index = position(&before, lease)?;
    let provider = before.leases[index].provider == context.signer;
    if !provider && before.owner != context.account() {
        return Err(EscrowError::NotLeaseSide.into());
    }
    if before.leases[index].state != LeaseState::Active {
        return Err(EscrowError::LeaseEnded { lease }.into());
    }
    let mut escrow = state.settled(id, context)?;
    if escrow.leases[index].state == LeaseState::Active {
        state.stop_lease(&mut escrow, index, LeaseState::Closed, context)?;
    }
    state.put_escrow(escrow);
    Ok(Effects::default())
}

/// The owner ends all leases and takes the rest back.
pub(super) fn close(state: &mut State, context: &Context<'_>, id: EscrowId) -> Verdict {
    check_owner(&state.escrow(id)?, context)?;
    let mut escrow = state.settled(id, context)?;
    let returned = earned_credits(escrow.balance, escrow.denomination);
    if escrow.state == EscrowState::Open {
        state.end_escrow(&mut escrow, EscrowState::Closed, context)?;
    }
    state.put_escrow(escrow);
    Ok(Effects { earned: Credits::ZERO, returned })
}

/// Anyone settles an account.
pub(super) fn settle(state: &mut State, context: &Context<'_>, id: EscrowId) -> Verdict {
    let escrow = state.settled(id, context)?;
    state.put_escrow(escrow);
    Ok(Effects::default())
}
