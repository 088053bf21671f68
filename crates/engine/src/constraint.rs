//! Grammars that decide which tokens are possible at each step.
//!
//! A job's [`Constraint`] or its tool choice becomes a grammar, and the grammar a mask over
//! the vocabulary for each position. The draw is made among what the mask allows.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};
use remuda_proof::sampling::TokenMask;
use remuda_types::job::{Chat, Constraint, Generate, Prompt, TokenId, Tool, ToolChoice};
use serde_json::{Value, json};

use crate::EngineError;
use crate::text::{CALL_CLOSE, CALL_OPEN};

/// The longest schema, grammar or regular expression, in bytes.
pub const GRAMMAR_BYTES_MAX: usize = 256 << 10;
/// The most tools of one job.
pub const TOOLS_MAX: usize = 128;
/// The most calls of one answer when calls are required.
const CALLS_MAX: usize = 8;
/// White space between JSON's parts: one blank, or one line break with an indentation. A
/// model cannot go on with white space for ever.
const JSON_BLANK: &str = r"( |\n {0,16})";

/// A model's tokens, as grammars need them.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// The bytes of each token, by its number. A control token's bytes are its name
    /// (`<|im_start|>`); an unused number has none.
    pub tokens: Vec<Vec<u8>>,
    /// The control tokens: no text of a grammar ever matches them.
    pub control: Vec<TokenId>,
    /// The tokens that end an answer; at least one.
    pub eos: Vec<TokenId>,
}

/// Compiles constraints for one model. Build it once: it holds the vocabulary's trie.
pub struct ConstraintFactory {
    factory: ParserFactory,
    eos: Vec<TokenId>,
    tokens: usize,
}

impl fmt::Debug for ConstraintFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConstraintFactory").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

impl ConstraintFactory {
    /// Prepares a vocabulary.
    ///
    /// # Errors
    /// [`EngineError::Failed`] when the vocabulary is empty or has no end token.
    pub fn new(vocabulary: &Vocabulary) -> Result<Self, EngineError> {
        let environment = environment(vocabulary)?;
        let capabilities = InferenceCapabilities::default();
        let slices = llguidance::earley::SlicedBiasComputer::general_slices();
        let mut factory = ParserFactory::new(&environment, capabilities, &slices)
            .map_err(|error| EngineError::Failed(format!("vocabulary: {error}")))?;
        factory.quiet();
        *factory.limits_mut() = ParserLimits { verbose_errors: false, ..ParserLimits::default() };
        let tokens = vocabulary.tokens.len();
        Ok(Self { factory, eos: vocabulary.eos.clone(), tokens })
    }

    /// The state of a fresh choice of this job: `None` when every token is possible. Takes
    /// up to some hundred milliseconds for large schemas; compile once a job and
    /// clone for its choices.
    ///
    /// # Errors
    /// [`EngineError::InvalidInput`] names `response_format`, `tools` or `tool_choice`.
    pub fn compile(&self, job: &Generate) -> Result<Option<ConstraintState>, EngineError> {
        let Some((parameter, grammar)) = grammar(job)? else { return Ok(None) };
        let parser = self.factory.create_parser(grammar);
        let parser = parser.map_err(|error| invalid(parameter, short(&error.to_string())))?;
        let matcher = Matcher::new(Ok(parser));
        if let Some(error) = matcher.get_error() {
            return Err(invalid(parameter, short(&error)));
        }
        let eos = self.eos.clone();
        Ok(Some(ConstraintState { matcher, parameter, eos, tokens: self.tokens }))
    }
}

/// Where one choice stands in its grammar: a pure function of the grammar and the tokens
/// accepted so far, so that a resumed choice has the same masks.
pub struct ConstraintState {
    matcher: Matcher,
    parameter: &'static str,
    eos: Vec<TokenId>,
    tokens: usize,
}

impl Clone for ConstraintState {
    /// The clone shares nothing that changes with the original.
    fn clone(&self) -> Self {
        let matcher = self.matcher.deep_clone();
        Self { matcher, parameter: self.parameter, eos: self.eos.clone(), tokens: self.tokens }
    }
}

impl fmt::Debug for ConstraintState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stopped = self.matcher.is_stopped();
        f.debug_struct("ConstraintState").field("stopped", &stopped).finish_non_exhaustive()
    }
}

