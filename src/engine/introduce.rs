//! How others are found: mDNS on the local network, and a rendezvous where one was given. Neither is needed by the
//! meeting: what fails here degrades to a warning, except a username that belongs to somebody else and a service that
//! shows another key than before.

use tokio::sync::mpsc;

use super::failure::sentence;
use super::{Config, Error, actor};
use crate::endpoint::Endpoint;
use crate::id::{Instance, RoomName, Username};
use crate::meeting::{Code, Failure, WarningCode};
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
    let announcement = (config.visibility == Visibility::Open).then(|| actor::announcement(config, instance, endpoint));
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

/// The rooms that others are told of: the one of a call is for those who were called, who know it already.
pub fn open(room: &RoomName) -> Vec<RoomName> {
    Some(room.clone()).into_iter().filter(|room| !room.is_call()).collect()
}

/// Claims a name for a command.
pub async fn claim(handle: &client::Handle, name: &Username) -> Result<Username, Failure> {
    handle.claim(name).await.map(|held| held.name).map_err(|error| failure(&error))
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
    use super::*;

    #[test]
    fn the_room_of_a_call_is_announced_nowhere() {
        let tea = RoomName::new("tea").expect("valid");
        assert_eq!(open(&tea), [tea]);
        assert_eq!(open(&RoomName::of_call([7; 16])), []);
    }
}
