//! The command line as people type it (`clap`), nothing else: every word here is part of the contract in
//! `docs/cli.md`. Words that a later version brings are accepted and answered with "not available yet".

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};

use crate::av::spec;
use crate::endpoint;
use crate::id::PeerId;
use crate::media::{Bitrate, View};

/// Meetings between peers: video, voice, chat and encrypted file drop, with no server in between.
#[derive(Debug, Parser)]
#[command(name = "lets-meet", version, about, max_term_width = 100, disable_help_subcommand = true)]
#[command(
    after_help = "Without a command it opens the window.\nWithout a window, start with: lets-meet join ROOM   (the same ROOM on another machine of this network)"
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options shared by all commands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options for all commands")]
pub struct Common {
    /// Print one JSON object a line on stdout; logs stay on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Folder of identity, settings and known peers [default: the platform's own]
    #[arg(long, global = true, value_name = "DIR")]
    pub profile: Option<PathBuf>,
    /// Name shown to others in this run [default: your account's full name]
    #[arg(long, global = true, value_name = "NAME")]
    pub name: Option<String>,
    /// Use only this network interface; may be repeated
    #[arg(long, global = true, value_name = "NAME")]
    pub interface: Vec<String>,
    /// UDP port [default: 48190, else the next free of the nine after it]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Announce nothing (no name, no meeting) and still join
    #[arg(long, global = true)]
    pub hidden: bool,
    /// Use this rendezvous service for names, rooms and addresses
    #[arg(long, global = true, value_name = "HOST[:PORT][#FINGERPRINT]")]
    pub rendezvous: Option<String>,
    /// Also try this address; with an id its key must match; may be repeated
    #[arg(long, global = true, value_name = "ADDR[:PORT][#PEERID]")]
    pub connect: Vec<Connect>,
    /// What to log: error, warn, info, debug, trace, or a tracing filter
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log: Option<String>,
}

/// A typed address, perhaps with the key that must answer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connect {
    /// Where; the port is the default one when none was typed.
    pub address: SocketAddr,
    /// Who must answer.
    pub peer: Option<PeerId>,
}

impl FromStr for Connect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, peer) = match text.split_once('#') {
            Some((address, id)) => (address, Some(id.parse::<PeerId>().map_err(|error| error.to_string())?)),
            None => (text, None),
        };
        let address = endpoint::parse_address(address)?;
        Ok(Self { address, peer })
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take a seat in a meeting without a window; nobody there yet means you are the first
    Join(Box<Join>),
    /// List people and open meetings in sight, and how far their keys are trusted
    Nearby(Nearby),
    /// Send a file, encrypted, to people in sight
    Drop(Drop),
    /// Wait for files
    Receive(Receive),
    /// Show your own identity: peer id, name, fingerprint
    Id,
    /// Claim, release or look up a unique username at a rendezvous
    Name(Name),
    /// Check this machine's network and devices and say what to do
    Doctor(Doctor),
    /// Show two windows in one meeting, or without a display a meeting of three and a table of what arrived
    Demo(Demo),
    /// Run a rendezvous service
    Rendezvous(Rendezvous),
    /// Open the window (what lets-meet alone does)
    #[command(hide = true)]
    Window(Box<Window>),
    /// Ring a person, and meet them where they answer
    Call(Box<Call>),
    /// Known keys, and the words to compare with somebody
    Trust(Trust),
    /// Join the meeting of a letsmeet:// link
    Open(Box<Open>),
    /// List cameras, microphones, speakers and screens
    Devices,
    /// Reproduce the published numbers, each beside its goal
    Bench(Bench),
}

