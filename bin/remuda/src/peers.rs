//! Providers of this home's network that can hand over a model's file.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use remuda_models::PullContext;
use remuda_net::protocol::index::{ALPN, FRAME_BYTES_MAX, Request, Response};
use remuda_net::{Endpoint, EndpointConfig, request};
use remuda_types::{ManifestHash, NodeAddress, SecretKey};

use crate::home::Home;
use crate::network_file::NetworkFile;

/// How long an indexer may take to list its providers.
const LIST_WITHIN: Duration = Duration::from_secs(3);
/// The most peers that are asked.
const PEERS_MAX: usize = 8;

/// What a pull may use: with a network, its providers that serve the model. A network that
/// cannot be reached leaves the other sources.
pub(crate) async fn context(home: &Home, manifest: ManifestHash) -> PullContext {
    let mut context = PullContext::default();
    let Ok(network) = NetworkFile::read(&home.network_file()) else { return context };
    let any_port = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let mut config = EndpointConfig::new(SecretKey::generate(), any_port);
    config.relays.clone_from(&network.relays);
    let Ok(endpoint) = Endpoint::bind(config).await else { return context };
    for indexer in &network.indexers {
        context.peers.extend(serving(&endpoint, indexer, manifest).await);
    }
    context.peers.sort();
    context.peers.dedup();
    context.peers.truncate(PEERS_MAX);
    context.endpoint = Some(endpoint);
    context
}

async fn serving(
    endpoint: &Endpoint,
    indexer: &NodeAddress,
    manifest: ManifestHash,
) -> Vec<NodeAddress> {
    let listed = tokio::time::timeout(LIST_WITHIN, async {
        let connection = endpoint.connect(indexer, ALPN).await.ok()?;
        request(&connection, FRAME_BYTES_MAX, &Request::List, LIST_WITHIN).await.ok()
    });
    let Ok(Some(Response::Listings(listings))) = listed.await else { return Vec::new() };
    listings
        .into_iter()
        .map(|listing| listing.announcement.body)
        .filter(|provider| provider.models.iter().any(|offer| offer.manifest == manifest))
        .map(|provider| provider.address)
        .collect()
}
