//! Sans-IO. Pairs what the speaker plays with what the microphone hears, sample by sample, so that an echo stays as far
//! behind its reference as it was, whatever becomes late, runs dry or is cut on either way. The canceller needs to learn
//! nothing anew.
//!
//! Both ways are counted in samples, with the silence that was put in and what was left out. Each frame of the microphone
//! gets one frame of the reference, never more and never none: what was played ahead waits here, and where a thread is
//! held up so long that nothing waits, silence is lent and as much is left out of what comes then (mostly the silence that
//! the speaker played meanwhile, so that nothing is missing). How far the two are apart is chosen once, by the moments
//! that the devices tell; these are rough, so later they are believed only when they say for long that it is far too much or
//! too little: two devices whose clocks differ are moved back slowly, one that was built anew at once.

use std::collections::VecDeque;

use super::Frame;
use crate::frame::FRAME_SAMPLES;

/// Most samples that wait: a second. Overflow: the oldest are left out, and it is chosen anew how far the two are apart.
const MOST: usize = 48_000;
/// Samples that a reference is before its echo, as the devices tell: 30 ms, since they may be wrong by as much. What is
/// more waits here, against threads that are late.
const APART: i64 = 1440;
/// Off by so many samples it is moved slowly, by one sample each [`SLOWLY`] frames: 15 ms.
const MUCH: i64 = 720;
const SLOWLY: u32 = 10;
/// Off by so many it is chosen anew: 10 ms after its echo, or 110 ms before it, a reference is of no use.
const TOO_LATE: i64 = -1920;
const TOO_EARLY: i64 = 3840;
/// At first at least so much waits: 10 ms.
const LEAST: i64 = 480;
/// After so many frames in a row with too little it is chosen anew: a second.
const STARVED: u32 = 100;
/// What is told is judged over about so many frames: half a second.
const SMOOTH: i64 = 50;

/// What the speaker plays, on its last stretch.
#[derive(Debug)]
pub struct Align {
    waiting: VecDeque<f32>,
    /// It was chosen how far the two are apart.
    set: bool,
    /// Samples of silence that come before what waits.
    held: usize,
    /// Samples of what comes that are left out.
    owed: usize,
    /// How far the reference is before its echo beyond [`APART`], smoothed, in 1/64 samples.
    off: i64,
    /// Frames since it was moved slowly.
    still: u32,
    /// Frames in a row for which not enough was there.
    starved: u32,
}

impl Default for Align {
    fn default() -> Self {
        Self {
            waiting: VecDeque::with_capacity(MOST + FRAME_SAMPLES),
            set: false,
            held: 0,
            owed: 0,
            off: 0,
            still: 0,
            starved: 0,
        }
    }
}

impl Align {
    /// From here on the microphone is so many samples later; negative: earlier.
    pub fn slip(&mut self, samples: isize) {
        if !self.set {
            return;
        }
        let count = samples.unsigned_abs().min(MOST);
        if samples > 0 { self.later(count) } else { self.earlier(count) }
    }

    /// The reference is so many samples later.
    fn later(&mut self, count: usize) {
        let paid = count.min(self.owed);
        self.owed -= paid;
        self.held = (self.held + count - paid).min(MOST);
    }

    /// The reference is so many samples earlier.
    fn earlier(&mut self, count: usize) {
        let paid = count.min(self.held);
        self.held -= paid;
        let there = (count - paid).min(self.waiting.len());
        self.waiting.drain(..there);
        self.owed += count - paid - there;
    }

    /// Takes what is played next.
    pub fn push(&mut self, samples: &[f32]) {
        let left_out = self.owed.min(samples.len());
        self.owed -= left_out;
        self.waiting.extend(samples.iter().skip(left_out));
        let beyond = self.waiting.len().saturating_sub(MOST);
        if beyond > 0 {
            self.waiting.drain(..beyond);
            self.set = false;
        }
    }

