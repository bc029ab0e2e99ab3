//! A visit: files to and from people without a meeting. Takes no seat, so it replaces no other run of the same
//! identity; links are made only to whom a person named, or by whoever comes with a file.
//!
//! One owner drives it with [`Visit::next`]; between two calls nothing is lost, all queues are the mesh's and the
//! drops' own.

mod trust;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::failure::sentence;
use super::{Error, Service, files};
use crate::bucket::Bucket;
use crate::config::Profile;
use crate::endpoint::{self, Endpoint};
use crate::framing::Message;
use crate::id::{Instance, LinkKey, PeerId, TransferId, Username};
use crate::identity::Identity;
use crate::media::{Arrival, Sink};
use crate::meeting::nearby::Sight;
use crate::meeting::{ALARM_EVERY, ALARMS, Accept, Failure, FileEvent, Person, Warning, WarningCode};
use crate::mesh;
use crate::mesh::blob::Source;
use crate::mesh::discovery::{
    self, Announcement,
    mdns::{self, Mdns},
};
use crate::mesh::drops::{self, Drops};
use crate::rendezvous::{client, errands};
use crate::share::DisplayName;
use crate::sighting::{self, Sighting};
use crate::task::Scope;
use crate::{clock, known};

pub use crate::mesh::Visibility;

/// For the goodbyes; the mesh says its own within 1.5 s.
const END_LIMIT: Duration = Duration::from_millis(1_700);
/// How often it is looked whether the addresses of this machine changed (guess: a person waits longer for Wi-Fi).
const ADDRESSES_INTERVAL: Duration = Duration::from_secs(2);

/// What a visit is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The profile folder.
    pub profile: Profile,
    /// Who we are.
    pub identity: Arc<Identity>,
    /// The name of this run.
    pub name: DisplayName,
    /// Socket and interfaces.
    pub endpoint: endpoint::Config,
    /// Typed addresses.
    pub connect: Vec<(SocketAddr, Option<PeerId>)>,
    /// Open: others can find us, as somebody who waits for files must be.
    pub visibility: Visibility,
    /// The rendezvous: to look up usernames, and for [`Visit::publish`].
    pub rendezvous: Option<Service>,
    /// Where files land.
    pub download_dir: PathBuf,
    /// What to do with offers.
    pub accept: Accept,
    /// What this run can do beside files, in words of the protocol.
    pub capabilities: Vec<String>,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// Somebody came in sight, or went: names may mean somebody else now.
    People,
    /// Somebody is linked: names may mean somebody else now.
    Linked(Box<mesh::Linked>),
    /// A link is gone.
    Unlinked(LinkKey),
    /// A message that is not about files.
    Message {
        /// Who sent it.
        from: LinkKey,
        /// Undecoded.
        message: Message,
    },
    /// A transfer changed.
    File(FileEvent),
    /// This username is ours, or no longer.
    Username(Option<Username>),
    /// Something degraded.
    Warning(Warning),
}

/// Nobody sends media to a visit.
#[derive(Debug)]
pub(super) struct NoMedia;

impl Sink for NoMedia {
    fn on_arrival(&self, _: PeerId, _: Arrival) {}
}

/// A running visit.
#[derive(Debug)]
pub struct Visit {
    sight: Sight,
    // As many as the mesh lets in.
    links: BTreeMap<PeerId, LinkKey>,
    // Links to keys with the name of somebody verified.
    unwelcome: BTreeSet<LinkKey>,
    warned: BTreeSet<PeerId>,
    // Keys cost nothing: so many of them are warned about in a while.
    alarms: Bucket,
    // Warnings to be told, one for each in `warned` at most.
    told: VecDeque<Event>,
    known: known::Store,
    endpoint: Endpoint,
    mesh: mesh::Handle,
    mesh_events: mpsc::Receiver<mesh::Event>,
    drops: Drops,
    drop_events: mpsc::Receiver<drops::Event>,
    mdns: Option<Mdns>,
    sightings: mpsc::Receiver<Sighting>,
    rendezvous: Option<(client::Handle, mpsc::Receiver<client::Event>)>,
    publishes: bool,
    // What the rendezvous tells of us, once it was published.
    published: Option<errands::Announcement>,
    addresses_due: tokio::time::Interval,
    instance: Instance,
    visibility: Visibility,
    scope: Scope,
}

/// Checks that a path can be dropped, before anybody is looked for.
pub fn check_file(path: &Path) -> Result<(), Failure> {
    Source::look(path).map(drop).map_err(|error| files::offer_failure(&error.into()))
}

