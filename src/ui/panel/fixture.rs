//! A meeting to look at, for tests.

use std::time::{Duration, Instant};

use iced::Size;

use crate::clock;
use crate::id::{Instance, PeerId, RoomName, TransferId};
use crate::meeting::{Audience, ConversationId, Direction, Event, FileEvent, FileStage, MessageId, Person};
use crate::share::{ChatText, DisplayName, FileName};
use crate::stats::{Kinds, Latency, Link, Peer, Rates, Stats, Video};
use crate::ui::app::Context;
use crate::ui::choices::Choices;
use crate::ui::model::Model;
use crate::ui::theme::Look;
use crate::ui::when::TEST_NOON;

/// Everything that a view reads.
pub struct Fixture {
    pub model: Model,
    pub choices: Choices,
    pub look: Look,
    pub size: Size,
    now: Instant,
    lines: u64,
}

pub fn person(number: u8, name: &str) -> Person {
    Person { peer: PeerId::from_bytes([number; 32]), name: DisplayName::new(name) }
}

pub fn transfer(number: u64) -> TransferId {
    TransferId::from_u64(number)
}

impl Fixture {
    /// A meeting with Ana, Bo and Cy.
    pub fn new() -> Self {
        let now = clock::now();
        let mut model = Model::new();
        model.me = Some(person(5, "Yosef"));
        model.enter(now, RoomName::new("standup").expect("a name"));
        let mut fixture = Self {
            model,
            choices: Choices::default(),
            look: Look::default(),
            size: Size::new(320.0, 664.0),
            now,
            lines: 0,
        };
        for (number, name) in [(0, "Ana"), (1, "Bo"), (2, "Cy")] {
            fixture.event(Event::Joined(person(number, name)));
        }
        fixture
    }

    pub fn context(&self) -> Context<'_> {
        Context {
            look: self.look,
            choices: &self.choices,
            model: &self.model,
            handle: None,
            size: Size::new(1280.0, 800.0),
            now: self.now,
            scale: 1.0,
            starting: false,
            hidden: false,
            armed: true,
        }
    }

    pub fn event(&mut self, event: Event) {
        self.now += Duration::from_millis(10);
        self.model.on_event(self.now, TEST_NOON, event);
    }

    pub fn id(&mut self) -> MessageId {
        self.lines += 1;
        let conversation = ConversationId::from_bytes([0; 16]);
        MessageId { author: person(0, "Ana").peer, instance: Instance::from_u64(1), conversation, counter: self.lines }
    }

    /// Somebody says something, so many minutes ago.
    pub fn says(&mut self, from: Person, words: &str, to: Audience, minutes: u64) {
        let id = self.id();
        let text = ChatText::new(words).expect("a line");
        let sent_at = TEST_NOON - minutes * 60_000;
        self.event(Event::Chat { id, from, text, to, sent_at, late: false });
    }

    /// We say something, as the engine would answer.
    pub fn say(&mut self, words: &str, to: &[String]) -> MessageId {
        let id = self.id();
        let meeting = self.model.meeting.as_mut().expect("a meeting");
        meeting.on_said(TEST_NOON, id, words.to_owned(), to);
        id
    }

    pub fn file(&mut self, number: u64, person: Person, direction: Direction, name: &str, stage: FileStage) {
        let file = FileName::new(name);
        let size = 1_200_000_000;
        self.event(Event::File(FileEvent { transfer: transfer(number), person, direction, file, size, stage }));
    }

    /// What the picture of the design shows.
    pub fn conversation(&mut self) {
        let (ana, bo) = (person(0, "Ana"), person(1, "Bo"));
        let me = self.model.me.clone().expect("oneself");
        self.says(ana.clone(), "Morning! Slides are in Files.", Audience::Room, 9);
        self.says(ana.clone(), "Shall we start with the mesh numbers?", Audience::Room, 9);
        self.says(bo.clone(), "Yes. Sending the raw data now.", Audience::Room, 8);
        self.file(1, bo.clone(), Direction::In, "dataset.tar", FileStage::Offer);
        self.file(1, bo.clone(), Direction::In, "dataset.tar", FileStage::Accepted);
        let progress = FileStage::Progress { done: 768_000_000, rate: Some(98_000_000), eta_ms: Some(3_900) };
        self.file(1, bo.clone(), Direction::In, "dataset.tar", progress);
        self.file(
            2,
            bo,
            Direction::In,
            "notes with a rather long name, 2026-11-22, final, really.pdf",
            FileStage::Offer,
        );
        self.says(ana.clone(), "Can you take the second half?", Audience::People(vec![me]), 1);
        let id = self.say("Sure 👍", &[ana.peer.to_string()]);
        self.event(Event::Delivered { id, to: vec![ana] });
        self.says(
            person(2, "李小龙"),
            "你好，世界。 こんにちは。 مرحبا بالعالم، كيف حالكم؟ আপনি কেমন আছেন? 👩‍👩‍👧‍👦 🇧🇩 ❤️ https://example.org/a",
            Audience::Room,
            0,
        );
        self.say("Everybody gets this one.", &[]);
    }

    /// Five minutes of figures.
    pub fn figures(&mut self) {
        for second in 0..300_u64 {
            let wave = |period: u64, size: u64| size + size * (second % period).min(period - second % period) / period;
            let kinds = |scale: u64| {
                let (audio, video, file) = (wave(17, 40_000), wave(60, 1_400_000 * scale), wave(90, 700_000));
                let (chat, control) = (wave(5, 900), wave(11, 9_000));
                Kinds { audio, video, chat, file, control, total: audio + video + chat + file + control }
            };
            let peer = |rtt: f64, loss: f64| Peer {
                link: Link {
                    rtt_ms: Some(rtt),
                    loss: Some(loss),
                    jitter_ms: Some(rtt / 2.0),
                    sent_bps: Some(800_000),
                    received_bps: Some(2_100_000),
                    ..Link::default()
                },
                video: Some(Video {
                    width: Some(640),
                    height: Some(360),
                    fps: Some(29.9),
                    latency_ms: Latency::of(&[18.0]),
                    layer: Some("360p".to_owned()),
                    ..Video::default()
                }),
                ..Peer::default()
            };
            let peers = [(person(0, "Ana").peer, peer(0.8, 0.0)), (person(1, "Bo").peer, peer(14.0, 0.021))];
            let rates = Rates { sent: kinds(1), received: kinds(3) };
            let stats = Stats { rates, peers: peers.into_iter().collect(), ..Stats::default() };
            self.event(Event::Stats(Box::new(stats)));
        }
    }
}

/// A simulator of `view` with the fonts of the window.
pub fn simulate<'a, Message>(fixture: &Fixture, view: iced::Element<'a, Message>) -> iced_test::Simulator<'a, Message> {
    let settings = iced::Settings {
        fonts: crate::ui::theme::FONTS.into_iter().map(Into::into).collect(),
        default_font: crate::ui::theme::REGULAR,
        ..iced::Settings::default()
    };
    iced_test::Simulator::with_size(settings, fixture.size, view)
}
