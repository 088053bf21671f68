//! `remuda explain`: why an order was, or was not, served.

use anyhow::Result;

use crate::gateway_api::GatewayApi;
use crate::output::Output;

/// Fetches an order's explanation and prints it.
pub(crate) async fn run(gateway: &GatewayApi, order: &str, output: Output) -> Result<()> {
    let document = gateway.get(&format!("orders/{order}/explain")).await?;
    output.result(&document, || {
        let sentence = document["sentence"].as_str().unwrap_or_default();
        let detail = serde_json::to_string_pretty(&document).unwrap_or_default();
        format!("{sentence}\n{detail}")
    });
    Ok(())
}
