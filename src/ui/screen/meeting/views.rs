//! Sans-IO. What is asked of the others' pictures: nothing of those that are not on screen, small ones where they are
//! drawn small. A size that gets larger is asked for at once, anything else when it has stayed so for a while: a window
//! that is being resized asks once, at its end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::engine::pictures::{Key, PixelSize};
use crate::id::PeerId;
use crate::media::{TrackKind, View};
use crate::meeting::Command;

/// Less is wanted after this time.
const SETTLED: Duration = Duration::from_millis(1500);
/// The largest tile that a small picture is enough for, with the tolerance of the eye.
const SMALL: PixelSize = PixelSize { width: 340, height: 200 };

/// What was asked, and what is drawn.
#[derive(Debug, Default)]
pub struct Views {
    // Present peers only.
    asked: BTreeMap<PeerId, View>,
    // Wants that wait: what, and since when.
    waiting: BTreeMap<PeerId, (View, Instant)>,
}

impl Views {
    /// Drawn are these, present are `people`: what is to be said now.
    pub fn update(&mut self, now: Instant, people: &[PeerId], drawn: &BTreeMap<Key, PixelSize>) -> Vec<Command> {
        self.asked.retain(|peer, _| people.contains(peer));
        self.waiting.retain(|peer, _| people.contains(peer));
        let mut commands = Vec::new();
        for peer in people {
            // One wish is for the camera and the screen: what is drawn larger decides.
            let size = |kind| wanted(drawn.get(&Key { peer: Some(*peer), kind }).copied());
            let wanted = size(TrackKind::Camera).max(size(TrackKind::Screen));
            // The engine's own rule for those who come is a large picture.
            let asked = self.asked.get(peer).copied().unwrap_or(View::Large);
            if wanted == asked {
                self.waiting.remove(peer);
                continue;
            }
            let since = match self.waiting.get(peer) {
                Some((waiting, since)) if *waiting == wanted => *since,
                _ => now,
            };
            if wanted > asked || now.saturating_duration_since(since) >= SETTLED {
                self.waiting.remove(peer);
                self.asked.insert(*peer, wanted);
                commands.push(Command::View { peer: peer.to_string(), size: wanted });
            } else {
                self.waiting.insert(*peer, (wanted, since));
            }
        }
        commands
    }

    /// Something waits for its time.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

fn wanted(drawn: Option<PixelSize>) -> View {
    match drawn {
        None => View::None,
        Some(size) if size.width <= SMALL.width && size.height <= SMALL.height => View::Small,
        Some(_) => View::Large,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> PeerId {
        PeerId::from_bytes([n; 32])
    }

    fn view(n: u8, size: View) -> Command {
        Command::View { peer: peer(n).to_string(), size }
    }

    #[test]
    fn more_is_asked_for_at_once_and_less_when_it_has_stayed_so() {
        let start = crate::clock::now();
        let people = [peer(1), peer(2)];
        let large = PixelSize { width: 640, height: 360 };
        let small = PixelSize { width: 208, height: 117 };
        let mut views = Views::default();
        let both = BTreeMap::from([(Key::camera(peer(1)), large), (Key::camera(peer(2)), large)]);
        assert_eq!(views.update(start, &people, &both), []);
        let one = BTreeMap::from([(Key::camera(peer(1)), small)]);
        assert_eq!(views.update(start, &people, &one), []);
        assert!(views.is_waiting());
        assert_eq!(views.update(start + SETTLED, &people, &one), [view(1, View::Small), view(2, View::None)]);
        assert!(!views.is_waiting());
        assert_eq!(views.update(start + SETTLED, &people, &one), [], "said once");
        assert_eq!(views.update(start + SETTLED, &people, &both), [view(1, View::Large), view(2, View::Large)]);
    }

    #[test]
    fn a_window_that_is_being_resized_asks_once() {
        let start = crate::clock::now();
        let people = [peer(1)];
        let mut views = Views::default();
        for ms in 0..1000 {
            let wide = if ms % 2 == 0 { 300 } else { 310 };
            let drawn = BTreeMap::from([(Key::camera(peer(1)), PixelSize { width: wide, height: 170 })]);
            assert_eq!(views.update(start + Duration::from_millis(ms), &people, &drawn), []);
        }
        let drawn = BTreeMap::from([(Key::camera(peer(1)), PixelSize { width: 300, height: 170 })]);
        assert_eq!(views.update(start + SETTLED, &people, &drawn), [view(1, View::Small)]);
        assert_eq!(views.update(start + SETTLED, &[], &drawn), [], "gone");
    }
}
