//! Wires a meeting together: one loop that hands what happens (links, sightings, transfers, commands, time) to the pure
//! [`Meeting`] and carries out what it answers. Holds no policy of its own.
//!
//! ```text
//! faces --Command--> Handle --> loop --> Meeting (decides) --Output--> loop --> mesh, av, drops, rendezvous
//! faces <--Event---- Ring  <-- loop <-- mesh, mDNS, drops, rendezvous, clock
//! ```
//!
//! Shutdown order: discovery is silenced first (nobody new comes), the mesh says goodbye to all, media threads end and
//! close their files, the socket closes last.

mod actor;
mod begun;
mod care;
mod commands;
pub mod doctor;
mod failure;
mod files;
mod introduce;
mod invited;
pub mod levels;
pub mod lobby;
#[cfg(feature = "media")]
mod media;
#[cfg(not(feature = "media"))]
#[path = "media_none.rs"]
mod media;
pub mod pictures;
#[cfg(feature = "media")]
pub mod preview;
mod router;
mod sightings;
mod sources;
#[cfg(feature = "media")]
pub mod trial;
mod troubles;
mod trust;
mod uplink;
pub mod visit;
mod volumes;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::clock;
use crate::config::Profile;
use crate::endpoint::{self, Endpoint};
use crate::id::{Instance, PeerId, RoomName, Username};
use crate::identity::Identity;
use crate::meeting::{Code, Command, Done, Event, Failure, Settings};
use crate::mesh::drops::{self, Drops};
use crate::share::DisplayName;
use crate::slot::Ring;
use crate::task::Scope;

use crate::rendezvous::client;

pub use crate::av::devices;
/// Why there is no socket.
pub use crate::endpoint::Error as SocketError;
pub use crate::service::Service;
pub use invited::{Refused, start_invited};
pub use levels::Levels;
pub use lobby::{LobbyConfig, lobby};
pub use media::Config as MediaConfig;
pub use pictures::Pictures;

/// Events kept for a face that does not read. Overflow: the oldest is dropped and the loss is logged; a face that
/// stands still for minutes gets the newest, and `state` tells the rest.
const EVENT_QUEUE: usize = 8192;
/// Commands that wait: a slider that is dragged while a camera opens asks some thirty times a second. Overflow: the caller
/// of [`Handle::command`] waits, the one of [`Handle::submit`] is told so.
const COMMAND_QUEUE: usize = 256;
/// How long the port of the lobby, or of a meeting before, may take to be free.
const PORT_PATIENCE: Duration = Duration::from_millis(200);
/// The same where no other will do. The library below keeps a socket until what was closed on it has drained: some three
/// seconds for a connection that nobody ever answered.
const FIXED_PORT_PATIENCE: Duration = Duration::from_secs(4);
/// Between two looks at it, at first and at most.
const PORT_PAUSE: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(100));

/// What a meeting is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The profile folder.
    pub profile: Profile,
    /// Who we are.
    pub identity: Arc<Identity>,
    /// The name to show.
    pub name: DisplayName,
    /// The room.
    pub room: RoomName,
    /// Most seats.
    pub seats: usize,
    /// Socket and interfaces.
    pub endpoint: endpoint::Config,
    /// Typed addresses.
    pub connect: Vec<(SocketAddr, Option<PeerId>)>,
    /// Whether we are announced.
    pub visibility: crate::mesh::Visibility,
    /// The rendezvous, and the username to claim there first.
    pub rendezvous: Option<(Service, Option<Username>)>,
    /// Tracks.
    pub media: MediaConfig,
    /// What is asked of everybody's pictures, what happens to offered files.
    pub settings: Settings,
    /// Where drops land.
    pub download_dir: PathBuf,
}

