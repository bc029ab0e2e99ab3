//! Where pictures and sound come from: sources behind one trait, and the thread that paces them.

pub mod camera;
pub mod sound;
pub mod testcard;
pub mod wav;
pub mod y4m;

use std::time::Duration;

use crate::av::devices::Kind;
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

/// Opens what a description names.
pub fn open(spec: &spec::Camera) -> Result<Box<dyn VideoSource>, Error> {
    Ok(match spec {
        spec::Camera::None => return Err(Error::NoSource),
        spec::Camera::TestCard { width, height, fps } => Box::new(testcard::TestCard::new(*width, *height, *fps)),
        spec::Camera::File(path) => Box::new(y4m::Reader::open(path)?),
        spec::Camera::Device(choice) => return Err(Error::NoDevice { kind: Kind::Camera, choice: choice.clone() }),
    })
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
