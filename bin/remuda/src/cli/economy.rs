//! Commands about the economy: stake, points, votes, treasury, price, epochs, proofs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use remuda_ledger::math::{Share, units};
use remuda_types::{AccountId, Credits, Hash, PublicKey, Tokens};

/// Reads whole tokens with up to nine decimals.
pub(super) fn tokens(text: &str) -> Result<Tokens, String> {
    units::tokens::parse(text).map_err(|error| error.to_string())
}

/// Reads dollars with up to six decimals.
pub(super) fn dollars(text: &str) -> Result<Credits, String> {
    units::dollars::parse(text).map_err(|error| error.to_string())
}

/// A role that stakes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum StakeRole {
    /// Sells work.
    Provider,
    /// Makes blocks.
    Validator,
    /// Verifies work.
    Checker,
    /// Lists providers.
    Indexer,
    /// Serves buyers.
    Gateway,
}

/// The ledger as such.
#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Ask anything that the ledger answers, as JSON
    #[command(after_help = "Examples:\n  remuda ledger query '\"supply\"'\n  \
                            remuda ledger query '{\"stake\":\"totals\"}'")]
    Query {
        /// The question
        question: String,
    },
    /// Sign any action and wait for its block, as JSON
    #[command(after_help = "Examples:\n  remuda ledger submit \
                            '{\"points\":{\"create_team\":{\"name\":\"herd\"}}}'\n  \
                            remuda ledger submit --node provider '\"deregister_provider\"'")]
    Submit {
        /// The action
        action: String,
        /// Sign with the node key of this role instead of the wallet
        #[arg(long, value_name = "ROLE")]
        node: Option<String>,
    },
}

/// Accounts that need several keys.
#[derive(Debug, Subcommand)]
pub(crate) enum MultisigCommand {
    /// Make an account that acts when enough of its members agree
    #[command(after_help = "Examples:\n  remuda wallet multisig create --threshold 2 \
                            --member 3b6a…29 --member 77c0…1d --member a0d4…53")]
    Create {
        /// A member's public key; repeat for several
        #[arg(long = "member", value_name = "KEY", required = true)]
        members: Vec<PublicKey>,
        /// How many must agree
        #[arg(long, value_name = "N")]
        threshold: u8,
    },
    /// Propose an action, as JSON; proposing counts as agreeing
    Propose {
        /// The account
        account: AccountId,
        /// The action, as `ledger submit` takes it
        action: String,
        /// For how many days it can be agreed to
        #[arg(long, value_name = "DAYS", default_value_t = 7)]
        days: u32,
    },
    /// Show the account and its proposals
    Show {
        /// The account
        account: AccountId,
    },
}

/// Stake.
#[derive(Debug, Subcommand)]
pub(crate) enum StakeCommand {
    /// Enter a role with this home's node key, owned by this home's wallet
    Enroll {
        /// The role
        role: StakeRole,
        /// What the owner keeps of its stakers' rewards
        #[arg(long, value_name = "PERCENT", default_value = "0%")]
        commission: Share,
    },
    /// Stake on one's own node
    Bond {
        /// The role
        role: StakeRole,
        /// The node's key
        operator: PublicKey,
        /// How many tokens
        #[arg(value_parser = tokens)]
        amount: Tokens,
    },
    /// Ask for stake back: it is paid when the cooldown is over
    Unbond {
        /// The role
        role: StakeRole,
        /// The node's key
        operator: PublicKey,
        /// How many tokens [default: all]
        #[arg(value_parser = tokens)]
        amount: Option<Tokens>,
    },
    /// Take what one earned
    Claim {
        /// The role
        role: StakeRole,
        /// The node's key
        operator: PublicKey,
    },
    /// Come back from jail, once what was missing is there
    Unjail {
        /// The role
        role: StakeRole,
        /// The node's key
        operator: PublicKey,
    },
    /// Show what an account has staked, and what is on its way out
    Show {
        /// Another account than this home's
        account: Option<AccountId>,
    },
    /// Show everybody who stakes in a role
    Ls {
        /// The role
        role: StakeRole,
    },
}

