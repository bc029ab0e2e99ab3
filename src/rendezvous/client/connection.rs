//! One connection to a service: dialing it, and what is asked on it. Whatever an answer holds is verified here.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quinn::VarInt;
use tokio::sync::mpsc;

use super::{Config, Error, Found};
use crate::endpoint::{self, ConnectError, Endpoint};
use crate::id::{Instance, PeerId, RoomId, Username};
use crate::identity::Identity;
use crate::rendezvous::errands::{self, Local};
use crate::rendezvous::lease;
use crate::rendezvous::pin::{self, Freshness, Own, Pins};
use crate::rendezvous::record::{Address, Claim, MAX_LIFETIME_MS, Presence, Release, Whereabouts};
use crate::rendezvous::wire::{
    Answer, Hello, Lookup, MAX_ANSWER, Question, Refusal, Refused, Room, Terms, Text, VERSION, Withdraw,
};
use crate::tls::{Alpn, Pin};
use crate::{clock, task};

/// An answer is waited for this long.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Addresses of one host that are tried, each a moment after the one before.
const MAX_ADDRESSES: usize = 4;
/// That moment (RFC 8305, 5).
const STAGGER: Duration = Duration::from_millis(250);
/// A name that the system's resolver does not find in this time is not found.
const RESOLVE_LIMIT: Duration = Duration::from_secs(4);
/// Attempts to find a stamp that the service takes as new.
const STAMP_ATTEMPTS: usize = 3;
/// A presence that is asked to last longer is not believed to be wanted.
const MAX_PRESENCE_MS: u64 = 24 * 3600 * 1000;

/// What the handle and the actor both need.
#[derive(Debug)]
pub struct Shared {
    pub config: Config,
    pub endpoint: Endpoint,
    pub identity: Arc<Identity>,
    pub scope: task::Scope,
    /// Somebody is told by an answer that the service cannot be reached, and needs no event for it.
    pub quiet: AtomicBool,
    pins: Pins,
}

/// A connection whose key is pinned and whose terms are known.
#[derive(Debug)]
pub struct Connected {
    pub service: PeerId,
    pub local: Local,
    pub name_lease: u64,
    pub presence_lease: u64,
    /// This peer's claims as the service knew them at the start, verified.
    pub names: Vec<Claim>,
    connection: quinn::Connection,
    observed: Mutex<Option<SocketAddr>>,
}

/// A claim that came through.
#[derive(Debug, Clone)]
pub struct Granted {
    pub name: Username,
    pub stamp: u64,
    pub lifetime: Duration,
    pub expires: u64,
}

impl Connected {
    /// Resolves when the connection is lost.
    pub async fn lost(&self) -> String {
        self.connection.closed().await.to_string()
    }

    pub fn close(&self) {
        self.connection.close(VarInt::from_u32(0), b"bye");
    }

    /// The address that the service saw last.
    pub fn observed(&self) -> Option<SocketAddr> {
        *self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn see(&self, observed: Option<&Text>) {
        let observed = observed.and_then(Text::parse).and_then(Address::new).map(Address::get);
        *self.observed.lock().unwrap_or_else(PoisonError::into_inner) = observed;
    }
}

impl Shared {
    pub fn new(config: Config, endpoint: Endpoint, identity: Arc<Identity>, scope: task::Scope) -> Self {
        let pins = Pins::new(&config.profile);
        Self { config, endpoint, identity, scope, quiet: AtomicBool::new(false), pins }
    }

    fn place(&self) -> String {
        self.config.service.place()
    }

    fn unreachable(&self, detail: impl Display) -> Error {
        let detail = crate::share::visible(&detail.to_string()).chars().take(200).collect();
        Error::Unreachable { place: self.place(), detail }
    }

    fn lying(&self, what: impl Display) -> Error {
        tracing::warn!(place = self.place(), %what, "the rendezvous cannot be believed");
        Error::Lying(what.to_string())
    }