/// `lets-meet doctor`: what is tried besides what is looked at.
#[derive(Debug, Clone, Default, Args)]
pub struct Doctor {
    /// Record three seconds of the microphone, say how loud it is, play them back, then play a test sound; nothing is kept
    #[arg(long)]
    pub sound: bool,
    /// The microphone to record: its name or id, or as join takes it (default: the system's)
    #[arg(long, value_name = "NAME|ID", requires = "sound", value_parser = device::<spec::Microphone>)]
    pub microphone: Option<spec::Microphone>,
    /// The speaker to play on, likewise
    #[arg(long, value_name = "NAME|ID", requires = "sound", value_parser = device::<spec::Speaker>)]
    pub speaker: Option<spec::Speaker>,
    /// Open the camera, count its pictures for a second and say what it gives (default: the system's)
    #[arg(long, value_name = "NAME|ID", num_args = 0..=1, default_missing_value = "device", value_parser = camera)]
    pub camera: Option<spec::Camera>,
}

/// Reads a source or sink as `join` takes it; what is no such word is the name, the id or the number of a device.
fn device<T: FromStr<Err = spec::ParseError>>(text: &str) -> Result<T, spec::ParseError> {
    text.parse().or_else(|error| match error {
        spec::ParseError::Unknown(..) if !text.is_empty() => format!("device:{text}").parse(),
        error => Err(error),
    })
}

/// The same for a camera that is to be tried.
fn camera(text: &str) -> Result<spec::Camera, String> {
    match device(text) {
        Ok(spec::Camera::None) => Err("'none' tries no camera; leave the option out".to_owned()),
        camera => camera.map_err(|error| error.to_string()),
    }
}

/// `lets-meet window`: the window with something chosen beforehand, for demonstrations and tests.
#[derive(Debug, Clone, Default, Args)]
pub struct Window {
    /// Go straight into this meeting
    #[arg(long, value_name = "ROOM")]
    pub room: Option<String>,
    /// Ask about this letsmeet:// link
    #[arg(value_name = "LINK")]
    pub link: Option<String>,
    /// Use this camera instead of the chosen one
    #[arg(long, value_name = "SRC")]
    pub camera: Option<spec::Camera>,
    /// Use this microphone instead of the chosen one
    #[arg(long, value_name = "SRC")]
    pub mic: Option<spec::Microphone>,
    /// Use this speaker instead of the chosen one
    #[arg(long, value_name = "SINK")]
    pub speaker: Option<spec::Speaker>,
    /// Write where each control and word stands to this file, for tests
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
}

/// `bench`.
#[derive(Debug, Clone, Args)]
pub struct Bench {
    /// video-latency, audio-latency, loss, jitter, dip, call-safe, mesh, cpu, join, or all of them
    #[arg(value_name = "NAME", default_value = "all")]
    pub which: String,
    /// How long each case is measured, after it has settled
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u64).range(2..=600))]
    pub seconds: u64,
    /// How often each case is run; the median is judged and the spread printed
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub runs: u32,
    /// Of mesh: how many meet
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u32).range(2..=50))]
    pub people: u32,
    /// Of mesh: how many of them have a camera [default: all]
    #[arg(long, value_name = "N")]
    pub cameras: Option<u32>,
    /// Only the case whose name has this in it
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// Measure the program that this driver runs in the same calls (see benches/peers)
    #[arg(long, value_name = "COMMAND")]
    pub beside: Option<PathBuf>,
}

/// `join`.
#[derive(Debug, Args)]
pub struct Join {
    /// The room's name; the first to join makes it
    pub room: String,
    /// What one brings along.
    #[command(flatten)]
    pub options: JoinOptions,
}

/// `call`.
#[derive(Debug, Args)]
pub struct Call {
    /// Whom: a name, name#suffix, peer id or @username
    pub who: String,
    /// How long to wait for WHO to be in sight
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub wait: f64,
    /// What one brings along.
    #[command(flatten)]
    pub options: JoinOptions,
}

/// `open`.
#[derive(Debug, Args)]
pub struct Open {
    /// A letsmeet:// link
    pub link: String,
    /// Join without asking
    #[arg(long)]
    pub yes: bool,
    /// What one brings along.
    #[command(flatten)]
    pub options: JoinOptions,
}

