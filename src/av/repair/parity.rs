//! Sans-IO. Redundancy over the packets of one picture: any packets that were lost, up to the number of parity packets
//! that came, are computed from the others. A Reed-Solomon code over GF(256) with a Cauchy matrix (Blömer and others,
//! 1995; the idea of RFC 5510), scaled so that the first parity packet is a plain XOR.
//!
//! Why not exclusive-ors over rows and columns: pictures have 1 to 40 packets, and what random loss of 10 % leaves after
//! three interleaved XORs over nine packets is four times what three Reed-Solomon packets leave. Why not a library: those
//! that are kept are built for thousands of shards (megabytes of tables), and the arithmetic is the hundred lines below.
//!
//! A large picture is cut into blocks of at most [`MAX_BLOCK`] packets that are interleaved, so that a burst hits all of
//! them evenly. Parity packet `n` belongs to block `n % blocks`. Shorter packets count as if zeros followed.

use bytes::Bytes;

/// Most packets of one block; as many rows of parity are possible.
const MAX_BLOCK: usize = 128;

const fn tables() -> ([u8; 510], [u8; 256]) {
    let (mut exp, mut log) = ([0u8; 510], [0u8; 256]);
    let (mut value, mut power) = (1u8, 0u8);
    while power < 255 {
        exp[power as usize] = value;
        exp[power as usize + 255] = value;
        log[value as usize] = power;
        // Times 2, modulo x^8 + x^4 + x^3 + x^2 + 1.
        value = (value << 1) ^ if value & 0x80 != 0 { 0x1d } else { 0 };
        power += 1;
    }
    (exp, log)
}

const TABLES: ([u8; 510], [u8; 256]) = tables();

fn multiply(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 {
        return 0;
    }
    TABLES.0[usize::from(TABLES.1[usize::from(a)]) + usize::from(TABLES.1[usize::from(b)])]
}

/// Of anything but 0.
fn inverse(a: u8) -> u8 {
    TABLES.0[255 - usize::from(TABLES.1[usize::from(a)])]
}

/// What packet `column` of a block counts in its parity packet `row`; both below [`MAX_BLOCK`]. Any square part of this
/// matrix can be inverted.
fn coefficient(row: usize, column: usize) -> u8 {
    let row = u8::try_from(row % MAX_BLOCK).unwrap_or(0);
    let column = u8::try_from(MAX_BLOCK + column % MAX_BLOCK).unwrap_or(0);
    multiply(column, inverse(row ^ column))
}

/// `out += factor * data`, byte by byte; `data` is at most as long as `out`.
fn add(out: &mut [u8], data: &[u8], factor: u8) {
    match factor {
        0 => {}
        1 => out.iter_mut().zip(data).for_each(|(out, byte)| *out ^= byte),
        _ => {
            let (mut low, mut high) = ([0u8; 16], [0u8; 16]);
            for nibble in 0..16u8 {
                low[usize::from(nibble)] = multiply(factor, nibble);
                high[usize::from(nibble)] = multiply(factor, nibble << 4);
            }
            for (out, byte) in out.iter_mut().zip(data) {
                *out ^= low[usize::from(byte & 15)] ^ high[usize::from(byte >> 4)];
            }
        }
    }
}

fn blocks(count: usize) -> usize {
    count.div_ceil(MAX_BLOCK).max(1)
}

/// The bytes of parity packet `number` of a picture with these packets: as long as the longest of them.
pub fn encode(packets: &[&[u8]], number: usize) -> Vec<u8> {
    let length = packets.iter().map(|packet| packet.len()).max().unwrap_or(0);
    let (blocks, mut out) = (blocks(packets.len()), vec![0; length]);
    let row = number / blocks;
    for (column, packet) in packets.iter().skip(number % blocks).step_by(blocks).enumerate() {
        add(&mut out, packet, coefficient(row, column));
    }
    out
}

/// Fills in the packets of a picture that lack, from what came of it and from its `parity`, packets of `length` bytes by
/// number. `size` gives the bytes of each packet, at most `length`; the others must have it. False when too much was lost:
/// then nothing has changed.
pub fn recover<'a>(
    packets: &mut [Option<Bytes>],
    parity: impl Iterator<Item = (u16, &'a Bytes)> + Clone,
    length: usize,
    size: impl Fn(usize) -> usize,
) -> bool {
    let blocks = blocks(packets.len());
    let mut found: Vec<(usize, Bytes)> = Vec::new();
    for block in 0..blocks {
        let lost: Vec<usize> = (block..packets.len()).step_by(blocks).filter(|i| packets[*i].is_none()).collect();
        let rows = parity.clone().filter(|(number, _)| usize::from(*number) % blocks == block);
        // Each row: what it counts of the lost packets, and what is left of it without the others.
        let mut equations: Vec<(Vec<u8>, Vec<u8>)> = Vec::with_capacity(lost.len());
        for (number, bytes) in rows.take(lost.len()) {
            let row = usize::from(number) / blocks;
            let mut rest = bytes.to_vec();
            rest.resize(length, 0);
            for (column, packet) in packets.iter().skip(block).step_by(blocks).enumerate() {
                if let Some(packet) = packet {
                    add(&mut rest, packet, coefficient(row, column));
                }
            }
            let counts = lost.iter().map(|index| coefficient(row, index / blocks)).collect();
            equations.push((counts, rest));
        }
        if equations.len() < lost.len() || !solve(&mut equations) {
            return false;
        }
        for (index, (_, mut bytes)) in lost.into_iter().zip(equations) {
            bytes.truncate(size(index));
            found.push((index, bytes.into()));
        }
    }
    for (index, bytes) in found {
        packets[index] = Some(bytes);
    }
    true
}

