//! Sans-IO. Descriptions of sources and sinks as people type them (`testcard:1280x720@30`, `file:clip.y4m`, `wav:out.wav`),
//! parsed into values that cannot be invalid.

pub mod voice;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

/// A source or sink description that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseError {
    /// Not one of the words.
    #[error("'{0}' is not a {1}; use one of {2}")]
    Unknown(String, &'static str, &'static str),
    /// A size or rate that no test card has.
    #[error("'{0}' is not a test card size; use testcard:WIDTHxHEIGHT@FPS, 64x36 to 1920x1080 and 1 to 60")]
    TestCard(String),
    /// Not a device.
    #[error("'{0}' names no device; use device, device:0 or device:NAME, as lets-meet devices lists them")]
    Device(String),
    /// Not a display or a window.
    #[error("'{0}' names no display or window; use display, display:0 or window:ID, as lets-meet devices lists them")]
    Screen(String),
}

/// Longest name of a device that is taken: names that systems give are far shorter.
const MAX_DEVICE_NAME: usize = 256;

/// Which of the devices of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The one that the system prefers, whichever that is when it is opened. None there is no error.
    Default,
    /// By its place in the list, from 0.
    Index(u16),
    /// By its name or id; without an exact match the first that contains it.
    Name(String),
    /// By its name or id, and no other: what was picked from a list.
    Exact(String),
}

impl DeviceChoice {
    /// Reads `device`, `device:N`, `device:NAME` or `device:=NAME`; `None` is no word for a device at all.
    pub(in crate::av) fn parse(text: &str) -> Option<Result<Self, ParseError>> {
        let Some(which) = text.strip_prefix("device:") else { return (text == "device").then_some(Ok(Self::Default)) };
        let which = which.trim();
        if let Some(name) = which.strip_prefix('=') {
            let fits = !name.is_empty() && name.len() <= MAX_DEVICE_NAME;
            return Some(if fits {
                Ok(Self::Exact(name.to_owned()))
            } else {
                Err(ParseError::Device(text.to_owned()))
            });
        }
        Some(match which.parse() {
            Ok(index) => Ok(Self::Index(index)),
            Err(_) if which.is_empty() || which.len() > MAX_DEVICE_NAME => Err(ParseError::Device(text.to_owned())),
            Err(_) => Ok(Self::Name(which.to_owned())),
        })
    }
}

/// As it is typed.
impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("device"),
            Self::Index(index) => write!(f, "device:{index}"),
            Self::Name(name) => write!(f, "device:{name}"),
            Self::Exact(name) => write!(f, "device:={name}"),
        }
    }
}

/// Where a camera track's pictures come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Camera {
    /// No camera.
    None,
    /// A generated picture with machine-readable stamps.
    TestCard {
        /// Pixels across; even.
        width: u16,
        /// Pixels down; even.
        height: u16,
        /// Pictures a second.
        fps: u8,
    },
    /// A YUV4MPEG2 file, looped in real time.
    File(PathBuf),
    /// A real camera.
    Device(DeviceChoice),
}

impl FromStr for Camera {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text == "none" {
            return Ok(Self::None);
        }
        if text == "testcard" {
            return Ok(Self::TestCard { width: 1280, height: 720, fps: 30 });
        }
        if let Some(size) = text.strip_prefix("testcard:") {
            return test_card(size)
                .map(|(width, height, fps)| Self::TestCard { width, height, fps })
                .ok_or_else(|| ParseError::TestCard(size.to_owned()));
        }
        if let Some(path) = text.strip_prefix("file:").filter(|path| !path.is_empty()) {
            return Ok(Self::File(PathBuf::from(path)));
        }
        if let Some(choice) = DeviceChoice::parse(text) {
            return choice.map(Self::Device);
        }
        let words = "none, device[:N or NAME], testcard[:WxH@FPS], file:CLIP.y4m";
        Err(ParseError::Unknown(text.to_owned(), "camera", words))
    }
}

/// As it is typed.
impl fmt::Display for Camera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::TestCard { width, height, fps } => write!(f, "testcard:{width}x{height}@{fps}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Device(choice) => choice.fmt(f),
        }
    }
}

