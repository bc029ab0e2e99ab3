//! Sans-IO. One author's run in one conversation, as far as it is kept: lines with counters `base` to `next`.

use std::collections::VecDeque;
use std::time::Instant;

use crate::meeting::wire;

/// What a kept line costs besides its text, about.
const OVERHEAD: usize = 192;

/// A line and when it came to be here.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The line.
    pub line: wire::Line,
    /// When it was said (own lines) or came (others').
    pub since: Instant,
    /// Bytes of all lines of the run up to this one.
    end: u64,
}

impl Kept {
    /// Bytes that it is counted with.
    pub fn weight(&self) -> usize {
        weight(&self.line)
    }
}

/// Bytes that `line` is counted with.
pub fn weight(line: &wire::Line) -> usize {
    line.text.len() + line.name.len() + OVERHEAD
}

/// Lines `base..next` of a run, oldest first. Lines leave at the front only, so what is there has no gap.
#[derive(Debug, Clone)]
pub struct Run {
    base: u64,
    lines: VecDeque<Kept>,
    bytes: usize,
    end: u64,
}

impl Default for Run {
    fn default() -> Self {
        Self { base: 1, lines: VecDeque::new(), bytes: 0, end: 0 }
    }
}

impl Run {
    /// The lowest counter that is kept; `next` when nothing is.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The counter of the line to come: all below have been here.
    pub fn next(&self) -> u64 {
        self.base + self.lines.len() as u64
    }

    /// Bytes of what is kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lines that are kept.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True when nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The line `n`, if it is kept.
    pub fn get(&self, n: u64) -> Option<&Kept> {
        self.lines.get(usize::try_from(n.checked_sub(self.base)?).ok()?)
    }

    /// Adds the line to come; its counter must be `next`.
    pub fn push(&mut self, now: Instant, line: wire::Line) {
        debug_assert_eq!(line.n, self.next());
        let weight = weight(&line);
        self.bytes += weight;
        self.end += weight as u64;
        self.lines.push_back(Kept { line, since: now, end: self.end });
    }

    /// Forgets the oldest line; how many bytes that freed.
    pub fn drop_oldest(&mut self) -> Option<usize> {
        let weight = self.lines.pop_front()?.weight();
        self.bytes -= weight;
        self.base += 1;
        Some(weight)
    }

    /// Goes on at `next`, which lies ahead: what lies between never comes. Nothing of before is kept.
    pub fn skip_to(&mut self, next: u64) {
        if next > self.next() {
            self.lines.clear();
            self.bytes = 0;
            self.base = next;
        }
    }

    /// Bytes of the lines `from..to`, as far as they are kept.
    pub fn bytes_between(&self, from: u64, to: u64) -> u64 {
        let before = |n: u64| match n.checked_sub(1).and_then(|n| self.get(n)) {
            Some(kept) => kept.end,
            None if n >= self.next() => self.end,
            None => self.lines.front().map_or(self.end, |kept| kept.end - kept.weight() as u64),
        };
        before(to).saturating_sub(before(from))
    }

    /// Up to a page of lines from `from` on, as long as `fits` says so.
    pub fn page(&self, from: u64, mut fits: impl FnMut(&Kept) -> bool) -> Vec<wire::Line> {
        let mut lines = Vec::new();
        let mut bytes = 0;
        let mut n = from.max(self.base);
        while let Some(kept) = self.get(n) {
            bytes += kept.weight();
            if lines.len() >= wire::MAX_LINES || (!lines.is_empty() && bytes > wire::MAX_PAGE) || !fits(kept) {
                break;
            }
            lines.push(kept.line.clone());
            n += 1;
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: u64, text: &str) -> wire::Line {
        wire::Line { n, at: 0, name: String::new(), text: text.to_owned(), signature: None }
    }

    #[test]
    fn lines_leave_at_the_front_and_counters_stay() {
        let now = crate::clock::now();
        let mut run = Run::default();
        for n in 1..=5 {
            run.push(now, line(n, "x"));
        }
        assert_eq!((run.base(), run.next(), run.len()), (1, 6, 5));
        run.drop_oldest();
        run.drop_oldest();
        assert_eq!((run.base(), run.next(), run.len()), (3, 6, 3));
        assert!(run.get(2).is_none());
        assert_eq!(run.get(3).expect("kept").line.n, 3);
        let each = u64::try_from(weight(&line(1, "x"))).expect("small");
        assert_eq!(run.bytes_between(3, 5), 2 * each);
        assert_eq!(run.bytes_between(1, 6), 3 * each);
        assert_eq!(run.bytes_between(6, 6), 0);
        run.skip_to(10);
        assert_eq!((run.base(), run.next(), run.bytes()), (10, 10, 0));
        run.push(now, line(10, "y"));
        assert_eq!(run.bytes_between(10, 11), each);
    }

    #[test]
    fn pages_are_bounded_in_lines_and_bytes() {
        let now = crate::clock::now();
        let mut run = Run::default();
        for n in 1..=200 {
            run.push(now, line(n, "x"));
        }
        assert_eq!(run.page(1, |_| true).len(), wire::MAX_LINES);
        let mut long = Run::default();
        for n in 1..=10 {
            long.push(now, line(n, &"x".repeat(16 * 1024)));
        }
        assert_eq!(long.page(1, |_| true).len(), 2);
        assert_eq!(long.page(10, |_| true).len(), 1);
        assert!(long.page(11, |_| true).is_empty());
    }
}
