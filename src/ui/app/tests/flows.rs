//! What the whole window does with what happens: events and answers in, what is seen and where one is.

use iced_test::selector::id;

use super::*;
use crate::meeting::{Code, Direction, FileEvent, FileStage, LeftReason, Warning};
use crate::share::FileName;
use crate::ui::text::{dialogs, lobby, meeting as words};

impl Bench {
    fn click(&mut self, name: &str) {
        let mut see = self.see();
        see.click(id(name.to_owned())).unwrap_or_else(|_| panic!("{name} is not there"));
        let messages: Vec<Message> = see.into_messages().collect();
        assert!(!messages.is_empty(), "{name} does nothing");
        for message in messages {
            let _ = self.app.update(message);
        }
    }

    fn warn(&mut self, code: WarningCode) {
        let (message, hint) = ("It happened.".to_owned(), "Do this.".to_owned());
        self.event(Event::Warning(Warning { code, person: None, message, hint }));
    }

    fn is_in_lobby(&self) -> bool {
        matches!(self.app.screen, Screen::Lobby(_))
    }
}

#[test]
fn a_full_room_says_so_and_has_ways_on_until_somebody_lets_us_in() {
    let mut bench = Bench::alone(theme::Choice::Dark);
    assert!(bench.sees(words::ALONE));
    bench.warn(WarningCode::RoomFull);
    assert!(bench.sees("standup is full") && bench.sees(words::FULL_HINT) && !bench.sees(words::ALONE));
    assert!(bench.app.toasts.is_empty(), "the card says it");
    let before = bench.app.session.generation();
    bench.click("try-again");
    assert_eq!(bench.app.session.generation(), before + 1, "another try");
    let title = bench.app.model.meeting.as_ref().map(|meeting| meeting.title.clone());
    assert_eq!((bench.is_in_lobby(), title.as_deref()), (false, Some("standup")));
    assert!(!bench.sees("standup is full"), "not known yet");
    let _engine = bench.connect();
    bench.warn(WarningCode::RoomFull);
    bench.event(Event::Joined(person(1, "Bo")));
    assert!(!bench.sees("standup is full"), "somebody let us in");
    // With company it is about somebody else: no card, also not later.
    bench.warn(WarningCode::RoomFull);
    assert!(!bench.sees("standup is full") && !bench.app.toasts.is_empty());
    bench.event(Event::Left { person: person(1, "Bo"), reason: LeftReason::Goodbye });
    assert!(bench.sees(words::ALL_LEFT));
    bench.warn(WarningCode::RoomFull);
    bench.click("back-to-lobby");
    assert!(bench.is_in_lobby());
}

#[test]
fn who_is_removed_reads_so_and_is_led_back() {
    let mut bench = Bench::alone(theme::Choice::Dark);
    bench.event(Event::Joined(person(1, "Bo")));
    bench.warn(WarningCode::Removed);
    assert!(bench.sees("It happened. Do this."), "a word, as long as others are here");
    bench.event(Event::Left { person: person(1, "Bo"), reason: LeftReason::Removed });
    assert!(bench.sees("You were removed from standup") && bench.sees(words::REMOVED_HINT));
    assert!(bench.see().find(id("try-again")).is_err(), "it would be refused");
    bench.click("back-to-lobby");
    assert!(bench.is_in_lobby());
}

#[test]
fn whose_seat_a_newer_run_took_is_not_told_to_join_again() {
    let mut bench = Bench::alone(theme::Choice::Dark);
    let ended = |bench: &mut Bench| {
        let generation = bench.app.session.generation();
        let _ = bench.app.update(Message::Ended(generation));
        assert!(bench.is_in_lobby());
    };
    bench.warn(WarningCode::Replaced);
    ended(&mut bench);
    assert!(bench.sees(text::REPLACED) && !bench.sees(text::MEETING_ENDED) && !bench.sees("It happened. Do this."));
    let mut bench = Bench::alone(theme::Choice::Dark);
    ended(&mut bench);
    assert!(bench.sees(text::MEETING_ENDED) && !bench.sees(text::REPLACED));
}

#[test]
fn a_warning_about_the_network_leads_to_the_check_and_one_about_devices_to_their_settings() {
    let mut bench = Bench::alone(theme::Choice::Dark);
    let act = |bench: &mut Bench, number| {
        let _ = bench.app.update(Message::Toast(toast::Message::Act(number)));
    };
    bench.warn(WarningCode::SourceFailed);
    assert!(bench.sees("It happened. Do this.") && bench.sees(text::SETTINGS));
    act(&mut bench, 1);
    assert!(bench.app.settings.is_some() && bench.see().find(id("section-devices")).is_ok());
    assert!(bench.sees(text::settings::LOOKING), "the page of devices");
    let _ = bench.app.perform(Action::Settings(false));
    bench.warn(WarningCode::DiscoveryFailed);
    assert!(bench.sees(lobby::CHECK_NETWORK));
    act(&mut bench, 2);
    assert!(matches!(bench.app.dialogs.last(), Some(Dialog::Doctor)));
}

