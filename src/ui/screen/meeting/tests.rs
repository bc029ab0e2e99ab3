//! The meeting as a person meets it: events in, clicks and keys, what is seen and what is asked of the root.

use iced_test::Simulator;
use iced_test::selector::id;

use super::*;
use crate::av::spec::DeviceChoice;
use crate::id::RoomName;
use crate::media::{TrackInfo, TrackKind};
use crate::meeting::{Event, Person};
use crate::share::{DisplayName, Emoji};
use crate::ui::text::meeting as words;
use crate::ui::theme::Look;

fn person(n: u8, name: &str) -> Person {
    Person { peer: PeerId::from_bytes([n; 32]), name: DisplayName::new(name) }
}

struct Bench {
    screen: Screen,
    model: Model,
    choices: Choices,
    size: Size,
    now: Instant,
}

impl Bench {
    /// Alone in a meeting.
    fn new() -> Self {
        let choices = Choices::default();
        let mut model = Model::new();
        let now = crate::clock::now();
        let room = RoomName::new("standup").expect("a room");
        model.enter(now, room.clone());
        model.me = Some(person(99, "Me"));
        let meet = crate::ui::action::Meet {
            room,
            connect: Vec::new(),
            invite: None,
            camera: choices.camera_on,
            microphone: choices.microphone_on,
            call: None,
        };
        let screen = Screen::new(&choices, &meet);
        Self { screen, model, choices, size: Size::new(1280.0, 800.0), now }
    }

    /// With these others.
    fn with(names: &[&str]) -> Self {
        let mut bench = Self::new();
        for (name, n) in names.iter().zip(1..) {
            bench.event(Event::Joined(person(n, name)));
        }
        bench
    }

    fn event(&mut self, event: Event) -> Vec<Action> {
        self.model.on_event(self.now, 0, event);
        let action = self.screen.on_model_changed(&mut self.model, self.now);
        self.keep(action)
    }

    fn see(&self) -> Simulator<'_, Message> {
        let look = Look::new(self.choices.theme, false, self.choices.text_percent, !self.choices.reduced_motion);
        let context = Context {
            look,
            choices: &self.choices,
            model: &self.model,
            handle: None,
            size: self.size,
            now: self.now,
            scale: 1.0,
            starting: false,
            hidden: false,
            armed: true,
        };
        Simulator::with_size(iced::Settings::default(), self.size, self.screen.view(context))
    }

    fn shows(&self, words: &str) -> bool {
        self.see().find(words).is_ok()
    }

    /// What is left to do for the root: choices are kept here.
    fn keep(&mut self, action: Action) -> Vec<Action> {
        match action {
            Action::None => Vec::new(),
            Action::Choose(choices) => {
                self.choices = *choices;
                Vec::new()
            }
            Action::Many(all) => all.into_iter().flat_map(|action| self.keep(action)).collect(),
            action => vec![action],
        }
    }

    fn apply(&mut self, messages: Vec<Message>) -> Vec<Action> {
        let mut all = Vec::new();
        for message in messages {
            let action = self.screen.update(message, &mut self.model, &self.choices, self.now);
            all.extend(self.keep(action));
        }
        all
    }

    fn click(&mut self, name: &str) -> Vec<Action> {
        let mut see = self.see();
        see.click(id(name.to_owned())).unwrap_or_else(|_| panic!("{name} is not there"));
        let messages: Vec<Message> = see.into_messages().collect();
        assert!(!messages.is_empty(), "{name} does nothing");
        self.apply(messages)
    }

    fn key(&mut self, shortcut: Shortcut) -> Vec<Action> {
        let action = self.screen.on_shortcut(shortcut, &mut self.model, &self.choices, self.now);
        self.keep(action)
    }

    fn commands(actions: Vec<Action>) -> Vec<Command> {
        let command = |action| match action {
            Action::Engine(command) => command,
            other => panic!("{other:?} is no command"),
        };
        actions.into_iter().map(command).collect()
    }

    fn pace(&self) -> Option<Duration> {
        self.screen.pace(&self.model, &self.choices, self.now)
    }

    fn meeting(&mut self) -> &mut Meeting {
        self.model.meeting.as_mut().expect("a meeting")
    }
}

