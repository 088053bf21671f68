//! Sockets: accepting, bounding and ending connections.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use remuda_chain::LedgerClient;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::config::{HEAD_BYTES_MAX, HTTP2_STREAMS_MAX};
use crate::handlers::serve;
use crate::{Backend, GatewayConfig, Receipts, ReceiptsError};

/// Why a gateway did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another program has the port.
    #[error(
        "port {} of {} is taken by another program: stop it, or listen on another port",
        .address.port(),
        .address.ip()
    )]
    PortTaken {
        /// The address that was wanted.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address that was wanted.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The store of receipts cannot be used.
    #[error(transparent)]
    Receipts(#[from] ReceiptsError),
}

impl StartError {
    /// The stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::PortTaken { .. } => "port_taken",
            Self::Listen { .. } => "listen",
            Self::Receipts(error) => error.code(),
        }
    }
}

/// How long the listener rests after the operating system refused a connection, which it does
/// when descriptors run out.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    grace: Duration,
    stop: CancellationToken,
    abort: CancellationToken,
    connections: TaskTracker,
    listener: JoinHandle<()>,
    stop_writer: CancellationToken,
    writer: JoinHandle<()>,
}

impl Gateway {
    /// Opens the receipts in the configured folder, and serves until [`Gateway::shutdown`].
    ///
    /// # Errors
    /// [`StartError`]; [`StartError::PortTaken`] names the port.
    pub async fn start<B: Backend>(
        config: GatewayConfig,
        backend: B,
        ledger: Arc<dyn LedgerClient>,
    ) -> Result<Self, StartError> {
        let receipts = Receipts::open(&config.home)?;
        Self::start_with(config, backend, ledger, receipts).await
    }

    /// As [`Gateway::start`], with receipts whose [`Receipts::report_hook`] the client has.
    ///
    /// # Errors
    /// [`StartError`]; [`StartError::PortTaken`] names the port.
    pub async fn start_with<B: Backend>(
        config: GatewayConfig,
        backend: B,
        ledger: Arc<dyn LedgerClient>,
        receipts: Receipts,
    ) -> Result<Self, StartError> {
        let socket = listen(config.listen).await?;
        let failed = |source| StartError::Listen { address: config.listen, source };
        let address = socket.local_addr().map_err(failed)?;
        let stop_writer = CancellationToken::new();
        let (writing, stopped) = (receipts.clone(), stop_writer.clone().cancelled_owned());
        let writer = tokio::spawn(async move { writing.write_until(stopped).await });
        let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
        let (grace, connections) = (config.shutdown_grace, TaskTracker::new());
        let app = Arc::new(App::new(config, backend, ledger, receipts));
        let acceptor = Acceptor {
            app,
            connections: connections.clone(),
            stop: stop.clone(),
            abort: abort.clone(),
        };
        let listener = tokio::spawn(acceptor.accept(socket));
        tracing::info!(%address, "gateway listens");
        Ok(Self { address, grace, stop, abort, connections, listener, stop_writer, writer })
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new requests, lets running ones end within the configured grace, writes the
    /// receipts and closes.
    pub async fn shutdown(self) {
        self.stop.cancel();
        joined(self.listener).await;
        self.connections.close();
        if tokio::time::timeout(self.grace, self.connections.wait()).await.is_err() {
            tracing::warn!(cut = self.connections.len(), "requests did not end within the grace");
            self.abort.cancel();
            self.connections.wait().await;
        }
        self.stop_writer.cancel();
        joined(self.writer).await;
    }
}

async fn joined(task: JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!(%error, "a task of the gateway broke");
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => StartError::PortTaken { address },
        _ => StartError::Listen { address, source },
    })
}

struct Acceptor<B> {
    app: Arc<App<B>>,
    connections: TaskTracker,
    stop: CancellationToken,
    abort: CancellationToken,
}

impl<B: Backend> Acceptor<B> {
    async fn accept(self, socket: TcpListener) {
        let room = Arc::new(Semaphore::new(self.app.config.connections_max));
        let builder = Arc::new(self.builder());
        // Nothing is accepted that there is no room for.
        while let Some(place) = self.until_stop(room.clone().acquire_owned()).await {
            let Ok(place) = place else { return };
            match self.until_stop(socket.accept()).await {
                None => return,
                Some(Ok((stream, _))) => self.spawn(stream, builder.clone(), place),
                Some(Err(error)) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    async fn until_stop<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            () = self.stop.cancelled() => None,
            value = future => Some(value),
        }
    }

    fn builder(&self) -> Builder<TokioExecutor> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.app.config.header_read_timeout)
            .max_buf_size(HEAD_BYTES_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(HTTP2_STREAMS_MAX)
            .keep_alive_interval(self.app.config.header_read_timeout);
        builder
    }

    fn spawn(
        &self,
        stream: TcpStream,
        builder: Arc<Builder<TokioExecutor>>,
        place: OwnedSemaphorePermit,
    ) {
        let (app, stop, abort) = (self.app.clone(), self.stop.clone(), self.abort.clone());
        self.connections.spawn(async move {
            app.metrics.connections.inc();
            tokio::select! {
                () = connection(&app, stream, &builder, &stop) => {}
                () = abort.cancelled() => {}
            }
            app.metrics.connections.dec();
            drop(place);
        });
    }
}

/// Serves one connection to its end.
async fn connection<B: Backend>(
    app: &Arc<App<B>>,
    stream: TcpStream,
    builder: &Builder<TokioExecutor>,
    stop: &CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was not set");
    }
    let asked = Arc::new(AtomicBool::new(false));
    let service = {
        let (app, asked) = (app.clone(), asked.clone());
        service_fn(move |request| {
            asked.store(true, Ordering::Relaxed);
            let app = app.clone();
            async move { Ok::<_, Infallible>(serve(app, request).await) }
        })
    };
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut first = pin!(tokio::time::sleep(app.config.header_read_timeout));
    let (mut waits, mut stopping) = (true, false);
    loop {
        tokio::select! {
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error, "a connection broke");
                }
                return;
            }
            // Until the first bytes tell which protocol is spoken, no timeout of the HTTP
            // layer runs.
            () = first.as_mut(), if waits => {
                waits = false;
                if !asked.load(Ordering::Relaxed) {
                    return;
                }
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                served.as_mut().graceful_shutdown();
            }
        }
    }
}
