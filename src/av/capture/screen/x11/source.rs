//! A shared display or window as a source of pictures. A server may hang, so a thread of its own makes all calls and
//! nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::errors::{ConnectionError, ReplyError};
use x11rb::protocol::composite::{ConnectionExt as _, Redirect};
use x11rb::protocol::damage::{self, ConnectionExt as _, ReportLevel};
use x11rb::protocol::randr::{self, ConnectionExt as _, NotifyMask};
use x11rb::protocol::xfixes::{self, ConnectionExt as _, CursorNotifyMask};
use x11rb::protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _, Drawable, EventMask, Pixmap, Window};
use x11rb::protocol::{ErrorKind, Event};

use super::super::canvas::{Canvas, Pointer};
use super::super::pace::{Area, Due, Pace};
use super::grab::Grabber;
use super::{Server, lost};
use crate::av::Error;
use crate::av::capture::{Format, LiveSource};
use crate::av::devices::worker::{Stop, Worker};
use crate::av::devices::{Fate, Kind};
use crate::av::guard::watch;
use crate::av::process::convert;
use crate::av::spec::{self, DeviceChoice};
use crate::clock;
use crate::frame::{Pool, VideoFrame};
use crate::slot::{Empty, Slot};

/// How long a display may take to be opened.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// A server that does not answer for so long hangs.
const SILENT_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks at what the server says while somebody watches: the library cannot wait with a limit.
const NAP: Duration = Duration::from_millis(6);
/// The same after a second in which nothing changed.
const LONG_NAP: Duration = Duration::from_millis(16);
/// The same while nobody watches.
const REST: Duration = Duration::from_millis(50);
/// Between two looks at where the pointer is.
const POINTER_EVERY: Duration = Duration::from_millis(33);
/// Between two captures where the server does not tell what changed.
const BLIND_EVERY: Duration = Duration::from_millis(200);
/// Captures in a row that fail before the source is given up.
const MOST_BAD: u32 = 60;
/// Least side of a picture: what encoders take. A smaller window stands on black.
const LEAST_SIDE: u16 = 64;
/// Longest side that is read: more than any display has.
const MOST_SIDE: u16 = 16_384;

/// What the thread and its owner share.
#[derive(Debug, Default)]
struct State {
    wanted: AtomicBool,
    /// Moment (`clock::host_micros`) of the last sign of life.
    alive: AtomicU64,
    fate: Fate,
}

impl State {
    fn sign(&self) {
        self.alive.store(clock::host_micros(), Ordering::Relaxed);
    }

    fn silent_for(&self) -> Duration {
        Duration::from_micros(clock::host_micros().saturating_sub(self.alive.load(Ordering::Relaxed)))
    }
}

/// A shared display or window.
#[derive(Debug)]
pub struct Source {
    name: String,
    format: Format,
    state: Arc<State>,
    pictures: Slot<VideoFrame>,
    worker: Worker,
}

impl Source {
    /// Opens what `spec` names.
    pub fn open(spec: &spec::Screen) -> Result<Self, Error> {
        // Overflow: the newest picture replaces the one that waits.
        let (state, pictures) = (Arc::new(State::default()), Slot::new());
        state.sign();
        let (tell, opened) = sync_channel(1);
        let worker = {
            let (state, pictures, spec) = (Arc::clone(&state), pictures.clone(), spec.clone());
            Worker::start("screen-grab", move |stop| {
                let fate = state.fate.clone();
                watch("the shared screen", &fate, || {
                    let driver =
                        Server::connect().and_then(|server| Driver::open(server, &spec, state, pictures.clone()));
                    match driver {
                        Ok(mut driver) => {
                            let _ = tell.send(Ok((driver.name.clone(), driver.size())));
                            driver.run(stop)
                        }
                        Err(error) => {
                            let _ = tell.send(Err(error));
                            Ok(())
                        }
                    }
                });
                pictures.close();
            })?
        };
        let (name, (width, height)) = match opened.recv_timeout(OPEN_LIMIT) {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(super::silent("it took too long")),
        };
        Ok(Self { name, format: Format { width, height, rate: (30, 1) }, state, pictures, worker })
    }

    fn ended(&self, reason: &str) -> Error {
        Error::ScreenEnded { name: self.name.clone(), reason: reason.to_owned() }
    }
}

