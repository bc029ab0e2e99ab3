//! `lets-meet trust`: whose keys are known, the words to compare with somebody, and what is decided then. Needs no
//! network: all of it is in the profile.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};

use serde_json::{Value, json};

use super::args::{Common, Trust, TrustAction};
use super::join::json::known_person;
use super::output::Output;
use super::setup::Setup;
use super::{Exit, Failure, code};
use crate::clock;
use crate::id::PeerId;
use crate::known::{self, Store};
use crate::meeting::who::Directory;
use crate::meeting::{self, Answer, Command, KnownPerson, Person, Words, Work};

/// Longest answer read; the rest of the line is another answer, which means no.
const MAX_ANSWER: u64 = 256;

/// Runs what was asked.
pub fn run(common: &Common, trust: &Trust, output: &Output) -> Result<Exit, Failure> {
    let setup = Setup::load(common)?;
    let store = Store::open(setup.profile.dir()).map_err(|error| state(&error))?;
    let book = store.trust().map_err(|error| state(&error))?;
    let names = store.names().map_err(|error| state(&error))?;
    let me = Person { peer: setup.identity.peer_id(), name: setup.name };
    let mut desk = Desk { directory: Directory::new(me, names).with_trust(book), store, output };
    match &trust.action {
        TrustAction::List => desk.list(),
        TrustAction::Verify { who, yes } => desk.verify(who, *yes),
        TrustAction::Accept { who } => desk.decide(Command::TrustChanged { peer: who.clone() }),
        TrustAction::Forget { who } => desk.decide(Command::Forget { peer: who.clone() }),
    }
}

fn state(error: &known::Error) -> Failure {
    Failure::new(Exit::State, code::STATE, format!("{error}."))
}

fn refused(failure: &meeting::Failure) -> Failure {
    let exit = match failure.code.exit_code() {
        3 => Exit::NotFound,
        4 => Exit::Refused,
        8 => Exit::State,
        _ => Exit::Usage,
    };
    Failure::new(exit, failure.code.into(), failure.to_string().trim_end()).with_hint(&failure.hint)
}

struct Desk<'a> {
    directory: Directory,
    store: Store,
    output: &'a Output,
}

impl Desk<'_> {
    fn answer(&self, command: &Command) -> Result<Answer, Failure> {
        let answer = self.directory.on_command(clock::unix_millis(), command);
        let answer = answer.unwrap_or_else(|| Err(meeting::Failure::not_available_yet(command.name())));
        answer.map_err(|failure| refused(&failure))
    }

    fn list(&self) -> Result<Exit, Failure> {
        let people = self.directory.known_people();
        for known in &people {
            if self.output.is_json() {
                self.output.event("person", known_person(known));
            } else {
                self.output.line(&format!("{:9} {}", known.trust.as_str(), known.handle));
            }
        }
        if people.is_empty() {
            self.output.note("Nobody's key is known yet. Whoever you meet is listed here.");
        }
        Ok(Exit::Done)
    }

    fn person(&self, peer: PeerId) -> KnownPerson {
        let found = self.directory.known_people().into_iter().find(|known| known.person.peer == peer);
        found.unwrap_or_else(|| KnownPerson {
            person: self.directory.person(peer),
            handle: self.directory.handle(peer),
            trust: self.directory.trust(peer),
            verified_ms: None,
        })
    }

    fn verify(&mut self, who: &str, yes: bool) -> Result<Exit, Failure> {
        let peer = self.directory.resolve_known(who).map_err(|failure| refused(&failure))?;
        let words = self.directory.words(peer);
        let known = self.person(peer);
        self.show(&known, &words);
        if !yes && !self.same(&known)? {
            let message = format!("{} is not verified: nobody said that the words are the same.", known.handle);
            let hint = "Compare them by voice or in person, then answer y, or use --yes.";
            return Err(Failure::new(Exit::Refused, code::NOT_CONFIRMED, message).with_hint(hint));
        }
        self.decide(Command::Verify { peer: peer.to_string() })
    }

    fn show(&self, known: &KnownPerson, words: &Words) {
        if self.output.is_json() {
            let KnownPerson { person, handle, .. } = known;
            let fields = json!({ "peer": person.peer, "name": person.name.as_str(), "handle": handle, "words": words.to_string() });
            self.output.event("words", fields);
        } else {
            self.output.line(&format!("Words of you and {}:\n\n    {words}\n", known.handle));
        }
    }

    // Only a person in front of a terminal can have compared them now.
    fn same(&self, known: &KnownPerson) -> Result<bool, Failure> {
        if !std::io::stdin().is_terminal() {
            return Ok(false);
        }
        let failed = |error: std::io::Error| Failure::new(Exit::Failed, code::INTERNAL, format!("No answer: {error}."));
        let mut stderr = std::io::stderr();
        let name = &known.person.name;
        write!(stderr, "Ask {name} to read theirs to you (lets-meet trust verify, or /words in a meeting), by a call that you trust or in person.\nAre they the same? [y/N] ").map_err(failed)?;
        stderr.flush().map_err(failed)?;
        let mut line = String::new();
        std::io::stdin().lock().take(MAX_ANSWER).read_line(&mut line).map_err(failed)?;
        Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    fn decide(&mut self, command: Command) -> Result<Exit, Failure> {
        let Answer::Work(Work::Decide(edit)) = self.answer(&command)? else {
            return Err(Failure::new(Exit::Failed, code::INTERNAL, "Nothing was decided; please report this."));
        };
        let before = self.person(edit.peer());
        self.store.decide(&edit).map_err(|error| state(&error))?;
        self.directory.decide(&edit);
        let trust = self.directory.trust(edit.peer());
        if self.output.is_json() {
            let mut fields = known_person(&KnownPerson { trust, ..before });
            if let Value::Object(fields) = &mut fields {
                fields.insert("verified_at".to_owned(), json!(self.directory.verified_at(edit.peer())));
            }
            self.output.event("trust", fields);
        } else {
            let word = if matches!(command, Command::Forget { .. }) { "forgotten" } else { trust.as_str() };
            self.output.line(&format!("{} is {word}.", before.handle));
            self.output.note("A meeting that is open now hears of it at its next start.");
        }
        Ok(Exit::Done)
    }
}
