//! The camera journey in one process: test card -> encoder -> packets -> a relay that loses some -> decoder -> pictures.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::capture::VideoSource as _;
use super::capture::testcard::{self, TestCard};
use super::capture::y4m::Reader;
use super::codec::{Undecodable, VideoDecoder, h264};
use super::dump::Dump;
use super::outlets::Outlets;
use super::packet::header::Header;
use super::process::convert::psnr;
use super::publish::{PictureConfig, PictureTrack};
use super::receive::{Config, Decoders, INBOX, Video};
use super::repair::amount::Conditions;
use super::spec;
use crate::clock;
use crate::frame::{Pool, VideoFrame};
use crate::id::PeerId;
use crate::media::{Arrival, Bitrate, ClockMap, Outlet, Packet, PacketKind, TrackKind, View};
use crate::slot::{Ring, Shared, Slot};

const WIDTH: u16 = 640;
const HEIGHT: u16 = 360;
const PATIENCE: Duration = Duration::from_secs(20);

type Lose = Box<dyn FnMut(&Header) -> bool + Send>;

/// A link that hands packets over at once, but for those it is told to lose.
struct Relay {
    inbox: Ring<Arrival>,
    lose: Mutex<Lose>,
    log: Mutex<Vec<(Instant, usize)>>,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Relay")
    }
}

impl Outlet for Relay {
    fn send(&self, packet: Packet) {
        let now = clock::now();
        self.log.lock().expect("lock").push((now, packet.body.len()));
        if let Some((header, _)) = Header::parse(&packet.body).filter(|_| packet.kind == PacketKind::Video)
            && (self.lose.lock().expect("lock"))(&header)
        {
            return;
        }
        let (kind, track, body) = (packet.kind, packet.track, packet.body);
        let arrived_host = clock::host_micros();
        self.inbox.push(Arrival { kind, track, sequence: 0, sent: 0, arrived: now, arrived_host, body });
    }
}

struct Call {
    camera: Arc<Mutex<Option<PictureTrack>>>,
    outlets: Outlets,
    relay: Arc<Relay>,
    video: Video,
    pictures: Slot<Arc<VideoFrame>>,
}

const PEER: PeerId = PeerId::from_bytes([7; 32]);

impl Call {
    fn start(spec: spec::Camera, config: PictureConfig, lose: Lose) -> Self {
        Self::start_with(spec, config, lose, Config { peer: PEER, kind: TrackKind::Camera, dump: None, screen: None })
    }

    fn start_with(spec: spec::Camera, config: PictureConfig, lose: Lose, receive: Config) -> Self {
        Self::decoded_by(
            spec,
            config,
            lose,
            receive,
            Box::new(|| h264::Decoder::new().ok().map(|it| Box::new(it) as _)),
        )
    }

    fn decoded_by(spec: spec::Camera, config: PictureConfig, lose: Lose, receive: Config, decoders: Decoders) -> Self {
        let inbox = Ring::new(INBOX);
        let relay = Arc::new(Relay { inbox: inbox.clone(), lose: Mutex::new(lose), log: Mutex::default() });
        let outlets = Outlets::new();
        let camera = Arc::new(Mutex::new(None));
        let target = Arc::clone(&camera);
        let feedback = Box::new(move |feedback| {
            if let Some(camera) = &*target.lock().expect("lock") {
                PictureTrack::on_feedback(camera, PEER, feedback);
            }
        });
        let pictures = Slot::new();
        let receive = Config { screen: Some(Arc::new(pictures.clone())), ..receive };
        let clock = Shared::new(ClockMap::Same);
        let video = Video::start_with(receive, inbox, clock, feedback, decoders).expect("started");
        let call = Self { camera, outlets, relay, pictures, video };
        call.restart(spec, config);
        call.watch(View::Large);
        call
    }

    fn restart(&self, spec: spec::Camera, config: PictureConfig) {
        let mut camera = self.camera.lock().expect("lock");
        if let Some(old) = camera.take() {
            old.stop();
        }
        *camera = Some(PictureTrack::camera(&spec, config, self.outlets.clone(), None).expect("started"));
    }

