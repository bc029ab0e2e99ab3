//! `lets-meet open LINK`: into the meeting of a link. A link may come from anybody, so a person is asked first, and
//! where a window runs on the profile, the window asks. Then it is as `join`.

use std::io::{IsTerminal as _, Write as _};

use super::args::{Common, Open};
use super::output::Output;
use super::setup::Setup;
use super::{Exit, Failure, code, join};
use crate::config::Profile;
use crate::engine;
use crate::handover::{self, Message};
use crate::invite::Invite;

/// Asks, finds the inviter, and stays in the meeting.
pub fn run(common: &Common, open: &Open, output: &Output) -> Result<Exit, Failure> {
    let invite: Invite = open.link.parse().map_err(|error| Failure::usage(sentence(&format!("{error}."))))?;
    if !open.yes && !output.is_json() && handed_over(common, &invite) {
        output.note("The open window asks about this link.");
        return Ok(Exit::Done);
    }
    let config = join::config(common, invite.room.clone(), &open.options)?;
    if !open.yes && !agreed(common, &invite, output)? {
        return Err(Failure::new(Exit::Refused, code::DECLINED, "Nothing was joined."));
    }
    super::block_on(async {
        let handle = engine::start_invited(config.clone(), &invite).await.map_err(|error| join::failure(&error))?;
        join::meet(handle, config, open.options.duration(), output).await
    })
}

/// True when a window of this profile takes it.
fn handed_over(common: &Common, invite: &Invite) -> bool {
    let Ok(profile) = Profile::open(common.profile.clone()) else { return false };
    match handover::send(profile.dir(), &Message::Open(invite.to_string())) {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(%error, "not handed over");
            false
        }
    }
}

/// Asks on a terminal.
fn agreed(common: &Common, invite: &Invite, output: &Output) -> Result<bool, Failure> {
    if output.is_json() || !std::io::stdin().is_terminal() {
        let message = "A link asks before it joins, and nobody can be asked here; say --yes if you trust it.";
        return Err(Failure::new(Exit::Refused, code::DECLINED, message));
    }
    let setup = Setup::load(common)?;
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{} Join as {}? [y/N] ", question(invite), setup.name);
    let _ = stderr.flush();
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).unwrap_or(0);
    Ok(read > 0 && matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// What a person must know before it joins.
fn question(invite: &Invite) -> String {
    let Invite { room, inviter, addresses, rendezvous } = invite;
    let at: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let at = if at.is_empty() { "wherever it is found".to_owned() } else { at.join(", ") };
    let via = rendezvous.as_ref().map(|service| format!(", and asks the rendezvous {service}")).unwrap_or_default();
    format!("This link leads to the meeting '{room}' of the key {} at {at}{via}.", inviter.short())
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}", chars.as_str())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::Cli;

    fn refused(words: &[&str]) -> (Exit, Option<code::Word>) {
        let cli = Cli::try_parse_from([&["lets-meet"], words].concat()).expect("parsed");
        let failure = crate::cli::run(cli, &Output::new(true)).expect_err("refused");
        (failure.exit, Some(failure.code))
    }

    #[test]
    fn a_link_is_checked_and_asked_about_before_anything_is_dialed() {
        let home = tempfile::tempdir().expect("folder");
        let profile = home.path().to_str().expect("text");
        let link = format!("letsmeet://join?room=r&by={}&at=127.0.0.1:9", "ab".repeat(32));
        let common = |link: &str| refused(&["open", link, "--json", "--profile", profile]);
        assert_eq!(common("https://example.org"), (Exit::Usage, Some(code::USAGE)));
        assert_eq!(common(&link.replace("127.0.0.1", "example.org")), (Exit::Usage, Some(code::USAGE)));
        assert_eq!(common(&link), (Exit::Refused, Some(code::DECLINED)));
    }

    #[test]
    fn the_question_says_where_a_link_leads() {
        let link = format!("letsmeet://join?room=r&by={0}&at=10.0.0.1:5&via=meet.example.org&key={0}", "ab".repeat(32));
        let text = question(&link.parse().expect("a link"));
        for part in ["'r'", "abababab", "10.0.0.1:5", "meet.example.org"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
