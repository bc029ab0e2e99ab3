//! Tracked tasks and named threads.
//!
//! A [`Scope`] knows every task that it started. Ending is two-staged: `cancel` asks (every actor selects on
//! `cancelled` first), `finish` waits up to a limit and reports who did not end. Nothing is detached.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Owns a group of tasks. Clones share the group; `child` makes a group that ends with its parent.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Scope {
    /// A new group.
    pub fn new() -> Self {
        Self::default()
    }

    /// A group that is cancelled with this one, and can be cancelled and awaited alone.
    pub fn child(&self) -> Self {
        Self { tracker: TaskTracker::new(), stop: self.stop.child_token() }
    }

    /// Starts a tracked task on the current runtime.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tracker.spawn(task)
    }

    /// Runs blocking work (disk, hashing) on the runtime's blocking pool, tracked.
    pub fn spawn_blocking<F, T>(&self, work: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.tracker.spawn_blocking(work)
    }

    /// Asks every task to end.
    pub fn cancel(&self) {
        self.stop.cancel();
    }

    /// Resolves once `cancel` was called here or on a parent. Select on this first.
    pub async fn cancelled(&self) {
        self.stop.cancelled().await;
    }

    /// True once `cancel` was called here or on a parent.
    pub fn is_cancelled(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Cancels and waits up to `limit` for all tasks. False when some had not ended by then.
    pub async fn finish(&self, limit: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(limit, self.tracker.wait()).await.is_ok()
    }
}

/// Starts a named thread. Errors when the system refuses one.
pub fn thread<F, T>(name: &str, work: F) -> std::io::Result<std::thread::JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn finish_cancels_and_waits() {
        let scope = Scope::new();
        let inner = scope.clone();
        let task = scope.spawn(async move {
            inner.cancelled().await;
            5
        });
        assert!(scope.finish(Duration::from_secs(5)).await);
        assert_eq!(task.await.expect("no panic"), 5);
    }

    #[tokio::test]
    async fn a_child_ends_with_its_parent() {
        let parent = Scope::new();
        let child = parent.child();
        parent.cancel();
        assert!(child.is_cancelled());
    }
}
