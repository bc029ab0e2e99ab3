//! What lies on top, and from when on it takes a press.

use iced_test::selector::id;
use proptest::prelude::*;

use super::*;
use crate::id::CallId;
use crate::invite::Invite;
use crate::meeting::{CallEnd, Code, Direction};

fn link(n: u8) -> String {
    let inviter = PeerId::from_bytes([n; 32]);
    Invite { room: room("standup"), inviter, addresses: Vec::new(), rendezvous: None }.to_string()
}

impl Bench {
    fn ring(&mut self, n: u8) {
        let (call, from) = (CallId::from_u64(n.into()), person(n, "Bo"));
        self.event(Event::Ring { call, from, trust: Trust::Known, room: room("call") });
    }

    fn call_ends(&mut self, n: u8, direction: Direction, reason: CallEnd) {
        let (call, person) = (CallId::from_u64(n.into()), person(n, "Bo"));
        self.event(Event::CallEnded { call, person, direction, reason, room: room("call"), connect: Vec::new() });
    }

    fn key_changes(&mut self, n: u8) {
        let (code, message) = (WarningCode::VerifiedKeyChanged, "Another key.".to_owned());
        let warning = crate::meeting::Warning { code, person: Some(person(n, "Ana")), message, hint: String::new() };
        self.event(Event::Warning(warning));
    }

    fn opens(&mut self, link: String) {
        let _ = self.app.update(Message::HandedOver(Some(handover::Message::Open(link))));
    }

    /// Presses what has this name, as it is on screen, if it can be pressed.
    fn press(&mut self, name: &str) {
        let mut see = self.see();
        see.click(id(name.to_owned())).unwrap_or_else(|_| panic!("{name} is not there"));
        let messages: Vec<_> = see.into_messages().collect();
        for message in messages {
            let _ = self.app.update(message);
        }
    }

    /// Time goes on, as far as the window is told.
    fn waits(&mut self, time: Duration) {
        let _ = self.app.update(Message::Tick(self.app.now + time));
    }
}

#[test]
fn what_comes_under_a_hand_takes_no_press_for_a_moment() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    let mut engine = bench.connect();
    bench.ring(7);
    bench.press("answer");
    // Not by a message that was on its way to another dialog either.
    let _ = bench.app.update(Message::Dialog(dialog::Message::Ring(dialog::incoming::Message::Answer)));
    assert!(engine.commands().is_empty() && !bench.app.is_armed());
    bench.waits(dialog::ARMED);
    bench.press("answer");
    assert_eq!(engine.commands(), [Command::Answer(CallId::from_u64(7))]);
}

#[test]
fn what_another_one_uncovers_takes_no_press_for_a_moment_either() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    let mut engine = bench.connect();
    bench.key_changes(0);
    let peer = person(0, "Ana").peer.to_string();
    let words = Command::Words { peer: peer.clone() };
    assert_eq!(engine.commands(), std::slice::from_ref(&words));
    let found = crate::meeting::Words::between(person(5, "Mira").peer, person(0, "Ana").peer);
    bench.answer(words, Done::Words(found));
    bench.waits(dialog::ARMED);
    bench.ring(7);
    bench.waits(dialog::ARMED);
    assert!(bench.app.is_armed());
    // The caller gives up just when somebody wants to answer: below is the question about the key.
    bench.call_ends(7, Direction::In, CallEnd::Cancelled);
    let _ = engine.commands();
    bench.press("accept-key");
    assert!(engine.commands().is_empty(), "no key is accepted by accident");
    bench.waits(dialog::ARMED);
    bench.press("accept-key");
    assert!(engine.commands().contains(&Command::TrustChanged { peer }));
}

#[test]
fn what_a_dialog_leaves_in_sight_by_itself_rests_for_a_moment() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    let _engine = bench.connect();
    bench.ring(7);
    bench.waits(dialog::ARMED);
    // The caller gives up just when somebody wants to answer: below is the button that leaves.
    bench.call_ends(7, Direction::In, CallEnd::Cancelled);
    let pressed = |bench: &Bench| {
        let mut see = bench.see();
        // What is out of reach is not even found.
        if see.click(id("leave")).is_ok() { see.into_messages().count() } else { 0 }
    };
    assert_eq!(pressed(&bench), 0);
    bench.waits(dialog::ARMED);
    assert_eq!(pressed(&bench), 1);
    // What was closed by a press leaves everything live at once.
    let _ = bench.app.perform(Action::Open(Box::new(Dialog::Shortcuts)));
    bench.app.look_at_top();
    let _ = bench.app.update(Message::Dialog(dialog::Message::Close));
    assert_eq!((bench.app.dialogs.len(), pressed(&bench)), (0, 1));
}

