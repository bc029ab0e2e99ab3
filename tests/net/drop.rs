//! Files over real links on loopback.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lets_meet::endpoint::{self, Endpoint};
use lets_meet::framing::Message;
use lets_meet::id::{Instance, LinkKey, PeerId, to_hex};
use lets_meet::identity::Identity;
use lets_meet::media::{self, Arrival};
use lets_meet::mesh::drops::{self, Accept, Drops, Event, Reason, What};
use lets_meet::mesh::transfer::{GROUP_BYTES, GroupHead, Head, OFFER, WANT, group_hash};
use lets_meet::mesh::{self, StreamEnded};
use lets_meet::share::DisplayName;
use lets_meet::task;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

/// Nothing here takes a tenth of it on a quiet machine.
const LIMIT: Duration = Duration::from_secs(50);

#[derive(Debug)]
struct NoMedia;

impl media::Sink for NoMedia {
    fn on_arrival(&self, _: PeerId, _: Arrival) {}
}

/// One peer with its drops, as the engine would run it.
struct Side {
    identity: Arc<Identity>,
    endpoint: Endpoint,
    mesh: mesh::Handle,
    drops: Drops,
    events: mpsc::Receiver<Event>,
    linked: watch::Receiver<Option<LinkKey>>,
    folder: TempDir,
    scope: task::Scope,
}

fn side(accept: Accept) -> Side {
    side_with(accept, Mouth::Drops)
}

/// Who answers what a side is told about files.
enum Mouth {
    Drops,
    /// The test, which speaks the protocol by hand.
    Test(mpsc::Sender<Message>),
}

fn side_with(accept: Accept, mouth: Mouth) -> Side {
    let identity = Arc::new(Identity::generate());
    let config = endpoint::Config { port: Some(0), interfaces: vec!["lo".to_owned()] };
    let endpoint = Endpoint::bind(config, Arc::clone(&identity)).expect("bound");
    let scope = task::Scope::new();
    let config = mesh::Config {
        identity: Arc::clone(&identity),
        instance: Instance::draw(),
        name: DisplayName::new("someone"),
        room: None,
        seats: mesh::DEFAULT_SEATS,
        capabilities: Vec::new(),
        seed: 1,
        visibility: mesh::Visibility::Hidden,
    };
    let (mesh, mesh_events) = mesh::start(config, endpoint.clone(), Arc::new(NoMedia), &scope);
    let folder = tempfile::tempdir().expect("a folder");
    let config = drops::Config { download_dir: folder.path().join("downloads"), accept };
    let (drops, events) = Drops::start(config, mesh.clone(), &scope);
    let (tell, linked) = watch::channel(None);
    scope.spawn(pump(mesh_events, drops.clone(), mouth, tell));
    Side { identity, endpoint, mesh, drops, events, linked, folder, scope }
}

async fn pump(
    mut events: mpsc::Receiver<mesh::Event>,
    drops: Drops,
    mouth: Mouth,
    linked: watch::Sender<Option<LinkKey>>,
) {
    while let Some(event) = events.recv().await {
        match event {
            mesh::Event::Linked(news) => {
                drops.on_linked(news.key);
                linked.send_replace(Some(news.key));
            }
            mesh::Event::Unlinked(key) => drops.on_unlinked(key),
            mesh::Event::Message { from, message } => match &mouth {
                Mouth::Drops => assert!(drops.on_message(from, &message)),
                Mouth::Test(said) => said.try_send(message).expect("the test reads"),
            },
            mesh::Event::Stream { from, stream } => drops.on_stream(from, stream),
            _ => {}
        }
    }
}

