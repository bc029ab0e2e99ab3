//! Sound over bad networks, from the sender's frames to the listener's ear, in virtual time: what is made up, how long it is
//! waited for, and how well speech is understood. Each network is drawn from a seed, which a failing test prints.

mod codec;
mod plain;
mod stoi;

/// A number from 0 to 1 that is never 1 (xorshift).
fn draw(seed: &mut u32) -> f32 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    f32::from(u16::try_from(*seed >> 16).expect("16 bits")) / 65_536.0
}

/// What a network does to packets of 10 ms.
#[derive(Debug, Clone, Copy)]
struct Path {
    seed: u32,
    /// Share of packets that are lost, 0 to 1.
    loss: f32,
    /// Packets that are lost in one go.
    burst: u32,
    /// Microseconds that a packet takes at least.
    delay_us: i64,
    /// Most microseconds more.
    jitter_us: u16,
    /// Packets still to be lost in this burst.
    left: u32,
}

impl Path {
    fn new(seed: u32, loss: f32, burst: u32) -> Self {
        let seed = seed.wrapping_mul(2_654_435_761) | 1;
        Self { seed, loss, burst, delay_us: 20_000, jitter_us: 3000, left: 0 }
    }

    /// Microseconds that the next packet takes; `None` when it is lost.
    fn transit(&mut self) -> Option<i64> {
        let jitter = draw(&mut self.seed) * f32::from(self.jitter_us);
        let length = f32::from(u16::try_from(self.burst).expect("short"));
        if self.left == 0 && draw(&mut self.seed) < self.loss / (length * (1.0 - self.loss) + self.loss) {
            self.left = self.burst;
        }
        if self.left > 0 {
            self.left -= 1;
            return None;
        }
        let jitter = (0..i64::from(self.jitter_us))
            .step_by(100)
            .find(|us| f32::from(u16::try_from(*us).expect("16 bits")) >= jitter);
        Some(self.delay_us + jitter.unwrap_or(i64::from(self.jitter_us)))
    }
}

/// What is like speech to a codec and to an ear's bands: a gliding voice through three moving resonances, in syllables,
/// hisses between them, and a pause of 700 ms every third second.
fn speech(seconds: u16) -> Vec<f32> {
    let (mut seed, mut phase, mut out) = (7, 0.0f32, Vec::new());
    let tau = std::f32::consts::TAU;
    for frame in 0..seconds * 1000 {
        let second = f32::from(frame) / 1000.0;
        let pitch = 140.0 + 40.0 * (second * 2.3).sin() + 25.0 * (second * 7.1).sin();
        let syllable = (second * 4.3 * std::f32::consts::PI).sin();
        let quiet = if second % 3.0 > 2.3 { 0.0 } else { 1.0 };
        let formants = [500.0 + 250.0 * (second * 5.1).sin(), 1500.0 + 600.0 * (second * 3.7).sin(), 2600.0];
        let share: Vec<f32> = (1u16..=24)
            .map(|overtone| {
                let hertz = f32::from(overtone) * pitch;
                formants.iter().map(|at| 1.0 / (1.0 + ((hertz - at) / 90.0).powi(2))).sum::<f32>()
            })
            .collect();
        for _ in 0..48 {
            phase = (phase + pitch / 48_000.0).fract();
            let voice: f32 = (1u16..).zip(&share).map(|(n, share)| share * (phase * f32::from(n) * tau).sin()).sum();
            let hiss = draw(&mut seed) - 0.5;
            out.push(quiet * (0.15 * voice * syllable.max(0.0) + 0.05 * hiss * (-syllable).max(0.0)));
        }
    }
    out
}
