//! How a network begins, and the bounds that it keeps.

use std::collections::{BTreeMap, BTreeSet};

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Canonical, Credits, NetworkId, PublicKey, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};

use crate::accounts;
use crate::economy::Economy;
use crate::error::GenesisError;

/// The longest name of a network, in bytes.
pub const NETWORK_NAME_BYTES_MAX: usize = 64;

/// The state before the first block, and the rules after it. Its digest names the network.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Genesis {
    /// A name for people, 1 to [`NETWORK_NAME_BYTES_MAX`] bytes.
    pub name: String,
    /// The block time of height 0, in milliseconds.
    pub time: TimestampMs,
    /// The only key that may grant credits.
    pub grantor: PublicKey,
    /// What accounts hold at the start; each account once.
    pub accounts: Vec<GenesisAccount>,
    /// Which account each allocation with `to = "account"` belongs to, by the allocation's
    /// name. One that is not named here belongs to the public treasury.
    #[serde(default)]
    pub roles: BTreeMap<String, AccountId>,
    /// The bounds.
    pub parameters: Parameters,
    /// The rules of the economy.
    #[serde(default)]
    pub economy: Economy,
}

impl Canonical for Genesis {
    const DOMAIN: &'static str = "remuda/genesis/1";
}

impl Genesis {
    /// The network that this genesis begins.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        NetworkId(self.digest())
    }

    /// Checks the name, the parameters, and that no account is named twice. Whether the sums
    /// fit shows when the state is built.
    ///
    /// # Errors
    /// The first [`GenesisError`] found.
    pub fn validate(&self) -> Result<(), GenesisError> {
        if self.name.is_empty() || self.name.len() > NETWORK_NAME_BYTES_MAX {
            return Err(GenesisError::Name { most: NETWORK_NAME_BYTES_MAX });
        }
        let mut seen = BTreeSet::new();
        for entry in &self.accounts {
            if !seen.insert(entry.account) {
                return Err(GenesisError::DuplicateAccount { account: entry.account });
            }
        }
        self.parameters.validate()?;
        self.economy.validate()?;
        Ok(accounts::validate(self)?)
    }
}

/// What one account holds at the start.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct GenesisAccount {
    /// The account.
    pub account: AccountId,
    /// Its tokens.
    pub tokens: Tokens,
    /// Its credits. They count as granted.
    pub credits: Credits,
}

/// One minute in block time.
const MINUTE_MS: u64 = 60_000;
/// One day in block time.
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// The bounds of the state machine. They are part of the state (and of its root), so that a
/// later rule can change them by a transaction.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// The longest that a channel may live, in milliseconds. Default: 30 days.
    pub channel_life_ms_max: u64,
    /// How long a provider can still redeem after the payer asked to close, in milliseconds.
    /// Default: 10 minutes.
    pub close_grace_ms: u64,
    /// How long the name of a closed channel stays taken, in milliseconds. In this time its
    /// vouchers are refused as *closed*, afterwards as *unknown*. Default: 30 days.
    pub closed_memory_ms: u64,
    /// Session keys of one account. At the limit, an ended one makes room. Default: 1,000.
    pub sessions_per_account_max: u32,
    /// Open channels of one payer. Default: 1,024.
    pub channels_per_payer_max: u32,
    /// Transactions of one block. Default: 10,000.
    pub transactions_per_block_max: u32,
    /// Bytes of one signed transaction. Default: 32 KiB.
    pub transaction_bytes_max: u32,
    /// Registered providers. Default: 100,000.
    pub providers_max: u32,
    /// Registered models. Default: 10,000.
    pub models_max: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            channel_life_ms_max: 30 * DAY_MS,
            close_grace_ms: 10 * MINUTE_MS,
            closed_memory_ms: 30 * DAY_MS,
            sessions_per_account_max: 1_000,
            channels_per_payer_max: 1_024,
            transactions_per_block_max: 10_000,
            transaction_bytes_max: 32 << 10,
            providers_max: 100_000,
            models_max: 10_000,
        }
    }
}

/// No period may be longer: ten years.
pub const PERIOD_MS_MAX: u64 = 3_650 * DAY_MS;

impl Parameters {
    /// Checks that every count is at least 1 and every period at most [`PERIOD_MS_MAX`].
    ///
    /// # Errors
    /// [`GenesisError::Parameter`] names the first one that is out of bounds.
    pub fn validate(&self) -> Result<(), GenesisError> {
        let counts = [
            ("sessions_per_account_max", self.sessions_per_account_max),
            ("channels_per_payer_max", self.channels_per_payer_max),
            ("transactions_per_block_max", self.transactions_per_block_max),
            ("transaction_bytes_max", self.transaction_bytes_max),
            ("providers_max", self.providers_max),
            ("models_max", self.models_max),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(GenesisError::Parameter { name, rule: "must be at least 1" });
        }
        let periods = [
            ("channel_life_ms_max", self.channel_life_ms_max),
            ("close_grace_ms", self.close_grace_ms),
            ("closed_memory_ms", self.closed_memory_ms),
        ];
        if let Some((name, _)) = periods.iter().find(|(_, period)| *period > PERIOD_MS_MAX) {
            return Err(GenesisError::Parameter { name, rule: "must be at most ten years" });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use remuda_types::Hash;

    use super::*;

    fn genesis() -> Genesis {
        Genesis {
            name: "test".into(),
            time: 0,
            grantor: PublicKey([1; 32]),
            accounts: vec![],
            roles: BTreeMap::new(),
            parameters: Parameters::default(),
            economy: Economy::default(),
        }
    }

    #[test]
    fn a_name_is_needed_and_short() {
        assert_eq!(genesis().validate(), Ok(()));
        for name in [String::new(), "x".repeat(NETWORK_NAME_BYTES_MAX + 1)] {
            let wrong = Genesis { name, ..genesis() };
            assert_eq!(wrong.validate().map_err(|e| e.code()), Err("genesis_name"));
        }
    }

    #[test]
    fn an_account_is_named_once() {
        let entry = GenesisAccount {
            account: AccountId(Hash([3; 32])),
            tokens: Tokens(1),
            credits: Credits(1),
        };
        let wrong = Genesis { accounts: vec![entry.clone(), entry], ..genesis() };
        assert_eq!(wrong.validate().map_err(|e| e.code()), Err("genesis_duplicate_account"));
    }

    #[test]
    fn parameters_have_bounds() {
        let zero = Parameters { models_max: 0, ..Parameters::default() };
        assert_eq!(zero.validate().map_err(|e| e.code()), Err("genesis_parameter"));
        let long = Parameters { close_grace_ms: PERIOD_MS_MAX + 1, ..Parameters::default() };
        assert_eq!(long.validate().map_err(|e| e.code()), Err("genesis_parameter"));
    }
}
