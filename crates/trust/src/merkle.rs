//! The Merkle tree of RFC 6962: roots, the frontier that grows them, and proofs that a leaf is in the tree.
//!
//! Functions over all leaves follow the recursive definition; [`Frontier`] keeps only the right edge and gives the
//! same roots in logarithmic space. Leaves come in as hashes.

use std::collections::BTreeMap;

use radslag_core::digest::{Digest, Hasher};

/// The hash of a leaf's data.
pub fn leaf_hash(data: &[u8]) -> Digest {
    let mut hasher = Hasher::default();
    hasher.put(&[0x00]).put(data);
    hasher.finish()
}

/// The hash of an inner node.
pub fn node_hash(left: Digest, right: Digest) -> Digest {
    let mut hasher = Hasher::default();
    hasher.put(&[0x01]).put(left.bytes()).put(right.bytes());
    hasher.finish()
}

/// The root over leaf hashes; SHA-256 of nothing when there are none.
pub fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(root(left), root(right))
        }
    }
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: usize) -> usize {
    1 << (size - 1).ilog2()
}

/// The neighbours that lead from the leaf at `index` (from 0) to the root, lowest first. None when there is no
/// such leaf.
pub fn inclusion_path(leaves: &[Digest], index: usize) -> Option<Vec<Digest>> {
    if index >= leaves.len() {
        return None;
    }
    let (mut leaves, mut index) = (leaves, index);
    let mut path = Vec::new();
    while leaves.len() > 1 {
        let (left, right) = leaves.split_at(split(leaves.len()));
        if index < left.len() {
            path.push(root(right));
            leaves = left;
        } else {
            path.push(root(left));
            index -= left.len();
            leaves = right;
        }
    }
    path.reverse();
    Some(path)
}

/// A path that does not lead from the leaf to the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("leaf {index} is not proved to be among the {size} of the tree")]
pub struct InclusionError {
    /// The leaf's index, from 0.
    pub index: u64,
    /// The size of the tree.
    pub size: u64,
}

/// Checks that `leaf` stands at `index` (from 0) in the tree of `size` leaves with this `root`.
///
/// # Errors
/// [`InclusionError`] when the path is too short, too long or leads to another root, or there is no such index.
pub fn verify_inclusion(
    leaf: Digest,
    index: u64,
    size: u64,
    path: &[Digest],
    root: Digest,
) -> Result<(), InclusionError> {
    let wrong = InclusionError { index, size };
    if index >= size {
        return Err(wrong);
    }
    // The place of the node in its level, and that of the level's last node.
    let (mut place, mut last) = (index, size - 1);
    let mut hash = leaf;
    for neighbour in path {
        if last == 0 {
            return Err(wrong);
        }
        if place == last {
            // A node without a right neighbour rises unchanged until it is a right child itself.
            let risen = place.trailing_zeros();
            place >>= risen;
            last >>= risen;
        }
        hash = if place & 1 == 1 { node_hash(*neighbour, hash) } else { node_hash(hash, *neighbour) };
        place >>= 1;
        last >>= 1;
    }
    if last == 0 && hash == root { Ok(()) } else { Err(wrong) }
}

/// A stored frontier that cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// The number of hashes is not the number of complete subtrees.
    #[error("a tree of {size} leaves has {expected} complete subtrees, the frontier {found}")]
    Count {
        /// The number of leaves.
        size: u64,
        /// How many hashes that takes.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// No log is this long.
    #[error("a tree of {size} leaves is too large")]
    TooLarge {
        /// The number of leaves.
        size: u64,
    },
}

/// The right edge of a growing tree: the roots of its complete subtrees, from which it can go on and know its root.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Digest>,
}

impl Frontier {
    /// The edge of the empty tree.
    pub const fn new() -> Self {
        Self { size: 0, hashes: Vec::new() }
    }

    /// Takes up a stored frontier: the number of leaves and the hashes, largest subtree first.
    ///
    /// # Errors
    /// [`FrontierError`] when the two do not fit together. Whether the hashes are right shows in the root.
    pub fn from_parts(size: u64, hashes: Vec<Digest>) -> Result<Self, FrontierError> {
        // Half of the numbers stay free, so that no number of appends overflows a size read from a disk.
        if size > u64::MAX / 2 {
            return Err(FrontierError::TooLarge { size });
        }
        let (found, subtrees) = (hashes.len(), size.count_ones());
        let expected = usize::try_from(subtrees).expect("there are at most 64 bits");
        if found != expected {
            return Err(FrontierError::Count { size, expected, found });
        }
        Ok(Self { size, hashes })
    }

