//! From a parsed command line to what it does.

use anyhow::Result;

use crate::cli::{
    Cli, Command, GatewayCommand, IndexerCommand, ProofCommand, ReceiptCommand, RelayCommand,
    ValidatorCommand,
};
use crate::commands::{
    chat, clock, economy, explain, key, model, network, profile, proof, provider, receipt, wallet,
};
use crate::config::{self, Config};
use crate::exit::{Exit, coded};
use crate::gateway_api::GatewayApi;
use crate::home::Home;
use crate::ledger_access::LedgerAccess;
use crate::network_file::NetworkFile;
use crate::output::{Output, piece};
use crate::roles::{self, run};
use crate::{devnet, up};

/// What every command has at hand.
#[derive(Debug)]
pub(crate) struct Environment {
    /// The home folder.
    pub(crate) home: Home,
    /// The settings.
    pub(crate) config: Config,
    /// How results are written.
    pub(crate) output: Output,
}

impl Environment {
    /// The network that was asked for, or this home's.
    pub(crate) fn network(&self) -> Result<NetworkFile> {
        NetworkFile::read(&self.home.network_file())
    }

    async fn ledger(&self) -> Result<LedgerAccess> {
        LedgerAccess::remote(self.home.clone(), &self.network()?).await
    }

    /// The gateway that was asked for, or the network's first, with the key that was asked
    /// for, or this home's.
    fn gateway(&self, url: Option<&str>, key: Option<String>) -> Result<GatewayApi> {
        let url = match url {
            Some(url) => url.to_owned(),
            None => self.network()?.gateways.into_iter().next().ok_or_else(|| {
                coded(Exit::NotFound, "network.json names no gateway: name one with --base-url")
            })?,
        };
        let stored = || std::fs::read_to_string(self.home.api_key_file()).ok();
        GatewayApi::new(&url, key.or_else(stored).map(|key| key.trim().to_owned()))
    }
}

/// Runs the command.
pub(crate) async fn run(cli: Cli, output: Output) -> Result<()> {
    let home = Home::open(cli.home, cli.model_cache, cli.network)?;
    let config = Config::load(home.root())?;
    let environment = Environment { home, config, output };
    match cli.command {
        Command::Up(args) => up::run(environment.home, &environment.config, &args, output).await,
        Command::Devnet(args) => devnet::run(&environment, &args).await,
        Command::Gateway(GatewayCommand::Run { listen, role }) => {
            run::gateway(&environment, listen, &role).await
        }
        Command::Indexer(IndexerCommand::Run(role)) => run::indexer(&environment, &role).await,
        Command::Validator(ValidatorCommand::Run(role)) => {
            run::validator(&environment, &role).await
        }
        Command::Relay(RelayCommand::Run(role)) => roles::relay::run(&role, output).await,
        Command::Provider(command) => provider::run(&environment, command).await,
        other => ask(&environment, other).await,
    }
}

/// The commands that ask something and end.
async fn ask(environment: &Environment, command: Command) -> Result<()> {
    let output = environment.output;
    match command {
        Command::Profile(command) => profile::run(&command, output),
        Command::Sim(command) => crate::commands::sim::run(&command, output),
        Command::Network(command) => network::run(&environment.home, &command, output),
        Command::Model(command) => model::run(&environment.home, command, output).await,
        Command::Chat(args) => {
            let gateway = environment.gateway(args.base_url.as_deref(), args.api_key.clone())?;
            let model = args.model.as_ref().unwrap_or(&environment.config.buyer.model);
            chat::run(&gateway, model, &args, output).await
        }
        Command::Receipt(ReceiptCommand::Show { id, base_url }) => {
            receipt::show(&environment.gateway(base_url.as_deref(), None)?, &id, output).await
        }
        Command::Receipt(ReceiptCommand::Verify { file }) => receipt::verify(&file, output),
        Command::Explain(args) => {
            let gateway = environment.gateway(args.base_url.as_deref(), None)?;
            explain::run(&gateway, &args.order, output).await
        }
        Command::Config(args) if args.reference => {
            piece(config::REFERENCE);
            Ok(())
        }
        Command::Config(_) => {
            let text = toml::to_string(&environment.config)?;
            output.result(&environment.config, || text);
            Ok(())
        }
        Command::Proof(ProofCommand::Verify { file, root }) => proof::verify(&file, root, output),
        other => {
            let access = environment.ledger().await?;
            let result = on_ledger(&access, other, output).await;
            access.close().await;
            result
        }
    }
}

/// The commands that ask or change the ledger.
async fn on_ledger(access: &LedgerAccess, command: Command, output: Output) -> Result<()> {
    let home = &access.home;
    let step = match command {
        Command::Wallet(command) => return wallet::run(access, command, output).await,
        Command::Clock(command) => return clock::run(access, &command, output).await,
        Command::Key(command) => return key::run(access, &command, output).await,
        Command::Proof(ProofCommand::Show { record }) => {
            return proof::show(access, &record, output).await;
        }
        Command::Ledger(command) => economy::raw::plan(command)?,
        Command::Stake(command) => economy::stake::plan(home, &command)?,
        Command::Delegate(args) => economy::stake::delegate(&args)?,
        Command::Bribe(command) => economy::stake::bribe(&command)?,
        Command::Points(command) => economy::points::plan(home, &command)?,
        Command::Team(command) => economy::points::team(command),
        Command::Chest(command) => economy::points::chest(home, &command)?,
        Command::Licence(command) => economy::points::licence(home, &command)?,
        Command::Dao(command) => economy::dao::plan(command)?,
        Command::Treasury(command) => economy::dao::treasury(&command),
        Command::Oracle(command) => economy::tokens::oracle(&command),
        Command::Epoch(command) => economy::tokens::epoch(home, command)?,
        other => unreachable!("{other:?} is run by `run` or `ask`"),
    };
    economy::run(access, step, output).await
}