    fn watch(&self, view: View) {
        if self.outlets.set(PEER, view, Arc::clone(&self.relay) as Arc<dyn Outlet>)
            && let Some(camera) = &*self.camera.lock().expect("lock")
        {
            camera.request_keyframe(view);
        }
    }

    fn next(&self) -> Arc<VideoFrame> {
        self.pictures.recv_timeout(PATIENCE).expect("a picture")
    }

    fn stop(self) {
        if let Some(camera) = self.camera.lock().expect("lock").take() {
            camera.stop();
        }
        self.video.stop();
    }
}

fn card() -> spec::Camera {
    spec::Camera::TestCard { width: WIDTH, height: HEIGHT, fps: 30 }
}

/// The stamp of a released test card, and how well the picture matches the one that was drawn under that stamp.
fn compare(picture: &VideoFrame, pool: &Pool) -> (testcard::Stamp, f64) {
    let stamp = testcard::read(picture.planes().0, WIDTH, HEIGHT).expect("a whole stamp");
    let mut drawn = pool.picture(WIDTH, HEIGHT);
    TestCard::new(WIDTH, HEIGHT, 30).picture(stamp.frame.into(), &mut drawn).expect("drawn");
    // The stamp itself holds another moment: leave it out.
    let width = usize::from(WIDTH);
    let (to, from) = (drawn.planes_mut().0, picture.planes().0);
    for (to, from) in to.chunks_exact_mut(width).zip(from.chunks_exact(width)).take(usize::from(HEIGHT) * 10 / 18) {
        to[..width * 12 / 32].copy_from_slice(&from[..width * 12 / 32]);
    }
    (stamp, psnr(picture, &drawn))
}

/// A decoder with a defect: it panics at each picture that `breaks` says, counted over all such decoders.
struct Fragile {
    inner: h264::Decoder,
    seen: Arc<AtomicU32>,
    breaks: fn(u32) -> bool,
}

impl VideoDecoder for Fragile {
    fn decode(&mut self, data: &[u8], pool: &Pool) -> Result<Option<VideoFrame>, Undecodable> {
        let number = self.seen.fetch_add(1, Ordering::Relaxed);
        assert!(!(self.breaks)(number), "as a codec may");
        self.inner.decode(data, pool)
    }
}

fn fragile(breaks: fn(u32) -> bool) -> Call {
    let seen = Arc::new(AtomicU32::new(0));
    let decoders = Box::new(move || {
        let inner = h264::Decoder::new().ok()?;
        Some(Box::new(Fragile { inner, seen: Arc::clone(&seen), breaks }) as Box<dyn VideoDecoder>)
    });
    let receive = Config { peer: PEER, kind: TrackKind::Camera, dump: None, screen: None };
    Call::decoded_by(card(), PictureConfig::default(), Box::new(|_| false), receive, decoders)
}

#[test]
fn a_decoder_that_panics_is_told_and_the_picture_comes_back_with_a_keyframe() {
    let call = fragile(|number| number == 5);
    let mut told = 0;
    let mut after = 0;
    while after < 10 {
        call.next();
        told += u32::from(call.video.trouble().is_some());
        after += told;
    }
    assert_eq!((told, call.video.is_given_up()), (1, false));
    assert!(call.video.stats().frames >= 10, "the totals go on");
    assert!(call.camera.lock().expect("lock").as_ref().is_some_and(|camera| camera.trouble().is_none()));
    call.stop();
}

#[test]
fn a_decoder_that_panics_always_is_given_up() {
    let call = fragile(|_| true);
    let deadline = clock::now() + PATIENCE;
    let mut told = 0;
    while told == 0 || !call.video.is_given_up() {
        assert!(clock::now() < deadline, "it is told and given up");
        told += u32::from(call.video.trouble().is_some());
        std::thread::yield_now();
    }
    assert!(told <= 4, "{told}");
    assert!(call.camera.lock().expect("lock").as_ref().is_some_and(|camera| camera.trouble().is_none()));
    call.stop();
}