/// Arguments of `delegate`.
#[derive(Debug, Args)]
pub(crate) struct DelegateArgs {
    /// The role
    pub(crate) role: StakeRole,
    /// The node's key
    pub(crate) operator: PublicKey,
    /// How many tokens
    #[arg(value_parser = tokens)]
    pub(crate) amount: Tokens,
}

/// Bribes.
#[derive(Debug, Subcommand)]
pub(crate) enum BribeCommand {
    /// Offer stakers a share of one's own rewards, from after the notice on
    #[command(after_help = "Examples:\n  remuda bribe set 3b6a…29 20%")]
    Set {
        /// The provider's node key
        operator: PublicKey,
        /// The share
        share: Share,
    },
    /// Move stake from one provider to another at once, where the rules allow it
    Move {
        /// From whom
        from: PublicKey,
        /// To whom
        to: PublicKey,
        /// How many tokens [default: all]
        #[arg(value_parser = tokens)]
        amount: Option<Tokens>,
    },
}

/// Points.
#[derive(Debug, Subcommand)]
pub(crate) enum PointsCommand {
    /// Show an account's points
    Show {
        /// Another account than this home's
        account: Option<AccountId>,
    },
    /// Show all points, and what they will become
    Book,
    /// Take a certificate, once qualified
    Certificate,
    /// Name who invited this account
    Invited {
        /// Who
        by: AccountId,
    },
    /// Take what points have become
    Claim,
}

/// Teams.
#[derive(Debug, Subcommand)]
pub(crate) enum TeamCommand {
    /// Found a team
    Create {
        /// Its name
        name: String,
    },
    /// Join a team
    Join {
        /// Its number
        team: u64,
    },
    /// Leave one's team
    Leave,
    /// List all teams
    Ls,
}

/// Chests.
#[derive(Debug, Subcommand)]
pub(crate) enum ChestCommand {
    /// Show the chests of an account
    Show {
        /// Another account than this home's
        account: Option<AccountId>,
    },
    /// Open chests: what is in them is drawn two blocks later
    Open {
        /// How many
        #[arg(default_value_t = 1)]
        count: u32,
    },
    /// Show what may be in a chest, and how likely
    Odds,
}

/// Node licences.
#[derive(Debug, Subcommand)]
pub(crate) enum LicenceCommand {
    /// Show what a licence costs now, and how many are left
    Price,
    /// Buy licences, with tokens or with dollars, as the network sells them
    #[command(after_help = "Examples:\n  remuda licence buy 1 --tokens 500\n  \
                            remuda licence buy 2 --dollars 760")]
    Buy {
        /// How many
        count: u32,
        /// The most tokens to pay for all
        #[arg(long, value_name = "TOKENS", value_parser = tokens,
              required_unless_present = "dollars", conflicts_with = "dollars")]
        tokens: Option<Tokens>,
        /// The most dollars of credits to pay for all
        #[arg(long, value_name = "DOLLARS", value_parser = dollars)]
        dollars: Option<Credits>,
        /// Who recommended it
        #[arg(long, value_name = "ACCOUNT")]
        referrer: Option<AccountId>,
    },
    /// List the licences of an account
    Ls {
        /// Another account than this home's
        account: Option<AccountId>,
    },
    /// Let a node work with a licence, or none
    Delegate {
        /// The licence
        number: u32,
        /// The node's key
        operator: Option<PublicKey>,
    },
    /// Give a licence away
    Transfer {
        /// The licence
        number: u32,
        /// To whom
        to: AccountId,
    },
    /// Give a licence back for its price less the fee
    Return {
        /// The licence
        number: u32,
    },
}

/// What to decide on.
#[derive(Debug, Subcommand)]
pub(crate) enum Proposal {
    /// Something that changes no rule
    Text,
    /// Rules: PATH=JSON, for example stake.cooldown='"7d"'
    Change {
        /// A rule and its new value; repeat for several
        #[arg(required = true, value_name = "PATH=JSON")]
        changes: Vec<String>,
    },
    /// A payment from the treasury
    Spend {
        /// To whom
        to: AccountId,
        /// How many tokens
        #[arg(value_parser = tokens)]
        amount: Tokens,
    },
    /// Burn tokens of the treasury
    Burn {
        /// How many tokens
        #[arg(value_parser = tokens)]
        amount: Tokens,
    },
}

