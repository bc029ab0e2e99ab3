//! Cameras, microphones, speakers and screens of this machine: what there is, and which of them somebody means.
//!
//! Listing asks the system and may take a moment (a sound server is asked, cameras are opened for their names): call it
//! where blocking is allowed. A list is what there was at that moment; devices come and go, so a choice is looked up
//! again when it is opened. In a build without the feature `devices` every list is empty, and [`BUILT`] says so.

#[cfg(feature = "devices")]
mod names;
#[cfg(feature = "devices")]
mod relief;
#[cfg(feature = "devices")]
pub mod sound;
pub mod worker;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::av::Error;
use crate::av::spec::{self, DeviceChoice};
use crate::share;
use crate::slot::Slot;

/// Whether this build knows devices at all.
pub const BUILT: bool = cfg!(feature = "devices");

/// Whether what other programs play can be shared with a screen here.
#[cfg(feature = "devices")]
pub const SHARES_SOUND: bool = crate::av::capture::screen::HAS_SOUND;
/// Not in this build.
#[cfg(not(feature = "devices"))]
pub const SHARES_SOUND: bool = false;

/// What is said where [`BUILT`] is false.
pub const NOT_BUILT: &str = "this build has no devices";

/// Most devices of one kind that are listed; the system's first ones win.
const MOST: usize = 64;
/// Most characters of a device's name.
const MOST_NAME: usize = 120;

/// What a device is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Gives pictures.
    Camera,
    /// Gives sound.
    Microphone,
    /// Plays sound.
    Speaker,
    /// A display or a window that can be shared.
    Screen,
}

impl Kind {
    /// All kinds, in the order in which they are listed.
    pub const ALL: [Self; 4] = [Self::Camera, Self::Microphone, Self::Speaker, Self::Screen];

    /// The word in `kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::Speaker => "speaker",
            Self::Screen => "screen",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// What it is for.
    pub kind: Kind,
    /// Its name for people. Several may have the same.
    pub name: String,
    /// Its name for the system, unique within its kind while it is plugged in. Of a screen it is the word that chooses it,
    /// as in `display:0`.
    pub id: String,
    /// The system prefers it.
    pub is_default: bool,
    /// Pixels across and down, of a screen.
    pub size: Option<(u16, u16)>,
}

impl Device {
    /// A device whose words come from hardware, a sound server or another program's title: without control and direction
    /// characters, and not too long.
    pub fn new(kind: Kind, name: &str, id: &str, is_default: bool) -> Self {
        let clean = |text: &str| -> String {
            let printable = share::visible(text);
            printable.chars().take(MOST_NAME).collect::<String>().trim().to_owned()
        };
        let (name, id) = (clean(name), clean(id));
        let name = if name.is_empty() { id.clone() } else { name };
        Self { kind, name, id, is_default, size: None }
    }

    /// The same with its size in pixels.
    #[must_use]
    pub fn sized(self, width: u16, height: u16) -> Self {
        Self { size: Some((width, height)), ..self }
    }
}

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Devices {
    all: Vec<Device>,
}

impl Devices {
    /// A list; at most [`MOST`] of each kind are kept, in their order.
    pub fn new(devices: impl IntoIterator<Item = Device>) -> Self {
        let mut all: Vec<Device> = Vec::new();
        for device in devices {
            if all.iter().filter(|other| other.kind == device.kind).count() < MOST {
                all.push(device);
            }
        }
        all.sort_by_key(|device| device.kind);
        Self { all }
    }

