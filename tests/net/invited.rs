//! Into a meeting by a link, over loopback.

use lets_meet::engine::{self, Error, Refused, start_invited};
use lets_meet::id::{PeerId, RoomName};
use lets_meet::invite::Invite;
use lets_meet::meeting::{Command, Done, Event};

use crate::meeting::{Peer, config};

async fn invite(peer: &Peer) -> Invite {
    match peer.handle.command(Command::Invite).await {
        Ok(Done::Invited(invite)) => invite,
        other => panic!("no invitation: {other:?}"),
    }
}

fn refused(result: Result<engine::Handle, Error>) -> Refused {
    match result {
        Err(Error::Invite(refused)) => refused,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_leads_to_the_inviter() {
    let folder = tempfile::tempdir().expect("folder");
    let ada = Peer::start(folder.path(), "Ada", &[]).await;
    let link = invite(&ada).await.to_string();
    let read: Invite = link.parse().expect("a link");
    assert_eq!((read.inviter, read.room.as_str()), (ada.id, "net test"));
    assert!(read.addresses.contains(&ada.address), "{link}");
    // The room is the one of the link, whatever the settings say.
    let settings =
        engine::Config { room: RoomName::new("elsewhere").expect("valid"), ..config(folder.path(), "Bo", &[]) };
    let id = settings.identity.peer_id();
    let bo = Peer::of(start_invited(settings, &read).await.expect("let in"), id).await;
    tokio::join!(ada.joined(&bo), bo.joined(&ada));
    ada.handle.leave().await;
    bo.handle.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_whose_key_does_not_answer_is_refused_and_nobody_is_told() {
    let folder = tempfile::tempdir().expect("folder");
    let ada = Peer::start(folder.path(), "Ada", &[]).await;
    // Bound and never read: whatever is sent there is not answered.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
    let good = invite(&ada).await;
    let wrong = Invite { inviter: PeerId::from_bytes([7; 32]), ..good.clone() };
    let nobody = Invite { addresses: vec![silent.local_addr().expect("known")], ..wrong.clone() };
    let (wrong, nobody) = tokio::join!(
        start_invited(config(folder.path(), "Bo", &[]), &wrong),
        start_invited(config(folder.path(), "Cleo", &[]), &nobody),
    );
    assert_eq!((refused(wrong), refused(nobody)), (Refused::WrongKey, Refused::Silent));
    // Ada saw nobody of them: the first to join is who comes by the right link.
    let settings = config(folder.path(), "Dan", &[]);
    let id = settings.identity.peer_id();
    let dan = Peer::of(start_invited(settings, &good).await.expect("let in"), id).await;
    let event = ada.wait("somebody", |event| matches!(event, Event::Joined(_))).await;
    assert!(matches!(event, Event::Joined(person) if person.peer == dan.id));
    ada.handle.leave().await;
    dan.handle.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_wrong_address_of_several_does_no_harm() {
    let folder = tempfile::tempdir().expect("folder");
    let ada = Peer::start(folder.path(), "Ada", &[]).await;
    let other = Peer::start(folder.path(), "Other", &[]).await;
    let link = Invite { addresses: vec![other.address, ada.address], ..invite(&ada).await };
    let settings = config(folder.path(), "Bo", &[]);
    let id = settings.identity.peer_id();
    let bo = Peer::of(start_invited(settings, &link).await.expect("let in"), id).await;
    bo.joined(&ada).await;
    for peer in [ada, other, bo] {
        peer.handle.leave().await;
    }
}

/// Bound and never answered: whoever waits for it waits for long.
async fn silent() -> tokio::net::UdpSocket {
    tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("bound")
}

/// Gives a start up as soon as it sends something to `socket`.
async fn given_up<T: std::fmt::Debug>(socket: &tokio::net::UdpSocket, start: impl Future<Output = T>) {
    let mut buffer = [0; 2048];
    tokio::select! {
        result = start => panic!("nobody answered, and yet: {result:?}"),
        received = socket.recv_from(&mut buffer) => drop(received.expect("it dials")),
    }
}

/// Waits until nothing comes to `socket` for longer than anybody waits who goes on dialing.
async fn falls_silent(socket: &tokio::net::UdpSocket) {
    let (mut buffer, quiet) = ([0; 2048], std::time::Duration::from_secs(4));
    let deadline = lets_meet::clock::now() + std::time::Duration::from_secs(30);
    while tokio::time::timeout(quiet, socket.recv_from(&mut buffer)).await.is_ok() {
        assert!(lets_meet::clock::now() < deadline, "it is still dialed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_in_that_is_given_up_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("folder");
    let socket = silent().await;
    let address = socket.local_addr().expect("known");
    let link: Invite =
        format!("letsmeet://join?room=tea&by={}&at={address}", PeerId::from_bytes([7; 32])).parse().expect("a link");
    given_up(&socket, start_invited(config(folder.path(), "Bo", &[]), &link)).await;
    falls_silent(&socket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_given_up_leaves_its_port_free() {
    let folder = tempfile::tempdir().expect("folder");
    let socket = silent().await;
    let service = socket.local_addr().expect("known").to_string().parse().expect("a service");
    let port = silent().await.local_addr().expect("known").port();
    let mut settings = config(folder.path(), "Bo", &[]);
    settings.endpoint.port = Some(port);
    let alone = settings.clone();
    settings.rendezvous = Some((service, None));
    given_up(&socket, engine::start(settings)).await;
    let next = engine::start_near(Some(port), alone).await.expect("the port is free");
    assert_eq!(next.port(), port);
    next.leave().await;
    falls_silent(&socket).await;
}
