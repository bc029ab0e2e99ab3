//! Where the corpora begin: valid input of each decoder, made by its own encoder, and a few classics that are not.

use bytes::Bytes;
use lets_meet::av::packet;
use lets_meet::framing::Message;
use lets_meet::id::{CallId, Instance, PeerId, RoomName, TransferId, Username};
use lets_meet::identity::Identity;
use lets_meet::invite::Invite;
use lets_meet::media::Feedback;
use lets_meet::meeting::wire as meeting_wire;
use lets_meet::mesh::discovery::Announcement;
use lets_meet::mesh::discovery::responder::Responder;
use lets_meet::mesh::report::{PADDING, Report};
use lets_meet::mesh::transfer;
use lets_meet::mesh::wire::{self as mesh_wire, Control};
use lets_meet::rendezvous::{record, wire};
use lets_meet::service::Service;
use lets_meet::share::{DisplayName, FileName};

/// Named inputs.
type Seeds = Vec<(String, Vec<u8>)>;

fn named(list: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> Seeds {
    list.into_iter().map(|(name, data)| (name.to_owned(), data)).collect()
}

/// A message as the message targets take it: the kind, then the body.
fn kind_and_body(message: &Message) -> Vec<u8> {
    [&message.kind.to_be_bytes()[..], &message.body].concat()
}

/// A number with the input of one message each.
fn messages(list: impl IntoIterator<Item = Message>) -> Seeds {
    list.into_iter().enumerate().map(|(n, m)| (format!("{n:02}-kind-{}", m.kind), kind_and_body(&m))).collect()
}

/// The classics of CBOR: deep nesting, a huge length, an endless list.
fn broken_cbor(kind: u16) -> Seeds {
    let with = |body: Vec<u8>| [&kind.to_be_bytes()[..], &body].concat();
    named([
        ("deep", with(vec![0x81; 600])),
        ("huge-bytes", with(vec![0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
        ("endless-map", with([&[0xbf][..], &[0x61, 0x61, 0x00].repeat(40)].concat())),
        ("future-keys", with(vec![0xa2, 0x62, b'z', b'z', 0x01, 0x62, b'z', b'y', 0x80])),
    ])
}

/// The seeds of a target; empty when it is unknown.
pub fn of(target: &str) -> Seeds {
    match target {
        "audio-packet" => audio(),
        "clock-packet" => {
            named([("clock", packet::clock::Clock { timestamp: 48_000, host_micros: 1 << 40 }.encode().to_vec())])
        }
        "feedback" => named([
            ("pli", Feedback::Pli.encode().to_vec()),
            ("nack", vec![3, 0, 9, 0, 0, 0, 5, 2, 0, 1, 1, 0, 7, 0, 0, 0, 0, 6, 0]),
            ("future", vec![200, 1, 2]),
        ]),
        "framing" => framing(),
        "h264-size" => h264(),
        "invite" => invites(),
        "link-header" => link_headers(),
        "meeting-wire" => meeting(),
        "mesh-wire" => mesh(),
        "mdns-packet" => mdns(),
        "names" => names(),
        "rendezvous-answer" => answers(),
        "rendezvous-question" => questions(),
        "test-card" => test_cards(),
        "transfer-stream" => transfer_stream(),
        "transfer-wire" => transfer_words(),
        "transport-report" => {
            let report =
                Report { first: 65_530, arrivals: vec![Some(7), None, Some(9), Some(2), None, None, Some(9000)] };
            named([("mixed", report.encode().0.to_vec()), ("padding", vec![PADDING; 40])])
        }
        "video-packets" => video(),
        "video-repair" => repair(),
        "y4m" => named([
            ("plain", b"YUV4MPEG2 W640 H360 F30:1 Ip A1:1 C420jpeg".to_vec()),
            ("huge", b"YUV4MPEG2 W99999 H99999 F30:1".to_vec()),
            ("rate-zero", b"YUV4MPEG2 W640 H360 F30:0 C420".to_vec()),
        ]),
        _ => Vec::new(),
    }
}

fn audio() -> Seeds {
    let frame = Bytes::from_static(&[0xf8; 40]);
    let level = packet::audio::Level::new(20, true);
    let make = |frame: Option<Bytes>, copies: &[Bytes]| {
        packet::audio::Audio::new(7, 960, level, 960, frame, copies).expect("a valid packet").encode().to_vec()
    };
    named([
        ("one", make(Some(frame.clone()), &[])),
        ("pause", make(None, &[])),
        ("two-copies", make(Some(frame.clone()), &[frame.slice(..9), frame.slice(..5)])),
        ("listed", {
            let copies = [(3, frame.slice(..9)), (6, frame.slice(..5))];
            let packet = packet::audio::Audio::with_copies(7, 960, level, 960, Some(frame), &copies);
            packet.expect("a valid packet").encode().to_vec()
        }),
    ])
}

fn framing() -> Seeds {
    let message = Message::new(7, &serde_json::json!({"a": 1, "b": [true, null, "text"]})).encode();
    let two = [&[3][..], &message, &message].concat();
    named([
        ("two-messages", two),
        ("gigabyte", [&[255][..], &(1_u32 << 30).to_be_bytes(), &[0, 7]].concat()),
        ("no-kind", vec![1, 0, 0, 0, 1, 9]),
        ("deep", [&[200][..], &602_u32.to_be_bytes(), &[0, 7], &[0x81; 600]].concat()),
    ])
}

fn h264() -> Seeds {
    // Constrained baseline, 640x360: a sequence parameter set as openh264 writes it, then a picture's first bytes.
    let sps = [0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1e, 0x8c, 0x8d, 0x40, 0x50, 0x17, 0xfc, 0xb0, 0x0f, 0x08, 0x84, 0x6a];
    let picture = [0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80, 0, 0, 0, 1, 0x65, 0xb8, 0, 4, 0, 0];
    named([
        ("key", [&sps[..], &picture].concat()),
        ("sps", sps[4..].to_vec()),
        ("delta", vec![0, 0, 1, 0x41, 0x9a, 0, 0]),
        ("endless-golomb", vec![0, 0, 1, 0x67, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ])
}

fn invites() -> Seeds {
    let room = RoomName::new("Stand-up & tea").expect("a name");
    let key = PeerId::from_bytes([0xab; 32]);
    let service = Service { host: "meet.example.org".into(), port: 48189, fingerprint: Some(key) };
    let addresses = ["10.77.0.1:48190", "[fd00::1]:48190"].map(|text| text.parse().expect("an address"));
    let link = Invite::new(room, key, &addresses, Some(service)).to_string();
    named([
        ("short", b"Stand-up#abababab".to_vec()),
        ("address", b"10.77.0.1:48190#".iter().copied().chain("ab".repeat(32).into_bytes()).collect()),
        ("escaped-twice", link.replace("%20", "%2520%252520").into_bytes()),
        ("other-host", link.replace("//join", "//join@evil.example").into_bytes()),
        ("directions", link.replace("%20", "%E2%80%AE%00%1B").into_bytes()),
        ("addresses", format!("{link}{}", "&at=10.0.0.1:1".repeat(9)).into_bytes()),
        ("scope", link.replace("fd00::1%5D", "fe80::1%251%5D").into_bytes()),
        ("passphrase", format!("{link}&passphrase=x").into_bytes()),
        ("link", link.into_bytes()),
    ])
}

fn link_headers() -> Seeds {
    let header = mesh_wire::Header { kind: 1, track: 1, sequence: 5, sent: 6 }.encode();
    let mut extended = [&header[..], &[3, 77, 1, 2, 9, 9]].concat();
    extended[0] |= 0x80;
    named([("plain", [&header[..], &[1, 2, 3]].concat()), ("extended", extended)])
}

fn mesh() -> Seeds {
    let address = || "10.77.0.1:48190".parse().expect("an address");
    let hello = mesh_wire::Hello {
        versions: vec![1],
        instance: Instance::from_u64(7),
        name: DisplayName::new("Ann"),
        capabilities: vec!["opus".into()],
        room: Some(RoomName::new("r").expect("a name").id()),
        seat: true,
        listen: vec![mesh_wire::Address(address())],
        clock: Some([4; 16]),
        generation: 1,
    };
    let entry = lets_meet::mesh::roster::Entry {
        peer: PeerId::from_bytes([5; 32]),
        instance: Instance::from_u64(8),
        name: Some(DisplayName::new("Bo")),
        addresses: vec![address()],
    };
    let words = [
        Control::Hello(hello),
        Control::Refuse(lets_meet::mesh::roster::Refusal::RoomFull),
        Control::Seated,
        Control::Goodbye,
        Control::Gossip(vec![entry]),
        Control::Ping(mesh_wire::Ping { t: 1 }),
        Control::Pong(mesh_wire::Pong { t: 1, host: 2 }),
        Control::Rename(DisplayName::new("Cy")),
        Control::Resume(3),
        Control::Confirm(4),
    ];
    let mut seeds = messages(words.iter().map(Control::encode));
    seeds.extend(broken_cbor(1));
    seeds.extend(broken_cbor(5).into_iter().map(|(name, data)| (format!("gossip-{name}"), data)));
    seeds
}

fn mdns() -> Seeds {
    let announcement = Announcement {
        peer: PeerId::from_bytes([7; 32]),
        instance: Instance::from_u64(7),
        name: DisplayName::new("Ann"),
        port: 48190,
        rooms: vec![RoomName::new("stand-up").expect("a name")],
    };
    let now = lets_meet::clock::now();
    let mut responder = Responder::new(now, Some(announcement));
    let mut packet = || responder.poll_packet(now).expect("it announces and asks at once");
    let (announced, question) = (packet(), packet());
    let goodbye = responder.goodbye().expect("it has announced");
    // A name that is compressed, and one that points at itself.
    let mut compressed = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    compressed.extend_from_slice(b"\x09_lets-meet\x04_udp\x05local\x00");
    compressed.extend_from_slice(&[0, 12, 0, 1, 0, 0, 0, 9, 0, 4, 1, b'y', 0xc0, 12]);
    let loop_ = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 12, 0, 1];
    named([
        ("announced", announced),
        ("question", question),
        ("goodbye", goodbye),
        ("compressed", compressed),
        ("loop", loop_),
    ])
}

fn meeting() -> Seeds {
    let (author, instance) = (PeerId::from_bytes([5; 32]), Instance::from_u64(8));
    let line = meeting_wire::Line { n: 1, at: 2, name: "Ann".into(), text: "hello".into(), signature: None };
    let entry = meeting_wire::Entry { author, instance, conversation: [1; 16], base: 1, next: 4 };
    let track = meeting_wire::Track { kind: "camera".into(), on: true, width: 640, height: 360, codec: "h264".into() };
    let wanted = meeting_wire::Wanted { kind: "camera".into(), view: "small".into() };
    let (call, room) = (CallId::from_u64(6), |name| RoomName::new(name).expect("a valid name"));
    let lines = |people| meeting_wire::Lines {
        author,
        instance,
        key: None,
        people,
        base: 1,
        late: false,
        lines: vec![line.clone()],
    };
    let mut seeds = messages([
        Message::new(meeting_wire::LINES, &lines(None)),
        Message::new(meeting_wire::LINES, &lines(Some(vec![author]))),
        Message::new(
            meeting_wire::HAVE,
            &meeting_wire::Have { full: true, more: false, ask: true, entries: vec![entry] },
        ),
        Message::new(meeting_wire::WANT, &meeting_wire::Want { author, instance, from: 2 }),
        Message::new(meeting_wire::TRACKS, &meeting_wire::Tracks { revision: 1, tracks: vec![track] }),
        Message::new(meeting_wire::VIEWS, &meeting_wire::Views { revision: 1, views: vec![wanted] }),
        Message::new(meeting_wire::HAND, &meeting_wire::Hand { revision: 1, turn: Some(2) }),
        Message::new(meeting_wire::REACTION, &meeting_wire::Reaction { emoji: "\u{1f389}".into() }),
        Message::new(meeting_wire::RING, &meeting_wire::Ring { call, room: room("Stand-up"), meeting: true }),
        Message::new(
            meeting_wire::RING,
            &meeting_wire::Ring { call, room: RoomName::of_call([7; 16]), meeting: false },
        ),
        Message::new(meeting_wire::RING_ANSWER, &meeting_wire::RingAnswer { call, word: meeting_wire::TAKE.into() }),
        Message::new(meeting_wire::RING_END, &meeting_wire::RingEnd { call, word: meeting_wire::GO.into() }),
    ]);
    seeds.extend(broken_cbor(meeting_wire::LINES));
    let of_rings = |(name, data): (String, Vec<u8>)| (format!("ring-{name}"), data);
    seeds.extend(broken_cbor(meeting_wire::RING).into_iter().map(of_rings));
    seeds
}

fn names() -> Seeds {
    named([
        ("path", b"../../x".to_vec()),
        ("root", b"/etc/passwd".to_vec()),
        ("device", b"con.txt".to_vec()),
        ("directions", "x\u{202e}gpj.exe\u{1b}[31m\u{200b}".into()),
        ("long", "\u{e9}".repeat(300).into_bytes()),
        ("name", b"Alice-1".to_vec()),
    ])
}

fn whereabouts() -> record::Whereabouts {
    record::Whereabouts {
        instance: Instance::from_u64(7),
        name: Some(DisplayName::new("Ann")),
        addresses: vec!["10.1.2.3:48190".parse().expect("an address"), "[fd00::1]:48190".parse().expect("an address")],
        rooms: vec![RoomName::new("stand-up").expect("a name").id()],
    }
}

fn questions() -> Seeds {
    let me = Identity::generate();
    let service = PeerId::from_bytes([9; 32]);
    let name = || Username::new("alice").expect("a name");
    let all = [
        wire::Question::Hello(wire::Hello { version: 1 }),
        wire::Question::Claim(record::Claim::sign(&me, service, name(), 1_000, 2_000)),
        wire::Question::Release(record::Release::sign(&me, service, name(), 1_000)),
        wire::Question::Lookup(wire::Lookup { name: name() }),
        wire::Question::Publish(record::Presence::sign(&me, service, &whereabouts(), 1_000, 60_000)),
        wire::Question::Withdraw(wire::Withdraw { instance: Instance::from_u64(7) }),
        wire::Question::Room(wire::Room { room: RoomName::new("r").expect("a name").id() }),
    ];
    all.iter().map(|q| (format!("kind-{}", q.message().kind), q.message().encode().to_vec())).collect()
}

fn answers() -> Seeds {
    let me = Identity::generate();
    let service = PeerId::from_bytes([9; 32]);
    let claim = record::Claim::sign(&me, service, Username::new("alice").expect("a name"), 1_000, 2_000);
    let presence = record::Presence::sign(&me, service, &whereabouts(), 1_000, 60_000);
    let seen = || Some(wire::Text::new("10.0.0.1:5".parse().expect("an address")));
    let all = [
        wire::Answer::Terms(wire::Terms {
            version: 1,
            name_lease: 9,
            presence_lease: 9,
            observed: seen(),
            names: vec![claim.clone()],
        }),
        wire::Answer::Granted(wire::Granted { expires: 5 }),
        wire::Answer::Released,
        wire::Answer::Found(wire::Found { claim, expires: 5, presences: vec![presence.clone()] }),
        wire::Answer::Published(wire::Published { observed: seen() }),
        wire::Answer::Withdrawn,
        wire::Answer::Members(wire::Members { presences: vec![presence] }),
        wire::Answer::Refused(wire::Refusal::Taken.into()),
    ];
    all.iter().map(|a| (format!("kind-{}", a.message().kind), a.message().encode().to_vec())).collect()
}

#[cfg(feature = "media")]
fn test_cards() -> Seeds {
    use lets_meet::av::capture::{VideoSource as _, testcard::TestCard};
    let mut card = TestCard::new(64, 36, 30);
    let mut picture = lets_meet::frame::Pool::new(1).picture(64, 36);
    card.picture(0, &mut picture).expect("a test card never ends");
    named([("card-64x36", [&[32, 18][..], picture.planes().0].concat()), ("grey", vec![32, 18, 126])])
}

#[cfg(not(feature = "media"))]
fn test_cards() -> Seeds {
    Vec::new()
}

fn transfer_words() -> Seeds {
    let id = TransferId::from_u64(7);
    let words = [
        transfer::Word::Offer(transfer::Offer { id, name: FileName::new("a.txt"), size: 9, root: None }),
        transfer::Word::Offer(transfer::Offer { id, name: FileName::new("b"), size: 1 << 40, root: Some([3; 32]) }),
        transfer::Word::Want(transfer::Want { id, attempt: 1, spans: vec![transfer::Span { start: 0, end: 9 }] }),
    ];
    let mut seeds = messages(words.iter().map(transfer::Word::message));
    seeds.extend(broken_cbor(words[0].message().kind));
    seeds
}

fn transfer_stream() -> Seeds {
    let head = transfer::Head { id: TransferId::from_u64(7), attempt: 1 }.encode();
    let group = transfer::GroupHead { offset: 0, length: 9, hash: [1; 32] }.encode();
    named([("head-and-group", [&head[..], &group, &9_u64.to_be_bytes()].concat())])
}

/// A keyframe and a delta with parity: one packet is computed, one is missing.
fn repair() -> Seeds {
    let mut packetizer = packet::packetizer::Packetizer::new(1, packet::header::Layer::Main, 5);
    let mut data = Vec::new();
    for key in [true, false, false] {
        let picture = packet::EncodedPicture { data: vec![0x65; 2500], key, temporal: 0, discardable: false };
        let packets = packetizer.cut(&picture, 1_000).expect("a small picture");
        let pieces = packets.bodies.iter().skip(1).map(|body| (0x42, body.clone()));
        let parity = packets.parity(if key { 1 } else { 0 });
        for (how, body) in pieces.chain(parity.into_iter().map(|body| (0x43, body))) {
            data.extend_from_slice(&u16::try_from(body.len() + 1).expect("a short packet").to_be_bytes());
            data.push(how);
            data.extend_from_slice(&body);
        }
    }
    named([("parity", data)])
}

fn video() -> Seeds {
    let header = |frame, index, key| packet::header::Header {
        stream: 1,
        frame,
        index,
        count: 2,
        key,
        discardable: false,
        temporal: 0,
        layer: packet::header::Layer::Main,
        reference: u8::from(!key),
        captured: 1_000,
    };
    let mut data = Vec::new();
    for (frame, index, key) in [(0, 0, true), (0, 1, true), (1, 1, false), (1, 0, false)] {
        let mut body = bytes::BytesMut::new();
        header(frame, index, key).write(&mut body);
        body.extend_from_slice(&[0x65; 30]);
        data.extend_from_slice(&u16::try_from(body.len()).expect("a short packet").to_be_bytes());
        data.extend_from_slice(&body);
    }
    named([("two-pictures", data)])
}
