//! The settings as a person meets them: what is pressed and typed, and what is asked of the root.

use iced_test::Simulator;
use iced_test::selector::id;

use super::*;
use crate::id::PeerId;
use crate::meeting::Code;
use crate::share::DisplayName;
use crate::ui::theme::{Choice, Look};

struct Bench {
    settings: Settings,
    model: Model,
    choices: Choices,
    size: iced::Size,
}

fn person(n: u8) -> Person {
    Person { peer: PeerId::from_bytes([n; 32]), name: DisplayName::new(&format!("Person {n}")) }
}

fn interfaces() -> Vec<Interface> {
    let address = |text: &str| text.parse().expect("an address");
    vec![
        Interface { name: "eth0".to_owned(), addresses: vec![address("10.0.0.7"), address("fe80::1")] },
        Interface { name: "wlan0".to_owned(), addresses: vec![address("fe80::2")] },
    ]
}

impl Bench {
    fn new() -> Self {
        let (model, choices) = (Model::new(), Choices::default());
        Self { settings: Settings::new(&choices, &model), model, choices, size: iced::Size::new(1280.0, 800.0) }
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
            hidden: false,
            armed: true,
        };
        Simulator::with_size(iced::Settings::default(), self.size, self.settings.view(context))
    }

    /// Clicks, and does what the root does with choices.
    fn click(&mut self, name: impl Into<String>) -> Vec<Action> {
        let name = name.into();
        let mut see = self.see();
        see.click(id(iced::widget::Id::from(name.clone()))).unwrap_or_else(|_| panic!("{name} is not there"));
        let messages: Vec<Message> = see.into_messages().collect();
        assert!(!messages.is_empty(), "{name} does nothing");
        self.apply(messages)
    }

    fn apply(&mut self, messages: Vec<Message>) -> Vec<Action> {
        let mut actions = Vec::new();
        for message in messages {
            match self.settings.update(message, &self.model, &self.choices) {
                Action::Choose(choices) => self.choices = *choices,
                Action::Many(all) => actions.extend(all),
                Action::None => {}
                action => actions.push(action),
            }
        }
        actions
    }

    /// A rendezvous with a username, interfaces, one's own key, and people of each kind.
    fn set_up(&mut self) {
        self.choices.rendezvous = "meet.example.org".to_owned();
        self.choices.interfaces = vec!["eth0".to_owned(), "wlan1".to_owned()];
        self.model.me = Some(person(1));
        self.model.username = crate::id::Username::new("ana").ok();
        self.settings.on_interfaces(interfaces());
        self.settings.on_own_words(Words::of(person(1).peer));
        let known = |n, trust| KnownPerson { person: person(n), handle: String::new(), trust, verified_ms: None };
        let people = vec![known(2, Trust::Verified), known(3, Trust::Known), known(4, Trust::Changed)];
        self.settings.on_answer(&Command::KnownPeople, &Done::KnownPeople(people));
    }

    fn write(&mut self, field: &'static str, text: &str) {
        let mut see = self.see();
        see.click(id(field)).unwrap_or_else(|_| panic!("{field} is not there"));
        see.typewrite(text);
        let messages = see.into_messages().collect();
        self.apply(messages);
    }
}

