//! Picture tracks with sources and links that tests made.

use std::sync::atomic::AtomicU32;

use super::*;

/// Breaks whoever shows it a picture.
#[derive(Debug)]
struct Broken;

impl Screen for Broken {
    fn watched(&self) -> bool {
        true
    }

    fn show(&self, _picture: &Arc<VideoFrame>) {
        panic!("as a codec may")
    }
}

#[test]
fn an_encoder_that_panics_is_a_trouble_of_its_camera() {
    let card = spec::Camera::TestCard { width: 64, height: 36, fps: 60 };
    let screen = Some(Arc::new(Broken) as Arc<dyn Screen>);
    let camera = PictureTrack::camera(&card, PictureConfig::default(), Outlets::new(), screen).expect("started");
    let deadline = clock::now() + Duration::from_secs(10);
    let trouble = loop {
        if let Some(trouble) = camera.trouble() {
            break trouble;
        }
        assert!(clock::now() < deadline, "it is told");
        std::thread::yield_now();
    };
    assert!(matches!(trouble, Error::Crashed { what: "the encoder of the camera" }), "{trouble}");
    assert!(camera.trouble().is_none(), "told once");
    camera.stop();
}

/// A screen on which nothing changes: one picture whenever somebody begins to watch.
struct Still {
    wanted: bool,
    given: Shared<u32>,
}

impl capture::LiveSource for Still {
    fn format(&self) -> capture::Format {
        capture::Format { width: 320, height: 180, rate: (30, 1) }
    }

    fn next(&mut self, wanted: bool, wait: Duration) -> Result<Option<VideoFrame>, Error> {
        let begins = wanted && !self.wanted;
        self.wanted = wanted;
        if !begins {
            std::thread::sleep(wait);
            return Ok(None);
        }
        self.given.set(self.given.get() + 1);
        let mut picture = Pool::new(0).picture(320, 180);
        picture.data_mut().fill(128);
        Ok(Some(picture))
    }
}

/// Keeps what a link was given.
#[derive(Debug)]
struct Link(crate::slot::Ring<Packet>);

impl crate::media::Outlet for Link {
    fn send(&self, packet: Packet) {
        if packet.kind == PacketKind::Video {
            self.0.push(packet);
        }
    }
}

/// A display that changes all the time; its pictures say that they were captured from this moment on.
struct Busy(u64);

impl capture::LiveSource for Busy {
    fn format(&self) -> capture::Format {
        capture::Format { width: 320, height: 180, rate: (60, 1) }
    }

    fn next(&mut self, _wanted: bool, _wait: Duration) -> Result<Option<VideoFrame>, Error> {
        self.0 += 1;
        let mut picture = Pool::new(0).picture(320, 180);
        let mut value = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for sample in picture.data_mut() {
            value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *sample = value.to_be_bytes()[0];
        }
        picture.captured = self.0;
        Ok(Some(picture))
    }
}

/// Counts what of two sources a link was given, and what of the first came after the second.
#[derive(Debug, Default)]
struct Counts {
    of: [AtomicU32; 2],
    late: AtomicU32,
}

const SECOND: u64 = 1 << 40;

impl crate::media::Outlet for Counts {
    fn send(&self, packet: Packet) {
        if packet.kind == PacketKind::Video {
            let header = crate::av::packet::header::Header::parse(&packet.body).expect("ours").0;
            let second = header.captured >= SECOND;
            if !second && self.of[1].load(Ordering::SeqCst) > 0 {
                self.late.fetch_add(1, Ordering::SeqCst);
            }
            self.of[usize::from(second)].fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[test]
fn the_old_source_is_off_before_the_new_one_sends() {
    let patience = Duration::from_secs(20);
    for round in 0..8u32 {
        let (outlets, link) = (Outlets::new(), Arc::new(Counts::default()));
        let begin = |from| {
            let source = Source::Live(Box::new(Busy(from)));
            let config = PictureConfig { muted: true, ..PictureConfig::default() };
            PictureTrack::start(SCREEN, source, config, outlets.clone(), None).expect("started")
        };
        let (old, new) = (begin(1), begin(SECOND));
        outlets.set(PeerId::from_bytes([1; 32]), View::Large, link.clone());
        let sent = |which: usize| link.of[which].load(Ordering::SeqCst);
        let wait = |which: usize, least: u32| {
            let deadline = clock::now() + patience;
            while sent(which) < least {
                assert!(clock::now() < deadline, "pictures of {which}");
                std::thread::yield_now();
            }
        };
        old.set_on(true);
        wait(0, 1 + 3 * round);
        assert_eq!(sent(1), 0, "it is off until it has its place");
        old.set_on(false);
        let before = sent(0);
        new.set_on(true);
        wait(1, 1);
        old.stop();
        new.stop();
        assert_eq!((sent(0), link.late.load(Ordering::SeqCst)), (before, 0), "round {round}");
    }
}

#[test]
fn a_screen_that_stands_still_reaches_who_joins_later_and_stops_for_nobody() {
    let outlets = Outlets::new();
    let given = Shared::new(0);
    let source = Source::Live(Box::new(Still { wanted: false, given: given.clone() }));
    let track = PictureTrack::start(SCREEN, source, PictureConfig::default(), outlets.clone(), None);
    let track = track.expect("started");
    let join = |n: u8, view| {
        let packets = crate::slot::Ring::new(64);
        if outlets.set(PeerId::from_bytes([n; 32]), view, Arc::new(Link(packets.clone()))) {
            track.request_keyframe(view);
        }
        packets
    };
    let is_key = |packet: &Packet| {
        let header = crate::av::packet::header::Header::parse(&packet.body).expect("ours").0;
        assert_eq!(packet.track, crate::media::TrackId::SCREEN);
        header.key
    };
    let first = join(1, View::Large);
    let patience = Duration::from_secs(10);
    assert!(is_key(&first.recv_timeout(patience).expect("the first picture")));
    // Nothing changes, and still: a key for the second, in its size, and repeats for both.
    for view in [View::Large, View::Small] {
        let second = join(2, view);
        // Repeats of the spacing between two keys may come first.
        while !is_key(&second.recv_timeout(patience).expect("a picture for who joins")) {}
        second.recv_timeout(patience).expect("a repeat");
    }
    assert_eq!(given.get(), 1, "the source was not asked again");
    assert!(track.sending(View::Large).is_some_and(|sending| sending.width == Some(320)));
    for n in [1, 2] {
        outlets.remove(PeerId::from_bytes([n; 32]));
    }
    let deadline = clock::now() + patience;
    while track.sending(View::Large).is_some() {
        assert!(clock::now() < deadline, "its encoders rest");
        std::thread::yield_now();
    }
    track.stop();
}
