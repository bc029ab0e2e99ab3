//! The dialogs as a person meets them.

use iced_test::Simulator;
use iced_test::selector::id;

use super::*;
use crate::id::{PeerId, RoomName};
use crate::meeting::{CallEnd, Event, NearbyMeeting, NearbyPerson, Trust, Warning, WarningCode, Words};
use crate::share::DisplayName;
use crate::ui::notices;
use crate::ui::theme;

struct Bench {
    dialogs: Vec<Dialog>,
    model: Model,
    choices: Choices,
    size: iced::Size,
    // How long after it came a dialog is looked at.
    later: std::time::Duration,
}

fn peer(n: u8) -> PeerId {
    PeerId::from_bytes([n; 32])
}

fn person(n: u8, name: &str) -> Person {
    Person { peer: peer(n), name: DisplayName::new(name) }
}

fn room(name: &str) -> RoomName {
    RoomName::new(name).expect("a room")
}

fn link() -> String {
    format!("letsmeet://join?room=Stand-up&by={}&at=10.0.0.7:48190", peer(0xab))
}

impl Bench {
    fn new() -> Self {
        let mut model = Model::new();
        let address = "10.0.0.2:48190".parse().expect("an address");
        model.nearby.people.push(NearbyPerson {
            person: person(2, "Ana"),
            handle: "Ana".to_owned(),
            trust: Trust::Known,
            rooms: vec![room("standup")],
            addresses: vec![address],
        });
        model.nearby.meetings.push(NearbyMeeting {
            room: room("standup"),
            people: vec![person(2, "Ana")],
            addresses: vec![(address, peer(2))],
        });
        let size = iced::Size::new(1280.0, 800.0);
        Self { dialogs: Vec::new(), model, choices: Choices::default(), size, later: ARMED }
    }

    fn enter(&mut self) {
        self.model.enter(crate::clock::now(), room("standup"));
        let meeting = self.model.meeting.as_mut().expect("a meeting");
        meeting.on_event(crate::clock::now(), 0, Event::Joined(person(2, "Ana")));
    }

    fn on_event(&mut self, event: &Event) -> Vec<Action> {
        let action = notices::at_once(event, &self.model, &self.choices, &mut self.dialogs);
        self.perform(action)
    }

    /// What the root does with dialogs; the rest is given back.
    fn perform(&mut self, action: Action) -> Vec<Action> {
        let (mut todo, mut out) = (vec![action], Vec::new());
        while let Some(action) = todo.pop() {
            match action {
                Action::None => {}
                Action::Many(all) => todo.extend(all.into_iter().rev()),
                Action::Open(dialog) => {
                    self.dialogs.retain(|open| !open.is_like(&dialog));
                    self.dialogs.push(*dialog);
                }
                Action::Close => drop(self.dialogs.pop()),
                action => out.push(action),
            }
        }
        out
    }

    fn see(&self) -> Simulator<'_, Message> {
        let look = Look::new(self.choices.theme, false, self.choices.text_percent, true);
        let context = Context {
            look,
            choices: &self.choices,
            model: &self.model,
            handle: None,
            size: self.size,
            now: crate::clock::now() + self.later,
            scale: 1.0,
            starting: false,
            hidden: false,
            armed: self.later >= ARMED,
        };
        let fonts = theme::FONTS.iter().map(|font| (*font).into()).collect();
        let settings = iced::Settings { fonts, default_font: theme::REGULAR, ..iced::Settings::default() };
        let dialog = self.dialogs.last().expect("an open dialog");
        Simulator::with_size(settings, self.size, dialog.view(context))
    }

    fn sees(&self, words: &str) -> bool {
        self.see().find(words).is_ok()
    }

    fn click(&mut self, name: impl Into<String>) -> Vec<Action> {
        let name = name.into();
        let mut see = self.see();
        see.click(id(Id::from(name.clone()))).unwrap_or_else(|_| panic!("{name} is not there"));
        let messages: Vec<Message> = see.into_messages().collect();
        self.apply(messages)
    }

    fn write(&mut self, field: &'static str, text: &str) {
        let mut see = self.see();
        see.click(id(field)).unwrap_or_else(|_| panic!("{field} is not there"));
        // One message for each key; the last has all of it, as the field keeps its own value here.
        see.typewrite(text);
        let messages: Vec<Message> = see.into_messages().collect();
        assert!(self.apply(messages).is_empty());
    }

    fn apply(&mut self, messages: Vec<Message>) -> Vec<Action> {
        let mut out = Vec::new();
        for message in messages {
            let Some(dialog) = self.dialogs.last_mut() else { break };
            let action = dialog.update(message, &self.model, &self.choices);
            out.extend(self.perform(action));
        }
        out
    }

    /// Types the whole of `text` into the dialog to join, as a paste does.
    fn paste(&mut self, text: &str) -> Vec<Action> {
        self.perform(Action::Open(Box::new(Dialog::Join(join::Join::default()))));
        self.apply(vec![Message::Join(join::Message::Typed(text.to_owned()))])
    }
}

