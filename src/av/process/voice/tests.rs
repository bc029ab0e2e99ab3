use super::*;
use crate::av::spec::voice::Noise;

fn processor(voice: Voice) -> (Processor, Reference) {
    let processing = Processing { voice, reference: Reference::new() };
    (Processor::new(&processing, Fate::default()), processing.reference)
}

/// Halves what it gets; breaks on a sample that is out of range.
struct Fragile;

impl Chain for Fragile {
    fn play(&mut self, _: &Frame) {}

    fn process(&mut self, frame: &mut Frame, _: i32) {
        assert!(frame[0] < 0.9, "as a library may");
        frame.iter_mut().for_each(|sample| *sample *= 0.5);
    }

    fn latency(&self) -> usize {
        0
    }
}

#[test]
fn libraries_that_panic_are_made_anew_and_told_once() {
    let fate = Fate::default();
    let processing = Processing { voice: Voice { echo: false, ..Voice::ON }, reference: Reference::new() };
    let mut processor = Processor::with(&processing, fate.clone(), |_| Box::new(Fragile));
    let mut told = 0;
    for round in 1..=MOST_CRASHES + 2 {
        let mut frame = [1.0; FRAME_SAMPLES];
        processor.process(&mut frame, 0);
        assert_eq!(frame[0].to_bits(), 1.0f32.to_bits(), "that frame goes out as it is");
        told += usize::from(matches!(fate.take(), Some(Error::Restarted { .. })));
        let mut frame = [0.5; FRAME_SAMPLES];
        processor.process(&mut frame, 0);
        let expect: f32 = if round <= MOST_CRASHES { 0.25 } else { 0.5 };
        assert_eq!(frame[0].to_bits(), expect.to_bits(), "round {round}");
    }
    assert_eq!((told, processor.crashes()), (1, MOST_CRASHES + 1));
}

#[test]
fn the_original_sound_is_not_touched() {
    let (mut processor, reference) = processor(Voice::OFF);
    for n in 0..500u16 {
        reference.put(&[0.3; FRAME_SAMPLES], 0);
        let tone = std::array::from_fn(|i| {
            let at = f32::from(n % 100) * 480.0 + f32::from(u16::try_from(i).expect("small"));
            0.9 * (at / 48_000.0 * 440.0 * std::f32::consts::TAU).sin()
        });
        let mut frame = tone;
        processor.process(&mut frame, 10_000);
        assert!(frame.iter().zip(&tone).all(|(a, b)| a.to_bits() == b.to_bits()), "frame {n}");
    }
    assert_eq!(processor.latency(), 0);
}

#[test]
fn what_is_no_number_does_no_lasting_harm() {
    for voice in [Voice::ON, Voice { noise: Noise::Strong, ..Voice::ON }] {
        let (mut processor, reference) = processor(voice);
        reference.put(&[f32::NAN; FRAME_SAMPLES], 0);
        for _ in 0..3 {
            let mut frame = [f32::NAN; FRAME_SAMPLES];
            processor.process(&mut frame, 0);
            assert!(frame.iter().all(|sample| sample.is_finite()));
        }
        let mut power = 0.0;
        for n in 0..300u16 {
            let mut frame = std::array::from_fn(|i| {
                let at = f32::from(n) * 480.0 + f32::from(u16::try_from(i).expect("small"));
                0.2 * (at * 0.03).sin() * (at * 0.0007).sin()
            });
            processor.process(&mut frame, 0);
            power += frame.iter().map(|s| s * s).sum::<f32>();
        }
        assert!(power > 1.0 && processor.crashes() == 0, "sound comes through again: {power}");
    }
}

#[test]
fn a_change_takes_effect_at_the_next_frame() {
    let (mut processor, _reference) = processor(Voice::OFF);
    processor.set(Voice { noise: Noise::Strong, ..Voice::OFF });
    assert!(processor.latency() >= 10_000);
    processor.set(Voice::OFF);
    assert_eq!(processor.latency(), 0);
}
