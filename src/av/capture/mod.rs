//! Where pictures and sound come from: sources behind one trait, and the thread that paces them.

pub mod camera;
#[cfg(feature = "devices")]
pub mod device;
#[cfg(feature = "devices")]
mod frozen;
#[cfg(feature = "devices")]
pub mod microphone;
#[cfg(feature = "devices")]
pub mod screen;
pub mod sound;
pub mod testcard;
pub mod wav;
pub mod y4m;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::av::devices::Device;
use crate::av::{Error, spec};
use crate::frame::VideoFrame;

/// Size and rate of a picture source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Pixels across; even.
    pub width: u16,
    /// Pixels down; even.
    pub height: u16,
    /// Pictures in `rate.1` seconds; neither is 0.
    pub rate: (u32, u32),
}

impl Format {
    /// Pictures a second.
    pub fn fps(&self) -> f64 {
        f64::from(self.rate.0) / f64::from(self.rate.1)
    }

    /// When picture `tick` is due, counted from picture 0.
    pub fn due(&self, tick: u64) -> Duration {
        let nanos = u128::from(tick) * u128::from(self.rate.1) * 1_000_000_000 / u128::from(self.rate.0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The last picture that is due after `elapsed`.
    pub fn tick(&self, elapsed: Duration) -> u64 {
        let ticks = elapsed.as_nanos() * u128::from(self.rate.0) / (u128::from(self.rate.1) * 1_000_000_000);
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }
}

/// Something that has pictures.
pub trait VideoSource: Send {
    /// What it gives; constant.
    fn format(&self) -> Format;

    /// Writes the picture of interval `tick` (0 is the first) into `picture`, which has the source's size, and sets its
    /// capture time. Ticks rise; those that nobody wanted are left out.
    fn picture(&mut self, tick: u64, picture: &mut VideoFrame) -> Result<(), Error>;
}

/// Something that has pictures at moments of its own: a real camera, a screen.
pub trait LiveSource: Send {
    /// What it gives. A camera's is constant; the pictures of a screen may come in another size later.
    fn format(&self) -> Format;

    /// The next picture, waited for up to `wait`; `None` when none came or, since it is not `wanted`, none was made.
    /// Called again and again. An error ends the source.
    fn next(&mut self, wanted: bool, wait: Duration) -> Result<Option<VideoFrame>, Error>;

    /// Which device it is, if it is one.
    fn device(&self) -> Option<&Device> {
        None
    }
}

/// A source of pictures, by who sets the pace.
pub enum Source {
    /// We do: it is asked at its rate.
    Paced(Box<dyn VideoSource>),
    /// It does.
    Live(Box<dyn LiveSource>),
}

impl Source {
    /// What it gives, at the start.
    pub fn format(&self) -> Format {
        match self {
            Self::Paced(source) => source.format(),
            Self::Live(source) => source.format(),
        }
    }

    /// Which device it is, if it is one.
    pub fn device(&self) -> Option<&Device> {
        match self {
            Self::Paced(_) => None,
            Self::Live(source) => source.device(),
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("format", &self.format()).finish_non_exhaustive()
    }
}

/// Opens what a description names; a real camera in the format that suits `quality` best, which may take seconds.
pub fn open(spec: &spec::Camera, quality: spec::Quality) -> Result<Source, Error> {
    Ok(Source::Paced(match spec {
        spec::Camera::None => return Err(Error::NoSource),
        spec::Camera::TestCard { width, height, fps } => Box::new(testcard::TestCard::new(*width, *height, *fps)),
        spec::Camera::File(path) => Box::new(y4m::Reader::open(path)?),
        #[cfg(feature = "devices")]
        spec::Camera::Device(choice) => return Ok(Source::Live(Box::new(device::Source::open(choice, quality)?))),
        #[cfg(not(feature = "devices"))]
        spec::Camera::Device(_) => {
            let _ = quality;
            return Err(Error::NoDevices);
        }
    }))
}

/// Ends the wait for a person who is being asked what to share. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct CallOff(Arc<AtomicBool>);

impl CallOff {
    /// Nobody waits any more.
    pub fn call_off(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody still waits.
    #[cfg(feature = "devices")]
    pub fn is_called_off(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// True where a person is asked before this is shared, which may take minutes.
pub fn asks(spec: &spec::Screen) -> bool {
    #[cfg(feature = "devices")]
    return screen::asks(spec);
    #[cfg(not(feature = "devices"))]
    {
        let _ = spec;
        false
    }
}

/// Opens what a description of a screen names. A display may take a moment to answer, a person minutes.
pub fn open_screen(spec: &spec::Screen, call_off: &CallOff) -> Result<Source, Error> {
    #[cfg(not(feature = "devices"))]
    let _ = call_off;
    Ok(Source::Paced(match spec {
        spec::Screen::None => return Err(Error::NoSource),
        spec::Screen::TestCard { width, height, fps } => Box::new(testcard::TestCard::new(*width, *height, *fps)),
        spec::Screen::File(path) => Box::new(y4m::Reader::open(path)?),
        #[cfg(feature = "devices")]
        spec::Screen::Display(_) | spec::Screen::Window(_) => return Ok(Source::Live(screen::open(spec, call_off)?)),
        #[cfg(not(feature = "devices"))]
        spec::Screen::Display(_) | spec::Screen::Window(_) => return Err(Error::NoDevices),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_and_due_times_agree() {
        let format = Format { width: 2, height: 2, rate: (30_000, 1001) };
        for tick in [0, 1, 29, 30, 1_000_000] {
            assert_eq!(format.tick(format.due(tick) + Duration::from_nanos(1)), tick);
        }
        assert_eq!(Format { rate: (25, 1), ..format }.due(25), Duration::from_secs(1));
    }
}