#[test]
fn test_card_arrives_with_its_stamps_and_latency() {
    let call = Call::start(card(), PictureConfig::default(), Box::new(|_| false));
    call.next();
    call.video.stats();
    let pool = Pool::new(1);
    let mut last = 0;
    for _ in 0..90 {
        let (stamp, psnr) = compare(&call.next(), &pool);
        assert!(stamp.frame > last && psnr > 33.0, "picture {} after {last} at {psnr:.1} dB", stamp.frame);
        last = stamp.frame;
    }
    let stats = call.video.stats();
    let latency = stats.latency_ms.expect("known");
    println!("{stats:?}");
    assert!(latency.p95 <= 180.0, "{latency:?}");
    assert!(stats.frames >= 91 && stats.width == Some(WIDTH) && stats.layer.as_deref() == Some("main"), "{stats:?}");
    assert_eq!((stats.dropped, call.video.stamps().failed), (0, 0));
    let sending = call.camera.lock().expect("lock").as_ref().and_then(|camera| camera.sending(View::Large));
    assert_eq!(sending.and_then(|sending| sending.target_bps), Some(1_300_000));
    call.stop();
}

#[test]
fn lost_packets_come_again_and_no_keyframe_is_needed() {
    // Each fifth packet, the first time that it is sent.
    let (mut sent, mut seen) = (0, std::collections::BTreeSet::new());
    let lost = Arc::<std::sync::atomic::AtomicU64>::default();
    let count = Arc::clone(&lost);
    let lose = Box::new(move |header: &Header| {
        let first = seen.insert((header.frame, header.index));
        sent += u32::from(first);
        let lose = first && sent > 50 && sent.is_multiple_of(5);
        count.fetch_add(u64::from(lose), std::sync::atomic::Ordering::Relaxed);
        lose
    });
    let call = Call::start(card(), PictureConfig::default(), lose);
    call.video.set_rtt(Duration::from_millis(1));
    let pool = Pool::new(1);
    let first = compare(&call.next(), &pool).0.frame;
    for _ in 0..80 {
        let (stamp, psnr) = compare(&call.next(), &pool);
        assert!(psnr > 33.0, "picture {} is corrupted: {psnr:.1} dB", stamp.frame);
    }
    let (stats, repairs) = (call.video.stats(), call.video.repairs());
    println!("from {first}: {stats:?}, {repairs:?}");
    // How many that were depends on how large the pictures are.
    let lost = lost.load(std::sync::atomic::Ordering::Relaxed);
    assert!(lost >= 5 && repairs.malformed == 0, "{lost} {repairs:?}");
    // The last ones may still be on their way, or belong to a picture that was given up.
    assert!(repairs.repaired + 3 + stats.dropped >= lost, "{lost} {stats:?} {repairs:?}");
    // A picture that no other needs is given up when a busy machine holds the threads up beyond its moment.
    assert!(stats.dropped * 20 <= stats.frames && repairs.keyframes == 0, "{stats:?} {repairs:?}");
    call.stop();
}

#[test]
fn parity_repairs_what_a_lossy_link_with_room_loses() {
    let (mut sent, mut seen) = (0, std::collections::BTreeSet::new());
    let lose = Box::new(move |header: &Header| {
        let first = seen.insert((header.frame, header.index));
        sent += u32::from(first);
        first && sent > 50 && sent.is_multiple_of(12)
    });
    let call = Call::start(card(), PictureConfig::default(), lose);
    let rtt = Duration::from_millis(150);
    call.video.set_rtt(rtt);
    let conditions = Conditions { loss: 0.08, rtt, spare: Bitrate::from_bps(5_000_000) };
    if let Some(camera) = &*call.camera.lock().expect("lock") {
        camera.set_link(PEER, Some(conditions));
    }
    let pool = Pool::new(1);
    for _ in 0..80 {
        let (stamp, psnr) = compare(&call.next(), &pool);
        assert!(psnr > 33.0, "picture {} is corrupted: {psnr:.1} dB", stamp.frame);
    }
    let (stats, repairs) = (call.video.stats(), call.video.repairs());
    println!("{stats:?}, {repairs:?}");
    assert!(repairs.recovered > 5 && repairs.malformed == 0, "{repairs:?}");
    // A picture that nobody needs may be left alone: asking for it takes too long on such a link.
    assert!(stats.dropped < repairs.recovered && repairs.keyframes == 0, "{stats:?} {repairs:?}");
    call.stop();
}

