//! What a window takes from a meeting beside its events: the newest pictures and how loud everybody is.

use std::path::Path;
use std::sync::Arc;
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

const LIMIT: Duration = Duration::from_secs(30);

async fn start(
    folder: &Path,
    name: &str,
    camera: spec::Camera,
    microphone: spec::Microphone,
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
        settings: Settings::default(),
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
