//! Volumes, remembered by key: what a person chose for somebody holds when that one comes again. They are written once
//! a second at most, since a slider that is dragged chooses often.

use super::actor::{Actor, Later};
use crate::id::PeerId;
use crate::known::volumes::Volumes;
use crate::meeting::Setting;

impl Actor {
    /// What was chosen in earlier meetings.
    pub(super) fn remember_volumes(&mut self, volumes: &Volumes) {
        for (peer, volume) in volumes.iter() {
            self.meeting.on_setting(Setting::Volume(peer, volume));
        }
    }

    /// Somebody is linked, perhaps again.
    pub(super) fn play_as_chosen(&self, peer: PeerId) {
        let volume = self.meeting.volume(peer);
        if volume.to_bits() != 1.0_f32.to_bits() {
            self.parts.media.set_volume(peer, volume);
        }
    }

    /// A person chose.
    pub(super) fn choose_volume(&mut self, peer: PeerId, volume: f32) {
        self.parts.media.set_volume(peer, volume);
        self.meeting.on_setting(Setting::Volume(peer, volume));
        self.chosen.insert(peer, volume);
    }

    /// Writes down what was chosen since the last time.
    pub(super) fn keep_volumes(&mut self) -> Option<tokio::task::JoinHandle<()>> {
        let chosen = std::mem::take(&mut self.chosen);
        if chosen.is_empty() {
            return None;
        }
        let (store, sender) = (self.parts.known.clone(), self.later.0.clone());
        Some(self.parts.services.spawn_blocking(move || {
            // Full when the disk stands still: what is lost is only the word that it failed.
            let _ = sender.try_send(Later::Remembered(store.choose_volumes(&chosen)));
        }))
    }
}
