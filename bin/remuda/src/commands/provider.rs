//! `remuda provider`: sell, steer a running provider, and see the doctor.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use remuda_chain::RemoteLedger;
use remuda_provider::control::{self, Command, Reply};
use remuda_provider::doctor::{self, Checkup, Finding, ModelFile, Report, Severity};
use remuda_provider::hardware;

use crate::cli::{ProviderCommand, ProviderRunArgs};
use crate::dispatch::Environment;
use crate::exit::{Exit, coded};
use crate::roles::{provider as provider_role, run as roles_run};

/// Runs a provider command.
pub(crate) async fn run(environment: &Environment, command: ProviderCommand) -> Result<()> {
    match command {
        ProviderCommand::Run(args) => roles_run::provider(environment, &args).await,
        ProviderCommand::Doctor(args) => doctor(environment, &args).await,
        ProviderCommand::Status => steer(environment, Command::Status).await,
        ProviderCommand::Pause => steer(environment, Command::Pause).await,
        ProviderCommand::Resume => steer(environment, Command::Resume).await,
        ProviderCommand::Drain => steer(environment, Command::Stop).await,
    }
}

async fn steer(environment: &Environment, command: Command) -> Result<()> {
    let folder: PathBuf = environment.home.root().join("provider");
    let reply = control::ask(&folder, command).await.map_err(|error| {
        coded(Exit::NotFound, format!("no provider runs with this home folder: {error}"))
    })?;
    match reply {
        Reply::Status(status) => {
            environment.output.result(&status, || {
                serde_json::to_string_pretty(&status).unwrap_or_else(|error| error.to_string())
            });
            Ok(())
        }
        Reply::Error { message, .. } => Err(coded(Exit::Failed, message)),
    }
}

/// Checks what a provider needs, for real, and says what to fix.
async fn doctor(environment: &Environment, args: &ProviderRunArgs) -> Result<()> {
    let report = doctor::run(checkup(environment, args).await?).await;
    environment
        .output
        .result(&report, || report.findings.iter().map(describe).collect::<Vec<_>>().join("\n"));
    if report.worst() == Severity::Error {
        return Err(coded(Exit::Refuted, summary(&report)));
    }
    Ok(())
}

fn summary(report: &Report) -> String {
    let errors = report.findings.iter().filter(|one| one.severity == Severity::Error).count();
    format!("{errors} of {} checks failed; the fixes stand beside them", report.findings.len())
}

fn describe(finding: &Finding) -> String {
    let mark = match finding.severity {
        Severity::Ok => "ok      ",
        Severity::Info => "info    ",
        Severity::Warning => "WARNING ",
        Severity::Error => "ERROR   ",
    };
    let fix = finding.fix.as_ref().map_or_else(String::new, |fix| format!("\n         fix: {fix}"));
    format!("{mark} {}: {}{fix}", finding.title, finding.detail)
}

/// Gathers what can be checked. What is missing is left out, and the doctor says so.
async fn checkup(environment: &Environment, args: &ProviderRunArgs) -> Result<Checkup> {
    let home = &environment.home;
    let selling = provider_role::Selling::new(home, &environment.config.provider, args)?;
    let stock = provider_role::stock(home, &selling, environment.output).await?;
    let network = environment.network().ok();
    let endpoint = match &network {
        Some(network) => roles_run::bind(environment, "doctor", &args.role, network).await.ok(),
        None => None,
    };
    let ledger = endpoint.as_ref().zip(network.as_ref()).map(|(endpoint, network)| {
        let ledger = RemoteLedger::new(endpoint.clone(), network.validators.clone());
        Arc::new(ledger) as Arc<dyn remuda_chain::LedgerClient>
    });
    let (indexers, validators) =
        network.map_or_else(Default::default, |network| (network.indexers, network.validators));
    Ok(Checkup {
        home: home.folder("provider")?,
        hardware: Some(hardware::detect(home.root())),
        node: Some(home.node_key("provider")?.public()),
        reward: Some(selling.reward),
        models: stock.files.iter().map(model_file).collect(),
        engines: stock.engines,
        listen: args.role.bind,
        endpoint,
        indexers,
        validators,
        ledger,
    })
}

fn model_file((manifest, path): &(remuda_models::Manifest, PathBuf)) -> ModelFile {
    ModelFile {
        name: manifest.name.clone(),
        manifest: manifest.hash(),
        path: path.clone(),
        bytes: manifest.bytes,
        blake3: manifest.blake3,
    }
}
