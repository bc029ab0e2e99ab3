//! `join --json`: events and answers as JSON objects, command lines as [`Command`]s. The field names are the contract
//! in `docs/cli.md`. No I/O here, so that the whole contract can be tested on values.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::av::spec::voice::{Change, Sources};
use crate::cli::args::parse_view;
use crate::id::{CallId, PeerId, RoomName, TransferId, to_hex};
use crate::media::{TrackInfo, TrackKind, View};
use crate::meeting::{
    Audience, Code, Command, Done, Event, Failure, FileEvent, FileStage, KnownPerson, Nearby, NearbyMeeting,
    NearbyPerson, Person, PersonState, Settings, State, Warning,
};

/// Longest command line; a chat line of the largest size, escaped, fits.
pub const MAX_LINE: usize = 256 * 1024;

/// A command line, parsed as far as possible: `name` and `reference` are echoed even when the command is wrong.
#[derive(Debug)]
pub struct Request {
    /// What stood after `do`.
    pub name: Option<String>,
    /// What stood after `ref`.
    pub reference: Option<String>,
    /// The command.
    pub command: Result<Command, Failure>,
}

/// Words that the contract knows and that later versions bring.
const LATER: [&str; 8] = ["pause-file", "resume-file", "mute", "stop-video", "remove", "admit", "deny", "lock"];

/// Reads one line.
pub fn parse(line: &str) -> Request {
    let bad = |message: String| Failure::new(Code::BadRequest, message, "Write one JSON object a line, with a \"do\".");
    let object = match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(object)) => object,
        Ok(_) => {
            return Request { name: None, reference: None, command: Err(bad("This is not a JSON object.".into())) };
        }
        Err(error) => {
            let command = Err(bad(format!("This is not JSON: {error}.")));
            return Request { name: None, reference: None, command };
        }
    };
    let text = |key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
    let (name, reference) = (text("do"), text("ref"));
    let command = match name.as_deref() {
        Some(word) => command(word, &Fields(&object)),
        None => Err(bad("The field \"do\" is missing.".into())),
    };
    Request { name, reference, command }
}

struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn wrong(key: &str, wanted: &str) -> Failure {
        Failure::new(
            Code::BadRequest,
            format!("The field \"{key}\" must be {wanted}."),
            "Correct the field and send again.",
        )
    }

    fn text(&self, key: &str) -> Result<String, Failure> {
        self.0.get(key).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| Self::wrong(key, "a string"))
    }

    fn flag(&self, key: &str) -> Result<bool, Failure> {
        self.0.get(key).and_then(Value::as_bool).ok_or_else(|| Self::wrong(key, "true or false"))
    }

    /// A list of WHO, or one WHO; missing is empty.
    fn people(&self, key: &str) -> Result<Vec<String>, Failure> {
        let wrong = || Self::wrong(key, "a list of strings");
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(who)) => Ok(vec![who.clone()]),
            Some(Value::Array(list)) if !list.is_empty() => {
                list.iter().map(|who| who.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    fn transfer(&self) -> Result<TransferId, Failure> {
        self.text("transfer")?.parse().map_err(|_| Self::wrong("transfer", "16 hex digits"))
    }

    fn call(&self) -> Result<CallId, Failure> {
        self.text("call")?.parse().map_err(|_| Self::wrong("call", "16 hex digits"))
    }

    /// An optional word that is parsed: a source, a sink.
    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self, key: &str) -> Result<Option<T>, Failure> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => {
                let text = self.text(key)?;
                text.parse().map(Some).map_err(|error: T::Err| {
                    let error = error.to_string();
                    let later = error.contains("not available yet");
                    let code = if later { Code::NotAvailableYet } else { Code::BadValue };
                    Failure::new(code, format!("{error}."), "Correct the field and send again.")
                })
            }
        }
    }
}

