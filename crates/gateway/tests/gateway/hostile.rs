//! What strangers send to a port.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{PATIENCE, Reply, World, api_key, post, read_to_end};

const CHAT: &str = "/v1/chat/completions";
const HI: &str = r#"{"model":"text","messages":[{"role":"user","content":"hi"}]}"#;

fn head(more: &str) -> String {
    format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n{more}\r\n", api_key())
}

#[tokio::test]
async fn a_body_of_two_gigabytes_is_refused_unread() {
    let world = World::new().await;
    let reply = world.raw(head("content-length: 2147483648\r\n").as_bytes()).await;
    assert_eq!((reply.status, reply.error().1.as_str()), (413, "body_too_large"));
}

#[tokio::test]
async fn a_body_that_grows_without_saying_so_is_refused() {
    let world = World::with(|config| config.body_bytes_max = 1_000, false).await;
    let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
    let request = head("transfer-encoding: chunked\r\n") + &chunk;
    let reply = world.raw(request.as_bytes()).await;
    assert_eq!((reply.status, reply.error().1.as_str()), (413, "body_too_large"));
}

#[tokio::test]
async fn slow_heads_and_bodies_are_not_waited_for() {
    let quick = Duration::from_millis(50);
    let world = World::with(
        |config| {
            config.header_read_timeout = quick;
            config.body_read_timeout = quick;
        },
        false,
    )
    .await;
    // Nothing at all, one byte that fits two protocols, and half a head: closed unanswered.
    for begun in ["", "P", "POST /v1/chat/completions HTTP/1.1\r\nho"] {
        let mut stream = world.connect().await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{begun:?}");
    }
    let reply = world.raw((head("content-length: 100\r\n") + "{").as_bytes()).await;
    assert_eq!((reply.status, reply.error().1.as_str()), (408, "body_timeout"));
}

