//! Plays whole economies against the real state machine: providers, buyers, holders and
//! attackers sign real transactions, and the ledger does what it does on any network.
//!
//! What the ledger does not decide is assumed, and each assumption is stated in the report:
//! what buyers want, what devices cost, and a price of MV = PT, which honest posters tell the
//! oracle. Dollars stay outside the ledger. One seed gives the same bytes on any machine:
//! there is one thread, and of floating point only what is exact everywhere.
//!
//! ```
//! use remuda_sim::{Settings, simulate};
//!
//! let economy = remuda_profiles::builtin("remuda").ok_or("unknown")?.economy()?;
//! let settings = Settings { years: 1, providers: 4, attacks: false, ..Settings::default() };
//! let simulation = simulate(&economy, &settings, &mut |_| ())?;
//! assert_eq!(simulation.profile, "remuda");
//! assert!(simulation.files().iter().any(|(name, _)| name == "report.html"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agents;
mod amounts;
mod assumptions;
mod attacks;
mod chance;
mod play;
mod prepare;
mod report;
mod simulation;
mod statistics;
mod world;

pub use attacks::{Attack, LITTLE, Outcome, Sweep, Verdict};
pub use report::Table;
pub use simulation::{
    PROVIDERS, Progress, STEP_DAYS_MAX, Settings, Simulation, SimulationError, Tables, YEARS_MAX,
    simulate,
};
pub use world::WorldError;
