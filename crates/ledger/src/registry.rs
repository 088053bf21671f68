//! The registry: who provides, and which model a name means.

use remuda_types::{AccountId, NodeId};

use crate::block::Effects;
use crate::context::{Context, Verdict, check_text, is_full};
use crate::error::TransactionError;
use crate::state::{Row, State};
use crate::{Model, Provider};

/// The longest name of a provider, in bytes.
pub const PROVIDER_NAME_BYTES_MAX: u32 = 64;
/// The longest name of a model, in bytes.
pub const MODEL_NAME_BYTES_MAX: u32 = 128;
/// The longest name of a licence, in bytes.
pub const LICENCE_BYTES_MAX: u32 = 64;

impl State {
    /// The account that earns what `node` is paid: the registered one, the one that it had to
    /// register with, or the node key's own.
    pub(crate) fn reward_account(&self, node: &NodeId) -> AccountId {
        let registered = self.tables.providers.get(node).map(|provider| provider.reward);
        let owner = || self.tables.reward_owners.get(node).copied();
        registered.or_else(owner).unwrap_or_else(|| (*node).into())
    }
}

/// A node enters, or renews, its registration.
pub(crate) fn register_provider(
    state: &mut State,
    context: &Context<'_>,
    reward: AccountId,
    name: &str,
) -> Verdict {
    check_text("name", name, PROVIDER_NAME_BYTES_MAX)?;
    let node = context.signer;
    if state.is_ejected(&node) {
        return Err(crate::escrow::EscrowError::Ejected.into());
    }
    let registered_at = match state.tables.providers.get(&node) {
        Some(provider) => provider.registered_at,
        None => {
            let most = context.parameters.providers_max;
            if is_full(state.tables.providers.len(), most) {
                return Err(TransactionError::RegistryFull { most });
            }
            context.height
        }
    };
    crate::devices::check_reward(state, context, reward)?;
    let provider = Provider { node, reward, name: name.into(), registered_at };
    state.write(Row::Provider(node, Some(provider)));
    Ok(Effects::default())
}

/// A node leaves, with all its devices. What its channels pay from now on goes to the node
/// key's own account, unless the rules keep a reward account for it.
pub(crate) fn deregister_provider(state: &mut State, context: &Context<'_>) -> Verdict {
    if !state.tables.providers.contains_key(&context.signer) {
        return Err(TransactionError::UnknownProvider);
    }
    crate::devices::keep_reward(state, context);
    state.retire_devices_of(&context.signer, context.now, &context.economy.devices);
    state.write(Row::Provider(context.signer, None));
    Ok(Effects::default())
}

/// The signer's account enters a model, or changes its own. `model.owner` is ignored.
pub(crate) fn register_model(state: &mut State, context: &Context<'_>, model: Model) -> Verdict {
    check_text("name", &model.name, MODEL_NAME_BYTES_MAX)?;
    check_text("licence", &model.licence, LICENCE_BYTES_MAX)?;
    let mut kinds = model.kinds.clone();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() || kinds.len() != model.kinds.len() {
        return Err(TransactionError::ModelKinds);
    }
    let owner = context.account();
    check_owner(state, context, &model.name, owner)?;
    let name = model.name.clone();
    state.write(Row::Model(name, Some(Model { kinds, owner, ..model })));
    Ok(Effects::default())
}

fn check_owner(
    state: &State,
    context: &Context<'_>,
    name: &str,
    owner: AccountId,
) -> Result<(), TransactionError> {
    let most = context.parameters.models_max;
    match state.tables.models.get(name) {
        Some(model) if model.owner != owner => {
            Err(TransactionError::ModelOwned { owner: model.owner })
        }
        None if is_full(state.tables.models.len(), most) => {
            Err(TransactionError::RegistryFull { most })
        }
        _ => Ok(()),
    }
}
