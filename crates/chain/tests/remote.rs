//! The ledger's protocol over real connections on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use remuda_chain::protocol::{ALPN, FRAME_BYTES_MAX, Refusal, Request, Response};
use remuda_chain::{
    LedgerClient, LedgerClientExt, LedgerService, Rate, RemoteConfig, RemoteLedger, Signer,
    Validator, ValidatorConfig, transaction_digest,
};
use remuda_ledger::Query;
use remuda_net::{Endpoint, EndpointConfig};
use remuda_types::{NodeAddress, SecretKey, Signature, Tokens};
use support::{TOKENS, account, genesis, key, replay, signed, to};

const WAIT: Duration = Duration::from_secs(10);

async fn endpoint(key: SecretKey, bind: SocketAddr) -> Endpoint {
    Endpoint::bind(EndpointConfig::new(key, bind)).await.unwrap()
}

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

struct Server {
    validator: Validator,
    endpoint: Endpoint,
}

impl Server {
    async fn start(home: &Path, bind: SocketAddr, rate: Rate) -> Self {
        let config = ValidatorConfig::new(home.join("ledger.redb"), genesis());
        let validator = Validator::open(config).await.unwrap();
        let endpoint = endpoint(key(100), bind).await;
        let service = LedgerService::with_rate(Arc::new(validator.clone()), rate);
        endpoint.serve(vec![(LedgerService::PROTOCOL, Arc::new(service))]);
        Self { validator, endpoint }
    }

    fn address(&self) -> NodeAddress {
        self.endpoint.address()
    }

    async fn stop(self) {
        self.endpoint.close().await;
        self.validator.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_remote_ledger_does_what_the_embedded_one_does() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(home.path(), loopback(), Rate::default()).await;
    let client = endpoint(SecretKey::generate(), loopback()).await;
    let ledger = RemoteLedger::new(client, vec![server.address()]);

    assert_eq!(ledger.network().await, Ok(genesis().network()));
    let sent = signed(1, 0, to(2, 5));
    let head = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.next_head(0, WAIT).await }
    });
    let included = ledger.submit(sent.clone()).await.unwrap();
    assert_eq!(head.await.unwrap().unwrap().height, included.height);
    assert_eq!(ledger.submit(sent.clone()).await, Ok(included));
    let found = ledger.lookup(transaction_digest(&sent)).await.unwrap().unwrap();
    assert_eq!(found.height, included.height);
    assert_eq!(ledger.lookup(transaction_digest(&signed(1, 1, to(2, 5)))).await, Ok(None));

    let signer = Signer::new(Arc::new(ledger.clone()), key(1));
    signer.send(to(2, 5)).await.unwrap();
    assert_eq!(ledger.account(account(2)).await.unwrap().tokens, Tokens(TOKENS.0 + 10));
    let blocks = ledger.blocks(1, 10).await.unwrap();
    assert_eq!(*replay(&genesis(), &blocks).head(), ledger.head().await.unwrap());

    let mut forged = signed(1, 2, to(2, 5));
    forged.signature = Signature([1; 64]);
    assert_eq!(ledger.submit(forged).await.unwrap_err().code(), "bad_signature");
    let broke = ledger.submit(signed(1, 2, to(2, TOKENS.0 * 2))).await.unwrap_err();
    assert_eq!(broke.code(), "insufficient_tokens");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_finds_back_to_a_restarted_validator() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(home.path(), loopback(), Rate::default()).await;
    let address = server.address();
    let client = endpoint(SecretKey::generate(), loopback()).await;
    let ledger = RemoteLedger::new(client, vec![address.clone()]);
    let sent = signed(1, 0, to(2, 5));
    let included = ledger.submit(sent.clone()).await.unwrap();
    server.stop().await;

    // Asked while nobody is there; answered by the next life, which still knows.
    let asked = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.submit(sent).await }
    });
    let server = Server::start(home.path(), address.direct[0], Rate::default()).await;
    assert_eq!(asked.await.unwrap(), Ok(included));
    assert_eq!(ledger.account(account(2)).await.unwrap().tokens, Tokens(TOKENS.0 + 5));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_dead_validator_of_two_is_passed_over_and_none_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(home.path(), loopback(), Rate::default()).await;
    let gone = endpoint(SecretKey::generate(), loopback()).await;
    let dead = gone.address();
    gone.close().await;
    let client = endpoint(SecretKey::generate(), loopback()).await;
    let config = RemoteConfig {
        connect_timeout: Duration::from_millis(300),
        attempts_max: 2,
        ..RemoteConfig::default()
    };
    let both = vec![dead.clone(), server.address()];
    let ledger = RemoteLedger::with_config(client.clone(), both, config);
    assert_eq!(ledger.network().await, Ok(genesis().network()));
    for validators in [vec![dead], vec![]] {
        let ledger = RemoteLedger::with_config(client.clone(), validators, config);
        let error = ledger.network().await.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), ("ledger_unreachable", true));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_and_oversized_frames_are_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(home.path(), loopback(), Rate::default()).await;
    let client = endpoint(SecretKey::generate(), loopback()).await;
    let connection = client.connect(&server.address(), ALPN).await.unwrap();

    let garbage = vec![0xffu8; 100];
    let truncated = borsh::to_vec(&Request::Submit(Box::new(signed(1, 0, to(2, 5))))).unwrap();
    for body in [garbage, truncated[..50].to_vec(), [&truncated[..], b"x"].concat()] {
        // A vector would carry its length: an array of bytes is sent as it is.
        let answer = send_raw(&connection, &body, FRAME_BYTES_MAX).await;
        let Some(Response::Refused(Refusal::Protocol(reason))) = answer else {
            panic!("{answer:?}")
        };
        assert!(reason.contains("malformed"), "{reason}");
    }
    let oversized = vec![0u8; FRAME_BYTES_MAX + 1];
    let answer = send_raw(&connection, &oversized, FRAME_BYTES_MAX * 2).await;
    let refused = matches!(answer, None | Some(Response::Refused(Refusal::Protocol(_))));
    assert!(refused, "{answer:?}");

    let query = Request::Query(Query::Head);
    let answer = remuda_net::request(&connection, FRAME_BYTES_MAX, &query, WAIT).await;
    assert!(matches!(answer, Ok(Response::Answer(_))), "the connection is still good");
    server.stop().await;
}

