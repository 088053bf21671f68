//! The indexer.

use std::sync::Arc;

use remuda_indexer::{Indexer, IndexerConfig};
use remuda_net::protocol::index;
use remuda_net::{Endpoint, Protocol};

/// Serves the list of providers on `endpoint`.
pub(crate) fn start(endpoint: &Endpoint) {
    let indexer = Indexer::new(IndexerConfig::default());
    let protocol = Protocol { alpn: index::ALPN, frame_bytes_max: index::FRAME_BYTES_MAX };
    endpoint.serve(vec![(protocol, Arc::new(indexer))]);
}
