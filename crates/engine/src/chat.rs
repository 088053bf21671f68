//! Conversations to text, by the model's own chat template.
//!
//! Templates come with model files, from strangers: they run with limited fuel and see
//! nothing but the conversation. They get no clock: the same conversation is the same
//! prompt at every provider.
//!
//! Tool calls have one notation here, `<tool_call>{"name": …, "arguments": …}</tool_call>`,
//! which many models were trained on. A template that knows it renders tools by itself;
//! for others, tools are described in the system message, and calls and results become
//! text.

use std::io::{self, Write};

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, State, Value, context};
use remuda_types::job::{Chat, Message, Role, Tool, ToolCall, ToolChoice};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use crate::EngineError;
use crate::text::{CALL_CLOSE, CALL_OPEN};

/// The longest template that is compiled, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 256 << 10;
/// The longest text that a template may write, in bytes.
pub const RENDERED_BYTES_MAX: usize = 32 << 20;
/// Instructions that a template may run.
const FUEL: u64 = 2_000_000;
/// More of them for each message and tool.
const FUEL_EACH: u64 = 20_000;
/// How deep a template may nest.
const RECURSION_MAX: usize = 100;
/// The widest indentation, in blanks.
const INDENT_MAX: usize = 16;
/// The template's name in error messages.
const NAME: &str = "chat_template";

/// A model's chat template, compiled.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos_token: String,
    eos_token: String,
    /// The template itself shows tools, calls and results in our notation.
    knows_tools: bool,
}

impl ChatTemplate {
    /// Compiles a template: `source` is the model file's `tokenizer.chat_template`,
    /// `bos_token` and `eos_token` the texts of these tokens (empty where the model has none).
    ///
    /// # Errors
    /// [`EngineError::Failed`] when the model's template does not compile.
    pub fn new(source: &str, bos_token: &str, eos_token: &str) -> Result<Self, EngineError> {
        let failed = |reason: String| EngineError::Failed(format!("chat template: {reason}"));
        if source.len() > TEMPLATE_BYTES_MAX {
            return Err(failed(format!("longer than {TEMPLATE_BYTES_MAX} bytes")));
        }
        let mut environment = environment();
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            environment,
            bos_token: bos_token.to_owned(),
            eos_token: eos_token.to_owned(),
            knows_tools: source.contains("tools") && source.contains(CALL_OPEN),
        })
    }

    /// The text that the model continues to answer `chat`. It holds control tokens as text
    /// (`<|im_start|>`): tokenize it with their recognition on, and without adding a second
    /// beginning-of-text token where it starts with one.
    ///
    /// # Errors
    /// [`EngineError::InvalidInput`] when the template refuses the messages, or a tool is no
    /// JSON.
    pub fn render(&self, chat: &Chat) -> Result<String, EngineError> {
        let tools = match chat.tool_choice {
            ToolChoice::None => Vec::new(),
            _ => chat.tools.iter().map(tool).collect::<Result<Vec<_>, _>>()?,
        };
        let messages = if self.knows_tools {
            chat.messages.iter().map(native).collect()
        } else {
            plain(&chat.messages, &tools)
        };
        let tools = (self.knows_tools && !tools.is_empty()).then_some(tools);
        let count = (chat.messages.len() + chat.tools.len()) as u64;
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(FUEL + FUEL_EACH * count));
        let values = context! {
            messages => Value::from_serialize(&messages),
            tools => tools.map(Value::from_serialize),
            add_generation_prompt => true,
            bos_token => self.bos_token,
            eos_token => self.eos_token,
        };
        let mut text = Bounded(Vec::new());
        environment
            .get_template(NAME)
            .and_then(|template| template.render_captured_to(values, &mut text).map(drop))
            .map_err(|error| invalid("messages", reason(&error)))?;
        String::from_utf8(text.0).map_err(|error| invalid("messages", error.to_string()))
    }
}

fn invalid(parameter: &str, reason: String) -> EngineError {
    EngineError::InvalidInput { parameter: parameter.to_owned(), reason }
}

/// What a template said of the messages, without its inner workings.
fn reason(error: &Error) -> String {
    match error.kind() {
        ErrorKind::OutOfFuel | ErrorKind::WriteFailure => {
            "the conversation is too long for the chat template".to_owned()
        }
        _ => error.detail().map_or_else(|| error.to_string(), ToOwned::to_owned),
    }
}

