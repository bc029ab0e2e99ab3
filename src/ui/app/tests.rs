//! The whole window as a picture, in each theme: `tests/snapshots` holds what people looked at and found good. Where the
//! looks are meant to change, `LETS_MEET_SNAPSHOTS=accept cargo test snapshots` writes them anew; look at each.

mod flows;

use std::path::{Path, PathBuf};

use iced::advanced::renderer::{self, Headless as _};
use iced::futures::future::{self, BoxFuture};
use iced::mouse;
use iced_test::runtime::UserInterface;
use iced_test::runtime::user_interface::Cache;

use super::*;
use crate::id::{CallId, PeerId, RoomName};
use crate::media::{TrackInfo, TrackKind};
use crate::meeting::{Direction, FileEvent, FileStage, Nearby, NearbyMeeting, NearbyPerson, Person, Trust};
use crate::share::{DisplayName, FileName};
use crate::stats::{Kinds, Link, Peer, Rates, Stats};
use crate::ui::action::Meet;
use crate::ui::choices::Panel;
use crate::ui::theme;

/// A pixel is another one from this difference of a channel on, of 255.
const OTHER: u8 = 24;
/// So many of a thousand pixels may be other ones: processors round differently at the edges of letters.
const MOST_OTHER: usize = 2;

/// An engine that never comes up.
#[derive(Debug)]
struct Nothing;

impl super::super::Launcher for Nothing {
    fn launch(&self, _: &Choices, _: Goal) -> BoxFuture<'static, Result<Handle, Trouble>> {
        Box::pin(future::pending())
    }

    fn rename(&self, _: &DisplayName) -> Result<(), Trouble> {
        Ok(())
    }

    fn is_hidden(&self, _: &Choices) -> bool {
        false
    }

    fn handed_over(&self) -> BoxFuture<'static, Option<handover::Message>> {
        Box::pin(future::pending())
    }

    fn stopped(&self) -> BoxFuture<'static, ()> {
        Box::pin(future::pending())
    }
}

fn person(n: u8, name: &str) -> Person {
    Person { peer: PeerId::from_bytes([n; 32]), name: DisplayName::new(name) }
}

fn room(name: &str) -> RoomName {
    RoomName::new(name).expect("a room")
}

struct Bench {
    app: App,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(theme: theme::Choice, meet: Option<Meet>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let choices = Choices { theme, reduced_motion: true, ..Choices::default() };
        let start = Start {
            profile: folder.path().to_owned(),
            remembered: choices.clone(),
            choices,
            launcher: Arc::new(Nothing),
            meet,
            link: None,
            map: None,
        };
        let (app, _) = App::new(Arc::new(start));
        Self { app, folder }
    }

    fn lobby(theme: theme::Choice) -> Self {
        let mut bench = Self::new(theme, None);
        let listen = vec!["10.0.0.1:48190".parse().expect("an address")];
        bench.event(Event::Lobby { me: person(5, "Mira"), listen });
        bench
    }

    fn meeting(theme: theme::Choice) -> Self {
        let meet = Meet {
            room: room("standup"),
            connect: Vec::new(),
            invite: None,
            camera: false,
            microphone: true,
            call: None,
        };
        let mut bench = Self::new(theme, Some(meet));
        bench.app.model.me = Some(person(5, "Mira"));
        for (n, name) in [(0, "Ana"), (1, "Bo"), (2, "Cy")] {
            bench.event(Event::Joined(person(n, name)));
        }
        bench
    }

    fn event(&mut self, event: Event) {
        let generation = self.app.session.generation();
        let _ = self.app.update(Message::Event(generation, Box::new(event)));
    }

    fn panel(&mut self, panel: Panel) {
        let _ = self.app.perform(Action::ShowPanel(panel));
    }

    fn rates(&mut self) {
        let kinds = |scale: u64| Kinds {
            audio: 40_000 * scale,
            video: 800_000 * scale,
            file: 0,
            chat: 900,
            control: 9_000,
            total: 849_900 * scale,
        };
        let link = Link { rtt_ms: Some(1.2), loss: Some(0.0), jitter_ms: Some(0.1), ..Link::default() };
        let peers = (0..3).map(|n| (PeerId::from_bytes([n; 32]), Peer { link: link.clone(), ..Peer::default() }));
        for scale in [1, 3, 2, 4, 3, 5, 2, 3] {
            let rates = Rates { sent: kinds(scale), received: kinds(scale + 1) };
            self.event(Event::Stats(Box::new(Stats { rates, peers: peers.clone().collect(), ..Stats::default() })));
        }
    }