impl Visit {
    /// Binds the socket and starts looking. Must be called inside a runtime.
    pub fn start(config: Config) -> Result<Self, Error> {
        let scope = Scope::new();
        let known = known::Store::open(config.profile.dir()).map_err(|error| Error::State(error.to_string()))?;
        let names = known.names().map_err(|error| Error::State(error.to_string()))?;
        let book = known.trust().map_err(|error| Error::State(error.to_string()))?;
        let (instance, peer) = (Instance::draw(), config.identity.peer_id());
        let endpoint = Endpoint::bind(config.endpoint.clone(), Arc::clone(&config.identity))?;
        let mesh_config = mesh::Config {
            identity: Arc::clone(&config.identity),
            instance,
            name: config.name.clone(),
            room: None,
            seats: mesh::DEFAULT_SEATS,
            capabilities: config.capabilities,
            seed: rand::random(),
            visibility: config.visibility,
        };
        let (mesh, mesh_events) = mesh::start(mesh_config, endpoint.clone(), Arc::new(NoMedia), &scope);
        let accept = match config.accept {
            // Who is trusted is known to who holds the rule.
            Accept::Ask | Accept::Verified => drops::Accept::Ask,
            Accept::All => drops::Accept::All,
            Accept::None => drops::Accept::None,
        };
        let drops_config = drops::Config { download_dir: config.download_dir, accept };
        let (drops, drop_events) = Drops::start(drops_config, mesh.clone(), &scope);
        let me = Person { peer, name: config.name };
        let announcement =
            (config.visibility == Visibility::Open).then(|| self::announcement(&me, instance, &endpoint));
        let mdns_config = discovery::Config { announcement, interfaces: config.endpoint.interfaces };
        let (mdns, sightings) = match mdns::start(mdns_config, &scope) {
            Ok((mdns, sightings)) => (Some(mdns), sightings),
            Err(error) => {
                tracing::warn!(%error, "no mDNS");
                (None, mpsc::channel(1).1)
            }
        };
        let rendezvous = config.rendezvous.map(|service| {
            let profile = config.profile.dir().to_owned();
            let client_config = client::Config { service, profile, seed: rand::random() };
            client::start(client_config, endpoint.clone(), Arc::clone(&config.identity), &scope)
        });
        let mut addresses_due = tokio::time::interval(ADDRESSES_INTERVAL);
        addresses_due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let visit = Self {
            sight: Sight::new(me, names, book),
            links: BTreeMap::new(),
            unwelcome: BTreeSet::new(),
            warned: BTreeSet::new(),
            alarms: Bucket::new(clock::now(), ALARMS, ALARM_EVERY),
            told: VecDeque::new(),
            known,
            endpoint,
            mesh,
            mesh_events,
            drops,
            drop_events,
            mdns,
            sightings,
            rendezvous,
            publishes: false,
            published: None,
            addresses_due,
            instance,
            visibility: config.visibility,
            scope,
        };
        for (address, peer) in config.connect {
            visit.dial(address, peer);
        }
        Ok(visit)
    }

    fn dial(&self, address: SocketAddr, peer: Option<PeerId>) {
        match peer {
            Some(peer) => self.mesh.reach(peer, vec![address]),
            None => self.mesh.sighting(Sighting {
                peer: None,
                instance: None,
                name: None,
                addresses: vec![address],
                rooms: Vec::new(),
                source: sighting::Source::Manual,
                gone: false,
            }),
        }
    }

    /// Oneself.
    pub fn me(&self) -> &Person {
        self.sight.me()
    }

    /// Where others can reach us.
    pub fn listen_addresses(&self) -> Vec<SocketAddr> {
        self.endpoint.listen_addresses()
    }

    /// The UDP port.
    pub fn port(&self) -> u16 {
        self.endpoint.port()
    }

    /// This run.
    pub fn instance(&self) -> Instance {
        self.instance
    }

    /// Who is in sight.
    pub fn sight(&self) -> &Sight {
        &self.sight
    }

    /// Who is in sight.
    pub fn sight_mut(&mut self) -> &mut Sight {
        &mut self.sight
    }

    /// Where names and decisions are kept.
    pub fn known(&self) -> &known::Store {
        &self.known
    }

    /// The mesh.
    pub fn mesh(&self) -> &mesh::Handle {
        &self.mesh
    }

    /// The transfers.
    pub fn drops(&self) -> &Drops {
        &self.drops
    }

    /// The rendezvous, if one was given.
    pub fn rendezvous(&self) -> Option<client::Handle> {
        self.rendezvous.as_ref().map(|(handle, _)| handle.clone())
    }

    /// The link to `peer`.
    pub fn link(&self, peer: PeerId) -> Option<LinkKey> {
        self.links.get(&peer).copied()
    }

    /// Shows another name to everybody.
    pub fn rename(&mut self, name: DisplayName) {
        self.sight.rename_me(name.clone());
        self.mesh.rename(name.clone());
        if let (Visibility::Open, Some(mdns)) = (self.visibility, self.mdns.clone()) {
            let announcement = announcement(self.me(), self.instance, &self.endpoint);
            self.scope.spawn(async move { mdns.announce(announcement).await });
        }
    }

