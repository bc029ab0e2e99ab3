//! Multicast DNS (RFC 6762) and DNS-SD (RFC 6763) by the mdns-sd library.
//!
//! One daemon a process: it answers for this process's announcement and browses for others, on IPv4 and IPv6, on the
//! interfaces that the configuration names. An interface that appears later is taken up by the library (looked at
//! every 2 s). Each process announces a service instance of its own, named by peer and instance, so two runs of one
//! identity never overwrite each other and nothing of a person stands in a label.
//!
//! The library ends a subscription whose reader lags behind 1000 events. Then this actor browses again and, a while
//! later, takes back what did not come again.
//!
//! Interfaces that are all loopback go to [`super::local`]: the library joins its multicast groups on every interface
//! before it can be told not to, and what is confined to this machine must not make the kernel speak on another one.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

use mdns_sd::{IfKind, Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};
use tokio::sync::{mpsc, oneshot};

use crate::clock;
use crate::id::PeerId;
use crate::sighting::{MAX_ADDRESSES, Sighting};
use crate::task::Scope;

use super::{Announcement, Config, Error, MAX_KNOWN, QUEUE, SERVICE, VERIFY_WITHIN, label, local, sighting, txt};

/// Between two looks at the list of interfaces. The library's own default is 5 s.
const INTERFACES_EVERY: u32 = 2;
/// A command that the library could not take is tried again after this.
const RETRY: Duration = Duration::from_millis(100);
/// After browsing again, what did not come again within this is gone.
const RECONCILE: Duration = Duration::from_secs(10);
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);

pub(super) enum Command {
    Announce(Announcement),
    Verify(PeerId),
    Shutdown(oneshot::Sender<()>),
}

/// Talks to the running discovery. Cloning gives another handle to it.
#[derive(Debug, Clone)]
pub struct Mdns {
    commands: mpsc::Sender<Command>,
}

impl Mdns {
    /// Replaces what is announced (another name, other meetings).
    pub async fn announce(&self, announcement: Announcement) {
        let _ = self.commands.send(Command::Announce(announcement)).await;
    }

    /// Asks whether this peer is still there. If it does not answer within 3 s, a sighting says that it is gone.
    pub async fn verify(&self, peer: PeerId) {
        let _ = self.commands.send(Command::Verify(peer)).await;
    }

    /// Says goodbye and stops, within a second.
    pub async fn shutdown(&self) {
        let (done, ended) = oneshot::channel();
        if self.commands.send(Command::Shutdown(done)).await.is_ok() {
            let _ = ended.await;
        }
    }
}

/// Starts discovery. Sightings of this very process are not reported. Ends with `scope`, with a goodbye.
pub fn start(config: Config, scope: &Scope) -> Result<(Mdns, mpsc::Receiver<Sighting>), Error> {
    // Commands that wait. Overflow: the caller waits.
    let (commands, inbox) = mpsc::channel(16);
    // See `QUEUE` for the overflow rule.
    let (sightings, reports) = mpsc::channel(QUEUE);
    if local::confined(&config.interfaces) {
        local::start(config, inbox, sightings, scope)?;
        return Ok((Mdns { commands }, reports));
    }
    let failed = |error: mdns_sd::Error| Error::Start(error.to_string());
    let daemon = ServiceDaemon::new().map_err(failed)?;
    daemon.set_ip_check_interval(INTERFACES_EVERY).map_err(failed)?;
    if !config.interfaces.is_empty() {
        daemon.disable_interface(IfKind::All).map_err(failed)?;
        for name in &config.interfaces {
            daemon.enable_interface(IfKind::Name(name.clone())).map_err(failed)?;
        }
    }
    let events = daemon.browse(SERVICE).map_err(failed)?;
    let mut actor = Actor {
        daemon,
        own: config.announcement.as_ref().map(|a| (a.peer, a.instance)),
        wanted: config.announcement,
        registered: None,
        known: BTreeMap::new(),
        round: 0,
        reconcile: None,
        sightings,
        scope: scope.clone(),
    };
    actor.register();
    scope.spawn(actor.run(events, inbox));
    Ok((Mdns { commands }, reports))
}

#[derive(Debug)]
struct Known {
    sighting: Sighting,
    /// The browse that last reported it.
    round: u64,
}

struct Actor {
    daemon: ServiceDaemon,
    own: Option<(PeerId, crate::id::Instance)>,
    /// What should be announced and is not yet.
    wanted: Option<Announcement>,
    registered: Option<String>,
    known: BTreeMap<String, Known>,
    round: u64,
    reconcile: Option<Instant>,
    sightings: mpsc::Sender<Sighting>,
    scope: Scope,
}

