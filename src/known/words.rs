//! Sans-IO. Safety words: what two people read to each other to find out whether somebody stands between them.
//!
//! Eight words of a list of 2048 say 88 bits of a slow hash over both keys, the lower id first, so that both sides see
//! the same words without a message. Somebody in the middle would need two keys of its own, one towards each side, that
//! give the same words: it can try about 2^44 pairs of keys until two meet, and each try costs 2^18 hashes one after
//! another, 2^62 in all. Who must withstand more compares the whole peer ids. `SECURITY.md` says the same to people.
//!
//! The list is the English one of BIP 39 (public domain, CC0): short common words, no two with the same first four
//! letters. It never changes: a changed list is other words for the same keys.

use std::fmt;

use crate::id::PeerId;

/// Words that are compared.
pub const COUNT: usize = 8;
/// Bits that one word says.
const BITS: usize = 11;
/// Hashes after the first, one after another: about 20 ms.
const ROUNDS: usize = 1 << 18;

const LIST: &str = include_str!("words.txt");
const PAIR: &str = "lets-meet 2026 safety words";
const OWN: &str = "lets-meet 2026 own words";

/// Words to compare. `Display` puts spaces between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words([u16; COUNT]);

impl Words {
    /// The words of two keys, the same from either side. Takes some 20 ms: ask once and keep them.
    pub fn between(one: PeerId, other: PeerId) -> Self {
        let (low, high) = (one.min(other), one.max(other));
        Self::stretched(PAIR, &[*low.as_bytes(), *high.as_bytes()].concat())
    }

    /// The words of one key alone: a short form of its id, to recognise it by. Takes as long.
    pub fn of(peer: PeerId) -> Self {
        Self::stretched(OWN, peer.as_bytes())
    }

    fn stretched(context: &str, about: &[u8]) -> Self {
        let mut hash = blake3::derive_key(context, about);
        for _ in 0..ROUNDS {
            hash = *blake3::hash(&hash).as_bytes();
        }
        let bit = |n: usize| u16::from(hash[n / 8] >> (7 - n % 8) & 1);
        Self(std::array::from_fn(|word| (0..BITS).fold(0, |value, n| value << 1 | bit(word * BITS + n))))
    }

    /// One after another.
    pub fn iter(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.iter().map(|n| LIST.lines().nth(usize::from(*n)).unwrap_or_default())
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn peer(n: u8) -> PeerId {
        PeerId::from_bytes([n; 32])
    }

    #[test]
    fn both_sides_see_the_same_words_and_a_third_key_gives_others() {
        let words = Words::between(peer(1), peer(2));
        assert_eq!(words, Words::between(peer(2), peer(1)));
        assert_ne!(words, Words::between(peer(1), peer(3)));
        assert_ne!(words, Words::of(peer(1)));
        assert_eq!(words.iter().count(), COUNT);
        assert_eq!(words.to_string().split(' ').count(), COUNT);
    }

    #[test]
    fn the_words_of_two_keys_stay_what_they_are() {
        assert_eq!(
            Words::between(peer(1), peer(2)).to_string(),
            "hamster south liquid inject sponsor pet disease practice"
        );
        assert_eq!(Words::of(peer(1)).to_string(), "switch century denial tiger spawn clean idle obtain");
        assert_eq!(
            blake3::hash(LIST.as_bytes()).to_hex().as_str(),
            "43afe08c75f902534cfd2a694bef11db381f4804cd3ef76cd05a8ad0d7199122"
        );
    }

    #[test]
    fn the_list_is_the_one_that_was_checked() {
        let words: Vec<&str> = LIST.lines().collect();
        assert_eq!(words.len(), 1 << BITS);
        assert!(words.windows(2).all(|pair| pair[0] < pair[1]), "sorted, no doubles");
        assert!(words.iter().all(|word| (3..=8).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase())));
        let starts: BTreeSet<&str> = words.iter().map(|word| word.get(..4).unwrap_or(word)).collect();
        assert_eq!(starts.len(), words.len(), "four letters tell words apart");
    }
}
