//! Sans-IO. One uplink for all links: who gets which layer of our pictures, and how many bits their encoders may spend.
//!
//! Each receiver's estimate pays for voice first, then for a shared screen (which has what stands in front of everybody), then for
//! the camera. A picture track has two encodings for all, main and tile. The main one's rate is what the receivers that keep it can take, chosen so
//! that the sum over all receivers of the square root of what each gets is largest; the slowest of them alone never lowers it by more than
//! a tenth. Who cannot take it gets every second picture of it, else the tile, else nothing but voice.
//!
//! Less is given at once. More is given after it had room for three seconds, so that layers do not flap. Targets that change by
//! less than 5 % stay as they are.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::id::PeerId;
use crate::media::{Bitrate, Pictures, View};

/// What voice takes, with its copies and headers, kept free on each link.
const VOICE: u64 = 110_000;
/// Of what is left, what pictures get: the rest is for repair and the swings of encoders.
const PICTURES: u64 = 92;
/// What every second picture of a layer takes of all, in percent.
const HALF: u64 = 65;
/// A receiver alone lowers the others to this, in percent.
const LOWERED: u64 = 90;
/// Room must last so long before it is used.
const PATIENCE: Duration = Duration::from_secs(3);
/// And be this much more than needed, in percent.
const ROOM: u64 = 115;
/// Of a screen beside a wanted camera: what the camera keeps at least.
const CAMERA_KEEPS: u64 = 150_000;
/// Steps of a target that are passed on, in percent.
const STEP: u64 = 5;

/// What an encoding may spend, bits a second on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Below it, it is worth nothing.
    pub least: u64,
    /// More makes it no better.
    pub most: u64,
}

/// What a track can be encoded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ladder {
    /// For who looks at it large.
    pub main: Range,
    /// For small tiles.
    pub tile: Range,
}

/// The two picture tracks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Track {
    /// A shared screen.
    Screen,
    /// The camera.
    Camera,
}

/// One link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receiver {
    /// What it carries; `None` is unknown and taken to be enough.
    pub estimate: Option<Bitrate>,
    /// What it looks at.
    pub screen: View,
    /// The same of the camera.
    pub camera: View,
}

/// What one receiver gets of one track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    /// Which layer.
    pub view: View,
    /// How much of it.
    pub pictures: Pictures,
}

impl Share {
    /// As much as is asked.
    pub const ALL: Self = Self { view: View::Large, pictures: Pictures::All };
}

/// What the encoders of a track may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Targets {
    /// The main layer.
    pub main: Bitrate,
    /// The tile.
    pub tile: Bitrate,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// By track; without an entry nobody looks at it.
    pub targets: BTreeMap<Track, Targets>,
    /// By track and receiver.
    pub shares: BTreeMap<(Track, PeerId), Share>,
}

/// What was given, and since when more would fit.
#[derive(Debug, Clone, Copy)]
struct Given {
    share: Share,
    roomy: Option<Instant>,
}

/// Keeps what was given. See the module.
#[derive(Debug, Default)]
pub struct Allocator {
    given: BTreeMap<(Track, PeerId), Given>,
    targets: BTreeMap<Track, Targets>,
}

