//! `remuda devnet`: a network of separate processes on this machine, each role its own, to
//! try the network and to break it. A role that dies is started again.

mod child;
mod plan;

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use self::child::Child;
use self::plan::Plan;
use crate::catalog;
use crate::cli::DevnetArgs;
use crate::dispatch::Environment;
use crate::ledger_access::LedgerAccess;
use crate::network_file::NetworkFile;
use crate::output::Output;
use crate::stop;
use crate::up;

/// How often the supervisor looks after its processes.
const WATCH_EVERY: Duration = Duration::from_millis(200);

/// Runs the processes until it is stopped.
pub(crate) async fn run(environment: &Environment, args: &DevnetArgs) -> Result<()> {
    let output = environment.output;
    let model = args.model.clone().unwrap_or_else(|| environment.config.buyer.model.clone());
    let mut manifests = Vec::new();
    if args.upstream.is_none() {
        manifests.push(catalog::ensure(&environment.home, &model, output).await?.0);
    }
    let (plan, network) = plan::make(environment, args, &model)?;
    let mut children = start_in_order(environment, &plan, &network, output).await?;

    let access = LedgerAccess::remote(environment.home.clone(), &network).await?;
    let api_key = up::api_key(&access).await?;
    up::register_models(&access, &manifests).await?;
    access.close().await;
    up::announce(&environment.home, &network, &model, &api_key, output);

    supervise(&mut children, !args.no_restart, output).await?;
    output.note("stopping: running answers end first; Ctrl-C again stops at once");
    tokio::select! {
        () = stop_all(&mut children) => Ok(()),
        again = stop::requested(false) => again,
    }
}

/// Starts validator and indexer, then the rest, each when those before it are ready.
async fn start_in_order(
    environment: &Environment,
    plan: &Plan,
    network: &NetworkFile,
    output: Output,
) -> Result<Vec<Child>> {
    network.write(&environment.home.network_file())?;
    let mut children = Vec::new();
    for wave in plan.waves() {
        let first = children.len();
        for role in wave {
            children.push(Child::spawn(role.clone())?);
        }
        for child in &mut children[first..] {
            child.wait_ready().await?;
            report(child, "started", output);
        }
    }
    Ok(children)
}

/// Watches the processes until the supervisor should stop.
async fn supervise(children: &mut [Child], restart: bool, output: Output) -> Result<()> {
    let stopped = stop::requested(false);
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            result = &mut stopped => return result,
            () = tokio::time::sleep(WATCH_EVERY) => {}
        }
        for child in children.iter_mut() {
            if child.died()? {
                report(child, "died", output);
            }
            if restart && child.restart_due() {
                child.respawn()?;
                report(child, "restarted", output);
            }
        }
    }
}

async fn stop_all(children: &mut [Child]) {
    // Buyers' side first, the ledger last: vouchers are redeemed on the way.
    for child in children.iter_mut().rev() {
        child.stop().await;
    }
}

fn report(child: &Child, event: &str, output: Output) {
    let details = json!({ "event": event, "role": child.name(), "process": child.process() });
    let process = child.process().map_or_else(String::new, |id| format!(" (process {id})"));
    output.result(&details, || format!("{event} {}{process}", child.name()));
}
