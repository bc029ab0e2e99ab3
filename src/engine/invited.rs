//! Into a meeting by a link. Before any seat is taken, and before anything of ours is shown, the inviter is looked for
//! where the link says, in sight and at the rendezvous of the link, and must answer with the key that the link names.
//! Only then the meeting starts, with the address that was proven.
//!
//! The look is a visit of its own, announced nowhere: who answers with another key learns no more than that somebody
//! dialed. Only the rendezvous is told more before, since it answers none but members: that our key looks for this room,
//! by its hash, without our name and addresses; nothing of the room of a call. What a link says of a rendezvous never changes what the
//! profile knows of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::begun::Begun;
use super::visit::NoMedia;
use super::{Config, Handle, Service};
use crate::clock;
use crate::endpoint::{self, Endpoint};
use crate::id::Instance;
use crate::invite::Invite;
use crate::mesh::discovery::{self, mdns};
use crate::mesh::{self, Visibility};
use crate::rendezvous::{client, errands, pin};
use crate::sighting::Sighting;
use crate::task::Scope;

/// How long the inviter may take to answer: two attempts of five seconds, as the dialer makes them.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same once somebody else has answered in its place: another address may still be right.
const DOUBT: Duration = Duration::from_secs(3);

/// Why a link led nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// Another key answered: do not join; ask for a new link by a way you trust.
    #[error(
        "who answers there is not who this link says; nothing was joined, ask for a new link by a way that you trust"
    )]
    WrongKey,
    /// Nobody answered.
    #[error("who made this link does not answer; ask whether the meeting is still on, and for a new link")]
    Silent,
}

/// Takes a seat in the room of `invite`, which replaces the room of `config`, once the inviter has answered.
pub async fn start_invited(mut config: Config, invite: &Invite) -> Result<Handle, super::Error> {
    config.room = invite.room.clone();
    if let (None, Some(service)) = (&config.rendezvous, &invite.rendezvous) {
        check(&config, service).await?;
        config.rendezvous = Some((service.clone(), None));
    }
    // One's own link leads to one's own room.
    if invite.inviter != config.identity.peer_id() {
        let address = find(&config, invite).await?;
        config.connect.push((address, Some(invite.inviter)));
    }
    super::start(config).await
}

/// A service that is known by another key than the link says is refused, not learned anew.
async fn check(config: &Config, service: &Service) -> Result<(), super::Error> {
    let (pins, place) = (pin::Pins::new(config.profile.dir()), service.place());
    let scope = Scope::new();
    let pinned = scope.spawn_blocking(move || pins.pinned(&place)).await;
    match pinned.map_err(|error| super::Error::State(error.to_string()))? {
        Ok(Some(key)) if Some(key) != service.fingerprint => {
            Err(client::Error::KeyChanged { place: service.place() }.into())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(super::Error::State(error.to_string())),
    }
}

/// Where the inviter answered.
async fn find(config: &Config, invite: &Invite) -> Result<SocketAddr, super::Error> {
    let scope = Scope::new();
    // Any port: the one of the meeting is not bound yet, and may be a fixed one.
    let endpoint_config = endpoint::Config { port: Some(0), ..config.endpoint.clone() };
    let endpoint = Endpoint::bind(endpoint_config, Arc::clone(&config.identity))?;
    // A look that is wanted no more ends here.
    let begun = Begun::new(&endpoint, &[&scope]);
    let instance = Instance::draw();
    let mesh_config = mesh::Config {
        identity: Arc::clone(&config.identity),
        instance,
        name: config.name.clone(),
        room: None,
        seats: mesh::DEFAULT_SEATS,
        capabilities: Vec::new(),
        seed: rand::random(),
        visibility: Visibility::Hidden,
    };
    let (mesh, events) = mesh::start(mesh_config, endpoint.clone(), Arc::new(NoMedia), &scope);
    let discovery = discovery::Config { announcement: None, interfaces: config.endpoint.interfaces.clone() };
    let (mdns, seen) = mdns::start(discovery, &scope).ok().unzip();
    let service = config.rendezvous.as_ref().map(|(service, _)| {
        let profile = config.profile.dir().to_owned();
        let client_config = client::Config { service: service.clone(), profile, seed: rand::random() };
        client::start(client_config, endpoint.clone(), Arc::clone(&config.identity), &scope)
    });
    let (service, told) = service.unzip();
    if let Some(service) = &service {
        // Who is in the room is told to members of it; we are one, unnamed and without an address.
        let rooms = super::introduce::open(&invite.room);
        let announcement = errands::Announcement { instance, name: None, addresses: Vec::new(), rooms };
        service.announce(Some(announcement)).await;
    }
    let found = look(invite, &mesh, Sources { events, seen, told }).await;
    let goodbye = async {
        if let Some(mdns) = mdns {
            mdns.shutdown().await;
        }
        if let Some(service) = service {
            service.close().await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(500), goodbye).await;
    mesh.shutdown().await;
    endpoint.close("done").await;
    scope.finish(Duration::from_millis(200)).await;
    begun.keep();
    Ok(found?)
}

/// Where word of the inviter comes from. All bounded where they are made.
struct Sources {
    events: mpsc::Receiver<mesh::Event>,
    seen: Option<mpsc::Receiver<Sighting>>,
    told: Option<mpsc::Receiver<client::Event>>,
}

async fn look(invite: &Invite, mesh: &mesh::Handle, mut sources: Sources) -> Result<SocketAddr, Refused> {
    if !invite.addresses.is_empty() {
        mesh.reach(invite.inviter, invite.addresses.clone());
    }
    let mut verdict = Refused::Silent;
    let mut until = Instant::from_std(clock::now() + PATIENCE);
    loop {
        let sighting = tokio::select! {
            () = tokio::time::sleep_until(until) => return Err(verdict),
            Some(event) = sources.events.recv() => match event {
                mesh::Event::Linked(linked) if linked.key.peer == invite.inviter => return Ok(linked.address),
                mesh::Event::Warning { code: "wrong-key", peer: Some(peer), .. } if peer == invite.inviter => {
                    verdict = Refused::WrongKey;
                    until = until.min(Instant::from_std(clock::now() + DOUBT));
                    continue;
                }
                mesh::Event::Sighted(sighting) => sighting,
                _ => continue,
            },
            Some(sighting) = next(&mut sources.seen) => sighting,
            Some(event) = next(&mut sources.told) => match event {
                client::Event::Sighting(sighting) => sighting,
                _ => continue,
            },
        };
        if sighting.peer == Some(invite.inviter) && !sighting.gone {
            mesh.reach(invite.inviter, sighting.addresses);
        }
    }
}

async fn next<T>(source: &mut Option<mpsc::Receiver<T>>) -> Option<T> {
    match source {
        Some(source) => source.recv().await,
        None => std::future::pending().await,
    }
}
