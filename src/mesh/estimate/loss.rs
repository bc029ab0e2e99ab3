//! Sans-IO. Whether what is lost is lost because the link is full.
//!
//! Radio loses without being full, and its loss does not fall when less is sent. So a path has an inherent loss that is
//! not answered. More than that, in a window of enough datagrams, is answered once by giving way, and then looked at
//! again: was less lost, the link was full; was as much lost, it is inherent, and what was given is taken back.

use std::time::{Duration, Instant};

/// Datagrams and time of a window, at least.
const PACKETS: u32 = 50;
const WINDOW: Duration = Duration::from_millis(500);
/// A window of few datagrams ends so late.
const LONGEST: Duration = Duration::from_secs(3);
/// Lost beyond the inherent that is not answered, beside what chance gives.
const SPARE: f64 = 0.05;
/// Loss falls to less than this part of itself where giving way helped.
const HELPED: f64 = 0.6;
/// A queue that deep, in milliseconds, shows in the delay, which answers.
const SHOWN: f64 = 10.0;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer {
    /// Keep this part of the rate.
    Fall {
        /// 0.5 to 0.95.
        keep: f64,
    },
    /// Much is lost beside a queue that shows in the delay.
    Overflow,
    /// Take back what was given.
    Restore,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Loss {
    since: Option<Instant>,
    arrived: u32,
    lost: u32,
    inherent: f64,
    /// The loss that was answered and what was kept of the rate, while it is not known whether that helped.
    answered: Option<(f64, f64)>,
    /// The first window after an answer holds what was sent before it.
    skip: bool,
    /// The rate before the answer; kept by who asks.
    pub before: Option<f64>,
}

impl Loss {
    /// So many arrived and were lost by a report.
    pub fn on_packets(&mut self, now: Instant, arrived: usize, lost: usize) {
        self.since.get_or_insert(now);
        self.arrived = self.arrived.saturating_add(u32::try_from(arrived).unwrap_or(u32::MAX));
        self.lost = self.lost.saturating_add(u32::try_from(lost).unwrap_or(u32::MAX));
    }

    /// The delay was answered: what was lost until now belongs to that.
    pub fn on_fall(&mut self) {
        (self.since, self.arrived, self.lost) = (None, 0, 0);
        (self.answered, self.before, self.skip) = (None, None, true);
    }

    /// Decides at the end of a window; `queue` in milliseconds.
    pub fn poll(&mut self, now: Instant, queue: f64) -> Option<Answer> {
        let lasted = now.saturating_duration_since(self.since?);
        let packets = self.arrived.saturating_add(self.lost);
        if lasted < WINDOW || (packets < PACKETS && lasted < LONGEST) || packets == 0 {
            return None;
        }
        let share = f64::from(self.lost) / f64::from(packets);
        (self.since, self.arrived, self.lost) = (None, 0, 0);
        if std::mem::take(&mut self.skip) {
            return None;
        }
        let chance = (share * (1.0 - share) / f64::from(packets)).sqrt();
        if let Some((answered, kept)) = self.answered.take() {
            // Of a full link: all that gets through still does.
            let expected = (1.0 - (1.0 - answered) / kept).max(0.0);
            if share < (answered * HELPED).max(f64::midpoint(answered, expected)) {
                self.before = None;
                return None;
            }
            // Much more than before: that was not all of it.
            if share > answered * 1.3 {
                return Some(self.fall(share));
            }
            self.inherent = self.inherent.max(share.min(answered)).min(0.5);
            return Some(Answer::Restore);
        }
        if queue < SHOWN {
            // Chance made it high once: it comes down.
            self.inherent += (share - self.inherent).min(0.0) * 0.1;
        }
        let beyond = share - self.inherent;
        if beyond > SPARE + 2.0 * chance && queue < SHOWN {
            return Some(self.fall(share));
        }
        (beyond > 0.1 + 2.0 * chance).then_some(Answer::Overflow)
    }

    fn fall(&mut self, share: f64) -> Answer {
        let keep = (1.0 - (share - self.inherent)).clamp(0.5, 0.95);
        (self.answered, self.skip) = (Some((share, keep)), true);
        Answer::Fall { keep }
    }

    /// What this path loses anyway, 0 to 0.5.
    pub fn inherent(&self) -> f64 {
        self.inherent
    }
}
