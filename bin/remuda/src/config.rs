//! Settings in layers: built-in defaults, `config.toml` in the home folder, the environment
//! (`REMUDA_GATEWAY__LISTEN` and the like), then the command line.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

/// The reference: every key with its default and what it means. A test keeps it equal to
/// [`Config::default`].
pub(crate) const REFERENCE: &str = include_str!("../config.reference.toml");

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Sockets and relays.
    pub(crate) net: Net,
    /// The HTTP front.
    pub(crate) gateway: Gateway,
    /// Selling.
    pub(crate) provider: Provider,
    /// Buying from the command line.
    pub(crate) buyer: Buyer,
}

/// Sockets and relays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Net {
    /// The address that a role's node binds; port 0 takes any free one.
    pub(crate) bind: SocketAddr,
    /// Relays to be reachable through.
    pub(crate) relays: Vec<String>,
}

/// The HTTP front.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Gateway {
    /// Where HTTP is served.
    pub(crate) listen: SocketAddr,
}

/// Selling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Provider {
    /// A name for people.
    pub(crate) name: String,
    /// The models to serve.
    pub(crate) models: Vec<String>,
    /// Micro-dollars per million input tokens.
    pub(crate) input_price: u64,
    /// Micro-dollars per million output tokens.
    pub(crate) output_price: u64,
    /// Threads of the engine; 0 takes what is free when it starts.
    pub(crate) threads: u32,
    /// Jobs that run at once.
    pub(crate) slots: u32,
    /// Tokens of context of each slot; 0 takes the model's own, up to 8192.
    pub(crate) context: u32,
    /// Layers of the model on a GPU, with a build that has one.
    pub(crate) gpu_layers: u32,
}

/// Buying from the command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Buyer {
    /// The model that `remuda chat` asks.
    pub(crate) model: String,
}

/// The model that everything starts with.
pub(crate) const DEFAULT_MODEL: &str = "smollm2-135m-instruct";

impl Default for Net {
    fn default() -> Self {
        Self { bind: SocketAddr::from(([127, 0, 0, 1], 0)), relays: Vec::new() }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8080)) }
    }
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            name: String::new(),
            models: vec![DEFAULT_MODEL.to_owned()],
            input_price: 10_000,
            output_price: 40_000,
            threads: 0,
            slots: 4,
            context: 0,
            gpu_layers: 0,
        }
    }
}

impl Default for Buyer {
    fn default() -> Self {
        Self { model: DEFAULT_MODEL.to_owned() }
    }
}

impl Config {
    /// Reads all layers below the command line.
    pub(crate) fn load(home: &Path) -> Result<Self> {
        let file = home.join("config.toml");
        Figment::from(Serialized::defaults(Self::default()))
            .merge(Toml::file(&file))
            .merge(Env::prefixed("REMUDA_").filter(|key| key.as_str().contains("__")).split("__"))
            .extract()
            .with_context(|| {
                format!(
                    "the settings in {} or in the environment are wrong; `remuda config \
                     --reference` lists every key",
                    file.display()
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_names_every_key_with_its_default() {
        let reference: toml::Table = REFERENCE.parse().unwrap();
        let defaults = toml::Table::try_from(Config::default()).unwrap();
        assert_eq!(reference, defaults);
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), "[provider]\nprise = 1\n").unwrap();
        let error = format!("{:#}", Config::load(folder.path()).unwrap_err());
        assert!(error.contains("prise"), "{error}");
    }
}
