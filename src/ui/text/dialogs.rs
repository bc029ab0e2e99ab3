//! Sans-IO. Words of the dialogs.

use std::net::SocketAddr;

use crate::known::trust::Trust;
use crate::meeting::CallEnd;

/// Takes something back.
pub const CANCEL: &str = "Cancel";
/// The title of the dialog to join.
pub const JOIN: &str = "Join a meeting";
/// Explains its field.
pub const JOIN_HOW: &str = "Paste an invitation link, or type a code, the name of a meeting, or an address. To call somebody, type \
     @username or the whole key.";
/// In its field.
pub const JOIN_FIELD: &str = "letsmeet://…, name#code, name, 192.0.2.7 or @ana";
/// The second field, for an address.
pub const JOIN_ROOM: &str = "Name of the meeting there";
/// The button.
pub const JOIN_NOW: &str = "Join";
/// The same where nobody is there to be joined.
pub const START_IT: &str = "Start it";
/// No meeting of that name is in sight.
pub const NOBODY_MEETS: &str = "No meeting of this name is nearby. Check how it is written, or start it yourself.";
/// A code names nobody who is in sight.
pub const NOT_IN_SIGHT: &str =
    "Nobody in sight has this code. Check it, or ask for the invitation link: that works without being in sight.";
/// Calls a person who was typed.
pub const CALL_NOW: &str = "Call";
/// A username needs a service.
pub const NEEDS_SERVICE: &str = "A username is looked up at a rendezvous, and you have set none: see Settings, Network. People in sight can be called from the list.";
/// An address needs a name.
pub const NEEDS_ROOM: &str = "An address says where, not which meeting: type the name of the meeting too.";

/// The title of an invitation.
pub const INVITE: &str = "Invite others";
/// What an invitation is.
pub const INVITE_HOW: &str =
    "Whoever has this link can come in. It says where you are, so give it only to people you want here.";
/// The link.
pub const LINK: &str = "Link";
/// The short text.
pub const CODE: &str = "Code, for people on this network";
/// Copies.
pub const COPY: &str = "Copy";
/// After copying.
pub const LINK_COPIED: &str = "The link is on the clipboard.";
/// After copying.
pub const CODE_COPIED: &str = "The code is on the clipboard.";
/// The picture of the link.
pub const SCAN: &str = "Scan with a camera";

/// Takes a call.
pub const ANSWER: &str = "Answer";
/// Refuses a call.
pub const DECLINE: &str = "Decline";
/// It rings there.
pub const RINGING: &str = "Ringing…";

/// Above what was warned of, in the check of the network.
pub const WARNED: &str = "What went wrong before";

/// The title of the comparison.
pub const VERIFY: &str = "Compare words";
/// They are on their way.
pub const WORDS_COMING: &str = "One moment…";
/// The words are equal.
pub const WORDS_SAME: &str = "They are the same";
/// They are not.
pub const WORDS_DIFFER: &str = "They differ";
/// What it means when they differ.
pub const DIFFER_HOW: &str =
    "Somebody may stand between you. Say nothing secret here, and compare again by telephone or face to face.";

/// The title of a changed key.
pub const CHANGED: &str = "Is this really the same person?";
/// Stays with the key kept apart.
pub const KEEP_APART: &str = "Keep apart";
/// Takes the new key.
pub const ACCEPT_KEY: &str = "Accept the new key";

/// The dialog in which a screen is chosen.
pub const SHARE: &str = "Share a screen";
/// What follows from it.
pub const SHARE_HOW: &str = "Everybody in the meeting sees what you choose, also what comes up on it later. Where a whole display is shared, the windows of Lets Meet on it are seen too.";
/// Beside the screens that can be shared.
pub const SHARE_SOUND: &str = "Share what other programs play, too";
/// The displays.
pub const DISPLAYS: &str = "Displays";
/// The windows.
pub const WINDOWS: &str = "Windows";
/// They are being asked for.
pub const SCREENS_COMING: &str = "One moment…";
/// There is none.
pub const NO_SCREENS: &str = "No screen can be shared here: this program sees no display that it can read.";
/// Asks the system again.
pub const LOOK_AGAIN: &str = "Look again";

/// The title of the choice of recipients.
pub const SEND: &str = "Send to whom?";
/// Sends.
pub const SEND_NOW: &str = "Send";
/// Nobody is there.
pub const NOBODY_TO_SEND: &str = "Nobody is in sight. Who opens Lets Meet on this network appears here.";
/// Everybody in the meeting.
pub const EVERYBODY: &str = "Everybody in the meeting";

