use super::*;

const ID: &str = "abababababababababababababababababababababababababababababababab";

fn id() -> PeerId {
    ID.parse().expect("an id")
}

fn room(text: &str) -> RoomName {
    RoomName::new(text).expect("a name")
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn read(text: &str) -> Result<Invite, ParseError> {
    text.parse()
}

/// A link with `more` after what every link has.
fn with(more: &str) -> Result<Invite, ParseError> {
    read(&format!("letsmeet://join?room=r&by={ID}{more}"))
}

#[test]
fn a_link_is_written_as_the_page_says_and_read_back() {
    let service =
        Service { host: "meet.example.org".into(), port: 48189, fingerprint: Some(PeerId::from_bytes([1; 32])) };
    let addresses = [at("10.77.0.1:48190"), at("[fd00::1]:48191")];
    let invite = Invite::new(room("Stand-up & tea"), id(), &addresses, Some(service));
    let text = invite.to_string();
    let expect = format!(
        "letsmeet://join?room=Stand-up%20%26%20tea&by={ID}&at=10.77.0.1:48190&at=%5Bfd00::1%5D:48191\
         &via=meet.example.org:48189&key={}",
        "01".repeat(32)
    );
    assert_eq!(text, expect);
    assert_eq!(read(&text), Ok(invite.clone()));
    assert_eq!(invite.short(), "Stand-up & tea#abababab");
    // As some systems hand it on.
    for text in [
        format!(" {text}\r\n"),
        text.replacen("letsmeet://join?", "LetsMeet://JOIN/?", 1),
        text.replacen("?room", "?later=%zz&theme=dark&room", 1),
        text.replacen("%5B", "%5b", 1),
    ] {
        assert_eq!(read(&text), Ok(invite.clone()), "{text}");
    }
}

#[test]
fn the_longest_link_that_is_written_is_read() {
    let service = Service { host: "h".repeat(253), port: 65535, fingerprint: Some(id()) };
    let addresses: Vec<SocketAddr> =
        (0..20).map(|n| at(&format!("[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ff{n:02}]:65535"))).collect();
    let invite = Invite::new(room(&"\u{10ffff}".repeat(64)), id(), &addresses, Some(service));
    assert_eq!(invite.addresses, addresses[..MAX_ADDRESSES]);
    let text = invite.to_string();
    assert!(text.len() <= MAX_LINK, "{}", text.len());
    assert_eq!(read(&text), Ok(invite));
}

#[test]
fn only_addresses_that_mean_the_same_elsewhere_are_told() {
    let all = [
        at("127.0.0.1:48190"),
        at("[fe80::1%3]:48190"),
        at("169.254.1.1:48190"),
        at("0.0.0.0:48190"),
        at("10.0.0.1:0"),
        at("[::ffff:10.0.0.1]:48190"),
        at("10.0.0.1:48190"),
    ];
    let addresses = |all: &[SocketAddr]| Invite::new(room("r"), id(), all, None).addresses;
    assert_eq!(addresses(&all), [at("10.0.0.1:48190")]);
    assert_eq!(addresses(&all[..5]), [at("127.0.0.1:48190")], "a meeting of this machine only");
}

#[test]
fn a_passphrase_is_neither_written_nor_read() {
    let invite = with("&passphrase=sesame&password=sesame&pass=sesame").expect("of a later version, skipped");
    let shown = format!("{invite} {invite:?} {}", invite.short());
    assert!(!shown.contains("sesame") && !shown.contains("pass"), "{shown}");
}

#[test]
fn damaged_links_are_refused_with_their_reason() {
    let check = |text: &str, expect: ParseError| assert_eq!(read(text), Err(expect), "{text}");
    for text in ["", "x", "https://example.org/", "letsmeet", "letsmeet/join", "lets-meet://join?room=r"] {
        check(text, ParseError::Scheme);
    }
    for text in ["letsmeet:", "letsmeet:join?room=r", "letsmeet://", "letsmeet://call?room=r", "letsmeet://join"] {
        check(text, ParseError::Action);
    }
    check(&format!("letsmeet://join?by={ID}"), ParseError::Room);
    check(&format!("letsmeet://join?room=&by={ID}"), ParseError::Room);
    check("letsmeet://join?room=r", ParseError::Inviter);
    check("letsmeet://join?", ParseError::Parameters);
    check("letsmeet://join?room=r&&by=1", ParseError::Parameters);
    check(&format!("letsmeet://join?room=r&by={ID}&room=s"), ParseError::Parameters);
    check(&format!("letsmeet://join?room=r&by={ID}&by={ID}"), ParseError::Parameters);
    check(&format!("letsmeet://join?room=r&by={ID}#top"), ParseError::Characters);
}

#[test]
fn wrong_ids_invite_nobody() {
    for by in ["", "ab", &ID[1..], &format!("{ID}00"), &ID.replace('a', "g"), &"%61".repeat(63), "%00", &"é".repeat(32)]
    {
        let text = format!("letsmeet://join?room=r&by={by}");
        assert!(matches!(read(&text), Err(ParseError::Inviter | ParseError::Characters)), "{text}");
    }
}

#[test]
fn a_link_goes_to_nobody_but_join() {
    for place in [
        "//evil.example/join?",
        "//join@evil.example/?",
        "//evil.example@join/?",
        "//user:pw@join?",
        "//join.evil.example?",
        "//join:48190?",
        "//join/..//evil?",
        "//join%2f?",
        "//join//?",
        "///join?",
        "/join?",
        "//JOIN\\?",
    ] {
        let text = format!("letsmeet:{place}room=r&by={ID}");
        assert_eq!(read(&text), Err(ParseError::Action), "{text}");
    }
}

#[test]
fn addresses_are_numbers_of_one_machine() {
    for bad in [
        "",
        "10.0.0.1",
        "10.0.0.1:0",
        "10.0.0.1:99999",
        "010.0.0.1:5",
        "0x0a.0.0.1:5",
        "167772161:5",
        "10.1:5",
        "localhost:5",
        "evil.example:48190",
        "0.0.0.0:5",
        "255.255.255.255:5",
        "224.0.0.251:5353",
        "240.0.0.1:5",
        "169.254.169.254:80",
        "%5B::%5D:5",
        "%5Bff02::fb%5D:5353",
        "%5Bfe80::1%5D:5",
        "%5Bfe80::1%251%5D:5",
        "%5Bfd00::1%251%5D:5",
        "%5B::ffff:224.0.0.1%5D:5",
        "%5B::1%5D",
        "10.0.0.1:5%00",
        "10.0.0.1:5%20",
        "10.0.0.1:5,10.0.0.2:5",
        "10.0.0.1:5%2310.0.0.2",
        "user@10.0.0.1:5",
    ] {
        assert_eq!(with(&format!("&at={bad}")), Err(ParseError::Address), "{bad}");
    }
    let invite = with("&at=10.0.0.1:5&at=%31%30.0.0.1:5&at=%5B::ffff:10.0.0.1%5D:5").expect("the same three times");
    assert_eq!(invite.addresses, [at("10.0.0.1:5")]);
}

#[test]
fn huge_links_are_refused_before_they_are_looked_at() {
    let thousands: String = (0..4000).map(|n| format!("&at=10.0.{}.{}:48190", n / 250, n % 250 + 1)).collect();
    assert_eq!(with(&thousands), Err(ParseError::TooLong));
    let nine: String = (1..=9).map(|n| format!("&at=10.0.0.{n}:48190")).collect();
    assert_eq!(with(&nine), Err(ParseError::TooManyAddresses));
    assert_eq!(with(&"&a=".repeat(40)), Err(ParseError::Parameters));
    assert_eq!(with(&"x".repeat(10_000_000)), Err(ParseError::TooLong));
    assert_eq!(read(&format!("letsmeet://join?room={}&by={ID}", "x".repeat(65))), Err(ParseError::Room));
    assert_eq!(read(&" ".repeat(1_000_000)), Err(ParseError::Scheme));
}

#[test]
fn escapes_are_undone_once() {
    let room = |text: &str| read(&format!("letsmeet://join?room={text}&by={ID}")).map(|invite| invite.room.to_string());
    assert_eq!(room("%2525252525"), Ok("%25252525".to_owned()));
    assert_eq!(room("a%252526by%25253Dx"), Ok("a%2526by%253Dx".to_owned()));
    // What an escape hides is part of the name, not of the link.
    assert_eq!(room("a%26by%3Dx"), Ok("a&by=x".to_owned()));
    assert_eq!(room("a+b"), Ok("a+b".to_owned()));
    for bad in ["%", "%4", "%zz", "%+1", "%-1", "a%", "%C3%28", "%FF", "%ED%A0%80", "%C0%AF"] {
        assert_eq!(room(bad), Err(ParseError::Parameters), "{bad}");
    }
}

#[test]
fn characters_that_hide_or_turn_text_are_refused() {
    for bad in
        ["%00", "a%0Ab", "a%1B%5B2Jb", "a%E2%80%AEb", "a%E2%80%8Bb", "%EF%BB%BFa", "a%E2%81%A6b", "a%7Fb", "a%C2%85b"]
    {
        let text = format!("letsmeet://join?room={bad}&by={ID}");
        assert_eq!(read(&text), Err(ParseError::Room), "{text}");
    }
    for raw in ["a b", "a\nb", "a\u{0}b", "a\u{1b}[2Jb", "a\u{202e}b", "réunion"] {
        let text = format!("letsmeet://join?room={raw}&by={ID}");
        assert_eq!(read(&text), Err(ParseError::Characters), "{text:?}");
    }
}

#[test]
fn a_rendezvous_counts_with_its_fingerprint_and_a_plain_name_only() {
    let via = |text: &str| with(&format!("&via={text}&key={ID}"));
    let service = via("Meet.example.org").expect("plain").rendezvous.expect("named");
    assert_eq!((service.place(), service.fingerprint), ("meet.example.org:48189".to_owned(), Some(id())));
    assert!(via("192.0.2.1:5").is_ok() && via("%5B2001:db8::1%5D:5").is_ok());
    for bad in [
        "",
        "a/b",
        "a%20b",
        "user@evil.example",
        "a:0",
        "a:99999",
        "a%23b",
        "%5Bfe80::1%25eth0%5D:5",
        // A name that looks like another: Cyrillic letters in it.
        "m%D0%B5et.example.org",
        "evil.example%2F",
        "a%00",
        &"h".repeat(254),
    ] {
        assert_eq!(via(bad), Err(ParseError::Rendezvous), "{bad}");
    }
    assert_eq!(with("&via=meet.example.org"), Err(ParseError::Rendezvous));
    assert_eq!(with(&format!("&key={ID}")), Err(ParseError::Rendezvous));
    assert_eq!(with("&via=meet.example.org&key=12"), Err(ParseError::Rendezvous));
    // One without a fingerprint is never told.
    let service = Some(Service { fingerprint: None, ..service });
    let invite = Invite { rendezvous: service, ..with("").expect("plain") };
    assert!(!invite.to_string().contains("via"));
}

#[test]
fn what_a_person_types_is_understood() {
    let check = |text: &str, expect: Typed| assert_eq!(text.parse(), Ok(expect), "{text}");
    let link = with("&at=10.0.0.1:5").expect("a link");
    check(&format!("  {link}\n"), Typed::Link(link.clone()));
    check("Stand-up#ABABABAB", Typed::Short { room: room("Stand-up"), digits: "abababab".into() });
    check(&link.short(), Typed::Short { room: room("r"), digits: "abababab".into() });
    check("a#b#abababab", Typed::Short { room: room("a#b"), digits: "abababab".into() });
    let address = |text: &str, peer| Typed::Address { address: at(text), peer };
    check("10.0.0.1", address("10.0.0.1:48190", None));
    check("10.0.0.1:5", address("10.0.0.1:5", None));
    check("[fd00::1]:5", address("[fd00::1]:5", None));
    check(&format!("10.0.0.1:5#{ID}"), address("10.0.0.1:5", Some(id())));
    check("stand up", Typed::Room(room("stand up")));
    check("issue#7", Typed::Room(room("issue#7")));
    let refused = |text: &str, expect: ParseError| assert_eq!(text.parse::<Typed>(), Err(expect), "{text}");
    refused("", ParseError::Room);
    refused("a\u{202e}b", ParseError::Room);
    refused("letsmeet://join?room=r", ParseError::Inviter);
    refused("https://example.org", ParseError::Scheme);
    refused(&"x".repeat(5000), ParseError::TooLong);
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_what_is_read_is_written_alike(text in "(letsmeet://join\\?)?[ -~]{0,300}|.{0,60}") {
        let _ = text.parse::<Typed>();
        if let Ok(invite) = text.parse::<Invite>() {
            proptest::prop_assert_eq!(invite.to_string().parse(), Ok(invite));
        }
    }

    #[test]
    fn any_invitation_is_read_back(name in "\\PC{1,64}", octets in proptest::collection::vec(proptest::num::u8::ANY, 0..12), port in 1_u16..) {
        proptest::prop_assume!(RoomName::new(&name).is_ok());
        let addresses: Vec<SocketAddr> = octets.iter().map(|n| at(&format!("10.0.0.{n}:{port}"))).collect();
        let invite = Invite::new(room(&name), id(), &addresses, None);
        proptest::prop_assert_eq!(invite.to_string().parse(), Ok(invite));
    }
}
