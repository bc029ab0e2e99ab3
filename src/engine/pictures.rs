//! The newest picture of each track, for a window: tracks put pictures in on their own threads, tiles take them out
//! when they draw. Nothing queues, and no picture passes through a message.
//!
//! ```text
//! decoder, camera --show--> [newest of each key] --latest--> tile on a GPU (uploads the planes)
//!                                   |
//!                                   +--> painter thread --painted--> tile without one (ready pixels, drawn 1:1)
//! ```
//!
//! A tile holds a [`Viewer`] while it is on screen. What nobody views is not painted, wakes nobody, and the own camera
//! is not even captured for it.

#[cfg(feature = "media")]
mod paint;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use crate::frame::{Screen, VideoFrame};
use crate::id::PeerId;
use crate::media::TrackKind;

/// Numbers for pictures, viewers and places: the same twice never means something else, also after a meeting has
/// followed a lobby.
static NUMBER: AtomicU64 = AtomicU64::new(1);

fn number() -> u64 {
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// One picture track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Whose; `None` is oneself.
    pub peer: Option<PeerId>,
    /// Camera or screen.
    pub kind: TrackKind,
}

impl Key {
    /// The own camera.
    pub const fn own() -> Self {
        Self { peer: None, kind: TrackKind::Camera }
    }

    /// The own screen, as it is shared.
    pub const fn own_screen() -> Self {
        Self { peer: None, kind: TrackKind::Screen }
    }

    /// Somebody else's camera.
    pub const fn camera(peer: PeerId) -> Self {
        Self { peer: Some(peer), kind: TrackKind::Camera }
    }

    /// Somebody else's screen.
    pub const fn screen(peer: PeerId) -> Self {
        Self { peer: Some(peer), kind: TrackKind::Screen }
    }
}

/// A picture and its number: two pictures with the same number are the same picture.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The picture: I420, BT.601, limited range.
    pub frame: Arc<VideoFrame>,
    /// Rises, also over keys.
    pub sequence: u64,
}

/// Device pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PixelSize {
    /// Across.
    pub width: u16,
    /// Down.
    pub height: u16,
}

/// How a picture of another shape fills its tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fit {
    /// The whole tile; what sticks out is cut off.
    #[default]
    Cover,
    /// The whole picture; the rest of the tile is left free.
    Contain,
}

/// Which way round a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Facing {
    /// As others see it.
    #[default]
    Straight,
    /// As a mirror shows oneself.
    Mirrored,
}

/// What a tile without a GPU wants painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    /// The tile. With [`Fit::Contain`] what is painted is smaller on one side.
    pub size: PixelSize,
    /// How it is filled.
    pub fit: Fit,
    /// Which way round.
    pub facing: Facing,
    /// The radius of transparent corners, in device pixels.
    pub radius: u16,
}

/// Pixels ready to be drawn one to one: red, green, blue, alpha (not multiplied in), rows without padding.
#[derive(Debug, Clone)]
pub struct Rgba {
    /// What it was painted for.
    pub paint: Paint,
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
    /// Width times height times four.
    pub bytes: Bytes,
    /// The number of its picture.
    pub sequence: u64,
}

/// One tile on screen.
#[derive(Debug)]
struct Seen {
    key: Key,
    /// As drawn last.
    size: Option<PixelSize>,
    paint: Option<Paint>,
    /// The newest painting, and whether the tile has taken it: the next is begun only then, so that a window that
    /// stands still costs nothing.
    painted: Option<(Arc<Rgba>, Taken)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Yes,
    No,
}

#[derive(Debug, Default)]
struct State {
    /// The tracks that run, with their newest picture. As many as the engine runs.
    tracks: BTreeMap<Key, Option<Picture>>,
    /// The tiles on screen, as many as a window shows.
    seen: BTreeMap<u64, Seen>,
    /// The painter's thread runs.
    #[cfg(feature = "media")]
    painting: bool,
}

struct Inner {
    number: u64,
    state: Mutex<State>,
    /// The painter waits here.
    work: Condvar,
    /// Counts what there is to draw.
    fresh: watch::Sender<u64>,
    /// Counts changes of what is drawn, and how large.
    sizes: watch::Sender<u64>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pictures({})", self.number)
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The newest picture of each track. Cloning gives another handle to the same.
#[derive(Debug, Clone)]
pub struct Pictures(Arc<Inner>);

impl Default for Pictures {
    fn default() -> Self {
        Self::new()
    }
}

impl Pictures {
    /// No tracks.
    pub fn new() -> Self {
        let (fresh, sizes) = (watch::Sender::new(0), watch::Sender::new(0));
        Self(Arc::new(Inner { number: number(), state: Mutex::default(), work: Condvar::new(), fresh, sizes }))
    }

