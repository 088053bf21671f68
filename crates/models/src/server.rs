//! Serving verified model files to anyone who asks by content.

use std::fmt;
use std::io::{self, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use remuda_net::{Handler, Stream};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::Semaphore;

use crate::ModelStore;
use crate::protocol::{DATA_BYTES_MAX, Refusal, Request, Response};

/// The most transfers at once. More are refused, and the asking node tries another peer.
pub const TRANSFERS_MAX: usize = 8;

/// How long a caller may take to say what it wants.
const REQUEST_WAIT: Duration = Duration::from_secs(10);

/// Serves `remuda/model/1` from a cache. Serves only files that are unchanged since they were
/// verified, and reads none to find that out.
pub struct ModelServer {
    store: ModelStore,
    transfers: Arc<Semaphore>,
}

impl ModelServer {
    /// Serves the files of `store`.
    #[must_use]
    pub fn new(store: ModelStore) -> Self {
        Self { store, transfers: Arc::new(Semaphore::new(TRANSFERS_MAX)) }
    }

    async fn serve(&self, stream: &mut Stream) -> Result<(), Refusal> {
        let request = stream.reader.receive_within::<Request>(REQUEST_WAIT).await;
        let Ok(Some(Request::From { blake3, offset })) = request else { return Ok(()) };
        let path = self.store.recorded(&blake3).ok_or(Refusal::Unknown)?;
        let _transfer = self.transfers.try_acquire().map_err(|_| Refusal::Busy)?;
        let (mut file, bytes) = open(&path, offset).await.map_err(|_| Refusal::Failed)?;
        if offset > bytes {
            return Err(Refusal::Range);
        }
        if stream.writer.send(&Response::Start { bytes }).await.is_err() {
            return Ok(());
        }
        loop {
            let data = piece(&mut file).await.map_err(|_| Refusal::Failed)?;
            if data.is_empty() || stream.writer.send(&Response::Data(data)).await.is_err() {
                return Ok(());
            }
        }
    }
}

async fn open(path: &Path, offset: u64) -> io::Result<(File, u64)> {
    let mut file = File::open(path).await?;
    let bytes = file.metadata().await?.len();
    file.seek(SeekFrom::Start(offset)).await?;
    Ok((file, bytes))
}

/// The next piece; empty at the end.
async fn piece(file: &mut File) -> io::Result<Vec<u8>> {
    let mut data = vec![0; DATA_BYTES_MAX];
    let mut filled = 0;
    while filled < data.len() {
        match file.read(&mut data[filled..]).await? {
            0 => break,
            count => filled += count,
        }
    }
    data.truncate(filled);
    Ok(data)
}

#[remuda_net::async_trait]
impl Handler for ModelServer {
    async fn handle(&self, mut stream: Stream) {
        if let Err(refusal) = self.serve(&mut stream).await {
            let _ = stream.writer.send(&Response::Refused(refusal)).await;
        }
        stream.writer.finish();
    }
}

impl fmt::Debug for ModelServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelServer({})", self.store.dir().display())
    }
}
