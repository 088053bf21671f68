//! What can be done about stake.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Tokens};
use serde::{Deserialize, Serialize};

use super::{Offence, Risk, Role, Subject};
use crate::math::Share;

/// An action about stake. An account signs with its own key, except where a node does.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StakeAction {
    /// A node (by node key) enters a role and names its owner. It may do so again while
    /// nothing is staked on it.
    Enroll {
        /// The role.
        role: Role,
        /// Who owns it.
        owner: AccountId,
        /// What the owner keeps of its stakers' rewards.
        commission: Share,
    },
    /// The owner stakes on its subject.
    Bond {
        /// On whom.
        subject: Subject,
        /// How much more.
        amount: Tokens,
    },
    /// An account stakes on somebody else's subject.
    Delegate {
        /// On whom.
        subject: Subject,
        /// How much more.
        amount: Tokens,
    },
    /// A staker wants stake back. It stays at risk until the cooldown is over; then it is
    /// paid without further ado.
    Unbond {
        /// From whom.
        subject: Subject,
        /// How much of what was put in. None: all, with earnings claimed first.
        amount: Option<Tokens>,
    },
    /// A staker lets stake that is on its way out work again.
    CancelUnbonding {
        /// Its number.
        unbonding: u64,
    },
    /// A staker moves stake to another subject of the same role at once.
    Move {
        /// From whom.
        from: Subject,
        /// To whom.
        to: Subject,
        /// How much of what was put in. None: all, with its earnings.
        amount: Option<Tokens>,
    },
    /// A staker, owner or co-staker takes what it earned.
    Claim {
        /// With whom.
        subject: Subject,
    },
    /// The owner changes its commission.
    SetCommission {
        /// Whose.
        subject: Subject,
        /// The new one.
        commission: Share,
    },
    /// The owner announces which share of its rewards its stakers will have.
    SetBribe {
        /// Whose.
        subject: Subject,
        /// The new one.
        share: Share,
    },
    /// The owner offers to let one account stake beside it.
    OfferCoStake {
        /// With whom.
        subject: Subject,
        /// How much is asked.
        amount: Tokens,
        /// The co-staker's share of all rewards.
        share: Share,
    },
    /// The owner takes back an offer that nobody took.
    WithdrawOffer {
        /// Which.
        subject: Subject,
    },
    /// An account takes an offer.
    AcceptCoStake {
        /// With whom.
        subject: Subject,
        /// How much was asked, as read.
        amount: Tokens,
        /// The share, as read.
        share: Share,
    },
    /// The co-staker leaves, or the owner ends the co-stake.
    EndCoStake {
        /// With whom.
        subject: Subject,
    },
    /// The owner, or the node by its key, ends a jail term that is over.
    Unjail {
        /// Whom.
        subject: Subject,
    },
    /// The owner of a subject without stakers takes out the earnings that counted as stake.
    Retire {
        /// Whom.
        subject: Subject,
    },
    /// Anyone adds to a subject's rewards.
    Fund {
        /// Whose.
        subject: Subject,
        /// How much.
        amount: Tokens,
    },
    /// The grantor reports an offence, where the rules let it judge.
    Judge {
        /// Whose.
        subject: Subject,
        /// What.
        offence: Offence,
        /// What it puts at risk.
        at_risk: Risk,
        /// Who is rewarded for the report.
        reporter: Option<AccountId>,
        /// Who was harmed, in equal parts; at most [`AFFECTED_MAX`](super::AFFECTED_MAX).
        affected: Vec<AccountId>,
    },
}