#[test]
fn after_a_base_picture_is_lost_for_good_the_picture_freezes_and_heals() {
    let lost: Arc<Mutex<Option<Instant>>> = Arc::default();
    let at = Arc::clone(&lost);
    let (mut pictures, mut gone) = (0, None);
    let lose = Box::new(move |header: &Header| {
        let mut at = at.lock().expect("lock");
        pictures += u32::from(header.index == 0);
        if gone.is_none() && pictures > 20 && !header.discardable {
            (*at, gone) = (Some(clock::now()), Some(header.frame));
        }
        gone == Some(header.frame)
    });
    let call = Call::start(card(), PictureConfig::default(), lose);
    let pool = Pool::new(1);
    let mut healed = None;
    let mut last = None;
    for _ in 0..80 {
        let picture = call.next();
        let now = clock::now();
        let (stamp, psnr) = compare(&picture, &pool);
        assert!(psnr > 33.0, "picture {} is corrupted: {psnr:.1} dB", stamp.frame);
        if let Some(lost) = *lost.lock().expect("lock")
            && last.is_some_and(|last| stamp.frame > last + 1)
            && healed.is_none()
        {
            healed = Some(now - lost);
        }
        last = Some(stamp.frame);
    }
    let healed = healed.expect("a gap and a keyframe");
    println!("healed after {healed:?}");
    // Three times the goal.
    assert!(healed < Duration::from_millis(1500), "{healed:?}");
    let stats = call.video.stats();
    assert!(stats.dropped > 0, "{stats:?}");
    call.stop();
}

#[test]
fn no_corrupted_picture_is_shown_under_heavy_loss() {
    let mut state = 12345u32;
    let lose = Box::new(move |_: &Header| {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        state >> 16 & 0xff < 13
    });
    let call = Call::start(card(), PictureConfig::default(), lose);
    let pool = Pool::new(1);
    for _ in 0..60 {
        let (stamp, psnr) = compare(&call.next(), &pool);
        assert!(psnr > 33.0, "picture {} is corrupted: {psnr:.1} dB", stamp.frame);
    }
    println!("{:?}", call.video.stats());
    call.stop();
}

#[test]
fn a_restarted_sender_and_another_layer_are_taken_up_at_once() {
    let call = Call::start(card(), PictureConfig::default(), Box::new(|_| false));
    let next = || testcard::read(call.next().planes().0, WIDTH, HEIGHT).expect("a stamp").frame;
    let last = (0..20).fold(0, |_, _| next());
    call.restart(card(), PictureConfig::default());
    let deadline = clock::now() + PATIENCE;
    while next() >= last {
        assert!(clock::now() < deadline, "pictures of the new run come");
    }
    if let Some(camera) = &*call.camera.lock().expect("lock") {
        camera.set_quality(spec::Quality::P240);
        assert_eq!((camera.info().width, camera.info().height), (426, 240));
    }
    let deadline = clock::now() + PATIENCE;
    while call.next().width() != 426 {
        assert!(clock::now() < deadline, "the size changes");
    }
    for view in [View::Small, View::Large, View::Small] {
        call.watch(view);
        let expect = if view == View::Small { 320 } else { 426 };
        let deadline = clock::now() + PATIENCE;
        while call.next().width() != expect {
            assert!(clock::now() < deadline, "the layer changes");
        }
    }
    assert_eq!(call.video.stats().layer.as_deref(), Some("tile"));
    call.stop();
}

#[test]
fn a_layer_that_nobody_watches_stops() {
    let call = Call::start(card(), PictureConfig::default(), Box::new(|_| false));
    let sending = || call.camera.lock().expect("lock").as_ref().and_then(|camera| camera.sending(View::Large));
    let wait = |wanted: bool, limit: Duration| {
        let from = clock::now();
        while sending().is_some() != wanted {
            assert!(from.elapsed() < limit, "sending is {wanted}");
            std::thread::yield_now();
        }
        from.elapsed()
    };
    wait(true, PATIENCE);
    call.outlets.remove(PEER);
    println!("stopped after {:?}", wait(false, Duration::from_secs(3)));
    call.watch(View::Large);
    wait(true, PATIENCE);
    call.next();
    call.stop();
}

