//! The lobby as a person meets it: what is seen, pressed and typed, and what is asked of the root.

use iced_test::Simulator;
use iced_test::selector::id;

use super::*;
use crate::engine::devices::Device;
use crate::engine::doctor::Check;
use crate::id::{PeerId, TransferId};
use crate::meeting::{Command, Direction, Event, FileEvent, FileStage, Nearby, NearbyMeeting, NearbyPerson};
use crate::share::{DisplayName, FileName};
use crate::ui::theme::{self, Choice};
use crate::ui::widget::devices::picks;

const WIDE: iced::Size = iced::Size::new(1280.0, 800.0);

struct Bench {
    lobby: Lobby,
    model: Model,
    choices: Choices,
    session: Session,
    size: iced::Size,
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

fn near(n: u8, name: &str, trust: Trust, rooms: &[&str]) -> NearbyPerson {
    NearbyPerson {
        person: person(n, name),
        handle: name.to_owned(),
        trust,
        rooms: rooms.iter().map(|name| room(name)).collect(),
        addresses: Vec::new(),
    }
}

/// Four people, two meetings, as on the picture of the design.
fn company() -> Nearby {
    let at = |n: u8| (format!("10.0.0.{n}:48190").parse().expect("an address"), peer(n));
    Nearby {
        people: vec![
            near(2, "Ana", Trust::Verified, &["standup"]),
            near(3, "Bo", Trust::New, &["standup"]),
            near(4, "Cy", Trust::Known, &[]),
            near(5, "Ana", Trust::Changed, &[]),
        ],
        meetings: vec![
            NearbyMeeting {
                room: room("standup"),
                people: vec![person(2, "Ana"), person(3, "Bo")],
                addresses: vec![at(2), at(3)],
            },
            NearbyMeeting { room: room("design review"), people: vec![person(6, "Di")], addresses: vec![at(6)] },
        ],
    }
}

impl Bench {
    fn new() -> Self {
        let mut model = Model::new();
        let me = person(1, "Mira");
        let listen = vec!["10.0.0.1:48190".parse().expect("an address")];
        model.on_event(crate::clock::now(), 0, Event::Lobby { me, listen });
        let (lobby, session) = (Lobby::default(), Session::default());
        Self { lobby, model, choices: Choices::default(), session, size: WIDE }
    }

    fn see(&self) -> Simulator<'_, Message> {
        let look = Look::new(self.choices.theme, false, self.choices.text_percent, true);
        let context = Context {
            look,
            choices: &self.choices,
            model: &self.model,
            handle: None,
            size: self.size,
            now: crate::clock::now(),
            scale: 1.0,
            starting: false,
            hidden: !self.choices.announce,
            armed: true,
        };
        let fonts = theme::FONTS.iter().map(|font| (*font).into()).collect();
        let settings = iced::Settings { fonts, default_font: theme::REGULAR, ..iced::Settings::default() };
        Simulator::with_size(settings, self.size, self.lobby.view(context, &self.session))
    }

    fn sees(&self, words: &str) -> bool {
        self.see().find(words).is_ok()
    }

    fn click(&mut self, name: impl Into<String>) -> Vec<Action> {
        let name = name.into();
        let mut see = self.see();
        see.click(id(iced::widget::Id::from(name.clone()))).unwrap_or_else(|_| panic!("{name} is not there"));
        let messages: Vec<Message> = see.into_messages().collect();
        assert!(!messages.is_empty(), "{name} does nothing");
        self.apply(messages)
    }

    fn write(&mut self, field: &'static str, text: &str) {
        let mut see = self.see();
        see.click(id(field)).unwrap_or_else(|_| panic!("{field} is not there"));
        see.typewrite(text);
        let messages: Vec<Message> = see.into_messages().collect();
        assert!(self.apply(messages).is_empty());
    }

