//! A shared screen from one peer to another, without a display: test cards.

use lets_meet::av::capture::testcard;
use lets_meet::av::packet::header::{Header, Layer};
use lets_meet::av::spec;
use lets_meet::clock;
use lets_meet::engine::pictures::{Key, Picture};
use lets_meet::framing::Message;
use lets_meet::id::RoomName;
use lets_meet::media::{self, TrackId, TrackKind, View};
use lets_meet::meeting::{Command, Done, Event, wire};
use lets_meet::mesh;

use crate::hostile::Stranger;
use crate::meeting::{LIMIT, Peer, config};

const CARD: spec::Screen = spec::Screen::TestCard { width: 640, height: 360, fps: 30 };

/// The first picture of `key` that is wanted, looked for as a tile does.
async fn picture(peer: &Peer, key: Key, wanted: impl Fn(&Picture) -> bool) -> Picture {
    let pictures = peer.handle.pictures();
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

/// The number of a test card.
fn number(picture: &Picture) -> Option<u32> {
    let frame = &picture.frame;
    testcard::read(frame.planes().0, frame.width(), frame.height()).map(|stamp| stamp.frame)
}

/// Three numbers, each later than the one before.
async fn moves(peer: &Peer, key: Key) {
    let mut last = picture(peer, key, |picture| number(picture).is_some()).await;
    for _ in 0..2 {
        last = picture(peer, key, |picture| number(picture) > number(&last)).await;
    }
}

/// Waits until nothing of `key` is shown: the event is told a moment before.
async fn gone(peer: &Peer, key: Key) {
    let end = clock::now() + LIMIT;
    while peer.handle.pictures().latest(key).is_some() {
        assert!(clock::now() < end, "what was shared is still shown after {LIMIT:?}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

async fn told(peer: &Peer, of: &Peer, on: bool) {
    let is = |event: &Event| {
        matches!(event, Event::Track { person, info }
            if person.peer == of.id && info.kind == TrackKind::Screen && info.on == on)
    };
    peer.wait("news of the screen", is).await;
}

fn share(on: bool, source: Option<spec::Screen>) -> Command {
    Command::Screen { on, source }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_screen_arrives_ends_and_comes_back() {
    let folder = tempfile::tempdir().expect("folder");
    let ada = Peer::start(folder.path(), "Ada", &[]).await;
    let bo = Peer::start(folder.path(), "Bo", &[ada.address]).await;
    tokio::join!(ada.joined(&bo), bo.joined(&ada));
    let failure = ada.handle.command(share(true, None)).await.expect_err("nothing was ever chosen");
    assert_eq!(failure.code.as_str(), "no-source");

    let key = Key::screen(ada.id);
    for source in [Some(CARD), None] {
        ada.handle.command(share(true, source)).await.expect("shared");
        told(&bo, &ada, true).await;
        moves(&bo, key).await;
        let shown = |event: &Event| {
            let Event::Stats(stats) = event else { return false };
            let screen = stats.peers.values().next().and_then(|peer| peer.screen.as_ref());
            screen.is_some_and(|screen| screen.fps > Some(1.0) && screen.width == Some(640))
        };
        bo.wait("figures of the screen", shown).await;
        let Ok(Done::State(state)) = ada.handle.command(Command::State).await else { panic!("no state") };
        assert!(state.settings.screen_on && state.tracks.iter().any(|track| track.kind == TrackKind::Screen));

        // What nobody watches is not sent, and is sent again when it is watched.
        let view = |size| Command::View { peer: ada.id.to_string(), track: None, size };
        bo.handle.command(view(View::None)).await.expect("asked");
        let sends = |wanted: bool| {
            move |event: &Event| {
                let Event::Stats(stats) = event else { return false };
                stats.peers.values().next().is_some_and(|peer| peer.sending.screen.is_some() == wanted)
            }
        };
        ada.wait("nothing sent", sends(false)).await;
        // Of the screen alone.
        let track = Some(TrackKind::Screen);
        let screen = Command::View { peer: ada.id.to_string(), track, size: View::Large };
        bo.handle.command(screen).await.expect("asked");
        moves(&bo, key).await;
        ada.wait("pictures sent", sends(true)).await;

        ada.handle.command(share(false, None)).await.expect("ended");
        told(&bo, &ada, false).await;
        gone(&bo, key).await;
        let Ok(Done::State(state)) = ada.handle.command(Command::State).await else { panic!("no state") };
        assert!(!state.settings.screen_on && state.tracks.is_empty(), "the track is gone");
    }
    ada.handle.leave().await;
    bo.handle.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sound_of_a_shared_screen_is_a_track_that_ends_with_it_and_is_no_microphone() {
    let folder = tempfile::tempdir().expect("folder");
    let ada = Peer::start(folder.path(), "Ada", &[]).await;
    let bo = Peer::start(folder.path(), "Bo", &[ada.address]).await;
    tokio::join!(ada.joined(&bo), bo.joined(&ada));
    let told = |on: bool| {
        let ada = ada.id;
        move |event: &Event| {
            matches!(event, Event::Track { person, info }
                if person.peer == ada && info.kind == TrackKind::ScreenAudio && info.on == on)
        }
    };
    let heard = |more: u64| {
        move |event: &Event| {
            let Event::Stats(stats) = event else { return false };
            let of = |peer: &lets_meet::stats::Peer| peer.screen_audio.as_ref().map(|sound| sound.played_ms);
            stats.peers.values().next().and_then(of) > Some(more)
        }
    };
    // Wanted before anything is shared, it begins and ends with that.
    ada.handle.command(Command::ScreenAudio(spec::ScreenAudio::Tone)).await.expect("wanted");
    let Ok(Done::State(state)) = ada.handle.command(Command::State).await else { panic!("no state") };
    assert!(state.tracks.is_empty() && state.settings.screen_audio == spec::ScreenAudio::Tone);
    for turn in 0..2u64 {
        ada.handle.command(share(true, Some(CARD))).await.expect("shared");
        bo.wait("the sound", told(true)).await;
        bo.wait("sound that is played", heard(turn * 300 + 300)).await;
        // The microphone has nothing to do with it.
        let failure = ada.handle.command(Command::Microphone { on: false, source: None }).await;
        assert!(failure.is_err(), "there is none");
        ada.handle.command(share(false, None)).await.expect("ended");
        bo.wait("the end of the sound", told(false)).await;
    }
    // And it can be switched while something is shared.
    ada.handle.command(share(true, Some(CARD))).await.expect("shared");
    bo.wait("the sound", told(true)).await;
    ada.handle.command(Command::ScreenAudio(spec::ScreenAudio::Off)).await.expect("switched");
    bo.wait("the end of the sound", told(false)).await;
    moves(&bo, Key::screen(ada.id)).await;
    ada.handle.leave().await;
    bo.handle.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_share_at_once_beside_their_cameras_into_files() {
    let folder = tempfile::tempdir().expect("folder");
    let dump = folder.path().join("dump");
    let mut both = config(folder.path(), "Ada", &[]);
    both.media.camera = spec::Camera::TestCard { width: 160, height: 90, fps: 15 };
    both.media.screen = CARD;
    let ada = Peer::with(both).await;
    let mut dumping = config(folder.path(), "Bo", &[ada.address]);
    dumping.media.screen = spec::Screen::TestCard { width: 320, height: 240, fps: 15 };
    dumping.media.dump_video = Some(dump.clone());
    let bo = Peer::with(dumping).await;
    tokio::join!(ada.joined(&bo), bo.joined(&ada));
    tokio::join!(moves(&bo, Key::camera(ada.id)), moves(&bo, Key::screen(ada.id)), moves(&ada, Key::screen(bo.id)));
    let (camera, screen) = (Key::camera(ada.id), Key::screen(ada.id));
    let size = |key| {
        let picture = bo.handle.pictures().latest(key).expect("shown");
        (picture.frame.width(), picture.frame.height())
    };
    assert_eq!((size(camera), size(screen)), ((160, 90), (640, 360)), "each track has its own pictures");
    ada.handle.leave().await;
    bo.handle.leave().await;
    for (file, size) in [(format!("{}.y4m", ada.id), "W160 H90"), (format!("{}-screen.y4m", ada.id), "W640 H360")] {
        let bytes = std::fs::read(dump.join(&file)).expect("a dump");
        assert!(bytes.starts_with(format!("YUV4MPEG2 {size}").as_bytes()), "{file}");
    }
}

/// A datagram with a piece of a picture of the screen track.
fn piece(sequence: u16, header: Header, payload: &[u8]) -> Vec<u8> {
    let link = mesh::wire::Header {
        kind: media::PacketKind::Video.as_u8(),
        track: TrackId::SCREEN.as_u8(),
        sequence,
        sent: u32::from(sequence),
    };
    let mut body = bytes::BytesMut::new();
    header.write(&mut body);
    [link.encode().as_slice(), &body, payload].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_of_a_screen_that_nobody_announced_and_absurd_sizes_do_no_harm() {
    let folder = tempfile::tempdir().expect("folder");
    let tea = |mut config: lets_meet::engine::Config| {
        config.room = RoomName::new("tea").expect("valid");
        config
    };
    let bo = Peer::with(tea(config(folder.path(), "Bo", &[]))).await;
    let mut mal = Stranger::sit(bo.address, "Mal").await;
    bo.wait("Mal", |event| matches!(event, Event::Joined(person) if person.peer == mal.id())).await;
    let header = Header {
        stream: 7,
        frame: 1,
        index: 0,
        count: 1,
        key: true,
        discardable: false,
        temporal: 0,
        layer: Layer::Main,
        reference: 0,
        captured: clock::host_micros(),
    };
    // A parameter set of 16384 x 16384 pixels in baseline profile, then what may be a slice.
    let absurd =
        [0, 0, 0, 1, 0x67, 66, 0xc0, 0x1f, 0xda, 0x00, 0x80, 0x00, 0x80, 0x01, 0xe0, 0, 0, 0, 1, 0x65, 0x88, 0x80];
    for sequence in 0..200 {
        mal.send(piece(sequence, Header { frame: u32::from(sequence), ..header }, &absurd)).await;
    }
    let key = Key::screen(mal.id());
    assert!(bo.handle.pictures().latest(key).is_none());
    mal.say(&mesh::wire::Control::Resume(0)).await;
    let codec = "h264".to_owned();
    let track = wire::Track { kind: "screen".to_owned(), on: true, width: u16::MAX, height: u16::MAX, codec };
    mal.write(&Message::new(wire::TRACKS, &wire::Tracks { revision: 1, tracks: vec![track] }).encode()).await;
    bo.wait("the track", |event| matches!(event, Event::Track { info, .. } if info.width == u16::MAX)).await;
    for sequence in 200..400 {
        mal.send(piece(sequence, Header { frame: u32::from(sequence), ..header }, &absurd)).await;
    }
    // Somebody honest is served, and nothing of Mal was ever shown.
    let mut honest = tea(config(folder.path(), "Ada", &[bo.address]));
    honest.media.screen = CARD;
    let ada = Peer::with(honest).await;
    moves(&bo, Key::screen(ada.id)).await;
    assert!(bo.handle.pictures().latest(key).is_none(), "an absurd picture is not shown");
    ada.handle.leave().await;
    bo.handle.leave().await;
    mal.end().await;
}

/// Another microphone may take long to be opened: here a pipe into which nobody writes yet.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mute_does_not_wait_for_another_microphone_that_is_slow_to_open() {
    use lets_meet::av::spec::Microphone;
    let folder = tempfile::tempdir().expect("folder");
    let ada = Peer::start(folder.path(), "Ada", &[]).await;
    let bo = Peer::start(folder.path(), "Bo", &[ada.address]).await;
    tokio::join!(ada.joined(&bo), bo.joined(&ada));
    let told = |on: bool| {
        let ada = ada.id;
        move |event: &Event| {
            matches!(event, Event::Track { person, info }
                if person.peer == ada && info.kind == TrackKind::Microphone && info.on == on)
        }
    };
    ada.handle.command(Command::Microphone { on: true, source: Some(Microphone::Tone) }).await.expect("a tone");
    bo.wait("the microphone", told(true)).await;
    let pipe = folder.path().join("slow.wav");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there");
    assert!(made.success());
    let slow = ada.handle.submit(Command::Microphone { on: true, source: Some(Microphone::File(pipe.clone())) });
    let mute = ada.handle.submit(Command::Microphone { on: false, source: None });
    bo.wait("the mute", told(false)).await;
    // What was slow is no microphone, which ends the wait; answers come in the order of the commands.
    std::fs::write(&pipe, b"no sound").expect("somebody reads");
    assert!(slow.await.is_err());
    mute.await.expect("muted");
    ada.handle.leave().await;
    bo.handle.leave().await;
}
