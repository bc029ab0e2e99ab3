//! Cameras, microphones and speakers while a meeting goes on: what a person switches, and what the care for devices
//! decides ([`care`](super::care)), carried out one after the other for each kind.
//!
//! A device may take seconds to be opened, so that happens in a thread of its own and the loop goes on; the answer comes
//! when it is open. What is asked of the same kind meanwhile waits in its order.

use std::collections::VecDeque;
use std::time::Duration;

use super::actor::{Actor, Later};
use super::care::{Care, Do, Told};
use super::media::{self, Opened, Plan, Step, Trouble};
use super::{Reply, failure};
use crate::av::devices::{self, Devices, Kind};
use crate::av::spec::{self, DeviceChoice};
use crate::meeting::{Code, Done, Event, Failure, Setting, Warning, WarningCode};
use crate::{clock, task};

/// A list that did not come within this time is asked for again.
const LIST_LIMIT: Duration = Duration::from_secs(10);
/// So many others are tried where what a person switches on does not open.
const MOST_TRIED: u8 = 3;
/// Most switches of one kind that wait. Beyond it the person is told that it is too much at once.
const MOST_WAITING: usize = 64;

/// What a person asked of a source or sink.
#[derive(Debug, Clone, PartialEq)]
pub enum Switch {
    /// Of the camera.
    Camera {
        /// Whether it sends.
        on: bool,
        /// Another source.
        source: Option<spec::Camera>,
    },
    /// Of the microphone.
    Microphone {
        /// Whether it sends.
        on: bool,
        /// Another source.
        source: Option<spec::Microphone>,
    },
    /// Of the speaker.
    Speaker {
        /// Whether it plays.
        on: bool,
        /// Another sink.
        sink: Option<spec::Speaker>,
    },
    /// Of what is shared.
    Screen {
        /// Whether it is shared.
        on: bool,
        /// Another display or window.
        source: Option<spec::Screen>,
    },
}

impl Switch {
    fn kind(&self) -> Kind {
        match self {
            Self::Camera { .. } => Kind::Camera,
            Self::Microphone { .. } => Kind::Microphone,
            Self::Speaker { .. } => Kind::Speaker,
            Self::Screen { .. } => Kind::Screen,
        }
    }

    fn is_on(&self) -> bool {
        match self {
            Self::Camera { on, .. }
            | Self::Microphone { on, .. }
            | Self::Speaker { on, .. }
            | Self::Screen { on, .. } => *on,
        }
    }

    /// It names what to use.
    fn chooses(&self) -> bool {
        match self {
            Self::Camera { source, .. } => source.is_some(),
            Self::Microphone { source, .. } => source.is_some(),
            Self::Speaker { sink, .. } => sink.is_some(),
            Self::Screen { source, .. } => source.is_some(),
        }
    }

    /// The device that it names.
    fn device(&self) -> Option<&DeviceChoice> {
        match self {
            Self::Camera { source: Some(spec::Camera::Device(choice)), .. }
            | Self::Microphone { source: Some(spec::Microphone::Device(choice)), .. }
            | Self::Speaker { sink: Some(spec::Speaker::Device(choice)), .. } => Some(choice),
            _ => None,
        }
    }
}

/// Who asked for what is being opened.
enum Job {
    Person { switch: Switch, choice: Option<DeviceChoice>, tried: u8, reply: Option<Reply> },
    Care(DeviceChoice),
}

/// One kind.
struct Lane {
    care: Care,
    waiting: VecDeque<(Switch, Option<Reply>)>,
    /// Something is being opened for this.
    job: Option<Job>,
    /// The number of what was opened last: what comes under another is not waited for any more.
    ticket: u64,
    /// The code of a loss that is not told yet.
    code: Option<WarningCode>,
}

/// What came of work beside the loop.
pub enum News {
    Opened(Kind, u64, Box<Result<Opened, Trouble>>),
    Listed(Option<Devices>),
}

/// All of them.
pub struct Sources {
    lanes: [Lane; 4],
    /// When a list was asked for that has not come.
    listing: Option<std::time::Instant>,
}

