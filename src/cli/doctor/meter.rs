//! Sans-IO. The line that shows how loud a microphone is while it is recorded: when the next is due, and how it looks.

use std::time::Duration;

use serde_json::{Value, json};

/// Whom it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// A person in a terminal: one line that moves.
    Terminal,
    /// A person who reads it elsewhere: a line a second.
    Page,
    /// A script: figures, four times a second.
    Script,
}

impl For {
    const fn every(self) -> Duration {
        Duration::from_millis(match self {
            Self::Terminal => 100,
            Self::Page => 1_000,
            Self::Script => 250,
        })
    }
}

/// Characters of the bar.
const BAR: u16 = 30;

/// How loud it was since the last one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// So long is recorded from now on.
    pub left: Duration,
    /// 0 to 1.
    loudness: f32,
    /// The loudest sample, decibels of full scale.
    peak_db: f32,
}

impl Shown {
    /// As a line, which is as long each time.
    pub fn line(self) -> String {
        let Self { left, loudness, peak_db } = self;
        let seconds = left.as_millis().div_ceil(1_000);
        let bar: String =
            (0..BAR).map(|at| if f32::from(at) + 0.5 < loudness * f32::from(BAR) { '#' } else { '-' }).collect();
        format!("     Recording {seconds} [{bar}] {peak_db:>3.0} dB")
    }

    /// As the fields of an event.
    pub fn fields(self) -> Value {
        let left = u64::try_from(self.left.as_millis()).unwrap_or(u64::MAX);
        json!({ "left_ms": left, "peak_db": tenths(self.peak_db) })
    }
}

/// Decibels to a tenth.
pub fn tenths(decibels: f32) -> f64 {
    (f64::from(decibels) * 10.0).round() / 10.0
}

/// When a line is due.
#[derive(Debug)]
pub struct Meter {
    reader: For,
    // What was left at the last one.
    last: Option<Duration>,
    peak_db: f32,
}

impl Meter {
    /// Nothing was heard yet.
    pub fn new(reader: For) -> Self {
        Self { reader, last: None, peak_db: -90.0 }
    }

    /// Ten milliseconds were heard, before which `left` was to be recorded.
    pub fn on_sound(&mut self, left: Duration, loudness: f32, peak_db: f32) -> Option<Shown> {
        self.peak_db = self.peak_db.max(peak_db);
        let last = *self.last.get_or_insert(left);
        let left = left.saturating_sub(Duration::from_millis(10));
        if last.saturating_sub(left) < self.reader.every() {
            return None;
        }
        self.last = Some(left);
        let peak_db = std::mem::replace(&mut self.peak_db, -90.0);
        Some(Shown { left, loudness, peak_db })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of three seconds that are loud for a moment.
    fn shown(reader: For) -> Vec<Shown> {
        let mut meter = Meter::new(reader);
        let frame = |n: u32| {
            let left = Duration::from_secs(3) - Duration::from_millis(10) * n;
            meter.on_sound(left, 0.5, if n == 120 { -6.0 } else { -30.0 })
        };
        (0..300).filter_map(frame).collect()
    }

    #[test]
    fn each_reader_gets_lines_at_its_pace_until_nothing_is_left() {
        for (reader, lines) in [(For::Terminal, 30), (For::Page, 3), (For::Script, 12)] {
            let shown = shown(reader);
            assert_eq!((shown.len(), shown.last().map(|last| last.left)), (lines, Some(Duration::ZERO)), "{reader:?}");
            let loud: Vec<usize> = (0..lines).filter(|at| shown[*at].peak_db > -10.0).collect();
            assert_eq!(loud.len(), 1, "a peak is seen once, and never missed: {reader:?}");
        }
    }

    #[test]
    fn lines_are_as_long_each_time_and_say_how_loud_it_is() {
        let line = |millis, loudness, peak_db| Shown { left: Duration::from_millis(millis), loudness, peak_db }.line();
        assert_eq!(line(2_900, 0.5, -9.6), format!("     Recording 3 [{}{}] -10 dB", "#".repeat(15), "-".repeat(15)));
        assert_eq!(line(0, 0.0, -90.0), format!("     Recording 0 [{}] -90 dB", "-".repeat(30)));
        assert_eq!(line(10, 1.0, 0.0).len(), line(2_000, 0.2, -45.0).len());
        let fields = Shown { left: Duration::from_millis(2_750), loudness: 0.5, peak_db: -12.04 }.fields();
        assert_eq!(fields, json!({ "left_ms": 2_750, "peak_db": -12.0 }));
    }

    #[test]
    fn silence_before_the_first_sound_shows_nothing() {
        let mut meter = Meter::new(For::Terminal);
        for _ in 0..5 {
            assert_eq!(meter.on_sound(Duration::from_secs(3), 0.0, -90.0), None);
        }
    }
}
