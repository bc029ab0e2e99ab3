//! What the voice processing does to real words: in a room in virtual time, with everything known that is in it.
#![cfg(feature = "media")]

#[expect(dead_code, reason = "the lab uses more of it")]
#[path = "lab/clip.rs"]
mod clip;

use std::collections::VecDeque;
use std::sync::OnceLock;

use lets_meet::av::devices::Fate;
use lets_meet::av::process::pace::{self, Pacer};
use lets_meet::av::process::voice::howl::Guard;
use lets_meet::av::process::voice::{Frame, Processing, Processor, Reference};
use lets_meet::av::spec::voice::{Noise, Voice};
use lets_meet::clock;

const SECOND: usize = 48_000;
const FRAME: usize = 480;

/// One who is near and one who is far, each as loud as the other: -26 dB of full scale while they speak.
fn voices() -> &'static (Vec<f32>, Vec<f32>) {
    static READ: OnceLock<(Vec<f32>, Vec<f32>)> = OnceLock::new();
    READ.get_or_init(|| {
        let read = |path: &std::path::Path| -> Vec<f32> {
            let mut reader = hound::WavReader::open(path).expect("a WAV file");
            let samples = reader.samples::<i16>().map(|s| f32::from(s.expect("a sample")) / 32_768.0);
            at_level(samples.collect(), -26.0)
        };
        (read(&clip::speech()), read(&clip::other()))
    })
}

#[expect(clippy::cast_precision_loss, reason = "a count")]
fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len().max(1) as f64 + 1e-14
}

fn db(power: f64) -> f64 {
    10.0 * power.log10()
}

#[expect(clippy::cast_possible_truncation, reason = "a factor")]
fn at_level(mut samples: Vec<f32>, level: f64) -> Vec<f32> {
    let factor = 10f64.powf((level - db(power(&samples))) / 20.0) as f32;
    samples.iter_mut().for_each(|sample| *sample *= factor);
    samples
}

fn looped(voice: &[f32], seconds: usize) -> Vec<f32> {
    voice.iter().copied().cycle().take(seconds * SECOND).collect()
}

fn mixed(parts: &[&[f32]]) -> Vec<f32> {
    (0..parts[0].len()).map(|n| parts.iter().map(|part| part[n]).sum()).collect()
}

/// What the microphone hears of the speaker: after 60 ms the sound itself, then a room that fades within 100 ms, all of it
/// `level` dB of what is played.
fn echo_of(played: &[f32], level: f64) -> Vec<f32> {
    let delay = 60 * 48;
    let mut state = 5_u32;
    let mut taps: Vec<(usize, f32)> = vec![(0, 1.0)];
    for n in (48..4800).step_by(37) {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = f32::from(u16::try_from(state >> 16).unwrap_or(0)) / 32_768.0 - 1.0;
        let fade = (-f32::from(u16::try_from(n).unwrap_or(0)) / 960.0).exp();
        taps.push((n, 0.35 * noise * fade));
    }
    let echo: Vec<f32> = (0..played.len())
        .map(|n| taps.iter().filter_map(|(tap, gain)| Some(gain * played[n.checked_sub(delay + tap)?])).sum())
        .collect();
    at_level(echo, db(power(played)) + level)
}

/// Voss and McCartney's pink noise.
fn pink(samples: usize, level: f64) -> Vec<f32> {
    let (mut state, mut rows) = (77_u32, [0.0f32; 16]);
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u16::try_from(state >> 16).unwrap_or(0)) / 32_768.0 - 1.0
    };
    let made = (1..=samples).map(|n| {
        let row = usize::try_from(n.trailing_zeros()).unwrap_or(0).min(15);
        rows[row] = next();
        rows.iter().sum::<f32>() + next()
    });
    let made: Vec<f32> = made.collect();
    at_level(made, level)
}

/// Processes `mic` while `played` comes from the speaker.
fn process(voice: Voice, mic: &[f32], played: &[f32]) -> Vec<f32> {
    let processing = Processing { voice, reference: Reference::new() };
    let mut processor = Processor::new(&processing, Fate::default());
    let mut out = Vec::with_capacity(mic.len());
    for (now, (mic, played)) in (1u64..).zip(mic.as_chunks::<FRAME>().0.iter().zip(played.as_chunks::<FRAME>().0)) {
        let (mut frame, now): (Frame, _) = (*mic, now * 10_000);
        processing.reference.put(played, now + 40_000);
        processor.process(&mut frame, now - 10_000);
        out.extend(frame);
    }
    assert_eq!(processor.crashes(), 0);
    out
}

