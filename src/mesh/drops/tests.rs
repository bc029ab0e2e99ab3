//! Drops over streams in memory, with faults that a real network rarely shows on demand.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::id::{Instance, PeerId};
use crate::mesh::link::StreamEnded;
use crate::mesh::transfer::{GROUP_BYTES, GROUP_HEAD, HEAD, OFFER, WANT, Want};
use crate::mesh::{self};

const A: LinkKey = LinkKey { peer: PeerId::from_bytes([1; 32]), instance: Instance::from_u64(1) };
const B: LinkKey = LinkKey { peer: PeerId::from_bytes([2; 32]), instance: Instance::from_u64(2) };
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
struct Faults {
    // Streams of an older life are broken; a link is down while its life is odd.
    life: AtomicU64,
    // A stream breaks after so many bytes, once for each.
    break_after: Mutex<Option<usize>>,
    // The byte at this place of the next stream is flipped.
    flip_at: Mutex<Option<usize>>,
    // These bytes are put in before the end of the next stream.
    extra: Mutex<Option<Bytes>>,
    stopped: AtomicUsize,
}

#[derive(Debug)]
enum Parcel {
    Message(Message),
    Stream(Reader),
}

#[derive(Debug)]
struct Writer {
    to: Option<mpsc::Sender<Bytes>>,
    faults: Arc<Faults>,
    life: u64,
    written: usize,
}

#[derive(Debug)]
struct Reader {
    from: mpsc::Receiver<Bytes>,
    faults: Arc<Faults>,
    life: u64,
    finished: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Out {
    writer: Writer,
    finished: Arc<AtomicUsize>,
}

impl Outgoing for Out {
    async fn write(&mut self, chunk: Bytes) -> Result<(), StreamEnded> {
        let w = &mut self.writer;
        let break_now = {
            let mut at = w.faults.break_after.lock().expect("no panic");
            let due = at.is_some_and(|at| w.written + chunk.len() > at);
            if due {
                *at = None;
            }
            due
        };
        if break_now {
            w.to = None;
        }
        let mut chunk = chunk.to_vec();
        {
            let mut flip = w.faults.flip_at.lock().expect("no panic");
            if let Some(byte) = flip.and_then(|at| at.checked_sub(w.written)).and_then(|at| chunk.get_mut(at)) {
                *byte ^= 1;
                *flip = None;
            }
        }
        w.written += chunk.len();
        let to = w.to.as_ref().ok_or(StreamEnded::Lost)?;
        if w.faults.life.load(Ordering::Acquire) != w.life {
            return Err(StreamEnded::Lost);
        }
        to.send(Bytes::from(chunk)).await.map_err(|_| StreamEnded::Stopped)
    }

    fn finish(&mut self) {
        let extra = self.writer.faults.extra.lock().expect("no panic").take();
        if let (Some(extra), Some(to)) = (extra, &self.writer.to) {
            to.try_send(extra).expect("a place in the queue");
        }
        self.finished.store(1, Ordering::Release);
        self.writer.to = None;
    }

    fn reset(&mut self) {
        self.writer.to = None;
    }
}

impl Incoming for Reader {
    async fn read(&mut self, limit: usize) -> Result<Option<Bytes>, StreamEnded> {
        let chunk = self.from.recv().await;
        if self.faults.life.load(Ordering::Acquire) != self.life {
            return Err(StreamEnded::Lost);
        }
        match chunk {
            Some(chunk) => {
                assert!(chunk.len() <= limit);
                Ok(Some(chunk))
            }
            None if self.finished.load(Ordering::Acquire) == 1 => Ok(None),
            None => Err(StreamEnded::Stopped),
        }
    }

    fn stop(&mut self) {
        self.faults.stopped.fetch_add(1, Ordering::AcqRel);
        self.from.close();
    }
}

#[derive(Debug, Clone)]
struct Cable {
    to: mpsc::Sender<Parcel>,
    faults: Arc<Faults>,
    allowance: Option<Bitrate>,
}

impl Links for Cable {
    type Outgoing = Out;
    type Incoming = Reader;

    fn send(&self, _: LinkKey, message: Message) -> Result<(), mesh::Refused> {
        if self.faults.life.load(Ordering::Acquire) % 2 == 1 {
            return Err(mesh::Refused::NotLinked);
        }
        self.to.try_send(Parcel::Message(message)).map_err(|_| mesh::Refused::Full)
    }

