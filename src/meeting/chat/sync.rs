//! Sans-IO. What peers tell each other of what they have, and what follows: pushes of own lines, pulls of others'.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::framing::Message;
use crate::id::{LinkKey, PeerId};

use super::link::{
    ANSWER, GOSSIP, Link, MAX_GREETING, MAX_OFFERS, MAX_RETRY, Offer, PULL_PAUSE, Progress, RETRY, Request, SILENT,
    SLOW, WINDOW,
};
use super::outgoing::To;
use super::receive::Refusal;
use super::{Ask, Chat, ConversationId, MessageId, Output, RunId, wire};

/// Gossip waits a little differently for each pair, so that a room does not speak all at once.
pub(super) fn gossip_delay(seed: u64, peer: PeerId) -> Duration {
    let spread = peer.as_bytes().iter().fold(seed, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    GOSSIP + Duration::from_millis(spread % 2000)
}

impl Chat {
    /// Tells `peer` everything that we have: of the room's runs except our own, and of its private lines.
    pub(super) fn greet(&mut self, peer: PeerId, ask: Ask) {
        let me = (self.me, self.instance);
        let room = self.history.runs().filter(|(run, _)| *run != me).map(|((author, instance), run)| {
            let conversation = *self.everybody.as_bytes();
            wire::Entry { author, instance, conversation, base: run.base(), next: run.next() }
        });
        let private = self.heard.of(peer).map(|(instance, conversation, next)| {
            let conversation = *conversation.as_bytes();
            wire::Entry { author: peer, instance, conversation, base: next, next }
        });
        let entries: Vec<wire::Entry> = room.chain(private).collect();
        let mut parts: Vec<Vec<wire::Entry>> = entries.chunks(wire::MAX_ENTRIES).map(<[_]>::to_vec).collect();
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        let last = parts.len() - 1;
        for (i, entries) in parts.into_iter().enumerate() {
            let have = wire::Have { full: true, more: i < last, ask: i == last && ask == Ask::Yes, entries };
            self.out.push_back(Output::Send { to: peer, message: Message::new(wire::HAVE, &have) });
        }
        if let Some(link) = self.links.get_mut(&peer) {
            // All that was owed is in it.
            (link.confirm_at, link.gossip_at) = (None, None);
            link.confirm.clear();
            link.gossip.clear();
        }
    }

    /// A linked peer tells what it has.
    pub fn on_have(&mut self, now: Instant, from: LinkKey, have: wire::Have) -> Result<(), Refusal> {
        if have.entries.len() > wire::MAX_ENTRIES {
            return Err(Refusal::Malformed);
        }
        let Some(link) = self.links.get_mut(&from.peer) else { return Err(Refusal::Malformed) };
        if !link.haves.take(now) {
            return Err(Refusal::Flood);
        }
        for entry in &have.entries {
            let conversation = ConversationId::from_bytes(entry.conversation);
            let run = (entry.author, entry.instance);
            if !(1..=wire::MAX_COUNTER).contains(&entry.next) || entry.base > entry.next {
                return Err(Refusal::Malformed);
            }
            if run == (self.me, self.instance) {
                // Only our own conversations count, so the map is bounded.
                if have.full && self.own.contains_key(&conversation) {
                    self.greeted_with(from.peer, conversation, entry.next);
                }
                self.on_confirmed(now, from.peer, conversation, entry.next);
            } else if conversation == self.everybody {
                self.on_offer(from.peer, run, Offer { base: entry.base.max(1), next: entry.next, fails: 0 });
            }
        }
        if have.full && !have.more {
            self.on_greeted(from.peer);
            if have.ask {
                self.greet(from.peer, Ask::No);
            }
        }
        self.pump(now);
        Ok(())
    }

    fn greeted_with(&mut self, peer: PeerId, conversation: ConversationId, next: u64) {
        if let Some(link) = self.links.get_mut(&peer).filter(|link| !link.ready) {
            link.greeting.insert(conversation, next);
        }
    }

    // The first whole greeting since the link is up: all our conversations go on from what it says.
    fn on_greeted(&mut self, peer: PeerId) {
        let Some(link) = self.links.get_mut(&peer).filter(|link| !link.ready) else { return };
        link.ready = true;
        link.flying.clear();
        link.retry_at = None;
        let greeting = std::mem::take(&mut link.greeting);
        for (conversation, _) in self.own.iter().filter(|(_, own)| own.includes(peer)) {
            let confirmed = greeting.get(conversation).copied().unwrap_or(1);
            let high = link.progress.get(conversation).map_or(1, |progress| progress.high);
            link.progress.insert(*conversation, Progress { confirmed, cursor: confirmed, high });
            link.pending.insert(*conversation);
        }
    }

    // Also without a greeting this is news of what was delivered.
    fn on_confirmed(&mut self, now: Instant, peer: PeerId, conversation: ConversationId, next: u64) {
        let Some(end) = self.run_of(conversation).map(super::run::Run::next) else { return };
        let next = next.min(end);
        let Some(own) = self.own.get_mut(&conversation).filter(|own| own.includes(peer)) else { return };
        let news = own.confirm(peer, next);
        if let Some(link) = self.links.get_mut(&peer)
            && let Some(progress) = link.progress.get_mut(&conversation)
            && next > progress.confirmed
        {
            progress.confirmed = next;
            progress.cursor = progress.cursor.max(next);
            link.retry_delay = RETRY;
            link.retry_at = Some(now + RETRY);
            if progress.cursor <= next {
                link.flying.remove(&conversation);
            }
            if link.flying.is_empty() {
                link.retry_at = None;
            }
            // The window is open again.
            link.pending.insert(conversation);
        }
        for counter in news {
            let Some(own) = self.own.get(&conversation) else { return };
            if self.run_of(conversation).is_none_or(|run| run.get(counter).is_none()) {
                continue;
            }
            let id = MessageId { author: self.me, instance: self.instance, conversation, counter };
            self.out.push_back(Output::Delivered { id, to: own.confirmed(counter) });
        }
    }

    fn on_offer(&mut self, peer: PeerId, run: RunId, mut offer: Offer) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        let before = link.offers.get(&run).copied();
        offer.fails = before.map_or(0, |before| before.fails);
        if before == Some(offer) {
            return;
        }
        // Overflow: further runs are ignored until the next greeting.
        if link.offers.len() < MAX_OFFERS || link.offers.contains_key(&run) {
            link.offers.insert(run, offer);
            self.pull_due = true;
        }
    }

    /// A linked peer asks for somebody's lines to the room.
    pub fn on_want(&mut self, now: Instant, from: LinkKey, want: &wire::Want) -> Result<(), Refusal> {
        let Some(link) = self.links.get_mut(&from.peer) else { return Err(Refusal::Malformed) };
        if !link.wants.take(now) {
            return Err(Refusal::Flood);
        }
        let (author, instance) = (want.author, want.instance);
        let Some((run, key)) = self.history.run((author, instance)).zip(self.history.key(author)) else {
            return Ok(());
        };
        let lines = run.page(want.from, |_| true);
        let answer =
            wire::Lines { author, instance, key: Some(key), people: None, base: run.base(), late: true, lines };
        self.out.push_back(Output::Send { to: from.peer, message: Message::new(wire::LINES, &answer) });
        Ok(())
    }

    /// Does what is due: greetings, confirmations, gossip, pushes, pulls.
    pub(super) fn pump(&mut self, now: Instant) {
        let peers: Vec<PeerId> = self.links.iter().filter(|(_, link)| !link.suspected).map(|(peer, _)| *peer).collect();
        for peer in peers {
            self.ask_for_greeting(now, peer);
            self.tell(now, peer);
            self.push(now, peer);
        }
        self.pull(now);
    }

    fn ask_for_greeting(&mut self, now: Instant, peer: PeerId) {
        let Some(link) = self.links.get_mut(&peer).filter(|link| !link.ready && link.greeting_at <= now) else {
            return;
        };
        link.greeting_delay = (link.greeting_delay * 2).min(MAX_GREETING);
        link.greeting_at = now + link.greeting_delay;
        self.greet(peer, Ask::Yes);
    }

    // Confirmations and gossip that are due.
    fn tell(&mut self, now: Instant, peer: PeerId) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let mut entries = Vec::new();
        if due(link.confirm_at) {
            link.confirm_at = None;
            for (instance, conversation) in std::mem::take(&mut link.confirm) {
                let room = conversation == self.everybody;
                let run = self.history.run((peer, instance)).filter(|_| room);
                let next = if room {
                    run.map_or(1, super::run::Run::next)
                } else {
                    self.heard.next(peer, instance, conversation)
                };
                let base = run.map_or(next, super::run::Run::base);
                entries.push(wire::Entry {
                    author: peer,
                    instance,
                    conversation: *conversation.as_bytes(),
                    base,
                    next,
                });
            }
        }
        if due(link.gossip_at) {
            link.gossip_at = None;
            for run in std::mem::take(&mut link.gossip) {
                let Some(kept) = self.history.run(run) else { continue };
                if link.offers.get(&run).is_some_and(|offer| offer.next >= kept.next()) {
                    continue;
                }
                let conversation = *self.everybody.as_bytes();
                entries.push(wire::Entry {
                    author: run.0,
                    instance: run.1,
                    conversation,
                    base: kept.base(),
                    next: kept.next(),
                });
            }
        }
        for entries in entries.chunks(wire::MAX_ENTRIES) {
            let have = wire::Have { full: false, more: false, ask: false, entries: entries.to_vec() };
            self.out.push_back(Output::Send { to: peer, message: Message::new(wire::HAVE, &have) });
        }
    }

    // Own lines, as far as the window is open.
    fn push(&mut self, now: Instant, peer: PeerId) {
        let Some(link) = self.links.get_mut(&peer).filter(|link| link.ready) else { return };
        if link.retry_at.is_some_and(|at| at <= now) {
            for conversation in std::mem::take(&mut link.flying) {
                if let Some(progress) = link.progress.get_mut(&conversation) {
                    progress.cursor = progress.confirmed;
                    link.pending.insert(conversation);
                }
            }
            link.retry_delay = (link.retry_delay * 2).min(MAX_RETRY);
            link.retry_at = None;
        }
        let Some(link) = self.links.get(&peer) else { return };
        if link.pending.is_empty() {
            return;
        }
        let mut flying: u64 = link.flying.iter().map(|conversation| self.flight(link, *conversation)).sum();
        let pending: Vec<ConversationId> = link.pending.iter().copied().collect();
        for conversation in pending {
            while let Some((lines, progress, bytes)) = self.next_push(peer, conversation, flying) {
                flying += bytes;
                let Some(link) = self.links.get_mut(&peer) else { return };
                link.progress.insert(conversation, progress);
                link.flying.insert(conversation);
                link.retry_at.get_or_insert(now + link.retry_delay);
                self.out.push_back(Output::Send { to: peer, message: Message::new(wire::LINES, &lines) });
            }
            if flying >= WINDOW {
                // The rest waits for a confirmation.
                return;
            }
            if let Some(link) = self.links.get_mut(&peer) {
                link.pending.remove(&conversation);
            }
        }
    }

    fn flight(&self, link: &Link, conversation: ConversationId) -> u64 {
        let progress = link.progress.get(&conversation);
        let run = self.run_of(conversation);
        progress.zip(run).map_or(0, |(progress, run)| run.bytes_between(progress.confirmed, progress.cursor))
    }

    // The next page of `conversation` for `peer`: what to send, where that leaves us, how many bytes it is.
    fn next_push(
        &self,
        peer: PeerId,
        conversation: ConversationId,
        flying: u64,
    ) -> Option<(wire::Lines, Progress, u64)> {
        let (own, run, link) = (self.own.get(&conversation)?, self.run_of(conversation)?, self.links.get(&peer)?);
        if flying >= WINDOW {
            return None;
        }
        let new = Progress { confirmed: 1, cursor: 1, high: 1 };
        let mut progress = link.progress.get(&conversation).copied().unwrap_or(new);
        let base = run.base().max(own.floor(peer));
        let from = progress.cursor.max(base);
        // A page is all live or all late.
        let late = run.get(from)?.since < link.since || from < progress.high;
        let lines = run.page(from, |kept| (kept.since < link.since || kept.line.n < progress.high) == late);
        let end = lines.last()?.n + 1;
        progress.cursor = end;
        progress.high = progress.high.max(end);
        let (key, people) = match &own.to {
            To::Room => (Some(self.identity.public_key()), None),
            To::People(people, _) => (None, Some(people.iter().copied().collect())),
        };
        let bytes = run.bytes_between(from, end);
        Some((
            wire::Lines { author: self.me, instance: self.instance, key, people, base, late, lines },
            progress,
            bytes,
        ))
    }

    // Asks for what others have and we do not, of authors who cannot push it: one request a link and a run at a time,
    // to whoever has most. Offers are many, so they are looked through only when something about them changed.
    fn pull(&mut self, now: Instant) {
        for link in self.links.values_mut() {
            if link.pull_at.take_if(|at| *at <= now).is_some() {
                self.pull_due = true;
            }
            if let Some(request) = link.request.filter(|request| request.since + ANSWER <= now) {
                link.request = None;
                self.pull_due = true;
                if let Some(offer) = link.offers.get_mut(&request.run) {
                    offer.fails = offer.fails.saturating_add(1);
                }
            }
        }
        if !std::mem::take(&mut self.pull_due) {
            return;
        }
        self.scans += 1;
        let asked: BTreeSet<RunId> = self.links.values().filter_map(|link| link.request.map(|r| r.run)).collect();
        let mut best: BTreeMap<RunId, (bool, u64, u8, PeerId)> = BTreeMap::new();
        for (peer, link) in self.links.iter().filter(|(_, link)| !link.suspected) {
            for (run, offer) in &link.offers {
                let next = self.history.next(*run);
                let useless = offer.next <= next || offer.fails >= SILENT || asked.contains(run);
                if useless || *run == (self.me, self.instance) || self.linked(*run) {
                    continue;
                }
                let rank = (offer.fails >= SLOW, offer.base.max(next), offer.fails, *peer);
                let entry = best.entry(*run).or_insert(rank);
                *entry = (*entry).min(rank);
            }
        }
        for (run, (.., peer)) in best {
            let from = self.history.next(run);
            // Who is busy with another request is asked after it.
            let Some(link) = self.links.get_mut(&peer).filter(|link| link.request.is_none()) else { continue };
            if !link.pulls.take(now) {
                link.pull_at.get_or_insert(now + PULL_PAUSE);
                continue;
            }
            link.request = Some(Request { run, since: now });
            let want = wire::Want { author: run.0, instance: run.1, from };
            self.out.push_back(Output::Send { to: peer, message: Message::new(wire::WANT, &want) });
        }
    }
}
