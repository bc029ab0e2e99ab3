//! Sans-IO. The words of the figures.

use crate::stats::{Peer, Video};

/// The title.
pub const STATS: &str = "Stats";
/// Of a graph.
pub const SENT: &str = "Sent";
/// Of a graph.
pub const RECEIVED: &str = "Received";
/// At the left of a graph.
pub const FIVE_MINUTES: &str = "5 min ago";
/// At the right of a graph.
pub const NOW: &str = "now";
/// What the graphs show.
pub const MINUTES: &str = "The last 5 minutes";
/// Makes it large.
pub const EXPAND: &str = "Expand";
/// Makes it small.
pub const SHRINK: &str = "Back to the panel";
/// Saves the table of seconds.
pub const EXPORT_CSV: &str = "Export CSV";
/// The same.
pub const EXPORT_JSON: &str = "Export JSON";
/// Nobody is here.
pub const ALONE: &str = "Nobody else is here. Figures of the others stand here as soon as somebody comes.";
/// A figure that is not known.
pub const UNKNOWN: &str = "–";
/// No picture is received.
pub const OFF: &str = "off";
/// The head of the table.
pub const COLUMNS: [&str; 10] =
    ["Person", "Round trip", "Loss", "Jitter", "Receiving", "Sending", "Picture", "Screen", "Layer", "Latency"];

/// Kinds of bytes, in the order of their lines.
pub const KINDS: [&str; 6] = ["total", "video", "audio", "files", "chat", "control"];

/// Bits a second with a unit.
pub fn rate(bps: u64) -> String {
    match bps {
        0 => "0".to_owned(),
        1..1_000 => format!("{bps} bit/s"),
        1_000..1_000_000 => short(bps, 1_000, "kbit/s"),
        1_000_000..1_000_000_000 => short(bps, 1_000_000, "Mbit/s"),
        _ => short(bps, 1_000_000_000, "Gbit/s"),
    }
}

fn short(count: u64, unit: u64, name: &str) -> String {
    let (whole, tenth) = (count / unit, count % unit * 10 / unit);
    if whole >= 10 || tenth == 0 { format!("{whole} {name}") } else { format!("{whole}.{tenth} {name}") }
}

/// The name under which figures are saved.
pub fn file(room: &str, ending: &str) -> String {
    let room: String = room.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    format!("lets-meet-{room}.{ending}")
}

/// Milliseconds.
pub fn ms(value: Option<f64>) -> String {
    match value {
        None => UNKNOWN.to_owned(),
        Some(value) if value < 10.0 => format!("{value:.1} ms"),
        Some(value) => format!("{value:.0} ms"),
    }
}

/// A share, 0 to 1, as percent.
pub fn percent(value: Option<f64>) -> String {
    match value.map(|value| value * 100.0) {
        None => UNKNOWN.to_owned(),
        Some(value) if value > 0.0 && value < 10.0 => format!("{value:.1} %"),
        Some(value) => format!("{value:.0} %"),
    }
}

/// `640×360 · 30`.
pub fn picture(video: Option<&Video>) -> String {
    match video {
        Some(Video { width: Some(width), height: Some(height), fps, .. }) => match fps {
            Some(fps) => format!("{width}×{height} · {fps:.0}"),
            None => format!("{width}×{height}"),
        },
        _ => OFF.to_owned(),
    }
}

/// Half of the pictures are this late or less; of the sound where no picture is received.
pub fn latency(peer: &Peer) -> String {
    let video = peer.video.as_ref().and_then(|video| video.latency_ms);
    let audio = peer.audio.as_ref().and_then(|audio| audio.latency_ms);
    ms(video.or(audio).map(|latency| latency.p50))
}

/// One line for a peer in the panel.
pub fn brief(peer: &Peer) -> String {
    let link = &peer.link;
    let shown = peer.screen.as_ref().filter(|screen| screen.width.is_some());
    let screen = shown.map(|screen| format!(" · screen {}", picture(Some(screen)))).unwrap_or_default();
    format!("{} · {} loss · {}{screen}", ms(link.rtt_ms), percent(link.loss), picture(peer.video.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_units_and_unknown_is_not_nothing() {
        let check = |bps: u64, expect: &str| assert_eq!(rate(bps), expect);
        check(0, "0");
        check(40_000, "40 kbit/s");
        check(2_150_000, "2.1 Mbit/s");
        check(2_000_000, "2 Mbit/s");
        check(98_700_000, "98 Mbit/s");
        assert_eq!((ms(None), ms(Some(0.84)), ms(Some(14.2))), ("–".into(), "0.8 ms".into(), "14 ms".into()));
        assert_eq!((percent(Some(0.0)), percent(Some(0.021))), ("0 %".to_owned(), "2.1 %".to_owned()));
        assert_eq!(picture(None), "off");
        let screen = Video { width: Some(1920), height: Some(1080), fps: Some(11.6), ..Video::default() };
        let peer = Peer { screen: Some(screen), ..Peer::default() };
        assert_eq!(brief(&peer), "– · – loss · off · screen 1920×1080 · 12");
        assert_eq!(file("Stand up/1", "csv"), "lets-meet-Stand-up-1.csv");
    }
}