    /// Tells this place from others.
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// A track begins: from now on its pictures are taken.
    pub fn open(&self, key: Key) {
        self.0.lock().tracks.entry(key).or_default();
    }

    /// A track shows nothing any more, muted or gone: its picture goes, and none that is on its way is taken.
    pub fn close(&self, key: Key) {
        let mut state = self.0.lock();
        if state.tracks.remove(&key).is_none() {
            return;
        }
        for seen in state.seen.values_mut().filter(|seen| seen.key == key) {
            seen.painted = None;
        }
        drop(state);
        self.0.fresh.send_modify(|count| *count += 1);
    }

    /// The newest picture of a track. For a track that is not open it is dropped.
    pub fn show(&self, key: Key, frame: &Arc<VideoFrame>) {
        let mut state = self.0.lock();
        let Some(place) = state.tracks.get_mut(&key) else { return };
        let old = place.replace(Picture { frame: Arc::clone(frame), sequence: number() });
        let mut viewers = state.seen.values().filter(|seen| seen.key == key);
        // Painted tiles have something new once it is painted.
        let (direct, painted) = viewers.clone().fold((false, false), |(direct, painted), seen| {
            (direct || seen.paint.is_none(), painted || seen.paint.is_some())
        });
        let seen = viewers.next().is_some();
        drop(state);
        // Gives its buffer back to its track's pool, outside the lock.
        drop(old);
        if painted {
            self.0.work.notify_one();
        }
        if seen && direct {
            self.0.fresh.send_modify(|count| *count += 1);
        }
    }

    /// Where the track `key` shows its pictures.
    pub fn screen(&self, key: Key) -> Arc<dyn Screen> {
        Arc::new(Place { pictures: self.clone(), key })
    }

    /// The newest picture of a track that is on.
    pub fn latest(&self, key: Key) -> Option<Picture> {
        self.0.lock().tracks.get(&key).cloned().flatten()
    }

    /// A tile shows `key` until the viewer is dropped.
    pub fn view(&self, key: Key) -> Viewer {
        let number = number();
        self.0.lock().seen.insert(number, Seen { key, size: None, paint: None, painted: None });
        self.0.sizes.send_modify(|count| *count += 1);
        Viewer { pictures: self.clone(), number, key }
    }

    /// Whether a tile shows `key`.
    pub fn is_viewed(&self, key: Key) -> bool {
        self.0.lock().seen.values().any(|seen| seen.key == key)
    }

    /// What is drawn, and how large: the largest tile of each key.
    pub fn drawn(&self) -> BTreeMap<Key, PixelSize> {
        let mut drawn = BTreeMap::new();
        for seen in self.0.lock().seen.values() {
            let size: &mut PixelSize = drawn.entry(seen.key).or_default();
            *size = (*size).max(seen.size.unwrap_or_default());
        }
        drawn
    }

    /// Tells when there is something new to draw.
    pub fn news(&self) -> News {
        News(self.0.fresh.subscribe())
    }

    /// Tells when [`Self::drawn`] changed.
    pub fn resized(&self) -> News {
        News(self.0.sizes.subscribe())
    }

    /// Waits until there is something new to draw, from the call on. [`Self::news`] misses nothing between two waits.
    pub async fn changed(&self) {
        self.news().next().await;
    }
}

/// Wakes for what happened since it was last asked; several happenings wake once.
#[derive(Debug)]
pub struct News(watch::Receiver<u64>);

impl News {
    /// Waits for news. After the end of the place there are none, ever.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

#[derive(Debug)]
struct Place {
    pictures: Pictures,
    key: Key,
}

impl Screen for Place {
    fn watched(&self) -> bool {
        self.pictures.is_viewed(self.key)
    }

    fn show(&self, picture: &Arc<VideoFrame>) {
        self.pictures.show(self.key, picture);
    }
}

/// A tile on screen. Dropped with it.
#[derive(Debug)]
pub struct Viewer {
    pictures: Pictures,
    number: u64,
    key: Key,
}

impl Viewer {
    /// What it shows.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Where its pictures come from.
    pub fn pictures(&self) -> &Pictures {
        &self.pictures
    }

