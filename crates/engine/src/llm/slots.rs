//! Which sequence runs in which slot of the attention cache, and what each slot remembers.
//!
//! Pure bookkeeping. A finished sequence leaves its cache behind; the next one that begins
//! with the same tokens goes on from there.

use remuda_types::job::TokenId;

use super::native::Sequence;

/// Copying a cache costs about as much as computing this many tokens: fewer are recomputed.
const COPY_WORTH_TOKENS: usize = 32;

/// Where a sequence runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    /// The slot.
    pub(super) slot: Sequence,
    /// Copy this other slot's cache first.
    pub(super) copy_from: Option<Sequence>,
    /// So many of the sequence's first tokens are then in the cache.
    pub(super) cached: usize,
}

#[derive(Debug, Default)]
struct Slot {
    /// The tokens whose cache is in the slot.
    tokens: Vec<TokenId>,
    busy: bool,
    /// When it was last given back.
    used: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    clock: u64,
}

impl Slots {
    pub(super) fn new(count: Sequence) -> Self {
        Self { slots: (0..count).map(|_| Slot::default()).collect(), clock: 0 }
    }

    pub(super) fn has_idle(&self) -> bool {
        self.slots.iter().any(|slot| !slot.busy)
    }

    /// Finds a slot for a sequence that begins with `tokens`; `None` when all are busy. At
    /// least the last token is left to compute, since its output is wanted.
    pub(super) fn assign(&mut self, tokens: &[TokenId]) -> Option<Assignment> {
        let reusable = tokens.len().saturating_sub(1);
        let shared: Vec<usize> = self
            .slots
            .iter()
            .map(|slot| common_prefix(&slot.tokens, &tokens[..reusable]))
            .collect();
        let assignment = self.continue_in_place(&shared).or_else(|| self.take_oldest(&shared))?;
        let slot = &mut self.slots[usize::from(assignment.slot)];
        slot.busy = true;
        slot.tokens.clear();
        slot.tokens.extend_from_slice(&tokens[..assignment.cached]);
        Some(assignment)
    }

    /// The idle slot that shares most, if that keeps at least half of what it remembers:
    /// the next turn of a conversation, and not a stranger with the same greeting.
    fn continue_in_place(&self, shared: &[usize]) -> Option<Assignment> {
        let worthwhile = |&index: &usize| {
            let slot = &self.slots[index];
            !slot.busy && shared[index] > 0 && 2 * shared[index] >= slot.tokens.len()
        };
        let index = (0..self.slots.len()).filter(worthwhile).max_by_key(|&index| shared[index])?;
        Some(Assignment { slot: sequence(index), copy_from: None, cached: shared[index] })
    }

    /// The slot that was given back first, with a copy of what another shares if that pays.
    fn take_oldest(&self, shared: &[usize]) -> Option<Assignment> {
        let idle = |&index: &usize| !self.slots[index].busy;
        let oldest =
            (0..self.slots.len()).filter(idle).min_by_key(|&index| self.slots[index].used)?;
        let best = (0..self.slots.len()).max_by_key(|&index| shared[index])?;
        let slot = sequence(oldest);
        if best != oldest && shared[best] >= shared[oldest] + COPY_WORTH_TOKENS {
            return Some(Assignment {
                slot,
                copy_from: Some(sequence(best)),
                cached: shared[best],
            });
        }
        Some(Assignment { slot, copy_from: None, cached: shared[oldest] })
    }

    /// These tokens of the slot's sequence were computed.
    pub(super) fn computed(&mut self, slot: Sequence, tokens: &[TokenId]) {
        self.slots[usize::from(slot)].tokens.extend_from_slice(tokens);
    }

    /// How many tokens of its sequence a slot holds.
    pub(super) fn held(&self, slot: Sequence) -> usize {
        self.slots[usize::from(slot)].tokens.len()
    }

    /// The cache could keep only so many tokens.
    pub(super) fn truncate(&mut self, slot: Sequence, tokens: usize) {
        self.slots[usize::from(slot)].tokens.truncate(tokens);
    }

    /// The sequence ended; its cache stays until the slot is needed.
    pub(super) fn release(&mut self, slot: Sequence) {
        self.clock += 1;
        let slot = &mut self.slots[usize::from(slot)];
        slot.busy = false;
        slot.used = self.clock;
    }
}

/// Slots are counted by `Sequence`.
fn sequence(index: usize) -> Sequence {
    Sequence::try_from(index).unwrap_or(Sequence::MAX)
}

fn common_prefix(a: &[TokenId], b: &[TokenId]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(slots: &mut Slots, tokens: &[TokenId]) -> Assignment {
        let assignment = slots.assign(tokens).unwrap();
        slots.computed(assignment.slot, &tokens[assignment.cached..]);
        assignment
    }

    #[test]
    fn the_next_turn_continues_in_its_slot() {
        let mut slots = Slots::new(2);
        let first = run(&mut slots, &[1, 2, 3]);
        let second = run(&mut slots, &[9, 9]);
        slots.release(second.slot);
        slots.release(first.slot);
        let next = run(&mut slots, &[1, 2, 3, 4]);
        assert_eq!(next, Assignment { slot: first.slot, copy_from: None, cached: 3 });
    }

    #[test]
    fn the_whole_prompt_again_leaves_one_token_to_compute() {
        let mut slots = Slots::new(1);
        let first = run(&mut slots, &[1, 2, 3]);
        slots.release(first.slot);
        assert_eq!(slots.assign(&[1, 2, 3]).unwrap().cached, 2);
        assert_eq!(slots.assign(&[1, 2, 3]), None, "all busy");
    }

    #[test]
    fn a_stranger_takes_the_slot_given_back_first() {
        let mut slots = Slots::new(2);
        let (a, b) = (run(&mut slots, &[1, 1, 1, 1]), run(&mut slots, &[2, 2]));
        slots.release(b.slot);
        slots.release(a.slot);
        assert_eq!(run(&mut slots, &[1, 5, 5]).slot, b.slot, "one shared token is no conversation");
    }

    #[test]
    fn a_running_prompt_is_copied() {
        let mut slots = Slots::new(2);
        let prompt: Vec<TokenId> = (0..100).collect();
        let first = run(&mut slots, &prompt);
        let fork = slots.assign(&prompt).unwrap();
        assert_eq!(fork.copy_from, Some(first.slot));
        assert_eq!(fork.cached, 99);
    }

    proptest! {
        /// Whatever comes and goes: no slot is given twice, and what counts as cached is
        /// what the slot, or the one copied from, held.
        #[test]
        fn nothing_is_cached_that_was_not_computed(
            steps in prop::collection::vec(
                (any::<bool>(), prop::collection::vec(0u32..3, 1..80)),
                1..40,
            )
        ) {
            let mut slots = Slots::new(3);
            let mut held: Vec<Vec<TokenId>> = vec![Vec::new(); 3];
            let mut busy: Vec<Sequence> = Vec::new();
            for (finish, tokens) in steps {
                if finish && !busy.is_empty() {
                    slots.release(busy.remove(0));
                }
                let Some(found) = slots.assign(&tokens) else {
                    prop_assert_eq!(busy.len(), 3);
                    continue;
                };
                prop_assert!(!busy.contains(&found.slot));
                prop_assert!(found.cached < tokens.len());
                let source = usize::from(found.copy_from.unwrap_or(found.slot));
                prop_assert!(held[source].starts_with(&tokens[..found.cached]));
                slots.computed(found.slot, &tokens[found.cached..]);
                held[usize::from(found.slot)] = tokens;
                busy.push(found.slot);
            }
        }
    }
}
