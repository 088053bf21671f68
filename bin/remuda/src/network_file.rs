//! `network.json`: what a node needs to join a network. It holds no secret; give it to
//! whoever wants to join.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use remuda_ledger::Genesis;
use remuda_types::{Canonical, NetworkId, NodeAddress};
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, coded};
use crate::home::write_whole;

/// A network, as a newcomer finds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkFile {
    /// The network's name, for people.
    pub(crate) name: String,
    /// The digest of the genesis.
    pub(crate) network: NetworkId,
    /// The genesis in canonical bytes, hexadecimal.
    genesis: String,
    /// The nodes that answer for the ledger.
    #[serde(with = "addresses")]
    pub(crate) validators: Vec<NodeAddress>,
    /// The nodes that list providers.
    #[serde(with = "addresses")]
    pub(crate) indexers: Vec<NodeAddress>,
    /// Relays through which nodes behind a NAT are reached.
    #[serde(default)]
    pub(crate) relays: Vec<String>,
    /// Gateways that this network's founder runs.
    #[serde(default)]
    pub(crate) gateways: Vec<String>,
}

impl NetworkFile {
    /// The description of the network that begins with `genesis`.
    pub(crate) fn new(genesis: &Genesis) -> Self {
        Self {
            name: genesis.name.clone(),
            network: genesis.network(),
            genesis: hex::encode(genesis.to_canonical()),
            validators: Vec::new(),
            indexers: Vec::new(),
            relays: Vec::new(),
            gateways: Vec::new(),
        }
    }

    /// The genesis, checked against the network's digest.
    pub(crate) fn genesis(&self) -> Result<Genesis> {
        let bytes = hex::decode(&self.genesis).context("the genesis is not hexadecimal")?;
        let genesis = Genesis::from_canonical(&bytes).context("the genesis does not decode")?;
        anyhow::ensure!(
            genesis.network() == self.network,
            "the genesis is not that of network {}: the file was changed",
            self.network
        );
        Ok(genesis)
    }

    /// Reads a description.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            let message = format!(
                "there is no network here ({} is missing): start one with `remuda up`, or name \
                 one with --network FILE",
                path.display()
            );
            return Err(coded(Exit::NotFound, message));
        }
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is not a network description", path.display()))
    }

    /// Writes the description, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        write_whole(path, &serde_json::to_string_pretty(self)?, 0o644)
    }
}

/// The address at which a node is expected when its socket is known beforehand.
pub(crate) fn expected_address(node: remuda_types::NodeId, socket: SocketAddr) -> NodeAddress {
    NodeAddress { node, direct: vec![socket], relay: None }
}

mod addresses {
    //! Node addresses in their one-line text form.

    use remuda_net::address;
    use remuda_types::NodeAddress;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        list: &[NodeAddress],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(address::format))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<NodeAddress>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| address::parse(text).map_err(serde::de::Error::custom)).collect()
    }
}
