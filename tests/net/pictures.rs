//! What a window takes from a meeting beside its events: the newest pictures and how loud everybody is.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use lets_meet::av::capture::testcard;
use lets_meet::av::spec;
use lets_meet::config::Profile;
use lets_meet::engine::pictures::{Key, Picture};
use lets_meet::engine::{self, Handle, MediaConfig};
use lets_meet::id::{PeerId, RoomName};
use lets_meet::identity::Identity;
use lets_meet::meeting::{Command, Event, Settings};
use lets_meet::mesh::Visibility;
use lets_meet::share::DisplayName;
use lets_meet::{clock, endpoint};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

pub(super) const LIMIT: Duration = Duration::from_secs(30);

pub(super) async fn start(
    folder: &Path,
    name: &str,
    camera: spec::Camera,
    microphone: spec::Microphone,
    connect: Option<std::net::SocketAddr>,
) -> (Handle, PeerId, std::net::SocketAddr) {
    start_as(folder, name, (camera, microphone, false), connect).await
}

/// The same, perhaps with a microphone that starts muted.
async fn start_as(
    folder: &Path,
    name: &str,
    (camera, microphone, muted): (spec::Camera, spec::Microphone, bool),
    connect: Option<std::net::SocketAddr>,
) -> (Handle, PeerId, std::net::SocketAddr) {
    let profile = Profile::open(Some(folder.join(name))).expect("profile");
    let identity = Arc::new(Identity::load_or_create(profile.dir()).expect("identity"));
    let config = engine::Config {
        profile,
        identity: Arc::clone(&identity),
        name: DisplayName::new(name),
        room: RoomName::new("picture test").expect("valid"),
        seats: 50,
        endpoint: endpoint::Config { port: None, interfaces: vec!["lo".to_owned()] },
        connect: connect.into_iter().map(|address| (address, None)).collect(),
        visibility: Visibility::Hidden,
        rendezvous: None,
        media: MediaConfig {
            muted,
            camera,
            microphone,
            speaker: spec::Speaker::None,
            screen: spec::Screen::None,
            screen_audio: Default::default(),
            quality: spec::Quality::Auto,
            voice: lets_meet::av::spec::voice::Wish::default(),
            max_bitrate: None,
            dump_video: None,
            dump_audio: None,
            lenient: false,
        },
        settings: Settings { microphone_on: !muted, ..Settings::default() },
        download_dir: folder.join(format!("{name}-downloads")),
    };
    let handle = engine::start(config).await.expect("started");
    let address = loop {
        if let Some(Event::Ready { listen, .. }) = handle.event().await {
            break *listen.iter().find(|address| address.is_ipv4()).expect("an IPv4 address");
        }
    };
    (handle, identity.peer_id(), address)
}

/// The first picture of `key` that is wanted, looked for as a tile does.
async fn picture(handle: &Handle, key: Key, wanted: impl Fn(&Picture) -> bool) -> Picture {
    let pictures = handle.pictures();
    let (_viewer, mut news) = (pictures.view(key), pictures.news());
    let look = async {
        loop {
            if let Some(picture) = pictures.latest(key).filter(&wanted) {
                return picture;
            }
            news.next().await;
        }
    };
    tokio::time::timeout(LIMIT, look).await.unwrap_or_else(|_| panic!("no picture of {key:?} within {LIMIT:?}"))
}

fn stamp(picture: &Picture) -> Option<u32> {
    let frame = &picture.frame;
    testcard::read(frame.planes().0, frame.width(), frame.height()).map(|stamp| stamp.frame)
}

