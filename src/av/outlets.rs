//! Who gets a local track: the links subscribed to it, each with the picture size it asked for. The engine keeps the
//! list; the track's thread sends every packet to it. Nobody subscribed means that nothing is encoded.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::id::PeerId;
use crate::media::{Outlet, Packet, View};

type Entries = BTreeMap<PeerId, (View, Arc<dyn Outlet>)>;

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
        let before = entries.insert(peer, (view, Arc::clone(&outlet)));
        view != View::None && before.is_none_or(|(old, link)| old != view || !Arc::ptr_eq(&link, &outlet))
    }

    /// Ends `peer`'s subscription.
    pub fn remove(&self, peer: PeerId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&peer);
    }

    /// True when somebody wants pictures of this size (or any sound, for [`View::Large`]).
    pub fn wants(&self, view: View) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().any(|(wanted, _)| *wanted == view)
    }

    /// What `peer` watches.
    pub fn view_of(&self, peer: PeerId) -> Option<View> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&peer).map(|(view, _)| *view)
    }

    /// Sends `packet` to everybody who watches this size.
    pub fn send(&self, view: View, packet: &Packet) {
        for (wanted, outlet) in self.0.read().unwrap_or_else(PoisonError::into_inner).values() {
            if *wanted == view {
                outlet.send(packet.clone());
            }
        }
    }

    /// Sends `packet` to `peer` alone, if it watches anything.
    pub fn send_to(&self, peer: PeerId, packet: Packet) {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, outlet)) = entries.get(&peer).filter(|(view, _)| *view != View::None) {
            outlet.send(packet);
        }
    }

    /// Sends `packet` to everybody who watches anything.
    pub fn send_all(&self, packet: &Packet) {
        for (wanted, outlet) in self.0.read().unwrap_or_else(PoisonError::into_inner).values() {
            if *wanted != View::None {
                outlet.send(packet.clone());
            }
        }
    }
}