impl Allocator {
    /// Shares the uplink. Call it every 100 ms or so with all receivers and the tracks that run.
    pub fn plan(
        &mut self,
        now: Instant,
        receivers: &BTreeMap<PeerId, Receiver>,
        ladders: &BTreeMap<Track, Ladder>,
    ) -> Plan {
        let known = |track: &Track, peer: &PeerId| ladders.contains_key(track) && receivers.contains_key(peer);
        self.given.retain(|(track, peer), _| known(track, peer));
        self.targets.retain(|track, _| ladders.contains_key(track));
        let mut plan = Plan::default();
        // What each link has left.
        let mut left: BTreeMap<PeerId, Option<u64>> = receivers
            .iter()
            .map(|(peer, receiver)| {
                (*peer, receiver.estimate.map(|rate| rate.bps().saturating_sub(VOICE) * PICTURES / 100))
            })
            .collect();
        for (track, ladder) in ladders {
            let wanting = receivers.iter().map(|(peer, receiver)| {
                let view = if *track == Track::Screen { receiver.screen } else { receiver.camera };
                let both =
                    *track == Track::Screen && receiver.camera != View::None && ladders.contains_key(&Track::Camera);
                let room = left.get(peer).copied().flatten();
                (*peer, view, room.map(|room| if both { room.saturating_sub(CAMERA_KEEPS) } else { room }))
            });
            let wanting: Vec<_> = wanting.filter(|(_, view, _)| *view != View::None).collect();
            if wanting.is_empty() {
                self.targets.remove(track);
                continue;
            }
            let targets = self.targets(*track, *ladder, &wanting);
            for (peer, view, room) in wanting {
                let share = self.share(now, (*track, peer), view, room, targets);
                if let Some(Some(left)) = left.get_mut(&peer) {
                    *left = left.saturating_sub(cost(share, targets));
                }
                plan.shares.insert((*track, peer), share);
            }
            plan.targets.insert(*track, targets);
        }
        plan
    }

    fn targets(&mut self, track: Track, ladder: Ladder, wanting: &[(PeerId, View, Option<u64>)]) -> Targets {
        let rooms = |of: View| {
            let of = wanting.iter().filter(move |(_, view, _)| *view == of);
            of.map(|(.., room)| room.unwrap_or(u64::MAX).min(ladder.main.most)).collect::<Vec<_>>()
        };
        let main = best_main(rooms(View::Large), ladder);
        // The tile is for the slow: what the slowest of those that get it can take.
        let small = wanting
            .iter()
            .filter(|(_, view, room)| *view == View::Small || room.is_some_and(|room| room < main * HALF / 100));
        let slowest = small.filter_map(|(.., room)| *room).filter(|room| *room >= ladder.tile.least).min();
        let tile = slowest.unwrap_or(ladder.tile.most).clamp(ladder.tile.least, ladder.tile.most);
        let before = self.targets.get(&track).copied();
        let targets = Targets {
            main: stepped(before.map(|targets| targets.main), main),
            tile: stepped(before.map(|targets| targets.tile), tile),
        };
        self.targets.insert(track, targets);
        targets
    }

    fn share(&mut self, now: Instant, key: (Track, PeerId), view: View, room: Option<u64>, targets: Targets) -> Share {
        // A target may stand up to a step above what was computed from this very room.
        let room = room.map_or(u64::MAX, |room| room.saturating_mul(100 + STEP) / 100);
        let fits = |room: u64| {
            let steps = [
                Share::ALL,
                Share { view: View::Large, pictures: Pictures::Half },
                Share { view: View::Small, pictures: Pictures::All },
                Share { view: View::Small, pictures: Pictures::Half },
            ];
            let asked = steps.into_iter().filter(|share| share.view <= view);
            asked.into_iter().find(|share| cost(*share, targets) <= room)
        };
        let least = Share { view: View::None, pictures: Pictures::Half };
        let now_fits = fits(room).unwrap_or(least);
        let holds = |given: &&mut Given| given.share.view <= view && cost(given.share, targets) <= room;
        let Some(given) = self.given.get_mut(&key).filter(holds) else {
            self.given.insert(key, Given { share: now_fits, roomy: None });
            return now_fits;
        };
        if now_fits <= given.share {
            *given = Given { share: now_fits, roomy: None };
        } else {
            // Up, when it fits with something to spare for a while.
            let spare = fits(room.saturating_mul(100) / ROOM).unwrap_or(least);
            let most = Share { view, pictures: Pictures::All };
            if spare <= given.share && now_fits != most {
                given.roomy = None;
            } else if now.saturating_duration_since(*given.roomy.get_or_insert(now)) >= PATIENCE {
                *given = Given { share: now_fits, roomy: None };
            }
        }
        given.share
    }
}

fn cost(share: Share, targets: Targets) -> u64 {
    let layer = match share.view {
        View::None => return 0,
        View::Small => targets.tile.bps(),
        View::Large => targets.main.bps(),
    };
    if share.pictures == Pictures::All { layer } else { layer * HALF / 100 }
}

