//! Whether a job may begin.

use std::sync::Arc;
use std::time::Duration;

use remuda_engine::ServedModel;
use remuda_net::Connection;
use remuda_net::protocol::job::{Open, Refusal, RefusalCode};
use remuda_types::job::JobInput;
use remuda_types::{ChannelId, NetworkId, ProviderState, Seed, SeedSource};

use super::refusal;
use crate::catalogue::{NoSeat, Seat};
use crate::shared::{Shared, now_ms};
use crate::till::Account;

/// A channel's record younger than this is not asked for again.
const CHANNEL_FRESH: Duration = Duration::from_secs(10);
/// With the ledger out of reach, a record younger than this is still believed.
const CHANNEL_STALE_MAX: Duration = Duration::from_secs(10 * 60);

/// What a job that may begin was given.
pub(super) struct Admitted {
    pub(super) network: NetworkId,
    pub(super) account: Arc<Account>,
    pub(super) seat: Seat,
    pub(super) model: ServedModel,
}

/// Checks everything that can be checked before work begins, the cheapest first.
pub(super) async fn admit(
    shared: &Shared,
    connection: &Connection,
    open: &Open,
) -> Result<Admitted, Refusal> {
    check_state(shared)?;
    check_input(open)?;
    check_offer(shared, open)?;
    let network = shared.network.get().copied();
    let network = network.ok_or_else(|| unreachable_ledger("the network is not known yet"))?;
    let account = account(shared, &open.channel).await?;
    check_use(shared, &account, connection, open)?;
    check_channel(shared, &account).await?;
    let (seat, model) = seat(shared, open)?;
    check_model(&model, open)?;
    Ok(Admitted { network, account, seat, model })
}

fn check_state(shared: &Shared) -> Result<(), Refusal> {
    let reason = match shared.state() {
        ProviderState::Ready if !shared.cut.is_cancelled() => return Ok(()),
        ProviderState::Paused => "this provider is paused by its owner",
        _ => "this provider is leaving",
    };
    Err(refusal(RefusalCode::NotReady, reason))
}

fn check_input(open: &Open) -> Result<(), Refusal> {
    let invalid = |reason: String| refusal(RefusalCode::InvalidInput, reason);
    open.input.validate().map_err(|error| invalid(error.to_string()))?;
    if let SeedSource::Caller(number) = open.seed_source
        && open.seed != Seed::from_caller(number)
    {
        return Err(invalid("seed: it is not the one of the stated number".to_owned()));
    }
    let given = open.resume.choices.len();
    if given != 0 && given != usize::from(choices(&open.input)) {
        let reason = "the resume point must have one entry a choice";
        return Err(refusal(RefusalCode::CannotResume, reason));
    }
    Ok(())
}

/// The choices that a job produces; an embedding job's vectors count as one.
pub(super) const fn choices(input: &JobInput) -> u16 {
    match input {
        JobInput::Generate(generate) => generate.choices,
        JobInput::Embed(_) => 1,
    }
}

fn check_offer(shared: &Shared, open: &Open) -> Result<(), Refusal> {
    let Some(offered) = shared.catalogue.offered(&open.manifest) else {
        return Err(refusal(RefusalCode::UnknownModel, "this model is not served here"));
    };
    if offered.price.within(&open.price) {
        return Ok(());
    }
    let (input, output) = (offered.price.input, offered.price.output);
    let reason = format!("the price is now {input} in, {output} out per million; match again");
    Err(refusal(RefusalCode::PriceChanged, reason))
}

fn check_model(model: &ServedModel, open: &Open) -> Result<(), Refusal> {
    if model.kinds.contains(&open.input.kind()) {
        return Ok(());
    }
    let reason = "model: it does not do this kind of job";
    Err(refusal(RefusalCode::InvalidInput, reason))
}

