//! `remuda`: one binary for every role of the network and for its users.
//!
//! It reads arguments and settings, starts roles from the libraries, prints results and
//! turns errors into exit codes. The rules of the network live in the libraries below it.
//!
//! ```sh
//! remuda up                      # a whole network on this machine
//! remuda chat "Why is the sky blue?"
//! ```

mod catalog;
mod cli;
mod commands;
mod config;
mod decimal;
mod devnet;
mod dispatch;
mod exit;
mod gateway_api;
mod home;
mod ledger_access;
mod network_file;
mod output;
mod peers;
mod progress;
mod roles;
mod stop;
mod up;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::of(cli.json);
    init_logs(&cli);
    if matches!(cli.command, Command::EngineWorker) {
        // The worker owns its process: native code, no async runtime, frames on standard output.
        return remuda_engine::worker::main();
    }
    // The one provider of cryptography for HTTPS; it fails only when it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match tokio_runtime().and_then(|runtime| runtime.block_on(dispatch::run(cli, output))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let exit = exit::code_of(&error);
            output.error(&error, exit as u8, exit::name_of(&error));
            exit.into()
        }
    }
}

fn tokio_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Logs go to standard error: text for people, JSON when results are JSON.
fn init_logs(cli: &Cli) {
    let filter = tracing_subscriber::EnvFilter::new(&cli.log);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if cli.json {
        builder.json().init();
    } else {
        builder.init();
    }
}
