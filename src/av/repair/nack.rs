//! Sans-IO. The receiver's side of asking again: which packets of a picture track are missing, and when it is time to say so.
//!
//! Packets leave in order of picture and index, so a later one tells of those before it. They may only have been overtaken:
//! a packet is asked for after two later ones or an eighth of a round trip, and later where the path is seen to reorder (the
//! link's own sequence numbers tell an overtaken packet from one that was sent again). Nothing follows the end of a picture
//! for a while, so its rest is asked for when it stays out for longer than the pauses within pictures are. Requests get lost
//! too: on a far path each is repeated at once, and named in those that follow before an answer could be here, which costs a
//! few bytes. After 1.2 round trips all begins anew, while an answer can still be in time.
//!
//! A sender may leave out pictures that no other refers to for us alone. When no such picture came any more, they are
//! neither asked nor waited for until one does.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::av::packet::header::Header;
use crate::media::Nack;

/// Most packets that are missed at a time. Overflow: further ones are not asked for.
const MAX_MISSED: usize = 2048;
/// Most pictures in a row that are missed; after a larger gap only a keyframe helps.
const MAX_GAP: u64 = 60;
/// Stands for all packets of a picture of which nothing came.
const WHOLE: u16 = u16::MAX;
/// Requests are sent together.
const BATCH: Duration = Duration::from_millis(5);
/// Least time from noticing to asking, and between two rounds.
const LEAST: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(6));
/// From here on a request is repeated at once: it saves a round trip when it is lost.
const FAR: Duration = Duration::from_millis(20);
/// Bounds of the pause after which the end of a picture is taken for lost.
const PAUSE: std::ops::RangeInclusive<Duration> = Duration::from_millis(4)..=Duration::from_millis(30);
/// Most that is allowed for being overtaken.
const MAX_OVERTAKEN: Duration = Duration::from_millis(40);
/// What was seen of the path is believed a quarter less after this.
const FADE: Duration = Duration::from_secs(1);
/// After so many pictures in a row that nobody refers to and of which nothing came, they are taken to be left out.
const LEFT_OUT: u32 = 3;
/// After so many pictures without parity none is expected.
const PARITY_FOR: u64 = 30;

/// Which kind of packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A piece of a picture.
    Data,
    /// Redundancy, sent after the pieces.
    Parity,
}

/// How long a missing packet is worth asking for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The round trip.
    pub rtt: Duration,
    /// Of a picture that no other refers to.
    pub soft: Duration,
    /// Of all others: the alternative is a keyframe over the same path.
    pub hard: Duration,
}

/// Of what is missing only this is of use now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Useful {
    /// All of it.
    All,
    /// A keyframe is on its way and only what follows can be shown.
    From(u64),
    /// Only a keyframe helps, and it may be among those of which nothing came.
    Unknown,
}

#[derive(Debug, Clone, Copy)]
struct Ask {
    noticed: Instant,
    /// Not before.
    due: Instant,
    /// Packets that had come when it was noticed.
    seen: u64,
    /// The link's newest sequence number then.
    sequence: u16,
    /// When it was asked for last, repeats not counted, and whether that was repeated.
    round: Option<Instant>,
    echoed: bool,
}

