//! Sans-IO. How good a link is, in one of three words.

use crate::stats::Peer;

/// How good a link is, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    /// Nothing is noticed.
    Good,
    /// Something may be noticed.
    Fair,
    /// Pictures and sound break up.
    Poor,
}

impl Quality {
    /// By the figures of the last second; `None` as long as nothing was measured.
    pub fn of(peer: &Peer) -> Option<Self> {
        let link = &peer.link;
        let by = |value: f64, fair: f64, poor: f64| match value {
            value if value >= poor => Self::Poor,
            value if value >= fair => Self::Fair,
            _ => Self::Good,
        };
        // ITU-T G.114: up to 150 ms one way is not noticed, from 400 ms on it disturbs.
        let rtt = link.rtt_ms.map(|ms| by(ms, 300.0, 800.0));
        let loss = link.loss.map(|loss| by(loss, 0.02, 0.08));
        let jitter = link.jitter_ms.map(|ms| by(ms, 60.0, 200.0));
        [rtt, loss, jitter].into_iter().flatten().max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Link;

    #[test]
    fn the_worst_figure_decides() {
        let of =
            |rtt_ms, loss| Quality::of(&Peer { link: Link { rtt_ms, loss, ..Link::default() }, ..Peer::default() });
        assert_eq!(of(None, None), None);
        assert_eq!(of(Some(12.0), Some(0.0)), Some(Quality::Good));
        assert_eq!(of(Some(12.0), Some(0.03)), Some(Quality::Fair));
        assert_eq!(of(Some(900.0), None), Some(Quality::Poor));
    }
}
