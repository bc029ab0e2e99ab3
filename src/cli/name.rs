//! `lets-meet name claim / release / lookup`: unique usernames at a rendezvous.

use serde_json::json;

use super::args::{Common, Name, NameAction};
use super::output::Output;
use super::setup::{Setup, endpoint_config};
use super::{Exit, Failure, block_on, code};
use crate::endpoint::{self, Endpoint};
use crate::id::{PeerId, Username};
use crate::rendezvous::client::{self, Error, Handle};
use crate::service::Service;
use crate::task::Scope;

/// Asks the rendezvous, prints a `name` event or a line.
pub fn run(common: &Common, name: &Name, output: &Output) -> Result<Exit, Failure> {
    let typed = common.rendezvous.as_deref();
    let typed = typed.ok_or_else(|| Failure::usage("Which rendezvous? Add --rendezvous HOST[:PORT]."))?;
    let service: Service = typed.parse().map_err(|error| Failure::usage(format!("--rendezvous {typed}: {error}.")))?;
    let (NameAction::Claim { username } | NameAction::Release { username } | NameAction::Lookup { username }) =
        &name.action;
    let username = Username::new(username).map_err(|error| Failure::usage(format!("'{username}': {error}.")))?;
    let setup = Setup::load(common)?;
    block_on(async {
        let scope = Scope::new();
        // Any port: a meeting on this machine may want the default one.
        let config = endpoint::Config { port: common.port.or(Some(0)), ..endpoint_config(common) };
        let endpoint = Endpoint::bind(config, setup.identity.clone()).map_err(|error| bind_failure(&error))?;
        let config = client::Config { service, profile: setup.profile.dir().to_owned(), seed: rand::random() };
        let (handle, _events) = client::start(config, endpoint.clone(), setup.identity.clone(), &scope);
        let result = ask(&handle, &name.action, &username, setup.identity.peer_id(), output).await;
        handle.close().await;
        endpoint.close("done").await;
        result.map(|()| Exit::Done).map_err(|error| failure(&error))
    })
}

async fn ask(handle: &Handle, action: &NameAction, name: &Username, me: PeerId, output: &Output) -> Result<(), Error> {
    match action {
        NameAction::Claim { .. } => {
            let held = handle.claim(name).await?;
            let addresses: Vec<String> = handle.observed().iter().map(ToString::to_string).collect();
            tell(output, &held.name, me, &addresses, Some(held.expires), "is yours");
        }
        NameAction::Release { .. } => {
            handle.release(name).await?;
            tell(output, name, me, &[], None, "is given back");
        }
        NameAction::Lookup { .. } => {
            let found = handle.lookup(name).await?;
            let addresses: Vec<String> = found.addresses().iter().map(ToString::to_string).collect();
            tell(output, &found.name, found.peer, &addresses, Some(found.expires), "is taken");
        }
    }
    Ok(())
}

fn tell(output: &Output, name: &Username, peer: PeerId, addresses: &[String], expires: Option<u64>, says: &str) {
    if output.is_json() {
        let fields =
            json!({ "name": name.as_str(), "peer": peer.to_string(), "addresses": addresses, "expires": expires });
        return output.event("name", fields);
    }
    output.line(&format!("{name} {says}"));
    output.line(&format!("  peer {peer}"));
    for address in addresses {
        output.line(&format!("  at {address}"));
    }
    if let Some(days) = expires.and_then(|end| end.checked_sub(crate::clock::unix_millis())) {
        output.line(&format!("  for {} days, renewed whenever this profile is there", days.div_ceil(24 * 3600 * 1000)));
    }
}

/// What an error at a rendezvous means to a script: exit code and word.
pub fn failure(error: &Error) -> Failure {
    let (exit, word) = match error {
        Error::Taken => (Exit::Refused, code::NAME_TAKEN),
        Error::KeyChanged { .. } => (Exit::Refused, code::RENDEZVOUS_KEY_CHANGED),
        Error::Lying(_) => (Exit::Refused, code::RENDEZVOUS_NOT_BELIEVED),
        Error::Refused(_) | Error::Clock => (Exit::Refused, code::RENDEZVOUS_REFUSED),
        Error::Unknown(_) => (Exit::NotFound, code::UNKNOWN_NAME),
        Error::Limited(_) => (Exit::NotFound, code::LIMITED),
        Error::Unreachable { .. } => (Exit::NotFound, code::RENDEZVOUS_UNREACHABLE),
        Error::Profile(_) => (Exit::State, code::STATE),
        Error::Closed => (Exit::Failed, code::INTERNAL),
    };
    Failure::new(exit, word, sentence(&error.to_string()))
}

/// What a socket that cannot be bound means to a script.
pub fn bind_failure(error: &endpoint::Error) -> Failure {
    Failure::new(Exit::Network, code::NETWORK, sentence(&error.to_string()))
}

/// `text` with a capital letter and a full stop. "Username already taken" stays as the contract has it.
fn sentence(text: &str) -> String {
    if text == Error::Taken.to_string() {
        return text.to_owned();
    }
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str().trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_the_exit_codes_of_the_contract() {
        let exit = |error: Error| failure(&error).exit;
        assert_eq!(exit(Error::Taken), Exit::Refused);
        assert_eq!(exit(Error::KeyChanged { place: "a:1".to_owned() }), Exit::Refused);
        assert_eq!(exit(Error::Unknown(Username::new("alice").expect("valid"))), Exit::NotFound);
        assert_eq!(exit(Error::Profile("x".to_owned())), Exit::State);
        assert_eq!(failure(&Error::Taken).message, "Username already taken");
        assert_eq!(failure(&Error::Clock).message.chars().next(), Some('T'));
    }
}
