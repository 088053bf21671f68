//! Where a node's rewards go: whose say that is.

use remuda_types::{AccountId, NodeId};

use super::DevicesError;
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::error::TransactionError;
use crate::state::{Row, State};

/// A node registers with a reward account. Where the reward account alone decides, the first
/// registration names it for good: also after the node has left, so that a stolen node key
/// cannot leave and come back with another account.
pub(crate) fn check_reward(
    state: &mut State,
    context: &Context<'_>,
    reward: AccountId,
) -> Result<(), TransactionError> {
    if !context.economy.devices.reward_by_owner_only {
        return Ok(());
    }
    let node = context.signer;
    let registered = state.tables.providers.get(&node).map(|provider| provider.reward);
    match state.tables.reward_owners.get(&node).copied().or(registered) {
        Some(owner) if owner != reward => Err(DevicesError::RewardOwned { reward: owner }.into()),
        _ => {
            state.write(Row::RewardOwner(node, Some(reward)));
            Ok(())
        }
    }
}

/// A node leaves the registry: where the reward account alone decides, it goes on to do so,
/// also if the rule came after the registration.
pub(crate) fn keep_reward(state: &mut State, context: &Context<'_>) {
    let node = context.signer;
    let registered = state.tables.providers.get(&node).map(|provider| provider.reward);
    if context.economy.devices.reward_by_owner_only
        && let Some(reward) = registered
    {
        state.write(Row::RewardOwner(node, Some(reward)));
    }
}

/// The reward account of a node names its successor.
pub(super) fn rotate(
    state: &mut State,
    context: &Context<'_>,
    node: NodeId,
    reward: AccountId,
) -> Verdict {
    let owner = state.reward_account(&node);
    let known = state.tables.providers.contains_key(&node)
        || state.tables.reward_owners.contains_key(&node);
    if !known {
        return Err(TransactionError::UnknownProvider);
    }
    if owner != context.account() {
        return Err(DevicesError::RewardOwned { reward: owner }.into());
    }
    if state.tables.reward_owners.contains_key(&node) {
        state.write(Row::RewardOwner(node, Some(reward)));
    }
    if let Some(provider) = state.tables.providers.get(&node).cloned() {
        state.write(Row::Provider(node, Some(crate::Provider { reward, ..provider })));
    }
    Ok(Effects::default())
}
