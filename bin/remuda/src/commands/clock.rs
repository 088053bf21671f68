//! `remuda clock`: block time.

use anyhow::Result;
use remuda_chain::LedgerClientExt;
use serde_json::json;

use crate::cli::ClockCommand;
use crate::ledger_access::LedgerAccess;
use crate::output::Output;

/// Runs a clock command.
pub(crate) async fn run(
    access: &LedgerAccess,
    command: &ClockCommand,
    output: Output,
) -> Result<()> {
    let mut head = access.ledger.head().await?;
    if let ClockCommand::Advance { by } = command {
        let until = head.time.saturating_add(by.ms());
        head = access.ledger.advance(until).await?;
    }
    let kind = if access.ledger.economy().await?.virtual_clock { "virtual" } else { "real" };
    let value = json!({ "time_ms": head.time, "height": head.height, "clock": kind });
    output.result(&value, || {
        format!("block time {} ms at height {} ({kind} clock)", head.time, head.height)
    });
    Ok(())
}