/// The options of every command that takes a seat.
#[derive(Debug, Args)]
pub struct JoinOptions {
    /// Camera: none, device[:N or NAME], testcard[:WxH@FPS], file:CLIP.y4m
    #[arg(long, value_name = "SRC", default_value = "none")]
    pub camera: String,
    /// Microphone: none, device[:N or NAME], tone, clicks, file:SPEECH.wav
    #[arg(long, value_name = "SRC", default_value = "none")]
    pub mic: String,
    /// Speaker: none, device[:N or NAME], wav:PATH
    #[arg(long, value_name = "SINK", default_value = "none")]
    pub speaker: String,
    /// Screen to share: none, display[:N], window:ID, testcard[:WxH@FPS], file:CLIP.y4m
    #[arg(long, value_name = "SRC", default_value = "none")]
    pub screen: String,
    /// What is heard with the shared screen: off, on (what other programs play), tone
    #[arg(long, value_name = "SOUND", default_value = "off")]
    pub screen_audio: spec::ScreenAudio,
    /// Largest picture sent: auto, 240p, 360p, 480p, 720p, 900p, 1080p
    #[arg(long, value_name = "Q", default_value = "auto")]
    pub quality: String,
    /// Most video sent to each peer, in bits a second
    #[arg(long, value_name = "BPS", value_parser = parse_bitrate)]
    pub max_bitrate: Option<Bitrate>,
    /// Picture size asked of every other: large, small, none
    #[arg(long, value_name = "SIZE", default_value = "large", value_parser = parse_view)]
    pub view: View,
    /// Write each remote camera to DIR/<peer id>.y4m, each shared screen to DIR/<peer id>-screen.y4m
    #[arg(long, value_name = "DIR")]
    pub dump_video: Option<PathBuf>,
    /// Write each remote voice to DIR/<peer id>.wav, the sound of each shared screen to DIR/<peer id>-screen.wav
    #[arg(long, value_name = "DIR")]
    pub dump_audio: Option<PathBuf>,
    /// Where drops land [default: the Downloads folder, else home]
    #[arg(long, value_name = "DIR")]
    pub download_dir: Option<PathBuf>,
    /// Accept every file in this run without asking
    #[arg(long)]
    pub accept_files: bool,
    /// Leave by itself after this long
    #[arg(long = "for", value_name = "SECONDS", value_parser = parse_seconds)]
    pub for_seconds: Option<f64>,
    #[arg(long, value_name = "TEXT", hide = true)]
    /// Not available yet
    pub passphrase: Option<String>,
    #[arg(long, value_name = "F", hide = true)]
    /// Not available yet
    pub passphrase_file: Option<String>,
    #[arg(long, value_name = "C", hide = true)]
    /// Not available yet
    pub codec: Option<String>,
    /// Voice processing: on, off, or some of echo=on|off,noise=off|standard|strong,gain=on|off [default: on for device,
    /// else off]
    #[arg(long, value_name = "SPEC")]
    pub voice: Option<spec::voice::Voice>,
}

/// Most bits a second that `--max-bitrate` takes: more than any camera track needs.
const MAX_BITRATE: u64 = 100_000_000;

fn parse_bitrate(text: &str) -> Result<Bitrate, String> {
    let bps = text.parse::<u64>().map_err(|_| "a whole number of bits a second, such as 1500000".to_owned())?;
    if (50_000..=MAX_BITRATE).contains(&bps) {
        Ok(Bitrate::from_bps(bps))
    } else {
        Err(format!("between 50000 and {MAX_BITRATE} bits a second"))
    }
}

/// Reads `large`, `small` or `none`.
pub fn parse_view(text: &str) -> Result<View, String> {
    match text {
        "large" => Ok(View::Large),
        "small" => Ok(View::Small),
        "none" => Ok(View::None),
        _ => Err("use large, small or none".to_owned()),
    }
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && (0.0..=31_536_000.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds, such as 30 or 2.5".to_owned()),
    }
}

/// `nearby`.
#[derive(Debug, Args)]
pub struct Nearby {
    /// How long to look
    #[arg(long, value_name = "N", default_value = "3", value_parser = parse_seconds)]
    pub seconds: f64,
}

