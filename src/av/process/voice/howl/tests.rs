//! A room with two machines in virtual time: what the guard lets out comes back later, through a speaker that bends what is
//! too loud and a room that likes some frequencies more than others.

use super::*;

/// The same noise for the same seed, between -1 and 1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f32::from(u16::try_from(self.0 >> 48).unwrap_or(0)) / 32_768.0 - 1.0
    }
}

/// A resonance: gain 1 at its frequency, less beside it.
struct Resonance {
    cos: f32,
    radius: f32,
    state: (f32, f32),
}

impl Resonance {
    fn new(hertz: f32, width: f32) -> Self {
        let radius = 1.0 - std::f32::consts::PI * width / 48_000.0;
        Self { cos: (std::f32::consts::TAU * hertz / 48_000.0).cos(), radius, state: (0.0, 0.0) }
    }

    fn filter(&mut self, x: f32) -> f32 {
        let (r, gain) = (self.radius, 0.5 * (1.0 - self.radius * self.radius));
        let w = x + 2.0 * r * self.cos * self.state.0 - r * r * self.state.1;
        let y = gain * (w - self.state.1);
        self.state = (w, self.state.0);
        y
    }
}

/// The way from one machine's output back into its microphone.
struct Room {
    delay: std::collections::VecDeque<f32>,
    modes: Vec<(Resonance, f32)>,
}

impl Room {
    fn new(delay_ms: usize, modes: &[(f32, f32)]) -> Self {
        let modes = modes.iter().map(|(hertz, gain)| (Resonance::new(*hertz, 120.0), *gain)).collect();
        Self { delay: vec![0.0; delay_ms * 48].into(), modes }
    }

    fn pass(&mut self, sent: f32) -> f32 {
        self.delay.push_back(sent);
        let late = self.delay.pop_front().unwrap_or(0.0);
        let played = late.tanh();
        self.modes.iter_mut().map(|(mode, gain)| *gain * mode.filter(played)).sum()
    }
}

fn db(power: f32) -> f32 {
    10.0 * power.max(1e-12).log10()
}

/// Runs a loop with `near` in the room; gives the level of what is sent, each 100 ms, in dB.
fn run(guard: Option<&mut Guard>, room: &mut Room, seconds: usize, mut near: impl FnMut(usize) -> f32) -> Vec<f32> {
    let (mut guard, mut levels, mut power) = (guard, Vec::new(), 0.0);
    let mut sent = [0.0f32; FRAME_SAMPLES];
    for frame in 0..seconds * 100 {
        let mut mic = [0.0f32; FRAME_SAMPLES];
        for (n, (mic, sent)) in mic.iter_mut().zip(&sent).enumerate() {
            *mic = (room.pass(*sent) + near(frame * FRAME_SAMPLES + n)).clamp(-1.0, 1.0);
        }
        if let Some(guard) = &mut guard {
            guard.process(&mut mic);
        }
        sent = mic;
        power += sent.iter().map(|s| s * s).sum::<f32>() / 4800.0;
        if frame % 10 == 9 {
            levels.push(db(power));
            power = 0.0;
        }
    }
    levels
}

const ROOM: [(f32, f32); 4] = [(430.0, 0.6), (1210.0, 1.0), (2350.0, 0.85), (3100.0, 0.5)];

fn scaled(gain: f32) -> Vec<(f32, f32)> {
    ROOM.iter().map(|(hertz, share)| (*hertz, share * gain)).collect()
}

/// A quiet room.
fn hiss() -> impl FnMut(usize) -> f32 {
    let mut noise = Noise(9);
    move |_| 0.004 * noise.next()
}

/// The most values in a row above `bound`.
fn longest_run(levels: &[f32], bound: f32) -> usize {
    levels.split(|level| *level <= bound).map(<[f32]>::len).max().unwrap_or(0)
}

#[test]
fn a_loop_that_howls_is_stopped_within_a_second_and_stays_stopped() {
    let mut wrong = Vec::new();
    for delay_ms in [60, 200, 350] {
        for gain in [1.5, 2.0, 4.0, 8.0] {
            let room = || Room::new(delay_ms, &scaled(gain));
            if gain < 2.0 {
                let wild = run(None, &mut room(), 12, hiss());
                assert!(wild.last().is_some_and(|level| *level > -12.0), "it howls by itself: {wild:?}");
            }
            let mut guard = Guard::default();
            let levels = run(Some(&mut guard), &mut room(), 16, hiss());
            let loudest = levels.iter().copied().fold(QUIETEST, f32::max);
            let (longest, late) = (longest_run(&levels, -20.0), &levels[100..]);
            let often = late.iter().filter(|level| **level > -25.0).count();
            println!(
                "{delay_ms} ms, gain {gain}: found {}, loudest {loudest:.1} dB, loud for {longest} tenths, late {often}, end {:.1}",
                guard.found(),
                levels[levels.len() - 1]
            );
            if guard.found() == 0 || loudest > 0.0 || longest > 10 || often > 5 {
                wrong.push((delay_ms, gain, levels));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Feeds a sound that no room gives back; it must come out as it went in.
fn left_alone(what: &str, seconds: usize, sound: impl Fn(usize) -> f32) {
    let mut guard = Guard::default();
    for frame in 0..seconds * 100 {
        let given: [f32; FRAME_SAMPLES] = std::array::from_fn(|n| sound(frame * FRAME_SAMPLES + n));
        let mut out = given;
        // The same is played, as when two sing together.
        guard.on_playout(&given);
        guard.process(&mut out);
        assert!(out.iter().zip(&given).all(|(a, b)| a.to_bits() == b.to_bits()), "{what} at frame {frame}");
    }
    assert!(guard.is_idle() && guard.found() == 0, "{what}");
}

/// A turn of so many hertz at a sample, exact for hours.
fn turn(at: usize, hertz: usize) -> f32 {
    float(at * hertz % 48_000) * std::f32::consts::TAU / 48_000.0
}

#[test]
fn tones_and_music_are_left_alone() {
    left_alone("a steady tone", 10, |at| 0.25 * turn(at, 440).sin());
    left_alone("a tone now and then", 10, |at| if at / 36_000 % 2 == 0 { 0.0 } else { 0.3 * turn(at, 1000).sin() });
    let swell = |at: usize| (float(at % 96_000 / 2) / 48_000.0).powi(2);
    left_alone("strings that swell", 12, |at| {
        let note = [220, 262, 330, 392][at / 96_000 % 4];
        (1..6).map(|k| 0.3 * swell(at) / float(k) * turn(at, note * k).sin()).sum()
    });
    left_alone("a bell", 12, |at| {
        let fade = (-float(at % 72_000 / 2) / 8000.0).exp();
        0.4 * fade * (turn(at, 784).sin() + 0.6 * turn(at, 1568).sin() + 0.3 * turn(at, 2352).sin())
    });
}

#[test]
fn the_answer_goes_away_again() {
    let mut guard = Guard::default();
    run(Some(&mut guard), &mut Room::new(120, &scaled(3.0)), 5, hiss());
    assert!(guard.found() > 0 && !guard.is_idle());
    let levels = run(Some(&mut guard), &mut Room::new(120, &scaled(0.1)), 90, hiss());
    assert!(guard.is_idle(), "{} {}", guard.gain, guard.rest);
    let last = levels[levels.len() - 1];
    let alone = run(None, &mut Room::new(120, &scaled(0.1)), 2, hiss());
    assert!((last - alone[alone.len() - 1]).abs() < 0.5, "{last}");
}