    /// Remembers in the profile that this key uses this name.
    pub fn remember(&self, person: &Person) {
        let (store, known) = (self.known.clone(), person.clone());
        self.scope.spawn_blocking(move || {
            if let Err(error) = store.remember(known.peer, &known.name, clock::unix_millis()) {
                tracing::warn!(%error, "a name could not be remembered");
            }
        });
    }

    /// Waits for the next event. May be dropped at any moment without losing one.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.told.pop_front() {
                return event;
            }
            let event = tokio::select! {
                biased;
                Some(event) = self.mesh_events.recv() => self.on_mesh(event),
                Some(event) = self.drop_events.recv() => Some(self.on_drop(event)),
                Some(sighting) = self.sightings.recv() => self.on_sighting(sighting),
                Some(event) = introduced(&mut self.rendezvous) => on_introduced(event),
                _ = self.addresses_due.tick(), if self.publishes => {
                    self.renew().await;
                    None
                }
                else => std::future::pending().await,
            };
            if let Some(event) = event {
                return event;
            }
        }
    }

    fn on_mesh(&mut self, event: mesh::Event) -> Option<Event> {
        match event {
            mesh::Event::Linked(linked) => {
                let key = linked.key;
                self.links.insert(key.peer, key);
                self.sight.on_linked(key, linked.name.clone(), Some(linked.address));
                self.on_name(key);
                Some(Event::Linked(Box::new(linked)))
            }
            mesh::Event::Unlinked(key) => {
                if self.links.get(&key.peer) == Some(&key) {
                    self.links.remove(&key.peer);
                }
                self.sight.on_unlinked(key);
                self.unwelcome.remove(&key);
                self.drops.on_unlinked(key);
                Some(Event::Unlinked(key))
            }
            mesh::Event::Message { from, message } => {
                if drops::KINDS.contains(&message.kind) && !self.takes_files(from) {
                    return None;
                }
                (!self.drops.on_message(from, &message)).then_some(Event::Message { from, message })
            }
            mesh::Event::Stream { from, mut stream } => {
                if self.takes_files(from) {
                    self.drops.on_stream(from, stream);
                } else {
                    stream.stop();
                }
                None
            }
            mesh::Event::Renamed { peer, name } => {
                self.sight.on_renamed(peer, name);
                let links: Vec<LinkKey> = self.sight.links_of(peer).collect();
                links.into_iter().for_each(|link| self.on_name(link));
                Some(Event::People)
            }
            mesh::Event::Warning { code, peer, detail } => Some(self.warning(code, peer, &detail)),
            mesh::Event::Sighted(sighting) => self.on_sighting(sighting),
            mesh::Event::Verify(peer) => {
                if let Some(mdns) = self.mdns.clone() {
                    self.scope.spawn(async move { mdns.verify(peer).await });
                }
                None
            }
            // Only seats of a room: we have none.
            mesh::Event::Suspected { .. } | mesh::Event::Recovered { .. } | mesh::Event::Left { .. } => None,
        }
    }

    fn on_drop(&self, event: drops::Event) -> Event {
        match event {
            drops::Event::File { about, what } => {
                let person = self.sight.person(about.link.peer);
                Event::File(files::event(about, what, person))
            }
            drops::Event::Warning { code, peer, detail } => self.warning(code, Some(peer), &detail),
        }
    }

    fn warning(&self, code: &str, peer: Option<PeerId>, detail: &str) -> Event {
        let code = WarningCode::parse(code).unwrap_or(WarningCode::Other);
        let person = peer.map(|peer| self.sight.person(peer));
        Event::Warning(Warning { code, person, message: sentence(detail), hint: String::new() })
    }

    fn on_sighting(&mut self, sighting: Sighting) -> Option<Event> {
        self.sight.on_sighting(sighting);
        Some(Event::People)
    }

    /// Asks the rendezvous who `@name` is, so that [`Self::resolve`] knows. Without a rendezvous nobody is.
    pub async fn look_up(&mut self, name: &Username) -> Result<(), client::Error> {
        let Some((rendezvous, _)) = &self.rendezvous else { return Ok(()) };
        let found = rendezvous.lookup(name).await?;
        let addresses = found.addresses();
        self.sight.on_username(found.peer, found.name, addresses);
        Ok(())
    }

    /// Lets those who know our username find us through the rendezvous from now on; hidden means unnamed. A service
    /// that does not answer is told by a warning and tried again; one with another key than before is an error.
    pub async fn publish(&mut self) -> Result<(), client::Error> {
        let Some((rendezvous, _)) = &self.rendezvous else { return Ok(()) };
        match rendezvous.reach().await {
            Err(error @ (client::Error::KeyChanged { .. } | client::Error::Profile(_))) => return Err(error),
            _ => {
                self.publishes = true;
                self.renew().await;
            }
        }
        Ok(())
    }

    /// The same without waiting for the service: what goes wrong is told by warnings.
    pub fn publish_soon(&mut self) {
        self.publishes = self.rendezvous.is_some();
    }

    /// Publishes what is new in our addresses. Dropped half-way, it is done at the next look.
    async fn renew(&mut self) {
        let Some((rendezvous, _)) = &self.rendezvous else { return };
        let announcement = errands::Announcement {
            instance: self.instance,
            name: (self.visibility == Visibility::Open).then(|| self.me().name.clone()),
            addresses: self.endpoint.listen_addresses(),
            rooms: Vec::new(),
        };
        if self.published.as_ref() != Some(&announcement) {
            rendezvous.announce(Some(announcement.clone())).await;
            self.published = Some(announcement);
        }
    }

    /// False when nothing says where `peer` is.
    pub fn has_address(&self, peer: PeerId) -> bool {
        !self.sight.addresses(peer).is_empty()
    }

    /// Dials somebody in sight; the link is there when [`Self::is_linked`] says so after an [`Event::Linked`].
    pub fn reach(&self, peer: PeerId) {
        if !self.links.contains_key(&peer) {
            self.mesh.reach(peer, self.sight.addresses(peer));
        }
    }

    /// True when a file can be offered to `peer` now.
    pub fn is_linked(&self, peer: PeerId) -> bool {
        self.links.contains_key(&peer)
    }

    /// Offers a file to somebody linked, whose name is remembered for its key from now on.
    pub async fn offer(&self, path: &Path, person: &Person) -> Result<TransferId, Failure> {
        self.sight.allows(person.peer)?;
        let link = self.links.get(&person.peer).copied();
        let link = link.ok_or_else(|| files::offer_failure(&drops::Refused::NotLinked.into()))?;
        self.remember(person);
        self.drops.offer(path.to_owned(), link).await.map_err(|error| files::offer_failure(&error))
    }

    /// Accepts an offered file.
    pub async fn accept(&self, transfer: TransferId) -> Result<(), Failure> {
        self.drops.accept(transfer).await.map_err(|error| files::command_failure(&error))
    }

    /// Declines an offered file.
    pub async fn decline(&self, transfer: TransferId) -> Result<(), Failure> {
        self.drops.decline(transfer).await.map_err(|error| files::command_failure(&error))
    }

    /// Ends transfers and links, with a word to everybody; at most two seconds.
    pub async fn end(self) {
        let goodbye = async {
            self.drops.shutdown().await;
            let silence = async {
                if let Some(mdns) = self.mdns {
                    mdns.shutdown().await;
                }
            };
            let rendezvous = async {
                if let Some((rendezvous, _)) = &self.rendezvous {
                    rendezvous.close().await;
                }
            };
            tokio::join!(silence, rendezvous, self.mesh.shutdown());
            self.endpoint.close("done").await;
        };
        if tokio::time::timeout(END_LIMIT, goodbye).await.is_err() {
            tracing::warn!("not everybody confirmed the goodbye in time");
        }
        self.scope.finish(Duration::from_millis(200)).await;
    }
}