    async fn open_stream(&self, _: LinkKey) -> Result<Out, mesh::Refused> {
        let life = self.faults.life.load(Ordering::Acquire);
        if life % 2 == 1 {
            return Err(mesh::Refused::NotLinked);
        }
        // Overflow: the writer waits, as a full QUIC stream makes it.
        let (to, from) = mpsc::channel(4);
        let finished = Arc::default();
        let reader = Reader { from, faults: Arc::clone(&self.faults), life, finished: Arc::clone(&finished) };
        self.to.send(Parcel::Stream(reader)).await.map_err(|_| mesh::Refused::NotLinked)?;
        Ok(Out { writer: Writer { to: Some(to), faults: Arc::clone(&self.faults), life, written: 0 }, finished })
    }

    fn file_allowance(&self, _: LinkKey) -> Option<Bitrate> {
        self.allowance
    }
}

struct Side {
    drops: Drops<Cable>,
    events: mpsc::Receiver<Event>,
    folder: TempDir,
}

/// Two sides with a link.
struct Pair {
    scope: Scope,
    faults: Arc<Faults>,
    a: Side,
    b: Side,
}

fn side(scope: &Scope, to: mpsc::Sender<Parcel>, faults: &Arc<Faults>, rate: Option<Bitrate>, accept: Accept) -> Side {
    let folder = tempfile::tempdir().expect("a folder");
    let cable = Cable { to, faults: Arc::clone(faults), allowance: rate };
    let config = Config { download_dir: folder.path().join("downloads"), accept };
    let (drops, events) = Drops::start(config, cable, scope);
    Side { drops, events, folder }
}

fn pump(scope: &Scope, mut parcels: mpsc::Receiver<Parcel>, from: LinkKey, drops: Drops<Cable>) {
    scope.spawn(async move {
        while let Some(parcel) = parcels.recv().await {
            match parcel {
                Parcel::Message(message) => assert!(drops.on_message(from, &message)),
                Parcel::Stream(stream) => drops.on_stream(from, stream),
            }
        }
    });
}

impl Pair {
    fn new(accept: Accept) -> Self {
        Self::at(None, accept)
    }

    fn at(rate: Option<Bitrate>, accept: Accept) -> Self {
        let (scope, faults) = (Scope::new(), Arc::default());
        let (to_a, at_a) = mpsc::channel(4096);
        let (to_b, at_b) = mpsc::channel(4096);
        let a = side(&scope, to_b, &faults, rate, Accept::Ask);
        let b = side(&scope, to_a, &faults, rate, accept);
        a.drops.on_linked(B);
        b.drops.on_linked(A);
        pump(&scope, at_a, B, a.drops.clone());
        pump(&scope, at_b, A, b.drops.clone());
        Self { scope, faults, a, b }
    }

    fn file(&self, name: &str, size: usize) -> PathBuf {
        let path = self.a.folder.path().join(name);
        let bytes: Vec<u8> = (0..size).map(|i| (i / 255 + i).to_le_bytes()[0]).collect();
        std::fs::write(&path, bytes).expect("written");
        path
    }

    async fn offer(&self, path: &Path) -> TransferId {
        self.a.drops.offer(path.to_owned(), B).await.expect("offered")
    }

