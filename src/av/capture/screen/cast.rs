//! The pictures of one PipeWire stream, by the library pipewire: the only file that names it. Its loop has a thread of
//! its own, which ends when the stream does or [`Cast::close`] asks it to.
//!
//! Pictures in memory are asked for, of four bytes a pixel, which every compositor can give; none in a GPU's memory.

use std::cell::RefCell;
use std::io::Cursor;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use pipewire as pw;
use pw::spa;
use pw::spa::param::ParamType;
use pw::spa::param::format::{FormatProperties, MediaSubtype, MediaType};
use pw::spa::param::video::{VideoFormat, VideoInfoRaw};
use pw::spa::pod::Pod;
use pw::spa::utils::{Direction, Fraction, Rectangle, SpaTypes};
use pw::stream::{StreamFlags, StreamState};
use tokio::sync::oneshot;

use crate::av::Error;
use crate::av::devices::Fate;
use crate::av::guard::watch;
use crate::av::process::convert::{self, Order};
use crate::frame::{Pool, VideoFrame};
use crate::slot::{Ring, Slot};
use crate::{clock, task};

/// Widest and highest picture that is taken; encoders make less of it anyway.
const MOST: u32 = 8192;

/// What the loop's thread and the others share.
#[derive(Debug)]
struct State {
    fate: Fate,
    pictures: Slot<VideoFrame>,
    /// The size, once it is known. One place: the first one counts.
    size: Ring<(u16, u16)>,
}

/// A stream of pictures. Cloning shares it.
#[derive(Clone)]
pub struct Cast {
    state: Arc<State>,
    quit: pw::channel::Sender<()>,
}

impl std::fmt::Debug for Cast {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cast").finish_non_exhaustive()
    }
}

impl Cast {
    /// The newest picture. Closed when the stream has ended.
    pub fn pictures(&self) -> &Slot<VideoFrame> {
        &self.state.pictures
    }

    /// The size of the pictures, waited for; `None` when none came.
    pub fn size(&self, wait: Duration) -> Option<(u16, u16)> {
        self.state.size.recv_timeout(wait).ok()
    }

    /// Why it ended by itself, told once.
    pub fn trouble(&self) -> Option<Error> {
        self.state.fate.take()
    }

    /// Ends it.
    pub fn close(&self) {
        // The loop is gone when it cannot be told.
        let _ = self.quit.send(());
    }
}

/// Starts to take the pictures of `node` from the PipeWire that `remote` leads to. `over` is told at the end.
pub fn start(remote: OwnedFd, node: u32, over: oneshot::Sender<()>) -> Result<Cast, Error> {
    let (quit, quits) = pw::channel::channel();
    let state = Arc::new(State {
        fate: Fate::default(),
        // Overflow: the newest picture replaces the one that waits.
        pictures: Slot::new(),
        // Overflow: the oldest size is dropped.
        size: Ring::new(1),
    });
    let cast = Cast { state: Arc::clone(&state), quit };
    let run = move || {
        watch("the stream of the screen", &state.fate, || {
            self::run(&state, remote, node, quits).map_err(|error| ended(&error.to_string()))?
        });
        state.pictures.close();
        let _ = over.send(());
    };
    task::thread("screen-cast", run).map_err(Error::Thread)?;
    Ok(cast)
}

fn ended(reason: &str) -> Error {
    Error::ScreenEnded { name: "the screen".to_owned(), reason: reason.to_owned() }
}

/// What a picture of the stream looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    width: u16,
    height: u16,
    order: Order,
}

