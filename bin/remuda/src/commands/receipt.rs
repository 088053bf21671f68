//! `remuda receipt`: show and check receipts.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use remuda_types::{FinalReceipt, Receipt};
use serde::Serialize;
use serde_json::Value;

use crate::exit::{Exit, coded};
use crate::gateway_api::GatewayApi;
use crate::output::Output;

/// The largest receipt file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The outcome of one check.
#[derive(Serialize)]
struct Checked {
    receipt: String,
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Fetches a receipt from a gateway and prints it as JSON, which `verify` reads.
pub(crate) async fn show(gateway: &GatewayApi, id: &str, output: Output) -> Result<()> {
    let document = gateway.get(&format!("receipts/{id}")).await?;
    output.result(&document, || {
        serde_json::to_string_pretty(&document).unwrap_or_else(|error| error.to_string())
    });
    for receipt in receipts_in(document)? {
        output.note(&describe(&receipt.receipt.body));
    }
    Ok(())
}

/// Checks every receipt of a file, offline.
pub(crate) fn verify(file: &Path, output: Output) -> Result<()> {
    let receipts = receipts_in(read_document(file)?)?;
    let checked: Vec<Checked> = receipts.iter().map(check).collect();
    output.result(&checked, || {
        let line = |checked: &Checked| match &checked.reason {
            None => format!("valid    {}", checked.receipt),
            Some(reason) => format!("INVALID  {}: {reason}", checked.receipt),
        };
        checked.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    for receipt in &receipts {
        output.note(&describe(&receipt.receipt.body));
    }
    let refuted = checked.iter().filter(|checked| !checked.valid).count();
    if refuted > 0 {
        let total = checked.len();
        return Err(coded(Exit::Refuted, format!("{refuted} of {total} receipts do not hold")));
    }
    Ok(())
}

fn check(receipt: &FinalReceipt) -> Checked {
    let reason = receipt.verify().err().map(|error| error.to_string());
    let id = receipt.receipt.body.id().to_string();
    Checked { receipt: id, valid: reason.is_none(), reason }
}

fn read_document(file: &Path) -> Result<Value> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().take(FILE_BYTES_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(file)
            .with_context(|| format!("cannot open {}", file.display()))?
            .take(FILE_BYTES_MAX)
            .read_to_string(&mut text)
    }
    .with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text)
        .map_err(|error| coded(Exit::Refuted, format!("this is not a receipt: {error}")))
}

/// The receipts of a document: one alone, a list, or what a gateway answers.
fn receipts_in(document: Value) -> Result<Vec<FinalReceipt>> {
    let list = match document {
        Value::Array(list) => list,
        Value::Object(mut object) => match object.remove("receipts") {
            Some(Value::Array(list)) => list,
            Some(other) => vec![other],
            None => vec![Value::Object(object)],
        },
        other => vec![other],
    };
    if list.is_empty() {
        return Err(coded(Exit::NotFound, "the document holds no receipt"));
    }
    list.into_iter()
        .map(|value| {
            let receipt: FinalReceipt = serde_json::from_value(value)
                .map_err(|error| coded(Exit::Refuted, format!("this is not a receipt: {error}")))?;
            Ok(receipt)
        })
        .collect()
}

/// A receipt in words.
fn describe(receipt: &Receipt) -> String {
    let usage = &receipt.usage;
    format!(
        "  job {} attempt {}\n  provider {} ({})\n  model manifest {}\n  {} in ({} cached), {} out \
         ({} resumed): {}\n  price {} + {} micro-dollars per million, channel {}",
        receipt.job,
        receipt.attempt,
        receipt.provider,
        receipt.device.0,
        receipt.manifest,
        usage.units_in,
        usage.units_cached,
        usage.units_out,
        usage.units_resumed,
        receipt.amount,
        receipt.price.input,
        receipt.price.output,
        receipt.channel,
    )
}
