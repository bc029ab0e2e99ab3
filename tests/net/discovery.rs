//! Discovery confined to the loopback interface. Others on this machine may be there too: only own peers are looked at.

use std::time::Duration;

use lets_meet::clock;
use lets_meet::id::{Instance, PeerId, RoomName};
use lets_meet::mesh::discovery::mdns::{self, Mdns};
use lets_meet::mesh::discovery::{Announcement, Config};
use lets_meet::share::DisplayName;
use lets_meet::sighting::{Sighting, Source};
use lets_meet::task::Scope;
use tokio::sync::mpsc::Receiver;

const DEADLINE: Duration = Duration::from_secs(10);
/// Three times the goal: the machine may be busy.
const SOON: Duration = Duration::from_secs(3);

fn loopback() -> String {
    let all = if_addrs::get_if_addrs().expect("interfaces");
    all.into_iter().find(|one| one.is_loopback()).expect("a loopback interface").name
}

fn announcement(name: &str) -> Announcement {
    Announcement {
        peer: PeerId::from_bytes(rand::random()),
        instance: Instance::draw(),
        name: DisplayName::new(name),
        port: 48195,
        rooms: vec![RoomName::new("Stand-Up").expect("valid")],
    }
}

fn start(announcement: Option<Announcement>, scope: &Scope) -> (Mdns, Receiver<Sighting>) {
    mdns::start(Config { announcement, interfaces: vec![loopback()] }, scope).expect("discovery starts")
}

/// The next sighting of this peer that passes the test, and how long it took.
async fn seen(
    reports: &mut Receiver<Sighting>,
    peer: PeerId,
    test: impl Fn(&Sighting) -> bool,
) -> (Sighting, Duration) {
    let start = clock::now();
    let find = async {
        loop {
            let sighting = reports.recv().await.expect("discovery runs");
            if sighting.peer == Some(peer) && test(&sighting) {
                break sighting;
            }
        }
    };
    let sighting = tokio::time::timeout(DEADLINE, find).await.expect("seen in time");
    (sighting, start.elapsed())
}

#[tokio::test]
async fn peers_on_this_machine_see_each_other_change_and_leave() {
    let scope = Scope::new();
    let (bo, al) = (announcement("Bo"), announcement("Al"));
    let (bo_mdns, mut bo_sees) = start(Some(bo.clone()), &scope);
    let (_al_mdns, mut al_sees) = start(Some(al.clone()), &scope);

    let (sighting, took) = seen(&mut al_sees, bo.peer, |_| true).await;
    assert!(took < SOON, "{took:?}");
    assert_eq!(sighting.instance, Some(bo.instance));
    assert_eq!(sighting.name, Some(bo.name.clone()));
    assert_eq!(sighting.rooms, bo.rooms);
    assert_eq!(sighting.source, Source::Mdns);
    assert_eq!(sighting.addresses, ["127.0.0.1:48195".parse().expect("an address")]);
    assert!(!sighting.gone);
    seen(&mut bo_sees, al.peer, |_| true).await;

    bo_mdns.announce(Announcement { name: DisplayName::new("Bob"), rooms: Vec::new(), ..bo.clone() }).await;
    let (renamed, _) = seen(&mut al_sees, bo.peer, |s| s.name == Some(DisplayName::new("Bob"))).await;
    assert_eq!(renamed.rooms, []);

    bo_mdns.shutdown().await;
    let (bye, took) = seen(&mut al_sees, bo.peer, |s| s.gone).await;
    assert_eq!(bye.instance, Some(bo.instance));
    assert!(took < SOON, "{took:?}");
    assert!(scope.finish(Duration::from_secs(2)).await, "discovery ends");
}

#[tokio::test]
async fn a_hidden_peer_sees_and_is_not_seen() {
    let scope = Scope::new();
    let (bo, al) = (announcement("Bo"), announcement("Al"));
    let (_bo_mdns, mut bo_sees) = start(Some(bo.clone()), &scope);
    let (_hidden, mut hidden_sees) = start(None, &scope);
    seen(&mut hidden_sees, bo.peer, |_| true).await;
    // Whoever comes later is seen first by Bo if the hidden one is not seen at all.
    let (_al_mdns, _al_sees) = start(Some(al.clone()), &scope);
    let (first, _) = seen(&mut bo_sees, al.peer, |_| true).await;
    assert_eq!(first.name, Some(al.name));
    assert!(scope.finish(Duration::from_secs(2)).await, "discovery ends");
}

#[tokio::test]
async fn own_announcements_are_not_reported() {
    let scope = Scope::new();
    let own = announcement("Bo");
    let other = Announcement { instance: Instance::draw(), ..own.clone() };
    let (_mdns, mut sees) = start(Some(own.clone()), &scope);
    // Another run of the same identity is reported; this run itself never is.
    let (_other_mdns, _other_sees) = start(Some(other.clone()), &scope);
    let (first, _) = seen(&mut sees, own.peer, |_| true).await;
    assert_eq!(first.instance, Some(other.instance));
    assert!(scope.finish(Duration::from_secs(2)).await, "discovery ends");
}
