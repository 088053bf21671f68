//! Decoding, recomputing and continuing elsewhere give the same bits.

use futures_util::future::join_all;
use remuda_engine::llm::{Model, recompute};
use remuda_engine::{EngineError, EngineJob, ModelSpec};
use remuda_types::StopReason;
use remuda_types::job::{Constraint, Prompt, Resume, ResumeChoice};

use crate::support::*;

fn resumed(mut job: EngineJob, first: &Answer, tokens: usize) -> EngineJob {
    let text = if tokens == 0 { String::new() } else { first.texts[tokens - 1].clone() };
    let choice = ResumeChoice {
        tokens: first.tokens[..tokens].to_vec(),
        text,
        units: u32::try_from(tokens).unwrap(),
        finished: None,
    };
    job.resume = Resume { choices: vec![choice] };
    job
}

fn assert_continues(whole: &Answer, rest: &Answer, from: usize) {
    assert_eq!(rest.tokens, whole.tokens[from..]);
    let before = if from == 0 { "" } else { &whole.texts[from - 1] };
    assert_eq!(format!("{before}{}", rest.text), whole.text);
    assert_eq!(rest.stop, whole.stop);
}

#[tokio::test]
async fn another_engine_continues_exactly() {
    let asked = job(41, endless(generate(TEXT, 64)));
    let whole = run(&engine(&spec()), asked.clone()).await.unwrap();
    let whole = whole.only();
    assert_eq!((whole.tokens.len(), whole.stop), (64, Some(StopReason::Length)));

    // A fresh scheduler, prompts in pieces of seven, three strangers beside it.
    let other = engine(&ModelSpec { prefill: 7, ..spec() });
    let strangers = (0..3).map(|seed| {
        let prompt = TEXT.split_at(usize::try_from(seed).unwrap() * 9).1;
        run(&other, job(seed, endless(generate(prompt, 16))))
    });
    let continued = async {
        let rest = run(&other, resumed(asked.clone(), whole, 20)).await.unwrap();
        assert_continues(whole, rest.only(), 20);
        // And again, now on a warm cache.
        let again = run(&other, resumed(asked.clone(), whole, 50)).await.unwrap();
        assert!(again.prepared[0].1 > 0, "the prompt is cached by now");
        assert_continues(whole, again.only(), 50);
    };
    let (strangers, ()) = tokio::join!(join_all(strangers), continued);
    assert!(strangers.iter().all(Result::is_ok));
}

#[tokio::test]
async fn decoding_equals_recomputing_bit_for_bit() {
    let (engine, recorder) = observed(&ModelSpec { hidden_states: true, ..spec() });
    let prompt = engine.model().tokenize(TEXT).unwrap();
    let mut asked = endless(generate("", 32));
    asked.prompt = Prompt::Tokens(prompt.clone());
    let beside = run(&engine, job(1, endless(generate("Once upon a time", 40))));
    let (outcome, beside) = tokio::join!(run(&engine, job(5, asked.clone())), beside);
    beside.unwrap();
    let drawn = recorder.of(5);
    let output: Vec<u32> = drawn.iter().map(|seen| seen.token).collect();
    assert_eq!(output, outcome.unwrap().only().tokens);

    let all = [prompt.as_slice(), &output].concat();
    // One batch instead of steps, and two threads instead of one.
    let two = Model::load(&ModelSpec { threads: Some(2), ..spec() }).unwrap();
    let states = recompute(&two, &all, prompt.len() - 1).unwrap();
    for (seen, state) in drawn.iter().zip(&states) {
        assert_eq!(seen.logits, bits(&state.logits), "logits at {}", seen.position);
        assert_eq!(seen.hidden.as_ref(), Some(&bits(&state.hidden)), "state at {}", seen.position);
    }
    assert_eq!(drawn.len(), 32);

    // Without hidden states the logits are the same.
    let (plain, recorder) = observed(&spec());
    run(&plain, job(5, asked)).await.unwrap();
    for (with, without) in drawn.iter().zip(recorder.of(5)) {
        assert_eq!(with.logits, without.logits);
        assert_eq!(without.hidden, None);
    }
    assert_eq!(recorder.of(5).len(), 32);
}

#[tokio::test]
async fn this_build_promises_exactness() {
    let engine = engine(&spec());
    let numerics = engine.model().numerics().expect("llamafile's kernels must be off");
    assert!(numerics.ends_with("/fa-off/Q4_1"), "{numerics}");
    assert!(!numerics.contains("llamafile"), "{numerics}");
}

#[tokio::test]
async fn a_constrained_answer_continues_exactly() {
    let engine = engine(&spec());
    let mut asked = generate("A person as JSON: ", 48);
    let schema = r#"{"type":"object","properties":{"name":{"type":"string","maxLength":12},
        "age":{"type":"integer","minimum":1,"maximum":120}},
        "required":["name","age"],"additionalProperties":false}"#;
    asked.constraint = Constraint::JsonSchema(schema.into());
    let whole = run(&engine, job(3, asked.clone())).await.unwrap();
    let whole = whole.only();
    let parsed: serde_json::Value = serde_json::from_str(&whole.text).unwrap();
    assert!(parsed["name"].is_string() && parsed["age"].is_u64(), "{parsed}");
    assert_eq!(whole.stop, Some(StopReason::Stop));
    let half = whole.tokens.len() / 2;
    let rest = run(&engine, resumed(job(3, asked), whole, half)).await.unwrap();
    assert_continues(whole, rest.only(), half);
}

#[tokio::test]
async fn a_continuation_that_cannot_be_right_is_refused() {
    let engine = engine(&spec());
    let asked = job(2, endless(generate(TEXT, 8)));
    let whole = run(&engine, asked.clone()).await.unwrap();
    let whole = whole.only();
    let refused = |job: EngineJob| run(&engine, job);

    let mut text = resumed(asked.clone(), whole, 4);
    text.resume.choices[0].text.push('x');
    let mut tokens = resumed(asked.clone(), whole, 4);
    tokens.resume.choices[0].tokens[0] = u32::MAX;
    let mut units = resumed(asked.clone(), whole, 4);
    units.resume.choices[0].tokens.clear();
    let mut choices = resumed(asked.clone(), whole, 4);
    choices.resume.choices.push(ResumeChoice::default());
    for job in [text, tokens, units, choices] {
        assert!(matches!(refused(job).await, Err(EngineError::CannotResume(_))));
    }
    // All tokens are there, only the end was not heard of.
    let end = run(&engine, resumed(asked.clone(), whole, 8)).await.unwrap();
    assert_eq!((end.only().tokens.len(), end.only().stop), (0, Some(StopReason::Length)));
    // The end was heard of: nothing is left to say.
    let mut done = resumed(asked, whole, 8);
    done.resume.choices[0].finished = Some(StopReason::Length);
    let nothing = run(&engine, done).await.unwrap();
    assert_eq!((nothing.prepared.len(), nothing.answers.len()), (1, 0));
}
