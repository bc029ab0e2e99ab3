//! Sans-IO. Words of the lobby.

use crate::engine::doctor::Check;
use crate::known::trust::Trust;

/// The title over meetings and people.
pub const MEET: &str = "Meet";
/// Over the meetings.
pub const MEETINGS_NEARBY: &str = "Meetings nearby";
/// Over the people.
pub const PEOPLE_NEARBY: &str = "People nearby";
/// Over transfers.
pub const FILES: &str = "Files";
/// Opens the dialog.
pub const JOIN_BY: &str = "Join by code or link";
/// Joins a meeting.
pub const JOIN: &str = "Join";
/// Rings a person.
pub const CALL: &str = "Call";
/// Sends a file to a person.
pub const DROP: &str = "Send file";
/// Under the mouse over a microphone that is on only while Space is held.
pub const MICROPHONE_TALK: &str =
    "Push-to-talk: in meetings your microphone is on while you hold Space (Settings, Devices)";
/// Under the mouse over [`DROP`].
pub const DROP_TIP: &str = "Send files to this person";
/// The card for files.
pub const DROP_HERE: &str = "Drop files here to send them";
/// What the card for files promises.
pub const DROP_HOW: &str = "Encrypted and checked. They choose whether to accept.";
/// Opens the file dialog.
pub const CHOOSE_FILES: &str = "Choose files";
/// In the field for one's own name.
pub const YOUR_NAME: &str = "Your name";
/// What is true of everything here.
pub const ENCRYPTED: &str = "Everything is encrypted from you to them. No server is involved.";
/// The same with a rendezvous.
pub const ENCRYPTED_INTRODUCED: &str =
    "Everything is encrypted from you to them. The rendezvous introduces you and never sees what you say or send.";
/// Opens the pickers.
pub const DEVICES: &str = "Camera and sound";
/// The picker of cameras.
pub const CAMERA: &str = "Camera";
/// The picker of microphones.
pub const MICROPHONE: &str = "Microphone";
/// The picker of speakers.
pub const SPEAKER: &str = "Speaker";
/// Plays the test sound.
pub const TEST: &str = "Test";
/// Records the microphone and plays it back.
pub const RECORD: &str = "Record";
/// Under the mouse over [`RECORD`].
pub const RECORD_TIP: &str = "Record three seconds of this microphone, then hear them; nothing is kept";
/// Before it is recorded: the devices are opened.
pub const BEGINNING: &str = "One moment…";
/// While it is played back.
pub const PLAYING: &str = "Playing: this is how others hear you";
/// Ends a sound.
pub const STOP: &str = "Stop";
/// Under the mouse over [`STOP`].
pub const STOP_TIP: &str = "End it now; nothing is kept";
/// Under the mouse over [`TEST`].
pub const TEST_TIP: &str = "Play two notes on this speaker";

/// What the system prefers.
pub const DEFAULT_DEVICE: &str = "System default";
/// No device is to be used.
pub const NO_DEVICE: &str = "None";
/// Shows one's own picture.
pub const SEE_YOURSELF: &str = "See yourself";
/// On the stage while nothing is shown.
pub const CAMERA_IS_OFF: &str = "Your camera is off";
/// On the stage while it will be on, and nothing is shown.
pub const CAMERA_WILL_BE_ON: &str = "Your camera will be on in meetings";
/// Under the mouse over the camera's button, while off.
pub const CAMERA_ON: &str = "Turn the camera on";
/// The same while on.
pub const CAMERA_OFF: &str = "Turn the camera off";
/// Under the mouse over the microphone's button, while off.
pub const MICROPHONE_ON: &str = "Join with the microphone on";
/// The same while on.
pub const MICROPHONE_OFF: &str = "Join with the microphone off";
/// The engine is on its way.
pub const STARTING: &str = "Looking around…";
/// Opens the doctor.
pub const CHECK_NETWORK: &str = "Check the network";
/// Before the meetings that one was in.
pub const RECENT: &str = "Lately:";
/// Takes them off the screen.
pub const FORGET_ROOMS: &str = "Forget these meetings";
/// Tries the engine again.
pub const TRY_AGAIN: &str = "Try again";
/// Opens the settings.
pub const OPEN_SETTINGS: &str = "Open settings";
/// Below a list that has no room for all.
pub fn more_people(count: usize) -> String {
    format!("and {count} more. Join a meeting, or use Join by code or link to call one of them.")
}

/// Nobody is in sight.
pub const NOBODY: &str = "Nobody is in sight yet";
/// What to do about it.
pub const NOBODY_HOW: &str = "Ask them to open Lets Meet on the same network; they appear here by themselves. Guest networks often keep devices \
     apart: then use an invitation link or an address.";
/// Over what was checked.
pub const CHECKED: &str = "What was checked";
/// The checks run.
pub const CHECKING: &str = "Checking this network…";
/// Nobody can see us.
pub const HIDDEN: &str = "You are hidden: people nearby do not see you, and cannot call you.";
/// The name of a meeting is no name.
pub const BAD_ROOM: &str = "Give the meeting a name of 1 to 64 characters.";
/// The engine did not start.
pub const NOT_RUNNING: &str = "Not connected";
/// Keeps the name that was typed.
pub const KEEP_NAME: &str = "Keep this name";
/// Forgets the transfers that ended.
pub const CLEAR: &str = "Clear";
/// Verified.
pub const VERIFIED: &str = "verified";

/// The line in the top bar.
pub fn status(people: usize) -> String {
    match people {
        0 => "Nobody nearby yet".to_owned(),
        1 => "1 person nearby".to_owned(),
        many => format!("{many} people nearby"),
    }
}

/// The name that a new meeting has until somebody types another.
pub fn room_of(name: &str) -> String {
    let name: String = name.chars().take(40).collect();
    let s = if name.ends_with(['s', 'S']) { "'" } else { "'s" };
    format!("{}{s} meeting", name.trim())
}

/// How many are in a meeting.
pub fn inside(people: usize) -> String {
    format!("{people} in")
}

/// How a person stands to us. `short` are the first digits of the key.
pub fn about(trust: Trust, short: &str, rooms: &[String]) -> String {
    let trust = match trust {
        Trust::New => format!("you have not met before (key {short})"),
        Trust::Known => "met before".to_owned(),
        Trust::Verified => VERIFIED.to_owned(),
        Trust::Changed => format!("another key ({short}) than the one you verified"),
    };
    match rooms {
        [] => trust,
        [room] => format!("in {room}, {trust}"),
        [room, ..] => format!("in {room} and other meetings, {trust}"),
    }
}

/// A device that was chosen and is not plugged in.
pub fn not_there(name: &str) -> String {
    format!("{name} (not plugged in)")
}

/// A finding's word, for people.
pub fn check_name(check: &Check) -> &'static str {
    match check.name {
        "interfaces" => "Network",
        "multicast" => "Announcements",
        "firewall" => "Firewall",
        "port" => "Port",
        "cameras" => "Cameras",
        "microphones" => "Microphones",
        "speakers" => "Speakers",
        other => other,
    }
}
/// What a recording was like, and what to do.
pub fn heard(words: &str, hint: &str) -> String {
    let (dot, space) = if hint.is_empty() { (".", "") } else { (".", " ") };
    format!("Your microphone: {words}{dot}{space}{hint}")
}

/// While it is recorded, for so many seconds from now on.
pub fn recording(seconds: u64) -> String {
    format!("Recording {seconds}: speak now")
}
