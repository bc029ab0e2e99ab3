//! Sans-IO. The words of the meeting screen.

use std::time::Duration;

/// The microphone's button while it is on.
pub const MUTE: &str = "Mute";
/// The same while it is off.
pub const UNMUTE: &str = "Unmute";
/// The microphone's button while a held key lets one talk.
pub const TALKING: &str = "Talking";
/// The camera's button.
pub const CAMERA: &str = "Camera";
/// Under the mouse: the microphone.
pub const TIP_MICROPHONE: &str = "Microphone on or off (M)";
/// Under the mouse: the camera.
pub const TIP_CAMERA: &str = "Camera on or off (V)";
/// Shares a screen.
pub const SHARE: &str = "Share";
/// The same in the menu.
pub const SHARE_SCREEN: &str = "Share a screen";
/// The same while one shares.
pub const STOP_SHARING: &str = "Stop sharing";
/// Under the mouse: sharing.
pub const TIP_SHARE: &str = "Share a screen, or stop sharing (S)";
/// What is shared, where its name is not known.
pub const A_SCREEN: &str = "a screen";

/// While one shares.
pub fn sharing(name: &str) -> String {
    format!("You are sharing {name}. Everybody here sees it.")
}

/// On a screen that somebody shares.
pub fn shared_by(name: &str) -> String {
    format!("{name} shares a screen")
}

/// Raises one's hand.
pub const HAND: &str = "Hand";
/// Under the mouse: the hand.
pub const TIP_HAND: &str = "Raise or lower your hand (H)";
/// Reacts.
pub const REACT: &str = "React";
/// The menu of all else.
pub const MORE: &str = "More";
/// Oneself.
pub const YOU: &str = "You";
/// The panels.
pub const CHAT: &str = "Chat";
/// The panel of people.
pub const PEOPLE: &str = "People";
/// The panel of files.
pub const FILES: &str = "Files";
/// The panel of figures.
pub const STATS: &str = "Stats";
/// Closes the panel.
pub const CLOSE_PANEL: &str = "Close the panel (Esc)";
/// Layout: everybody.
pub const GRID: &str = "Everybody in a grid (G)";
/// Layout: who speaks.
pub const SPEAKER: &str = "Who speaks is large (1)";
/// Layout: the pinned one.
pub const PINNED: &str = "The pinned person is large (2)";
/// The same, in a menu.
pub const LAYOUT: &str = "Layout";
/// One of the layouts.
pub const LAYOUT_GRID: &str = "Grid";
/// One of the layouts.
pub const LAYOUT_SPEAKER: &str = "Speaker";
/// Makes a person large.
pub const PIN: &str = "Pin";
/// No longer large.
pub const UNPIN: &str = "Unpin";
/// One's own tile.
pub const OWN_TILE: &str = "Show my own tile";
/// Hides one's own tile.
pub const HIDE_OWN: &str = "Hide my tile; More shows it again";
/// The menu of qualities.
pub const QUALITY: &str = "Quality of my picture";
/// Opens the settings.
pub const DEVICES: &str = "Devices and settings";
/// Opens the invitation.
pub const INVITE: &str = "Invite somebody";
/// Over a tile whose link is silent.
pub const RECONNECTING: &str = "Reconnecting…";
/// Below the name of a meeting that is being joined.
pub const JOINING_HINT: &str = "Devices are opened, and those who are there are looked for.";
/// Nobody else is here.
pub const ALONE: &str = "You are the first one here";
/// Everybody else was here and went.
pub const ALL_LEFT: &str = "Everybody else has left";
/// A call was taken, and the other side is not here yet.
pub const CALL_WAITS: &str = "Connecting…";
/// What to do then.
pub const CALL_WAITS_HINT: &str = "The other side is on the way. If nobody comes within half a minute, leave and call again: a firewall may be in between.";
/// The same of a call.
pub const CALL_OVER: &str = "The call is over";
/// What to do then.
pub const CALL_OVER_HINT: &str = "The other side has left. Leave too, and call again from the lobby.";
/// What to do then.
pub const ALONE_HINT: &str =
    "People on this network see the meeting in their lobby. Everybody else needs the invitation.";