impl Side {
    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.endpoint.port()).into()
    }

    /// The link that the other side made last.
    async fn link(&mut self) -> LinkKey {
        let linked = tokio::time::timeout(LIMIT, self.linked.wait_for(Option::is_some)).await;
        linked.expect("linked in time").expect("the mesh runs").expect("just seen")
    }

    fn downloads(&self) -> PathBuf {
        self.folder.path().join("downloads")
    }

    fn files(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.downloads()) else { return Vec::new() };
        let mut names: Vec<_> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    async fn next(&mut self) -> Event {
        tokio::time::timeout(LIMIT, self.events.recv()).await.expect("news in time").expect("drops run")
    }

    /// How the next transfer ends.
    async fn over(&mut self) -> What {
        loop {
            match self.next().await {
                Event::File { what: What::Offered | What::Accepted | What::Progress(_), .. } => {}
                Event::File { what, .. } => return what,
                Event::Warning { code, detail, .. } => panic!("{code}: {detail}"),
            }
        }
    }

    async fn progress(&mut self) {
        while !matches!(self.next().await, Event::File { what: What::Progress(_), .. }) {}
    }

    async fn end(self) {
        self.drops.shutdown().await;
        self.mesh.shutdown().await;
        self.endpoint.close("done").await;
        assert!(self.scope.finish(Duration::from_secs(5)).await, "every task ends");
        let left: Vec<_> = self.files().into_iter().filter(|name| name.ends_with(".part")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// `a` has a link to `b`: its key there.
async fn link(a: &mut Side, b: &Side) -> LinkKey {
    a.mesh.reach(b.identity.peer_id(), vec![b.address()]);
    a.link().await
}

/// A file that does not repeat within 32 MiB.
fn file(folder: &Path, name: &str, size: usize) -> PathBuf {
    use std::io::Write as _;
    let path = folder.join(name);
    let block: Vec<u8> =
        (0..size.min(1 << 25)).map(|i| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    let mut out = std::fs::File::create(&path).expect("made");
    let mut left = size;
    while left > 0 {
        let part = left.min(block.len());
        out.write_all(&block[..part]).expect("written");
        left -= part;
    }
    path
}

fn hash(path: &Path) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(path).expect("there")).expect("read");
    *hasher.finalize().as_bytes()
}

fn assert_same(what: &What, original: &Path) {
    let What::Done { path, blake3 } = what else { panic!("{what:?}") };
    assert_eq!(*blake3, hash(original), "the event says what b3sum says");
    assert_eq!(*blake3, hash(path));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_arrive_whole_and_overwrite_nothing() {
    let (mut a, mut b) = (side(Accept::Ask), side(Accept::All));
    let to = link(&mut a, &b).await;
    std::fs::create_dir(b.downloads()).expect("made");
    std::fs::write(b.downloads().join("a.bin"), b"mine").expect("written");
    for size in [0, 1, 3 * GROUP_BYTES + 17] {
        let path = file(a.folder.path(), "a.bin", size);
        a.drops.offer(path.clone(), to).await.expect("offered");
        assert_same(&b.over().await, &path);
        assert_same(&a.over().await, &path);
    }
    assert_eq!(b.files(), ["a-1.bin", "a-2.bin", "a-3.bin", "a.bin"]);
    assert_eq!(std::fs::read(b.downloads().join("a.bin")).expect("there"), b"mine");
    a.end().await;
    b.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_go_both_ways_at_once() {
    let (mut a, mut b) = (side(Accept::All), side(Accept::All));
    let to_b = link(&mut a, &b).await;
    let to_a = b.link().await;
    let (one, two) = (file(a.folder.path(), "one.bin", 7_000_000), file(b.folder.path(), "two.bin", 5_000_000));
    a.drops.offer(one.clone(), to_b).await.expect("offered");
    b.drops.offer(two.clone(), to_a).await.expect("offered");
    for side in [&mut a, &mut b] {
        for _ in 0..2 {
            let what = side.over().await;
            let What::Done { blake3, .. } = &what else { panic!("{what:?}") };
            assert_same(&what, if *blake3 == hash(&one) { &one } else { &two });
        }
    }
    assert_eq!((a.files(), b.files()), (vec!["two.bin".to_owned()], vec!["one.bin".to_owned()]));
    a.end().await;
    b.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declined_file_leaves_nothing() {
    let (mut a, mut b) = (side(Accept::Ask), side(Accept::Ask));
    let to = link(&mut a, &b).await;
    let path = file(a.folder.path(), "a.bin", 100_000);
    let transfer = a.drops.offer(path, to).await.expect("offered");
    assert!(matches!(b.next().await, Event::File { what: What::Offered, .. }));
    b.drops.decline(transfer).await.expect("declined");
    assert_eq!(a.over().await, What::Declined(Reason::Declined));
    assert!(b.files().is_empty());
    a.end().await;
    b.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_side_stops_a_file_on_its_way() {
    for by_sender in [true, false] {
        let (mut a, mut b) = (side(Accept::Ask), side(Accept::All));
        let to = link(&mut a, &b).await;
        let path = file(a.folder.path(), "big.bin", 400_000_000);
        let transfer = a.drops.offer(path, to).await.expect("offered");
        b.progress().await;
        let (own, other) = if by_sender { (&mut a, &mut b) } else { (&mut b, &mut a) };
        own.drops.cancel(transfer).await.expect("under way");
        assert_eq!(own.over().await, What::Failed { reason: Reason::Cancelled, resumable: false });
        assert_eq!(other.over().await, What::Failed { reason: Reason::CancelledByPeer, resumable: false });
        a.end().await;
        b.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_names_stay_in_the_folder() {
    #[derive(serde::Serialize)]
    struct Raw<'a> {
        id: u64,
        name: &'a str,
        size: u64,
    }
    let (said, mut hears) = mpsc::channel(64);
    let (mut a, mut b) = (side_with(Accept::Ask, Mouth::Test(said)), side(Accept::Ask));
    let to = link(&mut a, &b).await;
    let long = "x".repeat(300);
    let names = ["../../x", "/etc/passwd", "..", "con.txt", "a\u{202e}b\u{7}c\u{1b}[2J", &long];
    let mut offered = Vec::new();
    for (id, name) in (1..).zip(names) {
        a.mesh.send(to, Message::new(OFFER, &Raw { id, name, size: 5 })).expect("taken");
        let Event::File { about, what: What::Offered } = b.next().await else { panic!("an offer") };
        let file = about.file.as_str();
        assert!(!file.contains(['/', '\\']) && !file.starts_with('.') && !file.contains(char::is_control), "{file}");
        assert!(file.len() <= 201, "{file}");
        offered.push(about.transfer);
    }
    // Accepted, the two that point elsewhere land inside the folder, and nothing else is written.
    let whole = *blake3::hash(b"hello").as_bytes();
    for (transfer, name) in offered.into_iter().zip(["x", "passwd"]) {
        b.drops.accept(transfer).await.expect("offered");
        let wanted = async { while hears.recv().await.expect("the mesh runs").kind != WANT {} };
        tokio::time::timeout(LIMIT, wanted).await.expect("wanted in time");
        let mut stream = a.mesh.open_stream(to).await.expect("linked");
        let group = GroupHead { offset: 0, length: 5, hash: group_hash(0, b"hello") };
        let trailer = GroupHead { offset: 5, length: 0, hash: whole };
        let head = Head { id: transfer, attempt: 1 }.encode();
        let bytes = [&head[..], &group.encode(), b"hello", &trailer.encode()].concat();
        stream.write(Bytes::from(bytes)).await.expect("written");
        stream.finish();
        let What::Done { path, blake3 } = b.over().await else { panic!("{name} arrives") };
        assert_eq!((path, blake3), (b.downloads().join(name), whole));
    }
    assert_eq!(b.files(), ["passwd", "x"]);
    let beside = std::fs::read_dir(b.folder.path()).expect("readable").count();
    assert_eq!(beside, 1, "the folder of downloads is all that was made");
    for elsewhere in [b.downloads().join("../../x"), PathBuf::from("/etc/passwd")] {
        let there = std::fs::read(&elsewhere).ok();
        assert_ne!(there.as_deref(), Some(&b"hello"[..]), "{} was written", elsewhere.display());
    }
    a.end().await;
    b.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_offers_are_survived_with_one_warning_and_others_are_served() {
    #[derive(serde::Serialize)]
    struct Raw {
        id: u64,
        name: &'static str,
        size: u64,
    }
    let (mut a, mut b, mut c) = (side(Accept::Ask), side(Accept::Ask), side(Accept::Ask));
    let to = link(&mut a, &b).await;
    let mut said = 0;
    while said < 1_000 {
        match a.mesh.send(to, Message::new(OFFER, &Raw { id: said, name: "spam", size: 1 << 40 })) {
            Ok(()) => said += 1,
            Err(mesh::Refused::Full) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    let to = link(&mut c, &b).await;
    let path = file(c.folder.path(), "c.bin", 1_000_000);
    let transfer = c.drops.offer(path.clone(), to).await.expect("offered");
    let (mut spam, mut warnings) = (0, 0);
    let mut seen = false;
    while !seen || warnings == 0 {
        match b.next().await {
            Event::Warning { code, peer, .. } => {
                assert_eq!((code, peer), ("flood", a.identity.peer_id()));
                warnings += 1;
            }
            Event::File { about, .. } if about.transfer == transfer => seen = true,
            Event::File { what: What::Offered, .. } => spam += 1,
            Event::File { what, .. } => panic!("{what:?}"),
        }
    }
    b.drops.accept(transfer).await.expect("offered");
    assert_same(&c.over().await, &path);
    while let Ok(event) = b.events.try_recv() {
        warnings += usize::from(matches!(event, Event::Warning { .. }));
    }
    assert!((1..=32).contains(&spam), "{spam}");
    assert_eq!(warnings, 1);
    for side in [a, b, c] {
        side.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_nobody_asked_for_is_stopped() {
    let (mut a, b) = (side(Accept::Ask), side(Accept::All));
    let to = link(&mut a, &b).await;
    let mut stream = a.mesh.open_stream(to).await.expect("linked");
    let stopped = async {
        loop {
            if let Err(error) = stream.write(Bytes::from_static(&[0; 1000])).await {
                return error;
            }
        }
    };
    assert_eq!(tokio::time::timeout(LIMIT, stopped).await, Ok(StreamEnded::Stopped));
    assert!(b.files().is_empty());
    a.end().await;
    b.end().await;
}

/// The program in a process of its own, so that its memory can be told; killed if the test fails.
struct Program(Child);

impl Program {
    fn start(folder: &Path, name: &str, words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lets-meet"));
        command.args(words).args(["--json", "--hidden", "--interface", "lo", "--name", name, "--profile", name]);
        Self(command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("started"))
    }

    fn lines(&mut self) -> impl Iterator<Item = serde_json::Value> + use<> {
        let out = BufReader::new(self.0.stdout.take().expect("piped"));
        out.lines().map(|line| serde_json::from_str(&line.expect("text")).expect("JSON"))
    }

    /// Resident megabytes now; `None` once it has ended.
    fn megabytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib / 1024)
    }
}

impl std::ops::Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn two_hundred_megabytes_take_constant_memory() {
    const SIZE: usize = 200_000_000;
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    file(folder, "big.bin", SIZE);
    let mut bo = Program::start(folder, "bo", &["receive", "--yes", "--once", "--dir", "in"]);
    let mut events = bo.lines();
    let ready = events.next().expect("ready");
    let (id, address) = (ready["peer"].as_str().expect("an id"), ready["listen"][0].as_str().expect("an address"));
    let connect = format!("{address}#{id}");
    let mut ann = Program::start(folder, "ann", &["drop", "big.bin", "--to", id, "--connect", &connect]);
    let sent = ann.lines();
    let (mut accepted, mut done, mut first, mut most) = (0, None, None, [0, 0]);
    for event in events {
        match event["event"].as_str().expect("a word") {
            "file-accepted" => accepted = event["at"].as_u64().expect("a time"),
            "file-progress" => {
                let now = [ann.megabytes(), bo.megabytes()].map(|memory| memory.unwrap_or(0));
                first.get_or_insert(now);
                most = [most[0].max(now[0]), most[1].max(now[1])];
            }
            "file-done" => done = Some(event),
            _ => {}
        }
    }
    let done = done.expect("it arrives");
    let whole = to_hex(&hash(&folder.join("big.bin")));
    assert_eq!(done["blake3"].as_str(), Some(whole.as_str()));
    assert_eq!(to_hex(&hash(&folder.join("in/big.bin"))), whole);
    assert!(sent.into_iter().any(|event| event["event"] == "file-done" && event["blake3"] == *whole));
    assert!(bo.0.wait().expect("ended").success() && ann.0.wait().expect("ended").success());
    let took = done["at"].as_u64().expect("a time") - accepted;
    let rate = SIZE as u64 / took.max(1) / 1_000;
    let first = first.expect("progress");
    println!("200 MB in {took} ms: {rate} MB/s; MB resident of sender and receiver: first {first:?}, most {most:?}");
    // QUIC's windows fill after the first figure was taken; the file does not.
    assert!(most[0] < first[0] + 50 && most[1] < first[1] + 50, "memory grew from {first:?} to {most:?} MB");
    assert!(most[0] < 100 && most[1] < 100, "{most:?} MB");
}
