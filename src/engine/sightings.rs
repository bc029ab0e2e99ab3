//! Who is in sight and who sees us: what discovery and the rendezvous tell goes to the meeting, the mesh and the faces.

use super::Config;
use super::actor::Actor;
use crate::endpoint::Endpoint;
use crate::id::Instance;
use crate::meeting::{Event, WarningCode};
use crate::mesh::Visibility;
use crate::mesh::discovery::Announcement;
use crate::rendezvous::client;
use crate::sighting::Sighting;

/// Sightings remembered, so that the same news is told once. Beyond it, news is told again.
const MAX_SIGHTED: usize = 1024;

impl Actor {
    pub(super) fn on_sighting(&mut self, sighting: Sighting) {
        self.tell_sighting(&sighting);
        self.meeting.on_sighting(sighting.clone());
        self.parts.mesh.sighting(sighting);
    }

    /// Tells the faces what is new in a sighting.
    pub(super) fn tell_sighting(&mut self, sighting: &Sighting) {
        let key = (sighting.peer, sighting.source);
        if sighting.gone {
            self.sighted.remove(&key);
            return;
        }
        if self.sighted.len() >= MAX_SIGHTED {
            self.sighted.clear();
        }
        let mut addresses = sighting.addresses.clone();
        addresses.sort();
        if self.sighted.get(&key) == Some(&addresses) {
            return;
        }
        self.sighted.insert(key, addresses);
        self.emit(Event::Sighted {
            peer: sighting.peer,
            name: sighting.name.clone(),
            addresses: sighting.addresses.clone(),
            source: sighting.source,
        });
    }

    pub(super) fn on_introduced(&mut self, event: client::Event) {
        let goes_on = "The meeting goes on; it is tried again by itself.";
        match event {
            client::Event::Sighting(sighting) => self.on_sighting(sighting),
            client::Event::Unreachable { detail } => {
                let message = format!("The rendezvous does not answer: {detail}.");
                self.warn(WarningCode::RendezvousUnreachable, None, &message, goes_on);
            }
            client::Event::KeyChanged => {
                let message = "The rendezvous answers with another key than before; nothing was sent.";
                self.warn(WarningCode::RendezvousKeyChanged, None, message, "Ask who runs it for its fingerprint.");
            }
            client::Event::Back => tracing::info!("the rendezvous answers again"),
            client::Event::NameGranted { name, .. } => self.meeting.on_own_username(Some(name)),
            client::Event::NameLost { name } => {
                self.meeting.on_own_username(None);
                let message = format!("The username {name} belongs to another key now.");
                self.warn(WarningCode::NameLost, None, &message, "Claim another name.");
            }
        }
    }

    /// Renews what mDNS and the rendezvous say of us.
    pub(super) fn announce(&self) {
        let announcement = announcement(&self.parts.config, self.parts.instance, &self.parts.endpoint);
        let mdns = self.parts.mdns.clone().filter(|_| self.parts.config.visibility == Visibility::Open);
        let introduced = self.parts.introduced.as_ref().map(|introduced| {
            let words = super::introduce::announcement(&self.parts.config, self.parts.instance, &self.parts.endpoint);
            (introduced.handle.clone(), words)
        });
        self.parts.services.spawn(async move {
            if let Some(mdns) = mdns {
                mdns.announce(announcement).await;
            }
            if let Some((handle, words)) = introduced {
                handle.announce(Some(words)).await;
            }
        });
    }
}

/// What mDNS says of us.
pub fn announcement(config: &Config, instance: Instance, endpoint: &Endpoint) -> Announcement {
    Announcement {
        peer: config.identity.peer_id(),
        instance,
        name: config.name.clone(),
        port: endpoint.port(),
        rooms: super::introduce::open(&config.room),
    }
}
