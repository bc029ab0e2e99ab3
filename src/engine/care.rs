//! Sans-IO. Which real device of one kind is to be open, while devices come and go.
//!
//! The rules, and why:
//!
//! - What a person switched off is never opened here, and what may come on by itself is shown as on. So a device that is
//!   missing when a meeting starts is off, and stays off until the person switches it on.
//! - A microphone or speaker that is lost (gone, broken, its server ended) is replaced by the next one: the chosen one if
//!   it works, else the one that the system prefers, else in the order of the list. Silence is worse than another room's
//!   echo, and it is said which one is used.
//! - A camera shows a room. One that was chosen by name is replaced by no other; where the person left the choice to the
//!   system, the next camera takes its place, and it is said. A camera that works is never left by itself.
//! - The chosen device is taken again when it is back. A place in the list (`device:1`) means the device that was there
//!   when it was first opened. A camera is known by its name, since its node may be another camera's later; one of the same
//!   name that was there beside it is another.
//! - Where the choice was left to the system, sound follows the system's default.
//! - What does not work is tried again each second, each five seconds after the first half minute, one at a time.
//!
//! Everything that changes is told once ([`Told`]).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::av::devices::{Device, Devices, Kind};
use crate::av::spec::DeviceChoice;

/// From one try of a device that does not work to the next. Less than the second in which the shell looks.
const RETRY: Duration = Duration::from_millis(900);
/// The same after [`OFTEN`] tries.
const RETRY_LATER: Duration = Duration::from_millis(4_900);
/// Tries before it is done less often.
const OFTEN: u32 = 30;
/// How long a fresh list is waited for after a loss: the old one still has the lost device.
const LIST_LIMIT: Duration = Duration::from_millis(1_500);

/// Why a device is not used any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It is not there.
    Gone,
    /// It is there and does not work, for this reason, as part of a sentence.
    Fails(String),
}

/// What is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Another took its place.
    Replaced {
        /// The name of the lost one.
        was: String,
        /// Why.
        cause: Cause,
        /// The name of the one that is used.
        now: String,
    },
    /// Nothing takes its place: the track is off.
    Lost {
        /// The name of the lost one.
        was: String,
        /// Why.
        cause: Cause,
    },
    /// The chosen one is used again.
    Back {
        /// Its name.
        now: String,
    },
    /// The system's default is another one now.
    Followed {
        /// Its name.
        now: String,
    },
}

/// What a shell has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Do {
    /// Ask the system for its devices soon, and call [`Care::on_devices`].
    Look,
    /// Open this one in place of what is open. Answer by [`Care::on_opened`] or [`Care::on_failed`].
    Open(DeviceChoice),
    /// Close what is open, without a word: it is switched off, and its stream is not where it was.
    Close,
    /// Say it. With [`Told::Lost`] whatever is still open of this kind is closed.
    Tell(Told),
}

#[derive(Debug)]
struct Lost {
    was: String,
    cause: Cause,
    since: Instant,
    /// It was said that nothing takes its place.
    told: bool,
    /// A list was asked for, and came.
    asked: bool,
    looked: bool,
}

#[derive(Debug)]
struct Bad {
    tries: u32,
    until: Instant,
}

/// The care for one kind.
#[derive(Debug)]
pub struct Care {
    kind: Kind,
    /// What the person chose; `None` where that is no device.
    wish: Option<DeviceChoice>,
    on: bool,
    /// What a name or a place meant when it was first opened.
    meant: Option<Device>,
    /// The ids of others of its name that were there beside it, as many as a list may have; `None` before a list told.
    twins: Option<BTreeSet<String>>,
    running: Option<Device>,
    list: Option<Devices>,
    lost: Option<Lost>,
    /// By id, those that did not work lately. Pruned by each list, which has an end.
    bad: BTreeMap<String, Bad>,
    trying: Option<String>,
    /// What is still open is to be closed.
    shut: bool,
    told: VecDeque<Told>,
}

impl Care {
    /// Nothing is chosen.
    pub fn new(kind: Kind) -> Self {
        let (wish, meant, running, list, lost, trying) = (None, None, None, None, None, None);
        let (bad, told) = (BTreeMap::new(), VecDeque::new());
        let twins = None;
        Self { kind, wish, on: false, meant, twins, running, list, lost, bad, trying, shut: false, told }
    }

    /// A person chose this, or switched it on or off. What runs is told by [`Care::on_opened`] before or after.
    pub fn on_wish(&mut self, wish: Option<DeviceChoice>, on: bool) {
        if wish != self.wish {
            (self.meant, self.lost, self.trying) = (None, None, None);
            self.running = None;
            self.twins = None;
            self.bad.clear();
        }
        if !on {
            // It may have been lost meanwhile; when it is switched on again that is another day.
            self.lost = None;
            self.told.clear();
        }
        (self.wish, self.on) = (wish, on);
    }

