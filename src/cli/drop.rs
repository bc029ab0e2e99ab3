//! `lets-meet drop PATH --to WHO`: one file to people in sight, without a meeting.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use super::args::{Common, Drop};
use super::join::json;
use super::output::Output;
use super::setup::{self, Setup};
use super::{Exit, Failure, code, receive};
use crate::clock;
use crate::engine::visit::{self, Event, Visibility, Visit};
use crate::id::{PeerId, TransferId};
use crate::meeting::Accept;
use crate::meeting::who::Who;
use crate::meeting::{self, Code, FileEvent, FileStage, Person};

/// Names are taken at their word only after this time: whoever shares one has answered by then (mDNS waits up to
/// 120 ms, the lab's slowest answer took 0.5 s).
const SETTLE: Duration = Duration::from_secs(1);
/// Somebody in sight gets at least this long to answer.
const ANSWER: Duration = Duration::from_secs(3);

/// Finds them, offers, waits until it is over for all.
pub fn run(common: &Common, drop: &Drop, output: &Output) -> Result<Exit, Failure> {
    if drop.code {
        return Err(Failure::later("--code"));
    }
    let [path] = &drop.path[..] else { return Err(Failure::later("Dropping several files at once")) };
    if drop.to.is_empty() {
        return Err(Failure::usage("Say who gets it: --to WHO, a name from lets-meet nearby."));
    }
    visit::check_file(path).map_err(|error| failure(&error))?;
    let who = drop.to.iter().map(|text| Who::parse(text).map(|who| (text.as_str(), who)));
    let who = who.collect::<Result<Vec<_>, _>>().map_err(|error| failure(&error))?;
    if let (None, Some(Who::Username(name))) =
        (&common.rendezvous, who.iter().map(|(_, who)| who).find(|who| matches!(who, Who::Username(_))))
    {
        let message = format!("@{name} is a name at a rendezvous, and none was given.");
        return Err(failure(&meeting::Failure::new(Code::NoRendezvous, message, "Use --rendezvous HOST.")));
    }
    let Setup { profile, config, identity, name } = Setup::load(common)?;
    let config = visit::Config {
        profile,
        identity,
        name,
        endpoint: setup::endpoint_config(common),
        connect: common.connect.iter().map(|connect| (connect.address, connect.peer)).collect(),
        visibility: Visibility::Hidden,
        rendezvous: common.rendezvous.as_deref().map(setup::service).transpose()?,
        // Nothing is accepted, so nothing lands here.
        download_dir: config.download_dir.unwrap_or_default(),
        accept: Accept::None,
        capabilities: Vec::new(),
    };
    super::block_on(async {
        let mut visit = Visit::start(config).map_err(|error| super::join::failure(&error))?;
        let result = tokio::select! {
            result = send(&mut visit, path, &who, Duration::from_secs_f64(drop.wait), output) => result,
            () = super::interrupted() => {
                output.note("Stopped. Whoever did not have the whole file has nothing of it; drop it again to retry.");
                Ok(Exit::Incomplete)
            }
            () = output.closed() => Ok(Exit::Incomplete),
        };
        visit.end().await;
        result
    })
}

/// A refusal of the meeting's words as the end of this run.
pub fn failure(error: &meeting::Failure) -> Failure {
    let exit = match error.code.exit_code() {
        1 => Exit::Failed,
        3 => Exit::NotFound,
        4 => Exit::Refused,
        5 => Exit::Incomplete,
        _ => Exit::Usage,
    };
    Failure::new(exit, error.code.into(), error.to_string().trim_end()).with_hint(&error.hint)
}