    /// Red, green, blue and opacity of each pixel.
    fn pixels(&mut self) -> (Size<u32>, Vec<u8>) {
        // The clock in the top bar stands.
        if let Some(meeting) = &self.app.model.meeting {
            self.app.now = meeting.since;
        }
        for font in theme::FONTS {
            let mut fonts = iced_test::renderer::graphics::text::font_system().write().expect("nobody panicked");
            fonts.load_font(font.into());
        }
        let size = self.app.size;
        let new = iced::Renderer::new(theme::REGULAR, 16.into(), Some("tiny-skia"));
        let mut renderer = iced::futures::executor::block_on(new).expect("a renderer without a display");
        let looks = self.app.look().iced();
        let mut all = UserInterface::build(self.app.view(), size, Cache::default(), &mut renderer);
        let mut messages = Vec::new();
        let redraw = iced::Event::Window(window::Event::RedrawRequested(clock::now()));
        let nowhere = mouse::Cursor::Unavailable;
        let mut clipboard = iced::advanced::clipboard::Null;
        let _ = all.update(&[redraw], nowhere, &mut renderer, &mut clipboard, &mut messages);
        let style = renderer::Style { text_color: looks.palette().text };
        all.draw(&mut renderer, &looks, &style, nowhere);
        let size = Size::new(size.width as u32, size.height as u32);
        let bytes = renderer.screenshot(size, 1.0, looks.palette().background);
        (size, bytes)
    }
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(format!("{name}.png"))
}

