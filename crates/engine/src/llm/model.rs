//! A loaded model: its vocabulary, its template, its name for exactness.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

use llama_cpp_2::LlamaCppError;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::vocab::LlamaVocab;
use remuda_types::job::TokenId;
use thiserror::Error;

use super::native;
use super::threads::free_threads_now;
use crate::chat::ChatTemplate;
use crate::constraint::{ConstraintFactory, Vocabulary};
use crate::{EngineError, ModelSpec};

/// The release of the native code, as its package is pinned in the workspace.
const NATIVE_RELEASE: &str = "llama.cpp-0.1.161";

/// Why a model was not loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// There is no such file.
    #[error("the model file {0} does not exist: fetch it with `remuda model pull`")]
    Missing(PathBuf),
    /// The file is no model that this build can read.
    #[error("{path} cannot be loaded: {reason}; is it a complete GGUF file?")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the native code said.
        reason: String,
    },
    /// The native code did not start.
    #[error("llama.cpp cannot start: {0}")]
    Backend(String),
    /// The context does not fit in memory.
    #[error("no memory for {slots} slots of {context} tokens: lower `slots` or `context`")]
    Memory {
        /// Slots asked for.
        slots: u16,
        /// Context asked for.
        context: u32,
    },
    /// The vocabulary or the template cannot be used.
    #[error("the model cannot be used: {0}")]
    Unusable(EngineError),
    /// No thread could be started.
    #[error("no thread could be started: {0}")]
    Thread(io::Error),
}

impl LoadError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "model_missing",
            Self::Unreadable { .. } => "model_unreadable",
            Self::Backend(_) => "backend",
            Self::Memory { .. } => "memory",
            Self::Unusable(_) => "model_unusable",
            Self::Thread(_) => "thread",
        }
    }
}

/// A loaded model.
pub struct Model {
    native: Arc<LlamaModel>,
    template: Option<ChatTemplate>,
    constraints: ConstraintFactory,
    /// What each token adds to the text; nothing for control tokens.
    pieces: Vec<Vec<u8>>,
    longest_piece: usize,
    ends: Vec<bool>,
    beginning: Option<TokenId>,
    context: u32,
    threads: u16,
    numerics: Option<String>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("tokens", &self.pieces.len())
            .field("context", &self.context)
            .field("threads", &self.threads)
            .field("numerics", &self.numerics)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Reads the model's file and prepares its vocabulary.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load(spec: &ModelSpec) -> Result<Self, LoadError> {
        let native = Arc::new(read_file(spec)?);
        let vocab = native.vocab();
        let size = u32::try_from(vocab.n_tokens()).unwrap_or(0);
        let ends: Vec<bool> = (0..size).map(|token| vocab.is_eog(native_token(token))).collect();
        let pieces: Vec<Vec<u8>> = (0..size).map(|token| piece(&vocab, token, false)).collect();
        let constraints = ConstraintFactory::new(&grammar_vocabulary(&vocab, &ends))
            .map_err(LoadError::Unusable)?;
        Ok(Self {
            template: template(&native)?,
            constraints,
            longest_piece: pieces.iter().map(Vec::len).max().unwrap_or(1).max(1),
            pieces,
            ends,
            beginning: vocab.should_add_bos().then(|| token_id(vocab.bos())).flatten(),
            context: spec.context.clamp(1, native.n_ctx_train().max(1)),
            threads: spec.threads.unwrap_or_else(free_threads_now).max(1),
            numerics: numerics(&native, spec),
            native,
        })
    }

    /// The largest context of one job, in model tokens.
    #[must_use]
    pub const fn context(&self) -> u32 {
        self.context
    }

    /// The threads it computes with.
    #[must_use]
    pub const fn threads(&self) -> u16 {
        self.threads
    }

    /// Engine build, instruction set, kernels and weight format; equal text means equal bits.
    /// `None` where this build or these weights do not give equal bits.
    #[must_use]
    pub fn numerics(&self) -> Option<&str> {
        self.numerics.as_deref()
    }

    /// How many tokens the vocabulary has.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.pieces.len()
    }

    /// Whether a token ends an answer.
    #[must_use]
    pub fn is_end(&self, token: TokenId) -> bool {
        self.ends.get(token as usize).copied().unwrap_or(false)
    }

    /// What a token adds to the text; nothing for a control token.
    #[must_use]
    pub fn piece(&self, token: TokenId) -> &[u8] {
        self.pieces.get(token as usize).map_or(&[], Vec::as_slice)
    }

    /// The tokens of a text in which control tokens are written by name, with one
    /// beginning-of-text token where the model wants it.
    ///
    /// # Errors
    /// [`EngineError::ContextExceeded`], without work, for a text that cannot fit.
    pub fn tokenize(&self, text: &str) -> Result<Vec<TokenId>, EngineError> {
        let least = (text.len() / self.longest_piece) as u64;
        if least > u64::from(self.context) {
            return Err(self.too_long(least));
        }
        let tokens = self.native.vocab().tokenize(text.as_bytes(), false, true);
        let mut tokens: Vec<TokenId> = tokens.into_iter().filter_map(token_id).collect();
        if let Some(beginning) = self.beginning
            && tokens.first() != Some(&beginning)
        {
            tokens.insert(0, beginning);
        }
        Ok(tokens)
    }

    /// The tokens of a text to embed, with the tokens that the model wants around it.
    pub(super) fn tokenize_to_embed(&self, text: &str) -> Result<Vec<TokenId>, EngineError> {
        let least = (text.len() / self.longest_piece) as u64;
        if least > u64::from(self.context) {
            return Err(self.too_long(least));
        }
        let tokens = self.native.vocab().tokenize(text.as_bytes(), true, false);
        Ok(tokens.into_iter().filter_map(token_id).collect())
    }

    pub(super) fn too_long(&self, units_in: u64) -> EngineError {
        EngineError::ContextExceeded { units_in, context: u64::from(self.context) }
    }

    pub(super) fn native(&self) -> &Arc<LlamaModel> {
        &self.native
    }

    pub(super) fn template(&self) -> Option<&ChatTemplate> {
        self.template.as_ref()
    }

    pub(super) fn constraints(&self) -> &ConstraintFactory {
        &self.constraints
    }
}

