//! Hands, reactions, new names and remembered volumes between real engines over loopback.

use lets_meet::id::PeerId;
use lets_meet::meeting::{Command, Done, Event, Person};

use crate::meeting::Peer;

fn ids(people: &[Person]) -> Vec<PeerId> {
    people.iter().map(|person| person.peer).collect()
}

/// Waits until the raised hands are these, in this order.
async fn hands(peer: &Peer, expect: &[PeerId]) {
    peer.wait("hands", |event| matches!(event, Event::Hand { order, .. } if ids(order) == expect)).await;
}

async fn done(peer: &Peer, command: Command) -> Done {
    peer.handle.command(command).await.unwrap_or_else(|failure| panic!("{failure}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hands_have_one_order_for_all_also_for_who_comes_late() {
    let folder = tempfile::tempdir().expect("folder");
    let ada = Peer::start(folder.path(), "Ada", &[]).await;
    let bo = Peer::start(folder.path(), "Bo", &[ada.address]).await;
    tokio::join!(ada.joined(&bo), bo.joined(&ada));
    done(&bo, Command::Hand { up: true }).await;
    hands(&ada, &[bo.id]).await;
    done(&ada, Command::Hand { up: true }).await;
    let both = [bo.id, ada.id];
    tokio::join!(hands(&ada, &both), hands(&bo, &both));
    let cleo = Peer::start(folder.path(), "Cleo", &[ada.address]).await;
    hands(&cleo, &both).await;
    let Done::State(state) = done(&cleo, Command::State).await else { panic!("no state") };
    assert_eq!(ids(&state.hands), both);

    done(&cleo, Command::React { emoji: "👏".into() }).await;
    let clap = |event: &Event| matches!(event, Event::Reaction { person, emoji } if person.peer == cleo.id && emoji.as_str() == "👏");
    tokio::join!(ada.wait("reaction", clap), bo.wait("reaction", clap));
    done(&cleo, Command::Rename("Chloe".into())).await;
    let renamed = |event: &Event| matches!(event, Event::Renamed(person) if person.peer == cleo.id && person.name.as_str() == "Chloe");
    tokio::join!(ada.wait("renamed", renamed), bo.wait("renamed", renamed));

    // Who leaves takes the hand along.
    bo.handle.leave().await;
    let one = [ada.id];
    tokio::join!(hands(&ada, &one), hands(&cleo, &one));
    ada.handle.leave().await;
    cleo.handle.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_holds_when_its_person_comes_again() {
    let folder = tempfile::tempdir().expect("folder");
    for round in 0..2 {
        let ada = Peer::start(folder.path(), "Ada", &[]).await;
        let bo = Peer::start(folder.path(), "Bo", &[ada.address]).await;
        tokio::join!(ada.joined(&bo), bo.joined(&ada));
        let Done::State(state) = done(&ada, Command::State).await else { panic!("no state") };
        let expect = if round == 0 { 1.0 } else { 0.25 };
        assert_eq!(state.people.iter().map(|person| person.volume).collect::<Vec<_>>(), [expect], "round {round}");
        // Dragged: the last one counts, and leaving at once loses nothing.
        for value in [0.75, 0.5, 0.25] {
            done(&ada, Command::Volume { peer: "Bo".into(), value }).await;
        }
        ada.handle.leave().await;
        bo.handle.leave().await;
    }
}