fn command(word: &str, fields: &Fields<'_>) -> Result<Command, Failure> {
    Ok(match word {
        "chat" => Command::Say { text: fields.text("text")?, to: fields.people("to")? },
        "send-file" => Command::SendFile { path: PathBuf::from(fields.text("path")?), to: fields.people("to")? },
        "accept-file" => Command::AcceptFile(fields.transfer()?),
        "decline-file" => Command::DeclineFile(fields.transfer()?),
        "cancel-file" => Command::CancelFile(fields.transfer()?),
        "camera" => Command::Camera { on: fields.flag("on")?, source: fields.parsed("source")? },
        "mic" => Command::Microphone { on: fields.flag("on")?, source: fields.parsed("source")? },
        "speaker" => Command::Speaker { on: fields.flag("on")?, sink: fields.parsed("source")? },
        "screen" => Command::Screen { on: fields.flag("on")?, source: fields.parsed("source")? },
        "screen-audio" => {
            fields.text("value")?;
            Command::ScreenAudio(fields.parsed("value")?.unwrap_or_default())
        }
        "quality" => {
            fields.text("value")?;
            Command::Quality(fields.parsed("value")?.unwrap_or_default())
        }
        "view" => {
            let size = parse_view(&fields.text("size")?).map_err(|_| Fields::wrong("size", "large, small or none"))?;
            let kind = |name: &str| [TrackKind::Camera, TrackKind::Screen].into_iter().find(|kind| kind.name() == name);
            let track = match fields.0.get("track") {
                None | Some(Value::Null) => None,
                Some(_) => {
                    Some(kind(&fields.text("track")?).ok_or_else(|| Fields::wrong("track", "camera or screen"))?)
                }
            };
            Command::View { peer: fields.text("peer")?, track, size }
        }
        "volume" => {
            let value = fields.0.get("value").and_then(Value::as_f64).filter(|value| (0.0..=2.0).contains(value));
            #[expect(clippy::cast_possible_truncation, reason = "0 to 2, precision does not matter")]
            let value = value.ok_or_else(|| Fields::wrong("value", "a number from 0 to 2"))? as f32;
            Command::Volume { peer: fields.text("peer")?, value }
        }
        "voice" => {
            let switch = |key: &str| if fields.0.contains_key(key) { fields.flag(key).map(Some) } else { Ok(None) };
            let change = Change { echo: switch("echo")?, noise: fields.parsed("noise")?, gain: switch("gain")? };
            if change.is_empty() {
                let message = "The command \"voice\" needs one of \"echo\", \"noise\" and \"gain\".";
                return Err(Failure::new(Code::BadRequest, message, "Add a field and send again."));
            }
            Command::Voice { change, sources: Sources::All }
        }
        "hand" => Command::Hand { up: fields.flag("up")? },
        "react" => Command::React { emoji: fields.text("emoji")? },
        "invite" => Command::Invite,
        "call" => Command::Call { who: fields.text("peer")? },
        "answer" => Command::Answer(fields.call()?),
        "decline" => Command::Decline(fields.call()?),
        "rename" => Command::Rename(fields.text("name")?),
        "claim" => Command::Claim(fields.text("name")?),
        "release" => Command::Release(fields.text("name")?),
        "words" => Command::Words { peer: fields.text("peer")? },
        "verify" => Command::Verify { peer: fields.text("peer")? },
        "forget" => Command::Forget { peer: fields.text("peer")? },
        "trust-changed" => Command::TrustChanged { peer: fields.text("peer")? },
        "known" => Command::KnownPeople,
        "state" => Command::State,
        "leave" => Command::Leave,
        later if LATER.contains(&later) => return Err(Failure::not_available_yet(later)),
        _ => {
            let message = format!("There is no command '{}'.", crate::share::visible(word));
            return Err(Failure::new(Code::UnknownCommand, message, "See docs/cli.md for the commands."));
        }
    })
}

/// `ok` for what was done, with the id or transfer that it made.
pub fn ok(name: &str, reference: Option<&str>, done: &Done) -> Value {
    let mut fields = json!({ "do": name, "ref": reference });
    let more = match done {
        Done::Ok => json!({}),
        Done::Said(id) => json!({ "id": id.to_string() }),
        Done::Offered(offers) => {
            let list: Vec<Value> = offers
                .iter()
                .map(|(to, transfer)| json!({ "transfer": transfer, "peer": to.peer, "name": to.name.as_str() }))
                .collect();
            json!({ "transfer": offers.first().map(|(_, transfer)| transfer), "transfers": list })
        }
        Done::Calling(call) => json!({ "call": call }),
        Done::Answered { room, connect } => json!({ "room": room.as_str(), "connect": self::connect(connect) }),
        Done::Claimed(name) | Done::Released(name) => json!({ "name": name.as_str() }),
        Done::Words(words) => json!({ "words": words.to_string() }),
        Done::KnownPeople(list) => json!({ "people": list.iter().map(known_person).collect::<Vec<_>>() }),
        Done::Invited(invite) => json!({ "link": invite.to_string(), "short": invite.short() }),
        Done::State(state) => self::state(state),
    };
    extend(&mut fields, more);
    fields
}

