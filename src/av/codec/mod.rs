//! Codecs behind traits, one file for each library, the only file that names it. Codecs are created, used and dropped
//! on one thread.

pub mod h264;
pub mod opus;

use crate::av::Error;
use crate::frame::{Pool, VideoFrame};
use crate::media::Bitrate;

pub use crate::av::packet::EncodedPicture;

/// What the pictures show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Content {
    /// People: where bits lack, each picture gets coarser and the rate stays.
    #[default]
    Camera,
    /// Text: where bits lack, fewer pictures come and each stays sharp.
    Screen,
}

/// What a picture encoder is made for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoConfig {
    /// Pixels across; even.
    pub width: u16,
    /// Pixels down; even.
    pub height: u16,
    /// Pictures a second that will come.
    pub fps: f32,
    /// The target, encoded bits only.
    pub bitrate: Bitrate,
    /// 1: every picture is referred to by the next. 2: every second picture is discardable.
    pub temporal_layers: u8,
    /// What they show.
    pub content: Content,
}

/// Whether the next picture must stand alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyframe {
    /// It must.
    Force,
    /// The encoder decides (first picture, change of scene).
    Auto,
}

/// Turns pictures of one size into bytes.
pub trait VideoEncoder {
    /// Encodes `picture`, which must have the size of the configuration. `None`: rate control skipped it.
    fn encode(&mut self, picture: &VideoFrame, keyframe: Keyframe) -> Result<Option<EncodedPicture>, Error>;

    /// Changes the target from the next picture on.
    fn set_bitrate(&mut self, bitrate: Bitrate);
}

/// Why a picture could not be decoded: bad or unexpected bytes. The decoder needs a keyframe next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undecodable;

/// Turns bytes into pictures.
pub trait VideoDecoder {
    /// Decodes one encoded picture, all of it. `Ok(None)`: it held no picture. Nothing concealed is ever given.
    fn decode(&mut self, data: &[u8], pool: &Pool) -> Result<Option<VideoFrame>, Undecodable>;
}
