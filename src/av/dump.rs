//! Writes pictures to a YUV4MPEG2 file on a thread of its own, so that a slow disk never delays what is shown.
//!
//! The file has the size of its first picture; later sizes are scaled to it. Nothing is buffered inside the process and
//! each picture is one write, so the file can be read at any moment and after kill -9: at worst its last picture is cut
//! off, which readers of the format take as its end.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::av::Error;
use crate::av::process::scale::Scaler;
use crate::frame::{Pool, VideoFrame};
use crate::slot::{Empty, Ring};
use crate::task;

/// Pictures that may wait: 2 s at 30 a second, 22 MB of 640x360. Overflow: the oldest is left out, counted and told
/// once. A disk that takes 10 MB/s keeps up with 640x360.
const QUEUE: usize = 64;

/// A file that takes pictures. Dropping it lets the thread write what waits, without waiting for it.
#[derive(Debug)]
pub struct Dump {
    queue: Ring<Arc<VideoFrame>>,
    thread: Option<JoinHandle<()>>,
    told: bool,
}

impl Dump {
    /// Starts the thread; the file (and its folder) is made with the first picture.
    pub fn start(path: PathBuf) -> Result<Self, Error> {
        let queue = Ring::new(QUEUE);
        let waiting = queue.clone();
        let run = move || {
            if let Err(e) = run(&path, &waiting) {
                tracing::warn!("{e}");
            }
            waiting.close();
        };
        let thread = task::thread("video-dump", run).map_err(Error::Thread)?;
        Ok(Self { queue, thread: Some(thread), told: false })
    }

    /// Queues `picture`. Never blocks.
    pub fn write(&mut self, picture: Arc<VideoFrame>) {
        self.queue.push(picture);
        if !self.told && self.queue.overwritten() > 0 {
            self.told = true;
            tracing::warn!("the disk is too slow for --dump-video: pictures are left out of the file");
        }
    }

    /// Writes what waits and closes the file.
    pub fn stop(mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the dump thread panicked");
        }
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn run(path: &Path, queue: &Ring<Arc<VideoFrame>>) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let mut file: Option<(File, u16, u16)> = None;
    let (mut scaler, pool) = (Scaler::new(), Pool::new(1));
    let mut bytes = Vec::new();
    loop {
        let picture = match queue.recv_timeout(Duration::from_secs(3600)) {
            Ok(picture) => picture,
            Err(Empty::Timeout) => continue,
            Err(Empty::Closed) => return Ok(()),
        };
        bytes.clear();
        let (file, width, height) = match &mut file {
            Some(open) => open,
            none => {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder).map_err(failed)?;
                }
                let (width, height) = (picture.width(), picture.height());
                bytes.extend(format!("YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420jpeg\n").into_bytes());
                none.insert((File::create(path).map_err(failed)?, width, height))
            }
        };
        bytes.extend(b"FRAME\n");
        if (picture.width(), picture.height()) == (*width, *height) {
            bytes.extend(picture.data());
        } else {
            bytes.extend(scaler.scale(&picture, *width, *height, &pool).data());
        }
        drop(picture);
        file.write_all(&bytes).map_err(failed)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::av::capture::VideoSource as _;
    use crate::av::capture::testcard::TestCard;
    use crate::av::capture::y4m::Reader;
    use crate::av::process::convert::psnr;

    #[test]
    fn what_is_dumped_plays_back_and_later_sizes_are_scaled() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("deep/er/peer.y4m");
        let pool = Pool::new(8);
        let draw = |width, height, tick| {
            let mut picture = pool.picture(width, height);
            TestCard::new(width, height, 30).picture(tick, &mut picture).expect("drawn");
            Arc::new(picture)
        };
        let pictures = [draw(320, 180, 0), draw(320, 180, 9), draw(640, 360, 9)];
        let mut dump = Dump::start(path.clone()).expect("started");
        for picture in &pictures {
            dump.write(Arc::clone(picture));
        }
        dump.stop();
        let size = std::fs::metadata(&path).expect("there").len();
        let header = "YUV4MPEG2 W320 H180 F30:1 Ip A1:1 C420jpeg\n".len();
        assert_eq!(usize::try_from(size).expect("small"), header + 3 * (6 + 320 * 180 * 3 / 2));
        let mut reader = Reader::open(&path).expect("plays");
        let mut back = pool.picture(320, 180);
        for (tick, picture) in pictures[..2].iter().enumerate() {
            reader.picture(u64::try_from(tick).expect("small"), &mut back).expect("a picture");
            assert_eq!(back.data(), picture.data());
        }
        reader.picture(2, &mut back).expect("a picture");
        let same = Scaler::new().scale(&pictures[2], 320, 180, &pool);
        assert!(psnr(&back, &same) > 99.0);
    }
}