/// The title of a link that was opened.
pub const LINK_ASKS: &str = "Join this meeting?";
/// Joins.
pub const LINK_JOIN: &str = "Join";
/// Does not.
pub const LINK_LATER: &str = "Not now";
/// What joining does.
pub const LINK_HOW: &str = "Your computer then connects to the people in it, and they see your name.";
/// In place of the name of a room, where that is the secret of a call.
pub const LINK_CALL: &str = "A call";

/// Where a link leads.
pub fn link_at(addresses: &[SocketAddr]) -> String {
    if addresses.is_empty() {
        return "It leads to wherever that key is found.".to_owned();
    }
    let at: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    format!("It leads to {}.", at.join(", "))
}

/// What a link asks before its maker has answered.
pub fn link_via(service: &str) -> String {
    format!(
        "First it asks the rendezvous {service}, which then knows your key and which meeting you look for, whoever made this \
         link."
    )
}

/// The title of the doctor.
pub const DOCTOR: &str = "Network and devices";
/// Once more.
pub const CHECK_AGAIN: &str = "Check again";
/// Copies the findings.
pub const COPY_REPORT: &str = "Copy";
/// After copying.
pub const REPORT_COPIED: &str = "The findings are on the clipboard.";

/// Who calls.
pub fn calls(name: &str) -> String {
    format!("{name} is calling")
}

/// Who is called.
pub fn calling(name: &str) -> String {
    format!("Calling {name}")
}

/// The title of a meeting that is a call.
pub fn call_with(name: &str) -> String {
    format!("Call with {name}")
}

/// How far the caller's key is trusted.
pub fn caller(trust: Trust, short: &str) -> String {
    match trust {
        Trust::New => format!("You have never met this key ({short}) under this name."),
        Trust::Known => "You have met before.".to_owned(),
        Trust::Verified => "Verified: you compared words.".to_owned(),
        Trust::Changed => format!("Careful: another key ({short}) than the one you verified under this name."),
    }
}

/// Where the call leads, when it is into a meeting.
pub fn into_meeting(room: &str) -> String {
    format!("Into the meeting {room}.")
}

/// What answering ends.
pub fn leaves(room: &str) -> String {
    format!("Answering leaves {room}.")
}

/// What joining ends.
pub fn joining_leaves(room: &str) -> String {
    format!("Joining leaves {room}.")
}

/// How a call of ours ended; `None` when nothing is to be said.
pub fn call_ended(name: &str, reason: CallEnd) -> Option<String> {
    Some(match reason {
        CallEnd::Answered | CallEnd::Cancelled => return None,
        CallEnd::Declined => format!("{name} declined the call."),
        CallEnd::Busy => format!("{name} is in another call. Try again in a moment, or send a file or a link."),
        CallEnd::Timeout => format!("{name} does not answer. Try again later."),
    })
}

/// A call that nobody took here.
pub fn missed(name: &str) -> String {
    format!("{name} called.")
}

/// What to do with the words.
pub fn verify_how(name: &str) -> String {
    format!(
        "Read these words to {name}, by telephone or face to face. When both of you see the same words, nobody stands \
         between you."
    )
}

/// A key is verified whose name is not known any more.
pub const VERIFIED: &str = "The key is verified.";

/// Somebody is verified now.
pub fn verified(name: &str) -> String {
    format!("{name} is verified.")
}

/// What happened with a changed key.
pub fn changed_how(name: &str) -> String {
    format!(
        "You once compared words with {name}. Somebody with that name is here now with another key: a new computer, or \
         somebody else. Until you decide, nothing you say, show or send goes there."
    )
}

/// The words to compare before a new key is accepted.
pub fn changed_words(name: &str) -> String {
    format!("Call {name} by telephone. Accept only if these are the words there, too:")
}

/// Which files.
pub fn files(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

/// Whose link it is.
pub fn invited_by(name: Option<&str>, short: &str) -> String {
    match name {
        Some(name) => format!("{name} ({short}) invites you. If another key answers there, you do not go in."),
        None => format!("The key {short} invites you. If another key answers there, you do not go in."),
    }
}

/// How one goes in.
pub fn will_be(camera: bool, microphone: bool) -> String {
    let word = |on: bool| if on { "on" } else { "off" };
    format!("Your camera is {}, your microphone {}.", word(camera), word(microphone))
}
