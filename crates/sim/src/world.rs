//! A network that people live in: each step, prices are posted, work is done and paid, tokens
//! change hands, epochs end.

mod measure;
mod money;
mod points;
mod stakes;
mod work;

use remuda_ledger::accounts::Recipient;
use remuda_ledger::credits::Mode;
use remuda_ledger::math::Period;
use remuda_ledger::{Action, BlockError, Economy, GenesisAccount, GenesisError};
use remuda_types::{AmountError, Credits, TimestampMs, Tokens};
use thiserror::Error;

pub(crate) use measure::History;

use crate::agents::{Cast, Provider, providers};
use crate::amounts::{self, tokens};
use crate::assumptions::{DECISION_DAYS, FIRST_PRICE, FOUNDED_TOKENS, POSTERS};
use crate::chance::Chance;
use crate::play::{Actor, Beginning, Play, START};
use crate::prepare::{Bindings, prepare};

/// How long before the end of a step the two blocks with transactions are made.
const MORNING_MS: u64 = 120_000;
/// See [`MORNING_MS`].
const NOON_MS: u64 = 60_000;
/// What those whom nobody pays get for fees: tokens, or as many dollars of credits.
const FEE_ALLOWANCE: f64 = 1_000.0;

/// What a newcomer gets for fees: tokens, or dollars.
const WELCOME: f64 = 1.0;

