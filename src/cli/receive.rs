//! `lets-meet receive`: waits for files, without a meeting.

use std::collections::VecDeque;
use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};

use tokio::sync::mpsc;

use super::args::{Common, Receive};
use super::join::json;
use super::output::Output;
use super::quarters::Quarters;
use super::setup::{self, Setup};
use super::{Exit, Failure, code};
use crate::engine::visit::{self, Event, Visibility, Visit};
use crate::meeting::Accept;
use crate::meeting::{self, Direction, FileEvent, FileStage};
use crate::ui::text;

/// Longest answer read; the rest of the line is another answer, which means no.
const MAX_ANSWER: u64 = 256;

/// Waits until stopped, or with `--once` until the first transfer is over or declined.
pub fn run(common: &Common, receive: &Receive, output: &Output) -> Result<Exit, Failure> {
    if receive.code.is_some() {
        return Err(Failure::later("receive CODE"));
    }
    let Setup { profile, config, identity, name } = Setup::load(common)?;
    let download_dir = receive.dir.clone().or(config.download_dir).ok_or_else(|| {
        Failure::new(Exit::State, code::STATE, "This account has no home folder for drops; use --dir DIR.")
    })?;
    setup::writable(&download_dir)?;
    let accept = match receive.yes {
        true => Accept::All,
        false if std::io::stdin().is_terminal() => Accept::Ask,
        false => Accept::None,
    };
    let config = visit::Config {
        profile,
        identity,
        name,
        endpoint: setup::endpoint_config(common),
        connect: common.connect.iter().map(|connect| (connect.address, connect.peer)).collect(),
        visibility: if common.hidden { Visibility::Hidden } else { Visibility::Open },
        rendezvous: common.rendezvous.as_deref().map(setup::service).transpose()?,
        download_dir: download_dir.clone(),
        accept,
        capabilities: Vec::new(),
    };
    super::block_on(async {
        let mut visit = Visit::start(config).map_err(|error| super::join::failure(&error))?;
        if let Err(error) = visit.publish().await {
            visit.end().await;
            return Err(super::name::failure(&error));
        }
        let me = visit.me().clone();
        if output.is_json() {
            let listen: Vec<String> = visit.listen_addresses().iter().map(ToString::to_string).collect();
            let fields = serde_json::json!({ "peer": me.peer, "name": me.name.as_str(), "listen": listen });
            output.event("ready", fields);
        } else {
            let (name, suffix, folder) = (&me.name, me.peer.short(), download_dir.display());
            output.note(&format!("Waiting for files as {name}#{suffix}; they land in {folder}. Ctrl-C ends."));
        }
        if accept == Accept::None {
            output.note("No terminal to ask on and no --yes: every file is declined.");
        }
        let result = tokio::select! {
            exit = wait(&mut visit, receive.once, accept, output) => Ok(exit),
            () = super::interrupted() => Ok(Exit::Done),
            () = output.closed() => Ok(Exit::Done),
        };
        visit.end().await;
        result
    })
}

