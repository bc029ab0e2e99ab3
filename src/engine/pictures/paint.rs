//! The painter: one thread that makes ready pixels for tiles that no GPU draws. It runs while there is such a tile,
//! paints a tile again only when its last pixels were drawn (a window that stands still costs nothing), and takes the
//! tiles in turn. Where painting panics, that is counted, the painter is made anew and goes on with the next picture.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::{Facing, Fit, Inner, Key, Paint, Picture, Rgba, State, Taken};
use crate::av::guard::guard;
use crate::av::process::tile::{self, Painter};
use crate::task;

/// Unused buffers that are kept; more are freed.
const KEPT: usize = 8;
/// A tile is tried again so often after a panic; what breaks us each time is not painted any more until its track is
/// switched off and on.
const MOST_CRASHES: u8 = 3;

/// Starts the thread. False when the system refuses one; the next tile that is drawn tries again.
pub(super) fn start(inner: &Arc<Inner>) -> bool {
    let inner = Arc::clone(inner);
    let thread = task::thread("painter", move || run(&inner, paint));
    thread.inspect_err(|error| tracing::warn!(%error, "no thread to paint tiles")).is_ok()
}

/// What painting panicked over.
#[derive(Debug, Default)]
pub(super) struct Crashes {
    /// By tile on screen: how often, and the number of the picture that it was last.
    tiles: BTreeMap<u64, (u8, u64)>,
    /// How often since it was told.
    untold: u32,
}

impl Crashes {
    /// How often since the last call.
    pub(super) fn take(&mut self) -> u32 {
        std::mem::take(&mut self.untold)
    }

    /// It happened.
    pub(super) fn add(&mut self, viewer: u64, sequence: u64) {
        let (times, last) = self.tiles.entry(viewer).or_default();
        (*times, *last) = (times.saturating_add(1), sequence);
        self.untold = self.untold.saturating_add(1);
    }

    /// The tile may be painted from this picture.
    fn bears(&self, viewer: u64, sequence: u64) -> bool {
        self.tiles.get(&viewer).is_none_or(|(times, last)| *times <= MOST_CRASHES && *last != sequence)
    }
}

#[derive(Debug)]
struct Job {
    viewer: u64,
    paint: Paint,
    picture: Picture,
}

impl State {
    /// A track ended. When it begins anew, its tiles are tried again.
    pub(super) fn forgive(&mut self, key: Key) {
        let seen = &self.seen;
        self.crashes.tiles.retain(|viewer, _| seen.get(viewer).is_some_and(|seen| seen.key != key));
    }

    /// The next tile after `last` that wants something else than it has.
    fn job(&self, last: u64) -> Option<Job> {
        let due = |(viewer, seen): (&u64, &super::Seen)| {
            let (paint, picture) = (seen.paint?, self.tracks.get(&seen.key)?.as_ref()?);
            let done = seen.painted.as_ref().is_some_and(|(rgba, taken)| {
                rgba.paint == paint && (rgba.sequence == picture.sequence || *taken == Taken::No)
            });
            let due = !done && self.crashes.bears(*viewer, picture.sequence);
            due.then(|| Job { viewer: *viewer, paint, picture: picture.clone() })
        };
        self.seen.range(last + 1..).find_map(due).or_else(|| self.seen.range(..=last).find_map(due))
    }
}

/// Makes the pixels of one tile.
type Work = fn(&mut Painter, &Job, &Buffers) -> Rgba;

fn run(inner: &Inner, work: Work) {
    let (buffers, mut painters) = (Buffers::default(), BTreeMap::<u64, Painter>::new());
    let mut last = 0;
    while let Some(job) = next(inner, last, &mut painters) {
        last = job.viewer;
        let painter = painters.entry(job.viewer).or_default();
        match guard("the painter of pictures", || Ok(work(painter, &job, &buffers))) {
            Ok(rgba) => keep(inner, &job, rgba),
            Err(_) => {
                painters.remove(&job.viewer);
                broke(inner, &job);
            }
        }
    }
}

