//! `remuda up`: a whole network in one process (and its engine's worker).

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use remuda_chain::{LedgerClient, LedgerClientExt, Signer};
use remuda_ledger::{Action, Genesis, GenesisAccount, Parameters};
use remuda_models::Manifest;
use remuda_types::{Credits, SecretKey, Tokens};
use serde_json::json;

use crate::cli::{ProviderRunArgs, UpArgs};
use crate::commands::key;
use crate::config::Config;
use crate::home::{Home, write_secret};
use crate::ledger_access::LedgerAccess;
use crate::network_file::NetworkFile;
use crate::output::Output;
use crate::roles::{self, node};
use crate::stop;

/// Credits that the founder of a network on this machine is granted.
const FOUNDER_CREDITS: Credits = Credits(10_000 * Credits::DOLLAR.0);
/// The cap of the first API key.
const FIRST_KEY_CAP: Credits = Credits(1_000 * Credits::DOLLAR.0);
/// How long the first API key lives.
const FIRST_KEY_LIFE_SECONDS: u64 = 365 * 86_400;
/// An API key with less life than this is replaced at the start.
const KEY_LIFE_MS_MIN: u64 = 86_400_000;

/// Runs the network until it is stopped.
pub(crate) async fn run(home: Home, config: &Config, args: &UpArgs, output: Output) -> Result<()> {
    let selling = selling(&home, config, args)?;
    let mut network = found(&home)?;
    output.note("starting the engine…");
    let stock = roles::provider::stock(&home, &selling, output).await?;

    let validator_node = node::bind(&home, "validator", args.role.bind, &config.net).await?;
    let validator = roles::validator::start(&home, &validator_node, network.genesis()?).await?;
    let ledger: Arc<dyn LedgerClient> = Arc::new(validator.clone());
    let access = LedgerAccess { home: home.clone(), ledger: ledger.clone(), endpoint: None };
    let api_key = api_key(&access).await?;
    let manifests: Vec<_> = stock.files.iter().map(|(manifest, _)| manifest.clone()).collect();
    register_models(&access, &manifests).await?;

    let indexer_node = node::bind(&home, "indexer", None, &config.net).await?;
    roles::indexer::start(&indexer_node);
    let indexers = vec![indexer_node.address()];

    let provider_node = node::bind(&home, "provider", None, &config.net).await?;
    let provider = roles::provider::start(
        &home,
        "provider",
        provider_node.clone(),
        ledger.clone(),
        indexers.clone(),
        &selling,
        stock,
    )
    .await?;

    let gateway_node = node::bind(&home, "gateway", None, &config.net).await?;
    let listen = args.listen.unwrap_or(config.gateway.listen);
    let gateway =
        roles::gateway::start(&home, gateway_node.clone(), ledger, indexers, listen).await?;

    network.validators = vec![validator_node.address()];
    network.indexers = vec![indexer_node.address()];
    network.relays.clone_from(&config.net.relays);
    network.gateways = vec![base_url(gateway.local_addr())];
    network.write(&home.network_file())?;
    announce(&home, &network, &selling.models[0], &api_key, output);

    stop::requested(args.role.exit_with_stdin).await?;
    output.note("stopping: running answers end first; Ctrl-C again stops at once");
    tokio::select! {
        () = async {
            gateway.shutdown().await;
            provider.shutdown().await;
            validator.close().await;
        } => {}
        again = stop::requested(false) => again?,
    }
    for endpoint in [gateway_node, provider_node, indexer_node, validator_node] {
        endpoint.close().await;
    }
    Ok(())
}

fn selling(home: &Home, config: &Config, args: &UpArgs) -> Result<roles::provider::Selling> {
    let provider = ProviderRunArgs {
        models: args.model.iter().cloned().collect(),
        threads: args.threads,
        ..ProviderRunArgs::default()
    };
    roles::provider::Selling::new(home, &config.provider, &provider)
}

/// The network of this home; a new one when there is none.
pub(crate) fn found(home: &Home) -> Result<NetworkFile> {
    let path = home.network_file();
    if path.exists() {
        return NetworkFile::read(&path);
    }
    let founder = home.wallet()?.public();
    let genesis = Genesis {
        name: format!("local-{}", founder.short()),
        time: key::now_ms(),
        grantor: founder,
        accounts: vec![GenesisAccount {
            account: founder.into(),
            tokens: Tokens::ZERO,
            credits: FOUNDER_CREDITS,
        }],
        roles: std::collections::BTreeMap::new(),
        parameters: Parameters::default(),
        economy: remuda_ledger::Economy::default(),
    };
    let network = NetworkFile::new(&genesis);
    network.write(&path)?;
    Ok(network)
}

/// The API key of this home while it is good; otherwise a new one.
pub(crate) async fn api_key(access: &LedgerAccess) -> Result<String> {
    let path = access.home.api_key_file();
    if let Ok(text) = std::fs::read_to_string(&path)
        && let Ok(key) = SecretKey::from_api_key(text.trim())
        && is_good(access, &key).await?
    {
        return Ok(text.trim().to_owned());
    }
    let (key, _) = key::create(access, FIRST_KEY_CAP, FIRST_KEY_LIFE_SECONDS).await?;
    write_secret(&path, &key.to_api_key())?;
    Ok(key.to_api_key())
}

async fn is_good(access: &LedgerAccess, key: &SecretKey) -> Result<bool> {
    let session = access.ledger.session(key.public()).await?;
    Ok(session.is_some_and(|session| {
        !session.revoked
            && session.expires_at > key::now_ms() + KEY_LIFE_MS_MIN
            && session.spent.0 + session.locked.0 < session.cap.0 / 2
    }))
}

/// Enters the models into the ledger's registry, so that their names mean one manifest.
pub(crate) async fn register_models(access: &LedgerAccess, manifests: &[Manifest]) -> Result<()> {
    let known = access.ledger.models().await?;
    let signer = Signer::new(access.ledger.clone(), access.home.wallet()?);
    for manifest in manifests {
        if known.iter().any(|model| model.manifest == manifest.hash()) {
            continue;
        }
        signer
            .send(Action::RegisterModel {
                name: manifest.name.clone(),
                manifest: manifest.hash(),
                kinds: manifest.kinds.clone(),
                licence: manifest.licence.clone(),
            })
            .await?;
    }
    Ok(())
}

/// The base URL of a gateway that listens at `address`.
pub(crate) fn base_url(address: SocketAddr) -> String {
    format!("http://{address}/v1")
}

/// Prints what a user needs: base URL, API key, and a line to try.
pub(crate) fn announce(
    home: &Home,
    network: &NetworkFile,
    model: &str,
    api_key: &str,
    output: Output,
) {
    let base_url = network.gateways.first().cloned().unwrap_or_default();
    let details = json!({
        "network": network.network,
        "base_url": base_url,
        "api_key": api_key,
        "model": model,
        "network_file": home.network_file(),
    });
    let text = format!(
        "\nRemuda is ready. Network {name}, model {model}.\n\n  \
         base URL  {base_url}\n  API key   {api_key}\n\n\
         Try it:\n\n  curl {base_url}/chat/completions \\\n    \
         -H 'Authorization: Bearer {api_key}' \\\n    \
         -H 'Content-Type: application/json' \\\n    \
         -d '{{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \"Why is \
         the sky blue?\"}}]}}'\n\n\
         Others join with:  remuda --network {file} provider run\n\
         Stop with Ctrl-C; the next `remuda up` goes on where this one ended.",
        name = network.name,
        file = home.network_file().display(),
    );
    roles::ready(output, "network", details, &text);
}
