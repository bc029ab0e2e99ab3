//! The way to a service: one connection, kept up and asked.
//!
//! [`start`] runs one actor that connects, says hello, runs what [`errands`] says is due (names kept, presence
//! published, rooms asked), and connects again when the connection is lost. A [`Handle`] asks on the same connection.
//! What happens comes back as [`Event`]s.
//!
//! **Whom it talks to.** The service's key is pinned in the TLS verifier: by the fingerprint that was typed, else by
//! what the profile remembers of the place. At the very first use the key is learned, and kept before anything is
//! asked. Another key than the pinned one ends the handshake: nothing is sent.
//!
//! **What it believes.** Only what an owner signed for this service: each record in an answer is verified here, and a
//! record older than one seen before is refused. A service that lies is [`Error::Lying`].

mod actor;
mod connection;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{mpsc, watch};

use crate::endpoint::Endpoint;
use crate::id::{PeerId, Username};
use crate::identity::Identity;
use crate::rendezvous::errands::Announcement;
use crate::service::Service;
use crate::sighting::Sighting;
use crate::task;

use actor::{Actor, Wish};
use connection::{Connected, Shared};

/// Taking leave of the service when this peer ends: not worth more.
const LEAVE_LIMIT: Duration = Duration::from_millis(300);

/// How long joining a meeting waits for a service.
pub const JOIN_PATIENCE: Duration = Duration::from_secs(3);

/// Which service, and for whom.
#[derive(Debug, Clone)]
pub struct Config {
    /// As typed.
    pub service: Service,
    /// The profile's folder, where pins are kept.
    pub profile: PathBuf,
    /// For jitter.
    pub seed: u64,
}

/// Why something did not come to pass at the service.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// Somebody else holds the name. Choose another.
    #[error("Username already taken")]
    Taken,
    /// Nobody holds the name, or not this identity.
    #[error("nobody holds the name {0} at this rendezvous")]
    Unknown(Username),
    /// Asked too much, or held too many names.
    #[error("the rendezvous asks to wait ({0})")]
    Limited(String),
    /// It will not take more, cannot store it, or does not understand.
    #[error("the rendezvous refused: {0}")]
    Refused(String),
    /// This computer's clock is wrong by more than a day. Set it.
    #[error("this computer's clock and the rendezvous' clock differ by more than a day; set the clock")]
    Clock,
    /// Another key answered than the pinned one. Nothing was sent.
    #[error(
        "the rendezvous {place} answered with another key than the known one; nothing was sent; ask who runs it \
         for its fingerprint, and if the key changed on purpose use --rendezvous {place}#FINGERPRINT"
    )]
    KeyChanged {
        /// Where.
        place: String,
    },
    /// It handed out a record that its owner did not sign, or an older one than before.
    #[error("the rendezvous gave a record that cannot be believed ({0}); do not use it")]
    Lying(String),
    /// Nobody answers there.
    #[error("the rendezvous {place} does not answer ({detail}); check the address and the network")]
    Unreachable {
        /// Where.
        place: String,
        /// What was tried.
        detail: String,
    },
    /// What the profile remembers of services cannot be read or written.
    #[error("{0}")]
    Profile(String),
    /// This side is ending.
    #[error("this program is ending")]
    Closed,
}

/// What happened at the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody is, or no longer is, in a room that was announced.
    Sighting(Sighting),
    /// The service does not answer. Said once; attempts go on.
    Unreachable {
        /// What was tried.
        detail: String,
    },
    /// Another key answers there. Said once; nothing was sent, attempts go on.
    KeyChanged,
    /// It answers again, after one of the two above.
    Back,
    /// A name that was unconfirmed is confirmed.
    NameGranted {
        /// The name.
        name: Username,
        /// Until when, in Unix milliseconds by the service's clock.
        expires: u64,
    },
    /// A name is held by somebody else.
    NameLost {
        /// The name.
        name: Username,
    },
}

/// A name and until when it is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The name.
    pub name: Username,
    /// In Unix milliseconds by the service's clock.
    pub expires: u64,
}

/// Who holds a name, as its owner signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// As the owner writes it.
    pub name: Username,
    /// Who.
    pub peer: PeerId,
    /// Until when, in Unix milliseconds by the service's clock.
    pub expires: u64,
    /// The owner's runs and where they are.
    pub sightings: Vec<Sighting>,
}

impl Found {
    /// All addresses, each once.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let mut all: Vec<SocketAddr> = Vec::new();
        for address in self.sightings.iter().flat_map(|s| &s.addresses) {
            if !all.contains(address) {
                all.push(*address);
            }
        }
        all
    }
}

/// What became of a claim that a meeting starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The name is ours.
    Confirmed(Held),
    /// The service could not say; it is claimed later, see [`Event::NameGranted`] and [`Event::NameLost`].
    Unconfirmed(Error),
}

#[derive(Debug, Clone)]
enum State {
    // An attempt that somebody waits for is under way.
    Trying,
    Ready(Arc<Connected>),
    Failed(Error),
}