async fn send(
    visit: &mut Visit,
    path: &Path,
    who: &[(&str, Who)],
    wait: Duration,
    output: &Output,
) -> Result<Exit, Failure> {
    let start = clock::now();
    let deadline = start + wait;
    for (_, who) in who {
        if let Who::Username(name) = who {
            visit.look_up(name).await.map_err(|error| super::name::failure(&error))?;
        }
    }
    let people = find(visit, who, start, deadline, output).await?;
    let mut run = Run { waiting: people, open: BTreeMap::new(), exit: Exit::Done, screen: receive::Screen::default() };
    for person in run.waiting.values() {
        visit.reach(person.peer);
    }
    let answer = deadline.max(clock::now() + ANSWER);
    loop {
        run.offer(visit, path, output).await;
        if run.waiting.is_empty() && run.open.is_empty() {
            return Ok(run.exit);
        }
        let patience = async {
            if run.waiting.is_empty() {
                std::future::pending().await
            } else {
                tokio::time::sleep_until(answer.into()).await;
            }
        };
        tokio::select! {
            event = visit.next() => match event {
                Event::File(event) => run.on_file(&event, output),
                event => tell(&event, output),
            },
            () = patience => run.give_up(visit, output),
        }
    }
}

/// Waits until every WHO means somebody. Resolved once: from here on recipients are keys.
async fn find(
    visit: &mut Visit,
    who: &[(&str, Who)],
    start: Instant,
    deadline: Instant,
    output: &Output,
) -> Result<BTreeMap<PeerId, Person>, Failure> {
    let exact = who.iter().all(|(_, who)| matches!(who, Who::Id(_) | Who::Username(_)));
    let settled = if exact { start } else { (start + SETTLE).min(deadline) };
    loop {
        let now = clock::now();
        let mut found = BTreeMap::new();
        let mut missing = None;
        for (text, _) in who {
            match visit.resolve(text) {
                Ok(people) => found.extend(people.into_iter().map(|person| (person.peer, person))),
                Err(error) => missing = missing.or(Some(error)),
            }
        }
        let next = match missing {
            None if now >= settled => return Ok(found),
            Some(error) if now >= deadline || (error.code != Code::UnknownPeer && now >= settled) => {
                return Err(failure(&error));
            }
            _ if now < settled => settled,
            _ => deadline,
        };
        tokio::select! {
            event = visit.next() => tell(&event, output),
            () = tokio::time::sleep_until(next.into()) => {}
        }
    }
}

fn tell(event: &Event, output: &Output) {
    if let Event::Warning(warning) = event {
        let event = meeting::Event::Warning(warning.clone());
        if output.is_json() {
            let (name, fields) = json::event(&event);
            output.event(name, fields);
        } else {
            output.note(&warning.message);
        }
    }
}

struct Run {
    // Not linked yet.
    waiting: BTreeMap<PeerId, Person>,
    open: BTreeMap<TransferId, Person>,
    exit: Exit,
    screen: receive::Screen,
}

impl Run {
    async fn offer(&mut self, visit: &Visit, path: &Path, output: &Output) {
        let linked: BTreeSet<PeerId> = self.waiting.keys().copied().filter(|peer| visit.is_linked(*peer)).collect();
        for peer in linked {
            let Some(person) = self.waiting.remove(&peer) else { continue };
            match visit.offer(path, &person).await {
                Ok(transfer) => drop(self.open.insert(transfer, person)),
                Err(error) => self.fail(&failure(&error), output),
            }
        }
    }

    fn on_file(&mut self, event: &FileEvent, output: &Output) {
        self.screen.show(event, output);
        let exit = match event.stage {
            FileStage::Done { .. } => Exit::Done,
            FileStage::Declined => Exit::Refused,
            FileStage::Failed { .. } => Exit::Incomplete,
            _ => return,
        };
        if self.open.remove(&event.transfer).is_some() {
            self.exit = self.exit.max(exit);
        }
    }

    fn give_up(&mut self, visit: &Visit, output: &Output) {
        for person in std::mem::take(&mut self.waiting).into_values() {
            let name = &person.name;
            let sentence = if visit.has_address(person.peer) {
                format!("{name} is in sight but does not answer; is a firewall in between?")
            } else {
                format!("{name} has no known address; ask for lets-meet receive with the same --rendezvous.")
            };
            self.fail(&Failure::new(Exit::NotFound, code::UNREACHABLE, sentence), output);
        }
    }

    // One of several recipients; the run goes on with the others.
    fn fail(&mut self, failure: &Failure, output: &Output) {
        output.failure(failure);
        self.exit = self.exit.max(failure.exit);
    }
}
