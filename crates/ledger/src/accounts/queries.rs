//! What can be asked about accounts beside their balances.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, PublicKey, Tokens};
use serde::{Deserialize, Serialize};

use super::allocations::Recipient;
use super::records::{
    AllocationUse, BaseFee, Beneficiary, Grant, Multisig, MultisigProposal, Vesting,
};
use crate::answers::ANSWER_RECORDS_MAX;
use crate::query::record;
use crate::state::State;

/// A question to this room.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AccountsQuery {
    /// An account of several keys.
    Multisig(AccountId),
    /// The accounts of which a key is a member.
    MultisigsOf(PublicKey),
    /// The open and the remembered proposals of an account, oldest first: what it executed is
    /// every outflow that it ever had of its own will.
    Proposals(AccountId),
    /// A grant that has not ended.
    Grant(u64),
    /// The grants for a beneficiary.
    GrantsOf(Beneficiary),
    /// The grants that an account made.
    GrantsBy(AccountId),
    /// All grants together.
    Vesting,
    /// The allocations of the supply, and what has been minted of each.
    Allocations,
    /// The base fee in force.
    BaseFee,
}

/// The answer to an [`AccountsQuery`], variant by variant.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AccountsAnswer {
    /// To `Multisig`.
    Multisig(Option<Multisig>),
    /// To `MultisigsOf`.
    Multisigs(Vec<Multisig>),
    /// To `Proposals`.
    Proposals(Vec<MultisigProposal>),
    /// To `Grant`.
    Grant(Option<Box<Grant>>),
    /// To `GrantsOf` and `GrantsBy`.
    Grants(Vec<Grant>),
    /// To `Vesting`.
    Vesting(Vesting),
    /// To `Allocations`.
    Allocations(Vec<AllocationState>),
    /// To `BaseFee`.
    BaseFee(BaseFee),
}

record! {
    /// An allocation as it stands.
    AllocationState {
        /// Its name.
        name: String,
        /// What becomes of it.
        to: Recipient,
        /// How much it is.
        amount: Tokens,
        /// What has been minted of it: at genesis, or by conversion. Emission has a sum of its
        /// own (`Query::Flows`).
        used: AllocationUse,
    }
}

/// Answers a query.
pub(crate) fn answer(state: &State, query: &AccountsQuery) -> AccountsAnswer {
    let (tables, indexes) = (&state.tables, &state.indexes.accounts);
    let grants = |ids: Option<&std::collections::BTreeSet<u64>>| {
        let ids = ids.into_iter().flatten().take(ANSWER_RECORDS_MAX);
        AccountsAnswer::Grants(ids.filter_map(|id| tables.grants.get(id).cloned()).collect())
    };
    match query {
        AccountsQuery::Multisig(account) => {
            AccountsAnswer::Multisig(tables.multisigs.get(account).cloned())
        }
        AccountsQuery::MultisigsOf(member) => {
            let accounts = indexes.multisigs_of.get(member).into_iter().flatten();
            let found = accounts.take(ANSWER_RECORDS_MAX);
            let found = found.filter_map(|account| tables.multisigs.get(account).cloned());
            AccountsAnswer::Multisigs(found.collect())
        }
        AccountsQuery::Proposals(account) => {
            let proposals = state.proposals_of(*account).take(ANSWER_RECORDS_MAX);
            AccountsAnswer::Proposals(proposals.cloned().collect())
        }
        AccountsQuery::Grant(id) => {
            AccountsAnswer::Grant(tables.grants.get(id).cloned().map(Box::new))
        }
        AccountsQuery::GrantsOf(beneficiary) => grants(indexes.grants_of.get(beneficiary)),
        AccountsQuery::GrantsBy(grantor) => grants(indexes.grants_by.get(grantor)),
        AccountsQuery::Vesting => AccountsAnswer::Vesting(state.vesting()),
        AccountsQuery::Allocations => AccountsAnswer::Allocations(allocations(state)),
        AccountsQuery::BaseFee => {
            AccountsAnswer::BaseFee(state.base_fee(&state.economy().accounts.fees))
        }
    }
}

fn allocations(state: &State) -> Vec<AllocationState> {
    let economy = state.economy();
    let amounts = economy.token.amounts().unwrap_or_default();
    let parts = economy.token.allocations.iter().zip(amounts);
    parts
        .map(|(allocation, amount)| AllocationState {
            name: allocation.name.clone(),
            to: allocation.to,
            amount,
            used: state.allocation_use(&allocation.name),
        })
        .collect()
}
