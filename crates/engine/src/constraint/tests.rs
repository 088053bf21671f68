//! Constraints on a vocabulary of single bytes and a few longer tokens.

use remuda_types::job::{Message, Role, Sampling};

use super::*;

const EOS: TokenId = 260;
const SECOND_EOS: TokenId = 261;

fn vocabulary() -> Vocabulary {
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    tokens.extend([
        b"\n\n".to_vec(),
        b"    ".to_vec(),
        b"{\"".to_vec(),
        b"<tool_call>".to_vec(),
        b"<|im_end|>".to_vec(),
        b"<|endoftext|>".to_vec(),
        vec![],
    ]);
    Vocabulary { tokens, control: vec![EOS], eos: vec![EOS, SECOND_EOS] }
}

fn factory() -> ConstraintFactory {
    ConstraintFactory::new(&vocabulary()).unwrap()
}

fn job(constraint: Constraint, tools: &[Tool], tool_choice: ToolChoice) -> Generate {
    let message = Message {
        role: Role::User,
        content: "Hi".into(),
        name: None,
        tool_calls: vec![],
        tool_call_id: None,
    };
    let chat = Chat { messages: vec![message], tools: tools.to_vec(), tool_choice };
    Generate {
        prompt: Prompt::Chat(chat),
        choices: 1,
        max_output: 10,
        sampling: Sampling::default(),
        stop: vec![],
        constraint,
        logprobs: None,
    }
}

fn formatted(constraint: Constraint) -> ConstraintState {
    factory().compile(&job(constraint, &[], ToolChoice::Auto)).unwrap().unwrap()
}

fn tool(name: &str) -> Tool {
    let parameters = r#"{"type":"object","properties":{"city":{"type":"string"}},
        "required":["city"],"additionalProperties":false}"#;
    Tool { name: name.into(), description: None, parameters: parameters.into() }
}

/// How much of `text` the constraint takes, a byte a token.
fn taken<'a>(state: &mut ConstraintState, text: &'a str) -> &'a str {
    for (index, byte) in text.bytes().enumerate() {
        let token = TokenId::from(byte);
        if !state.mask().unwrap().allows(token) {
            return &text[..index];
        }
        state.accept(token).unwrap();
    }
    text
}

fn takes(state: &mut ConstraintState, text: &str) {
    assert_eq!(taken(state, text), text);
}

fn parameter_of(result: Result<Option<ConstraintState>, EngineError>) -> String {
    match result {
        Err(EngineError::InvalidInput { parameter, .. }) => parameter,
        other => format!("{other:?}"),
    }
}

#[test]
fn no_constraint_is_none() {
    let factory = factory();
    assert!(factory.compile(&job(Constraint::None, &[], ToolChoice::Auto)).unwrap().is_none());
    let unused = job(Constraint::None, &[tool("f")], ToolChoice::None);
    assert!(factory.compile(&unused).unwrap().is_none());
}

#[test]
fn json_ends_where_it_is_complete() {
    let mut state = formatted(Constraint::JsonObject);
    assert!(!state.mask().unwrap().allows(TokenId::from(b'[')));
    takes(&mut state, "{\"a\": [1, {\"b\": null}]");
    assert!(!state.is_accepting());
    assert!(!state.mask().unwrap().allows(EOS));
    takes(&mut state, "}");
    assert!(state.is_accepting());
    let mask = state.mask().unwrap();
    assert!(mask.allows(EOS) && mask.allows(SECOND_EOS));
    let others = (0..260).filter(|&token| mask.allows(token)).count();
    assert_eq!((others, state.is_stopped()), (0, true));
    state.accept(EOS).unwrap();
    assert!(state.accept(TokenId::from(b'x')).is_err());
}

