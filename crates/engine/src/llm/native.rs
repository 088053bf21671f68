//! The part of llama.cpp that the safe bindings do not reach: a context whose hidden states
//! can be switched from one decode to the next. All `unsafe` of this crate is in this file.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use llama_cpp_2::model::LlamaModel;
use llama_cpp_sys_2 as sys;
use remuda_types::job::TokenId;

use super::threads::prompt_threads;

/// A sequence's number in a context, below [`Shape::sequences`].
pub(super) type Sequence = u16;

/// How a context pools the hidden states of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    /// Not at all: one state a token.
    None,
    /// As the model's metadata says; their mean when it says nothing.
    ModelOrMean,
}

/// The size of a context.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Positions of each sequence.
    pub(super) positions: u32,
    /// Sequences.
    pub(super) sequences: Sequence,
    /// The most tokens of one batch.
    pub(super) batch: u32,
    /// The most outputs of one batch.
    pub(super) outputs: u32,
    /// Threads of a step that draws; the step of a prompt may take more.
    pub(super) threads: u16,
    /// Pooling.
    pub(super) pooling: Pooling,
}

/// What the native code was compiled for, in its own words.
pub(super) fn system_info() -> String {
    // SAFETY: returns a pointer to a static, NUL-terminated string; it is copied at once.
    // The string is rebuilt by each call, so `Model::load` is the only caller, under a lock.
    unsafe { CStr::from_ptr(sys::llama_print_system_info()) }.to_string_lossy().into_owned()
}

/// Tokens to decode, each of one sequence.
#[derive(Debug, Default)]
pub(super) struct Batch {
    tokens: Vec<sys::llama_token>,
    positions: Vec<sys::llama_pos>,
    sequences: Vec<sys::llama_seq_id>,
    outputs: Vec<i8>,
}

impl Batch {
    pub(super) fn clear(&mut self) {
        self.tokens.clear();
        self.positions.clear();
        self.sequences.clear();
        self.outputs.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Adds a token, and returns its index: the one under which its output is read.
    pub(super) fn add(
        &mut self,
        token: TokenId,
        position: usize,
        sequence: Sequence,
        output: bool,
    ) -> usize {
        // Beyond `i32` no vocabulary and no context goes; decoding refuses the value −1.
        self.tokens.push(i32::try_from(token).unwrap_or(-1));
        self.positions.push(i32::try_from(position).unwrap_or(-1));
        self.sequences.push(i32::from(sequence));
        self.outputs.push(i8::from(output));
        self.tokens.len() - 1
    }
}

/// Why a batch was not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("llama.cpp cannot decode the batch (status {0})")]
pub(super) struct DecodeError(i32);

/// A context of llama.cpp: an attention cache for each sequence, and the last outputs.
pub(super) struct Context {
    pointer: NonNull<sys::llama_context>,
    vocabulary: usize,
    width: usize,
    /// Beyond so many tokens a batch holds a prompt: each sequence draws one at a time.
    sequences: usize,
    threads: u16,
    // The context points into the model.
    _model: Arc<LlamaModel>,
}

// SAFETY: a context is bound to no thread; `&mut self` keeps its use to one at a time.
unsafe impl Send for Context {}

impl Context {
    /// Makes a context; `None` when there is not enough memory for it.
    pub(super) fn new(model: &Arc<LlamaModel>, shape: Shape) -> Option<Self> {
        let params = params(shape, model_pooling(model));
        // SAFETY: the model's pointer is valid as long as `_model` lives. The parameters are
        // llama.cpp's defaults with plain numbers changed, and hold no pointer.
        let raw = unsafe { sys::llama_init_from_model(pointer_of(model), params) };
        let vocabulary = usize::try_from(model.n_vocab()).ok()?;
        let width = usize::try_from(model.n_embd_out()).ok()?;
        Some(Self {
            pointer: NonNull::new(raw)?,
            vocabulary,
            width,
            sequences: usize::from(shape.sequences),
            threads: shape.threads,
            _model: Arc::clone(model),
        })
    }

    /// Decodes the batch. Its outputs can be read until the next call.
    pub(super) fn decode(&mut self, batch: &mut Batch) -> Result<(), DecodeError> {
        let mut counts = vec![1; batch.len()];
        let mut sequences: Vec<*mut sys::llama_seq_id> =
            batch.sequences.iter_mut().map(ptr::from_mut).collect();
        let native = sys::llama_batch {
            n_tokens: i32::try_from(batch.len()).unwrap_or(0),
            token: batch.tokens.as_mut_ptr(),
            embd: ptr::null_mut(),
            pos: batch.positions.as_mut_ptr(),
            n_seq_id: counts.as_mut_ptr(),
            seq_id: sequences.as_mut_ptr(),
            logits: batch.outputs.as_mut_ptr(),
        };
        let prompt = batch.len() > self.sequences;
        let threads = i32::from(if prompt { prompt_threads(self.threads) } else { self.threads });
        // SAFETY: sets two numbers of a valid context that is not decoding. No result depends on
        // how many threads compute it.
        unsafe { sys::llama_set_n_threads(self.pointer.as_ptr(), threads, threads) };
        // SAFETY: every array has `n_tokens` elements and lives to the end of this function;
        // llama.cpp keeps none of them, and checks tokens, positions and sequence numbers.
        let status = unsafe { sys::llama_decode(self.pointer.as_ptr(), native) };
        if status == 0 { Ok(()) } else { Err(DecodeError(status)) }
    }

