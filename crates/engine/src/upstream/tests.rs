//! The engine against a local server that behaves, breaks off, lies or says too much.

use std::sync::Mutex;

use futures_util::StreamExt;
use proptest::prelude::*;
use remuda_types::job::{
    Chat, Constraint, Delta, Message, Millionths, Resume, ResumeChoice, Role, Sampling, Tool,
    ToolCallDelta, ToolChoice,
};
use remuda_types::{Hash, Seed, StopReason};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const MANIFEST: ManifestHash = ManifestHash(Hash([3; 32]));

/// What the server does with a connection after it has read a request.
#[derive(Clone)]
enum Answer {
    /// These bytes, then the connection is closed.
    Bytes(Vec<u8>),
    /// These bytes, then nothing, and the connection stays open.
    Hang(Vec<u8>),
    /// These bytes, then the last ones again and again.
    Endless(Vec<u8>, Vec<u8>),
}

struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

async fn serve(answer: Answer) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(vec![]));
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(respond(socket, answer.clone(), Arc::clone(&seen)));
        }
    });
    Server { url, requests }
}

async fn respond(mut socket: TcpStream, answer: Answer, seen: Arc<Mutex<Vec<String>>>) {
    let request = read_request(&mut socket).await;
    seen.lock().unwrap().push(request);
    match answer {
        Answer::Bytes(bytes) => {
            let _ = socket.write_all(&bytes).await;
            let _ = socket.shutdown().await;
        }
        Answer::Hang(bytes) => {
            let _ = socket.write_all(&bytes).await;
            let _ = socket.read(&mut [0; 1]).await;
        }
        Answer::Endless(bytes, again) => {
            let _ = socket.write_all(&bytes).await;
            while socket.write_all(&again).await.is_ok() {}
        }
    }
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = socket.read(&mut buffer).await.unwrap_or(0);
        request.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if count == 0 {
                return text.into_owned();
            } else {
                continue;
            };
        };
        let length = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(0, |(_, length)| length.trim().parse().unwrap());
        if body.len() >= length || count == 0 {
            return text.into_owned();
        }
    }
}

