//! Minting what allocations give: at genesis, and account by account on conversion.

use std::collections::BTreeMap;

use remuda_types::{AccountId, TimestampMs, Tokens};

use super::allocations::{Allocation, Recipient};
use super::records::{AllocationPartId, AllocationUse, Beneficiary, GrantSource};
use super::vesting::NewGrant;
use super::{AccountsError, Done};
use crate::economy::RuleError;
use crate::error::{GenesisError, TransactionError};
use crate::genesis::Genesis;
use crate::money::Flow;
use crate::state::{Row, State};

/// Checks that every role is an allocation's, and that accounts and allocations together stay
/// within the cap.
pub(crate) fn validate(genesis: &Genesis) -> Result<(), RuleError> {
    let token = &genesis.economy.token;
    for role in genesis.roles.keys() {
        let bound = token.allocation(role).is_some_and(|(part, _)| part.to == Recipient::Account);
        let rule = "names no allocation with to = \"account\"";
        RuleError::require(bound, &format!("roles.{role}"), rule)?;
    }
    let (Some(total), Some(cap)) = (token.total, token.cap) else { return Ok(()) };
    let held = genesis.accounts.iter().map(|entry| entry.tokens.0);
    let sum = held.fold(total.0, u128::saturating_add);
    let rule = "leaves no room for the tokens of the genesis accounts beside the allocations";
    RuleError::require(sum <= cap.0, "token.cap", rule)
}

/// Mints what the allocations give at genesis.
pub(crate) fn begin(state: &mut State, genesis: &Genesis) -> Result<(), GenesisError> {
    let token = &genesis.economy.token;
    let amounts = token.amounts()?;
    for (allocation, amount) in token.allocations.iter().zip(amounts) {
        if allocation.to.at_genesis() {
            endow(state, allocation, amount, &genesis.roles, genesis.time)
                .map_err(|_| GenesisError::Overflow)?;
        }
    }
    Ok(())
}

fn endow(
    state: &mut State,
    allocation: &Allocation,
    amount: Tokens,
    roles: &BTreeMap<String, AccountId>,
    now: TimestampMs,
) -> Done {
    let bound = match allocation.to {
        Recipient::Account => roles.get(&allocation.name).copied(),
        _ => None,
    };
    let beneficiary = bound.map_or(Beneficiary::Treasury, Beneficiary::Account);
    let new = NewGrant {
        beneficiary,
        amount,
        terms: allocation.vesting,
        starts_at: now,
        source: GrantSource::Allocation(allocation.name.clone()),
        revocable: false,
    };
    state.mint_grant(new, Flow::Genesis, now)?;
    let used = AllocationUse { minted: amount, participants: u32::from(bound.is_some()) };
    state.write(Row::AllocationUse(allocation.name.clone(), Some(used)));
    Ok(())
}

impl State {
    pub(crate) fn allocation_use(&self, name: &str) -> AllocationUse {
        self.tables.allocation_uses.get(name).copied().unwrap_or_default()
    }

    /// Mints `amount` of an allocation for conversion to an account, by the allocation's terms.
    /// It never gives more than the allocation has, nor to more accounts than may share it.
    #[allow(dead_code, reason = "for the rooms that convert into tokens")]
    pub(crate) fn convert(
        &mut self,
        name: &str,
        account: AccountId,
        amount: Tokens,
        now: TimestampMs,
    ) -> Done {
        let economy = self.economy();
        let unknown = || AccountsError::UnknownAllocation { name: name.into() };
        let (allocation, whole) = economy.token.allocation(name).ok_or_else(unknown)?;
        if allocation.to != Recipient::Conversion {
            return Err(unknown().into());
        }
        if amount.is_zero() {
            return Err(TransactionError::ZeroAmount);
        }
        self.count_part(allocation, whole, account, amount)?;
        let new = NewGrant {
            beneficiary: Beneficiary::Account(account),
            amount,
            terms: allocation.vesting,
            starts_at: self.next_line(now),
            source: GrantSource::Allocation(name.into()),
            revocable: false,
        };
        self.mint_grant(new, Flow::Conversion, now)
    }

    fn count_part(
        &mut self,
        allocation: &Allocation,
        whole: Tokens,
        account: AccountId,
        amount: Tokens,
    ) -> Done {
        let name = allocation.name.clone();
        let mut used = self.allocation_use(&name);
        let left = whole.excess_over(used.minted);
        if amount > left {
            return Err(AccountsError::AllocationSpent { name, left }.into());
        }
        let id = AllocationPartId { allocation: name.clone(), account };
        let part = self.tables.allocation_parts.get(&id).copied();
        if part.is_none() {
            let most = allocation.participants_max.unwrap_or(u32::MAX);
            if used.participants >= most {
                return Err(AccountsError::AllocationFull { name, most }.into());
            }
            used.participants += 1;
        }
        used.minted = used.minted.add(amount)?;
        let part = part.unwrap_or_default().add(amount)?;
        self.write(Row::AllocationPart(id, Some(part)));
        self.write(Row::AllocationUse(name, Some(used)));
        Ok(())
    }
}
