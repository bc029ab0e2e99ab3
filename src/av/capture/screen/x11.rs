//! What an X server says of its displays and windows.

pub mod grab;
pub mod source;

use std::time::Duration;

use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::errors::{ConnectionError, ReplyError};
use x11rb::protocol::composite;
use x11rb::protocol::randr::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, ImageOrder, MapState, Window, WindowClass};
use x11rb::rust_connection::RustConnection;

use super::pace::Area;
use crate::av::devices::{Device, Kind, worker};
use crate::av::{Error, spec};
use crate::platform;

/// How long the list of screens may take.
const LIST_LIMIT: Duration = Duration::from_secs(3);
/// Most windows of which anything is asked.
const MOST_WINDOWS: usize = 64;
/// Windows with a shorter side are no windows that somebody shares.
const SMALLEST: u16 = 16;
/// Windows within windows that are followed outwards: a window manager adds one or two.
const MOST_FRAMES: usize = 16;
/// Longest title that is read, in units of four bytes.
const MOST_TITLE: u32 = 256;

/// Displays, then windows. Empty where there is no display, or it does not answer in time.
pub fn list() -> Vec<Device> {
    let found = worker::within(LIST_LIMIT, "screen-list", || {
        let server = Server::connect()?;
        server.devices().map_err(|error| silent(&error.to_string()))
    });
    match found {
        Some(Ok(devices)) => devices,
        Some(Err(error)) => {
            tracing::debug!(%error, "no screens");
            Vec::new()
        }
        None => {
            tracing::warn!("the display does not say which screens there are");
            Vec::new()
        }
    }
}

/// A display that does not do its work.
fn silent(reason: &str) -> Error {
    let reason = format!("the display does not answer ({reason})");
    Error::NoScreen { reason, hint: "check that DISPLAY names a display of yours" }
}

/// A connection to the X server.
pub struct Server {
    connection: RustConnection,
    root: Window,
}

/// One display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// Its name for the server; 0 where the server knows none.
    pub atom: Atom,
    /// Its name for people.
    pub name: String,
    /// The system prefers it.
    pub primary: bool,
    /// Where it lies on the root window.
    pub area: Area,
}

/// One window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its number.
    pub id: Window,
    /// Its title; empty when it has none.
    pub title: String,
    /// Pixels across and down, without border.
    pub size: (u16, u16),
    /// Around it, in pixels.
    pub border: u16,
    /// It is on the screen.
    pub viewable: bool,
    /// Ours.
    pub own: bool,
}

impl Server {
    /// The server that the environment names.
    pub fn connect() -> Result<Self, Error> {
        if platform::is_wayland() {
            let reason = "this desktop runs on Wayland, which asks in a dialog of its own what to share".to_owned();
            return Err(Error::NoScreen { reason, hint: "share with display, and choose the window in that dialog" });
        }
        if !platform::has_display() {
            let hint = "start it on a desktop, or use a test source such as testcard";
            return Err(Error::NoScreen { reason: "there is no display".to_owned(), hint });
        }
        let (connection, number) = RustConnection::connect(None).map_err(|error| silent(&error.to_string()))?;
        let setup = connection.setup();
        let screen = setup.roots.get(number).cloned().ok_or_else(|| silent("it has no screen"))?;
        let bits = setup.pixmap_formats.iter().find(|format| format.depth == screen.root_depth);
        let red = screen.allowed_depths.iter().flat_map(|depth| &depth.visuals);
        let red = red.clone().find(|visual| visual.visual_id == screen.root_visual).map(|visual| visual.red_mask);
        let known = bits.is_some_and(|format| format.bits_per_pixel == 32)
            && setup.image_byte_order == ImageOrder::LSB_FIRST
            && red == Some(0xff_0000);
        if !known {
            let reason = format!("its colours are of a kind that is not read (depth {})", screen.root_depth);
            return Err(Error::NoScreen { reason, hint: "use a display with 24 bits of colour" });
        }
        Ok(Self { root: screen.root, connection })
    }

    /// Whether a window can be read without what covers it.
    fn has_composite(&self) -> Result<bool, ReplyError> {
        Ok(self.connection.extension_information(composite::X11_EXTENSION_NAME)?.is_some())
    }

    /// Everything that can be shared.
    fn devices(&self) -> Result<Vec<Device>, ReplyError> {
        let monitors = self.monitors()?;
        let preferred = monitors.iter().position(|monitor| monitor.primary).unwrap_or(0);
        let side = |pixels: i32| u16::try_from(pixels).unwrap_or(u16::MAX);
        let displays = monitors.iter().enumerate().map(|(at, monitor)| {
            let id = spec::Screen::Display(u16::try_from(at).ok()).to_string();
            let Area { width, height, .. } = monitor.area;
            Device::new(Kind::Screen, &monitor.name, &id, at == preferred).sized(side(width), side(height))
        });
        let mut all: Vec<Device> = displays.collect();
        let windows = if self.has_composite()? { self.windows()? } else { Vec::new() };
        for window in windows {
            let id = spec::Screen::Window(window.id).to_string();
            all.push(Device::new(Kind::Screen, &window.title, &id, false).sized(window.size.0, window.size.1));
        }
        Ok(all)
    }

