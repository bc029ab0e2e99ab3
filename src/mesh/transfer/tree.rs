//! Sans-IO. The BLAKE3 tree of a file, cut into groups of 256 KiB.
//!
//! BLAKE3 hashes 1 KiB chunks and joins the results pairwise into one root. A group is a whole subtree, so its
//! chaining value both checks the group's bytes on arrival and takes part in the root: every byte is hashed once, and
//! the root is the plain BLAKE3 of the file, what `b3sum` prints. A group's value says nothing about its place: the
//! place is fixed by the root, at the end.
//!
//! [`Tree`] joins the values in order and keeps one value for each bit of the group count, so its memory does not
//! grow with the file. Written after the paper, section 2.1 (tree structure) and 5.1.2 (an incremental stack).

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

/// Bytes of one group: a power of two times 1 KiB. Large enough that its 44 header bytes and one wake-up cost
/// nothing, small enough that a handful of them in memory is little (guess).
pub const GROUP: u64 = 256 * 1024;
/// The same, as a buffer's length.
pub const GROUP_BYTES: usize = 256 * 1024;

/// A group's chaining value, or a whole file's root.
pub type Hash = [u8; 32];

/// The chaining value of the group that starts at `offset`, a multiple of [`GROUP`]; `bytes` is not empty and at most
/// one group.
pub fn group_hash(offset: u64, bytes: &[u8]) -> Hash {
    debug_assert!(offset.is_multiple_of(GROUP) && !bytes.is_empty() && bytes.len() <= GROUP_BYTES);
    blake3::Hasher::new().set_input_offset(offset).update(bytes).finalize_non_root()
}

/// Joins group values, in the order of the file, into the root.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    stack: Vec<Hash>,
    groups: u64,
    // The root of a file that is one group cannot be had from the group's value.
    only: Option<Hash>,
}

impl Tree {
    /// The tree of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next group, with the value that [`group_hash`] gave for it.
    pub fn push(&mut self, hash: Hash, bytes: &[u8]) {
        self.only = (self.groups == 0).then(|| *blake3::hash(bytes).as_bytes());
        // Finished pairs are joined only now: the last join of all makes the root and is another operation.
        while self.stack.len() > usize::try_from(self.groups.count_ones()).unwrap_or(usize::MAX) {
            self.join();
        }
        self.stack.push(hash);
        self.groups += 1;
    }

    fn join(&mut self) {
        if let (Some(right), Some(left)) = (self.stack.pop(), self.stack.pop()) {
            self.stack.push(merge_subtrees_non_root(&left, &right, Mode::Hash));
        }
    }

    /// The BLAKE3 of everything so far.
    pub fn root(&self) -> Hash {
        if let Some(only) = self.only {
            return only;
        }
        let mut tree = self.clone();
        while tree.stack.len() > 2 {
            tree.join();
        }
        match tree.stack[..] {
            [left, right] => *merge_subtrees_root(&left, &right, Mode::Hash).as_bytes(),
            _ => *blake3::hash(&[]).as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree_root(bytes: &[u8]) -> Hash {
        let mut tree = Tree::new();
        for (i, group) in bytes.chunks(GROUP_BYTES).enumerate() {
            tree.push(group_hash(i as u64 * GROUP, group), group);
        }
        tree.root()
    }

    #[test]
    fn root_is_the_plain_blake3_of_the_file() {
        let bytes: Vec<u8> = (0..9 * GROUP_BYTES + 1025).map(|i| (i * i / 127).to_le_bytes()[0]).collect();
        let edges = (0..=9).flat_map(|groups| [0, 1, 1023, 1024, 1025].map(|more| groups * GROUP_BYTES + more));
        for length in edges.filter(|length| *length <= bytes.len()) {
            assert_eq!(&tree_root(&bytes[..length]), blake3::hash(&bytes[..length]).as_bytes(), "{length} bytes");
        }
    }

    #[test]
    fn memory_does_not_grow_with_the_file() {
        let mut tree = Tree::new();
        for i in 0..100_000_u64 {
            tree.push([i.to_le_bytes()[0]; 32], b"x");
        }
        assert!(tree.stack.len() <= 18);
    }
}
