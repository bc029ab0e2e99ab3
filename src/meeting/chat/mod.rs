//! Sans-IO. What is said: lines to the room and private lines, each exactly once, in order for each author.
//!
//! **Own lines are pushed.** Every author sends its own lines to each recipient it is linked to, in order, and pushes
//! what stays unconfirmed again. A private line goes from its author to exactly its recipients and is passed on by
//! nobody: the author's link is its proof.
//!
//! **Others' lines are pulled.** Lines to the room carry their author's signature, so anybody may pass them on. Peers
//! tell each other what they have of each author's run: in full when a link comes up, then what has changed. Who
//! lacks something that its author cannot push (it left, or restarted) asks one peer at a time for pages of it.
//!
//! **No doubles, in order.** Of each run in each conversation the next counter is remembered; a line with another one
//! is dropped, and comes again by a push or a pull. Where lines are kept nowhere any more (see the bounds of
//! `history`), the sender's `base` says so and the run goes on there. Time plays no part: `sent_at` is a claim.
//!
//! **Bounded.** What a peer may cause is limited by buckets in `link`, what is kept by the rules in `history`,
//! `outgoing` and `heard`. Above its rate a peer's lines are dropped unconfirmed; an honest one pushes them again.

mod heard;
pub mod history;
pub mod line;
mod link;
pub mod outgoing;
mod receive;
mod run;
mod sync;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::framing::Message;
use crate::id::{Instance, LinkKey, PeerId, RoomId};
use crate::identity::Identity;
use crate::share::{ChatText, DisplayName};

use super::failure::{Code, Failure, WarningCode};
use super::message_id::{ConversationId, MessageId};
use super::wire;
use crate::bucket::Bucket;
use heard::Heard;
use history::{History, Origin, RunId};
use link::Link;
use outgoing::{Outgoing, To};
pub use receive::Refusal;
use run::Run;

/// Lines that a face may say at once, and one more each 10 ms: more is a loop gone wild.
const SAY: (u32, Duration) = (2000, Duration::from_millis(10));

/// What the meeting is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send this.
    Send {
        /// To whom.
        to: PeerId,
        /// What.
        message: Message,
    },
    /// Show a line of somebody else.
    Line {
        /// Its id.
        id: MessageId,
        /// The name that its author had, for authors who are not here.
        name: DisplayName,
        /// What was said.
        text: ChatText,
        /// Everybody of the conversation, or `None` for the room.
        people: Option<BTreeSet<PeerId>>,
        /// The author's claim.
        sent_at: u64,
        /// By sync.
        late: bool,
    },
    /// Show who has confirmed a line of ours.
    Delivered {
        /// Which.
        id: MessageId,
        /// All so far, sorted.
        to: Vec<PeerId>,
    },
    /// Warn.
    Warn {
        /// Of what.
        code: WarningCode,
        /// Whom it is about.
        peer: PeerId,
        /// How many lines it is about, where that is known.
        count: u64,
    },
}

/// The chat of one meeting.
#[derive(Debug)]
pub struct Chat {
    identity: Arc<Identity>,
    me: PeerId,
    instance: Instance,
    room: RoomId,
    everybody: ConversationId,
    seed: u64,
    history: History,
    own: BTreeMap<ConversationId, Outgoing>,
    heard: Heard,
    links: BTreeMap<PeerId, Link>,
    bucket: Option<Bucket>,
    // Links, offers or requests changed: somebody may have to be asked for lines.
    pull_due: bool,
    scans: u64,
    // Bounded by what one input can cause; drained after each.
    out: VecDeque<Output>,
}

impl Chat {
    /// Nothing was said yet.
    pub fn new(identity: Arc<Identity>, instance: Instance, room: RoomId, seed: u64) -> Self {
        let everybody = ConversationId::room(room);
        Self {
            me: identity.peer_id(),
            identity,
            instance,
            room,
            everybody,
            seed,
            history: History::default(),
            own: BTreeMap::from([(everybody, Outgoing::new(To::Room))]),
            heard: Heard::default(),
            links: BTreeMap::new(),
            bucket: None,
            pull_due: false,
            scans: 0,
            out: VecDeque::new(),
        }
    }

    /// What is to be done, drained until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Lines and bytes that are kept of the room, for tests of the bounds.
    pub fn kept(&self) -> (usize, usize) {
        (self.history.lines(), self.history.bytes())
    }

    /// How often all offers were looked through, for tests of what a message costs.
    pub fn scans(&self) -> u64 {
        self.scans
    }

    /// Says a line to the room (`None`) or to exactly `recipients`, who are not us and at least one.
    pub fn say(
        &mut self,
        now: Instant,
        sent_at: u64,
        name: &DisplayName,
        text: &ChatText,
        recipients: Option<BTreeSet<PeerId>>,
    ) -> Result<MessageId, Failure> {
        let (conversation, people) = self.conversation(recipients)?;
        let bucket = self.bucket.get_or_insert_with(|| Bucket::new(now, SAY.0, SAY.1));
        if !bucket.take(now) {
            let message = "These are more lines at once than one person can say.";
            return Err(Failure::new(Code::TooFast, message, "Wait a second and say the rest."));
        }
        let mut line =
            wire::Line { n: 1, at: sent_at, name: String::new(), text: text.as_str().into(), signature: None };
        let me = (self.me, self.instance);
        if let Some(people) = people {
            let new = || Outgoing::new(To::People(people, Run::default()));
            let own = self.own.entry(conversation).or_insert_with(new);
            if let To::People(_, run) = &mut own.to {
                line.n = run.next();
                run.push(now, line.clone());
            }
            self.bound_private();
        } else {
            self.history.admit(now, me, self.identity.public_key(), Origin::Direct, &self.here());
            line.n = self.history.next(me);
            name.as_str().clone_into(&mut line.name);
            line.signature = Some(self.identity.sign(&line::signed(self.room, self.me, self.instance, &line)));
            self.history.push(now, me, line.clone());
        }
        for (peer, link) in &mut self.links {
            if self.own.get(&conversation).is_some_and(|own| own.includes(*peer)) {
                link.pending.insert(conversation);
            }
        }
        self.pump(now);
        Ok(MessageId { author: self.me, instance: self.instance, conversation, counter: line.n })
    }

