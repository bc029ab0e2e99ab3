//! Sans-IO. Which notifications the desktop shows while the window is not in front, and when: a peer that says a thousand
//! lines a minute is to make no thousand notifications.
//!
//! Each kind has one notification, which the next of its kind replaces. One at a time is given to the desktop; [`BURST`]
//! at once and one more each [`EVERY`], and what comes meanwhile is one number in the next.

use std::time::{Duration, Instant};

use super::model::Notice;
use super::text;
use crate::bucket::Bucket;

/// Notifications of one kind at once.
pub const BURST: u32 = 3;
/// One more of them.
pub const EVERY: Duration = Duration::from_secs(5);

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Somebody said something.
    Said,
    /// A file is offered.
    Offered,
    /// Somebody calls.
    Rings,
}

/// To be shown now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Show {
    /// The one of this kind that is seen is replaced.
    pub kind: Kind,
    /// One line.
    pub title: String,
    /// What a peer said, as it said it: to be made safe for the desktop.
    pub body: String,
    /// [`Alerts::on_shown`] is due so long after it was shown.
    pub pause: Duration,
}

#[derive(Debug, Default)]
struct Line {
    // It is with the desktop, or pauses.
    busy: bool,
    bucket: Option<Bucket>,
    // How many wait, and the words of the newest.
    rest: usize,
    newest: (String, String),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Alerts {
    said: Line,
    offered: Line,
    rings: Line,
}

impl Alerts {
    fn line(&mut self, kind: Kind) -> &mut Line {
        match kind {
            Kind::Said => &mut self.said,
            Kind::Offered => &mut self.offered,
            Kind::Rings => &mut self.rings,
        }
    }

    /// Something happened while the window is not in front.
    pub fn on_notice(&mut self, now: Instant, notice: &Notice) -> Option<Show> {
        let kind = match notice {
            Notice::Said { .. } => Kind::Said,
            Notice::Offered(_) => Kind::Offered,
            Notice::Rings(_) => Kind::Rings,
            _ => return None,
        };
        let words = text::notification(notice)?;
        let line = self.line(kind);
        line.rest += 1;
        line.newest = words;
        self.next(now, kind)
    }

    /// The one of this kind was shown, or could not be, and its pause is over.
    pub fn on_shown(&mut self, now: Instant, kind: Kind) -> Option<Show> {
        self.line(kind).busy = false;
        self.next(now, kind)
    }

    /// The window came to the front: nothing that waits is news any more.
    pub fn on_seen(&mut self) {
        for kind in [Kind::Said, Kind::Offered, Kind::Rings] {
            self.line(kind).rest = 0;
        }
    }

    fn next(&mut self, now: Instant, kind: Kind) -> Option<Show> {
        let line = self.line(kind);
        if line.busy || line.rest == 0 {
            return None;
        }
        let bucket = line.bucket.get_or_insert_with(|| Bucket::new(now, BURST, EVERY));
        // The pause before was for this one; a late word of it does no harm.
        bucket.take(now);
        let pause = bucket.wait(now);
        line.busy = true;
        let newest = std::mem::take(&mut line.newest);
        let (title, body) = match (std::mem::take(&mut line.rest), kind) {
            // It is the newest caller whom one may answer.
            (1, _) | (_, Kind::Rings) => newest,
            (many, Kind::Said) => (text::APP.to_owned(), text::many_messages(many)),
            (many, Kind::Offered) => (text::APP.to_owned(), text::many_offers(many)),
        };
        Some(Show { kind, title, body, pause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PeerId;
    use crate::meeting::Person;
    use crate::share::DisplayName;

    fn said(words: &str) -> Notice {
        let from = Person { peer: PeerId::from_bytes([2; 32]), name: DisplayName::new("Bo") };
        Notice::Said { from, text: words.to_owned(), private: false }
    }

    #[test]
    fn a_flood_of_lines_is_a_few_notifications() {
        let start = crate::clock::now();
        let mut alerts = Alerts::default();
        let (mut shown, mut told): (Vec<Show>, usize) = (Vec::new(), 0);
        let mut free_at: Option<Instant> = None;
        // A minute with a hundred lines a second; the desktop needs no time.
        for tick in 0..6000_u32 {
            let now = start + Duration::from_millis(10) * tick;
            if free_at.is_some_and(|at| at <= now) {
                free_at = None;
                if let Some(show) = alerts.on_shown(now, Kind::Said) {
                    free_at = Some(now + show.pause);
                    shown.push(show);
                }
            }
            if let Some(show) = alerts.on_notice(now, &said("hi")) {
                assert!(free_at.is_none(), "one at a time");
                free_at = Some(now + show.pause);
                shown.push(show);
            }
            told += 1;
        }
        assert_eq!(told, 6000);
        let most = usize::try_from(BURST).expect("few") + 12;
        assert!((10..=most).contains(&shown.len()), "{} shown", shown.len());
        assert_eq!(shown.first().map(|show| (show.title.as_str(), show.body.as_str())), Some(("Bo", "hi")));
        assert!(shown.last().is_some_and(|show| show.body.starts_with("500 ")), "{:?}", shown.last());
    }

    #[test]
    fn what_was_seen_is_told_no_more_and_a_call_waits_for_no_line() {
        let now = crate::clock::now();
        let mut alerts = Alerts::default();
        assert!(alerts.on_notice(now, &said("one")).is_some_and(|show| show.pause.is_zero()));
        assert_eq!(alerts.on_notice(now, &said("two")), None, "the first is on its way");
        let from = Person { peer: PeerId::from_bytes([3; 32]), name: DisplayName::new("Cy") };
        let ring = alerts.on_notice(now, &Notice::Rings(from)).expect("at once");
        assert_eq!(ring.kind, Kind::Rings);
        alerts.on_seen();
        assert_eq!(alerts.on_shown(now, Kind::Said), None);
        assert!(alerts.on_notice(now, &said("three")).is_some_and(|show| show.body == "three"));
    }
}
