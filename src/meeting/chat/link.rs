//! Sans-IO. What chat knows of one link: how far it has pushed our lines, what the other side has, what is owed to it.
//!
//! A link starts with both sides' greetings (a full `Have`). From then on our own lines are pushed in order, at most
//! [`WINDOW`] bytes ahead of what is confirmed; what stays unconfirmed for long is pushed again from the last
//! confirmation on. Confirmations are gathered for [`ACK_DELAY`], gossip about others' lines for about [`GOSSIP`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::bucket::Bucket;
use crate::id::Instance;
use crate::meeting::message_id::ConversationId;

use super::history::RunId;

/// Bytes of our lines on the way to one peer.
pub const WINDOW: u64 = 256 * 1024;
/// Confirmations are gathered this long.
pub const ACK_DELAY: Duration = Duration::from_millis(20);
/// Gossip is gathered about this long.
pub const GOSSIP: Duration = Duration::from_secs(5);
/// Without a confirmation for this long, lines are pushed again.
pub const RETRY: Duration = Duration::from_secs(3);
/// The longest pause between pushes of the same lines.
pub const MAX_RETRY: Duration = Duration::from_secs(60);
/// Without a greeting for this long, one is asked for.
pub const GREETING: Duration = Duration::from_secs(2);
/// The longest pause between such questions.
pub const MAX_GREETING: Duration = Duration::from_secs(10);
/// A request for lines is answered in this time, or somebody else is asked.
pub const ANSWER: Duration = Duration::from_secs(3);
/// Who left this many requests for a run unanswered is asked after all others..
pub const SLOW: u8 = 2;
/// ..and who left this many is not asked again before its link is up again.
pub const SILENT: u8 = 5;
/// Others' runs that one peer may offer; more are ignored until it greets again.
pub const MAX_OFFERS: usize = 1024;

/// After the pages of [`PULLS`] are used up, requests pause this long.
pub const PULL_PAUSE: Duration = Duration::from_secs(1);
/// More lines than this over its rate in [`RETRY`], and a peer is not merely quick: an honest one has at most
/// [`WINDOW`] bytes on the way in that time.
const FLOOD: usize = 3000;

/// Lines of its own that one peer may send at once, and one more each 5 ms.
const LINES: (u32, Duration) = (2000, Duration::from_millis(5));
/// Messages with lines, also with none: reading one costs something. An honest peer puts at least one line in each.
const PAGES: (u32, Duration) = LINES;
/// Messages about what it has. A full greeting of the largest history is 70 messages.
const HAVES: (u32, Duration) = (200, Duration::from_millis(15));
/// Requests for lines.
const WANTS: (u32, Duration) = (40, Duration::from_millis(50));
/// Pages that we ask one peer for: twice the largest history, then one a second. It may have invented them.
const PULLS: (u32, Duration) = (320, Duration::from_secs(1));

/// A request of ours that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Of whom.
    pub run: RunId,
    /// Since when.
    pub since: Instant,
}

/// What the other side has of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// From this counter on it can pass lines on.
    pub base: u64,
    /// It has seen all below.
    pub next: u64,
    /// Requests in a row that it left unanswered.
    pub fails: u8,
}

/// How far one of our conversations is on this link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// All below is confirmed.
    pub confirmed: u64,
    /// The line to push next.
    pub cursor: u64,
    /// All below was pushed at least once.
    pub high: u64,
}

/// One link.
#[derive(Debug, Clone)]
pub struct Link {
    /// Which run of the peer.
    pub instance: Instance,
    /// Up since then, or up again since then: what is older comes late.
    pub since: Instant,
    /// Nothing was heard of it for a while: nothing is sent.
    pub suspected: bool,
    /// It has greeted: we know what it has.
    pub ready: bool,
    /// When to ask for its greeting (again).
    pub greeting_at: Instant,
    /// The pause after that.
    pub greeting_delay: Duration,
    /// Parts of a greeting that is still coming: our conversations.
    pub greeting: BTreeMap<ConversationId, u64>,
    /// Our conversations on this link.
    pub progress: BTreeMap<ConversationId, Progress>,
    /// Those with something to push.
    pub pending: BTreeSet<ConversationId>,
    /// Those with something unconfirmed on the way.
    pub flying: BTreeSet<ConversationId>,
    /// When to push it again.
    pub retry_at: Option<Instant>,
    /// The pause after that.
    pub retry_delay: Duration,
    /// Its lines that are to be confirmed: runs and conversations.
    pub confirm: BTreeSet<(Instance, ConversationId)>,
    /// When.
    pub confirm_at: Option<Instant>,
    /// Others' runs to the room that it may not know of.
    pub gossip: BTreeSet<RunId>,
    /// When to tell.
    pub gossip_at: Option<Instant>,
    /// What it has of others' runs to the room.
    pub offers: BTreeMap<RunId, Offer>,
    /// What we asked it for.
    pub request: Option<Request>,
    /// Lines it may send.
    pub lines: Bucket,
    /// Messages with lines it may send.
    pub pages: Bucket,
    /// Messages about what it has.
    pub haves: Bucket,
    /// Requests it may make.
    pub wants: Bucket,
    /// Requests that we make of it.
    pub pulls: Bucket,
    /// When to make the next, after those were used up.
    pub pull_at: Option<Instant>,
    /// Lines over its rate, and since when they are counted.
    over: (usize, Instant),
}

impl Link {
    /// A link that has just come up.
    pub fn new(now: Instant, instance: Instance) -> Self {
        Self {
            instance,
            since: now,
            suspected: false,
            ready: false,
            greeting_at: now + GREETING,
            greeting_delay: GREETING,
            greeting: BTreeMap::new(),
            progress: BTreeMap::new(),
            pending: BTreeSet::new(),
            flying: BTreeSet::new(),
            retry_at: None,
            retry_delay: RETRY,
            confirm: BTreeSet::new(),
            confirm_at: None,
            gossip: BTreeSet::new(),
            gossip_at: None,
            offers: BTreeMap::new(),
            request: None,
            lines: Bucket::new(now, LINES.0, LINES.1),
            pages: Bucket::new(now, PAGES.0, PAGES.1),
            haves: Bucket::new(now, HAVES.0, HAVES.1),
            wants: Bucket::new(now, WANTS.0, WANTS.1),
            pulls: Bucket::new(now, PULLS.0, PULLS.1),
            pull_at: None,
            over: (0, now),
        }
    }

    /// It is up again: what was on the way may be lost. The buckets stay as they are.
    pub fn renew(&mut self, now: Instant) {
        self.since = now;
        self.suspected = false;
        self.ready = false;
        self.greeting_at = now + GREETING;
        self.greeting_delay = GREETING;
        self.greeting.clear();
        self.request = None;
        self.offers.values_mut().for_each(|offer| offer.fails = 0);
    }

    /// `lines` more were over its rate and are dropped; true when that is a flood, once each [`RETRY`].
    pub fn is_flood(&mut self, now: Instant, lines: usize) -> bool {
        if now.saturating_duration_since(self.over.1) > RETRY {
            self.over = (0, now);
        }
        let before = self.over.0;
        self.over.0 = before.saturating_add(lines);
        before < FLOOD && self.over.0 >= FLOOD
    }

    /// The next deadline.
    pub fn deadline(&self) -> Option<Instant> {
        let request = self.request.map(|request| request.since + ANSWER);
        if self.suspected {
            return request;
        }
        let greeting = (!self.ready).then_some(self.greeting_at);
        let retry = self.retry_at.filter(|_| self.ready);
        [greeting, retry, self.confirm_at, self.gossip_at, self.pull_at, request].into_iter().flatten().min()
    }
}
