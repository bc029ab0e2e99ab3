//! Threads that call drivers. A driver may never come back: a frozen camera blocks its reader for ever, a sound server
//! that hangs blocks whoever closes a stream. So nobody waits longer than a second for such a thread to end; then it is
//! left behind and counted, and its device stays marked as held until the driver lets go of it.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::av::Error;
use crate::clock;
use crate::slot::{Empty, Ring};
use crate::task;

/// How long the end of such a thread is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// Most threads that may be left behind at once. Beyond it none is started until one of them ends: what hangs is tried
/// again each second.
const MOST_STUCK: usize = 8;

static ABANDONED: AtomicUsize = AtomicUsize::new(0);

/// Threads that were left behind in this run and have not ended since.
pub fn abandoned() -> usize {
    ABANDONED.load(Ordering::Relaxed)
}

/// Asks a thread to end, seen from inside it.
#[derive(Debug, Clone)]
pub struct Stop(Ring<()>);

impl Stop {
    /// True once the thread is to end.
    pub fn asked(&self) -> bool {
        self.0.is_closed()
    }

    /// Waits up to `timeout`; true when the thread is to end.
    pub fn wait(&self, timeout: Duration) -> bool {
        matches!(self.0.recv_timeout(timeout), Err(Empty::Closed))
    }
}

/// A thread that may get stuck. Dropping it asks it to end and waits for at most a second.
#[derive(Debug)]
pub struct Worker {
    name: &'static str,
    stop: Ring<()>,
    ended: Ring<()>,
    fate: Arc<AtomicU8>,
}

const RUNS: u8 = 0;
const LEFT: u8 = 1;
const ENDED: u8 = 2;

impl Worker {
    /// Starts it. A panic of `work` ends it like a return, and is logged.
    pub fn start(name: &'static str, work: impl FnOnce(&Stop) + Send + 'static) -> Result<Self, Error> {
        // Neither ever holds anything: they only end waits. So they cannot overflow.
        let (stop, ended) = (Ring::new(1), Ring::new(1));
        if abandoned() >= MOST_STUCK {
            return Err(Error::Thread(std::io::Error::other("too many threads wait for devices that do not answer")));
        }
        let fate = Arc::new(AtomicU8::new(RUNS));
        let last = Arc::clone(&fate);
        let (inside, done) = (Stop(stop.clone()), ended.clone());
        let run = move || {
            if catch_unwind(AssertUnwindSafe(|| work(&inside))).is_err() {
                tracing::error!(thread = name, "a driver's thread ended by a panic");
            }
            if last.swap(ENDED, Ordering::Relaxed) == LEFT {
                ABANDONED.fetch_sub(1, Ordering::Relaxed);
            }
            done.close();
        };
        task::thread(name, run).map_err(Error::Thread)?;
        Ok(Self { name, stop, ended, fate })
    }

    /// True once the thread has ended.
    pub fn is_over(&self) -> bool {
        self.ended.is_closed()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.close();
        if self.ended.recv_timeout(PATIENCE) == Err(Empty::Closed) {
            return;
        }
        ABANDONED.fetch_add(1, Ordering::Relaxed);
        if self.fate.swap(LEFT, Ordering::Relaxed) == ENDED {
            ABANDONED.fetch_sub(1, Ordering::Relaxed);
        }
        tracing::warn!(thread = self.name, "a device does not let go of its thread, which is left behind");
    }
}

/// The ids of cameras that a thread of ours has open.
#[derive(Debug, Default)]
struct Held {
    ids: Mutex<BTreeSet<String>>,
    freed: Condvar,
}

static HELD: Held = Held { ids: Mutex::new(BTreeSet::new()), freed: Condvar::new() };

fn held() -> MutexGuard<'static, BTreeSet<String>> {
    HELD.ids.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to open a device that only one thread can have. Given back when dropped.
#[derive(Debug)]
pub struct Hold(Arc<str>);

impl Hold {
    /// Takes it; a thread of ours that is just closing the device is waited for, a second at most. `None`: a thread that
    /// is stuck, or another part of the program, has it.
    pub fn take(id: &str) -> Option<Self> {
        let deadline = clock::now() + PATIENCE;
        let mut ids = held();
        while ids.contains(id) {
            let left = deadline.saturating_duration_since(clock::now());
            if left.is_zero() {
                return None;
            }
            (ids, _) = HELD.freed.wait_timeout(ids, left).unwrap_or_else(PoisonError::into_inner);
        }
        ids.insert(id.to_owned());
        Some(Self(id.into()))
    }