    /// Adds the hash of the next leaf.
    pub fn append(&mut self, leaf: Digest) {
        let mut node = leaf;
        // Like a carry in binary: each complete subtree of equal size joins the new one.
        for _ in 0..self.size.trailing_ones() {
            let left = self.hashes.pop().expect("there is a hash for each bit that is set in the size");
            node = node_hash(left, node);
        }
        self.hashes.push(node);
        self.size += 1;
    }

    /// How many leaves there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Digest {
        let mut smallest_first = self.hashes.iter().rev();
        let Some(last) = smallest_first.next() else { return root(&[]) };
        smallest_first.fold(*last, |right, left| node_hash(*left, right))
    }

    /// The roots of the complete subtrees, the largest first.
    pub fn hashes(&self) -> &[Digest] {
        &self.hashes
    }
}

/// A tree that goes on after a frontier: paths of its later leaves need nothing of what is before but the frontier.
#[derive(Clone, Debug)]
pub struct Continuation {
    before: Frontier,
    leaves: Vec<Digest>,
    // Each inner node is made once, however many paths pass it.
    nodes: BTreeMap<(u64, u64), Digest>,
}

impl Continuation {
    /// The tree of what `before` stands for, before its first leaf of its own.
    pub const fn after(before: Frontier) -> Self {
        Self { before, leaves: Vec::new(), nodes: BTreeMap::new() }
    }

    /// Adds the hash of the next leaf.
    pub fn append(&mut self, leaf: Digest) {
        self.leaves.push(leaf);
    }

    /// What stands for the leaves before its own.
    pub const fn before(&self) -> &Frontier {
        &self.before
    }

    /// How many leaves there are, with those before.
    pub fn size(&self) -> u64 {
        self.before.size + self.leaves.len() as u64
    }

    /// The neighbours that lead from the leaf at `index` (from 0) to the root of the first `size` leaves, lowest first. None
    /// where the leaf lies before the continuation, or the tree is not that large.
    pub fn path(&mut self, index: u64, size: u64) -> Option<Vec<Digest>> {
        if index < self.before.size || index >= size || size > self.size() {
            return None;
        }
        let (mut start, mut length) = (0, size);
        let mut path = Vec::new();
        while length > 1 {
            let left = 1 << (length - 1).ilog2();
            if index < start + left {
                path.push(self.node(start + left, length - left)?);
                length = left;
            } else {
                path.push(self.node(start, left)?);
                start += left;
                length -= left;
            }
        }
        path.reverse();
        Some(path)
    }

    /// The root over the leaves from `start` on. What lies before the continuation is asked for in complete subtrees only.
    fn node(&mut self, start: u64, length: u64) -> Option<Digest> {
        if start + length <= self.before.size {
            return self.before_at(start, length);
        }
        if length == 1 {
            return self.leaves.get(usize::try_from(start - self.before.size).ok()?).copied();
        }
        if let Some(known) = self.nodes.get(&(start, length)) {
            return Some(*known);
        }
        let left = 1 << (length - 1).ilog2();
        let node = node_hash(self.node(start, left)?, self.node(start + left, length - left)?);
        self.nodes.insert((start, length), node);
        Some(node)
    }

