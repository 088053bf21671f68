//! `remuda network`: founding one.

use std::collections::BTreeMap;

use anyhow::Result;
use remuda_ledger::{Genesis, GenesisAccount, Parameters};
use remuda_types::{AccountId, Credits, Tokens};
use serde_json::json;

use crate::cli::{NetworkCommand, NetworkInitArgs};
use crate::commands::{key, profile};
use crate::exit::{Exit, coded};
use crate::home::Home;
use crate::network_file::{NetworkFile, expected_address};
use crate::output::Output;

/// Runs a network command.
pub(crate) fn run(home: &Home, command: &NetworkCommand, output: Output) -> Result<()> {
    match command {
        NetworkCommand::Init(args) => init(home, args, output),
    }
}

fn init(home: &Home, args: &NetworkInitArgs, output: Output) -> Result<()> {
    let path = args.out.clone().unwrap_or_else(|| home.network_file());
    if path.exists() {
        let message = format!("{} exists: it is never written over", path.display());
        return Err(coded(Exit::Local, message));
    }
    let genesis = genesis(home, args)?;
    genesis.validate().map_err(|error| coded(Exit::Refuted, error.to_string()))?;
    let mut network = NetworkFile::new(&genesis);
    let node = home.node_key("validator")?.public();
    network.validators = vec![expected_address(node, args.bind)];
    network.write(&path)?;
    let value = json!({
        "network": network.network,
        "name": network.name,
        "profile": genesis.economy.profile,
        "clock": if args.virtual_clock { "virtual" } else { "real" },
        "file": path,
    });
    output.result(&value, || {
        let (name, id, file) = (&network.name, network.network, path.display());
        format!(
            "network {name} ({id}) in {file}\nstart it: remuda validator run --bind {}",
            args.bind
        )
    });
    Ok(())
}

fn genesis(home: &Home, args: &NetworkInitArgs) -> Result<Genesis> {
    let founder = home.wallet()?.public();
    let (mut economy, _) = profile::load(&args.profile)?;
    for change in &args.changes {
        let wrong = || coded(Exit::Failed, format!("{change} is not PATH=JSON"));
        let (path, json) = change.split_once('=').ok_or_else(wrong)?;
        economy = remuda_profiles::with(&economy, path, json)
            .map_err(|error| coded(Exit::Refuted, format!("--set {change}: {error}")))?;
    }
    economy.virtual_clock |= args.virtual_clock;
    let name = args.name.clone();
    Ok(Genesis {
        name: name.unwrap_or_else(|| format!("{}-{}", economy.profile, founder.short())),
        time: key::now_ms(),
        grantor: founder,
        accounts: accounts(args),
        roles: args.roles.iter().cloned().collect(),
        parameters: Parameters::default(),
        economy,
    })
}

/// What accounts hold from the start, each account once.
fn accounts(args: &NetworkInitArgs) -> Vec<GenesisAccount> {
    let mut holdings: BTreeMap<AccountId, (Tokens, Credits)> = BTreeMap::new();
    for (account, tokens) in &args.funded {
        holdings.entry(*account).or_default().0 = *tokens;
    }
    for (account, credits) in &args.credited {
        holdings.entry(*account).or_default().1 = *credits;
    }
    let entry = |(account, (tokens, credits))| GenesisAccount { account, tokens, credits };
    holdings.into_iter().map(entry).collect()
}
