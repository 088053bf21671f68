//! The validator: the ledger, embedded, and its protocol.

use std::sync::Arc;

use anyhow::Result;
use remuda_chain::{LedgerService, Validator, ValidatorConfig, protocol};
use remuda_ledger::Genesis;
use remuda_net::{Endpoint, Protocol};

use crate::exit::{Exit, coded};
use crate::home::Home;

/// Opens the ledger of this home and serves it on `endpoint`.
pub(crate) async fn start(home: &Home, endpoint: &Endpoint, genesis: Genesis) -> Result<Validator> {
    let path = home.folder("validator")?.join("ledger.redb");
    let validator = Validator::open(ValidatorConfig::new(path, genesis))
        .await
        .map_err(|error| coded(Exit::Local, format!("the ledger does not open: {error}")))?;
    let service = LedgerService::new(Arc::new(validator.clone()));
    let protocol = Protocol { alpn: protocol::ALPN, frame_bytes_max: protocol::FRAME_BYTES_MAX };
    endpoint.serve(vec![(protocol, Arc::new(service))]);
    Ok(validator)
}