#[test]
fn a_camera_that_was_never_opened_is_opened_as_chosen() {
    let mut bench = Bench::with(&["Ana"]);
    let source = spec::Camera::Device(DeviceChoice::Default);
    let commands = Bench::commands(bench.click("camera"));
    assert_eq!(commands, [Command::Camera { on: true, source: Some(source.clone()) }]);
    let settings = &mut bench.meeting().settings;
    (settings.camera, settings.camera_on) = (source, true);
    assert_eq!(Bench::commands(bench.key(Shortcut::Camera)), [Command::Camera { on: false, source: None }]);
    bench.meeting().settings.camera_on = false;
    assert_eq!(Bench::commands(bench.key(Shortcut::Camera)), [Command::Camera { on: true, source: None }]);
    // Nothing is chosen: the way to choose is shown.
    bench.meeting().settings.camera = spec::Camera::None;
    bench.choices.camera = "none".to_owned();
    let asked = bench.click("camera");
    assert!(matches!(&asked[..], [Action::Toast(toast)] if toast.words == words::NO_CAMERA), "{asked:?}");
}

#[test]
fn the_microphone_is_on_while_space_is_held() {
    let mut bench = Bench::with(&["Ana"]);
    let settings = &mut bench.meeting().settings;
    settings.microphone = spec::Microphone::Tone;
    settings.microphone_on = false;
    assert!(bench.shows(words::UNMUTE));
    let on = |on| [Command::Microphone { on, source: None }];
    assert_eq!(Bench::commands(bench.key(Shortcut::Talk)), on(true));
    assert!(bench.shows(words::TALKING));
    assert!(bench.key(Shortcut::Talk).is_empty());
    assert_eq!(Bench::commands(bench.key(Shortcut::Quiet)), on(false));
    assert!(bench.key(Shortcut::Quiet).is_empty());
    // A microphone that is on stays on.
    bench.meeting().settings.microphone_on = true;
    assert!(bench.key(Shortcut::Talk).is_empty() && bench.key(Shortcut::Quiet).is_empty());
    assert_eq!(Bench::commands(bench.click("microphone")), on(false));
}

#[test]
fn a_second_press_means_the_other_way_before_the_first_is_answered() {
    let mut bench = Bench::with(&["Ana"]);
    let settings = &mut bench.meeting().settings;
    (settings.microphone, settings.microphone_on) = (spec::Microphone::Tone, true);
    let microphone = |on| [Command::Microphone { on, source: None }];
    assert_eq!(Bench::commands(bench.click("microphone")), microphone(false));
    assert_eq!(Bench::commands(bench.key(Shortcut::Microphone)), microphone(true));
    assert_eq!(Bench::commands(bench.key(Shortcut::Microphone)), microphone(false));
    // Two quick words by the space bar.
    for _ in 0..2 {
        assert_eq!(Bench::commands(bench.key(Shortcut::Talk)), microphone(true));
        assert_eq!(Bench::commands(bench.key(Shortcut::Quiet)), microphone(false));
    }
    let source = spec::Camera::Device(DeviceChoice::Default);
    let opened = [Command::Camera { on: true, source: Some(source) }];
    assert_eq!(Bench::commands(bench.click("camera")), opened);
    assert_eq!(Bench::commands(bench.click("camera")), [Command::Camera { on: false, source: None }]);
}

#[test]
fn a_switch_that_was_refused_goes_back() {
    let mut bench = Bench::with(&["Ana"]);
    let fail = |bench: &mut Bench, commands: Vec<Command>| {
        assert_eq!(commands.len(), 1);
        bench.screen.on_failure(&commands[0], &mut bench.model);
    };
    let settings = &mut bench.meeting().settings;
    (settings.microphone, settings.microphone_on) = (spec::Microphone::Tone, true);
    let before = settings.clone();
    for name in ["microphone", "camera"] {
        let commands = Bench::commands(bench.click(name));
        assert_ne!(bench.meeting().settings, before, "{name}");
        fail(&mut bench, commands);
        assert_eq!(bench.meeting().settings, before, "{name}");
    }
    // What was chosen elsewhere is told by the state.
    let other = Command::Camera { on: true, source: Some(spec::Camera::Device(DeviceChoice::Index(1))) };
    fail(&mut bench, vec![other]);
    assert_eq!(bench.meeting().settings, before);
}

