//! Datagrams: one task for each link hands waiting packets to whatever connection is in use, one for each connection
//! hands arrivals to the sink. Neither passes the actor.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};

use tokio::sync::mpsc;

use super::control::Input;
use super::{Current, Link, lock, stamp};
use crate::media::{Arrival, LINK_HEADER, MAX_BODY, MAX_DATAGRAM, Packet, PacketKind, Priority, Sink, TrackId};
use crate::mesh::estimate::{MOST_PROBE, Purpose};
use crate::mesh::{Seat, congestion, report, wire};
use crate::{clock, endpoint, task};

/// What may wait below us, in time: what is handed over can no longer be overtaken by voice.
const HANDED_OVER: Duration = Duration::from_millis(10);
/// And at least so much, so that a small window is used.
const HANDED_OVER_MIN: usize = 4 * MAX_DATAGRAM;
/// How long to wait for room below. Tokio's timers are no finer.
const RETRY: Duration = Duration::from_millis(1);
/// How long an answer to "how much may wait" is used; asking takes the connection's lock.
const FRESH: Duration = Duration::from_millis(20);

/// Sends what waits on `link` until `tasks` end.
pub(in crate::mesh) async fn send_packets(link: Arc<Link>, tasks: task::Scope) {
    loop {
        tokio::select! {
            biased;
            () = tasks.cancelled() => return,
            () = link.queued.notified() => {}
        }
        let Some(Current { connection, .. }) = link.current() else { continue };
        let mut room = Room::default();
        loop {
            let used = endpoint::DATAGRAM_SEND_BUFFER.saturating_sub(connection.datagram_send_buffer_space());
            if used + MAX_DATAGRAM > room.limit(&link, &connection) {
                if connection.close_reason().is_some() || tasks.is_cancelled() {
                    break;
                }
                tokio::time::sleep(RETRY).await;
                continue;
            }
            let Some(packet) = lock(&link.queue).pop(clock::now()) else {
                probe(&link, &connection);
                break;
            };
            let datagram = datagram(&link, &packet, Purpose::Media);
            let bytes = datagram.len();
            // Errors: the connection is gone, or a peer without datagrams. Media waits for nobody.
            if connection.send_datagram(datagram).is_ok() {
                link.tallies.sent.media(packet.kind, packet.track, bytes);
            }
        }
    }
}

/// Sends padding when the estimate asks for it and nothing else waits.
fn probe(link: &Link, connection: &quinn::Connection) {
    let now = clock::now();
    // Whole, or it shows nothing; a queue without room drops its oldest without a word.
    if connection.datagram_send_buffer_space() < MOST_PROBE + 4 * MAX_DATAGRAM {
        return;
    }
    let Some(probe) = lock(&link.estimate).wants_probe(now) else { return };
    let mut body = BytesMut::zeroed(probe.each.saturating_sub(LINK_HEADER).clamp(1, MAX_BODY));
    body[0] = report::PADDING;
    let body = body.freeze();
    let (kind, track, priority) = (PacketKind::Feedback, TrackId::LINK, Priority::Feedback);
    let packet = Packet { kind, track, priority, group: 0, expires: now, body };
    for _ in 0..probe.bytes.div_ceil(probe.each).min(MOST_PROBE / probe.each.max(1) + 1) {
        if connection.send_datagram(datagram(link, &packet, Purpose::Probe)).is_err() {
            return;
        }
    }
}

/// How many bytes may wait in quinn's own queue.
#[derive(Default)]
struct Room {
    limit: usize,
    asked: Option<std::time::Instant>,
}

impl Room {
    fn limit(&mut self, link: &Link, connection: &quinn::Connection) -> usize {
        let now = clock::now();
        if self.asked.is_none_or(|asked| now.saturating_duration_since(asked) > FRESH) {
            self.asked = Some(now);
            let window = congestion::state_of(connection).map_or(0, |state| state.rate().bps());
            let rate = link.estimate().map_or(window, |estimate| estimate.bps().max(window));
            let bytes = u128::from(rate) / 8 * HANDED_OVER.as_micros() / 1_000_000;
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            self.limit = bytes.clamp(HANDED_OVER_MIN, endpoint::DATAGRAM_SEND_BUFFER);
        }
        self.limit
    }
}

