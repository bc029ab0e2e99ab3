//! How others are found: mDNS on the local network, and a rendezvous where one was given. Neither is needed by the
//! meeting: what fails here degrades to a warning, except a username that belongs to somebody else and a service that
//! shows another key than before.

use tokio::sync::mpsc;

use super::failure::sentence;
use super::{Config, Error, sightings};
use crate::endpoint::Endpoint;
use crate::id::{Instance, RoomName, Username};
use crate::meeting::{Code, Done, Failure, WarningCode, Work};
use crate::mesh::Visibility;
use crate::mesh::discovery;
use crate::mesh::discovery::mdns::{self, Mdns};
use crate::rendezvous::client::{self, Standing};
use crate::rendezvous::errands::Announcement;
use crate::sighting::Sighting;
use crate::task::Scope;

/// The connection to a rendezvous.
#[derive(Debug)]
pub struct Introduced {
    /// For claims and lookups.
    pub handle: client::Handle,
    events: mpsc::Receiver<client::Event>,
    /// The username that is ours.
    pub claimed: Option<Username>,
    /// What went wrong at the start: code, sentence, hint.
    pub warnings: Vec<(WarningCode, String, String)>,
}

impl Introduced {
    /// What happens at the service; `None` when it has ended.
    pub async fn next(&mut self) -> Option<client::Event> {
        self.events.recv().await
    }
}

/// Starts mDNS. Where it does not work there are no sightings, and no error either.
pub fn mdns(
    config: &Config,
    instance: Instance,
    endpoint: &Endpoint,
    scope: &Scope,
) -> (Option<Mdns>, mpsc::Receiver<Sighting>) {
    let announcement =
        (config.visibility == Visibility::Open).then(|| sightings::announcement(config, instance, endpoint));
    let mdns_config = discovery::Config { announcement, interfaces: config.endpoint.interfaces.clone() };
    match mdns::start(mdns_config, scope) {
        Ok((mdns, sightings)) => (Some(mdns), sightings),
        Err(error) => {
            tracing::info!(%error, "no mDNS");
            (None, mpsc::channel(1).1)
        }
    }
}

/// Reaches the rendezvous, if one was given, and claims the name of this run before any seat is taken.
pub async fn rendezvous(
    config: &Config,
    instance: Instance,
    endpoint: &Endpoint,
    scope: &Scope,
) -> Result<Option<Introduced>, Error> {
    let Some((service, username)) = &config.rendezvous else { return Ok(None) };
    let client_config =
        client::Config { service: service.clone(), profile: config.profile.dir().to_owned(), seed: rand::random() };
    let (handle, events) = client::start(client_config, endpoint.clone(), config.identity.clone(), scope);
    let mut introduced = Introduced { handle, events, claimed: None, warnings: Vec::new() };
    if let Some(name) = username {
        match introduced.handle.claim_to_join(name).await {
            Ok(Standing::Confirmed(held)) => introduced.claimed = Some(held.name),
            Ok(Standing::Unconfirmed(error)) => introduced.warnings.push((
                WarningCode::RendezvousUnreachable,
                sentence(&error.to_string()),
                format!("The meeting goes on; the name {name} is unconfirmed."),
            )),
            Err(client::Error::Taken) => return Err(Error::NameTaken(name.clone())),
            Err(error) => return Err(Error::Rendezvous(error)),
        }
    } else {
        // An unreachable service is told by an event; the meeting goes on.
        if let Err(error @ (client::Error::KeyChanged { .. } | client::Error::Profile(_))) =
            introduced.handle.reach().await
        {
            return Err(Error::Rendezvous(error));
        }
    }
    introduced.handle.announce(Some(announcement(config, instance, endpoint))).await;
    Ok(Some(introduced))
}

/// What the rendezvous tells others of us. A hidden peer is found by members of the room, unnamed.
pub fn announcement(config: &Config, instance: Instance, endpoint: &Endpoint) -> Announcement {
    Announcement {
        instance,
        name: (config.visibility == Visibility::Open).then(|| config.name.clone()),
        addresses: endpoint.listen_addresses(),
        rooms: open(&config.room),
    }
}

/// Claims a name or gives one back, for a command. Without a service it says so.
pub async fn name(handle: Option<client::Handle>, work: Work) -> Result<Done, Failure> {
    let Some(handle) = handle else {
        let hint = "Start with --rendezvous HOST, or set one in the settings, to claim usernames.";
        return Err(Failure::new(Code::NoRendezvous, "No rendezvous was given.", hint));
    };
    let done = match work {
        Work::Claim(name) => handle.claim(&name).await.map(|held| Done::Claimed(held.name)),
        Work::Release(name) => handle.release(&name).await.map(|()| Done::Released(name)),
        _ => return Err(Failure::new(Code::Internal, "This is no errand about a name.", "")),
    };
    done.map_err(|error| failure(&error))
}

