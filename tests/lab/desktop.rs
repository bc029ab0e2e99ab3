//! A Wayland desktop without a compositor, as far as a program that shares a screen can tell: a private D-Bus with the
//! portal's side of org.freedesktop.portal.ScreenCast, a private PipeWire with a session manager, and a stream of test
//! cards in it. Everything is ended and removed when it is dropped, also by a panic.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Cursor};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use lets_meet::av::capture::{VideoSource as _, testcard::TestCard};
use lets_meet::av::process::convert;
use lets_meet::clock::now;
use lets_meet::frame::Pool;
use lets_meet::task;
use pipewire as pw;
use pw::spa;
use pw::spa::param::ParamType;
use pw::spa::param::format::{FormatProperties, MediaSubtype, MediaType};
use pw::spa::param::video::VideoFormat;
use pw::spa::pod::{Object, Pod, Value as PodValue, object, property};
use pw::spa::utils::{Direction, Fraction, Rectangle, SpaTypes};
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

/// How long a server may take to begin.
const BEGIN: Duration = Duration::from_secs(20);

/// Times that a still picture is sent: a reader may not be ready for the first.
const FIRST: u64 = 30;

/// What the person in front of the desktop does when asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Chooses the screen.
    Share,
    /// Closes the dialog.
    Refuse,
    /// Thinks about it, for ever.
    Think,
}

/// What the screen shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// Test cards, 30 a second.
    Cards,
    /// One test card, which stands still: it is sent for a second and then nothing more, as a compositor sends pictures
    /// only when something changed.
    Still,
}

/// The desktop.
pub struct Desktop {
    folder: tempfile::TempDir,
    servers: Vec<Child>,
    address: String,
    answer: Arc<Mutex<Answer>>,
    prompts: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    bus: zbus::Connection,
    runtime: tokio::runtime::Runtime,
    sessions: Arc<Mutex<Vec<OwnedObjectPath>>>,
    quit: pw::channel::Sender<()>,
    producer: Option<JoinHandle<()>>,
}

fn beside(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| {
        panic!("{:?} cannot be run ({error}): install what scripts/packages.txt lists", command.get_program())
    })
}