/// The delay at which `out` is most like `voice`, in samples, and the factor by which it is there.
fn found_in(voice: &[f32], out: &[f32]) -> (usize, f64) {
    let product = |delay: usize, step: usize| -> f64 {
        (0..voice.len() - 2000).step_by(step).map(|n| f64::from(voice[n]) * f64::from(out[n + delay])).sum()
    };
    let best = (0..1200).max_by(|a, b| product(*a, 7).total_cmp(&product(*b, 7))).expect("some");
    let own: f64 = voice[..voice.len() - 2000].iter().map(|s| f64::from(*s).powi(2)).sum();
    (best, product(best, 1) / own)
}

const ECHO: Voice = Voice { echo: true, noise: Noise::Off, gain: false };

#[test]
fn the_echo_of_the_speaker_is_gone_after_three_seconds() {
    let played = looped(&voices().1, 15);
    let mic = echo_of(&played, -6.0);
    let out = process(ECHO, &mic, &played);
    let removed = |from: usize, to: usize| {
        db(power(&mic[from * SECOND..to * SECOND])) - db(power(&out[from * SECOND..to * SECOND]))
    };
    println!(
        "echo removed: {:.1} dB in seconds 0 to 1, {:.1} in 1 to 3, {:.1} in 3 to 15",
        removed(0, 1),
        removed(1, 3),
        removed(3, 15)
    );
    assert!(removed(3, 15) >= 25.0);
}

/// What goes wrong on a busy machine.
#[derive(Debug, Clone, Copy, Default)]
struct Trouble {
    /// Each second the playback thread is held up, so that the speaker plays 20 to 60 ms of silence, and then has too much.
    stalls: bool,
    /// Now and then the microphone's device brings nothing for 60 ms, and then all at once.
    gaps: bool,
    /// Each fourth second the microphone's thread is held up for 200 ms.
    halts: bool,
    /// Each third second everything is heard 30 ms later or earlier, and nothing tells of it.
    moves: bool,
    /// How much quicker than the host's clock the speaker and the microphone count, in parts of a million.
    speaker_ppm: i32,
    mic_ppm: i32,
}

/// What the playback thread tells in one round: pieces of sound with the moment when their end is heard, or silence.
type Told = Vec<(Vec<f32>, u64)>;

/// Plays `mix` through a ring and a device: what is heard, by the device's clock, and what is told each 10 ms.
fn play(mix: &[f32], trouble: Trouble) -> (Vec<f32>, Vec<Told>) {
    let (mut pacer, mut ring, mut air, mut rounds) = (Pacer::new(960), VecDeque::new(), Vec::new(), Vec::new());
    let (mut late, mut missed, mut owed) = (Vec::new(), 0, 0.0);
    ring.extend([0.0; 1200]);
    for (round, frame) in mix.as_chunks::<FRAME>().0.iter().enumerate() {
        let mut told = Told::new();
        if round == 0 {
            told.push((vec![0.0; 1200], 0));
        }
        late.push(*frame);
        if !(trouble.stalls && round % 100 < 4 + round / 100 % 5) {
            for frame in late.drain(..) {
                told.push((vec![0.0; std::mem::take(&mut missed)], 0));
                if missed > 0 {
                    pacer.restart();
                }
                let mut block = vec![0.0; pace::length(-pacer.step(ring.len()))];
                pace::stretch(&frame, &mut block);
                ring.extend(&block);
                told.push((block, micros(round) + to_micros(ring.len() + 960)));
            }
        }
        owed += per_round(trouble.speaker_ppm);
        while owed >= 1.0 {
            owed -= 1.0;
            air.push(ring.pop_front().unwrap_or_else(|| {
                missed += 1;
                0.0
            }));
        }
        rounds.push(told);
    }
    (air, rounds)
}

fn micros(round: usize) -> u64 {
    (u64::try_from(round).expect("small") + 100) * 10_000
}

fn to_micros(samples: usize) -> u64 {
    u64::try_from(samples).expect("small") * 125 / 6
}

/// Samples in 10 ms by a clock that is so much quicker.
fn per_round(ppm: i32) -> f64 {
    480.0 * (1.0 + f64::from(ppm) / 1e6)
}

/// Between the samples around a place, by a cubic through four of them.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a recording")]
fn between(samples: &[f32], place: f64) -> f32 {
    let at = place.floor();
    let t = (place - at) as f32;
    let get = |off: usize| samples.get((at as usize + off).wrapping_sub(1)).copied().unwrap_or(0.0);
    let (a, b, c, d) = (get(0), get(1), get(2), get(3));
    b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)))
}

