//! Sans-IO. Who publishes what, and who watches it how.
//!
//! Each side says all of its tracks and all of its wishes in one message each, with a revision: a repeat or an older
//! one does nothing, a lost one is said again with the next link. Pictures flow only to whom asked for them; sound is
//! always asked for, and a microphone is wanted from the start. Muting is `on: false` of a track that stays.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::framing::Message;
use crate::id::PeerId;
use crate::media::{TrackInfo, TrackKind, View};

use super::wire;
use crate::bucket::Bucket;

/// Tracks and wishes read of one message; more are ignored. There are four kinds.
const MAX_READ: usize = 16;
/// Views chosen for single peers, remembered by key; above, no more are.
const MAX_CHOICES: usize = 512;
/// What one peer may change at once, and one more change each..
const CHANGES: (u32, Duration) = (60, Duration::from_millis(50));

/// All kinds.
pub const KINDS: [TrackKind; 4] = TrackKind::ALL;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Their track appeared or changed: tell the faces.
    Track(TrackInfo),
    /// Receive it like this.
    Receive(TrackInfo, View),
    /// Receive it no more.
    Stop(TrackKind),
    /// They want our track like this.
    Subscribe(TrackKind, View),
}

/// Why a message did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// From nobody who is seated.
    Stranger,
    /// Too many changes.
    Flood,
}

#[derive(Debug, Clone)]
struct Remote {
    tracks_revision: u64,
    tracks: BTreeMap<TrackKind, TrackInfo>,
    views_revision: u64,
    wishes: BTreeMap<TrackKind, View>,
    bucket: Bucket,
}

/// All tracks of a meeting.
#[derive(Debug, Clone)]
pub struct Tracks {
    own: BTreeMap<TrackKind, TrackInfo>,
    own_revision: u64,
    default_view: View,
    choices: BTreeMap<PeerId, BTreeMap<TrackKind, View>>,
    views_revision: u64,
    remotes: BTreeMap<PeerId, Remote>,
}

impl Tracks {
    /// None yet. Pictures are asked for in `default_view`.
    pub fn new(default_view: View) -> Self {
        Self {
            own: BTreeMap::new(),
            own_revision: 1,
            default_view,
            choices: BTreeMap::new(),
            views_revision: 1,
            remotes: BTreeMap::new(),
        }
    }

    /// Our tracks.
    pub fn own(&self) -> impl Iterator<Item = &TrackInfo> {
        self.own.values()
    }

    /// Sets or (with `None`) removes a track of ours; true when that changed something.
    pub fn set_own(&mut self, kind: TrackKind, info: Option<TrackInfo>) -> bool {
        if self.own.get(&kind) == info.as_ref() {
            return false;
        }
        match info {
            Some(info) => drop(self.own.insert(kind, info)),
            None => drop(self.own.remove(&kind)),
        }
        self.own_revision += 1;
        true
    }

    /// What we say of our tracks.
    pub fn tracks_message(&self) -> Message {
        let tracks = self.own.values().map(wire::Track::of).collect();
        Message::new(wire::TRACKS, &wire::Tracks { revision: self.own_revision, tracks })
    }

    /// What we ask of `peer`.
    pub fn views_message(&self, peer: PeerId) -> Message {
        let views = KINDS.map(|kind| wire::Wanted::of(kind, self.view(peer, kind))).to_vec();
        Message::new(wire::VIEWS, &wire::Views { revision: self.views_revision, views })
    }

    /// What we ask of this track of `peer`: sound is always wanted.
    pub fn view(&self, peer: PeerId, kind: TrackKind) -> View {
        match kind {
            kind if kind.is_sound() => View::Large,
            _ => self.choices.get(&peer).and_then(|of| of.get(&kind)).copied().unwrap_or(self.default_view),
        }
    }

