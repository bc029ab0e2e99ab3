//! Cameras, microphones and speakers without hardware: folders that a preloaded library shows as V4L2 cameras
//! (`fakecam/fakecam.c`), and a private PulseAudio server whose devices lead nowhere.
//!
//! A program gets them by environment variables alone, and sees no real device of the machine. Everything is ended and
//! removed when it is dropped, also by a panic; a server whose test was killed ends by itself after half a minute.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use lets_meet::av::capture::{VideoSource as _, testcard::TestCard};
use lets_meet::clock::now;
use lets_meet::frame::Pool;

/// How long a server or a tool may take to begin.
const BEGIN: Duration = Duration::from_secs(20);

/// Runs a tool of `scripts/packages.txt` that must succeed.
fn tool(command: &mut Command) -> Vec<u8> {
    let out = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
        panic!("{:?} cannot be run ({error}): install what scripts/packages.txt lists", command.get_program())
    });
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// Starts a tool that runs beside the test.
fn beside(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| {
        panic!("{:?} cannot be run ({error}): install what scripts/packages.txt lists", command.get_program())
    })
}

/// The library that shows cameras, compiled once a run.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/fakecam/fakecam.c");
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fakecam-{}.so", std::process::id()));
        let flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"];
        tool(Command::new("cc").args(flags).arg(&built).arg(&source).args(["-ldl", "-lpthread"]));
        built
    })
}

/// What a program sees instead of the machine's devices.
#[derive(Default)]
pub struct Equipment {
    variables: Vec<(&'static str, OsString)>,
}

impl Equipment {
    /// No camera, no sound, whatever the machine has. `folder` is where cameras may be put ([`Camera`]).
    pub fn none(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("the lab's folder can be written");
        let variables = vec![
            ("LD_PRELOAD", library().as_os_str().to_owned()),
            ("FAKECAM", folder.as_os_str().to_owned()),
            ("PULSE_SERVER", OsString::from("unix:/nonexistent")),
            ("ALSA_CONFIG_PATH", OsString::from("/dev/null")),
        ];
        Self { variables }
    }

    /// The same with the devices of `server`.
    pub fn with_sound(mut self, server: &SoundServer) -> Self {
        self.variables.retain(|(name, _)| *name != "PULSE_SERVER");
        self.variables.push(("PULSE_SERVER", server.address()));
        self
    }

    /// With more of them.
    pub fn with(mut self, variables: Vec<(&'static str, OsString)>) -> Self {
        self.variables.extend(variables);
        self
    }

    /// For the command that starts a program.
    pub fn variables(&self) -> &[(&'static str, OsString)] {
        &self.variables
    }
}

/// How a camera lays out its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    Mjpeg,
    Yuyv,
    Nv12,
}

/// A camera that shows a test card.
pub struct Camera {
    folder: PathBuf,
    /// The pictures that it shows, I420, in order; their stamps say their numbers, mostly from 0.
    pub pictures: Vec<Vec<u8>>,
}

impl Camera {
    /// `/dev/videoN` for programs with [`Equipment::none`] of this `folder`.
    pub fn plug_in(folder: &Path, number: u8, name: &str, layout: Layout, size: (u16, u16, u8)) -> Self {
        Self::plug_in_from(folder, number, name, layout, size, 0)
    }