fn until(what: &str, mut fact: impl FnMut() -> bool) {
    let deadline = now() + BEGIN;
    while !fact() {
        assert!(now() < deadline, "{what} did not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Desktop {
    /// Starts it; its screen has this size.
    pub fn start((width, height): (u16, u16), shows: Shows) -> Self {
        // Names of sockets are short.
        let temporary = tempfile::tempdir().expect("a folder for temporary files");
        let folder = temporary.path();
        let log = |name: &str| fs::File::create(folder.join(name)).expect("the lab's folder can be written");
        let mut daemon = beside(
            Command::new("dbus-daemon")
                .args(["--session", "--nofork", "--print-address", "--address"])
                .arg(format!("unix:path={}", folder.join("bus").display()))
                .stdout(Stdio::piped())
                .stderr(log("dbus.log")),
        );
        let mut address = String::new();
        let out = daemon.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut address).expect("the bus says where it is");
        let address = address.trim().to_owned();
        let server = |name: &str| {
            let out = log(&format!("{name}.log"));
            let err = out.try_clone().expect("a file");
            let mut command = Command::new(name);
            command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
            command.env("XDG_RUNTIME_DIR", folder).env("HOME", folder).env("DBUS_SESSION_BUS_ADDRESS", &address);
            beside(command.stdout(out).stderr(err))
        };
        let mut servers = vec![daemon, server("pipewire")];
        until("PipeWire", || folder.join("pipewire-0").exists());
        servers.push(server("wireplumber"));
        let (tell, told) = sync_channel(1);
        let (quit, quits) = pw::channel::channel();
        let producer = {
            let socket = folder.join("pipewire-0");
            task::thread("test-screen", move || produce(&socket, (width, height), shows, quits, tell))
                .expect("a thread")
        };
        let node = node(&told);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (answer, prompts) = (Arc::new(Mutex::new(Answer::Share)), Arc::new(AtomicUsize::new(0)));
        let closed = Arc::new(AtomicUsize::new(0));
        let sessions = Arc::<Mutex<Vec<OwnedObjectPath>>>::default();
        let portal = Portal {
            node,
            socket: folder.join("pipewire-0"),
            answer: Arc::clone(&answer),
            prompts: Arc::clone(&prompts),
            closed: Arc::clone(&closed),
            sessions: Arc::clone(&sessions),
        };
        let bus = runtime.block_on(async {
            zbus::connection::Builder::address(address.as_str())?
                .name("org.freedesktop.portal.Desktop")?
                .serve_at("/org/freedesktop/portal/desktop", portal)?
                .build()
                .await
        });
        let bus = bus.expect("the portal is on the bus");
        let (folder, producer) = (temporary, Some(producer));
        Self { folder, servers, address, answer, prompts, closed, bus, runtime, sessions, quit, producer }
    }

    /// For the command that starts a program.
    pub fn variables(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("XDG_RUNTIME_DIR", self.folder.path().as_os_str().to_owned()),
            ("DBUS_SESSION_BUS_ADDRESS", OsString::from(&self.address)),
            ("WAYLAND_DISPLAY", OsString::from("wayland-test")),
        ]
    }

    /// How often the person was asked.
    pub fn prompts(&self) -> usize {
        self.prompts.load(Ordering::Relaxed)
    }

    /// Waits until the person was asked so often.
    pub fn wait_asked(&self, times: usize) {
        until("the question", || self.prompts() >= times);
    }

    /// How many sessions the program has ended by itself: with a session its open question ends.
    pub fn closed(&self) -> usize {
        self.closed.load(Ordering::Relaxed)
    }

    /// What the person does from now on.
    pub fn answers(&self, answer: Answer) {
        *self.answer.lock().expect("no panic") = answer;
    }

    /// The person ends all sharing by the desktop's own bar.
    pub fn end_sharing(&self) {
        let sessions = std::mem::take(&mut *self.sessions.lock().expect("no panic"));
        assert!(!sessions.is_empty(), "nothing is shared");
        self.runtime.block_on(async {
            for session in sessions {
                let nothing = HashMap::<&str, Value<'_>>::new();
                let closed = ("org.freedesktop.portal.Session", "Closed");
                let said = self.bus.emit_signal(None::<&str>, &session, closed.0, closed.1, &nothing).await;
                said.expect("the bus is there");
            }
        });
    }

    /// What was shared is gone: its stream ends.
    pub fn close_screen(&mut self) {
        let _ = self.quit.send(());
        if let Some(producer) = self.producer.take() {
            producer.join().expect("no panic");
        }
    }
}

fn node(told: &Receiver<u32>) -> u32 {
    told.recv_timeout(BEGIN).expect("the stream has a node; see pipewire.log and wireplumber.log")
}

