//! What a command needs to read and change the ledger.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Result;
use remuda_chain::{LedgerClient, RemoteLedger};
use remuda_net::{Endpoint, EndpointConfig};
use remuda_types::SecretKey;

use crate::home::Home;
use crate::network_file::NetworkFile;

/// A connection to the ledger, and whose wallet acts.
#[derive(Debug)]
pub(crate) struct LedgerAccess {
    /// The home folder.
    pub(crate) home: Home,
    /// The ledger.
    pub(crate) ledger: Arc<dyn LedgerClient>,
    /// This command's own node, when the ledger is reached over the network.
    pub(crate) endpoint: Option<Endpoint>,
}

impl LedgerAccess {
    /// Reaches the ledger of `network` over the network, as a node of this moment.
    pub(crate) async fn remote(home: Home, network: &NetworkFile) -> Result<Self> {
        let any_port = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let mut config = EndpointConfig::new(SecretKey::generate(), any_port);
        config.relays.clone_from(&network.relays);
        let endpoint = Endpoint::bind(config).await?;
        let ledger = Arc::new(RemoteLedger::new(endpoint.clone(), network.validators.clone()));
        Ok(Self { home, ledger, endpoint: Some(endpoint) })
    }

    /// Takes leave of the network, so that the other side need not wait for a timeout.
    pub(crate) async fn close(&self) {
        if let Some(endpoint) = &self.endpoint {
            endpoint.close().await;
        }
    }
}