    /// True while somebody has it.
    pub fn is_taken(id: &str) -> bool {
        held().contains(id)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        held().remove(&*self.0);
        HELD.freed.notify_all();
    }
}

/// What [`within`] runs now, also what is stuck.
static BUSY: (Mutex<BTreeSet<&'static str>>, Condvar) = (Mutex::new(BTreeSet::new()), Condvar::new());

fn busy() -> MutexGuard<'static, BTreeSet<&'static str>> {
    BUSY.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work` in a thread of its own and gives its result, or `None` when it takes longer than `limit` or panics. The
/// thread is then left behind; until it ends no other of its `name` is begun, so what hangs costs one thread however often
/// it is asked.
pub fn within<T: Send + 'static>(
    limit: Duration,
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let deadline = clock::now() + limit;
    let mut names = busy();
    while names.contains(name) {
        let left = deadline.saturating_duration_since(clock::now());
        if left.is_zero() {
            return None;
        }
        (names, _) = BUSY.1.wait_timeout(names, left).unwrap_or_else(PoisonError::into_inner);
    }
    names.insert(name);
    drop(names);
    let over = move || {
        busy().remove(name);
        BUSY.1.notify_all();
    };
    let result = Ring::new(1);
    let inside = result.clone();
    let run = move || {
        if let Ok(value) = catch_unwind(AssertUnwindSafe(work)) {
            inside.push(value);
        }
        over();
        inside.close();
    };
    if task::thread(name, run).is_err() {
        over();
        return None;
    }
    result.recv_timeout(deadline.saturating_duration_since(clock::now())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stuck_thread_is_left_behind_after_a_second() {
        let (before, free) = (abandoned(), Ring::<()>::new(1));
        let stuck = free.clone();
        let worker = Worker::start("test-stuck", move |_| {
            let _ = stuck.recv_timeout(Duration::from_secs(60));
        })
        .expect("a thread");
        let start = clock::now();
        drop(worker);
        let took = start.elapsed();
        assert!(abandoned() > before);
        free.close();
        let mut waited = 0;
        while abandoned() > before {
            std::thread::sleep(Duration::from_millis(10));
            waited += 1;
            assert!(waited < 2_000, "it has ended and counts no more");
        }
        assert!(took >= PATIENCE && took < PATIENCE * 3, "{took:?}");
    }

    #[test]
    fn what_hangs_costs_one_thread_however_often_it_is_asked() {
        let (free, begun) = (Ring::<()>::new(1), Arc::new(AtomicUsize::new(0)));
        let ask = |limit: u64| {
            let (stuck, count) = (free.clone(), Arc::clone(&begun));
            within(Duration::from_millis(limit), "test-hangs", move || {
                count.fetch_add(1, Ordering::Relaxed);
                let _ = stuck.recv_timeout(Duration::from_secs(60));
            })
        };
        for _ in 0..5 {
            assert_eq!(ask(20), None);
        }
        assert_eq!(begun.load(Ordering::Relaxed), 1);
        free.close();
        assert_eq!(ask(30_000), Some(()), "it answers again");
        assert_eq!(within(Duration::from_secs(30), "test-breaks", || panic!("as a driver's library may")), None::<()>);
        assert_eq!(within(Duration::from_secs(30), "test-breaks", || 7), Some(7));
    }

    #[test]
    fn a_thread_that_obeys_or_panics_is_not_waited_for() {
        let start = clock::now();
        drop(Worker::start("test-obeys", |stop| while !stop.wait(Duration::from_secs(60)) {}).expect("a thread"));
        drop(Worker::start("test-panics", |_| panic!("as a driver's library may")).expect("a thread"));
        assert!(start.elapsed() < PATIENCE);
    }

    #[test]
    fn a_device_is_held_by_one_and_free_afterwards() {
        let hold = Hold::take("test-camera").expect("free");
        assert!(Hold::is_taken("test-camera"));
        assert!(Hold::take("test-camera").is_none());
        let waiting = task::thread("test-wait", || Hold::take("test-camera").is_some()).expect("a thread");
        drop(hold);
        assert!(waiting.join().expect("no panic"));
        assert!(!Hold::is_taken("test-camera"));
    }

    #[test]
    fn what_takes_too_long_gives_nothing() {
        let free = Ring::<()>::new(1);
        let stuck = free.clone();
        let slow = move || stuck.recv_timeout(Duration::from_secs(60)).is_ok();
        assert_eq!(within(Duration::from_millis(20), "test-slow", slow), None);
        free.close();
        assert_eq!(within(Duration::from_secs(60), "test-quick", || 7), Some(7));
    }
}