/// Waits for the next tile to paint. `None`: no tile is to be painted any more, and the thread ends.
fn next(inner: &Inner, last: u64, painters: &mut BTreeMap<u64, Painter>) -> Option<Job> {
    let mut state = inner.lock();
    loop {
        if !state.seen.values().any(|seen| seen.paint.is_some()) {
            state.painting = false;
            state.crashes.tiles.clear();
            return None;
        }
        if let Some(job) = state.job(last) {
            let state = &mut *state;
            painters.retain(|viewer, _| state.seen.contains_key(viewer));
            state.crashes.tiles.retain(|viewer, _| state.seen.contains_key(viewer));
            return Some(job);
        }
        state = inner.work.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

fn keep(inner: &Inner, job: &Job, rgba: Rgba) {
    let mut state = inner.lock();
    let state = &mut *state;
    let Some(seen) = state.seen.get_mut(&job.viewer) else { return };
    // Muted while it was painted, or not to be painted any more.
    let on = seen.paint.is_some() && state.tracks.get(&seen.key).is_some_and(Option::is_some);
    if on {
        seen.painted = Some((Arc::new(rgba), Taken::No));
        inner.fresh.send_modify(|count| *count += 1);
    }
}

fn broke(inner: &Inner, job: &Job) {
    let mut state = inner.lock();
    state.crashes.add(job.viewer, job.picture.sequence);
    if state.crashes.bears(job.viewer, 0) {
        return;
    }
    // No picture is better than one that stands for ever.
    if let Some(seen) = state.seen.get_mut(&job.viewer) {
        seen.painted = None;
        inner.fresh.send_modify(|count| *count += 1);
    }
}

fn paint(painter: &mut Painter, job: &Job, buffers: &Buffers) -> Rgba {
    let Job { paint, picture, .. } = job;
    let frame = &picture.frame;
    let (width, height) = match paint.fit {
        Fit::Cover => (paint.size.width.max(1), paint.size.height.max(1)),
        Fit::Contain => contain((frame.width(), frame.height()), (paint.size.width, paint.size.height)),
    };
    let mut rgba = buffers.take();
    painter.cover(frame, width, height, &mut rgba);
    if paint.facing == Facing::Mirrored {
        tile::mirror(&mut rgba, width);
    }
    tile::round(&mut rgba, width, height, paint.radius);
    let bytes = Bytes::from_owner(Buffer { data: rgba, home: buffers.clone() });
    Rgba { paint: *paint, width, height, bytes, sequence: picture.sequence }
}

/// The largest size of the shape `picture` within `tile`; at least one pixel.
pub(super) fn contain(picture: (u16, u16), tile: (u16, u16)) -> (u16, u16) {
    let share = |side: u16, of: u16, by: u16| {
        let scaled = u32::from(side) * u32::from(of) / u32::from(by.max(1));
        u16::try_from(scaled).unwrap_or(u16::MAX).max(1)
    };
    let (width, height) = (tile.0.max(1), tile.1.max(1));
    let narrow = u32::from(picture.0) * u32::from(height) < u32::from(picture.1) * u32::from(width);
    if narrow { (share(height, picture.0, picture.1), height) } else { (width, share(width, picture.1, picture.0)) }
}

/// Recycles the buffers of paintings.
#[derive(Debug, Clone, Default)]
struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }
}

struct Buffer {
    data: Vec<u8>,
    home: Buffers,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            free.push(std::mem::take(&mut self.data));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::pictures::{News, Pictures, PixelSize, Viewer};
    use crate::frame::{Pool, VideoFrame};

    fn grey(luma: u8) -> Arc<VideoFrame> {
        let mut picture = Pool::new(0).picture(64, 36);
        let (y, u, v) = picture.planes_mut();
        y.fill(luma);
        u.fill(128);
        v.fill(128);
        Arc::new(picture)
    }

    const PAINT: Paint =
        Paint { size: PixelSize { width: 31, height: 17 }, fit: Fit::Cover, facing: Facing::Straight, radius: 0 };