    /// `choice` was opened, and is `device`.
    pub fn on_opened(&mut self, choice: &DeviceChoice, device: Device) {
        let asked = self.trying.take().is_some();
        if self.meant.is_none() && *choice != DeviceChoice::Default && self.wish.as_ref() == Some(choice) {
            self.meant = Some(device.clone());
            self.tell_twins();
        }
        self.bad.remove(&device.id);
        self.shut = false;
        let now = device.name.clone();
        let chosen = self.is_chosen(&device);
        let before = self.running.replace(device);
        match self.lost.take() {
            Some(lost) if lost.was == now || chosen && self.wish != Some(DeviceChoice::Default) => {
                // One that was away for less than a second is not worth a word.
                if lost.told {
                    self.told.push_back(Told::Back { now });
                }
            }
            Some(Lost { was, cause, .. }) => self.told.push_back(Told::Replaced { was, cause, now }),
            None if !asked || before.is_none_or(|before| before.name == now) => {}
            None if self.wish == Some(DeviceChoice::Default) => self.told.push_back(Told::Followed { now }),
            None => self.told.push_back(Told::Back { now }),
        }
    }

    /// What [`Do::Open`] asked for does not open.
    pub fn on_failed(&mut self, now: Instant) {
        if let Some(id) = self.trying.take() {
            self.fails(now, id);
        }
    }

    /// What a person switched on does not open: the next [`Care::aim`] leaves it out for a while.
    pub fn on_refused(&mut self, now: Instant, choice: &DeviceChoice) {
        if let Some(id) = self.listed(choice).map(|device| device.id.clone()) {
            self.fails(now, id);
        }
    }

    /// What was open ended, or what was asked for at the start does not open. `name` is of use where nothing was open.
    pub fn on_lost(&mut self, now: Instant, name: &str, cause: Cause) {
        let running = self.running.take();
        let was = running.as_ref().map_or(name, |device| device.name.as_str()).to_owned();
        if let (Some(device), Cause::Fails(_)) = (running, &cause) {
            self.fails(now, device.id);
        }
        self.lose(now, was, cause);
    }

    /// It was closed and nothing is to be said of it.
    pub fn on_closed(&mut self) {
        self.running = None;
    }

    /// What there is now.
    pub fn on_devices(&mut self, now: Instant, devices: &Devices) {
        let there = |id: &str| devices.of(self.kind).any(|device| device.id == id);
        self.bad.retain(|id, _| id.is_empty() || there(id));
        // Its stream may still flow: sound servers move it to another device without a word.
        let gone = self.running.take_if(|device| !device.id.is_empty() && !there(&device.id));
        self.list = Some(devices.clone());
        self.tell_twins();
        if let (None, Some(meant)) = (&self.twins, &self.meant) {
            // It is gone already. Those that are here so soon were here before.
            let alike = devices.of(self.kind).filter(|device| device.name == meant.name);
            self.twins = Some(alike.map(|device| device.id.clone()).collect());
        }
        if let Some(device) = gone {
            self.shut = !self.on;
            self.lose(now, device.name, Cause::Gone);
        }
        if let Some(lost) = &mut self.lost {
            lost.looked = true;
        }
    }

    /// True while a list each second is worth its price: a real device is open, or wanted.
    pub fn watches(&self) -> bool {
        self.wish.is_some() && (self.on || self.running.is_some())
    }

    /// True while a real device is wanted.
    pub fn wants(&self) -> bool {
        self.wish.is_some() && self.on
    }

    /// True while nothing is open that is wanted.
    pub fn is_lost(&self) -> bool {
        self.on && self.lost.is_some()
    }

    /// What to open where a person switches it on: the chosen one, else what takes its place.
    pub fn aim(&self, now: Instant) -> Option<DeviceChoice> {
        let wish = self.wish.clone()?;
        if self.list.is_none() {
            return Some(wish);
        }
        Some(self.candidates().find(|id| !self.is_bad(now, id)).map_or(wish, |id| self.choice_of(id)))
    }

    /// What is to be done now; ask until `None`, after each of the calls above and once a second.
    pub fn poll(&mut self, now: Instant) -> Option<Do> {
        if let Some(told) = self.told.pop_front() {
            return Some(Do::Tell(told));
        }
        if std::mem::take(&mut self.shut) {
            return Some(Do::Close);
        }
        if self.trying.is_some() || !self.wants() {
            return None;
        }
        let Some(lost) = &mut self.lost else {
            let id = self.better().filter(|id| !self.is_bad(now, id))?;
            return Some(self.open(id));
        };
        if !lost.looked && now < lost.since + LIST_LIMIT {
            return (!std::mem::replace(&mut lost.asked, true)).then_some(Do::Look);
        }
        let best = self.candidates().find(|id| !self.is_bad(now, id));
        if let Some(id) = best {
            return Some(self.open(id));
        }
        let lost = self.lost.as_mut()?;
        (!std::mem::replace(&mut lost.told, true))
            .then(|| Do::Tell(Told::Lost { was: lost.was.clone(), cause: lost.cause.clone() }))
    }

