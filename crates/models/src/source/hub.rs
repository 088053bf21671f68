//! A file on a web server.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode};

use super::{Job, SourceError};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the server may send nothing.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Downloads the rest of the file.
pub(super) async fn fetch(job: &mut Job<'_>, url: &str) -> Result<(), SourceError> {
    let offset = job.part.bytes();
    // The bytes must be the file's, not a compressed form of them.
    let mut request = client()?.get(url).header(ACCEPT_ENCODING, "identity");
    if offset > 0 {
        request = request.header(RANGE, format!("bytes={offset}-"));
    }
    let mut response = request.send().await.map_err(broken)?;
    if start(&response, offset)? == 0 && offset > 0 {
        job.part.restart().await?;
    }
    let expected = job.part.whole();
    let promised = response.content_length().map(|bytes| job.part.bytes().saturating_add(bytes));
    if promised.is_some_and(|bytes| bytes != expected) {
        return Err(SourceError::WrongLength { expected });
    }
    while let Some(bytes) = response.chunk().await.map_err(broken)? {
        job.append(&bytes).await?;
    }
    Ok(())
}

/// Where the answer's bytes start in the file.
fn start(response: &Response, offset: u64) -> Result<u64, SourceError> {
    match response.status() {
        StatusCode::OK => Ok(0),
        StatusCode::PARTIAL_CONTENT => {
            let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
            let begins = range.is_some_and(|range| range.starts_with(&format!("bytes {offset}-")));
            let wrong = || SourceError::Broken("the server sent another range".to_owned());
            begins.then_some(offset).ok_or_else(wrong)
        }
        status => Err(SourceError::Status(status.as_u16())),
    }
}

fn client() -> Result<&'static Client, SourceError> {
    static CLIENT: OnceLock<Result<Client, String>> = OnceLock::new();
    let client = CLIENT.get_or_init(|| {
        // It fails only when a provider is installed already, which does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT);
        builder.build().map_err(|error| reasons(&error))
    });
    client.as_ref().map_err(|reason| SourceError::Broken(reason.clone()))
}

// Used as a function value, which takes errors by value.
#[allow(clippy::needless_pass_by_value)]
fn broken(error: reqwest::Error) -> SourceError {
    if error.is_timeout() && !error.is_connect() {
        return SourceError::Stalled(READ_TIMEOUT);
    }
    SourceError::Broken(reasons(&error))
}

/// The error with its causes: the outermost alone says only that a request failed.
fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