    /// Runs `work` on the profile's memory, off the async threads.
    async fn memory<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Pins) -> Result<T, pin::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let pins = self.pins.clone();
        let work = self.scope.spawn_blocking(move || work(&pins));
        work.await.map_err(|_| Error::Closed)?.map_err(|error| Error::Profile(error.to_string()))
    }

    /// Finds the service, checks its key, says hello.
    pub async fn connect(&self) -> Result<Connected, Error> {
        let place = self.place();
        let typed = self.config.service.fingerprint;
        let pinned = match typed {
            Some(fingerprint) => Some(fingerprint),
            None => self.memory(move |pins| pins.pinned(&place)).await?,
        };
        let connection = self.dial(pinned.map_or(Pin::Learn, Pin::Exact)).await?;
        let key = endpoint::public_key(&connection).ok_or_else(|| self.unreachable("it has no key"))?.peer_id();
        // Before anything is asked: from now on only this key will do.
        let place = self.place();
        let kept = match typed {
            Some(_) => self.memory(move |pins| pins.repin(&place, key).map(|()| key)).await?,
            None => self.memory(move |pins| pins.pin(&place, key)).await?,
        };
        if kept != key {
            connection.close(VarInt::from_u32(0), b"");
            return Err(Error::KeyChanged { place: self.place() });
        }
        let asked = self.ask(&connection, &Question::Hello(Hello { version: VERSION })).await?;
        match self.or_refused(asked, None)? {
            Answer::Terms(terms) => Ok(self.agreed(connection, key, terms)),
            _ => Err(self.lying("another answer than terms")),
        }
    }

    fn agreed(&self, connection: quinn::Connection, service: PeerId, terms: Terms) -> Connected {
        let me = self.identity.public_key();
        let now = clock::unix_millis();
        let names = terms.names.into_iter();
        // An expired claim of one's own still tells its stamp; one that is not one's own tells nothing.
        let names = names.filter(|claim| claim.key == me && claim.verify(service, now.min(claim.expires())).is_ok());
        let loopback = connection.remote_address().ip().to_canonical().is_loopback();
        let connected = Connected {
            service,
            local: if loopback { Local::Here } else { Local::Elsewhere },
            name_lease: terms.name_lease.clamp(1000, MAX_LIFETIME_MS),
            presence_lease: terms.presence_lease.clamp(1000, MAX_PRESENCE_MS),
            names: names.collect(),
            connection,
            observed: Mutex::new(None),
        };
        connected.see(terms.observed.as_ref());
        tracing::info!(place = self.place(), service = %service.short(), "at the rendezvous");
        connected
    }

    /// Dials all addresses of the host, each a little after the one before; the first that answers rightly wins.
    async fn dial(&self, pin: Pin) -> Result<quinn::Connection, Error> {
        let service = &self.config.service;
        let found = tokio::net::lookup_host((service.host.as_str(), service.port));
        let found = tokio::time::timeout(RESOLVE_LIMIT, found).await;
        let found = found.map_err(|_| self.unreachable("its name was not found in time"))?;
        let addresses: Vec<SocketAddr> = found.map_err(|error| self.unreachable(error))?.take(MAX_ADDRESSES).collect();
        // Holds every outcome: nobody waits.
        let (outcome, mut outcomes) = mpsc::channel(MAX_ADDRESSES);
        let attempts = self.scope.child();
        for (nth, address) in (0..).zip(addresses) {
            let (endpoint, outcome, attempts_ended) = (self.endpoint.clone(), outcome.clone(), attempts.clone());
            attempts.spawn(async move {
                let attempt = async {
                    tokio::time::sleep(STAGGER * nth).await;
                    endpoint.connect(address, pin, Alpn::Rendezvous).await
                };
                tokio::select! {
                    biased;
                    () = attempts_ended.cancelled() => {}
                    result = attempt => { let _ = outcome.send(result).await; }
                }
            });
        }
        drop(outcome);
        let mut worst = ConnectError::Unreachable("its name has no address".to_owned());
        while let Some(result) = outcomes.recv().await {
            match result {
                Ok(connection) => {
                    attempts.cancel();
                    return Ok(connection);
                }
                // A wrong key anywhere is what a person must hear of.
                Err(error) if worst != ConnectError::WrongKey => worst = error,
                Err(_) => {}
            }
        }
        Err(match worst {
            ConnectError::WrongKey => Error::KeyChanged { place: self.place() },
            other => self.unreachable(other),
        })
    }

    async fn ask(&self, connection: &quinn::Connection, question: &Question) -> Result<Result<Answer, Refused>, Error> {
        let asked = async {
            let (mut send, mut receive) = connection.open_bi().await.map_err(|error| error.to_string())?;
            // A service that has heard enough stops reading and answers.
            let _ = send.write_all(&question.message().encode()).await;
            let _ = send.finish();
            receive.read_to_end(MAX_ANSWER).await.map_err(|error| error.to_string())
        };
        let bytes = tokio::time::timeout(ANSWER_LIMIT, asked).await;
        let bytes = bytes.map_err(|_| self.unreachable("no answer in time"))?;
        let bytes = bytes.map_err(|error| self.unreachable(error))?;
        match Answer::decode(&bytes).map_err(|error| self.lying(error))? {
            Answer::Refused(refused) => Ok(Err(refused)),
            answer => Ok(Ok(answer)),
        }
    }

    /// What a refusal means to whoever asked for `name`.
    pub fn refusal(&self, refused: Refused, name: Option<&Username>) -> Error {
        let wait = refused.retry_after.map(|ms| format!("for {} s", ms.div_ceil(1000)));
        match (refused.reason, name) {
            (Refusal::Taken, _) => Error::Taken,
            (Refusal::Unknown, Some(name)) => Error::Unknown(name.clone()),
            (Refusal::Limited, _) => Error::Limited(refused.detail.or(wait).unwrap_or_else(|| "a while".to_owned())),
            (Refusal::Clock, _) => Error::Clock,
            (Refusal::Full, _) => Error::Refused("it holds as much as it can".to_owned()),
            (Refusal::Store, _) => Error::Refused("it cannot store anything now".to_owned()),
            (Refusal::Stale, _) => Error::Refused("it knows a newer record".to_owned()),
            (reason, _) => Error::Refused(refused.detail.unwrap_or_else(|| format!("{reason:?}").to_lowercase())),
        }
    }

    fn or_refused(&self, asked: Result<Answer, Refused>, name: Option<&Username>) -> Result<Answer, Error> {
        asked.map_err(|refused| self.refusal(refused, name))
    }

    /// Claims or renews a name with a stamp that the service takes as new.
    pub async fn claim(&self, to: &Connected, name: &Username) -> Result<Granted, Error> {
        let mut last = self.last_stamp(to, name).await?;
        for _ in 0..STAMP_ATTEMPTS {
            let stamp = lease::next_stamp(clock::unix_millis(), last);
            match self.claim_at(to, name, stamp).await? {
                Ok(granted) => return Ok(granted),
                Err(refused) if refused.reason == Refusal::Stale => last = Some(refused.newest.unwrap_or(stamp)),
                Err(refused) => return Err(self.refusal(refused, Some(name))),
            }
        }
        Err(Error::Refused("it knows a newer claim; is another program using this profile?".to_owned()))
    }

    /// Claims or renews a name with this stamp, and remembers what came of it.
    pub async fn claim_at(
        &self,
        to: &Connected,
        name: &Username,
        stamp: u64,
    ) -> Result<Result<Granted, Refused>, Error> {
        let claim = Claim::sign(&self.identity, to.service, name.clone(), stamp, to.name_lease);
        let service = to.service;
        match self.ask(&to.connection, &Question::Claim(claim)).await? {
            Ok(Answer::Granted(granted)) => {
                let own = Own { name: name.clone(), stamp, held: true };
                self.memory(move |pins| pins.keep_own(service, &own)).await?;
                let lifetime = Duration::from_millis(to.name_lease);
                Ok(Ok(Granted { name: name.clone(), stamp, lifetime, expires: granted.expires }))
            }
            Ok(_) => Err(self.lying("another answer than granted")),
            Err(refused) => {
                if refused.reason == Refusal::Taken {
                    let name = name.clone();
                    self.memory(move |pins| pins.forget_own(service, &name)).await?;
                }
                Ok(Err(refused))
            }
        }
    }

    /// Gives a name back.
    pub async fn release(&self, to: &Connected, name: &Username) -> Result<(), Error> {
        let mut last = self.last_stamp(to, name).await?;
        for _ in 0..STAMP_ATTEMPTS {
            let stamp = lease::next_stamp(clock::unix_millis(), last);
            match self.release_at(to, name, stamp).await? {
                Ok(()) => return Ok(()),
                Err(refused) if refused.reason == Refusal::Stale => last = Some(refused.newest.unwrap_or(stamp)),
                Err(refused) => return Err(self.refusal(refused, Some(name))),
            }
        }
        Err(Error::Refused("it knows a newer claim; is another program using this profile?".to_owned()))
    }

    /// Gives a name back with this stamp. That it is given back is remembered first: should the answer be lost, the
    /// next connection does it again.
    pub async fn release_at(&self, to: &Connected, name: &Username, stamp: u64) -> Result<Result<(), Refused>, Error> {
        let (service, own) = (to.service, Own { name: name.clone(), stamp, held: false });
        self.memory(move |pins| pins.keep_own(service, &own)).await?;
        let release = Release::sign(&self.identity, service, name.clone(), stamp);
        match self.ask(&to.connection, &Question::Release(release)).await? {
            Ok(Answer::Released) => Ok(Ok(())),
            Ok(_) => Err(self.lying("another answer than released")),
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// Who holds a name: the owner's own record, verified, and not older than one seen before.
    pub async fn lookup(&self, to: &Connected, name: &Username) -> Result<Found, Error> {
        let asked = self.ask(&to.connection, &Question::Lookup(Lookup { name: name.clone() })).await?;
        let Answer::Found(found) = self.or_refused(asked, Some(name))? else {
            return Err(self.lying("another answer than found"));
        };
        let (claim, service) = (found.claim, to.service);
        if claim.name.folded() != name.folded() {
            return Err(self.lying("a record of another name"));
        }
        let peer = claim.verify(service, clock::unix_millis()).map_err(|flaw| self.lying(flaw))?;
        let seen = claim.clone();
        if self.memory(move |pins| pins.saw(service, &seen)).await? == Freshness::Stale {
            return Err(self.lying("an older record than before"));
        }
        let presences = self.verified(to, found.presences).into_iter().filter(|p| p.key == claim.key);
        let sightings = presences.map(|presence| errands::sighting(&presence, to.local)).collect();
        Ok(Found { name: claim.name, peer, expires: found.expires, sightings })
    }

    /// Publishes a presence. Gives for how long.
    pub async fn publish(
        &self,
        to: &Connected,
        says: &Whereabouts,
        stamp: u64,
    ) -> Result<Result<Duration, Refused>, Error> {
        let mut says = says.clone();
        // Addresses of this machine itself are for services on it.
        says.addresses.retain(|address| to.local == Local::Here || !address.ip().to_canonical().is_loopback());
        let presence = Presence::sign(&self.identity, to.service, &says, stamp, to.presence_lease);
        match self.ask(&to.connection, &Question::Publish(presence)).await? {
            Ok(Answer::Published(published)) => {
                to.see(published.observed.as_ref());
                Ok(Ok(Duration::from_millis(to.presence_lease)))
            }
            Ok(_) => Err(self.lying("another answer than published")),
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// Takes the presence of a run back.
    pub async fn withdraw(&self, to: &Connected, instance: Instance) -> Result<(), Error> {
        let asked = self.ask(&to.connection, &Question::Withdraw(Withdraw { instance })).await?;
        self.or_refused(asked, None).map(|_| ())
    }

    /// Who is in a room: verified records only.
    pub async fn members(&self, to: &Connected, room: RoomId) -> Result<Vec<Presence>, Error> {
        let asked = self.ask(&to.connection, &Question::Room(Room { room })).await?;
        match self.or_refused(asked, None)? {
            Answer::Members(members) => Ok(self.verified(to, members.presences)),
            _ => Err(self.lying("another answer than members")),
        }
    }

    /// Names that the profile remembers for this service.
    pub async fn own(&self, service: PeerId) -> Result<Vec<Own>, Error> {
        self.memory(move |pins| pins.own(service)).await
    }

    // One forged presence among many does not spoil the others: it is left out and said.
    fn verified(&self, to: &Connected, presences: Vec<Presence>) -> Vec<Presence> {
        let now = clock::unix_millis();
        let judged = presences.into_iter().filter(|presence| match presence.verify(to.service, now) {
            Ok(_) => true,
            Err(flaw) => {
                let _ = self.lying(format_args!("a presence: {flaw}"));
                false
            }
        });
        judged.collect()
    }

    async fn last_stamp(&self, to: &Connected, name: &Username) -> Result<Option<u64>, Error> {
        let folded = name.folded();
        let listed = to.names.iter().filter(|claim| claim.name.folded() == folded).map(|claim| claim.stamp);
        let own = self.own(to.service).await?;
        let remembered = own.iter().filter(|own| own.name.folded() == folded).map(|own| own.stamp);
        Ok(listed.chain(remembered).max())
    }
}
