//! Sans-IO. The TXT record of an announcement (RFC 6763, section 6).
//!
//! | key | value |
//! |---|---|
//! | `v` | protocol version, `1`; another one is not for this program |
//! | `id` | peer id, 64 hex digits |
//! | `i` | instance, 16 hex digits |
//! | `n` | display name |
//! | `r0` .. `r3` | open meetings |
//!
//! One string holds 255 bytes, so a value over [`PIECE`] bytes goes on under its key with an `x` behind it. Unknown keys
//! are ignored. Anybody on the network can write anything here: what is not valid is dropped, never trusted.

use crate::id::{Instance, PeerId, RoomName, from_hex};
use crate::share::DisplayName;
use crate::sighting::MAX_ROOMS;

use super::Announcement;

/// The version that this program speaks.
pub const VERSION: &str = "1";
/// Bytes of a value in one string.
const PIECE: usize = 240;
/// Bytes of a whole value that are looked at.
const MAX_VALUE: usize = 2 * PIECE;

/// What an announcement says, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who.
    pub peer: PeerId,
    /// Which run.
    pub instance: Instance,
    /// The name it shows.
    pub name: Option<DisplayName>,
    /// Open meetings.
    pub rooms: Vec<RoomName>,
}

/// The strings of an announcement, as key and value.
pub fn encode(announcement: &Announcement) -> Vec<(String, String)> {
    let mut out = vec![
        ("v".to_owned(), VERSION.to_owned()),
        ("id".to_owned(), announcement.peer.to_string()),
        ("i".to_owned(), announcement.instance.to_string()),
    ];
    put(&mut out, "n", announcement.name.as_str());
    for (number, room) in announcement.rooms.iter().take(MAX_ROOMS).enumerate() {
        put(&mut out, &format!("r{number}"), room.as_str());
    }
    out
}

fn put(out: &mut Vec<(String, String)>, key: &str, value: &str) {
    let mut end = value.len().min(PIECE);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    out.push((key.to_owned(), value[..end].to_owned()));
    if end < value.len() {
        out.push((format!("{key}x"), value[end..].to_owned()));
    }
}

/// Reads the strings of a record. `None` for what is not a valid announcement of this version.
pub fn parse<'a>(strings: impl Iterator<Item = (&'a str, &'a [u8])> + Clone) -> Option<Record> {
    let piece = |key: &str| {
        // The first one counts; keys have no case (RFC 6763, section 6.4).
        let mut found = strings.clone().filter(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, value)| value);
        found.next()
    };
    let value = |key: &str| -> Option<String> {
        let mut bytes = piece(key)?.to_vec();
        bytes.extend_from_slice(piece(&format!("{key}x")).unwrap_or_default());
        if bytes.len() > MAX_VALUE { None } else { String::from_utf8(bytes).ok() }
    };
    if value("v")? != VERSION {
        return None;
    }
    let peer: PeerId = value("id")?.parse().ok()?;
    let instance: [u8; 8] = from_hex(&value("i")?)?.try_into().ok()?;
    let instance = Instance::from_u64(u64::from_be_bytes(instance));
    let name = value("n").map(|text| DisplayName::new(&text));
    let room = |number: usize| RoomName::new(&value(&format!("r{number}"))?).ok();
    let rooms = (0..MAX_ROOMS).filter_map(room).collect();
    Some(Record { peer, instance, name, rooms })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn announcement(name: &str, rooms: &[&str]) -> Announcement {
        Announcement {
            peer: PeerId::from_bytes([0xab; 32]),
            instance: Instance::from_u64(0x12),
            name: DisplayName::new(name),
            port: 48190,
            rooms: rooms.iter().map(|room| RoomName::new(room).expect("valid")).collect(),
        }
    }

    fn read(strings: &[(String, String)]) -> Option<Record> {
        parse(strings.iter().map(|(key, value)| (key.as_str(), value.as_bytes())))
    }

    #[test]
    fn records_read_back_what_they_say() {
        let long = "🦀".repeat(64);
        for (name, rooms) in [("Bo", &["standup", "tea"][..]), ("x", &[][..]), (long.as_str(), &[long.as_str()][..])] {
            let said = announcement(name, rooms);
            let strings = encode(&said);
            assert!(strings.iter().all(|(key, value)| key.len() + 1 + value.len() <= 255), "{strings:?}");
            let record = read(&strings).expect("valid");
            assert_eq!(record.peer, said.peer);
            assert_eq!(record.instance, said.instance);
            assert_eq!(record.name, Some(said.name));
            assert_eq!(record.rooms, said.rooms);
        }
    }

    #[test]
    fn hostile_records_are_dropped_or_cleaned() {
        let with = |key: &str, value: &str| {
            let mut strings = encode(&announcement("Bo", &["tea"]));
            strings.retain(|(k, _)| k != key);
            strings.push((key.to_owned(), value.to_owned()));
            read(&strings)
        };
        assert_eq!(with("v", "2"), None);
        assert_eq!(with("id", "abc"), None);
        assert_eq!(with("id", &"é".repeat(32)), None);
        assert_eq!(with("i", "+123456789abcdef"), None);
        assert_eq!(with("i", ""), None);
        let cleaned = with("n", "a\u{202e}b\u{1b}[2J").expect("valid");
        assert_eq!(cleaned.name, Some(DisplayName::new("ab[2J")));
        assert_eq!(with("r0", "a\u{7}b").expect("valid").rooms, []);
        assert_eq!(with("r0", &"x".repeat(65)).expect("valid").rooms, []);
        assert!(with("zz", "from the future").is_some());
    }

    proptest! {
        #[test]
        fn any_strings_never_panic(strings in proptest::collection::vec(("[a-z0-9]{0,3}", ".{0,300}"), 0..12)) {
            let _ = read(&strings);
        }
    }
}
