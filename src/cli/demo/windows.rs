//! The demo where there is a display: two windows with profiles of their own, test cards and generated speech in one
//! meeting, confined to this machine.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::voice;

/// Whose windows, and how high they speak.
const PEOPLE: [(&str, f32); 2] = [("Ada", 210.0), ("Bo", 110.0)];
/// How often it is looked whether a window was closed.
const LOOK: Duration = Duration::from_millis(100);

/// A window that is ended with the demo.
struct Window(Child);

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs until both windows are closed, or a signal came.
pub fn run(folder: &Path, stopped: &AtomicBool) -> std::io::Result<()> {
    let program = std::env::current_exe()?;
    let room = format!("demo-{:08x}", rand::random::<u32>());
    let mut windows = Vec::new();
    for (seed, (name, pitch)) in (1..).zip(PEOPLE) {
        let home = folder.join(name);
        std::fs::create_dir_all(&home)?;
        let speech = home.join("speech.wav");
        voice::write_wav(&speech, &voice::speak(10, pitch, seed))?;
        let child = Command::new(&program)
            .args(["window", "--room", &room, "--name", name, "--interface", crate::platform::LOOPBACK])
            .args(["--camera", "testcard:640x360@30", "--speaker", "none"])
            .arg("--mic")
            .arg(format!("file:{}", speech.display()))
            .arg("--profile")
            .arg(home.join("profile"))
            .stdin(Stdio::null())
            .spawn()?;
        windows.push(Window(child));
    }
    while !windows.is_empty() && !stopped.load(Ordering::Relaxed) {
        // One whose state cannot be asked is taken as closed.
        windows.retain_mut(|window| matches!(window.0.try_wait(), Ok(None)));
        std::thread::sleep(LOOK);
    }
    Ok(())
}
