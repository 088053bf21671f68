//! An OpenAI-compatible server that answers at once with fixed text: 32 tokens, as one JSON
//! document or as 32 events. It is the floor that gateways are measured above.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// The tokens of every answer, and the events of every stream.
const TOKENS: usize = 32;

type Body = BoxBody<Bytes, Infallible>;

#[tokio::main]
async fn main() -> Result<()> {
    let address: SocketAddr =
        std::env::args().nth(1).context("usage: mock ADDRESS")?.parse().context("ADDRESS")?;
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer)),
        );
    }
}

/// The answer to a question for models.
const MODELS: &str =
    r#"{"object":"list","data":[{"id":"mock","object":"model","created":1,"owned_by":"mock"}]}"#;

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let body = request.into_body().collect().await?.to_bytes();
    let streamed = contains(&body, b"\"stream\":true") || contains(&body, b"\"stream\": true");
    let (kind, body) = match (method, path.as_str()) {
        (Method::POST, "/v1/chat/completions") if streamed => ("text/event-stream", events()),
        (Method::POST, "/v1/chat/completions") => ("application/json", whole(document())),
        (Method::GET, "/v1/models") => ("application/json", whole(MODELS.to_owned())),
        (Method::GET, "/health" | "/healthz") => ("text/plain", whole("ok".to_owned())),
        _ => {
            let mut response = Response::new(whole("{}".to_owned()));
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Ok(response);
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(kind));
    Ok(response)
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

fn whole(text: String) -> Body {
    Full::new(Bytes::from(text)).boxed()
}

fn document() -> String {
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"mock","choices":[{{"index":0,"message":{{"role":"assistant","content":"{}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":9,"completion_tokens":{TOKENS},"total_tokens":{}}}}}"#,
        "word ".repeat(TOKENS),
        TOKENS + 9
    )
}

/// Each event is a frame of its own, so that it travels on its own.
fn events() -> Body {
    let event = |delta: &str, finish: &str, choices: bool, usage: &str| {
        let mut text = BytesMut::new();
        let choices = if choices {
            format!(r#"{{"index":0,"delta":{delta},"finish_reason":{finish}}}"#)
        } else {
            String::new()
        };
        let line = format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\
             \"model\":\"mock\",\"choices\":[{choices}]{usage}}}\n\n"
        );
        text.extend_from_slice(line.as_bytes());
        Ok::<_, Infallible>(Frame::data(text.freeze()))
    };
    let mut frames = vec![event(r#"{"role":"assistant","content":""}"#, "null", true, "")];
    frames.extend((0..TOKENS).map(|_| event(r#"{"content":"word "}"#, "null", true, "")));
    frames.push(event("{}", r#""stop""#, true, ""));
    let usage = format!(
        r#","usage":{{"prompt_tokens":9,"completion_tokens":{TOKENS},"total_tokens":{}}}"#,
        TOKENS + 9
    );
    frames.push(event("", "", false, &usage));
    frames.push(Ok(Frame::data(Bytes::from_static(b"data: [DONE]\n\n"))));
    StreamBody::new(Yielding(frames.into_iter())).boxed()
}

/// Hands out one frame a poll, with a pause in between for the connection to write it.
struct Yielding(std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>);

impl futures_util::Stream for Yielding {
    type Item = Result<Frame<Bytes>, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}