struct Raw<'a>(&'a [u8]);

impl borsh::BorshSerialize for Raw<'_> {
    fn serialize<W: std::io::Write>(&self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(self.0)
    }
}

/// Sends bytes as a frame's body; `None` when the other side gave the stream up.
async fn send_raw(
    connection: &remuda_net::Connection,
    body: &[u8],
    frame_bytes_max: usize,
) -> Option<Response> {
    remuda_net::request(connection, frame_bytes_max, &Raw(body), WAIT).await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_asks_too_fast_is_told_to_wait() {
    let home = tempfile::tempdir().unwrap();
    let slow = Rate { per_second: 1, burst: 2 };
    let server = Server::start(home.path(), loopback(), slow).await;
    let client = endpoint(SecretKey::generate(), loopback()).await;
    let once = RemoteConfig { attempts_max: 1, ..RemoteConfig::default() };
    let ledger = RemoteLedger::with_config(client, vec![server.address()], once);
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(ledger.network().await.err().map(|error| error.code()));
    }
    assert_eq!(codes[..2], [None, None]);
    assert!(codes.contains(&Some("ledger_overloaded")), "{codes:?}");
    server.stop().await;
}

#[test]
fn the_wire_format_is_what_it_was() {
    let requests = [
        (Request::Query(Query::Supply), "010b"),
        (Request::Blocks { from: 7, limit: 2 }, "02070000000000000002000000"),
        (Request::Network, "03"),
        (Request::NextHead { after: 1, wait_ms: 500 }, "050100000000000000f4010000"),
    ];
    for (request, golden) in requests {
        let bytes = borsh::to_vec(&request).unwrap();
        assert_eq!(hex(&bytes), golden, "{request:?}");
        assert_eq!(borsh::from_slice::<Request>(&bytes).unwrap(), request);
    }
    let refused = Response::Refused(Refusal::Overloaded { retry_after_ms: 100 });
    assert_eq!(hex(&borsh::to_vec(&refused).unwrap()), "060264000000");
}

proptest! {
    /// Whatever arrives is either refused or the one encoding of what it says.
    #[test]
    fn any_bytes_are_refused_or_canonical(
        tag in 0u8..8,
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [&[tag][..], &rest].concat();
        if let Ok(request) = borsh::from_slice::<Request>(&bytes) {
            prop_assert_eq!(borsh::to_vec(&request).unwrap(), bytes.clone());
        }
        if let Ok(response) = borsh::from_slice::<Response>(&bytes) {
            prop_assert_eq!(borsh::to_vec(&response).unwrap(), bytes);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