/// Where a screen track's pictures come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Screen {
    /// Nothing is shared.
    None,
    /// A whole display; `None` is the one that the system prefers, whichever that is when it is opened.
    Display(Option<u16>),
    /// One window, by the number that the system gave it.
    Window(u32),
    /// A generated picture with machine-readable stamps.
    TestCard {
        /// Pixels across; even.
        width: u16,
        /// Pixels down; even.
        height: u16,
        /// Pictures a second.
        fps: u8,
    },
    /// A YUV4MPEG2 file, looped in real time.
    File(PathBuf),
}

impl FromStr for Screen {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError::Screen(text.to_owned());
        let (word, rest) = text.split_once(':').map_or((text, None), |(word, rest)| (word, Some(rest)));
        match (word, rest) {
            ("none", None) => Ok(Self::None),
            ("display", None) => Ok(Self::Display(None)),
            ("display", Some(number)) => number.parse().map(|number| Self::Display(Some(number))).map_err(|_| wrong()),
            ("window", Some(id)) => {
                let parsed = match id.strip_prefix("0x") {
                    Some(hex) => u32::from_str_radix(hex, 16),
                    None => id.parse(),
                };
                parsed.map(Self::Window).map_err(|_| wrong())
            }
            ("testcard", None) => Ok(Self::TestCard { width: 1280, height: 720, fps: 30 }),
            ("testcard", Some(size)) => test_card(size)
                .map(|(width, height, fps)| Self::TestCard { width, height, fps })
                .ok_or_else(|| ParseError::TestCard(size.to_owned())),
            ("file", Some(path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            _ => {
                let words = "none, display[:N], window:ID, testcard[:WxH@FPS], file:CLIP.y4m";
                Err(ParseError::Unknown(text.to_owned(), "screen", words))
            }
        }
    }
}

/// As it is typed.
impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Display(None) => f.write_str("display"),
            Self::Display(Some(number)) => write!(f, "display:{number}"),
            Self::Window(id) => write!(f, "window:0x{id:x}"),
            Self::TestCard { width, height, fps } => write!(f, "testcard:{width}x{height}@{fps}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl Screen {
    /// A display or a window of this machine, not a test source.
    pub const fn is_real(&self) -> bool {
        matches!(self, Self::Display(_) | Self::Window(_))
    }

    /// `width` x `height` as it is sent: not scaled where a decoder takes it as it is, else fitted into 1920x1080, or
    /// 1080x1920 where it is higher than wide.
    pub fn fit(width: u16, height: u16) -> (u16, u16) {
        let (max_width, max_height) = if height > width { (1080, 1920) } else { (1920, 1080) };
        fit(width, height, max_width, max_height)
    }
}

/// What is heard with a shared screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScreenAudio {
    /// Nothing.
    #[default]
    Off,
    /// What other programs play.
    On,
    /// A steady 440 Hz tone.
    Tone,
}

impl FromStr for ScreenAudio {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let words = "off, on, tone";
        let found = [Self::Off, Self::On, Self::Tone].into_iter().find(|one| one.to_string() == text);
        found.ok_or_else(|| ParseError::Unknown(text.to_owned(), "sound of a screen", words))
    }
}

/// As it is typed.
impl fmt::Display for ScreenAudio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Tone => "tone",
        })
    }
}

/// Reads `WxH@FPS`: pixels across and down, even, and pictures a second.
fn test_card(size: &str) -> Option<(u16, u16, u8)> {
    let (size, fps) = size.split_once('@').unwrap_or((size, "30"));
    let (width, height) = size.split_once('x')?;
    let (width, height, fps) = (width.parse::<u16>().ok()?, height.parse::<u16>().ok()?, fps.parse::<u8>().ok()?);
    let ok = (64..=1920).contains(&width) && (36..=1080).contains(&height) && (1..=60).contains(&fps);
    ok.then_some((width & !1, height & !1, fps))
}

/// Where a microphone track's sound comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Microphone {
    /// No microphone.
    None,
    /// A steady 440 Hz tone.
    Tone,
    /// A 40 ms burst of 1 kHz at each whole second of the wall clock.
    Clicks,
    /// A WAV file, looped in real time.
    File(PathBuf),
    /// A real microphone.
    Device(DeviceChoice),
}

