//! Sans-IO. How many packets a path loses in one go, from the sequence numbers of those that come. A packet counts as
//! lost when sixty-four later ones came or were due: by then whatever was overtaken is here.

use std::collections::VecDeque;

/// Packets that may still come.
const OPEN: u16 = 64;
/// Runs remembered. Overflow: the oldest is forgotten.
const MOST_RUNS: usize = 32;
/// A longer run is a path that was gone, which no copy helps against.
const LONGEST: u16 = 50;

/// Watches one track.
#[derive(Debug, Default)]
pub struct Outage {
    newest: Option<u16>,
    /// Which of the last 64 came, the newest in bit 0.
    came: u64,
    run: u16,
    /// Lost in one go, and the packets that came since the start at its end.
    runs: VecDeque<(u16, u64)>,
    packets: u64,
}

/// Runs of so many packets ago are forgotten: half a minute.
const MEMORY: u64 = 3000;

impl Outage {
    /// A packet came.
    pub fn on_packet(&mut self, sequence: u16) {
        self.packets += 1;
        let Some(newest) = self.newest else {
            // Nothing before it was lost.
            (self.newest, self.came) = (Some(sequence), u64::MAX);
            return;
        };
        let ahead = sequence.wrapping_sub(newest);
        let behind = newest.wrapping_sub(sequence);
        if behind < OPEN {
            self.came |= 1 << behind;
        } else if ahead < OPEN {
            for _ in 0..ahead {
                self.leave(self.came >> (OPEN - 1) & 1 == 1);
                self.came <<= 1;
            }
            self.came |= 1;
            self.newest = Some(sequence);
        } else {
            // Gone for long, or begun anew.
            (self.newest, self.came, self.run) = (Some(sequence), u64::MAX, 0);
        }
    }

    fn leave(&mut self, came: bool) {
        if !came {
            self.run = self.run.saturating_add(1);
            return;
        }
        if (1..=LONGEST).contains(&self.run) {
            if self.runs.len() >= MOST_RUNS {
                self.runs.pop_front();
            }
            self.runs.push_back((self.run, self.packets));
        }
        self.run = 0;
        while self.runs.front().is_some_and(|(_, at)| self.packets - at > MEMORY) {
            self.runs.pop_front();
        }
    }

    /// Three of four lost packets were lost in runs of at most this many; 0 when nothing was lost of late.
    pub fn packets(&self) -> u16 {
        let mut runs: Vec<u16> = self.runs.iter().map(|(run, _)| *run).collect();
        runs.sort_unstable();
        let all: u32 = runs.iter().map(|run| u32::from(*run)).sum();
        let mut passed = 0;
        for run in runs {
            passed += u32::from(run);
            if passed * 4 >= all * 3 {
                return run;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(start: u16, lost: impl Fn(u32) -> bool) -> u16 {
        let mut outage = Outage::default();
        for n in (0..2000u32).filter(|n| !lost(*n)) {
            outage.on_packet(start.wrapping_add(u16::try_from(n).expect("small")));
        }
        outage.packets()
    }

    #[test]
    fn runs_are_as_long_as_what_was_lost_in_one_go() {
        assert_eq!(packets(0, |_| false), 0);
        assert_eq!(packets(65_000, |n| n % 20 == 7), 1);
        assert_eq!(packets(65_000, |n| n % 80 < 4), 4);
        assert_eq!(packets(9, |n| n % 120 < 6), 6);
        assert_eq!(packets(9, |n| (1000..1500).contains(&n)), 0, "gone");
    }

    #[test]
    fn overtaken_packets_are_not_lost() {
        let mut outage = Outage::default();
        for n in 0..1000u16 {
            outage.on_packet(n ^ 7);
        }
        assert_eq!(outage.packets(), 0);
    }

    #[test]
    fn any_sequence_is_bounded() {
        let mut outage = Outage::default();
        for n in 0..60_000u32 {
            outage.on_packet(u16::try_from(n * n % 65_521).expect("16 bits"));
        }
        assert!(outage.runs.len() <= MOST_RUNS && outage.packets() <= LONGEST);
    }
}
