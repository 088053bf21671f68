//! The authenticated state: a path-compressed binary trie over hashed keys.
//!
//! A leaf lies at the 256-bit path `BLAKE3(key)`. A branch stands only where two paths part:
//! it names the first bit in which its two sides differ, so the trie's shape depends on its
//! set of keys alone, never on their order. Hashes of leaves, branches and paths are made
//! with different BLAKE3 keys: none can be shown as another.
//!
//! Changing a leaf marks the branches above it; [`Trie::root`] then hashes each marked branch
//! once, so a block costs in proportion to the leaves that it changed.

mod proof;

use remuda_types::Hash;

pub use proof::{OtherLeaf, ProofError, ProofStep, StateProof};

/// The root of a state without records.
pub(crate) const EMPTY_ROOT: Hash = Hash([0; 32]);

const PATH_KEY: &[u8; 32] = b"remuda/state-path/1.............";
const VALUE_KEY: &[u8; 32] = b"remuda/state-value/1............";
const LEAF_KEY: &[u8; 32] = b"remuda/state-leaf/1.............";
const BRANCH_KEY: &[u8; 32] = b"remuda/state-branch/1...........";

/// Where a key's leaf lies.
pub(crate) type Path = [u8; 32];

pub(crate) fn path_of(key: &[u8]) -> Path {
    *blake3::keyed_hash(PATH_KEY, key).as_bytes()
}

fn value_hash(value: &[u8]) -> Hash {
    Hash(*blake3::keyed_hash(VALUE_KEY, value).as_bytes())
}

/// The path is part of a leaf's hash: a proof of absence shows another leaf's path.
fn leaf_hash(path: &Path, value: &Hash) -> Hash {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(path);
    bytes[32..].copy_from_slice(&value.0);
    Hash(*blake3::keyed_hash(LEAF_KEY, &bytes).as_bytes())
}

fn branch_hash(bit: u8, left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [0; 65];
    bytes[0] = bit;
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    Hash(*blake3::keyed_hash(BRANCH_KEY, &bytes).as_bytes())
}

/// Whether `path` goes right at `bit`, counted from the most significant of the first byte.
fn goes_right(path: &Path, bit: u8) -> bool {
    path[usize::from(bit / 8)] & (0x80 >> (bit % 8)) != 0
}

/// The first bit in which two paths differ.
fn first_difference(a: &Path, b: &Path) -> Option<u8> {
    let byte = a.iter().zip(b).position(|(a, b)| a != b)?;
    let bit = (a[byte] ^ b[byte]).leading_zeros();
    u8::try_from(byte * 8 + usize::try_from(bit).ok()?).ok()
}

/// A leaf or a branch by its place in its arena: the top bit tells which.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Link(u32);

impl Link {
    const BRANCH: u32 = 1 << 31;

    fn to(index: usize, branch: bool) -> Self {
        match u32::try_from(index) {
            Ok(index) if index < Self::BRANCH => {
                Self(if branch { index | Self::BRANCH } else { index })
            }
            _ => unreachable!("more than 2^31 records do not fit in memory"),
        }
    }

    const fn branch(self) -> Option<usize> {
        if self.0 & Self::BRANCH == 0 { None } else { Some((self.0 & !Self::BRANCH) as usize) }
    }

    const fn index(self) -> usize {
        (self.0 & !Self::BRANCH) as usize
    }
}

#[derive(Clone)]
struct Leaf {
    path: Path,
    value: Hash,
}

impl Leaf {
    fn hash(&self) -> Hash {
        leaf_hash(&self.path, &self.value)
    }
}

#[derive(Clone)]
struct Branch {
    hash: Hash,
    sides: [Link; 2],
    bit: u8,
    stale: bool,
}

impl Branch {
    fn side(&self, path: &Path) -> Link {
        self.sides[usize::from(goes_right(path, self.bit))]
    }
}

/// Records that keep their place until they are taken out; places are used again.
#[derive(Clone)]
struct Arena<T> {
    items: Vec<T>,
    free: Vec<usize>,
}

impl<T> Arena<T> {
    const fn new() -> Self {
        Self { items: Vec::new(), free: Vec::new() }
    }

    fn put(&mut self, item: T) -> usize {
        if let Some(index) = self.free.pop() {
            self.items[index] = item;
            return index;
        }
        self.items.push(item);
        self.items.len() - 1
    }

    fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }
}

/// The trie.
#[derive(Clone)]
pub(crate) struct Trie {
    leaves: Arena<Leaf>,
    branches: Arena<Branch>,
    root: Option<Link>,
}

impl Trie {
    pub(crate) const fn new() -> Self {
        Self { leaves: Arena::new(), branches: Arena::new(), root: None }
    }

    /// How many leaves there are.
    pub(crate) fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Sets, or with `None` removes, the leaf of `key`.
    pub(crate) fn set(&mut self, key: &[u8], value: Option<&[u8]>) {
        let path = path_of(key);
        match value {
            Some(value) => self.insert(path, value_hash(value)),
            None => self.remove(&path),
        }
    }

