//! The tick that shares the uplink: what each link carries, what everybody looks at and what our pictures take go to the
//! [`Allocator`]; what it says goes to the tracks and their lists of receivers. It decides nothing itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::media::Media;
use crate::id::PeerId;
use crate::media::{Bitrate, TrackKind, View};
use crate::mesh;
use crate::mesh::allocate::{Allocator, Ladder, Range, Receiver, Track};

/// How often it is shared anew.
pub const EVERY: Duration = Duration::from_millis(100);
/// Voice, and a little for everything that is not media.
const VOICE: u64 = 150_000;
/// Least that is worth a main layer and a tile, headers included.
const LEAST_MAIN: u64 = 120_000;
const LEAST_TILE: u64 = 90_000;

/// Shares the uplink. Call it every [`EVERY`].
pub fn tick(
    allocator: &mut Allocator,
    now: Instant,
    mesh: &mesh::Handle,
    media: &Media,
    peers: impl Iterator<Item = PeerId>,
) {
    let ladders: BTreeMap<Track, Ladder> = [(Track::Camera, TrackKind::Camera), (Track::Screen, TrackKind::Screen)]
        .into_iter()
        .filter_map(|(track, kind)| Some((track, ladder(media.takes(kind)?))))
        .collect();
    let mut receivers = BTreeMap::new();
    for peer in peers {
        let (screen, camera) = (media.looks(peer, TrackKind::Screen), media.looks(peer, TrackKind::Camera));
        let wanted = wanted(&ladders, Track::Screen, screen) + wanted(&ladders, Track::Camera, camera);
        // What is kept free of an estimate is wanted too.
        mesh.set_wanted(peer, Bitrate::from_bps(VOICE + wanted * 110 / 100));
        receivers.insert(peer, Receiver { estimate: mesh.estimate(peer), screen, camera });
    }
    let plan = allocator.plan(now, &receivers, &ladders);
    for (track, kind) in [(Track::Camera, TrackKind::Camera), (Track::Screen, TrackKind::Screen)] {
        if let Some(targets) = plan.targets.get(&track) {
            media.set_targets(kind, targets.main, targets.tile);
        }
    }
    for ((track, peer), share) in plan.shares {
        let kind = if track == Track::Screen { TrackKind::Screen } else { TrackKind::Camera };
        media.grant(peer, kind, share.view, share.pictures);
    }
}

fn ladder((main, tile): (Bitrate, Bitrate)) -> Ladder {
    let range = |most: u64, least: u64| Range { least: least.min(most), most };
    Ladder { main: range(main.bps(), LEAST_MAIN), tile: range(tile.bps(), LEAST_TILE) }
}

fn wanted(ladders: &BTreeMap<Track, Ladder>, track: Track, view: View) -> u64 {
    let Some(ladder) = ladders.get(&track) else { return 0 };
    match view {
        View::None => 0,
        View::Small => ladder.tile.most,
        View::Large => ladder.main.most,
    }
}