impl FromStr for Microphone {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "none" => Ok(Self::None),
            "tone" => Ok(Self::Tone),
            "clicks" => Ok(Self::Clicks),
            _ => match text.strip_prefix("file:").filter(|path| !path.is_empty()) {
                Some(path) => Ok(Self::File(PathBuf::from(path))),
                None => DeviceChoice::parse(text).map_or_else(
                    || {
                        let words = "none, device[:N or NAME], tone, clicks, file:SPEECH.wav";
                        Err(ParseError::Unknown(text.to_owned(), "microphone", words))
                    },
                    |choice| choice.map(Self::Device),
                ),
            },
        }
    }
}

/// As it is typed.
impl fmt::Display for Microphone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Tone => f.write_str("tone"),
            Self::Clicks => f.write_str("clicks"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Device(choice) => choice.fmt(f),
        }
    }
}

/// Where the mix of all voices goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaker {
    /// Mixed and discarded.
    None,
    /// A WAV file: 48 kHz, 16 bit, mono.
    Wav(PathBuf),
    /// A real speaker or headphones.
    Device(DeviceChoice),
}

impl FromStr for Speaker {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.strip_prefix("wav:").filter(|path| !path.is_empty()) {
            _ if text == "none" => Ok(Self::None),
            Some(path) => Ok(Self::Wav(PathBuf::from(path))),
            None => DeviceChoice::parse(text).map_or_else(
                || Err(ParseError::Unknown(text.to_owned(), "speaker", "none, device[:N or NAME], wav:PATH")),
                |choice| choice.map(Self::Device),
            ),
        }
    }
}

/// As it is typed.
impl fmt::Display for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Wav(path) => write!(f, "wav:{}", path.display()),
            Self::Device(choice) => choice.fmt(f),
        }
    }
}

/// The cap on what a camera sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quality {
    /// The camera's own size.
    #[default]
    Auto,
    /// 426x240.
    P240,
    /// 640x360.
    P360,
    /// 854x480.
    P480,
    /// 1280x720.
    P720,
    /// 1600x900.
    P900,
    /// 1920x1080.
    P1080,
}

impl Quality {
    /// All of them, the smallest picture first after [`Quality::Auto`].
    pub const ALL: [Self; 7] = [Self::Auto, Self::P240, Self::P360, Self::P480, Self::P720, Self::P900, Self::P1080];

    /// The box into which the picture is fitted; `None` for [`Quality::Auto`].
    pub const fn limit(self) -> Option<(u16, u16)> {
        match self {
            Self::Auto => None,
            Self::P240 => Some((426, 240)),
            Self::P360 => Some((640, 360)),
            Self::P480 => Some((854, 480)),
            Self::P720 => Some((1280, 720)),
            Self::P900 => Some((1600, 900)),
            Self::P1080 => Some((1920, 1080)),
        }
    }

    /// What a camera is asked for, if it has it, so that little is thrown away: pixels across and down. Most qualities
    /// share one, since another means that the camera is closed and opened again.
    pub const fn of_camera(self) -> (u16, u16) {
        match self {
            Self::P240 | Self::P360 => (640, 480),
            Self::Auto | Self::P480 | Self::P720 => (1280, 720),
            Self::P900 | Self::P1080 => (1920, 1080),
        }
    }

    /// `width` x `height` fitted inside, same shape, even sides, never larger than it was.
    pub fn fit(self, width: u16, height: u16) -> (u16, u16) {
        self.limit().map_or((width & !1, height & !1), |(w, h)| fit(width, height, w, h))
    }
}

/// `width` x `height` fitted into `max_width` x `max_height`: same shape, even sides of at least 2, never larger.
pub fn fit(width: u16, height: u16, max_width: u16, max_height: u16) -> (u16, u16) {
    let even = |v: u32| u16::try_from(v & !1).unwrap_or(u16::MAX - 1).max(2);
    let (w, h, mw, mh) =
        (u32::from(width.max(1)), u32::from(height.max(1)), u32::from(max_width), u32::from(max_height));
    if w <= mw && h <= mh {
        (even(w), even(h))
    } else if w * mh > h * mw {
        (even(mw), even((h * mw + w / 2) / w))
    } else {
        (even((w * mh + h / 2) / h), even(mh))
    }
}

/// As it is typed.
impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::P240 => "240p",
            Self::P360 => "360p",
            Self::P480 => "480p",
            Self::P720 => "720p",
            Self::P900 => "900p",
            Self::P1080 => "1080p",
        })
    }
}