    /// Sets and removes leaves, and gives the new root.
    pub(crate) fn update(&mut self, leaves: &[(Vec<u8>, Option<Vec<u8>>)]) -> Hash {
        for (key, value) in leaves {
            self.set(key, value.as_deref());
        }
        self.root()
    }

    /// The root over all leaves.
    pub(crate) fn root(&mut self) -> Hash {
        self.root.map_or(EMPTY_ROOT, |root| self.refresh(root))
    }

    fn refresh(&mut self, link: Link) -> Hash {
        let Some(index) = link.branch() else { return self.leaves.items[link.index()].hash() };
        let Branch { hash, sides: [left, right], bit, stale } = self.branches.items[index];
        if !stale {
            return hash;
        }
        let hash = branch_hash(bit, &self.refresh(left), &self.refresh(right));
        let branch = &mut self.branches.items[index];
        (branch.hash, branch.stale) = (hash, false);
        hash
    }

    /// The leaf at which a walk along `path` ends.
    fn nearest(&self, path: &Path) -> Option<usize> {
        let mut link = self.root?;
        while let Some(branch) = link.branch() {
            link = self.branches.items[branch].side(path);
        }
        Some(link.index())
    }

    fn insert(&mut self, path: Path, value: Hash) {
        let Some(nearest) = self.nearest(&path) else {
            self.root = Some(Link::to(self.leaves.put(Leaf { path, value }), false));
            return;
        };
        match first_difference(&self.leaves.items[nearest].path, &path) {
            None => {
                self.leaves.items[nearest].value = value;
                self.mark(&path, None);
            }
            Some(bit) => self.split(Leaf { path, value }, bit),
        }
    }

    /// Puts a new leaf beside what lies where its path parts from all others at `bit`.
    fn split(&mut self, leaf: Leaf, bit: u8) {
        let path = leaf.path;
        let above = self.mark(&path, Some(bit));
        let Some(other) =
            above.map_or(self.root, |above| Some(self.branches.items[above].side(&path)))
        else {
            unreachable!("a trie with a nearest leaf has a root");
        };
        let leaf = Link::to(self.leaves.put(leaf), false);
        let sides = if goes_right(&path, bit) { [other, leaf] } else { [leaf, other] };
        let branch = Branch { hash: EMPTY_ROOT, sides, bit, stale: true };
        let link = Link::to(self.branches.put(branch), true);
        self.relink(above, &path, link);
    }

    /// Marks all branches along `path` (above `limit`, if given) and returns the lowest.
    fn mark(&mut self, path: &Path, limit: Option<u8>) -> Option<usize> {
        let mut lowest = None;
        let mut link = self.root?;
        while let Some(index) = link.branch() {
            let branch = &mut self.branches.items[index];
            if limit.is_some_and(|limit| branch.bit > limit) {
                break;
            }
            branch.stale = true;
            lowest = Some(index);
            link = branch.side(path);
        }
        lowest
    }

    /// Hangs `link` below the branch `above` on the side of `path`; without one, at the root.
    fn relink(&mut self, above: Option<usize>, path: &Path, link: Link) {
        match above {
            Some(above) => {
                let branch = &mut self.branches.items[above];
                branch.sides[usize::from(goes_right(path, branch.bit))] = link;
            }
            None => self.root = Some(link),
        }
    }

    fn remove(&mut self, path: &Path) {
        let Some(nearest) = self.nearest(path) else { return };
        if self.leaves.items[nearest].path != *path {
            return;
        }
        self.leaves.free.push(nearest);
        let Some(parent) = self.mark(path, None) else {
            self.root = None;
            return;
        };
        let Branch { sides, bit, .. } = self.branches.items[parent];
        let sibling = sides[usize::from(!goes_right(path, bit))];
        self.branches.free.push(parent);
        let above = match bit.checked_sub(1) {
            Some(limit) => self.mark(path, Some(limit)),
            None => None,
        };
        self.relink(above, path, sibling);
    }

    /// What proves that `key` has its leaf, or has none. The root must be fresh.
    pub(crate) fn prove(&self, key: &[u8]) -> StateProof {
        let path = path_of(key);
        let Some(mut link) = self.root else { return StateProof::default() };
        let mut steps = Vec::new();
        while let Some(index) = link.branch() {
            let branch = &self.branches.items[index];
            let sibling = branch.sides[usize::from(!goes_right(&path, branch.bit))];
            steps.push(ProofStep { bit: branch.bit, sibling: self.hash_of(sibling) });
            link = branch.side(&path);
        }
        let leaf = &self.leaves.items[link.index()];
        let other =
            (leaf.path != path).then_some(OtherLeaf { path: Hash(leaf.path), value: leaf.value });
        StateProof { steps, other }
    }

    fn hash_of(&self, link: Link) -> Hash {
        match link.branch() {
            Some(branch) => self.branches.items[branch].hash,
            None => self.leaves.items[link.index()].hash(),
        }
    }
}

#[cfg(test)]
mod tests;