impl Ask {
    /// It stands in a request that leaves now.
    fn on_asked(&mut self, now: Instant, rtt: Duration) {
        let next = (rtt * 6 / 5).max(LEAST.1);
        match self.round {
            // The repeat of this round, or it was named along with others.
            Some(round) if !self.echoed || self.due > now => (self.due, self.echoed) = (round + next, true),
            _ => {
                (self.round, self.echoed) = (Some(now), rtt < FAR);
                self.due = now + if self.echoed { next } else { BATCH };
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    number: u64,
    count: u16,
    /// Packets below have come or are missed; parity counts on behind the pieces.
    reached: u16,
    last: Instant,
    /// Nothing more of it is waited for: it is whole, or its rest is missed.
    over: bool,
    discardable: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Missing {
    patience: Patience,
    stream: u16,
    asks: BTreeMap<(u64, u16), Ask>,
    newest: Option<Newest>,
    /// Pictures that no other refers to, as far as asked for.
    discardable: BTreeMap<u64, bool>,
    /// Numbers up to here are over.
    passed: Option<u64>,
    seen: u64,
    sequence: Option<u16>,
    /// How late overtaken packets come, the longest pause within a picture, and when both last faded.
    overtaken: Duration,
    pause: Duration,
    faded: Option<Instant>,
    left_out: u32,
    /// The last picture with parity.
    parity: Option<u64>,
    sent: Option<Instant>,
    asked: u64,
    repaired: u64,
}

impl Missing {
    /// Misses nothing yet.
    pub fn new(patience: Patience) -> Self {
        Self {
            patience,
            stream: 0,
            asks: BTreeMap::new(),
            newest: None,
            discardable: BTreeMap::new(),
            passed: None,
            seen: 0,
            sequence: None,
            overtaken: Duration::ZERO,
            pause: Duration::ZERO,
            faded: None,
            left_out: 0,
            parity: None,
            sent: None,
            asked: 0,
            repaired: 0,
        }
    }

    /// Another stream begins; what is known of the path stays.
    pub fn reset(&mut self) {
        let (overtaken, pause, faded) = (self.overtaken, self.pause, self.faded);
        let (sequence, sent, asked, repaired) = (self.sequence, self.sent, self.asked, self.repaired);
        *self = Self { overtaken, pause, faded, sequence, sent, asked, repaired, ..Self::new(self.patience) };
    }

    /// Changes how long is waited.
    pub fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// A valid packet of picture `number` came, by the link's `sequence`. True when so much is missing before it that
    /// nothing but a keyframe helps.
    pub fn on_packet(&mut self, now: Instant, sequence: u16, number: u64, header: &Header, kind: Kind) -> bool {
        self.stream = header.stream;
        self.fade(now);
        if kind == Kind::Data
            && let Some(ask) = self.asks.remove(&(number, header.index))
        {
            self.on_found(now, sequence, ask);
        }
        if self.sequence.is_none_or(|newest| sequence.wrapping_sub(newest).cast_signed() > 0) {
            self.sequence = Some(sequence);
        }
        if kind == Kind::Parity {
            self.parity = self.parity.max(Some(number));
        }
        if header.discardable {
            self.left_out = 0;
        }
        if let Some(whole) = self.asks.remove(&(number, WHOLE)) {
            // The first of a picture that was missed whole: now its size is known.
            self.discardable.insert(number, header.discardable);
            let later = sequence.wrapping_sub(whole.sequence).cast_signed() >= 0;
            self.repaired += u64::from(later && whole.round.is_some());
            let lost = (0..header.count).filter(|index| kind == Kind::Parity || *index != header.index);
            for index in lost {
                self.insert((number, index), whole);
            }
        }
        self.advance(now, number, header, kind)
    }

    fn advance(&mut self, now: Instant, number: u64, header: &Header, kind: Kind) -> bool {
        let place = match kind {
            Kind::Data => header.index,
            Kind::Parity => header.count.saturating_add(header.index),
        };
        let (mut reached, mut jump) = (0, false);
        if self.newest.is_some_and(|newest| (number, place) < (newest.number, newest.reached)) {
            return false;
        }
        self.seen += 1;
        let usual = LEAST.0.max(self.patience.rtt / 8);
        match self.newest {
            Some(newest) if number == newest.number => {
                if !newest.over {
                    self.pause = self.pause.max(now.saturating_duration_since(newest.last)).min(*PAUSE.end());
                }
                reached = newest.reached;
            }
            Some(newest) => {
                self.end_newest(now, usual);
                jump = number - newest.number > MAX_GAP;
                let needed = number.saturating_sub(u64::from(header.reference));
                for lost in (newest.number + 1..number).filter(|_| !jump) {
                    // Of the others every second or so is needed, as far as one can see.
                    let left_out = !(number - lost).is_multiple_of(u64::from(header.reference.max(1)));
                    if lost > needed {
                        self.left_out = self.left_out.saturating_add(1);
                    }
                    if left_out && self.leaves_out() {
                        continue;
                    }
                    if lost > needed {
                        self.discardable.insert(lost, true);
                    }
                    self.miss(now, usual, (lost, WHOLE));
                }
            }
            None => {}
        }
        let same = self.newest.filter(|newest| newest.number == number);
        let (count, discardable) = (header.count, header.discardable);
        let over = same.is_some_and(|newest| newest.over);
        self.newest = Some(Newest { number, count, reached: place.saturating_add(1), last: now, over, discardable });
        if !over {
            self.miss_range(now, usual, number, reached..place.min(count));
        }
        jump
    }

    /// The picture is whole.
    pub fn on_complete(&mut self, number: u64) {
        let lost: Vec<_> = self.asks.range((number, 0)..=(number, WHOLE)).map(|(key, _)| *key).collect();
        for key in lost {
            self.asks.remove(&key);
        }
        self.discardable.remove(&number);
        if let Some(newest) = self.newest.as_mut().filter(|newest| newest.number == number) {
            newest.over = true;
        }
    }

    /// Pictures up to `number` were shown or given up: nothing of them is asked for any more.
    pub fn pass(&mut self, number: u64) {
        if self.passed.is_some_and(|passed| passed >= number) {
            return;
        }
        self.passed = Some(number);
        self.asks = self.asks.split_off(&(number + 1, 0));
        self.discardable = self.discardable.split_off(&(number + 1));
        if let Some(newest) = self.newest.as_mut().filter(|newest| newest.number <= number) {
            newest.over = true;
        }
    }

    /// What to ask for now.
    pub fn poll(&mut self, now: Instant, useful: Useful) -> Option<Nack> {
        if self.tail().is_some_and(|due| due <= now) {
            self.end_newest(now, Duration::ZERO);
        }
        let Patience { rtt, soft, hard } = self.patience;
        let discardable = &self.discardable;
        self.asks.retain(|(number, index), ask| {
            let worth = if discardable.get(number) == Some(&true) { soft } else { hard };
            let useful = match useful {
                Useful::All => true,
                Useful::From(first) => *number >= first,
                Useful::Unknown => *index == WHOLE,
            };
            useful && now + rtt <= ask.noticed + worth.max(rtt)
        });
        let batch = BATCH.min(rtt / 8);
        if self.sent.is_some_and(|sent| now < sent + batch) {
            return None;
        }
        let mut due: Vec<(u64, u16)> = (self.asks.iter())
            .filter(|((number, _), ask)| self.due(*number, ask) <= now)
            .map(|(key, _)| *key)
            .collect();
        if due.is_empty() {
            return None;
        }
        // An earlier request may be lost. The sender serves those of one round once.
        let fresh = |ask: &Ask| ask.round.is_some_and(|round| rtt >= FAR && now <= round + rtt * 3 / 5);
        due.extend(self.asks.iter().filter(|(_, ask)| fresh(ask)).map(|(key, _)| *key));
        due.sort_unstable();
        due.dedup();
        let wire = |number: u64| u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0);
        let wanted = due.iter().map(|(number, index)| (wire(*number), (*index != WHOLE).then_some(*index)));
        let nack = Nack::of(self.stream, wanted)?;
        for key in &due {
            if let Some(ask) = self.asks.get_mut(key) {
                ask.on_asked(now, rtt);
            }
        }
        self.asked += u64::try_from(due.len()).unwrap_or(0);
        self.sent = Some(now);
        Some(nack)
    }

    /// When to poll again although nothing came.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let first = self.asks.iter().map(|((number, _), ask)| self.due(*number, ask)).min();
        let batch = BATCH.min(self.patience.rtt / 8);
        let first = first.map(|due| self.sent.map_or(due, |sent| due.max(sent + batch)));
        first.into_iter().chain(self.tail()).min()
    }

    /// Pictures that nobody refers to are left out by the sender.
    pub fn leaves_out(&self) -> bool {
        self.left_out > LEFT_OUT
    }

    /// Packets (or pictures of which nothing came) asked for, counted each time, and packets that came after it.
    pub fn counts(&self) -> (u64, u64) {
        (self.asked, self.repaired)
    }

    fn on_found(&mut self, now: Instant, sequence: u16, ask: Ask) {
        if sequence.wrapping_sub(ask.sequence).cast_signed() < 0 {
            // It was sent before what told of it.
            let late = now.saturating_duration_since(ask.noticed) * 5 / 4;
            self.overtaken = self.overtaken.max(late).min(MAX_OVERTAKEN);
        } else {
            self.repaired += u64::from(ask.round.is_some());
        }
    }

    /// When the end of the newest picture is taken for lost.
    fn tail(&self) -> Option<Instant> {
        let newest =
            self.newest.filter(|newest| !newest.over && newest.reached < newest.count || self.holds(newest))?;
        let usual = (self.pause * 3 / 2).max(self.overtaken).max(self.patience.rtt / 8);
        Some(newest.last + usual.clamp(*PAUSE.start(), *PAUSE.end()))
    }

    /// What is missing of the newest picture may come out of parity that is still on its way.
    fn holds(&self, newest: &Newest) -> bool {
        !newest.over && self.parity.is_some_and(|last| newest.number <= last + PARITY_FOR)
    }

    fn due(&self, number: u64, ask: &Ask) -> Instant {
        if ask.round.is_some() {
            return ask.due;
        }
        if let Some(newest) = self.newest.filter(|newest| newest.number == number && self.holds(newest)) {
            return self.tail().unwrap_or(newest.last);
        }
        // The one that told of it was counted, and another came.
        let two = self.seen > ask.seen;
        if two && self.overtaken.is_zero() { ask.noticed } else { ask.due.max(ask.noticed + self.overtaken) }
    }

    fn end_newest(&mut self, now: Instant, wait: Duration) {
        if let Some(newest) = self.newest.as_mut().filter(|newest| !newest.over) {
            newest.over = true;
            let (number, lost) = (newest.number, newest.reached..newest.count);
            newest.reached = newest.reached.max(newest.count);
            if newest.discardable {
                self.discardable.insert(number, true);
            }
            self.miss_range(now, wait, number, lost);
        }
    }

    fn miss_range(&mut self, now: Instant, wait: Duration, number: u64, lost: std::ops::Range<u16>) {
        if let Some(newest) = self.newest.filter(|newest| newest.number == number && newest.discardable)
            && !lost.is_empty()
        {
            self.discardable.insert(newest.number, true);
        }
        for index in lost {
            self.miss(now, wait, (number, index));
        }
    }

    /// Misses a packet: it is asked for after `wait`.
    fn miss(&mut self, now: Instant, wait: Duration, key: (u64, u16)) {
        let sequence = self.sequence.unwrap_or(0);
        self.insert(key, Ask { noticed: now, due: now + wait, seen: self.seen, sequence, round: None, echoed: false });
    }

    fn insert(&mut self, key: (u64, u16), ask: Ask) {
        if self.asks.len() < MAX_MISSED && self.passed.is_none_or(|passed| key.0 > passed) {
            self.asks.insert(key, ask);
        }
    }

    fn fade(&mut self, now: Instant) {
        let since = *self.faded.get_or_insert(now);
        if now.saturating_duration_since(since) >= FADE {
            self.faded = Some(now);
            self.overtaken = self.overtaken * 3 / 4;
            self.pause = self.pause * 3 / 4;
            if self.overtaken < LEAST.0 {
                self.overtaken = Duration::ZERO;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::av::packet::header::Layer;

    const RTT: Duration = Duration::from_millis(40);
    const PATIENCE: Patience = Patience { rtt: RTT, soft: Duration::from_millis(70), hard: Duration::from_millis(250) };

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Pictures of five packets, odd ones discardable; 0 is the key.
    fn header(number: u64, index: u16) -> Header {
        Header {
            stream: 3,
            frame: u32::try_from(number).expect("small"),
            index,
            count: 5,
            key: number == 0,
            discardable: number % 2 == 1,
            temporal: u8::from(number % 2 == 1),
            layer: Layer::Main,
            reference: if number == 0 {
                0
            } else if number % 2 == 1 {
                1
            } else {
                2
            },
            captured: 0,
        }
    }

    struct Path {
        start: Instant,
        missing: Missing,
        sequence: u16,
    }

    impl Path {
        fn new() -> Self {
            Self { start: crate::clock::now(), missing: Missing::new(PATIENCE), sequence: 0 }
        }

        fn come(&mut self, at: u64, number: u64, index: u16) -> bool {
            self.sequence += 1;
            let (now, header) = (self.start + ms(at), header(number, index));
            self.missing.on_packet(now, self.sequence, number, &header, Kind::Data)
        }

        fn picture(&mut self, at: u64, number: u64) {
            (0..5).for_each(|index| _ = self.come(at, number, index));
            self.missing.on_complete(number);
        }

        /// What is asked for at a moment: picture and packets.
        fn asked(&mut self, at: u64) -> Vec<(u32, Vec<u16>)> {
            let nack = self.missing.poll(self.start + ms(at), Useful::All);
            nack.iter().flat_map(|n| n.lost()).map(|lost| (lost.frame, lost.packets(9).collect())).collect()
        }
    }

    #[test]
    fn a_gap_is_asked_for_after_two_packets_or_an_eighth_of_a_round_trip() {
        let mut path = Path::new();
        path.picture(0, 0);
        for index in [0, 2] {
            path.come(33, 1, index);
        }
        assert_eq!(path.asked(33), []);
        path.come(34, 1, 3);
        assert_eq!(path.asked(34), [(1, vec![1])]);
        // Again at once, since requests are lost too, then after 1.2 round trips.
        path.come(36, 1, 4);
        assert_eq!(path.asked(36), []);
        assert_eq!(path.asked(39), [(1, vec![1])]);
        assert_eq!(path.asked(86), []);
        // It is of no picture that others need, and can hardly be in time any more.
        assert_eq!(path.asked(87), []);
        assert_eq!(path.missing.counts(), (2, 0));
        path.picture(100, 2);
        path.come(133, 3, 0);
        (2..5).for_each(|index| _ = path.come(133, 3, index));
        path.come(133, 3, 1);
        assert_eq!(path.asked(200), [], "it was overtaken");
    }

    #[test]
    fn a_base_picture_is_asked_for_until_its_deadline() {
        let mut path = Path::new();
        path.picture(0, 0);
        for index in [0, 1, 3, 4] {
            path.come(66, 2, index);
        }
        let mut times = Vec::new();
        for at in 66..500 {
            if path.asked(at).iter().any(|(frame, _)| *frame == 2) {
                times.push(at);
            }
        }
        assert_eq!(times, [66, 71, 114, 119, 162, 167, 210, 215, 258, 263]);
        assert!(path.missing.asks.is_empty());
    }

    #[test]
    fn the_end_of_a_picture_and_whole_pictures_are_missed() {
        let mut path = Path::new();
        path.picture(0, 0);
        path.come(33, 1, 0);
        path.come(33, 1, 1);
        assert_eq!(path.missing.poll_timeout(), Some(path.start + ms(38)));
        assert_eq!(path.asked(37), []);
        assert_eq!(path.asked(38), [(1, vec![2, 3, 4])], "an eighth of a round trip");
        path.missing.pass(1);
        path.picture(133, 4);
        assert_eq!(path.asked(133), [(2, (0..9).collect()), (3, (0..9).collect())]);
        // The first packet of one tells its size.
        path.come(180, 2, 3);
        assert_eq!(path.missing.counts().1, 1, "it was asked for and came");
        assert_eq!(path.asked(188), [(2, vec![0, 1, 2, 4])], "3 would be too late");
        path.missing.pass(4);
        assert_eq!(path.asked(400), []);
    }

    #[test]
    fn reordering_makes_patient() {
        let mut path = Path::new();
        path.picture(0, 0);
        // 20 ms late, and sent before what overtook it.
        path.come(33, 1, 0);
        path.sequence += 1;
        let late = path.sequence;
        (2..5).for_each(|index| _ = path.come(33, 1, index));
        let header = header(1, 1);
        path.missing.on_packet(path.start + ms(53), late, 1, &header, Kind::Data);
        assert_eq!(path.missing.overtaken, ms(25));
        for index in [0, 2, 3, 4] {
            path.come(66, 2, index);
        }
        assert_eq!(path.asked(90), []);
        assert_eq!(path.asked(91), [(2, vec![1])]);
    }

    #[test]
    fn parity_is_waited_for_before_anything_is_asked() {
        let mut path = Path::new();
        path.picture(0, 0);
        path.missing.on_packet(path.start, 6, 0, &header(0, 0), Kind::Parity);
        for index in [0, 2, 3, 4] {
            path.come(33, 1, index);
        }
        assert_eq!(path.asked(37), []);
        assert_eq!(path.asked(38), [(1, vec![1])], "none came");
    }

    #[test]
    fn pictures_that_are_left_out_are_not_asked_for() {
        let mut path = Path::new();
        path.picture(0, 0);
        let mut asked = 0;
        for n in 1..40 {
            path.picture(66 * n, 2 * n);
            for at in 0..66 {
                asked += path.asked(66 * n + at).len();
            }
        }
        assert!(asked <= 8, "{asked}");
        // A base picture of which nothing came is missed all the same.
        path.picture(66 * 41, 82);
        assert_eq!(path.asked(66 * 41 + 5), [(80, (0..9).collect())]);
        path.picture(66 * 41 + 33, 83);
        assert!(!path.missing.leaves_out());
    }

    #[test]
    fn what_is_missed_is_bounded_and_a_jump_is_told() {
        let mut path = Path::new();
        path.picture(0, 0);
        assert!(path.come(33, 1000, 4));
        assert_eq!(path.missing.asks.len(), 4);
        for n in 1..200 {
            path.come(33, 1000 + 60 * n, 4);
            assert!(path.missing.asks.len() <= MAX_MISSED);
        }
    }
}