    /// While the chosen one is there, others of its name are others.
    fn tell_twins(&mut self) {
        let (Some(meant), Some(list)) = (&self.meant, &self.list) else { return };
        let alike = || list.of(self.kind).filter(|device| device.name == meant.name);
        if alike().any(|device| device.id == meant.id) {
            self.twins = Some(alike().map(|device| device.id.clone()).filter(|id| *id != meant.id).collect());
        }
    }

    fn lose(&mut self, now: Instant, was: String, cause: Cause) {
        let (told, asked, looked) = (false, false, false);
        self.lost.get_or_insert(Lost { was, cause, since: now, told, asked, looked });
    }

    fn fails(&mut self, now: Instant, id: String) {
        let bad = self.bad.entry(id).or_insert(Bad { tries: 0, until: now });
        bad.tries = bad.tries.saturating_add(1);
        bad.until = now + if bad.tries <= OFTEN { RETRY } else { RETRY_LATER };
    }

    fn is_bad(&self, now: Instant, id: &str) -> bool {
        self.bad.get(id).is_some_and(|bad| now < bad.until)
    }

    fn open(&mut self, id: String) -> Do {
        let choice = self.choice_of(id.clone());
        self.trying = Some(id);
        Do::Open(choice)
    }

    /// The default that no list shows has no id.
    fn choice_of(&self, id: String) -> DeviceChoice {
        match &self.wish {
            // As the person wrote it, so that it is opened as the person would.
            Some(wish) if self.meant.is_none() && self.listed(wish).is_some_and(|device| device.id == id) => {
                wish.clone()
            }
            _ if id.is_empty() => DeviceChoice::Default,
            _ => DeviceChoice::Exact(id),
        }
    }

    fn listed(&self, choice: &DeviceChoice) -> Option<&Device> {
        self.list.as_ref()?.find(self.kind, choice)
    }

    /// The chosen one, where it is there.
    fn chosen(&self) -> Option<&Device> {
        match (&self.meant, self.wish.as_ref()?) {
            (_, wish @ DeviceChoice::Default) | (None, wish) => self.listed(wish),
            (Some(meant), _) => {
                let of_kind = || self.list.iter().flat_map(|list| list.of(self.kind));
                let same = of_kind().find(|device| device.id == meant.id && device.name == meant.name);
                let like = of_kind().find(|device| self.kind != Kind::Camera && device.id == meant.id);
                let twin = |device: &Device| self.twins.as_ref().is_some_and(|twins| twins.contains(&device.id));
                let moved = || of_kind().find(|device| device.name == meant.name && !twin(device));
                same.or(like).or_else(moved)
            }
        }
    }

    fn is_chosen(&self, device: &Device) -> bool {
        match self.list {
            Some(_) => self.chosen().is_some_and(|chosen| chosen.id == device.id),
            None => self.meant.as_ref().is_none_or(|meant| meant.id == device.id),
        }
    }

    /// What is better than what runs.
    fn better(&self) -> Option<String> {
        let running = self.running.as_ref()?;
        // The first camera of a list is no choice of anybody.
        if self.kind == Kind::Camera && self.wish == Some(DeviceChoice::Default) {
            return None;
        }
        // Where nobody is preferred the first would be taken, which is as good as the one that runs.
        let chosen = self.chosen().filter(|device| self.wish != Some(DeviceChoice::Default) || device.is_default)?;
        (chosen.id != running.id).then(|| chosen.id.clone())
    }

    /// The ids of what may take the place of what was lost, the best first.
    fn candidates(&self) -> impl Iterator<Item = String> {
        let by_system = self.wish == Some(DeviceChoice::Default);
        let mut all: Vec<String> = self.chosen().map(|device| device.id.clone()).into_iter().collect();
        if self.kind != Kind::Camera || by_system {
            all.extend(self.listed(&DeviceChoice::Default).map(|device| device.id.clone()));
            all.extend(self.list.iter().flat_map(|list| list.of(self.kind)).map(|device| device.id.clone()));
        }
        if all.is_empty() && by_system {
            // A default that no list shows, or no list at all.
            all.push(String::new());
        }
        let mut seen = BTreeSet::new();
        all.into_iter().filter(move |id| seen.insert(id.clone()))
    }
}

#[cfg(test)]
mod tests;