impl Default for Sources {
    fn default() -> Self {
        let lane = |kind| Lane { care: Care::new(kind), waiting: VecDeque::new(), job: None, ticket: 0, code: None };
        Self { lanes: Kind::ALL.map(lane), listing: None }
    }
}

impl Sources {
    fn lane(&mut self, kind: Kind) -> &mut Lane {
        &mut self.lanes[kind as usize]
    }
}

impl Actor {
    /// What runs at the start is cared for from now on. What is missing is off, as it is shown; what is there and does not
    /// work (another program has it) is tried again.
    pub(super) fn begin_sources(&mut self) {
        let now = clock::now();
        for kind in Kind::ALL {
            let wish = self.parts.media.wish(kind);
            let muted = kind == Kind::Microphone && !self.meeting.state().settings.microphone_on;
            let (choice, on) = (wish.clone(), wish.is_some() && !muted);
            self.sources.lane(kind).care.on_wish(wish, on);
            if let (Some(choice), Some(device)) = (choice, self.parts.media.device(kind)) {
                self.sources.lane(kind).care.on_opened(&choice, device);
            }
        }
        for (kind, error) in self.parts.media.missing() {
            let warning = failure::trouble(kind, &error);
            let lane = self.sources.lane(kind);
            if kind != Kind::Screen && matches!(media::cause(&error), super::care::Cause::Fails(_)) {
                lane.code = Some(warning.code);
                lane.care.on_lost(now, media::name_in(&error), media::cause(&error));
            } else {
                let wish = self.parts.media.wish(kind);
                lane.care.on_wish(wish, false);
                self.emit(Event::Warning(warning));
                self.show_off(kind);
            }
        }
        self.tend();
        if self.parts.media.asks_first() {
            self.switch(Switch::Screen { on: true, source: None }, None);
        }
    }

    /// A person asks for this.
    pub(super) fn switch(&mut self, switch: Switch, reply: Option<Reply>) {
        let kind = switch.kind();
        let lane = self.sources.lane(kind);
        if lane.waiting.len() >= MOST_WAITING {
            let failure = || {
                Failure::new(Code::TooFast, "More is being asked at once than can be done.", "Try again in a moment.")
            };
            if switch.is_on() {
                answer(reply, Err(failure()));
                return;
            }
            // To switch off is never refused: what waits before it is.
            for (_, reply) in lane.waiting.drain(..) {
                answer(reply, Err(failure()));
            }
        }
        // Another device may take seconds to open; what is sent until then ends now.
        let ends = !switch.is_on() && lane.job.is_some();
        // What is only tried again gives way to another choice. (A camera is waited for: it opens once.)
        if let (Some(Job::Care(tried)), Some(choice)) = (&lane.job, switch.device())
            && kind != Kind::Camera
            && tried != choice
        {
            lane.job = None;
            lane.ticket = lane.ticket.wrapping_add(1);
            lane.care.on_failed(clock::now());
        }
        lane.waiting.push_back((switch, reply));
        if ends {
            self.parts.media.silence(kind);
            self.publish_tracks();
        }
        self.next(kind);
        self.tend();
    }

    /// Does what waits, until something is to be opened.
    fn next(&mut self, kind: Kind) {
        while self.sources.lane(kind).job.is_none() {
            let lane = self.sources.lane(kind);
            let Some((switch, reply)) = lane.waiting.pop_front() else { return };
            // Where the chosen device is not there, what takes its place is opened.
            let instead = lane.care.aim(clock::now()).filter(|_| !switch.chooses());
            let choice = switch.device().cloned().or_else(|| instead.clone()).or_else(|| self.parts.media.wish(kind));
            let step = tokio::task::block_in_place(|| self.parts.media.begin(&switch, instead));
            match step {
                Step::Done(result) => self.switched(&switch, result, reply),
                Step::Open(plan) => {
                    // A camera that is chosen in place of another is closed by now.
                    if kind == Kind::Camera {
                        self.publish_tracks();
                    }
                    self.open(kind, plan, Job::Person { switch, choice, tried: 0, reply });
                }
            }
        }
    }