/// Lets a processor with `voice` work on what a microphone hears of `heard` (by the speaker's clock) while `told` is played;
/// gives its sound before and after.
fn listen(heard: &[f32], told: &[Told], trouble: Trouble) -> (Vec<f32>, Vec<f32>) {
    let processing = Processing { voice: ECHO, reference: Reference::new() };
    let mut processor = Processor::new(&processing, Fate::default());
    let (mut queue, mut pacer, mut primed) = (VecDeque::new(), Pacer::new(1080), false);
    let (mut before, mut after, mut arrived, mut owed, mut due) = (Vec::new(), Vec::new(), 0.0, 0.0, 0);
    let ratio = per_round(trouble.speaker_ppm) / per_round(trouble.mic_ppm);
    for (round, told) in told.iter().enumerate() {
        for (samples, heard) in told {
            if *heard == 0 {
                processing.reference.put_silence(samples.len())
            } else {
                processing.reference.put(samples, *heard)
            }
        }
        owed += per_round(trouble.mic_ppm);
        if !(trouble.gaps && round % 130 < 6) {
            while owed >= 1.0 {
                owed -= 1.0;
                let moved = if trouble.moves && round / 300 % 2 == 1 { 1440.0 } else { 0.0 };
                queue.push_back(between(heard, (arrived * ratio - moved).max(0.0)));
                arrived += 1.0;
            }
        }
        due += 1;
        if trouble.halts && round % 400 < 20 {
            continue;
        }
        for late in (0..std::mem::take(&mut due)).rev() {
            let mut frame = [0.0; FRAME];
            primed |= queue.len() >= 1080;
            let wanted = if primed { pace::length(pacer.step(queue.len().saturating_sub(late * FRAME))) } else { 0 };
            primed = primed && queue.len() >= wanted;
            if primed {
                let block: Vec<f32> = queue.drain(..wanted).collect();
                pace::stretch(&block, &mut frame);
            } else {
                pacer.restart();
            }
            let taken = if primed { wanted } else { 0 };
            processor.slip(480 - isize::try_from(taken).expect("small"));
            before.extend(frame);
            processor.process(&mut frame, micros(round) - to_micros(queue.len() + 240));
            after.extend(frame);
        }
    }
    assert_eq!(processor.crashes(), 0);
    (before, after)
}

