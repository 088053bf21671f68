//! A whole simulation: one network for years, and attacks on a copy of it.

use remuda_ledger::math::Period;
use remuda_ledger::{AuditError, Economy};
use serde::Serialize;
use thiserror::Error;

use crate::assumptions;
use crate::attacks::{self, Attack, Span, Sweep};
use crate::report::Table;
use crate::world::{History, Nobody, World, WorldError};

/// Days of a year.
const YEAR: u32 = 365;
/// The most years of one simulation.
pub const YEARS_MAX: u32 = 100;
/// The fewest and the most providers: one of each class, and what one report can hold.
pub const PROVIDERS: std::ops::RangeInclusive<usize> = 4..=1_000;
/// The longest step, in days.
pub const STEP_DAYS_MAX: u32 = 30;
/// The most providers of a network that is attacked.
const ATTACKED_PROVIDERS_MAX: usize = 24;

/// What is simulated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// For how many years, 1 to [`YEARS_MAX`].
    pub years: u32,
    /// From what all chance follows.
    pub seed: u64,
    /// How many providers there could be.
    pub providers: usize,
    /// How long a step is, in days, 1 to [`STEP_DAYS_MAX`].
    pub step_days: u32,
    /// Whether attacks are played, too.
    pub attacks: bool,
    /// For how many days a network runs before it is attacked.
    pub attacked_after_days: u32,
    /// For how many days an attacker acts.
    pub attacked_for_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            years: 20,
            seed: 1,
            providers: 40,
            step_days: 1,
            attacks: true,
            attacked_after_days: 180,
            attacked_for_days: 60,
        }
    }
}

/// Why nothing was simulated.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// A setting is out of bounds.
    #[error("{setting} must be {rule}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What would be accepted.
        rule: String,
    },
    /// The network could not be played.
    #[error(transparent)]
    World(#[from] WorldError),
    /// At the end money was lost or made: a fault of the ledger.
    #[error("the ledger does not add up at the end: {0}")]
    Audit(#[from] AuditError),
}

impl SimulationError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Setting { .. } => "simulation_setting",
            Self::World(_) => "simulation_failed",
            Self::Audit(_) => "simulation_audit",
        }
    }
}

/// How far a simulation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many years are over.
    Years(u32),
    /// This attack is being played.
    Attack(&'static str),
}

/// What a simulation showed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Simulation {
    /// The profile's name.
    pub profile: String,
    /// The token's symbol.
    pub symbol: String,
    /// What was simulated.
    pub settings: Settings,
    /// What of the profile was changed to play it.
    pub changes: Vec<String>,
    /// What was assumed.
    pub assumptions: Vec<String>,
    /// One table a subject.
    pub tables: Tables,
    /// Every attack.
    pub attacks: Vec<Attack>,
    /// Where pledges spiral.
    pub spiral: Sweep,
    /// How many transactions took effect.
    pub applied: u64,
    /// How many were refused, by code.
    pub refused: std::collections::BTreeMap<String, u64>,
    /// How many blocks were made.
    pub blocks: u64,
}

/// What was measured, one table a subject; a row a week.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tables {
    /// Tokens.
    pub supply: Table,
    /// Tokens made a day, by reason.
    pub mint: Table,
    /// Tokens ended a day, by reason.
    pub burn: Table,
    /// Dollars a token, and dollars that buyers wanted to pay and paid a day.
    pub price: Table,
    /// Dollars that a device earned a day, by class, and how many providers there are.
    pub income: Table,
    /// How evenly incomes are spread, and how long providers wait for work, in days.
    pub fairness: Table,
    /// What the treasury holds.
    pub treasury: Table,
}

impl From<History> for Tables {
    fn from(history: History) -> Self {
        let History { supply, mint, burn, price, income, fairness, treasury, .. } = history;
        Self { supply, mint, burn, price, income, fairness, treasury }
    }
}

impl Settings {
    fn check(&self) -> Result<(), SimulationError> {
        let require = |holds: bool, setting, rule: String| {
            if holds { Ok(()) } else { Err(SimulationError::Setting { setting, rule }) }
        };
        let fits = (1..=YEARS_MAX).contains(&self.years);
        require(fits, "years", format!("1 to {YEARS_MAX}"))?;
        let (least, most) = (PROVIDERS.start(), PROVIDERS.end());
        let fits = PROVIDERS.contains(&self.providers);
        require(fits, "providers", format!("{least} to {most}"))?;
        let fits = (1..=STEP_DAYS_MAX).contains(&self.step_days);
        require(fits, "step", format!("1 to {STEP_DAYS_MAX} days"))
    }
}

/// Plays an economy. The same economy and settings give the same result, byte by byte.
///
/// # Errors
/// When a setting is out of bounds, the economy cannot begin, or the ledger does not add up.
pub fn simulate(
    economy: &Economy,
    settings: &Settings,
    told: &mut dyn FnMut(Progress),
) -> Result<Simulation, SimulationError> {
    settings.check()?;
    let days = settings.step_days;
    let mut world = World::new(economy, settings.seed, settings.providers, days)?;
    for year in 1..=settings.years {
        world.until(year * YEAR, &mut Nobody)?;
        told(Progress::Years(year));
    }
    world.play.ledger.audit()?;
    let attacks = if settings.attacks { attack(economy, settings, told)? } else { Vec::new() };
    let cooldown = economy.stake.cooldown.ms() as f64 / Period::DAY.ms() as f64;
    let minted = minted_part(&world.history);
    Ok(Simulation {
        profile: economy.profile.clone(),
        symbol: economy.token.symbol.clone(),
        settings: settings.clone(),
        changes: world.notes,
        assumptions: assumptions::stated(),
        spiral: attacks::sweep(minted, cooldown),
        attacks,
        applied: world.play.applied,
        refused: world.play.refused,
        blocks: world.play.ledger.head().height,
        tables: world.history.into(),
    })
}

/// Attacks a smaller network of the same economy and seed, in steps of a day.
fn attack(
    economy: &Economy,
    settings: &Settings,
    told: &mut dyn FnMut(Progress),
) -> Result<Vec<Attack>, SimulationError> {
    let count = settings.providers.min(ATTACKED_PROVIDERS_MAX);
    let fresh = World::new(economy, settings.seed, count, 1)?;
    let span = Span { before: settings.attacked_after_days, during: settings.attacked_for_days };
    let mut say = |name| told(Progress::Attack(name));
    Ok(attacks::all(&fresh, settings.seed, span, &mut say)?)
}

/// Which part of what providers earned was minted by epochs, in the last half of the time.
fn minted_part(history: &History) -> f64 {
    let half = history.price.rows.len() / 2;
    let rows = history.price.rows.iter().zip(&history.mint.rows).skip(half);
    let (minted, paid) = rows.fold((0.0, 0.0), |(minted, paid), (price, mint)| {
        let emission = mint.get(2).copied().unwrap_or_default();
        let price_now = price.get(1).copied().unwrap_or_default();
        let spent = price.get(4).copied().unwrap_or_default();
        (minted + emission * price_now, paid + spent)
    });
    if minted + paid > 0.0 { minted / (minted + paid) } else { 0.0 }
}
