//! `remuda ledger`: any question and any action, as JSON.

use anyhow::Result;

use super::{Step, from_json};
use crate::cli::LedgerCommand;

/// What the command comes to.
pub(crate) fn plan(command: LedgerCommand) -> Result<Step> {
    match command {
        LedgerCommand::Query { question } => Ok(Step::ask(from_json("question", &question)?)),
        LedgerCommand::Submit { action, node: None } => {
            Ok(Step::Act(from_json("action", &action)?))
        }
        LedgerCommand::Submit { action, node: Some(role) } => {
            Ok(Step::ActAsNode(role, from_json("action", &action)?))
        }
    }
}
