//! The figures of the `stats` event, with the field names that `cli.md` fixes. `None` (JSON `null`) is "not known",
//! never 0.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::id::PeerId;

/// Percentiles of one second's latencies, in milliseconds from capture to release.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// Largest.
    pub max: f64,
}

impl Latency {
    /// Percentiles (nearest rank) of `values` in milliseconds; `None` of nothing. Values outside 0 to 10 s are ignored.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| (0.0..=10_000.0).contains(v)).collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let rank = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).saturating_sub(1).min(last)];
        Some(Self { p50: rank(50), p95: rank(95), max: sorted[last] })
    }
}

/// How a latency was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LatencyKind {
    /// Both ends read the same clock.
    SameClock,
    /// The clock's offset was estimated over the link.
    Estimated,
}

/// What is received of one picture track.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Video {
    /// Pixels across.
    pub width: Option<u16>,
    /// Pixels down.
    pub height: Option<u16>,
    /// Distinct pictures released to the sink a second.
    pub fps: Option<f64>,
    /// Pictures released since the peer first joined.
    pub frames: u64,
    /// Pictures that were sent to us and never released.
    pub dropped: u64,
    /// Gaps of at least max(3d, d + 150 ms), d the mean interval.
    pub freezes: u64,
    /// Milliseconds of those gaps.
    pub frozen_ms: u64,
    /// Capture to release.
    pub latency_ms: Option<Latency>,
    /// Capture to the decoder's output.
    pub decode_latency_ms: Option<Latency>,
    /// How the latencies were known.
    pub latency_kind: Option<LatencyKind>,
    /// The layer that is received.
    pub layer: Option<String>,
}

/// What is received of one sound track.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Audio {
    /// Milliseconds played since the peer first joined; the silence of somebody who is not muted is played too.
    pub played_ms: u64,
    /// Of these, made up (silence included; muted time excluded).
    pub concealed_ms: u64,
    /// Of these, rebuilt from redundancy.
    pub repaired_ms: u64,
    /// Times that playout found nothing to play.
    pub underruns: u64,
    /// Milliseconds that wait now.
    pub buffer_ms: Option<f64>,
    /// Capture to the moment the sample is due at the sink.
    pub latency_ms: Option<Latency>,
    /// How the latency was known.
    pub latency_kind: Option<LatencyKind>,
}

/// What is sent of one track to one peer.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Sending {
    /// The encoder's target.
    pub target_bps: Option<u64>,
    /// The layer.
    pub layer: Option<String>,
    /// Pixels across; `None` for sound.
    pub width: Option<u16>,
    /// Pixels down; `None` for sound.
    pub height: Option<u16>,
    /// The codec's name.
    pub codec: Option<String>,
}

/// What is sent to one peer, by track; `None` where nothing is.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SendingTracks {
    /// Camera.
    pub video: Option<Sending>,
    /// Microphone.
    pub audio: Option<Sending>,
    /// Screen.
    pub screen: Option<Sending>,
}

/// One link, as the transport sees it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Link {
    /// Smoothed round trip.
    pub rtt_ms: Option<f64>,
    /// Media packets lost before repair, received, 0 to 1, over the last second.
    pub loss: Option<f64>,
    /// Interarrival jitter (RFC 3550, 6.4.1).
    pub jitter_ms: Option<f64>,
    /// What the link is thought to carry towards the peer.
    pub estimate_bps: Option<u64>,
    /// Bits a second to the peer over the last second, all kinds.
    pub sent_bps: Option<u64>,
    /// Bits a second from the peer over the last second, all kinds.
    pub received_bps: Option<u64>,
    /// The peer's address.
    pub path: Option<String>,
}

/// One peer of the `stats` event.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Peer {
    /// The link's figures.
    #[serde(flatten)]
    pub link: Link,
    /// Its camera, as received.
    pub video: Option<Video>,
    /// Its microphone, as received.
    pub audio: Option<Audio>,
    /// Its screen, as received.
    pub screen: Option<Video>,
    /// The sound of its screen, as received.
    pub screen_audio: Option<Audio>,
    /// Ours, as sent to it.
    pub sending: SendingTracks,
}

/// Bits a second of UDP payload by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Kinds {
    /// Sound.
    pub audio: u64,
    /// Pictures.
    pub video: u64,
    /// Chat.
    pub chat: u64,
    /// Files.
    pub file: u64,
    /// All else: handshakes, acknowledgements, gossip, feedback.
    pub control: u64,
    /// All together.
    pub total: u64,
}

/// Both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Rates {
    /// What left.
    pub sent: Kinds,
    /// What came.
    pub received: Kinds,
}

/// This process.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Process {
    /// User and system CPU seconds since the start.
    pub cpu_s: Option<f64>,
    /// Resident memory.
    pub rss_bytes: Option<u64>,
}

/// The whole `stats` event, without `event` and `at`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Stats {
    /// Rates by kind.
    pub rates: Rates,
    /// Everybody seated except oneself.
    pub peers: BTreeMap<PeerId, Peer>,
    /// This process.
    pub process: Process,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(Latency::of(&values), Some(Latency { p50: 50.0, p95: 95.0, max: 100.0 }));
        assert_eq!(Latency::of(&[7.0]), Some(Latency { p50: 7.0, p95: 7.0, max: 7.0 }));
        assert_eq!(Latency::of(&[-1.0, 20_000.0]), None);
    }
}
