//! The loop of a meeting. Every branch hands one happening to the meeting and then drains what the meeting wants.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::commands::{Accept, Ends};
use super::introduce::Introduced;
use super::media::Media;
use super::router::Router;
use super::sources::{News, Sources};
use super::words::Wordbook;
use super::{Config, Reply, failure, files, uplink};
use crate::endpoint::Endpoint;
use crate::id::{CallId, Instance, LinkKey, PeerId, Username};
use crate::known::names::Names;
use crate::known::trust::Book;
use crate::media::TrackKind;
use crate::meeting::calls::CAPABILITY;
use crate::meeting::{
    self, Command, Done, Edit, Event, Failure, LeftReason, Meeting, Output, Person, Warning, WarningCode,
};
use crate::mesh::allocate::Allocator;
use crate::mesh::discovery::mdns::Mdns;
use crate::mesh::drops::{self, Drops};
use crate::mesh::{self, Seat};
use crate::rendezvous::client;
use crate::sighting::Sighting;
use crate::slot::Ring;
use crate::task::Scope;
use crate::{clock, known, platform, stats};

/// How long the mesh may take to say goodbye.
const GOODBYE_LIMIT: Duration = Duration::from_millis(1100);
/// How long a typed address may take to answer: two attempts of five seconds, as the dialer makes them.
const TYPED_PATIENCE: Duration = Duration::from_secs(10);
/// How long transfers may take to say that they end.
const DROPS_LIMIT: Duration = Duration::from_millis(150);

/// What the loop owns.
pub struct Parts {
    pub config: Config,
    pub instance: Instance,
    pub names: Names,
    pub trust: Book,
    pub known: known::Store,
    pub words: Wordbook,
    pub endpoint: Endpoint,
    pub mesh: mesh::Handle,
    pub drops: Drops,
    pub media: Media,
    pub router: Arc<Router>,
    pub mdns: Option<Mdns>,
    pub introduced: Option<Introduced>,
    pub events: Ring<Event>,
    pub scope: Scope,
    pub services: Scope,
}

/// Where things come in. All bounded where they are made.
pub struct Inboxes {
    pub commands: mpsc::Receiver<(Command, Reply)>,
    pub mesh: mpsc::Receiver<mesh::Event>,
    pub drops: mpsc::Receiver<drops::Event>,
    pub sightings: mpsc::Receiver<Sighting>,
}

/// The running loop.
pub struct Actor {
    pub(super) parts: Parts,
    pub(super) meeting: Meeting,
    pub(super) seated: BTreeMap<PeerId, (LinkKey, Person)>,
    pub(super) sighted: BTreeMap<(Option<PeerId>, crate::sighting::Source), Vec<SocketAddr>>,
    /// Typed addresses that nobody answered at yet, and when that is said.
    typed: Vec<SocketAddr>,
    typed_until: Instant,
    /// Where we listen, as last announced.
    listen: Vec<SocketAddr>,
    /// Visitors with the name of somebody verified. As many as the mesh lets in.
    pub(super) unwelcome: BTreeSet<LinkKey>,
    /// Calls that are taken: one at a time.
    pub(super) answering: BTreeMap<CallId, Reply>,
    /// Volumes that are not written down yet. As many as a person chooses in a second.
    pub(super) chosen: BTreeMap<PeerId, f32>,
    /// Cameras, microphones and speakers.
    pub(super) sources: Sources,
    /// Who gets what of our pictures.
    uplink: Allocator,
    /// Answers that come later: results of spawned work.
    pub(super) later: (mpsc::Sender<Later>, mpsc::Receiver<Later>),
}

/// The result of work that was not done at once.
pub enum Later {
    Named(Result<Done, Failure>, Reply),
    Remembered(Result<(), known::Error>),
    Source(News),
    Decided(Result<(Edit, Done), Failure>, Reply),
    LookedUp(Vec<(PeerId, Username, Vec<SocketAddr>)>, Command, Reply),
}