/// What a carried out errand says of our own username; `None`: nothing.
pub fn own_name(result: &Result<Done, Failure>) -> Option<Option<Username>> {
    match result {
        Ok(Done::Claimed(name)) => Some(Some(name.clone())),
        Ok(Done::Released(_)) => Some(None),
        _ => None,
    }
}

/// The rooms that others are told of: the one of a call is for those who were called, who know it already.
pub fn open(room: &RoomName) -> Vec<RoomName> {
    Some(room.clone()).into_iter().filter(|room| !room.is_call()).collect()
}

/// Why an errand at the rendezvous failed, as the answer to a command.
pub fn failure(error: &client::Error) -> Failure {
    let code = match error {
        client::Error::Taken => Code::NameTaken,
        client::Error::Unknown(_) => Code::UnknownPeer,
        client::Error::Limited(_) => Code::Limited,
        client::Error::Unreachable { .. } | client::Error::Refused(_) => Code::RendezvousUnreachable,
        client::Error::KeyChanged { .. } | client::Error::Lying(_) => Code::RendezvousUnreachable,
        client::Error::Clock | client::Error::Profile(_) => Code::Internal,
        client::Error::Closed => Code::Leaving,
    };
    Failure::new(code, sentence(&error.to_string()), "")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::config::Profile;
    use crate::endpoint;
    use crate::engine::{Handle, LobbyConfig, Service, lobby};
    use crate::identity::Identity;
    use crate::meeting::{Command, Settings};
    use crate::rendezvous::server;
    use crate::share::DisplayName;

    async fn enter(folder: &std::path::Path, name: &str, rendezvous: Option<Service>) -> Handle {
        let config = LobbyConfig {
            profile: Profile::open(Some(folder.join(name))).expect("a profile"),
            identity: Arc::new(Identity::generate()),
            name: DisplayName::new(name),
            endpoint: endpoint::Config { port: Some(0), interfaces: vec!["lo".to_owned()] },
            connect: Vec::new(),
            visibility: Visibility::Hidden,
            rendezvous,
            settings: Settings::default(),
            download_dir: folder.join("files"),
        };
        lobby(config).await.expect("a lobby")
    }

    async fn own(handle: &Handle) -> Option<String> {
        match handle.command(Command::State).await {
            Ok(Done::State(state)) => state.username.map(|name| name.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_username_is_claimed_in_the_lobby_refused_to_others_and_given_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let (identity, scope) = (Arc::new(Identity::generate()), Scope::new());
        let place = endpoint::Config { port: Some(0), interfaces: vec!["lo".to_owned()] };
        let place = Endpoint::bind(place, Arc::clone(&identity)).expect("bound");
        let store = server::Config::at(folder.path().join("names.sqlite"));
        let served = server::serve(store, &place, identity.peer_id(), &scope).expect("served");
        let fingerprint = Some(identity.peer_id());
        let service = Service { host: "127.0.0.1".to_owned(), port: place.port(), fingerprint };

        let claim = |name: &str| Command::Claim(name.to_owned());
        let alone = enter(folder.path(), "alone", None).await;
        let nowhere = alone.command(claim("ana")).await.map_err(|failure| failure.code);
        assert_eq!(nowhere, Err(Code::NoRendezvous));

        let ana = enter(folder.path(), "ana", Some(service.clone())).await;
        let bo = enter(folder.path(), "bo", Some(service)).await;
        let name = Username::new("ana").expect("a name");
        assert_eq!(ana.command(claim("ana")).await, Ok(Done::Claimed(name.clone())));
        assert_eq!(own(&ana).await.as_deref(), Some("ana"));
        let refused = bo.command(claim("Ana")).await.map_err(|failure| failure.code);
        assert_eq!((refused, own(&bo).await), (Err(Code::NameTaken), None));
        let released = ana.command(Command::Release("ana".to_owned())).await;
        assert_eq!((released, own(&ana).await), (Ok(Done::Released(name)), None));
        assert!(matches!(bo.command(claim("ana")).await, Ok(Done::Claimed(_))));

        for handle in [alone, ana, bo] {
            handle.leave().await;
        }
        served.stop().await;
        place.close("done").await;
        assert!(scope.finish(Duration::from_secs(20)).await);
    }

    #[test]
    fn the_room_of_a_call_is_announced_nowhere() {
        let tea = RoomName::new("tea").expect("valid");
        assert_eq!(open(&tea), [tea]);
        assert_eq!(open(&RoomName::of_call([7; 16])), []);
    }
}