/// Asks the service. Cloning gives another handle to the same connection.
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    state: watch::Receiver<State>,
    wishes: mpsc::Sender<Wish>,
}

/// Starts looking for the service. Everything ends with `scope`.
pub fn start(
    config: Config,
    endpoint: Endpoint,
    identity: Arc<Identity>,
    scope: &task::Scope,
) -> (Handle, mpsc::Receiver<Event>) {
    // Overflow: sightings are dropped (they come again with the next look), all else waits.
    let (events, received) = mpsc::channel(256);
    // Overflow: whoever wishes waits.
    let (wishes, inbox) = mpsc::channel(32);
    let (state, watched) = watch::channel(State::Trying);
    let shared = Arc::new(Shared::new(config, endpoint, identity, scope.child()));
    shared.scope.spawn(Actor::new(Arc::clone(&shared), state, inbox, events).run());
    (Handle { shared, state: watched, wishes }, received)
}

impl Handle {
    /// Waits for the attempt to connect that is under way, at most [`JOIN_PATIENCE`]. Worth asking before a meeting
    /// starts without a claim: a changed key is known then.
    pub async fn reach(&self) -> Result<(), Error> {
        match tokio::time::timeout(JOIN_PATIENCE, self.connected()).await {
            Ok(outcome) => outcome.map(|_| ()),
            Err(_) => Err(self.late()),
        }
    }

    /// Claims `name`, or renews it, and keeps it from now on.
    pub async fn claim(&self, name: &Username) -> Result<Held, Error> {
        let connected = self.connected().await?;
        let granted = self.shared.claim(&connected, name).await?;
        self.wish(Wish::Granted(granted.clone())).await;
        Ok(Held { name: granted.name, expires: granted.expires })
    }

    /// Claims the name that a meeting is joined with. Errors mean no seat; a service that cannot say now means going
    /// on with the name unconfirmed while attempts go on; that is said here, and not by an event once more. Takes at
    /// most [`JOIN_PATIENCE`].
    pub async fn claim_to_join(&self, name: &Username) -> Result<Standing, Error> {
        self.shared.quiet.store(true, Ordering::Relaxed);
        let outcome = tokio::time::timeout(JOIN_PATIENCE, self.claim(name)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(self.late()));
        if !matches!(outcome, Err(Error::Unreachable { .. })) {
            self.shared.quiet.store(false, Ordering::Relaxed);
        }
        match outcome {
            Ok(held) => Ok(Standing::Confirmed(held)),
            Err(error @ (Error::Unreachable { .. } | Error::Limited(_) | Error::Refused(_))) => {
                self.wish(Wish::Hold(name.clone())).await;
                Ok(Standing::Unconfirmed(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Gives `name` back.
    pub async fn release(&self, name: &Username) -> Result<(), Error> {
        let connected = self.connected().await?;
        self.shared.release(&connected, name).await?;
        self.wish(Wish::LetGo(name.clone())).await;
        Ok(())
    }

    /// Who holds `name`, and where.
    pub async fn lookup(&self, name: &Username) -> Result<Found, Error> {
        let connected = self.connected().await?;
        self.shared.lookup(&connected, name).await
    }

    /// Publishes this from now on, and looks for others in its rooms; `None` stops.
    pub async fn announce(&self, announcement: Option<Announcement>) {
        self.wish(Wish::Announce(announcement)).await;
    }

    /// The address that the service saw last, if there is a connection.
    pub fn observed(&self) -> Option<SocketAddr> {
        match &*self.state.borrow() {
            State::Ready(connected) => connected.observed(),
            _ => None,
        }
    }

    /// The id of the service's key, once there was a connection.
    pub fn service(&self) -> Option<PeerId> {
        match &*self.state.borrow() {
            State::Ready(connected) => Some(connected.service),
            _ => None,
        }
    }

    /// Withdraws the presence, closes the connection and ends the actor; at most half a second.
    pub async fn close(&self) {
        self.shared.scope.finish(LEAVE_LIMIT + Duration::from_millis(200)).await;
    }

    fn late(&self) -> Error {
        Error::Unreachable { place: self.shared.config.service.place(), detail: "no answer in time".to_owned() }
    }

    async fn wish(&self, wish: Wish) {
        // Refused only when the actor has ended, and then there is nothing to keep.
        let _ = self.wishes.send(wish).await;
    }

    /// The connection, or why there is none: the outcome of the attempt under way. When the last one failed, another is
    /// made at once.
    async fn connected(&self) -> Result<Arc<Connected>, Error> {
        let mut state = self.state.clone();
        let mut now = state.borrow_and_update().clone();
        if matches!(now, State::Failed(_)) {
            self.wish(Wish::TryNow).await;
            state.changed().await.map_err(|_| Error::Closed)?;
            now = state.borrow_and_update().clone();
        }
        loop {
            match now {
                State::Ready(connected) => return Ok(connected),
                State::Failed(error) => return Err(error),
                State::Trying => state.changed().await.map_err(|_| Error::Closed)?,
            }
            now = state.borrow_and_update().clone();
        }
    }
}
