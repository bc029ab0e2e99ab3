//! Every decoder of bytes that strangers send or files hold, in one table, for the fuzzer (`make fuzz`) and for the
//! replay of its corpora (`tests/corpus.rs`). A target must not panic, whatever the bytes and their order, and what it
//! accepts must keep its own bounds; that is asserted here where it is cheap.

use std::time::Duration;

use bytes::Bytes;

use crate::av::packet;
use crate::av::repair::intake::Intake;
use crate::av::repair::nack::Kind;
use crate::framing::{self, Message};
use crate::invite;
use crate::media;
use crate::meeting::wire;
use crate::mesh::{self, transfer};
use crate::rendezvous;
use crate::share;

/// A decoder under test: its name (also of its corpus folder) and what feeds it.
pub type Target = (&'static str, fn(&[u8]));

/// All of them, by name.
pub const TARGETS: &[Target] = &[
    ("audio-packet", audio_packet),
    ("clock-packet", clock_packet),
    ("feedback", feedback),
    ("framing", framing_),
    ("h264-size", h264_size),
    ("invite", invite),
    ("link-header", link_header),
    ("mdns-packet", mdns_packet),
    ("meeting-wire", meeting_wire),
    ("mesh-wire", mesh_wire),
    ("names", names),
    ("rendezvous-answer", rendezvous_answer),
    ("rendezvous-question", rendezvous_question),
    #[cfg(feature = "media")]
    ("test-card", test_card),
    ("transfer-stream", transfer_stream),
    ("transfer-wire", transfer_wire),
    ("transport-report", transport_report),
    ("video-packets", video_packets),
    ("video-repair", video_repair),
    #[cfg(feature = "media")]
    ("y4m", y4m),
];

/// Runs the target called `name`; false when there is none.
pub fn run(name: &str, data: &[u8]) -> bool {
    TARGETS.iter().find(|(target, _)| *target == name).map(|(_, feed)| feed(data)).is_some()
}

/// The input as a message: its first two bytes are the kind.
fn message(data: &[u8]) -> Option<Message> {
    let (kind, body) = data.split_first_chunk::<2>()?;
    Some(Message { kind: u16::from_be_bytes(*kind), body: Bytes::copy_from_slice(body) })
}

/// The input as several datagrams: each begins with its length in one or two bytes.
fn datagrams(mut data: &[u8]) -> Vec<Bytes> {
    let mut out = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)) % (media::MAX_BODY + 1);
        let (one, left) = rest.split_at(length.min(rest.len()));
        out.push(Bytes::copy_from_slice(one));
        data = left;
    }
    out
}