fn http(status: &str, content_type: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

fn sse(events: &[&str]) -> Vec<u8> {
    let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    http("200 OK", "text/event-stream; charset=utf-8", &body)
}

fn config(server: &Server) -> UpstreamConfig {
    UpstreamConfig {
        idle_timeout: Duration::from_millis(300),
        kinds: vec![JobKind::Generate, JobKind::Embed],
        api_key: Some("secret".into()),
        ..UpstreamConfig::new(&server.url, "tiny", MANIFEST)
    }
}

fn generate() -> Generate {
    let message = Message {
        role: Role::User,
        content: "Hello there".into(),
        name: None,
        tool_calls: vec![],
        tool_call_id: None,
    };
    let chat = Chat { messages: vec![message], tools: vec![], tool_choice: ToolChoice::Auto };
    Generate {
        prompt: Prompt::Chat(chat),
        choices: 1,
        max_output: 10,
        sampling: Sampling::default(),
        stop: vec![],
        constraint: Constraint::None,
        logprobs: None,
    }
}

fn job(input: JobInput, resume: Resume) -> EngineJob {
    EngineJob { manifest: MANIFEST, seed: Seed::from_caller(5), input, resume }
}

async fn run(
    config: UpstreamConfig,
    input: Generate,
    resume: Resume,
) -> Result<Vec<EngineEvent>, EngineError> {
    let engine = UpstreamEngine::new(config).unwrap();
    let stream = engine.start(job(JobInput::Generate(input), resume)).await?;
    assert_eq!(engine.load().active, 1);
    let events: Vec<_> = stream.collect().await;
    assert_eq!(engine.load().active, 0);
    events.into_iter().collect()
}

async fn outcome(answer: Answer) -> Result<Vec<EngineEvent>, EngineError> {
    let server = serve(answer).await;
    run(config(&server), generate(), Resume::default()).await
}

fn output(text: &str, units: u32) -> EngineEvent {
    EngineEvent::Output(Delta { text: text.into(), units, ..Delta::default() })
}

fn done(stop: StopReason) -> EngineEvent {
    EngineEvent::ChoiceDone { choice: 0, stop }
}

fn prepared(units_in: u64) -> EngineEvent {
    EngineEvent::Prepared { units_in, units_cached: 0 }
}

const HELLO: [&str; 5] = [
    r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
    r#"{"id":"x","choices":[{"index":0,"delta":{"content":"Hé\n"},"finish_reason":null}]}"#,
    r#"{"choices":[{"index":0,"delta":{"content":"llo"},"finish_reason":"length"}]}"#,
    r#"{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":5,"total_tokens":9}}"#,
    "[DONE]",
];

#[tokio::test]
async fn streams_and_meters() {
    let server = serve(Answer::Bytes(sse(&HELLO))).await;
    let events = run(config(&server), generate(), Resume::default()).await.unwrap();
    // The server counted five tokens in two pieces: the rest comes at the end.
    let expected =
        [prepared(3), output("Hé\n", 1), output("llo", 1), output("", 3), done(StopReason::Length)];
    assert_eq!(events, expected);
    let request = server.requests.lock().unwrap()[0].clone();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1"));
    assert!(head.contains("authorization: Bearer secret"));
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let seed = body["seed"].as_u64().unwrap();
    assert!(seed > 0 && i64::try_from(seed).is_ok());
    assert_eq!((body["n"].as_u64(), body["max_tokens"].as_u64()), (Some(1), Some(10)));
    assert_eq!(body["stream_options"], serde_json::json!({"include_usage": true}));
    let message = serde_json::json!([{"role": "user", "content": "Hello there"}]);
    assert_eq!(body["messages"], message);
    assert!(body.get("tools").is_none() && body.get("response_format").is_none());
}

#[tokio::test]
async fn continuous_usage_meters_exactly() {
    let first = r#"{"choices":[{"delta":{"content":"ab"}}],
        "usage":{"prompt_tokens":7,"completion_tokens":2,
        "prompt_tokens_details":{"cached_tokens":6}}}"#
        .replace('\n', "");
    let last = r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3}}"#;
    let server = serve(Answer::Bytes(sse(&[&first, last, "[DONE]"]))).await;
    let config = UpstreamConfig { continuous_usage: true, ..config(&server) };
    let events = run(config, generate(), Resume::default()).await.unwrap();
    let prepared = EngineEvent::Prepared { units_in: 7, units_cached: 6 };
    assert_eq!(events, [prepared, output("ab", 2), output("", 1), done(StopReason::Stop)]);
}

#[tokio::test]
async fn a_server_cannot_count_beyond_what_was_allowed() {
    let lie = r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"completion_tokens":99999999}}"#;
    let events = outcome(Answer::Bytes(sse(&[lie, "[DONE]"]))).await.unwrap();
    assert_eq!(events, [prepared(3), output("a", 10), done(StopReason::Stop)]);
}

