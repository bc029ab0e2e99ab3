//! Bounded hand-over places between threads and tasks: [`Slot`] keeps only the newest value, [`Ring`] keeps the
//! newest `capacity` values in order, [`Shared`] is a value that can be read at any time. Both overwrite instead of blocking the writer, and count what they overwrote:
//! a late picture or packet is worth less than the next one.
//!
//! Readers may block a thread (`recv_timeout`) or wait in a task (`recv`). Dropping every writer does not close a
//! slot; call `close`, so that a reader's end is always somebody's decision.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Why a blocking read gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// Nothing arrived in time; read again.
    Timeout,
    /// Closed and drained; nothing will ever arrive.
    Closed,
}

#[derive(Debug)]
struct State<T> {
    queue: VecDeque<T>,
    overwritten: u64,
    closed: bool,
}

#[derive(Debug)]
struct Inner<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
    notify: Notify,
    capacity: usize,
}

/// A bounded queue that drops its oldest entry when full. Cloning gives another handle to the same queue.
#[derive(Debug)]
pub struct Ring<T>(Arc<Inner<T>>);

impl<T> Clone for Ring<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Ring<T> {
    /// A queue for at most `capacity` entries (at least one). Overflow: the oldest entry is dropped and counted.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self(Arc::new(Inner {
            state: Mutex::new(State {
                queue: VecDeque::with_capacity(capacity.min(64)),
                overwritten: 0,
                closed: false,
            }),
            ready: Condvar::new(),
            notify: Notify::new(),
            capacity,
        }))
    }

    // A panic while the lock is held leaves a queue that is still valid, so poison is ignored.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds `value`; gives back the entry that had to make room. After `close` the value itself comes back.
    pub fn push(&self, value: T) -> Option<T> {
        let mut state = self.lock();
        if state.closed {
            return Some(value);
        }
        let dropped = if state.queue.len() >= self.0.capacity {
            state.overwritten += 1;
            state.queue.pop_front()
        } else {
            None
        };
        state.queue.push_back(value);
        drop(state);
        self.0.ready.notify_one();
        self.0.notify.notify_one();
        dropped
    }

    /// The oldest entry, if there is one now.
    pub fn try_recv(&self) -> Option<T> {
        self.lock().queue.pop_front()
    }

    /// Blocks this thread up to `timeout` for the oldest entry.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, Empty> {
        let deadline = crate::clock::now() + timeout;
        self.recv_until(deadline)
    }

    /// Blocks this thread until `deadline` for the oldest entry.
    pub fn recv_until(&self, deadline: Instant) -> Result<T, Empty> {
        let mut state = self.lock();
        loop {
            if let Some(value) = state.queue.pop_front() {
                return Ok(value);
            }
            if state.closed {
                return Err(Empty::Closed);
            }
            let left = deadline.saturating_duration_since(crate::clock::now());
            if left.is_zero() {
                return Err(Empty::Timeout);
            }
            (state, _) = self.0.ready.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits in a task for the oldest entry; `None` after `close`. One waiting task at a time.
    pub async fn recv(&self) -> Option<T> {
        loop {
            let waiting = self.0.notify.notified();
            {
                let mut state = self.lock();
                if let Some(value) = state.queue.pop_front() {
                    return Some(value);
                }
                if state.closed {
                    return None;
                }
            }
            waiting.await;
        }
    }

    /// Ends the queue: writers get their values back, readers drain what is left and then see the end.
    pub fn close(&self) {
        self.lock().closed = true;
        self.0.ready.notify_all();
        self.0.notify.notify_one();
    }

    /// True after `close`.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Entries waiting now.
    pub fn len(&self) -> usize {
        self.lock().queue.len()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries were dropped to make room since the start.
    pub fn overwritten(&self) -> u64 {
        self.lock().overwritten
    }
}

/// A place for one value: the newest wins.
#[derive(Debug)]
pub struct Slot<T>(Ring<T>);

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Slot<T> {
    /// An empty slot. Overflow: the newest value replaces the one that waits.
    pub fn new() -> Self {
        Self(Ring::new(1))
    }

    /// Puts `value` in place of whatever waits, which is given back.
    pub fn put(&self, value: T) -> Option<T> {
        self.0.push(value)
    }

    /// Takes what waits now.
    pub fn take(&self) -> Option<T> {
        self.0.try_recv()
    }

    /// Blocks this thread up to `timeout` for a value.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, Empty> {
        self.0.recv_timeout(timeout)
    }

    /// Waits in a task for a value; `None` after `close`.
    pub async fn recv(&self) -> Option<T> {
        self.0.recv().await
    }

    /// Ends the slot.
    pub fn close(&self) {
        self.0.close();
    }

    /// True after `close`.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// How many values were replaced before anybody took them.
    pub fn overwritten(&self) -> u64 {
        self.0.overwritten()
    }
}

/// A small shared value that one side sets now and then and another reads often. Cloning gives another handle.
#[derive(Debug, Default)]
pub struct Shared<T>(Arc<Mutex<T>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Shared<T> {
    /// Holds `value`.
    pub fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }

    /// The value now.
    pub fn get(&self) -> T {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the value.
    pub fn set(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_ring_drops_the_oldest_and_counts_it() {
        let ring = Ring::new(2);
        assert_eq!(ring.push(1), None);
        assert_eq!(ring.push(2), None);
        assert_eq!(ring.push(3), Some(1));
        assert_eq!(ring.try_recv(), Some(2));
        assert_eq!(ring.try_recv(), Some(3));
        assert_eq!(ring.overwritten(), 1);
    }

    #[test]
    fn closed_ring_drains_and_then_ends() {
        let ring = Ring::new(4);
        ring.push("a");
        ring.close();
        assert_eq!(ring.push("b"), Some("b"));
        assert_eq!(ring.recv_timeout(Duration::ZERO), Ok("a"));
        assert_eq!(ring.recv_timeout(Duration::from_secs(5)), Err(Empty::Closed));
    }

    #[test]
    fn slot_keeps_the_newest() {
        let slot = Slot::new();
        slot.put(1);
        slot.put(2);
        assert_eq!(slot.take(), Some(2));
        assert_eq!(slot.take(), None);
    }

    #[tokio::test]
    async fn task_wakes_for_a_value_from_a_thread() {
        let slot = Slot::new();
        let writer = slot.clone();
        let thread = crate::task::thread("slot-test", move || {
            writer.put(7);
        });
        assert_eq!(slot.recv().await, Some(7));
        thread.expect("spawned").join().expect("no panic");
    }
}