#[test]
fn files_of_an_engine_that_ended_wait_for_nothing_in_the_next_meeting() {
    let mut bench = Bench::lobby(theme::Choice::Dark);
    let transfer = crate::id::TransferId::from_u64(1);
    let (direction, file) = (Direction::In, FileName::new("dataset.tar"));
    let offer = FileEvent { transfer, person: person(1, "Bo"), direction, file, size: 1_000, stage: FileStage::Offer };
    bench.event(Event::File(offer));
    assert_eq!(bench.app.model.transfers.asking(), 1);
    let meet =
        Meet { room: room("standup"), connect: Vec::new(), invite: None, camera: false, microphone: true, call: None };
    let _ = bench.app.perform(Action::Meet(meet));
    let transfers = &bench.app.model.transfers;
    assert_eq!((transfers.asking(), transfers.all().len(), transfers.ended()), (0, 1, 1));
}

#[test]
fn a_person_is_called_verified_when_it_is_written_down() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    let verify = || Command::Verify { peer: person(0, "Ana").peer.to_string() };
    let said = dialogs::verified("Ana");
    let failure = Failure::new(Code::DiskFailed, "The disk is full.", "Free space.");
    bench.answered(verify(), Err(failure));
    assert!(!bench.sees(&said) && bench.sees("The disk is full. Free space."));
    bench.answered(verify(), Ok(Done::Ok));
    assert!(bench.sees(&said));
}

#[test]
fn how_far_a_key_is_trusted_is_seen_as_soon_as_it_is_said() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    bench.panel(Panel::People);
    assert!(bench.sees(words::KEY_NEW) && !bench.sees(words::KEY_VERIFIED));
    bench.event(Event::Trust { person: person(0, "Ana"), trust: Trust::Verified });
    bench.event(Event::Trust { person: person(1, "Bo"), trust: Trust::Known });
    bench.event(Event::Trust { person: person(2, "Cy"), trust: Trust::Changed });
    // Also where no warning came with it, it is asked about before anything else.
    assert!(matches!(bench.app.dialogs.as_slice(), [Dialog::Changed(_)]));
    let _ = bench.app.perform(Action::Close);
    bench.app.look_at_top();
    assert!(bench.sees(words::KEY_VERIFIED) && bench.sees(words::KEY_KNOWN) && bench.sees(words::KEY_CHANGED));
    assert!(!bench.sees(words::KEY_NEW));
}

#[test]
fn a_ring_ends_with_the_engine_that_heard_it() {
    let mut bench = Bench::alone(theme::Choice::Dark);
    let (call, from) = (crate::id::CallId::from_u64(1), person(1, "Bo"));
    bench.event(Event::Ring { call, from, trust: Trust::New, room: room("call") });
    assert!(bench.sees("Bo is calling"));
    let _ = bench.app.perform(Action::Leave);
    assert!(bench.is_in_lobby() && !bench.sees("Bo is calling"));
}

#[test]
fn somebody_who_takes_a_name_that_is_here_is_told_apart_in_every_word() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    let mut engine = bench.connect();
    bench.answer(Command::State, Done::Ok);
    // Who is called what comes with the state, which is asked for at once.
    bench.event(Event::Renamed(person(1, "Ana")));
    assert_eq!(engine.commands(), [Command::State]);
    let mut notice = Notice::Joined(person(1, "Ana"));
    let meeting = bench.app.model.meeting.as_mut().expect("a meeting");
    let bo = meeting.people.get_mut(&person(1, "Ana").peer).expect("here");
    bo.state = Some(crate::meeting::PersonState {
        person: person(1, "Ana"),
        handle: "Ana#01010101".to_owned(),
        trust: Trust::New,
        username: None,
        presence: crate::meeting::Presence::Linked,
        name_is_unique: false,
        tracks: Vec::new(),
        views: Vec::new(),
        volume: 1.0,
        watches: Vec::new(),
    });
    bench.app.model.tell_apart(&mut notice);
    assert_eq!(notice, Notice::Joined(person(1, "Ana#01010101")));
}

#[test]
fn a_meeting_that_a_link_led_to_is_not_remembered_by_its_name_nor_one_that_never_began() {
    let mut bench = Bench::lobby(theme::Choice::Dark);
    let _ = bench.app.perform(Action::Meet(starts::meet()));
    assert_eq!(bench.app.choices.rooms, Vec::<String>::new(), "it has not begun");
    let _engine = bench.connect();
    assert_eq!(bench.app.choices.rooms, ["standup"]);
    let link = "letsmeet://join?room=retro&by=0101010101010101010101010101010101010101010101010101010101010101&at=10.0.0.1:48190";
    let invite = Some(link.parse().expect("a link"));
    let _ = bench.app.perform(Action::Meet(Meet { room: room("retro"), invite, ..starts::meet() }));
    let _engine = bench.connect();
    assert_eq!(bench.app.choices.rooms, ["standup"]);
}