    /// The same with pictures that are numbered from `first`.
    pub fn plug_in_from(
        folder: &Path,
        number: u8,
        name: &str,
        layout: Layout,
        (width, height, rate): (u16, u16, u8),
        first: u32,
    ) -> Self {
        let camera = folder.join(format!("video{number}"));
        fs::create_dir_all(&camera).expect("the lab's folder can be written");
        let (pool, mut card) = (Pool::new(1), TestCard::new(width, height, rate));
        let pictures: Vec<Vec<u8>> = (first..first + 60)
            .map(|tick| {
                let mut picture = pool.picture(width, height);
                card.picture(u64::from(tick), &mut picture).expect("a test card never fails");
                let mut picture = picture.data().to_vec();
                crate::card::paint(&mut picture, (usize::from(width), usize::from(height)));
                picture
            })
            .collect();
        let (code, clip) = match layout {
            Layout::Yuyv => {
                let bytes: Vec<u8> = pictures.iter().flat_map(|picture| yuyv(picture, width, height)).collect();
                fs::write(camera.join("clip.yuyv"), bytes).expect("the lab's folder can be written");
                ("YUYV", "clip.yuyv")
            }
            Layout::Nv12 => {
                let bytes: Vec<u8> = pictures.iter().flat_map(|picture| nv12(picture, width, height)).collect();
                fs::write(camera.join("clip.nv12"), bytes).expect("the lab's folder can be written");
                ("NV12", "clip.nv12")
            }
            Layout::Mjpeg => {
                let raw = camera.join("clip.raw");
                fs::write(&raw, pictures.concat()).expect("the lab's folder can be written");
                let size = format!("{width}x{height}");
                tool(
                    Command::new("ffmpeg")
                        .args([
                            "-v", "error", "-nostdin", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", &size, "-i",
                        ])
                        .arg(&raw)
                        // A JPEG has the full range of values.
                        .args(["-vf", "scale=in_range=tv:out_range=pc,format=yuvj420p"])
                        .args(["-c:v", "mjpeg", "-q:v", "2", "-f", "mjpeg"])
                        .arg(camera.join("clip.mjpeg")),
                );
                fs::remove_file(raw).expect("it was just made");
                ("MJPG", "clip.mjpeg")
            }
        };
        let words = format!("name {name}\nformat {code} {width} {height} {rate} {clip}\n");
        fs::write(camera.join("camera"), words).expect("the lab's folder can be written");
        Self { folder: camera, pictures }
    }

    /// A node for metadata, as UVC cameras have one beside the real one.
    pub fn metadata(folder: &Path, number: u8, name: &str) {
        let camera = folder.join(format!("video{number}"));
        fs::create_dir_all(&camera).expect("the lab's folder can be written");
        fs::write(camera.join("camera"), format!("name {name}\n")).expect("the lab's folder can be written");
    }

    /// Makes trouble: `unplugged`, `frozen`, `busy` or `slow`.
    pub fn begin(&self, trouble: &str) {
        fs::write(self.folder.join(trouble), b"").expect("the lab's folder can be written");
    }

    /// Ends it.
    pub fn end(&self, trouble: &str) {
        fs::remove_file(self.folder.join(trouble)).expect("the trouble was there");
    }
}

fn yuyv(picture: &[u8], width: u16, height: u16) -> Vec<u8> {
    let (width, height) = (usize::from(width), usize::from(height));
    let (y, chroma) = picture.split_at(width * height);
    let (u, v) = chroma.split_at(width * height / 4);
    let mut out = Vec::with_capacity(width * height * 2);
    for row in 0..height {
        for pair in 0..width / 2 {
            let (luma, colour) = (row * width + 2 * pair, row / 2 * width / 2 + pair);
            out.extend([y[luma], u[colour], y[luma + 1], v[colour]]);
        }
    }
    out
}

fn nv12(picture: &[u8], width: u16, height: u16) -> Vec<u8> {
    let luma = usize::from(width) * usize::from(height);
    let (u, v) = picture[luma..].split_at(luma / 4);
    picture[..luma].iter().copied().chain(u.iter().zip(v).flat_map(|(u, v)| [*u, *v])).collect()
}

/// A PulseAudio server of its own: the speaker `Test_Speaker`, and the microphone `Test_Microphone`, which hears what
/// [`SoundServer::speak`] says.
pub struct SoundServer {
    /// With a short name: that of a socket has at most 107 characters.
    folder: tempfile::TempDir,
    log: PathBuf,
    server: Child,
    /// What it needs beside it.
    beside: Vec<Child>,
}

impl SoundServer {
    /// Starts it, and waits until it answers. Its words go into `log`.
    pub fn start(log: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("lm-sound-").tempdir().expect("a folder for sockets");
        let server = launch(folder.path(), log);
        let mut made = Self { folder, log: log.to_owned(), server, beside: Vec::new() };
        made.begin();
        made
    }

