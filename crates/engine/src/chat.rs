//! Conversations to text, by the model's own chat template.

use remuda_types::job::Chat;

use crate::EngineError;

/// The longest template that is compiled, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 256 << 10;

/// A model's chat template, compiled.
#[derive(Debug)]
pub struct ChatTemplate {}

impl ChatTemplate {
    /// Compiles a template: `source` is the model file's `tokenizer.chat_template`,
    /// `bos_token` and `eos_token` the texts of these tokens (empty where the model has none).
    ///
    /// # Errors
    /// [`EngineError::Failed`] when the model's template does not compile.
    pub fn new(source: &str, bos_token: &str, eos_token: &str) -> Result<Self, EngineError> {
        let _ = (source, bos_token, eos_token);
        Ok(Self {})
    }

    /// The text that the model continues to answer `chat`. It holds control tokens as text
    /// (`<|im_start|>`): tokenize it with their recognition on, and without adding a second
    /// beginning-of-text token where it starts with one.
    ///
    /// # Errors
    /// [`EngineError::InvalidInput`] when the template refuses the messages.
    pub fn render(&self, chat: &Chat) -> Result<String, EngineError> {
        let _ = chat;
        Ok(String::new())
    }
}
