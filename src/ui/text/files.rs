//! Sans-IO. The words of files on their way.

use super::bytes;

/// Offers files.
pub const SEND_FILES: &str = "Send files";
/// Under the button.
pub const HOW: &str =
    "You can also drop files on the window, or copy and paste them. Nothing is sent before the other side accepts.";
/// Nothing was sent or received.
pub const EMPTY: &str = "No files yet.";
/// Takes a file.
pub const ACCEPT: &str = "Accept";
/// Refuses a file.
pub const DECLINE: &str = "Decline";
/// Ends a transfer.
pub const CANCEL: &str = "Cancel";
/// Ends all transfers of one file.
pub const CANCEL_ALL: &str = "Cancel for everybody";
/// Offers it once more.
pub const AGAIN: &str = "Send again";
/// Forgets what ended.
pub const CLEAR: &str = "Clear ended";
/// Shows where files land.
pub const OPEN_DOWNLOADS: &str = "Open the folder where files are saved";
/// Our offer was not answered yet.
pub const WAITING: &str = "Waiting for an answer";
/// Accepted, no byte yet.
pub const STARTING: &str = "Starting";
/// It came.
pub const RECEIVED: &str = "Received, whole and checked";
/// It went.
pub const DELIVERED: &str = "Delivered, whole and checked";
/// We refused it.
pub const YOU_DECLINED: &str = "You declined it";
/// They refused it.
pub const DECLINED: &str = "Declined";

/// The desktop has no dialog to choose files.
pub const NO_CHOOSER: &str = "This desktop shows no dialog to choose files. Drop the files on this window, or copy them and paste here. \
    To have the dialog, install a desktop portal (xdg-desktop-portal) or zenity.";
/// The same for folders.
pub const NO_FOLDER_CHOOSER: &str = "This desktop shows no dialog to choose a folder. Install a desktop portal (xdg-desktop-portal) \
    or zenity, or set download_dir in config.json.";

/// From whom it comes.
pub fn from(name: &str) -> String {
    format!("From {name}")
}

/// To whom it goes.
pub fn to(name: &str) -> String {
    format!("To {name}")
}

/// How far it is: `64 %, 98.0 MB/s, 4 s left`.
pub fn progress(part: f32, rate: Option<u64>, eta_ms: Option<u64>) -> String {
    let mut words = format!("{:.0} %", (part * 100.0).floor());
    if let Some(rate) = rate {
        words.push_str(&format!(", {}/s", bytes(rate)));
    }
    if let Some(eta) = eta_ms {
        words.push_str(&format!(", {} left", duration(eta)));
    }
    words
}

/// How many of those who were offered a file have it.
pub fn have_it(have: usize, all: usize) -> String {
    format!("{have} of {all} have it")
}

/// A time, short: `4 s`, `2 min 5 s`, `3 h 10 min`.
pub fn duration(ms: u64) -> String {
    let seconds = ms.div_ceil(1000);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Why a transfer ended, and what to do. `reason` is from the closed list in `docs/protocol.md`.
pub fn failed(reason: &str) -> &'static str {
    match reason {
        "declined" => DECLINED,
        "not-accepting" => "The other side takes no files now.",
        "too-many-offers" => "Too many offers at once. Wait a little, then send it again.",
        "cancelled" => "You cancelled it.",
        "moved" => "It ended when you went into a meeting, left one or changed the network. Send it again.",
        "cancelled-by-peer" => "The other side cancelled it.",
        "expired" => "Nobody answered the offer. Send it again when they are back.",
        "link-lost" => "The connection was lost. Send it again when they are back.",
        "stalled" => "Nothing moved for too long. Check the connection and send it again.",
        "no-space" => "There is not enough space on the disk. Free some and send it again.",
        "disk-error" => "The file could not be written. Check the folder where files are saved.",
        "unreadable" => "The file could not be read. Check that it is still there.",
        "file-changed" => "The file changed while it was sent. Send it again.",
        "hash-mismatch" => "It did not arrive as it was sent and was thrown away. Send it again.",
        "protocol" => "The other side did not follow the rules of a transfer. Update both programs.",
        _ => "It did not work. Send it again.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_protocol_has_words() {
        let page = include_str!("../../../docs/protocol.md");
        let list = page.split("Reasons (closed list;").nth(1).expect("the list").split("\n\n").next().expect("its end");
        let list = list.split_once("):").expect("its beginning").1;
        let reasons: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
        assert!(reasons.len() >= 15, "{reasons:?}");
        for reason in reasons {
            assert!(reason == "failed" || failed(reason) != failed("failed"), "{reason}");
        }
    }

    #[test]
    fn progress_is_short() {
        assert_eq!(progress(0.649, Some(98_000_000), Some(3_200)), "64 %, 98.0 MB/s, 4 s left");
        assert_eq!(progress(0.0, None, None), "0 %");
        assert_eq!(duration(125_000), "2 min 5 s");
        assert_eq!(duration(11_400_000), "3 h 10 min");
    }
}