#[test]
fn muted_track_counts_no_freeze() {
    let call = Call::start(card(), PictureConfig::default(), Box::new(|_| false));
    for _ in 0..10 {
        call.next();
    }
    let set_on = |on| {
        if let Some(camera) = &*call.camera.lock().expect("lock") {
            camera.set_on(on);
            assert_eq!(camera.info().on, on);
        }
        call.video.set_on(on);
    };
    set_on(false);
    let quiet = call
        .pictures
        .recv_timeout(Duration::from_millis(700))
        .and_then(|_| call.pictures.recv_timeout(Duration::from_millis(700)));
    assert!(quiet.is_err(), "at most one picture is on its way");
    assert_eq!(call.video.stats().fps, None);
    set_on(true);
    call.next();
    assert_eq!(call.video.stats().freezes, 0);
    call.stop();
}

#[test]
fn the_cap_holds_on_the_wire() {
    let cap = 400_000;
    let config = PictureConfig { max_bitrate: Some(Bitrate::from_bps(cap)), ..PictureConfig::default() };
    let call = Call::start(card(), config, Box::new(|_| false));
    for _ in 0..90 {
        call.next();
    }
    let log = call.relay.log.lock().expect("lock").clone();
    let bits = |size: &usize| 8 * (u64::try_from(*size).expect("small") + super::publish::budget::PACKET_OVERHEAD);
    let second = Duration::from_secs(1);
    let worst = log.iter().map(|(from, _)| {
        log.iter().filter(|(at, _)| at >= from && *at < *from + second).map(|(_, size)| bits(size)).sum::<u64>()
    });
    let worst = worst.max().expect("packets");
    println!("worst second {worst} of {cap}");
    // Only a picture larger than usual may go beyond, by what it is larger.
    assert!(worst <= cap * 105 / 100, "{worst}");
    call.stop();
}

#[test]
fn a_clip_is_dumped_as_it_was_played() {
    let folder = tempfile::tempdir().expect("folder");
    let (clip, dump) = (folder.path().join("clip.y4m"), folder.path().join("dump.y4m"));
    let pool = Pool::new(2);
    let mut original = Dump::start(clip.clone()).expect("started");
    let mut card = TestCard::new(320, 180, 30);
    let mut draw = |tick| {
        let mut picture = pool.picture(320, 180);
        card.picture(tick, &mut picture).expect("drawn");
        picture
    };
    for tick in 0..45 {
        original.write(Arc::new(draw(tick)));
    }
    original.stop();
    let receive = Config { peer: PEER, kind: TrackKind::Camera, dump: Some(dump.clone()), screen: None };
    let call =
        Call::start_with(spec::Camera::File(clip.clone()), PictureConfig::default(), Box::new(|_| false), receive);
    for _ in 0..60 {
        call.next();
    }
    call.stop();
    let (mut clip, mut dump) = (Reader::open(&clip).expect("a clip"), Reader::open(&dump).expect("a dump"));
    let mut originals = Vec::new();
    for tick in 0..45 {
        let mut picture = pool.picture(320, 180);
        clip.picture(tick, &mut picture).expect("a picture");
        originals.push(picture);
    }
    let mut numbers = Vec::new();
    for tick in 0..60 {
        let mut picture = pool.picture(320, 180);
        dump.picture(tick, &mut picture).expect("a picture");
        let number = testcard::read(picture.planes().0, 320, 180).expect("a stamp").frame;
        let psnr = psnr(&picture, &originals[usize::try_from(number).expect("small")]);
        assert!(psnr > 33.0, "picture {number} is at {psnr:.1} dB");
        numbers.push(number);
    }
    assert!(numbers[0] < 30, "from its first picture: {numbers:?}");
    assert!(numbers.windows(2).all(|w| w[0] != w[1]), "each once: {numbers:?}");
    assert!(numbers.windows(2).any(|w| w[1] < w[0]), "looped: {numbers:?}");
}
