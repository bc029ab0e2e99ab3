//! The stage with several people, and the words in its corner, as pictures.

use super::pictures::in_each_theme;
use super::*;
use crate::id::TransferId;
use crate::media::{TrackInfo, TrackKind};
use crate::meeting::{Direction, FileEvent, FileStage, LeftReason};
use crate::share::FileName;
use crate::ui::choices::Layout;

const SIX: [(u8, &str); 6] =
    [(0, "Ana"), (1, "Bo"), (2, "Cy"), (3, "Dagny Holm"), (4, "Ellis"), (6, "Filippa von Unruh-Westerholt")];

/// What is said where the pictures of the window broke off.
const PAINTER: &str = "Pictures in the window stopped by a defect of this program and were started again. If one stays away, \
                       ask for that camera to be switched off and on, and report it.";

/// In a meeting with six others: one speaks, one has a hand up, most are heard.
fn crowd(theme: theme::Choice) -> Bench {
    let mut bench = Bench::alone(theme);
    let voice = |on| TrackInfo { kind: TrackKind::Microphone, on, width: 0, height: 0, codec: "opus".to_owned() };
    for (n, name) in SIX {
        bench.event(Event::Joined(person(n, name)));
        bench.event(Event::Track { person: person(n, name), info: voice(n != 4) });
    }
    let ellis = person(4, "Ellis");
    bench.event(Event::Hand { person: ellis.clone(), up: true, order: vec![ellis] });
    bench.rates();
    let speaking = [Some(person(1, "Bo").peer)].into();
    bench.stage(meeting::Message::Speaking(speaking));
    bench
}

impl Bench {
    fn stage(&mut self, message: meeting::Message) {
        let _ = self.app.update(Message::Meeting(message));
    }

    fn quiet(mut self) -> Self {
        self.app.toasts = Toasts::default();
        self
    }
}

#[test]
fn snapshots_of_six_people_in_a_grid() {
    in_each_theme("grid", |theme| crowd(theme).quiet());
}

#[test]
fn snapshots_of_who_speaks_in_the_large_tile() {
    in_each_theme("speaker", |theme| {
        let mut bench = crowd(theme);
        bench.stage(meeting::Message::Layout(Layout::Speaker));
        bench.quiet()
    });
}

#[test]
fn snapshots_of_who_is_pinned_beside_the_chat() {
    in_each_theme("pinned", |theme| {
        let mut bench = crowd(theme);
        bench.stage(meeting::Message::Pin(person(3, "Dagny Holm").peer));
        bench.panel(Panel::Chat);
        bench.quiet()
    });
}

#[test]
fn snapshots_of_the_words_in_the_corner() {
    in_each_theme("toasts", |theme| {
        let mut bench = Bench::meeting(theme).quiet();
        let (ana, bo) = (person(0, "Ana"), person(1, "Bo"));
        bench.says(ana, "Can you see the second slide?", Audience::Room, TEST_NOON);
        let (transfer, file) = (TransferId::from_u64(1), FileName::new("dataset.tar"));
        let mut offer = FileEvent {
            transfer,
            person: bo,
            direction: Direction::In,
            file,
            size: 1_200_000_000,
            stage: FileStage::Offer,
        };
        bench.event(Event::File(offer.clone()));
        let (message, hint) = ("The camera Integrated camera does not work: it is gone.", "Plug it in again.");
        let (message, hint) = (message.to_owned(), hint.to_owned());
        let code = WarningCode::SourceFailed;
        bench.event(Event::Warning(Warning { code, person: None, message, hint }));
        offer.transfer = TransferId::from_u64(2);
        offer.stage = FileStage::Failed { reason: "hash-mismatch", resumable: false };
        bench.event(Event::File(offer));
        bench
    });
}

#[test]
fn snapshots_of_the_words_in_the_corner_without_a_button() {
    in_each_theme("toasts-plain", |theme| {
        let mut bench = Bench::meeting(theme).quiet();
        let (ana, bo) = (person(0, "Ana"), person(1, "Bo"));
        bench.event(Event::Left { person: ana, reason: LeftReason::Goodbye });
        let (transfer, file) = (TransferId::from_u64(1), FileName::new("slides.pdf"));
        let stage = FileStage::Declined;
        let file = FileEvent { transfer, person: bo, direction: Direction::Out, file, size: 9, stage };
        bench.event(Event::File(file));
        let mut preview = crate::engine::preview::Preview::start(None, None);
        preview.pictures().break_off();
        for warning in preview.troubles() {
            bench.event(Event::Warning(warning));
        }
        assert!(bench.sees(PAINTER), "what stopped and went on is said");
        let _ = bench.app.perform(Action::Toast(Toast::new(Tone::Good, "slides.pdf has arrived whole.")));
        bench
    });
}