    /// Opens it in a thread of its own: a driver may never come back, and nothing waits for it at the end.
    fn open(&mut self, kind: Kind, plan: Plan, job: Job) {
        let lane = self.sources.lane(kind);
        lane.job = Some(job);
        lane.ticket = lane.ticket.wrapping_add(1);
        let ticket = lane.ticket;
        let sender = self.later.0.clone();
        let run = move || {
            let opened = plan.carry_out();
            // Nobody is there after the meeting has ended: then it is closed by this.
            let _ = sender.blocking_send(Later::Source(News::Opened(kind, ticket, Box::new(opened))));
        };
        if let Err(error) = task::thread("device-open", run) {
            tracing::error!(%error, "nothing can be opened");
            if let Some(Job::Person { reply, .. }) = self.sources.lane(kind).job.take() {
                let hint = "Close other programs and try again.";
                answer(reply, Err(Failure::new(Code::SourceFailed, "The system refused a thread.", hint)));
            }
        }
    }

    /// Something was opened, or was not, or a list came.
    pub(super) fn on_source(&mut self, news: News) {
        match news {
            News::Opened(kind, ticket, result) if ticket == self.sources.lane(kind).ticket => {
                self.on_opened(kind, *result)
            }
            News::Opened(.., result) => {
                if let Ok(opened) = *result {
                    let _ = task::thread("device-close", move || opened.close());
                }
            }
            News::Listed(devices) => {
                self.sources.listing = None;
                if let Some(devices) = devices {
                    for lane in &mut self.sources.lanes {
                        lane.care.on_devices(clock::now(), &devices);
                    }
                }
            }
        }
        self.tend();
    }

    fn on_opened(&mut self, kind: Kind, result: Result<Opened, Trouble>) {
        let now = clock::now();
        let lane = self.sources.lane(kind);
        // Switched off since: it was on its way, and goes no further.
        let off = lane.waiting.iter().any(|(switch, _)| !switch.is_on());
        match (lane.job.take(), result) {
            (Some(Job::Person { switch, choice, reply, .. }), Ok(opened)) => {
                let device = opened.device().cloned();
                self.parts.media.install(opened, switch.is_on() && !off);
                self.switched(&switch, Ok(()), reply);
                if let (Some(choice), Some(device)) = (choice, device) {
                    self.sources.lane(kind).care.on_opened(&choice, device);
                }
            }
            (Some(Job::Person { switch, choice, tried, reply }), Err(error)) => {
                // The list may be older than the device is away: what takes its place is tried.
                if !off && tried < MOST_TRIED && !switch.chooses() && media::is_of_device(&error) {
                    if let Some(choice) = &choice {
                        lane.care.on_refused(now, choice);
                    }
                    let next = lane.care.aim(now).filter(|next| Some(next) != choice.as_ref());
                    if let Some(next) = next
                        && let Step::Open(plan) = self.parts.media.begin(&switch, Some(next.clone()))
                    {
                        let tried = tried + 1;
                        self.open(kind, plan, Job::Person { switch, choice: Some(next), tried, reply });
                        return;
                    }
                }
                self.switched(&switch, Err(error), reply);
                // A camera before it was closed for nothing: it is taken again.
                let lane = self.sources.lane(kind);
                if self.parts.media.device(kind).is_none() && !lane.care.is_lost() && lane.care.wants() {
                    lane.care.on_lost(now, "", super::care::Cause::Gone);
                }
            }
            (Some(Job::Care(choice)), Ok(opened)) => {
                if off {
                    lane.care.on_failed(now);
                    let _ = task::thread("device-close", move || opened.close());
                } else if let Some(device) = opened.device().cloned() {
                    lane.care.on_opened(&choice, device);
                    self.parts.media.install(opened, true);
                    self.publish_tracks();
                }
            }
            (Some(Job::Care(_)), Err(error)) => {
                tracing::debug!(%kind, %error, "it does not open yet");
                lane.care.on_failed(now);
            }
            (None, _) => {}
        }
        self.next(kind);
    }