/// `drop`.
#[derive(Debug, Args)]
pub struct Drop {
    /// The file
    #[arg(required = true)]
    pub path: Vec<PathBuf>,
    /// Who gets it: a name, name#suffix, peer id, @username or room:NAME; may be repeated
    #[arg(long, value_name = "WHO")]
    pub to: Vec<String>,
    /// How long to wait for WHO to be in sight
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub wait: f64,
    /// Not available yet
    #[arg(long, hide = true)]
    pub code: bool,
}

/// `receive`.
#[derive(Debug, Args)]
pub struct Receive {
    /// Not available yet
    #[arg(hide = true)]
    pub code: Option<String>,
    /// Where files land [default: the Downloads folder, else home]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Accept without asking
    #[arg(long)]
    pub yes: bool,
    /// End after the first finished or declined transfer
    #[arg(long)]
    pub once: bool,
}

/// `name`.
#[derive(Debug, Args)]
pub struct Name {
    /// What to do with it.
    #[command(subcommand)]
    pub action: NameAction,
}

/// What `name` does.
#[derive(Debug, Subcommand)]
pub enum NameAction {
    /// Make NAME yours
    Claim {
        /// 2 to 32 letters, digits, '.', '_' or '-'
        username: String,
    },
    /// Give NAME up
    Release {
        /// The name
        username: String,
    },
    /// Find out whose NAME is
    Lookup {
        /// The name
        username: String,
    },
}

/// `trust`.
#[derive(Debug, Args)]
pub struct Trust {
    /// What to do.
    #[command(subcommand)]
    pub action: TrustAction,
}

/// What `trust` does.
#[derive(Debug, Subcommand)]
pub enum TrustAction {
    /// List everybody whose key is known
    List,
    /// Show the words to compare with WHO; mark the key as verified once both of you see the same
    Verify {
        /// A known name, name#suffix, peer id or @username
        who: String,
        /// The words were compared and are the same: do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Accept the key of WHO, which bears the name of somebody verified, without comparing words
    Accept {
        /// A name#suffix or peer id
        who: String,
    },
    /// Forget the key of WHO, and that it was verified
    Forget {
        /// A known name, name#suffix, peer id or @username
        who: String,
    },
}

/// `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// How long the three meet, where there is no display
    #[arg(long, value_name = "N", default_value = "12", value_parser = parse_seconds)]
    pub seconds: f64,
    /// Without windows also where there is a display
    #[arg(long)]
    pub headless: bool,
}

/// `rendezvous`.
#[derive(Debug, Args)]
pub struct Rendezvous {
    /// What to do.
    #[command(subcommand)]
    pub action: RendezvousAction,
}

/// What `rendezvous` does.
#[derive(Debug, Subcommand)]
pub enum RendezvousAction {
    /// Serve names, rooms and introductions until stopped
    Serve(Serve),
}

/// `rendezvous serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Address to serve on [default: all addresses, port 48189]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Where names are kept: sqlite:PATH [default: in the profile]
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
    /// How long a name stays claimed after its owner was last seen
    #[arg(long, value_name = "SECONDS", default_value = "2592000", value_parser = clap::value_parser!(u64).range(1..=315_360_000))]
    pub claim_seconds: u64,
    /// How long a room or address record lives without renewal
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub presence_seconds: u64,
    /// Not available yet
    #[arg(long, value_name = "ADDR", hide = true)]
    pub metrics: Option<String>,
}

/// The sources and sinks of `join`, parsed.
#[derive(Debug, Clone)]
pub struct Media {
    /// Camera.
    pub camera: spec::Camera,
    /// Microphone.
    pub mic: spec::Microphone,
    /// Speaker.
    pub speaker: spec::Speaker,
    /// Screen.
    pub screen: spec::Screen,
    /// Picture cap.
    pub quality: spec::Quality,
}