impl FromStr for Quality {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "auto" => Ok(Self::Auto),
            "240p" => Ok(Self::P240),
            "360p" => Ok(Self::P360),
            "480p" => Ok(Self::P480),
            "720p" => Ok(Self::P720),
            "900p" => Ok(Self::P900),
            "1080p" => Ok(Self::P1080),
            _ => Err(ParseError::Unknown(text.to_owned(), "quality", "auto, 240p, 360p, 480p, 720p, 900p, 1080p")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_parse() {
        let check = |text: &str, expect: Result<Camera, ParseError>| assert_eq!(text.parse(), expect, "{text}");
        check("none", Ok(Camera::None));
        check("testcard", Ok(Camera::TestCard { width: 1280, height: 720, fps: 30 }));
        check("testcard:641x361@15", Ok(Camera::TestCard { width: 640, height: 360, fps: 15 }));
        check("testcard:9x9@15", Err(ParseError::TestCard("9x9@15".into())));
        check("file:a b.y4m", Ok(Camera::File("a b.y4m".into())));
        assert!("file:".parse::<Camera>().is_err());
    }

    #[test]
    fn devices_parse_by_default_place_and_name_and_print_as_typed() {
        let check = |text: &str, expect: Option<DeviceChoice>| {
            assert_eq!(text.parse().ok(), expect.clone().map(Camera::Device), "{text}");
            assert_eq!(text.parse().ok(), expect.clone().map(Microphone::Device), "{text}");
            assert_eq!(text.parse().ok(), expect.clone().map(Speaker::Device), "{text}");
            if let Some(choice) = expect {
                assert_eq!(Camera::Device(choice).to_string(), text);
            }
        };
        check("device", Some(DeviceChoice::Default));
        check("device:0", Some(DeviceChoice::Index(0)));
        check("device:=Desk", Some(DeviceChoice::Exact("Desk".into())));
        check("device:=1", Some(DeviceChoice::Exact("1".into())));
        check("device:70000", Some(DeviceChoice::Name("70000".into())));
        check("device:HD Webcam C270: mono", Some(DeviceChoice::Name("HD Webcam C270: mono".into())));
        check("device:", None);
        check("devices", None);
        check(&format!("device:{}", "x".repeat(257)), None);
    }

    #[test]
    fn screens_parse_and_print_as_typed() {
        let check = |text: &str, expect: Option<Screen>| {
            assert_eq!(text.parse().ok(), expect, "{text}");
            if let Some(screen) = expect {
                assert_eq!(screen.to_string().parse(), Ok(screen), "{text}");
            }
        };
        check("none", Some(Screen::None));
        check("display", Some(Screen::Display(None)));
        check("display:2", Some(Screen::Display(Some(2))));
        check("window:0x1c00003", Some(Screen::Window(0x1c0_0003)));
        check("window:29360131", Some(Screen::Window(0x1c0_0003)));
        check("testcard", Some(Screen::TestCard { width: 1280, height: 720, fps: 30 }));
        check("testcard:640x360@15", Some(Screen::TestCard { width: 640, height: 360, fps: 15 }));
        check("file:a:b.y4m", Some(Screen::File("a:b.y4m".into())));
        for bad in ["", "display:", "display:x", "display:-1", "window", "window:", "window:0x", "window:0x100000000"] {
            check(bad, None);
        }
        for bad in ["testcard:1x1@1", "file:", "file", "device", "none:", "screen"] {
            check(bad, None);
        }
    }

    #[test]
    fn a_screen_is_scaled_only_where_it_must_be() {
        assert_eq!(Screen::fit(1920, 1080), (1920, 1080));
        assert_eq!(Screen::fit(1367, 767), (1366, 766));
        assert_eq!(Screen::fit(1920, 1200), (1728, 1080));
        assert_eq!(Screen::fit(3840, 2160), (1920, 1080));
        assert_eq!(Screen::fit(1080, 1920), (1080, 1920));
    }

    #[test]
    fn pictures_are_fitted_and_never_enlarged() {
        assert_eq!(Quality::P240.fit(640, 360), (426, 240));
        assert_eq!(Quality::P360.fit(1280, 720), (640, 360));
        assert_eq!(Quality::P720.fit(640, 360), (640, 360));
        assert_eq!(Quality::P360.fit(480, 640), (270, 360));
        assert_eq!(Quality::Auto.fit(641, 361), (640, 360));
    }
}
