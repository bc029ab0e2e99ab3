//! Sans-IO. The body of a clock packet: what ties a track's timestamps to its sender's host clock, so that a receiver
//! knows when a picture or a sample was captured (latency), and how two tracks belong together (lip sync).

use bytes::{BufMut, Bytes, BytesMut};

/// What a track's sender says once a second: which moment of its host clock a media timestamp is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// The media timestamp, in the track's own units.
    pub timestamp: u64,
    /// When it was captured, by the sender's host clock.
    pub host_micros: u64,
}

impl Clock {
    /// Writes the body.
    pub fn encode(self) -> Bytes {
        let mut out = BytesMut::with_capacity(16);
        out.put_u64(self.timestamp);
        out.put_u64(self.host_micros);
        out.freeze()
    }

    /// Reads a body; `None` when it is too short. What follows is from the future and ignored.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let (timestamp, rest) = body.split_first_chunk()?;
        let host_micros = rest.first_chunk()?;
        Some(Self { timestamp: u64::from_be_bytes(*timestamp), host_micros: u64::from_be_bytes(*host_micros) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_reads_back_and_ignores_the_future() {
        let clock = Clock { timestamp: 48_000, host_micros: 1 << 40 };
        let mut body = clock.encode().to_vec();
        assert_eq!(Clock::parse(&body), Some(clock));
        assert_eq!(Clock::parse(&body[..15]), None);
        body.push(1);
        assert_eq!(Clock::parse(&body), Some(clock));
    }
}
