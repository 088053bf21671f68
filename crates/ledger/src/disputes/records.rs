//! The records of disputes, and the indexes over them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{
    AccountId, ChannelId, Credits, Hash, Height, NodeId, PublicKey, ReceiptId, TimestampMs, Tokens,
};
use serde::{Deserialize, Serialize};

use crate::query::record;
use crate::stake::Offence;
use crate::state::{Row, link};

/// A dispute: the digest of the receipt that it is about. There is one dispute a receipt.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
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
#[serde(transparent)]
pub struct DisputeId(pub Hash);

impl DisputeId {
    /// The name of the dispute about `receipt`.
    #[must_use]
    pub fn of(receipt: &ReceiptId) -> Self {
        Self(Hash::derive("remuda/dispute-id/1", receipt.0.as_bytes()))
    }
}

impl fmt::Display for DisputeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for DisputeId {
    type Err = <Hash as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The name of a root: the block that holds it, and the gateway that posted it.
pub type RootKey = (Height, NodeId);

record! {
    /// The Merkle root over the final receipts that a gateway saw.
    ReceiptRoot {
        /// The root: [`super::receipts_root`].
        root: Hash,
        /// How many receipts are under it.
        count: u32,
        /// When it was posted, in block time.
        at: TimestampMs,
    }
}

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)* })*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize,
            Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }
    )*};
}

choices! {
    /// How a mismatch is settled.
    DisputeKind {
        /// Within bounds: fresh checkers vote.
        Statistical,
        /// To the bit: a bisection finds the first step that differs.
        Exact,
    }

    /// Where a dispute stands.
    Stage {
        /// Challenged or drawn; its checkers are not drawn yet.
        Delivered,
        /// Checkers are drawn and must commit.
        Selected,
        /// All have committed and must reveal.
        CheckCommitted,
        /// A first check failed: fresh checkers are to be drawn.
        Escalated,
        /// The two sides narrow the mismatch down.
        Bisecting,
        /// One step is left, to be proven.
        Leaf,
        /// Over: the check passed.
        Final,
        /// Over: fresh checkers found nothing wrong.
        Cleared,
        /// Over: the accused was wrong.
        Convicted,
        /// Over: the challenger was wrong.
        ChallengerSlashed,
        /// Over: nobody could check. No money was moved.
        Unchecked,
    }

    /// What a checker found.
    Verdict {
        /// Within all bounds.
        Passed,
        /// Out of bounds.
        Failed,
        /// It could not tell: something it needed was missing.
        CouldNotCheck,
    }
}

impl Stage {
    /// Whether nothing follows.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(
            self,
            Self::Final
                | Self::Cleared
                | Self::Convicted
                | Self::ChallengerSlashed
                | Self::Unchecked
        )
    }
}

record! {
    /// One checker's part in a dispute.
    Check {
        /// Who.
        checker: NodeId,
        /// Its commitment: [`super::check_commitment`].
        commitment: Option<Hash>,
        /// Its verdict, once revealed.
        verdict: Option<Verdict>,
        /// The root of its own fingerprints, once revealed.
        fingerprint: Option<Hash>,
    }
}

record! {
    /// An exact mismatch that is being narrowed down.
    Bisection {
        /// How many rounds are done.
        round: u32,
        /// Who says that the result is wrong.
        challenger: AccountId,
        /// The state before the interval: both sides agree on it.
        agreed: Hash,
        /// What the accused claims for its end.
        claimed: Hash,
        /// What the accused claims within the interval; empty while it must say so.
        split: Vec<Hash>,
    }
}