fn write(path: &Path, size: Size<u32>, bytes: &[u8]) {
    let file = std::fs::File::create(path).expect("a file");
    let mut encoder = png::Encoder::new(std::io::BufWriter::new(file), size.width, size.height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_compression(png::Compression::High);
    encoder.write_header().and_then(|mut writer| writer.write_image_data(bytes)).expect("written");
}

fn read(path: &Path) -> (Size<u32>, Vec<u8>) {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().expect("a PNG");
    let mut bytes = vec![0; reader.output_buffer_size().expect("of a known size")];
    let info = reader.next_frame(&mut bytes).expect("a picture");
    (Size::new(info.width, info.height), bytes)
}

fn compare(name: &str, bench: &mut Bench) {
    let (size, bytes) = bench.pixels();
    let path = file(name);
    if std::env::var_os("LETS_MEET_SNAPSHOTS").is_some_and(|word| word == "accept") {
        write(&path, size, &bytes);
    }
    let (kept_size, kept) = read(&path);
    assert_eq!(size, kept_size, "{name}");
    let pairs = bytes.as_chunks::<4>().0.iter().zip(kept.as_chunks::<4>().0);
    let other = pairs.filter(|(a, b)| a.iter().zip(*b).any(|(a, b)| a.abs_diff(*b) > OTHER)).count();
    let seen = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp").join(format!("{name}.png"));
    if other * 1000 > MOST_OTHER * kept.len() / 4 {
        std::fs::create_dir_all(seen.parent().expect("a folder")).expect("a folder");
        write(&seen, size, &bytes);
        panic!("{other} pixels of {name} are others: hold {} beside {}", seen.display(), path.display());
    }
}

const THEMES: [(theme::Choice, &str); 3] =
    [(theme::Choice::Dark, "dark"), (theme::Choice::Light, "light"), (theme::Choice::Contrast, "contrast")];

fn in_each_theme(name: &str, make: impl Fn(theme::Choice) -> Bench) {
    for (theme, word) in THEMES {
        compare(&format!("{name}-{word}"), &mut make(theme));
    }
}

#[test]
fn snapshots_of_the_lobby() {
    in_each_theme("lobby", |theme| {
        let mut bench = Bench::lobby(theme);
        let near = |n: u8, name: &str, trust, rooms: &[&str]| NearbyPerson {
            person: person(n, name),
            handle: name.to_owned(),
            trust,
            rooms: rooms.iter().map(|name| room(name)).collect(),
            addresses: Vec::new(),
        };
        let people = vec![
            near(0, "Ana", Trust::Verified, &["standup"]),
            near(1, "Bo", Trust::New, &["standup"]),
            near(2, "Cy", Trust::Changed, &[]),
        ];
        let here = vec![person(0, "Ana"), person(1, "Bo")];
        let meetings = vec![NearbyMeeting { room: room("standup"), people: here, addresses: Vec::new() }];
        bench.event(Event::Nearby(Nearby { people, meetings }));
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
        let mut transfer = |number, direction, name: &str, stage| {
            let transfer = crate::id::TransferId::from_u64(number);
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
        bench.panel(Panel::Files);
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
fn snapshots_of_a_ring_over_the_settings() {
    in_each_theme("ring", |theme| {
        let mut bench = Bench::lobby(theme);
        let _ = bench.app.perform(Action::Settings(true));
        let section = settings::Message::Section(settings::Section::Appearance);
        let _ = bench.app.update(Message::Settings(section));
        let call = CallId::from_u64(1);
        bench.event(Event::Ring { call, from: person(1, "Bo"), trust: Trust::New, room: room("call") });
        // It has rung for a while.
        bench.app.now += dialog::incoming::ARMED * 2;
        bench
    });
}

#[test]
fn choices_are_written_in_the_order_in_which_they_were_made() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut bench = Bench::new(theme::Choice::Dark, None);
    let writes: Vec<_> = [125, 150, 175]
        .into_iter()
        .map(|text_percent| {
            let choices = Choices { text_percent, ..bench.app.choices.clone() };
            bench.app.session.save(&bench.app.start, &choices)
        })
        .collect();
    // The last one first.
    for write in writes.into_iter().rev() {
        let stream = iced_test::runtime::task::into_stream(write).expect("it does something");
        let _: Vec<_> = runtime.block_on(iced::futures::StreamExt::collect(stream));
    }
    assert_eq!(Choices::load(bench.folder.path()).text_percent, 175);
}

/// What is on screen.
fn sees(bench: &Bench, words: &str) -> bool {
    let fonts = theme::FONTS.iter().map(|font| (*font).into()).collect();
    let settings = iced::Settings { fonts, default_font: theme::REGULAR, ..iced::Settings::default() };
    iced_test::Simulator::with_size(settings, bench.app.size, bench.app.view()).find(words).is_ok()
}

fn answer(bench: &mut Bench, command: Command, result: Result<Done, Failure>) {
    let generation = bench.app.session.generation();
    let _ = bench.app.update(Message::Answered(generation, Box::new((command, result))));
}

#[test]
fn a_claimed_username_is_remembered_and_one_that_was_lost_is_not() {
    use crate::meeting::Code;
    let mut bench = Bench::lobby(theme::Choice::Dark);
    let (claim, name) = (Command::Claim("ana".to_owned()), crate::id::Username::new("ana").expect("a name"));
    answer(&mut bench, claim.clone(), Ok(Done::Claimed(name.clone())));
    assert_eq!(bench.app.choices.username, "ana");
    // No service, no verdict: the name stays.
    let away = Failure::new(Code::RendezvousUnreachable, "It does not answer.", "");
    answer(&mut bench, claim.clone(), Err(away));
    assert_eq!(bench.app.choices.username, "ana");
    assert!(!sees(&bench, "It does not answer."), "the engine says that by a warning");
    let taken = Failure::new(Code::NameTaken, "Username already taken.", "");
    answer(&mut bench, claim, Err(taken));
    assert_eq!(bench.app.choices.username, "");
    assert!(sees(&bench, &text::settings::taken_since("ana")) && sees(&bench, text::lobby::OPEN_SETTINGS));
    answer(&mut bench, Command::Claim("bo".to_owned()), Ok(Done::Claimed(name.clone())));
    answer(&mut bench, Command::Release("ana".to_owned()), Ok(Done::Released(name)));
    assert_eq!(bench.app.choices.username, "");
}

#[test]
fn a_meeting_that_is_refused_for_its_username_leads_to_the_settings() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    let name = crate::id::Username::new("ana").expect("a name");
    let trouble = Trouble::from(crate::engine::Error::NameTaken(name));
    let generation = bench.app.session.generation();
    let _ = bench.app.update(Message::Started(generation, Err(trouble)));
    assert!(matches!(bench.app.screen, Screen::Lobby(_)));
    assert!(sees(&bench, text::settings::taken_since("ana").trim()) && sees(&bench, text::lobby::OPEN_SETTINGS));
    let _ = bench.app.perform(notices::perform(crate::ui::toast::Does::Settings));
    assert!(sees(&bench, text::settings::USERNAME), "the page where another one is chosen");
}
