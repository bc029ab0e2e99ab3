//! Sans-IO. When what a bad moment made longer may be short again: how much a speaker's callback is asked to take, and the
//! largest callback that both ends of a ring allow for. Both rise at once where sound would break off, and both are latency
//! that is heard in each word until they fall.
//!
//! After twenty seconds in which nothing ran dry or came late it is tried. Where that was too soon, it rises again and the
//! next try waits twice as long, at most ten minutes: each try may cost a moment of sound. What then holds for ten minutes
//! was right, and another bad moment is another matter.

use std::time::{Duration, Instant};

/// Calm before the first try.
const WAIT: Duration = Duration::from_secs(20);
/// Most calm before a try, and how long a try must hold before it counts as right.
const MOST: Duration = Duration::from_secs(600);

/// One thing that rises at once and falls slowly.
#[derive(Debug, Clone)]
struct Patience {
    /// The last trouble, rise or fall.
    calm_since: Instant,
    wait: Duration,
    /// When it fell, while that has not proved right or wrong.
    fell: Option<Instant>,
}

impl Patience {
    fn new(now: Instant) -> Self {
        Self { calm_since: now, wait: WAIT, fell: None }
    }

    fn on_trouble(&mut self, now: Instant) {
        self.calm_since = now;
    }

    fn on_rise(&mut self, now: Instant) {
        self.calm_since = now;
        if let Some(fell) = self.fell.take() {
            let held = now.saturating_duration_since(fell) >= MOST;
            self.wait = if held { WAIT } else { (self.wait * 2).min(MOST) };
        }
    }

    /// True: it may fall now, which it does.
    fn poll(&mut self, now: Instant) -> bool {
        let calm = now.saturating_duration_since(self.calm_since) >= self.wait;
        if calm {
            self.calm_since = now;
            self.fell = Some(now);
        }
        calm
    }
}

/// What was seen of a stream since the last look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// Something ran dry, or a callback came late.
    pub trouble: bool,
    /// Samples of the largest callback, 0 for none.
    pub peak: usize,
    /// Samples of the largest callback that is allowed for now.
    pub lump: usize,
    /// How much a callback is asked to take, in units of 10 ms.
    pub asked: u32,
}

/// What may be shorter from now on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Eased {
    /// Allow for callbacks of so many samples.
    pub lump: Option<usize>,
    /// Ask for so much, in units of 10 ms. The stream is built anew for it.
    pub asked: Option<u32>,
}

/// Watches one stream.
#[derive(Debug, Clone)]
pub struct Relief {
    lump: Patience,
    asked: Patience,
    before: Seen,
    /// The largest callback since there was trouble or a change.
    peak: usize,
}

impl Relief {
    /// A stream that begins now with these.
    pub fn new(now: Instant, lump: usize, asked: u32) -> Self {
        let before = Seen { lump, asked, ..Seen::default() };
        Self { lump: Patience::new(now), asked: Patience::new(now), before, peak: 0 }
    }

