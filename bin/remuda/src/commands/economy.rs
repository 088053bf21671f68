//! Commands that come to one action or one question: what each means is planned in a module of
//! its own, how it is done is here.

use anyhow::Result;
use remuda_chain::Signer;
use remuda_ledger::{Action, Answer, Query};
use remuda_types::AccountId;
use serde_json::json;

use crate::exit::{Exit, coded};
use crate::home::Home;
use crate::ledger_access::LedgerAccess;
use crate::output::Output;

pub(crate) mod dao;
pub(crate) mod points;
pub(crate) mod raw;
pub(crate) mod stake;
pub(crate) mod tokens;

/// What a command comes to.
#[derive(Debug)]
pub(crate) enum Step {
    /// The wallet signs an action.
    Act(Action),
    /// The node key of a role signs an action.
    ActAsNode(String, Action),
    /// Questions; their answers are shown in this order.
    Ask(Vec<Query>),
}

impl Step {
    /// One question.
    pub(crate) fn ask(query: Query) -> Self {
        Self::Ask(vec![query])
    }
}

/// The account that was named, or this home's.
pub(crate) fn account_or_own(home: &Home, account: Option<AccountId>) -> Result<AccountId> {
    match account {
        Some(account) => Ok(account),
        None => Ok(home.wallet()?.public().into()),
    }
}

/// Does what was planned.
pub(crate) async fn run(access: &LedgerAccess, step: Step, output: Output) -> Result<()> {
    match step {
        Step::Act(action) => {
            let key = access.home.wallet()?;
            send(Signer::new(access.ledger.clone(), key), action, output).await
        }
        Step::ActAsNode(role, action) => {
            let key = access.home.node_key(&role)?;
            send(Signer::new(access.ledger.clone(), key), action, output).await
        }
        Step::Ask(queries) => {
            for query in queries {
                show(&access.ledger.query(query).await?, output)?;
            }
            Ok(())
        }
    }
}

async fn send(signer: Signer, action: Action, output: Output) -> Result<()> {
    let included = signer.send(action).await?;
    let value = json!({ "height": included.height, "transaction": included.digest });
    output.result(&value, || format!("done in block {}", included.height));
    Ok(())
}

/// Writes an answer: as it is for programs, without its punctuation for people.
fn show(answer: &Answer, output: Output) -> Result<()> {
    let pretty = serde_json::to_string_pretty(answer)?;
    output.result(answer, || readable(&pretty));
    Ok(())
}

/// Pretty JSON without quotes, braces and commas. The outermost name, which says only what was
/// asked, goes too.
fn readable(pretty: &str) -> String {
    let bare = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        let text = line.trim().trim_end_matches(',').trim_end_matches(['{', '[']);
        let text = text.replace('"', "").replace("\\n", " ");
        let punctuation = text.trim().chars().all(|c| "{}[]".contains(c));
        (!punctuation).then(|| format!("{:width$}{}", "", text.trim_end(), width = indent))
    };
    let lines: Vec<String> = pretty.lines().filter_map(bare).collect();
    let body = if lines.len() > 1 { &lines[1..] } else { &lines[..] };
    let least = body.iter().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let cut: Vec<&str> = body.iter().map(|line| line.get(least..).unwrap_or(line)).collect();
    if cut.is_empty() { "nothing".into() } else { cut.join("\n") }
}

/// Reads JSON that a user typed.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| coded(Exit::Failed, format!("this is no {what}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_read_without_punctuation() {
        let answer =
            "{\n  \"account\": {\n    \"tokens\": 5,\n    \"list\": [\n      1\n    ]\n  }\n}";
        assert_eq!(readable(answer), "tokens: 5\nlist:\n  1");
        assert_eq!(readable("{\n  \"nonce\": 3\n}"), "nonce: 3");
        assert_eq!(readable("{\n  \"providers\": []\n}"), "providers: []");
    }
}