#[test]
fn hands_have_their_place_and_reactions_are_seen_for_a_moment() {
    let mut bench = Bench::with(&["Ana", "Bo"]);
    assert_eq!(Bench::commands(bench.click("hand")), [Command::Hand { up: true }]);
    let (me, bo) = (person(99, "Me"), person(2, "Bo"));
    bench.event(Event::Hand { person: bo.clone(), up: true, order: vec![bo, me] });
    assert!(bench.shows("1") && bench.shows("2"));
    assert_eq!(Bench::commands(bench.key(Shortcut::Hand)), [Command::Hand { up: false }]);
    bench.click("react");
    let commands = Bench::commands(bench.click("react-👏"));
    assert_eq!(commands, [Command::React { emoji: "👏".to_owned() }]);
    assert!(bench.see().find(id("react-👏")).is_err(), "the menu closed");
    assert_eq!(bench.pace(), Some(Duration::from_secs(1)));
    bench.event(Event::Reaction { person: person(1, "Ana"), emoji: Emoji::new("🎉").expect("an emoji") });
    assert!(bench.shows("🎉"));
    assert_eq!(bench.pace(), Some(Duration::from_millis(TICK_MS)));
    bench.now += Duration::from_secs(4);
    assert!(!bench.shows("🎉"));
    assert_eq!(bench.pace(), Some(Duration::from_secs(1)));
}

#[test]
fn with_reduced_motion_a_reaction_stands_still_and_is_gone_in_time() {
    let mut bench = Bench::with(&["Ana"]);
    let height = |bench: &Bench| bench.see().find("🎉").expect("the reaction").bounds().y;
    bench.event(Event::Reaction { person: person(1, "Ana"), emoji: Emoji::new("🎉").expect("an emoji") });
    let before = height(&bench);
    bench.now += Duration::from_secs(2);
    assert!(height(&bench) < before, "it floats up");
    bench.choices.reduced_motion = true;
    let before = height(&bench);
    bench.now += Duration::from_millis(500);
    assert!((height(&bench) - before).abs() < f32::EPSILON, "it stands");
    assert_eq!(bench.pace(), Some(Duration::from_millis(250)), "no faster than it takes to go in time");
}

#[test]
fn the_badge_of_security_shows_the_people_and_their_links_in_words() {
    let mut bench = Bench::with(&["Ana"]);
    let ana = person(1, "Ana").peer;
    let stats = crate::stats::Peer {
        link: crate::stats::Link { rtt_ms: Some(12.0), loss: Some(0.021), ..crate::stats::Link::default() },
        ..crate::stats::Peer::default()
    };
    let stats = crate::stats::Stats { peers: [(ana, stats)].into(), ..crate::stats::Stats::default() };
    bench.event(Event::Stats(Box::new(stats)));
    let figures = words::link(Some(12.0), Some(0.021));
    assert!(!bench.shows(&figures), "only under the mouse");
    assert!(bench.click("security").is_empty());
    assert_eq!(bench.screen.panel, Some(Panel::People));
    assert!(bench.shows(&figures));
    // It shows and never hides.
    bench.click("security");
    assert_eq!(bench.screen.panel, Some(Panel::People));
}

#[test]
fn a_double_click_pins_and_another_one_lets_go() {
    let mut bench = Bench::with(&["Ana", "Bo", "Cy"]);
    let tile = format!("tile-{}", person(3, "Cy").peer);
    let double = |bench: &mut Bench| {
        let mut see = bench.see();
        see.click(id(tile.clone())).expect("the tile");
        see.click(id(tile.clone())).expect("the tile");
        let messages = see.into_messages().collect();
        bench.apply(messages);
    };
    double(&mut bench);
    assert_eq!(bench.screen.shown, Shown::Pinned(person(3, "Cy").peer));
    let large = bench.see().find(id(tile.clone())).expect("the tile").bounds();
    assert!(large.width > 800.0, "{large:?}");
    double(&mut bench);
    assert_eq!(bench.screen.shown, Shown::Grid);
    // Keys: who spoke last is pinned, a grid, back.
    bench.apply(vec![Message::Speaking([Some(person(2, "Bo").peer)].into())]);
    bench.key(Shortcut::Pinned);
    assert_eq!(bench.screen.shown, Shown::Pinned(person(2, "Bo").peer));
    bench.key(Shortcut::Grid);
    bench.key(Shortcut::Pinned);
    assert_eq!(bench.screen.shown, Shown::Pinned(person(2, "Bo").peer));
    bench.click("layout-speaker");
    assert_eq!((bench.screen.shown, bench.choices.layout), (Shown::Speaker, Layout::Speaker));
}

