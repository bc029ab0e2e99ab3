//! `lets-meet id`: one's own identity.

use serde_json::json;

use super::args::Common;
use super::output::Output;
use super::setup::Setup;
use super::{Exit, Failure};

/// Prints peer id, name and fingerprint; makes the identity at first start.
pub fn run(common: &Common, output: &Output) -> Result<Exit, Failure> {
    let setup = Setup::load(common)?;
    let peer = setup.identity.peer_id().to_string();
    if output.is_json() {
        output.event("identity", json!({ "peer": peer, "name": setup.name.as_str(), "fingerprint": peer }));
    } else {
        output.line(&format!("name         {}", setup.name));
        output.line(&format!("peer id      {peer}"));
        output.line(&format!("fingerprint  {}", grouped(&peer)));
    }
    Ok(Exit::Done)
}

/// Digits in groups of four, to read aloud.
fn grouped(hex: &str) -> String {
    hex.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn fingerprints_are_grouped() {
        assert_eq!(super::grouped("abcdef012345"), "abcd ef01 2345");
    }
}