#[test]
fn the_echo_stays_away_whatever_is_late_or_runs_dry() {
    let mix = looped(&voices().1, 13);
    let none = Trouble::default();
    let mut wrong = Vec::new();
    // Where nothing is counted the echo is heard until it is found again.
    for (what, least, trouble) in [
        ("nothing", 25.0, none),
        ("the speaker runs dry", 25.0, Trouble { stalls: true, ..none }),
        ("the microphone runs dry", 25.0, Trouble { gaps: true, ..none }),
        ("the microphone's thread stands still", 25.0, Trouble { halts: true, ..none }),
        ("a sound card is too quick", 25.0, Trouble { speaker_ppm: 200, mic_ppm: 200, ..none }),
        ("two devices differ", 25.0, Trouble { speaker_ppm: 200, ..none }),
        (
            "all of it",
            25.0,
            Trouble { stalls: true, gaps: true, halts: true, speaker_ppm: -200, mic_ppm: -200, ..none },
        ),
        ("it moves", 12.0, Trouble { moves: true, ..none }),
    ] {
        let (air, told) = play(&mix, trouble);
        let (before, after) = listen(&echo_of(&air, -6.0), &told, trouble);
        let removed = |from: usize, to: usize| db(power(&before[from..to])) - db(power(&after[from..to]));
        let end = before.len() - FRAME;
        let quarters: Vec<String> = (12..)
            .map(|n| n * SECOND / 4)
            .take_while(|from| from + SECOND / 4 <= end)
            .map(|from| format!("{:.0}", removed(from, from + SECOND / 4)))
            .collect();
        let all = removed(3 * SECOND, end);
        println!("{what}: {all:.1} dB of echo removed after 3 s; each quarter second {}", quarters.join(" "));
        if all < least {
            wrong.push((what, all));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn who_speaks_over_the_echo_is_heard() {
    let (near, far) = voices();
    let (played, mut near) = (looped(far, 24), looped(near, 24));
    // The far one alone first.
    near[..4 * SECOND].fill(0.0);
    let echo = echo_of(&played, -12.0);
    let mic = mixed(&[&near, &echo]);
    let out = process(ECHO, &mic, &played);
    let (from, to) = (6 * SECOND, 24 * SECOND);
    let (delay, factor) = found_in(&near[from..to], &out[from..to]);
    let cost = -20.0 * factor.log10();
    let rest: Vec<f32> = (from..to - 2000).map(|n| out[n + delay] - near[n]).collect();
    println!(
        "two at once, echo 12 dB below: the near voice loses {cost:.1} dB at a delay of {delay} samples; what is not it: {:.1} dB, before {:.1}",
        db(power(&rest)) - db(power(&near[from..to])),
        -12.0
    );
    assert!(cost <= 6.0, "{cost}");
}

/// Three seconds of speech, two of silence, again and again.
fn with_pauses(voice: &[f32], seconds: usize) -> Vec<f32> {
    let mut samples = looped(voice, seconds);
    for pause in samples.chunks_mut(5 * SECOND) {
        if let Some(pause) = pause.get_mut(3 * SECOND..) {
            pause.fill(0.0);
        }
    }
    samples
}

#[test]
fn noise_falls_in_pauses_and_the_voice_stays() {
    let speech = with_pauses(&voices().0, 30);
    let noise = pink(speech.len(), -26.0 - 15.0);
    let (mic, silence) = (mixed(&[&speech, &noise]), vec![0.0; speech.len()]);
    for (noise, goal) in [(Noise::Standard, 15.0), (Noise::Strong, 20.0)] {
        let out = process(Voice { echo: false, noise, gain: false }, &mic, &silence);
        let pauses = |samples: &[f32]| -> Vec<f32> {
            let pauses = (2..6).flat_map(|n| samples[(5 * n + 4) * SECOND..(5 * n + 5) * SECOND].iter().copied());
            pauses.collect()
        };
        let fallen = db(power(&pauses(&mic))) - db(power(&pauses(&out)));
        let (delay, factor) = found_in(&speech[10 * SECOND..], &out[10 * SECOND..]);
        let kept = 20.0 * factor.log10();
        println!(
            "{noise}: noise falls by {fallen:.1} dB in pauses, the voice by {:.1} dB, {delay} samples late",
            -kept
        );
        assert!(fallen >= goal, "{noise}: {fallen}");
        assert!(kept > -5.0, "{noise}: {kept}");
    }
}

#[test]
fn quiet_voices_come_up_and_loud_ones_are_not_cut() {
    let silence = vec![0.0; 30 * SECOND];
    let voice = Voice { echo: false, noise: Noise::Off, gain: true };
    let mut levels = Vec::new();
    for level in [-40.0, -26.0, -20.5] {
        let mic: Vec<f32> = at_level(looped(&voices().0, 30), level).iter().map(|s| s.clamp(-1.0, 1.0)).collect();
        let out = process(voice, &mic, &silence);
        let end = db(power(&out[15 * SECOND..]));
        let peak = out[15 * SECOND..].iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
        let cut = out.iter().filter(|s| s.abs() >= 0.999).count();
        println!("gain: {level} dB becomes {end:.1} dB, peak {peak:.2}, {cut} samples at full scale");
        assert!(cut == 0, "{level}: {cut}");
        levels.push(end);
    }
    assert!(levels[0] >= -40.0 + 12.0 && levels[0] <= -12.0, "{levels:?}");
    assert!(levels[2] <= -14.0 && levels[2] >= -26.0, "{levels:?}");
}

#[test]
fn the_latency_that_is_told_is_that_of_the_sound() {
    let speech = looped(&voices().0, 12);
    let silence = vec![0.0; speech.len()];
    for text in [
        "echo=on,noise=off,gain=off",
        "echo=off,noise=standard,gain=off",
        "echo=off,noise=off,gain=on",
        "on",
        "noise=strong,echo=off,gain=off",
        "noise=strong",
    ] {
        let voice: Voice = text.parse().expect("a voice");
        let processing = Processing { voice, reference: Reference::new() };
        let told = Processor::new(&processing, Fate::default()).latency() * 6 / 125;
        let out = process(voice, &speech, &silence);
        let (delay, _) = found_in(&speech[4 * SECOND..], &out[4 * SECOND..]);
        println!("{text}: {delay} samples late, told {told}");
        assert!(told.abs_diff(u64::try_from(delay).expect("small")) <= 48, "{text}: {delay} {told}");
    }
}

#[test]
fn speech_and_talk_between_two_are_no_feedback() {
    let (near, far) = voices();
    let (near, far) = (looped(near, 60), looped(far, 60));
    let echo = echo_of(&far, -3.0);
    for mic in [&near, &far, &mixed(&[&near, &echo])] {
        let mut guard = Guard::default();
        for (mic, played) in mic.as_chunks::<FRAME>().0.iter().zip(far.as_chunks::<FRAME>().0) {
            let mut frame = *mic;
            guard.on_playout(played);
            guard.process(&mut frame);
        }
        assert_eq!(guard.found(), 0);
    }
}

/// A resonance: gain 1 at its frequency, less beside it.
struct Resonance {
    cos: f32,
    radius: f32,
    state: (f32, f32),
}

impl Resonance {
    fn new(hertz: f32) -> Self {
        let radius = 1.0 - std::f32::consts::PI * 120.0 / 48_000.0;
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

/// Two machines in one room for 12 s, with 150 ms between them, each of which hears both speakers and a quiet room; the level
/// of what they send, each tenth of a second.
fn two_in_one_room(voice: Voice, gain: f32) -> Vec<f64> {
    let hiss = pink(12 * SECOND, -55.0);
    let processings = [(); 2].map(|()| Processing { voice, reference: Reference::new() });
    let mut processors = [0, 1].map(|n: usize| Processor::new(&processings[n], Fate::default()));
    let mut modes = [430.0, 1210.0, 2350.0, 3100.0].map(Resonance::new);
    let mut ways = [(); 2].map(|()| VecDeque::from(vec![[0.0f32; FRAME]; 15]));
    // 40 ms from a frame that is played to its sound in the microphones.
    let mut air = VecDeque::from(vec![[0.0f32; FRAME]; 4]);
    let (mut levels, mut tenth) = (Vec::new(), Vec::new());
    for (now, hiss) in (100u64..).zip(hiss.as_chunks::<FRAME>().0) {
        let now = now * 10_000;
        // Each plays what the other sent.
        let played: [Frame; 2] = [1, 0].map(|other: usize| ways[other].pop_front().unwrap_or([0.0; FRAME]));
        for (processing, played) in processings.iter().zip(&played) {
            processing.reference.put(played, now + 40_000);
        }
        air.push_back(std::array::from_fn(|n| (played[0][n] + played[1][n]).tanh()));
        let sound = air.pop_front().unwrap_or([0.0; FRAME]);
        let mic: Frame = std::array::from_fn(|n| {
            let heard: f32 = modes.iter_mut().map(|mode| mode.filter(sound[n])).sum();
            (gain * heard + hiss[n]).clamp(-1.0, 1.0)
        });
        for (processor, way) in processors.iter_mut().zip(&mut ways) {
            let mut frame = mic;
            processor.process(&mut frame, now);
            tenth.extend(frame);
            way.push_back(frame);
        }
        if tenth.len() >= 2 * SECOND / 10 {
            levels.push(db(power(&tenth)));
            tenth.clear();
        }
    }
    levels
}

#[test]
fn two_machines_in_one_room_do_not_howl() {
    for text in ["echo=on,noise=off,gain=off", "on"] {
        for gain in [1.0, 2.0, 4.0] {
            let wild = two_in_one_room(Voice::OFF, gain);
            assert!(wild.last().is_some_and(|level| *level > -15.0), "it howls by itself: {wild:?}");
            let levels = two_in_one_room(text.parse().expect("a voice"), gain);
            let longest = levels.split(|level| *level <= -20.0).map(<[f64]>::len).max().unwrap_or(0);
            let late = levels[80..].iter().filter(|level| **level > -25.0).count();
            let shown: Vec<String> = levels.iter().map(|level| format!("{level:.0}")).collect();
            println!("{text}, gain {gain}: loud for {longest} tenths in a row, late for {late}: {}", shown.join(" "));
            assert!(longest <= 10 && late <= 5, "{text}, gain {gain}: {longest} {late}");
        }
    }
}

/// Not a check: `cargo test --release --test voice cost -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, which says something in an optimised build on a machine with nothing else to do"]
fn cost_of_ten_milliseconds() {
    let (near, far) = voices();
    let (near, far) = (looped(near, 30), looped(far, 30));
    let mic = mixed(&[&near, &echo_of(&far, -6.0)]);
    for text in [
        "echo=on,noise=off,gain=off",
        "echo=off,noise=standard,gain=off",
        "echo=off,noise=strong,gain=off",
        "echo=off,noise=off,gain=on",
        "on",
        "noise=strong",
    ] {
        let start = clock::now();
        process(text.parse().expect("a voice"), &mic, &far);
        println!("{text}: {:.0} us for 10 ms", start.elapsed().as_secs_f64() * 1e6 / 3000.0);
    }
    let (mut guard, start) = (Guard::default(), clock::now());
    for (mic, played) in mic.as_chunks::<FRAME>().0.iter().zip(far.as_chunks::<FRAME>().0) {
        guard.on_playout(played);
        guard.process(&mut mic.clone());
    }
    println!("the howl guard alone: {:.0} us for 10 ms", start.elapsed().as_secs_f64() * 1e6 / 3000.0);
}