    /// The displays, in the server's order; the whole root window where it knows of none.
    pub fn monitors(&self) -> Result<Vec<Monitor>, ReplyError> {
        let mut monitors = Vec::new();
        if self.connection.extension_information(randr::X11_EXTENSION_NAME)?.is_some()
            // The server tells of monitors only to who has said that it knows them.
            && self.connection.randr_query_version(1, 5)?.reply().is_ok()
            && let Ok(found) = self.connection.randr_get_monitors(self.root, true)?.reply()
        {
            for (at, monitor) in found.monitors.iter().enumerate() {
                let area = Area {
                    x: i32::from(monitor.x),
                    y: i32::from(monitor.y),
                    width: i32::from(monitor.width),
                    height: i32::from(monitor.height),
                };
                let name = match self.connection.get_atom_name(monitor.name)?.reply() {
                    Ok(reply) => String::from_utf8_lossy(&reply.name).into_owned(),
                    Err(_) => String::new(),
                };
                let name = display_name(at, &name);
                monitors.push(Monitor { atom: monitor.name, name, primary: monitor.primary, area });
            }
        }
        monitors.retain(|monitor| !monitor.area.is_empty());
        if monitors.is_empty() {
            let root = self.connection.get_geometry(self.root)?.reply()?;
            let area = Area { x: 0, y: 0, width: i32::from(root.width), height: i32::from(root.height) };
            monitors.push(Monitor { atom: 0, name: display_name(0, ""), primary: true, area });
        }
        Ok(monitors)
    }

    /// The windows that a person can share: on the screen, not too small, not ours; the newest last.
    fn windows(&self) -> Result<Vec<Shown>, ReplyError> {
        let mut shown = Vec::new();
        for id in self.clients()?.into_iter().take(MOST_WINDOWS) {
            // It may be gone by now.
            let Ok(window) = self.window(id) else { continue };
            let large = window.size.0 >= SMALLEST && window.size.1 >= SMALLEST;
            if window.viewable && large && !window.own {
                shown.push(window);
            }
        }
        Ok(shown)
    }

    /// What the window manager lists; without one, what lies on the root window.
    fn clients(&self) -> Result<Vec<Window>, ReplyError> {
        let list = self.atom("_NET_CLIENT_LIST")?;
        let most = u32::try_from(MOST_WINDOWS).unwrap_or(64);
        let found = self.connection.get_property(false, self.root, list, AtomEnum::WINDOW, 0, most)?.reply()?;
        if let Some(windows) = found.value32().filter(|_| found.value_len > 0) {
            return Ok(windows.collect());
        }
        let children = self.connection.query_tree(self.root)?.reply()?.children;
        let mut windows = Vec::new();
        for id in children.into_iter().take(MOST_WINDOWS) {
            let Ok(attributes) = self.connection.get_window_attributes(id)?.reply() else { continue };
            if !attributes.override_redirect && attributes.class == WindowClass::INPUT_OUTPUT {
                windows.push(id);
            }
        }
        Ok(windows)
    }

    /// One window. An error where there is none of this number.
    pub fn window(&self, id: Window) -> Result<Shown, ReplyError> {
        let attributes = self.connection.get_window_attributes(id)?;
        let geometry = self.connection.get_geometry(id)?;
        let (attributes, geometry) = (attributes.reply()?, geometry.reply()?);
        let pid = self.connection.get_property(false, id, self.atom("_NET_WM_PID")?, AtomEnum::CARDINAL, 0, 1)?;
        let pid = pid.reply()?.value32().and_then(|mut values| values.next());
        Ok(Shown {
            id,
            title: self.title(id)?,
            size: (geometry.width, geometry.height),
            border: geometry.border_width,
            viewable: attributes.map_state == MapState::VIEWABLE && attributes.class == WindowClass::INPUT_OUTPUT,
            own: pid == Some(std::process::id()),
        })
    }

    /// What lies on the root window for this window: the outermost frame that a window manager put around it, or itself.
    pub fn frame_of(&self, id: Window) -> Result<Window, ReplyError> {
        let mut outermost = id;
        for _ in 0..MOST_FRAMES {
            let parent = self.connection.query_tree(outermost)?.reply()?.parent;
            if parent == self.root || parent == x11rb::NONE {
                break;
            }
            outermost = parent;
        }
        Ok(outermost)
    }

    fn title(&self, id: Window) -> Result<String, ReplyError> {
        let (name, utf8) = (self.atom("_NET_WM_NAME")?, self.atom("UTF8_STRING")?);
        let modern = self.connection.get_property(false, id, name, utf8, 0, MOST_TITLE)?.reply()?.value;
        if !modern.is_empty() {
            return Ok(String::from_utf8_lossy(&modern).into_owned());
        }
        let old = self.connection.get_property(false, id, AtomEnum::WM_NAME, AtomEnum::ANY, 0, MOST_TITLE)?;
        // Latin-1 by its definition.
        Ok(old.reply()?.value.iter().map(|byte| char::from(*byte)).collect())
    }

    fn atom(&self, name: &str) -> Result<Atom, ReplyError> {
        Ok(self.connection.intern_atom(false, name.as_bytes())?.reply()?.atom)
    }
}

/// `Display 1 (HDMI-1)`; servers without hardware call theirs "screen".
fn display_name(at: usize, name: &str) -> String {
    match name {
        "" | "screen" | "default" => format!("Display {}", at + 1),
        name => format!("Display {} ({name})", at + 1),
    }
}

/// Why nothing more comes from the server.
fn lost(error: &ConnectionError) -> String {
    tracing::debug!(%error, "the display is gone");
    "the display server went away".to_owned()
}