    /// The same by PipeWire, which speaks the protocol by a program of its own. With the speaker alone; it cannot be started
    /// again.
    pub fn start_pipewire(log: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("lm-sound-").tempdir().expect("a folder for sockets");
        let bus = folder.path().join("bus");
        let address = format!("unix:path={}", bus.display());
        let words = fs::File::create(log).expect("the lab's folder can be written");
        let tool = |name: &str| {
            let mut command = Command::new(name);
            command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
            command.env("XDG_RUNTIME_DIR", folder.path()).env("HOME", folder.path());
            command.env("DBUS_SESSION_BUS_ADDRESS", &address).stdout(Stdio::null());
            command.stderr(words.try_clone().expect("a file"));
            command
        };
        let wait = |path: &Path| {
            let deadline = now() + BEGIN;
            while !path.exists() {
                assert!(now() < deadline, "{} is not there; see {}", path.display(), log.display());
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        let mut more = vec![beside(tool("dbus-daemon").args(["--session", "--nofork", "--address"]).arg(&address))];
        wait(&bus);
        more.push(beside(&mut tool("pipewire")));
        wait(&folder.path().join("pipewire-0"));
        more.push(beside(&mut tool("wireplumber")));
        let server = beside(&mut tool("pipewire-pulse"));
        wait(&folder.path().join("pulse/native"));
        std::os::unix::fs::symlink("pulse/native", folder.path().join("native")).expect("the folder was just made");
        let mut made = Self { folder, log: log.to_owned(), server, beside: more };
        made.begin();
        made.plug_in_speaker("speaker");
        made.prefer("sink", "speaker");
        made
    }

    /// Ends it: all its devices are gone.
    pub fn stop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = fs::remove_file(self.folder.path().join("native"));
    }

    /// Starts it again at the same place.
    pub fn start_again(&mut self) {
        self.server = launch(self.folder.path(), &self.log);
        self.begin();
    }

    fn begin(&mut self) {
        let deadline = now() + BEGIN;
        while !self.answers() {
            let ended = self.server.try_wait().expect("a child can be asked");
            let words = || fs::read_to_string(&self.log).unwrap_or_default();
            assert!(ended.is_none() && now() < deadline, "PulseAudio does not start: {ended:?}\n{}", words());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let quiet = self.client("pactl").arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
        quiet.expect("pactl cannot be run: install what scripts/packages.txt lists").success()
    }

    fn address(&self) -> OsString {
        format!("unix:{}", self.folder.path().join("native").display()).into()
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("PULSE_SERVER", self.address()).stdin(Stdio::null());
        command
    }

    fn control(&self, words: &[&str]) -> String {
        let out = tool(self.client("pactl").args(words));
        String::from_utf8_lossy(&out).trim().to_owned()
    }

    /// Plugs in another speaker.
    pub fn plug_in_speaker(&self, name: &str) -> Plugged {
        let (sink, words) = (format!("sink_name={name}"), format!("sink_properties=device.description={name}"));
        Plugged(self.control(&["load-module", "module-null-sink", &sink, "rate=48000", &words]))
    }

    /// Plugs in a speaker of one channel at this rate.
    pub fn plug_in_small_speaker(&self, name: &str, rate: u32) -> Plugged {
        let (sink, words) = (format!("sink_name={name}"), format!("sink_properties=device.description={name}"));
        let rate = format!("rate={rate}");
        Plugged(self.control(&["load-module", "module-null-sink", &sink, "channels=1", &rate, &words]))
    }

    /// Plugs in a microphone of one channel at this rate, which hears what is played by the speaker `of`.
    pub fn plug_in_small_microphone(&self, name: &str, of: &str, rate: u32) -> Plugged {
        let (source, words) = (format!("source_name={name}"), format!("source_properties=device.description={name}"));
        let (master, rate) = (format!("master={of}.monitor"), format!("rate={rate}"));
        let module = ["load-module", "module-remap-source", &source, &master, "channels=1", &rate, &words];
        Plugged(self.control(&module))
    }

    /// Blocks a speaker, as who has it for itself alone does: nothing that is played to it is taken.
    pub fn block_speaker(&self, name: &str) {
        self.control(&["suspend-sink", name, "1"]);
    }

    /// Gives it free.
    pub fn unblock_speaker(&self, name: &str) {
        self.control(&["suspend-sink", name, "0"]);
    }

    /// Plugs in another microphone, which hears the same mouth.
    pub fn plug_in_microphone(&self, name: &str) -> Plugged {
        let (source, words) = (format!("source_name={name}"), format!("source_properties=device.description={name}"));
        Plugged(self.control(&["load-module", "module-remap-source", &source, "master=mouth.monitor", &words]))
    }

    /// Pulls one out.
    pub fn pull_out(&self, plugged: Plugged) {
        self.control(&["unload-module", &plugged.0]);
    }

    /// Changes what the system prefers: a `sink` or a `source`.
    pub fn prefer(&self, what: &str, name: &str) {
        self.control(&[&format!("set-default-{what}"), name]);
    }

    /// The names of the devices (`sinks`, `sources`) that programs play to or listen to now, as the server knows.
    pub fn used(&self, devices: &str, streams: &str) -> Vec<String> {
        let field = |line: &str, at: usize| line.split('\t').nth(at).unwrap_or_default().to_owned();
        let names = self.control(&["list", "short", devices]);
        let of_index = |index: &str| names.lines().find(|line| field(line, 0) == index).map(|line| field(line, 1));
        // Those of the server's own modules have no client.
        let streams = self.control(&["list", "short", streams]);
        let of_programs = streams.lines().filter(|line| field(line, 2) != "-");
        of_programs.filter_map(|line| of_index(&field(line, 1))).collect()
    }

    /// Says a WAV file into the microphone.
    pub fn speak(&self, wav: &Path) -> Beside {
        self.speak_into("mouth", wav)
    }

    /// Plays a WAV file by this speaker.
    pub fn speak_into(&self, speaker: &str, wav: &Path) -> Beside {
        Beside(beside(self.client("paplay").arg(format!("--device={speaker}")).arg(wav)))
    }

    /// Another program plays a WAV file by the speaker.
    pub fn play(&self, wav: &Path) -> Beside {
        Beside(beside(self.client("paplay").arg("--device=speaker").arg(wav)))
    }

    /// Says a WAV file into the microphone and plays it by the speaker at the same moment, and waits until it is over.
    pub fn mark(&self, wav: &Path) {
        let words = ["load-module", "module-combine-sink", "sink_name=both", "slaves=mouth,speaker"];
        tool(self.client("pactl").args(words));
        tool(self.client("paplay").arg("--device=both").arg(wav));
        tool(self.client("pactl").args(["unload-module", "module-combine-sink"]));
    }

    /// From now on the microphone hears the speaker, so many milliseconds later.
    pub fn echo(&self, milliseconds: u32) {
        let latency = format!("latency_msec={milliseconds}");
        let words =
            ["load-module", "module-loopback", "source=speaker.monitor", "sink=mouth", "adjust_time=0", &latency];
        tool(self.client("pactl").args(words));
    }

    /// Writes down what the speaker plays, as 48 kHz 16-bit mono without a head.
    pub fn hear(&self, into: &Path) -> Beside {
        self.listen("speaker", into)
    }

    /// The same for another speaker, or for `mouth`: what is said into the microphone.
    pub fn listen(&self, to: &str, into: &Path) -> Beside {
        let file = fs::File::create(into).expect("the lab's folder can be written");
        let device = format!("--device={to}.monitor");
        let words = [device.as_str(), "--format=s16le", "--rate=48000", "--channels=1", "--latency-msec=20"];
        Beside(beside(self.client("parec").args(words).stdout(file)))
    }
}

/// A device that was plugged in by hand.
pub struct Plugged(String);

/// The server itself, with its socket and state in `folder`.
fn launch(folder: &Path, log: &Path) -> Child {
    let script = format!(
        ".fail\n\
         load-module module-native-protocol-unix socket={socket} auth-anonymous=1\n\
         load-module module-null-sink sink_name=speaker rate=48000 sink_properties=device.description=Test_Speaker\n\
         load-module module-null-sink sink_name=mouth rate=48000 sink_properties=device.description=Mouth\n\
         load-module module-remap-source source_name=microphone master=mouth.monitor \
         source_properties=device.description=Test_Microphone\n\
         set-default-sink speaker\n\
         set-default-source microphone\n",
        socket = folder.join("native").display()
    );
    fs::write(folder.join("server.pa"), script).expect("the folder was just made");
    let words = fs::File::create(log).expect("the lab's folder can be written");
    let mut command = Command::new("pulseaudio");
    // Before others, as each system runs its sound server: a room does not stand still where a machine is busy.
    command
        .args(["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=30", "--realtime=no"])
        .args(["--high-priority=yes", "--log-target=stderr", "-F"])
        .arg(folder.join("server.pa"))
        .env("HOME", folder)
        .env("XDG_RUNTIME_DIR", folder)
        .env("XDG_CONFIG_HOME", folder)
        .env("PULSE_STATE_PATH", folder)
        .stderr(words)
        .stdout(Stdio::null());
    beside(&mut command)
}

impl Drop for SoundServer {
    fn drop(&mut self) {
        self.stop();
        for tool in self.beside.iter_mut().rev() {
            let _ = tool.kill();
            let _ = tool.wait();
        }
    }
}

/// A tool that runs beside the test until it is dropped.
pub struct Beside(Child);

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