    /// Those of one kind, in the order that `device:N` counts.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Device> {
        self.all.iter().filter(move |device| device.kind == kind)
    }

    /// All of them: cameras, microphones, speakers, screens.
    pub fn iter(&self) -> impl Iterator<Item = &Device> {
        self.all.iter()
    }

    /// The device that `choice` means. A picked one is that or none. A typed name matches as it is or as an id, then without
    /// regard to case, then as a part of a name; the first that matches best is taken.
    pub fn find(&self, kind: Kind, choice: &DeviceChoice) -> Option<&Device> {
        match choice {
            DeviceChoice::Default => self.of(kind).find(|device| device.is_default).or_else(|| self.of(kind).next()),
            DeviceChoice::Index(index) => self.of(kind).nth(usize::from(*index)),
            DeviceChoice::Exact(name) => {
                let named = |device: &&Device| device.name == *name;
                self.of(kind).find(named).or_else(|| self.of(kind).find(|device| device.id == *name))
            }
            DeviceChoice::Name(name) => {
                let folded = name.to_lowercase();
                let exact = |device: &&Device| device.name == *name || device.id == *name;
                let same = |device: &&Device| device.name.to_lowercase() == folded;
                let part = |device: &&Device| device.name.to_lowercase().contains(&folded);
                self.of(kind).find(exact).or_else(|| self.of(kind).find(same)).or_else(|| self.of(kind).find(part))
            }
        }
    }

    /// Those of one kind, each with a name that no other has, as in `Desk` and `Desk (2)`, and the choice that means it and
    /// no other: its name, where that is enough, since it lasts longer than an id.
    pub fn named(&self, kind: Kind) -> Vec<(String, DeviceChoice)> {
        let mut named: Vec<(String, DeviceChoice)> = Vec::new();
        for (place, device) in self.of(kind).enumerate() {
            let free = |name: &str| {
                let given = named.iter().any(|(given, _)| given == name);
                !given && (name == device.name || self.of(kind).all(|other| other.name != name))
            };
            let others = (2..).map(|number| format!("{} ({number})", device.name));
            let name = std::iter::once(device.name.clone()).chain(others).find(|name| free(name));
            let words = [&device.name, &device.id].map(|word| DeviceChoice::Exact(word.clone()));
            // It is written down, read and looked up again.
            let means = |choice: &DeviceChoice| {
                let again = DeviceChoice::parse(&choice.to_string()).and_then(Result::ok);
                again.as_ref() == Some(choice) && self.place_of(kind, choice) == Some(place)
            };
            let place = DeviceChoice::Index(u16::try_from(place).unwrap_or(u16::MAX));
            let choice = words.into_iter().find(means).unwrap_or(place);
            named.push((name.unwrap_or_default(), choice));
        }
        named
    }

    /// The place in [`Devices::named`] of the device that a word such as `device:Desk` means; `None` for one that is not
    /// there, for the default, and for what is no device.
    pub fn place_of_word(&self, kind: Kind, word: &str) -> Option<usize> {
        let choice = DeviceChoice::parse(word)?.ok()?;
        (choice != DeviceChoice::Default).then(|| self.place_of(kind, &choice))?
    }

    fn place_of(&self, kind: Kind, choice: &DeviceChoice) -> Option<usize> {
        let found = self.find(kind, choice)?;
        self.of(kind).position(|device| std::ptr::eq(device, found))
    }

    /// `camera` if its device is there, else the default one: for a choice of last week.
    pub fn usable_camera(&self, camera: spec::Camera) -> spec::Camera {
        match camera {
            spec::Camera::Device(choice) => spec::Camera::Device(self.usable(Kind::Camera, choice)),
            other => other,
        }
    }

    /// `microphone` if its device is there, else the default one.
    pub fn usable_microphone(&self, microphone: spec::Microphone) -> spec::Microphone {
        match microphone {
            spec::Microphone::Device(choice) => spec::Microphone::Device(self.usable(Kind::Microphone, choice)),
            other => other,
        }
    }

    /// `speaker` if its device is there, else the default one.
    pub fn usable_speaker(&self, speaker: spec::Speaker) -> spec::Speaker {
        match speaker {
            spec::Speaker::Device(choice) => spec::Speaker::Device(self.usable(Kind::Speaker, choice)),
            other => other,
        }
    }

    fn usable(&self, kind: Kind, choice: DeviceChoice) -> DeviceChoice {
        if self.find(kind, &choice).is_some() { choice } else { DeviceChoice::Default }
    }
}

