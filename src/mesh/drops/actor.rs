//! The actor behind [`Drops`](super::Drops).

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::{Command, Config, Input, Links, OfferError};
use crate::clock;
use crate::id::{LinkKey, TransferId};
use crate::mesh::blob::{self, Incoming as _, Landing, Report, Source, SourceError};
use crate::mesh::transfer::{Event, Fault, Hash, Head, Offer, Output, Reason, Span, Transfers, What, Word};
use crate::share::FileName;
use crate::task::Scope;

/// Results of the actor's own tasks. Overflow: a task waits; progress is left out.
const RESULTS: usize = 256;
/// Streams of one link that have not yet said what they carry; more are stopped.
const HEADS: usize = 16;
/// Waiting events above which progress is left out.
const FULL: usize = 64;
/// Waiting events above which offers are left out: somebody floods, and nobody looks.
const FLOODED: usize = 1024;

/// For the tasks to end; a disk may be slow.
const END_LIMIT: Duration = Duration::from_secs(1);

/// What a task of the actor found.
enum Found<S> {
    Source { path: PathBuf, to: LinkKey, looked: Result<Source, SourceError>, reply: Reply },
    Prepared { transfer: TransferId, landing: Result<Landing, Reason> },
    Head { from: LinkKey, stream: Option<(Head, S, Bytes)> },
    Report { transfer: TransferId, report: Report },
    Received { transfer: TransferId, attempt: u32, end: Result<(PathBuf, Hash), Fault> },
    Sent { transfer: TransferId, attempt: u32, end: Result<Hash, Fault> },
}

type Reply = oneshot::Sender<Result<TransferId, OfferError>>;

/// The bytes of one transfer.
struct Bytework<T> {
    // None while an incoming file is being prepared.
    what: Option<Arc<Mutex<T>>>,
    called_off: Arc<AtomicBool>,
    attempt: Option<AbortHandle>,
}

impl<T> Bytework<T> {
    fn new(what: Option<T>) -> Self {
        Self { what: what.map(|what| Arc::new(Mutex::new(what))), called_off: Arc::default(), attempt: None }
    }

    fn stop(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            attempt.abort();
        }
    }
}

pub(super) struct Actor<L: Links> {
    links: L,
    // Of its own tasks.
    scope: Scope,
    folder: PathBuf,
    transfers: Transfers,
    // As many as there are transfers.
    outgoing: BTreeMap<TransferId, Bytework<Source>>,
    incoming: BTreeMap<TransferId, Bytework<Landing>>,
    // Links with streams whose heads are awaited, at most HEADS each.
    heads: BTreeMap<LinkKey, usize>,
    // See FULL and FLOODED.
    events: VecDeque<Event>,
    results: mpsc::Sender<Found<L::Incoming>>,
    found: Option<mpsc::Receiver<Found<L::Incoming>>>,
}

impl<L: Links> Actor<L> {
    pub(super) fn new(config: Config, links: L, scope: Scope) -> Self {
        let (results, found) = mpsc::channel(RESULTS);
        Self {
            links,
            scope,
            folder: config.download_dir,
            transfers: Transfers::new(config.accept),
            outgoing: BTreeMap::new(),
            incoming: BTreeMap::new(),
            heads: BTreeMap::new(),
            events: VecDeque::new(),
            results,
            found: Some(found),
        }
    }

    /// Runs until `stop` is cancelled or told to.
    pub(super) async fn run(
        mut self,
        stop: Scope,
        mut inbox: mpsc::Receiver<Input<L::Incoming>>,
        events: mpsc::Sender<Event>,
    ) {
        let Some(mut found) = self.found.take() else { return };
        let folder = self.folder.clone();
        self.scope.spawn_blocking(move || {
            let removed = blob::remove_leftovers(&folder);
            if removed > 0 {
                tracing::info!(removed, "temporary files of earlier runs removed");
            }
        });
        let mut ended = None;
        while ended.is_none() {
            let due = self.transfers.poll_timeout();
            let timer = async move {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Ok(permit) = events.reserve(), if !self.events.is_empty() => {
                    if let Some(event) = self.events.pop_front() {
                        permit.send(event);
                    }
                }
                Some(found) = found.recv() => self.on_found(found),
                () = timer => self.transfers.on_timeout(clock::now()),
                input = inbox.recv() => match input {
                    Some(Input::Command(Command::Shutdown { reply })) => ended = Some(reply),
                    Some(input) => self.on_input(input),
                    None => break,
                },
            }
            self.drain();
        }
        self.transfers.cancel_all(clock::now());
        self.drain();
        for event in self.events.drain(..) {
            let _ = events.try_send(event);
        }
        // Its tasks no longer find anybody to report to, and temporary files are gone when this ends.
        drop(found);
        self.scope.finish(END_LIMIT).await;
        if let Some(reply) = ended {
            let _ = reply.send(());
        }
    }