/// Why a network could not be played.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The economy cannot begin.
    #[error("the network cannot begin: {0}")]
    Genesis(#[from] GenesisError),
    /// A block was refused, which only a fault of the simulation explains.
    #[error("a block was refused: {0}")]
    Block(#[from] BlockError),
    /// Epochs could not be taken together.
    #[error("the schedule does not fit: {0}")]
    Amount(#[from] AmountError),
}

/// What somebody does beside what everybody does.
pub(crate) trait Strategy {
    /// With the first block of a step: prices are known from the block before only.
    fn morning(&mut self, _world: &mut World) {}
    /// With the second block: prices of this step are known.
    fn noon(&mut self, _world: &mut World) {}
}

/// Nobody does anything special.
pub(crate) struct Nobody;

impl Strategy for Nobody {}

/// A network and who lives in it.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) play: Play,
    pub(crate) economy: Economy,
    pub(crate) cast: Cast,
    pub(crate) providers: Vec<Provider>,
    /// What a token costs by the model, in dollars.
    pub(crate) price: f64,
    /// By which factor each poster's word differs from the model's price.
    pub(crate) bias: [f64; POSTERS],
    /// The day that the last step ended.
    pub(crate) day: u32,
    /// How long a step is, in days.
    pub(crate) days: u32,
    /// What all buyers want on an average day now, in dollars.
    pub(crate) wanted: f64,
    /// What they paid in the last step, in dollars a day.
    pub(crate) paid: f64,
    pub(crate) history: History,
    /// What of the profile was changed to play it.
    pub(crate) notes: Vec<String>,
    /// Dollars that anybody who is no provider was paid for tokens.
    pub(crate) holder_dollars: f64,
    chance: Chance,
    /// Apart from the noise of demand, so that who joins does not change it.
    tries: Chance,
    /// How many channels were opened: each needs a name.
    channels: u64,
    /// Whether the price follows a real market yet.
    priced: bool,
}

impl World {
    /// The network of an economy and a seed, with so many providers, in steps of so many days.
    pub(crate) fn new(
        economy: &Economy,
        seed: u64,
        count: usize,
        days: u32,
    ) -> Result<Self, WorldError> {
        let cast = Cast::new(seed);
        let bindings = Bindings {
            posters: cast.posters.iter().map(|poster| poster.account).collect(),
            reporter: cast.reporter.account,
        };
        let step = Period::DAY.times(days.into());
        let (played, mut notes) = prepare(economy, bindings, step)?;
        let accounts = founded(&played, &cast, &mut notes);
        let owned = played.token.allocations.iter().filter(|part| part.to == Recipient::Account);
        let roles = owned.map(|part| (part.name.clone(), cast.holder.account)).collect();
        let beginning = Beginning {
            economy: played.clone(),
            grantor: cast.grantor.key.public(),
            accounts,
            roles,
        };
        Ok(Self {
            play: Play::new(beginning)?,
            economy: played,
            cast,
            providers: providers(seed, count),
            price: FIRST_PRICE,
            bias: [1.0; POSTERS],
            day: 0,
            days,
            wanted: 0.0,
            paid: 0.0,
            history: History::new(),
            notes,
            holder_dollars: 0.0,
            chance: Chance::new(seed, "days"),
            tries: Chance::new(seed, "tries"),
            channels: 0,
            priced: false,
        })
    }

    /// Whether credits are bought with tokens; else they are granted.
    pub(crate) fn is_market(&self) -> bool {
        self.economy.credits.mode != Mode::Off
    }

    /// Whether earned credits become tokens.
    pub(crate) fn settles(&self) -> bool {
        !matches!(self.economy.credits.mode, Mode::Off | Mode::Render)
    }

    /// Plays one step.
    pub(crate) fn step(&mut self, strategy: &mut dyn Strategy) -> Result<(), WorldError> {
        let before = self.day;
        self.day += self.days;
        if before / DECISION_DAYS != self.day / DECISION_DAYS {
            self.decide();
        }
        self.want();
        self.work();
        self.reprice();
        let end = START + u64::from(self.day) * Period::DAY.ms();
        self.post_prices();
        self.report();
        self.collect();
        self.sell();
        self.play_points();
        self.stake();
        strategy.morning(self);
        self.play.block(end - MORNING_MS)?;
        let payments = self.pay();
        self.settle();
        strategy.noon(self);
        let done = self.play.block(end - NOON_MS)?;
        self.note_payments(&payments, &done);
        self.play.finish(end)?;
        self.measure();
        Ok(())
    }

    /// Plays until a day.
    pub(crate) fn until(
        &mut self,
        day: u32,
        strategy: &mut dyn Strategy,
    ) -> Result<(), WorldError> {
        while self.day < day {
            self.step(strategy)?;
        }
        Ok(())
    }

    /// When the second block of the running step is made.
    pub(crate) fn noon_time(&self) -> TimestampMs {
        START + u64::from(self.day) * Period::DAY.ms() - NOON_MS
    }

    /// Whether it is somebody's turn in this step, so that not all act on one day.
    pub(crate) fn is_turn(&self, index: usize) -> bool {
        let turns = (crate::assumptions::TURN_DAYS / self.days).max(1);
        (index as u64) % u64::from(turns) == u64::from((self.day / self.days) % turns)
    }

    /// How many days pass between two turns.
    pub(crate) fn turn_days(&self) -> f64 {
        f64::from(crate::assumptions::TURN_DAYS.max(self.days))
    }

    /// An account sends tokens, if that is anything.
    pub(crate) fn transfer(&mut self, from: &Actor, to: &Actor, amount: Tokens) {
        if amount > Tokens(0) {
            self.play.act(&from.key, Action::Transfer { to: to.account, amount });
        }
    }

    /// The tokens of an account, whole.
    pub(crate) fn tokens_of(&self, actor: &Actor) -> f64 {
        amounts::from_tokens(self.play.account(actor.account).tokens)
    }
}

impl World {
    /// Somebody new gets what a first transaction costs, where one costs anything: of a holder,
    /// or as credits.
    pub(crate) fn welcome(&mut self, actor: &Actor) {
        if self.economy.accounts.fees.floor == Tokens(0) {
            return;
        }
        let holder = self.cast.holder.clone();
        if self.tokens_of(&holder) > WELCOME {
            self.transfer(&holder, actor, tokens(WELCOME));
        } else {
            let grant =
                Action::GrantCredits { to: actor.account, amount: amounts::credits(WELCOME) };
            let grantor = self.cast.grantor.key.clone();
            self.play.act(&grantor, grant);
        }
    }
}

/// What is there at the start beside the profile's allocations.
fn founded(economy: &Economy, cast: &Cast, notes: &mut Vec<String>) -> Vec<GenesisAccount> {
    let allocated = economy.token.allocations.iter().any(|part| part.to == Recipient::Account);
    let market = economy.credits.mode != Mode::Off;
    let found = market && economy.epochs.streams.is_empty() && !allocated;
    let holder = if found { tokens(FOUNDED_TOKENS) } else { Tokens(0) };
    if found {
        notes.push(format!(
            "The profile states neither an emission nor who held tokens before: early holders \
             own {FOUNDED_TOKENS} at the start."
        ));
    }
    let fees = economy.accounts.fees.floor > Tokens(0);
    let room = economy.token.cap.is_none();
    let allowance = if fees { FEE_ALLOWANCE } else { 0.0 };
    let (given, granted) = if room {
        (tokens(allowance), Credits(0))
    } else {
        (Tokens(0), amounts::credits(allowance))
    };
    let servants = cast.posters.iter().chain([&cast.reporter, &cast.grantor]);
    let mut accounts: Vec<GenesisAccount> = servants
        .map(|actor| GenesisAccount { account: actor.account, tokens: given, credits: granted })
        .filter(|entry| entry.tokens > Tokens(0) || entry.credits > Credits(0))
        .collect();
    if found {
        let account = cast.holder.account;
        accounts.push(GenesisAccount { account, tokens: holder, credits: Credits(0) });
    }
    accounts
}