#[test]
fn white_space_in_json_is_bounded() {
    for blanks in ["  ", "\n\n", "\t"] {
        let mut state = formatted(Constraint::JsonObject);
        takes(&mut state, "{");
        assert!(taken(&mut state, blanks).len() < blanks.len(), "{blanks:?}");
    }
    let mut state = formatted(Constraint::JsonObject);
    takes(&mut state, "{\n    \"a\": 1\n");
    let indentation = " ".repeat(100);
    assert_eq!(taken(&mut state, &indentation).len(), 16);
    let mut state = formatted(Constraint::JsonObject);
    takes(&mut state, "{");
    assert!(!state.mask().unwrap().allows(256), "two line breaks in one token");
}

#[test]
fn a_schema_is_followed() {
    let schema = r##"{"type":"object","properties":{"n":{"$ref":"#/$defs/small"}},
        "required":["n"],"additionalProperties":false,
        "$defs":{"small":{"type":"integer","minimum":1,"maximum":9}}}"##;
    let mut state = formatted(Constraint::JsonSchema(schema.into()));
    takes(&mut state, "{\"n\": 7}");
    assert!(state.is_stopped());
    let mut state = formatted(Constraint::JsonSchema(schema.into()));
    assert_eq!(taken(&mut state, "{\"m\""), "{\"");
}

#[test]
fn a_schema_cannot_change_the_compiler_s_options() {
    let schema = r#"{"type":"object","x-guidance":{"whitespace_pattern":" *"}}"#;
    let mut state = formatted(Constraint::JsonSchema(schema.into()));
    takes(&mut state, "{");
    assert!(taken(&mut state, "   ").len() < 2);
}

#[test]
fn regular_expressions_and_grammars() {
    let mut state = formatted(Constraint::Regex("(yes|no)!?".into()));
    assert_eq!(taken(&mut state, "no?"), "no");
    assert!(state.is_accepting() && !state.is_stopped());
    let mut state = formatted(Constraint::Lark("start: \"a\" /[0-9]+/ \"z\"".into()));
    takes(&mut state, "a19z");
    assert!(state.is_stopped());
}

#[test]
fn control_tokens_are_never_text() {
    let mut state = formatted(Constraint::Regex(".*".into()));
    takes(&mut state, "<|im_end");
    let mask = state.mask().unwrap();
    assert!(mask.allows(TokenId::from(b'|')));
    // In an accepting state the end tokens are possible, as the end.
    assert!(mask.allows(EOS) && !mask.allows(262));
}

