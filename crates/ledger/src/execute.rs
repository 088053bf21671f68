//! Which rule each action follows: the only list of them.

use crate::context::{Context, Verdict};
use crate::state::State;
use crate::transaction::Action;
use crate::{
    Model, accounts, channels, credits, disputes, epochs, escrow, points, registry, sessions, stake,
};

/// Runs one action. On an error the state may be half changed: the caller rolls it back.
pub(crate) fn execute(state: &mut State, context: &Context<'_>, action: &Action) -> Verdict {
    match action {
        Action::Transfer { to, amount } => accounts::transfer(state, context, *to, *amount),
        Action::GrantCredits { to, amount } => credits::grant(state, context, *to, *amount),
        Action::CreateSession { session, cap, expires_at } => {
            sessions::create(state, context, *session, *cap, *expires_at)
        }
        Action::RevokeSession { session } => sessions::revoke(state, context, *session),
        Action::OpenChannel { nonce, provider, client, deposit, expires_at } => {
            let (nonce, provider, client) = (*nonce, *provider, *client);
            let (deposit, expires_at) = (*deposit, *expires_at);
            let opening = channels::Opening { nonce, provider, client, deposit, expires_at };
            channels::open(state, context, &opening)
        }
        Action::TopUpChannel { channel, amount } => {
            channels::top_up(state, context, *channel, *amount)
        }
        Action::RequestClose { channel } => channels::request_close(state, context, *channel),
        Action::Redeem { vouchers } => channels::redeem(state, context, vouchers),
        Action::CloseChannel { channel, voucher } => {
            channels::close(state, context, *channel, voucher.as_ref())
        }
        Action::ExpireChannel { channel } => channels::expire(state, context, *channel),
        Action::RegisterProvider { reward, name } => {
            registry::register_provider(state, context, *reward, name)
        }
        Action::DeregisterProvider => registry::deregister_provider(state, context),
        Action::RegisterModel { name, manifest, kinds, licence } => {
            let (name, licence) = (name.clone(), licence.clone());
            let (kinds, owner) = (kinds.clone(), context.account());
            let model = Model { name, manifest: *manifest, kinds, licence, owner };
            registry::register_model(state, context, model)
        }
        Action::Accounts(action) => accounts::execute(state, context, action),
        Action::Credits(action) => credits::execute(state, context, action),

        Action::Lease(action) => escrow::execute_lease(state, context, action),
        Action::Order(action) => escrow::execute_order(state, context, action),

        Action::Devices(action) => crate::devices::execute(state, context, action),

        Action::Stake(action) => stake::execute(state, context, action),
        Action::Epochs(action) => epochs::execute(state, context, action),

        Action::Points(action) => points::execute(state, context, action),

        Action::Governance(action) => crate::governance::execute(state, context, action),
        Action::Dispute(action) => disputes::execute(state, context, action),
    }
}