impl Drop for Desktop {
    fn drop(&mut self) {
        self.close_screen();
        for server in self.servers.iter_mut().rev() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// The portal's side.
struct Portal {
    node: u32,
    socket: PathBuf,
    answer: Arc<Mutex<Answer>>,
    prompts: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    sessions: Arc<Mutex<Vec<OwnedObjectPath>>>,
}

/// The object behind a session's path.
struct Session(Arc<AtomicUsize>);

#[zbus::interface(name = "org.freedesktop.portal.Session")]
impl Session {
    fn close(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        1
    }
}

type Options = HashMap<String, OwnedValue>;

fn path(kind: &str, header: &zbus::message::Header<'_>, options: &Options, token: &str) -> OwnedObjectPath {
    let sender = header.sender().expect("a sender").trim_start_matches(':').replace('.', "_");
    let token = options.get(token).and_then(|token| token.downcast_ref::<&str>().ok()).expect("a token");
    let path = format!("/org/freedesktop/portal/desktop/{kind}/{sender}/{token}");
    path.try_into().expect("a path")
}

async fn respond(bus: &zbus::Connection, request: &OwnedObjectPath, code: u32, results: HashMap<&str, Value<'_>>) {
    let (interface, word) = ("org.freedesktop.portal.Request", "Response");
    let said = bus.emit_signal(None::<&str>, request, interface, word, &(code, results)).await;
    said.expect("the bus is there");
}

#[zbus::interface(name = "org.freedesktop.portal.ScreenCast")]
impl Portal {
    async fn create_session(
        &self,
        options: Options,
        #[zbus(header)] header: zbus::message::Header<'_>,
        #[zbus(connection)] bus: &zbus::Connection,
    ) -> OwnedObjectPath {
        let request = path("request", &header, &options, "handle_token");
        let session = path("session", &header, &options, "session_handle_token");
        bus.object_server().at(&session, Session(Arc::clone(&self.closed))).await.expect("a new session");
        self.sessions.lock().expect("no panic").push(session.clone());
        let results = HashMap::from([("session_handle", Value::from(session.as_str()))]);
        respond(bus, &request, 0, results).await;
        request
    }

    async fn select_sources(
        &self,
        _session: OwnedObjectPath,
        options: Options,
        #[zbus(header)] header: zbus::message::Header<'_>,
        #[zbus(connection)] bus: &zbus::Connection,
    ) -> OwnedObjectPath {
        let request = path("request", &header, &options, "handle_token");
        respond(bus, &request, 0, HashMap::new()).await;
        request
    }

    async fn start(
        &self,
        _session: OwnedObjectPath,
        _window: String,
        options: Options,
        #[zbus(header)] header: zbus::message::Header<'_>,
        #[zbus(connection)] bus: &zbus::Connection,
    ) -> OwnedObjectPath {
        let request = path("request", &header, &options, "handle_token");
        self.prompts.fetch_add(1, Ordering::Relaxed);
        let answer = *self.answer.lock().expect("no panic");
        match answer {
            Answer::Share => {
                let stream = (self.node, HashMap::<String, Value<'_>>::new());
                respond(bus, &request, 0, HashMap::from([("streams", Value::from(vec![stream]))])).await;
            }
            Answer::Refuse => respond(bus, &request, 1, HashMap::new()).await,
            Answer::Think => {}
        }
        request
    }

    async fn open_pipe_wire_remote(&self, _session: OwnedObjectPath, _options: Options) -> zbus::zvariant::OwnedFd {
        let socket = UnixStream::connect(&self.socket).expect("PipeWire is there");
        zbus::zvariant::OwnedFd::from(std::os::fd::OwnedFd::from(socket))
    }

    #[zbus(property)]
    fn available_source_types(&self) -> u32 {
        3
    }

    #[zbus(property)]
    fn available_cursor_modes(&self) -> u32 {
        3
    }

    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        4
    }
}

fn pod(object: Object) -> Vec<u8> {
    let written = spa::pod::serialize::PodSerializer::serialize(Cursor::new(Vec::new()), &PodValue::Object(object));
    written.expect("written to memory").0.into_inner()
}

/// A compositor's stream: test cards as pixels of four bytes.
fn produce(
    socket: &Path,
    (width, height): (u16, u16),
    shows: Shows,
    quits: pw::channel::Receiver<()>,
    tell: std::sync::mpsc::SyncSender<u32>,
) {
    pw::init();
    let main = pw::main_loop::MainLoopRc::new(None).expect("a loop");
    let _quits = quits.attach(main.loop_(), {
        let main = main.clone();
        move |()| main.quit()
    });
    let context = pw::context::ContextRc::new(&main, None).expect("a context");
    let remote = UnixStream::connect(socket).expect("PipeWire is there");
    let core = context.connect_fd_rc(remote.into(), None).expect("connected");
    let words = pw::properties::properties! {
        *pw::keys::MEDIA_CLASS => "Video/Source",
        *pw::keys::NODE_NAME => "test-screen",
    };
    let stream = pw::stream::StreamRc::new(core, "test-screen", words).expect("a stream");
    let (pool, mut card, tick) = (Pool::new(1), TestCard::new(width, height, 30), Rc::new(Cell::new(0u64)));
    let size = i32::from(width) * i32::from(height) * 4;
    let _listener = stream
        .add_local_listener_with_user_data(())
        .state_changed(move |stream, (), _, new| {
            if new == pw::stream::StreamState::Paused {
                let _ = tell.try_send(stream.node_id());
            }
        })
        .param_changed(move |stream, (), id, param| {
            if id != ParamType::Format.as_raw() || param.is_none() {
                return;
            }
            let buffers = Object {
                type_: SpaTypes::ObjectParamBuffers.as_raw(),
                id: ParamType::Buffers.as_raw(),
                properties: vec![
                    spa::pod::Property::new(spa::sys::SPA_PARAM_BUFFERS_buffers, PodValue::Int(4)),
                    spa::pod::Property::new(spa::sys::SPA_PARAM_BUFFERS_blocks, PodValue::Int(1)),
                    spa::pod::Property::new(spa::sys::SPA_PARAM_BUFFERS_size, PodValue::Int(size)),
                    spa::pod::Property::new(spa::sys::SPA_PARAM_BUFFERS_stride, PodValue::Int(i32::from(width) * 4)),
                ],
            };
            let bytes = pod(buffers);
            stream.update_params(&mut [Pod::from_bytes(&bytes).expect("a pod")]).expect("buffers");
        })
        .process({
            let tick = Rc::clone(&tick);
            move |stream, ()| {
                let Some(mut buffer) = stream.dequeue_buffer() else { return };
                let Some(data) = buffer.datas_mut().first_mut() else { return };
                let mut picture = pool.picture(width, height);
                card.picture(if shows == Shows::Still { 0 } else { tick.get() }, &mut picture)
                    .expect("a test card never fails");
                tick.set(tick.get() + 1);
                let mut pixels = Vec::new();
                convert::to_rgba(&picture, &mut pixels);
                if let Some(bytes) = data.data() {
                    bytes[..pixels.len()].copy_from_slice(&pixels);
                }
                *data.chunk_mut().size_mut() = u32::try_from(pixels.len()).expect("small");
                *data.chunk_mut().stride_mut() = i32::from(width) * 4;
            }
        })
        .register()
        .expect("listens");
    let size = Rectangle { width: width.into(), height: height.into() };
    let format = pod(object!(
        SpaTypes::ObjectParamFormat,
        ParamType::EnumFormat,
        property!(FormatProperties::MediaType, Id, MediaType::Video),
        property!(FormatProperties::MediaSubtype, Id, MediaSubtype::Raw),
        property!(FormatProperties::VideoFormat, Id, VideoFormat::RGBA),
        property!(FormatProperties::VideoSize, Rectangle, size),
        property!(FormatProperties::VideoFramerate, Fraction, Fraction { num: 30, denom: 1 }),
    ));
    let flags = pw::stream::StreamFlags::DRIVER | pw::stream::StreamFlags::MAP_BUFFERS;
    stream.connect(Direction::Output, None, flags, &mut [Pod::from_bytes(&format).expect("a pod")]).expect("connected");
    let timer = {
        let stream = stream.clone();
        main.loop_().add_timer(move |_| {
            if stream.is_driving() && (shows == Shows::Cards || tick.get() < FIRST) {
                let _ = stream.trigger_process();
            }
        })
    };
    let every = Duration::from_micros(33_333);
    timer.update_timer(Some(every), Some(every)).into_result().expect("a timer");
    main.run();
    let _ = stream.disconnect();
}
