//! `lets-meet doctor`: checks what a meeting needs of this machine and says in words what is wrong and what to do.
//! So far: profile, interfaces, port, multicast. Exit 1 when a check failed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::args::Common;
use super::output::Output;
use super::setup::{Setup, endpoint_config};
use super::{Exit, Failure};
use crate::endpoint::Endpoint;
use crate::id::{Instance, RoomName};
use crate::identity::Identity;
use crate::mesh::discovery::{self, Announcement, mdns};
use crate::share::DisplayName;

/// How long multicast may take to come back to us: three times the goal for finding a peer.
const MULTICAST_LIMIT: Duration = Duration::from_secs(9);

/// One finding.
#[derive(Debug, PartialEq, Eq)]
struct Check {
    name: &'static str,
    ok: bool,
    detail: String,
    hint: Option<String>,
}

impl Check {
    fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, ok: true, detail: detail.into(), hint: None }
    }

    fn bad(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, ok: false, detail: detail.into(), hint: Some(hint.into()) }
    }
}

/// Runs all checks, prints each when it is done.
pub fn run(common: &Common, output: &Output) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    let mut tell = |check: Check| {
        if output.is_json() {
            let Check { name, ok, detail, hint } = &check;
            output.event("check", json!({ "name": name, "ok": ok, "detail": detail, "hint": hint }));
        } else {
            output.line(&format!("{} {:<11} {}", if check.ok { "ok  " } else { "FAIL" }, check.name, check.detail));
            if let Some(hint) = &check.hint {
                output.line(&format!("                 {hint}"));
            }
        }
        if !check.ok {
            exit = Exit::Failed;
        }
    };
    match Setup::load(common) {
        Ok(setup) => {
            let detail =
                format!("{} ({}) in {}", setup.name, setup.identity.peer_id().short(), setup.profile.dir().display());
            tell(Check::good("profile", detail));
        }
        Err(failure) => tell(Check::bad("profile", failure.message, "Choose another folder with --profile DIR.")),
    }
    tell(interfaces(&common.interface));
    super::block_on(async {
        tell(port(common).await);
        tell(multicast(common).await);
        Ok(())
    })?;
    Ok(exit)
}

fn interfaces(wanted: &[String]) -> Check {
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

async fn port(common: &Common) -> Check {
    match Endpoint::bind(endpoint_config(common), Arc::new(Identity::generate())) {
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

/// Announces a made-up peer and looks for it, both through the system's multicast.
async fn multicast(common: &Common) -> Check {
    let scope = crate::task::Scope::new();
    let peer = Identity::generate().peer_id();
    let announcement = Announcement {
        peer,
        instance: Instance::draw(),
        name: DisplayName::new("doctor"),
        port: 9,
        rooms: Vec::<RoomName>::new(),
    };
    let interfaces = common.interface.clone();
    let result = async {
        let browse = discovery::Config { announcement: None, interfaces: interfaces.clone() };
        let announce = discovery::Config { announcement: Some(announcement), interfaces };
        let (browser, mut sightings) = mdns::start(browse, &scope).map_err(|error| error.to_string())?;
        let (announcer, _own) = mdns::start(announce, &scope).map_err(|error| error.to_string())?;
        let seen = async {
            while let Some(sighting) = sightings.recv().await {
                if sighting.peer == Some(peer) && !sighting.gone {
                    return true;
                }
            }
            false
        };
        let seen = tokio::time::timeout(MULTICAST_LIMIT, seen).await.unwrap_or(false);
        announcer.shutdown().await;
        browser.shutdown().await;
        Ok::<bool, String>(seen)
    }
    .await;
    scope.finish(Duration::from_secs(1)).await;
    let hint = format!(
        "Allow it in the firewall: sudo ufw allow 5353/udp && sudo ufw allow {first}:{last}/udp (firewalld: sudo \
         firewall-cmd --add-service=mdns --add-port={first}-{last}/udp). Without it use --connect ADDR.",
        first = crate::endpoint::DEFAULT_PORT,
        last = crate::endpoint::DEFAULT_PORT + 9
    );
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
}
