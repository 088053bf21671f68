//! `remuda receipt`: show and check receipts.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use remuda_types::{Canonical, Credits, FinalReceipt, JobId, OrderId, Receipt, ReceiptId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
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
    for receipt in receipts_in(document.to_string().as_bytes())? {
        output.note(&describe(&receipt.receipt.body));
    }
    Ok(())
}

/// Checks every receipt of a file, offline.
pub(crate) fn verify(file: &Path, output: Output) -> Result<()> {
    let receipts = receipts_in(&read_document(file)?)?;
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

fn read_document(file: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().take(FILE_BYTES_MAX).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file)
            .with_context(|| format!("cannot open {}", file.display()))?
            .take(FILE_BYTES_MAX)
            .read_to_end(&mut bytes)
    }
    .with_context(|| format!("cannot read {}", file.display()))?;
    Ok(bytes)
}

/// What a gateway answers for a receipt, a job or an order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    object: String,
    order: OrderId,
    job: JobId,
    amount_micro_dollars: Credits,
    ids: Vec<ReceiptId>,
    receipts: Vec<FinalReceipt>,
    canonical: Vec<String>,
}

impl Document {
    /// The receipts, if everything around them follows from them. Only the amount may say
    /// more than they do: it counts the job's other attempts, too.
    fn into_receipts(self) -> Result<Vec<FinalReceipt>> {
        let bodies = || self.receipts.iter().map(|receipt| &receipt.receipt.body);
        let sum = bodies().try_fold(Credits::ZERO, |sum, body| sum.add(body.amount));
        let holds = [
            ("object", self.object == "remuda.receipts"),
            ("order", self.job == JobId::derive(&self.order)),
            ("job", bodies().all(|body| body.job == self.job)),
            ("amount_micro_dollars", sum.is_ok_and(|sum| sum <= self.amount_micro_dollars)),
            ("ids", self.ids.iter().copied().eq(bodies().map(Receipt::id))),
            ("canonical", self.canonical.iter().cloned().eq(self.receipts.iter().map(digits))),
        ];
        match holds.iter().find(|(_, holds)| !holds) {
            Some((field, _)) => {
                let message = format!("the document's {field} does not belong to its receipts");
                Err(coded(Exit::Refuted, message))
            }
            None => Ok(self.receipts),
        }
    }
}

fn digits(receipt: &FinalReceipt) -> String {
    hex::encode(receipt.to_canonical())
}

fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    serde_json::from_slice(text)
        .map_err(|error| coded(Exit::Refuted, format!("this is not a receipt: {error}")))
}

/// The receipts of a document: one alone, a list, or what a gateway answers. Read twice: a
/// tree shows the form, but would let one of two fields of a name go unseen.
fn receipts_in(text: &[u8]) -> Result<Vec<FinalReceipt>> {
    let list = match read::<Value>(text)? {
        Value::Array(_) => read(text)?,
        Value::Object(fields) if fields.contains_key("receipts") => {
            read::<Document>(text)?.into_receipts()?
        }
        _ => vec![read(text)?],
    };
    if list.is_empty() {
        return Err(coded(Exit::NotFound, "the document holds no receipt"));
    }
    Ok(list)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt() -> FinalReceipt {
        let bytes = include_bytes!("../../../../fuzz/corpus/final_receipt/valid-00");
        FinalReceipt::from_canonical(bytes).unwrap()
    }

    fn document() -> String {
        let receipt = receipt();
        let document = serde_json::json!({
            "object": "remuda.receipts",
            "order": OrderId(remuda_types::Hash([5; 32])),
            "job": receipt.receipt.body.job,
            "amount_micro_dollars": receipt.receipt.body.amount,
            "ids": [receipt.receipt.body.id()],
            "receipts": [receipt],
            "canonical": [digits(&receipt)],
        });
        serde_json::to_string_pretty(&document).unwrap()
    }

    fn holds(text: &[u8]) -> bool {
        receipts_in(text).is_ok_and(|list| list.iter().all(|receipt| receipt.verify().is_ok()))
    }

    #[test]
    fn each_form_of_a_document_is_read() {
        let one = serde_json::to_string_pretty(&receipt()).unwrap();
        for text in [document(), format!("[{one},\n{one}]"), one] {
            assert!(holds(text.as_bytes()), "{text}");
        }
        for text in ["", "[]", "{}", "7", "{\"receipts\": []}"] {
            assert!(!holds(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn every_changed_byte_of_a_document_is_refused() {
        let text = document();
        let amount = text.find("dollars\": 2").unwrap() + "dollars\": ".len();
        for at in (0..text.len()).filter(|at| !text.as_bytes()[*at].is_ascii_whitespace()) {
            for flip in [1, 2, 4, 0x20, 0x80, 0xff] {
                let mut changed = text.clone().into_bytes();
                changed[at] ^= flip;
                // The amount may count more attempts than are shown, but no less.
                let allowed = at == amount && (b'2'..=b'9').contains(&changed[at]);
                assert_eq!(holds(&changed), allowed, "{at}: {}", changed.escape_ascii());
            }
        }
    }

    #[test]
    fn a_second_field_of_the_same_name_is_refused() {
        let text = document();
        for field in ["\"job\":", "\"receipts\":", "\"amount\":", "\"voucher\":"] {
            let twice = text.replacen(field, &format!("{field} null, {field}"), 1);
            assert!(twice != text && !holds(twice.as_bytes()), "{field}");
        }
    }
}