impl Actor {
    pub fn new(parts: Parts) -> Self {
        let config = &parts.config;
        let meeting = Meeting::new(meeting::Config {
            identity: Arc::clone(&config.identity),
            instance: parts.instance,
            name: config.name.clone(),
            room: config.room.clone(),
            seed: rand::random(),
            known: parts.names.clone(),
            trust: parts.trust.clone(),
            settings: config.settings.clone(),
        });
        let later = mpsc::channel(16);
        let listen = parts.endpoint.listen_addresses();
        let typed = parts.config.connect.iter().map(|(address, _)| *address).collect();
        let typed_until = clock::now() + TYPED_PATIENCE;
        let (seated, sighted) = (BTreeMap::new(), BTreeMap::new());
        let (unwelcome, answering) = (BTreeSet::new(), BTreeMap::new());
        let (chosen, sources) = (BTreeMap::new(), Sources::default());
        Self {
            parts,
            meeting,
            seated,
            sighted,
            unwelcome,
            typed,
            typed_until,
            listen,
            answering,
            chosen,
            sources,
            uplink: Allocator::default(),
            later,
        }
    }

    pub async fn run(mut self, mut inboxes: Inboxes) {
        let scope = self.parts.scope.clone();
        let feedback = self.parts.router.feedback().clone();
        let ended = self.parts.media.bell();
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        second.tick().await;
        let mut often = tokio::time::interval(uplink::EVERY);
        often.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.begin();
        loop {
            self.drain();
            let deadline = self.meeting.poll_timeout();
            tokio::select! {
                biased;
                () = scope.cancelled() => break,
                Some((command, reply)) = inboxes.commands.recv() => {
                    if self.on_command(command, reply) == Ends::Now {
                        break;
                    }
                }
                Some(later) = self.later.1.recv() => {
                    if self.on_later(later) == Ends::Now {
                        break;
                    }
                }
                // Time and the person come before peers: one that floods us may not stop the clock.
                _ = second.tick() => self.tick(),
                Some(()) = ended.recv() => self.on_ended(),
                _ = often.tick() => {
                    let peers = self.seated.keys().copied();
                    uplink::tick(&mut self.uplink, clock::now(), &self.parts.mesh, &self.parts.media, peers);
                }
                () = until(deadline) => self.meeting.on_timeout(clock::now()),
                Some((peer, track, word)) = async { feedback.recv().await } => self.parts.media.on_feedback(peer, track, word),
                Some(event) = inboxes.mesh.recv() => self.on_mesh(event),
                Some(event) = inboxes.drops.recv() => self.on_drop(event),
                Some(sighting) = inboxes.sightings.recv() => self.on_sighting(sighting),
                Some(event) = introduced(&mut self.parts.introduced) => self.on_introduced(event),
            }
        }
        self.end().await;
    }

    /// First words: who we are, our tracks, typed addresses.
    fn begin(&mut self) {
        let me = Person { peer: self.parts.config.identity.peer_id(), name: self.parts.config.name.clone() };
        let listen = self.listen.clone();
        let room = self.parts.config.room.clone();
        if listen.iter().all(|address| address.ip().is_loopback()) && self.parts.config.endpoint.interfaces.is_empty() {
            self.warn(
                WarningCode::NoNetwork,
                None,
                "No network interface is up.",
                "Connect to a network; it is taken up by itself.",
            );
        }
        self.emit(Event::Ready { me, room, listen });
        self.publish_tracks();
        self.begin_sources();
        for (address, peer) in self.parts.config.connect.clone() {
            self.on_sighting(Sighting {
                peer,
                instance: None,
                name: None,
                addresses: vec![address],
                rooms: Vec::new(),
                source: crate::sighting::Source::Manual,
                gone: false,
            });
        }
        if self.parts.mdns.is_none() {
            self.warn(
                WarningCode::DiscoveryFailed,
                None,
                "Multicast DNS does not work here.",
                "People in sight are not found by themselves; use --connect ADDR, or run lets-meet doctor.",
            );
        }
        if let Some(introduced) = &mut self.parts.introduced {
            for (code, message, hint) in std::mem::take(&mut introduced.warnings) {
                self.parts.events.push(Event::Warning(Warning { code, person: None, message, hint }));
            }
            if let Some(name) = introduced.claimed.clone() {
                self.meeting.on_own_username(Some(name));
            }
        }
    }

