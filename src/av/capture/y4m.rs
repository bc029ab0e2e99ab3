//! YUV4MPEG2 files as a camera: 8-bit 4:2:0, from the first picture, looped, at the file's own rate. The format is the
//! one that mjpegtools and FFmpeg write: a header line of tags, then for each picture a line `FRAME` and the planes.
//!
//! The file is believed nothing: lines, sizes and rates have limits, a picture that is cut off ends the loop.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::{Format, VideoSource};
use crate::av::Error;
use crate::clock;
use crate::frame::VideoFrame;

/// Longest header line.
const MAX_HEADER: usize = 1024;
/// Longest `FRAME` line.
const MAX_FRAME_LINE: usize = 256;
/// Most pictures passed over in one step; a file that is further behind simply plays later.
const MAX_SKIP: u64 = 10_000;

/// What the header line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Pixels across, possibly odd.
    pub width: usize,
    /// Pixels down, possibly odd.
    pub height: usize,
    /// Pictures in `rate.1` seconds.
    pub rate: (u32, u32),
}

impl Header {
    /// Reads a header line without its line feed; errors say what to do.
    pub fn parse(line: &[u8]) -> Result<Self, &'static str> {
        const NOT: &str = "it is no YUV4MPEG2 file; make one with: ffmpeg -i CLIP -pix_fmt yuv420p clip.y4m";
        const DAMAGED: &str = "its header is damaged; make the file again";
        let line = std::str::from_utf8(line).map_err(|_| NOT)?;
        let mut tags = line.strip_prefix("YUV4MPEG2").ok_or(NOT)?.split(' ');
        if tags.next() != Some("") {
            return Err(NOT);
        }
        let (mut width, mut height, mut rate) = (0, 0, (0, 0));
        for tag in tags {
            let (kind, value) = tag.split_at_checked(1).unwrap_or(("", ""));
            match kind {
                "W" => width = value.parse().map_err(|_| DAMAGED)?,
                "H" => height = value.parse().map_err(|_| DAMAGED)?,
                "F" => {
                    let (n, d) = value.split_once(':').ok_or(DAMAGED)?;
                    rate = (n.parse().map_err(|_| DAMAGED)?, d.parse().map_err(|_| DAMAGED)?);
                }
                "C" if !matches!(value, "420" | "420jpeg" | "420mpeg2" | "420paldv") => {
                    return Err(
                        "only 8-bit 4:2:0 pictures can be played; convert it with: ffmpeg -i CLIP -pix_fmt yuv420p clip.y4m",
                    );
                }
                "I" if !matches!(value, "p" | "?") => {
                    return Err(
                        "interlaced pictures cannot be played; convert it with: ffmpeg -i CLIP -vf yadif clip.y4m",
                    );
                }
                _ => {}
            }
        }
        if !(16..=1920).contains(&width) || !(16..=1080).contains(&height) {
            return Err(
                "its pictures must be 16x16 to 1920x1080; scale it with: ffmpeg -i CLIP -vf scale=1280:-2 clip.y4m",
            );
        }
        let (n, d) = (u64::from(rate.0), u64::from(rate.1));
        if d == 0 || n < d || n > d * 120 {
            return Err("its rate must be 1 to 120 pictures a second; convert it with: ffmpeg -i CLIP -r 30 clip.y4m");
        }
        Ok(Self { width, height, rate })
    }

    /// Bytes of one picture: luma, then two chroma planes of half size, rounded up.
    pub fn picture_size(&self) -> usize {
        self.width * self.height + 2 * self.width.div_ceil(2) * self.height.div_ceil(2)
    }
}

/// A file that plays.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    header: Header,
    /// Where the first picture stands.
    first: u64,
    /// The picture that the file stands before, counted since the start of this round.
    at: u64,
    /// Pictures in the file, known after the first round.
    pictures: Option<u64>,
    /// The next tick to be read.
    next: u64,
    /// The last picture read.
    planes: Vec<u8>,
}

