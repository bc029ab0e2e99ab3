//! Sans-IO. What is asked of the others' pictures, cameras and screens each by itself: nothing of those that are not on
//! screen, small ones where they are drawn small. A size that gets larger is asked for at once, anything else when it has stayed so for a while: a window
//! that is being resized asks once, at its end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::engine::pictures::{Key, PixelSize};
use crate::id::PeerId;
use crate::media::{TrackKind, View};
use crate::meeting::Command;

/// Less is wanted after this time.
const SETTLED: Duration = Duration::from_millis(800);
/// Pictures whose wish is remembered: as many as the meeting remembers. Beyond it those that are gone are forgotten.
const MOST_ASKED: usize = 1024;
/// The largest tile that a small picture is enough for, with the tolerance of the eye.
const SMALL: PixelSize = PixelSize { width: 340, height: 200 };

/// Whose, and which.
pub type Picture = (PeerId, TrackKind);

/// What was asked, and what is drawn.
#[derive(Debug, Default)]
pub struct Views {
    // Also of those that ended: the meeting goes on asking the same when they come back.
    asked: BTreeMap<Picture, View>,
    // Wants that wait: what, and since when.
    waiting: BTreeMap<Picture, (View, Instant)>,
}

impl Views {
    /// Drawn are these, and there are `pictures`: what is to be said now.
    pub fn update(&mut self, now: Instant, pictures: &[Picture], drawn: &BTreeMap<Key, PixelSize>) -> Vec<Command> {
        if self.asked.len() > MOST_ASKED {
            self.asked.retain(|picture, _| pictures.contains(picture));
        }
        self.waiting.retain(|picture, _| pictures.contains(picture));
        let mut commands = Vec::new();
        for picture in pictures {
            let (peer, kind) = *picture;
            let wanted = wanted(drawn.get(&Key { peer: Some(peer), kind }).copied());
            // The engine's own rule for those who come is a large picture.
            let asked = self.asked.get(picture).copied().unwrap_or(View::Large);
            if wanted == asked {
                self.waiting.remove(picture);
                continue;
            }
            let since = match self.waiting.get(picture) {
                Some((waiting, since)) if *waiting == wanted => *since,
                _ => now,
            };
            if wanted > asked || now.saturating_duration_since(since) >= SETTLED {
                self.waiting.remove(picture);
                self.asked.insert(*picture, wanted);
                commands.push(Command::View { peer: peer.to_string(), track: Some(kind), size: wanted });
            } else {
                self.waiting.insert(*picture, (wanted, since));
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
        Command::View { peer: peer(n).to_string(), track: Some(TrackKind::Camera), size }
    }

    fn camera(n: u8) -> Picture {
        (peer(n), TrackKind::Camera)
    }

    #[test]
    fn more_is_asked_for_at_once_and_less_when_it_has_stayed_so() {
        let start = crate::clock::now();
        let people = [camera(1), camera(2)];
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
        let people = [camera(1)];
        let mut views = Views::default();
        for ms in 0..700 {
            let wide = if ms % 2 == 0 { 300 } else { 310 };
            let drawn = BTreeMap::from([(Key::camera(peer(1)), PixelSize { width: wide, height: 170 })]);
            assert_eq!(views.update(start + Duration::from_millis(ms), &people, &drawn), []);
        }
        let drawn = BTreeMap::from([(Key::camera(peer(1)), PixelSize { width: 300, height: 170 })]);
        assert_eq!(views.update(start + SETTLED, &people, &drawn), [view(1, View::Small)]);
        assert_eq!(views.update(start + SETTLED, &[], &drawn), [], "gone");
        assert_eq!(views.update(start + SETTLED, &people, &drawn), [], "back, and asked for as before");
    }

    #[test]
    fn a_small_camera_beside_a_large_screen_of_one_person_is_asked_for_small() {
        let start = crate::clock::now();
        let pictures = [camera(1), (peer(1), TrackKind::Screen)];
        let drawn = BTreeMap::from([
            (Key::camera(peer(1)), PixelSize { width: 208, height: 117 }),
            (Key::screen(peer(1)), PixelSize { width: 1280, height: 720 }),
        ]);
        let mut views = Views::default();
        assert_eq!(views.update(start, &pictures, &drawn), []);
        assert_eq!(views.update(start + SETTLED, &pictures, &drawn), [view(1, View::Small)]);
        // The screen is out of sight, ends, and comes back into sight: it is asked for again.
        let screen = |size| Command::View { peer: peer(1).to_string(), track: Some(TrackKind::Screen), size };
        let hidden = BTreeMap::from([(Key::camera(peer(1)), PixelSize { width: 208, height: 117 })]);
        assert_eq!(views.update(start + SETTLED, &pictures, &hidden), []);
        assert_eq!(views.update(start + SETTLED * 2, &pictures, &hidden), [screen(View::None)]);
        assert_eq!(views.update(start + SETTLED * 3, &pictures[..1], &hidden), []);
        assert_eq!(views.update(start + SETTLED * 4, &pictures, &drawn), [screen(View::Large)]);
    }
}