    /// A switch was carried out: shown to all, and answered.
    fn switched(&mut self, switch: &Switch, result: Result<(), Trouble>, reply: Option<Reply>) {
        let kind = switch.kind();
        if result.is_ok() {
            self.parts.media.keep(switch);
            let settings = self.meeting.state().settings;
            self.meeting.on_setting(match switch.clone() {
                Switch::Camera { on, source } => Setting::Camera(source.unwrap_or(settings.camera), on),
                Switch::Microphone { on, source } => Setting::Microphone(source.unwrap_or(settings.microphone), on),
                Switch::Speaker { on, sink } => Setting::Speaker(sink.unwrap_or(settings.speaker), on),
                Switch::Screen { on, source } => Setting::Screen(source.unwrap_or(settings.screen), on),
            });
            let wish = self.parts.media.wish(kind);
            self.sources.lane(kind).care.on_wish(wish, switch.is_on());
        }
        self.publish_tracks();
        // Nobody waits for what was to be shared from the start.
        if let (Kind::Screen, None, Err(error)) = (kind, &reply, &result) {
            self.emit(Event::Warning(failure::trouble(kind, error)));
            self.show_off(kind);
        }
        let answered = result.map(|()| Done::Ok).map_err(|error| match kind {
            Kind::Camera => failure::source(&error, "camera"),
            Kind::Microphone => failure::source(&error, "microphone"),
            Kind::Screen => failure::source(&error, "screen"),
            Kind::Speaker => failure::media(&error),
        });
        answer(reply, answered);
    }

    /// Something of ours ended by itself: it is not left to the next second.
    pub(super) fn on_ended(&mut self) {
        self.take_troubles();
        self.tend();
    }

    /// Once a second: what ended by itself, and what there is where that matters.
    pub(super) fn tick_sources(&mut self) {
        self.take_troubles();
        if self.sources.lanes.iter().any(|lane| lane.care.watches()) {
            self.look();
        }
        self.tend();
    }

    fn take_troubles(&mut self) {
        let now = clock::now();
        if let Some(error) = self.parts.media.screen_audio_trouble() {
            self.emit(Event::Warning(failure::trouble(Kind::Screen, &error)));
            self.meeting.on_setting(Setting::ScreenAudio(spec::ScreenAudio::Off));
        }
        for (kind, error) in self.parts.media.troubles() {
            let warning = failure::trouble(kind, &error);
            let lane = self.sources.lane(kind);
            if lane.care.wants() && media::is_of_device(&error) {
                lane.code = Some(warning.code);
                lane.care.on_lost(now, media::name_in(&error), media::cause(&error));
            } else {
                // Of one that is switched off nothing is to be said: when it is switched on what is there is opened.
                lane.care.on_closed();
                if kind == Kind::Screen || !media::is_of_device(&error) {
                    let wish = self.parts.media.wish(kind);
                    lane.care.on_wish(wish, false);
                    self.emit(Event::Warning(warning));
                    self.show_off(kind);
                }
            }
        }
        // A screen that is shared may also have another size by now.
        self.publish_tracks();
    }

    /// Asks the system for its devices, once at a time.
    fn look(&mut self) {
        let now = clock::now();
        if !devices::BUILT || self.sources.listing.is_some_and(|since| now < since + LIST_LIMIT) {
            return;
        }
        let sender = self.later.0.clone();
        let run = move || {
            let _ = sender.blocking_send(Later::Source(News::Listed(devices::look())));
        };
        match task::thread("device-list", run) {
            Ok(_) => self.sources.listing = Some(now),
            Err(error) => tracing::warn!(%error, "devices are not listed"),
        }
    }

    /// Carries out what the care wants.
    fn tend(&mut self) {
        for kind in Kind::ALL {
            loop {
                let lane = self.sources.lane(kind);
                if lane.job.is_some() {
                    break;
                }
                match lane.care.poll(clock::now()) {
                    None => break,
                    Some(Do::Look) => self.look(),
                    Some(Do::Close) => {
                        self.parts.media.close(kind);
                        self.publish_tracks();
                    }
                    Some(Do::Tell(told)) => {
                        if matches!(told, Told::Lost { .. }) {
                            self.parts.media.close(kind);
                            self.publish_tracks();
                        }
                        let code = match (&told, self.sources.lane(kind).code.take()) {
                            (Told::Lost { .. }, code) => code.unwrap_or(missing(kind)),
                            _ => WarningCode::DeviceChanged,
                        };
                        self.emit(Event::Warning(words(kind, code, &told)));
                    }
                    Some(Do::Open(choice)) => {
                        let plan = self.parts.media.replace(kind, choice.clone());
                        self.publish_tracks();
                        self.open(kind, plan, Job::Care(choice));
                    }
                }
            }
        }
    }