    async fn end(mut self) {
        tracing::info!("leaving");
        if let Some(written) = self.keep_volumes() {
            let _ = tokio::time::timeout(DROPS_LIMIT, written).await;
        }
        // Whoever waits for a file is told before the links close.
        let _ = tokio::time::timeout(DROPS_LIMIT, self.parts.drops.shutdown()).await;
        let mdns = self.parts.mdns.take();
        let silence = async {
            if let Some(mdns) = mdns {
                mdns.shutdown().await;
            }
        };
        let goodbye = tokio::time::timeout(GOODBYE_LIMIT, self.parts.mesh.shutdown());
        let (_, said) = tokio::join!(silence, goodbye);
        if said.is_err() {
            tracing::warn!("not everybody confirmed the goodbye in time");
        }
        let media = self.parts.media;
        let _ = tokio::task::spawn_blocking(move || media.stop()).await;
        self.parts.endpoint.close("leaving").await;
        self.parts.services.finish(Duration::from_millis(300)).await;
        self.parts.events.close();
    }

    pub(super) fn emit(&self, event: Event) {
        // What can be told again must not push out what cannot.
        let again = matches!(event, Event::Sighted { .. } | Event::Nearby(_) | Event::Stats(_));
        if again && self.parts.events.len() > super::EVENT_QUEUE / 2 {
            return;
        }
        if self.parts.events.push(event).is_some() {
            tracing::warn!("events were lost: nobody reads them");
        }
    }

    pub(super) fn warn(&self, code: WarningCode, person: Option<Person>, message: &str, hint: &str) {
        let (message, hint) = (message.to_owned(), hint.to_owned());
        self.emit(Event::Warning(Warning { code, person, message, hint }));
    }

    /// Carries out what the meeting wants until it wants nothing more.
    fn drain(&mut self) {
        while let Some(output) = self.meeting.poll_output() {
            match output {
                Output::Send { to, message } => {
                    if self.parts.mesh.send(to, message).is_err() {
                        self.meeting.on_refused(clock::now(), to);
                    }
                }
                Output::Event(event) => self.emit(event),
                Output::Subscribe { peer, kind, view } => self.parts.media.on_wanted(peer, kind, view),
                Output::Receive { peer, info, view } => {
                    let result = tokio::task::block_in_place(|| self.parts.media.on_track(peer, &info, view));
                    if let Err(error) = result {
                        let person = self.seated.get(&peer).map(|(_, person)| person.clone());
                        let words = failure::media(&error);
                        self.warn(WarningCode::SourceFailed, person, &words.message, &words.hint);
                    }
                }
                Output::StopReceiving { peer, kind } => self.parts.media.on_track_gone(peer, kind),
                Output::AcceptFile { transfer, .. } => self.answer_offer(transfer, Accept::Yes, None),
                Output::DeclineFile { transfer, .. } => self.answer_offer(transfer, Accept::No, None),
                Output::Reach { peer, addresses, except } => self.parts.mesh.reach_another(peer, addresses, except),
                Output::SendTo { to, message } => {
                    if let Err(error) = self.parts.mesh.send(to, message) {
                        tracing::debug!(%error, "a word about a call was not sent");
                    }
                }
                Output::Dismiss(key) => self.parts.mesh.release(key),
                Output::Answered { call, result } => {
                    if let Some(reply) = self.answering.remove(&call) {
                        let _ = reply.send(result);
                    }
                }
                Output::Remember { peer, name } => {
                    let (store, sender) = (self.parts.known.clone(), self.later.0.clone());
                    self.parts.services.spawn_blocking(move || {
                        // Full when the disk stands still: what is lost is only the word that it failed.
                        let _ = sender.try_send(Later::Remembered(store.remember(peer, &name, clock::unix_millis())));
                    });
                }
                Output::Decided(edit) => {
                    let (store, sender) = (self.parts.known.clone(), self.later.0.clone());
                    self.parts.services.spawn_blocking(move || {
                        let _ = sender.try_send(Later::Remembered(store.decide(&edit)));
                    });
                }
                Output::Withhold { peer } => self.withhold(peer),
                Output::Release { peer } => self.wire(peer),
            }
        }
        if let Some(nearby) = self.meeting.poll_nearby(clock::now()) {
            self.emit(Event::Nearby(nearby));
        }
    }