    /// Chooses what to ask of the camera or the screen of `peer`, or (with `None`) of both; `views_message` is to be sent.
    pub fn choose(&mut self, peer: PeerId, track: Option<TrackKind>, view: View) -> Vec<Change> {
        let chosen = |kind: TrackKind| !kind.is_sound() && track.is_none_or(|track| track == kind);
        if self.choices.len() < MAX_CHOICES || self.choices.contains_key(&peer) {
            let of = self.choices.entry(peer).or_default();
            of.extend(KINDS.into_iter().filter(|kind| chosen(*kind)).map(|kind| (kind, view)));
        }
        self.views_revision += 1;
        let remote = self.remotes.get(&peer);
        let pictures = remote.into_iter().flat_map(|remote| remote.tracks.values());
        let pictures = pictures.filter(|info| chosen(info.kind));
        pictures.map(|info| Change::Receive(info.clone(), view)).collect()
    }

    /// `peer` is linked in a new run: it has said nothing yet, and hears us.
    pub fn arrive(&mut self, now: Instant, peer: PeerId) -> Vec<Change> {
        let mut changes = self.depart(peer);
        let remote = Remote {
            tracks_revision: 0,
            tracks: BTreeMap::new(),
            views_revision: 0,
            wishes: BTreeMap::from([(TrackKind::Microphone, View::Large)]),
            bucket: Bucket::new(now, CHANGES.0, CHANGES.1),
        };
        self.remotes.insert(peer, remote);
        changes.push(Change::Subscribe(TrackKind::Microphone, View::Large));
        changes
    }

    /// The link of `peer` may be another one: what it watches is to be wired again.
    pub fn again(&self, peer: PeerId) -> Vec<Change> {
        let wishes = self.remotes.get(&peer).into_iter().flat_map(|remote| &remote.wishes);
        wishes.map(|(kind, view)| Change::Subscribe(*kind, *view)).collect()
    }

    /// Nothing of `peer` was received or given, and all of it is to be.
    pub fn anew(&self, peer: PeerId) -> Vec<Change> {
        let tracks = self.of(peer).into_iter().map(|info| {
            let view = self.view(peer, info.kind);
            Change::Receive(info, view)
        });
        tracks.chain(self.again(peer)).collect()
    }

    /// `peer` is gone.
    pub fn depart(&mut self, peer: PeerId) -> Vec<Change> {
        let Some(remote) = self.remotes.remove(&peer) else { return Vec::new() };
        let stop = remote.tracks.keys().map(|kind| Change::Stop(*kind));
        let end = remote.wishes.iter().filter(|(_, view)| **view != View::None);
        stop.chain(end.map(|(kind, _)| Change::Subscribe(*kind, View::None))).collect()
    }

    /// `peer` says its tracks.
    pub fn on_tracks(&mut self, now: Instant, peer: PeerId, said: &wire::Tracks) -> Result<Vec<Change>, Refusal> {
        let views = KINDS.map(|kind| (kind, self.view(peer, kind)));
        let remote = self.remotes.get_mut(&peer).ok_or(Refusal::Stranger)?;
        if !remote.bucket.take(now) {
            return Err(Refusal::Flood);
        }
        if said.revision <= remote.tracks_revision {
            return Ok(Vec::new());
        }
        remote.tracks_revision = said.revision;
        // Unknown kinds are from the future; of a kind said twice the last counts.
        let tracks: BTreeMap<TrackKind, TrackInfo> =
            said.tracks.iter().take(MAX_READ).filter_map(wire::Track::info).map(|info| (info.kind, info)).collect();
        let before = std::mem::replace(&mut remote.tracks, tracks);
        let mut changes = Vec::new();
        for (kind, view) in views {
            match (before.get(&kind), remote.tracks.get(&kind)) {
                (old, Some(info)) if old != Some(info) => {
                    changes.push(Change::Track(info.clone()));
                    changes.push(Change::Receive(info.clone(), view));
                }
                (Some(old), None) => {
                    changes.push(Change::Track(TrackInfo { on: false, ..old.clone() }));
                    changes.push(Change::Stop(kind));
                }
                _ => {}
            }
        }
        Ok(changes)
    }

