//! Between a picture's encoder and the links: what is switched off lets nothing more pass, not even the picture that was
//! being encoded. So two sources that follow one another under one track never send at the same time.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Open or closed.
#[derive(Debug)]
pub struct Gate(Mutex<bool>);

/// Something passes while this is there.
#[derive(Debug)]
pub struct Pass<'a>(#[expect(dead_code, reason = "it is held, not read")] MutexGuard<'a, bool>);

impl Gate {
    /// Open, if it is on.
    pub fn new(on: bool) -> Self {
        Self(Mutex::new(on))
    }

    /// Opens or closes it. Waits for what is passing: the packets of one picture on their way into queues, no encoding.
    pub fn set(&self, on: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = on;
    }

    /// Lets packets pass as long as it is held, if it is open.
    pub fn pass(&self) -> Option<Pass<'_>> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.then_some(Pass(open))
    }
}
