//! Files over real links on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lets_meet::endpoint::{self, Endpoint};
use lets_meet::framing::Message;
use lets_meet::id::{Instance, LinkKey, PeerId};
use lets_meet::identity::Identity;
use lets_meet::media::{self, Arrival};
use lets_meet::mesh::drops::{self, Accept, Drops, Event, Reason, What};
use lets_meet::mesh::transfer::{GROUP_BYTES, OFFER};
use lets_meet::mesh::{self, StreamEnded};
use lets_meet::share::DisplayName;
use lets_meet::{clock, platform, task};
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
    scope.spawn(pump(mesh_events, drops.clone(), tell));
    Side { identity, endpoint, mesh, drops, events, linked, folder, scope }
}

async fn pump(mut events: mpsc::Receiver<mesh::Event>, drops: Drops, linked: watch::Sender<Option<LinkKey>>) {
    while let Some(event) = events.recv().await {
        match event {
            mesh::Event::Linked(news) => {
                drops.on_linked(news.key);
                linked.send_replace(Some(news.key));
            }
            mesh::Event::Unlinked(key) => drops.on_unlinked(key),
            mesh::Event::Message { from, message } => assert!(drops.on_message(from, &message)),
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
fn file(side: &Side, name: &str, size: usize) -> PathBuf {
    use std::io::Write as _;
    let path = side.folder.path().join(name);
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
        let path = file(&a, "a.bin", size);
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
    let (one, two) = (file(&a, "one.bin", 7_000_000), file(&b, "two.bin", 5_000_000));
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
    let path = file(&a, "a.bin", 100_000);
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
        let path = file(&a, "big.bin", 400_000_000);
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
    let (mut a, mut b) = (side(Accept::Ask), side(Accept::Ask));
    let to = link(&mut a, &b).await;
    let long = "x".repeat(300);
    let names = ["../../x", "/etc/passwd", "..", "con.txt", "a\u{202e}b\u{7}c\u{1b}[2J", &long];
    for (id, name) in (1..).zip(names) {
        a.mesh.send(to, Message::new(OFFER, &Raw { id, name, size: 5 })).expect("taken");
        let Event::File { about, what: What::Offered } = b.next().await else { panic!("an offer") };
        let file = about.file.as_str();
        assert!(!file.contains(['/', '\\']) && !file.starts_with('.') && !file.contains(char::is_control), "{file}");
        assert!(file.len() <= 201, "{file}");
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
    let path = file(&c, "c.bin", 1_000_000);
    let transfer = c.drops.offer(path.clone(), to).await.expect("offered");
    let (mut spam, mut warnings) = (0, 0);
    loop {
        match b.next().await {
            Event::Warning { code, peer, .. } => {
                assert_eq!((code, peer), ("flood", a.identity.peer_id()));
                warnings += 1;
            }
            Event::File { about, .. } if about.transfer == transfer => break,
            Event::File { what: What::Offered, .. } => spam += 1,
            Event::File { what, .. } => panic!("{what:?}"),
        }
    }
    b.drops.accept(transfer).await.expect("offered");
    assert_same(&c.over().await, &path);
    assert!((1..=32).contains(&spam), "{spam}");
    assert!(warnings <= 1);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_megabytes_take_constant_memory() {
    const SIZE: usize = 200_000_000;
    let (mut a, mut b) = (side(Accept::Ask), side(Accept::All));
    let to = link(&mut a, &b).await;
    let rss = || platform::process().rss_bytes.expect("a system that tells");
    // Threads and windows exist after the first one.
    let warm = file(&a, "warm.bin", 20_000_000);
    a.drops.offer(warm, to).await.expect("offered");
    assert!(matches!((a.over().await, b.over().await), (What::Done { .. }, What::Done { .. })));
    let path = file(&a, "big.bin", SIZE);
    let (start, before) = (clock::now(), rss());
    a.drops.offer(path.clone(), to).await.expect("offered");
    let mut most = before;
    let stored = loop {
        match b.next().await {
            Event::File { what: What::Progress(progress), .. } => {
                assert_eq!(progress.size, SIZE as u64);
                most = most.max(rss());
            }
            Event::File { what: What::Offered | What::Accepted, .. } => {}
            Event::File { what, .. } => break what,
            Event::Warning { detail, .. } => panic!("{detail}"),
        }
    };
    let took = clock::now().duration_since(start);
    assert_same(&stored, &path);
    assert_same(&a.over().await, &path);
    let grown = most.saturating_sub(before) / 1_000_000;
    let rate = u128::try_from(SIZE).expect("small") / took.as_millis().max(1) / 1_000;
    println!("200 MB in {} ms: {rate} MB/s, memory grew by {grown} MB for both sides", took.as_millis());
    assert!(grown < 50, "memory grew by {grown} MB");
    a.end().await;
    b.end().await;
}
