//! What a start has opened before it is whole. A start may come to nothing by an error, or be dropped since nobody wants
//! it any more: then all of it is closed, so that the next one finds the port, the camera and the seat free.

use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::task::Scope;

/// How long tasks have to end once they are asked to.
const PATIENCE: Duration = Duration::from_millis(500);

/// Closes what was opened, unless it is kept.
#[derive(Debug)]
pub(super) struct Begun(Option<(Endpoint, Vec<Scope>)>);

impl Begun {
    /// A socket, and the groups of tasks that use it.
    pub fn new(endpoint: &Endpoint, scopes: &[&Scope]) -> Self {
        Self(Some((endpoint.clone(), scopes.iter().map(|scope| (*scope).clone()).collect())))
    }

    /// The start is whole: others close it now.
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let Some((endpoint, scopes)) = self.0.take() else { return };
        for scope in &scopes {
            scope.cancel();
        }
        // Where the runtime is gone, all of it is gone with it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        // Nobody can wait in a drop; it takes two seconds at the most.
        runtime.spawn(async move {
            for scope in scopes {
                scope.finish(PATIENCE).await;
            }
            endpoint.close("given up").await;
        });
    }
}
