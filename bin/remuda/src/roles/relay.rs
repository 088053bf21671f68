//! The relay.

use anyhow::Result;
use remuda_net::relay::Relay;
use serde_json::json;

use super::ready;
use crate::cli::RoleArgs;
use crate::exit::{Exit, coded};
use crate::output::Output;
use crate::stop;

/// Runs a relay until it is stopped.
pub(crate) async fn run(args: &RoleArgs, output: Output) -> Result<()> {
    let bind = args.bind.unwrap_or(([127, 0, 0, 1], 3340).into());
    let relay = Relay::spawn(bind)
        .await
        .map_err(|error| coded(Exit::Local, format!("the relay cannot listen: {error}")))?;
    let url = relay.url();
    ready(output, "relay", json!({ "url": url }), &format!("relay at {url}"));
    stop::requested(args.exit_with_stdin).await?;
    relay.shutdown().await;
    Ok(())
}