/// A text that stops growing: a little fuel writes much.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > RENDERED_BYTES_MAX - self.0.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Filters that reserve as much memory as their argument says.
const UNBOUNDED_FILTERS: [&str; 4] = ["batch", "format", "indent", "slice"];

/// Python's methods, without the one that pads to any width.
fn method(state: &State<'_, '_>, on: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    if name == "format" {
        return Err(Error::from(ErrorKind::UnknownMethod));
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, on, name, args)
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_recursion_limit(RECURSION_MAX);
    environment.set_unknown_method_callback(method);
    UNBOUNDED_FILTERS.iter().for_each(|filter| environment.remove_filter(filter));
    environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message))
    });
    environment.add_filter("tojson", to_json);
    environment.add_filter("indent", indent);
    environment
}

/// Lines after the first, indented by at most [`INDENT_MAX`] blanks.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a filter")]
fn indent(text: String, width: Option<usize>) -> String {
    let blank = " ".repeat(width.unwrap_or(4).min(INDENT_MAX));
    let lines = text.trim_end_matches('\n').split('\n').enumerate();
    let indented = |(number, line): (usize, &str)| {
        if number == 0 || line.is_empty() { line.to_owned() } else { format!("{blank}{line}") }
    };
    lines.map(indented).collect::<Vec<_>>().join("\n")
}

/// JSON as Python writes it, since models were trained on that: a blank after each comma and
/// colon, and nothing escaped for HTML.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a filter")]
fn to_json(value: Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let blank = [b' '; INDENT_MAX];
    let text = match indent {
        None => json_text(&value, Spaced),
        Some(width) => {
            json_text(&value, PrettyFormatter::with_indent(&blank[..width.min(INDENT_MAX)]))
        }
    };
    text.map(Value::from).map_err(|error| {
        Error::new(ErrorKind::BadSerialization, "a value is no JSON").with_source(error)
    })
}

fn json_text<F: Formatter>(
    value: &impl Serialize,
    formatter: F,
) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// One line, with a blank after each comma and colon.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

/// A message, as templates expect it.
#[derive(Serialize)]
struct Turn<'a> {
    role: Role,
    content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

impl Turn<'_> {
    const fn new(role: Role, content: String) -> Self {
        Self { role, content, name: None, tool_calls: Vec::new(), tool_call_id: None }
    }
}

/// A message for a template that knows tools.
fn native(message: &Message) -> Turn<'_> {
    let call = |call: &ToolCall| {
        let function = serde_json::json!({"name": call.name, "arguments": arguments(call)});
        serde_json::json!({"id": call.id, "type": "function", "function": function})
    };
    Turn {
        role: message.role,
        content: message.content.clone(),
        name: message.name.as_deref(),
        tool_calls: message.tool_calls.iter().map(call).collect(),
        tool_call_id: message.tool_call_id.as_deref(),
    }
}

/// Messages for a template that knows no tools.
fn plain<'a>(messages: &'a [Message], tools: &[serde_json::Value]) -> Vec<Turn<'a>> {
    let mut turns: Vec<Turn<'a>> = Vec::with_capacity(messages.len() + 1);
    for message in messages {
        let content = plain_content(message);
        match (message.role, turns.last_mut()) {
            // Results of one round make one message.
            (Role::Tool, Some(last)) if last.role == Role::User && last.name == Some(RESULT) => {
                last.content.push('\n');
                last.content.push_str(&content);
            }
            (Role::Tool, _) => {
                turns.push(Turn { name: Some(RESULT), ..Turn::new(Role::User, content) });
            }
            (role, _) => {
                let name = message.name.as_deref();
                turns.push(Turn { name, ..Turn::new(role, content) });
            }
        }
    }
    if !tools.is_empty() {
        describe_tools(&mut turns, tools);
    }
    turns
}

/// The speaker's name in messages that carry tool results.
const RESULT: &str = "tool";

fn plain_content(message: &Message) -> String {
    if message.role == Role::Tool {
        return format!("<tool_response>\n{}\n</tool_response>", message.content);
    }
    let calls = message.tool_calls.iter().map(|call| {
        let body = serde_json::json!({"name": call.name, "arguments": arguments(call)});
        let body = json_text(&body, Spaced).unwrap_or_default();
        format!("{CALL_OPEN}\n{body}\n{CALL_CLOSE}")
    });
    let parts = (!message.content.is_empty()).then(|| message.content.clone());
    parts.into_iter().chain(calls).collect::<Vec<_>>().join("\n")
}

