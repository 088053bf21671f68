//! Teams, invitations, chests and certificates.

use remuda_ledger::Action;
use remuda_ledger::math::{Period, Share};
use remuda_ledger::points::{
    CertificateRules, ChestRules, Content, ConversionRules, Points, PointsAction, Prize, Rates,
    ReferralRules, Rules, TeamRules,
};
use remuda_types::{AccountId, Credits, Tokens};

fn points(count: u128) -> Points {
    Points(count * Points::ONE.0)
}

/// Small bounds, and an end within a long history.
pub(super) fn rules() -> Rules {
    let prize = |percent, content| Prize { odds: Share::percent(percent), content };
    Rules {
        on: true,
        // A point for each micro-dollar.
        rates: Rates { dollar: "1000000".parse().unwrap(), ..Rates::default() },
        qualified_at: points(50),
        teams: TeamRules {
            members_max: 2,
            cooldown: Period(60),
            bonus: Share::percent(10),
            bonus_max: Share::percent(15),
        },
        referrals: ReferralRules { share: Share::percent(7), invited_max: 2 },
        chests: ChestRules {
            cap: 4,
            milestone: points(30),
            per_member: 1,
            per_invited: 1,
            early: 1,
            prizes: vec![
                prize(30, Content::Points(points(3))),
                prize(30, Content::Certificate(points(1))),
                prize(30, Content::Credits(Credits(2))),
                prize(10, Content::Nothing),
            ],
        },
        certificates: CertificateRules { cap: 2 },
        conversion: ConversionRules {
            pool: Tokens(777),
            after: Period(500),
            certified_only: false,
            vesting: Period(100),
            step: Period(20),
        },
        ..Rules::default()
    }
}

/// What somebody tries.
pub(super) fn action(what: u8, amount: u64, other: AccountId) -> Action {
    let count = u32::try_from(amount % 4).unwrap();
    let action = match what % 8 {
        0 => PointsAction::CreateTeam { name: "herd".into() },
        1 => PointsAction::JoinTeam { team: amount % 4 },
        2 => PointsAction::LeaveTeam,
        3 => PointsAction::NameInviter { inviter: other },
        4 => PointsAction::OpenChests { count },
        5 => PointsAction::FundChests { credits: Credits(amount % 100) },
        6 => PointsAction::ClaimCertificate,
        _ => PointsAction::ClaimTokens,
    };
    Action::Points(action)
}
