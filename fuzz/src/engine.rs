//! What engines are given: streams of servers, bytes of tokens, templates and grammars.

use std::sync::LazyLock;

use remuda_engine::chat::{ChatTemplate, RENDERED_BYTES_MAX};
use remuda_engine::constraint::{ConstraintFactory, ConstraintState, Vocabulary};
use remuda_engine::text::{Piece, TextAssembler};
use remuda_engine::upstream::{EventTooLong, SseParser, embedded, generated};
use remuda_engine::{EngineError, EngineEvent};
use remuda_types::Seed;
use remuda_types::job::{
    Chat, Constraint, Embed, Generate, Message, Prompt, Resume, Role, Sampling, TokenId, Tool,
    ToolChoice,
};

use crate::cut;

/// The most output tokens of the job that [`upstream_stream`] pretends to have ordered.
const OUTPUT_MAX: u32 = 100;
/// Its choices.
const CHOICES: u16 = 2;
/// Tokens drawn from each grammar.
const DRAWS_MAX: usize = 6;

fn chat(content: &str, tools: Vec<Tool>, tool_choice: ToolChoice) -> Chat {
    let content = content.to_owned();
    let message =
        Message { role: Role::User, content, name: None, tool_calls: vec![], tool_call_id: None };
    Chat { messages: vec![message], tools, tool_choice }
}

fn job(prompt: Prompt, constraint: Constraint) -> Generate {
    Generate {
        prompt,
        choices: CHOICES,
        max_output: OUTPUT_MAX,
        sampling: Sampling::default(),
        stop: vec![],
        constraint,
        logprobs: None,
    }
}

