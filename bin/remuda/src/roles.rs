//! The roles of a network, each started on its own endpoint. `up` starts all of them in one
//! process; the `run` commands start one.

pub(crate) mod gateway;
pub(crate) mod indexer;
pub(crate) mod node;
pub(crate) mod provider;
pub(crate) mod relay;
pub(crate) mod run;
pub(crate) mod validator;

use crate::output::Output;
use serde_json::Value;

/// Says that a role is ready: one line, which supervisors and scripts wait for.
pub(crate) fn ready(output: Output, role: &str, mut details: Value, text: &str) {
    details["event"] = "ready".into();
    details["role"] = role.into();
    details["process"] = std::process::id().into();
    output.result(&details, || text.to_owned());
}
