//! `remuda proof`: what the ledger's state holds, shown to somebody who keeps no state.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use remuda_ledger::{Answer, Header, Proven, Query, StateKey, light};
use remuda_types::Hash;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::economy::from_json;
use crate::cli::ProvenRecord;
use crate::exit::{Exit, coded};
use crate::ledger_access::LedgerAccess;
use crate::output::Output;

/// The longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A record's name, what is said to be there, and the header whose state it is in.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofFile {
    /// The record's name in bytes, hexadecimal: a tag, then its key.
    key: String,
    header: Header,
    proven: Proven,
}

impl ProvenRecord {
    fn key(&self) -> StateKey {
        match self {
            Self::Account { account } => StateKey::Account(*account),
            Self::Channel { channel } => StateKey::Channel(*channel),
            Self::Supply => StateKey::Supply(()),
        }
    }
}

/// Fetches a record with its proof.
pub(crate) async fn show(
    access: &LedgerAccess,
    record: &ProvenRecord,
    output: Output,
) -> Result<()> {
    let key = record.key().to_bytes();
    let answer = access.ledger.query(Query::Prove(key.clone())).await?;
    let Answer::Proof(found) = answer else {
        return Err(coded(Exit::Unavailable, "the validator sent no proof"));
    };
    let remuda_ledger::Proof { header, proven } = *found;
    let file = ProofFile { key: hex::encode(key), header, proven };
    let pretty = serde_json::to_string_pretty(&file)?;
    output.result(&file, || pretty);
    Ok(())
}

/// Checks a proof offline.
pub(crate) fn verify(path: &Path, root: Option<Hash>, output: Output) -> Result<()> {
    let file: ProofFile = from_json("proof", &read(path)?)?;
    let bytes = hex::decode(&file.key).ok().and_then(|bytes| StateKey::from_bytes(&bytes));
    let key = bytes.ok_or_else(|| coded(Exit::Refuted, "the record's name is malformed"))?;
    if root.is_some_and(|root| root != file.header.state) {
        return Err(coded(Exit::Refuted, "the header is not of the state that is trusted"));
    }
    let record = light::verify(&file.header, &key, &file.proven)
        .map_err(|error| coded(Exit::Refuted, format!("{} ({})", error, error.code())))?;
    let value = json!({
        "valid": true,
        "height": file.header.height,
        "state": file.header.state,
        "record": record.as_ref().map(|record| format!("{record:?}")),
    });
    output.result(&value, || {
        let held = record.map_or("no such record".to_owned(), |record| format!("{record:#?}"));
        format!("holds at height {}: {held}", file.header.height)
    });
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        let file = std::fs::File::open(path);
        Box::new(file.with_context(|| format!("cannot read {}", path.display()))?)
    };
    source.take(FILE_BYTES_MAX).read_to_string(&mut text).context("the file is not text")?;
    Ok(text)
}