fn datagram(link: &Link, packet: &Packet, purpose: Purpose) -> Bytes {
    let header = wire::Header {
        kind: packet.kind.as_u8(),
        track: packet.track.as_u8(),
        sequence: link.sequence.fetch_add(1, Ordering::Relaxed),
        sent: stamp(),
    };
    let mut out = BytesMut::with_capacity(LINK_HEADER + packet.body.len());
    out.put_slice(&header.encode());
    out.put_slice(&packet.body);
    lock(&link.estimate).on_sent(clock::now(), header.sequence, out.len(), purpose);
    out.freeze()
}

/// What a datagram is.
#[derive(Debug, PartialEq, Eq)]
pub enum Datagram {
    /// For the sink.
    Packet(PacketKind, wire::Header, Bytes),
    /// Of a kind from the future.
    Unknown(wire::Header),
    /// Too short, or with an extension longer than itself.
    Bad,
}

/// Reads a datagram.
pub fn read(datagram: &Bytes) -> Datagram {
    let Some((header, body)) = wire::Header::decode(datagram) else { return Datagram::Bad };
    match PacketKind::from_u8(header.kind) {
        // A copy of about a kilobyte: the datagram is a part of the buffer of a whole batch that the system received at
        // once, and a packet that waits in a jitter buffer would keep all of it.
        Some(kind) => {
            let body = datagram.get(body..).unwrap_or_default();
            Datagram::Packet(kind, header, Bytes::copy_from_slice(body))
        }
        None => Datagram::Unknown(header),
    }
}

/// Hands what arrives on `connection` to `sink`, once the connection is in use, until it ends. `warn` is called for
/// the first datagram that makes no sense.
pub(in crate::mesh) async fn receive_packets(
    connection: quinn::Connection,
    used: Arc<OnceLock<Arc<Link>>>,
    sink: Arc<dyn Sink>,
    inbox: mpsc::Sender<Input>,
) {
    while let Ok(bytes) = connection.read_datagram().await {
        let Some(link) = used.get() else { continue };
        let size = bytes.len();
        match read(&bytes) {
            Datagram::Packet(kind, header, body) => {
                let arrived_host = clock::host_micros();
                let track = TrackId::from_u8(header.track);
                link.on_datagram(header, arrived_host, size);
                if kind == PacketKind::Feedback && track == TrackId::LINK {
                    link.on_link_feedback(&body);
                    continue;
                }
                let arrival = Arrival {
                    kind,
                    track,
                    sequence: header.sequence,
                    sent: header.sent,
                    arrived: clock::now(),
                    arrived_host,
                    body,
                };
                // A visitor's packets go nowhere: they are not media, and no sign of a call.
                if link.seat == Seat::Room {
                    link.tallies.received.media(kind, track, size);
                    sink.on_arrival(link.key.peer, arrival);
                }
            }
            Datagram::Unknown(header) => {
                link.on_datagram(header, clock::host_micros(), size);
                if link.odd(|odd| &mut odd.unknown_datagrams) {
                    let detail = "sends datagrams of a newer version; they are ignored";
                    let _ = inbox.send(Input::Odd { peer: link.key.peer, code: "unknown-message", detail }).await;
                }
            }
            Datagram::Bad => {
                if link.odd(|odd| &mut odd.bad_datagrams) {
                    let detail = "sends datagrams that make no sense; they are dropped";
                    let _ = inbox.send(Input::Odd { peer: link.key.peer, code: "bad-input", detail }).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_does_not_hold_on_to_the_buffer_it_came_in() {
        let header = wire::Header { kind: PacketKind::Audio.as_u8(), track: 0, sequence: 1, sent: 1 };
        let mut bytes = BytesMut::from(&header.encode()[..]);
        bytes.put_slice(b"body");
        let datagram = bytes.freeze();
        let Datagram::Packet(_, read_header, body) = read(&datagram) else { panic!("a packet") };
        assert_eq!((read_header.sequence, &*body), (1, &b"body"[..]));
        assert!(!datagram.as_ptr_range().contains(&body.as_ptr()));
    }
}
