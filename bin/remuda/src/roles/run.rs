//! One role in a process of its own: start, say ready, wait, stop.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use remuda_chain::{LedgerClient, RemoteLedger};
use remuda_net::{Endpoint, address};
use serde_json::json;

use super::{gateway as gateway_role, indexer as indexer_role, node, ready};
use super::{provider as provider_role, validator as validator_role};
use crate::cli::{ProviderRunArgs, RoleArgs};
use crate::config::Net;
use crate::dispatch::Environment;
use crate::network_file::NetworkFile;
use crate::stop;
use crate::up::base_url;

/// Runs the validator of this home's network.
pub(crate) async fn validator(environment: &Environment, args: &RoleArgs) -> Result<()> {
    let network = environment.network()?;
    let endpoint = bind(environment, "validator", args, &network).await?;
    let genesis = network.genesis()?;
    let validator = validator_role::start(&environment.home, &endpoint, genesis).await?;
    say_ready(environment, "validator", &endpoint);
    stop::requested(args.exit_with_stdin).await?;
    validator.close().await;
    endpoint.close().await;
    Ok(())
}

/// Runs an indexer.
pub(crate) async fn indexer(environment: &Environment, args: &RoleArgs) -> Result<()> {
    let network = environment.network()?;
    let endpoint = bind(environment, "indexer", args, &network).await?;
    indexer_role::start(&endpoint);
    say_ready(environment, "indexer", &endpoint);
    stop::requested(args.exit_with_stdin).await?;
    endpoint.close().await;
    Ok(())
}

/// Runs a gateway.
pub(crate) async fn gateway(
    environment: &Environment,
    listen: Option<SocketAddr>,
    args: &RoleArgs,
) -> Result<()> {
    let network = environment.network()?;
    let endpoint = bind(environment, "gateway", args, &network).await?;
    let ledger = remote_ledger(&endpoint, &network);
    let listen = listen.unwrap_or(environment.config.gateway.listen);
    let gateway = gateway_role::start(
        &environment.home,
        endpoint.clone(),
        ledger,
        network.indexers.clone(),
        listen,
    )
    .await?;
    let url = base_url(gateway.local_addr());
    ready(environment.output, "gateway", json!({ "base_url": url }), &format!("gateway at {url}"));
    stop::requested(args.exit_with_stdin).await?;
    gateway.shutdown().await;
    endpoint.close().await;
    Ok(())
}

/// Runs a provider.
pub(crate) async fn provider(environment: &Environment, args: &ProviderRunArgs) -> Result<()> {
    let network = environment.network()?;
    let selling =
        provider_role::Selling::new(&environment.home, &environment.config.provider, args)?;
    let stock = provider_role::stock(&environment.home, &selling, environment.output).await?;
    let endpoint = bind(environment, "provider", &args.role, &network).await?;
    let provider = provider_role::start(
        &environment.home,
        "provider",
        endpoint.clone(),
        remote_ledger(&endpoint, &network),
        network.indexers.clone(),
        &selling,
        stock,
    )
    .await?;
    say_ready(environment, "provider", &endpoint);
    tokio::select! {
        stopped = stop::requested(args.role.exit_with_stdin) => stopped?,
        () = provider.stop_requested() => {}
    }
    environment.output.note("stopping: running jobs end first, then vouchers are redeemed");
    provider.shutdown().await;
    endpoint.close().await;
    Ok(())
}

/// Binds the endpoint of a role with the relays of settings or network.
pub(crate) async fn bind(
    environment: &Environment,
    role: &str,
    args: &RoleArgs,
    network: &NetworkFile,
) -> Result<Endpoint> {
    let mut net: Net = environment.config.net.clone();
    if net.relays.is_empty() {
        net.relays.clone_from(&network.relays);
    }
    node::bind(&environment.home, role, args.bind, &net).await
}

fn remote_ledger(endpoint: &Endpoint, network: &NetworkFile) -> Arc<dyn LedgerClient> {
    Arc::new(RemoteLedger::new(endpoint.clone(), network.validators.clone()))
}

fn say_ready(environment: &Environment, role: &str, endpoint: &Endpoint) {
    let text = address::format(&endpoint.address());
    ready(environment.output, role, json!({ "address": text }), &format!("{role} at {text}"));
}
