//! Checks what a meeting needs of this machine and says in words what is wrong and what to do. Both faces show
//! the same findings.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::av::devices::{self, Kind};
use crate::endpoint::{self, DEFAULT_PORT, Endpoint};
use crate::id::{Instance, PeerId, RoomName};
use crate::identity::Identity;
use crate::mesh::discovery::{self, Announcement, mdns};
use crate::share::DisplayName;

/// How long multicast may take to come back to us: three times the goal for finding a peer.
const MULTICAST_LIMIT: Duration = Duration::from_secs(9);

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, one word.
    pub name: &'static str,
    /// Nothing is wrong with it.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do. Where nothing is wrong: what may still be in the way.
    pub hint: Option<String>,
}

impl Check {
    /// Fine.
    pub fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, ok: true, detail: detail.into(), hint: None }
    }

    /// Wrong.
    pub fn bad(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, ok: false, detail: detail.into(), hint: Some(hint.into()) }
    }
}

/// Which cameras, microphones and speakers there are. Blocks while the system is asked. One that is not there is no
/// failure: a meeting goes on without.
pub fn devices() -> Vec<Check> {
    if !devices::BUILT {
        return Vec::new();
    }
    let list = devices::list();
    let check = |kind: Kind| {
        let (name, effect) = match kind {
            Kind::Camera => ("cameras", "others do not see you"),
            Kind::Microphone => ("microphones", "others do not hear you"),
            Kind::Speaker => ("speakers", "you do not hear others"),
            Kind::Screen => ("screens", "you cannot share one"),
        };
        let names: Vec<&str> = list.of(kind).map(|device| device.name.as_str()).collect();
        let way = match kind {
            Kind::Screen => "Start it on a desktop.",
            _ => "Plug one in, and close programs that keep it for themselves.",
        };
        let hint = format!("Without a {kind} {effect}. {way}");
        match names.as_slice() {
            [] => Check { hint: Some(hint), ..Check::good(name, "none found") },
            names => Check::good(name, names.join(", ")),
        }
    };
    Kind::ALL.map(check).into()
}

/// Which interfaces are up; `wanted` are the only ones to use, empty is all.
pub fn interfaces(wanted: &[String]) -> Check {
    let all = match if_addrs::get_if_addrs() {
        Ok(all) => all,
        Err(error) => {
            return Check::bad("interfaces", format!("cannot be listed: {error}."), "Run as a normal account.");
        }
    };
    if let Some(missing) = wanted.iter().find(|name| all.iter().all(|interface| interface.name != **name)) {
        let names: Vec<&str> = all.iter().map(|interface| interface.name.as_str()).collect();
        return Check::bad(
            "interfaces",
            format!("there is no interface '{missing}'."),
            format!("There are: {}.", names.join(", ")),
        );
    }
    let used: Vec<String> = all
        .iter()
        .filter(|interface| if wanted.is_empty() { !interface.is_loopback() } else { wanted.contains(&interface.name) })
        .map(|interface| format!("{} {}", interface.name, interface.ip()))
        .collect();
    if used.is_empty() {
        return Check::bad("interfaces", "no network interface is up.", "Switch on Wi-Fi or plug in a cable.");
    }
    Check::good("interfaces", used.join(", "))
}

/// A network interface with an address, as a person may choose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name for the system.
    pub name: String,
    /// Where it is reached, the short ones first.
    pub addresses: Vec<IpAddr>,
}

/// The interfaces over which others can be reached, by name; none when the system does not say. Asks the system.
pub fn list_interfaces() -> Vec<Interface> {
    let all = if_addrs::get_if_addrs().inspect_err(|error| tracing::warn!(%error, "no interfaces are listed"));
    let mut list: Vec<Interface> = Vec::new();
    for one in all.unwrap_or_default().iter().filter(|one| !one.is_loopback()) {
        match list.iter_mut().find(|known| known.name == one.name) {
            Some(known) => known.addresses.push(one.ip()),
            None => list.push(Interface { name: one.name.clone(), addresses: vec![one.ip()] }),
        }
    }
    list.iter_mut().for_each(|one| one.addresses.sort());
    list.sort_by(|one, other| one.name.cmp(&other.name));
    list
}

/// The port of an engine that runs here, with the addresses that it listens at.
pub fn held(port: u16, listen: &[SocketAddr]) -> Check {
    let addresses: Vec<String> = listen.iter().map(SocketAddr::to_string).collect();
    Check::good("port", format!("UDP {port} is open for this window ({})", addresses.join(", ")))
}