impl ConstraintState {
    /// Which tokens are possible now. When the grammar is complete, only the end tokens.
    ///
    /// # Errors
    /// [`EngineError::InvalidInput`] when the grammar is too complex to go on.
    pub fn mask(&mut self) -> Result<TokenMask, EngineError> {
        let allowed = self.matcher.compute_mask_or_eos();
        let allowed =
            allowed.map_err(|error| invalid(self.parameter, short(&error.to_string())))?;
        Ok(TokenMask::from_words(allowed.into(), self.tokens))
    }

    /// Takes in the token that was drawn. An end token ends the grammar.
    ///
    /// # Errors
    /// [`EngineError::CannotResume`] when the grammar forbids the token.
    pub fn accept(&mut self, token: TokenId) -> Result<(), EngineError> {
        let is_end = self.eos.contains(&token);
        if self.matcher.is_stopped() && !self.matcher.is_error() && is_end {
            return Ok(());
        }
        self.matcher
            .consume_token(token)
            .map_err(|_| EngineError::CannotResume(format!("the grammar forbids token {token}")))
    }

    /// Whether the output could end here.
    pub fn is_accepting(&mut self) -> bool {
        self.is_stopped() || self.matcher.is_accepting().unwrap_or(false)
    }

    /// Whether nothing but an end token can follow.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.matcher.is_stopped() && !self.matcher.is_error()
    }
}

fn invalid(parameter: &str, reason: String) -> EngineError {
    EngineError::InvalidInput { parameter: parameter.to_owned(), reason }
}

/// An error's first lines, without the grammar that may follow.
fn short(error: &str) -> String {
    const SHOWN: usize = 300;
    error.chars().take(SHOWN).collect()
}

fn environment(vocabulary: &Vocabulary) -> Result<TokEnv, EngineError> {
    let failed = |reason: &str| EngineError::Failed(format!("vocabulary: {reason}"));
    let count = vocabulary.tokens.len();
    let size = u32::try_from(count).map_err(|_| failed("too many tokens"))?;
    let Some(&first_eos) = vocabulary.eos.first() else { return Err(failed("no end token")) };
    let mut special = vocabulary.control.iter().chain(&vocabulary.eos);
    if special.any(|&token| token >= size) {
        return Err(failed("a control token is not among the tokens"));
    }
    let mut words = vocabulary.tokens.clone();
    for &token in vocabulary.control.iter().chain(&vocabulary.eos) {
        let word = &mut words[token as usize];
        // The marker keeps text from matching; once is enough.
        if word.first() != Some(&TokTrie::SPECIAL_TOKEN_MARKER) {
            word.insert(0, TokTrie::SPECIAL_TOKEN_MARKER);
        }
    }
    let trie = TokTrie::from(&TokRxInfo::new(size, first_eos), &words);
    let trie = trie.with_eos_tokens(&vocabulary.eos);
    Ok(Arc::new(ApproximateTokEnv::new(trie)))
}

