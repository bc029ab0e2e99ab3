//! Displays and windows of this machine: on X11 read from its server, on Wayland by the desktop's portal and PipeWire.
//!
//! Nothing is captured that nobody watches or that did not change: the X server tells which part changed (Damage), only
//! that part is read, at most thirty times a second and as rarely as five times where reading costs much. What stands
//! still is repeated by the publisher, from the picture that it has. A window is read from a copy of its own
//! (Composite), so what covers it is not seen; the pointer is drawn on top, since the server keeps it apart.

mod canvas;
#[cfg(target_os = "linux")]
mod cast;
mod pace;
#[cfg(target_os = "linux")]
mod portal;
#[cfg(target_os = "linux")]
mod programs;
#[cfg(target_os = "linux")]
mod x11;

use super::sound::Sound;
use super::{CallOff, LiveSource};
use crate::av::devices::Device;
#[cfg(target_os = "linux")]
use crate::av::devices::Kind;
use crate::av::{Error, spec};

/// The displays, then the windows that can be shared; without our own. Blocks while the display is asked.
pub fn list() -> Vec<Device> {
    #[cfg(target_os = "linux")]
    if crate::platform::is_wayland() {
        // What there is only the desktop knows, and it tells nobody before the person has chosen.
        return vec![Device::new(Kind::Screen, "Chosen in the desktop's own dialog", "display", true)];
    }
    #[cfg(target_os = "linux")]
    return x11::list();
    #[cfg(not(target_os = "linux"))]
    Vec::new()
}

/// True where what other programs play can be shared.
pub const HAS_SOUND: bool = cfg!(target_os = "linux");

/// What other programs play. That it does not work is told by its fate.
pub fn sound() -> Result<Box<dyn Sound>, Error> {
    #[cfg(target_os = "linux")]
    return Ok(Box::new(programs::Programs::open()?));
    #[cfg(not(target_os = "linux"))]
    Err(Error::NoScreenAudio { reason: "this build cannot do it on this system".to_owned() })
}

/// True where sharing this asks the person first, which may take minutes.
pub fn asks(spec: &spec::Screen) -> bool {
    // There the person chooses in the desktop's own dialog, whichever display was named.
    cfg!(target_os = "linux") && matches!(spec, spec::Screen::Display(_)) && crate::platform::is_wayland()
}

/// Opens a display or a window. Blocks while the display or the person is asked; only the latter is called off.
pub fn open(spec: &spec::Screen, call_off: &CallOff) -> Result<Box<dyn LiveSource>, Error> {
    #[cfg(target_os = "linux")]
    {
        if asks(spec) {
            return Ok(Box::new(portal::Source::open(call_off)?));
        }
        Ok(Box::new(x11::source::Source::open(spec)?))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = call_off;
        let reason = format!("this build cannot share {spec} on this system");
        Err(Error::NoScreen { reason, hint: "use Linux with X11, or the test sources" })
    }
}
