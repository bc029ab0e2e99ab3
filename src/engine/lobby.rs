//! The lobby behind a [`Handle`]: a [`Visit`] with the same commands and events as a meeting, as far as they make sense
//! without one. [`meeting::Lobby`](crate::meeting::lobby::Lobby) decides, the loop here carries out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::commands::{Accept, Ends, usernames};
use super::visit::{self, Visibility, Visit};
use super::words::Wordbook;
use super::{COMMAND_QUEUE, EVENT_QUEUE, Error, Handle, Levels, Pictures, Reply, Service, files};
use crate::config::Profile;
use crate::id::{CallId, LinkKey, PeerId, TransferId, Username};
use crate::identity::Identity;
use crate::meeting::calls::CAPABILITY;
use crate::meeting::lobby::Lobby;
use crate::meeting::{
    Answer, Code, Command, Done, Edit, Event, Failure, Output, Person, Settings, Warning, WarningCode, Work,
};
use crate::share::DisplayName;
use crate::slot::Ring;
use crate::task::Scope;
use crate::{clock, endpoint};

/// Somebody in sight gets at least this long to answer before a file is not offered.
const ANSWER: Duration = Duration::from_secs(10);
/// Files that wait until their recipients are linked. Above, a file is refused.
const MAX_WAITING: usize = 64;

/// What a lobby is started with.
#[derive(Debug, Clone)]
pub struct LobbyConfig {
    /// The profile folder.
    pub profile: Profile,
    /// Who we are.
    pub identity: Arc<Identity>,
    /// The name to show.
    pub name: DisplayName,
    /// Socket and interfaces.
    pub endpoint: endpoint::Config,
    /// Typed addresses.
    pub connect: Vec<(SocketAddr, Option<PeerId>)>,
    /// Open: others see us, with no room, and can call.
    pub visibility: Visibility,
    /// The rendezvous: usernames are looked up and claimed there, and those who know ours find us.
    pub rendezvous: Option<Service>,
    /// What happens to offered files, how calls are taken; the rest is shown by `state`.
    pub settings: Settings,
    /// Where drops land.
    pub download_dir: PathBuf,
}

/// Enters the lobby: binds the socket, looks around, announces us where that is wanted.
pub async fn lobby(config: LobbyConfig) -> Result<Handle, Error> {
    let scope = Scope::new();
    let mut visit = Visit::start(visit::Config {
        profile: config.profile,
        identity: config.identity,
        name: config.name,
        endpoint: config.endpoint,
        connect: config.connect,
        visibility: config.visibility,
        rendezvous: config.rendezvous,
        download_dir: config.download_dir,
        // The lobby holds the accept rule.
        accept: crate::meeting::Accept::Ask,
        capabilities: vec![CAPABILITY.to_owned()],
    })?;
    visit.publish_soon();
    let me = LinkKey { peer: visit.me().peer, instance: visit.instance() };
    let (command_sender, commands) = mpsc::channel(COMMAND_QUEUE);
    let events = Ring::new(EVENT_QUEUE);
    let port = visit.port();
    let later = mpsc::channel(16);
    let actor = Actor {
        lobby: Lobby::new(me, config.settings, rand::random()),
        visit,
        waiting: Vec::new(),
        answering: BTreeMap::new(),
        events: events.clone(),
        words: Wordbook::new(me.peer),
        later,
        scope: scope.clone(),
    };
    scope.spawn(actor.run(commands));
    // Nothing is shown or heard in the lobby.
    Ok(Handle { commands: command_sender, events, scope, port, pictures: Pictures::new(), levels: Levels::new() })
}

/// A file whose recipients are being dialed.
struct Waiting {
    path: PathBuf,
    to: Vec<Person>,
    until: Instant,
    reply: Reply,
}

/// The result of work that was not done at once.
enum Later {
    Named(Result<Done, Failure>, Reply),
    Decided(Result<(Edit, Done), Failure>, Reply),
    LookedUp(Vec<(PeerId, Username, Vec<SocketAddr>)>, Command, Reply),
}

struct Actor {
    visit: Visit,
    lobby: Lobby,
    // At most MAX_WAITING.
    waiting: Vec<Waiting>,
    // Calls that are taken: one at a time.
    answering: BTreeMap<CallId, Reply>,
    events: Ring<Event>,
    words: Wordbook,
    // Overflow: the task that answers waits.
    later: (mpsc::Sender<Later>, mpsc::Receiver<Later>),
    scope: Scope,
}

impl Actor {
    async fn run(mut self, mut commands: mpsc::Receiver<(Command, Reply)>) {
        let scope = self.scope.clone();
        let (me, listen) = (self.visit.me().clone(), self.visit.listen_addresses());
        self.emit(Event::Lobby { me, listen });
        loop {
            self.drain();
            let deadline = self.poll_timeout();
            tokio::select! {
                biased;
                () = scope.cancelled() => break,
                Some((command, reply)) = commands.recv() => {
                    if self.on_command(command, reply) == Ends::Now {
                        break;
                    }
                }
                Some(later) = self.later.1.recv() => {
                    if self.on_later(later) == Ends::Now {
                        break;
                    }
                }
                () = super::actor::until(deadline) => self.on_timeout(),
                event = self.visit.next() => self.on_event(event),
            }
        }
        self.visit.end().await;
        self.events.close();
    }

