//! `lets-meet rendezvous serve`: the service, until it is stopped.
//!
//! It has an identity of its own in `rendezvous/` of the profile, and prints its fingerprint, so that people can give
//! it to `--rendezvous HOST#FINGERPRINT`. Its names are in the same folder unless `--store` says otherwise.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::args::{Common, Rendezvous, RendezvousAction};
use super::name::bind_failure;
use super::output::Output;
use super::{Exit, Failure, block_on, code, interrupted};
use crate::config::Profile;
use crate::endpoint::{self, Endpoint};
use crate::identity::Identity;
use crate::rendezvous::{DEFAULT_PORT, limit, registry, server, store};
use crate::task::Scope;

/// The service's folder in the profile.
const FOLDER: &str = "rendezvous";
/// The default store in that folder.
const STORE: &str = "names.sqlite";

/// Serves until a signal; a store that fails ends it with exit 8.
pub fn run(common: &Common, rendezvous: &Rendezvous, output: &Output) -> Result<Exit, Failure> {
    let RendezvousAction::Serve(serve) = &rendezvous.action;
    if serve.metrics.is_some() {
        return Err(Failure::later("--metrics"));
    }
    let listen = match (serve.listen.as_deref(), common.port) {
        (Some(text), _) => {
            listen(text).ok_or_else(|| Failure::usage(format!("--listen {text} is not an IP address with a port.")))?
        }
        (None, port) => (Ipv6Addr::UNSPECIFIED, port.unwrap_or(DEFAULT_PORT)).into(),
    };
    let location = serve.store.as_deref().map(str::parse::<store::Location>).transpose();
    let location = location.map_err(|error| match error {
        store::ParseError::NotYet => Failure::later("A store in PostgreSQL"),
        error => Failure::usage(format!("--store: {error}.")),
    })?;
    let state = |error: String| Failure::new(Exit::State, code::STATE, error);
    let profile = Profile::open(common.profile.clone()).map_err(|error| state(error.to_string()))?;
    let folder = profile.dir().join(FOLDER);
    let identity = Identity::load_or_create(&folder).map_err(|error| state(capital(&error.to_string())))?;
    let id = identity.peer_id();
    let config = server::Config {
        store: location.unwrap_or_else(|| store::Location::Sqlite(folder.join(STORE))),
        registry: registry::Config {
            name_lease: Duration::from_secs(serve.claim_seconds),
            presence_lease: Duration::from_secs(serve.presence_seconds),
            ..registry::Config::default()
        },
        limits: limit::Config::default(),
    };
    block_on(async {
        let scope = Scope::new();
        let connections = config.limits.connections;
        let endpoint = Endpoint::bind_service(listen, common.interface.clone(), connections, Arc::new(identity));
        let endpoint = endpoint.map_err(|error| match error {
            endpoint::Error::Taken(port) => {
                let message = format!("UDP port {port} is taken; choose another with --listen ADDR:PORT.");
                Failure::new(Exit::Network, code::NETWORK, message)
            }
            error => bind_failure(&error),
        })?;
        let served = server::serve(config, &endpoint, id, &scope);
        let served = served.map_err(|error| state(capital(&error.to_string())))?;
        announce(output, &endpoint, &id.to_string());
        let exit = tokio::select! {
            () = interrupted() => Ok(Exit::Done),
            () = output.closed() => Ok(Exit::Done),
            error = served.failed() => Err(state(capital(&error.to_string()))),
        };
        served.stop().await;
        endpoint.close("stopping").await;
        exit
    })
}

fn announce(output: &Output, endpoint: &Endpoint, fingerprint: &str) {
    let listen: Vec<String> = endpoint.listen_addresses().iter().map(ToString::to_string).collect();
    if output.is_json() {
        return output.event("ready", json!({ "peer": fingerprint, "fingerprint": fingerprint, "listen": listen }));
    }
    output.line(&format!("rendezvous   {}", listen.join(", ")));
    output.line(&format!("fingerprint  {fingerprint}"));
    output.line(&format!("use it with  --rendezvous HOST:{}#{fingerprint}", endpoint.port()));
}

/// `IP`, `IP:PORT` or `[IPV6]:PORT`.
fn listen(text: &str) -> Option<SocketAddr> {
    let alone = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    text.parse().ok().or_else(|| alone.ok().map(|ip| (ip, DEFAULT_PORT).into()))
}

/// `text` as a sentence.
fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_listen_on_are_read() {
        let check = |text: &str, expect: &str| assert_eq!(listen(text), expect.parse().ok(), "{text}");
        check("127.0.0.1", "127.0.0.1:48189");
        check("127.0.0.1:5", "127.0.0.1:5");
        check("[::1]:5", "[::1]:5");
        check("::", "[::]:48189");
        check("[::]", "[::]:48189");
        assert_eq!(listen("everywhere"), None);
        assert_eq!(listen(""), None);
    }
}