impl Actor {
    async fn run(mut self, mut events: Receiver<ServiceEvent>, mut inbox: mpsc::Receiver<Command>) {
        let done = loop {
            let retry = self.wanted.is_some().then(|| clock::now() + RETRY);
            let wake = [retry, self.reconcile].into_iter().flatten().min();
            tokio::select! {
                biased;
                () = self.scope.cancelled() => break None,
                command = inbox.recv() => match command {
                    Some(Command::Announce(announcement)) => {
                        self.own = Some((announcement.peer, announcement.instance));
                        self.wanted = Some(announcement);
                        self.register();
                    }
                    Some(Command::Verify(peer)) => self.verify(peer),
                    Some(Command::Shutdown(done)) => break Some(done),
                    None => break None,
                },
                event = events.recv_async() => match event {
                    Ok(event) => {
                        if self.on_event(event).await.is_err() {
                            break None;
                        }
                    }
                    Err(_) => match self.browse_again().await {
                        Some(again) => events = again,
                        None => break None,
                    },
                },
                () = local::sleep_until(wake) => {
                    self.register();
                    if self.on_reconcile().await.is_err() {
                        break None;
                    }
                }
            }
        };
        self.end().await;
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    fn register(&mut self) {
        let Some(announcement) = &self.wanted else { return };
        let Ok(info) = info(announcement) else {
            // Cannot happen for values that passed their types; then nothing is announced.
            tracing::warn!("an announcement that the library does not take");
            self.wanted = None;
            return;
        };
        let name = info.get_fullname().to_owned();
        if self.daemon.register(info).is_ok() {
            self.registered = Some(name);
            self.wanted = None;
        }
    }

    fn verify(&self, peer: PeerId) {
        for (name, _) in self.known.iter().filter(|(_, known)| known.sighting.peer == Some(peer)) {
            let _ = self.daemon.verify(name.clone(), VERIFY_WITHIN);
        }
    }

    async fn on_event(&mut self, event: ServiceEvent) -> Result<(), mpsc::error::SendError<Sighting>> {
        match event {
            ServiceEvent::ServiceResolved(service) => {
                let Some(record) = record(&service) else { return Ok(()) };
                if self.own == Some((record.peer, record.instance)) {
                    return Ok(());
                }
                let sighting = sighting(&record, addresses(&service));
                let name = service.fullname.clone();
                if sighting.addresses.is_empty() || (!self.known.contains_key(&name) && self.known.len() >= MAX_KNOWN) {
                    return Ok(());
                }
                self.known.insert(name, Known { sighting: sighting.clone(), round: self.round });
                self.sightings.send(sighting).await
            }
            ServiceEvent::ServiceRemoved(_, name) => match self.known.remove(&name) {
                Some(known) => self.sightings.send(Sighting { gone: true, ..known.sighting }).await,
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    async fn browse_again(&mut self) -> Option<Receiver<ServiceEvent>> {
        tracing::debug!("browsing again: the subscription was closed");
        loop {
            match self.daemon.browse(SERVICE) {
                Ok(events) => {
                    self.round += 1;
                    self.reconcile = Some(clock::now() + RECONCILE);
                    return Some(events);
                }
                Err(mdns_sd::Error::Again) => {}
                Err(_) => return None,
            }
            tokio::select! {
                biased;
                () = self.scope.cancelled() => return None,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    async fn on_reconcile(&mut self) -> Result<(), mpsc::error::SendError<Sighting>> {
        if self.reconcile.is_none_or(|at| clock::now() < at) {
            return Ok(());
        }
        self.reconcile = None;
        let round = self.round;
        let gone: Vec<String> =
            self.known.iter().filter(|(_, known)| known.round != round).map(|(name, _)| name.clone()).collect();
        for name in gone {
            if let Some(known) = self.known.remove(&name) {
                self.sightings.send(Sighting { gone: true, ..known.sighting }).await?;
            }
        }
        Ok(())
    }

    async fn end(self) {
        if let Some(name) = self.registered
            && let Ok(ended) = self.daemon.unregister(&name)
        {
            let _ = tokio::time::timeout(GOODBYE, ended.recv_async()).await;
        }
        if let Ok(ended) = self.daemon.shutdown() {
            let _ = tokio::time::timeout(GOODBYE, ended.recv_async()).await;
        }
    }
}

fn info(announcement: &Announcement) -> mdns_sd::Result<ServiceInfo> {
    let label = label(announcement.peer, announcement.instance);
    let strings = txt::encode(announcement);
    let info = ServiceInfo::new(SERVICE, &label, &format!("{label}.local."), "", announcement.port, &strings[..])?;
    let mut info = info.enable_addr_auto();
    // The label is unique by its random instance: asking whether it is free would cost most of a second.
    info.set_requires_probe(false);
    Ok(info)
}

fn record(service: &ResolvedService) -> Option<txt::Record> {
    let strings = service.txt_properties.iter().map(|property| (property.key(), property.val().unwrap_or_default()));
    txt::parse(strings.collect::<Vec<_>>().into_iter())
}

fn addresses(service: &ResolvedService) -> Vec<SocketAddr> {
    let address = |ip: &ScopedIp| match ip {
        ScopedIp::V6(v6) => {
            let scope = if v6.addr().is_unicast_link_local() { v6.scope_id().index } else { 0 };
            Some(SocketAddr::V6(SocketAddrV6::new(*v6.addr(), service.port, 0, scope)))
        }
        other => Some(SocketAddr::new(other.to_ip_addr(), service.port)),
    };
    let mut list: Vec<SocketAddr> = service.addresses.iter().filter_map(address).collect();
    // IPv4, then routed IPv6, then link-local: the order in which they tend to work on a local network.
    let rank = |address: &SocketAddr| match address.ip() {
        IpAddr::V4(_) => 0,
        IpAddr::V6(ip) if !ip.is_unicast_link_local() => 1,
        IpAddr::V6(_) => 2,
    };
    list.sort_by_key(|address| (rank(address), *address));
    list.truncate(MAX_ADDRESSES);
    list
}