    fn on_input(&mut self, input: Input<L::Incoming>) {
        let now = clock::now();
        match input {
            Input::Command(command) => self.on_command(command),
            Input::Linked(link) => self.transfers.on_linked(now, link),
            Input::Visitor(link) => self.transfers.on_visitor(now, link),
            Input::Unlinked(link) => self.transfers.on_unlinked(now, link),
            Input::Withheld(link) => self.transfers.on_withheld(now, link),
            Input::Message { from, message } => {
                if self.events.len() < FLOODED || !matches!(Word::read(&message), Some(Word::Offer(Offer { .. }))) {
                    self.transfers.on_message(now, from, &message);
                }
            }
            Input::Stream { from, mut stream } => {
                let waiting = self.heads.entry(from).or_default();
                if *waiting >= HEADS {
                    stream.stop();
                    return;
                }
                *waiting += 1;
                let results = self.results.clone();
                self.scope.spawn(async move {
                    let stream = blob::read_head(stream).await;
                    let _ = results.send(Found::Head { from, stream }).await;
                });
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Offer { path, to, reply } => {
                let results = self.results.clone();
                self.scope.spawn_blocking(move || {
                    let looked = Source::look(&path);
                    let _ = results.blocking_send(Found::Source { path, to, looked, reply });
                });
            }
            Command::Accept { transfer, reply } => {
                let _ = reply.send(self.transfers.accept(transfer));
            }
            Command::Decline { transfer, reply } => {
                let _ = reply.send(self.transfers.decline(transfer));
            }
            Command::Cancel { transfer, reply } => {
                let _ = reply.send(self.transfers.cancel(clock::now(), transfer));
            }
            Command::SetAccept(accept) => self.transfers.set_accept(accept),
            Command::Shutdown { reply } => drop(reply),
        }
    }

    fn on_found(&mut self, found: Found<L::Incoming>) {
        let now = clock::now();
        match found {
            Found::Source { path, to, looked, reply } => {
                let _ = reply.send(looked.map_err(OfferError::from).and_then(|source| self.offer(path, to, source)));
            }
            Found::Prepared { transfer, landing } => {
                let ready = match (landing, self.incoming.get_mut(&transfer)) {
                    (Ok(landing), Some(work)) => {
                        work.what = Some(Arc::new(Mutex::new(landing)));
                        Ok(())
                    }
                    (Err(reason), _) => Err(reason),
                    (Ok(landing), None) => {
                        self.discard(landing);
                        return;
                    }
                };
                self.transfers.on_prepared(now, transfer, ready);
            }
            Found::Head { from, stream } => {
                if let Some(waiting) = self.heads.get_mut(&from) {
                    *waiting = waiting.saturating_sub(1);
                    if *waiting == 0 {
                        self.heads.remove(&from);
                    }
                }
                if let Some((head, stream, rest)) = stream {
                    self.on_head(from, head, stream, rest);
                }
            }
            Found::Report { transfer, report: Report::Written(done) } => {
                self.transfers.on_written(now, transfer, done);
            }
            Found::Report { transfer, report: Report::Storing } => self.transfers.on_storing(now, transfer),
            Found::Received { transfer, attempt, end } => self.transfers.on_received(now, transfer, attempt, end),
            Found::Sent { transfer, attempt, end } => self.transfers.on_sent(now, transfer, attempt, end),
        }
    }

    fn offer(&mut self, path: PathBuf, to: LinkKey, source: Source) -> Result<TransferId, OfferError> {
        let transfer = TransferId::draw();
        self.transfers.offer(clock::now(), transfer, to, source.name(), source.size(), path)?;
        self.outgoing.insert(transfer, Bytework::new(Some(source)));
        Ok(transfer)
    }

    fn on_head(&mut self, from: LinkKey, head: Head, mut stream: L::Incoming, rest: Bytes) {
        let expected = self.transfers.on_stream(clock::now(), from, head);
        let work = self.incoming.get_mut(&head.id);
        let (Some(expected), Some((landing, work))) = (expected, work.and_then(|w| Some((w.what.clone()?, w)))) else {
            stream.stop();
            return;
        };
        work.stop();
        let (scope, results, reports) = (self.scope.clone(), self.results.clone(), self.results.clone());
        let Head { id: transfer, attempt } = head;
        // Called on the disk's thread, which may wait; progress that finds no room is soon replaced by newer.
        let report = move |report| {
            let found = Found::Report { transfer, report };
            let _ = match report {
                Report::Written(done) if done < expected.size => reports.try_send(found).is_ok(),
                _ => reports.blocking_send(found).is_ok(),
            };
        };
        let task = self.scope.spawn(async move {
            let end = blob::receive(&scope, landing, expected, stream, rest, report).await;
            let _ = results.send(Found::Received { transfer, attempt, end }).await;
        });
        work.attempt = Some(task.abort_handle());
    }

    fn drain(&mut self) {
        while let Some(output) = self.transfers.poll_output() {
            match output {
                // A link that is gone or chokes: the transfer asks again, or ends by its timers.
                Output::Send { to, message } => {
                    let _ = self.links.send(to, message);
                }
                Output::Event(event) => {
                    let progress = matches!(event, Event::File { what: What::Progress(_), .. });
                    if !progress || self.events.len() < FULL {
                        self.events.push_back(event);
                    }
                }
                Output::Open { transfer, link, attempt, spans } => self.open(transfer, link, attempt, spans),
                Output::Prepare { transfer, file, size, reserved } => self.prepare(transfer, file, size, reserved),
                Output::Close { transfer } => self.close(transfer),
            }
        }
    }

    fn open(&mut self, transfer: TransferId, link: LinkKey, attempt: u32, spans: Vec<Span>) {
        let Some(work) = self.outgoing.get_mut(&transfer) else { return };
        work.stop();
        let Some(source) = work.what.clone() else { return };
        let (links, scope, results) = (self.links.clone(), self.scope.clone(), self.results.clone());
        let task = self.scope.spawn(async move {
            let end = match links.open_stream(link).await {
                Ok(stream) => {
                    let head = Head { id: transfer, attempt };
                    blob::send(&scope, source, head, spans, stream, || links.file_allowance(link)).await
                }
                Err(_) => Err(Fault::Broken),
            };
            let _ = results.send(Found::Sent { transfer, attempt, end }).await;
        });
        work.attempt = Some(task.abort_handle());
    }

    fn prepare(&mut self, transfer: TransferId, file: FileName, size: u64, reserved: u64) {
        let work = Bytework::new(None);
        let (folder, called_off) = (self.folder.clone(), Arc::clone(&work.called_off));
        self.incoming.insert(transfer, work);
        let results = self.results.clone();
        self.scope.spawn_blocking(move || {
            let landing = Landing::prepare(&folder, file, size, reserved, called_off);
            let _ = results.blocking_send(Found::Prepared { transfer, landing });
        });
    }

    fn close(&mut self, transfer: TransferId) {
        if let Some(mut work) = self.outgoing.remove(&transfer) {
            work.stop();
        }
        if let Some(mut work) = self.incoming.remove(&transfer) {
            work.called_off.store(true, Ordering::Release);
            work.stop();
            self.discard(work.what);
        }
    }

    // Dropping a landing removes its temporary file: a matter for the disk's threads.
    fn discard<T: Send + 'static>(&self, landing: T) {
        self.scope.spawn_blocking(move || drop(landing));
    }
}
