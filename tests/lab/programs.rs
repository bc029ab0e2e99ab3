//! What other programs play, shared with a screen: heard at the far side, and the call is not in it.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::equipment::{Equipment, SoundServer};
use crate::host::Lab;
use crate::lab;
use crate::measure::samples;
use crate::program::{PATIENCE, Peer, figure};

/// Ten seconds of a sine at a quarter of full scale, as `tone` is.
fn write_tone(path: &Path, hertz: u16) {
    let format = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, format).expect("the lab's folder can be written");
    for n in 0..480_000u32 {
        let phase = f64::from(n % 48_000) * f64::from(hertz) * std::f64::consts::TAU / 48_000.0;
        #[expect(clippy::cast_possible_truncation, reason = "a quarter of full scale")]
        file.write_sample((phase.sin() * 8_192.0) as i16).expect("the lab's folder can be written");
    }
    file.finalize().expect("the lab's folder can be written");
}

/// Decibels of a sine of full scale at `hertz` in `samples` (Goertzel), the loudest of half seconds.
fn level(samples: &[f32], hertz: f64) -> f64 {
    let (part, turn) = (24_000, std::f64::consts::TAU * hertz / 48_000.0);
    let power = |part: &[f32]| {
        let (mut re, mut im, mut phase) = (0.0, 0.0, 0.0f64);
        for sample in part {
            re += f64::from(*sample) * phase.cos();
            im += f64::from(*sample) * phase.sin();
            phase += turn;
        }
        #[expect(clippy::cast_precision_loss, reason = "a count")]
        let amplitude = 2.0 * re.hypot(im) / part.len() as f64;
        20.0 * amplitude.max(1e-9).log10()
    };
    samples.chunks_exact(part).map(power).fold(-180.0, f64::max)
}

fn sounds(e: &Value, by: &str, track: &str, more: u64) -> bool {
    e["event"] == "stats" && e["peers"][by][track]["played_ms"].as_u64() > Some(more)
}

fn is_sound(e: &Value, on: bool) -> bool {
    e["event"] == "track" && e["track"] == "screen-audio" && e["on"] == on
}

#[test]
fn other_programs_are_heard_with_a_shared_screen_and_the_call_itself_is_not() {
    let lab = lab!(2);
    let server = SoundServer::start(&lab.folder().join("sound.log"));
    share_music(&lab, server);
}

#[test]
fn other_programs_are_heard_by_pipewire_too() {
    let lab = lab!(2);
    let server = SoundServer::start_pipewire(&lab.folder().join("sound.log"));
    share_music(&lab, server);
}

fn share_music(lab: &Lab, mut server: SoundServer) {
    let equipment = Equipment::none(&lab.folder().join("cameras")).with_sound(&server);
    let (wav, speaker, dump) =
        (lab.folder().join("music.wav"), lab.folder().join("speaker.raw"), lab.folder().join("dump"));
    write_tone(&wav, 1000);
    let with = ["--speaker", "device", "--screen", "testcard:320x180@5", "--screen-audio", "on"];
    let mut ann = Peer::equipped(lab, 1, "ann", "call", &with, &equipment);
    let folder = dump.display().to_string();
    let mut bo = Peer::join(lab, 2, "bo", "call", &["--mic", "tone", "--dump-audio", &folder]);
    bo.wait_joined(&ann, PATIENCE);
    bo.wait("the track", PATIENCE, |e| is_sound(e, true));
    bo.wait("the sound of the screen", PATIENCE, |e| sounds(e, &ann.id, "screen_audio", 500));
    ann.wait("the voice of bo", PATIENCE, |e| sounds(e, &bo.id, "audio", 500));
    // The voice alone, then music beside it. What the speaker plays is written down.
    let recorder = server.hear(&speaker);
    bo.watch(3);
    let music = server.play(&wav);
    bo.watch(7);
    drop((music, recorder));
    // Its end is the end of the track.
    ann.must(json!({"do": "screen", "on": false}));
    bo.wait("the end of the track", PATIENCE, |e| is_sound(e, false));
    // It comes again with the next share, and can be switched; where no server answers that is told, and the share goes on.
    let mark = bo.mark();
    ann.must(json!({"do": "screen", "on": true}));
    bo.wait_from(mark, "the track again", PATIENCE, |e| is_sound(e, true));
    ann.must(json!({"do": "screen-audio", "value": "off"}));
    bo.wait_from(mark, "the end of the sound", PATIENCE, |e| is_sound(e, false));
    server.stop();
    let mark = ann.mark();
    ann.must(json!({"do": "screen-audio", "value": "on"}));
    let warning = ann.wait_from(mark, "a warning", Duration::from_secs(10), |e| {
        e["event"] == "warning" && e["message"].to_string().contains("sound of this computer")
    });
    assert_eq!(warning.value["code"], "source-failed");
    assert_eq!(ann.must(json!({"do": "state"}))["settings"]["screen_audio"], "off");
    for peer in [&mut ann, &mut bo] {
        assert_eq!(peer.stop().0, Some(0));
    }
    let shared = samples(&dump.join(format!("{}-screen.wav", ann.id)));
    let bytes = std::fs::read(&speaker).expect("it was recorded");
    let played: Vec<f32> =
        bytes.as_chunks::<2>().0.iter().map(|pair| f32::from(i16::from_le_bytes(*pair)) / 32_768.0).collect();
    let (music, music_there) = (level(&played, 1000.0), level(&shared, 1000.0));
    let (voice, voice_there) = (level(&played, 440.0), level(&shared, 440.0));
    println!("music {music:.1} dB, at the far side {music_there:.1} dB; voice {voice:.1} dB, back {voice_there:.1} dB");
    figure("music of another program at the far side", music_there - music, "dB", "0");
    figure("one's own voice in the sound of the other's screen falls by", voice - voice_there, "dB", "30");
    assert!(music > -20.0 && voice > -20.0, "both are played by the speaker: {music:.1} dB, {voice:.1} dB");
    assert!((music_there - music).abs() <= 3.0, "{music:.1} dB, then {music_there:.1} dB");
    assert!(voice - voice_there >= 30.0, "{voice:.1} dB, then {voice_there:.1} dB");
}
