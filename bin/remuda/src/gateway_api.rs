//! The command line's own HTTP client for a gateway.

use anyhow::{Context, Result};
use futures_util::StreamExt;
use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::exit::{Exit, coded};

/// The longest line of an event stream, in bytes.
const LINE_BYTES_MAX: usize = 4 << 20;

/// A gateway and the key to ask it with.
#[derive(Debug)]
pub(crate) struct GatewayApi {
    base_url: String,
    api_key: Option<String>,
    http: reqwest::Client,
}

impl GatewayApi {
    /// The gateway at `base_url`, which ends in `/v1`.
    pub(crate) fn new(base_url: &str, api_key: Option<String>) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build()?;
        Ok(Self { base_url: base_url.trim_end_matches('/').to_owned(), api_key, http })
    }

    /// Reads a document.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        let request = self.http.get(format!("{}/{path}", self.base_url));
        let response = self.send(request).await?;
        response.json().await.context("the gateway's answer is not JSON")
    }

    /// Posts a document and reads the event stream that answers it.
    pub(crate) async fn stream(&self, path: &str, body: &Value) -> Result<EventStream> {
        let request = self.http.post(format!("{}/{path}", self.base_url)).json(body);
        Ok(EventStream { response: self.send(request).await?, buffer: Vec::new() })
    }

    async fn send(&self, mut request: reqwest::RequestBuilder) -> Result<Response> {
        if let Some(key) = &self.api_key {
            request = request.bearer_auth(key);
        }
        let response = request.send().await.map_err(|error| {
            let message = format!("cannot reach the gateway at {}: {error}", self.base_url);
            coded(Exit::Unavailable, message)
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response).await)
    }
}

async fn refusal(response: Response) -> anyhow::Error {
    let status = response.status();
    let exit = match status {
        StatusCode::NOT_FOUND => Exit::NotFound,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Exit::Unavailable,
        _ => Exit::Failed,
    };
    let text = response.text().await.unwrap_or_default();
    let message = serde_json::from_str::<Value>(&text)
        .ok()
        .and_then(|value| value["error"]["message"].as_str().map(str::to_owned))
        .unwrap_or(text);
    coded(exit, format!("the gateway answered {status}: {message}"))
}

/// The data lines of an event stream.
#[derive(Debug)]
pub(crate) struct EventStream {
    response: Response,
    buffer: Vec<u8>,
}

impl EventStream {
    /// A header of the response.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.response.headers().get(name)?.to_str().ok().map(str::to_owned)
    }

    /// Hands each event's data to `each` until the stream says that it is done.
    pub(crate) async fn for_each(self, mut each: impl FnMut(Value) -> Result<()>) -> Result<()> {
        let mut buffer = self.buffer;
        let mut chunks = self.response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            buffer.extend_from_slice(&chunk.context("the stream broke")?);
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = buffer.drain(..=end).collect();
                let Some(data) = line.strip_prefix(b"data: ") else { continue };
                let data = data.trim_ascii_end();
                if data == b"[DONE]" {
                    return Ok(());
                }
                each(serde_json::from_slice(data).context("an event is not JSON")?)?;
            }
            anyhow::ensure!(buffer.len() <= LINE_BYTES_MAX, "an event's line is too long");
        }
        Err(coded(Exit::Unavailable, "the stream ended before it was done; try again"))
    }
}
