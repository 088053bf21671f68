//! Why providers did not fit, in numbers and in a sentence.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{NodeId, Price};
use serde::{Deserialize, Serialize};

/// The most providers that an explanation names one by one.
pub const PROVIDER_NOTES_MAX: usize = 64;

/// Why a provider does not fit. The order is that of the checks: a later reason means that it
/// came closer.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It does not serve the model.
    Model,
    /// It serves a model of this name, but not the exact one.
    Manifest,
    /// It serves the model for other kinds of jobs.
    Kind,
    /// Its context is too small for the job.
    Context,
    /// It asks more than the buyer pays.
    Price,
    /// Its owner paused it, or it is leaving.
    NotReady,
    /// It has been silent for long.
    Lost,
    /// It failed lately and rests.
    Resting,
    /// It was tried for this very order.
    Tried,
}

impl Reason {
    /// The stable name for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Manifest => "manifest",
            Self::Kind => "kind",
            Self::Context => "context",
            Self::Price => "price",
            Self::NotReady => "not_ready",
            Self::Lost => "lost",
            Self::Resting => "resting",
            Self::Tried => "tried",
        }
    }

    /// Whether the provider may well fit a moment later.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::NotReady | Self::Lost | Self::Resting | Self::Tried)
    }

    const fn phrase(self, one: bool) -> &'static str {
        match (self, one) {
            (Self::Model, true) => "does not serve the model",
            (Self::Model, false) => "do not serve the model",
            (Self::Manifest, true) => "serves another version of the model",
            (Self::Manifest, false) => "serve another version of the model",
            (Self::Kind, true) => "does not serve this kind of job",
            (Self::Kind, false) => "do not serve this kind of job",
            (Self::Context, true) => "has too small a context",
            (Self::Context, false) => "have too small a context",
            (Self::Price, true) => "asks more than your price",
            (Self::Price, false) => "ask more than your price",
            (Self::NotReady, true) => "is paused or leaving",
            (Self::NotReady, false) => "are paused or leaving",
            (Self::Lost, true) => "has not been heard of for long",
            (Self::Lost, false) => "have not been heard of for long",
            (Self::Resting, true) => "is resting after failures",
            (Self::Resting, false) => "are resting after failures",
            (Self::Tried, true) => "was tried already",
            (Self::Tried, false) => "were tried already",
        }
    }
}

/// What was found about one provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
pub struct ProviderNote {
    /// The provider.
    pub node: NodeId,
    /// Why it does not fit; `None` when it does.
    pub reason: Option<Reason>,
    /// What it asks for the model, where it serves one of that name.
    pub price: Option<Price>,
    /// The context that it serves for the model.
    pub context: Option<u32>,
}

/// How many providers fit an order, and why the others did not.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
pub struct Explanation {
    /// How many providers were considered.
    pub considered: u32,
    /// How many of them fit.
    pub fit: u32,
    /// How many did not, by reason: each provider is counted once.
    pub reasons: BTreeMap<Reason, u32>,
    /// The providers one by one, at most [`PROVIDER_NOTES_MAX`].
    pub providers: Vec<ProviderNote>,
}

impl Explanation {
    /// The explanation in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        if self.considered == 0 {
            return "no providers are known".into();
        }
        let (noun, verb) = (
            if self.considered == 1 { "provider" } else { "providers" },
            if self.fit == 1 { "fits" } else { "fit" },
        );
        let mut text = format!("{} {noun}: {} {verb}", self.considered, self.fit);
        for (reason, &count) in self.reasons.iter().rev() {
            // Writing to a string cannot fail.
            let _ = write!(text, "; {count} {}", reason.phrase(count == 1));
        }
        text
    }

    /// Whether some provider serves the model at all, whatever else keeps it away.
    #[must_use]
    pub fn model_is_served(&self) -> bool {
        self.fit > 0 || self.reasons.keys().any(|reason| *reason > Reason::Manifest)
    }

    /// Whether waiting a moment may help: somebody is kept away by a passing reason.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        self.reasons.keys().any(|reason| reason.is_passing())
    }

    pub(crate) fn note(&mut self, note: ProviderNote) {
        self.considered += 1;
        match note.reason {
            None => self.fit += 1,
            Some(reason) => *self.reasons.entry(reason).or_default() += 1,
        }
        if self.providers.len() < PROVIDER_NOTES_MAX {
            self.providers.push(note);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation(fit: u32, reasons: &[(Reason, u32)]) -> Explanation {
        let considered = fit + reasons.iter().map(|(_, count)| count).sum::<u32>();
        let reasons = reasons.iter().copied().collect();
        Explanation { considered, fit, reasons, providers: Vec::new() }
    }

    #[test]
    fn the_sentence_reads_well() {
        let several = explanation(3, &[(Reason::Price, 7), (Reason::Context, 2)]);
        assert_eq!(
            several.sentence(),
            "12 providers: 3 fit; 7 ask more than your price; 2 have too small a context"
        );
        let one = explanation(0, &[(Reason::Resting, 1)]);
        assert_eq!(one.sentence(), "1 provider: 0 fit; 1 is resting after failures");
    }

    #[test]
    fn a_served_model_differs_from_an_unknown_one() {
        assert!(!explanation(0, &[(Reason::Model, 4)]).model_is_served());
        assert!(explanation(0, &[(Reason::Model, 4), (Reason::Price, 1)]).model_is_served());
    }
}