    fn on_mesh(&mut self, event: mesh::Event) {
        let now = clock::now();
        match event {
            mesh::Event::Sighted(sighting) => self.tell_sighting(&sighting),
            mesh::Event::Linked(linked) => {
                self.typed.retain(|address| *address != linked.address);
                if linked.seat == Seat::Visitor {
                    self.on_visitor(linked.key, &linked.name);
                    let rings = linked.capabilities.iter().any(|word| word == CAPABILITY);
                    self.meeting.on_neighbour(now, linked.key, linked.name, linked.address, rings);
                } else {
                    let peer = linked.key.peer;
                    self.seated.insert(peer, (linked.key, Person { peer, name: linked.name.clone() }));
                    self.meeting.on_linked(
                        now,
                        meeting::Linked { key: linked.key, public_key: linked.public_key, name: linked.name },
                    );
                    self.wire(peer);
                    self.play_as_chosen(peer);
                }
            }
            mesh::Event::Verify(peer) => {
                if let Some(mdns) = self.parts.mdns.clone() {
                    self.parts.services.spawn(async move { mdns.verify(peer).await });
                }
            }
            mesh::Event::Suspected { peer } => self.meeting.on_suspected(now, peer),
            mesh::Event::Recovered { peer, .. } => {
                self.rewire(peer);
                self.meeting.on_recovered(now, peer);
            }
            mesh::Event::Left { peer, reason } => {
                if let Some((link, _)) = self.seated.remove(&peer) {
                    self.parts.drops.on_unlinked(link);
                }
                self.parts.media.on_left(peer);
                let reason = match reason {
                    mesh::LeaveReason::Goodbye => LeftReason::Goodbye,
                    mesh::LeaveReason::Timeout => LeftReason::Timeout,
                    mesh::LeaveReason::Removed => LeftReason::Removed,
                };
                self.meeting.on_left(now, peer, reason);
            }
            mesh::Event::Unlinked(key) => {
                self.unwelcome.remove(&key);
                self.parts.drops.on_unlinked(key);
                self.meeting.on_neighbour_left(now, key);
            }
            mesh::Event::Message { from, message } => {
                let for_files = drops::KINDS.contains(&message.kind);
                if for_files && self.takes_files(from) {
                    self.parts.drops.on_message(from, &message);
                } else if !for_files {
                    self.meeting.on_message(now, from, &message);
                }
            }
            mesh::Event::Stream { from, mut stream } => {
                if self.takes_files(from) {
                    self.parts.drops.on_stream(from, stream);
                } else {
                    stream.stop();
                }
            }
            mesh::Event::Renamed { peer, name } => {
                match self.seated.get_mut(&peer) {
                    Some((_, person)) => person.name = name.clone(),
                    None => self.on_visitor_renamed(peer, &name),
                }
                self.meeting.on_renamed(now, peer, name);
            }
            mesh::Event::Warning { code, peer, detail } => self.on_mesh_warning(code, peer, &detail),
        }
    }

