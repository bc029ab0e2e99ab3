//! The actor that keeps the connection and runs the errands.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::connection::{Connected, Granted, Shared};
use super::{Error, Event, LEAVE_LIMIT, State};
use crate::clock;
use crate::id::{Instance, Username};
use crate::rendezvous::errands::{Announcement, Errand, Errands};
use crate::rendezvous::lease::Backoff;
use crate::rendezvous::wire::{Refusal, Refused};

/// Pauses between attempts to connect.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// What a handle wants kept.
#[derive(Debug)]
pub enum Wish {
    Announce(Option<Announcement>),
    Hold(Username),
    Granted(Granted),
    LetGo(Username),
    TryNow,
}

#[derive(Debug)]
pub struct Actor {
    shared: Arc<Shared>,
    state: watch::Sender<State>,
    inbox: mpsc::Receiver<Wish>,
    events: mpsc::Sender<Event>,
    errands: Errands,
    backoff: Backoff,
    // The presence that the service holds, to be withdrawn at the end.
    published: Option<Instance>,
    // What was last told: `Back` follows only what was told to be away.
    told: Told,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Unreachable,
    KeyChanged,
}

impl Actor {
    pub fn new(
        shared: Arc<Shared>,
        state: watch::Sender<State>,
        inbox: mpsc::Receiver<Wish>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let seed = shared.config.seed;
        Self {
            errands: Errands::new(clock::now(), seed),
            backoff: Backoff::new(BACKOFF.0, BACKOFF.1, seed),
            published: None,
            told: Told::Nothing,
            shared,
            state,
            inbox,
            events,
        }
    }

    pub async fn run(mut self) {
        let scope = self.shared.scope.clone();
        let shared = Arc::clone(&self.shared);
        loop {
            let outcome = tokio::select! {
                biased;
                () = scope.cancelled() => return,
                outcome = shared.connect() => outcome,
            };
            match outcome {
                Ok(connected) => {
                    let connected = Arc::new(connected);
                    let stopped = tokio::select! {
                        biased;
                        () = scope.cancelled() => true,
                        () = self.attend(&connected) => false,
                    };
                    self.errands.on_disconnected();
                    if stopped {
                        return self.take_leave(&connected).await;
                    }
                    connected.close();
                    self.state.send_replace(State::Trying);
                }
                Err(error) => self.on_failed(error).await,
            }
            tokio::select! {
                biased;
                () = scope.cancelled() => return,
                () = self.pause() => {}
            }
        }
    }

    async fn on_failed(&mut self, error: Error) {
        tracing::debug!(%error, "no rendezvous");
        let news = if matches!(error, Error::KeyChanged { .. }) { Told::KeyChanged } else { Told::Unreachable };
        self.state.send_replace(State::Failed(error.clone()));
        if self.told == news {
            return;
        }
        self.told = news;
        if news == Told::Unreachable && self.shared.quiet.swap(false, Ordering::Relaxed) {
            return;
        }
        self.tell(match news {
            Told::KeyChanged => Event::KeyChanged,
            _ => Event::Unreachable { detail: error.to_string() },
        })
        .await;
    }

    /// Waits before the next attempt, unless somebody wants it now.
    async fn pause(&mut self) {
        let until = clock::now() + self.backoff.pause();
        loop {
            tokio::select! {
                biased;
                wish = self.inbox.recv() => match wish {
                    Some(Wish::TryNow) => return,
                    Some(wish) => self.on_wish(wish),
                    // All handles are gone; the scope ends this.
                    None => std::future::pending().await,
                },
                () = tokio::time::sleep_until(until.into()) => return,
            }
        }
    }

    fn on_wish(&mut self, wish: Wish) {
        let now = clock::now();
        match wish {
            Wish::Announce(announcement) => self.errands.announce(now, announcement),
            Wish::Hold(name) => self.errands.hold(now, &name),
            Wish::Granted(granted) => {
                self.errands.on_granted(now, &granted.name, granted.stamp, granted.lifetime);
            }
            Wish::LetGo(name) => self.errands.let_go(&name),
            Wish::TryNow => {}
        }
    }

