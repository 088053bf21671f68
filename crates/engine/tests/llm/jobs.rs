//! Jobs beside each other: caches, choices, bounds, cancellation, errors.

use futures_util::StreamExt;
use remuda_engine::{Engine, EngineError, EngineEvent, EngineJob, ModelSpec};
use remuda_types::job::{
    Chat, Embed, JobInput, JobKind, Message, Millionths, Prompt, Resume, Role, ToolChoice,
};
use remuda_types::{ManifestHash, Seed, StopReason};

use crate::support::*;

fn message(role: Role, content: &str) -> Message {
    let content = content.into();
    Message { role, content, name: None, tool_calls: Vec::new(), tool_call_id: None }
}

fn chat(messages: Vec<Message>) -> Prompt {
    Prompt::Chat(Chat { messages, tools: Vec::new(), tool_choice: ToolChoice::None })
}

#[tokio::test]
async fn the_next_turn_reuses_the_cache_and_changes_nothing() {
    let mut turns = vec![message(Role::User, "What is the capital of France?")];
    let mut asked = generate("", 24);
    asked.prompt = chat(turns.clone());
    asked.sampling.temperature = Millionths::ZERO;
    let warm = engine(&spec());
    let first = run(&warm, job(1, asked.clone())).await.unwrap();
    assert!(!first.only().text.is_empty());
    assert_eq!(first.prepared[0].1, 0);

    turns.push(message(Role::Assistant, &first.only().text));
    turns.push(message(Role::User, "And of Italy?"));
    asked.prompt = chat(turns);
    let second = run(&warm, job(1, asked.clone())).await.unwrap();
    let (units_in, cached) = second.prepared[0];
    assert!(cached >= first.prepared[0].0, "{cached} of {units_in} were cached");
    assert!(cached < units_in);
    let cold = run(&engine(&spec()), job(1, asked)).await.unwrap();
    assert_eq!(second.only(), cold.only());
}

#[tokio::test]
async fn choices_share_the_prompt_and_differ() {
    let engine = engine(&spec());
    let mut asked = endless(generate(TEXT, 6));
    let alone = run(&engine, job(9, asked.clone())).await.unwrap();
    // More choices than slots.
    asked.choices = 5;
    let together = run(&engine, job(9, asked)).await.unwrap();
    assert_eq!(together.prepared.len(), 1);
    assert_eq!(together.answers.len(), 5);
    assert_eq!(&together.answers[&0], alone.only());
    for (index, answer) in &together.answers {
        assert_eq!(answer.stop, Some(StopReason::Length));
        assert_eq!(answer.tokens == alone.only().tokens, *index == 0);
    }
}

#[tokio::test]
async fn a_slow_reader_pauses_only_itself() {
    let (engine, recorder) = observed(&spec());
    let mut slow = engine.start(job(1, endless(generate("Hello", 80)))).await.unwrap();
    let quick = run(&engine, job(2, endless(generate("Hello", 50)))).await.unwrap();
    assert_eq!(quick.only().tokens.len(), 50);
    let ahead = recorder.of(1).len();
    assert!((1..40).contains(&ahead), "{ahead} tokens were drawn for nobody");
    let mut outcome = Outcome::default();
    while let Some(event) = slow.next().await {
        outcome.take(event.unwrap());
    }
    assert_eq!(outcome.only().tokens.len(), 80);
}

#[tokio::test]
async fn a_dropped_stream_is_cancelled_and_its_slot_serves_again() {
    let (engine, recorder) = observed(&ModelSpec { slots: 1, ..spec() });
    let mut stream = engine.start(job(1, endless(generate(TEXT, 400)))).await.unwrap();
    while !matches!(stream.next().await, Some(Ok(EngineEvent::Output(_)))) {}
    drop(stream);
    let drawn = recorder.of(1).len();
    let next = run(&engine, job(2, endless(generate("Hello", 4)))).await.unwrap();
    assert_eq!(next.only().tokens.len(), 4);
    let after = recorder.of(1).len();
    assert!(after <= drawn + 2, "{drawn} tokens, then {after}");
    assert_eq!(engine.load().active + engine.load().queued, 0);
}

#[tokio::test]
async fn more_than_slots_and_queue_is_overload() {
    let engine = engine(&ModelSpec { slots: 1, queue: 1, ..spec() });
    let asked = || job(1, endless(generate(TEXT, 400)));
    let running = engine.start(asked()).await.unwrap();
    let waiting = engine.start(asked()).await.unwrap();
    assert_eq!(engine.start(asked()).await.err(), Some(EngineError::Overloaded));
    drop((running, waiting));
    // Once the scheduler has noticed, there is room again.
    let mut room = engine.start(asked()).await;
    for _ in 0..10_000 {
        if room.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        room = engine.start(asked()).await;
    }
    assert!(room.is_ok());
}