/// A meeting that cannot start.
#[derive(Debug, Error)]
pub enum Error {
    /// The socket.
    #[error(transparent)]
    Endpoint(#[from] endpoint::Error),
    /// A source or sink.
    #[error("{0}")]
    Media(String),
    /// The username belongs to somebody else; take another.
    #[error("Username already taken: {0} belongs to another key; choose another name")]
    NameTaken(Username),
    /// The rendezvous answered with another key than before, or refuses the name for another reason.
    #[error(transparent)]
    Rendezvous(#[from] client::Error),
    /// A link led to nobody, or to somebody else.
    #[error(transparent)]
    Invite(#[from] invited::Refused),
    /// Something in the profile cannot be read or written.
    #[error("{0}")]
    State(String),
}

/// The words of our own key, to be recognised by: what others see as [`Words`](crate::meeting::Words) of one key.
pub fn words_of(identity: &Identity) -> crate::meeting::Words {
    crate::meeting::Words::of(identity.peer_id())
}

type Reply = oneshot::Sender<Result<Done, Failure>>;

/// A running meeting, for faces. Cloning gives another handle.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<(Command, Reply)>,
    events: Ring<Event>,
    scope: Scope,
    port: u16,
    pictures: Pictures,
    levels: Levels,
}

impl Handle {
    /// Carries out one command and gives its answer. Waits for a place in the queue.
    pub async fn command(&self, command: Command) -> Result<Done, Failure> {
        let (reply, answer) = oneshot::channel();
        self.commands.send((command, reply)).await.map_err(|_| leaving())?;
        answer.await.map_err(|_| leaving())?
    }

    /// Puts a command into the queue now and gives the future of its answer. Commands are carried out in the order of
    /// these calls, whichever future is polled first, or never. Where the queue is full nothing is carried out, and the
    /// answer says so.
    pub fn submit(&self, command: Command) -> impl Future<Output = Result<Done, Failure>> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        let placed = self.commands.try_send((command, reply));
        async move {
            match placed {
                Ok(()) => answer.await.map_err(|_| leaving())?,
                Err(TrySendError::Full(_)) => {
                    let hint = "Try again in a moment.";
                    Err(Failure::new(Code::TooFast, "More is being asked at once than can be done.", hint))
                }
                Err(TrySendError::Closed(_)) => Err(leaving()),
            }
        }
    }

    /// A handle with nothing behind it, and the commands that come through it. For tests of what holds one.
    #[cfg(test)]
    pub(crate) fn detached(queue: usize) -> (Self, Detached) {
        let (commands, received) = mpsc::channel(queue);
        let (events, scope) = (Ring::new(8), Scope::new());
        let handle = Self { commands, events, scope, port: 0, pictures: Pictures::new(), levels: Levels::new() };
        (handle, Detached(received))
    }

    /// The next event; `None` after the meeting has ended and everything was read.
    pub async fn event(&self) -> Option<Event> {
        self.events.recv().await
    }

    /// The newest pictures of all that is shown, the own camera too.
    pub fn pictures(&self) -> Pictures {
        self.pictures.clone()
    }

    /// How loud everybody is, oneself too.
    pub fn levels(&self) -> Levels {
        self.levels.clone()
    }

    /// The UDP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Says goodbye and ends everything; at most two seconds.
    pub async fn leave(&self) {
        if !self.scope.finish(Duration::from_millis(1900)).await {
            tracing::warn!("some tasks did not end in time");
        }
        self.events.close();
    }
}

fn leaving() -> Failure {
    Failure::new(Code::Leaving, "The meeting is ending.", "")
}

/// What came through a handle without an engine.
#[cfg(test)]
pub(crate) struct Detached(mpsc::Receiver<(Command, Reply)>);

#[cfg(test)]
impl Detached {
    /// The commands since the last call, in their order. Each is answered as done.
    pub(crate) fn commands(&mut self) -> Vec<Command> {
        let take = || self.0.try_recv().ok();
        let answered = std::iter::from_fn(take).map(|(command, reply)| {
            let _ = reply.send(Ok(Done::Ok));
            command
        });
        answered.collect()
    }
}

/// Leaves the lobby or the meeting behind `from` and takes a seat, on the same port where it is still free: whoever was
/// told of it finds us there.
pub async fn enter(from: &Handle, config: Config) -> Result<Handle, Error> {
    from.leave().await;
    start_near(Some(from.port), config).await
}

/// Takes a seat on this port, which an engine before may still have: if the configuration names none and it is free soon,
/// or if the configuration names it; else as the configuration says.
pub async fn start_near(port: Option<u16>, config: Config) -> Result<Handle, Error> {
    let Some((port, patience)) = near(port, config.endpoint.port) else { return start(config).await };
    let endpoint = endpoint::Config { port: Some(port), ..config.endpoint.clone() };
    let kept = Config { endpoint, ..config.clone() };
    match freed(port, patience, || start(kept.clone())).await {
        Err(Error::Endpoint(endpoint::Error::Taken(_))) => start(config).await,
        result => result,
    }
}

/// Leaves the meeting behind `from` and goes to the lobby, on the same port where it is still free.
pub async fn enter_lobby(from: &Handle, config: LobbyConfig) -> Result<Handle, Error> {
    from.leave().await;
    lobby_near(Some(from.port), config).await
}

/// Enters the lobby on this port, as [`start_near`] takes a seat on it.
pub async fn lobby_near(port: Option<u16>, config: LobbyConfig) -> Result<Handle, Error> {
    let Some((port, patience)) = near(port, config.endpoint.port) else { return lobby(config).await };
    let endpoint = endpoint::Config { port: Some(port), ..config.endpoint.clone() };
    let kept = LobbyConfig { endpoint, ..config.clone() };
    match freed(port, patience, || lobby(kept.clone())).await {
        Err(Error::Endpoint(endpoint::Error::Taken(_))) => lobby(config).await,
        result => result,
    }
}

/// The port that is tried, and for how long, after an engine on `last`; `wanted` is what the configuration names.
fn near(last: Option<u16>, wanted: Option<u16>) -> Option<(u16, Duration)> {
    match wanted.filter(|port| *port > 0) {
        None => last.map(|port| (port, PORT_PATIENCE)),
        Some(port) => (last == Some(port)).then_some((port, FIXED_PORT_PATIENCE)),
    }
}

/// Starts as soon as the port is free: the library below closes a socket a moment after its last user has gone.
async fn freed<F: Future<Output = Result<Handle, Error>>>(
    port: u16,
    patience: Duration,
    start: impl Fn() -> F,
) -> Result<Handle, Error> {
    let deadline = clock::now() + patience;
    let (mut pause, longest) = PORT_PAUSE;
    loop {
        match start().await {
            Err(Error::Endpoint(endpoint::Error::Taken(_))) if clock::now() < deadline => {
                tracing::debug!(port, "the port is not free yet");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(longest);
            }
            result => return result,
        }
    }
}

/// Takes a seat: binds the socket, claims the username if asked, starts discovery, mesh and media.
pub async fn start(config: Config) -> Result<Handle, Error> {
    // Services end after the loop has said goodbye through them, so they have a group of their own.
    let (scope, services) = (Scope::new(), Scope::new());
    let known = crate::known::Store::open(config.profile.dir()).map_err(|error| Error::State(error.to_string()))?;
    let names = known.names().map_err(|error| Error::State(error.to_string()))?;
    let trust = known.trust().map_err(|error| Error::State(error.to_string()))?;
    let instance = Instance::draw();
    let endpoint = Endpoint::bind(config.endpoint.clone(), Arc::clone(&config.identity))?;
    // An error, or a start that is wanted no more, leaves nothing behind.
    let begun = begun::Begun::new(&endpoint, &[&scope, &services]);
    let introduced = introduce::rendezvous(&config, instance, &endpoint, &services).await?;
    let router = Arc::new(router::Router::default());
    let (pictures, levels) = (Pictures::new(), Levels::new());
    let shown = (pictures.clone(), levels.clone());
    let (sources, route) = (config.media.clone(), Arc::clone(&router));
    // Real devices take their time to be opened.
    let media = tokio::task::spawn_blocking(move || media::Media::start(sources, route, shown))
        .await
        .map_err(|error| Error::Media(error.to_string()))?
        .map_err(|error| failure::start(&error))?;
    let mesh_config = crate::mesh::Config {
        identity: Arc::clone(&config.identity),
        instance,
        name: config.name.clone(),
        room: Some(config.room.clone()),
        seats: config.seats,
        capabilities: vec![crate::meeting::calls::CAPABILITY.to_owned()],
        seed: rand::random(),
        visibility: config.visibility,
    };
    let sink: Arc<dyn crate::media::Sink> = Arc::clone(&router) as _;
    let (mesh, mesh_events) = crate::mesh::start(mesh_config, endpoint.clone(), sink, &services);
    let drops_config = drops::Config {
        download_dir: config.download_dir.clone(),
        // The meeting holds the accept rule.
        accept: drops::Accept::Ask,
    };
    let (drops, drop_events) = Drops::start(drops_config, mesh.clone(), &services);
    let (mdns, sightings) = introduce::mdns(&config, instance, &endpoint, &services);
    let (command_sender, commands) = mpsc::channel(COMMAND_QUEUE);
    let events = Ring::new(EVENT_QUEUE);
    let port = endpoint.port();
    // A choice of comfort: what cannot be read is said when another is to be written.
    let volumes = known.volumes().inspect_err(|error| tracing::warn!(%error, "volumes are as sent"));
    let words = words::Wordbook::new(config.identity.peer_id());
    let mut actor = actor::Actor::new(actor::Parts {
        config,
        instance,
        names,
        trust,
        known,
        words,
        endpoint,
        mesh,
        drops,
        media,
        router,
        mdns,
        introduced,
        events: events.clone(),
        scope: scope.clone(),
        services,
    });
    actor.remember_volumes(&volumes.unwrap_or_default());
    scope.spawn(actor.run(actor::Inboxes { commands, mesh: mesh_events, drops: drop_events, sightings }));
    begun.keep();
    Ok(Handle { commands: command_sender, events, scope, port, pictures, levels })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hand(up: bool) -> Command {
        Command::Hand { up }
    }

    #[test]
    fn a_port_is_waited_for_where_an_engine_before_had_it() {
        assert_eq!(near(None, None), None);
        assert_eq!(near(Some(5), None), Some((5, PORT_PATIENCE)));
        assert_eq!(near(Some(5), Some(0)), Some((5, PORT_PATIENCE)));
        assert_eq!(near(Some(5), Some(5)), Some((5, FIXED_PORT_PATIENCE)));
        // Somebody else's: said at once.
        assert_eq!((near(Some(5), Some(6)), near(None, Some(6))), (None, None));
    }

    #[tokio::test]
    async fn commands_keep_the_order_in_which_they_were_asked() {
        let (handle, mut engine) = Handle::detached(2);
        let first = handle.submit(hand(true));
        let second = handle.submit(hand(false));
        // The queue is full: said at once, and nothing waits.
        let third = handle.submit(Command::State).await;
        assert_eq!(third.expect_err("no place").code, Code::TooFast);
        assert_eq!(engine.commands(), [hand(true), hand(false)]);
        assert_eq!(second.await, Ok(Done::Ok));
        // Nobody needs to wait for an answer.
        drop(first);
        drop(engine);
        assert_eq!(handle.submit(Command::State).await.expect_err("it has ended").code, Code::Leaving);
    }
}