fn seat(shared: &Shared, open: &Open) -> Result<(Seat, ServedModel), Refusal> {
    shared.catalogue.seat(&open.manifest).map_err(|reason| match reason {
        NoSeat::NotServed => {
            refusal(RefusalCode::UnknownModel, "no engine serves this model at the moment")
        }
        NoSeat::Full => refusal(RefusalCode::Overloaded, "all slots and the queue are full"),
    })
}

/// The account of a channel toward this provider, from the ledger or, for a while, from
/// memory: missing information is not failure.
pub(super) async fn account(shared: &Shared, id: &ChannelId) -> Result<Arc<Account>, Refusal> {
    let known = shared.till.get(id);
    if let Some(account) = &known
        && account.age() < CHANNEL_FRESH
    {
        return Ok(Arc::clone(account));
    }
    match shared.ledger.channel(*id).await {
        Ok(Some(channel)) if channel.provider == shared.node => {
            let full = |_| refusal(RefusalCode::Overloaded, "too many channels are open here");
            shared.till.update(channel).map_err(full)
        }
        Ok(_) => {
            if known.is_some_and(|account| account.jobs() == 0) {
                shared.till.remove(id);
            }
            let reason = "the ledger has no such open channel toward this provider; open one";
            Err(refusal(RefusalCode::UnknownChannel, reason))
        }
        Err(error) => match known {
            Some(account) if account.age() < CHANNEL_STALE_MAX => Ok(account),
            _ => Err(unreachable_ledger(&error.to_string())),
        },
    }
}

/// Asks the ledger again about a channel whose record speaks against its user: it may have
/// been topped up. Each call comes from a request that fails if nothing changed.
pub(super) async fn renew(shared: &Shared, account: &Account) {
    if let Ok(Some(channel)) = shared.ledger.channel(account.id).await {
        shared.till.update(channel).ok();
    }
}

fn unreachable_ledger(reason: &str) -> Refusal {
    let message = format!("the ledger cannot be reached to check the channel: {reason}");
    refusal(RefusalCode::LedgerUnreachable, message)
}

/// Whether the payer gave the calling node leave to use the channel. Checked once: the
/// connection proves the node's key.
fn check_use(
    shared: &Shared,
    account: &Account,
    connection: &Connection,
    open: &Open,
) -> Result<(), Refusal> {
    let client = connection.remote();
    let Some(leave) = &open.channel_use else {
        if account.is_user(&client) {
            return Ok(());
        }
        let reason = "the payer's leave to use the channel is missing; send channel_use";
        return Err(refusal(RefusalCode::ChannelUse, reason));
    };
    let fits = leave.body.channel == account.id && leave.body.client == client;
    if fits && leave.verify_by(&account.payer).is_ok() {
        account.add_user(client);
        return Ok(());
    }
    tracing::debug!(node = shared.node.short(), client = client.short(), "leave refused");
    let reason = "the leave is not signed by the channel's payer for this node and channel";
    Err(refusal(RefusalCode::ChannelUse, reason))
}

/// Whether the channel lives long enough and holds enough.
async fn check_channel(shared: &Shared, account: &Account) -> Result<(), Refusal> {
    if exhausted(shared, account).is_some() {
        renew(shared, account).await;
    }
    match exhausted(shared, account) {
        None => Ok(()),
        Some(reason) => Err(refusal(RefusalCode::ChannelExhausted, reason)),
    }
}

fn exhausted(shared: &Shared, account: &Account) -> Option<String> {
    let channel = account.channel();
    let margin = u64::try_from(shared.limits.channel_margin.as_millis()).unwrap_or(u64::MAX);
    if account.is_closing() || channel.closes_at.is_some() {
        return Some("the channel is closing; open another".to_owned());
    }
    if channel.expires_at <= now_ms().saturating_add(margin) {
        return Some("the channel is about to expire; open another".to_owned());
    }
    let (left, needed) = (account.balance().left(), shared.limits.window);
    (left < needed).then(|| format!("the channel has {left} left, a job needs {needed}; top it up"))
}
