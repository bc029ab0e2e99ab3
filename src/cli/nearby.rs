//! `lets-meet nearby`: people and open meetings in sight, and how far their keys are trusted. Announces nothing itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use super::args::{Common, Nearby};
use super::output::Output;
use super::setup::Setup;
use super::{Exit, Failure, code};
use crate::endpoint;
use crate::id::{PeerId, RoomName};
use crate::known::{self, Store};
use crate::meeting::who::Directory;
use crate::meeting::{Person, Trust};
use crate::mesh::discovery::{self, mdns};
use crate::share::DisplayName;
use crate::sighting::Sighting;

/// What was seen of one peer.
#[derive(Debug, Default)]
struct Seen {
    name: Option<DisplayName>,
    addresses: Vec<SocketAddr>,
    rooms: Vec<RoomName>,
}

/// Looks for a while, then prints; nobody is exit 3.
pub fn run(common: &Common, nearby: &Nearby, output: &Output) -> Result<Exit, Failure> {
    endpoint::check_interfaces(&common.interface).map_err(|error| super::name::bind_failure(&error))?;
    let setup = Setup::load(common)?;
    let directory = directory(&setup).map_err(|error| Failure::new(Exit::State, code::STATE, format!("{error}.")))?;
    let seen = super::block_on(look(common, Duration::from_secs_f64(nearby.seconds), setup.identity.peer_id()))?;
    if seen.is_empty() {
        output.note("Nobody is in sight. Is somebody in a meeting on this network? lets-meet doctor checks it.");
        return Ok(Exit::NotFound);
    }
    let mut meetings: BTreeMap<RoomName, Vec<PeerId>> = BTreeMap::new();
    for (peer, seen) in &seen {
        for room in &seen.rooms {
            meetings.entry(room.clone()).or_default().push(*peer);
        }
        print_person(peer, seen, trust(directory.clone(), *peer, seen), output);
    }
    for (room, people) in meetings {
        if output.is_json() {
            output.event("meeting", json!({ "room": room.as_str(), "people": people }));
        } else {
            let names: Vec<&str> =
                people.iter().filter_map(|peer| seen[peer].name.as_ref().map(DisplayName::as_str)).collect();
            output.line(&format!("meeting {room}: {} (lets-meet join \"{room}\")", names.join(", ")));
        }
    }
    Ok(Exit::Done)
}

/// Whose keys this profile knows.
fn directory(setup: &Setup) -> Result<Directory, known::Error> {
    let store = Store::open(setup.profile.dir())?;
    let me = Person { peer: setup.identity.peer_id(), name: setup.name.clone() };
    Ok(Directory::new(me, store.names()?).with_trust(store.trust()?))
}

/// How far a key is trusted under the name that it says here. Nothing of it is proven before there is a link.
fn trust(mut directory: Directory, peer: PeerId, seen: &Seen) -> Trust {
    if let Some(name) = &seen.name {
        directory.sight(peer, name.clone());
    }
    directory.trust_by_name(peer)
}

fn print_person(peer: &PeerId, seen: &Seen, trust: Trust, output: &Output) {
    let name = seen.name.as_ref().map(DisplayName::as_str);
    if output.is_json() {
        let addresses: Vec<String> = seen.addresses.iter().map(ToString::to_string).collect();
        let rooms: Vec<&str> = seen.rooms.iter().map(RoomName::as_str).collect();
        let trust = trust.as_str();
        output.event(
            "person",
            json!({ "peer": peer, "name": name, "trust": trust, "addresses": addresses, "rooms": rooms, "source": "mdns" }),
        );
    } else {
        let address = seen.addresses.first().map(ToString::to_string).unwrap_or_default();
        output.line(&format!("{}#{} ({}) at {address}", name.unwrap_or("Someone"), peer.short(), trust.as_str()));
    }
}

async fn look(common: &Common, time: Duration, me: PeerId) -> Result<BTreeMap<PeerId, Seen>, Failure> {
    let scope = crate::task::Scope::new();
    let config = discovery::Config { announcement: None, interfaces: common.interface.clone() };
    let (mdns, mut sightings) = mdns::start(config, &scope).map_err(|error| {
        Failure::new(Exit::Network, code::DISCOVERY_FAILED, format!("Multicast DNS does not work here: {error}."))
    })?;
    let mut seen: BTreeMap<PeerId, Seen> = BTreeMap::new();
    let end = tokio::time::sleep(time);
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            sighting = sightings.recv() => match sighting {
                Some(sighting) => take(&mut seen, sighting, me),
                None => break,
            },
        }
    }
    mdns.shutdown().await;
    scope.finish(Duration::from_secs(1)).await;
    Ok(seen)
}

/// People kept in one look; more are ignored.
const MAX_SEEN: usize = 1000;

fn take(seen: &mut BTreeMap<PeerId, Seen>, sighting: Sighting, me: PeerId) {
    let Some(peer) = sighting.peer.filter(|peer| *peer != me) else { return };
    if sighting.gone {
        seen.remove(&peer);
        return;
    }
    if seen.len() >= MAX_SEEN && !seen.contains_key(&peer) {
        return;
    }
    let entry = seen.entry(peer).or_default();
    entry.name = sighting.name.or(entry.name.take());
    for address in sighting.addresses {
        if !entry.addresses.contains(&address) && entry.addresses.len() < crate::sighting::MAX_ADDRESSES {
            entry.addresses.push(address);
        }
    }
    for room in sighting.rooms {
        if !entry.rooms.contains(&room) && entry.rooms.len() < crate::sighting::MAX_ROOMS {
            entry.rooms.push(room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known::names::Names;
    use crate::known::trust::{Alias, Book, Edit};

    #[test]
    fn who_is_in_sight_is_trusted_as_far_as_the_key_was_known_under_that_name() {
        let peer = |n: u8| PeerId::from_bytes([n; 32]);
        let name = DisplayName::new;
        let (mut names, mut book) = (Names::new(), Book::new());
        names.record(&name("Bo"), peer(2));
        let aliases = vec![Alias::Name(name("Ana"))];
        book.apply(&Edit::Verified { peer: peer(1), at: 1, aliases }).expect("room");
        names.mark_earlier(|_| true);
        let me = Person { peer: peer(9), name: name("Me") };
        let directory = Directory::new(me, names).with_trust(book);
        let check = |n: u8, text: Option<&str>, expect: Trust| {
            let seen = Seen { name: text.map(name), ..Seen::default() };
            assert_eq!(trust(directory.clone(), peer(n), &seen), expect, "{n} as {text:?}");
        };
        check(1, Some("Ana"), Trust::Verified);
        check(2, Some("Bo"), Trust::Known);
        check(2, Some("Somebody Else"), Trust::New);
        check(3, Some("Cy"), Trust::New);
        check(3, None, Trust::New);
        // Her name, another key.
        check(3, Some("ANA"), Trust::Changed);
    }
}