    /// `peer` says how it wants our pictures.
    pub fn on_views(&mut self, now: Instant, peer: PeerId, said: &wire::Views) -> Result<Vec<Change>, Refusal> {
        let remote = self.remotes.get_mut(&peer).ok_or(Refusal::Stranger)?;
        if !remote.bucket.take(now) {
            return Err(Refusal::Flood);
        }
        if said.revision <= remote.views_revision {
            return Ok(Vec::new());
        }
        remote.views_revision = said.revision;
        let wishes: BTreeMap<TrackKind, View> =
            said.views.iter().take(MAX_READ).filter_map(wire::Wanted::read).collect();
        let mut changes = Vec::new();
        for kind in KINDS {
            let wish = wishes.get(&kind).copied().unwrap_or(View::None);
            let wish = if kind == TrackKind::Microphone { View::Large } else { wish };
            if remote.wishes.insert(kind, wish).unwrap_or(View::None) != wish {
                changes.push(Change::Subscribe(kind, wish));
            }
        }
        Ok(changes)
    }

    /// The tracks of `peer`.
    pub fn of(&self, peer: PeerId) -> Vec<TrackInfo> {
        self.remotes.get(&peer).map(|remote| remote.tracks.values().cloned().collect()).unwrap_or_default()
    }

    /// What `peer` asks of ours.
    pub fn wishes(&self, peer: PeerId) -> Vec<(TrackKind, View)> {
        let wishes = self.remotes.get(&peer).into_iter().flat_map(|remote| &remote.wishes);
        wishes.map(|(kind, view)| (*kind, *view)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(kind: TrackKind, on: bool) -> TrackInfo {
        TrackInfo { kind, on, width: 640, height: 360, codec: "h264".into() }
    }

    /// Two meetings' tracks, linked.
    fn two() -> (Instant, PeerId, PeerId, Tracks, Tracks) {
        let now = crate::clock::now();
        let (a, b) = (PeerId::from_bytes([1; 32]), PeerId::from_bytes([2; 32]));
        let (mut of_a, mut of_b) = (Tracks::new(View::Large), Tracks::new(View::Large));
        assert_eq!(of_a.arrive(now, b), [Change::Subscribe(TrackKind::Microphone, View::Large)]);
        of_b.arrive(now, a);
        (now, a, b, of_a, of_b)
    }

    #[test]
    fn a_track_is_told_received_muted_and_ended() {
        let (now, a, _, mut of_a, mut of_b) = two();
        let hear = |of_a: &Tracks, of_b: &mut Tracks| {
            let said = of_a.tracks_message().decode().expect("own message");
            of_b.on_tracks(now, a, &said).expect("taken")
        };
        assert_eq!(hear(&of_a, &mut of_b), []);
        let camera = info(TrackKind::Camera, true);
        assert!(of_a.set_own(TrackKind::Camera, Some(camera.clone())));
        assert!(!of_a.set_own(TrackKind::Camera, Some(camera.clone())));
        assert_eq!(hear(&of_a, &mut of_b), [Change::Track(camera.clone()), Change::Receive(camera, View::Large)]);
        assert_eq!(hear(&of_a, &mut of_b), [], "a repeat does nothing");
        let muted = info(TrackKind::Camera, false);
        of_a.set_own(TrackKind::Camera, Some(muted.clone()));
        assert_eq!(hear(&of_a, &mut of_b), [Change::Track(muted.clone()), Change::Receive(muted.clone(), View::Large)]);
        of_a.set_own(TrackKind::Camera, None);
        assert_eq!(hear(&of_a, &mut of_b), [Change::Track(muted), Change::Stop(TrackKind::Camera)]);
    }

    #[test]
    fn pictures_flow_only_as_asked_and_a_microphone_always() {
        let (now, a, b, mut of_a, mut of_b) = two();
        let hear = |of_b: &Tracks, of_a: &mut Tracks| {
            let said = of_b.views_message(a).decode().expect("own message");
            of_a.on_views(now, b, &said).expect("taken")
        };
        let (camera, screen) = (TrackKind::Camera, TrackKind::Screen);
        let both = |view| [Change::Subscribe(camera, view), Change::Subscribe(screen, view)];
        let sound = Change::Subscribe(TrackKind::ScreenAudio, View::Large);
        let [first, second] = both(View::Large);
        assert_eq!(hear(&of_b, &mut of_a), [first, second, sound]);
        assert_eq!(of_b.choose(a, None, View::Small), []);
        assert_eq!(hear(&of_b, &mut of_a), both(View::Small));
        of_b.choose(a, None, View::None);
        assert_eq!(hear(&of_b, &mut of_a), both(View::None));
        let sounds = [TrackKind::Microphone, TrackKind::ScreenAudio];
        let wishes = [(camera, View::None), (sounds[0], View::Large), (screen, View::None), (sounds[1], View::Large)];
        assert_eq!(of_a.wishes(b), wishes);
        assert_eq!(of_a.depart(b), sounds.map(|kind| Change::Subscribe(kind, View::None)));
    }

    #[test]
    fn a_small_tile_beside_a_large_screen_is_said_as_it_is() {
        let (now, a, b, mut of_a, mut of_b) = two();
        let (camera, screen) = (TrackKind::Camera, TrackKind::Screen);
        for kind in [camera, screen] {
            of_a.set_own(kind, Some(info(kind, true)));
        }
        of_b.on_tracks(now, a, &of_a.tracks_message().decode().expect("own message")).expect("taken");
        let hear = |of_b: &Tracks, of_a: &mut Tracks| {
            let said = of_b.views_message(a).decode().expect("own message");
            of_a.on_views(now, b, &said).expect("taken")
        };
        hear(&of_b, &mut of_a);
        assert_eq!(of_b.choose(a, Some(camera), View::Small), [Change::Receive(info(camera, true), View::Small)]);
        assert_eq!(hear(&of_b, &mut of_a), [Change::Subscribe(camera, View::Small)]);
        assert_eq!((of_b.view(a, camera), of_b.view(a, screen)), (View::Small, View::Large));
        assert_eq!(of_b.choose(a, Some(screen), View::None), [Change::Receive(info(screen, true), View::None)]);
        assert_eq!(hear(&of_b, &mut of_a), [Change::Subscribe(screen, View::None)]);
        // Of sound there is nothing to choose.
        assert_eq!(of_b.choose(a, Some(TrackKind::Microphone), View::None), []);
        assert_eq!(hear(&of_b, &mut of_a), []);
        // Of both.
        assert_eq!(of_b.choose(a, None, View::Large).len(), 2);
        assert_eq!(hear(&of_b, &mut of_a), [camera, screen].map(|kind| Change::Subscribe(kind, View::Large)));
    }

    #[test]
    fn an_older_revision_does_nothing() {
        let (now, a, _, _, mut of_b) = two();
        let track = wire::Track::of(&info(TrackKind::Camera, true));
        let said = |revision, tracks| wire::Tracks { revision, tracks };
        assert_eq!(of_b.on_tracks(now, a, &said(5, vec![track])).map(|changes| changes.len()), Ok(2));
        assert_eq!(of_b.on_tracks(now, a, &said(4, Vec::new())), Ok(Vec::new()));
        // A new run of the peer counts anew.
        assert_eq!(of_b.arrive(now, a)[0], Change::Stop(TrackKind::Camera));
        assert_eq!(of_b.of(a), []);
    }

    #[test]
    fn too_many_changes_are_refused_and_strangers_ignored() {
        let (now, a, _, _, mut of_b) = two();
        let change = |n: u64| {
            let info = TrackInfo { on: n.is_multiple_of(2), ..info(TrackKind::Camera, true) };
            wire::Tracks { revision: n, tracks: vec![wire::Track::of(&info); 1000] }
        };
        let taken = (1..=1000).filter(|n| of_b.on_tracks(now, a, &change(*n)).is_ok()).count();
        assert_eq!(taken, 60);
        assert_eq!(of_b.on_tracks(now, a, &change(2000)), Err(Refusal::Flood));
        let stranger = PeerId::from_bytes([9; 32]);
        assert_eq!(of_b.on_tracks(now, stranger, &change(1)), Err(Refusal::Stranger));
    }
}