/// Runs the loop. The outer error is PipeWire's own, at the start; the inner one ended the stream.
fn run(
    state: &Arc<State>,
    remote: OwnedFd,
    node: u32,
    quits: pw::channel::Receiver<()>,
) -> Result<Result<(), Error>, pw::Error> {
    pw::init();
    let main = pw::main_loop::MainLoopRc::new(None)?;
    let _quits = quits.attach(main.loop_(), {
        let main = main.clone();
        move |()| main.quit()
    });
    let context = pw::context::ContextRc::new(&main, None)?;
    let core = context.connect_fd_rc(remote, None)?;
    let result = Rc::new(RefCell::new(Ok(())));
    let fail = {
        let (result, main) = (Rc::clone(&result), main.clone());
        move |reason: &str| {
            *result.borrow_mut() = Err(ended(reason));
            main.quit();
        }
    };
    let fail_core = fail.clone();
    let _core = core.add_listener_local().error(move |id, _, _, words| {
        tracing::debug!(id, words, "PipeWire tells of an error");
        // Of the connection itself; others are of objects that come and go.
        if id == pw::core::PW_ID_CORE {
            fail_core("the connection to PipeWire was lost");
        }
    });
    let _core = _core.register();
    // A stream whose other end is gone only pauses: that the node went is said here.
    let registry = core.get_registry_rc()?;
    let fail_node = fail.clone();
    let _registry = registry.add_listener_local().global_remove(move |id| {
        if id == node {
            fail_node("what was shared is closed");
        }
    });
    let _registry = _registry.register();
    let words = pw::properties::properties! {
        *pw::keys::MEDIA_TYPE => "Video",
        *pw::keys::MEDIA_CATEGORY => "Capture",
        *pw::keys::MEDIA_ROLE => "Screen",
    };
    let stream = pw::stream::StreamBox::new(&core, "lets-meet", words)?;
    let (shared, told) = (Arc::clone(state), fail.clone());
    let pool = Pool::new(4);
    let _stream = stream
        .add_local_listener_with_user_data(None::<Shape>)
        .state_changed(move |_, _, old, new| match new {
            StreamState::Error(words) => fail(&words),
            // The one who shares is gone: the window was closed, or the person ended it.
            StreamState::Unconnected if old != StreamState::Connecting => fail("it was closed"),
            _ => {}
        })
        .param_changed(move |_, shape, id, param| {
            let Some(param) = param.filter(|_| id == ParamType::Format.as_raw()) else { return };
            *shape = read_shape(param);
            match shape {
                Some(shape) => drop(shared.size.push((shape.width, shape.height))),
                None => told("its pictures are of a kind that is not known"),
            }
        })
        .process({
            let state = Arc::clone(state);
            move |stream, shape| {
                // The newest counts; what waits before it is old.
                let mut newest = stream.dequeue_buffer();
                while let Some(newer) = newest.as_ref().and_then(|_| stream.dequeue_buffer()) {
                    newest = Some(newer);
                }
                let (Some(mut buffer), Some(shape)) = (newest, *shape) else { return };
                let Some(data) = buffer.datas_mut().first_mut() else { return };
                if let Some(mut picture) = read_picture(data, shape, &pool) {
                    picture.captured = clock::host_micros();
                    state.pictures.put(picture);
                }
            }
        })
        .register()?;
    let format = wish();
    let Some(format) = Pod::from_bytes(&format) else { return Ok(Err(ended("no format can be asked for"))) };
    let flags = StreamFlags::AUTOCONNECT | StreamFlags::MAP_BUFFERS;
    stream.connect(Direction::Input, Some(node), flags, &mut [format])?;
    main.run();
    // That it is unconnected by ourselves is no reason of its end.
    let why = result.replace(Ok(()));
    let _ = stream.disconnect();
    Ok(why)
}

/// The formats that we take: an object of type Format, as the library writes it.
fn wish() -> Vec<u8> {
    use spa::pod::{object, property};
    let object = object!(
        SpaTypes::ObjectParamFormat,
        ParamType::EnumFormat,
        property!(FormatProperties::MediaType, Id, MediaType::Video),
        property!(FormatProperties::MediaSubtype, Id, MediaSubtype::Raw),
        property!(
            FormatProperties::VideoFormat,
            Choice,
            Enum,
            Id,
            VideoFormat::BGRx,
            VideoFormat::BGRx,
            VideoFormat::BGRA,
            VideoFormat::RGBx,
            VideoFormat::RGBA
        ),
        property!(
            FormatProperties::VideoSize,
            Choice,
            Range,
            Rectangle,
            Rectangle { width: 1920, height: 1080 },
            Rectangle { width: 1, height: 1 },
            Rectangle { width: MOST, height: MOST }
        ),
        property!(
            FormatProperties::VideoFramerate,
            Choice,
            Range,
            Fraction,
            Fraction { num: 30, denom: 1 },
            Fraction { num: 0, denom: 1 },
            Fraction { num: 60, denom: 1 }
        ),
    );
    let written =
        spa::pod::serialize::PodSerializer::serialize(Cursor::new(Vec::new()), &spa::pod::Value::Object(object));
    // Writing to memory does not fail; without it nothing is asked for, which is told.
    written.map(|(cursor, _)| cursor.into_inner()).unwrap_or_default()
}

/// What was agreed on; `None` for what we did not ask for.
fn read_shape(param: &Pod) -> Option<Shape> {
    let (kind, sub) = spa::param::format_utils::parse_format(param).ok()?;
    if (kind, sub) != (MediaType::Video, MediaSubtype::Raw) {
        return None;
    }
    let mut info = VideoInfoRaw::new();
    info.parse(param).ok()?;
    let order = match info.format() {
        VideoFormat::BGRx | VideoFormat::BGRA => Order::Bgrx,
        VideoFormat::RGBx | VideoFormat::RGBA => Order::Rgbx,
        _ => return None,
    };
    let side = |pixels: u32| u16::try_from(pixels).ok().filter(|_| (2..=MOST).contains(&pixels));
    Some(Shape { width: side(info.size().width)?, height: side(info.size().height)?, order })
}

/// The picture in a buffer; `None` for one that is empty, damaged or smaller than was agreed.
fn read_picture(data: &mut spa::buffer::Data, shape: Shape, pool: &Pool) -> Option<VideoFrame> {
    let chunk = data.chunk();
    let (offset, size, stride) = (chunk.offset(), chunk.size(), chunk.stride());
    if size == 0 || chunk.flags().contains(spa::buffer::ChunkFlags::CORRUPTED) {
        return None;
    }
    let stride = usize::try_from(stride).ok().filter(|stride| *stride > 0);
    let stride = stride.unwrap_or(usize::from(shape.width) * 4);
    let pixels = data.data()?.get(usize::try_from(offset).ok()?..)?;
    let mut picture = pool.picture(shape.width, shape.height);
    convert::from_screen(pixels, stride, shape.order, &mut picture).then_some(picture)
}
