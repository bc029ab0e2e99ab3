//! `join` for a person in a terminal: one readable line an event, a typed line is said to the room, `/words` are
//! commands. What others send was stripped of control characters when it was parsed, so nothing here can move the
//! cursor.

use std::path::PathBuf;

use crate::cli::quarters::Quarters;
use crate::id::{CallId, TransferId};
use crate::meeting::{
    Audience, Code, Command, Direction, Done, Event, Failure, FileEvent, FileStage, KnownPerson, State, Trust,
};
use crate::slot;
use crate::ui::text;

/// What `/help` says.
pub const HELP: &str = "\
Type a line to say it to the room.
/to WHO TEXT      say it to one person only (WHO: a name, name#suffix or id)
/drop PATH [WHO]  send a file to WHO, or to everybody
/accept ID        accept a file, /decline ID and /cancel ID likewise
/call WHO         call somebody in sight into this meeting
/answer           take the call that rings: you leave this meeting for it; /decline refuses it
/mute             microphone off or on
/hand [down]      raise or lower your hand
/react EMOJI      show an emoji to everybody
/invite           show a link to this meeting
/people           who is here
/words WHO        the words to compare with WHO by another way
/verify WHO       they are the same: trust this key
/trust WHO        accept another key of somebody whom you verified
/leave            leave (also Ctrl-C)";

/// What a typed line asks for.
#[derive(Debug, PartialEq)]
pub enum Input {
    /// Nothing.
    Empty,
    /// Show [`HELP`].
    Help,
    /// Show who is here.
    People,
    /// Switch the microphone.
    Mute,
    /// Take the call that rings.
    Answer,
    /// Refuse the call that rings, or take back the own one.
    Hangup,
    /// Carry this out.
    Command(Command),
}

/// Reads a typed line.
pub fn parse(line: &str) -> Result<Input, Failure> {
    let line = line.trim_end_matches(['\r', '\n']);
    if line.trim().is_empty() {
        return Ok(Input::Empty);
    }
    let Some(words) = line.strip_prefix('/') else {
        return Ok(Input::Command(Command::Say { text: line.to_owned(), to: Vec::new() }));
    };
    let (word, rest) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
    let rest = rest.trim();
    let usage = |how: &str| Failure::new(Code::BadRequest, format!("/{word} needs more words."), how.to_owned());
    let transfer =
        || rest.parse::<TransferId>().map_err(|_| usage(&format!("Use /{word} ID, with the id that was shown.")));
    let who = || match rest.trim_matches('"') {
        "" => Err(usage(&format!("Use /{word} WHO."))),
        who => Ok(who.to_owned()),
    };
    Ok(match word {
        "to" => {
            let (who, text) = split_who(rest).ok_or_else(|| usage("Use /to WHO TEXT; quote a name with spaces."))?;
            Input::Command(Command::Say { text, to: vec![who] })
        }
        "drop" => {
            let (path, who) = match split_who(rest) {
                Some((path, who)) => {
                    (path, vec![split_who(&who).map_or_else(|| who.trim_matches('"').to_owned(), |(who, _)| who)])
                }
                None if rest.is_empty() => {
                    return Err(usage("Use /drop PATH, or /drop PATH WHO; quote a path with spaces."));
                }
                None => (rest.trim_matches('"').to_owned(), Vec::new()),
            };
            Input::Command(Command::SendFile { path: PathBuf::from(path), to: who })
        }
        "accept" => Input::Command(Command::AcceptFile(transfer()?)),
        "call" => Input::Command(Command::Call { who: who()? }),
        "answer" => Input::Answer,
        "decline" if rest.is_empty() => Input::Hangup,
        "decline" => Input::Command(Command::DeclineFile(transfer()?)),
        "cancel" => Input::Command(Command::CancelFile(transfer()?)),
        "hand" => match rest {
            "" | "up" => Input::Command(Command::Hand { up: true }),
            "down" => Input::Command(Command::Hand { up: false }),
            _ => return Err(usage("Use /hand, or /hand down.")),
        },
        "react" if rest.is_empty() => return Err(usage("Use /react EMOJI.")),
        "react" => Input::Command(Command::React { emoji: rest.to_owned() }),
        "invite" => Input::Command(Command::Invite),
        "mute" => Input::Mute,
        "words" => Input::Command(Command::Words { peer: who()? }),
        "verify" => Input::Command(Command::Verify { peer: who()? }),
        "trust" => Input::Command(Command::TrustChanged { peer: who()? }),
        "people" => Input::People,
        "leave" | "quit" => Input::Command(Command::Leave),
        "help" => Input::Help,
        _ => {
            let message = format!("There is no /{}.", crate::share::visible(word));
            return Err(Failure::new(Code::UnknownCommand, message, "Type /help for the commands."));
        }
    })
}

/// The first word (or quoted words) and the rest; `None` when one of them is missing.
fn split_who(text: &str) -> Option<(String, String)> {
    let (who, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => text.split_once(char::is_whitespace)?,
    };
    let rest = rest.trim();
    (!who.is_empty() && !rest.is_empty()).then(|| (who.to_owned(), rest.to_owned()))
}

/// Turns events into lines, and leaves out what a person need not read.
#[derive(Debug, Default)]
pub struct Screen {
    quarters: Quarters,
    /// The call that `/answer` and `/decline` mean: the one that rings here, else the own one.
    pub ringing: slot::Shared<Option<CallId>>,
}

impl Screen {
    /// The line for `event`, if it deserves one.
    pub fn line(&mut self, event: &Event) -> Option<String> {
        Some(match event {
            Event::Ready { me, room, .. } => {
                format!("You are {} in {room}. Type to talk, /help for commands, /leave to go.", me.name)
            }
            Event::Sighted { .. } | Event::Stats(_) | Event::Delivered { .. } => return None,
            Event::Lobby { .. } | Event::Nearby(_) => return None,
            Event::Ring { call, from, trust, .. } => {
                self.ringing.set(Some(*call));
                format!("* {} calls you ({}). /answer or /decline", from.name, trust.as_str())
            }
            Event::CallEnded { call, person, direction, reason, .. } => {
                if self.ringing.get() == Some(*call) {
                    self.ringing.set(None);
                }
                text::call_ended(&person.name, *direction, *reason)
            }
            Event::Joined(person) => format!("* {} joined", person.name),
            Event::Trust { person, trust } => match trust {
                Trust::Verified => format!("* {} is verified", person.name),
                Trust::New | Trust::Known | Trust::Changed => return None,
            },
            Event::Left { person, reason } => format!("* {} left{}", person.name, text::left(*reason)),
            Event::Reconnecting { person, .. } => format!("* {} does not answer; reconnecting", person.name),
            Event::Reconnected { person, after_ms } => {
                format!(
                    "* {} is back after {:.1} s",
                    person.name,
                    std::time::Duration::from_millis(*after_ms).as_secs_f64()
                )
            }
            Event::Chat { from, text, to, late, .. } => {
                let private = if matches!(to, Audience::People(_)) { " (private)" } else { "" };
                let late = if *late { " (earlier)" } else { "" };
                format!("<{}>{private}{late} {}", from.name, text.as_str().replace('\n', "\n    ").replace('\t', " "))
            }
            Event::File(file) => return self.file(file),
            Event::Track { person, info } => {
                let on = if info.on { "on" } else { "off" };
                format!("* {} turned the {} {on}", person.name, info.kind.name())
            }
            Event::Renamed(person) => format!("* {} goes by this name now ({})", person.name, person.peer.short()),
            Event::Hand { person, up: true, order } => match order.iter().position(|other| other == person) {
                Some(0) | None => format!("* {} raised a hand", person.name),
                Some(before) => format!("* {} raised a hand, {before} before", person.name),
            },
            Event::Hand { person, up: false, .. } => format!("* {} lowered the hand", person.name),
            Event::Reaction { person, emoji } => format!("* {} {emoji}", person.name),
            Event::Warning(warning) => format!("! {} {}", warning.message, warning.hint).trim_end().to_owned(),
        })
    }

    fn file(&mut self, event: &FileEvent) -> Option<String> {
        let FileEvent { transfer, person, file, .. } = event;
        let size = text::bytes(event.size);
        let percent = self.quarters.on_file(event);
        let incoming = event.direction == Direction::In;
        Some(match &event.stage {
            FileStage::Offer if incoming => {
                format!("* {} offers {file} ({size}). /accept {transfer} or /decline {transfer}", person.name)
            }
            FileStage::Offer => format!("* offered {file} ({size}) to {}", person.name),
            FileStage::Accepted => format!("* {file}: accepted{}", if incoming { "" } else { " by the other side" }),
            FileStage::Declined => format!("* {file}: declined"),
            FileStage::Progress { rate, .. } => {
                let percent = percent?;
                let rate = rate.map(|rate| format!(", {} a second", text::bytes(rate))).unwrap_or_default();
                format!("* {file}: {percent} %{rate}")
            }
            FileStage::Done { path, .. } if incoming => {
                format!("* {file}: received and checked, saved as {}", path.display())
            }
            FileStage::Done { .. } => format!("* {file}: {} has it, checked", person.name),
            FileStage::Failed { reason, .. } => format!("! {file}: failed ({reason}); offer it again to retry"),
        })
    }
}

/// What is said after a command, if anything.
pub fn done(done: &Done) -> Option<String> {
    match done {
        Done::Ok | Done::Said(_) | Done::Offered(_) | Done::Answered { .. } => None,
        Done::Calling(_) => Some("* it rings; /decline takes it back".to_owned()),
        Done::Claimed(name) => Some(format!("* {name} is yours")),
        Done::Released(name) => Some(format!("* {name} is given back")),
        Done::Words(words) => Some(format!("* the words: {words}")),
        Done::KnownPeople(list) => {
            let line = |known: &KnownPerson| format!("  {} ({})", known.handle, known.trust.as_str());
            Some(list.iter().map(line).collect::<Vec<_>>().join("\n"))
        }
        Done::Invited(invite) => Some(format!("* Invitation: {invite}\n  In sight, also: {}", invite.short())),
        Done::State(state) => Some(people(state)),
    }
}

fn people(state: &State) -> String {
    if state.people.is_empty() {
        return "* nobody else is here yet".to_owned();
    }
    let mut lines = vec![format!("* {} here besides you:", state.people.len())];
    for person in &state.people {
        let username = person.username.as_ref().map(|name| format!(" @{name}")).unwrap_or_default();
        let trust = match person.trust {
            Trust::New | Trust::Known => String::new(),
            trust => format!(", {}", trust.as_str()),
        };
        lines.push(format!("  {}{username} ({}{trust})", person.handle, person.presence.as_str()));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(text: &str, to: &[&str]) -> Input {
        Input::Command(Command::Say { text: text.into(), to: to.iter().map(|who| (*who).to_owned()).collect() })
    }

    #[test]
    fn typed_lines_are_understood() {
        let check = |line: &str, expect: Input| assert_eq!(parse(line).expect("valid"), expect, "{line}");
        check("", Input::Empty);
        check("hi all", say("hi all", &[]));
        check("/to bo hi you", say("hi you", &["bo"]));
        check("/to \"Bo Ek\" hi", say("hi", &["Bo Ek"]));
        check("/drop a.txt", Input::Command(Command::SendFile { path: "a.txt".into(), to: vec![] }));
        check("/drop a.txt bo", Input::Command(Command::SendFile { path: "a.txt".into(), to: vec!["bo".into()] }));
        check(
            "/drop \"a b.txt\" \"Bo Ek\"",
            Input::Command(Command::SendFile {
                path: "a b.txt".into(),
                to: vec!["\"Bo Ek\"".trim_matches('"').into()],
            }),
        );
        check("/mute", Input::Mute);
        check("/call Bo Ek", Input::Command(Command::Call { who: "Bo Ek".into() }));
        check("/answer", Input::Answer);
        check("/decline", Input::Hangup);
        check("/decline 00000000000000ff", Input::Command(Command::DeclineFile(TransferId::from_u64(255))));
        check("/words bo", Input::Command(Command::Words { peer: "bo".into() }));
        check("/verify \"Bo Ek\"", Input::Command(Command::Verify { peer: "Bo Ek".into() }));
        check("/trust bo#12345678", Input::Command(Command::TrustChanged { peer: "bo#12345678".into() }));
        check("/leave", Input::Command(Command::Leave));
        for bad in ["/to bo", "/to", "/accept x", "/verify", "/dance", "/drop"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
