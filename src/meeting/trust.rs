//! Sans-IO. What a meeting does about keys that bear the name of somebody verified: nothing of ours goes to such a key
//! until the person decides.
//!
//! The key keeps its seat, and what it says of its tracks is noted; but for the chat it is not linked, it is neither
//! shown nor heard, it gets no track and no file, and `Meeting::poll_output` lets nothing pass that is for it. Once
//! it is verified or accepted everything starts as if its link had just come up: it gets what we said to the room
//! meanwhile, as anybody who comes late. Others in the room decide for themselves, and may pass our lines to the room
//! on to it before.

use std::time::{Duration, Instant};

use crate::bucket::Bucket;
use crate::id::{LinkKey, PeerId};
use crate::known::names::Learned;
use crate::known::trust::{Edit, Trust};
use crate::media::View;
use crate::share::DisplayName;

use super::event::Event;
use super::failure::WarningCode;
use super::state::Presence;
use super::{Meeting, Output, WARN_AGAIN};

/// Warnings about keys with the name of somebody verified at once: keys cost nothing.
pub const ALARMS: u32 = 4;
/// One more of them.
pub const ALARM_EVERY: Duration = Duration::from_secs(30);

/// How many warnings may come of keys that cost nothing. Visitors do not use up those about who sits here.
#[derive(Debug, Default)]
pub struct Alarms {
    seated: Option<Bucket>,
    visitors: Option<Bucket>,
}

impl Meeting {
    /// How far the key of `peer` is trusted.
    pub fn trust(&self, peer: PeerId) -> Trust {
        self.people.directory.trust(peer)
    }

    /// How far the key of somebody without a seat is trusted, who says that it is called `name`. One that is
    /// [`Trust::Changed`] is warned about, and nothing is to go to it.
    pub fn on_visitor(&mut self, now: Instant, peer: PeerId, name: &DisplayName) -> Trust {
        let trust = self.people.directory.trust_as(peer, name);
        if trust == Trust::Changed && self.people.seat(peer).is_none() {
            // So that it can be named when it is decided about.
            if self.people.directory.arrive(peer, name.clone()) == Learned::New {
                self.out.push_back(Output::Remember { peer, name: name.clone() });
            }
            self.people.directory.depart(peer);
            let message = format!("A visitor called '{name}' has another key than the one that you verified.");
            let hint = "Nothing is taken from it or given to it until you verify or accept this key.".to_owned();
            self.alarm(now, peer, message, hint);
        }
        trust
    }

    // What is not said here the list of who is in sight, and of who sits here, says all the same.
    fn alarm(&mut self, now: Instant, peer: PeerId, message: String, hint: String) {
        let code = WarningCode::VerifiedKeyChanged;
        let last = self.warned.get(&(peer, code));
        if last.is_some_and(|last| now.saturating_duration_since(*last) < WARN_AGAIN) {
            return;
        }
        let Alarms { seated, visitors } = &mut self.alarms;
        let alarms = if self.people.seat(peer).is_some() { seated } else { visitors };
        if alarms.get_or_insert_with(|| Bucket::new(now, ALARMS, ALARM_EVERY)).take(now) {
            self.warn(now, code, peer, message, hint);
        }
    }

    /// True while nothing of ours may go to this participant.
    pub fn is_withheld(&self, peer: PeerId) -> bool {
        self.trusts.get(&peer) == Some(&Trust::Changed)
    }

    /// A decision was written down: ours, by `Work::Decide`, or one of another run of this profile.
    pub fn on_decided(&mut self, now: Instant, edit: &Edit) {
        self.people.directory.decide(edit);
        self.sight.on_decided(edit);
        self.weigh_all(now);
    }

