//! Sans-IO. Carries out commands: words become keys and checked values, or a [`Failure`] and nothing happens.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::id::{PeerId, Username};
use crate::share::{ChatText, DisplayName, TextError};

use super::command::{Answer, Command, Done, Work};
use super::event::Person;
use super::failure::{Code, Failure};
use super::shares::Verb;
use super::who::{Reach, Who};
use super::{Meeting, Output, Setting};

/// The loudest factor of one peer's volume.
const MAX_VOLUME: f32 = 2.0;

/// Recipients of a command.
enum To {
    Room,
    People(BTreeSet<PeerId>),
}

impl Meeting {
    /// A shell changed something that `state` shows.
    pub fn on_setting(&mut self, setting: Setting) {
        match setting {
            Setting::Camera(source, on) => (self.settings.camera, self.settings.camera_on) = (source, on),
            Setting::Microphone(source, on) => (self.settings.microphone, self.settings.microphone_on) = (source, on),
            Setting::Speaker(sink, on) => (self.settings.speaker, self.settings.speaker_on) = (sink, on),
            Setting::Screen(source, on) => (self.settings.screen, self.settings.screen_on) = (source, on),
            Setting::ScreenAudio(audio) => self.settings.screen_audio = audio,
            Setting::Quality(quality) => self.settings.quality = quality,
            Setting::Voice(wish) => self.settings.voice = wish,
            Setting::Volume(peer, volume) => self.people.set_volume(peer, volume),
        }
    }

    /// A face wishes something. `wall_ms` is the Unix time for `sent_at`.
    pub fn on_command(&mut self, now: Instant, wall_ms: u64, command: Command) -> Result<Answer, Failure> {
        if let Some(answer) = self.people.directory.on_command(wall_ms, &command) {
            return answer;
        }
        match command {
            Command::Say { text, to } => self.say(now, wall_ms, &text, &to),
            Command::SendFile { path, to } => {
                let to = self.present(&to)?;
                Ok(Answer::Work(Work::Offer { path, to }))
            }
            Command::AcceptFile(transfer) => {
                let peer = self.shares.find(transfer, Verb::Accept)?;
                self.people.directory.allows(peer)?;
                Ok(Answer::Work(Work::Accept { peer, transfer }))
            }
            Command::DeclineFile(transfer) => {
                let peer = self.shares.find(transfer, Verb::Decline)?;
                Ok(Answer::Work(Work::Decline { peer, transfer }))
            }
            Command::CancelFile(transfer) => {
                let peer = self.shares.find(transfer, Verb::Cancel)?;
                Ok(Answer::Work(Work::Cancel { peer, transfer }))
            }
            Command::Privacy { files, silence_unknown } => {
                (self.settings.files, self.settings.calls.silence_unknown) = (files, silence_unknown);
                self.shares.set_rule(files);
                self.calls.silence_unknown(silence_unknown);
                Ok(Answer::Done(Done::Ok))
            }
            Command::Camera { on, source } => Ok(Answer::Work(Work::Camera { on, source })),
            Command::Microphone { on, source } => Ok(Answer::Work(Work::Microphone { on, source })),
            Command::Speaker { on, sink } => Ok(Answer::Work(Work::Speaker { on, sink })),
            Command::Screen { on, source } => Ok(Answer::Work(Work::Screen { on, source })),
            Command::ScreenAudio(audio) => Ok(Answer::Work(Work::ScreenAudio(audio))),
            Command::Quality(quality) => Ok(Answer::Work(Work::Quality(quality))),
            Command::Voice { change, sources } => {
                Ok(Answer::Work(Work::Voice(self.settings.voice.with(change, sources))))
            }
            Command::View { peer, track, size } => {
                let peer = self.people.directory.resolve(&peer, Reach::Present)?;
                let changes = self.tracks.choose(peer, track, size);
                self.out.push_back(Output::Send { to: peer, message: self.tracks.views_message(peer) });
                self.apply(peer, changes);
                Ok(Answer::Done(Done::Ok))
            }
            Command::Volume { peer, value } => {
                let peer = self.people.directory.resolve(&peer, Reach::Present)?;
                if !(0.0..=MAX_VOLUME).contains(&value) {
                    let hint = "Use 0 (silent) to 2 (twice as loud); 1 is as sent.";
                    return Err(Failure::new(Code::BadValue, "That is no volume.", hint));
                }
                Ok(Answer::Work(Work::Volume { peer, value }))
            }
            Command::Hand { up } => self.hand(now, up),
            Command::React { emoji } => self.react(now, &emoji),
            Command::Invite => Ok(Answer::Work(Work::Invite)),
            Command::Call { .. } | Command::Answer(_) | Command::Decline(_) => self.call_command(now, &command),
            Command::Rename(name) => self.rename(&name),
            // Answered above.
            Command::Words { .. }
            | Command::Verify { .. }
            | Command::Forget { .. }
            | Command::TrustChanged { .. }
            | Command::KnownPeople => Err(Failure::not_available_yet(command.name())),
            Command::Claim(name) => Ok(Answer::Work(Work::Claim(username(&name)?))),
            Command::Release(name) => Ok(Answer::Work(Work::Release(username(&name)?))),
            Command::State => Ok(Answer::Done(Done::State(Box::new(self.state())))),
            Command::Leave => Ok(Answer::Work(Work::Leave)),
        }
    }