#[tokio::test]
async fn ends_are_named() {
    let engine = engine(&spec());
    let mut asked = generate("One two three four five six seven eight nine", 40);
    asked.sampling.temperature = Millionths::ZERO;
    let free = run(&engine, job(1, asked.clone())).await.unwrap();
    let text = &free.only().text;
    let stop: String = text.chars().skip(6).take(5).collect();
    asked.stop = vec![stop.clone()];
    asked.logprobs = Some(3);
    let stopped = run(&engine, job(1, asked.clone())).await.unwrap();
    let stopped = stopped.only();
    assert_eq!(stopped.stop, Some(StopReason::Stop));
    assert_eq!(stopped.text, text[..text.find(&stop).unwrap()]);
    assert_eq!(stopped.logprobs.len(), stopped.tokens.len());
    for (entry, token) in stopped.logprobs.iter().zip(&stopped.tokens) {
        assert_eq!(entry.chosen.token, *token);
        assert_eq!((entry.top.len(), entry.top[0].token), (3, *token), "greedy takes the top");
        assert!(entry.chosen.logprob <= Millionths::ZERO);
    }
    // Only an end token is left.
    asked.stop.clear();
    asked.sampling.logit_bias.insert(2, Millionths(100_000_000));
    let ended = run(&engine, job(1, asked)).await.unwrap();
    assert_eq!((ended.only().tokens.as_slice(), ended.only().text.as_str()), (&[2][..], ""));
    assert_eq!(ended.only().stop, Some(StopReason::Stop));
}

#[tokio::test]
async fn the_context_ends_an_answer_and_refuses_a_prompt() {
    let engine = engine(&ModelSpec { context: 64, ..spec() });
    let outcome = run(&engine, job(1, endless(generate(TEXT, 1000)))).await.unwrap();
    let units_in = outcome.prepared[0].0;
    assert_eq!(outcome.only().tokens.len() as u64, 64 - units_in);
    assert_eq!(outcome.only().stop, Some(StopReason::Length));
    for prompt in [TEXT.repeat(3), TEXT.repeat(50_000)] {
        let refused = run(&engine, job(1, generate(&prompt, 1))).await;
        assert!(matches!(refused, Err(EngineError::ContextExceeded { units_in, context: 64 })
                if units_in >= 64));
    }
}

#[tokio::test]
async fn absurd_jobs_are_typed_errors() {
    let engine = engine(&spec());
    let mut unknown = job(1, generate("x", 1));
    unknown.manifest = ManifestHash::default();
    assert!(matches!(run(&engine, unknown).await, Err(EngineError::UnknownModel(_))));

    let mut foreign = generate("", 1);
    foreign.prompt = Prompt::Tokens(vec![1, 4_000_000_000]);
    let mut empty = generate("", 1);
    empty.prompt = Prompt::Tokens(Vec::new());
    let mut hot = generate("x", 1);
    hot.sampling.temperature = Millionths(i32::MAX);
    for (asked, named) in [(foreign, "prompt"), (empty, "prompt"), (hot, "temperature")] {
        let refused = run(&engine, job(1, asked)).await;
        assert!(
            matches!(&refused, Err(EngineError::InvalidInput { parameter, .. })
                if parameter == named),
            "{refused:?}"
        );
    }
    let refused = run(&engine, embed(&["x"])).await;
    assert!(matches!(refused, Err(EngineError::InvalidInput { .. })));
}

fn embed(texts: &[&str]) -> EngineJob {
    let inputs = texts.iter().map(|&text| text.into()).collect();
    EngineJob {
        manifest: MANIFEST,
        seed: Seed::from_caller(0),
        input: JobInput::Embed(Embed { inputs }),
        resume: Resume::default(),
    }
}

#[tokio::test]
async fn texts_become_vectors() {
    let spec = ModelSpec { kinds: vec![JobKind::Embed], ..spec() };
    let engine = engine(&spec);
    let texts = ["The cat sits on the mat.", "A cat sat on a mat.", "Tax law of 1954", TEXT];
    let outcome = run(&engine, embed(&texts)).await.unwrap();
    assert_eq!(outcome.vectors.len(), 4);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    for vector in &outcome.vectors {
        assert_eq!(vector.len(), 576);
        assert!((dot(vector, vector) - 1.0).abs() < 1e-4);
    }
    let [cat, other_cat, tax, _] = outcome.vectors.as_slice() else { unreachable!() };
    assert!(dot(cat, other_cat) > dot(cat, tax));
    // Alone or among others: the same bits.
    let alone = run(&engine, embed(&texts[2..3])).await.unwrap();
    assert_eq!(bits(&alone.vectors[0]), bits(tax));
    let refused = run(&engine, job(1, generate("x", 1))).await;
    assert!(matches!(refused, Err(EngineError::InvalidInput { .. })));
}