/// What there is now; what the system does not say in time is left out. Blocks while the system is asked.
pub fn list() -> Devices {
    #[cfg(feature = "devices")]
    return Devices::new(
        [crate::av::capture::device::list(), sound::list()]
            .into_iter()
            .flat_map(Option::unwrap_or_default)
            .chain(screens()),
    );
    #[cfg(not(feature = "devices"))]
    Devices::default()
}

/// The displays, then the windows, that can be shared now; in the system's order, without our own windows. Empty where
/// there is no display that we read. Blocks while the system is asked.
pub fn screens() -> Vec<Device> {
    #[cfg(feature = "devices")]
    return crate::av::capture::screen::list();
    #[cfg(not(feature = "devices"))]
    Vec::new()
}

/// [`list`] without screens, for who draws conclusions from what is not in it: `None` when the system did not answer in
/// time.
pub fn look() -> Option<Devices> {
    #[cfg(feature = "devices")]
    return Some(Devices::new(crate::av::capture::device::list()?.into_iter().chain(sound::list()?)));
    #[cfg(not(feature = "devices"))]
    None
}

/// Rung when something ends by itself, so that its owner need not look again and again. Overflow: rung twice is rung.
pub type Bell = Slot<()>;

/// Why something ended by itself: set by its thread, taken once by its owner.
#[derive(Debug, Clone, Default)]
pub struct Fate(Arc<Mutex<End>>);

#[derive(Debug, Default)]
struct End {
    error: Option<Error>,
    bell: Option<Bell>,
}

impl Fate {
    fn lock(&self) -> MutexGuard<'_, End> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first error stays.
    pub fn set(&self, error: Error) {
        let mut end = self.lock();
        end.error.get_or_insert(error);
        if let Some(bell) = &end.bell {
            bell.put(());
        }
    }

    /// The error, once.
    pub fn take(&self) -> Option<Error> {
        self.lock().error.take()
    }

