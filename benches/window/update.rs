//! What the window's own code costs on its one thread, for each thing that happens in a busy meeting: nine tiles, 2,000
//! lines of chat, a file on its way. Without a display: no pixel is drawn, and tiles show initials. An engine that is heard by
//! nobody stands behind it, or the window would show that it is still starting.

use std::io::{Error, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use iced::advanced::clipboard;
use iced::advanced::renderer::{Headless as _, Style};
use iced::futures::executor::block_on;
use iced::futures::future::{self, BoxFuture};
use iced::{Event as Happening, mouse, window};
use iced_test::runtime::UserInterface;
use iced_test::runtime::user_interface::Cache;
use lets_meet::clock::now;
use lets_meet::config::Profile;
use lets_meet::engine::{self, Handle, LobbyConfig};
use lets_meet::id::{Instance, PeerId, RoomName, TransferId};
use lets_meet::identity::Identity;
use lets_meet::meeting::{
    Audience, ConversationId, Direction, Event, FileEvent, FileStage, MessageId, Person, Settings,
};
use lets_meet::mesh::Visibility;
use lets_meet::share::{ChatText, DisplayName, FileName};
use lets_meet::stats::{Kinds, Link, Peer, Rates, Stats};
use lets_meet::ui::action::Meet;
use lets_meet::ui::app::{App, Message};
use lets_meet::ui::choices::{Choices, Panel};
use lets_meet::ui::session::{Goal, Trouble};
use lets_meet::ui::{Launcher, Start, theme};
use lets_meet::{endpoint, handover, platform};

use crate::{Figure, Goal as Target};

const OTHERS: u8 = 9;
const LINES: u64 = 2_000;
const SECONDS: u64 = 20;

#[derive(Debug)]
struct NoEngine;

impl Launcher for NoEngine {
    fn launch(&self, _: &Choices, _: Goal) -> BoxFuture<'static, std::result::Result<Handle, Trouble>> {
        Box::pin(future::pending())
    }

    fn rename(&self, _: &DisplayName) -> std::result::Result<(), Trouble> {
        Ok(())
    }

    fn is_hidden(&self, _: &Choices) -> bool {
        true
    }

    fn handed_over(&self) -> BoxFuture<'static, Option<handover::Message>> {
        Box::pin(future::pending())
    }

    fn stopped(&self) -> BoxFuture<'static, ()> {
        Box::pin(future::pending())
    }
}

fn person(n: u8) -> Person {
    Person { peer: PeerId::from_bytes([n; 32]), name: DisplayName::new(&format!("Person {n}")) }
}

fn event(event: Event) -> Message {
    // The first engine.
    Message::Event(1, Box::new(event))
}

fn line(number: u64) -> Message {
    let from = person(u8::try_from(number % u64::from(OTHERS)).unwrap_or(0));
    let conversation = ConversationId::from_bytes([0; 16]);
    let id = MessageId { author: from.peer, instance: Instance::from_u64(1), conversation, counter: number };
    let words = format!("Line {number}, about as long as what people write to each other in a meeting, on average.");
    let text = ChatText::new(&words).expect("a line");
    event(Event::Chat { id, from, text, to: Audience::Room, sent_at: 1_700_000_000_000 + number * 1_000, late: false })
}

fn file(stage: FileStage) -> Message {
    let (transfer, file) = (TransferId::from_u64(1), FileName::new("dataset.tar"));
    event(Event::File(FileEvent {
        transfer,
        person: person(1),
        direction: Direction::Out,
        file,
        size: 1_000_000_000,
        stage,
    }))
}

fn stats(second: u64) -> Message {
    let kinds = Kinds {
        audio: 40_000,
        video: 900_000 + second * 10_000,
        file: 50_000_000,
        chat: 100,
        control: 9_000,
        total: 52_000_000,
    };
    let link = Link { rtt_ms: Some(1.0), loss: Some(0.0), jitter_ms: Some(0.1), ..Link::default() };
    let peers = (0..OTHERS).map(|n| (person(n).peer, Peer { link: link.clone(), ..Peer::default() })).collect();
    event(Event::Stats(Box::new(Stats { rates: Rates { sent: kinds, received: kinds }, peers, ..Stats::default() })))
}

