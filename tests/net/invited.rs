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
