//! Each screen as a picture, in each theme.

use super::*;
use crate::engine::devices::{Device, Devices, Kind};
use crate::id::{CallId, TransferId};
use crate::media::{TrackInfo, TrackKind};
use crate::meeting::{Direction, FileEvent, FileStage, Warning, WarningCode, Words};
use crate::share::FileName;
use crate::ui::snapshot;

pub fn in_each_theme(name: &str, make: impl Fn(theme::Choice) -> Bench) {
    for (theme, word) in snapshot::THEMES {
        let app = &mut make(theme).app;
        // What lies on top has been there for a while.
        app.look_at_top();
        // The clock in the top bar stands.
        app.now = app.model.meeting.as_ref().map_or(app.now, |meeting| meeting.since);
        app.top.since = app.now.checked_sub(dialog::ARMED);
        let picture = snapshot::draw(app.view(), app.look(), app.size);
        snapshot::compare(&format!("{name}-{word}"), &picture);
    }
}

#[test]
fn snapshots_of_the_lobby() {
    in_each_theme("lobby", |theme| {
        let mut bench = Bench::lobby(theme);
        bench.company();
        bench
    });
}

#[test]
fn snapshots_of_recent_meetings() {
    in_each_theme("recent", |theme| {
        let mut bench = Bench::lobby(theme);
        bench.company();
        let rooms = ["design review", "standup", "Ana's meeting", "a name that is longer than anybody would read"];
        bench.app.choices.rooms = rooms.map(str::to_owned).to_vec();
        bench
    });
}

#[test]
fn snapshots_of_a_start() {
    in_each_theme("joining", |theme| {
        let mut bench = Bench::lobby(theme);
        let _ = bench.app.perform(Action::Meet(starts::meet()));
        bench
    });
}

#[test]
fn snapshots_of_a_meeting_with_its_people() {
    in_each_theme("people", |theme| {
        let mut bench = Bench::meeting(theme);
        let (ana, bo) = (person(0, "Ana"), person(1, "Bo"));
        bench.event(Event::Trust { person: ana.clone(), trust: Trust::Verified });
        bench.event(Event::Trust { person: bo.clone(), trust: Trust::Known });
        bench.event(Event::Hand { person: bo.clone(), up: true, order: vec![bo] });
        let voice = TrackInfo { kind: TrackKind::Microphone, on: true, width: 0, height: 0, codec: "opus".to_owned() };
        bench.event(Event::Track { person: ana, info: voice });
        let (person, handle) = (person(6, "Di"), "Di".to_owned());
        let near = NearbyPerson { person, handle, trust: Trust::New, rooms: Vec::new(), addresses: Vec::new() };
        bench.event(Event::Nearby(Nearby { people: vec![near], meetings: Vec::new() }));
        bench.rates();
        bench.panel(Panel::People);
        bench
    });
}

#[test]
fn snapshots_of_files() {
    in_each_theme("files", |theme| {
        let mut bench = Bench::meeting(theme);
        bench.panel(Panel::Files);
        let mut transfer = |number, direction, name: &str, stage| {
            let transfer = TransferId::from_u64(number);
            let (person, file) = (person(1, "Bo"), FileName::new(name));
            let file = FileEvent { transfer, person, direction, file, size: 1_200_000_000, stage };
            bench.event(Event::File(file));
        };
        transfer(1, Direction::In, "dataset.tar", FileStage::Offer);
        transfer(2, Direction::Out, "slides, final, really.pdf", FileStage::Offer);
        transfer(2, Direction::Out, "slides, final, really.pdf", FileStage::Accepted);
        let progress = FileStage::Progress { done: 768_000_000, rate: Some(98_000_000), eta_ms: Some(3_900) };
        transfer(2, Direction::Out, "slides, final, really.pdf", progress);
        transfer(3, Direction::In, "notes.txt", FileStage::Offer);
        transfer(3, Direction::In, "notes.txt", FileStage::Declined);
        bench
    });
}

#[test]
fn snapshots_of_stats() {
    in_each_theme("stats", |theme| {
        let mut bench = Bench::meeting(theme);
        bench.rates();
        bench.panel(Panel::Stats);
        let expand = meeting::Message::Stats(crate::ui::panel::stats::Message::Expand(true));
        let _ = bench.app.update(Message::Meeting(expand));
        bench
    });
}

#[test]
fn snapshots_of_the_panel_of_stats() {
    in_each_theme("stats-panel", |theme| {
        let mut bench = Bench::meeting(theme);
        bench.rates();
        bench.panel(Panel::Stats);
        bench
    });
}

#[test]
fn snapshots_of_a_ring_over_the_settings() {
    in_each_theme("ring", |theme| {
        let mut bench = Bench::lobby(theme);
        let _ = bench.app.perform(Action::Settings(true));
        let section = settings::Message::Section(settings::Section::Appearance);
        let _ = bench.app.update(Message::Settings(section));
        let call = CallId::from_u64(1);
        bench.event(Event::Ring { call, from: person(1, "Bo"), trust: Trust::New, room: room("call") });
        bench
    });
}

#[test]
fn snapshots_of_a_full_room() {
    in_each_theme("full", |theme| {
        let mut bench = Bench::alone(theme);
        let (message, hint) = ("Every seat is taken.".to_owned(), String::new());
        bench.event(Event::Warning(Warning { code: WarningCode::RoomFull, person: None, message, hint }));
        bench
    });
}

