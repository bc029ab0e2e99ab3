//! Pixels of a window or pixmap: through memory that the server made and shares with us (MIT-SHM 1.2), else over the
//! connection.
//!
//! The shared memory is read like a file, not mapped: nothing here is unsafe, and the copy that a mapping would save costs
//! a tenth of what the server takes to fill it.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::errors::ReplyError;
use x11rb::protocol::shm::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{ConnectionExt as _, Drawable, ImageFormat};
use x11rb::rust_connection::RustConnection;

use super::super::pace::Area;

/// Bytes of a pixel.
const PIXEL: usize = 4;

/// Memory that the server writes and we read.
#[derive(Debug)]
struct Segment {
    id: shm::Seg,
    file: File,
    size: usize,
}

/// Reads pixels.
#[derive(Debug, Default)]
pub struct Grabber {
    segment: Option<Segment>,
    /// It was tried, and the server has none to give.
    without: bool,
    pixels: Vec<u8>,
}

impl Grabber {
    /// The pixels of `area` of `drawable`, which lies wholly within it: blue, green, red and one byte that means nothing,
    /// rows without padding.
    pub fn grab(&mut self, server: &RustConnection, drawable: Drawable, area: Area) -> Result<&[u8], ReplyError> {
        let (x, y) = (i16::try_from(area.x).unwrap_or(0), i16::try_from(area.y).unwrap_or(0));
        let side = |pixels: i32| u16::try_from(pixels).unwrap_or(0);
        let (width, height) = (side(area.width), side(area.height));
        let size = usize::from(width) * usize::from(height) * PIXEL;
        if !self.without && self.segment.as_ref().is_none_or(|segment| segment.size < size) {
            self.renew(server, size);
        }
        if let Some(segment) = &self.segment {
            let format = ImageFormat::Z_PIXMAP.into();
            server.shm_get_image(drawable, x, y, width, height, !0, format, segment.id, 0)?.reply()?;
            self.pixels.resize(size, 0);
            match segment.file.read_exact_at(&mut self.pixels, 0) {
                Ok(()) => return Ok(&self.pixels),
                Err(error) => {
                    tracing::debug!(%error, "shared memory cannot be read");
                    self.leave(server);
                    self.without = true;
                }
            }
        }
        let image = server.get_image(ImageFormat::Z_PIXMAP, drawable, x, y, width, height, !0)?.reply()?;
        self.pixels = image.data;
        Ok(&self.pixels)
    }

    /// Another segment, large enough.
    fn renew(&mut self, server: &RustConnection, size: usize) {
        self.leave(server);
        self.segment = segment(server, size);
        self.without = self.segment.is_none();
        tracing::debug!(shared = !self.without, size, "pixels of the screen");
    }

    fn leave(&mut self, server: &RustConnection) {
        if let Some(segment) = self.segment.take() {
            let _ = server.shm_detach(segment.id);
        }
    }
}

/// `None` where the server has no shared memory, or is on another machine.
fn segment(server: &RustConnection, size: usize) -> Option<Segment> {
    server.extension_information(shm::X11_EXTENSION_NAME).ok()??;
    let version = server.shm_query_version().ok()?.reply().ok()?;
    if (version.major_version, version.minor_version) < (1, 2) {
        return None;
    }
    let id = server.generate_id().ok()?;
    let made = server.shm_create_segment(id, u32::try_from(size).ok()?, false).ok()?.reply().ok()?;
    Some(Segment { id, file: File::from(made.shm_fd), size })
}
