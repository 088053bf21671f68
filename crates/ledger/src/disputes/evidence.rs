//! Offences that a pure function decides: no vote, no draw, no deposit.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, FinalReceipt, Receipt, Signed, StopReason, TimestampMs};
use serde::{Deserialize, Serialize};

use super::penalty::{Gainers, Offender};
use super::{DisputeError, Inclusion, roots};
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::error::TransactionError;
use crate::stake::{Offence, Role};
use crate::state::State;

/// What proves an offence by itself.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Evidence {
    /// Two receipts of one provider with the same channel and sequence, and different content.
    Equivocation {
        /// One.
        first: Signed<Receipt>,
        /// The other.
        second: Signed<Receipt>,
    },
    /// Two receipts of one provider for the same attempt at the same job, both ended, on
    /// different channels or sequences. Receipts for what was delivered so far do not count.
    DoubleBill {
        /// One.
        first: Signed<Receipt>,
        /// The other.
        second: Signed<Receipt>,
    },
    /// A receipt under a gateway's root of which a signature does not hold.
    ForgedSignature {
        /// The receipt.
        receipt: FinalReceipt,
        /// Where it stands.
        place: Inclusion,
    },
}

/// What the evidence shows.
struct Finding {
    offender: Offender,
    affected: AccountId,
    /// When the offence was complete, by the offender's own clock or in block time.
    at: TimestampMs,
}

/// Anyone brings evidence. The offence is punished at once, once.
pub(super) fn accuse(state: &mut State, context: &Context<'_>, evidence: &Evidence) -> Verdict {
    let finding = judge(state, context, evidence)?;
    let node = finding.offender.node;
    if let Some(conviction) = state.tables.convictions.get(&node) {
        if conviction.ejected {
            return Err(DisputeError::Ejected { node }.into());
        }
        if finding.at <= conviction.last_at {
            return Err(DisputeError::AlreadyConvicted { at: conviction.last_at }.into());
        }
    }
    let gainers = Gainers { reporter: Some(context.account()), affected: Some(finding.affected) };
    state.punish(finding.offender, gainers, context.now)?;
    Ok(Effects::default())
}

fn judge(
    state: &State,
    context: &Context<'_>,
    evidence: &Evidence,
) -> Result<Finding, TransactionError> {
    // Without its checks (in the name of an account that no key signs for) a good signature
    // would pass for a forged one.
    require(context.voucher_holds.len() == 2, "evidence is brought by a key of its own")?;
    match evidence {
        Evidence::Equivocation { first, second } => {
            let (a, b) = check_pair(context, first, second)?;
            let same = (a.channel, a.sequence) == (b.channel, b.sequence);
            require(same, "the receipts are not of one channel and sequence")?;
            Ok(finding(state, Offence::Equivocation, a, b))
        }
        Evidence::DoubleBill { first, second } => {
            let (a, b) = check_pair(context, first, second)?;
            let same = (a.job, a.attempt) == (b.job, b.attempt);
            require(same, "the receipts are not of one attempt at one job")?;
            let ended = a.stop != StopReason::Partial && b.stop != StopReason::Partial;
            require(ended, "a receipt for a part that was delivered so far bills nothing twice")?;
            let twice = (a.channel, a.sequence) != (b.channel, b.sequence);
            require(twice, "the receipts are of one channel and sequence")?;
            Ok(finding(state, Offence::DoubleBill, a, b))
        }
        Evidence::ForgedSignature { receipt, place } => {
            roots::check_included(state, context, receipt, place)?;
            let named = receipt.receipt.signer == receipt.receipt.body.provider
                && receipt.voucher.signer == receipt.receipt.body.payer;
            let holds = named && holds(context, 0) && holds(context, 1);
            require(!holds, "both signatures of the receipt hold")?;
            let root = state.tables.receipt_roots.get(&(place.height, place.gateway));
            Ok(Finding {
                offender: Offender {
                    node: place.gateway,
                    role: Role::Gateway,
                    offence: Offence::ForgedSignature,
                },
                affected: receipt.receipt.body.payer.into(),
                at: root.map_or(context.now, |root| root.at),
            })
        }
    }
}

fn holds(context: &Context<'_>, index: usize) -> bool {
    context.voucher_holds.get(index).copied().unwrap_or(false)
}

fn require(holds: bool, why: &str) -> Result<(), DisputeError> {
    if holds { Ok(()) } else { Err(DisputeError::NoOffence { why: why.into() }) }
}

/// Two receipts that bind one provider, and are not the same.
fn check_pair<'a>(
    context: &Context<'_>,
    first: &'a Signed<Receipt>,
    second: &'a Signed<Receipt>,
) -> Result<(&'a Receipt, &'a Receipt), DisputeError> {
    let (a, b) = (&first.body, &second.body);
    let signed = [first, second].iter().all(|receipt| receipt.signer == receipt.body.provider);
    if !signed || !holds(context, 0) || !holds(context, 1) {
        return Err(DisputeError::ReceiptForged);
    }
    if a.network != context.network || b.network != context.network {
        return Err(DisputeError::WrongNetwork);
    }
    require(a.provider == b.provider, "the receipts are of two providers")?;
    require(a != b, "the receipts are the same")?;
    Ok((a, b))
}

fn finding(state: &State, offence: Offence, a: &Receipt, b: &Receipt) -> Finding {
    let affected = state.payer_account(&a.channel, &a.payer);
    let at = a.finished_at.max(b.finished_at);
    let offender = Offender { node: a.provider, role: Role::Provider, offence };
    Finding { offender, affected, at }
}