    fn conversation(
        &self,
        recipients: Option<BTreeSet<PeerId>>,
    ) -> Result<(ConversationId, Option<BTreeSet<PeerId>>), Failure> {
        let Some(mut people) = recipients else { return Ok((self.everybody, None)) };
        people.insert(self.me);
        if people.len() > wire::MAX_PEOPLE {
            let message = format!("A private line goes to at most {} people.", wire::MAX_PEOPLE - 1);
            return Err(Failure::new(Code::TooManyRecipients, message, "Say it to the room, or to fewer."));
        }
        let conversation = ConversationId::of(self.room, &people);
        if self.own.len() > outgoing::MAX_CONVERSATIONS && !self.own.contains_key(&conversation) {
            let message = "There are too many different groups of recipients in this meeting.";
            return Err(Failure::new(Code::TooManyRecipients, message, "Write to a group that you wrote to before."));
        }
        Ok((conversation, Some(people)))
    }

    // Overflow of own private lines: the conversation that holds most loses its oldest.
    fn bound_private(&mut self) {
        fn run(own: &mut Outgoing) -> Option<&mut Run> {
            match &mut own.to {
                To::People(_, run) => Some(run),
                To::Room => None,
            }
        }
        let mut total: usize = self.own.values_mut().filter_map(run).map(|run| run.bytes()).sum();
        while total > outgoing::MAX_BYTES {
            let largest = self.own.values_mut().filter_map(run).max_by_key(|run| run.bytes());
            let Some(freed) = largest.and_then(Run::drop_oldest) else { return };
            total -= freed;
        }
    }

    /// A link is up: new, or of a new run, or again after a cut.
    pub fn on_linked(&mut self, now: Instant, key: LinkKey) {
        match self.links.get_mut(&key.peer).filter(|link| link.instance == key.instance) {
            Some(link) => link.renew(now),
            None => drop(self.links.insert(key.peer, Link::new(now, key.instance))),
        }
        self.greet(key.peer, Ask::No);
        self.pull_due = true;
        self.pump(now);
    }

    /// A link that was up and was held back is used from now on. The other side has greeted long ago.
    pub fn on_released(&mut self, now: Instant, key: LinkKey) {
        self.links.insert(key.peer, Link::new(now, key.instance));
        self.greet(key.peer, Ask::Yes);
        self.pull_due = true;
        self.pump(now);
    }

    /// Nothing was heard for a while.
    pub fn on_suspected(&mut self, peer: PeerId) {
        if let Some(link) = self.links.get_mut(&peer) {
            link.suspected = true;
            self.pull_due = true;
        }
    }

    /// It is heard again.
    pub fn on_recovered(&mut self, now: Instant, peer: PeerId) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        link.renew(now);
        self.greet(peer, Ask::Yes);
        self.pull_due = true;
        self.pump(now);
    }

    /// A message was refused by the mesh: ask what arrived, soon, and go on from there.
    pub fn on_refused(&mut self, now: Instant, peer: PeerId) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        if link.ready {
            link.greeting_delay = Duration::from_millis(250);
        }
        link.ready = false;
        link.request = None;
        self.pull_due = true;
        link.greeting_at = link.greeting_at.max(now + link.greeting_delay);
    }

    /// The link is gone for good.
    pub fn on_left(&mut self, now: Instant, peer: PeerId) {
        self.links.remove(&peer);
        self.pull_due = true;
        // Perhaps others can give what it had not pushed.
        self.pump(now);
    }

    /// A deadline passed.
    pub fn on_timeout(&mut self, now: Instant) {
        let (me, mut lost) = (self.me, Vec::new());
        for own in self.own.values_mut() {
            if own.deadline(me).is_some_and(|at| at <= now) {
                lost.extend(own.give_up(now, me));
            }
        }
        let warn = |(peer, count)| Output::Warn { code: WarningCode::Undelivered, peer, count };
        self.out.extend(lost.into_iter().map(warn));
        self.pump(now);
    }

    /// When `on_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let links = self.links.values().filter_map(Link::deadline).min();
        let waiting = self.own.values().filter_map(|own| own.deadline(self.me)).min();
        links.into_iter().chain(waiting).min()
    }

    fn run_of(&self, conversation: ConversationId) -> Option<&Run> {
        match &self.own.get(&conversation)?.to {
            To::Room => self.history.run((self.me, self.instance)),
            To::People(_, run) => Some(run),
        }
    }

    // Whose lines are never forgotten for others'.
    fn here(&self) -> BTreeSet<PeerId> {
        self.links.keys().copied().chain([self.me]).collect()
    }

    fn linked(&self, run: RunId) -> bool {
        self.links.get(&run.0).is_some_and(|link| link.instance == run.1)
    }
}

/// Whether a greeting asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    No,
    Yes,
}