    fn on_drop(&mut self, event: drops::Event) {
        match event {
            drops::Event::File { about, what } => {
                let person = self.person(about.link.peer);
                self.meeting.on_file(clock::now(), files::event(about, what, person));
            }
            drops::Event::Warning { code, peer, detail } => {
                let code = WarningCode::parse(code).unwrap_or(WarningCode::Other);
                let person = self.person(peer);
                self.warn(code, Some(person), &failure::sentence(&detail), "");
            }
        }
    }

    pub(super) fn person(&self, peer: PeerId) -> Person {
        self.seated.get(&peer).map_or_else(|| self.meeting.person(peer), |(_, person)| person.clone())
    }

    /// The link under a peer is new: media goes over it from now on.
    pub(super) fn rewire(&mut self, peer: PeerId) {
        if let Some(outlet) = self.parts.mesh.outlet(peer) {
            self.parts.media.on_link(peer, outlet, self.parts.mesh.clock(peer));
        }
    }

    fn on_later(&mut self, later: Later) -> Ends {
        match later {
            Later::LookedUp(found, command, reply) => {
                for (peer, name, addresses) in found {
                    self.meeting.on_found(clock::now(), peer, name, addresses);
                }
                return self.carry_out(command, reply);
            }
            Later::Named(result, reply) => {
                if let Some(own) = super::introduce::own_name(&result) {
                    self.meeting.on_own_username(own);
                }
                let _ = reply.send(result);
            }
            Later::Source(news) => self.on_source(news),
            Later::Decided(result, reply) => self.on_decision(result, reply),
            Later::Remembered(Ok(())) => {}
            Later::Remembered(Err(error)) => {
                self.warn(
                    WarningCode::DiskFailed,
                    None,
                    &failure::sentence(&error.to_string()),
                    "Free space or mend the profile.",
                );
            }
        }
        Ends::Later
    }

    /// Tells everybody which tracks there are now.
    pub(super) fn publish_tracks(&mut self) {
        let now = clock::now();
        let tracks = self.parts.media.tracks();
        for kind in TrackKind::ALL {
            match tracks.iter().find(|track| track.kind == kind) {
                Some(track) => self.meeting.set_track(now, track.clone()),
                None => self.meeting.remove_track(now, kind),
            }
        }
    }

    fn tick(&mut self) {
        drop(self.keep_volumes());
        if clock::now() >= self.typed_until {
            for address in std::mem::take(&mut self.typed) {
                let message = format!("Nobody answers at {address}.");
                let hint = "Check the address, and that somebody is in this room there; it is tried on by itself.";
                self.warn(WarningCode::Other, None, &message, hint);
            }
        }
        self.tell_crashes();
        self.tick_sources();
        let mut peers = BTreeMap::new();
        for peer in self.seated.keys() {
            let mut figures = self.parts.media.stats(*peer);
            figures.link = self.parts.mesh.link_stats(*peer).unwrap_or_default();
            self.parts.media.set_link(*peer, &figures.link);
            peers.insert(*peer, figures);
        }
        // What is lost towards us is the best guess of what is lost on the way back: most bad links are bad both ways.
        let worst = peers.values().filter_map(|peer: &stats::Peer| peer.link.loss).fold(0.0, f64::max);
        self.parts.media.set_loss(worst);
        self.parts.media.keep_in_step();
        // An interface came or went: others must learn the addresses of now.
        let listen = self.parts.endpoint.listen_addresses();
        if listen != self.listen {
            tracing::info!("the addresses of this machine changed");
            self.listen = listen;
            self.announce();
        }
        let rates = self.parts.mesh.rates();
        let stats = stats::Stats { rates, peers, process: platform::process() };
        self.emit(Event::Stats(Box::new(stats)));
    }
}

/// Resolves at `deadline`, or never.
pub async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

async fn introduced(introduced: &mut Option<Introduced>) -> Option<client::Event> {
    match introduced {
        Some(introduced) => introduced.next().await,
        None => std::future::pending().await,
    }
}