fn the_only<T: std::fmt::Debug>(mut all: Vec<T>) -> T {
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn a_pasted_link_is_shown_before_anything_happens() {
    let mut bench = Bench::new();
    bench.paste(&link());
    assert!(bench.click("join-now").is_empty(), "nothing is dialed yet");
    assert!(bench.sees(words::LINK_ASKS) && bench.sees("Stand-up"));
    let shown = words::invited_by(None, &peer(0xab).short());
    assert!(bench.sees(&shown));
    let Action::Meet(meet) = the_only(bench.click("link-join")) else { panic!("no meeting") };
    assert_eq!(meet.room.as_str(), "Stand-up");
    assert_eq!(meet.invite.map(|invite| invite.inviter), Some(peer(0xab)), "its key must answer");
    assert!(meet.connect.is_empty() && bench.dialogs.is_empty());
}

#[test]
fn a_link_says_where_it_leads_and_keeps_the_room_of_a_call_secret() {
    let mut bench = Bench::new();
    let secret = RoomName::of_call([3; 16]);
    let link = format!(
        "letsmeet://join?room={secret}&by={}&at=10.0.0.7:48190&via=meet.example.org&key={}",
        peer(2),
        "ab".repeat(32)
    );
    let action = open_link(&link);
    bench.perform(action);
    let invite: crate::invite::Invite = link.parse().expect("a link");
    let service = invite.rendezvous.as_ref().expect("a rendezvous").to_string();
    assert!(service.contains("meet.example.org"));
    for shown in [words::link_at(&invite.addresses), words::link_via(&service), words::LINK_CALL.to_owned()] {
        assert!(bench.sees(&shown), "{shown}");
    }
    assert!(bench.sees(&words::caller(Trust::Known, &peer(2).short())), "who is in sight is known");
    assert!(!bench.sees(secret.as_str()));
    let Action::Meet(meet) = the_only(bench.click("link-join")) else { panic!("no meeting") };
    assert_eq!((meet.room, meet.call.as_deref()), (secret, Some("Ana")));
}

#[test]
fn a_link_says_how_one_will_be_heard() {
    let mut bench = Bench::new();
    bench.paste(&link());
    bench.click("join-now");
    assert!(bench.sees(&words::will_be(false, true)));
    bench.choices.push_to_talk = true;
    assert!(bench.sees(&words::will_be(false, false)));
    let Action::Meet(meet) = the_only(bench.click("link-join")) else { panic!("no meeting") };
    assert!(!meet.microphone);
}

#[test]
fn a_link_can_be_left_alone() {
    let mut bench = Bench::new();
    let action = open_link(&link());
    bench.perform(action);
    assert!(bench.click("link-later").is_empty() && bench.dialogs.is_empty());
    for bad in ["letsmeet://join?room=x", "https://example.org", "letsmeet://join?room=a&room=b", ""] {
        assert!(matches!(open_link(bad), Action::Toast(_)), "{bad}");
    }
}

#[test]
fn a_name_a_code_and_an_address_lead_into_meetings() {
    let mut bench = Bench::new();
    bench.paste("Standup");
    let Action::Meet(meet) = the_only(bench.click("join-now")) else { panic!("no meeting") };
    assert_eq!(meet.connect.len(), 1, "it is in sight");
    let code = format!("retro#{}", &peer(2).to_string()[..8]);
    bench.paste(&code);
    let Action::Meet(meet) = the_only(bench.click("join-now")) else { panic!("no meeting") };
    assert_eq!((meet.room.as_str(), meet.connect.len()), ("retro", 1));
    bench.paste("192.0.2.7");
    assert!(bench.click("join-now").iter().all(|action| matches!(action, Action::Focus(_))));
    assert!(bench.sees(words::NEEDS_ROOM));
    bench.write("join-room", "r");
    let Action::Meet(meet) = the_only(bench.click("join-now")) else { panic!("no meeting") };
    assert_eq!(meet.connect.first().map(|(address, _)| address.to_string()), Some("192.0.2.7:48190".to_owned()));
}

#[test]
fn what_leads_nowhere_is_said_in_a_sentence() {
    let mut bench = Bench::new();
    bench.paste("retro#ffffffff");
    assert!(bench.click("join-now").is_empty());
    assert!(bench.sees(words::NOT_IN_SIGHT));
    bench.paste("https://example.org/x");
    assert!(bench.click("join-now").is_empty());
    assert!(bench.sees("This is no letsmeet:// link."));
    assert!(!bench.dialogs.is_empty());
}

#[test]
fn a_username_or_a_whole_key_is_called() {
    let mut bench = Bench::new();
    let call = |bench: &mut Bench, typed: &str| {
        bench.paste(typed);
        assert!(bench.sees(words::CALL_NOW), "{typed} is a person");
        match the_only(bench.click("join-now")) {
            Action::Call(who, name) => (who, name),
            other => panic!("{other:?}"),
        }
    };
    let key = peer(2).to_string();
    assert_eq!(call(&mut bench, &format!(" {} ", key.to_uppercase())), (key, "Ana".to_owned()));
    let far = peer(0xcd);
    assert_eq!(call(&mut bench, &far.to_string()), (far.to_string(), far.short()));
    // Nobody is asked who that is.
    bench.paste("@ana");
    assert!(bench.click("join-now").is_empty() && bench.sees(words::NEEDS_SERVICE));
    bench.choices.rendezvous = "meet.example.org".to_owned();
    assert_eq!(call(&mut bench, "@ana"), ("@ana".to_owned(), "@ana".to_owned()));
    assert!(bench.dialogs.is_empty());
    bench.paste("@a b");
    assert!(bench.click("join-now").is_empty());
    assert!(bench.sees("A username is 2 to 32 letters, digits, '.', '_' or '-', of one script."));
}

fn ring(bench: &mut Bench, trust: Trust, room: RoomName) -> CallId {
    let call = CallId::from_u64(7);
    assert!(bench.on_event(&Event::Ring { call, from: person(2, "Ana"), trust, room }).is_empty());
    call
}

#[test]
fn a_ring_says_who_and_is_answered_or_declined() {
    for trust in [Trust::New, Trust::Known, Trust::Verified, Trust::Changed] {
        let mut bench = Bench::new();
        let call = ring(&mut bench, trust, RoomName::of_call([1; 16]));
        assert!(bench.sees("Ana is calling") && bench.sees(&words::caller(trust, &peer(2).short())));
        assert!(!bench.dialogs[0].closes_by_escape(), "it wants an answer");
        assert!(matches!(the_only(bench.click("answer")), Action::Engine(Command::Answer(id)) if id == call));
        assert!(bench.click("answer").is_empty(), "once is enough");
        assert!(matches!(the_only(bench.click("decline")), Action::Engine(Command::Decline(id)) if id == call));
        assert!(bench.dialogs.is_empty());
    }
}

#[test]
fn a_ring_that_has_just_come_takes_no_click() {
    let mut bench = Bench::new();
    ring(&mut bench, Trust::Known, room("retro"));
    bench.later = std::time::Duration::ZERO;
    assert!(bench.click("answer").is_empty() && bench.click("decline").is_empty());
    assert_eq!(bench.dialogs.len(), 1);
}

#[test]
fn who_answers_a_call_sees_with_whom() {
    let mut bench = Bench::new();
    let call = ring(&mut bench, Trust::Known, RoomName::of_call([1; 16]));
    let (room, connect) = (RoomName::of_call([1; 16]), Vec::new());
    let (person, direction) = (person(2, "Ana"), crate::meeting::Direction::In);
    let reason = CallEnd::Answered;
    // Both come at once, in this order.
    bench.on_event(&Event::CallEnded { call, person, direction, reason, room: room.clone(), connect: connect.clone() });
    let done = crate::meeting::Done::Answered { room, connect };
    let action =
        crate::ui::session::answer(&Command::Answer(call), done, &mut bench.model, &bench.choices, &mut bench.dialogs);
    let Action::Meet(meet) = action else { panic!("{action:?}") };
    assert_eq!(meet.call.as_deref(), Some("Ana"));
    assert!(bench.dialogs.is_empty());
}

#[test]
fn a_name_that_nobody_uses_is_asked_about_before_a_meeting_starts() {
    let mut bench = Bench::new();
    bench.paste("standpu");
    assert!(bench.click("join-now").is_empty());
    assert!(bench.sees(words::NOBODY_MEETS) && bench.sees(words::START_IT));
    let Action::Meet(meet) = the_only(bench.click("join-now")) else { panic!("no meeting") };
    assert_eq!(meet.room.as_str(), "standpu");
    bench.paste("standup#1234");
    assert!(bench.click("join-now").is_empty());
    assert!(bench.sees("This code is not whole; after the # it has 8 digits."));
}

#[test]
fn a_ring_in_a_meeting_says_what_answering_leaves() {
    let mut bench = Bench::new();
    bench.enter();
    let call = ring(&mut bench, Trust::Known, room("retro"));
    assert!(bench.sees("Into the meeting retro.") && bench.sees("Answering leaves standup."));
    // The caller gave up.
    let ended = |reason| Event::CallEnded {
        call,
        person: person(2, "Ana"),
        direction: crate::meeting::Direction::In,
        reason,
        room: room("retro"),
        connect: Vec::new(),
    };
    assert!(matches!(the_only(bench.on_event(&ended(CallEnd::Cancelled))), Action::Toast(_)));
    assert!(bench.dialogs.is_empty());
}

#[test]
fn an_answered_ring_moves_into_the_room_of_the_call() {
    let mut bench = Bench::new();
    let call_room = RoomName::of_call([1; 16]);
    let call = ring(&mut bench, Trust::Known, call_room.clone());
    let done = Done::Answered { room: call_room.clone(), connect: Vec::new() };
    let answer =
        crate::ui::session::answer(&Command::Answer(call), done, &mut bench.model, &bench.choices, &mut bench.dialogs);
    let Action::Meet(meet) = the_only(bench.perform(answer)) else { panic!("no meeting") };
    assert_eq!((meet.room, meet.call.as_deref()), (call_room, Some("Ana")));
    assert!(bench.dialogs.is_empty());
}

fn calling(bench: &mut Bench) -> Command {
    let who = peer(2).to_string();
    let open = Dialog::Calling(calling::Calling::new(who.clone(), "Ana".to_owned()));
    bench.perform(Action::Open(Box::new(open)));
    Command::Call { who }
}

fn out_ended(reason: CallEnd) -> Event {
    Event::CallEnded {
        call: CallId::from_u64(9),
        person: person(2, "Ana"),
        direction: crate::meeting::Direction::Out,
        reason,
        room: RoomName::of_call([2; 16]),
        connect: Vec::new(),
    }
}

#[test]
fn a_call_rings_until_it_is_taken_refused_or_taken_back() {
    let mut bench = Bench::new();
    let command = calling(&mut bench);
    assert!(bench.sees("Calling Ana") && bench.sees(words::RINGING));
    let done = Done::Calling(CallId::from_u64(9));
    assert!(matches!(answer(&command, &done, &mut bench.dialogs), Some(Action::None)));
    assert!(matches!(the_only(bench.click("cancel-call")), Action::Engine(Command::Decline(id)) if id.as_u64() == 9));
    // Taken back before the engine had answered: it is told as soon as it has.
    let command = calling(&mut bench);
    assert!(bench.click("cancel-call").is_empty());
    assert!(matches!(answer(&command, &done, &mut bench.dialogs), Some(Action::Engine(Command::Decline(_)))));
    for reason in [CallEnd::Declined, CallEnd::Busy, CallEnd::Timeout] {
        calling(&mut bench);
        assert!(matches!(the_only(bench.on_event(&out_ended(reason))), Action::Toast(_)), "{reason:?}");
        assert!(bench.dialogs.is_empty());
    }
    calling(&mut bench);
    let Action::Meet(meet) = the_only(bench.on_event(&out_ended(CallEnd::Answered))) else { panic!("no meeting") };
    assert_eq!(meet.call.as_deref(), Some("Ana"));
    // From a meeting the other one comes here.
    bench.enter();
    calling(&mut bench);
    assert!(bench.on_event(&out_ended(CallEnd::Answered)).is_empty() && bench.dialogs.is_empty());
    // The engine refuses: nothing waits for ever.
    let command = calling(&mut bench);
    failed(&command, &mut bench.dialogs);
    assert!(bench.dialogs.is_empty());
}

#[test]
fn words_are_compared_and_then_the_person_is_verified() {
    let mut bench = Bench::new();
    let actions = {
        let action = verify(person(2, "Ana"));
        bench.perform(action)
    };
    assert!(matches!(actions.as_slice(), [Action::Engine(Command::Words { .. })]));
    assert!(bench.sees(words::WORDS_COMING));
    assert!(bench.click("same").is_empty(), "nothing to compare yet");
    let found = Words::between(peer(1), peer(2));
    let command = Command::Words { peer: peer(2).to_string() };
    assert!(answer(&command, &Done::Words(found), &mut bench.dialogs).is_some());
    for word in found.iter() {
        assert!(bench.sees(word), "{word}");
    }
    // That it is so is said with the answer.
    let action = the_only(bench.click("same"));
    assert!(matches!(action, Action::Engine(Command::Verify { peer: who }) if who == peer(2).to_string()));
    assert!(bench.dialogs.is_empty());
    let action = verify(person(2, "Ana"));
    bench.perform(action);
    answer(&command, &Done::Words(found), &mut bench.dialogs);
    assert!(matches!(the_only(bench.click("differ")), Action::Toast(_)));
}

#[test]
fn another_key_under_a_verified_name_wants_a_decision() {
    let mut bench = Bench::new();
    bench.enter();
    let warning = Warning {
        code: WarningCode::VerifiedKeyChanged,
        person: Some(person(2, "Ana")),
        message: String::new(),
        hint: String::new(),
    };
    let actions = bench.on_event(&Event::Warning(warning.clone()));
    assert!(matches!(actions.as_slice(), [Action::Engine(Command::Words { .. })]));
    assert!(bench.sees(words::CHANGED) && !bench.dialogs[0].closes_by_escape());
    assert!(bench.apply(vec![Message::Close]).is_empty());
    assert_eq!(bench.dialogs.len(), 1, "neither Esc nor a press beside it is an answer");
    assert!(bench.click("accept-key").is_empty(), "not before the words are there");
    let command = Command::Words { peer: peer(2).to_string() };
    answer(&command, &Done::Words(Words::between(peer(1), peer(2))), &mut bench.dialogs);
    assert!(matches!(the_only(bench.click("accept-key")), Action::Engine(Command::TrustChanged { .. })));
    bench.on_event(&Event::Warning(warning.clone()));
    assert!(matches!(the_only(bench.click("leave-changed")), Action::Leave));
    bench.on_event(&Event::Warning(warning.clone()));
    assert!(bench.click("keep-apart").is_empty() && bench.dialogs.is_empty());
    // A decision that was made elsewhere needs none here, nor does one about who has left.
    bench.on_event(&Event::Warning(warning.clone()));
    bench.on_event(&Event::Trust { person: person(2, "Ana"), trust: Trust::Known });
    assert!(bench.dialogs.is_empty());
    bench.on_event(&Event::Warning(warning));
    bench.on_event(&Event::Left { person: person(2, "Ana"), reason: crate::meeting::LeftReason::Goodbye });
    assert!(bench.dialogs.is_empty());
}

#[test]
fn keys_that_cost_nothing_do_not_pile_up_dialogs() {
    let mut bench = Bench::new();
    bench.enter();
    let warning = |n: u8| {
        let (message, hint) = ("Another key.".to_owned(), String::new());
        Event::Warning(Warning { code: WarningCode::VerifiedKeyChanged, person: Some(person(n, "Bo")), message, hint })
    };
    for visitor in 10..200 {
        assert!(
            matches!(the_only(bench.on_event(&warning(visitor))), Action::Toast(_)),
            "who has no seat gets no dialog"
        );
    }
    assert!(bench.dialogs.is_empty());
    let meeting = bench.model.meeting.as_mut().expect("a meeting");
    for n in 3..=4 {
        meeting.on_event(crate::clock::now(), 0, Event::Joined(person(n, "Bo")));
    }
    assert!(matches!(the_only(bench.on_event(&warning(3))), Action::Engine(Command::Words { .. })));
    assert!(matches!(the_only(bench.on_event(&warning(4))), Action::Toast(_)), "one decision at a time");
    assert!(bench.on_event(&warning(3)).is_empty(), "it is asked already");
    assert!(matches!(bench.dialogs.as_slice(), [Dialog::Changed(open)] if open.person().peer == peer(3)));
}

#[test]
fn files_go_to_those_who_were_chosen() {
    let mut bench = Bench::new();
    let path = PathBuf::from("/tmp/plan.pdf");
    let action = send_to_whom(vec![path.clone()]);
    bench.perform(action);
    assert!(bench.sees("plan.pdf"));
    assert!(bench.click("send-now").is_empty(), "nobody is chosen");
    bench.click(format!("to-{}", peer(2).short()));
    match the_only(bench.click("send-now")) {
        Action::SendFiles(paths, to) => assert_eq!((paths, to), (vec![path.clone()], vec![peer(2).to_string()])),
        other => panic!("{other:?}"),
    }
    bench.enter();
    let action = send_to_whom(vec![path]);
    bench.perform(action);
    assert!(matches!(the_only(bench.click("send-everybody")), Action::SendFiles(_, to) if to.is_empty()));
    bench.model.leave();
    bench.model.nearby.people.clear();
    let action = send_to_whom(Vec::new());
    bench.perform(action);
    assert!(bench.sees(words::NOBODY_TO_SEND));
}

#[test]
fn files_that_are_dropped_together_go_together() {
    let mut bench = Bench::new();
    for name in ["/tmp/a.txt", "/tmp/b.txt", "/tmp/a.txt"] {
        let action = on_dropped(name.into(), &mut bench.dialogs);
        bench.perform(action);
    }
    assert_eq!(bench.dialogs.len(), 1);
    bench.click(format!("to-{}", peer(2).short()));
    // One more after somebody was chosen: the choice stays.
    assert!(matches!(on_dropped("/tmp/c.txt".into(), &mut bench.dialogs), Action::None));
    let all: Vec<PathBuf> = ["/tmp/a.txt", "/tmp/b.txt", "/tmp/c.txt"].map(PathBuf::from).to_vec();
    match the_only(bench.click("send-now")) {
        Action::SendFiles(paths, to) => assert_eq!((paths, to), (all, vec![peer(2).to_string()])),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_invitation_is_a_link_a_picture_and_a_code() {
    let mut bench = Bench::new();
    bench.enter();
    assert!(matches!(invite(), Action::Engine(Command::Invite)));
    let invite: crate::invite::Invite = link().parse().expect("a link");
    let done = Done::Invited(invite.clone());
    let open = answer(&Command::Invite, &done, &mut bench.dialogs).expect("a dialog");
    bench.perform(open);
    assert!(bench.sees(&invite.to_string()) && bench.sees(&invite.short()) && bench.sees(words::SCAN));
    assert!(matches!(the_only(bench.click("copy-link")), Action::Copy(text, _) if text == invite.to_string()));
    assert!(matches!(the_only(bench.click("copy-code")), Action::Copy(text, _) if text == invite.short()));
}

#[test]
fn the_doctor_says_what_it_found_and_looks_again() {
    use crate::engine::doctor::Check;
    let mut bench = Bench::new();
    bench.perform(Action::Open(Box::new(Dialog::Doctor)));
    bench.model.checkup.running = true;
    assert!(bench.sees(crate::ui::text::lobby::CHECKING));
    assert!(bench.click("check-again").is_empty(), "it is looking");
    bench.model.checkup.running = false;
    bench.model.checkup.found = vec![Check::bad("interfaces", "no network interface is up.", "Switch on Wi-Fi.")];
    assert!(bench.sees("Network: no network interface is up.") && bench.sees("Switch on Wi-Fi."));
    assert!(matches!(the_only(bench.click("check-again")), Action::Doctor));
    bench.model.checkup.devices = vec![Check::good("cameras", "Desk")];
    assert!(bench.sees("Cameras: Desk"));
    assert!(!bench.sees(&words::WARNED.to_uppercase()));
    let warning = Warning {
        code: WarningCode::RoomFull,
        person: None,
        message: "The room is full.".to_owned(),
        hint: String::new(),
    };
    bench.model.on_event(crate::clock::now(), 0, Event::Warning(warning.clone()));
    assert!(bench.sees(&words::WARNED.to_uppercase()) && bench.sees(&text::warning(&warning)));
    match the_only(bench.click("copy-report")) {
        Action::Copy(text, _) => {
            assert!(text.contains("FAIL interfaces") && text.contains("Switch on Wi-Fi."));
            assert!(text.contains("ok   cameras: Desk"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_dialog_stays_in_the_window_at_any_size() {
    for (width, height) in [(800.0, 600.0), (1280.0, 800.0), (3840.0, 2160.0)] {
        for percent in [100, 200] {
            let mut bench = Bench::new();
            bench.size = iced::Size::new(width, height);
            bench.choices.text_percent = percent;
            bench.enter();
            let invite: crate::invite::Invite = link().parse().expect("a link");
            let long = "W".repeat(64);
            let all = [
                (Dialog::Shortcuts, vec!["close"]),
                (Dialog::Join(join::Join::default()), vec!["close", "join-field", "join-now"]),
                (Dialog::Invite(invite::Invite::new(&invite)), vec!["close", "copy-link"]),
                (
                    Dialog::Ring(incoming::Ring::new(CallId::from_u64(1), person(2, &long), Trust::New, room(&long))),
                    vec!["answer", "decline"],
                ),
                (Dialog::Calling(calling::Calling::new(peer(2).to_string(), long.clone())), vec!["cancel-call"]),
                (Dialog::Verify(verify::Verify::new(person(2, &long))), vec!["same", "differ"]),
                (Dialog::Changed(changed::Changed::new(person(2, &long))), vec!["keep-apart", "accept-key"]),
                (Dialog::Send(send::Send::new(vec![PathBuf::from(&long)])), vec!["send-now"]),
                (Dialog::Link(link::Link::of(invite)), vec!["link-join", "link-later"]),
                (Dialog::Doctor, vec!["check-again"]),
            ];
            for (dialog, names) in all {
                let shown = format!("{dialog:?}");
                bench.dialogs = vec![dialog];
                for name in names {
                    let bounds = bench.see().find(id(name)).unwrap_or_else(|_| panic!("{name} in {shown}")).bounds();
                    assert!(
                        bounds.x >= 0.0 && bounds.x + bounds.width <= width && bounds.width >= 24.0,
                        "{name} of {shown} stands at {bounds:?} of {width} at {percent} %"
                    );
                }
            }
        }
    }
}