    /// A look, several times a second. What it gives is expected to be so from the next look on.
    pub fn on_look(&mut self, now: Instant, seen: Seen) -> Eased {
        if seen.trouble {
            self.lump.on_trouble(now);
            self.asked.on_trouble(now);
        }
        if seen.asked > self.before.asked {
            self.asked.on_rise(now);
        }
        if seen.lump > self.before.lump {
            self.lump.on_rise(now);
        }
        if seen.peak >= seen.lump {
            // It is needed.
            self.lump.on_trouble(now);
        }
        let restless = seen.trouble || seen.peak >= seen.lump || seen.asked != self.before.asked;
        self.peak = if restless { 0 } else { self.peak.max(seen.peak) };
        self.before = seen;
        let mut eased = Eased::default();
        if seen.asked > 1 && self.asked.poll(now) {
            let asked = seen.asked / 2;
            (eased.asked, self.before.asked) = (Some(asked), asked);
            // Callbacks are of another size from now on.
            self.lump.on_trouble(now);
            self.peak = 0;
        } else if self.peak > 0 && self.peak < seen.lump && self.lump.poll(now) {
            (eased.lump, self.before.lump) = (Some(self.peak), self.peak);
            self.peak = 0;
        }
        eased
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_millis(100);

    /// A speaker whose callbacks have as many samples as they are asked to.
    struct Stream {
        relief: Relief,
        start: Instant,
        now: Instant,
        lump: usize,
        asked: u32,
        /// When what was eased, in seconds.
        eased: Vec<(u64, &'static str)>,
    }

    impl Stream {
        fn new() -> Self {
            let now = crate::clock::now();
            let (lump, asked, eased) = (480, 1, Vec::new());
            Self { relief: Relief::new(now, lump, asked), start: now, now, lump, asked, eased }
        }

        fn seconds(&self) -> u64 {
            self.now.duration_since(self.start).as_secs()
        }

        fn callback(&self) -> usize {
            480 * usize::try_from(self.asked).expect("small")
        }

        fn look(&mut self, trouble: bool, peak: usize) {
            self.lump = self.lump.max(peak);
            let seen = Seen { trouble, peak, lump: self.lump, asked: self.asked };
            let eased = self.relief.on_look(self.now, seen);
            if let Some(lump) = eased.lump {
                assert!(lump < self.lump && lump > 0);
                self.lump = lump;
                self.eased.push((self.seconds(), "lump"));
            }
            if let Some(asked) = eased.asked {
                assert!(asked < self.asked && asked > 0);
                self.asked = asked;
                self.eased.push((self.seconds(), "asked"));
            }
            self.now += LOOK;
        }

        fn run(&mut self, seconds: u64) {
            for _ in 0..seconds * 10 {
                self.look(false, self.callback());
            }
        }

        /// A second in which the machine is too busy.
        fn bad(&mut self) {
            self.asked = (self.asked * 2).min(4);
            for _ in 0..10 {
                self.look(true, self.callback());
            }
        }
    }

    #[test]
    fn a_calm_stream_is_left_alone() {
        let mut stream = Stream::new();
        stream.run(3600);
        assert_eq!((stream.lump, stream.asked, stream.eased.len()), (480, 1, 0));
    }

    #[test]
    fn after_bad_seconds_the_latency_comes_back() {
        let mut stream = Stream::new();
        stream.bad();
        stream.bad();
        assert_eq!((stream.lump, stream.asked), (1920, 4));
        stream.run(19);
        assert_eq!((stream.lump, stream.asked), (1920, 4), "not within twenty seconds");
        stream.run(90);
        assert_eq!((stream.lump, stream.asked), (480, 1), "{:?}", stream.eased);
        let kinds: Vec<&str> = stream.eased.iter().map(|(_, what)| *what).collect();
        assert_eq!(kinds.iter().filter(|what| **what == "asked").count(), 2, "one step after the other: {kinds:?}");
    }

    #[test]
    fn one_large_callback_is_forgotten() {
        let mut stream = Stream::new();
        stream.run(5);
        stream.look(false, 4800);
        stream.run(19);
        assert_eq!(stream.lump, 4800);
        stream.run(3);
        assert_eq!(stream.lump, 480, "{:?}", stream.eased);
    }

    #[test]
    fn what_is_needed_now_and_then_is_kept() {
        let mut stream = Stream::new();
        for _ in 0..20 {
            stream.look(false, 4800);
            stream.run(15);
        }
        assert_eq!((stream.lump, stream.eased.len()), (4800, 0));
        // Less often: the tries that fail become rare.
        for _ in 0..40 {
            stream.run(60);
            stream.look(false, 4800);
        }
        assert!((2..=4).contains(&stream.eased.len()), "{:?}", stream.eased);
    }

    #[test]
    fn each_try_that_fails_doubles_the_wait() {
        let mut stream = Stream::new();
        stream.bad();
        let mut tries = Vec::new();
        for _ in 0..8 {
            let since = stream.seconds();
            while stream.asked > 1 {
                stream.run(1);
            }
            tries.push(stream.seconds() - since);
            // It was too soon.
            stream.run(2);
            stream.bad();
        }
        for (tried, expect) in tries.iter().zip([20, 40, 80, 160, 320, 600, 600, 600]) {
            assert!(tried.abs_diff(expect) <= 2, "{tries:?}");
        }
        // What held for long was right.
        stream.run(600 + 700);
        assert_eq!(stream.asked, 1);
        stream.bad();
        let since = stream.seconds();
        while stream.asked > 1 {
            stream.run(1);
        }
        assert!((stream.seconds() - since).abs_diff(20) <= 2);
    }

    #[test]
    fn while_there_is_trouble_nothing_falls() {
        let mut stream = Stream::new();
        stream.bad();
        for _ in 0..60 {
            stream.run(10);
            stream.look(true, 960);
        }
        assert_eq!((stream.asked, stream.eased.len()), (2, 0));
    }
}
