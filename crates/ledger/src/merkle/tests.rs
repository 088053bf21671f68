use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Leaves = BTreeMap<Vec<u8>, Vec<u8>>;

fn trie_of(leaves: &Leaves) -> Trie {
    let mut trie = Trie::new();
    for (key, value) in leaves {
        trie.set(key, Some(value));
    }
    trie
}

/// The root by the definition, from the sorted set of leaves: no incremental step.
fn root_by_definition(leaves: &Leaves) -> Hash {
    let mut paths: Vec<(Path, Hash)> = leaves
        .iter()
        .map(|(key, value)| (path_of(key), leaf_hash(&path_of(key), &value_hash(value))))
        .collect();
    paths.sort_unstable();
    fold_sorted(&paths)
}

fn fold_sorted(paths: &[(Path, Hash)]) -> Hash {
    let (Some(first), Some(last)) = (paths.first(), paths.last()) else { return EMPTY_ROOT };
    let Some(bit) = first_difference(&first.0, &last.0) else { return first.1 };
    let middle = paths.partition_point(|(path, _)| !goes_right(path, bit));
    branch_hash(bit, &fold_sorted(&paths[..middle]), &fold_sorted(&paths[middle..]))
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    // Few keys, so that sequences set, change and remove the same ones.
    (0_u8..40).prop_map(|key| vec![key])
}

fn leaves(least: usize) -> impl Strategy<Value = Leaves> {
    prop::collection::btree_map(key(), prop::collection::vec(any::<u8>(), 0..4), least..40)
}

/// Sets (or removes) of keys; after each one, perhaps, the root is asked for.
fn steps() -> impl Strategy<Value = Vec<(Vec<u8>, Option<u8>, bool)>> {
    prop::collection::vec((key(), prop::option::of(any::<u8>()), any::<bool>()), 0..120)
}

#[test]
fn an_empty_trie_proves_absence() {
    let mut trie = Trie::new();
    assert_eq!(trie.root(), EMPTY_ROOT);
    let proof = trie.prove(b"a");
    assert_eq!(proof.verify(&EMPTY_ROOT, b"a", None), Ok(()));
    assert_eq!(proof.verify(&EMPTY_ROOT, b"a", Some(b"x")), Err(ProofError::Root));
    assert_eq!(proof.verify(&Hash([1; 32]), b"a", None), Err(ProofError::Root));
}

#[test]
fn difference_counts_from_the_most_significant_bit() {
    let mut a = [0; 32];
    assert_eq!(first_difference(&a, &[0; 32]), None);
    a[31] = 1;
    assert_eq!(first_difference(&a, &[0; 32]), Some(255));
    assert!(goes_right(&a, 255) && !goes_right(&a, 254));
    a[0] = 0x80;
    assert_eq!(first_difference(&a, &[0; 32]), Some(0));
}

#[test]
fn a_value_cannot_stand_as_its_hash_nor_a_branch_as_a_leaf() {
    let path = path_of(b"k");
    let value = value_hash(b"v");
    assert_ne!(leaf_hash(&path, &value), value_hash(&[&path[..], &value.0].concat()));
    assert_ne!(branch_hash(0, &Hash(path), &value), leaf_hash(&path, &value));
}

proptest! {
    #[test]
    fn the_root_depends_on_the_set_of_leaves_only(steps in steps()) {
        let mut trie = Trie::new();
        let mut leaves = Leaves::new();
        for (key, value, ask) in steps {
            match value {
                Some(value) => leaves.insert(key.clone(), vec![value]),
                None => leaves.remove(&key),
            };
            trie.set(&key, leaves.get(&key).map(Vec::as_slice));
            if ask {
                prop_assert_eq!(trie.root(), root_by_definition(&leaves));
            }
        }
        prop_assert_eq!(trie.root(), root_by_definition(&leaves));
        prop_assert_eq!(trie.root(), trie_of(&leaves).root());
        prop_assert_eq!(trie.len(), leaves.len());
    }

    #[test]
    fn proofs_hold_and_say_nothing_else(
        leaves in leaves(0),
        key in key(),
        other in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut trie = trie_of(&leaves);
        let root = trie.root();
        let proof = trie.prove(&key);
        let value = leaves.get(&key).map(Vec::as_slice);
        prop_assert_eq!(proof.verify(&root, &key, value), Ok(()));
        // The opposite statement, another value, and another root are not shown by it.
        prop_assert!(proof.verify(&root, &key, value.is_none().then_some(&other)).is_err());
        if value != Some(&other) {
            prop_assert!(proof.verify(&root, &key, Some(&other)).is_err());
        }
        prop_assert!(proof.verify(&Hash([9; 32]), &key, value).is_err());
    }

    #[test]
    fn every_flipped_bit_breaks_a_proof(
        leaves in leaves(1),
        key in key(),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        use remuda_types::Canonical;
        let mut trie = trie_of(&leaves);
        let root = trie.root();
        let value = leaves.get(&key).map(Vec::as_slice);
        let mut bytes = trie.prove(&key).to_canonical();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(tampered) = StateProof::from_canonical(&bytes) {
            prop_assert!(tampered.verify(&root, &key, value).is_err());
        }
    }

    #[test]
    fn a_proof_of_absence_cannot_be_made_from_another_walk(
        leaves in leaves(2),
        present in any::<prop::sample::Index>(),
        walked in key(),
    ) {
        let mut trie = trie_of(&leaves);
        let root = trie.root();
        let keys: Vec<_> = leaves.keys().collect();
        let present = keys[present.index(keys.len())];
        // Lead the verifier to whatever leaf lies along another key's path.
        let mut forged = trie.prove(&walked);
        let reached = path_of(&walked);
        if forged.other.is_none() && reached != path_of(present) {
            let value = value_hash(&leaves[&walked]);
            forged.other = Some(OtherLeaf { path: Hash(reached), value });
        }
        prop_assert!(forged.verify(&root, present, None).is_err());
    }
}
