//! Sans-IO. What is asked of the others' pictures: nothing of those that are not on screen, small ones where they are
//! drawn small. A size that gets larger is asked for at once, anything else when it has stayed so for a while: a window
//! that is being resized asks once, at its end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::engine::pictures::{Key, PixelSize};
use crate::media::View;
use crate::meeting::Command;

/// Less is wanted after this time. With the 250 ms between two looks, what nobody draws has been given up within a second.
const SETTLED: Duration = Duration::from_millis(600);
/// The largest tile that a small picture is enough for, with the tolerance of the eye.
const SMALL: PixelSize = PixelSize { width: 340, height: 200 };

/// Pictures of which is known what was asked, also while they are gone: the engine goes on as it was told when they are
/// back. Beyond it, what is gone is forgotten. It remembers half as many people.
const MOST: usize = 1024;

/// What was asked, and what is drawn. A camera and a screen of one person are each asked for by themselves.
#[derive(Debug, Default)]
pub struct Views {
    asked: BTreeMap<Key, View>,
    // Wants that wait: what, and since when. Of what is there.
    waiting: BTreeMap<Key, (View, Instant)>,
}

impl Views {
    /// Drawn are these, there are the `pictures` of others: what is to be said now.
    pub fn update(&mut self, now: Instant, pictures: &[Key], drawn: &BTreeMap<Key, PixelSize>) -> Vec<Command> {
        if self.asked.len() > MOST {
            self.asked.retain(|key, _| pictures.contains(key));
        }
        self.waiting.retain(|key, _| pictures.contains(key));
        let mut commands = Vec::new();
        for key in pictures {
            let Some(peer) = key.peer else { continue };
            let wanted = wanted(drawn.get(key).copied());
            // The engine's own rule for those who come is a large picture.
            let asked = self.asked.get(key).copied().unwrap_or(View::Large);
            if wanted == asked {
                self.waiting.remove(key);
                continue;
            }
            let since = match self.waiting.get(key) {
                Some((waiting, since)) if *waiting == wanted => *since,
                _ => now,
            };
            if wanted > asked || now.saturating_duration_since(since) >= SETTLED {
                self.waiting.remove(key);
                self.asked.insert(*key, wanted);
                commands.push(Command::View { peer: peer.to_string(), track: Some(key.kind), size: wanted });
            } else {
                self.waiting.insert(*key, (wanted, since));
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
    use crate::id::PeerId;

    const LARGE: PixelSize = PixelSize { width: 640, height: 360 };
    const TILE: PixelSize = PixelSize { width: 208, height: 117 };

    fn camera(n: u8) -> Key {
        Key::camera(PeerId::from_bytes([n; 32]))
    }

    fn screen(n: u8) -> Key {
        Key::screen(PeerId::from_bytes([n; 32]))
    }

    fn view(of: Key, size: View) -> Command {
        let peer = of.peer.expect("of somebody else").to_string();
        Command::View { peer, track: Some(of.kind), size }
    }

    #[test]
    fn more_is_asked_for_at_once_and_less_when_it_has_stayed_so() {
        let start = crate::clock::now();
        let there = [camera(1), camera(2)];
        let mut views = Views::default();
        let both = BTreeMap::from([(camera(1), LARGE), (camera(2), LARGE)]);
        assert_eq!(views.update(start, &there, &both), []);
        let one = BTreeMap::from([(camera(1), TILE)]);
        assert_eq!(views.update(start, &there, &one), []);
        assert!(views.is_waiting());
        let less = [view(camera(1), View::Small), view(camera(2), View::None)];
        assert_eq!(views.update(start + SETTLED, &there, &one), less);
        assert!(!views.is_waiting());
        assert_eq!(views.update(start + SETTLED, &there, &one), [], "said once");
        let more = [view(camera(1), View::Large), view(camera(2), View::Large)];
        assert_eq!(views.update(start + SETTLED, &there, &both), more);
    }

    #[test]
    fn a_small_tile_beside_a_large_screen_is_asked_for_small() {
        let (start, there) = (crate::clock::now(), [camera(1), screen(1)]);
        let mut views = Views::default();
        let drawn = BTreeMap::from([(camera(1), TILE), (screen(1), LARGE)]);
        assert_eq!(views.update(start, &there, &drawn), []);
        assert_eq!(views.update(start + SETTLED, &there, &drawn), [view(camera(1), View::Small)]);
        // Somebody else is pinned: the screen is not drawn, the tile stays.
        let tile = BTreeMap::from([(camera(1), TILE)]);
        assert_eq!(views.update(start + SETTLED, &there, &tile), []);
        assert_eq!(views.update(start + SETTLED * 2, &there, &tile), [view(screen(1), View::None)]);
    }

    #[test]
    fn of_thirty_cameras_the_one_that_is_drawn_is_all_that_is_asked_for_after_a_second() {
        let start = crate::clock::now();
        let there: Vec<Key> = (1..=30).map(camera).collect();
        let drawn = BTreeMap::from([(camera(7), LARGE)]);
        let mut views = Views::default();
        let mut asked: BTreeMap<String, View> = BTreeMap::new();
        for ms in (0..1000).step_by(250) {
            for command in views.update(start + Duration::from_millis(ms), &there, &drawn) {
                let Command::View { peer, size, .. } = command else { panic!("{command:?}") };
                assert_eq!(asked.insert(peer, size), None, "said once");
            }
        }
        assert_eq!(asked.len(), 29);
        assert!(asked.values().all(|size| *size == View::None), "{asked:?}");
    }

    #[test]
    fn what_was_asked_of_a_camera_holds_when_it_comes_back() {
        let (start, there) = (crate::clock::now(), [camera(1)]);
        let mut views = Views::default();
        assert_eq!(views.update(start, &there, &BTreeMap::new()), []);
        assert_eq!(views.update(start + SETTLED, &there, &BTreeMap::new()), [view(camera(1), View::None)]);
        assert_eq!(views.update(start + SETTLED, &[], &BTreeMap::new()), []);
        let drawn = BTreeMap::from([(camera(1), LARGE)]);
        assert_eq!(views.update(start + SETTLED * 2, &there, &drawn), [view(camera(1), View::Large)]);
    }

    #[test]
    fn a_window_that_is_being_resized_asks_once() {
        let start = crate::clock::now();
        let there = [camera(1)];
        let mut views = Views::default();
        // To and fro over the edge between small and large.
        for ms in 0..1000 {
            let wide = if ms % 2 == 0 { 300 } else { 350 };
            let drawn = BTreeMap::from([(camera(1), PixelSize { width: wide, height: 170 })]);
            assert_eq!(views.update(start + Duration::from_millis(ms), &there, &drawn), []);
        }
        let (drawn, end) = (BTreeMap::from([(camera(1), TILE)]), start + Duration::from_millis(1000));
        assert_eq!(views.update(end, &there, &drawn), []);
        assert_eq!(views.update(end + SETTLED, &there, &drawn), [view(camera(1), View::Small)]);
        assert_eq!(views.update(end + SETTLED, &[], &drawn), [], "gone");
    }
}
