//! Displays and windows of this machine, on X11: the only files that name its library.
//!
//! Nothing is captured that nobody watches or that did not change: the X server tells which part changed (Damage), only
//! that part is read, at most thirty times a second and as rarely as five times where reading costs much. What stands
//! still is repeated by the publisher, from the picture that it has. A window is read from a copy of its own
//! (Composite), so what covers it is not seen; the pointer is drawn on top, since the server keeps it apart.

mod canvas;
mod pace;
#[cfg(target_os = "linux")]
mod x11;

use super::LiveSource;
use crate::av::devices::Device;
use crate::av::{Error, spec};

/// The displays, then the windows that can be shared; without our own. Blocks while the display is asked.
pub fn list() -> Vec<Device> {
    #[cfg(target_os = "linux")]
    return x11::list();
    #[cfg(not(target_os = "linux"))]
    Vec::new()
}

/// Opens a display or a window. Blocks while the display is asked.
pub fn open(spec: &spec::Screen) -> Result<Box<dyn LiveSource>, Error> {
    #[cfg(target_os = "linux")]
    return Ok(Box::new(x11::source::Source::open(spec)?));
    #[cfg(not(target_os = "linux"))]
    {
        let reason = format!("this build cannot share {spec} on this system");
        Err(Error::NoScreen { reason, hint: "use Linux with X11, or the test sources" })
    }
}