    fn before_at(&self, start: u64, length: u64) -> Option<Digest> {
        let mut at = 0;
        for hash in &self.before.hashes {
            let subtree = 1_u64 << (self.before.size - at).ilog2();
            if (at, subtree) == (start, length) {
                return Some(*hash);
            }
            at += subtree;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leaves(count: u64) -> Vec<Digest> {
        (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    #[test]
    fn a_continuation_gives_the_paths_that_the_whole_tree_gives() {
        let all = leaves(40);
        for cut in 0..all.len() {
            let mut before = Frontier::new();
            all[..cut].iter().for_each(|leaf| before.append(*leaf));
            let mut after = Continuation::after(before);
            all[cut..].iter().for_each(|leaf| after.append(*leaf));
            for size in cut..=all.len() {
                for index in 0..=size {
                    let known = (index >= cut).then(|| inclusion_path(&all[..size], index)).flatten();
                    assert_eq!(after.path(index as u64, size as u64), known, "{index} of {size}, cut {cut}");
                }
            }
            assert_eq!(after.path(cut as u64, all.len() as u64 + 1), None);
        }
    }

    #[test]
    fn the_public_vectors_of_certificate_transparency_hold() {
        let data: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let leaves = data.map(leaf_hash);
        for (size, expected) in roots.iter().enumerate() {
            assert_eq!(root(&leaves[..size]).to_string(), *expected, "{size}");
        }
    }

    #[test]
    fn a_frontier_has_the_root_of_its_leaves_at_every_size() {
        let leaves = leaves(300);
        let mut frontier = Frontier::new();
        for (size, leaf) in leaves.iter().enumerate() {
            assert_eq!(frontier.root(), root(&leaves[..size]), "{size}");
            let stored = Frontier::from_parts(frontier.size(), frontier.hashes().to_vec());
            assert_eq!(stored.as_ref(), Ok(&frontier));
            frontier.append(*leaf);
        }
        assert_eq!(frontier.size(), 300);
        assert_eq!(frontier.root(), root(&leaves));
        assert_eq!(frontier.hashes()[0], root(&leaves[..256]));
    }

    #[test]
    fn a_frontier_with_a_hash_too_few_or_too_many_is_refused() {
        for size in [0_u64, 1, 6, 7, u64::MAX / 2] {
            let expected = usize::try_from(size.count_ones()).unwrap();
            for found in 0..66 {
                let answer = Frontier::from_parts(size, vec![Digest::ZERO; found]);
                assert_eq!(answer.is_ok(), found == expected, "{size} {found}");
            }
        }
        let answer = Frontier::from_parts(u64::MAX, vec![Digest::ZERO; 64]);
        assert_eq!(answer, Err(FrontierError::TooLarge { size: u64::MAX }));
        // The largest that is taken can still grow.
        let mut largest = Frontier::from_parts(u64::MAX / 2, vec![Digest::ZERO; 63]).unwrap();
        largest.append(Digest::ZERO);
        largest.append(Digest::ZERO);
        assert_eq!(largest.hashes().len(), 2);
    }

    #[test]
    fn every_leaf_is_proved_and_no_other_in_its_place() {
        for size in 1..=40 {
            let all = leaves(size);
            let tree = root(&all);
            for (index, leaf) in (0..size).zip(&all) {
                let path = inclusion_path(&all, usize::try_from(index).unwrap()).unwrap();
                assert_eq!(verify_inclusion(*leaf, index, size, &path, tree), Ok(()), "{index} of {size}");
                let wrong = Err(InclusionError { index, size });
                assert_eq!(verify_inclusion(leaf_hash(b"other"), index, size, &path, tree), wrong);
                assert_eq!(verify_inclusion(*leaf, index, size, &path, leaf_hash(b"other")), wrong);
                let longer = [&path[..], &[Digest::ZERO]].concat();
                assert_eq!(verify_inclusion(*leaf, index, size, &longer, tree), wrong);
                if let Some((_, shorter)) = path.split_last() {
                    assert_eq!(verify_inclusion(*leaf, index, size, shorter, tree), wrong);
                }
                for other in (0..size).filter(|other| *other != index) {
                    assert!(verify_inclusion(*leaf, other, size, &path, tree).is_err(), "{index} as {other}");
                }
            }
            assert_eq!(inclusion_path(&all, all.len()), None);
        }
        assert!(verify_inclusion(Digest::ZERO, 0, 0, &[], Digest::ZERO).is_err());
    }

    proptest! {
        #[test]
        fn a_damaged_path_proves_nothing(size in 2_u64..200, at: prop::sample::Index, hit: prop::sample::Index) {
            let all = leaves(size);
            let index = at.index(all.len());
            let mut path = inclusion_path(&all, index).unwrap();
            let hit = hit.index(path.len());
            path[hit] = leaf_hash(path[hit].bytes());
            let claimed = u64::try_from(index).unwrap();
            prop_assert!(verify_inclusion(all[index], claimed, size, &path, root(&all)).is_err());
        }

        #[test]
        fn any_claim_is_answered_without_a_panic(index: u64, size: u64, path in prop::collection::vec(any::<[u8; 32]>(), 0..70)) {
            let path: Vec<Digest> = path.into_iter().map(Digest::new).collect();
            prop_assert!(verify_inclusion(Digest::ZERO, index, size, &path, leaf_hash(b"root")).is_err());
        }
    }
}
