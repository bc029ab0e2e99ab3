//! Sans-IO. Makes sound a little longer or shorter without changing its pitch: one period of the voice is taken out or
//! played twice, faded over at the seam (WSOLA; Verhelst and Roelands, ICASSP 1993).
//!
//! The period is the lag at which the sound resembles itself most. Where nothing resembles (a consonant, noise) and it
//! is not quiet either, nothing is done: the caller tries again 10 ms later.

/// Shortest and longest period: 400 Hz and 100 Hz.
const SHORTEST: usize = 120;
const LONGEST: usize = 480;
/// What is compared and faded over: 5 ms.
const OVERLAP: usize = 240;
/// Samples that [`shorten`] needs to see.
pub const SHORTEN_NEEDS: usize = LONGEST + OVERLAP;
/// Samples of the past that [`lengthen`] needs to see.
pub const LENGTHEN_NEEDS: usize = LONGEST + OVERLAP;
/// Below this likeness (normalised correlation) a seam is heard.
const LIKE: f32 = 0.8;
/// Mean square below which no seam is heard: -50 dB of full scale.
const QUIET: f32 = 1e-5;

/// The lag in `SHORTEST..=most` at which `sound[lag..]` is most like `sound[..OVERLAP]`, when it is like enough.
fn period(sound: &[f32], most: usize) -> Option<usize> {
    let most = most.min(LONGEST).min(sound.len().checked_sub(OVERLAP)?);
    let head = sound.get(..OVERLAP)?;
    let energy = |part: &[f32]| part.iter().map(|s| s * s).sum::<f32>();
    let head_energy = energy(head);
    // OVERLAP is 240: exact as f32.
    if head_energy < QUIET * 240.0 && energy(sound.get(..most + OVERLAP)?) < QUIET * 720.0 {
        return (most >= SHORTEST).then_some(most);
    }
    let mut best: Option<(f32, usize)> = None;
    for lag in SHORTEST..=most {
        let other = sound.get(lag..lag + OVERLAP)?;
        let product: f32 = head.iter().zip(other).map(|(a, b)| a * b).sum();
        let likeness = product / (head_energy * energy(other)).sqrt().max(f32::MIN_POSITIVE);
        if likeness > best.map_or(LIKE, |(value, _)| value) {
            best = Some((likeness, lag));
        }
    }
    best.map(|(_, lag)| lag)
}

/// How much of the second sound there is at sample `i` of a fade over `length`.
fn ramp(i: usize, length: usize) -> f32 {
    let number = |n: usize| f32::from(u16::try_from(n).unwrap_or(u16::MAX));
    (number(i) + 0.5) / number(length.max(1))
}

/// Takes one period, at most `most` samples, out of the beginning of `sound`. Gives back how many samples it took, 0
/// when there was no good place.
pub fn shorten(sound: &mut Vec<f32>, most: usize) -> usize {
    let Some(lag) = period(sound, most) else { return 0 };
    let mut head = [0.0f32; OVERLAP];
    for (out, sample) in head.iter_mut().zip(sound.iter()) {
        *out = *sample;
    }
    for (i, (early, late)) in head.into_iter().zip(sound.iter_mut().skip(lag)).enumerate() {
        let w = ramp(i, OVERLAP);
        *late = early * (1.0 - w) + *late * w;
    }
    sound.drain(..lag);
    lag
}

/// Plays the last period of `past` (what was played until now, oldest first) again before `next` goes on, faded from
/// what `next` begins with. Gives back how many samples were put in front of `next`, 0 when there was no good place.
pub fn lengthen(past: &[f32], next: &mut Vec<f32>) -> usize {
    if next.len() < OVERLAP || past.len() < LENGTHEN_NEEDS {
        return 0;
    }
    // Backwards, the end of the past is the head that must be found again one lag earlier.
    let mut backwards = [0.0f32; LENGTHEN_NEEDS];
    for (out, sample) in backwards.iter_mut().zip(past.iter().rev()) {
        *out = *sample;
    }
    let Some(lag) = period(&backwards, LONGEST) else { return 0 };
    let Some(again) = past.get(past.len() - lag..) else { return 0 };
    let mut inserted = again.to_vec();
    let fade = OVERLAP.min(lag);
    for (i, (sample, own)) in inserted.iter_mut().zip(next.iter()).enumerate().take(fade) {
        let w = ramp(i, fade);
        *sample = own * (1.0 - w) + *sample * w;
    }
    next.splice(..0, inserted);
    lag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(from: usize, length: usize, period: u16) -> Vec<f32> {
        (from..from + length)
            .map(|i| {
                let at = u16::try_from(i % usize::from(period)).expect("small");
                (f32::from(at) * std::f32::consts::TAU / f32::from(period)).sin() * 0.5
            })
            .collect()
    }

    fn steepest(sound: &[f32]) -> f32 {
        sound.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn whole_periods_leave_without_a_seam() {
        let mut sound = tone(0, 960, 200);
        let steep = steepest(&sound);
        let taken = shorten(&mut sound, LONGEST);
        assert!(taken == 200 || taken == 400, "{taken}");
        assert_eq!(sound.len(), 960 - taken);
        assert!(steepest(&sound) <= steep * 1.05);
    }

    #[test]
    fn a_period_is_played_twice_without_a_seam() {
        let past = tone(0, 960, 200);
        let mut next = tone(960, 480, 200);
        let steep = steepest(&next);
        let put = lengthen(&past, &mut next);
        assert!(put == 200 || put == 400, "{put}");
        assert_eq!(next.len(), 480 + put);
        let all: Vec<f32> = past.into_iter().chain(next).collect();
        assert!(steepest(&all) <= steep * 1.05);
    }

    #[test]
    fn noise_is_left_alone_and_silence_is_cut_freely() {
        let mut seed = 1u32;
        let mut noise: Vec<f32> = (0..960)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f32::from(u16::try_from(seed >> 16).expect("16 bits")) / 65_536.0 - 0.5
            })
            .collect();
        assert_eq!(shorten(&mut noise, LONGEST), 0);
        let mut silence = vec![0.0; 960];
        assert_eq!(shorten(&mut silence, LONGEST), LONGEST);
        assert_eq!(shorten(&mut silence, 100), 0);
        assert_eq!(lengthen(&[0.0; 960], &mut silence), LONGEST);
    }

    #[test]
    fn too_little_sound_is_left_alone() {
        let mut sound = vec![0.0; 100];
        assert_eq!(shorten(&mut sound, LONGEST), 0);
        assert_eq!(lengthen(&[0.0; 10], &mut sound), 0);
    }
}