    /// Rings `bell` when it ends, at once where it has.
    pub fn ring(&self, bell: &Bell) {
        let mut end = self.lock();
        if end.error.is_some() {
            bell.put(());
        }
        end.bell = Some(bell.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Devices {
        Devices::new([
            Device::new(Kind::Microphone, "Built-in Audio", "alsa_input.pci", false),
            Device::new(Kind::Camera, "HD Webcam", "/dev/video0", true),
            Device::new(Kind::Microphone, "Headset", "alsa_input.usb", true),
            Device::new(Kind::Camera, "HD Webcam Pro", "/dev/video2", false),
        ])
    }

    #[test]
    fn a_choice_finds_the_default_the_place_the_name_and_the_id() {
        let devices = some();
        let check = |kind: Kind, text: &str, expect: Option<&str>| {
            let spec::Camera::Device(choice) = text.parse().expect("a choice") else { panic!("{text}") };
            assert_eq!(devices.find(kind, &choice).map(|device| device.id.as_str()), expect, "{text}");
        };
        check(Kind::Camera, "device", Some("/dev/video0"));
        check(Kind::Microphone, "device", Some("alsa_input.usb"));
        check(Kind::Speaker, "device", None);
        check(Kind::Camera, "device:1", Some("/dev/video2"));
        check(Kind::Camera, "device:2", None);
        check(Kind::Camera, "device:HD Webcam Pro", Some("/dev/video2"));
        check(Kind::Camera, "device:/dev/video2", Some("/dev/video2"));
        check(Kind::Camera, "device:hd webcam", Some("/dev/video0"));
        check(Kind::Camera, "device:pro", Some("/dev/video2"));
        check(Kind::Camera, "device:headset", None);
        // What was picked is replaced by nothing whose name is like it.
        check(Kind::Camera, "device:=HD Webcam Pro", Some("/dev/video2"));
        check(Kind::Camera, "device:=/dev/video2", Some("/dev/video2"));
        for other in ["device:=hd webcam", "device:=Webcam", "device:=Pro", "device:=1"] {
            check(Kind::Camera, other, None);
        }
    }

    #[test]
    fn a_choice_of_last_week_becomes_the_default() {
        let gone = spec::Camera::Device(DeviceChoice::Name("Old Camera".to_owned()));
        assert_eq!(some().usable_camera(gone), spec::Camera::Device(DeviceChoice::Default));
        let here = spec::Microphone::Device(DeviceChoice::Name("Headset".to_owned()));
        assert_eq!(some().usable_microphone(here.clone()), here);
        assert_eq!(some().usable_speaker(spec::Speaker::None), spec::Speaker::None);
    }

    #[test]
    fn names_from_hardware_are_made_safe() {
        let device = Device::new(Kind::Camera, "  evil\u{1b}[2J\n", "/dev/video9", false);
        assert_eq!(device.name, "evil[2J");
        assert_eq!(Device::new(Kind::Screen, "gnp.\u{202e}exe", "window:0x1", false).name, "gnp.exe");
        assert_eq!(Device::new(Kind::Camera, "\n", "/dev/video9", false).name, "/dev/video9");
        assert_eq!(Device::new(Kind::Camera, &"x".repeat(1000), "y", false).name.len(), MOST_NAME);
    }

    #[test]
    fn devices_of_one_name_are_told_apart() {
        let check = |devices: &[(&str, &str)], expect: &[(&str, &str)]| {
            let all = devices.iter().map(|(name, id)| Device::new(Kind::Camera, name, id, false));
            let devices = Devices::new(all.chain([Device::new(Kind::Speaker, "Desk", "hw:1", true)]));
            let named = devices.named(Kind::Camera);
            let words: Vec<(&str, String)> =
                named.iter().map(|(name, choice)| (name.as_str(), choice.to_string())).collect();
            let expect: Vec<(&str, String)> = expect.iter().map(|(name, word)| (*name, (*word).to_owned())).collect();
            assert_eq!(words, expect);
            for (place, (_, word)) in expect.iter().enumerate() {
                assert_eq!(devices.place_of_word(Kind::Camera, word), Some(place), "{word}");
            }
        };
        check(
            &[("Desk", "/dev/video0"), ("Door", "/dev/video2")],
            &[("Desk", "device:=Desk"), ("Door", "device:=Door")],
        );
        check(
            &[("Desk", "/dev/video0"), ("Desk", "/dev/video2"), ("Desk", "/dev/video4")],
            &[("Desk", "device:=Desk"), ("Desk (2)", "device:=/dev/video2"), ("Desk (3)", "device:=/dev/video4")],
        );
        // A name that another was given, one that is a number, and one that is another's id.
        check(
            &[("Desk", "a"), ("Desk", "b"), ("Desk (2)", "c")],
            &[("Desk", "device:=Desk"), ("Desk (3)", "device:=b"), ("Desk (2)", "device:=Desk (2)")],
        );
        check(&[("1", "a"), ("x", "b"), ("b", "1")], &[("1", "device:=1"), ("x", "device:=x"), ("b", "device:=b")]);
        let desk = Devices::new([Device::new(Kind::Camera, "Desk", "a", true)]);
        assert_eq!(desk.place_of_word(Kind::Camera, "device:desk"), Some(0));
        for word in ["device", "device:Gone", "device:1", "none", "testcard"] {
            assert_eq!(desk.place_of_word(Kind::Camera, word), None, "{word}");
        }
    }

    #[test]
    fn an_end_rings_its_bell_once_and_also_for_who_listens_later() {
        let (fate, bell) = (Fate::default(), Bell::new());
        fate.ring(&bell);
        assert_eq!(bell.take(), None);
        fate.set(Error::NoSource);
        fate.set(Error::NoDevices);
        assert_eq!((bell.take(), bell.take()), (Some(()), None));
        let later = Bell::new();
        fate.ring(&later);
        assert_eq!(later.take(), Some(()));
        assert!(matches!(fate.take(), Some(Error::NoSource)) && fate.take().is_none(), "the first, once");
    }

    #[test]
    fn a_list_has_an_end() {
        let many = (0..1000).map(|n| Device::new(Kind::Speaker, &format!("s{n}"), &format!("{n}"), false));
        assert_eq!(Devices::new(many).iter().count(), MOST);
    }
}
