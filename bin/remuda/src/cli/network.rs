//! Commands about networks as such: their rules, their beginning, their clock.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use remuda_ledger::math::Period;
use remuda_types::AccountId;

/// Economies as files.
#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// List the profiles that come along
    List,
    /// Show a profile's file, comments and all; with --json every rule that holds
    #[command(after_help = "Examples:\n  remuda profile show akash\n  \
                            remuda profile show remuda --json")]
    Show {
        /// A name from `profile list`, or a file
        profile: String,
    },
    /// Check a profile: each rule, and that allocations, splits and emission fit together
    #[command(after_help = "Examples:\n  remuda profile check ./mine.toml")]
    Check {
        /// A name from `profile list`, or a file
        profile: String,
    },
    /// Show in which rules two profiles differ
    #[command(after_help = "Examples:\n  remuda profile diff remuda render")]
    Diff {
        /// A name from `profile list`, or a file
        left: String,
        /// Another
        right: String,
    },
}

/// Networks.
#[derive(Debug, Subcommand)]
pub(crate) enum NetworkCommand {
    /// Found a network: write its genesis and its description into this home
    #[command(after_help = "Examples:\n  remuda network init --profile remuda\n  \
                            remuda --home /tmp/akash network init --profile akash \
                            --virtual-clock --bind 127.0.0.1:7000\n  \
                            remuda --home /tmp/akash validator run --bind 127.0.0.1:7000\n  \
                            remuda network init --profile remuda --bind 0.0.0.0:7000 \
                            --set 'credits.oracle.posters=[\"3b6a…29\"]'")]
    Init(NetworkInitArgs),
}

/// Arguments of `network init`.
#[derive(Debug, Args)]
pub(crate) struct NetworkInitArgs {
    /// The economy: a name from `profile list`, or a file
    #[arg(long, value_name = "PROFILE", default_value = "remuda")]
    pub(crate) profile: String,
    /// The network's name, for people [default: the profile's, and the founder's key]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Let block time move only by `clock advance`: for tests and demonstrations
    #[arg(long)]
    pub(crate) virtual_clock: bool,
    /// Where the validator will listen; give the same to `validator run`
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bind: std::net::SocketAddr,
    /// Tokens that an account holds from the start, as ACCOUNT=TOKENS; repeat for several
    #[arg(long = "fund", value_name = "ACCOUNT=TOKENS", value_parser = funding)]
    pub(crate) funded: Vec<(AccountId, remuda_types::Tokens)>,
    /// Dollars of credits that an account holds from the start, as ACCOUNT=DOLLARS
    #[arg(long = "credit", value_name = "ACCOUNT=DOLLARS", value_parser = crediting)]
    pub(crate) credited: Vec<(AccountId, remuda_types::Credits)>,
    /// An account of the profile's allocations, as ROLE=ACCOUNT; repeat for several
    #[arg(long = "role", value_name = "ROLE=ACCOUNT", value_parser = role)]
    pub(crate) roles: Vec<(String, AccountId)>,
    /// A rule of this network that differs from the profile's, as PATH=JSON; repeat for several
    #[arg(long = "set", value_name = "PATH=JSON")]
    pub(crate) changes: Vec<String>,
    /// Where the description is written [default: network.json in the home folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

fn account_and_rest(text: &str) -> Result<(AccountId, &str), String> {
    let (account, rest) = text.split_once('=').ok_or("write ACCOUNT=AMOUNT")?;
    Ok((account.parse().map_err(|error| format!("the account: {error}"))?, rest))
}

fn role(text: &str) -> Result<(String, AccountId), String> {
    let (role, account) = text.split_once('=').ok_or("write ROLE=ACCOUNT")?;
    let account = account.parse().map_err(|error| format!("the account: {error}"))?;
    Ok((role.to_owned(), account))
}

fn funding(text: &str) -> Result<(AccountId, remuda_types::Tokens), String> {
    let (account, amount) = account_and_rest(text)?;
    let amount = remuda_ledger::math::units::tokens::parse(amount);
    Ok((account, amount.map_err(|error| error.to_string())?))
}

fn crediting(text: &str) -> Result<(AccountId, remuda_types::Credits), String> {
    let (account, amount) = account_and_rest(text)?;
    let amount = remuda_ledger::math::units::dollars::parse(amount);
    Ok((account, amount.map_err(|error| error.to_string())?))
}

/// Block time.
#[derive(Debug, Subcommand)]
pub(crate) enum ClockCommand {
    /// Show block time, and whether it is real
    Show,
    /// Move block time on, and wait until every rule that became due has run
    #[command(after_help = "Examples:\n  remuda clock advance 72h\n  remuda clock advance 180d")]
    Advance {
        /// By how much: a number and ms, s, m, h or d
        by: Period,
    },
}