    /// Whether the next decodes give hidden states; while on, every token is an output.
    pub(super) fn set_hidden_states(&mut self, on: bool) {
        // SAFETY: sets a flag of a valid context that is not decoding.
        unsafe { sys::llama_set_embeddings(self.pointer.as_ptr(), on) }
    }

    /// The logits of the token that had `index` in the last batch, if it was an output.
    pub(super) fn logits(&mut self, index: usize) -> Option<&[f32]> {
        let index = i32::try_from(index).ok()?;
        // SAFETY: an index that is no output gives null; else there is a row of the
        // vocabulary's size, which the next decode may move: `&mut self` outlives it.
        unsafe { row(sys::llama_get_logits_ith(self.pointer.as_ptr(), index), self.vocabulary) }
    }

    /// The hidden state of the token that had `index` in the last batch.
    pub(super) fn hidden(&mut self, index: usize) -> Option<&[f32]> {
        let index = i32::try_from(index).ok()?;
        // SAFETY: as for `logits`; a row has the model's output width without pooling.
        unsafe { row(sys::llama_get_embeddings_ith(self.pointer.as_ptr(), index), self.width) }
    }

    /// The pooled hidden state of a sequence of the last batch.
    pub(super) fn pooled(&mut self, sequence: Sequence) -> Option<&[f32]> {
        let sequence = i32::from(sequence);
        // SAFETY: a sequence that was not in the batch gives null; else the row has the
        // model's output width, since `params` never asks for the ranking pooling.
        unsafe { row(sys::llama_get_embeddings_seq(self.pointer.as_ptr(), sequence), self.width) }
    }

    /// Forgets all of a sequence but its first `positions`. When the cache cannot be cut
    /// there (a recurrent model), forgets everything and returns 0.
    pub(super) fn keep(&mut self, sequence: Sequence, positions: usize) -> usize {
        let (id, from) = (i32::from(sequence), i32::try_from(positions).unwrap_or(i32::MAX));
        // SAFETY: the memory belongs to this context and the sequence number is below its
        // bound (`Slots` gives no other); a null memory (an encoder) is never touched.
        unsafe {
            let memory = sys::llama_get_memory(self.pointer.as_ptr());
            if memory.is_null() {
                return 0;
            }
            if sys::llama_memory_seq_rm(memory, id, from, -1) {
                return positions;
            }
            sys::llama_memory_seq_rm(memory, id, -1, -1);
        }
        0
    }

    /// Replaces what a sequence holds by a copy of another.
    pub(super) fn copy(&mut self, from: Sequence, to: Sequence) {
        // SAFETY: as for `keep`; copies whole sequences, as separate caches require.
        unsafe {
            let memory = sys::llama_get_memory(self.pointer.as_ptr());
            if !memory.is_null() {
                sys::llama_memory_seq_cp(memory, i32::from(from), i32::from(to), -1, -1);
            }
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `llama_init_from_model` and is freed once.
        unsafe { sys::llama_free(self.pointer.as_ptr()) }
    }
}

fn params(shape: Shape, in_model: Option<i32>) -> sys::llama_context_params {
    // SAFETY: returns plain values.
    let mut params = unsafe { sys::llama_context_default_params() };
    params.n_ctx = shape.positions * u32::from(shape.sequences);
    params.n_batch = shape.batch;
    params.n_ubatch = shape.batch;
    params.n_seq_max = u32::from(shape.sequences);
    params.n_outputs_max = shape.outputs;
    params.n_threads = i32::from(shape.threads);
    params.n_threads_batch = i32::from(shape.threads);
    // Flash attention sums in another order for one row than for many, and one cache for all
    // sequences would sum over their neighbours: either would make bits depend on the batch.
    params.flash_attn_type = sys::LLAMA_FLASH_ATTN_TYPE_DISABLED;
    if std::env::var_os("X_FA").is_some() {
        params.flash_attn_type = sys::LLAMA_FLASH_ATTN_TYPE_ENABLED;
        params.type_v = sys::GGML_TYPE_F32;
    }
    params.kv_unified = false;
    params.no_perf = true;
    params.embeddings = shape.pooling != Pooling::None;
    params.pooling_type = match (shape.pooling, in_model) {
        (Pooling::None, _) => sys::LLAMA_POOLING_TYPE_NONE,
        (Pooling::ModelOrMean, Some(pooling)) => pooling,
        (Pooling::ModelOrMean, None) => sys::LLAMA_POOLING_TYPE_MEAN,
    };
    params
}

/// The pooling that the model's metadata asks for: mean, of the first or of the last token.
fn model_pooling(model: &LlamaModel) -> Option<i32> {
    let architecture = model.meta_val_str("general.architecture").ok()?;
    let pooling = model.meta_val_str(&format!("{architecture}.pooling_type")).ok()?.parse().ok()?;
    (sys::LLAMA_POOLING_TYPE_MEAN..=sys::LLAMA_POOLING_TYPE_LAST)
        .contains(&pooling)
        .then_some(pooling)
}

/// # Safety
/// `start` is null or points to `length` numbers that live as long as `'a`.
unsafe fn row<'a>(start: *const f32, length: usize) -> Option<&'a [f32]> {
    // SAFETY: as the caller promises.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start, length) })
}

const _: () = assert!(size_of::<LlamaModel>() == size_of::<*mut sys::llama_model>());

fn pointer_of(model: &LlamaModel) -> *mut sys::llama_model {
    // SAFETY: `LlamaModel` is a transparent wrapper of the pointer; the binding's version is
    // pinned exactly, and the assertion above would notice another shape.
    unsafe { ptr::from_ref(model).cast::<*mut sys::llama_model>().read() }
}