    /// Tells this tile from others.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Drawn at this size, from the newest picture itself.
    pub fn direct(&self, size: PixelSize) -> Option<Picture> {
        self.drawn(size, None);
        self.pictures.latest(self.key)
    }

    /// Drawn like this, from ready pixels: the newest that there are, which may have been painted for another size.
    /// What is asked for is painted next.
    pub fn painted(&self, paint: Paint) -> Option<Arc<Rgba>> {
        self.drawn(paint.size, Some(paint));
        let mut state = self.pictures.0.lock();
        let (rgba, taken) = state.seen.get_mut(&self.number)?.painted.as_mut()?;
        let first = std::mem::replace(taken, Taken::Yes) == Taken::No;
        let rgba = Arc::clone(rgba);
        drop(state);
        if first {
            self.pictures.0.work.notify_one();
        }
        Some(rgba)
    }

    fn drawn(&self, size: PixelSize, paint: Option<Paint>) {
        let inner = &self.pictures.0;
        let mut state = inner.lock();
        let Some(seen) = state.seen.get_mut(&self.number) else { return };
        let resized = seen.size.replace(size) != Some(size);
        let asked = std::mem::replace(&mut seen.paint, paint) != paint;
        if paint.is_none() {
            seen.painted = None;
        }
        #[cfg(feature = "media")]
        if paint.is_some() && !state.painting {
            state.painting = paint::start(inner);
        }
        drop(state);
        if asked {
            inner.work.notify_one();
        }
        if resized {
            inner.sizes.send_modify(|count| *count += 1);
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let inner = &self.pictures.0;
        inner.lock().seen.remove(&self.number);
        // The painter ends when nothing is left to paint.
        inner.work.notify_one();
        inner.sizes.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Pool;

    fn picture() -> Arc<VideoFrame> {
        Arc::new(Pool::new(0).picture(4, 2))
    }

    #[test]
    fn the_newest_picture_of_a_track_that_is_on_is_there() {
        let (pictures, key) = (Pictures::new(), Key::own());
        pictures.show(key, &picture());
        assert!(pictures.latest(key).is_none(), "not open yet");
        pictures.open(key);
        pictures.show(key, &picture());
        let first = pictures.latest(key).expect("a picture").sequence;
        pictures.open(key);
        pictures.show(key, &picture());
        assert!(pictures.latest(key).expect("a picture").sequence > first);
        pictures.close(key);
        pictures.show(key, &picture());
        assert!(pictures.latest(key).is_none(), "what is on its way at the end is not shown");
    }

    #[tokio::test]
    async fn news_are_of_what_is_viewed() {
        let (pictures, key) = (Pictures::new(), Key::camera(PeerId::from_bytes([1; 32])));
        pictures.open(key);
        let mut news = pictures.news();
        pictures.show(key, &picture());
        assert!(!news.0.has_changed().expect("open"), "nobody looks");
        assert!(!pictures.screen(key).watched());
        let viewer = pictures.view(key);
        assert!(pictures.screen(key).watched());
        pictures.show(key, &picture());
        pictures.show(key, &picture());
        news.next().await;
        assert!(!news.0.has_changed().expect("open"), "two happenings wake once");
        drop(viewer);
        pictures.show(key, &picture());
        assert!(!news.0.has_changed().expect("open"));
        pictures.close(key);
        news.next().await;
    }

    #[tokio::test]
    async fn drawn_sizes_are_known_while_a_tile_is_on_screen() {
        let (pictures, key) = (Pictures::new(), Key::own());
        let mut resized = pictures.resized();
        let (small, large) = (PixelSize { width: 160, height: 90 }, PixelSize { width: 640, height: 360 });
        let (one, other) = (pictures.view(key), pictures.view(key));
        one.direct(small);
        other.direct(large);
        resized.next().await;
        assert_eq!(pictures.drawn(), BTreeMap::from([(key, large)]));
        one.direct(small);
        assert!(!resized.0.has_changed().expect("open"), "drawn again at the same size");
        drop(other);
        resized.next().await;
        assert_eq!(pictures.drawn(), BTreeMap::from([(key, small)]));
    }
}