    /// Runs errands until the connection is lost.
    async fn attend(&mut self, connected: &Arc<Connected>) {
        let own = match self.shared.own(connected.service).await {
            Ok(own) => own,
            Err(error) => return self.on_failed(error).await,
        };
        let (now, unix) = (clock::now(), clock::unix_millis());
        self.errands.on_connected(now, unix, connected.observed(), &connected.names, &own);
        self.backoff.reset();
        self.shared.quiet.store(false, Ordering::Relaxed);
        self.state.send_replace(State::Ready(Arc::clone(connected)));
        if self.told != Told::Nothing {
            self.told = Told::Nothing;
            self.tell(Event::Back).await;
        }
        loop {
            // What handles wish comes first, so that an errand that they undo is not run.
            while let Ok(wish) = self.inbox.try_recv() {
                self.on_wish(wish);
            }
            if let Some(errand) = self.errands.poll(clock::now(), clock::unix_millis()) {
                tokio::select! {
                    biased;
                    _ = connected.lost() => return,
                    () = self.run_errand(connected, errand) => {}
                }
                continue;
            }
            let next = self.errands.poll_timeout();
            tokio::select! {
                biased;
                why = connected.lost() => return tracing::debug!(why, "the rendezvous is gone"),
                Some(wish) = self.inbox.recv() => self.on_wish(wish),
                () = until(next) => {}
            }
        }
    }

    async fn run_errand(&mut self, connected: &Connected, errand: Errand) {
        let shared = Arc::clone(&self.shared);
        match errand {
            Errand::Claim(name, stamp) => {
                let outcome = shared.claim_at(connected, &name, stamp).await;
                self.on_claimed(&name, outcome).await;
            }
            Errand::Release(name, stamp) => {
                // Whatever came of it: the next connection tells.
                let _ = shared.release_at(connected, &name, stamp).await;
            }
            Errand::Publish(says, stamp) => {
                let outcome = shared.publish(connected, &says, stamp).await;
                let now = clock::now();
                match outcome {
                    Ok(Ok(lifetime)) => {
                        self.published = Some(says.instance);
                        self.errands.on_published(now, lifetime, connected.observed());
                    }
                    Ok(Err(refused)) => self.errands.on_publish_failed(now, after(&refused), refused.newest),
                    Err(_) => self.errands.on_publish_failed(now, Duration::ZERO, None),
                }
            }
            Errand::Ask(room) => {
                let me = self.shared.identity.peer_id();
                let Ok(presences) = shared.members(connected, room).await else { return };
                for sighting in self.errands.on_members(room, me, &presences, connected.local) {
                    // A full queue: the next look brings it again.
                    let _ = self.events.try_send(Event::Sighting(sighting));
                }
            }
        }
    }

    async fn on_claimed(&mut self, name: &Username, outcome: Result<Result<Granted, Refused>, Error>) {
        let now = clock::now();
        match outcome {
            Ok(Ok(granted)) => {
                self.errands.on_granted(now, name, granted.stamp, granted.lifetime);
                self.tell(Event::NameGranted { name: name.clone(), expires: granted.expires }).await;
            }
            Ok(Err(refused)) if refused.reason == Refusal::Taken => {
                self.errands.let_go(name);
                self.tell(Event::NameLost { name: name.clone() }).await;
            }
            Ok(Err(refused)) => self.errands.on_claim_failed(now, name, after(&refused), refused.newest),
            Err(_) => self.errands.on_claim_failed(now, name, Duration::ZERO, None),
        }
    }

    async fn tell(&self, event: Event) {
        // Refused only when nobody listens any more.
        let _ = self.events.send(event).await;
    }

    async fn take_leave(&mut self, connected: &Connected) {
        if let Some(instance) = self.published {
            let _ = tokio::time::timeout(LEAVE_LIMIT, self.shared.withdraw(connected, instance)).await;
        }
        connected.close();
    }
}

fn after(refused: &Refused) -> Duration {
    refused.retry_after.map_or(Duration::ZERO, Duration::from_millis)
}

async fn until(next: Option<std::time::Instant>) {
    match next {
        Some(next) => tokio::time::sleep_until(next.into()).await,
        None => std::future::pending().await,
    }
}