record! {
    /// A dispute about one receipt.
    Dispute {
        /// Its name.
        id: DisputeId,
        /// The receipt.
        receipt: ReceiptId,
        /// How a mismatch is settled.
        kind: DisputeKind,
        /// Where it stands.
        stage: Stage,
        /// Who challenged; none when the beacon drew the receipt.
        accuser: Option<AccountId>,
        /// Who did the work.
        accused: NodeId,
        /// Who paid for it.
        payer: AccountId,
        /// Who posted its root.
        gateway: NodeId,
        /// The channel that pays.
        channel: ChannelId,
        /// The receipt's input: where a bisection begins.
        input: Hash,
        /// The receipt's output: where it ends.
        output: Hash,
        /// The challenger's deposit, while the dispute is open.
        bond: Tokens,
        /// What of the channel's held payouts waits for the end.
        frozen: Credits,
        /// In which block it was opened.
        opened_at: Height,
        /// Until when in block time somebody must move.
        due_at: Option<TimestampMs>,
        /// In which block at the latest somebody must move, or something is drawn.
        due_height: Option<Height>,
        /// How many draws were made.
        draws: u32,
        /// Whether fresh checkers vote.
        escalated: bool,
        /// The checkers of the present draw.
        checks: Vec<Check>,
        /// Checkers of earlier draws: they are not drawn again.
        earlier: Vec<NodeId>,
        /// The bisection.
        bisection: Option<Bisection>,
        /// When it ended.
        ended_at: Option<TimestampMs>,
    }
}

record! {
    /// What a node was convicted of.
    Conviction {
        /// The last offence.
        offence: Offence,
        /// How many there were.
        count: u32,
        /// When the last one was decided.
        last_at: TimestampMs,
        /// Whether it may never sell or check again.
        ejected: bool,
    }
}

record! {
    /// A checker that can be drawn.
    Checker {
        /// Its deposit.
        bond: Tokens,
        /// Since which block.
        enrolled_at: Height,
        /// How many verdicts it gave.
        verdicts: u64,
        /// How many it owed and did not give.
        missed: u64,
        /// When its deposit goes back, once it left.
        leaves_at: Option<TimestampMs>,
    }
}

/// What disputes find without a scan.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct DisputeIndex {
    pub(crate) due_times: BTreeSet<(TimestampMs, DisputeId)>,
    pub(crate) due_heights: BTreeSet<(Height, DisputeId)>,
    pub(crate) ended: BTreeSet<(TimestampMs, DisputeId)>,
    pub(crate) of_accused: BTreeMap<NodeId, BTreeSet<DisputeId>>,
    pub(crate) duties: BTreeMap<NodeId, BTreeSet<DisputeId>>,
    pub(crate) leaving: BTreeSet<(TimestampMs, NodeId)>,
}

impl DisputeIndex {
    /// Enters (`present`) or takes out a record of this room.
    pub(crate) fn note(&mut self, row: &Row, present: bool) {
        match row {
            Row::Dispute(id, Some(dispute)) => self.note_dispute(*id, dispute, present),
            Row::Checker(node, Some(Checker { leaves_at: Some(at), .. })) => {
                mark(&mut self.leaving, (*at, *node), present);
            }
            _ => {}
        }
    }

    fn note_dispute(&mut self, id: DisputeId, dispute: &Dispute, present: bool) {
        link(&mut self.of_accused, dispute.accused, id, present);
        if let Some(at) = dispute.ended_at {
            return mark(&mut self.ended, (at, id), present);
        }
        if let Some(at) = dispute.due_at {
            mark(&mut self.due_times, (at, id), present);
        }
        if let Some(height) = dispute.due_height {
            mark(&mut self.due_heights, (height, id), present);
        }
        let duties = dispute.checks.iter().map(|check| check.checker);
        let sides = dispute.bisection.iter().map(|game| PublicKey(game.challenger.0.0));
        for node in duties.chain(sides).collect::<BTreeSet<NodeId>>() {
            link(&mut self.duties, node, id, present);
        }
    }
}

fn mark<T: Ord>(set: &mut BTreeSet<T>, item: T, present: bool) {
    if present {
        set.insert(item);
    } else {
        set.remove(&item);
    }
}
