//! Roots over receipts: what a gateway saw, bound before anyone knew what would be checked.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{Canonical, FinalReceipt, Hash, Height, NodeId};
use serde::{Deserialize, Serialize};

use super::{DisputeError, ReceiptRoot};
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::cycle::Cycle;
use crate::state::{Row, State};

/// The most receipts under one root.
pub const RECEIPTS_PER_ROOT_MAX: u32 = 1 << 20;
/// The most roots that one block forgets.
const FORGET_PER_BLOCK_MAX: usize = 1_000;

const LEAF_DOMAIN: &str = "remuda/receipt-leaf/1";
const NODE_DOMAIN: &str = "remuda/receipt-node/1";

/// Where a receipt stands under a posted root.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// The block that holds the root.
    pub height: Height,
    /// Who posted it.
    pub gateway: NodeId,
    /// The receipt's position.
    pub index: u32,
    /// The digests beside the way up, from the leaf on.
    pub path: Vec<Hash>,
}

fn leaf(receipt: &Hash) -> Hash {
    Hash::derive(LEAF_DOMAIN, receipt.as_bytes())
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Hash::derive(NODE_DOMAIN, &[left.0, right.0].concat())
}

/// The root over final receipts, by their digests in order: neighbours are hashed in pairs, a
/// last one without a neighbour goes up as it is. `None` for no receipts.
#[must_use]
pub fn receipts_root(receipts: &[Hash]) -> Option<Hash> {
    let mut level: Vec<Hash> = receipts.iter().map(leaf).collect();
    while level.len() > 1 {
        level = level.chunks(2).map(up).collect();
    }
    level.first().copied()
}

fn up(pair: &[Hash]) -> Hash {
    match pair {
        [left, right] => node(left, right),
        [alone] => *alone,
        _ => Hash::default(),
    }
}

impl Inclusion {
    /// The place of the receipt number `index` among `receipts`; `None` when there is none.
    #[must_use]
    pub fn of(receipts: &[Hash], index: u32, height: Height, gateway: NodeId) -> Option<Self> {
        let mut place = usize::try_from(index).ok().filter(|place| *place < receipts.len())?;
        let mut level: Vec<Hash> = receipts.iter().map(leaf).collect();
        let mut path = Vec::new();
        while level.len() > 1 {
            path.extend(level.get(place ^ 1));
            level = level.chunks(2).map(up).collect();
            place /= 2;
        }
        Some(Self { height, gateway, index, path })
    }

    /// The root to which the path leads from a receipt's digest, among `count` receipts.
    fn root(&self, receipt: &Hash, count: u32) -> Option<Hash> {
        let (mut place, mut width, mut digest) = (self.index, count, leaf(receipt));
        if place >= width {
            return None;
        }
        let mut path = self.path.iter();
        while width > 1 {
            if place % 2 == 1 {
                digest = node(path.next()?, &digest);
            } else if place + 1 < width {
                digest = node(&digest, path.next()?);
            }
            (place, width) = (place / 2, width.div_ceil(2));
        }
        path.next().is_none().then_some(digest)
    }
}

/// A gateway posts the root of what it saw.
pub(super) fn post(state: &mut State, context: &Context<'_>, root: Hash, count: u32) -> Verdict {
    if context.economy.disputes.window.ms() == 0 {
        return Err(DisputeError::Closed.into());
    }
    if !(1..=RECEIPTS_PER_ROOT_MAX).contains(&count) {
        return Err(DisputeError::RootCount { most: RECEIPTS_PER_ROOT_MAX }.into());
    }
    let key = (context.height, context.signer);
    if state.tables.receipt_roots.contains_key(&key) {
        return Err(DisputeError::RootPosted.into());
    }
    state.write(Row::ReceiptRoot(key, Some(ReceiptRoot { root, count, at: context.now })));
    Ok(Effects::default())
}

/// Checks that a receipt stands under a root whose window is open.
pub(super) fn check_included(
    state: &State,
    context: &Context<'_>,
    receipt: &FinalReceipt,
    place: &Inclusion,
) -> Result<(), DisputeError> {
    let window = context.economy.disputes.window.ms();
    let posted = state.tables.receipt_roots.get(&(place.height, place.gateway));
    let posted = posted.filter(|posted| context.now <= posted.at.saturating_add(window));
    let posted = posted.ok_or(DisputeError::UnknownRoot)?;
    match place.root(&receipt.digest(), posted.count) {
        Some(root) if root == posted.root => Ok(()),
        _ => Err(DisputeError::NotIncluded),
    }
}

/// Forgets roots whose window is over.
pub(super) fn forget(state: &mut State, cycle: &Cycle) {
    let window = cycle.economy.disputes.window.ms();
    let old: Vec<_> = state
        .tables
        .receipt_roots
        .iter()
        .take(FORGET_PER_BLOCK_MAX)
        .take_while(|(_, root)| root.at.saturating_add(window) < cycle.now)
        .map(|(key, _)| *key)
        .collect();
    for key in old {
        state.write(Row::ReceiptRoot(key, None));
    }
}

#[cfg(test)]
mod tests {
    use remuda_types::PublicKey;

    use super::*;

    #[test]
    fn every_receipt_has_one_path_and_no_other_leads_to_the_root() {
        for count in 1..=9_u32 {
            let receipts: Vec<Hash> =
                (0..count).map(|n| Hash::derive("t", &n.to_le_bytes())).collect();
            let root = receipts_root(&receipts);
            for index in 0..count {
                let place = Inclusion::of(&receipts, index, 1, PublicKey([1; 32])).unwrap();
                let receipt = &receipts[index as usize];
                assert_eq!(place.root(receipt, count), root);
                assert_ne!(place.root(&Hash([9; 32]), count), root);
                let longer = Inclusion {
                    path: [place.path.clone(), vec![Hash::default()]].concat(),
                    ..place.clone()
                };
                assert_eq!(longer.root(receipt, count), None);
                let moved = Inclusion { index: index ^ 1, ..place };
                let there = moved.root(receipt, count);
                assert!(there.is_none() || there != root);
            }
        }
        assert_eq!(receipts_root(&[]), None);
        assert_eq!(Inclusion::of(&[], 0, 1, PublicKey([1; 32])), None);
    }
}