/// `error` for what was not.
pub fn error(name: Option<&str>, reference: Option<&str>, failure: &Failure) -> Value {
    let hint = (!failure.hint.is_empty()).then_some(&failure.hint);
    let mut fields = json!({ "do": name, "ref": reference, "code": failure.code.as_str(),
        "message": failure.message, "hint": hint });
    if !failure.candidates.is_empty() {
        extend(&mut fields, json!({ "candidates": people(&failure.candidates) }));
    }
    fields
}

/// An event's word and fields.
pub fn event(event: &Event) -> (&'static str, Value) {
    let fields = match event {
        Event::Ready { me, room, listen } => {
            json!({ "peer": me.peer, "name": me.name.as_str(), "room": room.as_str(), "listen": addresses(listen) })
        }
        Event::Lobby { me, listen } => with(person_fields(me), json!({ "listen": addresses(listen) })),
        Event::Nearby(nearby) => self::nearby(nearby),
        Event::Ring { call, from, trust, room } => json!({
            "call": call, "from": from.peer, "name": from.name.as_str(), "trust": trust.as_str(), "room": room.as_str(),
        }),
        Event::CallEnded { call, person, direction, reason, room, connect } => with(
            person_fields(person),
            json!({
                "call": call, "from": person.peer, "direction": direction.as_str(), "reason": reason.as_str(), "room": room.as_str(),
                "connect": self::connect(connect),
            }),
        ),
        Event::Sighted { peer, name, addresses: at, source } => {
            json!({ "peer": peer, "name": name.as_ref().map(|name| name.as_str()), "addresses": addresses(at), "source": source })
        }
        Event::Joined(person) => person_fields(person),
        Event::Trust { person, trust } => with(person_fields(person), json!({ "trust": trust.as_str() })),
        Event::Left { person, reason } => with(person_fields(person), json!({ "reason": reason.as_str() })),
        Event::Reconnecting { person, after_ms } | Event::Reconnected { person, after_ms } => {
            with(person_fields(person), json!({ "after_ms": after_ms }))
        }
        Event::Chat { id, from, text, to, sent_at, late } => json!({
            "id": id.to_string(), "from": from.peer, "name": from.name.as_str(), "text": text.as_str(),
            "to": audience(to), "sent_at": sent_at, "late": late,
        }),
        Event::Delivered { id, to } => {
            let keys: Vec<_> = to.iter().map(|person| person.peer).collect();
            json!({ "id": id.to_string(), "to": keys, "names": names(to) })
        }
        Event::File(file) => self::file(file),
        Event::Track { person, info } => with(person_fields(person), track(info)),
        Event::Renamed(person) => person_fields(person),
        Event::Hand { person, up, order } => {
            let keys: Vec<_> = order.iter().map(|person| person.peer).collect();
            with(person_fields(person), json!({ "up": up, "order": keys, "names": names(order) }))
        }
        Event::Reaction { person, emoji } => with(person_fields(person), json!({ "emoji": emoji.as_str() })),
        Event::Stats(stats) => serde_json::to_value(stats.as_ref()).unwrap_or(Value::Null),
        Event::Warning(warning) => self::warning(warning),
    };
    (event.name(), fields)
}

fn extend(fields: &mut Value, more: Value) {
    if let (Value::Object(fields), Value::Object(more)) = (fields, more) {
        fields.extend(more);
    }
}

fn with(mut fields: Value, more: Value) -> Value {
    extend(&mut fields, more);
    fields
}

fn person_fields(person: &Person) -> Value {
    json!({ "peer": person.peer, "name": person.name.as_str() })
}

/// Somebody whose key is known.
pub fn known_person(known: &KnownPerson) -> Value {
    with(
        person_fields(&known.person),
        json!({ "handle": known.handle, "trust": known.trust.as_str(), "verified_at": known.verified_ms }),
    )
}

fn people(list: &[Person]) -> Vec<Value> {
    list.iter().map(person_fields).collect()
}