#[tokio::test]
async fn everything_asked_is_passed_on() {
    let server = serve(Answer::Bytes(sse(&HELLO))).await;
    let mut input = generate();
    let tool =
        Tool { name: "f".into(), description: None, parameters: r#"{"type":"object"}"#.into() };
    if let Prompt::Chat(chat) = &mut input.prompt {
        chat.tools.push(tool);
        chat.tool_choice = ToolChoice::Named("f".into());
    }
    input.constraint = Constraint::JsonSchema(r#"{"b":1,"a":2}"#.into());
    input.logprobs = Some(2);
    input.stop = vec!["x".into()];
    input.sampling.temperature = Millionths(500_000);
    input.sampling.top_k = 40;
    input.sampling.repetition_penalty = Millionths(1_100_000);
    input.sampling.logit_bias = [(7, Millionths(-1_000_000))].into();
    run(config(&server), input.clone(), Resume::default()).await.unwrap();
    let request = server.requests.lock().unwrap()[0].clone();
    for part in [
        r#""temperature":0.5"#,
        r#""top_k":40"#,
        r#""repetition_penalty":1.1"#,
        r#""logit_bias":{"7":-1.0}"#,
        r#""stop":["x"]"#,
        r#""logprobs":true,"top_logprobs":2"#,
        r#""response_format":{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":{"b":1,"a":2}}}"#,
        r#""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]"#,
        r#""tool_choice":{"type":"function","function":{"name":"f"}}"#,
    ] {
        assert!(request.contains(part), "{part} is not in {request}");
    }
    input.prompt = Prompt::Text("Once".into());
    run(config(&server), input.clone(), Resume::default()).await.unwrap();
    let request = server.requests.lock().unwrap()[1].clone();
    assert!(request.starts_with("POST /v1/completions ") && request.contains(r#""prompt":"Once""#));
    assert!(request.contains(r#""logprobs":2"#));
    input.constraint = Constraint::Regex("a".into());
    let error = run(config(&server), input, Resume::default()).await.unwrap_err();
    let EngineError::InvalidInput { parameter, .. } = error else { panic!("{error}") };
    assert_eq!(parameter, "response_format");
}

#[tokio::test]
async fn tool_calls_and_logprobs_arrive_whole() {
    let events = [
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"theirs","function":{"name":"f","arguments":""}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"finish_reason":"tool_calls"}]}"#,
        "[DONE]",
    ];
    let got = outcome(Answer::Bytes(sse(&events))).await.unwrap();
    let call = ToolCallDelta {
        index: 0,
        id: Some(crate::text::call_id(&Seed::from_caller(5), 0, 0)),
        name: Some("f".into()),
        arguments: "{\"a\":1}".into(),
    };
    let delta = Delta { units: 3, tool_calls: vec![call], ..Delta::default() };
    assert_eq!(got[1..], [EngineEvent::Output(delta), done(StopReason::ToolCalls)]);

    let logprobs = r#"{"choices":[{"delta":{"content":"ab"},"logprobs":{"content":[
        {"token":"a","bytes":[97],"logprob":-0.5,"top_logprobs":[{"token":"a","logprob":-0.5}]},
        {"token":"b","logprob":-9999.0}]},"finish_reason":"stop"}]}"#
        .replace('\n', "");
    let got = outcome(Answer::Bytes(sse(&[&logprobs, "[DONE]"]))).await.unwrap();
    let EngineEvent::Output(delta) = &got[1] else { panic!("{got:?}") };
    assert_eq!((delta.units, delta.logprobs.len()), (2, 2));
    assert_eq!(delta.logprobs[0].top[0].bytes, b"a");
    assert_eq!(delta.logprobs[1].chosen.logprob, Millionths(-2_000_000_000));
}

#[tokio::test]
async fn a_resumed_job_gives_the_rest_and_the_same_bill() {
    let server = serve(Answer::Bytes(sse(&HELLO))).await;
    for (known, units, expected) in [
        ("", 0, vec![output("Hé\n", 1), output("llo", 1), output("", 3)]),
        ("H", 1, vec![output("é\n", 0), output("llo", 1), output("", 3)]),
        ("Hé\nl", 2, vec![output("lo", 0), output("", 3)]),
        ("Hé\nllo", 5, vec![]),
    ] {
        let choice = ResumeChoice { text: known.into(), units, ..ResumeChoice::default() };
        let resume = Resume { choices: vec![choice] };
        let events = run(config(&server), generate(), resume).await.unwrap();
        assert_eq!(events[1..events.len() - 1], expected, "{known}");
        assert_eq!(events.last(), Some(&done(StopReason::Length)));
    }
    for other in ["Hello", "Hé\nllo!"] {
        let choice = ResumeChoice { text: other.into(), units: 1, ..ResumeChoice::default() };
        let resume = Resume { choices: vec![choice] };
        let error = run(config(&server), generate(), resume).await.unwrap_err();
        assert!(matches!(error, EngineError::CannotResume(_)), "{error}");
    }
}

