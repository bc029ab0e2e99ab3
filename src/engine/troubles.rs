//! What breaks while a meeting goes on, as warnings.

use super::actor::Actor;
use super::failure;
use crate::av::devices::Kind;
use crate::id::PeerId;
use crate::meeting::{Event, Person, Warning, WarningCode};

impl Actor {
    /// What of others cannot be shown or played is told with their name.
    pub(super) fn tell_crashes(&mut self) {
        for (peer, kind) in self.parts.media.crashes() {
            self.emit(Event::Warning(failure::crashed(self.person(peer), kind)));
        }
        if self.parts.media.painter_crashed() {
            self.emit(Event::Warning(failure::painter()));
        }
        if let Some(error) = self.parts.media.voice_trouble() {
            self.emit(Event::Warning(failure::trouble(Kind::Microphone, &error)));
        }
    }

    /// A warning of the mesh.
    pub(super) fn on_mesh_warning(&self, code: &str, peer: Option<PeerId>, detail: &str) {
        let code = WarningCode::parse(code).unwrap_or(WarningCode::Other);
        let person: Option<Person> = peer.map(|peer| self.meeting.person(peer));
        let (message, hint) = (failure::sentence(detail), failure::hint(code).to_owned());
        self.emit(Event::Warning(Warning { code, person, message, hint }));
        if code == WarningCode::Replaced {
            // A newer run of this identity has the seat; two would fight for it.
            self.parts.scope.cancel();
        }
    }
}