/// The main layer's rate for receivers with so much room each.
fn best_main(mut rooms: Vec<u64>, ladder: Ladder) -> u64 {
    rooms.sort_unstable();
    let Range { least, most } = ladder.main;
    // The slowest alone decides nothing but itself.
    let floor = match rooms[..] {
        [_, second, ..] => second * LOWERED / 100,
        _ => 0,
    };
    let candidates = rooms.iter().map(|room| (*room).clamp(least, most)).filter(|room| *room >= floor.min(most));
    let value = |rate: u64| root(rate);
    let utility = |target: u64| {
        let each = rooms.iter().map(|room| {
            if *room >= target {
                value(target)
            } else if *room >= target * HALF / 100 {
                value(target) * 7 / 10
            } else if *room >= ladder.tile.least {
                // A small picture, however good.
                value((*room).min(ladder.tile.most)) * 7 / 10
            } else {
                0
            }
        });
        each.sum::<u64>()
    };
    candidates.max_by_key(|target| (utility(*target), *target)).unwrap_or(most)
}

/// The square root, rounded down, in hundredths, so that rates near one another differ.
fn root(rate: u64) -> u64 {
    rate.saturating_mul(10_000).isqrt()
}

fn stepped(before: Option<Bitrate>, now: u64) -> Bitrate {
    match before.map(Bitrate::bps) {
        Some(before) if now.abs_diff(before) * 100 < before * STEP => Bitrate::from_bps(before),
        _ => Bitrate::from_bps(now),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LADDER: Ladder =
        Ladder { main: Range { least: 250_000, most: 2_500_000 }, tile: Range { least: 80_000, most: 450_000 } };

    fn peer(n: u8) -> PeerId {
        PeerId::from_bytes([n; 32])
    }

    fn watching(rates: &[u64]) -> BTreeMap<PeerId, Receiver> {
        let receiver =
            |rate: &u64| Receiver { estimate: Some(Bitrate::from_bps(*rate)), screen: View::None, camera: View::Large };
        (1..).map(peer).zip(rates.iter().map(receiver)).collect()
    }

    fn camera() -> BTreeMap<Track, Ladder> {
        [(Track::Camera, LADDER)].into()
    }

    fn plan(rates: &[u64]) -> Plan {
        Allocator::default().plan(crate::clock::now(), &watching(rates), &camera())
    }

    #[test]
    fn a_slow_receiver_never_lowers_the_others() {
        for slow in [100_000, 400_000, 800_000] {
            let plan = plan(&[slow, 5_000_000]);
            assert_eq!(plan.targets[&Track::Camera].main.bps(), 2_500_000);
            assert_eq!(plan.shares[&(Track::Camera, peer(2))], Share::ALL);
            assert!(plan.shares[&(Track::Camera, peer(1))].view < View::Large, "{slow}: {plan:?}");
        }
        // A little slower: lowering all by a little beats another layer for one.
        let plan = plan(&[2_300_000, 2_400_000]);
        assert_eq!(plan.shares[&(Track::Camera, peer(1))], Share::ALL);
        // Half of the pictures, where that is enough.
        let plan = self::plan(&[2_000_000, 5_000_000]);
        let half = Share { view: View::Large, pictures: Pictures::Half };
        assert_eq!(plan.shares[&(Track::Camera, peer(1))], half);
    }

    #[test]
    fn when_most_are_slow_the_main_layer_is_theirs() {
        let plan = plan(&[900_000, 1_000_000, 950_000, 5_000_000]);
        let main = plan.targets[&Track::Camera].main.bps();
        assert!((600_000..900_000).contains(&main), "{main}");
    }

    #[test]
    fn voice_comes_first_and_the_screen_before_the_camera() {
        let plan = plan(&[110_000]);
        assert_eq!(plan.shares[&(Track::Camera, peer(1))].view, View::None);
        let mut receivers = watching(&[1_500_000]);
        receivers.entry(peer(1)).and_modify(|receiver| receiver.screen = View::Large);
        let ladders = [(Track::Camera, LADDER), (Track::Screen, LADDER)].into();
        let plan = Allocator::default().plan(crate::clock::now(), &receivers, &ladders);
        assert!(plan.targets[&Track::Screen].main.bps() > 1_000_000);
        assert_eq!(plan.shares[&(Track::Screen, peer(1))], Share::ALL);
        let camera = plan.shares[&(Track::Camera, peer(1))];
        assert!(camera.view == View::Small, "{camera:?}");
    }

    #[test]
    fn down_at_once_and_up_after_three_seconds_of_room() {
        let (start, mut allocator) = (crate::clock::now(), Allocator::default());
        let mut at = |ms: u64, rate: u64| {
            let plan = allocator.plan(start + Duration::from_millis(ms), &watching(&[rate, 5_000_000]), &camera());
            plan.shares[&(Track::Camera, peer(1))]
        };
        assert_eq!(at(0, 5_000_000), Share::ALL);
        assert_eq!(at(100, 500_000).view, View::Small);
        assert_eq!(at(200, 5_000_000).view, View::Small);
        assert_eq!(at(3100, 5_000_000).view, View::Small);
        assert_eq!(at(3200, 5_000_000), Share::ALL);
        // A dip in between begins the wait anew.
        assert_eq!(at(4000, 500_000).view, View::Small);
        assert_eq!(at(4100, 5_000_000).view, View::Small);
        assert_eq!(at(6000, 500_000).view, View::Small);
        assert_eq!(at(7200, 5_000_000).view, View::Small);
    }

    #[test]
    fn small_changes_of_a_target_are_not_passed_on() {
        let (start, mut allocator) = (crate::clock::now(), Allocator::default());
        let mut main = |rate: u64| {
            let plan = allocator.plan(start, &watching(&[rate]), &camera());
            assert_eq!(plan.shares[&(Track::Camera, peer(1))], Share::ALL, "{rate}");
            plan.targets[&Track::Camera].main.bps()
        };
        let first = main(1_000_000);
        assert_eq!(main(1_020_000), first);
        assert_eq!(main(980_000), first);
        assert!(main(900_000) < first);
        assert!(main(1_100_000) > first);
    }

    #[test]
    fn who_is_not_known_gets_what_it_asks() {
        let mut receivers = watching(&[0]);
        receivers.entry(peer(1)).and_modify(|receiver| receiver.estimate = None);
        let plan = Allocator::default().plan(crate::clock::now(), &receivers, &camera());
        assert_eq!(plan.shares[&(Track::Camera, peer(1))], Share::ALL);
        assert_eq!(plan.targets[&Track::Camera].main.bps(), 2_500_000);
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_the_link_or_the_wish(
            ticks in proptest::collection::vec(proptest::collection::vec((0_u64..8_000_000, 0_u8..3, 0_u8..3), 1..6), 1..30)
        ) {
            let (start, mut allocator) = (crate::clock::now(), Allocator::default());
            let views = [View::None, View::Small, View::Large];
            let ladders = [(Track::Camera, LADDER), (Track::Screen, LADDER)].into();
            for (n, tick) in (0_u64..).zip(ticks) {
                let receivers: BTreeMap<_, _> = (0..).map(peer).zip(tick.into_iter().map(|(rate, screen, camera)| Receiver {
                    estimate: Some(Bitrate::from_bps(rate)),
                    screen: views[usize::from(screen)],
                    camera: views[usize::from(camera)],
                })).collect();
                let plan = allocator.plan(start + Duration::from_millis(n * 700), &receivers, &ladders);
                for (who, receiver) in &receivers {
                    let mut spent = 0;
                    for (track, asked) in [(Track::Camera, receiver.camera), (Track::Screen, receiver.screen)] {
                        if let Some(share) = plan.shares.get(&(track, *who)) {
                            prop_assert!(share.view <= asked);
                            spent += cost(*share, plan.targets[&track]);
                        }
                    }
                    let carries = receiver.estimate.map_or(0, Bitrate::bps);
                    prop_assert!(spent <= carries.saturating_sub(VOICE).max(1), "{spent} of {carries}");
                }
            }
        }
    }
}
