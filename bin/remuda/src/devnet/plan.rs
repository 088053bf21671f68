//! Which processes a devnet has, with which homes, addresses and arguments.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::cli::DevnetArgs;
use crate::dispatch::Environment;
use crate::home::{Home, write_whole};
use crate::network_file::{NetworkFile, expected_address};
use crate::up::{base_url, found};

/// One process.
#[derive(Clone, Debug)]
pub(super) struct Role {
    /// Its name: `validator`, `provider-2`.
    pub(super) name: String,
    /// Its home folder.
    pub(super) home: PathBuf,
    /// Its command line.
    pub(super) args: Vec<String>,
}

/// All processes: those of a wave start when the wave before is ready.
#[derive(Debug)]
pub(super) struct Plan {
    waves: Vec<Vec<Role>>,
}

impl Plan {
    /// The waves in their order.
    pub(super) fn waves(&self) -> &[Vec<Role>] {
        &self.waves
    }
}

/// The node ports of a devnet, kept so that a restart finds everyone where they were.
#[derive(Default, Serialize, Deserialize)]
struct Ports {
    validator: u16,
    indexer: u16,
}

/// Plans the processes, and describes the network that they will be.
pub(super) fn make(
    environment: &Environment,
    args: &DevnetArgs,
    model: &str,
) -> Result<(Plan, NetworkFile)> {
    let home = &environment.home;
    let ports = ports(home)?;
    let mut network = found(home)?;
    let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
    // The validator keeps this home, which founded the network; the others get their own.
    let validator_key = home.node_key("validator")?.public();
    network.validators = vec![expected_address(validator_key, address(ports.validator))];
    let indexer_home = Home::open(Some(home.root().join("devnet/indexer")), None, None)?;
    let indexer_key = indexer_home.node_key("indexer")?.public();
    network.indexers = vec![expected_address(indexer_key, address(ports.indexer))];
    let listen = args.listen.unwrap_or(environment.config.gateway.listen);
    network.gateways = vec![base_url(listen)];

    let planner = Planner { home, args, model, listen };
    let providers = (1..=args.providers).map(|number| planner.provider(number)).collect();
    let waves = vec![
        vec![planner.validator(ports.validator), planner.indexer(ports.indexer)],
        vec![planner.gateway()],
        providers,
    ];
    Ok((Plan { waves }, network))
}

/// The ports of the last start, or free ones.
fn ports(home: &Home) -> Result<Ports> {
    let path = home.root().join("devnet.json");
    if let Ok(text) = fs::read_to_string(&path) {
        return serde_json::from_str(&text)
            .with_context(|| format!("{} is not what devnet wrote", path.display()));
    }
    // Both sockets are open at once, so that the ports differ.
    let sockets = [UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?];
    let ports = Ports {
        validator: sockets[0].local_addr()?.port(),
        indexer: sockets[1].local_addr()?.port(),
    };
    write_whole(&path, &serde_json::to_string(&ports)?, 0o644)?;
    Ok(ports)
}

struct Planner<'a> {
    home: &'a Home,
    args: &'a DevnetArgs,
    model: &'a str,
    listen: SocketAddr,
}

impl Planner<'_> {
    fn role(&self, name: &str, home: PathBuf, command: &[String]) -> Role {
        let network = self.home.network_file().display().to_string();
        let models = self.home.models().display().to_string();
        let own = home.display().to_string();
        let mut args =
            words(&["--json", "--home", &own, "--models", &models, "--network", &network]);
        args.extend_from_slice(command);
        args.push("--exit-with-stdin".to_owned());
        Role { name: name.to_owned(), home, args }
    }

    fn own_home(&self, name: &str) -> PathBuf {
        self.home.root().join("devnet").join(name)
    }

    fn validator(&self, port: u16) -> Role {
        let command = words(&["validator", "run", "--bind", &format!("127.0.0.1:{port}")]);
        self.role("validator", self.home.root().to_owned(), &command)
    }

    fn indexer(&self, port: u16) -> Role {
        let command = words(&["indexer", "run", "--bind", &format!("127.0.0.1:{port}")]);
        self.role("indexer", self.own_home("indexer"), &command)
    }

    fn gateway(&self) -> Role {
        let command = words(&["gateway", "run", "--listen", &self.listen.to_string()]);
        self.role("gateway", self.own_home("gateway"), &command)
    }

    fn provider(&self, number: u16) -> Role {
        let name = format!("provider-{number}");
        let threads = self.args.threads.unwrap_or_else(|| shared_threads(self.args.providers));
        let threads = threads.to_string();
        let mut command = words(&["provider", "run", "--model", self.model, "--threads", &threads]);
        if let Some(slots) = self.args.slots {
            command.extend(words(&["--slots", &slots.to_string()]));
        }
        if let Some(url) = &self.args.upstream {
            command.extend(words(&["--upstream", url]));
        }
        self.role(&name, self.own_home(&name), &command)
    }
}

/// An equal share of the machine's cores for each provider, at least one thread.
fn shared_threads(providers: u16) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores / usize::from(providers.max(1))).unwrap_or(1).max(1)
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}