#[test]
fn who_speaks_is_large_until_it_is_silent_and_somebody_else_speaks() {
    let mut bench = Bench::with(&["Ana", "Bo", "Cy"]);
    let peer = |n| PeerId::from_bytes([n; 32]);
    bench.key(Shortcut::Speaker);
    let featured = |bench: &Bench| bench.screen.featured(bench.model.meeting.as_ref().expect("a meeting"));
    assert_eq!(featured(&bench), Some(peer(1)));
    bench.apply(vec![Message::Speaking([Some(peer(2))].into())]);
    assert_eq!(featured(&bench), Some(peer(2)));
    bench.apply(vec![Message::Speaking([Some(peer(1)), Some(peer(2)), None].into())]);
    assert_eq!(featured(&bench), Some(peer(2)));
    bench.apply(vec![Message::Speaking([].into())]);
    assert_eq!(featured(&bench), Some(peer(2)));
    bench.apply(vec![Message::Speaking([Some(peer(3))].into())]);
    assert_eq!(featured(&bench), Some(peer(3)));
    bench.event(Event::Left { person: person(3, "Cy"), reason: crate::meeting::LeftReason::Goodbye });
    assert_eq!(featured(&bench), Some(peer(1)));
}

#[test]
fn tiles_say_who_it_is_and_that_a_link_is_silent() {
    let mut bench = Bench::with(&["Ana", "গৌরব"]);
    assert!(bench.shows("Ana") && bench.shows("গৌরব") && bench.shows(words::YOU));
    bench.event(Event::Reconnecting { person: person(1, "Ana"), after_ms: 2000 });
    assert!(bench.shows(words::RECONNECTING));
    bench.event(Event::Reconnected { person: person(1, "Ana"), after_ms: 2500 });
    assert!(!bench.shows(words::RECONNECTING));
    bench.event(Event::Renamed(person(1, "Anna")));
    assert!(bench.shows("Anna") && !bench.shows("Ana"));
}

#[test]
fn alone_one_sees_how_others_get_here() {
    let mut bench = Bench::new();
    let ready = |bench: &Bench| Event::Ready {
        me: person(99, "Me"),
        room: bench.model.meeting.as_ref().expect("a meeting").room.clone(),
        listen: Vec::new(),
    };
    let event = ready(&bench);
    assert_eq!(Bench::commands(bench.event(event)), [Command::Invite]);
    let event = ready(&bench);
    assert!(bench.event(event).is_empty(), "it is asked for once");
    let room = RoomName::new("standup").expect("a room");
    let address = "10.0.0.7:48190".parse().expect("an address");
    let invite = crate::invite::Invite::new(room, person(99, "Me").peer, &[address], None);
    assert!(bench.screen.on_invited(&invite));
    assert!(bench.shows(words::ALONE) && bench.shows(&invite.to_string()) && bench.shows(&invite.short()));
    let copied = bench.click(invite::COPY_LINK);
    assert!(matches!(&copied[..], [Action::Copy(text, _)] if *text == invite.to_string()), "{copied:?}");
    bench.event(Event::Joined(person(1, "Ana")));
    assert!(!bench.shows(words::ALONE));
    bench.event(Event::Left { person: person(1, "Ana"), reason: crate::meeting::LeftReason::Goodbye });
    assert!(bench.shows(words::ALL_LEFT) && bench.shows(&invite.short()));
    bench.event(Event::Joined(person(1, "Ana")));
    // With company it is in the menu, and comes as a dialog.
    bench.click("more");
    assert_eq!(Bench::commands(bench.click("invite")), [Command::Invite]);
    assert!(!bench.screen.on_invited(&invite));
}

