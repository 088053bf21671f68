//! The gateway.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use remuda_chain::LedgerClient;
use remuda_client::{Client, ClientConfig};
use remuda_gateway::{Gateway, GatewayConfig, Receipts};
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
    let folder = home.folder("gateway")?;
    let receipts = Receipts::open(&folder)
        .map_err(|error| coded(Exit::Local, format!("the receipts do not open: {error}")))?;
    // Jobs whose buyer left are settled in the background: their receipts come by the hook.
    let on_report = Some(receipts.report_hook());
    let config = ClientConfig { indexers, on_report, ..ClientConfig::default() };
    let client = Client::new(endpoint, ledger.clone(), config);
    let config = GatewayConfig::new(listen, folder);
    Gateway::start_with(config, client, ledger, receipts).await.map_err(|error| {
        coded(Exit::Local, format!("the gateway cannot start: {error} (choose with --listen)"))
    })
}