async fn wait(visit: &mut Visit, once: bool, accept: Accept, output: &Output) -> Exit {
    let mut screen = Screen::default();
    // Overflow: stdin is not read on.
    let (typed, mut answers) = mpsc::channel(1);
    if accept == Accept::Ask {
        read_answers(typed);
    }
    // Offers that wait for an answer, the first one is on the screen.
    let mut asked: VecDeque<FileEvent> = VecDeque::new();
    loop {
        let event = tokio::select! {
            event = visit.next() => event,
            Some(yes) = answers.recv() => {
                // What was typed before a question is an answer to nothing.
                let Some(offer) = asked.pop_front() else { continue };
                let answer = if yes { visit.accept(offer.transfer).await } else { visit.decline(offer.transfer).await };
                if let Err(error) = answer {
                    output.note(&error.to_string());
                }
                ask(asked.front());
                continue;
            }
        };
        match event {
            Event::File(event) => {
                screen.show(&event, output);
                match event.stage {
                    FileStage::Offer if accept == Accept::Ask => {
                        asked.push_back(event);
                        if asked.len() == 1 {
                            ask(asked.front());
                        }
                    }
                    FileStage::Done { .. } if once => return Exit::Done,
                    FileStage::Declined if once => return Exit::Refused,
                    FileStage::Failed { .. } if once => return Exit::Incomplete,
                    FileStage::Declined | FileStage::Failed { .. } => {
                        let shown = asked.front().map(|offer| offer.transfer);
                        asked.retain(|offer| offer.transfer != event.transfer);
                        // The one on the screen was withdrawn: the next is asked about anew.
                        if shown == Some(event.transfer) {
                            ask(asked.front());
                        }
                    }
                    _ => {}
                }
            }
            Event::Warning(warning) if output.is_json() => {
                let (name, fields) = json::event(&meeting::Event::Warning(warning));
                output.event(name, fields);
            }
            Event::Warning(warning) => output.note(&warning.message),
            Event::People | Event::Linked(_) | Event::Unlinked(_) | Event::Message { .. } | Event::Username(_) => {}
        }
    }
}

fn ask(offer: Option<&FileEvent>) {
    if let Some(FileEvent { person, file, size, .. }) = offer {
        let (suffix, size) = (person.peer.short(), text::bytes(*size));
        let mut stderr = std::io::stderr();
        let _ = write!(stderr, "{}#{suffix} offers {file} ({size}). Take it? [y/N] ", person.name);
        let _ = stderr.flush();
    }
}

// True for each typed yes. The thread ends with the process, or with stdin.
fn read_answers(typed: mpsc::Sender<bool>) {
    let thread = crate::task::thread("lets-meet-stdin", move || {
        let mut stdin = std::io::stdin().lock();
        loop {
            let mut line = String::new();
            match (&mut stdin).take(MAX_ANSWER).read_line(&mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let yes = matches!(line.trim().to_lowercase().as_str(), "y" | "yes");
            if typed.blocking_send(yes).is_err() {
                break;
            }
        }
    });
    if let Err(error) = thread {
        tracing::warn!(%error, "no thread to read answers");
    }
}

/// Shows transfers: as JSON, or to a person with a line for each quarter.
#[derive(Debug, Default)]
pub struct Screen {
    quarters: Quarters,
}

impl Screen {
    /// Prints `event`.
    pub fn show(&mut self, event: &FileEvent, output: &Output) {
        if output.is_json() {
            let (name, fields) = json::event(&meeting::Event::File(event.clone()));
            output.event(name, fields);
        } else if let Some(line) = self.line(event) {
            output.line(&line);
        }
    }

    fn line(&mut self, event: &FileEvent) -> Option<String> {
        let FileEvent { person, file, size, direction, stage, .. } = event;
        let percent = self.quarters.on_file(event);
        let incoming = *direction == Direction::In;
        Some(match stage {
            FileStage::Offer if incoming => return None,
            FileStage::Offer => format!("offered {file} ({}) to {}", text::bytes(*size), person.name),
            FileStage::Accepted if incoming => format!("{file} from {}: coming", person.name),
            FileStage::Accepted => format!("{file}: {} takes it", person.name),
            FileStage::Declined if incoming => format!("{file} from {}: declined", person.name),
            FileStage::Declined => format!("{file}: {} does not take it", person.name),
            FileStage::Progress { rate, eta_ms, .. } => {
                let percent = percent?;
                let rate = rate.map(|rate| format!(", {} a second", text::bytes(rate))).unwrap_or_default();
                let eta = eta_ms.map(|ms| format!(", {} s to go", ms.div_ceil(1000))).unwrap_or_default();
                format!("{file}: {percent} %{rate}{eta}")
            }
            FileStage::Done { path, .. } if incoming => {
                format!("{file} from {}: received and checked, saved as {}", person.name, path.display())
            }
            FileStage::Done { .. } => format!("{file}: {} has it, checked", person.name),
            FileStage::Failed { reason, .. } => format!("{file}: failed ({reason}); drop it again to retry"),
        })
    }
}