    fn say(&mut self, now: Instant, wall_ms: u64, text: &str, to: &[String]) -> Result<Answer, Failure> {
        let text = ChatText::new(text).map_err(|error| match error {
            TextError::Empty => Failure::new(Code::EmptyText, sentence(&error.to_string()), "Say something."),
            TextError::TooLong => Failure::new(Code::TextTooLong, sentence(&error.to_string()), ""),
        })?;
        let recipients = match self.recipients(to, Reach::Away)? {
            To::Room => None,
            To::People(people) => Some(people),
        };
        let name = self.people.directory.me().name.clone();
        let id = self.chat.say(now, wall_ms, &name, &text, recipients)?;
        self.drain_chat(now);
        Ok(Answer::Done(Done::Said(id)))
    }

    // Everybody whom a file is for. Somebody must be there.
    fn present(&self, to: &[String]) -> Result<Vec<Person>, Failure> {
        let people: BTreeSet<PeerId> = match self.recipients(to, Reach::Present)? {
            To::People(people) => people,
            To::Room => {
                let (held, free): (Vec<_>, Vec<_>) =
                    self.people.seats().map(|(peer, _)| peer).partition(|peer| self.is_withheld(*peer));
                // Rather a refusal than a file that goes to nobody.
                if let (true, Some(held)) = (free.is_empty(), held.first()) {
                    self.people.directory.allows(*held)?;
                }
                free.into_iter().collect()
            }
        };
        if people.is_empty() {
            return Err(Failure::new(Code::UnknownPeer, "Nobody else is here.", "Wait until somebody joins."));
        }
        Ok(people.into_iter().map(|peer| self.person(peer)).collect())
    }

    // Resolved once, all or nobody.
    fn recipients(&self, to: &[String], reach: Reach) -> Result<To, Failure> {
        let mut people = BTreeSet::new();
        for who in to {
            if let Who::Room(room) = Who::parse(who)? {
                if to.len() == 1 && room.id() == self.room.id() {
                    return Ok(To::Room);
                }
                let message = format!("'room:{room}' cannot be reached here.");
                let hint = format!("Use room:{} alone, or name people.", self.room);
                return Err(Failure::new(Code::OtherRoom, message, hint));
            }
            let peer = self.people.directory.resolve(who, reach)?;
            self.people.directory.allows(peer)?;
            people.insert(peer);
        }
        Ok(if to.is_empty() { To::Room } else { To::People(people) })
    }

    fn rename(&mut self, name: &str) -> Result<Answer, Failure> {
        let name = display_name(name)?;
        self.people.directory.rename_me(name.clone());
        self.sight.rename_me(name.clone());
        Ok(Answer::Work(Work::Rename(name)))
    }
}