/// A call's arguments as a value; as a string when they are no JSON.
fn arguments(call: &ToolCall) -> serde_json::Value {
    serde_json::from_str(&call.arguments)
        .unwrap_or_else(|_| serde_json::Value::String(call.arguments.clone()))
}

/// Adds the tools to the system message.
fn describe_tools(turns: &mut Vec<Turn<'_>>, tools: &[serde_json::Value]) {
    let lines: Vec<String> =
        tools.iter().map(|tool| json_text(tool, Spaced).unwrap_or_default()).collect();
    let section = format!(
        "You can call the functions below. Each is described by one line of JSON.\n\
         <tools>\n{}\n</tools>\n\
         To call a function, answer with its name and arguments as JSON in these tags:\n\
         {CALL_OPEN}\n{{\"name\": \"<function>\", \"arguments\": {{…}}}}\n{CALL_CLOSE}",
        lines.join("\n")
    );
    match turns.first_mut() {
        Some(first) if first.role == Role::System => {
            first.content.push_str("\n\n");
            first.content.push_str(&section);
        }
        _ => turns.insert(0, Turn::new(Role::System, section)),
    }
}

/// A tool in OpenAI's shape.
fn tool(tool: &Tool) -> Result<serde_json::Value, EngineError> {
    let parameters: serde_json::Value =
        serde_json::from_str(&tool.parameters).map_err(|error| {
            invalid("tools", format!("the parameters of {} are no JSON: {error}", tool.name))
        })?;
    let description = tool.description.as_deref().unwrap_or_default();
    Ok(serde_json::json!({
        "type": "function",
        "function": {
            "name": tool.name,
            "description": description,
            "parameters": parameters,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The template of SmolLM2-135M-Instruct, as its model file has it.
    const SMOLLM2: &str = include_str!("../tests/data/smollm2.jinja");
    /// In the manner of templates that know our notation.
    const HERMES: &str = "{%- if tools %}\n{%- for tool in tools %}\n{{- tool | tojson }}\n\
        {%- endfor %}\n{%- endif %}\n{%- for message in messages %}\n\
        {{- '[' + message.role + ']' + message.content }}\n\
        {%- for call in message.tool_calls or [] %}\n\
        {{- '<tool_call>' + call.function.name + call.function.arguments['city'] }}\n\
        {%- endfor %}\n{%- endfor %}";

    fn message(role: Role, content: &str) -> Message {
        Message {
            role,
            content: content.into(),
            name: None,
            tool_calls: vec![],
            tool_call_id: None,
        }
    }

    fn chat(messages: Vec<Message>) -> Chat {
        Chat { messages, tools: vec![], tool_choice: ToolChoice::Auto }
    }

    fn weather() -> Tool {
        Tool {
            name: "weather".into(),
            description: Some("Tells the weather".into()),
            parameters: r#"{"type":"object","properties":{"city":{"type":"string"}}}"#.into(),
        }
    }

    fn conversation_with_tools() -> Chat {
        let mut call = message(Role::Assistant, "");
        call.tool_calls.push(ToolCall {
            id: "call_1".into(),
            name: "weather".into(),
            arguments: r#"{"city":"Oslo"}"#.into(),
        });
        let messages = vec![
            message(Role::User, "Weather?"),
            call,
            message(Role::Tool, "rain"),
            message(Role::Tool, "wind"),
        ];
        Chat { messages, tools: vec![weather()], tool_choice: ToolChoice::Auto }
    }

    fn smollm2() -> ChatTemplate {
        ChatTemplate::new(SMOLLM2, "<|im_start|>", "<|im_end|>").unwrap()
    }

    #[test]
    fn default_system_message_is_kept() {
        let text = smollm2().render(&chat(vec![message(Role::User, "Hi <b>")])).unwrap();
        assert_eq!(
            text,
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by \
             Hugging Face<|im_end|>\n<|im_start|>user\nHi <b><|im_end|>\n\
             <|im_start|>assistant\n"
        );
    }

    #[test]
    fn own_system_message_replaces_it() {
        let messages = vec![message(Role::System, "Be brief."), message(Role::User, "Hi")];
        let text = smollm2().render(&chat(messages)).unwrap();
        assert_eq!(
            text,
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n\
             <|im_start|>assistant\n"
        );
    }

    #[test]
    fn tools_are_described_where_the_template_has_no_place() {
        let text = smollm2().render(&conversation_with_tools()).unwrap();
        let expected = [
            "<|im_start|>system\nYou can call the functions",
            "\n{\"type\": \"function\", \"function\": {\"name\": \"weather\", \"description\": \
             \"Tells the weather\", \"parameters\": {\"type\": \"object\", \"properties\": \
             {\"city\": {\"type\": \"string\"}}}}}\n</tools>\n",
            "<|im_start|>assistant\n<tool_call>\n{\"name\": \"weather\", \"arguments\": \
             {\"city\": \"Oslo\"}}\n</tool_call><|im_end|>\n",
            "<|im_start|>user\n<tool_response>\nrain\n</tool_response>\n<tool_response>\nwind\n\
             </tool_response><|im_end|>\n<|im_start|>assistant\n",
        ];
        for part in expected {
            assert!(text.contains(part), "{part}\n is not in \n{text}");
        }
    }

    #[test]
    fn a_template_that_knows_tools_gets_them() {
        let template = ChatTemplate::new(HERMES, "", "").unwrap();
        let text = template.render(&conversation_with_tools()).unwrap();
        assert!(text.starts_with("{\"type\": \"function\", "), "{text}");
        assert!(
            text.ends_with("[user]Weather?[assistant]<tool_call>weatherOslo[tool]rain[tool]wind")
        );
        let none = Chat { tool_choice: ToolChoice::None, ..conversation_with_tools() };
        assert!(template.render(&none).unwrap().starts_with("[user]"));
    }

    #[test]
    fn a_template_s_refusal_is_the_caller_s_error() {
        let source = "{{ raise_exception('roles must alternate') }}";
        let template = ChatTemplate::new(source, "", "").unwrap();
        let error = template.render(&chat(vec![])).unwrap_err();
        assert_eq!(error, invalid("messages", "roles must alternate".into()));
    }

    #[test]
    fn hostile_templates_end() {
        let loops = "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}\
                     {% endfor %}";
        let recursion = "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}";
        let clock = "{{ strftime_now('%Y') }}";
        for source in [loops, recursion, clock] {
            let template = ChatTemplate::new(source, "", "").unwrap();
            let error = template.render(&chat(vec![])).unwrap_err();
            assert!(matches!(error, EngineError::InvalidInput { .. }), "{error}");
        }
        for source in ["{% if %}", &" ".repeat(TEMPLATE_BYTES_MAX + 1)] {
            let error = ChatTemplate::new(source, "", "").unwrap_err();
            assert!(matches!(error, EngineError::Failed(_)));
        }
    }

    #[test]
    fn python_s_methods_and_json_work() {
        let source = "{{ messages[0].content.strip().upper() }}{{ bos_token }}\
                      {{ {'a': [1, '<é>']} | tojson }}{{ [1] | tojson(indent=2) }}";
        let template = ChatTemplate::new(source, "<s>", "").unwrap();
        let text = template.render(&chat(vec![message(Role::User, " hi ")])).unwrap();
        assert_eq!(text, "HI<s>{\"a\": [1, \"<é>\"]}[\n  1\n]");
    }

    #[test]
    fn a_template_cannot_ask_for_endless_memory() {
        let hostile = [
            "{% for i in range(90000) %}{{ messages[0].content * 10000 }}{% endfor %}",
            "{{ messages | batch(9000000000000000000) }}",
            "{{ messages | slice(9000000000000000000) }}",
            "{{ '%9000000000000000000d' | format(1) }}",
            "{{ '{:>9000000000000000000}'.format(1) }}",
        ];
        for source in hostile {
            let rendered = ChatTemplate::new(source, "", "")
                .and_then(|template| template.render(&chat(vec![message(Role::User, "hi")])));
            assert!(rendered.is_err(), "{source}");
        }
        let source = "{{ 'a\nb' | indent(9000000000000000000) }}";
        let template = ChatTemplate::new(source, "", "").unwrap();
        let text = template.render(&chat(vec![])).unwrap();
        assert_eq!(text, format!("a\n{}b", " ".repeat(INDENT_MAX)));
    }

    #[test]
    fn bad_tool_parameters_are_named() {
        let bad = Tool { parameters: "{".into(), ..weather() };
        let chat = Chat { tools: vec![bad], ..conversation_with_tools() };
        let error = smollm2().render(&chat).unwrap_err();
        assert!(
            matches!(error, EngineError::InvalidInput { parameter, .. } if parameter == "tools")
        );
    }
}