/// Waits for a fact that nothing tells of.
async fn until(what: &str, fact: impl Fn() -> bool) {
    let end = clock::now() + LIMIT;
    while !fact() {
        assert!(clock::now() < end, "waited {LIMIT:?} for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Stands between two peers and loses a share of what passes, both ways, while `lossy`.
struct Lossy {
    address: std::net::SocketAddr,
    lossy: Arc<AtomicBool>,
    lost: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Lossy {
    async fn start(to: std::net::SocketAddr, share: f64) -> Self {
        let front = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let back = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        back.connect(to).await.expect("connected");
        let address = front.local_addr().expect("an address");
        let (lossy, lost) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (on, count) = (Arc::clone(&lossy), Arc::clone(&lost));
        let mut random = StdRng::seed_from_u64(5);
        let task = lets_meet::task::Scope::new().spawn(async move {
            let (mut there, mut here) = (vec![0; 65_536], vec![0; 65_536]);
            let mut other = None;
            loop {
                let (to_back, bytes) = tokio::select! {
                    Ok((bytes, from)) = front.recv_from(&mut there) => {
                        other = Some(from);
                        (true, bytes)
                    }
                    Ok(bytes) = back.recv(&mut here) => (false, bytes),
                    else => return,
                };
                if on.load(Ordering::Relaxed) && random.random_bool(share) {
                    count.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                // What the socket does not take is lost too.
                if to_back {
                    let _ = back.send(&there[..bytes]).await;
                } else if let Some(other) = other {
                    let _ = front.send_to(&here[..bytes], other).await;
                }
            }
        });
        Self { address, lossy, lost, task }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_over_a_lossy_link_are_repaired() {
    let folder = tempfile::tempdir().expect("folder");
    let card = spec::Camera::TestCard { width: 640, height: 360, fps: 30 };
    let (ada, ada_id, address) = start(folder.path(), "Ada", card, spec::Microphone::None, None).await;
    let link = Lossy::start(address, 0.05).await;
    let (bo, _, _) = start(folder.path(), "Bo", spec::Camera::None, spec::Microphone::None, Some(link.address)).await;
    let key = Key::camera(ada_id);
    picture(&bo, key, |picture| stamp(picture).is_some()).await;
    link.lossy.store(true, Ordering::Relaxed);
    let mut first = None;
    let figures = async {
        loop {
            let Some(Event::Stats(stats)) = bo.event().await else { continue };
            let Some(video) = stats.peers.get(&ada_id).and_then(|peer| peer.video.clone()) else { continue };
            let first = first.get_or_insert_with(|| video.clone());
            if video.frames >= first.frames + 200 {
                return (video.frames - first.frames, video.dropped - first.dropped, video);
            }
        }
    };
    let (frames, dropped, video) = tokio::time::timeout(LIMIT, figures).await.expect("200 pictures");
    let lost = link.lost.load(Ordering::Relaxed);
    println!("{frames} pictures, {dropped} dropped, {lost} packets lost, {video:?}");
    assert!(lost >= 20, "{lost} packets were lost");
    // Of pictures of some packets, a fifth would not be whole without repair.
    assert!(dropped * 20 <= frames, "{dropped} of {frames} pictures dropped");
    bo.leave().await;
    ada.leave().await;
    link.task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_gets_pictures_and_levels_until_they_are_muted() {
    let folder = tempfile::tempdir().expect("folder");
    let card = spec::Camera::TestCard { width: 320, height: 180, fps: 30 };
    let (ada, ada_id, address) = start(folder.path(), "Ada", card, spec::Microphone::Tone, None).await;

    // Alone: the camera is captured for oneself only, while somebody looks.
    let own = picture(&ada, Key::own(), |picture| stamp(picture).is_some()).await;
    assert_eq!((own.frame.width(), own.frame.height()), (320, 180));
    until("the own level", || ada.levels().of(None).loudness > 0.2).await;

    let (bo, _, _) = start(folder.path(), "Bo", spec::Camera::None, spec::Microphone::None, Some(address)).await;
    let key = Key::camera(ada_id);
    let first = picture(&bo, key, |picture| stamp(picture).is_some()).await;
    let later = picture(&bo, key, |picture| stamp(picture) > stamp(&first)).await;
    assert!(later.sequence > first.sequence);
    until("Ada's level", || bo.levels().of(Some(ada_id)).loudness > 0.2).await;
    assert!(bo.levels().of(None).loudness < 0.01, "Bo has no microphone");
    assert!(bo.pictures().latest(Key::own()).is_none(), "Bo has no camera");

    ada.command(Command::Camera { on: false, source: None }).await.expect("muted");
    ada.command(Command::Microphone { on: false, source: None }).await.expect("muted");
    assert!(ada.pictures().latest(Key::own()).is_none(), "a muted camera shows oneself nothing");
    until("the end of Ada's pictures", || bo.pictures().latest(key).is_none()).await;
    until("silence", || bo.levels().of(Some(ada_id)).loudness < 0.01).await;
    until("the own silence", || ada.levels().of(None).loudness < 0.01).await;

    ada.command(Command::Camera { on: true, source: None }).await.expect("unmuted");
    picture(&bo, key, |picture| stamp(picture) > stamp(&later)).await;
    bo.leave().await;
    ada.leave().await;
}

/// The next `stats` event.
async fn stats(handle: &Handle) -> Box<lets_meet::stats::Stats> {
    loop {
        if let Event::Stats(stats) = handle.event().await.expect("it runs") {
            return stats;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_muted_is_not_heard_until_the_microphone_is_switched_on() {
    let folder = tempfile::tempdir().expect("folder");
    let muted = (spec::Camera::None, spec::Microphone::Tone, true);
    let (ada, ada_id, address) = start_as(folder.path(), "Ada", muted, None).await;
    let (bo, _, _) = start(folder.path(), "Bo", spec::Camera::None, spec::Microphone::None, Some(address)).await;
    let told = async {
        loop {
            if let Some(Event::Track { person, info }) = bo.event().await
                && person.peer == ada_id
            {
                return info;
            }
        }
    };
    let info = tokio::time::timeout(LIMIT, told).await.expect("Ada's track is told");
    assert_eq!((info.kind, info.on), (lets_meet::media::TrackKind::Microphone, false));
    for _ in 0..3 {
        let stats = stats(&bo).await;
        let played = stats.peers.get(&ada_id).and_then(|ada| ada.audio.as_ref()).map_or(0, |audio| audio.played_ms);
        assert_eq!(played, 0, "{stats:?}");
    }
    assert!(ada.levels().of(None).loudness < 0.01, "and it is shown as silent");
    ada.command(Command::Microphone { on: true, source: None }).await.expect("switched on");
    until("Ada's level", || bo.levels().of(Some(ada_id)).loudness > 0.2).await;
    bo.leave().await;
    ada.leave().await;
}