/// A display name as typed.
pub(super) fn display_name(text: &str) -> Result<DisplayName, Failure> {
    let visible = crate::share::visible(text);
    if visible.is_empty() || visible.chars().count() > 64 {
        let message = "A display name has 1 to 64 visible characters.";
        return Err(Failure::new(Code::BadName, message, "Choose another name."));
    }
    Ok(DisplayName::new(&visible))
}

/// A username as typed.
pub(super) fn username(text: &str) -> Result<Username, Failure> {
    Username::new(text)
        .map_err(|error| Failure::new(Code::BadName, sentence(&error.to_string()), "Choose another name."))
}

pub(super) fn too_fast() -> Failure {
    Failure::new(Code::TooFast, "That was too often at once.", "Wait a moment.")
}

pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::av::spec;
    use crate::framing::Message;
    use crate::id::{Instance, LinkKey, RoomName, TransferId};
    use crate::identity::Identity;
    use crate::known::names::Names;
    use crate::known::trust::Book;
    use crate::media::{TrackInfo, TrackKind, View};
    use crate::meeting::{
        Accept, Config, Direction, Event, FileEvent, FileStage, LeftReason, Linked, Presence, Setting, Settings,
        WarningCode, wire,
    };
    use crate::share::{Emoji, FileName};

    struct Table {
        now: Instant,
        meeting: Meeting,
        bob: Linked,
    }

    fn config(identity: Identity, name: &str, files: Accept) -> Config {
        Config {
            identity: Arc::new(identity),
            instance: Instance::from_u64(1),
            name: DisplayName::new(name),
            room: RoomName::new("Stand-up").expect("valid"),
            seed: 1,
            known: Names::new(),
            trust: Book::new(),
            settings: Settings { files, view: View::Small, ..Settings::default() },
        }
    }

    /// Ann's meeting, with Bob in it.
    fn table(files: Accept) -> Table {
        let bob = Identity::generate();
        let key = LinkKey { peer: bob.peer_id(), instance: Instance::from_u64(2) };
        let bob = Linked { key, public_key: bob.public_key(), name: DisplayName::new("Bob") };
        let mut meeting = Meeting::new(config(Identity::generate(), "Ann", files));
        let now = crate::clock::now();
        meeting.on_linked(now, bob.clone());
        Table { now, meeting, bob }
    }

    impl Table {
        fn outputs(&mut self) -> Vec<Output> {
            std::iter::from_fn(|| self.meeting.poll_output()).collect()
        }

        fn kinds(&mut self) -> Vec<u16> {
            let kind = |output| match output {
                Output::Send { message, .. } => Some(message.kind),
                _ => None,
            };
            self.outputs().into_iter().filter_map(kind).collect()
        }

        fn code(&mut self, command: Command) -> Option<Code> {
            self.meeting.on_command(self.now, 1, command).err().map(|failure| failure.code)
        }

        fn answer(&mut self, command: Command) -> Answer {
            self.meeting.on_command(self.now, 1, command).unwrap_or_else(|failure| panic!("{failure}"))
        }
    }

    fn to(who: &[&str]) -> Vec<String> {
        who.iter().map(|who| (*who).to_owned()).collect()
    }

    #[test]
    fn recipients_are_all_resolved_or_nothing_happens() {
        let mut table = table(Accept::Ask);
        let bob = Person { peer: table.bob.key.peer, name: DisplayName::new("Bob") };
        let path = PathBuf::from("a.txt");
        let offer = |to: &[&str]| Command::SendFile { path: path.clone(), to: self::to(to) };
        let work = Answer::Work(Work::Offer { path: path.clone(), to: vec![bob] });
        for who in [&["bob"][..], &["bob", "Bob"], &[], &["room:stand-UP"]] {
            assert_eq!(table.answer(offer(who)), work, "{who:?}");
        }
        let check = |table: &mut Table, who: &[&str], code| assert_eq!(table.code(offer(who)), Some(code), "{who:?}");
        check(&mut table, &["Cid"], Code::UnknownPeer);
        check(&mut table, &["Bob", "Cid"], Code::UnknownPeer);
        check(&mut table, &["Ann"], Code::Oneself);
        check(&mut table, &["room:other"], Code::OtherRoom);
        check(&mut table, &["Bob", "room:stand-up"], Code::OtherRoom);
        let (now, peer) = (table.now, table.bob.key.peer);
        table.meeting.on_left(now, peer, LeftReason::Goodbye);
        check(&mut table, &[], Code::UnknownPeer);
        check(&mut table, &[&peer.to_string()], Code::UnknownPeer);
    }

    #[test]
    fn text_is_checked_before_anything_is_sent() {
        let mut table = table(Accept::Ask);
        let say = |text: &str| Command::Say { text: text.into(), to: Vec::new() };
        assert_eq!(table.code(say(" \u{202e}")), Some(Code::EmptyText));
        assert_eq!(table.code(say(&"x".repeat(20_000))), Some(Code::TextTooLong));
        assert!(matches!(table.answer(say("hi")), Answer::Done(Done::Said(id)) if id.counter == 1));
    }

    #[test]
    fn values_are_checked() {
        let mut table = table(Accept::Ask);
        let volume = |value| Command::Volume { peer: "bob".into(), value };
        for bad in [-0.1, 2.1, f32::NAN, f32::INFINITY] {
            assert_eq!(table.code(volume(bad)), Some(Code::BadValue), "{bad}");
        }
        let peer = table.bob.key.peer;
        assert_eq!(table.answer(volume(0.5)), Answer::Work(Work::Volume { peer, value: 0.5 }));
        assert_eq!(table.code(Command::Rename("\u{7}".into())), Some(Code::BadName));
        assert_eq!(table.code(Command::Rename("x".repeat(65))), Some(Code::BadName));
        let ann = DisplayName::new("Ann B");
        assert_eq!(table.answer(Command::Rename(" Ann B ".into())), Answer::Work(Work::Rename(ann.clone())));
        assert_eq!(table.meeting.state().me.name, ann);
        assert_eq!(table.code(Command::Claim("a/b".into())), Some(Code::BadName));
        assert!(matches!(table.answer(Command::Claim("@Ann".into())), Answer::Work(Work::Claim(_))));
        assert_eq!(table.code(Command::Release("a/b".into())), Some(Code::BadName));
        assert!(matches!(table.answer(Command::Release("ann".into())), Answer::Work(Work::Release(_))));
        assert_eq!(table.code(Command::AcceptFile(TransferId::from_u64(1))), Some(Code::UnknownTransfer));
    }

    #[test]
    fn a_view_is_asked_of_one_peer_and_the_default_of_all() {
        let mut table = table(Accept::Ask);
        table.outputs();
        let asked = |camera, screen| vec![(TrackKind::Camera, camera), (TrackKind::Screen, screen)];
        assert_eq!(table.meeting.state().people[0].views, asked(View::Small, View::Small));
        table.answer(Command::View { peer: "bob".into(), track: None, size: View::Large });
        assert_eq!(table.kinds(), [wire::VIEWS]);
        table.answer(Command::View { peer: "bob".into(), track: Some(TrackKind::Camera), size: View::None });
        assert_eq!(table.kinds(), [wire::VIEWS]);
        let person = &table.meeting.state().people[0];
        assert_eq!(person.views, asked(View::None, View::Large));
        assert_eq!(person.watches, [(TrackKind::Microphone, View::Large)]);
    }

    #[test]
    fn everybody_hears_of_our_tracks_when_they_change_and_when_a_link_is_new() {
        let mut table = table(Accept::Ask);
        assert_eq!(table.kinds(), [wire::TRACKS, wire::VIEWS, wire::HAVE]);
        let camera = TrackInfo { kind: TrackKind::Camera, on: true, width: 64, height: 36, codec: "h264".into() };
        let now = table.now;
        table.meeting.set_track(now, camera.clone());
        table.meeting.set_track(now, camera.clone());
        assert_eq!(table.kinds(), [wire::TRACKS]);
        table.meeting.remove_track(now, TrackKind::Camera);
        assert_eq!(table.kinds(), [wire::TRACKS]);
        // What the mesh refused is said again.
        let peer = table.bob.key.peer;
        table.meeting.on_refused(now, peer);
        assert!(table.kinds().is_empty());
        let at = table.meeting.poll_timeout().expect("something is owed");
        table.meeting.on_timeout(at);
        assert!(table.kinds().starts_with(&[wire::TRACKS, wire::VIEWS]));
    }

    #[test]
    fn a_muted_track_is_an_event_and_stays_received() {
        let mut table = table(Accept::Ask);
        table.outputs();
        let (now, key) = (table.now, table.bob.key);
        let info = TrackInfo { kind: TrackKind::Microphone, on: false, width: 0, height: 0, codec: "opus".into() };
        let said = wire::Tracks { revision: 1, tracks: vec![wire::Track::of(&info)] };
        table.meeting.on_message(now, key, &Message::new(wire::TRACKS, &said));
        let person = table.meeting.person(key.peer);
        let expect = [
            Output::Event(Event::Track { person, info: info.clone() }),
            Output::Receive { peer: key.peer, info, view: View::Large },
        ];
        assert_eq!(table.outputs(), expect);
        // From an older run of Bob nothing is taken.
        let old = LinkKey { instance: Instance::from_u64(9), ..key };
        let none = wire::Tracks { revision: 2, tracks: Vec::new() };
        table.meeting.on_message(now, old, &Message::new(wire::TRACKS, &none));
        assert_eq!(table.outputs(), []);
        table.meeting.on_left(now, key.peer, LeftReason::Timeout);
        let outputs = table.outputs();
        assert!(outputs.contains(&Output::StopReceiving { peer: key.peer, kind: TrackKind::Microphone }));
        let (kind, view) = (TrackKind::Microphone, View::None);
        assert!(outputs.contains(&Output::Subscribe { peer: key.peer, kind, view }));
    }

    #[test]
    fn offers_are_answered_by_the_rule_and_listed() {
        let mut table = table(Accept::All);
        table.outputs();
        let (now, peer) = (table.now, table.bob.key.peer);
        let transfer = TransferId::from_u64(5);
        let stage = FileStage::Offer;
        let person = Person { peer, name: DisplayName::new("as the shell knows it") };
        let file = FileName::new("a.txt");
        table.meeting.on_file(now, FileEvent { transfer, person, direction: Direction::In, file, size: 1, stage });
        let outputs = table.outputs();
        let Output::Event(Event::File(event)) = &outputs[0] else { panic!("no event") };
        assert_eq!(event.person.name.as_str(), "Bob");
        assert_eq!(outputs[1..], [Output::AcceptFile { peer, transfer }]);
        assert_eq!(table.meeting.state().transfers.len(), 1);
        assert_eq!(table.answer(Command::CancelFile(transfer)), Answer::Work(Work::Cancel { peer, transfer }));
    }

    #[test]
    fn a_hand_is_told_to_all_and_to_who_comes_later_and_goes_with_its_owner() {
        let mut table = table(Accept::Ask);
        table.outputs();
        let (now, key) = (table.now, table.bob.key);
        let (me, bob) = (table.meeting.state().me, table.meeting.person(key.peer));
        let up = wire::Hand { revision: 1, turn: Some(1) };
        table.meeting.on_message(now, key, &Message::new(wire::HAND, &up));
        let order = vec![bob.clone()];
        assert_eq!(table.outputs(), [Output::Event(Event::Hand { person: bob.clone(), up: true, order })]);
        assert_eq!(table.answer(Command::Hand { up: true }), Answer::Done(Done::Ok));
        let order = vec![bob.clone(), me.clone()];
        let message = Message::new(wire::HAND, &wire::Hand { revision: 1, turn: Some(2) });
        let expect = [
            Output::Send { to: key.peer, message },
            Output::Event(Event::Hand { person: me.clone(), up: true, order: order.clone() }),
        ];
        assert_eq!(table.outputs(), expect);
        assert_eq!(table.meeting.state().hands, order);
        // Raised twice is raised once.
        table.answer(Command::Hand { up: true });
        assert_eq!(table.outputs(), []);
        // What the mesh refused is said again, and to a new link too.
        table.meeting.on_recovered(now, key.peer);
        assert_eq!(table.kinds(), [wire::TRACKS, wire::VIEWS, wire::HAND, wire::HAVE]);
        table.meeting.on_left(now, key.peer, LeftReason::Timeout);
        let lowered = Event::Hand { person: bob, up: false, order: vec![me] };
        assert!(table.outputs().contains(&Output::Event(lowered)));
    }

    #[test]
    fn a_new_run_has_its_hand_down() {
        let mut table = table(Accept::Ask);
        let (now, key) = (table.now, table.bob.key);
        let up = Message::new(wire::HAND, &wire::Hand { revision: 9, turn: Some(4) });
        table.meeting.on_message(now, key, &up);
        table.outputs();
        let key = LinkKey { instance: Instance::from_u64(3), ..key };
        table.meeting.on_linked(now, Linked { key, ..table.bob.clone() });
        let person = table.meeting.person(key.peer);
        let lowered = Event::Hand { person, up: false, order: Vec::new() };
        assert!(table.outputs().contains(&Output::Event(lowered)));
    }

    #[test]
    fn a_reaction_goes_to_who_is_here_and_not_too_often() {
        let mut table = table(Accept::Ask);
        table.outputs();
        let (now, key) = (table.now, table.bob.key);
        let react = |emoji: &str| Command::React { emoji: emoji.into() };
        for bad in ["", "hello", "👍👍", "\u{1b}[2J"] {
            assert_eq!(table.code(react(bad)), Some(Code::BadValue), "{bad:?}");
        }
        table.answer(react("👍"));
        assert_eq!(table.kinds(), [wire::REACTION]);
        let sent = (0..50).filter(|_| table.meeting.on_command(now, 1, react("👍")).is_ok()).count();
        assert_eq!((sent, table.code(react("👍"))), (4, Some(Code::TooFast)));
        table.outputs();
        let say = |text: &str| Message::new(wire::REACTION, &wire::Reaction { emoji: text.into() });
        let person = table.meeting.person(key.peer);
        table.meeting.on_message(now, key, &say("🎉"));
        let emoji = Emoji::new("🎉").expect("one");
        assert_eq!(table.outputs(), [Output::Event(Event::Reaction { person, emoji })]);
        // What is no emoji is never shown, and a flood is cut.
        table.meeting.on_message(now, key, &say("<script>"));
        for _ in 0..100 {
            table.meeting.on_message(now, key, &say("🎉"));
        }
        let outputs = table.outputs();
        let shown = outputs.iter().filter(|output| matches!(output, Output::Event(Event::Reaction { .. }))).count();
        let code = |output: &Output| match output {
            Output::Event(Event::Warning(warning)) => Some(warning.code),
            _ => None,
        };
        assert_eq!(shown, 9);
        let codes: Vec<_> = outputs.iter().filter_map(code).collect();
        assert_eq!(codes, [WarningCode::BadInput, WarningCode::Flood]);
    }

    #[test]
    fn another_name_is_told_once() {
        let mut table = table(Accept::Ask);
        let (now, peer) = (table.now, table.bob.key.peer);
        table.outputs();
        for _ in 0..2 {
            table.meeting.on_renamed(now, peer, DisplayName::new("Robert"));
        }
        let events: Vec<Output> = table.outputs().into_iter().filter(|o| matches!(o, Output::Event(_))).collect();
        let person = Person { peer, name: DisplayName::new("Robert") };
        assert_eq!(events, [Output::Event(Event::Renamed(person))]);
    }

    #[test]
    fn state_shows_people_presence_and_settings() {
        let mut table = table(Accept::Ask);
        let (now, peer) = (table.now, table.bob.key.peer);
        table.meeting.on_suspected(now, peer);
        table.meeting.on_setting(Setting::Quality(spec::Quality::P360));
        table.meeting.on_setting(Setting::Volume(peer, 0.25));
        let Answer::Done(Done::State(state)) = table.answer(Command::State) else { panic!("no state") };
        let person = &state.people[0];
        assert_eq!((person.presence, person.volume, person.name_is_unique), (Presence::Suspected, 0.25, true));
        assert_eq!(person.handle, format!("Bob#{}", peer.short()));
        assert_eq!(state.settings.quality, spec::Quality::P360);
        table.meeting.on_renamed(now, peer, DisplayName::new("Robert"));
        assert_eq!(table.meeting.state().people[0].person.name.as_str(), "Robert");
    }

    #[test]
    fn a_voice_is_changed_by_what_is_named() {
        use spec::voice::{Change, Noise, Sources, Voice, Wish};
        let mut table = table(Accept::Ask);
        for (change, sources, expect) in [
            (Change { gain: Some(false), ..Change::default() }, Sources::Devices, Voice { gain: false, ..Voice::ON }),
            (
                Change { noise: Some(Noise::Strong), ..Change::default() },
                Sources::All,
                Voice { noise: Noise::Strong, gain: false, ..Voice::ON },
            ),
            (Voice::OFF.into(), Sources::Devices, Voice::OFF),
        ] {
            let answer = table.answer(Command::Voice { change, sources });
            let Answer::Work(Work::Voice(Wish { voice, sources })) = answer else { panic!("{answer:?}") };
            assert_eq!(voice, expect);
            table.meeting.on_setting(Setting::Voice(Wish { voice, sources }));
            assert_eq!(table.meeting.state().settings.voice, Wish { voice, sources });
        }
        assert_eq!(table.meeting.state().settings.voice.sources, Sources::All, "asked for once, asked for");
    }

    #[test]
    fn a_restart_is_a_short_absence_of_the_same_person() {
        let mut table = table(Accept::Ask);
        table.outputs();
        let key = LinkKey { instance: Instance::from_u64(3), ..table.bob.key };
        let (now, again) = (table.now, Linked { key, ..table.bob.clone() });
        table.meeting.on_linked(now, again);
        let names: Vec<&str> = table
            .outputs()
            .iter()
            .filter_map(|output| match output {
                Output::Event(event) => Some(event.name()),
                _ => None,
            })
            .collect();
        assert_eq!(names, ["reconnecting", "reconnected"]);
        assert_eq!(table.meeting.state().people.len(), 1);
    }

    #[test]
    fn a_link_that_breaks_at_once_was_not_silent_for_longer_than_it_was_up() {
        let mut table = table(Accept::Ask);
        table.outputs();
        let peer = table.bob.key.peer;
        let mut at = table.now;
        let mut after = Vec::new();
        for up in [10, 5000] {
            at += std::time::Duration::from_millis(up);
            table.meeting.on_suspected(at, peer);
            table.meeting.on_suspected(at, peer);
            at += std::time::Duration::from_millis(500);
            table.meeting.on_recovered(at, peer);
            for output in table.outputs() {
                if let Output::Event(Event::Reconnecting { after_ms, .. } | Event::Reconnected { after_ms, .. }) =
                    output
                {
                    after.push(after_ms);
                }
            }
        }
        assert_eq!(after, [10, 510, 2000, 2500]);
    }

    #[test]
    fn a_key_that_is_not_the_promised_one_takes_no_seat() {
        let mut table = table(Accept::Ask);
        let (now, public_key) = (table.now, Identity::generate().public_key());
        let peer = PeerId::from_bytes([7; 32]);
        let key = LinkKey { peer, instance: Instance::from_u64(1) };
        table.meeting.on_linked(now, Linked { key, public_key, name: DisplayName::new("Eve") });
        assert_eq!(table.meeting.state().people.len(), 1);
    }
}
