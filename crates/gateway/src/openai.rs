//! OpenAI's interface as types: what is read, what is answered, and the translation between
//! both and the network's own [`remuda_types::job`]. Nothing here does I/O.

pub mod chat;
pub mod completions;
pub mod embeddings;
pub mod error;
pub mod models;
pub mod parameters;
pub mod responses;
pub mod tools;

use remuda_types::Price;
use remuda_types::job::JobInput;

/// What a request means to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translated {
    /// The model by its public name.
    pub model: String,
    /// The work.
    pub input: JobInput,
    /// The caller's seed.
    pub seed: Option<i64>,
    /// The most that the caller pays; the gateway's default when unset.
    pub max_price: Option<Price>,
    /// Whether to stream, and whether to report usage at its end.
    pub stream: Option<StreamOptions>,
}

/// How a stream is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// A last chunk reports usage.
    pub include_usage: bool,
}

/// What the gateway adds to a request that does not say.
#[derive(Clone, Copy, Debug)]
pub struct Defaults {
    /// Output tokens of a choice, when the request sets no limit.
    pub max_output: u32,
}
