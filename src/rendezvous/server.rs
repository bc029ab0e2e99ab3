//! The service: takes connections, reads questions, answers from the registry.
//!
//! It holds no policy. [`limit`] says whether a question may be asked, [`registry`] answers it, [`store`] makes changes
//! durable before the answer leaves. Reading questions never wait for the disk; changes wait for their turn, so that
//! what was decided is still true when it is applied.
//!
//! Each connection has a task, each question another; a connection may ask [`STREAMS`] at once, so the work that
//! waits is bounded by the connections. A question has [`ASKING_LIMIT`] to arrive. Bytes that are no question are
//! answered with a refusal and otherwise ignored. A store that fails ends the service: [`Served::failed`] says why.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quinn::VarInt;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::endpoint::{self, Endpoint};
use crate::id::PeerId;
use crate::rendezvous::limit::{self, Cost, Limits, Origin};
use crate::rendezvous::registry::{self, Change, Registry};
use crate::rendezvous::store::{self, sqlite::Store};
use crate::rendezvous::wire::{
    Answer, Error, Found, Granted, Hello, MAX_NAMES, MAX_QUESTION, Members, Published, Question, Refusal, Refused,
    Terms, Text, VERSION,
};
use crate::tls::Alpn;
use crate::{clock, task};

/// Questions of one connection that are answered at once; more wait on the other side.
const STREAMS: u32 = 8;
/// A question has this long to arrive whole, and its answer to be taken.
const ASKING_LIMIT: Duration = Duration::from_secs(5);
/// How often expired records are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);
/// Expired names removed in one go.
const SWEEP_NAMES: usize = 500;

/// How to serve.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where names are kept.
    pub store: store::Location,
    /// Leases and caps.
    pub registry: registry::Config,
    /// Rates.
    pub limits: limit::Config,
}

impl Config {
    /// The defaults, with names kept in a SQLite database at `path`.
    pub fn at(path: PathBuf) -> Self {
        Self {
            store: store::Location::Sqlite(path),
            registry: registry::Config::default(),
            limits: limit::Config::default(),
        }
    }
}

#[derive(Debug)]
struct Desk {
    registry: Mutex<Registry>,
    limits: Mutex<Limits>,
    store: Mutex<Store>,
    // Of one: held while a change is decided, made durable and applied. Bounded by the connections and their streams.
    turn: Arc<Semaphore>,
    failed: watch::Sender<Option<Arc<store::Error>>>,
    scope: task::Scope,
}

/// A running service.
#[derive(Debug)]
pub struct Served {
    desk: Arc<Desk>,
}

/// Opens the store and serves on `endpoint` until `scope` is cancelled. Blocks on the disk while it opens.
pub fn serve(
    config: Config,
    endpoint: &Endpoint,
    service: PeerId,
    scope: &task::Scope,
) -> Result<Served, store::Error> {
    let store::Location::Sqlite(path) = &config.store;
    let (store, rows) = Store::open(path, service)?;
    tracing::info!(names = rows.len(), service = %service.short(), "serving");
    let desk = Arc::new(Desk {
        registry: Mutex::new(Registry::new(config.registry, service, rows)),
        limits: Mutex::new(Limits::new(config.limits)),
        store: Mutex::new(store),
        turn: Arc::new(Semaphore::new(1)),
        failed: watch::channel(None).0,
        scope: scope.child(),
    });
    let connections = endpoint.accept(Alpn::Rendezvous);
    desk.scope.spawn(accept(Arc::clone(&desk), connections));
    desk.scope.spawn(sweep(Arc::clone(&desk)));
    Ok(Served { desk })
}