    /// Takes so many samples of silence, which nobody kept.
    pub fn push_silence(&mut self, count: usize) {
        let left_out = self.owed.min(count);
        self.owed -= left_out;
        let room = MOST.saturating_sub(self.waiting.len());
        self.waiting.extend(std::iter::repeat_n(0.0, (count - left_out).min(room)));
    }

    /// The frame that belongs to one of the microphone; false: nothing is played. `ahead`: samples from the moment
    /// when that frame of the microphone ended to when the last sample that was pushed is heard.
    pub fn pop(&mut self, ahead: i64, frame: &mut Frame) -> bool {
        let lead = |waiting: usize| i64::try_from(waiting).unwrap_or(i64::MAX);
        if self.owed > MOST / 2 {
            // Nothing is played any more.
            (self.set, self.owed) = (false, 0);
        }
        if !self.set && self.waiting.is_empty() {
            return false;
        }
        // After this frame so much waits.
        let waits = lead(self.waiting.len() + self.held) - lead(self.owed + FRAME_SAMPLES);
        let off = ahead - waits - APART;
        self.off += (off * 64 - self.off) / SMOOTH;
        if !self.set || self.starved >= STARVED {
            // What is not there yet cannot be had, however soon it is heard.
            self.move_by((ahead - APART).max(LEAST) - waits);
            (self.set, self.off, self.starved) = (true, 0, 0);
        } else if !(TOO_LATE..=TOO_EARLY).contains(&(self.off / 64)) {
            tracing::debug!(off, "the reference is set anew");
            self.move_by(off);
            self.off = 0;
        }
        self.still += 1;
        if self.still >= SLOWLY && (self.off / 64).abs() > MUCH {
            self.still = 0;
            self.move_by(self.off.signum());
        }
        let silence = self.held.min(FRAME_SAMPLES);
        self.held -= silence;
        let (still, rest) = frame.split_at_mut(silence);
        still.fill(0.0);
        let there = rest.len().min(self.waiting.len());
        let (full, lent) = rest.split_at_mut(there);
        for (to, sample) in full.iter_mut().zip(self.waiting.drain(..there)) {
            *to = sample;
        }
        lent.fill(0.0);
        self.starved = if lent.is_empty() { 0 } else { self.starved + 1 };
        self.owed += lent.len();
        true
    }

    /// How much later than its reference an echo is in the microphone, as far as the devices tell, in milliseconds.
    pub fn delay_ms(&self) -> i32 {
        i32::try_from((APART + self.off / 64).max(0) / 48).unwrap_or(i32::MAX)
    }