    fn apply(&mut self, messages: Vec<Message>) -> Vec<Action> {
        let mut actions = Vec::new();
        for message in messages {
            let mut todo = vec![self.lobby.update(message, &mut self.model, &self.choices)];
            while let Some(action) = todo.pop() {
                match action {
                    Action::None => {}
                    Action::Choose(choices) => self.choices = *choices,
                    Action::Many(all) => todo.extend(all.into_iter().rev()),
                    action => actions.push(action),
                }
            }
        }
        actions
    }
}

fn the_only<T: std::fmt::Debug>(mut all: Vec<T>) -> T {
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn one_click_starts_a_meeting_with_a_name_that_says_whose_it_is() {
    let mut bench = Bench::new();
    let Action::Meet(meet) = the_only(bench.click("start")) else { panic!("no meeting") };
    assert_eq!(meet.room.as_str(), "Mira's meeting");
    assert_eq!((meet.camera, meet.microphone), (false, true), "nobody is seen before they said so");
    // Somebody else has one of this name.
    bench.model.nearby.meetings =
        vec![NearbyMeeting { room: room("mira's MEETING"), people: vec![person(2, "Mira")], addresses: Vec::new() }];
    let Action::Meet(meet) = the_only(bench.click("start")) else { panic!("no meeting") };
    assert_eq!(meet.room.as_str(), "Mira's meeting 2");
}

#[test]
fn a_meeting_can_be_named_and_a_name_that_is_none_is_said() {
    let mut bench = Bench::new();
    bench.lobby.room = Some(String::new());
    bench.write("room", "Retro");
    let Action::Meet(meet) = the_only(bench.click("start")) else { panic!("no meeting") };
    assert_eq!(meet.room.as_str(), "Retro");
    bench.lobby.room = Some("  ".to_owned());
    assert!(matches!(the_only(bench.click("start")), Action::Toast(_)));
}

#[test]
fn one_click_joins_a_meeting_nearby_where_its_people_are() {
    let mut bench = Bench::new();
    bench.model.nearby = company();
    assert!(bench.sees("standup") && bench.sees("2 in") && bench.sees("design review"));
    let Action::Meet(meet) = the_only(bench.click("join-standup")) else { panic!("no meeting") };
    assert_eq!(meet.room.as_str(), "standup");
    let peers: Vec<_> = meet.connect.iter().map(|(_, peer)| *peer).collect();
    assert_eq!(peers, vec![Some(peer(2)), Some(peer(3))]);
}

#[test]
fn people_nearby_are_called_and_sent_files_by_their_key() {
    let mut bench = Bench::new();
    bench.model.nearby = company();
    assert!(bench.sees("verified") || bench.sees("in standup, verified"));
    assert!(bench.sees("4 people nearby"));
    let short = peer(3).short();
    match the_only(bench.click(format!("call-{short}"))) {
        Action::Call(who, name) => assert_eq!((who, name.as_str()), (peer(3).to_string(), "Bo")),
        other => panic!("{other:?}"),
    }
    match the_only(bench.click(format!("drop-{short}"))) {
        Action::PickFiles(to) => assert_eq!(to, vec![peer(3).to_string()]),
        other => panic!("{other:?}"),
    }
    match the_only(bench.click("choose-files")) {
        Action::PickFiles(to) => assert!(to.is_empty(), "the dialog asks whom"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_name_that_was_only_typed_counts_in_the_meeting() {
    let mut bench = Bench::new();
    bench.write("name", " K");
    let done = bench.click("start");
    assert!(matches!(&done[..], [Action::Rename(name), Action::Meet(_)] if name.contains('K')), "{done:?}");
    assert!(matches!(&bench.click("start")[..], [Action::Meet(_)]), "once");
}

#[test]
fn the_name_is_changed_in_its_place() {
    let mut bench = Bench::new();
    bench.write("name", " K");
    assert!(bench.lobby.name.is_some());
    let Action::Rename(name) = the_only(bench.click("name-done")) else { panic!("no name") };
    assert!(name.contains("Mira") && name.contains('K'), "{name}");
    // Nothing was changed, or all was deleted: nothing happens.
    for typed in ["Mira", "  "] {
        bench.lobby.name = Some(typed.to_owned());
        assert!(bench.click("name-done").is_empty());
    }
}

#[test]
fn the_camera_is_off_and_unasked_until_it_is_clicked() {
    let mut bench = Bench::new();
    assert!(bench.sees(words::CAMERA_IS_OFF));
    assert_eq!(bench.lobby.pace(&bench.model, &bench.session), None, "no engine, no camera: nothing moves");
    match the_only(bench.click("camera")) {
        Action::Preview { camera, microphone } => assert_eq!((camera, microphone), (true, false)),
        other => panic!("{other:?}"),
    }
    assert!(bench.choices.camera_on);
    assert_eq!(bench.lobby.pace(&bench.model, &bench.session), Some(Duration::from_secs(1)), "a camera may fail");
    match the_only(bench.click("camera")) {
        Action::Preview { camera, .. } => assert!(!camera),
        other => panic!("{other:?}"),
    }
    assert!(bench.click("microphone").is_empty());
    assert!(!bench.choices.microphone_on);
    // As it was chosen last time: on in meetings, and no picture before it is asked for.
    bench.choices.camera_on = true;
    bench.lobby = Lobby::default();
    assert!(bench.sees(words::CAMERA_WILL_BE_ON));
}

#[test]
fn the_microphone_of_push_to_talk_is_shown_off() {
    let mut bench = Bench::new();
    bench.choices.push_to_talk = true;
    let mut see = bench.see();
    see.click(id("microphone")).expect("it is shown");
    assert_eq!(see.into_messages().count(), 0, "the settings decide it");
}

#[test]
fn a_camera_that_is_not_there_leaves_words_in_its_place() {
    let mut bench = Bench::new();
    bench.click("camera");
    assert!(bench.lobby.camera);
    let message = "No camera was found.".to_owned();
    let trouble = Warning { code: WarningCode::NoCamera, person: None, message, hint: String::new() };
    let Action::Many(done) = bench.lobby.on_troubles(&[trouble]).and(Action::None) else { panic!("nothing") };
    assert!(done.iter().any(|action| matches!(action, Action::Preview { camera: false, .. })), "{done:?}");
    assert!(bench.sees("No camera was found. Plug one in, or choose another in the settings."));
    bench.click("see");
    assert!(!bench.sees("No camera was found. Plug one in, or choose another in the settings."), "another try");
}

#[test]
fn the_pickers_open_with_the_meter_and_remember_what_was_picked() {
    let mut bench = Bench::new();
    let actions = bench.click("devices");
    assert!(matches!(actions.as_slice(), [Action::ListDevices, Action::Preview { camera: false, microphone: true }]));
    let device = |kind, name: &str| Device::new(kind, name, name, false);
    let devices = [device(DeviceKind::Camera, "Desk"), device(DeviceKind::Speaker, "Headset")];
    bench.lobby.on_devices(Devices::new(devices));
    // What a picker shows is drawn by it alone: no test finds it on screen.
    let offered = |bench: &Bench, kind, chosen: &str| -> Vec<String> {
        picks(bench.lobby.devices.as_ref(), kind, chosen).0.iter().map(ToString::to_string).collect()
    };
    assert_eq!(offered(&bench, DeviceKind::Camera, "device"), vec![words::DEFAULT_DEVICE, "Desk", words::NO_DEVICE]);
    let actions = bench.apply(vec![Message::Pick(DeviceKind::Camera, "device:Desk".to_owned())]);
    assert!(matches!(actions.as_slice(), [Action::Preview { .. }]));
    assert_eq!(bench.choices.camera, "device:Desk");
    // Chosen last week, not plugged in today.
    let speakers = offered(&bench, DeviceKind::Speaker, "device:Gone");
    assert_eq!(speakers.last().map(String::as_str), Some("Gone (not plugged in)"));
    let actions = bench.click("devices");
    assert!(matches!(actions.as_slice(), [Action::Preview { camera: false, microphone: false }]));
}

#[test]
fn pickers_follow_what_is_plugged_in_and_keep_what_was_chosen() {
    let mut bench = Bench::new();
    bench.click("devices");
    let camera = |name: &str, id: &str| Device::new(DeviceKind::Camera, name, id, false);
    let (desk, twin, door) =
        (camera("Desk", "/dev/video0"), camera("Desk", "/dev/video2"), camera("Door", "/dev/video4"));
    bench.apply(vec![Message::Pick(DeviceKind::Camera, "device:/dev/video2".to_owned())]);
    let mut check = |there: &[&Device], expect: &[&str], chosen: &str| {
        bench.lobby.on_devices(Devices::new(there.iter().map(|device| (*device).clone())));
        let (all, selected) = picks(bench.lobby.devices.as_ref(), DeviceKind::Camera, &bench.choices.camera);
        let names: Vec<String> = all.iter().map(ToString::to_string).collect();
        let around = [&[words::DEFAULT_DEVICE], expect].concat();
        assert_eq!(
            (names, selected.map(|pick| pick.name)),
            (around.iter().map(ToString::to_string).collect(), Some(chosen.to_owned()))
        );
        assert_eq!(bench.choices.camera, "device:/dev/video2", "nothing chooses but the person");
    };
    let none = words::NO_DEVICE;
    check(&[&desk, &twin], &["Desk", "Desk (2)", none], "Desk (2)");
    check(&[&desk, &twin, &door], &["Desk", "Desk (2)", "Door", none], "Desk (2)");
    check(&[&desk, &door], &["Desk", "Door", none, "/dev/video2 (not plugged in)"], "/dev/video2 (not plugged in)");
    check(&[&twin], &["Desk", none], "Desk");
    check(&[], &[none, "/dev/video2 (not plugged in)"], "/dev/video2 (not plugged in)");
    check(&[&desk, &twin], &["Desk", "Desk (2)", none], "Desk (2)");
}

#[test]
fn when_nobody_is_there_it_says_what_was_checked_and_what_to_do() {
    let mut bench = Bench::new();
    assert!(bench.sees(words::NOBODY) && bench.sees("Nobody nearby yet"));
    bench.model.checkup.found = vec![
        Check::good("interfaces", "eth0 10.0.0.1"),
        Check::bad("multicast", "announcements do not come back.", "Allow it in the firewall."),
        Check::good("firewall", "none was found on this machine"),
    ];
    assert!(bench.sees("Network: eth0 10.0.0.1"));
    assert!(bench.sees("Announcements: announcements do not come back.") && bench.sees("Allow it in the firewall."));
    assert!(matches!(the_only(bench.click("empty-check")), Action::Check));
    assert!(matches!(the_only(bench.click("empty-join")), Action::Open(_)));
    bench.model.nearby = company();
    assert!(!bench.sees(words::NOBODY));
}

#[test]
fn nothing_ticks_while_somebody_is_in_sight_and_the_network_is_looked_at_once() {
    let mut bench = Bench::new();
    let (handle, _engine) = crate::engine::Handle::detached(4);
    bench.session.on_started(handle);
    let pace = |bench: &Bench| bench.lobby.pace(&bench.model, &bench.session);
    let second = Some(Duration::from_secs(1));
    let start = crate::clock::now();
    let tick = |bench: &mut Bench, after: Duration| {
        matches!(bench.lobby.on_tick(start + after, &bench.model, &mut bench.session), Action::Many(all)
            if matches!(all[..], [Action::Check]))
    };
    assert_eq!(pace(&bench), second, "alone: waits for its time to look");
    assert!(!tick(&mut bench, Duration::ZERO));
    bench.model.nearby = company();
    bench.lobby.on_model_changed(&bench.model);
    assert_eq!(pace(&bench), None, "somebody is there");
    // They leave: the wait begins anew.
    bench.model.nearby = Nearby::default();
    bench.lobby.on_model_changed(&bench.model);
    assert_eq!(pace(&bench), second);
    assert!(!tick(&mut bench, ALONE));
    assert!(tick(&mut bench, ALONE * 2));
    assert_eq!(pace(&bench), None, "it was looked at");
}

#[test]
fn an_engine_that_does_not_start_is_a_sentence_with_a_way_on() {
    for (way, name) in [(Way::Settings, Some("way-settings")), (Way::Doctor, Some("way-doctor")), (Way::Again, None)] {
        let mut bench = Bench::new();
        bench.session.on_failed(Trouble::new("The profile cannot be read.", "Mend it.").way(way));
        assert!(bench.sees("The profile cannot be read.") && bench.sees("Mend it.") && bench.sees(words::NOT_RUNNING));
        assert!(!bench.sees(words::NOBODY), "nobody was looked for");
        assert!(matches!(the_only(bench.click("again")), Action::Again));
        if let Some(name) = name {
            let action = the_only(bench.click(name));
            assert!(matches!(action, Action::Settings(true) | Action::Doctor), "{action:?}");
        }
    }
}

#[test]
fn who_is_hidden_is_told_so() {
    let mut bench = Bench::new();
    assert!(!bench.sees(words::HIDDEN));
    bench.choices.announce = false;
    assert!(bench.sees(words::HIDDEN));
    assert!(matches!(the_only(bench.click("hidden-settings")), Action::Settings(true)));
}

#[test]
fn an_offered_file_is_accepted_here() {
    let mut bench = Bench::new();
    let transfer = TransferId::from_u64(7);
    let file = FileEvent {
        transfer,
        person: person(2, "Ana"),
        direction: Direction::In,
        file: FileName::new("plan.pdf"),
        size: 1_500,
        stage: FileStage::Offer,
    };
    bench.model.on_event(crate::clock::now(), 0, Event::File(file));
    assert!(bench.sees("plan.pdf") && bench.sees("1.5 kB") && bench.sees("From Ana"));
    match the_only(bench.click(format!("accept-{transfer}"))) {
        Action::Engine(Command::AcceptFile(id)) => assert_eq!(id, transfer),
        other => panic!("{other:?}"),
    }
    match the_only(bench.click(format!("decline-{transfer}"))) {
        Action::Engine(Command::DeclineFile(id)) => assert_eq!(id, transfer),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_did_not_arrive_is_sent_again_from_here() {
    let mut bench = Bench::new();
    let transfer = TransferId::from_u64(8);
    let path = std::path::PathBuf::from("/tmp/plan.pdf");
    bench.model.transfers.on_offered(&path, [transfer]);
    let event = |stage| FileEvent {
        transfer,
        person: person(2, "Ana"),
        direction: Direction::Out,
        file: FileName::new("plan.pdf"),
        size: 1_500,
        stage,
    };
    bench.model.on_event(crate::clock::now(), 0, Event::File(event(FileStage::Offer)));
    match the_only(bench.click(format!("cancel-{transfer}"))) {
        Action::Engine(Command::CancelFile(id)) => assert_eq!(id, transfer),
        other => panic!("{other:?}"),
    }
    let failed = FileStage::Failed { reason: "link-lost", resumable: true };
    bench.model.on_event(crate::clock::now(), 0, Event::File(event(failed)));
    match the_only(bench.click(format!("again-{transfer}"))) {
        Action::SendFiles(paths, to) => assert_eq!((paths, to), (vec![path], vec![peer(2).to_string()])),
        other => panic!("{other:?}"),
    }
    assert!(bench.click("clear-files").is_empty() && bench.model.transfers.all().is_empty());
}

#[test]
fn a_key_is_compared_or_decided_about_from_its_row() {
    let mut bench = Bench::new();
    bench.model.nearby = company();
    // Bo is new, Cy was met before.
    for n in [3, 4] {
        match bench.click(format!("verify-{}", peer(n).short())).as_slice() {
            [Action::Engine(Command::Words { peer: who }), Action::Open(dialog)] => {
                assert!(*who == peer(n).to_string() && matches!(**dialog, Dialog::Verify(_)));
            }
            other => panic!("{other:?}"),
        }
    }
    // The other Ana has another key than the one that was verified: nothing goes there before that is decided.
    match bench.click(format!("verify-{}", peer(5).short())).as_slice() {
        [Action::Engine(Command::Words { .. }), Action::Open(dialog)] => {
            assert!(matches!(**dialog, Dialog::Changed(_)));
        }
        other => panic!("{other:?}"),
    }
    let there = |name: String| bench.see().find(id(iced::widget::Id::from(name))).is_ok();
    assert!(!there(format!("call-{}", peer(5).short())) && !there(format!("drop-{}", peer(5).short())));
    assert!(!there(format!("verify-{}", peer(2).short())), "verified already");
}

#[test]
fn nothing_leaves_the_window_at_any_size() {
    for (width, height) in [(800.0, 600.0), (1280.0, 800.0), (3840.0, 2160.0)] {
        for percent in [100, 150, 200] {
            for choice in [Choice::Dark, Choice::Light, Choice::Contrast] {
                let mut bench = Bench::new();
                bench.size = iced::Size::new(width, height);
                bench.choices.text_percent = percent;
                bench.choices.theme = choice;
                bench.lobby.pickers = true;
                bench.model.nearby = company();
                bench.model.nearby.people.push(near(9, &"W".repeat(64), Trust::New, &["a long name of a meeting"]));
                bench.model.nearby.people.push(near(10, &"W".repeat(64), Trust::Changed, &[]));
                let (short, changed) = (peer(9).short(), peer(10).short());
                let sure = [format!("verify-{short}"), format!("verify-{changed}")];
                let controls = ["start", "join-by", "room", "name", "settings", "doctor", "devices", "camera"];
                let all = controls.into_iter().map(str::to_owned);
                for name in
                    all.chain(sure).chain([format!("call-{short}"), format!("drop-{short}"), "join-standup".to_owned()])
                {
                    let found = bench.see().find(id(iced::widget::Id::from(name.clone())));
                    let bounds = found.unwrap_or_else(|_| panic!("{name} at {width} and {percent} %")).bounds();
                    assert!(
                        bounds.x >= 0.0 && bounds.x + bounds.width <= width && bounds.width >= 24.0,
                        "{name} stands at {bounds:?} of {width} at {percent} %"
                    );
                }
            }
        }
    }
}

#[test]
fn meetings_of_before_are_one_press_away_until_they_are_forgotten() {
    let mut bench = Bench::new();
    assert!(!bench.sees(words::RECENT));
    let names = ["standup", "retro", &"x".repeat(60), "a", "b", "c"];
    bench.choices.rooms = names.iter().map(|name| (*name).to_owned()).collect();
    bench.model.on_event(crate::clock::now(), 0, Event::Nearby(company()));
    // The one that is on screen below, with who is in it, stands there alone.
    assert!(bench.see().find(id("recent standup")).is_err() && bench.see().find(id("recent c")).is_err());
    let pressed = bench.click("recent retro");
    assert!(matches!(pressed.as_slice(), [Action::Meet(meet)] if meet.room == room("retro")), "{pressed:?}");
    bench.click("forget-rooms");
    assert!(bench.choices.rooms.is_empty() && !bench.sees(words::RECENT));
}

#[test]
fn a_recording_is_stopped_where_it_was_begun() {
    use crate::ui::session::preview::Sound;
    let mut bench = Bench::new();
    bench.click("devices");
    assert!(bench.sees(words::RECORD) && bench.sees(words::TEST) && !bench.sees(words::STOP));
    assert!(matches!(the_only(bench.click("record-sound")), Action::RecordSound));
    let recording = bench.session.sound(Sound::Recording, &bench.choices);
    assert!(bench.sees(words::BEGINNING) && bench.sees(words::STOP) && !bench.sees(words::RECORD));
    assert!(matches!(the_only(bench.click("record-sound")), Action::RecordSound), "the press that stops it");
    let test = bench.session.sound(Sound::Test, &bench.choices);
    assert!(bench.sees(words::RECORD) && bench.sees(words::STOP) && !bench.sees(words::TEST), "one at a time");
    assert!(matches!(the_only(bench.click("test-sound")), Action::TestSound));
    drop((recording, test));
}