fn names(list: &[Person]) -> Vec<&str> {
    list.iter().map(|person| person.name.as_str()).collect()
}

fn addresses(list: &[SocketAddr]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn connect(list: &[(SocketAddr, Option<PeerId>)]) -> Vec<Value> {
    list.iter().map(|(address, peer)| json!({ "address": address.to_string(), "peer": peer })).collect()
}

fn nearby(nearby: &Nearby) -> Value {
    let rooms = |rooms: &[RoomName]| rooms.iter().map(|room| room.as_str().to_owned()).collect::<Vec<_>>();
    let person = |near: &NearbyPerson| {
        with(
            person_fields(&near.person),
            json!({
                "handle": near.handle, "trust": near.trust.as_str(), "rooms": rooms(&near.rooms),
                "addresses": addresses(&near.addresses),
            }),
        )
    };
    let meeting = |near: &NearbyMeeting| json!({ "room": near.room.as_str(), "people": people(&near.people) });
    json!({
        "people": nearby.people.iter().map(person).collect::<Vec<_>>(),
        "meetings": nearby.meetings.iter().map(meeting).collect::<Vec<_>>(),
    })
}

fn audience(to: &Audience) -> Value {
    match to {
        Audience::Room => json!("room"),
        Audience::People(list) => json!(list.iter().map(|person| person.peer).collect::<Vec<_>>()),
    }
}

fn track(info: &TrackInfo) -> Value {
    let size = |pixels: u16| (pixels > 0).then_some(pixels);
    json!({ "track": info.kind.name(), "on": info.on, "width": size(info.width), "height": size(info.height), "codec": info.codec })
}

fn file(event: &FileEvent) -> Value {
    let fields = json!({
        "transfer": event.transfer, "peer": event.person.peer, "name": event.person.name.as_str(),
        "direction": event.direction.as_str(), "file": event.file.as_str(), "size": event.size,
    });
    let more = match &event.stage {
        FileStage::Offer | FileStage::Accepted | FileStage::Declined => json!({}),
        FileStage::Progress { done, rate, eta_ms } => json!({ "done": done, "rate": rate, "eta_ms": eta_ms }),
        FileStage::Done { path, blake3 } => {
            json!({ "path": path.to_string_lossy(), "blake3": blake3.as_ref().map(|hash| to_hex(hash)) })
        }
        FileStage::Failed { reason, resumable } => json!({ "reason": reason, "resumable": resumable }),
    };
    with(fields, more)
}

fn warning(warning: &Warning) -> Value {
    json!({
        "code": warning.code.as_str(), "message": warning.message,
        "hint": (!warning.hint.is_empty()).then_some(&warning.hint),
        "peer": warning.person.as_ref().map(|person| person.peer),
        "name": warning.person.as_ref().map(|person| person.name.as_str()),
    })
}

/// What is done to the microphone now.
fn voice(settings: &Settings) -> Value {
    let voice = settings.voice.of(&settings.microphone);
    json!({ "echo": voice.echo, "noise": voice.noise.as_str(), "gain": voice.gain })
}

fn state(state: &State) -> Value {
    let sizes = |of: &[(TrackKind, View)]| {
        of.iter().map(|(kind, view)| json!({ "track": kind.name(), "size": view })).collect::<Vec<_>>()
    };
    let person = |p: &PersonState| {
        with(
            person_fields(&p.person),
            json!({
                "handle": p.handle, "trust": p.trust.as_str(), "username": p.username.as_ref().map(|name| name.as_str()), "presence": p.presence.as_str(),
                "name_is_unique": p.name_is_unique, "tracks": p.tracks.iter().map(track).collect::<Vec<_>>(),
                // The larger one, and each.
                "view": p.views.iter().map(|(_, view)| view).max(), "views": sizes(&p.views),
                "volume": p.volume, "watches": sizes(&p.watches),
            }),
        )
    };
    let transfer = |event: &FileEvent| with(file(event), json!({ "stage": event.stage.name() }));
    let settings = &state.settings;
    json!({
        "peer": state.me.peer, "name": state.me.name.as_str(), "instance": state.instance.to_string(),
        "username": state.username.as_ref().map(|name| name.as_str()), "room": state.room.as_ref().map(|room| room.as_str()),
        "people": state.people.iter().map(person).collect::<Vec<_>>(),
        "hands": state.hands.iter().map(|person| person.peer).collect::<Vec<_>>(),
        "tracks": state.tracks.iter().map(track).collect::<Vec<_>>(),
        "transfers": state.transfers.iter().map(transfer).collect::<Vec<_>>(),
        "settings": {
            "camera": settings.camera.to_string(), "camera_on": settings.camera_on,
            "mic": settings.microphone.to_string(), "mic_on": settings.microphone_on,
            "speaker": settings.speaker.to_string(), "speaker_on": settings.speaker_on,
            "screen": settings.screen.to_string(), "screen_on": settings.screen_on,
            "screen_audio": settings.screen_audio.to_string(),
            "quality": settings.quality.to_string(), "voice": voice(settings), "view": settings.view, "files": settings.files.as_str(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::av::spec::voice::Noise;
    use crate::meeting::LeftReason;
    use crate::share::DisplayName;

    fn parsed(line: &str) -> Command {
        parse(line).command.unwrap_or_else(|failure| panic!("{line}: {failure}"))
    }

    fn refused(line: &str) -> &'static str {
        parse(line).command.expect_err("must be refused").code.as_str()
    }

    #[test]
    fn commands_of_the_contract_are_read() {
        let check = |line: &str, expect: Command| assert_eq!(parsed(line), expect, "{line}");
        let say =
            |to: &[&str]| Command::Say { text: "hi".into(), to: to.iter().map(|who| (*who).to_owned()).collect() };
        check(r#"{"do":"chat","text":"hi"}"#, say(&[]));
        check(r#"{"do":"chat","text":"hi","to":["bo","@al"]}"#, say(&["bo", "@al"]));
        check(r#"{"do":"chat","text":"hi","to":"bo"}"#, say(&["bo"]));
        let path = PathBuf::from("/tmp/x");
        check(r#"{"do":"send-file","path":"/tmp/x","to":["bo"]}"#, Command::SendFile { path, to: vec!["bo".into()] });
        check(r#"{"do":"accept-file","transfer":"00000000000000ff"}"#, Command::AcceptFile(TransferId::from_u64(255)));
        check(r#"{"do":"release","name":"ana"}"#, Command::Release("ana".into()));
        check(r#"{"do":"camera","on":false}"#, Command::Camera { on: false, source: None });
        check(
            r#"{"do":"mic","on":true,"source":"tone"}"#,
            Command::Microphone { on: true, source: Some(crate::av::spec::Microphone::Tone) },
        );
        check(
            r#"{"do":"screen","on":true,"source":"window:0x10"}"#,
            Command::Screen { on: true, source: Some(crate::av::spec::Screen::Window(16)) },
        );
        check(r#"{"do":"screen","on":false}"#, Command::Screen { on: false, source: None });
        check(r#"{"do":"screen-audio","value":"on"}"#, Command::ScreenAudio(crate::av::spec::ScreenAudio::On));
        check(
            r#"{"do":"view","peer":"bo","size":"small"}"#,
            Command::View { peer: "bo".into(), track: None, size: crate::media::View::Small },
        );
        check(
            r#"{"do":"view","peer":"bo","track":"screen","size":"none"}"#,
            Command::View { peer: "bo".into(), track: Some(TrackKind::Screen), size: crate::media::View::None },
        );
        check(r#"{"do":"call","peer":"bo"}"#, Command::Call { who: "bo".into() });
        check(r#"{"do":"answer","call":"00000000000000ff"}"#, Command::Answer(CallId::from_u64(255)));
        check(r#"{"do":"decline","call":"00000000000000ff"}"#, Command::Decline(CallId::from_u64(255)));
        let change = Change { echo: Some(true), noise: Some(Noise::Strong), gain: None };
        let sources = Sources::All;
        check(r#"{"do":"voice","echo":true,"noise":"strong"}"#, Command::Voice { change, sources });
        check(r#"{"do":"leave","ref":"7"}"#, Command::Leave);
    }

    #[test]
    fn wrong_lines_are_answered_with_their_code() {
        assert_eq!(refused("nonsense"), "bad-request");
        assert_eq!(refused("[1]"), "bad-request");
        assert_eq!(refused("{}"), "bad-request");
        assert_eq!(refused(r#"{"do":"chat"}"#), "bad-request");
        assert_eq!(refused(r#"{"do":"chat","text":"x","to":[]}"#), "bad-request");
        assert_eq!(refused(r#"{"do":"dance"}"#), "unknown-command");
        assert_eq!(refused(r#"{"do":"lock","on":true}"#), "not-available-yet");
        assert_eq!(refused(r#"{"do":"camera","on":true,"source":"device:"}"#), "bad-value");
        assert_eq!(refused(r#"{"do":"camera","on":true,"source":"hose"}"#), "bad-value");
        assert_eq!(refused(r#"{"do":"volume","peer":"bo","value":9}"#), "bad-request");
        assert_eq!(refused(r#"{"do":"view","peer":"bo","track":"mic","size":"none"}"#), "bad-request");
        assert_eq!(refused(r#"{"do":"voice"}"#), "bad-request");
        assert_eq!(refused(r#"{"do":"voice","echo":"yes"}"#), "bad-request");
        assert_eq!(refused(r#"{"do":"voice","noise":"loud"}"#), "bad-value");
    }

    #[test]
    fn a_reference_is_echoed_even_when_the_command_is_wrong() {
        let request = parse(r#"{"do":"dance","ref":"r1"}"#);
        assert_eq!((request.name.as_deref(), request.reference.as_deref()), (Some("dance"), Some("r1")));
        let failure = request.command.expect_err("unknown");
        let fields = error(Some("dance"), Some("r1"), &failure);
        assert_eq!((fields["do"].as_str(), fields["ref"].as_str()), (Some("dance"), Some("r1")));
    }

    #[test]
    fn events_carry_peer_and_name() {
        let person = Person { peer: PeerId::from_bytes([0xab; 32]), name: DisplayName::new("Bo") };
        let (name, fields) = event(&Event::Left { person: person.clone(), reason: LeftReason::Timeout });
        assert_eq!(name, "left");
        assert_eq!(fields, json!({ "peer": "ab".repeat(32), "name": "Bo", "reason": "timeout" }));
        let info = TrackInfo {
            kind: crate::media::TrackKind::Microphone,
            on: true,
            width: 0,
            height: 0,
            codec: "opus".into(),
        };
        let (_, fields) = event(&Event::Track { person, info });
        assert_eq!((fields["track"].as_str(), fields["width"].is_null()), (Some("microphone"), true));
    }

    #[test]
    fn hands_reactions_and_invitations_have_their_fields() {
        let person = |n: u8, name: &str| Person { peer: PeerId::from_bytes([n; 32]), name: DisplayName::new(name) };
        let (ann, bo) = (person(1, "Ann"), person(2, "Bo"));
        let (a, b) = ("01".repeat(32), "02".repeat(32));
        let (name, fields) = event(&Event::Hand { person: bo.clone(), up: true, order: vec![ann, bo.clone()] });
        assert_eq!(name, "hand");
        assert_eq!(fields, json!({ "peer": b, "name": "Bo", "up": true, "order": [a, b], "names": ["Ann", "Bo"] }));
        let emoji = crate::share::Emoji::new("👍").expect("one");
        let (name, fields) = event(&Event::Reaction { person: bo.clone(), emoji });
        assert_eq!((name, fields), ("reaction", json!({ "peer": b, "name": "Bo", "emoji": "👍" })));
        let (name, fields) = event(&Event::Renamed(bo.clone()));
        assert_eq!((name, fields), ("renamed", json!({ "peer": b, "name": "Bo" })));
        assert_eq!(parsed(r#"{"do":"hand","up":false}"#), Command::Hand { up: false });
        assert_eq!(parsed(r#"{"do":"react","emoji":"👍"}"#), Command::React { emoji: "👍".into() });
        assert_eq!(parsed(r#"{"do":"invite"}"#), Command::Invite);
        assert_eq!(refused(r#"{"do":"hand"}"#), "bad-request");
        let room = crate::id::RoomName::new("tea").expect("a name");
        let invite = crate::invite::Invite::new(room, bo.peer, &[], None);
        let fields = ok("invite", None, &Done::Invited(invite));
        let link = format!("letsmeet://join?room=tea&by={b}");
        assert_eq!((&fields["link"], &fields["short"]), (&json!(link), &json!("tea#02020202")));
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_answered(line in ".{0,200}") {
            let _ = parse(&line);
        }
    }
}