/// Whether the chosen port, or one of the usual ones, can be had. Not for while an engine of ours has it.
pub async fn free(port: Option<u16>, interfaces: Vec<String>) -> Check {
    self::port(endpoint::Config { port, interfaces }).await
}

/// Whether the port can be had. Not for while an engine of ours has it.
pub async fn port(config: endpoint::Config) -> Check {
    match Endpoint::bind(config, Arc::new(Identity::generate())) {
        Ok(endpoint) => {
            let addresses: Vec<String> = endpoint.listen_addresses().iter().map(SocketAddr::to_string).collect();
            endpoint.close("checked").await;
            Check::good("port", format!("UDP {} is free ({})", endpoint.port(), addresses.join(", ")))
        }
        Err(error) => {
            Check::bad("port", format!("{error}."), "Close the program that uses it, or choose another with --port N.")
        }
    }
}

/// Whether a firewall of this machine is on. What it lets through cannot be asked without being root.
pub fn firewall() -> Check {
    match crate::platform::firewall() {
        Some(name) => Check {
            hint: Some(allow()),
            ..Check::good("firewall", format!("{name} is on and may keep others from reaching this machine"))
        },
        None => Check::good("firewall", "none was found on this machine"),
    }
}

fn allow() -> String {
    format!(
        "Allow it in the firewall: sudo ufw allow 5353/udp && sudo ufw allow {first}:{last}/udp (firewalld: sudo \
         firewall-cmd --add-service=mdns --add-port={first}-{last}/udp).",
        first = DEFAULT_PORT,
        last = DEFAULT_PORT + 9
    )
}

/// Looks for an announcement of this machine through the system's multicast: the one of `own`, who is announced
/// already, or one that is made up for it.
pub async fn multicast(interfaces: &[String], own: Option<PeerId>) -> Check {
    let scope = crate::task::Scope::new();
    let made_up = own.is_none().then(|| Announcement {
        peer: Identity::generate().peer_id(),
        instance: Instance::draw(),
        name: DisplayName::new("doctor"),
        port: 9,
        rooms: Vec::<RoomName>::new(),
    });
    let result = async {
        let wanted = own.or_else(|| made_up.as_ref().map(|announcement| announcement.peer));
        let browse = discovery::Config { announcement: None, interfaces: interfaces.to_vec() };
        let (browser, mut sightings) = mdns::start(browse, &scope).map_err(|error| error.to_string())?;
        let announcer = match made_up {
            Some(announcement) => {
                let announce = discovery::Config { announcement: Some(announcement), interfaces: interfaces.to_vec() };
                Some(mdns::start(announce, &scope).map_err(|error| error.to_string())?)
            }
            None => None,
        };
        let seen = async {
            while let Some(sighting) = sightings.recv().await {
                if sighting.peer == wanted && !sighting.gone {
                    return true;
                }
            }
            false
        };
        let seen = tokio::time::timeout(MULTICAST_LIMIT, seen).await.unwrap_or(false);
        if let Some((announcer, _)) = announcer {
            announcer.shutdown().await;
        }
        browser.shutdown().await;
        Ok::<bool, String>(seen)
    }
    .await;
    scope.finish(Duration::from_secs(1)).await;
    let hint = format!("{} Without it use an address: --connect ADDR.", allow());
    match result {
        Ok(true) => Check::good("multicast", "this machine hears its own announcements"),
        Ok(false) => Check::bad("multicast", "announcements on UDP 5353 do not come back.", hint),
        Err(error) => Check::bad("multicast", format!("mDNS cannot start: {error}."), hint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_interface_is_named() {
        let check = interfaces(&["nosuch0".to_owned()]);
        assert!(!check.ok && check.detail.contains("nosuch0"));
    }

    #[test]
    fn interfaces_are_listed_once_each_and_by_name() {
        let list = list_interfaces();
        let names: Vec<&str> = list.iter().map(|one| one.name.as_str()).collect();
        assert!(names.is_sorted() && names.iter().all(|name| *name != "lo"), "{names:?}");
        assert!(list.iter().all(|one| !one.addresses.is_empty()));
    }

    #[test]
    fn a_port_that_we_have_is_fine() {
        let check = held(48190, &["10.0.0.1:48190".parse().expect("an address")]);
        assert!(check.ok && check.detail.contains("48190 is open") && check.detail.contains("10.0.0.1"));
    }

    #[test]
    fn a_firewall_is_no_failure() {
        assert!(firewall().ok);
    }
}
