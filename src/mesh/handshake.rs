//! Sans-IO. What two hellos amount to: the version to speak, and what the link is for. Who may sit at all is the
//! roster's question, asked afterwards.
//!
//! Both sides read both hellos and come to the same answer by themselves; a refusal is said by whoever finds it first.

use crate::id::LinkKey;
use crate::mesh::roster::{Refusal, Seat};
use crate::mesh::wire::{Hello, VERSIONS};

/// What both sides agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// The highest version that both speak.
    pub version: u16,
    /// What the link is for.
    pub seat: Seat,
    /// Both read the same host clock.
    pub same_clock: bool,
}

/// Reads the dialer's hello together with the acceptor's. `me` and `them` are the proven keys with the claimed runs.
pub fn agree(dialer: &Hello, acceptor: &Hello, me: LinkKey, them: LinkKey) -> Result<Agreed, Refusal> {
    if me == them {
        return Err(Refusal::Myself);
    }
    let both = |version: &&u16| dialer.versions.contains(version) && acceptor.versions.contains(version);
    let version = *VERSIONS.iter().filter(both).max().ok_or(Refusal::Version)?;
    let same_room = dialer.room.is_some() && dialer.room == acceptor.room;
    let seat = match (dialer.seat, acceptor.seat && same_room) {
        (false, _) => Seat::Visitor,
        (true, true) => Seat::Room,
        (true, false) => return Err(Refusal::OtherRoom),
    };
    let same_clock = dialer.clock.is_some() && dialer.clock == acceptor.clock;
    Ok(Agreed { version, seat, same_clock })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Instance, PeerId, RoomName};
    use crate::share::DisplayName;

    fn key(n: u8) -> LinkKey {
        LinkKey { peer: PeerId::from_bytes([n; 32]), instance: Instance::from_u64(n.into()) }
    }

    fn hello(room: Option<&str>, seat: bool) -> Hello {
        Hello {
            versions: VERSIONS.to_vec(),
            instance: Instance::from_u64(1),
            name: DisplayName::new("Bo"),
            capabilities: Vec::new(),
            room: room.map(|room| RoomName::new(room).expect("valid").id()),
            seat,
            listen: Vec::new(),
            clock: Some([1; 16]),
            generation: 0,
        }
    }

    #[test]
    fn seats_go_to_those_who_ask_for_the_same_room() {
        let check = |dialer: Hello, acceptor: Hello, expect: Result<Seat, Refusal>| {
            assert_eq!(agree(&dialer, &acceptor, key(1), key(2)).map(|agreed| agreed.seat), expect);
            assert_eq!(agree(&dialer, &acceptor, key(2), key(1)).map(|agreed| agreed.seat), expect);
        };
        check(hello(Some("tea"), true), hello(Some("TEA"), true), Ok(Seat::Room));
        check(hello(Some("tea"), true), hello(Some("rum"), true), Err(Refusal::OtherRoom));
        check(hello(Some("tea"), true), hello(None, false), Err(Refusal::OtherRoom));
        check(hello(None, true), hello(None, true), Err(Refusal::OtherRoom));
        check(hello(None, false), hello(Some("tea"), true), Ok(Seat::Visitor));
        check(hello(Some("tea"), false), hello(Some("tea"), true), Ok(Seat::Visitor));
    }

    #[test]
    fn versions_need_one_in_common() {
        let mut future = hello(None, false);
        future.versions = vec![99, 98];
        assert_eq!(agree(&future, &hello(None, false), key(1), key(2)), Err(Refusal::Version));
        future.versions = vec![99, 1];
        assert_eq!(agree(&future, &hello(None, false), key(1), key(2)).map(|a| a.version), Ok(1));
    }

    #[test]
    fn a_process_does_not_link_to_itself() {
        assert_eq!(agree(&hello(None, false), &hello(None, false), key(1), key(1)), Err(Refusal::Myself));
    }

    #[test]
    fn clocks_are_the_same_only_when_both_tell_and_agree() {
        let mut other = hello(None, false);
        let same = |other: &Hello| agree(other, &hello(None, false), key(1), key(2)).expect("agreed").same_clock;
        assert!(same(&other));
        other.clock = Some([2; 16]);
        assert!(!same(&other));
        other.clock = None;
        assert!(!same(&other));
    }
}