impl JoinOptions {
    /// Parses the source and sink words.
    pub fn media(&self) -> Result<Media, spec::ParseError> {
        Ok(Media {
            camera: self.camera.parse()?,
            mic: self.mic.parse()?,
            speaker: self.speaker.parse()?,
            screen: self.screen.parse()?,
            quality: self.quality.parse()?,
        })
    }

    /// What is done to the microphone: to any, if somebody asked for it.
    pub fn wish(&self) -> spec::voice::Wish {
        let all = |voice| spec::voice::Wish { voice, sources: spec::voice::Sources::All };
        self.voice.map_or_else(Default::default, all)
    }

    /// How long to stay, if not until told.
    pub fn duration(&self) -> Option<std::time::Duration> {
        self.for_seconds.map(std::time::Duration::from_secs_f64)
    }

    /// The first option of a later version that was given.
    pub fn later(&self) -> Option<&'static str> {
        [
            (self.passphrase.is_some(), "--passphrase"),
            (self.passphrase_file.is_some(), "--passphrase-file"),
            (self.codec.is_some(), "--codec"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_doctor_takes_devices_as_join_does_and_by_their_bare_names() {
        let parse = |words: &[&str]| {
            let cli = Cli::try_parse_from([&["lets-meet", "doctor"], words].concat())?;
            match cli.command {
                Some(Command::Doctor(doctor)) => Ok::<Doctor, clap::Error>(doctor),
                other => panic!("{other:?}"),
            }
        };
        let words = ["--sound", "--microphone", "USB Headset", "--speaker", "2", "--camera"];
        let doctor = parse(&words).expect("valid");
        let text = |it: Option<String>| it.unwrap_or_default();
        assert_eq!(text(doctor.microphone.map(|it| it.to_string())), "device:USB Headset");
        assert_eq!(text(doctor.speaker.map(|it| it.to_string())), "device:2");
        assert_eq!(text(doctor.camera.map(|it| it.to_string())), "device");
        let doctor = parse(&["--camera", "/dev/video2", "--sound", "--speaker", "none", "--microphone", "tone"]);
        let doctor = doctor.expect("valid");
        assert_eq!(text(doctor.camera.map(|it| it.to_string())), "device:/dev/video2");
        assert_eq!((doctor.speaker, doctor.microphone), (Some(spec::Speaker::None), Some(spec::Microphone::Tone)));
        let bare = parse(&[]).expect("valid");
        assert!(!bare.sound && bare.camera.is_none());
        // What would have no effect is no option.
        for words in [&["--microphone", "x"][..], &["--speaker", "x"], &["--camera", "none"], &["--camera", ""]] {
            assert_eq!(parse(words).map(|_| ()).expect_err("invalid").exit_code(), 2, "{words:?}");
        }
        assert!(parse(&["--camera", "testcard:1x1@1"]).is_err());
    }

    #[test]
    fn addresses_parse_with_and_without_port_and_id() {
        let check = |text: &str, expect: &str| {
            assert_eq!(text.parse::<Connect>().expect("valid").address, expect.parse().expect("address"), "{text}");
        };
        check("10.0.0.1", "10.0.0.1:48190");
        check("10.0.0.1:5", "10.0.0.1:5");
        check("[fe80::1%3]:7", "[fe80::1%3]:7");
        check("fe80::1%3", "[fe80::1%3]:48190");
        check("[::1]", "[::1]:48190");
        let lo = endpoint::interface_index(crate::platform::LOOPBACK).expect("the loopback interface");
        check(&format!("[fe80::1%{}]:7", crate::platform::LOOPBACK), &format!("[fe80::1%{lo}]:7"));
        check(&format!("fe80::1%{}", crate::platform::LOOPBACK), &format!("[fe80::1%{lo}]:48190"));
        let id = "ab".repeat(32);
        assert_eq!(format!("10.0.0.1#{id}").parse::<Connect>().expect("valid").peer, id.parse().ok());
        for bad in ["", "nowhere", "[fe80::1%nope0]", "10.0.0.1#12", "10.0.0.1:99999"] {
            assert!(bad.parse::<Connect>().is_err(), "{bad}");
        }
    }
}