/// Gauss-Jordan: afterwards equation `i` holds unknown `i`. False when they contradict or repeat each other.
fn solve(equations: &mut [(Vec<u8>, Vec<u8>)]) -> bool {
    for pivot in 0..equations.len() {
        let Some(at) = (pivot..equations.len()).find(|i| equations[*i].0[pivot] != 0) else { return false };
        equations.swap(pivot, at);
        let scale = inverse(equations[pivot].0[pivot]);
        let (counts, bytes) = std::mem::take(&mut equations[pivot]);
        let (mut scaled, mut product) = (vec![0; counts.len()], vec![0; bytes.len()]);
        add(&mut scaled, &counts, scale);
        add(&mut product, &bytes, scale);
        for (counts, bytes) in equations.iter_mut().filter(|(counts, _)| !counts.is_empty()) {
            let factor = counts[pivot];
            add(counts, &scaled, factor);
            add(bytes, &product, factor);
        }
        equations[pivot] = (scaled, product);
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    fn packets(random: &mut StdRng, count: usize) -> Vec<Bytes> {
        // As the packetizer cuts: the first ones may be a byte longer.
        let (length, longer) = (random.random_range(2..40), random.random_range(1..=count));
        let size = |i| if i < longer { length } else { length - 1 };
        (0..count).map(|i| (0..size(i)).map(|_| random.random()).collect::<Vec<u8>>().into()).collect()
    }

    fn parity(whole: &[Bytes], number: u16) -> (u16, Bytes) {
        let parts: Vec<&[u8]> = whole.iter().map(|packet| &packet[..]).collect();
        (number, encode(&parts, usize::from(number)).into())
    }

    #[test]
    fn every_value_has_its_inverse_and_the_first_row_is_an_exclusive_or() {
        for value in 1..=255 {
            assert_eq!(multiply(value, inverse(value)), 1);
        }
        assert!((0..MAX_BLOCK).all(|column| coefficient(0, column) == 1));
        let parts: [&[u8]; 2] = [&[1, 2, 3], &[4, 4]];
        assert_eq!(encode(&parts, 0), [5, 6, 3]);
    }

    #[test]
    fn too_much_loss_changes_nothing() {
        let mut random = StdRng::seed_from_u64(1);
        let whole = packets(&mut random, 9);
        let rows = [parity(&whole, 0), parity(&whole, 1)];
        let mut lossy: Vec<_> = whole.iter().cloned().map(Some).collect();
        lossy[1..4].fill(None);
        let before = lossy.clone();
        let length = whole[0].len();
        let rows = rows.iter().map(|(number, bytes)| (*number, bytes));
        assert!(!recover(&mut lossy, rows, length, |i| whole[i].len()));
        assert_eq!(lossy, before);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// As many lost packets as parity packets that came, whichever they are, come back.
        #[test]
        fn what_was_lost_is_computed(seed: u64, count in 1usize..300, percent in 1u32..50) {
            let mut random = StdRng::seed_from_u64(seed);
            let whole = packets(&mut random, count);
            let mut lossy: Vec<_> = whole.iter().cloned().map(Some).collect();
            for packet in &mut lossy {
                if random.random_range(0..100) < percent {
                    *packet = None;
                }
            }
            // Of each block as many rows as it lost, at random places.
            let blocks = blocks(count);
            let mut rows = Vec::new();
            for block in 0..blocks {
                let lost = (block..count).step_by(blocks).filter(|i| lossy[*i].is_none()).count();
                let first = random.random_range(0..=MAX_BLOCK - lost);
                rows.extend((first..first + lost).map(|row| parity(&whole, u16::try_from(row * blocks + block).expect("small"))));
            }
            let length = whole[0].len();
            let given = rows.iter().map(|(number, bytes)| (*number, bytes));
            prop_assert!(recover(&mut lossy, given, length, |i| whole[i].len()));
            prop_assert_eq!(lossy.into_iter().flatten().collect::<Vec<_>>(), whole);
        }
    }
}
