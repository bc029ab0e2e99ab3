//! What a person asked the doctor to try, on the devices that they chose, and how loud it is meanwhile.

use std::io::IsTerminal as _;
use std::ops::ControlFlow;

use serde_json::{Value, json};

use super::meter::{For, Meter, tenths};
use crate::av::spec::{DeviceChoice, Microphone, Speaker};
use crate::cli::args::Doctor;
use crate::cli::output::Output;
use crate::engine::doctor::Check;
use crate::engine::preview::sound::Step;
use crate::engine::trial;

/// Tries them, and tells each with its figures.
pub fn run(trials: &Doctor, output: &Output, mut tell: impl FnMut(Check, Option<Value>)) {
    if trials.sound {
        let microphone = trials.microphone.clone().unwrap_or(Microphone::Device(DeviceChoice::Default));
        let speaker = trials.speaker.clone().unwrap_or(Speaker::Device(DeviceChoice::Default));
        if microphone != Microphone::None {
            let (check, figures) = sound(&microphone, &speaker, output);
            tell(check, figures);
        }
        if speaker != Speaker::None {
            tell(trial::speaker(&speaker), None);
        }
    }
    if let Some(camera) = &trials.camera {
        let (check, seen) = trial::camera(camera);
        let figures = seen.map(|seen| {
            json!({
                "device": seen.device, "width": seen.width, "height": seen.height, "fps": seen.rate,
                "pictures": seen.pictures, "first_ms": seen.first_ms,
            })
        });
        tell(check, figures);
    }
}

fn sound(microphone: &Microphone, speaker: &Speaker, output: &Output) -> (Check, Option<Value>) {
    let reader = match output.is_json() {
        true => For::Script,
        false if std::io::stdout().is_terminal() => For::Terminal,
        false => For::Page,
    };
    let then = if *speaker == Speaker::None { "" } else { " Then you hear yourself." };
    if reader != For::Script {
        output.line(&format!("     Speak now, for three seconds.{then} Nothing is kept."));
    }
    let (mut meter, mut playing) = (Meter::new(reader), false);
    let (check, listened) = trial::sound(microphone, speaker, trial::LENGTH, &mut |step| {
        match step {
            Step::Recording { left, loudness, peak_db } => {
                if let Some(shown) = meter.on_sound(left, loudness, peak_db) {
                    match reader {
                        For::Script => output.event("level", shown.fields()),
                        For::Terminal if !shown.left.is_zero() => output.over(&shown.line()),
                        // The last one stays.
                        For::Terminal => output.line(&format!("\r{}", shown.line())),
                        For::Page => output.line(&shown.line()),
                    }
                }
            }
            Step::Playing if !playing && reader != For::Script => {
                playing = true;
                output.line("     Playing");
            }
            Step::Playing => {}
        }
        ControlFlow::Continue(())
    });
    let figures = listened.map(|listened| {
        json!({
            "device": listened.device, "peak_db": tenths(listened.heard.peak_db),
            "level_db": tenths(listened.heard.level_db), "played": listened.played,
        })
    });
    (check, figures)
}
