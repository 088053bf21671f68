//! From a choice's token bytes to text that is certain.

use remuda_types::Seed;
use remuda_types::job::ToolCallDelta;

/// What became certain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Text, ready to show.
    pub text: String,
    /// Complete tool calls.
    pub tool_calls: Vec<ToolCallDelta>,
    /// A stop string was met: the choice ends here, and nothing more will come.
    pub stopped: bool,
}

/// Assembles the text of one choice.
///
/// What has been given out depends only on the bytes pushed so far, not on how they were
/// cut: to resume, push the earlier tokens' bytes, drop the pieces, and go on.
#[derive(Clone, Debug)]
pub struct TextAssembler {}

impl TextAssembler {
    /// An assembler for choice `choice` of the job with `seed`, which names its tool calls.
    /// Text between `<tool_call>` tags becomes calls when `tools` is set.
    #[must_use]
    pub fn new(stop: &[String], tools: bool, seed: &Seed, choice: u16) -> Self {
        let _ = (stop, tools, seed, choice);
        Self {}
    }

    /// Takes in a token's bytes; none for an end token.
    pub fn push(&mut self, bytes: &[u8]) -> Piece {
        let _ = bytes;
        Piece::default()
    }

    /// The choice ended: gives out what was held back.
    pub fn finish(&mut self) -> Piece {
        Piece::default()
    }

    /// Whether a tool call was given out: the stop reason is then `ToolCalls`.
    #[must_use]
    pub fn has_called(&self) -> bool {
        false
    }
}
