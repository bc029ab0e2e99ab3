//! `lets-meet call WHO`: rings a person, and meets them where they answer. Until then it is in the lobby.

use std::time::{Duration, Instant};

use super::args::{Call, Common};
use super::output::Output;
use super::{Exit, Failure, code, drop, join};
use crate::clock;
use crate::engine::{self, Handle, LobbyConfig};
use crate::id::{CallId, RoomName};
use crate::meeting::who::Who;
use crate::meeting::{self, CallEnd, Code, Command, Done, Event, Person};

/// Names are taken at their word only after this time: whoever shares one has answered by then.
const SETTLE: Duration = Duration::from_secs(1);

/// Waits for them to be in sight, rings, and stays in the meeting.
pub fn run(common: &Common, call: &Call, output: &Output) -> Result<Exit, Failure> {
    let who = Who::parse(&call.who).map_err(|error| drop::failure(&error))?;
    match (&who, &common.rendezvous) {
        (Who::Room(_), _) => return Err(Failure::usage("A room cannot be called; use lets-meet join ROOM.")),
        (Who::Username(name), None) => {
            let message = format!("@{name} is a name at a rendezvous, and none was given.");
            let failure = meeting::Failure::new(Code::NoRendezvous, message, "Use --rendezvous HOST.");
            return Err(drop::failure(&failure));
        }
        _ => {}
    }
    // Until somebody answers, it is not said where.
    let config = join::config(common, RoomName::of_call([0; 16]), &call.options)?;
    super::block_on(async {
        let handle = engine::lobby(lobby(&config)).await.map_err(|error| join::failure(&error))?;
        let exact = matches!(who, Who::Id(_) | Who::Username(_));
        let wait = Duration::from_secs_f64(call.wait);
        let answered = tokio::select! {
            biased;
            () = super::interrupted() => Ok(None),
            () = output.closed() => Ok(None),
            answered = ring(&handle, &call.who, exact, wait, output) => answered,
        };
        match answered {
            Ok(Some((room, mut connect))) => {
                connect.extend(config.connect.iter().copied());
                let config = engine::Config { room, connect, ..config };
                let handle = engine::enter(&handle, config.clone()).await.map_err(|error| join::failure(&error))?;
                join::meet(handle, config, call.options.duration(), output).await
            }
            Ok(None) => {
                handle.leave().await;
                Ok(Exit::Done)
            }
            Err(failure) => {
                handle.leave().await;
                Err(failure)
            }
        }
    })
}

fn lobby(config: &engine::Config) -> LobbyConfig {
    LobbyConfig {
        profile: config.profile.clone(),
        identity: config.identity.clone(),
        name: config.name.clone(),
        endpoint: config.endpoint.clone(),
        connect: config.connect.clone(),
        visibility: config.visibility,
        rendezvous: config.rendezvous.as_ref().map(|(service, _)| service.clone()),
        settings: config.settings.clone(),
        download_dir: config.download_dir.clone(),
    }
}

type Place = (RoomName, Vec<(std::net::SocketAddr, Option<crate::id::PeerId>)>);

async fn ring(
    handle: &Handle,
    who: &str,
    exact: bool,
    wait: Duration,
    output: &Output,
) -> Result<Option<Place>, Failure> {
    let Some(call) = begin(handle, who, exact, wait, output).await? else { return Ok(None) };
    if output.is_json() {
        output.event("ok", join::json::ok("call", None, &Done::Calling(call)));
    } else {
        output.note(&format!("Calling {}. Ctrl-C takes it back.", crate::share::visible(who)));
    }
    while let Some(event) = handle.event().await {
        tell(&event, output);
        if let Event::CallEnded { call: ended, person, reason, room, connect, .. } = event
            && ended == call
        {
            return match reason {
                CallEnd::Answered => Ok(Some((room, connect))),
                reason => Err(ended_otherwise(&person, reason)),
            };
        }
    }
    Ok(None)
}

fn ended_otherwise(person: &Person, reason: CallEnd) -> Failure {
    let name = &person.name;
    match reason {
        CallEnd::Declined => Failure::new(Exit::Refused, code::DECLINED, format!("{name} declined the call.")),
        CallEnd::Busy => Failure::new(Exit::Refused, code::BUSY, format!("{name} is busy with another call.")),
        CallEnd::Answered | CallEnd::Timeout | CallEnd::Cancelled => {
            Failure::new(Exit::NotFound, code::NO_ANSWER, format!("{name} does not answer."))
        }
    }
}

/// Rings as soon as WHO means one person in sight.
async fn begin(
    handle: &Handle,
    who: &str,
    exact: bool,
    wait: Duration,
    output: &Output,
) -> Result<Option<CallId>, Failure> {
    let start = clock::now();
    let deadline = start + wait;
    let settled = if exact { start } else { (start + SETTLE).min(deadline) };
    // Whoever shares the name answers within this time.
    if !watch(handle, settled, output).await {
        return Ok(None);
    }
    loop {
        match handle.command(Command::Call { who: who.to_owned() }).await {
            Ok(Done::Calling(call)) => return Ok(Some(call)),
            Ok(_) => return Err(Failure::new(Exit::Failed, code::INTERNAL, "The call was not understood.")),
            Err(error) if error.code != Code::UnknownPeer || clock::now() >= deadline => {
                return Err(drop::failure(&error));
            }
            Err(_) => {}
        }
        // Asked again when somebody comes in sight, and once more at the end.
        let next = async {
            loop {
                match handle.event().await {
                    Some(Event::Nearby(_)) => return true,
                    Some(event) => tell(&event, output),
                    None => return false,
                }
            }
        };
        match tokio::time::timeout_at(deadline.into(), next).await {
            Ok(true) | Err(_) => {}
            Ok(false) => return Ok(None),
        }
    }
}

/// Tells what happens until `until`; false when the lobby has ended.
async fn watch(handle: &Handle, until: Instant, output: &Output) -> bool {
    let events = async {
        while let Some(event) = handle.event().await {
            tell(&event, output);
        }
    };
    tokio::time::timeout_at(until.into(), events).await.is_err()
}

fn tell(event: &Event, output: &Output) {
    if output.is_json() {
        let (name, fields) = join::json::event(event);
        output.event(name, fields);
    } else if let Event::Warning(warning) = event {
        output.note(format!("{} {}", warning.message, warning.hint).trim_end());
    }
}