/// What mDNS says of us: there, and in no meeting.
fn announcement(me: &Person, instance: Instance, endpoint: &Endpoint) -> Announcement {
    Announcement { peer: me.peer, instance, name: me.name.clone(), port: endpoint.port(), rooms: Vec::new() }
}

async fn introduced(rendezvous: &mut Option<(client::Handle, mpsc::Receiver<client::Event>)>) -> Option<client::Event> {
    match rendezvous {
        Some((_, events)) => events.recv().await,
        None => std::future::pending().await,
    }
}

/// What a person without a meeting need know of the rendezvous: that it does not serve.
fn on_introduced(event: client::Event) -> Option<Event> {
    let warning = |code, message: String, hint: &str| {
        Some(Event::Warning(Warning { code, person: None, message, hint: hint.to_owned() }))
    };
    match event {
        client::Event::Unreachable { detail } => warning(
            WarningCode::RendezvousUnreachable,
            format!("The rendezvous does not answer: {detail}."),
            "It is tried again by itself.",
        ),
        client::Event::KeyChanged => warning(
            WarningCode::RendezvousKeyChanged,
            "The rendezvous answers with another key than before; nothing was sent.".to_owned(),
            "Ask who runs it for its fingerprint.",
        ),
        client::Event::NameLost { name } => warning(
            WarningCode::NameLost,
            format!("The username {name} belongs to another key now."),
            "Claim another name.",
        ),
        client::Event::NameGranted { name, .. } => Some(Event::Username(Some(name))),
        client::Event::Back | client::Event::Sighting(_) => None,
    }
}
