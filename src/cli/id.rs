//! `lets-meet id`: one's own identity.

use serde_json::json;

use super::args::Common;
use super::output::Output;
use super::setup::Setup;
use super::{Exit, Failure};

/// Prints peer id, name, fingerprint and its words; makes the identity at first start.
pub fn run(common: &Common, output: &Output) -> Result<Exit, Failure> {
    let setup = Setup::load(common)?;
    let peer = setup.identity.peer_id().to_string();
    let words = crate::engine::words_of(&setup.identity);
    if output.is_json() {
        let words = words.to_string();
        let fields = json!({ "peer": peer, "name": setup.name.as_str(), "fingerprint": peer, "words": words });
        output.event("identity", fields);
    } else {
        output.line(&format!("name         {}", setup.name));
        output.line(&format!("peer id      {peer}"));
        output.line(&format!("fingerprint  {}", grouped(&peer)));
        output.line(&format!("in words     {words}"));
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
