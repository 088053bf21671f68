//! Peers over real iroh endpoints on loopback.

use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use remuda_models::protocol::{Request, Response};
use remuda_models::{MODEL_PROTOCOL, Manifest, ModelServer, ModelStore, PullContext, Source};
use remuda_net::{Endpoint, EndpointConfig, Handler, Stream};
use remuda_types::SecretKey;

use super::{codes, content, file_source, manifest, pull};

async fn endpoint() -> Endpoint {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    Endpoint::bind(EndpointConfig::new(SecretKey::generate(), loopback)).await.unwrap()
}

async fn serving(handler: impl Handler) -> Endpoint {
    let endpoint = endpoint().await;
    endpoint.serve(vec![(MODEL_PROTOCOL, Arc::new(handler))]);
    endpoint
}

/// A peer that has the file, and remembers from where it was asked to start.
struct Healthy {
    server: ModelServer,
    asked: Arc<Mutex<Vec<u64>>>,
}

#[remuda_net::async_trait]
impl Handler for Healthy {
    async fn handle(&self, stream: Stream) {
        self.asked.lock().unwrap().push(0);
        self.server.handle(stream).await;
    }
}

/// A peer that says whatever it likes, then goes away.
struct Saying(Vec<Response>, Arc<Mutex<Vec<u64>>>);

#[remuda_net::async_trait]
impl Handler for Saying {
    async fn handle(&self, mut stream: Stream) {
        if let Ok(Some(Request::From { offset, .. })) = stream.reader.receive().await {
            self.1.lock().unwrap().push(offset);
            let first = self.1.lock().unwrap().len() == 1;
            for response in self.0.iter().filter(|_| first) {
                let _ = stream.writer.send(response).await;
            }
            stream.writer.finish();
            stream.writer.delivered().await;
        }
        stream.connection.close("dying");
    }
}

async fn context(peers: &[&Endpoint]) -> PullContext {
    PullContext {
        endpoint: Some(endpoint().await),
        peers: peers.iter().map(|peer| peer.address()).collect(),
        ..PullContext::default()
    }
}

/// A cache that has the file.
async fn stocked(folder: &std::path::Path, bytes: &[u8], manifest: &Manifest) -> ModelStore {
    let original = folder.join("original");
    fs::write(&original, bytes).unwrap();
    let store = ModelStore::open(folder.join("stocked")).unwrap();
    let local = Manifest { sources: vec![file_source(&original)], ..manifest.clone() };
    pull(&store, &local).await.unwrap();
    store
}

#[tokio::test]
async fn when_a_peer_dies_the_next_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(1_000_000);
    let manifest = manifest(&bytes, vec![Source::Peers]);
    let start = Response::Start { bytes: bytes.len() as u64 };
    let half = vec![start, Response::Data(bytes[..250_000].to_vec())];
    let asked = Arc::default();
    let dying = serving(Saying(half, Arc::clone(&asked))).await;
    let counted = Arc::default();
    let server = ModelServer::new(stocked(folder.path(), &bytes, &manifest).await);
    let healthy = serving(Healthy { server, asked: Arc::clone(&counted) }).await;

    let store = ModelStore::open(folder.path().join("cache")).unwrap();
    let context = context(&[&dying, &healthy]).await;
    let mut healthy_began_at = None;
    let healthy_name = format!("peer {}", healthy.node().short());
    let mut show = |progress: super::Progress| {
        if progress.source == healthy_name {
            healthy_began_at.get_or_insert(progress.done);
        }
    };
    let path = store.pull(&manifest, &context, &mut show).await.unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
    assert_eq!(*asked.lock().unwrap(), [0, 250_000]);
    assert_eq!(counted.lock().unwrap().len(), 1);
    assert_eq!(healthy_began_at, Some(250_000));
}

#[tokio::test]
async fn a_lying_peer_costs_its_bytes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(100_000);
    let manifest = manifest(&bytes, vec![Source::Peers]);
    let start = Response::Start { bytes: bytes.len() as u64 };
    let lies = vec![start.clone(), Response::Data(vec![7; bytes.len()])];
    let liar = serving(Saying(lies, Arc::default())).await;
    let longer = vec![start, Response::Data(vec![7; bytes.len() + 1])];
    let boaster = serving(Saying(longer, Arc::default())).await;
    let other = vec![Response::Start { bytes: 1 }];
    let mistaken = serving(Saying(other, Arc::default())).await;
    let store = ModelStore::open(folder.path().join("cache")).unwrap();
    let liars = context(&[&liar, &boaster, &mistaken]).await;
    let error = store.pull(&manifest, &liars, &mut |_| {}).await.unwrap_err();
    let wrong = ["source_wrong_hash", "source_wrong_length", "source_wrong_length"];
    assert_eq!(codes(error), wrong);

    let honest = serving(ModelServer::new(stocked(folder.path(), &bytes, &manifest).await)).await;
    let path = store.pull(&manifest, &context(&[&honest]).await, &mut |_| {}).await.unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
}

#[tokio::test]
async fn a_peer_serves_only_what_it_verified() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(10_000);
    let known = manifest(&bytes, vec![Source::Peers]);
    let stocked = stocked(folder.path(), &bytes, &known).await;
    let server = serving(ModelServer::new(stocked.clone())).await;
    let unknown = manifest(b"other", vec![Source::Peers]);
    let store = ModelStore::open(folder.path().join("cache")).unwrap();
    let context = context(&[&server]).await;
    let error = store.pull(&unknown, &context, &mut |_| {}).await.unwrap_err();
    assert_eq!(codes(error), ["source_refused"]);
    // A file that changed since is not served either.
    fs::write(stocked.path(&known.hash()).unwrap(), "x").unwrap();
    let error = store.pull(&known, &context, &mut |_| {}).await.unwrap_err();
    assert_eq!(codes(error), ["source_refused"]);
}
