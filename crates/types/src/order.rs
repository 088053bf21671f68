//! What a buyer asks the network for.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{ManifestHash, OrderId, Price, job::JobKind};

/// A request for one job, as the matching sees it. It says nothing of the input's content.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Order {
    /// The order's name, drawn at random by the client.
    pub id: OrderId,
    /// What kind of work.
    pub kind: JobKind,
    /// The model by its public name.
    pub model: String,
    /// The exact model, when the order must stay with one (a job that is being resumed).
    pub manifest: Option<ManifestHash>,
    /// Units that the job needs to have in context at once, input and output together.
    pub context: u32,
    /// The most that the buyer pays.
    pub max_price: Price,
}