impl LiveSource for Source {
    fn format(&self) -> Format {
        self.format
    }

    fn next(&mut self, wanted: bool, wait: Duration) -> Result<Option<VideoFrame>, Error> {
        self.state.wanted.store(wanted, Ordering::Relaxed);
        match self.pictures.recv_timeout(wait) {
            Ok(picture) => Ok(Some(picture)),
            Err(Empty::Closed) => Err(self.state.fate.take().unwrap_or_else(|| self.ended("it ended"))),
            Err(Empty::Timeout) if !self.worker.is_over() && self.state.silent_for() > SILENT_LIMIT => {
                Err(self.ended("the display server does not answer"))
            }
            Err(Empty::Timeout) => Ok(None),
        }
    }
}

/// What is shared.
#[derive(Debug, Clone, Copy)]
enum Target {
    /// A part of the root window, found again by the display's name.
    Display { atom: u32, area: Area },
    /// A window, read from its own pixmap while it is on the screen.
    Window { id: Window, size: (u16, u16), border: u16, pixmap: Option<Pixmap> },
}

/// The thread's half.
struct Driver {
    name: String,
    server: Server,
    target: Target,
    damage: Option<damage::Damage>,
    pointer: Cursor,
    canvas: Canvas,
    grabber: Grabber,
    pace: Pace,
    pool: Pool,
    state: Arc<State>,
    pictures: Slot<VideoFrame>,
    /// The window is not on the screen: what was seen last stays.
    hidden: bool,
    /// Captures in a row that failed.
    bad: u32,
}

/// The pointer, as far as the server shows it.
#[derive(Default)]
struct Cursor {
    known: bool,
    stale: bool,
    picture: Option<Pointer>,
    /// Relative to what is shared; `None` while it is elsewhere.
    at: Option<(i32, i32)>,
    /// What stands for the shared window on the root window: its frame, or itself.
    frame: Option<Window>,
    looked: Option<Instant>,
}

impl Driver {
    fn open(server: Server, spec: &spec::Screen, state: Arc<State>, pictures: Slot<VideoFrame>) -> Result<Self, Error> {
        let asked = |error: ReplyError| super::silent(&error.to_string());
        let (name, target) = match spec {
            spec::Screen::Display(number) => {
                let monitors = server.monitors().map_err(asked)?;
                let preferred = monitors.iter().position(|monitor| monitor.primary).unwrap_or(0);
                let at = number.map_or(preferred, usize::from);
                let choice = number.map_or(DeviceChoice::Default, DeviceChoice::Index);
                let missing = Error::NoDevice { kind: Kind::Screen, choice };
                let monitor = monitors.get(at).cloned().ok_or(missing)?;
                (monitor.name, Target::Display { atom: monitor.atom, area: monitor.area })
            }
            spec::Screen::Window(id) => {
                let missing = || Error::NoDevice { kind: Kind::Screen, choice: DeviceChoice::Name(spec.to_string()) };
                let window = server.window(*id).map_err(|_| missing())?;
                let name =
                    if window.title.is_empty() { spec.to_string() } else { crate::share::visible(&window.title) };
                if window.own {
                    let reason = "it is a window of Lets Meet itself".to_owned();
                    return Err(Error::ScreenEnded { name, reason });
                }
                if !server.has_composite().map_err(asked)? {
                    let reason = "this display server cannot show a window without what covers it; \
                                  share the whole display instead";
                    return Err(Error::ScreenEnded { name, reason: reason.to_owned() });
                }
                if !window.viewable {
                    let reason = "the window is not on the screen; bring it up first".to_owned();
                    return Err(Error::ScreenEnded { name, reason });
                }
                (name, Target::Window { id: *id, size: window.size, border: window.border, pixmap: None })
            }
            _ => return Err(Error::NoSource),
        };
        let mut driver = Self {
            name,
            server,
            target,
            damage: None,
            pointer: Cursor::default(),
            canvas: Canvas::new(0, 0),
            grabber: Grabber::default(),
            pace: Pace::new((0, 0)),
            pool: Pool::new(4),
            state,
            pictures,
            hidden: false,
            bad: 0,
        };
        driver.subscribe().map_err(asked)?;
        driver.resize();
        tracing::info!(size = ?driver.size(), "a screen is shared");
        Ok(driver)
    }

