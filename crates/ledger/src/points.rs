//! Points: what early work earns before there is a token to earn. Points come from metered
//! work, teams, invitations and chests; they belong to an account, and once, they become
//! tokens.

mod actions;
mod amount;
mod audit;
mod award;
mod certificates;
mod chests;
mod conversion;
mod error;
mod index;
mod queries;
mod records;
mod rules;
mod teams;
mod units;

pub use actions::PointsAction;
pub(crate) use actions::execute;
pub use amount::Points;
pub(crate) use audit::audit;
pub(crate) use award::begin;
pub(crate) use chests::draw_due;
pub use chests::{DRAW_AFTER, DRAWS_PER_BLOCK_MAX, draw};
pub use conversion::CONVERSIONS_PER_BLOCK_MAX;
pub(crate) use conversion::{convert, next_due};
pub use error::PointsError;
pub(crate) use index::PointsIndexes;
pub(crate) use queries::answer;
pub use queries::{PointsAnswer, PointsQuery};
pub use records::{
    ChestStatus, Drawn, Opening, Phase, PointsAccount, PointsBook, Team, TeamNumber,
};
pub use rules::{
    CHESTS_MAX, CertificateRules, ChestRules, Content, ConversionRules, PRIZES_MAX, Prize, Rates,
    ReferralRules, Rules, SEASONS_MAX, Season, TEAM_MEMBERS_MAX, TeamRules,
};
pub use teams::TEAM_NAME_BYTES_MAX;
pub use units::{
    LLAMA_TOKENS, WAIFU_PIXEL_STEPS, Work, image_credits, language_credits, pixel_steps,
    waifu_points,
};