fn read_file(spec: &ModelSpec) -> Result<LlamaModel, LoadError> {
    if !spec.path.is_file() {
        return Err(LoadError::Missing(spec.path.clone()));
    }
    let params = LlamaModelParams::default().with_n_gpu_layers(spec.gpu_layers);
    LlamaModel::load_from_file(backend()?, &spec.path, &params).map_err(|error| {
        LoadError::Unreadable { path: spec.path.clone(), reason: error.to_string() }
    })
}

/// llama.cpp's one-time start. Its log goes to `tracing`, never to the terminal.
fn backend() -> Result<&'static LlamaBackend, LoadError> {
    static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
    let started = BACKEND.get_or_init(|| {
        llama_cpp_2::send_logs_to_tracing(llama_cpp_2::LogOptions::default());
        #[cfg(feature = "dynamic-backends")]
        llama_cpp_2::llama_backend::load_backends();
        match LlamaBackend::init() {
            Ok(backend) => Ok(backend),
            // Someone else in this process started it, which is as good: the value proves no
            // more than that, and is never dropped.
            Err(LlamaCppError::BackendAlreadyInitialized) => Ok(LlamaBackend {}),
            Err(error) => Err(error.to_string()),
        }
    });
    started.as_ref().map_err(|reason| LoadError::Backend(reason.clone()))
}

fn template(native: &LlamaModel) -> Result<Option<ChatTemplate>, LoadError> {
    let Ok(source) = native.meta_val_str("tokenizer.chat_template") else { return Ok(None) };
    let vocab = native.vocab();
    let name = |token| {
        let piece = token_id(token).map(|token| piece(&vocab, token, true)).unwrap_or_default();
        String::from_utf8_lossy(&piece).into_owned()
    };
    ChatTemplate::new(&source, &name(vocab.bos()), &name(vocab.eos()))
        .map(Some)
        .map_err(LoadError::Unusable)
}

fn grammar_vocabulary(vocab: &LlamaVocab<'_>, ends: &[bool]) -> Vocabulary {
    let numbers = || 0..u32::try_from(ends.len()).unwrap_or(u32::MAX);
    Vocabulary {
        tokens: numbers().map(|token| piece(vocab, token, true)).collect(),
        control: numbers().filter(|&token| vocab.is_control(native_token(token))).collect(),
        eos: numbers().filter(|&token| ends[token as usize]).collect(),
    }
}

fn piece(vocab: &LlamaVocab<'_>, token: TokenId, control: bool) -> Vec<u8> {
    vocab.token_to_piece(native_token(token), control, None)
}

fn native_token(token: TokenId) -> LlamaToken {
    LlamaToken::new(i32::try_from(token).unwrap_or(-1))
}

/// Negative numbers stand for "none".
fn token_id(token: LlamaToken) -> Option<TokenId> {
    u32::try_from(token.0).ok()
}

fn numerics(native: &LlamaModel, spec: &ModelSpec) -> Option<String> {
    // The native text is rebuilt in place by each call.
    static SYSTEM: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);
    let system = {
        let _guard = SYSTEM.lock().ok()?;
        native::system_info()
    };
    let weights = native.meta_val_str("general.file_type").ok()?;
    exact_numerics(&system, &weights, spec.gpu_layers)
}

/// Names what decides the bits, where recomputing gives the same bits as decoding: on the
/// CPU, without llamafile's kernels, with weights of one simple type.
fn exact_numerics(system: &str, file_type: &str, gpu_layers: u32) -> Option<String> {
    let features: Vec<String> = system
        .split(['|', ':'])
        .filter_map(|entry| entry.trim().strip_suffix("= 1"))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    if gpu_layers > 0 || features.iter().any(|feature| feature == "llamafile") {
        return None;
    }
    // llama.cpp's numbers of file types.
    let weights = match file_type {
        "1" => "F16",
        "2" => "Q4_0",
        "3" => "Q4_1",
        "7" => "Q8_0",
        _ => return None,
    };
    // The threading library does not decide bits; everything else may.
    let features: Vec<&str> =
        features.iter().map(String::as_str).filter(|&feature| feature != "openmp").collect();
    let (system, set) = (std::env::consts::OS, features.join("+"));
    Some(format!("{NATIVE_RELEASE}/{system}-{}/{set}/fa-off/{weights}", std::env::consts::ARCH))
}

#[cfg(test)]
mod tests {
    use super::exact_numerics;

    const SYSTEM: &str = "CPU : SSE3 = 1 | AVX2 = 1 | AVX512 = 0 | OPENMP = 1 | REPACK = 1 | ";

    #[test]
    fn exact_only_where_it_was_shown() {
        let text = exact_numerics(SYSTEM, "3", 0).unwrap();
        assert!(text.starts_with("llama.cpp-0.1.161/") && text.ends_with("/fa-off/Q4_1"), "{text}");
        assert!(text.contains("/sse3+avx2+repack/"), "{text}");
        assert_eq!(exact_numerics(SYSTEM, "15", 0), None, "K-quants");
        assert_eq!(exact_numerics(SYSTEM, "3", 1), None, "GPU");
        let llamafile = format!("{SYSTEM}LLAMAFILE = 1 | ");
        assert_eq!(exact_numerics(&llamafile, "3", 0), None, "llamafile");
    }
}
