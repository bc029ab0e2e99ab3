//! A screen on Wayland: the desktop's portal asks the person what to share, and PipeWire brings the pictures
//! (org.freedesktop.portal.ScreenCast, version 1 and later). The portal asks exactly once for each share, since sources
//! and answer belong to one session; nothing is kept for later.
//!
//! Two threads. One speaks D-Bus, keeps the session open and hears when the person ends it from the desktop's own bar;
//! the other runs PipeWire's loop ([`super::cast`]). A compositor sends a picture when something changed; what stands
//! still is repeated by the publisher.

use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use ashpd::desktop::screencast::{CursorMode, Screencast, SelectSourcesOptions, SourceType};
use ashpd::desktop::{PersistMode, ResponseError, Session};
use ashpd::enumflags2::BitFlags;
use futures_util::StreamExt as _;
use tokio::sync::oneshot;

use super::cast::{self, Cast};
use crate::av::Error;
use crate::av::capture::{CallOff, Format, LiveSource};
use crate::av::devices::Fate;
use crate::av::devices::worker::{Stop, Worker};
use crate::av::guard::watch;
use crate::clock;
use crate::frame::{Pool, VideoFrame};
use crate::slot::Empty;

/// How long the person may think about what to share.
const ASK_LIMIT: Duration = Duration::from_secs(120);
/// How long the first word of the stream may take once the person has chosen.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// How long the desktop may take to end a session. It ends in any case when the connection does.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);
/// Least time between two pictures: 30 a second.
const LEAST: Duration = Duration::from_millis(33);
/// How often it is looked whether the session is to end, or nobody waits for its answer any more.
const LOOK: Duration = Duration::from_millis(100);
/// What the person is shown as the name, before the portal tells one.
const NAME: &str = "the screen";

/// A screen or window that the person chose.
#[derive(Debug)]
pub struct Source {
    format: Format,
    cast: Cast,
    fate: Fate,
    /// When a picture was given last.
    given: Option<Instant>,
    /// The newest picture: a compositor sends none while nothing changes, and somebody may look only later.
    last: Option<VideoFrame>,
    wanted: bool,
    pool: Pool,
    _worker: Worker,
}

impl Source {
    /// Asks the person, and waits for the answer: up to two minutes, or until it is called off. Then the question is taken
    /// back.
    pub fn open(call_off: &CallOff) -> Result<Self, Error> {
        let fate = Fate::default();
        let (tell, opened) = sync_channel(1);
        let told = fate.clone();
        let worker = Worker::start("screen-portal", move |stop| {
            watch("the desktop's portal", &told, || session(stop, &tell, &told));
        })?;
        let limit = clock::now() + ASK_LIMIT + OPEN_LIMIT;
        let cast = loop {
            match opened.recv_timeout(LOOK) {
                Ok(cast) => break cast,
                // Dropping the worker takes the question back.
                Err(_) if call_off.is_called_off() => {
                    return Err(none("it was stopped before anything was chosen", "share again and choose a screen"));
                }
                Err(RecvTimeoutError::Timeout) if clock::now() < limit => {}
                Err(_) => return Err(fate.take().unwrap_or_else(|| none("the desktop does not answer", INSTALL))),
            }
        };
        let (width, height) = cast.size(OPEN_LIMIT).ok_or_else(|| {
            cast.trouble().unwrap_or_else(|| none("the desktop sends no pictures", "choose another screen or window"))
        })?;
        let format = Format { width, height, rate: (30, 1) };
        Ok(Self { format, cast, fate, given: None, last: None, wanted: false, pool: Pool::new(2), _worker: worker })
    }
}

impl LiveSource for Source {
    fn format(&self) -> Format {
        self.format
    }

    fn next(&mut self, wanted: bool, wait: Duration) -> Result<Option<VideoFrame>, Error> {
        if let Some(error) = self.fate.take().or_else(|| self.cast.trouble()) {
            return Err(error);
        }
        let again = wanted && !self.wanted;
        let now = clock::now();
        let early = self.given.map_or(Duration::ZERO, |given| (given + LEAST).saturating_duration_since(now));
        if early >= wait {
            std::thread::sleep(wait);
            return Ok(None);
        }
        self.wanted = wanted;
        std::thread::sleep(early);
        match self.cast.pictures().recv_timeout(wait.saturating_sub(early)) {
            Ok(picture) => self.last = Some(picture),
            Err(Empty::Timeout) if !again => return Ok(None),
            // Nothing has changed since it was made.
            Err(Empty::Timeout) => {
                if let Some(last) = &mut self.last {
                    last.captured = clock::host_micros();
                }
            }
            Err(Empty::Closed) => {
                let told = self.fate.take().or_else(|| self.cast.trouble());
                return Err(told.unwrap_or_else(|| ended("it was stopped")));
            }
        }
        let Some(last) = self.last.as_ref().filter(|_| wanted) else { return Ok(None) };
        let mut picture = self.pool.picture(last.width(), last.height());
        picture.data_mut().copy_from_slice(last.data());
        picture.captured = last.captured;
        self.given = Some(clock::now());
        Ok(Some(picture))
    }
}

