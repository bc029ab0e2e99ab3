//! The settings as a person meets them: what is pressed and typed, and what is asked of the root.

use iced_test::Simulator;
use iced_test::selector::id;

use super::*;
use crate::ui::theme::{Choice, Look};

struct Bench {
    settings: Settings,
    model: Model,
    choices: Choices,
    size: iced::Size,
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
        };
        Simulator::with_size(iced::Settings::default(), self.size, self.settings.view(context))
    }

    /// Clicks, and does what the root does with choices.
    fn click(&mut self, name: &'static str) -> Vec<Action> {
        let mut see = self.see();
        see.click(id(name)).unwrap_or_else(|_| panic!("{name} is not there"));
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
    }
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
fn devices_are_chosen_by_name_and_an_unplugged_one_stays_chosen() {
    use crate::engine::devices::{Device, Kind};
    let devices = Devices::new([
        Device::new(Kind::Camera, "Integrated camera", "video0", true),
        Device::new(Kind::Microphone, "Headset", "hw:1", true),
    ]);
    let (all, selected) = sections::choice_of(&devices, Kind::Camera, "device:Gone");
    assert_eq!(all.len(), 4);
    assert_eq!(selected.expect("still chosen").to_string(), "Gone");
    let mut bench = Bench::new();
    bench.click("section-devices");
    bench.see().find(words::LOOKING).expect("says that it looks");
    bench.settings.on_devices(devices);
    bench.see().find(words::HEADPHONES).expect("advises headphones");
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