#[test]
fn panels_open_by_button_tab_and_key_and_close_by_escape() {
    let mut bench = Bench::with(&["Ana"]);
    bench.click("panel-people");
    assert_eq!((bench.screen.panel, bench.choices.panel), (Some(Panel::People), Some(Panel::People)));
    assert!(bench.see().find(id("own-tile")).is_ok(), "the stage is still there");
    bench.click("tab-files");
    bench.key(Shortcut::Chat);
    assert_eq!(bench.screen.panel, Some(Panel::Chat));
    bench.screen.menu = Some(Menu::More);
    bench.key(Shortcut::Escape);
    assert_eq!((bench.screen.menu, bench.screen.panel), (None, Some(Panel::Chat)));
    bench.key(Shortcut::Escape);
    assert_eq!((bench.screen.panel, bench.choices.panel), (None, None));
    // In a narrow window the panel covers the stage.
    bench.size = Size::new(800.0, 600.0);
    bench.click("panel-chat");
    assert!(bench.see().find(id("own-tile")).is_err());
    bench.click("close-panel");
    assert!(bench.see().find(id("own-tile")).is_ok());
}

#[test]
fn the_own_tile_can_be_hidden_and_shown_again() {
    let mut bench = Bench::with(&["Ana"]);
    bench.apply(vec![Message::OverOwn(true)]);
    bench.click("hide-own");
    assert!(!bench.choices.own_tile && bench.see().find(id("own-tile")).is_err());
    bench.click("more");
    bench.click("own-tile-switch");
    assert!(bench.choices.own_tile && bench.see().find(id("own-tile")).is_ok());
}

#[test]
fn pictures_are_asked_for_as_they_are_drawn() {
    let mut bench = Bench::with(&["Ana"]);
    let ana = person(1, "Ana");
    let info = TrackInfo { kind: TrackKind::Camera, on: true, width: 640, height: 360, codec: "h264".to_owned() };
    bench.event(Event::Track { person: ana.clone(), info });
    let small = BTreeMap::from([(Key::camera(ana.peer), PixelSize { width: 200, height: 112 })]);
    assert!(bench.apply(vec![Message::Drawn(small)]).is_empty(), "it may get larger in a moment");
    assert_eq!(bench.pace(), Some(Duration::from_millis(250)));
    bench.now += Duration::from_secs(2);
    let action = bench.screen.on_tick(&bench.model, bench.now);
    let commands = Bench::commands(bench.keep(action));
    let (track, size) = (Some(TrackKind::Camera), crate::media::View::Small);
    assert_eq!(commands, [Command::View { peer: ana.peer.to_string(), track, size }]);
    // The page of figures lies over them and says how they come in: they must go on coming.
    bench.key(Shortcut::Stats);
    bench.apply(vec![Message::Stats(crate::ui::panel::stats::Message::Expand(true))]);
    let hidden = bench.apply(vec![Message::Drawn(BTreeMap::new())]);
    bench.now += Duration::from_secs(60);
    let action = bench.screen.on_tick(&bench.model, bench.now);
    assert!(Bench::commands(hidden).is_empty() && Bench::commands(bench.keep(action)).is_empty());
}

#[test]
fn a_volume_is_set_by_keys_and_by_pointer() {
    let mut bench = Bench::with(&["Ana"]);
    bench.key(Shortcut::People);
    let peer = person(1, "Ana").peer;
    let commands = Bench::commands(bench.click(&format!("volume-{peer}")));
    assert!(matches!(&commands[..], [Command::Volume { .. }, ..] | []), "{commands:?}");
    let loud = vec![Message::People(people::Message::Volume(peer, 9.0))];
    assert_eq!(Bench::commands(bench.apply(loud)), [Command::Volume { peer: peer.to_string(), value: 2.0 }]);
    assert!(bench.shows("200 %"));
    let asked = bench.click(&format!("verify-{peer}"));
    assert!(matches!(&asked[..], [Action::Engine(Command::Words { .. }), Action::Open(_)]), "{asked:?}");
}