#[tokio::test]
async fn a_broken_stream_is_an_error() {
    let json = r#"{"choices":[{"message":{"content":"x"}}]}"#;
    let huge = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
        content-length: 2147483648\r\n\r\ndata: 1\n\n";
    let cases = [
        ("ended before", Answer::Bytes(sse(&HELLO[..2]))),
        ("ended before", Answer::Bytes(sse(&["[DONE]"]))),
        ("ended before", Answer::Bytes(sse(&[]))),
        ("no chunk", Answer::Bytes(sse(&["{\"choices\":7}"]))),
        ("no chunk", Answer::Bytes(sse(&["\u{0}"]))),
        ("out of memory", Answer::Bytes(sse(&[r#"{"error":{"message":"out of memory"}}"#]))),
        ("a choice 7", Answer::Bytes(sse(&[r#"{"choices":[{"index":7}]}"#]))),
        ("no event stream", Answer::Bytes(http("200 OK", "application/json", json))),
        ("no event stream", Answer::Bytes(http("200 OK", "text/html", "<html>"))),
        ("no chunk", Answer::Bytes(huge.to_vec())),
        ("answered 302", Answer::Bytes(http("302 Found", "text/html\r\nlocation: /", ""))),
        ("cannot be reached", Answer::Bytes(b"SSH-2.0-x\r\n".to_vec())),
        ("silent", Answer::Hang(vec![])),
        ("silent", Answer::Hang(sse(&HELLO[..2]))),
        ("longer than", Answer::Endless(sse(&[]), vec![b'x'; 1 << 16])),
    ];
    for (expected, answer) in cases {
        let error = outcome(answer).await.unwrap_err();
        assert!(matches!(&error, EngineError::Failed(text) if text.contains(expected)), "{error}");
    }
    let nowhere = UpstreamConfig::new("http://127.0.0.1:9", "m", MANIFEST);
    let engine = UpstreamEngine::new(nowhere).unwrap();
    let started = engine.start(job(JobInput::Generate(generate()), Resume::default()));
    assert!(matches!(started.await, Err(EngineError::Failed(text)) if text.contains("reached")));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let error = |status: &str, body: &str| Answer::Bytes(http(status, "application/json", body));
    let bad = r#"{"error":{"message":"too hot","param":"temperature"}}"#;
    let long = r#"{"error":{"message":"long","code":"context_length_exceeded"}}"#;
    let invalid = invalid("temperature", "too hot".into());
    assert_eq!(outcome(error("400 Bad Request", bad)).await, Err(invalid));
    let exceeded = outcome(error("400 Bad Request", long)).await;
    assert!(matches!(exceeded, Err(EngineError::ContextExceeded { .. })));
    for status in ["429 Too Many Requests", "503 Service Unavailable"] {
        assert_eq!(outcome(error(status, "")).await, Err(EngineError::Overloaded));
    }
    let unknown = Err(EngineError::UnknownModel(MANIFEST));
    assert_eq!(outcome(error("404 Not Found", "{}")).await, unknown);
    for (status, part) in [("401 Unauthorized", "key"), ("500 Internal Server Error", "500")] {
        let error = outcome(error(status, "nonsense")).await.unwrap_err();
        assert!(matches!(&error, EngineError::Failed(text) if text.contains(part)), "{error}");
    }
}

#[tokio::test]
async fn slots_are_bounded_and_given_back() {
    let server = serve(Answer::Hang(sse(&HELLO[..2]))).await;
    let config = UpstreamConfig { slots: 1, ..config(&server) };
    let engine = UpstreamEngine::new(config).unwrap();
    let start = || engine.start(job(JobInput::Generate(generate()), Resume::default()));
    let first = start().await.unwrap();
    assert!(matches!(start().await, Err(EngineError::Overloaded)));
    drop(first);
    assert_eq!(engine.load().active, 0);
    assert!(start().await.is_ok());
}

#[tokio::test]
async fn embeds_and_probes() {
    let rows = r#"{"data":[{"index":1,"embedding":[2.0]},{"index":0,"embedding":[1.0]}],"usage":{"prompt_tokens":9}}"#;
    let ask = |body: &str| {
        let answer = Answer::Bytes(http("200 OK", "application/json", body));
        async move {
            let server = serve(answer).await;
            let engine = UpstreamEngine::new(config(&server)).unwrap();
            let input = JobInput::Embed(Embed { inputs: vec!["a".into(), "b".into()] });
            let stream = engine.start(job(input, Resume::default())).await?;
            let events: Result<Vec<_>, _> = stream.collect::<Vec<_>>().await.into_iter().collect();
            events
        }
    };
    let vectors = EngineEvent::Embeddings(vec![vec![1.0], vec![2.0]]);
    assert_eq!(ask(rows).await.unwrap(), [prepared(9), vectors]);
    for bad in ["{}", r#"{"data":[]}"#, r#"{"data":[{"embedding":[]},{"embedding":[]}]}"#] {
        assert!(matches!(ask(bad).await, Err(EngineError::Failed(_))), "{bad}");
    }
    let list = http("200 OK", "application/json", r#"{"data":[{"id":"tiny"},{"id":"b"}]}"#);
    let server = serve(Answer::Bytes(list)).await;
    let engine = UpstreamEngine::new(config(&server)).unwrap();
    assert_eq!(engine.probe().await.unwrap(), ["tiny", "b"]);
}

#[test]
fn unusable_addresses_are_refused() {
    for url in ["ftp://a", "localhost:80", ""] {
        let engine = UpstreamEngine::new(UpstreamConfig::new(url, "m", MANIFEST));
        assert!(matches!(engine, Err(EngineError::InvalidInput { .. })), "{url}");
    }
}

/// TLS has a provider: a secure address is no panic, with or without certificates here.
#[tokio::test]
async fn secure_addresses_work() {
    let config = UpstreamConfig::new("https://127.0.0.1:9/v1", "m", MANIFEST);
    if let Ok(engine) = UpstreamEngine::new(config) {
        assert!(matches!(engine.probe().await, Err(EngineError::Failed(_))));
    }
}

proptest! {
    /// Whatever a server sends in its events is answered without a panic, and what is metered
    /// stays within what was allowed.
    #[test]
    fn hostile_events_are_bounded(
        events in proptest::collection::vec(
            prop_oneof![
                proptest::sample::select(HELLO.to_vec()).prop_map(str::to_owned),
                ".{0,20}",
                (any::<u16>(), "[a-zé\\\\\"]{0,5}", any::<u64>()).prop_map(|(index, text, units)| {
                    serde_json::json!({
                        "choices": [{"index": index % 3, "delta": {"content": text}}],
                        "usage": {"completion_tokens": units},
                    })
                    .to_string()
                }),
            ],
            0..8,
        ),
        known in "[Hél]{0,2}",
    ) {
        let input = Generate { choices: 2, ..generate() };
        let choice = ResumeChoice { text: known, units: 1, ..ResumeChoice::default() };
        let mut run = Run::new(&input, Seed::from_caller(1), &Resume { choices: vec![choice] }, 1);
        for event in &events {
            if run.data(event.as_bytes()).is_err() {
                break;
            }
        }
        let mut units = 0;
        while let Some(event) = run.pop() {
            if let EngineEvent::Output(delta) = event {
                units += u64::from(delta.units);
            }
        }
        prop_assert!(units <= 20);
    }
}
