//! The gateway.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use remuda_chain::LedgerClient;
use remuda_client::{Client, ClientConfig};
use remuda_gateway::{Gateway, GatewayConfig};
use remuda_net::Endpoint;
use remuda_types::NodeAddress;

use crate::exit::{Exit, coded};
use crate::home::Home;

/// Serves HTTP at `listen`, buying through `endpoint`.
pub(crate) async fn start(
    home: &Home,
    endpoint: Endpoint,
    ledger: Arc<dyn LedgerClient>,
    indexers: Vec<NodeAddress>,
    listen: SocketAddr,
) -> Result<Gateway> {
    let config = ClientConfig { indexers, ..ClientConfig::default() };
    let client = Client::new(endpoint, ledger.clone(), config);
    let config = GatewayConfig::new(listen, home.folder("gateway")?);
    Gateway::start(config, client, ledger).await.map_err(|error| {
        coded(Exit::Local, format!("the gateway cannot start: {error} (choose with --listen)"))
    })
}
