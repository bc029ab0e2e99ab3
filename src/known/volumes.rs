//! Sans-IO. How loud each key is played, as its listener chose it. Bound: [`MAX_VOLUMES`]; the choice that was made
//! longest ago is forgotten first.

use std::fmt::Write as _;

use crate::id::PeerId;

/// Keys whose volume is remembered.
pub const MAX_VOLUMES: usize = 512;

const HEADER: &str = "lets-meet volumes 1";
/// Twice as loud as sent, in hundredths.
const MAX_PERCENT: u16 = 200;
/// As sent: nothing to remember.
const AS_SENT: u16 = 100;

/// All that was chosen, the latest choice last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Volumes(Vec<(PeerId, u16)>);

impl Volumes {
    /// How loud `peer` is to be, where 1 is as sent.
    pub fn of(&self, peer: PeerId) -> Option<f32> {
        self.iter().find(|(other, _)| *other == peer).map(|(_, volume)| volume)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (PeerId, f32)> {
        self.0.iter().map(|(peer, percent)| (*peer, f32::from(*percent) / 100.0))
    }

    /// Chooses a volume of 0 to 2; what is no number or outside changes nothing.
    pub fn choose(&mut self, peer: PeerId, volume: f32) {
        if !(0.0..=2.0).contains(&volume) {
            return;
        }
        self.forget(peer);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 200, as checked")]
        let percent = (volume * 100.0).round() as u16;
        if percent != AS_SENT {
            self.0.push((peer, percent));
        }
        if self.0.len() > MAX_VOLUMES {
            self.0.remove(0);
        }
    }

    /// Nothing was chosen for `peer`; true when something was.
    pub fn forget(&mut self, peer: PeerId) -> bool {
        let before = self.0.len();
        self.0.retain(|(other, _)| *other != peer);
        before != self.0.len()
    }

    /// As text, a line for each key.
    pub fn write(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for (peer, percent) in &self.0 {
            let _ = writeln!(text, "{percent} {peer}");
        }
        text
    }

    /// Reads what [`Self::write`] wrote.
    pub fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != HEADER || !text.ends_with('\n') {
            return None;
        }
        let mut all = Vec::new();
        for line in lines.take(MAX_VOLUMES) {
            let (percent, peer) = line.split_once(' ')?;
            let percent: u16 = percent.parse().ok().filter(|percent| *percent <= MAX_PERCENT)?;
            all.push((peer.parse().ok()?, percent));
        }
        Some(Self(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u16) -> PeerId {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&n.to_be_bytes());
        PeerId::from_bytes(id)
    }

    #[test]
    fn what_was_chosen_is_read_back() {
        let mut volumes = Volumes::default();
        for (n, volume) in [(1, 0.5), (2, 0.0), (3, 2.0), (1, 1.25), (4, 1.0), (5, f32::NAN), (6, 2.1), (3, 1.0)] {
            volumes.choose(peer(n), volume);
        }
        let all: Vec<_> = volumes.iter().collect();
        assert_eq!(all, [(peer(2), 0.0), (peer(1), 1.25)]);
        assert_eq!(Volumes::read(&volumes.write()), Some(volumes.clone()));
        assert_eq!((volumes.of(peer(1)), volumes.of(peer(9))), (Some(1.25), None));
        assert!(volumes.forget(peer(1)) && !volumes.forget(peer(1)));
    }

    #[test]
    fn the_oldest_choice_goes_first() {
        let mut volumes = Volumes::default();
        for n in 0..=600 {
            volumes.choose(peer(n), 0.5);
        }
        assert_eq!(volumes.iter().count(), MAX_VOLUMES);
        assert_eq!((volumes.of(peer(0)), volumes.of(peer(600))), (None, Some(0.5)));
        assert_eq!(Volumes::read(&volumes.write()), Some(volumes));
    }

    #[test]
    fn anything_else_is_damaged() {
        let id = peer(1);
        for bad in [
            "",
            "x",
            HEADER,
            &format!("{HEADER}\n201 {id}\n"),
            &format!("{HEADER}\n-1 {id}\n"),
            &format!("{HEADER}\n50 ab\n"),
        ] {
            assert_eq!(Volumes::read(bad), None, "{bad:?}");
        }
    }
}