fn events(pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, EventTooLong> {
    let (mut parser, mut all) = (SseParser::default(), vec![]);
    let mut each = |data: &[u8]| {
        all.push(data.to_vec());
        Ok(())
    };
    pieces.iter().try_for_each(|piece| parser.push(piece, &mut each))?;
    parser.finish(&mut each)?;
    Ok(all)
}

/// Server-sent events: the same however the bytes are cut, and no longer than they.
pub fn server_events(bytes: &[u8]) {
    let pieces = cut(bytes);
    let whole = pieces.concat();
    let all = events(&pieces);
    assert_eq!(all, events(&[&whole]), "the cut matters");
    let length: usize = all.unwrap_or_default().iter().map(Vec::len).sum();
    assert!(length <= whole.len(), "data from nowhere");
}

/// A server's answer to a generation: the same however it is cut, metered within the order,
/// each choice ended once.
pub fn upstream_stream(bytes: &[u8]) {
    let pieces = cut(bytes);
    let whole = pieces.concat();
    let job = job(Prompt::Text("x".to_owned()), Constraint::None);
    let answer = generated(&job, &Resume::default(), &pieces);
    assert_eq!(answer, generated(&job, &Resume::default(), &[&whole]), "the cut matters");
    let Ok(events) = answer else { return };
    assert!(matches!(events.first(), Some(EngineEvent::Prepared { .. })), "{events:?}");
    for choice in 0..CHOICES {
        let units = events.iter().map(|event| match event {
            EngineEvent::Output(delta) if delta.choice == choice => u64::from(delta.units),
            _ => 0,
        });
        assert!(units.sum::<u64>() <= OUTPUT_MAX.into(), "a bill beyond the order: {events:?}");
        let is_end = |event: &&EngineEvent| match event {
            EngineEvent::ChoiceDone { choice: ended, .. } => *ended == choice,
            _ => false,
        };
        let ends = events.iter().filter(is_end);
        assert_eq!(ends.count(), 1, "{events:?}");
    }
}

/// A server's answer to an embedding: as many vectors as texts, of finite numbers.
pub fn upstream_embeddings(bytes: &[u8]) {
    let input = Embed { inputs: vec!["a".to_owned(), "b".to_owned()] };
    match embedded(bytes, &input) {
        Ok(
            [EngineEvent::Prepared { units_in, units_cached }, EngineEvent::Embeddings(vectors)],
        ) => {
            assert!(units_cached <= units_in);
            assert_eq!(vectors.len(), input.inputs.len());
            assert!(vectors.iter().flatten().all(|number| number.is_finite()));
        }
        Ok(events) => panic!("{events:?}"),
        Err(error) => assert!(matches!(error, EngineError::Failed(_)), "{error}"),
    }
}

fn assembled(stop: &[String], tools: bool, pieces: &[&[u8]]) -> (Piece, bool) {
    let mut assembler = TextAssembler::new(stop, tools, &Seed::from_caller(1), 0);
    let mut whole = Piece::default();
    let mut add = |piece: Piece| {
        whole.text.push_str(&piece.text);
        whole.tool_calls.extend(piece.tool_calls);
        whole.stopped |= piece.stopped;
    };
    for piece in pieces {
        add(assembler.push(piece));
    }
    add(assembler.finish());
    (whole, assembler.has_called())
}

/// Tokens' bytes to text: the same however they are cut, without stop strings. The first
/// byte says whether there are tools; then comes a stop string, up to a zero byte.
pub fn text_assembler(bytes: &[u8]) {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let tools = first & 1 == 1;
    let end = rest.iter().position(|byte| *byte == 0).unwrap_or(0);
    let stop = String::from_utf8_lossy(&rest[..end]).into_owned();
    let pieces = cut(&rest[end..]);
    let whole = pieces.concat();
    let stops = [stop.clone()];
    let made = assembled(&stops, tools, &pieces);
    assert_eq!(made, assembled(&stops, tools, &[&whole]), "the cut matters");
    let each: Vec<&[u8]> = whole.chunks(1).collect();
    assert_eq!(made, assembled(&stops, tools, &each), "the cut matters");
    let (piece, has_called) = made;
    assert_eq!(has_called, !piece.tool_calls.is_empty());
    // A bad byte becomes a sign of three bytes, and an absent argument `{}`.
    let calls: usize = piece.tool_calls.iter().map(|call| call.arguments.len()).sum();
    assert!(piece.text.len() + calls <= 3 * whole.len() + 2, "text from nowhere");
    if !tools && !stop.is_empty() {
        assert!(!piece.text.contains(&stop), "a stop string was given out");
    }
}

/// A model's chat template, and a message up to where a zero byte ends the template: what is
/// rendered is bounded and always the same.
pub fn chat_template(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (source, content) = text.split_once('\0').unwrap_or((&text, "hello"));
    // A namespace that holds itself overflows the template engine's stack: see README.md.
    if source.contains("namespace") {
        return;
    }
    let Ok(template) = ChatTemplate::new(source, "<s>", "</s>") else { return };
    let parameters = r#"{"type":"object"}"#.to_owned();
    let tool = Tool { name: "f".to_owned(), description: None, parameters };
    let chat = chat(content, vec![tool], ToolChoice::Auto);
    let rendered = template.render(&chat);
    assert_eq!(rendered, template.render(&chat), "a conversation has one prompt");
    match rendered {
        Ok(text) => assert!(text.len() <= RENDERED_BYTES_MAX),
        Err(error) => assert!(matches!(error, EngineError::InvalidInput { .. }), "{error}"),
    }
}

/// One token a byte, and one that ends.
static FACTORY: LazyLock<ConstraintFactory> = LazyLock::new(|| {
    let mut tokens: Vec<Vec<u8>> = (0..=u8::MAX).map(|byte| vec![byte]).collect();
    tokens.extend([b"{\"".to_vec(), b"true".to_vec(), b"<end>".to_vec()]);
    let eos = vec![258];
    let vocabulary = Vocabulary { tokens, control: eos.clone(), eos };
    ConstraintFactory::new(&vocabulary).expect("a vocabulary with an end")
});

/// What asks for a grammar: the first byte says how, the rest is the grammar.
fn constrained(bytes: &[u8]) -> Option<Generate> {
    let (first, rest) = bytes.split_first()?;
    let text = std::str::from_utf8(rest).ok()?.to_owned();
    let plain = Prompt::Text(String::new());
    Some(match first % 5 {
        0 => job(plain, Constraint::JsonSchema(text)),
        1 => job(plain, Constraint::Lark(text)),
        2 => job(plain, Constraint::Regex(text)),
        kind => {
            let tool = Tool { name: "f".to_owned(), description: None, parameters: text };
            let choice = if kind == 3 { ToolChoice::Auto } else { ToolChoice::Required };
            job(Prompt::Chat(chat("", vec![tool], choice)), Constraint::None)
        }
    })
}

/// The grammar that the input of [`constraint`] asks for, compiled; `None` when it asks for none.
#[must_use]
pub fn compile(bytes: &[u8]) -> Option<Result<ConstraintState, EngineError>> {
    FACTORY.compile(&constrained(bytes)?).transpose()
}

/// A caller's grammar: it compiles or the caller is told, and then each mask keeps its word.
pub fn constraint(bytes: &[u8]) {
    let mut state = match compile(bytes) {
        None => return,
        Some(Ok(state)) => state,
        Some(Err(error)) => {
            assert!(matches!(error, EngineError::InvalidInput { .. }), "{error}");
            return;
        }
    };
    for draw in 0..DRAWS_MAX {
        let Ok(mask) = state.mask() else { return };
        let allowed: Vec<TokenId> = (0..259).filter(|token| mask.allows(*token)).collect();
        let Some(&token) =
            allowed.get(usize::from(bytes[draw % bytes.len()]) % allowed.len().max(1))
        else {
            return;
        };
        // The byte 255, which is in no text, marks control tokens for the compiler.
        refuses_the_rest(&state, (0..255).find(|token| !mask.allows(*token)));
        assert_eq!(state.accept(token), Ok(()), "the mask allows {token}");
        if token == 258 {
            return;
        }
    }
}

fn refuses_the_rest(state: &ConstraintState, forbidden: Option<TokenId>) {
    let Some(token) = forbidden else { return };
    assert!(state.clone().accept(token).is_err(), "the mask forbids {token}");
}
