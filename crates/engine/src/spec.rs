//! Which model a worker loads, and how much of the machine it may use.

use std::io;
use std::path::{Path, PathBuf};

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::ManifestHash;
use remuda_types::job::JobKind;

/// Which model to load, and the bounds of its use.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ModelSpec {
    /// Exactly which model; jobs name it.
    pub manifest: ManifestHash,
    /// Its verified GGUF file. The path must be UTF-8.
    #[borsh(serialize_with = "write_path", deserialize_with = "read_path")]
    pub path: PathBuf,
    /// The kinds of jobs to serve with it.
    pub kinds: Vec<JobKind>,
    /// The largest context of one job, in model tokens. Memory for the attention cache is
    /// `slots` times this. Cut to what the model was trained for.
    pub context: u32,
    /// Sequences that run at once; a job with several choices takes one for each.
    pub slots: u16,
    /// Jobs that may wait for a slot; more are refused as overload.
    pub queue: u16,
    /// Threads of native computation; `None` takes what is free when the model is loaded.
    pub threads: Option<u16>,
    /// Layers to place on a GPU; 0 computes on the CPU.
    pub gpu_layers: u32,
    /// The most prompt tokens of one step: the bound on how long a cancellation waits.
    pub prefill: u32,
    /// Whether the last hidden state of each generated token is handed to the observer.
    pub hidden_states: bool,
}

impl ModelSpec {
    /// The default of [`ModelSpec::context`].
    pub const CONTEXT: u32 = 4096;
    /// The default of [`ModelSpec::slots`].
    pub const SLOTS: u16 = 4;
    /// The default of [`ModelSpec::queue`].
    pub const QUEUE: u16 = 16;
    /// The default of [`ModelSpec::prefill`].
    pub const PREFILL: u32 = 128;

    /// The model of `manifest` at `path`, with default bounds, to generate text on the CPU.
    #[must_use]
    pub fn new(manifest: ManifestHash, path: impl Into<PathBuf>) -> Self {
        Self {
            manifest,
            path: path.into(),
            kinds: vec![JobKind::Generate],
            context: Self::CONTEXT,
            slots: Self::SLOTS,
            queue: Self::QUEUE,
            threads: None,
            gpu_layers: 0,
            prefill: Self::PREFILL,
            hidden_states: false,
        }
    }
}

fn write_path<W: io::Write>(path: &Path, writer: &mut W) -> io::Result<()> {
    let text = path.to_str().ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "the model's path is not UTF-8")
    })?;
    text.serialize(writer)
}

fn read_path<R: io::Read>(reader: &mut R) -> io::Result<PathBuf> {
    String::deserialize_reader(reader).map(PathBuf::from)
}