    /// Positive: more is to wait, so that the reference is less before its echo.
    fn move_by(&mut self, samples: i64) {
        let count = usize::try_from(samples.unsigned_abs()).unwrap_or(MOST).min(MOST);
        if samples > 0 { self.later(count) } else { self.earlier(count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the speaker plays: a ramp, so that each sample tells its place.
    struct Ramp(f32);

    impl Ramp {
        fn next(&mut self, align: &mut Align, count: usize) {
            let samples: Vec<f32> = std::iter::repeat_with(|| {
                self.0 += 1.0;
                self.0
            })
            .take(count)
            .collect();
            align.push(&samples);
        }
    }

    /// How far apart the two are when the microphone has got `frames` frames: the number of the sample that comes first, less
    /// those that the microphone had before.
    fn apart(align: &mut Align, ahead: i64, frames: u16) -> f32 {
        let mut out = [0.0; FRAME_SAMPLES];
        assert!(align.pop(ahead, &mut out));
        let at = out.iter().position(|sample| *sample != 0.0).unwrap_or(0);
        out[at] - f32::from(u16::try_from(at).expect("small")) - f32::from(frames) * 480.0
    }

    #[test]
    fn what_was_played_ahead_waits_as_the_devices_tell() {
        let (mut align, mut ramp) = (Align::default(), Ramp(0.0));
        let mut out = [0.0; FRAME_SAMPLES];
        assert!(!align.pop(3000, &mut out), "nothing is played");
        ramp.next(&mut align, 480);
        assert!(align.pop(3000, &mut out));
        // The last of 480 is heard 3000 samples after this frame, so the echo of the next frame's first is in the frame
        // after five; it is given 1440 samples before.
        let first = (1..10).find_map(|n| {
            ramp.next(&mut align, 480);
            assert!(align.pop(3000, &mut out));
            out.iter().position(|sample| *sample > 0.0).map(|at| n * 480 + at)
        });
        assert_eq!(first, Some(3000 - 1440));
        assert_eq!(align.delay_ms(), 30);
    }

    #[test]
    fn whatever_is_late_or_cut_the_two_stay_as_far_apart() {
        let (mut align, mut ramp) = (Align::default(), Ramp(0.0));
        let mut out = [0.0; FRAME_SAMPLES];
        // The moments that the devices tell stay as they are: only counts move anything here.
        let told = |align: &Align| {
            let waits = align.waiting.len() + align.held;
            i64::try_from(waits).expect("small") - i64::try_from(align.owed).expect("small") - 480 + APART
        };
        ramp.next(&mut align, 480);
        assert!(align.pop(3000, &mut out));
        let (mut frames, mut due) = (1u16, None);
        for round in 0..400u16 {
            match round % 40 {
                // The playback thread is held up for 120 ms, and the speaker plays 70 ms of silence meanwhile.
                10..=21 => {}
                22 => {
                    align.push_silence(70 * 48);
                    (0..6).for_each(|_| ramp.next(&mut align, 480));
                }
                _ => ramp.next(&mut align, 480),
            }
            // The microphone's queue ran dry, and was cut.
            if round % 40 == 30 {
                align.slip(480);
            }
            if round % 40 == 35 {
                align.slip(-480);
            }
            let ahead = told(&align);
            if round % 40 == 5 {
                // Each round the speaker played 3360 samples of silence in the place of 13 frames less 6 that came late.
                let now = apart(&mut align, ahead, frames);
                let silence = f32::from(round / 40) * 3360.0;
                let expect = *due.get_or_insert(now + silence);
                assert!((now + silence - expect).abs() < 0.5, "round {round}: {now} {expect}");
            } else {
                assert!(align.pop(ahead, &mut out));
            }
            frames += 1;
        }
        assert!(due.is_some());
    }

    #[test]
    fn what_the_devices_tell_for_long_is_believed_in_the_end() {
        // An uncounted second of a device that was away, and clocks that differ.
        let (mut align, mut ramp) = (Align::default(), Ramp(0.0));
        let mut out = [0.0; FRAME_SAMPLES];
        let mut ahead = 3000;
        for round in 0..3000 {
            ramp.next(&mut align, 480);
            if round == 300 {
                ahead += 6000;
            }
            if round > 1000 && round % 10 == 0 {
                ahead += 1;
            }
            assert!(align.pop(ahead, &mut out));
            if round == 600 {
                assert!((align.off / 64).abs() < 400, "{}", align.off / 64);
            }
            if round > 600 {
                assert!((align.off / 64).abs() <= MUCH + 100, "{round}: {}", align.off / 64);
            }
        }
    }

    #[test]
    fn nothing_grows_and_silence_ends() {
        let (mut align, mut out) = (Align::default(), [0.0; FRAME_SAMPLES]);
        align.push(&[1.0; FRAME_SAMPLES]);
        assert!(align.pop(i64::from(i32::MAX), &mut out));
        align.slip(isize::MAX);
        align.slip(isize::MAX);
        align.push_silence(usize::MAX);
        for _ in 0..1000 {
            align.push(&[1.0; FRAME_SAMPLES]);
        }
        assert!(align.waiting.len() <= MOST && align.held <= MOST);
        align.slip(isize::MIN);
        align.slip(isize::MIN);
        // What was pushed last is ever longer ago.
        let ended = (0..1000).find(|frames| !align.pop(-480 * frames, &mut out));
        assert!(ended.is_some(), "the speaker is gone");
        align.push(&[1.0; FRAME_SAMPLES]);
        assert!(align.pop(0, &mut out), "and is back");
    }
}