    /// Its track is gone, and it is shown as off.
    fn show_off(&mut self, kind: Kind) {
        let settings = self.meeting.state().settings;
        self.meeting.on_setting(match kind {
            Kind::Camera => Setting::Camera(settings.camera, false),
            Kind::Microphone => Setting::Microphone(settings.microphone, false),
            Kind::Speaker => Setting::Speaker(settings.speaker, false),
            Kind::Screen => Setting::Screen(settings.screen, false),
        });
    }
}

/// What is said of one that is on no list any more.
const fn missing(kind: Kind) -> WarningCode {
    match kind {
        Kind::Camera => WarningCode::NoCamera,
        Kind::Microphone => WarningCode::NoMicrophone,
        Kind::Speaker => WarningCode::NoSpeaker,
        Kind::Screen => WarningCode::NoScreen,
    }
}

fn answer(reply: Option<Reply>, result: Result<Done, Failure>) {
    if let Some(reply) = reply {
        let _ = reply.send(result);
    }
}

/// What happened to a device, in words.
fn words(kind: Kind, code: WarningCode, told: &Told) -> Warning {
    use super::care::Cause;
    let effect = match kind {
        Kind::Camera => "others do not see you",
        Kind::Microphone => "others do not hear you",
        Kind::Speaker => "you do not hear others",
        Kind::Screen => "others do not see it",
    };
    let lost = |was: &str, cause: &Cause| {
        let was = if was.is_empty() { format!("the {kind}") } else { was.to_owned() };
        match cause {
            Cause::Gone => format!("{was} is gone"),
            Cause::Fails(why) => format!("{was} does not work ({why})"),
        }
    };
    let (message, hint) = match told {
        Told::Replaced { was, cause, now } => {
            (format!("{}; {now} is used now.", lost(was, cause)), "If that is not the right one, choose another.")
        }
        Told::Lost { was, cause } => {
            let hint = match cause {
                Cause::Gone => "It is used again by itself when it is back; or choose another.",
                Cause::Fails(_) => {
                    "Close other programs that use it, or unplug it and plug it in again: it is tried again by itself."
                }
            };
            (format!("{}: {effect}.", lost(was, cause)), hint)
        }
        Told::Back { now } => (format!("{now} is back and used again."), ""),
        Told::Followed { now } => (format!("{now} is used now, as the system prefers it."), ""),
    };
    Warning { code, person: None, message: failure::sentence(&message), hint: hint.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::care::Cause;

    #[test]
    fn what_happens_to_a_device_is_a_sentence_with_what_to_do() {
        let check = |kind, told: Told, message: &str, hinted: bool| {
            let warning = words(kind, WarningCode::DeviceChanged, &told);
            assert_eq!((warning.message.as_str(), !warning.hint.is_empty()), (message, hinted));
        };
        let (was, now) = ("Headset".to_owned(), "Built-in Audio".to_owned());
        let replaced = Told::Replaced { was: was.clone(), cause: Cause::Gone, now: now.clone() };
        check(Kind::Speaker, replaced, "Headset is gone; Built-in Audio is used now.", true);
        let cause = Cause::Fails("another program uses it".to_owned());
        let lost = Told::Lost { was: "Desk".to_owned(), cause };
        check(Kind::Camera, lost, "Desk does not work (another program uses it): others do not see you.", true);
        let lost = Told::Lost { was: String::new(), cause: Cause::Gone };
        check(Kind::Microphone, lost, "The microphone is gone: others do not hear you.", true);
        check(Kind::Microphone, Told::Back { now: was.clone() }, "Headset is back and used again.", false);
        check(Kind::Speaker, Told::Followed { now: was }, "Headset is used now, as the system prefers it.", false);
    }
}