    async fn end(self) {
        assert!(self.scope.finish(LIMIT).await);
        let left: Vec<_> = files(&self.b).into_iter().filter(|name| name.ends_with(".part")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn files(side: &Side) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(side.folder.path().join("downloads")) else { return Vec::new() };
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The next news that is no progress.
async fn next(side: &mut Side) -> (About, What) {
    loop {
        match tokio::time::timeout(LIMIT, side.events.recv()).await.expect("news in time").expect("not ended") {
            Event::File { what: What::Progress(_), .. } => {}
            Event::File { about, what } => return (about, what),
            Event::Warning { code, .. } => panic!("{code}"),
        }
    }
}

async fn until_over(side: &mut Side) -> What {
    loop {
        match next(side).await.1 {
            What::Offered | What::Accepted => {}
            over => return over,
        }
    }
}

fn assert_same(what: &What, original: &Path) {
    let What::Done { path, blake3 } = what else { panic!("{what:?}") };
    let bytes = std::fs::read(original).expect("there");
    assert_eq!(blake3, blake3::hash(&bytes).as_bytes());
    assert!(std::fs::read(path).expect("stored") == bytes, "another content");
}

#[tokio::test]
async fn a_file_of_any_size_arrives_whole() {
    let mut pair = Pair::new(Accept::All);
    for size in [0, 1, GROUP_BYTES - 1, GROUP_BYTES, GROUP_BYTES + 1, 5 * GROUP_BYTES + 77] {
        let path = pair.file(&format!("{size}.bin"), size);
        pair.offer(&path).await;
        let (out, inn) = (until_over(&mut pair.a).await, until_over(&mut pair.b).await);
        assert_same(&out, &path);
        assert_same(&inn, &path);
    }
    pair.end().await;
}

#[tokio::test]
async fn nothing_moves_before_a_person_accepts() {
    let mut pair = Pair::new(Accept::Ask);
    let path = pair.file("a.txt", 1000);
    let transfer = pair.offer(&path).await;
    let (about, what) = next(&mut pair.b).await;
    assert_eq!((about.transfer, about.direction, about.size, what), (transfer, Direction::In, 1000, What::Offered));
    assert!(files(&pair.b).is_empty());
    assert_eq!(pair.b.drops.accept(transfer).await, Ok(()));
    assert_eq!(next(&mut pair.b).await.1, What::Accepted);
    assert_same(&until_over(&mut pair.a).await, &path);
    assert_same(&until_over(&mut pair.b).await, &path);
    assert_eq!(pair.b.drops.accept(transfer).await, Err(CommandError::Refused(Refused::Unknown)));
    pair.end().await;
}

#[tokio::test]
async fn a_declined_file_is_told_and_leaves_nothing() {
    let mut pair = Pair::new(Accept::Ask);
    let path = pair.file("a.txt", 1000);
    let transfer = pair.offer(&path).await;
    next(&mut pair.b).await;
    assert_eq!(pair.b.drops.decline(transfer).await, Ok(()));
    assert_eq!(until_over(&mut pair.a).await, What::Declined(Reason::Declined));
    assert_eq!(until_over(&mut pair.b).await, What::Declined(Reason::Declined));
    assert!(files(&pair.b).is_empty());
    pair.end().await;
}

#[tokio::test]
async fn a_side_that_takes_no_files_says_so() {
    let mut pair = Pair::new(Accept::None);
    let path = pair.file("a.txt", 1000);
    pair.offer(&path).await;
    assert_eq!(until_over(&mut pair.a).await, What::Declined(Reason::NotAccepting));
    pair.end().await;
}

#[tokio::test]
async fn either_side_can_cancel_midway() {
    for by_sender in [true, false] {
        // 16 Mbit/s: 40 MB would take 20 s.
        let mut pair = Pair::at(Some(Bitrate::from_bps(16_000_000)), Accept::All);
        let path = pair.file("big.bin", 40_000_000);
        let transfer = pair.offer(&path).await;
        let side = if by_sender { &mut pair.a } else { &mut pair.b };
        loop {
            if let Some(Event::File { what: What::Progress(progress), .. }) = side.events.recv().await {
                assert!(progress.done > 0 && progress.done < progress.size);
                break;
            }
        }
        assert_eq!(side.drops.cancel(transfer).await, Ok(()));
        let (own, other) = if by_sender { (&mut pair.a, &mut pair.b) } else { (&mut pair.b, &mut pair.a) };
        let failed = |reason| What::Failed { reason, resumable: false };
        assert_eq!(until_over(own).await, failed(Reason::Cancelled));
        assert_eq!(until_over(other).await, failed(Reason::CancelledByPeer));
        pair.end().await;
    }
}

#[tokio::test]
async fn hostile_names_stay_in_the_folder_and_overwrite_nothing() {
    let mut pair = Pair::new(Accept::All);
    let downloads = pair.b.folder.path().join("downloads");
    std::fs::create_dir(&downloads).expect("made");
    std::fs::write(downloads.join("passwd"), b"mine").expect("written");
    for name in ["../../x", "/etc/passwd", "..", "a\u{202e}b\u{7}c"] {
        let id = TransferId::draw();
        let offer = Raw { id: id.as_u64(), name, size: 0 };
        pair.b.drops.on_message(A, &Message::new(OFFER, &offer));
        let (about, _) = next(&mut pair.b).await;
        assert!(!about.file.as_str().contains('/') && !about.file.as_str().starts_with('.'), "{name}");
        assert_eq!(next(&mut pair.b).await.1, What::Accepted);
        // Nobody at A knows of it: it says so.
        assert!(matches!(until_over(&mut pair.b).await, What::Failed { reason: Reason::Failed, .. }));
    }
    let path = pair.file("passwd", 10);
    pair.offer(&path).await;
    assert_same(&until_over(&mut pair.b).await, &path);
    assert_eq!(files(&pair.b), ["passwd", "passwd-1"]);
    assert_eq!(std::fs::read(downloads.join("passwd")).expect("there"), b"mine");
    pair.end().await;
}

#[derive(serde::Serialize)]
struct Raw<'a> {
    id: u64,
    name: &'a str,
    size: u64,
}

#[tokio::test]
async fn a_flipped_byte_fails_the_transfer() {
    for place in [HEAD + GROUP_HEAD + 100, HEAD + 20, HEAD + 2 * (GROUP_HEAD + GROUP_BYTES) + 40] {
        let mut pair = Pair::new(Accept::All);
        *pair.faults.flip_at.lock().expect("no panic") = Some(place);
        let path = pair.file("a.bin", 2 * GROUP_BYTES);
        pair.offer(&path).await;
        let failed = What::Failed { reason: Reason::HashMismatch, resumable: false };
        assert_eq!(until_over(&mut pair.b).await, failed, "{place}");
        assert_eq!(until_over(&mut pair.a).await, failed, "{place}");
        let left = pair.b.folder.path().to_owned();
        pair.scope.finish(LIMIT).await;
        assert_eq!(std::fs::read_dir(left.join("downloads")).expect("made").count(), 0);
    }
}

#[tokio::test]
async fn more_bytes_than_promised_fail_the_transfer() {
    let mut pair = Pair::new(Accept::All);
    *pair.faults.extra.lock().expect("no panic") = Some(Bytes::from_static(b"more"));
    let path = pair.file("a.bin", 10);
    pair.offer(&path).await;
    assert_eq!(until_over(&mut pair.b).await, What::Failed { reason: Reason::Protocol, resumable: false });
    assert!(files(&pair.b).iter().all(|name| name.ends_with(".part")));
    pair.end().await;
}

#[tokio::test]
async fn a_broken_stream_goes_on_where_it_broke() {
    let mut pair = Pair::new(Accept::All);
    let path = pair.file("a.bin", 10 * GROUP_BYTES + 5);
    for place in [HEAD + 5, HEAD + 3 * GROUP_BYTES, HEAD + 10 * (GROUP_BYTES + GROUP_HEAD) + 60] {
        *pair.faults.break_after.lock().expect("no panic") = Some(place);
        pair.offer(&path).await;
        assert_same(&until_over(&mut pair.b).await, &path);
        assert_same(&until_over(&mut pair.a).await, &path);
        assert_eq!(*pair.faults.break_after.lock().expect("no panic"), None);
    }
    pair.end().await;
}

#[tokio::test]
async fn a_cut_link_does_not_end_a_transfer() {
    let mut pair = Pair::at(Some(Bitrate::from_bps(40_000_000)), Accept::All);
    let path = pair.file("a.bin", 3_000_000);
    pair.offer(&path).await;
    loop {
        if let Some(Event::File { what: What::Progress(_), .. }) = pair.b.events.recv().await {
            break;
        }
    }
    pair.faults.life.fetch_add(1, Ordering::AcqRel);
    pair.a.drops.on_unlinked(B);
    pair.b.drops.on_unlinked(A);
    pair.faults.life.fetch_add(1, Ordering::AcqRel);
    pair.a.drops.on_linked(B);
    pair.b.drops.on_linked(A);
    assert_same(&until_over(&mut pair.b).await, &path);
    assert_same(&until_over(&mut pair.a).await, &path);
    pair.end().await;
}

#[tokio::test]
async fn a_file_that_changes_meanwhile_fails_the_transfer() {
    let mut pair = Pair::at(Some(Bitrate::from_bps(40_000_000)), Accept::All);
    let path = pair.file("a.bin", 3_000_000);
    pair.offer(&path).await;
    loop {
        if let Some(Event::File { what: What::Progress(_), .. }) = pair.b.events.recv().await {
            break;
        }
    }
    std::fs::OpenOptions::new().write(true).open(&path).expect("opened").set_len(1_000_000).expect("cut");
    let failed = What::Failed { reason: Reason::FileChanged, resumable: false };
    assert_eq!(until_over(&mut pair.a).await, failed);
    assert_eq!(until_over(&mut pair.b).await, failed);
    pair.end().await;
}

#[tokio::test]
async fn what_is_no_readable_file_is_not_offered() {
    let pair = Pair::new(Accept::All);
    let check = async |path: &Path, expect| {
        assert_eq!(pair.a.drops.offer(path.to_owned(), B).await, Err(OfferError::Source(expect)), "{path:?}");
    };
    check(pair.a.folder.path(), SourceError::Folder).await;
    check(&pair.a.folder.path().join("none"), SourceError::Missing).await;
    check(Path::new("/dev/null"), SourceError::Special).await;
    let nobody = pair.a.drops.offer(pair.file("a", 1), A).await;
    assert_eq!(nobody, Err(OfferError::Refused(Refused::NotLinked)));
    pair.end().await;
}

#[tokio::test]
async fn a_thousand_offers_are_survived_with_one_warning() {
    let mut pair = Pair::new(Accept::Ask);
    for i in 0..1_000 {
        let offer = Raw { id: 10_000 + i, name: "spam.txt", size: 1 << 40 };
        pair.b.drops.on_message(A, &Message::new(OFFER, &offer));
        if i % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // It still serves: an answer of B proves that it has read everything before.
    assert_eq!(pair.b.drops.cancel(TransferId::from_u64(1)).await, Err(CommandError::Refused(Refused::Unknown)));
    let (mut offered, mut warned) = (0, 0);
    while let Ok(event) = pair.b.events.try_recv() {
        match event {
            Event::File { what: What::Offered, .. } => offered += 1,
            Event::Warning { code, peer, .. } => {
                assert_eq!((code, peer), ("flood", A.peer));
                warned += 1;
            }
            Event::File { what, .. } => panic!("{what:?}"),
        }
    }
    assert!((1..=32).contains(&offered), "{offered}");
    assert_eq!(warned, 1);
    pair.end().await;
}

#[tokio::test]
async fn streams_that_nobody_asked_for_are_stopped() {
    let pair = Pair::new(Accept::All);
    let cable = Cable { to: pump_to(&pair), faults: Arc::clone(&pair.faults), allowance: None };
    let mut stream = cable.open_stream(B).await.expect("open");
    stream.write(Bytes::from_static(&[0; HEAD])).await.expect("written");
    let writer = stream.writer.to.clone().expect("open");
    tokio::time::timeout(LIMIT, writer.closed()).await.expect("stopped");
    assert_eq!(pair.faults.stopped.load(Ordering::Acquire), 1);
    drop(cable);
    pair.end().await;
}

// Another way into B, as from A.
fn pump_to(pair: &Pair) -> mpsc::Sender<Parcel> {
    let (to, at) = mpsc::channel(16);
    pump(&pair.scope, at, A, pair.b.drops.clone());
    to
}

#[tokio::test]
async fn wants_outside_the_file_end_the_transfer() {
    let mut pair = Pair::new(Accept::Ask);
    let path = pair.file("a.bin", 10);
    let id = pair.offer(&path).await;
    let want = Want { id, attempt: 1, spans: vec![crate::mesh::transfer::Span { start: 0, end: 1 << 40 }] };
    pair.a.drops.on_message(B, &Message::new(WANT, &want));
    assert_eq!(until_over(&mut pair.a).await, What::Failed { reason: Reason::Protocol, resumable: false });
    assert_eq!(until_over(&mut pair.b).await, What::Failed { reason: Reason::Protocol, resumable: false });
    pair.end().await;
}

#[tokio::test]
async fn forty_files_at_once_all_arrive() {
    let mut pair = Pair::new(Accept::All);
    let mut open = BTreeSet::new();
    for i in 0..40_usize {
        let path = pair.file(&format!("{i}.bin"), 1000 + i);
        open.insert(pair.offer(&path).await);
    }
    while !open.is_empty() {
        let (about, what) = next(&mut pair.b).await;
        match what {
            What::Done { .. } => assert!(open.remove(&about.transfer)),
            What::Offered | What::Accepted => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(files(&pair.b).len(), 40);
    pair.end().await;
}

#[tokio::test]
async fn both_sides_show_the_same_progress() {
    let mut pair = Pair::at(Some(Bitrate::from_bps(40_000_000)), Accept::All);
    let path = pair.file("a.bin", 6_000_000);
    pair.offer(&path).await;
    let mut shown = [Vec::new(), Vec::new()];
    for (side, shown) in [&mut pair.a, &mut pair.b].into_iter().zip(&mut shown) {
        loop {
            match side.events.recv().await.expect("not ended") {
                Event::File { what: What::Progress(progress), .. } => shown.push(progress),
                Event::File { what: What::Done { .. }, .. } => break,
                _ => {}
            }
        }
    }
    assert_eq!(shown[0], shown[1]);
    // 1.2 s at 5 MB/s: a few a second, and the rate is what was allowed.
    assert!((3..=7).contains(&shown[0].len()), "{shown:?}");
    let last = shown[0].last().expect("some");
    assert_eq!((last.done, last.eta_ms), (6_000_000, Some(0)));
    assert!((4_000_000..=6_000_000).contains(&last.rate), "{last:?}");
    pair.end().await;
}

#[tokio::test]
async fn shutdown_tells_the_other_side_and_cleans_up() {
    let mut pair = Pair::at(Some(Bitrate::from_bps(8_000_000)), Accept::All);
    let path = pair.file("a.bin", 20_000_000);
    pair.offer(&path).await;
    loop {
        if let Some(Event::File { what: What::Progress(_), .. }) = pair.b.events.recv().await {
            break;
        }
    }
    pair.b.drops.shutdown().await;
    assert!(files(&pair.b).is_empty());
    assert_eq!(until_over(&mut pair.a).await, What::Failed { reason: Reason::CancelledByPeer, resumable: false });
    pair.end().await;
}

/// Drops without an actor: what comes in stays in the queue.
fn stalled() -> (Drops<Cable>, mpsc::Receiver<Input<Reader>>) {
    let (inbox, inputs) = mpsc::channel(INBOX);
    (Drops { inbox, buckets: Arc::default() }, inputs)
}

fn link(number: u64) -> LinkKey {
    LinkKey { peer: A.peer, instance: Instance::from_u64(number) }
}

#[tokio::test]
async fn a_flood_of_any_kind_leaves_room_for_links_and_commands() {
    for kind in [OFFER, WANT] {
        let (drops, mut inputs) = stalled();
        for number in 0..4000 {
            assert!(drops.on_message(link(number % 8), &Message { kind, body: Bytes::new() }));
        }
        let faults = Arc::new(Faults::default());
        let from = mpsc::channel(1).1;
        let stream = Reader { from, faults: Arc::clone(&faults), life: 0, finished: Arc::default() };
        drops.on_stream(A, stream);
        assert_eq!(faults.stopped.load(Ordering::Acquire), 1, "a stream has less room than a message");
        drops.on_linked(B);
        drops.on_unlinked(B);
        drops.set_accept(Accept::None).await;
        let mut rest = Vec::new();
        while let Ok(input) = inputs.try_recv() {
            if !matches!(input, Input::Message { .. }) {
                rest.push(input);
            }
        }
        assert!(
            matches!(rest[..], [Input::Linked(B), Input::Unlinked(B), Input::Command(Command::SetAccept(_))]),
            "{rest:?}"
        );
    }
}

#[tokio::test]
async fn one_link_has_a_share_of_messages() {
    let (drops, mut inputs) = stalled();
    let mut passed = 0;
    let message = Message { kind: WANT, body: Bytes::new() };
    for _ in 0..20 {
        for _ in 0..500 {
            drops.on_message(A, &message);
        }
        while inputs.try_recv().is_ok() {
            passed += 1;
        }
    }
    // The burst, and what a slow machine gains meanwhile.
    assert!((1600..4000).contains(&passed), "{passed}");
    drops.on_message(B, &message);
    assert!(inputs.try_recv().is_ok(), "another link has its own");
}