#[tokio::test]
async fn bad_bodies_are_typed_errors() {
    let world = World::new().await;
    let deep = format!(r#"{{"model":"m","messages":{}1{}}}"#, "[".repeat(9_999), "]".repeat(9_999));
    let schema = format!(r#"{}"a"{}"#, "{\"a\":".repeat(999), "}".repeat(999));
    let deep_schema = HI.replace(
        "]}",
        &format!(
            r#"],"response_format":{{"type":"json_schema","json_schema":{{"schema":{schema}}}}}}}"#
        ),
    );
    let with = |more: &str| HI.replace("]}", &format!("],{more}}}"));
    let cases = [
        ("", "invalid_json", None),
        ("{", "invalid_json", None),
        ("\u{0}", "invalid_json", None),
        ("null", "invalid_parameter", Some("body")),
        (deep.as_str(), "invalid_parameter", Some("messages[0][0]")),
        (deep_schema.as_str(), "invalid_parameter", Some("response_format")),
        (&with(r#""temperature":NaN"#), "invalid_parameter", Some("temperature")),
        (&with(r#""temperature":1e999"#), "invalid_parameter", Some("temperature")),
        (&with(r#""temperature":1e300"#), "invalid_parameter", Some("temperature")),
        (&with(r#""temperature":-0.1"#), "invalid_parameter", Some("temperature")),
        (&with(r#""top_p":1.5"#), "invalid_parameter", Some("top_p")),
        (&with(r#""n":0"#), "invalid_parameter", Some("n")),
        (&with(r#""n":99999999999"#), "invalid_parameter", Some("n")),
        (&with(r#""max_tokens":0"#), "invalid_parameter", Some("max_tokens")),
        (&with(r#""seed":1e30"#), "invalid_parameter", Some("seed")),
        (&with(r#""stop":[""]"#), "invalid_parameter", Some("stop")),
        (&with(r#""logit_bias":{"a":1}"#), "invalid_parameter", Some("logit_bias")),
        (&with(r#""top_logprobs":5"#), "invalid_parameter", Some("top_logprobs")),
        (&with(r#""tool_choice":"required""#), "invalid_parameter", Some("tool_choice")),
        (&with(r#""stream_options":{}"#), "invalid_parameter", Some("stream_options")),
        (&with(r#""functions":[]"#), "invalid_parameter", Some("functions")),
        (r#"{"model":"m","messages":[]}"#, "invalid_parameter", Some("messages")),
        (r#"{"messages":[]}"#, "invalid_parameter", Some("model")),
    ];
    for (body, code, param) in cases {
        let reply = world.post(CHAT, body).await;
        let shown: String = body.chars().take(100).collect();
        let expected = (400, code.to_owned(), param.map(ToOwned::to_owned));
        assert_eq!(reply.error(), expected, "{shown}: {}", reply.body);
    }
    assert!(world.seen.requests.lock().is_empty());
}

#[tokio::test]
async fn other_endpoints_refuse_what_they_cannot_do() {
    let world = World::new().await;
    let cases = [
        ("/v1/completions", r#"{"model":"m","prompt":"a","echo":true}"#, "echo"),
        ("/v1/completions", r#"{"model":"m","prompt":"a","best_of":2}"#, "best_of"),
        ("/v1/completions", r#"{"model":"m","prompt":["a","b"]}"#, "prompt"),
        ("/v1/completions", r#"{"model":"m","prompt":[]}"#, "prompt"),
        ("/v1/completions", r#"{"model":"m","prompt":[1,-1]}"#, "prompt[1]"),
        (
            "/v1/responses",
            r#"{"model":"m","input":"a","previous_response_id":"r"}"#,
            "previous_response_id",
        ),
        ("/v1/responses", r#"{"model":"m","input":[]}"#, "input"),
        ("/v1/responses", r#"{"model":"m","input":[{"type":"item_reference"}]}"#, "input[0]"),
        ("/v1/responses", r#"{"model":"m","input":"a","tools":[{"type":"web_search"}]}"#, "tools"),
        ("/v1/embeddings", r#"{"model":"embed","input":""}"#, "input"),
        ("/v1/embeddings", r#"{"model":"embed","input":"a","dimensions":3}"#, "dimensions"),
        (
            "/v1/embeddings",
            r#"{"model":"embed","input":"a","encoding_format":"x"}"#,
            "encoding_format",
        ),
    ];
    for (path, body, param) in cases {
        let reply = world.post(path, body).await;
        let expected = (400, "invalid_parameter".to_owned(), Some(param.to_owned()));
        assert_eq!(reply.error(), expected, "{path} {body}: {}", reply.body);
    }
}

#[tokio::test]
async fn types_keys_paths_and_methods_are_checked() {
    let world = World::new().await;
    let plain = post(CHAT, HI).replace("application/json", "text/plain");
    assert_eq!(world.raw(plain.as_bytes()).await.error().0, 415);
    let charset = post(CHAT, HI).replace("application/json", "Application/JSON; charset=utf-8");
    assert_eq!(world.raw(charset.as_bytes()).await.status, 200);
    let untyped = post(CHAT, HI).replace("content-type: application/json\r\n", "");
    assert_eq!(world.raw(untyped.as_bytes()).await.status, 200);
    let keyless = post(CHAT, HI).replace("authorization", "x-authorization");
    assert_eq!(world.raw(keyless.as_bytes()).await.error().1, "missing_api_key");
    let wrong = post(CHAT, HI).replace(&api_key(), "sk-remuda-1oops");
    assert_eq!(world.raw(wrong.as_bytes()).await.error(), (401, "invalid_api_key".into(), None));
    assert_eq!(world.get("/v1/nothing").await.error().0, 404);
    let method = world.get(CHAT).await;
    assert_eq!((method.error().0, method.header("allow")), (405, Some("POST")));
    assert_eq!(world.raw(b"nonsense\r\n\r\n").await.status, 400);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let world = World::new().await;
    let keep = |body: &str| post(CHAT, body).replace("connection: close\r\n", "");
    let all = keep(HI) + &keep("{") + &post(CHAT, HI);
    let mut stream = world.connect().await;
    stream.write_all(all.as_bytes()).await.unwrap();
    let bytes = read_to_end(&mut stream).await;
    let text = String::from_utf8(bytes).unwrap();
    let replies: Vec<_> = text
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|r| Reply::parse(format!("_ {r}").as_bytes()))
        .collect();
    let statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
    assert_eq!(statuses, [200, 400, 200]);
}

#[tokio::test]
async fn http2_is_spoken_by_prior_knowledge() {
    let world = World::new().await;
    let mut stream = world.connect().await;
    // The preface and empty settings; the answer begins with the gateway's own settings frame.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut frame = [0; 9];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut frame)).await.unwrap().unwrap();
    assert_eq!(frame[3], 4);
}