fn framing_(data: &[u8]) {
    // The first byte says in what pieces the rest comes.
    let Some((pieces, data)) = data.split_first() else { return };
    let mut decoder = framing::Decoder::new();
    for piece in data.chunks(usize::from(*pieces).max(1)) {
        decoder.push(piece);
        loop {
            match decoder.poll() {
                Ok(Some(message)) => {
                    assert!(message.body.len() <= framing::MAX_MESSAGE);
                    let _ = message.decode::<serde_json::Value>();
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

fn names(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let name = share::FileName::new(&text);
    let name = name.as_str();
    assert!(!name.is_empty() && !name.contains(['/', '\\', '\0']) && !name.starts_with('.'));
    let shown = share::DisplayName::new(&text);
    assert!((1..=64).contains(&shown.as_str().chars().count()) && !shown.as_str().chars().any(char::is_control));
    let _ = share::ChatText::new(&text);
    let _ = crate::id::RoomName::new(&text).map(|room| room.id());
    let _ = crate::id::Username::new(&text).map(|name| name.folded());
}

fn invite(data: &[u8]) {
    let line = [b"lets-meet 1 open ", data, b"\n"].concat();
    assert!(!matches!(crate::handover::Message::read(&line), Some(crate::handover::Message::Raise)));
    let _ = crate::handover::Message::read(data);
    let text = String::from_utf8_lossy(data);
    let _ = text.parse::<invite::Typed>();
    if let Ok(invite) = text.parse::<invite::Invite>() {
        assert!(invite.addresses.len() <= invite::MAX_ADDRESSES);
        assert!(invite.addresses.iter().all(|address| address.port() != 0 && !address.ip().is_multicast()));
        assert!(invite.rendezvous.iter().all(|service| service.fingerprint.is_some()));
        assert!(!invite.room.as_str().chars().any(char::is_control));
        // What is read is written so that it is read alike.
        let text = invite.to_string();
        assert!(text.len() <= invite::MAX_LINK && text.is_ascii());
        assert_eq!(text.parse(), Ok(invite));
    }
}

fn link_header(data: &[u8]) {
    if let Some((header, body)) = mesh::wire::Header::decode(data) {
        assert!(body >= media::LINK_HEADER && body <= data.len());
        if header.kind == data[0] {
            assert_eq!(header.encode()[..], data[..media::LINK_HEADER]);
        }
    }
}

fn mesh_wire(data: &[u8]) {
    let Some(message) = message(data) else { return };
    if let Ok(mesh::wire::Control::Hello(hello)) = mesh::wire::Control::decode(&message) {
        assert!(hello.listen.len() <= crate::sighting::MAX_ADDRESSES);
        assert!(hello.capabilities.len() <= mesh::wire::MAX_CAPABILITIES);
    }
}

fn mdns_packet(data: &[u8]) {
    let now = crate::clock::now();
    let mut responder = mesh::discovery::responder::Responder::new(now, None);
    responder.on_packet(now, data);
    while let Some(sighting) = responder.poll_sighting(now) {
        assert!(sighting.addresses.len() <= crate::sighting::MAX_ADDRESSES);
        assert!(sighting.rooms.len() <= crate::sighting::MAX_ROOMS);
    }
}

fn meeting_wire(data: &[u8]) {
    let Some(message) = message(data) else { return };
    let _ = message.decode::<wire::Lines>();
    let _ = message.decode::<wire::Have>();
    let _ = message.decode::<wire::Want>();
    let tracks = message.decode::<wire::Tracks>();
    for info in tracks.iter().flat_map(|tracks| &tracks.tracks).filter_map(wire::Track::info) {
        assert!(info.codec.chars().count() <= 32);
    }
    let views = message.decode::<wire::Views>();
    let _ = message.decode::<wire::Hand>();
    let reaction = message.decode::<wire::Reaction>();
    for emoji in reaction.iter().filter_map(|said| share::Emoji::new(&said.emoji).ok()) {
        assert!(emoji.as_str().len() <= 40 && !emoji.as_str().chars().any(char::is_control));
    }
    if let Ok(ring) = message.decode::<wire::Ring>() {
        let room = ring.room.as_str();
        assert!((1..=64).contains(&room.chars().count()) && !room.chars().any(char::is_control));
    }
    let _ = message.decode::<wire::RingAnswer>();
    let _ = message.decode::<wire::RingEnd>();
    let _ = views.iter().flat_map(|views| &views.views).filter_map(wire::Wanted::read).count();
}

fn feedback(data: &[u8]) {
    if let Some(feedback) = media::Feedback::decode(data) {
        assert_eq!(media::Feedback::decode(&feedback.encode()), Some(feedback));
    }
}

fn transport_report(data: &[u8]) {
    if let Some(report) = mesh::report::Report::decode(data) {
        assert!((1..=mesh::report::MAX_NUMBERS).contains(&report.arrivals.len()));
        let (body, written) = report.encode();
        assert!(body.len() <= media::MAX_BODY && written <= report.arrivals.len());
    }
}

fn clock_packet(data: &[u8]) {
    let _ = packet::clock::Clock::parse(data);
}

fn audio_packet(data: &[u8]) {
    let _ = packet::audio::Audio::parse(&Bytes::copy_from_slice(data));
}

fn video_packets(data: &[u8]) {
    let mut depacketizer = packet::depacketizer::Depacketizer::new();
    for body in datagrams(data) {
        let _ = depacketizer.on_packet(&body);
    }
}

/// Each packet begins with a byte that says of which kind it is, how much later it comes, and whether something is polled.
fn video_repair(data: &[u8]) {
    let mut now = crate::clock::now();
    let mut intake = Intake::new(now);
    for (sequence, body) in (0u16..).zip(datagrams(data)) {
        let Some(how) = body.first().copied() else { continue };
        now += Duration::from_millis(u64::from(how >> 2));
        let kind = if how & 1 == 0 { Kind::Data } else { Kind::Parity };
        intake.on_packet(now, sequence, kind, &body.slice(1..));
        if how & 2 == 0 {
            continue;
        }
        while let Some(frame) = intake.poll_decode(now) {
            let at = intake.release_at(now, frame.captured);
            assert!(at >= now && at <= now + Duration::from_millis(100));
        }
        while let Some(word) = intake.poll_feedback(now) {
            let body = word.encode();
            assert!(body.len() <= media::MAX_BODY && media::Feedback::decode(&body) == Some(word));
        }
        assert!(intake.poll_timeout().is_none_or(|at| at > now), "a due timeout makes progress");
    }
}

fn h264_size(data: &[u8]) {
    let _ = packet::sps::acceptable(data);
    let _ = packet::sps::size(data);
}

fn transfer_wire(data: &[u8]) {
    let _ = message(data).and_then(|message| transfer::Word::read(&message));
}

fn transfer_stream(data: &[u8]) {
    let Some((head, rest)) = data.split_first_chunk() else { return };
    let _ = transfer::Head::decode(*head);
    let Some((group, rest)) = rest.split_first_chunk() else { return };
    let size = rest.iter().take(8).fold(0_u64, |size, byte| size << 8 | u64::from(*byte));
    let _ = transfer::GroupHead::decode(group).next(size);
}

fn rendezvous_question(data: &[u8]) {
    let _ = rendezvous::wire::Question::decode(data);
}

fn rendezvous_answer(data: &[u8]) {
    let _ = rendezvous::wire::Answer::decode(data);
}

#[cfg(feature = "media")]
fn test_card(data: &[u8]) {
    let Some((size, luma)) = data.split_first_chunk::<2>() else { return };
    let (width, height) = (u16::from(size[0]) * 2, u16::from(size[1]) * 2);
    let mut picture = luma.to_vec();
    picture.resize(usize::from(width) * usize::from(height), 16);
    let _ = crate::av::capture::testcard::read(&picture, width, height);
}

#[cfg(feature = "media")]
fn y4m(data: &[u8]) {
    if let Ok(header) = crate::av::capture::y4m::Header::parse(data) {
        assert!(header.picture_size() <= 1920 * 1080 * 3 / 2 + 4096);
    }
}
