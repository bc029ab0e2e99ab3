//! The congestion controller that quinn asks: maps its calls onto [`Delay`], which decides.
//!
//! The one thing that quinn does not know is whether a call is on; every controller of the process shares a
//! [`CallFlag`] that the mesh sets. While one is, and the peer reports, the window follows the media's estimate
//! ([`steer`]); the delay of round trips goes on being measured and takes over again.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quinn::congestion::{Controller, ControllerFactory};
use quinn_proto::RttEstimator;

use crate::endpoint::Congestion;
use crate::media::Bitrate;
use crate::mesh::bandwidth::{Aim, Delay, steered_window};

/// Whether media flows on any link of this process.
#[derive(Debug, Clone, Default)]
pub struct CallFlag(Arc<AtomicBool>);

impl CallFlag {
    /// Media flows, or no longer.
    pub fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }

    /// True while media flows.
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// What windows are for now.
    pub fn aim(&self) -> Aim {
        if self.is_on() { Aim::Media } else { Aim::Throughput }
    }
}

/// Makes the controllers of an endpoint.
pub fn congestion(call: CallFlag) -> Congestion {
    Congestion(Arc::new(Factory { call }))
}

/// The state of a connection's controller, as it is now; `None` when it has another controller.
pub fn state_of(connection: &quinn::Connection) -> Option<Delay> {
    connection.congestion_state().into_any().downcast::<DelayController>().ok().map(|controller| controller.delay)
}

/// While media flows, the window of this connection carries `rate`; `None` goes back to the delay of round trips.
pub fn steer(connection: &quinn::Connection, rate: Option<Bitrate>) {
    if let Ok(controller) = connection.congestion_state().into_any().downcast::<DelayController>() {
        controller.steered.store(rate.map_or(0, Bitrate::bps), Ordering::Relaxed);
    }
}

struct Factory {
    call: CallFlag,
}

impl ControllerFactory for Factory {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        let (delay, call) = (Delay::new(now, mtu), self.call.clone());
        Box::new(DelayController { delay, call, steered: Arc::default(), round_trip: Duration::ZERO })
    }
}

#[derive(Debug, Clone)]
struct DelayController {
    delay: Delay,
    call: CallFlag,
    /// Bits a second, shared by all clones; 0 is none.
    steered: Arc<AtomicU64>,
    round_trip: Duration,
}

impl Controller for DelayController {
    fn on_ack(&mut self, now: Instant, sent: Instant, _bytes: u64, _limited: bool, rtt: &RttEstimator) {
        self.round_trip = rtt.get();
        self.delay.on_ack(now.saturating_duration_since(sent));
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, limited: bool, _largest: Option<u64>) {
        self.delay.on_acks_end(now, in_flight, limited, self.call.aim());
    }

    fn on_congestion_event(&mut self, _now: Instant, _sent: Instant, persistent: bool, lost: u64) {
        self.delay.on_loss(lost, persistent);
    }

    fn on_mtu_update(&mut self, mtu: u16) {
        self.delay.on_packet_size(mtu);
    }

    fn window(&self) -> u64 {
        let steered = self.steered.load(Ordering::Relaxed);
        if steered == 0 || !self.call.is_on() {
            return self.delay.window();
        }
        steered_window(Bitrate::from_bps(steered), self.round_trip)
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        self.delay.window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
