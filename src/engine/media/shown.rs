//! Others' pictures, camera and screen alike: received while they are on and we ask for them.

use std::time::Duration;

use super::{Media, Outlet, Remote};
use crate::av::Error;
use crate::av::receive::{self, Video};
use crate::av::repair::amount::Conditions;
use crate::clock;
use crate::engine::pictures::Key;
use crate::id::PeerId;
use crate::media::{Bitrate, Feedback, Packet, PacketKind, Priority, TrackId, TrackInfo, TrackKind, View};
use crate::slot::Shared;
use crate::stats;

impl Remote {
    /// What is received of its pictures.
    pub(super) fn pictures(&self) -> impl Iterator<Item = (TrackKind, &Video)> {
        let both = [(TrackKind::Camera, &self.video), (TrackKind::Screen, &self.screen)];
        both.into_iter().filter_map(|(kind, video)| Some((kind, video.as_ref()?)))
    }
}

impl Media {
    /// A peer's picture track appeared, changed or was muted; `view` is what we ask of it.
    pub(super) fn show(&mut self, peer: PeerId, info: &TrackInfo, view: View) -> Result<(), Error> {
        let (kind, shown) = (info.kind, info.on && view != View::None);
        let key = Key { peer: Some(peer), kind };
        let Some(remote) = self.remotes.get_mut(&peer) else { return Ok(()) };
        let place = if kind == TrackKind::Screen { &mut remote.screen } else { &mut remote.video };
        if place.is_none() && shown {
            let file = match kind {
                TrackKind::Screen => format!("{peer}-screen.y4m"),
                _ => format!("{peer}.y4m"),
            };
            let dump = self.config.dump_video.as_ref().map(|dir| dir.join(file));
            let config = receive::Config { peer, kind, dump, screen: Some(self.pictures.screen(key)) };
            let (outlet, track) = (remote.outlet.clone(), kind.id());
            let inbox = self.router.open(peer, track);
            let tell = Box::new(move |word| tell(&outlet, track, word));
            *place = Some(Video::start(config, inbox, remote.clock.clone(), tell)?);
        }
        if let Some(video) = place {
            video.set_on(shown);
        }
        if shown {
            self.pictures.open(key);
        } else {
            self.pictures.close(key);
        }
        Ok(())
    }

    /// What the link to a peer is like decides how pictures are repaired, both ways. Say it about once a second.
    pub fn set_link(&self, peer: PeerId, link: &stats::Link) {
        let rtt = link.rtt_ms.and_then(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok()).unwrap_or_default();
        if let Some(remote) = self.remotes.get(&peer).filter(|_| !rtt.is_zero()) {
            remote.pictures().for_each(|(_, video)| video.set_rtt(rtt));
        }
        // What is lost towards us is the best guess of what is lost on the way back: most bad links are bad both ways.
        let loss = link.loss.unwrap_or(0.0);
        let spare = link.estimate_bps.unwrap_or(0).saturating_sub(link.sent_bps.unwrap_or(0));
        let conditions = Conditions { loss, rtt, spare: Bitrate::from_bps(spare) };
        for track in [&self.camera, &self.screen].into_iter().flatten() {
            track.set_link(peer, Some(conditions));
        }
    }

    /// Nothing is repaired for a peer that is gone.
    pub(super) fn repair_none(&self, peer: PeerId) {
        for track in [&self.camera, &self.screen].into_iter().flatten() {
            track.set_link(peer, None);
        }
    }

    /// A peer's picture track is gone. Its figures stay.
    pub(super) fn hide(&self, peer: PeerId, kind: TrackKind) {
        let Some(remote) = self.remotes.get(&peer) else { return };
        for (_, video) in remote.pictures().filter(|(other, _)| *other == kind) {
            video.set_on(false);
        }
        self.pictures.close(Key { peer: Some(peer), kind });
    }
}

/// Sends a receiver's word back along the data plane.
fn tell(outlet: &Shared<Option<Outlet>>, track: TrackId, feedback: Feedback) {
    let Some(outlet) = outlet.get() else { return };
    let expires = clock::now() + Duration::from_millis(500);
    outlet.send(Packet {
        kind: PacketKind::Feedback,
        track,
        priority: Priority::Feedback,
        group: 0,
        expires,
        body: feedback.encode(),
    });
}
