//! Binding a role's endpoint: the same key and the same port after every restart.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use remuda_net::{Endpoint, EndpointConfig};

use crate::config::Net;
use crate::exit::{Exit, coded};
use crate::home::{Home, write_whole};

/// Binds the endpoint of `role`. `asked` is taken or refused; otherwise the port of the last
/// start is tried first, so that others find the node again, and any free one after that.
pub(crate) async fn bind(
    home: &Home,
    role: &str,
    asked: Option<SocketAddr>,
    net: &Net,
) -> Result<Endpoint> {
    let remembered = asked.is_none() && net.bind.port() == 0;
    let wanted = match asked {
        Some(address) => address,
        None if remembered => SocketAddr::new(net.bind.ip(), last_port(home, role)?),
        None => net.bind,
    };
    let endpoint = match bind_to(home, role, wanted, net).await {
        Err(_) if remembered && wanted.port() != 0 => bind_to(home, role, net.bind, net).await?,
        other => other?,
    };
    let bound = endpoint.local_address().map_or(0, |address| address.port());
    write_whole(&home.folder(role)?.join("port"), &bound.to_string(), 0o644)?;
    Ok(endpoint)
}

async fn bind_to(home: &Home, role: &str, address: SocketAddr, net: &Net) -> Result<Endpoint> {
    let mut config = EndpointConfig::new(home.node_key(role)?, address);
    config.relays.clone_from(&net.relays);
    Endpoint::bind(config)
        .await
        .map_err(|error| coded(Exit::Local, format!("the {role} cannot listen: {error}")))
}

fn last_port(home: &Home, role: &str) -> Result<u16> {
    let path = home.folder(role)?.join("port");
    match fs::read_to_string(&path) {
        Ok(text) => {
            text.trim().parse().with_context(|| format!("{} holds no port", path.display()))
        }
        Err(_) => Ok(0),
    }
}
