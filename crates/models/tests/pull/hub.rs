//! A small web server with ranges that breaks where it is told to.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use remuda_models::{ModelStore, Source};

use super::{codes, content, manifest, part, pull};

/// What the server does with each request in turn; the last is repeated.
#[derive(Clone, Copy)]
enum Answer {
    /// Serves the range.
    Whole,
    /// Serves the range but closes after so many bytes.
    Break(usize),
    /// Ignores the range and serves everything.
    IgnoreRange,
    /// Answers with this status.
    Status(u16),
}

struct Hub {
    url: String,
    /// The offset that each request asked for.
    asked: Arc<Mutex<Vec<usize>>>,
}

fn hub(bytes: Vec<u8>, answers: Vec<Answer>) -> Hub {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/model.gguf", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let offset = read_offset(stream.as_ref().unwrap());
            let count = {
                let mut seen = seen.lock().unwrap();
                seen.push(offset);
                seen.len()
            };
            let answer = answers[(count - 1).min(answers.len() - 1)];
            respond(&mut stream.unwrap(), &bytes, offset, answer);
        }
    });
    Hub { url, asked }
}

fn read_offset(stream: &TcpStream) -> usize {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let mut offset = 0;
    for line in lines.take_while(|line| !line.is_empty()) {
        if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            offset = range.trim_end_matches('-').parse().unwrap();
        }
    }
    offset
}

fn respond(stream: &mut TcpStream, bytes: &[u8], offset: usize, answer: Answer) {
    let (status, from, cut) = match answer {
        Answer::Status(status) => (status, bytes.len(), 0),
        Answer::IgnoreRange => (200, 0, bytes.len()),
        Answer::Whole => (if offset > 0 { 206 } else { 200 }, offset, bytes.len()),
        Answer::Break(cut) => (if offset > 0 { 206 } else { 200 }, offset, cut),
    };
    let body = &bytes[from..];
    let last = bytes.len() - 1;
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{last}/{}\r\n\
         Connection: close\r\n\r\n",
        body.len(),
        bytes.len()
    );
    // The client may have gone already.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body[..cut.min(body.len())]);
}

fn source(hub: &Hub) -> Source {
    Source::Hub { url: hub.url.clone() }
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_broke() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(400_000);
    let hub = hub(bytes.clone(), vec![Answer::Break(150_000), Answer::Break(9), Answer::Whole]);
    let store = ModelStore::open(folder.path()).unwrap();
    let path = pull(&store, &manifest(&bytes, vec![source(&hub)])).await.unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
    assert_eq!(*hub.asked.lock().unwrap(), [0, 150_000, 150_009]);
}

#[tokio::test]
async fn a_later_pull_goes_on_where_an_earlier_one_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(300_000);
    let dying = hub(bytes.clone(), vec![Answer::Break(100_000), Answer::Status(404)]);
    let store = ModelStore::open(folder.path()).unwrap();
    let error = pull(&store, &manifest(&bytes, vec![source(&dying)])).await.unwrap_err();
    assert_eq!(codes(error), ["source_status"]);
    let healthy = hub(bytes.clone(), vec![Answer::Whole]);
    let path = pull(&store, &manifest(&bytes, vec![source(&healthy)])).await.unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
    assert_eq!(*healthy.asked.lock().unwrap(), [100_000]);
}

#[tokio::test]
async fn a_server_without_ranges_serves_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(50_000);
    let hub = hub(bytes.clone(), vec![Answer::IgnoreRange]);
    let store = ModelStore::open(folder.path()).unwrap();
    let manifest = manifest(&bytes, vec![source(&hub)]);
    fs::write(part(&store, &manifest), &bytes[..20_000]).unwrap();
    let path = pull(&store, &manifest).await.unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
}

#[tokio::test]
async fn another_length_or_nobody_there_is_a_typed_error() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(50_000);
    let longer = hub(content(60_000), vec![Answer::Whole]);
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Source::Hub { url: format!("http://{}/", listener.local_addr().unwrap()) }
    };
    let store = ModelStore::open(folder.path()).unwrap();
    let manifest = manifest(&bytes, vec![source(&longer), nobody]);
    let error = pull(&store, &manifest).await.unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(codes(error), ["source_wrong_length", "source_broken"]);
}

#[tokio::test]
async fn two_pulls_at_once_download_once() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(2_000_000);
    let hub = hub(bytes.clone(), vec![Answer::Whole]);
    let manifest = manifest(&bytes, vec![source(&hub)]);
    let open = || ModelStore::open(folder.path()).unwrap();
    let (first, second) = (open(), open());
    let (first, second) = tokio::join!(pull(&first, &manifest), pull(&second, &manifest));
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(hub.asked.lock().unwrap().len(), 1);
}