#[test]
fn snapshots_of_the_chat() {
    in_each_theme("chat", |theme| {
        let mut bench = Bench::meeting(theme);
        // Open before anything is said, or the corner would say it too.
        bench.panel(Panel::Chat);
        let minute = |ago: u64| TEST_NOON - ago * 60_000;
        let (ana, bo) = (person(0, "Ana"), person(1, "Bo"));
        let me = person(5, "Mira");
        bench.says(ana.clone(), "Morning! Slides are in Files.", Audience::Room, minute(90));
        bench.says(ana.clone(), "Shall we start with the mesh numbers?", Audience::Room, minute(89));
        bench.says(bo.clone(), "Yes. Sending the raw data now.", Audience::Room, minute(88));
        let (transfer, file) = (TransferId::from_u64(1), FileName::new("dataset.tar"));
        let direction = Direction::In;
        let offer = FileEvent { transfer, person: bo, direction, file, size: 1_200_000_000, stage: FileStage::Offer };
        let _ = bench.app.model.on_event(bench.app.now, minute(87), Event::File(offer));
        bench.says(ana.clone(), "Can you take the second half?", Audience::People(vec![me.clone()]), minute(3));
        let conversation = ConversationId::from_bytes([0; 16]);
        let mine = MessageId { author: me.peer, instance: Instance::from_u64(1), conversation, counter: 1 };
        let meeting = bench.app.model.meeting.as_mut().expect("a meeting");
        meeting.on_said(minute(2), mine, "Sure, from slide 12 on.".to_owned(), &[ana.peer.to_string()]);
        bench.event(Event::Delivered { id: mine, to: vec![ana] });
        bench
    });
}

#[test]
fn snapshots_of_a_private_line_and_a_file_on_their_way() {
    in_each_theme("private", |theme| {
        let mut bench = Bench::meeting(theme);
        bench.panel(Panel::Chat);
        bench.chat(chat::Message::To(recipients::Message::Toggle(person(1, "Bo"))));
        bench.chat(chat::Message::To(recipients::Message::Open(true)));
        bench.window(window::Event::FileDropped("/tmp/holiday.jpg".into()));
        bench
    });
}

pub fn link() -> String {
    format!("letsmeet://join?room=Stand-up&by={}&at=10.0.0.7:48190", person(0, "Ana").peer)
}

#[test]
fn snapshots_of_somebody_alone() {
    in_each_theme("alone", |theme| {
        let mut bench = Bench::alone(theme);
        // Whatever comes first: nobody is here, so an invitation is asked for.
        bench.event(Event::Nearby(Nearby::default()));
        bench.answer(Command::Invite, Done::Invited(link().parse().expect("a link")));
        bench
    });
}

#[test]
fn snapshots_of_words_to_compare() {
    in_each_theme("verify", |theme| {
        let mut bench = Bench::meeting(theme);
        let _ = bench.app.perform(dialog::verify(person(1, "Bo")));
        let peer = person(1, "Bo").peer;
        let words = Words::between(peer, person(5, "Mira").peer);
        bench.answer(Command::Words { peer: peer.to_string() }, Done::Words(words));
        bench
    });
}

#[test]
fn snapshots_of_another_key() {
    in_each_theme("changed", |theme| {
        let mut bench = Bench::meeting(theme);
        let ana = person(0, "Ana");
        let (code, person) = (WarningCode::VerifiedKeyChanged, Some(ana.clone()));
        let warning = Warning { code, person, message: "Another key.".to_owned(), hint: String::new() };
        bench.event(Event::Warning(warning));
        let words = Words::between(ana.peer, self::person(5, "Mira").peer);
        bench.answer(Command::Words { peer: ana.peer.to_string() }, Done::Words(words));
        bench
    });
}

#[test]
fn snapshots_of_a_link_that_asks() {
    in_each_theme("link", |theme| {
        let mut bench = Bench::lobby(theme);
        bench.company();
        let _ = bench.app.perform(dialog::open_link(&link()));
        bench
    });
}

#[test]
fn snapshots_of_the_settings_of_devices() {
    in_each_theme("devices", |theme| {
        let mut bench = Bench::lobby(theme);
        let _ = bench.app.perform(Action::Settings(true));
        let _ = bench.app.update(Message::Settings(settings::Message::Section(settings::Section::Devices)));
        let devices = Devices::new([
            Device::new(Kind::Camera, "Integrated camera", "video0", true),
            Device::new(Kind::Microphone, "Headset", "hw:1", true),
            Device::new(Kind::Speaker, "Headset", "hw:1", true),
        ]);
        let _ = bench.app.update(Message::Done(session::Outcome::Devices(devices)));
        bench
    });
}

/// Bo's screen and ours are shared.
fn sharing(theme: theme::Choice) -> Bench {
    let mut bench = Bench::meeting(theme);
    let codec = "h264".to_owned();
    let info = TrackInfo { kind: TrackKind::Screen, on: true, width: 1920, height: 1080, codec };
    bench.event(Event::Track { person: person(1, "Bo"), info });
    let screens = vec![
        Device::new(Kind::Screen, "Display 1 (HDMI-1)", "display:0", true).sized(1920, 1080),
        Device::new(Kind::Screen, "Display 2 (DP-1)", "display:1", false).sized(2560, 1440),
        Device::new(Kind::Screen, "Quarterly figures, final - Spreadsheet", "window:0x1c00003", false).sized(1280, 900),
    ];
    let _ = bench.app.update(Message::Done(session::Outcome::Screens(screens)));
    bench
}

#[test]
fn snapshots_of_shared_screens() {
    in_each_theme("sharing", |theme| {
        let mut bench = sharing(theme);
        let settings = &mut bench.app.model.meeting.as_mut().expect("a meeting").settings;
        (settings.screen, settings.screen_on) = (crate::av::spec::Screen::Display(Some(0)), true);
        bench
    });
}

#[test]
fn snapshots_of_the_choice_of_a_screen() {
    in_each_theme("share", |theme| {
        let mut bench = sharing(theme);
        let _ = bench.app.perform(Action::Open(Box::new(Dialog::Share)));
        bench
    });
}
