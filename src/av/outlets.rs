//! Who gets a local track: the links subscribed to it, each with the picture size it asked for. The engine keeps the
//! list; the track's thread sends every packet to it. Nobody subscribed means that nothing is encoded.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::id::PeerId;
use crate::media::{Outlet, Packet, Pictures, View};

/// One subscriber.
#[derive(Debug)]
struct Entry {
    wanted: View,
    /// What its link carries of that.
    granted: (View, Pictures),
    outlet: Arc<dyn Outlet>,
}

impl Entry {
    fn view(&self) -> View {
        self.wanted.min(self.granted.0)
    }
}

type Entries = BTreeMap<PeerId, Entry>;

/// A shared list of subscribers. Cloning gives another handle to the same list.
#[derive(Debug, Clone, Default)]
pub struct Outlets(Arc<RwLock<Entries>>);

impl Outlets {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Subscribes `peer` over `outlet`, or changes its view or link. `View::None` keeps it without sending.
    /// True when it was not watching this size before: a picture track owes it a keyframe.
    pub fn set(&self, peer: PeerId, view: View, outlet: Arc<dyn Outlet>) -> bool {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let granted = entries.get(&peer).map_or((View::Large, Pictures::All), |entry| entry.granted);
        let entry = Entry { wanted: view, granted, outlet: Arc::clone(&outlet) };
        let view = entry.view();
        let before = entries.insert(peer, entry);
        view != View::None && before.is_none_or(|before| before.view() != view || !Arc::ptr_eq(&before.outlet, &outlet))
    }

    /// What `peer`'s link carries: at most this size, and so many of its pictures. Gives the size that it watches from now
    /// on, if that is another one: a picture track owes it a keyframe.
    pub fn grant(&self, peer: PeerId, view: View, pictures: Pictures) -> Option<View> {
        let granted = (view, pictures);
        if self.0.read().unwrap_or_else(PoisonError::into_inner).get(&peer)?.granted == granted {
            return None;
        }
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get_mut(&peer)?;
        let before = entry.view();
        entry.granted = granted;
        Some(entry.view()).filter(|now| *now != before && *now != View::None)
    }

    /// Ends `peer`'s subscription.
    pub fn remove(&self, peer: PeerId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&peer);
    }

    /// True when somebody wants pictures of this size (or any sound, for [`View::Large`]).
    pub fn wants(&self, view: View) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().any(|entry| entry.view() == view)
    }

    /// What `peer` watches.
    pub fn view_of(&self, peer: PeerId) -> Option<View> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&peer).map(Entry::view)
    }

    /// Sends `packet` to everybody who watches this size and gets at least these of its pictures: a packet of a picture
    /// that no other refers to is for [`Pictures::All`] only.
    pub fn send(&self, view: View, pictures: Pictures, packet: &Packet) {
        for entry in self.0.read().unwrap_or_else(PoisonError::into_inner).values() {
            if entry.view() == view && entry.granted.1 >= pictures {
                entry.outlet.send(packet.clone());
            }
        }
    }

    /// Sends `packet` to `peer` alone, if it watches anything and gets at least these of its pictures.
    pub fn send_to(&self, peer: PeerId, pictures: Pictures, packet: Packet) {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let gets = |entry: &&Entry| entry.view() != View::None && entry.granted.1 >= pictures;
        if let Some(entry) = entries.get(&peer).filter(gets) {
            entry.outlet.send(packet);
        }
    }

    /// Sends `packet` to everybody who watches anything.
    pub fn send_all(&self, packet: &Packet) {
        for entry in self.0.read().unwrap_or_else(PoisonError::into_inner).values() {
            if entry.view() != View::None {
                entry.outlet.send(packet.clone());
            }
        }
    }
}