    async fn painted(viewer: &Viewer, news: &mut News, paint: Paint) -> Arc<Rgba> {
        let wait = async {
            loop {
                if let Some(rgba) = viewer.painted(paint).filter(|rgba| rgba.paint == paint) {
                    return rgba;
                }
                news.next().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("painted in time")
    }

    #[tokio::test]
    async fn a_tile_gets_ready_pixels_of_its_size() {
        let (pictures, key) = (Pictures::new(), Key::own());
        pictures.open(key);
        pictures.show(key, &grey(235));
        let (viewer, mut news) = (pictures.view(key), pictures.news());
        let white = painted(&viewer, &mut news, PAINT).await;
        assert_eq!((white.width, white.height, white.bytes.len()), (31, 17, 31 * 17 * 4));
        assert!(white.bytes.iter().all(|value| *value == 255));
        assert_eq!(Some(white.sequence), pictures.latest(key).map(|picture| picture.sequence));
        let tall = Paint { size: PixelSize { width: 32, height: 100 }, fit: Fit::Contain, ..PAINT };
        let fitted = painted(&viewer, &mut news, tall).await;
        assert_eq!((fitted.width, fitted.height), (32, 18), "the whole picture");
        pictures.close(key);
        assert!(viewer.painted(PAINT).is_none(), "muted");
    }

    #[tokio::test]
    async fn the_painter_works_for_tiles_that_are_drawn_and_then_ends() {
        let (pictures, key) = (Pictures::new(), Key::own());
        pictures.open(key);
        pictures.show(key, &grey(16));
        let (viewer, mut news) = (pictures.view(key), pictures.news());
        let black = painted(&viewer, &mut news, PAINT).await;
        pictures.show(key, &grey(235));
        // The white one is painted because the black one was taken; the next is not begun before the white one is.
        news.next().await;
        pictures.show(key, &grey(100));
        let white = viewer.painted(PAINT).expect("painted");
        assert!(white.sequence > black.sequence);
        assert_eq!(white.bytes[0], 255);
        news.next().await;
        assert!(viewer.painted(PAINT).expect("painted").bytes[0] < 255);
        drop(viewer);
        let ended = async {
            while pictures.0.lock().painting {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the thread ends");
    }

    /// A tile with a dark picture, and a painter's thread that works like this.
    fn broken(work: Work) -> (Pictures, Key, Viewer, News) {
        let (pictures, key) = (Pictures::new(), Key::own());
        pictures.open(key);
        pictures.show(key, &grey(16));
        let (viewer, news) = (pictures.view(key), pictures.news());
        pictures.0.lock().painting = true;
        assert!(viewer.painted(PAINT).is_none());
        let inner = Arc::clone(&pictures.0);
        task::thread("painter", move || run(&inner, work)).expect("a thread");
        (pictures, key, viewer, news)
    }

    async fn told(pictures: &Pictures, times: u32) {
        let mut seen = 0;
        let all = async {
            while seen < times {
                seen += pictures.crashes();
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all).await.expect("told in time");
        assert_eq!((seen, pictures.crashes()), (times, 0), "told once");
    }

    #[tokio::test]
    async fn a_painter_that_panics_is_told_and_the_next_picture_is_painted() {
        // Dark pictures break it.
        let (pictures, key, viewer, mut news) = broken(|painter, job, buffers| {
            assert!(job.picture.frame.planes().0[0] > 100, "as a library may");
            paint(painter, job, buffers)
        });
        told(&pictures, 1).await;
        assert!(viewer.painted(PAINT).is_none());
        pictures.show(key, &grey(235));
        let white = painted(&viewer, &mut news, PAINT).await;
        assert!(white.bytes.iter().all(|value| *value == 255));
        assert_eq!(pictures.crashes(), 0, "the same picture was not tried again");
        pictures.show(key, &grey(16));
        told(&pictures, 1).await;
        assert_eq!(viewer.painted(PAINT).expect("painted").sequence, white.sequence, "the last good one stays");
    }

    #[tokio::test]
    async fn what_always_breaks_the_painter_is_given_up_until_the_track_begins_anew() {
        let (pictures, key, viewer, _news) = broken(|_, _, _| panic!("as a library may"));
        told(&pictures, 1).await;
        for _ in 0..MOST_CRASHES {
            pictures.show(key, &grey(16));
            told(&pictures, 1).await;
        }
        pictures.show(key, &grey(16));
        assert!(pictures.0.lock().job(0).is_none(), "given up");
        pictures.close(key);
        pictures.open(key);
        pictures.show(key, &grey(16));
        told(&pictures, 1).await;
        drop(viewer);
        let ended = async {
            while pictures.0.lock().painting {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the same thread ends in order");
    }

    #[test]
    fn a_picture_fits_within_a_tile_of_another_shape() {
        assert_eq!(contain((640, 360), (320, 320)), (320, 180));
        assert_eq!(contain((360, 640), (320, 320)), (180, 320));
        assert_eq!(contain((640, 360), (320, 180)), (320, 180));
        assert_eq!(contain((640, 2), (10, 10)), (10, 1));
        assert_eq!(contain((640, 360), (0, 0)), (1, 1));
    }

    #[test]
    fn buffers_are_used_again() {
        let buffers = Buffers::default();
        let bytes = Bytes::from_owner(Buffer { data: vec![1; 64], home: buffers.clone() });
        let at = bytes.as_ptr();
        drop(bytes.clone());
        assert!(buffers.take().is_empty(), "still in use");
        drop(bytes);
        let again = buffers.take();
        assert_eq!(again.as_ptr(), at);
    }
}