/// The same when nothing is announced.
pub const ALONE_HIDDEN: &str = "The meeting is announced to nobody: others need the invitation.";
/// What to do when every seat is taken.
pub const FULL_HINT: &str = "Every seat is taken. Ask somebody there to leave, then try again.";
/// What to do when one was removed.
pub const REMOVED_HINT: &str = "Its members let you in no more. Ask one of them why, outside of this meeting.";
/// Leaves a meeting that nobody lets us into.
pub const BACK_TO_LOBBY: &str = "Back to the lobby";
/// No camera is chosen.
pub const NO_CAMERA: &str = "No camera is chosen.";
/// No microphone is chosen.
pub const NO_MICROPHONE: &str = "No microphone is chosen.";
/// Opens the settings, in a toast.
pub const CHOOSE: &str = "Choose one";
/// The volume of somebody.
pub const VOLUME: &str = "Volume";
/// Nobody in the panel of people.
pub const NOBODY: &str = "Nobody else is here yet.";
/// Those in sight who are not in this meeting.
pub const NEARBY: &str = "Nearby";
/// What calling them does.
pub const NEARBY_HOW: &str = "A call asks them to come into this meeting.";
/// Compares words.
pub const VERIFY: &str = "Compare words to be sure who this is";
/// Decides about another key.
pub const DECIDE: &str = "Decide about this key";
/// A line for one.
pub const MESSAGE: &str = "Message";
/// A file for one.
pub const SEND_FILE: &str = "Send a file";
/// The key was never seen before.
pub const KEY_NEW: &str = "new key";
/// The key was seen before.
pub const KEY_KNOWN: &str = "known key";
/// The words were compared.
pub const KEY_VERIFIED: &str = "verified";
/// Another key than the verified one.
pub const KEY_CHANGED: &str = "another key than before";
/// Every link is good.
pub const NETWORK_GOOD: &str = "The network is good";
/// Some link is not.
pub const NETWORK_FAIR: &str = "The network is so-so";
/// A link is bad.
pub const NETWORK_POOR: &str = "The network is bad: pictures and sound may break up";

/// The emoji to react with.
pub const REACTIONS: [&str; 8] = ["👍", "❤️", "😂", "😮", "👏", "🎉", "🙁", "🤔"];

/// How long it has been going on, as clocks show it.
pub fn duration(since: Duration) -> String {
    let seconds = since.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A rate with a unit that keeps it short.
pub fn rate(bps: u64) -> String {
    match bps {
        0..1_000_000 => format!("{} kbit/s", bps.div_ceil(1000)),
        1_000_000..1_000_000_000 => format!("{}.{} Mbit/s", bps / 1_000_000, bps % 1_000_000 / 100_000),
        _ => format!("{}.{} Gbit/s", bps / 1_000_000_000, bps % 1_000_000_000 / 100_000_000),
    }
}

/// What the shield says.
pub fn security(verified: usize, all: usize) -> String {
    match (verified, all) {
        (_, 0) => "Encrypted from end to end.".to_owned(),
        (verified, all) if verified == all => "Encrypted from end to end. Every key here is verified.".to_owned(),
        (verified, all) => {
            format!("Encrypted from end to end. {verified} of {all} keys are verified: compare words to be sure.")
        }
    }
}

/// On the way into a meeting.
pub fn joining(room: &str) -> String {
    format!("Joining {room}…")
}

/// Every seat of a meeting is taken.
pub fn full(room: &str) -> String {
    format!("{room} is full")
}

/// Somebody removed us.
pub fn removed(room: &str) -> String {
    format!("You were removed from {room}")
}

/// How many are here, oneself included.
pub fn people(count: usize) -> String {
    if count == 1 { "Only you are here (P)".to_owned() } else { format!("{count} people are here (P)") }
}

/// What a tile says of its link, under the mouse.
pub fn link(rtt_ms: Option<f64>, loss: Option<f64>) -> String {
    let rtt = rtt_ms.map_or_else(|| "not measured yet".to_owned(), |ms| format!("{ms:.0} ms there and back"));
    let loss = loss.map_or_else(String::new, |loss| format!(", {:.1} % lost", loss * 100.0));
    format!("{rtt}{loss}")
}

/// Those who have no tile.
pub fn more(count: usize) -> String {
    format!("+{count}")
}

/// How loud somebody is played.
pub fn volume(value: f32) -> String {
    format!("{:.0} %", value * 100.0)
}

/// A choice of quality.
pub fn quality(quality: crate::av::spec::Quality) -> String {
    match quality {
        crate::av::spec::Quality::Auto => "Auto".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_and_rates_are_short() {
        assert_eq!(duration(Duration::from_secs(761)), "12:41");
        assert_eq!(duration(Duration::from_secs(3_661)), "1:01:01");
        assert_eq!(
            (rate(0), rate(999_001), rate(2_450_000)),
            ("0 kbit/s".into(), "1000 kbit/s".into(), "2.4 Mbit/s".into())
        );
        assert_eq!(link(Some(12.4), Some(0.005)), "12 ms there and back, 0.5 % lost");
    }
}