#[test]
fn what_does_not_compile_is_the_caller_s_error() {
    let factory = factory();
    let deep = format!("{}{}", "{\"items\":".repeat(5_000), "}".repeat(5_000));
    let huge = format!("\"{}\"", "x".repeat(GRAMMAR_BYTES_MAX));
    let bad = [
        Constraint::JsonSchema("{".into()),
        Constraint::JsonSchema("7".into()),
        Constraint::JsonSchema(r#"{"type":"whatever"}"#.into()),
        Constraint::JsonSchema(r#"{"$ref":"http://elsewhere.example/schema"}"#.into()),
        Constraint::JsonSchema(deep),
        Constraint::JsonSchema(huge.clone()),
        Constraint::Lark("start: missing".into()),
        Constraint::Lark(huge),
        Constraint::Regex("(".into()),
    ];
    for constraint in bad {
        let shown = format!("{constraint:?}").chars().take(60).collect::<String>();
        let result = factory.compile(&job(constraint, &[], ToolChoice::Auto));
        assert_eq!(parameter_of(result), "response_format", "{shown}");
    }
    let unknown = job(Constraint::None, &[tool("f")], ToolChoice::Named("g".into()));
    assert_eq!(parameter_of(factory.compile(&unknown)), "tool_choice");
    let none = job(Constraint::None, &[], ToolChoice::Required);
    assert_eq!(parameter_of(factory.compile(&none)), "tool_choice");
    let bad = Tool { parameters: "no".into(), ..tool("f") };
    let bad = job(Constraint::None, &[bad], ToolChoice::Auto);
    assert_eq!(parameter_of(factory.compile(&bad)), "tools");
    let both = job(Constraint::JsonObject, &[tool("f")], ToolChoice::Auto);
    assert_eq!(parameter_of(factory.compile(&both)), "response_format");
}

const CALL: &str =
    "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>";

fn with_tools(tool_choice: ToolChoice) -> ConstraintState {
    let job = job(Constraint::None, &[tool("f"), tool("g\"\\")], tool_choice);
    factory().compile(&job).unwrap().unwrap()
}

#[test]
fn a_named_tool_is_called_once() {
    let mut state = with_tools(ToolChoice::Named("f".into()));
    takes(&mut state, CALL);
    assert!(state.is_stopped());
    let mut state = with_tools(ToolChoice::Named("f".into()));
    assert_eq!(taken(&mut state, "<tool_call>\n{\"name\": \"g"), "<tool_call>\n{\"name\": \"");
    let mut state = with_tools(ToolChoice::Named("g\"\\".into()));
    takes(&mut state, "<tool_call>\n{\"name\": \"g\\\"\\\\\", \"arguments\": {\"city\"");
}

#[test]
fn required_calls_are_calls_and_no_text() {
    let mut state = with_tools(ToolChoice::Required);
    assert_eq!(taken(&mut state, "Sure"), "");
    takes(&mut state, CALL);
    assert!(state.is_accepting() && !state.is_stopped());
    for _ in 1..CALLS_MAX {
        takes(&mut state, "\n");
        takes(&mut state, CALL);
    }
    assert!(state.is_stopped());
}

#[test]
fn a_free_answer_is_held_to_the_schema_within_calls_only() {
    let mut state = with_tools(ToolChoice::Auto);
    takes(&mut state, "Any < text <tool_box>\n{\"a\"");
    assert!(state.is_accepting());
    takes(&mut state, CALL);
    assert!(state.is_accepting());
    takes(&mut state, "\n and more ");
    assert_eq!(taken(&mut state, "<tool_call>x"), "<tool_call>");
    assert!(!state.is_accepting());
    // The tag as one token is the same tag.
    let mut state = with_tools(ToolChoice::Auto);
    state.accept(259).unwrap();
    assert_eq!(taken(&mut state, "\n{\"name\": \"x"), "\n{\"name\": \"");
}

#[test]
fn replayed_tokens_give_the_same_state() {
    let mut first = with_tools(ToolChoice::Required);
    let mut replayed = first.clone();
    for byte in CALL.bytes() {
        assert_eq!(first.mask().unwrap(), replayed.mask().unwrap());
        first.accept(byte.into()).unwrap();
        // One computes masks all the way, as a stream does; the other only accepts.
        replayed.accept(byte.into()).unwrap();
    }
    let mut silent = with_tools(ToolChoice::Required);
    CALL.bytes().for_each(|byte| silent.accept(byte.into()).unwrap());
    assert_eq!(first.mask().unwrap(), silent.mask().unwrap());
    assert!(matches!(silent.accept(b'x'.into()), Err(EngineError::CannotResume(_))));
}

/// A huge repetition is worked on lazily, within the limits of each step.
#[test]
fn nested_repetitions_are_bounded() {
    let bomb = "(((a{1,1000}){1,1000}){1,1000}){1,1000}";
    let mut state = formatted(Constraint::Regex(bomb.into()));
    assert_eq!(taken(&mut state, "aaab"), "aaa");
}

#[test]
fn bad_vocabularies_are_refused() {
    let empty = Vocabulary::default();
    let no_end = Vocabulary { eos: vec![], ..vocabulary() };
    let beyond = Vocabulary { eos: vec![5_000], ..vocabulary() };
    for bad in [empty, no_end, beyond] {
        assert!(matches!(ConstraintFactory::new(&bad), Err(EngineError::Failed(_))));
    }
}