#[test]
fn everything_fits_the_smallest_window_with_large_text_and_long_names() {
    let long = "Wolfeschlegelsteinhausenbergerdorff Hubert Blaine the Elder";
    for (width, height, percent) in
        [(800.0, 600.0, 100), (800.0, 600.0, 200), (1280.0, 800.0, 200), (3840.0, 2160.0, 100)]
    {
        let mut bench = Bench::with(&[long, long, "Ana", "Bo"]);
        (bench.size, bench.choices.text_percent) = (Size::new(width, height), percent);
        bench.screen.menu = Some(Menu::More);
        let menu = bench.see().find(id("more-grid")).expect("the menu").bounds();
        assert!(menu.y >= 0.0 && menu.x >= 0.0 && menu.x + menu.width <= width, "{menu:?} at {width} {percent} %");
        bench.screen.menu = None;
        for panel in [None, Some(Panel::Chat), Some(Panel::People)] {
            bench.screen.panel = panel;
            let controls = ["microphone", "camera", "hand", "react", "more", "leave", "layout-speaker", "people-count"];
            let more = if panel.is_some() { vec!["close-panel", "tab-stats"] } else { vec!["own-tile"] };
            let mut seen: Vec<(String, iced::Rectangle)> = Vec::new();
            for name in controls.into_iter().chain(more) {
                let bounds = bench.see().find(id(name)).unwrap_or_else(|_| panic!("{name} at {width}")).bounds();
                let inside = bounds.x >= 0.0
                    && bounds.y >= 0.0
                    && bounds.x + bounds.width <= width
                    && bounds.y + bounds.height <= height;
                assert!(
                    inside && bounds.width > 8.0 && bounds.height > 8.0,
                    "{name} at {width} {percent} %: {bounds:?}"
                );
                for (other, place) in &seen {
                    assert!(place.intersection(&bounds).is_none(), "{name} lies over {other} at {width} {percent} %");
                }
                seen.push((name.to_owned(), bounds));
            }
        }
    }
}

#[test]
fn sharing_asks_what_and_is_seen_until_it_is_stopped() {
    let mut bench = Bench::with(&["Ana"]);
    let asks = |actions: &[Action]| matches!(actions, [Action::ListScreens, Action::Open(dialog)] if matches!(**dialog, Dialog::Share));
    assert!(asks(&bench.click("share")) && asks(&bench.key(Shortcut::Share)));
    assert!(!bench.shows(words::STOP_SHARING));
    let screen = crate::engine::devices::Device::new(crate::engine::devices::Kind::Screen, "Desk", "display:0", true);
    bench.model.screens = Some(vec![screen]);
    let settings = &mut bench.meeting().settings;
    (settings.screen, settings.screen_on) = (spec::Screen::Display(Some(0)), true);
    assert!(bench.shows(&words::sharing("Desk")));
    let stop = [Command::Screen { on: false, source: None }];
    assert_eq!(Bench::commands(bench.click("stop-sharing")), stop);
    assert_eq!(Bench::commands(bench.key(Shortcut::Share)), stop);
    // In a narrow window it is in the menu.
    bench.size = Size::new(640.0, 480.0);
    bench.screen.menu = Some(Menu::More);
    assert_eq!(Bench::commands(bench.click("share")), stop);
}

#[test]
fn a_shared_screen_takes_the_stage_and_is_asked_for() {
    let mut bench = Bench::with(&["Ana", "Bo"]);
    let [ana, bo] = [1, 2].map(|n| person(n, if n == 1 { "Ana" } else { "Bo" }));
    let track = |on| TrackInfo { kind: TrackKind::Screen, on, width: 1920, height: 1080, codec: "h264".into() };
    bench.event(Event::Track { person: bo.clone(), info: track(true) });
    assert!(bench.shows(&words::shared_by("Bo")));
    let place = |bench: &Bench, name: String| {
        let mut see = bench.see();
        see.find(id(name.clone())).unwrap_or_else(|_| panic!("{name} is not there")).bounds()
    };
    let (screen, tile) = (place(&bench, format!("shared-{}", bo.peer)), place(&bench, format!("tile-{}", bo.peer)));
    assert!(screen.width > tile.width * 2.0, "people stand beside it as a strip");
    // A pin of somebody else goes before it, a pin of its owner does not.
    bench.apply(vec![Message::Pin(ana.peer)]);
    assert!(!bench.shows(&words::shared_by("Bo")));
    bench.apply(vec![Message::Pin(bo.peer)]);
    assert!(bench.shows(&words::shared_by("Bo")));
    // Large on screen, it is asked for large, also when its owner's camera is off.
    let large = PixelSize { width: 1000, height: 600 };
    bench.apply(vec![Message::Drawn(BTreeMap::from([(Key::screen(bo.peer), large)]))]);
    bench.now += Duration::from_secs(5);
    let now = bench.now;
    let action = bench.screen.on_tick(&bench.model, now);
    let asked: Vec<Command> = Bench::commands(bench.keep(action));
    assert_eq!(asked, []);
    bench.event(Event::Track { person: bo, info: track(false) });
    assert!(!bench.shows(&words::shared_by("Bo")));
}