type Named = (&'static str, TopLevelGrammar);

/// The grammar of a job and the parameter that asked for it.
fn grammar(job: &Generate) -> Result<Option<Named>, EngineError> {
    let tools = match &job.prompt {
        Prompt::Chat(chat) => tool_grammar(chat)?,
        Prompt::Text(_) | Prompt::Tokens(_) => None,
    };
    let format = format_grammar(&job.constraint)?;
    match (tools, format) {
        (Some(tools), None) => Ok(Some(("tools", tools))),
        (None, format) => Ok(format.map(|format| ("response_format", format))),
        (Some(_), Some(_)) => {
            let reason = "cannot be joined with tools that may be called: set tool_choice to none";
            Err(invalid("response_format", reason.to_owned()))
        }
    }
}

fn format_grammar(constraint: &Constraint) -> Result<Option<TopLevelGrammar>, EngineError> {
    let grammar = match constraint {
        Constraint::None => return Ok(None),
        Constraint::JsonObject => {
            TopLevelGrammar::from_json_schema(bounded_blanks(json!({"type": "object"})))
        }
        Constraint::JsonSchema(text) => {
            TopLevelGrammar::from_json_schema(schema("response_format", text)?)
        }
        Constraint::Lark(text) => TopLevelGrammar::from_lark(sized(text)?.to_owned()),
        Constraint::Regex(text) => TopLevelGrammar::from_regex(sized(text)?),
    };
    Ok(Some(grammar))
}

fn sized(text: &str) -> Result<&str, EngineError> {
    if text.len() > GRAMMAR_BYTES_MAX {
        return Err(invalid("response_format", format!("at most {GRAMMAR_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// A caller's schema, with our rule for white space and without options for the compiler.
fn schema(parameter: &str, text: &str) -> Result<Value, EngineError> {
    if text.len() > GRAMMAR_BYTES_MAX {
        return Err(invalid(parameter, format!("a schema has at most {GRAMMAR_BYTES_MAX} bytes")));
    }
    let schema: Value = serde_json::from_str(text)
        .map_err(|error| invalid(parameter, format!("the schema is no JSON: {error}")))?;
    match schema {
        Value::Object(_) => Ok(bounded_blanks(schema)),
        Value::Bool(true) => Ok(bounded_blanks(json!({}))),
        _ => Err(invalid(parameter, "the schema must be a JSON object".to_owned())),
    }
}

fn bounded_blanks(mut schema: Value) -> Value {
    if let Value::Object(fields) = &mut schema {
        fields.insert("x-guidance".to_owned(), json!({"whitespace_pattern": JSON_BLANK}));
    }
    schema
}

/// The grammar of an answer that may or must call tools.
fn tool_grammar(chat: &Chat) -> Result<Option<TopLevelGrammar>, EngineError> {
    let named;
    let (tools, start): (&[Tool], _) = match &chat.tool_choice {
        ToolChoice::None => return Ok(None),
        _ if chat.tools.len() > TOOLS_MAX => {
            return Err(invalid("tools", format!("at most {TOOLS_MAX}")));
        }
        ToolChoice::Auto if chat.tools.is_empty() => return Ok(None),
        ToolChoice::Required if chat.tools.is_empty() => {
            return Err(invalid("tool_choice", "there are no tools to choose from".to_owned()));
        }
        ToolChoice::Auto => (&chat.tools, Start::Free),
        ToolChoice::Required => (&chat.tools, Start::Calls(CALLS_MAX)),
        ToolChoice::Named(name) => {
            let tool = chat.tools.iter().find(|tool| tool.name == *name);
            let unknown = || invalid("tool_choice", format!("there is no tool named {name}"));
            named = [tool.ok_or_else(unknown)?.clone()];
            (&named, Start::Calls(1))
        }
    };
    Ok(Some(TopLevelGrammar::from_lark(tool_lark(tools, start)?)))
}

#[derive(Clone, Copy)]
enum Start {
    /// Text, with calls wherever the model opens one.
    Free,
    /// From one to so many calls and no text.
    Calls(usize),
}

fn tool_lark(tools: &[Tool], start: Start) -> Result<String, EngineError> {
    let names: Vec<String> = (0..tools.len()).map(|index| format!("call_{index}")).collect();
    let calls = names.join(" | ");
    let open = quoted(CALL_OPEN);
    let mut lark = match start {
        Start::Free => {
            format!("start: (opening body)* TEXT\nopening[lazy]: TEXT {open}\nTEXT: /(.|\\n)*/\n")
        }
        Start::Calls(1) => format!("start: {open} body\n"),
        Start::Calls(most) => {
            let more = most - 1;
            format!("start: {open} body more{{0,{more}}}\nmore: \"\\n\" {open} body\n")
        }
    };
    // Writing to a string cannot fail.
    let _ = writeln!(lark, "body: {calls}");
    for (tool, name) in tools.iter().zip(names) {
        let head = quoted(&format!("\n{{\"name\": {}, \"arguments\": ", json!(tool.name)));
        let tail = quoted(&format!("}}\n{CALL_CLOSE}"));
        let schema = schema("tools", &tool.parameters)?;
        let _ = writeln!(lark, "{name}: {head} %json {schema} {tail}");
    }
    if lark.len() > 2 * GRAMMAR_BYTES_MAX {
        return Err(invalid("tools", format!("at most {GRAMMAR_BYTES_MAX} bytes of schemas")));
    }
    Ok(lark)
}

/// A literal in the notation of grammars, which is that of JSON strings.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