    fn emit(&self, event: Event) {
        if self.events.push(event).is_some() {
            tracing::warn!("events were lost: nobody reads them");
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.waiting.iter().map(|waiting| waiting.until);
        waiting.chain(self.visit.sight().poll_timeout()).chain(self.lobby.poll_timeout()).min()
    }

    fn on_timeout(&mut self) {
        self.look_at_waiting();
        self.lobby.on_timeout(clock::now(), self.visit.sight());
    }

    /// Carries out what the lobby wants until it wants nothing more, and tells who is in sight.
    fn drain(&mut self) {
        while let Some(output) = self.lobby.poll_output() {
            match output {
                Output::Event(event) => self.emit(event),
                Output::AcceptFile { transfer, .. } => self.answer_offer(transfer, Accept::Yes, None),
                Output::DeclineFile { transfer, .. } => self.answer_offer(transfer, Accept::No, None),
                Output::Reach { peer, addresses, except } => {
                    self.visit.mesh().reach_another(peer, addresses, except);
                }
                Output::SendTo { to, message } => {
                    if let Err(error) = self.visit.mesh().send(to, message) {
                        tracing::debug!(%error, "a word about a call was not sent");
                    }
                }
                Output::Dismiss(key) => self.visit.mesh().release(key),
                Output::Answered { call, result } => {
                    if let Some(reply) = self.answering.remove(&call) {
                        let _ = reply.send(result);
                    }
                }
                other => tracing::error!(?other, "the lobby wants what only a meeting can do"),
            }
        }
        if let Some(nearby) = self.visit.sight_mut().poll(clock::now()) {
            self.emit(Event::Nearby(nearby));
        }
    }

    fn on_event(&mut self, event: visit::Event) {
        match event {
            visit::Event::People => {}
            visit::Event::Linked(linked) => {
                let rings = linked.capabilities.iter().any(|word| word == CAPABILITY);
                self.lobby.on_linked(clock::now(), self.visit.sight(), linked.key, rings);
                self.look_at_waiting();
            }
            visit::Event::Unlinked(key) => self.lobby.on_unlinked(clock::now(), self.visit.sight(), key),
            visit::Event::Message { from, message } => {
                self.lobby.on_message(clock::now(), self.visit.sight(), from, &message);
            }
            visit::Event::File(event) => {
                let trust = self.visit.sight().trust(event.person.peer);
                self.lobby.on_file(event, trust);
            }
            visit::Event::Username(name) => self.lobby.on_own_username(name),
            visit::Event::Warning(warning) => {
                if warning.code == WarningCode::NameLost {
                    self.lobby.on_own_username(None);
                }
                self.emit(Event::Warning(warning));
            }
        }
    }

    /// Carries out a command, after asking the rendezvous about usernames in it.
    fn on_command(&mut self, command: Command, reply: Reply) -> Ends {
        let unknown = usernames(&command);
        match self.visit.rendezvous() {
            Some(handle) if !unknown.is_empty() => {
                let sender = self.later.0.clone();
                self.scope.spawn(async move {
                    let mut found = Vec::new();
                    for name in unknown {
                        if let Ok(owner) = handle.lookup(&name).await {
                            found.push((owner.peer, name, owner.addresses()));
                        }
                    }
                    let _ = sender.send(Later::LookedUp(found, command, reply)).await;
                });
                Ends::Later
            }
            _ => self.carry_out(command, reply),
        }
    }

    fn on_later(&mut self, later: Later) -> Ends {
        match later {
            Later::LookedUp(found, command, reply) => {
                for (peer, name, addresses) in found {
                    self.visit.sight_mut().on_username(peer, name, addresses);
                }
                return self.carry_out(command, reply);
            }
            Later::Decided(result, reply) => {
                let result = result.map(|(edit, done)| {
                    self.visit.on_decided(&edit);
                    done
                });
                let _ = reply.send(result);
            }
            Later::Named(result, reply) => {
                if let Some(own) = super::introduce::own_name(&result) {
                    self.lobby.on_own_username(own);
                }
                let _ = reply.send(result);
            }
        }
        Ends::Later
    }

    fn carry_out(&mut self, command: Command, reply: Reply) -> Ends {
        match self.lobby.on_command(clock::now(), clock::unix_millis(), self.visit.sight_mut(), command) {
            Ok(Answer::Done(done)) => drop(reply.send(Ok(done))),
            Ok(Answer::Work(Work::Offer { path, to })) => self.offer(path, to, reply),
            Ok(Answer::Work(Work::Accept { transfer, .. })) => self.answer_offer(transfer, Accept::Yes, Some(reply)),
            Ok(Answer::Work(Work::Decline { transfer, .. })) => self.answer_offer(transfer, Accept::No, Some(reply)),
            Ok(Answer::Work(Work::Cancel { transfer, .. })) => self.answer_offer(transfer, Accept::Never, Some(reply)),
            Ok(Answer::Work(Work::Decide(edit))) => self.decide(edit, reply),
            Ok(Answer::Work(Work::Words(peer))) => {
                let words = self.words.clone();
                self.scope.spawn_blocking(move || drop(reply.send(Ok(Done::Words(words.with(peer))))));
            }
            Ok(Answer::Work(Work::Answer(call))) => drop(self.answering.insert(call, reply)),
            Ok(Answer::Work(Work::Rename(name))) => {
                self.visit.rename(name);
                let _ = reply.send(Ok(Done::Ok));
            }
            Ok(Answer::Work(work @ (Work::Claim(_) | Work::Release(_)))) => self.name(work, reply),
            Ok(Answer::Work(Work::Leave)) => {
                let _ = reply.send(Ok(Done::Ok));
                return Ends::Now;
            }
            Ok(Answer::Work(work)) => {
                tracing::error!(?work, "the lobby wants what only a meeting can do");
                let _ = reply.send(Err(Failure::new(Code::Internal, "This cannot be done in the lobby.", "")));
            }
            Err(failure) => drop(reply.send(Err(failure))),
        }
        Ends::Later
    }

    fn answer_offer(&self, transfer: TransferId, accept: Accept, reply: Option<Reply>) {
        files::answer(&self.scope, self.visit.drops().clone(), transfer, accept, reply);
    }

    /// Writes a decision about a key down, then it counts.
    fn decide(&self, edit: Edit, reply: Reply) {
        let (store, sender) = (self.visit.known().clone(), self.later.0.clone());
        let words = self.words.clone();
        self.scope.spawn(async move {
            let result = super::trust::write(store, words, edit).await;
            let _ = sender.send(Later::Decided(result, reply)).await;
        });
    }

    fn name(&self, work: Work, reply: Reply) {
        let (handle, sender) = (self.visit.rendezvous(), self.later.0.clone());
        self.scope.spawn(async move {
            let result = super::introduce::name(handle, work).await;
            let _ = sender.send(Later::Named(result, reply)).await;
        });
    }

    /// Dials whoever is to get the file; it is offered once all are linked, or time is up.
    fn offer(&mut self, path: PathBuf, to: Vec<Person>, reply: Reply) {
        if let Err(failure) = visit::check_file(&path) {
            let _ = reply.send(Err(failure));
            return;
        }
        if self.waiting.len() >= MAX_WAITING {
            let message = "Too many files wait for their recipients already.";
            let _ = reply.send(Err(Failure::new(Code::TooManyTransfers, message, "Try again in a moment.")));
            return;
        }
        for person in &to {
            self.visit.reach(person.peer);
        }
        self.waiting.push(Waiting { path, to, until: clock::now() + ANSWER, reply });
        self.look_at_waiting();
    }

    fn look_at_waiting(&mut self) {
        let now = clock::now();
        let linked = |waiting: &Waiting| waiting.to.iter().all(|person| self.visit.is_linked(person.peer));
        let (due, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition(|one: &Waiting| one.until <= now || linked(one));
        self.waiting = waiting;
        for Waiting { path, to, reply, .. } in due {
            let (links, missing): (Vec<_>, Vec<_>) = to
                .into_iter()
                .map(|person| (person.clone(), self.visit.link(person.peer)))
                .partition(|(_, link)| link.is_some());
            let links: Vec<(Person, LinkKey)> =
                links.into_iter().filter_map(|(person, link)| Some((person, link?))).collect();
            let silent: BTreeSet<Person> = missing.into_iter().map(|(person, _)| person).collect();
            self.offer_to(path, links, silent, reply);
        }
    }

    fn offer_to(&self, path: PathBuf, links: Vec<(Person, LinkKey)>, silent: BTreeSet<Person>, reply: Reply) {
        let hint = "Is a firewall in between? Try again in a moment.";
        let words = |person: &Person| format!("{} is in sight but does not answer.", person.name);
        if let (true, Some(first)) = (links.is_empty(), silent.first()) {
            let _ = reply.send(Err(Failure::new(Code::UnknownPeer, words(first), hint)));
            return;
        }
        for person in &silent {
            let (code, message) = (WarningCode::Other, words(person));
            self.emit(Event::Warning(Warning { code, person: Some(person.clone()), message, hint: hint.to_owned() }));
        }
        for (person, _) in &links {
            self.visit.remember(person);
        }
        files::offer_and_answer(&self.scope, self.visit.drops().clone(), self.events.clone(), path, links, reply);
    }
}