#[test]
fn every_section_opens_and_fits_the_smallest_window_with_large_text() {
    for (width, percent) in [(1280.0, 100), (800.0, 100), (800.0, 200)] {
        let mut bench = Bench::new();
        bench.size = iced::Size::new(width, 600.0);
        bench.choices.text_percent = percent;
        for section in Section::ALL {
            let (name, ..) = section.words();
            bench.settings.section = section;
            let mut see = bench.see();
            let close = see.find(id("close")).expect("a way out").bounds();
            assert!(close.x + close.width <= width, "{name} at {width} and {percent} %: {close:?}");
        }
        bench.set_up();
        let known = |word: &str, n: u8| format!("{word} {}", person(n).peer);
        let controls = [
            (Section::Profile, vec!["username".to_owned(), "claim-name".to_owned(), "release-name".to_owned()]),
            (Section::Network, ["interfaces-all", "interface-eth0", "interface-wlan1"].map(str::to_owned).to_vec()),
            (
                Section::Keys,
                vec![
                    "copy-words".to_owned(),
                    "copy-key".to_owned(),
                    known("verify", 3),
                    known("forget", 3),
                    known("verify", 4),
                ],
            ),
        ];
        for (section, names) in controls {
            bench.settings.section = section;
            for name in names {
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

fn the_only<T: std::fmt::Debug>(mut all: Vec<T>) -> T {
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn failure(code: Code, message: &str) -> Failure {
    Failure::new(code, message, "")
}

#[test]
fn a_username_is_claimed_and_given_back() {
    let mut bench = Bench::new();
    bench.see().find(words::USERNAME_NEEDS).expect("says what is missing");
    assert!(matches!(the_only(bench.click("set-rendezvous")), Action::ListInterfaces));
    bench.see().find(id("rendezvous")).expect("where one is set");
    bench.choices.rendezvous = "meet.example.org".to_owned();
    bench.click("section-profile");
    // One message for each key, as the field keeps its own value here.
    bench.apply(vec![Message::Username(username::Message::Typed("ana".to_owned()))]);
    let Action::Engine(command) = the_only(bench.click("claim-name")) else { panic!("no claim") };
    assert_eq!(command, Command::Claim("ana".to_owned()));
    bench.see().find(words::ASKING).expect("it is under way");

    assert!(bench.settings.on_failure(&command, &failure(Code::NameTaken, "Taken.")));
    bench.see().find(words::taken("ana").as_str()).expect("says so");
    assert!(bench.settings.on_failure(&command, &failure(Code::RendezvousUnreachable, "It does not answer.")));
    let said = format!("It does not answer. {}", words::SERVICE_HOW);
    bench.see().find(said.as_str()).expect("says so, and what to do");
    assert!(!bench.settings.on_failure(&Command::State, &failure(Code::Internal, "Else.")), "that is said elsewhere");

    let name = crate::id::Username::new("ana").expect("a name");
    bench.settings.on_answer(&command, &Done::Claimed(name.clone()));
    bench.see().find(words::is_yours("ana").as_str()).expect("says so");
    bench.model.username = Some(name.clone());
    bench.see().find(words::is_yours("@ana").as_str()).expect("it stays to be seen");
    let mut see = bench.see();
    see.click(id("claim-name")).expect("there");
    assert_eq!(see.into_messages().count(), 0, "it is ours");
    let Action::Engine(command) = the_only(bench.click("release-name")) else { panic!("no release") };
    assert_eq!(command, Command::Release("ana".to_owned()));
    bench.settings.on_answer(&command, &Done::Released(name));
    bench.model.username = None;
    bench.see().find(words::given_back("ana").as_str()).expect("says so");
}

#[test]
fn interfaces_are_chosen_by_click_and_without_one_it_is_all_of_them() {
    let mut bench = Bench::new();
    assert!(matches!(the_only(bench.click("section-network")), Action::ListInterfaces));
    bench.see().find(words::INTERFACES_COMING).expect("says that it looks");
    bench.settings.on_interfaces(interfaces());
    bench.see().find("eth0 (10.0.0.7)").expect("with its address");
    bench.click("interface-wlan0");
    bench.click("interface-eth0");
    assert_eq!(bench.choices.interfaces, ["wlan0", "eth0"]);
    bench.click("interface-wlan0");
    assert_eq!(bench.choices.interfaces, ["eth0"]);
    bench.click("interfaces-all");
    assert!(bench.choices.interfaces.is_empty());
    bench.choices.interfaces = vec!["wlan1".to_owned()];
    bench.see().find(words::interface_gone("wlan1").as_str()).expect("still to be seen");
    bench.click("interface-wlan1");
    assert!(bench.choices.interfaces.is_empty(), "the last one is not taken away from nothing");
}

#[test]
fn keys_are_shown_compared_and_forgotten() {
    let mut bench = Bench::new();
    bench.model.me = Some(person(1));
    let asked = bench.click("section-keys");
    assert!(matches!(asked[..], [Action::Engine(Command::KnownPeople), Action::OwnWords]));
    bench.set_up();
    let words = Words::of(person(1).peer);
    for word in words.iter() {
        bench.see().find(word).expect("a word of ours");
    }
    assert!(matches!(the_only(bench.click("copy-words")), Action::Copy(text, _) if text == words.to_string()));
    assert!(matches!(the_only(bench.click("copy-key")), Action::Copy(text, _) if text == person(1).peer.to_string()));

    let changed = format!("{}, {}", person(4).peer.short(), words::CHANGED);
    bench.see().find(changed.as_str()).expect("says what is wrong");
    match bench.click(format!("verify {}", person(3).peer)).as_slice() {
        [Action::Engine(Command::Words { .. }), Action::Open(dialog)] => {
            assert!(matches!(**dialog, dialog::Dialog::Verify(_)));
        }
        other => panic!("{other:?}"),
    }
    match bench.click(format!("verify {}", person(4).peer)).as_slice() {
        [Action::Engine(Command::Words { .. }), Action::Open(dialog)] => {
            assert!(matches!(**dialog, dialog::Dialog::Changed(_)));
        }
        other => panic!("{other:?}"),
    }
    let verified = iced::widget::Id::from(format!("verify {}", person(2).peer));
    assert!(bench.see().find(id(verified)).is_err(), "nothing is left to do");
    let Action::Engine(command) = the_only(bench.click(format!("forget {}", person(2).peer))) else { panic!("kept") };
    // The list is asked for once that is done, not before.
    let then = bench.settings.on_answer(&command, &Done::Ok);
    assert!(matches!(then, Action::Engine(Command::KnownPeople)));
    assert!(matches!(bench.settings.on_answer(&Command::State, &Done::Ok), Action::None));
}

#[test]
fn a_theme_and_a_text_size_are_chosen_by_click() {
    let mut bench = Bench::new();
    bench.click("section-appearance");
    bench.click("theme-light");
    bench.click("text-150");
    bench.click("reduced-motion");
    assert_eq!((bench.choices.theme, bench.choices.text_percent), (Choice::Light, 150));
    assert!(bench.choices.reduced_motion);
}

#[test]
fn half_an_address_is_not_used() {
    let mut bench = Bench::new();
    bench.click("section-network");
    bench.write("rendezvous", "not a host#zz");
    bench.see().find(words::RENDEZVOUS_WRONG).expect("said what is wrong");
    bench.apply(vec![Message::ApplyNetwork]);
    assert_eq!(bench.choices.rendezvous, "");
    bench.settings.rendezvous = "meet.example.org".to_owned();
    bench.write("port", "5000x");
    bench.click("apply-network");
    assert_eq!((bench.choices.rendezvous.as_str(), bench.choices.port), ("meet.example.org", Some(5000)));
}

#[test]
fn devices_are_asked_for_and_tried_out() {
    use crate::engine::devices::{Device, Kind};
    let devices = Devices::new([Device::new(Kind::Microphone, "Headset", "hw:1", true)]);
    let mut bench = Bench::new();
    bench.click("section-devices");
    bench.see().find(words::LOOKING).expect("says that it looks");
    bench.settings.on_devices(devices);
    assert!(matches!(bench.click("test-sound")[..], [Action::TestSound]));
}

#[test]
fn a_device_chosen_in_a_meeting_is_used_at_once() {
    let mut bench = Bench::new();
    let room = crate::id::RoomName::new("x").expect("a name");
    bench.model.enter(crate::clock::now(), room);
    let chosen = Choices { microphone: "device:Headset".to_owned(), ..bench.choices.clone() };
    let actions = bench.apply(vec![Message::Choose(Box::new(chosen))]);
    let [Action::Choose(_), Action::Engine(Command::Microphone { source: Some(source), .. })] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(source.to_string(), "device:Headset");
    // A camera that is chosen while it is off is the one that comes on later.
    let chosen = Choices { camera: "device:Desk".to_owned(), ..bench.choices.clone() };
    let actions = bench.apply(vec![Message::Choose(Box::new(chosen))]);
    let desk = spec::Camera::Device(spec::DeviceChoice::Name("Desk".to_owned()));
    let command = Command::Camera { on: false, source: Some(desk) };
    assert!(matches!(&actions[..], [Action::Choose(_), Action::Engine(told)] if *told == command), "{actions:?}");
}

#[test]
fn the_voice_is_processed_as_chosen_at_once_and_later() {
    use spec::voice::{Change, Noise, Sources, Voice};
    let mut bench = Bench::new();
    assert_eq!(bench.choices.voice(), Voice::ON);
    bench.click("section-voice");
    bench.click("noise-strong");
    assert_eq!(bench.choices.voice(), Voice { noise: Noise::Strong, ..Voice::ON });
    bench.model.enter(crate::clock::now(), crate::id::RoomName::new("x").expect("a name"));
    let command = |actions: &[Action]| match actions {
        [Action::Choose(_), Action::Engine(Command::Voice { change, sources: Sources::Devices })] => *change,
        other => panic!("{other:?}"),
    };
    let (echo, before) = (bench.click("echo"), bench.choices.clone());
    assert_eq!(command(&echo), Voice { echo: false, noise: Noise::Strong, gain: true }.into());
    assert!(before.echo, "a choice in a meeting comes with its command");
    let original = bench.click("original-sound");
    assert_eq!(command(&original), Change::from(Voice::OFF));
    bench.choices.original_sound = true;
    assert!(bench.see().find(id("echo")).is_err(), "there is nothing to choose");
}

#[test]
fn push_to_talk_mutes_at_once() {
    let mut bench = Bench::new();
    bench.model.enter(crate::clock::now(), crate::id::RoomName::new("x").expect("a name"));
    let settings = &mut bench.model.meeting.as_mut().expect("a meeting").settings;
    (settings.microphone, settings.microphone_on) = (spec::Microphone::Tone, true);
    let chosen = Choices { push_to_talk: true, ..bench.choices.clone() };
    let actions = bench.apply(vec![Message::Choose(Box::new(chosen.clone()))]);
    let off = |source| Command::Microphone { on: false, source };
    let [Action::Choose(_), Action::Engine(command)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(*command, off(None));
    // Another microphone with it: it is taken, and silent.
    let chosen = Choices { microphone: "device:Headset".to_owned(), ..chosen };
    bench.choices.push_to_talk = false;
    let actions = bench.apply(vec![Message::Choose(Box::new(chosen))]);
    let [Action::Choose(_), Action::Engine(command)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(*command, off("device:Headset".parse().ok()));
    // Switched off again it opens nothing.
    bench.choices.push_to_talk = true;
    let chosen = Choices { push_to_talk: false, ..bench.choices.clone() };
    assert!(bench.apply(vec![Message::Choose(Box::new(chosen))]).is_empty());
}

#[test]
fn a_limit_for_video_and_files_without_a_question_can_be_chosen_and_taken_back() {
    let mut bench = Bench::new();
    bench.settings.section = Section::Video;
    bench.click("most-video-600");
    assert_eq!(bench.choices.most_video, Some(600_000));
    bench.click("most-video-none");
    assert_eq!(bench.choices.most_video, None);
    bench.settings.section = Section::Privacy;
    assert!(!bench.choices.accept_verified);
    let told = bench.click("accept-verified");
    let privacy = Command::Privacy { files: crate::meeting::Accept::Verified, silence_unknown: false };
    let [Action::Choose(chosen), Action::Engine(command)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(*command, privacy, "what runs obeys at once");
    bench.choices = (**chosen).clone();
    assert!(bench.choices.accept_verified && bench.see().find(words::FILES_ASK_OTHERS).is_ok());
    let told = bench.click("accept-verified");
    let privacy = Command::Privacy { files: crate::meeting::Accept::Ask, silence_unknown: false };
    assert!(matches!(&told[..], [Action::Choose(_), Action::Engine(command)] if *command == privacy), "{told:?}");
}