impl Served {
    /// Resolves when the store failed, with the reason; pending while all is well.
    pub async fn failed(&self) -> Arc<store::Error> {
        let mut failed = self.desk.failed.subscribe();
        let reason = failed.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        match reason {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }

    /// Names and presences held, and connections open.
    pub fn size(&self) -> (usize, usize, usize) {
        let (names, presences) = lock(&self.desk.registry).size();
        (names, presences, lock(&self.desk.limits).open())
    }

    /// Stops answering and lets what is being written finish.
    pub async fn stop(&self) {
        self.desk.scope.finish(Duration::from_secs(1)).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(desk: Arc<Desk>, mut connections: mpsc::Receiver<quinn::Connection>) {
    loop {
        let connection = tokio::select! {
            biased;
            () = desk.scope.cancelled() => return,
            connection = connections.recv() => connection,
        };
        let Some(connection) = connection else { return };
        let origin = Origin::from(connection.remote_address().ip());
        let allowed = lock(&desk.limits).on_connect(clock::now(), origin);
        match (allowed, endpoint::public_key(&connection)) {
            (Ok(()), Some(key)) => {
                desk.scope.spawn(attend(Arc::clone(&desk), connection, key.peer_id(), origin));
            }
            (Ok(()), None) => lock(&desk.limits).on_closed(origin),
            (Err(_), _) => connection.close(VarInt::from_u32(1), b"limited"),
        }
    }
}

/// Answers one connection's questions until it ends.
async fn attend(desk: Arc<Desk>, connection: quinn::Connection, asker: PeerId, origin: Origin) {
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(STREAMS));
    connection.set_max_concurrent_uni_streams(VarInt::from_u32(0));
    loop {
        tokio::select! {
            biased;
            () = desk.scope.cancelled() => break connection.close(VarInt::from_u32(0), b"stopping"),
            // Nothing is sent that way; reading it keeps it from piling up.
            datagram = connection.read_datagram() => if datagram.is_err() { break },
            stream = connection.accept_bi() => match stream {
                Ok((send, receive)) => {
                    let seen = connection.remote_address();
                    let answering = answer_stream(Arc::clone(&desk), send, receive, asker, origin, seen);
                    desk.scope.spawn(async move {
                        let _ = tokio::time::timeout(ASKING_LIMIT, answering).await;
                    });
                }
                Err(_) => break,
            },
        }
    }
    lock(&desk.limits).on_closed(origin);
}

async fn answer_stream(
    desk: Arc<Desk>,
    mut send: quinn::SendStream,
    mut receive: quinn::RecvStream,
    asker: PeerId,
    origin: Origin,
    seen: SocketAddr,
) {
    let question = match receive.read_to_end(MAX_QUESTION).await {
        Ok(bytes) => Question::decode(&bytes),
        Err(quinn::ReadToEndError::TooLong) => Err(Error::NotOne),
        Err(quinn::ReadToEndError::Read(_)) => return,
    };
    let answer = match question {
        Ok(question) => desk.answer(question, asker, origin, seen).await,
        Err(Error::UnknownKind(kind)) => {
            tracing::debug!(kind, "a question from the future");
            Answer::Refused(Refusal::UnknownQuestion.into())
        }
        Err(error) => {
            tracing::debug!(%error, peer = %asker.short(), "no question");
            let _ = receive.stop(VarInt::from_u32(1));
            Answer::Refused(Refusal::Malformed.into())
        }
    };
    if send.write_all(&answer.message().encode()).await.is_ok() {
        let _ = send.finish();
        // Lets the answer leave before the stream is dropped.
        let _ = send.stopped().await;
    }
}

impl Desk {
    async fn answer(self: &Arc<Self>, question: Question, asker: PeerId, origin: Origin, seen: SocketAddr) -> Answer {
        let cost = match question {
            Question::Claim(_) | Question::Release(_) => Cost::Write,
            _ => Cost::Light,
        };
        if let Err(wait) = lock(&self.limits).on_question(clock::now(), origin, asker, cost) {
            let retry_after = Some(u64::try_from(wait.after.as_millis()).unwrap_or(u64::MAX));
            return Answer::Refused(Refused { retry_after, ..Refusal::Limited.into() });
        }
        let now = clock::unix_millis();
        let observed = Some(Text::new(seen));
        let answer = match question {
            Question::Hello(Hello { .. }) => Ok(Answer::Terms(self.terms(now, asker, observed))),
            Question::Claim(claim) => self
                .change(move |registry| {
                    registry.claim(now, asker, claim.clone()).map(|grant| (grant.expires, grant.change))
                })
                .await
                .map(|expires| Answer::Granted(Granted { expires })),
            Question::Release(release) => self
                .change(move |registry| registry.release(now, asker, &release).map(|change| ((), Some(change))))
                .await
                .map(|()| Answer::Released),
            Question::Lookup(lookup) => lock(&self.registry)
                .lookup(now, &lookup.name)
                .map(|(row, presences)| Answer::Found(Found { claim: row.claim, expires: row.expires, presences }))
                .ok_or_else(|| Refusal::Unknown.into()),
            Question::Publish(presence) => {
                lock(&self.registry).publish(now, asker, presence).map(|_| Answer::Published(Published { observed }))
            }
            Question::Withdraw(withdraw) => {
                lock(&self.registry).withdraw(asker, withdraw.instance);
                Ok(Answer::Withdrawn)
            }
            Question::Room(room) => {
                let presences = lock(&self.registry).members(now, asker, room.room);
                Ok(Answer::Members(Members { presences }))
            }
        };
        answer.unwrap_or_else(Answer::Refused)
    }

    fn terms(&self, now: u64, asker: PeerId, observed: Option<Text>) -> Terms {
        let registry = lock(&self.registry);
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Terms {
            version: VERSION,
            name_lease: millis(registry.config().name_lease),
            presence_lease: millis(registry.config().presence_lease),
            observed,
            names: registry.names_of(now, asker).take(MAX_NAMES).cloned().collect(),
        }
    }

    /// Decides, makes durable, applies; one at a time. All of it in one piece of blocking work that runs to its end, so
    /// that a connection that goes away in between cannot part the store from the registry.
    async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        decide: impl Fn(&Registry) -> Result<(T, Option<Change>), Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        // What needs no writing is answered without waiting for those who write.
        if let (done, None) = decide(&lock(&self.registry))? {
            return Ok(done);
        }
        let gone = |_| Refused::from(Refusal::Store);
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| Refused::from(Refusal::Store))?;
        let desk = Arc::clone(self);
        let work = self.scope.spawn_blocking(move || {
            let _turn = turn;
            let (done, change) = decide(&lock(&desk.registry))?;
            desk.commit(change.into_iter().collect())?;
            Ok(done)
        });
        work.await.map_err(gone)?
    }

    fn commit(&self, changes: Vec<Change>) -> Result<(), Refused> {
        if changes.is_empty() {
            return Ok(());
        }
        if let Err(error) = lock(&self.store).apply_all(&changes) {
            tracing::error!(%error, "the store failed");
            self.failed.send_replace(Some(Arc::new(error)));
            return Err(Refusal::Store.into());
        }
        let mut registry = lock(&self.registry);
        changes.into_iter().for_each(|change| registry.apply(change));
        Ok(())
    }
}

async fn sweep(desk: Arc<Desk>) {
    loop {
        tokio::select! {
            biased;
            () = desk.scope.cancelled() => return,
            () = tokio::time::sleep(SWEEP_INTERVAL) => {}
        }
        let Ok(turn) = Arc::clone(&desk.turn).acquire_owned().await else { return };
        let sweeping = Arc::clone(&desk);
        let work = desk.scope.spawn_blocking(move || {
            let _turn = turn;
            let changes = lock(&sweeping.registry).sweep(clock::unix_millis(), SWEEP_NAMES);
            sweeping.commit(changes)
        });
        if let Ok(Err(_)) | Err(_) = work.await {
            return;
        }
    }
}