#[test]
fn a_link_that_takes_the_place_of_another_takes_no_press_for_a_moment() {
    let mut bench = Bench::lobby(theme::Choice::Dark);
    bench.opens(link(1));
    bench.waits(dialog::ARMED);
    assert!(bench.app.is_armed());
    bench.opens(link(2));
    let generation = bench.app.session.generation();
    bench.press("link-join");
    assert_eq!((bench.app.session.generation(), bench.app.dialogs.len()), (generation, 1));
    // The same one again is no other.
    bench.waits(dialog::ARMED);
    bench.opens(link(2));
    bench.press("link-join");
    assert_eq!(bench.app.session.generation(), generation + 1);
}

#[test]
fn what_a_person_opens_takes_presses_at_once() {
    let mut bench = Bench::lobby(theme::Choice::Dark);
    let _ = bench.app.perform(Action::Open(Box::new(Dialog::Shortcuts)));
    assert!(bench.app.is_armed());
    bench.press("close");
    assert!(bench.app.dialogs.is_empty());
}

#[test]
fn the_end_of_a_call_by_username_may_overtake_its_beginning() {
    let mut bench = Bench::lobby(theme::Choice::Dark);
    let mut engine = bench.connect();
    let _ = bench.app.perform(Action::Call("@bo".to_owned(), "bo".to_owned()));
    let call = Command::Call { who: "@bo".to_owned() };
    assert_eq!(engine.commands(), std::slice::from_ref(&call));
    bench.call_ends(7, Direction::Out, CallEnd::Declined);
    assert!(bench.app.dialogs.is_empty());
    let said = format!("{:?}", bench.app.toasts);
    bench.answer(call, Done::Calling(CallId::from_u64(7)));
    // It is taken back, in case it still rings; that it does not is no news.
    let decline = Command::Decline(CallId::from_u64(7));
    assert!(engine.commands().contains(&decline));
    bench.answered(decline, Err(Failure::new(Code::UnknownCall, "This call rings no more.", "Call back.")));
    assert_eq!((format!("{:?}", bench.app.toasts), bench.app.dialogs.len()), (said, 0));
}

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Rings(u8),
    Ends(u8, bool),
    KeyChanges(u8),
    Leaves(u8),
    Opens(u8),
    Calls(u8),
    Called(u8),
    Escape,
    Waits,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4u8).prop_map(Step::Rings),
        (0..4u8, any::<bool>()).prop_map(|(n, out)| Step::Ends(n, out)),
        (0..3u8).prop_map(Step::KeyChanges),
        (0..3u8).prop_map(Step::Leaves),
        (0..3u8).prop_map(Step::Opens),
        (0..3u8).prop_map(Step::Calls),
        (0..3u8).prop_map(Step::Called),
        Just(Step::Escape),
        Just(Step::Waits),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens: no dialog of a call that has ended, one of each kind, and what is new on top is not armed.
    #[test]
    fn dialogs_keep_in_order(steps in proptest::collection::vec(step(), 1..40)) {
        let mut bench = Bench::meeting(theme::Choice::Dark);
        let _engine = bench.connect();
        for step in steps {
            let before = bench.app.dialogs.last().map(Dialog::key);
            let mut ended = None;
            match &step {
                Step::Rings(n) => bench.ring(*n),
                Step::Ends(n, out) => {
                    ended = Some(CallId::from_u64((*n).into()));
                    let direction = if *out { Direction::Out } else { Direction::In };
                    bench.call_ends(*n, direction, CallEnd::Cancelled);
                }
                Step::KeyChanges(n) => bench.key_changes(*n),
                Step::Leaves(n) => {
                    let reason = crate::meeting::LeftReason::Goodbye;
                    bench.event(Event::Left { person: person(*n, "Ana"), reason });
                    bench.event(Event::Joined(person(*n, "Ana")));
                }
                Step::Opens(n) => bench.opens(link(*n)),
                Step::Calls(n) => {
                    let call = Action::Call(person(*n, "Bo").peer.to_string(), "Bo".to_owned());
                    let _ = bench.app.perform(call);
                    bench.app.look_at_top();
                }
                Step::Called(n) => {
                    let who = person(*n, "Bo").peer.to_string();
                    bench.answer(Command::Call { who }, Done::Calling(CallId::from_u64((*n).into())));
                }
                Step::Escape => {
                    let _ = bench.app.perform(Action::Close);
                    bench.app.look_at_top();
                }
                Step::Waits => bench.waits(dialog::ARMED),
            }
            let dialogs = &bench.app.dialogs;
            if let Some(call) = ended {
                prop_assert!(dialogs.iter().all(|dialog| !dialog.is_of(call)), "{step:?} {dialogs:?}");
            }
            for (at, one) in dialogs.iter().enumerate() {
                prop_assert!(dialogs[at + 1..].iter().all(|other| !one.is_like(other)), "{dialogs:?}");
            }
            let top = dialogs.last();
            prop_assert_eq!(bench.app.top.key, top.map(Dialog::key));
            if top.is_some_and(Dialog::comes_by_itself) && top.map(Dialog::key) != before {
                prop_assert!(!bench.app.is_armed(), "{step:?}");
            }
        }
    }
}