/// A vote's answer.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Answer {
    /// For it.
    Yes,
    /// Against it.
    No,
    /// Neither.
    Abstain,
    /// Against it, and its proposer shall lose the deposit.
    Veto,
}

/// Deciding together.
#[derive(Debug, Subcommand)]
pub(crate) enum DaoCommand {
    /// Propose something; the deposit comes back unless it is vetoed
    #[command(after_help = "Examples:\n  \
                            remuda dao propose \"Pay the auditors\" spend 3b6a…29 500\n  \
                            remuda dao propose \"Shorter\" change 'stake.cooldown=\"7d\"'")]
    Propose {
        /// Its title
        title: String,
        /// Why [default: the title]
        #[arg(long)]
        text: Option<String>,
        /// What
        #[command(subcommand)]
        what: Proposal,
    },
    /// Vote; a later vote replaces an earlier one
    Vote {
        /// The proposal
        proposal: u64,
        /// The answer
        answer: Answer,
    },
    /// Lock tokens for voting, where the rules count locked tokens
    Lock {
        /// How many
        #[arg(value_parser = tokens)]
        amount: Tokens,
    },
    /// Unlock tokens that no running vote holds
    Unlock {
        /// How many
        #[arg(value_parser = tokens)]
        amount: Tokens,
    },
    /// Agree to what an account of several keys shall do
    Sign {
        /// The proposal within that account, as `wallet multisig show` names it
        proposal: String,
    },
    /// Carry out what was decided, once its timelock is over
    Execute {
        /// The proposal
        proposal: u64,
    },
    /// List proposals, newest first
    Ls,
    /// Show a proposal with its votes
    Show {
        /// The proposal
        proposal: u64,
    },
}

/// The treasury.
#[derive(Debug, Subcommand)]
pub(crate) enum TreasuryCommand {
    /// Show what it holds
    Show,
    /// List everything it paid, newest first
    Outflows,
    /// Show the pool through which tokens are bought back
    Pool,
}

/// The price of a token.
#[derive(Debug, Subcommand)]
pub(crate) enum OracleCommand {
    /// Say what a token costs, in dollars
    Post {
        /// The price
        #[arg(value_parser = dollars)]
        price: Credits,
    },
    /// Show the price that holds, and every post behind it
    Show,
}

/// Epochs.
#[derive(Debug, Subcommand)]
pub(crate) enum EpochCommand {
    /// Show each stream of emission and where it stands
    Show,
    /// Show the next epochs of a stream
    Forecast {
        /// The stream
        stream: String,
        /// How many epochs
        #[arg(default_value_t = 24)]
        count: u32,
    },
    /// Show how the last epochs of a stream were split
    Splits {
        /// The stream
        stream: String,
        /// How many epochs
        #[arg(default_value_t = 24)]
        count: u32,
    },
    /// Show what an account may claim
    Rewards {
        /// Another account than this home's
        account: Option<AccountId>,
    },
    /// Take what one earned
    Claim,
}

/// What to prove.
#[derive(Debug, Subcommand)]
pub(crate) enum ProofCommand {
    /// Fetch a record with the proof that it is (or is not) in the newest state
    #[command(after_help = "Examples:\n  remuda proof show account 3b6a…29 > proof.json\n  \
                            remuda proof verify proof.json --network network.json")]
    Show {
        /// Which record
        #[command(subcommand)]
        record: ProvenRecord,
    },
    /// Check a proof, against the header in it or a header that is trusted
    Verify {
        /// The file, as `proof show` wrote it; `-` reads standard input
        file: PathBuf,
        /// The state root that is trusted [default: that of the header in the file]
        #[arg(long, value_name = "HASH")]
        root: Option<Hash>,
    },
}

/// A record of the ledger.
#[derive(Debug, Subcommand)]
pub(crate) enum ProvenRecord {
    /// An account's balances
    Account {
        /// Which
        account: AccountId,
    },
    /// A channel
    Channel {
        /// Which
        channel: remuda_types::ChannelId,
    },
    /// All money
    Supply,
}