const INSTALL: &str =
    "install xdg-desktop-portal and the part of it for your desktop, as in xdg-desktop-portal-gnome, and log in again";

fn none(reason: &str, hint: &'static str) -> Error {
    Error::NoScreen { reason: reason.to_owned(), hint }
}

fn ended(reason: &str) -> Error {
    Error::ScreenEnded { name: NAME.to_owned(), reason: reason.to_owned() }
}

/// The whole life of a session: asks, hands the pictures over, and waits for its end.
fn session(stop: &Stop, tell: &SyncSender<Cast>, fate: &Fate) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| none(&error.to_string(), "try again"))?;
    runtime.block_on(async {
        let begun = tokio::select! {
            begun = tokio::time::timeout(ASK_LIMIT, begin()) => begun,
            () = stopped(stop) => return Ok(()),
        };
        let (portal, session) = begun.map_err(|_| none("the desktop does not answer", INSTALL))??;
        let chosen = tokio::select! {
            chosen = tokio::time::timeout(ASK_LIMIT, choose(&portal, &session)) => chosen,
            () = stopped(stop) => {
                // Which ends the dialog, too.
                end(&session).await;
                return Ok(());
            }
        };
        let chosen = chosen
            .unwrap_or_else(|_| Err(none("nobody answered the desktop's question", "share again and choose a screen")));
        let Chosen { remote, node } = match chosen {
            Ok(chosen) => chosen,
            Err(error) => {
                end(&session).await;
                return Err(error);
            }
        };
        let (over, ends) = oneshot::channel();
        let cast = cast::start(remote, node, over)?;
        // The owner is gone when nobody takes it.
        let _ = tell.send(cast.clone());
        let closed = async {
            match session.receive_closed().await {
                Ok(said) => drop(pin!(said).next().await),
                // Without the signal the end of the stream tells.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stopped(stop) => {}
            // Of the stream: it has told why, if it was by an error.
            _ = ends => {}
            // Told before the stream ends, which is by this.
            () = closed => fate.set(ended("it was stopped from the desktop")),
        }
        cast.close();
        end(&session).await;
        Ok(())
    })
}

/// Ends a session with all that belongs to it: what is shared, or the question.
async fn end(session: &Session<Screencast>) {
    let _ = tokio::time::timeout(CLOSE_LIMIT, session.close()).await;
}

async fn stopped(stop: &Stop) {
    while !stop.asked() {
        tokio::time::sleep(LOOK).await;
    }
}

/// What the person chose.
struct Chosen {
    remote: OwnedFd,
    node: u32,
}

/// A session, in which nothing was asked yet.
async fn begin() -> Result<(Screencast, Session<Screencast>), Error> {
    // Its own connection: the library keeps one for ever, which would belong to the thread of the first share.
    let bus = ashpd::zbus::Connection::session().await.map_err(|error| refused(error.into()))?;
    let portal = Screencast::with_connection(bus).await.map_err(refused)?;
    let session = portal.create_session(Default::default()).await.map_err(refused)?;
    Ok((portal, session))
}

/// Asks the person.
async fn choose(portal: &Screencast, session: &Session<Screencast>) -> Result<Chosen, Error> {
    // Both where the portal knows both; it must know one.
    let kinds = portal.available_source_types().await.map_err(refused)?;
    let wanted: BitFlags<SourceType> = SourceType::Monitor | SourceType::Window;
    let pointer = portal.available_cursor_modes().await.is_ok_and(|modes| modes.contains(CursorMode::Embedded));
    let mut options = SelectSourcesOptions::default().set_sources(kinds & wanted).set_multiple(false);
    if pointer {
        options = options.set_cursor_mode(CursorMode::Embedded);
    }
    if portal.version() >= 4 {
        options = options.set_persist_mode(PersistMode::DoNot);
    }
    portal.select_sources(session, options).await.and_then(|request| request.response()).map_err(refused)?;
    let started = portal.start(session, None, Default::default()).await.and_then(|request| request.response());
    let streams = started.map_err(refused)?;
    let stream =
        streams.streams().first().ok_or_else(|| none("nothing was chosen", "share again and choose a screen"))?;
    let remote = portal.open_pipe_wire_remote(session, Default::default()).await.map_err(refused)?;
    Ok(Chosen { remote, node: stream.pipe_wire_node_id() })
}

fn refused(error: ashpd::Error) -> Error {
    match error {
        ashpd::Error::Response(ResponseError::Cancelled) => {
            none("nothing was chosen in the desktop's dialog", "share again and choose a screen or a window")
        }
        ashpd::Error::PortalNotFound(_) => none("this desktop has no portal for screens", INSTALL),
        ashpd::Error::Zbus(_) | ashpd::Error::Portal(ashpd::PortalError::ZBus(_)) => {
            tracing::info!(%error, "the portal cannot be asked");
            none("the desktop's portal cannot be reached", INSTALL)
        }
        error => none(&error.to_string(), "share again, or log in again when it stays so"),
    }
}