    /// Asks the server to tell what changes.
    fn subscribe(&mut self) -> Result<(), ReplyError> {
        let server = &self.server.connection;
        let has = |name| Ok::<bool, ConnectionError>(server.extension_information(name)?.is_some());
        if has(xfixes::X11_EXTENSION_NAME)? {
            server.xfixes_query_version(5, 0)?.reply()?;
            server.xfixes_select_cursor_input(self.server.root, CursorNotifyMask::DISPLAY_CURSOR)?.check()?;
            (self.pointer.known, self.pointer.stale) = (true, true);
        }
        let drawable = match &mut self.target {
            Target::Display { .. } => {
                if has(randr::X11_EXTENSION_NAME)? {
                    let mask = NotifyMask::SCREEN_CHANGE | NotifyMask::CRTC_CHANGE;
                    server.randr_select_input(self.server.root, mask)?.check()?;
                }
                self.server.root
            }
            Target::Window { id, pixmap, .. } => {
                let aux = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
                server.change_window_attributes(*id, &aux)?.check()?;
                server.composite_query_version(0, 4)?.reply()?;
                server.composite_redirect_window(*id, Redirect::AUTOMATIC)?.check()?;
                *pixmap = name_pixmap(&self.server, *id);
                *id
            }
        };
        if has(damage::X11_EXTENSION_NAME)? {
            server.damage_query_version(1, 1)?.reply()?;
            let id = server.generate_id().map_err(|_| ConnectionError::UnknownError)?;
            server.damage_create(id, drawable, ReportLevel::DELTA_RECTANGLES)?.check()?;
            self.damage = Some(id);
        }
        Ok(())
    }

    /// Pixels of the pictures: even, and large enough for an encoder.
    fn size(&self) -> (u16, u16) {
        let (width, height) = self.content();
        ((width & !1).max(LEAST_SIDE), (height & !1).max(LEAST_SIDE))
    }

    /// Pixels of what is shared.
    fn content(&self) -> (u16, u16) {
        let side = |pixels: i32| u16::try_from(pixels).unwrap_or(MOST_SIDE);
        let (width, height) = match self.target {
            Target::Display { area, .. } => (side(area.width), side(area.height)),
            Target::Window { size, .. } => size,
        };
        (width.min(MOST_SIDE), height.min(MOST_SIDE))
    }

    /// Begins anew with the size of now.
    fn resize(&mut self) {
        let (content, size) = (self.content(), self.size());
        self.canvas = Canvas::new(content.0.max(size.0), content.1.max(size.1));
        self.pace.on_size((i32::from(content.0), i32::from(content.1)));
    }

    fn ended(&self, reason: &str) -> Error {
        Error::ScreenEnded { name: self.name.clone(), reason: reason.to_owned() }
    }

    /// Captures until it is told to stop, or what is shared is gone.
    fn run(&mut self, stop: &Stop) -> Result<(), Error> {
        let mut changed = clock::now();
        loop {
            self.state.sign();
            let gone = |error: ConnectionError| Error::ScreenEnded { name: self.name.clone(), reason: lost(&error) };
            self.server.connection.flush().map_err(gone)?;
            loop {
                let gone =
                    |error: ConnectionError| Error::ScreenEnded { name: self.name.clone(), reason: lost(&error) };
                let Some(event) = self.server.connection.poll_for_event().map_err(gone)? else { break };
                self.on_event(&event)?;
            }
            let (now, wanted) = (clock::now(), self.state.wanted.load(Ordering::Relaxed));
            self.pace.on_wish(wanted);
            if wanted {
                self.look_at_pointer(now)?;
                if self.damage.is_none() && now.saturating_duration_since(changed) >= BLIND_EVERY {
                    self.pace.on_all();
                }
            }
            if let Some(due) = self.pace.poll(now) {
                changed = now;
                self.capture(due)?;
                self.pace.on_captured(now.elapsed());
            }
            let nap = match self.pace.poll_timeout(now) {
                _ if !wanted => REST,
                Some(at) => at.saturating_duration_since(clock::now()).min(NAP),
                None if now.saturating_duration_since(changed) > Duration::from_secs(1) => LONG_NAP,
                None => NAP,
            };
            if stop.wait(nap.max(Duration::from_millis(1))) {
                return Ok(());
            }
        }
    }