/// What happens in a second: thirty pictures, ten steps of the file, a line, figures, the clock.
fn second(number: u64) -> Vec<Message> {
    let mut all = vec![line(LINES + number), stats(number), Message::Tick(now())];
    all.extend((0..30).map(|_| Message::Pictures));
    let done = |step| FileStage::Progress {
        done: (number * 10 + step) * 1_000_000,
        rate: Some(98_000_000),
        eta_ms: Some(3_900),
    };
    all.extend((0..10).map(|step| file(done(step))));
    all
}

/// An engine on this machine alone, of which nobody knows.
async fn engine(folder: &Path) -> Result<Handle> {
    let profile = Profile::open(Some(folder.to_owned())).map_err(Error::other)?;
    let identity = Identity::load_or_create(profile.dir()).map_err(Error::other)?;
    let config = LobbyConfig {
        profile,
        identity: Arc::new(identity),
        name: DisplayName::new("Bench"),
        endpoint: endpoint::Config { port: Some(0), interfaces: vec![platform::LOOPBACK.to_owned()] },
        connect: Vec::new(),
        visibility: Visibility::Hidden,
        rendezvous: None,
        settings: Settings::default(),
        download_dir: folder.to_owned(),
    };
    engine::lobby(config).await.map_err(Error::other)
}

pub fn measure() -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let handle = runtime.block_on(engine(folder.path()))?;
    let choices = Choices { panel: Some(Panel::Chat), ..Choices::default() };
    let room = RoomName::new("bench").map_err(Error::other)?;
    let meet = Meet { room, connect: Vec::new(), invite: None, camera: false, microphone: true, call: None };
    let start = Start {
        profile: folder.path().to_owned(),
        remembered: choices.clone(),
        choices,
        launcher: Arc::new(NoEngine),
        meet: Some(meet),
        link: None,
        remark: None,
        map: None,
    };
    let (mut app, _) = App::new(Arc::new(start));
    let _ = app.update(Message::Started(1, Ok(handle.clone())));
    for n in 0..OTHERS {
        let _ = app.update(event(Event::Joined(person(n))));
    }
    for number in 0..LINES {
        let _ = app.update(line(number));
    }
    let _ = app.update(file(FileStage::Offer));
    let _ = app.update(file(FileStage::Accepted));
    for font in theme::FONTS {
        let fonts = iced_test::renderer::graphics::text::font_system();
        fonts.write().expect("nobody panicked").load_font(font.into());
    }
    let renderer = block_on(iced::Renderer::new(theme::REGULAR, 16.into(), Some("tiny-skia")));
    let mut renderer = renderer.ok_or_else(|| Error::other("no renderer"))?;
    let size = iced::Size::new(1280.0, 800.0);
    let last =
        format!("Line {}, about as long as what people write to each other in a meeting, on average.", LINES - 1);
    let mut seen = iced_test::Simulator::with_size(iced::Settings::default(), size, app.view());
    if seen.find(last.as_str()).is_err() || seen.find("Person 8").is_err() {
        return Err(Error::other("the meeting that is to be measured is not on screen"));
    }
    drop(seen);
    let (mut own, mut whole) = (Vec::new(), Vec::new());
    let mut cache = Cache::default();
    for number in 0..SECONDS {
        for message in second(number) {
            let since = now();
            let _ = app.update(message);
            let view = app.view();
            own.push(since.elapsed());
            let mut all = UserInterface::build(view, size, cache, &mut renderer);
            let redraw = Happening::Window(window::Event::RedrawRequested(now()));
            let (nowhere, mut clipboard) = (mouse::Cursor::Unavailable, clipboard::Null);
            let _ = all.update(&[redraw], nowhere, &mut renderer, &mut clipboard, &mut Vec::new());
            all.draw(&mut renderer, &app.look().iced(), &Style { text_color: iced::Color::WHITE }, nowhere);
            whole.push(since.elapsed());
            cache = all.into_cache();
        }
    }
    runtime.block_on(handle.leave());
    let figure = |name, times: &mut Vec<Duration>| {
        times.sort();
        let value = times[times.len() * 95 / 100].as_secs_f64() * 1e3;
        Figure { name, value, unit: "ms", goal: Target::AtMost(8.0) }
    };
    Ok(vec![
        figure("update and view, 9 tiles and 2,000 lines, 95th percentile", &mut own),
        figure("the same with layout and the list of what to draw", &mut whole),
    ])
}