impl Reader {
    /// Opens a file and checks that it holds a picture.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let format = |reason| Error::Format { path: path.to_owned(), reason };
        let mut file = BufReader::with_capacity(4096, File::open(path).map_err(read)?);
        let line = line(&mut file, MAX_HEADER).map_err(read)?;
        let line =
            line.ok_or(format("it is no YUV4MPEG2 file; make one with: ffmpeg -i CLIP -pix_fmt yuv420p clip.y4m"))?;
        let header = Header::parse(&line).map_err(format)?;
        let first = file.stream_position().map_err(read)?;
        let planes = vec![0; header.picture_size()];
        let mut reader = Self { path: path.to_owned(), file, header, first, at: 0, pictures: None, next: 0, planes };
        if !reader.advance(true)? {
            return Err(format("it holds no whole picture; make the file again"));
        }
        reader.rewind()?;
        Ok(reader)
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::Read { path: self.path.clone(), source }
    }

    /// Reads or passes over one picture; false at the end of the file.
    fn advance(&mut self, keep: bool) -> Result<bool, Error> {
        let there = match line(&mut self.file, MAX_FRAME_LINE) {
            Ok(Some(line)) => line.starts_with(b"FRAME"),
            Ok(None) => false,
            Err(e) => return Err(self.failed(e)),
        };
        if !there {
            return Ok(false);
        }
        let result = if keep {
            self.file.read_exact(&mut self.planes)
        } else {
            // Past the end this succeeds; the next line is then missing.
            self.file.seek_relative(i64::try_from(self.planes.len()).unwrap_or(i64::MAX))
        };
        match result {
            Ok(()) => {
                self.at += 1;
                Ok(true)
            }
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(e) => Err(self.failed(e)),
        }
    }

    fn rewind(&mut self) -> Result<(), Error> {
        self.at = 0;
        self.file.seek(SeekFrom::Start(self.first)).map(drop).map_err(|e| self.failed(e))
    }

    /// Like `advance`, and from the start again after the end.
    fn step(&mut self, keep: bool) -> Result<(), Error> {
        if self.advance(keep)? {
            return Ok(());
        }
        if self.at > 0 {
            self.pictures = Some(self.at);
        }
        self.rewind()?;
        if self.advance(keep)? {
            return Ok(());
        }
        Err(Error::Format { path: self.path.clone(), reason: "it was cut off while it played; make the file again" })
    }
}

impl VideoSource for Reader {
    fn format(&self) -> Format {
        let even = |v: usize| u16::try_from(v & !1).unwrap_or(2);
        Format { width: even(self.header.width), height: even(self.header.height), rate: self.header.rate }
    }

    fn picture(&mut self, tick: u64, picture: &mut VideoFrame) -> Result<(), Error> {
        let mut skip = tick.saturating_sub(self.next);
        if let Some(pictures) = self.pictures {
            skip %= pictures.max(1);
        }
        for _ in 0..skip.min(MAX_SKIP) {
            self.step(false)?;
        }
        self.step(true)?;
        self.next = tick + 1;
        picture.captured = clock::host_micros();
        let (stride, rows) = (self.header.width, self.header.height);
        let (chroma_stride, chroma_rows) = (stride.div_ceil(2), rows.div_ceil(2));
        let (luma, chroma) = self.planes.split_at(stride * rows);
        let (cb, cr) = chroma.split_at(chroma_stride * chroma_rows);
        let width = usize::from(picture.width());
        let (y, u, v) = picture.planes_mut();
        crop(luma, stride, y, width);
        crop(cb, chroma_stride, u, width / 2);
        crop(cr, chroma_stride, v, width / 2);
        Ok(())
    }
}

/// Copies the left `width` of each row; rows beyond `to` are left out.
fn crop(from: &[u8], stride: usize, to: &mut [u8], width: usize) {
    for (from, to) in from.chunks_exact(stride).zip(to.chunks_exact_mut(width)) {
        to.copy_from_slice(&from[..width]);
    }
}

