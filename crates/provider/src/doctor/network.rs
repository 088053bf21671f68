//! The real network path: can this node be reached, and does it reach the others?

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use remuda_net::protocol::index;
use remuda_net::{
    Connection, Endpoint, EndpointConfig, Handler, PathKind, Protocol, Stream, address, request,
};
use remuda_types::{NodeAddress, SecretKey};
use tokio::time::timeout;

use super::{Checkup, Finding};

/// The doctor's own protocol: what it says to itself.
const ALPN: &[u8] = b"remuda/doctor/1";
const FRAME_BYTES_MAX: usize = 64;
/// How long reaching one node may take.
const REACH_WAIT: Duration = Duration::from_secs(10);
/// The most nodes of each role that are tried.
const NODES_MAX: usize = 16;

pub(super) async fn check(checkup: &Checkup) -> Vec<Finding> {
    let Some(endpoint) = &checkup.endpoint else {
        return vec![port(checkup.listen)];
    };
    let mut findings = vec![listening(endpoint)];
    findings.push(dial_back(endpoint).await);
    for indexer in checkup.indexers.iter().take(NODES_MAX) {
        findings.push(reach(endpoint, indexer, index::ALPN, Role::Indexer).await);
    }
    for validator in checkup.validators.iter().take(NODES_MAX) {
        let alpn = remuda_chain::protocol::ALPN;
        findings.push(reach(endpoint, validator, alpn, Role::Validator).await);
    }
    if checkup.indexers.is_empty() {
        let detail = "no indexer is configured, so no buyer will find this provider";
        findings.push(
            Finding::error("indexer", "No indexer", detail)
                .fix("name one: --indexer <key>@<ip>:<port>"),
        );
    }
    findings
}

#[derive(Clone, Copy)]
enum Role {
    Indexer,
    Validator,
}

impl Role {
    const fn code(self) -> &'static str {
        match self {
            Self::Indexer => "indexer",
            Self::Validator => "validator",
        }
    }
}

/// Without an endpoint: is it the port?
fn port(listen: Option<SocketAddr>) -> Finding {
    let Some(listen) = listen else {
        let detail = "there is no endpoint, so the network was not checked";
        return Finding::info("port", "The network was not checked", detail);
    };
    match UdpSocket::bind(listen).map_err(|error| error.kind()) {
        Ok(_) => {
            let detail = format!("UDP {listen} is free; the network was not checked");
            Finding::info("port", "The port is free", detail)
        }
        Err(io::ErrorKind::AddrInUse) => {
            let detail = format!("another program has UDP {listen}");
            Finding::error("port", "The port is taken", detail).fix(format!(
                "stop it (`ss -lunp 'sport = :{}'` names it), or choose another: \
                 --listen {}:0",
                listen.port(),
                listen.ip()
            ))
        }
        Err(io::ErrorKind::PermissionDenied) => {
            let detail = format!("this user may not listen on UDP {listen}");
            Finding::error("port", "The port is not allowed", detail)
                .fix(format!("choose one above 1023: --listen {}:0", listen.ip()))
        }
        Err(kind) => {
            let detail = format!("UDP {listen}: {kind}");
            Finding::error("port", "The address cannot be used", detail)
                .fix("listen on all addresses: --bind 0.0.0.0:0")
        }
    }
}

fn listening(endpoint: &Endpoint) -> Finding {
    let own = endpoint.address();
    let text = address::format(&own);
    let only_loopback = own.direct.iter().all(|direct| direct.ip().is_loopback());
    if only_loopback && own.relay.is_none() {
        let detail = format!("it can be reached from this machine only: {text}");
        return Finding::warning("listen", "Only this machine can reach the provider", detail)
            .fix("listen on all addresses (--bind 0.0.0.0:0), or set `relays` in config.toml");
    }
    if own.relay.is_none() {
        let detail = format!("{text}; without a relay, behind a NAT nobody gets through");
        return Finding::info("listen", "No relay", detail)
            .fix("if this machine is behind a NAT, set `relays` in config.toml");
    }
    Finding::ok("listen", "Listening", text)
}

/// Answers the doctor's own call.
struct Echo;

#[async_trait]
impl Handler for Echo {
    async fn handle(&self, mut stream: Stream) {
        if let Ok(Some(number)) = stream.reader.receive_within::<u64>(REACH_WAIT).await {
            stream.writer.send(&number).await.ok();
        }
    }
}

/// A second node on this machine dials the advertised address.
async fn dial_back(endpoint: &Endpoint) -> Finding {
    let protocol = Protocol { alpn: ALPN, frame_bytes_max: FRAME_BYTES_MAX };
    endpoint.serve(vec![(protocol, Arc::new(Echo))]);
    let own = endpoint.address();
    let dialled = timeout(REACH_WAIT, dial(&own)).await;
    match dialled.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
        Ok(path) => Finding::ok("reachable", "Reachable by its own address", path),
        Err(reason) => {
            let detail = format!("{}: {reason}", address::format(&own));
            Finding::error("reachable", "Not reachable by its own address", detail).fix(
                "let UDP through to this program in the firewall \
                 (`nft list ruleset`, `ufw allow PORT/udp`), or set `relays` in config.toml",
            )
        }
    }
}

async fn dial(own: &NodeAddress) -> Result<String, String> {
    let any = match own.direct.first() {
        Some(SocketAddr::V6(_)) => SocketAddr::from(([0_u16; 8], 0)),
        _ => SocketAddr::from(([0_u8; 4], 0)),
    };
    let mut config = EndpointConfig::new(SecretKey::generate(), any);
    config.relays.extend(own.relay.clone());
    let caller = Endpoint::bind(config).await.map_err(|error| error.to_string())?;
    let answered = call(&caller, own).await;
    caller.close().await;
    answered
}

async fn call(caller: &Endpoint, own: &NodeAddress) -> Result<String, String> {
    let connection = caller.connect(own, ALPN).await.map_err(|error| error.to_string())?;
    let number = 42_u64;
    let answer: u64 = request(&connection, FRAME_BYTES_MAX, &number, REACH_WAIT)
        .await
        .map_err(|error| error.to_string())?;
    if answer == number { Ok(describe(&connection)) } else { Err("a wrong answer".to_owned()) }
}

async fn reach(
    endpoint: &Endpoint,
    node: &NodeAddress,
    alpn: &'static [u8],
    role: Role,
) -> Finding {
    let code = role.code();
    let name = node.node.short();
    let dialled = timeout(REACH_WAIT, endpoint.connect(node, alpn)).await;
    let reason = match dialled {
        Ok(Ok(connection)) => return reached(&connection, code, &name),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", REACH_WAIT.as_secs()),
    };
    let detail = format!("{name}: {reason}");
    Finding::error(code, &format!("The {code} cannot be reached"), detail).fix(format!(
        "check that the {code} runs and that this is its address: {}",
        address::format(node)
    ))
}

fn reached(connection: &Connection, code: &str, name: &str) -> Finding {
    let detail = format!("{name}: {}", describe(connection));
    let title = format!("The {code} answers");
    match connection.path() {
        PathKind::Relayed(_) => Finding::info(code, &title, detail)
            .fix("no direct path was found yet; let UDP out, or forward a port, for less delay"),
        _ => Finding::ok(code, &title, detail),
    }
}

fn describe(connection: &Connection) -> String {
    format!("{}, round trip {:.1} ms", connection.path(), connection.rtt().as_secs_f64() * 1e3)
}
