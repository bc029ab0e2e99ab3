//! `lets-meet doctor`: checks what a meeting needs of this machine and says in words what is wrong and what to do.
//! So far: profile, interfaces, port, multicast, firewall, devices, and where asked for a try of sound and camera. Exit 1
//! when a check failed; a device that is not there is no failure, since a meeting goes on without, unless it was to be tried.

#[cfg(feature = "media")]
mod meter;
#[cfg(feature = "media")]
mod tries;

use serde_json::{Value, json};

use super::args::{Common, Doctor};
use super::output::Output;
use super::setup::{Setup, endpoint_config};
use super::{Exit, Failure};
use crate::engine::doctor::{self, Check};

/// Runs all checks, prints each when it is done.
pub fn run(common: &Common, trials: &Doctor, output: &Output) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    let mut tell_all = |check: Check, figures: Option<Value>| {
        if output.is_json() {
            let Check { name, ok, detail, hint } = &check;
            let mut fields = json!({ "name": name, "ok": ok, "detail": detail, "hint": hint });
            if let (Some(figures), Value::Object(fields)) = (figures, &mut fields) {
                fields.insert("figures".to_owned(), figures);
            }
            output.event("check", fields);
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
    let mut tell = |check: Check| tell_all(check, None);
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
    try_out(trials, output, tell_all)?;
    Ok(exit)
}

/// What a person asked to try. It is said before it is done: a microphone and a camera are opened.
#[cfg(feature = "media")]
fn try_out(trials: &Doctor, output: &Output, tell: impl FnMut(Check, Option<Value>)) -> Result<(), Failure> {
    tries::run(trials, output, tell);
    Ok(())
}

/// This build has nothing to try.
#[cfg(not(feature = "media"))]
fn try_out(trials: &Doctor, _: &Output, _: impl FnMut(Check, Option<Value>)) -> Result<(), Failure> {
    if trials.sound || trials.camera.is_some() {
        return Err(Failure::usage("This build has no pictures and no sound; build it with the feature devices."));
    }
    Ok(())
}