/// A line of at most `limit` bytes without its line feed; `None` when the file ends first or the line is longer.
fn line(file: &mut impl Read, limit: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::with_capacity(64);
    let mut byte = [0];
    while line.len() < limit {
        match file.read(&mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) if byte[0] == b'\n' => return Ok(Some(line)),
            Ok(_) => line.push(byte[0]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::frame::Pool;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("temporary file");
        file.write_all(bytes).expect("written");
        file
    }

    fn clip(header: &str, pictures: &[u8], size: usize) -> Vec<u8> {
        let mut bytes = format!("{header}\n").into_bytes();
        for value in pictures {
            bytes.extend(b"FRAME\n");
            bytes.extend(std::iter::repeat_n(*value, size));
        }
        bytes
    }

    #[test]
    fn a_clip_plays_from_its_first_picture_and_loops() {
        let file =
            file(&clip("YUV4MPEG2 W17 H16 F25:1 Ip A1:1 C420jpeg XYSCSS=420JPEG", &[10, 20, 30], 17 * 16 + 2 * 9 * 8));
        let mut reader = Reader::open(file.path()).expect("a clip");
        assert_eq!(reader.format(), Format { width: 16, height: 16, rate: (25, 1) });
        let mut picture = Pool::new(1).picture(16, 16);
        for (tick, expect) in [(0, 10), (1, 20), (2, 30), (3, 10), (5, 30), (6, 10), (3000, 10), (3002, 30)] {
            reader.picture(tick, &mut picture).expect("a picture");
            assert!(picture.data().iter().all(|v| *v == expect), "tick {tick}");
        }
    }

    #[test]
    fn files_that_cannot_play_say_why() {
        let check = |bytes: &[u8], expect: &str| {
            let error = Reader::open(file(bytes).path()).expect_err("refused").to_string();
            assert!(error.contains(expect), "{error}");
        };
        check(b"", "no YUV4MPEG2 file");
        check(b"RIFF....", "no YUV4MPEG2 file");
        check(&[b'x'; 5000], "no YUV4MPEG2 file");
        check(&clip("YUV4MPEG2 W16 H16 F25:1 C444", &[], 0), "only 8-bit 4:2:0");
        check(&clip("YUV4MPEG2 W16 H16 F25:1 C420p10", &[], 0), "only 8-bit 4:2:0");
        check(&clip("YUV4MPEG2 W99999 H16 F25:1", &[], 0), "1920x1080");
        check(&clip("YUV4MPEG2 W16 H16 F25:0", &[], 0), "1 to 120");
        check(&clip("YUV4MPEG2 W16 H16 F25:1 It", &[], 0), "interlaced");
        check(&clip("YUV4MPEG2 W16 H16 F25:1", &[1], 100), "no whole picture");
        check(&clip("YUV4MPEG2 Wx H16 F25:1", &[1], 100), "damaged");
        let missing = Reader::open(Path::new("/nonexistent/clip.y4m")).expect_err("refused").to_string();
        assert!(missing.contains("cannot read /nonexistent/clip.y4m"), "{missing}");
    }

    #[test]
    fn a_cut_off_last_picture_is_left_out() {
        let mut bytes = clip("YUV4MPEG2 W16 H16 F25:1", &[1, 2], 384);
        bytes.truncate(bytes.len() - 1);
        let file = file(&bytes);
        let mut reader = Reader::open(file.path()).expect("a clip");
        let mut picture = Pool::new(1).picture(16, 16);
        for tick in 0..3 {
            reader.picture(tick, &mut picture).expect("a picture");
            assert_eq!(picture.data()[0], 1);
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Header::parse(&line);
            let _ = Header::parse(&[b"YUV4MPEG2 ", line.as_slice()].concat());
        }
    }
}
