//! `lets-meet doctor`: checks what a meeting needs of this machine and says in words what is wrong and what to do.
//! So far: profile, interfaces, port, multicast, firewall, devices, and where asked for a try of sound and camera. Exit 1 when a check failed; a device that is not there
//! is no failure, since a meeting goes on without.

use serde_json::json;

use super::args::{Common, Doctor};
use super::output::Output;
use super::setup::{Setup, endpoint_config};
use super::{Exit, Failure};
use crate::engine::doctor::{self, Check};

/// Runs all checks, prints each when it is done.
pub fn run(common: &Common, trials: Doctor, output: &Output) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    let mut tell = |check: Check| {
        if output.is_json() {
            let Check { name, ok, detail, hint } = &check;
            output.event("check", json!({ "name": name, "ok": ok, "detail": detail, "hint": hint }));
        } else {
            output.line(&format!("{} {:<11} {}", if check.ok { "ok  " } else { "FAIL" }, check.name, check.detail));
            if let Some(hint) = &check.hint {
                output.line(&format!("                 {hint}"));
            }
        }
        if !check.ok {
            exit = Exit::Failed;
        }
    };
    match Setup::load(common) {
        Ok(setup) => {
            let detail =
                format!("{} ({}) in {}", setup.name, setup.identity.peer_id().short(), setup.profile.dir().display());
            tell(Check::good("profile", detail));
        }
        Err(failure) => tell(Check::bad("profile", failure.message, "Choose another folder with --profile DIR.")),
    }
    tell(doctor::interfaces(&common.interface));
    super::block_on(async {
        tell(doctor::port(endpoint_config(common)).await);
        tell(doctor::multicast(&common.interface, None).await);
        Ok(())
    })?;
    tell(doctor::firewall());
    for check in doctor::devices() {
        tell(check);
    }
    try_out(trials, output, tell)?;
    Ok(exit)
}

/// What a person asked to try. It is said before it is done: a microphone and a camera are opened.
#[cfg(feature = "media")]
fn try_out(trials: Doctor, output: &Output, mut tell: impl FnMut(Check)) -> Result<(), Failure> {
    use crate::engine::trial;
    let say = |words: &str| {
        if !output.is_json() {
            output.line(words);
        }
    };
    if trials.sound {
        say("     Speak now, for three seconds; then you hear yourself. Nothing is kept.");
        tell(trial::sound());
    }
    if trials.camera {
        tell(trial::camera());
    }
    Ok(())
}

/// This build has nothing to try.
#[cfg(not(feature = "media"))]
fn try_out(trials: Doctor, _: &Output, _: impl FnMut(Check)) -> Result<(), Failure> {
    if trials.sound || trials.camera {
        return Err(Failure::usage("This build has no pictures and no sound; build it with the feature devices."));
    }
    Ok(())
}