    fn weigh_all(&mut self, now: Instant) {
        let peers: Vec<PeerId> = self.trusts.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.weigh(now, peer));
    }

    /// Says how far a participant is trusted if that is news, and acts on it.
    pub(super) fn weigh(&mut self, now: Instant, peer: PeerId) {
        let trust = self.trust(peer);
        let before = self.trusts.insert(peer, trust);
        if before != Some(trust) {
            self.event(Event::Trust { person: self.person(peer), trust });
        }
        match (before == Some(Trust::Changed), trust == Trust::Changed) {
            (false, true) => self.withhold(now, peer),
            (true, false) => self.release(now, peer),
            _ => {}
        }
        if let Some(edit) = self.people.directory.news(peer) {
            self.people.directory.decide(&edit);
            self.sight.on_decided(&edit);
            self.out.push_back(Output::Decided(edit));
            self.weigh_all(now);
        }
    }

    fn withhold(&mut self, now: Instant, peer: PeerId) {
        self.out.push_back(Output::Withhold { peer });
        let watched = self.tracks.wishes(peer);
        self.out.extend(watched.into_iter().map(|(kind, _)| Output::Subscribe { peer, kind, view: View::None }));
        let shown = self.tracks.of(peer);
        self.out.extend(shown.into_iter().map(|info| Output::StopReceiving { peer, kind: info.kind }));
        self.owed.remove(&peer);
        self.chat.on_left(now, peer);
        self.drain_chat(now);
        let (message, hint) = self.people.directory.warning(peer);
        self.alarm(now, peer, message, hint);
    }

    fn release(&mut self, now: Instant, peer: PeerId) {
        let Some(seat) = self.people.seat(peer) else { return };
        let (instance, presence) = (seat.instance, seat.presence);
        self.out.push_back(Output::Release { peer });
        let changes = self.tracks.anew(peer);
        self.apply(peer, changes);
        self.introduce(peer);
        self.chat.on_released(now, LinkKey { peer, instance });
        if presence == Presence::Suspected {
            self.chat.on_suspected(peer);
        }
        self.drain_chat(now);
    }

    /// False for what may not be done while a key is withheld.
    pub(super) fn may(&self, output: &Output) -> bool {
        match output {
            Output::Send { to, .. } => !self.is_withheld(*to),
            Output::Subscribe { peer, view, .. } => *view == View::None || !self.is_withheld(*peer),
            Output::Receive { peer, .. } | Output::AcceptFile { peer, .. } => !self.is_withheld(*peer),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::framing::Message;
    use crate::id::{Instance, RoomName, TransferId, Username};
    use crate::identity::Identity;
    use crate::known::names::Names;
    use crate::known::trust::{Alias, Book};
    use crate::media::{TrackInfo, TrackKind};
    use crate::meeting::{
        Accept, Answer, Code, Command, Config, Direction, Done, FileEvent, FileStage, LeftReason, Linked, Settings,
        Work, wire,
    };
    use crate::share::FileName;

    /// Ann's meeting. She verified Bob, who is not here, in an earlier run.
    struct Table {
        now: Instant,
        meeting: Meeting,
        bob: Linked,
        eve: Linked,
    }

    fn linked(name: &str) -> Linked {
        let identity = Identity::generate();
        let key = LinkKey { peer: identity.peer_id(), instance: Instance::from_u64(2) };
        Linked { key, public_key: identity.public_key(), name: DisplayName::new(name) }
    }

    fn table() -> Table {
        let (bob, eve) = (linked("Bob"), linked("Bob"));
        let mut trust = Book::new();
        let aliases = vec![Alias::Name(bob.name.clone())];
        trust.apply(&Edit::Verified { peer: bob.key.peer, at: 1, aliases }).expect("room");
        let meeting = Meeting::new(Config {
            identity: Arc::new(Identity::generate()),
            instance: Instance::from_u64(1),
            name: DisplayName::new("Ann"),
            room: RoomName::new("Stand-up").expect("valid"),
            seed: 1,
            known: Names::new(),
            trust,
            settings: Settings { files: Accept::All, ..Settings::default() },
        });
        Table { now: crate::clock::now(), meeting, bob, eve }
    }

    impl Table {
        fn outputs(&mut self) -> Vec<Output> {
            std::iter::from_fn(|| self.meeting.poll_output()).collect()
        }

        fn join(&mut self, who: &Linked) -> Vec<Output> {
            self.meeting.on_linked(self.now, who.clone());
            self.outputs()
        }

        fn hear(&mut self, from: LinkKey, message: &Message) -> Vec<Output> {
            self.meeting.on_message(self.now, from, message);
            self.outputs()
        }

        fn command(&mut self, command: Command) -> Result<Answer, Code> {
            self.meeting.on_command(self.now, 9, command).map_err(|failure| failure.code)
        }

        /// Carries out a decision, as the engine does.
        fn decide(&mut self, command: Command) -> Vec<Output> {
            let Ok(Answer::Work(Work::Decide(edit))) = self.command(command) else { panic!("not decided") };
            assert_eq!(self.outputs(), [], "not before it is written");
            self.now += std::time::Duration::from_secs(1);
            self.meeting.on_decided(self.now, &edit);
            self.outputs()
        }
    }

    /// Everything in `outputs` that lets something of ours go to `peer`.
    fn ours(outputs: &[Output], peer: PeerId) -> Vec<&Output> {
        let goes = |output: &&Output| match output {
            Output::Send { to, .. } => *to == peer,
            Output::Subscribe { peer: to, view, .. } => *to == peer && *view != View::None,
            Output::Receive { peer: to, .. } | Output::AcceptFile { peer: to, .. } => *to == peer,
            _ => false,
        };
        outputs.iter().filter(goes).collect()
    }

    fn trusts(outputs: &[Output]) -> Vec<(PeerId, Trust)> {
        let trust = |output: &Output| match output {
            Output::Event(Event::Trust { person, trust }) => Some((person.peer, *trust)),
            _ => None,
        };
        outputs.iter().filter_map(trust).collect()
    }

    fn warnings(outputs: &[Output]) -> Vec<WarningCode> {
        let code = |output: &Output| match output {
            Output::Event(Event::Warning(warning)) => Some(warning.code),
            _ => None,
        };
        outputs.iter().filter_map(code).collect()
    }

    fn say(text: &str, to: &[PeerId]) -> Command {
        Command::Say { text: text.into(), to: to.iter().map(ToString::to_string).collect() }
    }

    fn camera(on: bool) -> TrackInfo {
        TrackInfo { kind: TrackKind::Camera, on, width: 64, height: 36, codec: "h264".into() }
    }

    #[test]
    fn who_joins_is_said_to_be_new_known_or_verified() {
        let mut table = table();
        let (bob, cid) = (table.bob.clone(), linked("Cid"));
        let outputs = table.join(&bob);
        assert_eq!(trusts(&outputs), [(bob.key.peer, Trust::Verified)]);
        let words: Vec<&str> =
            outputs.iter().filter_map(|o| if let Output::Event(e) = o { Some(e.name()) } else { None }).collect();
        assert_eq!(words, ["joined", "trust"]);
        assert!(!ours(&outputs, bob.key.peer).is_empty());
        let outputs = table.join(&cid);
        assert_eq!(trusts(&outputs), [(cid.key.peer, Trust::New)]);
        assert_eq!(warnings(&outputs), []);
        assert!(outputs.iter().any(|output| matches!(output, Output::Remember { .. })));
        let state = table.meeting.state();
        let trust = |peer| state.people.iter().find(|p| p.person.peer == peer).map(|p| p.trust);
        assert_eq!((trust(bob.key.peer), trust(cid.key.peer)), (Some(Trust::Verified), Some(Trust::New)));
    }

    #[test]
    fn nothing_of_ours_goes_to_a_changed_key_before_it_is_decided_about() {
        let mut table = table();
        let (eve, now) = (table.eve.clone(), table.now);
        let peer = eve.key.peer;
        table.meeting.set_track(now, camera(true));
        let mut outputs = table.join(&eve);
        assert_eq!(trusts(&outputs), [(peer, Trust::Changed)]);
        assert_eq!(warnings(&outputs), [WarningCode::VerifiedKeyChanged], "one word, not several");
        assert!(outputs.contains(&Output::Withhold { peer }));
        let name = DisplayName::new("Bob");
        assert!(
            outputs.contains(&Output::Remember { peer, name }),
            "so that it can be decided about without a meeting"
        );

        // What it does, and what happens, in any order.
        let views = wire::Views { revision: 1, views: vec![wire::Wanted::of(TrackKind::Camera, View::Large)] };
        outputs.extend(table.hear(eve.key, &Message::new(wire::VIEWS, &views)));
        let tracks = wire::Tracks { revision: 1, tracks: vec![wire::Track::of(&camera(true))] };
        outputs.extend(table.hear(eve.key, &Message::new(wire::TRACKS, &tracks)));
        let have = wire::Have { full: true, more: false, ask: true, entries: Vec::new() };
        outputs.extend(table.hear(eve.key, &Message::new(wire::HAVE, &have)));
        table.command(say("hi all", &[])).expect("said to the room");
        table.meeting.set_track(now, camera(false));
        table.meeting.set_track(now, camera(true));
        table.meeting.on_suspected(now, peer);
        table.meeting.on_recovered(now, peer);
        table.meeting.on_refused(now, peer);
        table.meeting.on_linked(now, eve.clone());
        table.command(Command::View { peer: peer.to_string(), track: None, size: View::Small }).expect("chosen");
        let want = wire::Want { author: table.meeting.me, instance: Instance::from_u64(1), from: 1 };
        outputs.extend(table.hear(eve.key, &Message::new(wire::WANT, &want)));
        for seconds in [1, 5, 60, 700] {
            table.meeting.on_timeout(now + std::time::Duration::from_secs(seconds));
        }
        let (transfer, person) = (TransferId::from_u64(5), table.meeting.person(peer));
        let (file, stage) = (FileName::new("a"), FileStage::Offer);
        let offer = FileEvent { transfer, person, direction: Direction::In, file, size: 1, stage };
        table.meeting.on_file(now, offer);
        outputs.extend(table.outputs());
        assert_eq!(ours(&outputs, peer), Vec::<&Output>::new());
        assert_eq!(warnings(&outputs), [WarningCode::VerifiedKeyChanged], "what it sends is no bad input");

        // Nor by a wish.
        assert_eq!(table.command(say("psst", &[peer])), Err(Code::VerifiedKeyChanged));
        assert_eq!(table.command(Command::AcceptFile(transfer)), Err(Code::VerifiedKeyChanged));
        let send = |to: Vec<String>| Command::SendFile { path: PathBuf::from("a"), to };
        assert_eq!(table.command(send(vec![peer.to_string()])), Err(Code::VerifiedKeyChanged));
        assert_eq!(table.command(send(Vec::new())), Err(Code::VerifiedKeyChanged), "nobody else is here");
        let bob = table.bob.clone();
        table.join(&bob);
        let Ok(Answer::Work(Work::Offer { to, .. })) = table.command(send(Vec::new())) else { panic!("no offer") };
        assert_eq!(to.iter().map(|person| person.peer).collect::<Vec<_>>(), [bob.key.peer]);
        assert_eq!(table.command(say("psst", &[bob.key.peer, peer])), Err(Code::VerifiedKeyChanged), "all or nobody");
        assert_eq!(table.command(say("psst", &[bob.key.peer])).map(|_| ()), Ok(()));
    }

    #[test]
    fn an_accepted_key_is_known_and_gets_what_it_missed() {
        let mut table = table();
        let (eve, now) = (table.eve.clone(), table.now);
        let peer = eve.key.peer;
        table.meeting.set_track(now, camera(true));
        table.join(&eve);
        let tracks = wire::Tracks { revision: 1, tracks: vec![wire::Track::of(&camera(true))] };
        table.hear(eve.key, &Message::new(wire::TRACKS, &tracks));
        table.command(say("meanwhile", &[])).expect("said");
        table.outputs();
        let outputs = table.decide(Command::TrustChanged { peer: peer.to_string() });
        assert_eq!(trusts(&outputs), [(peer, Trust::Known)]);
        assert!(outputs.contains(&Output::Release { peer }));
        assert!(outputs.contains(&Output::Receive { peer, info: camera(true), view: View::Large }));
        let kind = TrackKind::Microphone;
        assert!(outputs.contains(&Output::Subscribe { peer, kind, view: View::Large }));
        let kinds: Vec<u16> = outputs
            .iter()
            .filter_map(|output| if let Output::Send { message, .. } = output { Some(message.kind) } else { None })
            .collect();
        assert_eq!(kinds, [wire::TRACKS, wire::VIEWS, wire::HAVE]);
        // It greets back, and the line comes as to anybody who is late.
        let have = wire::Have { full: true, more: false, ask: false, entries: Vec::new() };
        let outputs = table.hear(eve.key, &Message::new(wire::HAVE, &have));
        let [Output::Send { to, message }] = outputs.as_slice() else { panic!("{outputs:?}") };
        let lines: wire::Lines = message.decode().expect("lines");
        assert_eq!((*to, lines.late, lines.lines[0].text.as_str()), (peer, true, "meanwhile"));
        assert_eq!(table.command(say("psst", &[peer])).map(|_| ()), Ok(()));
        // It does not hold for the name of somebody else.
        assert_eq!(table.command(Command::TrustChanged { peer: peer.to_string() }), Err(Code::BadValue));
        table.meeting.on_left(now, peer, LeftReason::Goodbye);
        table.outputs();
        assert_eq!(trusts(&table.join(&eve)), [(peer, Trust::Known)]);
    }

    #[test]
    fn keys_without_number_raise_few_alarms_and_none_about_visitors_hides_one_about_a_participant() {
        let mut table = table();
        let visit = |table: &mut Table, number: u16| {
            let mut id = [9; 32];
            id[..2].copy_from_slice(&number.to_be_bytes());
            table.meeting.on_visitor(table.now, PeerId::from_bytes(id), &DisplayName::new("Bob"))
        };
        for number in 0..300 {
            assert_eq!(visit(&mut table, number), Trust::Changed);
        }
        let raised = warnings(&table.outputs()).len();
        assert_eq!(raised, usize::try_from(ALARMS).expect("few"));
        table.now += ALARM_EVERY;
        for number in 300..400 {
            assert_eq!(visit(&mut table, number), Trust::Changed);
        }
        assert_eq!(warnings(&table.outputs()), [WarningCode::VerifiedKeyChanged]);
        let eve = table.eve.clone();
        assert_eq!(warnings(&table.join(&eve)), [WarningCode::VerifiedKeyChanged]);
    }

    #[test]
    fn compared_words_release_a_key_and_protect_its_name() {
        let mut table = table();
        let eve = table.eve.clone();
        let peer = eve.key.peer;
        table.join(&eve);
        let outputs = table.decide(Command::Verify { peer: peer.to_string() });
        assert_eq!(trusts(&outputs), [(peer, Trust::Verified)]);
        assert!(!ours(&outputs, peer).is_empty());
        assert_eq!(table.command(Command::Words { peer: peer.to_string() }), Ok(Answer::Work(Work::Words(peer))));
        let third = linked("BOB");
        assert_eq!(trusts(&table.join(&third)), [(third.key.peer, Trust::Changed)]);
    }

    #[test]
    fn who_takes_the_name_later_is_held_back_and_not_let_go_by_another_name() {
        let mut table = table();
        let (now, eve) = (table.now, Linked { name: DisplayName::new("Eve"), ..table.eve.clone() });
        let peer = eve.key.peer;
        table.meeting.set_track(now, camera(true));
        assert_eq!(trusts(&table.join(&eve)), [(peer, Trust::New)]);
        let views = wire::Views { revision: 1, views: vec![wire::Wanted::of(TrackKind::Camera, View::Large)] };
        table.hear(eve.key, &Message::new(wire::VIEWS, &views));
        let tracks = wire::Tracks { revision: 1, tracks: vec![wire::Track::of(&camera(true))] };
        table.hear(eve.key, &Message::new(wire::TRACKS, &tracks));
        table.meeting.on_renamed(now, peer, DisplayName::new("Bob"));
        let outputs = table.outputs();
        assert_eq!(trusts(&outputs), [(peer, Trust::Changed)]);
        assert_eq!(ours(&outputs, peer), Vec::<&Output>::new());
        for kind in [TrackKind::Camera, TrackKind::Microphone] {
            assert!(outputs.contains(&Output::Subscribe { peer, kind, view: View::None }), "{kind:?} goes on");
        }
        assert!(outputs.contains(&Output::StopReceiving { peer, kind: TrackKind::Camera }));
        assert!(outputs.contains(&Output::Withhold { peer }));
        table.meeting.on_renamed(now, peer, DisplayName::new("Eve"));
        assert_eq!(trusts(&table.outputs()), []);
        table.meeting.on_left(now, peer, LeftReason::Goodbye);
        table.outputs();
        let outputs = table.join(&eve);
        assert_eq!(trusts(&outputs), [(peer, Trust::Changed)]);
        assert_eq!(ours(&outputs, peer), Vec::<&Output>::new());
        assert_eq!(table.command(say("psst", &[peer])), Err(Code::VerifiedKeyChanged));
    }

    #[test]
    fn somebody_verified_now_makes_another_of_that_name_wait() {
        let mut table = table();
        let (one, other) = (linked("Alex"), linked("Alex"));
        table.join(&one);
        assert_eq!(trusts(&table.join(&other)), [(other.key.peer, Trust::New)]);
        let outputs = table.decide(Command::Verify { peer: one.key.peer.to_string() });
        assert_eq!(
            trusts(&outputs).into_iter().collect::<std::collections::BTreeSet<_>>(),
            [(one.key.peer, Trust::Verified), (other.key.peer, Trust::Changed)].into()
        );
        // To forget who was verified lets the other go.
        let outputs = table.decide(Command::Forget { peer: one.key.peer.to_string() });
        assert!(trusts(&outputs).contains(&(other.key.peer, Trust::New)));
        assert!(outputs.contains(&Output::Release { peer: other.key.peer }));
        assert!(trusts(&outputs).contains(&(one.key.peer, Trust::New)));
    }

    #[test]
    fn the_names_that_a_verified_key_takes_are_protected_too_unless_others_bore_them() {
        let mut table = table();
        let (now, bob, cid) = (table.now, table.bob.clone(), linked("Cid"));
        table.join(&cid);
        table.join(&bob);
        table.meeting.on_renamed(now, bob.key.peer, DisplayName::new("Robert"));
        let outputs = table.outputs();
        let alias = Alias::Name(DisplayName::new("Robert"));
        assert!(outputs.contains(&Output::Decided(Edit::Bore { peer: bob.key.peer, alias })));
        // It cannot hold somebody else back by taking their name.
        table.meeting.on_renamed(now, bob.key.peer, DisplayName::new("Cid"));
        let outputs = table.outputs();
        assert!(!outputs.iter().any(|output| matches!(output, Output::Decided(_))));
        assert_eq!(table.meeting.trust(cid.key.peer), Trust::New);
        let robert = linked("Robert");
        assert_eq!(trusts(&table.join(&robert)), [(robert.key.peer, Trust::Changed)]);
    }

    #[test]
    fn a_username_of_somebody_verified_with_another_key_is_held_back() {
        let mut table = table();
        let (now, bob, eve) = (table.now, table.bob.clone(), linked("Eve"));
        table.join(&bob);
        table.join(&eve);
        let name = Username::new("bobby").expect("valid");
        table.meeting.on_username(now, bob.key.peer, Some(name.clone()));
        let outputs = table.outputs();
        assert!(outputs.iter().any(|output| matches!(output, Output::Decided(Edit::Bore { .. }))));
        table.meeting.on_username(now, eve.key.peer, Some(name));
        assert_eq!(trusts(&table.outputs()), [(eve.key.peer, Trust::Changed)]);
    }

    #[test]
    fn a_visitor_with_a_verified_name_is_warned_about_and_can_be_accepted() {
        let mut table = table();
        let (now, peer, name) = (table.now, table.eve.key.peer, DisplayName::new("Bob"));
        assert_eq!(table.meeting.on_visitor(now, peer, &DisplayName::new("Eve")), Trust::New);
        assert_eq!(table.meeting.on_visitor(now, peer, &name), Trust::Changed);
        assert_eq!(warnings(&table.outputs()), [WarningCode::VerifiedKeyChanged]);
        table.decide(Command::TrustChanged { peer: format!("bob#{}", peer.short()) });
        assert_eq!(table.meeting.on_visitor(now, peer, &name), Trust::Known);
    }

    #[test]
    fn all_who_are_known_are_listed() {
        let mut table = table();
        let (bob, eve, cid) = (table.bob.clone(), table.eve.clone(), linked("Cid"));
        table.join(&eve);
        table.join(&cid);
        let Ok(Answer::Done(Done::KnownPeople(people))) = table.command(Command::KnownPeople) else { panic!("none") };
        let list: Vec<(PeerId, Trust, Option<u64>)> =
            people.iter().map(|known| (known.person.peer, known.trust, known.verified_ms)).collect();
        let mut expect = vec![(bob.key.peer, Trust::Verified, Some(1)), (eve.key.peer, Trust::Changed, None)];
        expect.sort();
        expect.push((cid.key.peer, Trust::New, None));
        assert_eq!(list, expect);
        assert!(people.iter().all(|known| known.handle.contains('#')));
        assert_eq!(table.command(Command::Words { peer: "Ann".into() }), Err(Code::Oneself));
        assert_eq!(table.command(Command::Words { peer: "Nobody".into() }), Err(Code::UnknownPeer));
        assert_eq!(table.command(Command::Forget { peer: "room:x".into() }), Err(Code::OtherRoom));
    }
}
