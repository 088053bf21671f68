//! Points: what early work earns before there is a token to earn. Points come from metered
//! work, teams, invitations and chests; they belong to an account, and once, they become
//! tokens.

mod amount;
mod rules;

pub use amount::Points;
pub use rules::{
    CHESTS_MAX, CertificateRules, ChestRules, Content, ConversionRules, PRIZES_MAX, Prize, Rates,
    ReferralRules, Rules, SEASONS_MAX, Season, TEAM_MEMBERS_MAX, TeamRules,
};