    fn on_event(&mut self, event: &Event) -> Result<(), Error> {
        match (event, &mut self.target) {
            (Event::DamageNotify(notify), target) => {
                let area = Area {
                    x: i32::from(notify.area.x),
                    y: i32::from(notify.area.y),
                    width: i32::from(notify.area.width),
                    height: i32::from(notify.area.height),
                };
                self.pace.on_change(match target {
                    Target::Display { area: display, .. } => area.moved(-display.x, -display.y),
                    Target::Window { .. } => area,
                });
            }
            (Event::XfixesCursorNotify(_), _) => self.pointer.stale = true,
            (Event::RandrScreenChangeNotify(_) | Event::RandrNotify(_), Target::Display { .. }) => {
                self.find_display()?
            }
            (Event::DestroyNotify(notify), Target::Window { id, .. }) if notify.window == *id => {
                return Err(self.ended("the window was closed"));
            }
            (Event::UnmapNotify(notify), Target::Window { id, pixmap, .. }) if notify.window == *id => {
                self.hidden = true;
                if let Some(pixmap) = pixmap.take() {
                    let _ = self.server.connection.free_pixmap(pixmap);
                }
            }
            (Event::MapNotify(notify), Target::Window { id, .. }) if notify.window == *id => self.find_window()?,
            (Event::ReparentNotify(_), Target::Window { .. }) => self.pointer.frame = None,
            (Event::ConfigureNotify(notify), Target::Window { id, size, border, .. })
                if notify.window == *id
                    && (notify.width, notify.height, notify.border_width) != (size.0, size.1, *border) =>
            {
                self.find_window()?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The display may have moved, have another size, or be gone.
    fn find_display(&mut self) -> Result<(), Error> {
        let found = self.server.monitors().map_err(|error| self.failed(error))?;
        let Target::Display { atom, area } = &mut self.target else { return Ok(()) };
        let Some(monitor) = found.iter().find(|monitor| monitor.atom == *atom) else {
            return Err(self.ended("the display was disconnected"));
        };
        if monitor.area != *area {
            *area = monitor.area;
            self.resize();
        }
        Ok(())
    }

    /// The window has another size, or is on the screen again: its pixmap is another one.
    fn find_window(&mut self) -> Result<(), Error> {
        let Target::Window { id, size, border, pixmap } = &mut self.target else { return Ok(()) };
        let Ok(window) = self.server.window(*id) else { return Err(self.ended("the window was closed")) };
        let old = pixmap.take();
        if window.viewable {
            *pixmap = name_pixmap(&self.server, *id);
        }
        self.hidden = !window.viewable;
        let same = *size == window.size;
        (*size, *border) = (window.size, window.border);
        if let Some(old) = old {
            let _ = self.server.connection.free_pixmap(old);
        }
        if same {
            self.pace.on_all();
        } else {
            self.resize();
        }
        Ok(())
    }

    fn failed(&self, error: ReplyError) -> Error {
        match error {
            ReplyError::ConnectionError(error) => self.ended(&lost(&error)),
            ReplyError::X11Error(error) => {
                self.ended(&format!("the display refused a question ({:?})", error.error_kind))
            }
        }
    }

    /// Asks where the pointer is, and how it looks if that is not known.
    fn look_at_pointer(&mut self, now: Instant) -> Result<(), Error> {
        let due = self.pointer.looked.is_none_or(|last| now.saturating_duration_since(last) >= POINTER_EVERY);
        if !self.pointer.known || !(due || self.pointer.stale) {
            return Ok(());
        }
        self.pointer.looked = Some(now);
        let window = match self.target {
            Target::Display { .. } => self.server.root,
            Target::Window { id, .. } => id,
        };
        let asked = self.server.connection.query_pointer(window).map_err(ReplyError::from);
        let at = match asked.and_then(|cookie| cookie.reply()) {
            Ok(reply) if reply.same_screen => Some((i32::from(reply.win_x), i32::from(reply.win_y))),
            // The window is gone, which an event tells.
            Ok(_) | Err(ReplyError::X11Error(_)) => None,
            Err(error) => return Err(self.failed(error)),
        };
        let at = match self.target {
            Target::Display { area, .. } => at.map(|(x, y)| (x - area.x, y - area.y)),
            Target::Window { .. } => at,
        };
        let (width, height) = self.content();
        let inside = |(x, y): &(i32, i32)| (0..i32::from(width)).contains(x) && (0..i32::from(height)).contains(y);
        let at = match (self.target, at.filter(inside)) {
            (Target::Window { id, .. }, Some(_)) if !self.is_pointed_at(id)? => None,
            (_, at) => at,
        };
        if self.pointer.stale && at.is_some() {
            self.pointer.stale = false;
            let asked = self.server.connection.xfixes_get_cursor_image().map_err(ReplyError::from);
            let image = asked.and_then(|cookie| cookie.reply());
            self.pointer.picture = image.ok().and_then(|image| {
                Pointer::new(image.width, image.height, (image.xhot, image.yhot), image.cursor_image)
            });
            self.pace.on_pointer();
        }
        if at != self.pointer.at {
            self.pointer.at = at;
            self.pace.on_pointer();
        }
        Ok(())
    }

    /// Whether the pointer is over this window, and not over another that covers it there.
    fn is_pointed_at(&mut self, id: Window) -> Result<bool, Error> {
        let look = |server: &Server, frame: Option<Window>| -> Result<(Window, Window), ReplyError> {
            let over = server.connection.query_pointer(server.root)?.reply()?.child;
            let frame = match frame {
                Some(frame) => frame,
                None => server.frame_of(id)?,
            };
            Ok((over, frame))
        };
        match look(&self.server, self.pointer.frame) {
            Ok((over, frame)) => {
                self.pointer.frame = Some(frame);
                Ok(over == frame)
            }
            // The window is gone, which an event tells.
            Err(ReplyError::X11Error(_)) => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// It is tried again, unless it failed too often.
    fn unread(&mut self, due: Due) -> Result<(), Error> {
        self.bad += 1;
        self.pace.on_change(due.area);
        if self.bad > MOST_BAD { Err(self.ended("it cannot be read")) } else { Ok(()) }
    }

    /// Reads what changed and hands out a picture.
    fn capture(&mut self, due: Due) -> Result<(), Error> {
        let captured = clock::host_micros();
        if let Some(damage) = self.damage {
            // Before the pixels are read: what changes after it is told again.
            let done = self.server.connection.damage_subtract(damage, x11rb::NONE, x11rb::NONE);
            done.map_err(|error| self.ended(&lost(&error)))?;
        }
        if !due.area.is_empty() && !self.hidden {
            let (drawable, x, y): (Drawable, i32, i32) = match &mut self.target {
                Target::Display { area, .. } => (self.server.root, area.x, area.y),
                Target::Window { id, pixmap, border, .. } => {
                    *pixmap = pixmap.or_else(|| name_pixmap(&self.server, *id));
                    let Some(pixmap) = *pixmap else {
                        // The window itself shows what covers it: it is not read.
                        return self.unread(due);
                    };
                    (pixmap, i32::from(*border), i32::from(*border))
                }
            };
            match self.grabber.grab(&self.server.connection, drawable, due.area.moved(x, y)) {
                Ok(pixels) => {
                    self.bad = 0;
                    self.canvas.put(due.area, pixels);
                }
                // Its size changed under us, or it is not on the screen: an event says more.
                Err(ReplyError::X11Error(error))
                    if matches!(error.error_kind, ErrorKind::Match | ErrorKind::Drawable | ErrorKind::Pixmap) =>
                {
                    return self.unread(due);
                }
                Err(error) => return Err(self.failed(error)),
            }
        }
        let (width, height) = self.size();
        let mut picture = self.pool.picture(width, height);
        picture.captured = captured;
        let stride = usize::from(self.content().0.max(width)) * 4;
        let pointer = match (&self.pointer.picture, self.pointer.at) {
            (Some(picture), Some((x, y))) => Some((picture, x, y)),
            _ => None,
        };
        if self.canvas.with_pointer(pointer, |pixels| convert::from_bgrx(pixels, stride, &mut picture)) {
            self.pictures.put(picture);
        }
        Ok(())
    }
}

/// The pixmap of a window that is drawn to one of its own.
fn name_pixmap(server: &Server, id: Window) -> Option<Pixmap> {
    let pixmap = server.connection.generate_id().ok()?;
    server.connection.composite_name_window_pixmap(id, pixmap).ok()?.check().ok()?;
    Some(pixmap)
}
