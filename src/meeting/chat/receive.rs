//! Sans-IO. Lines that come in: who may send them, are they genuine, are they the ones to come.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::id::{LinkKey, PeerId};
use crate::share::{ChatText, DisplayName, MAX_CHAT_BYTES};

use super::history::{Origin, Place};
use super::link::ACK_DELAY;
use super::{Chat, ConversationId, MessageId, Output, RunId, WarningCode, line, wire};

/// Why lines were not taken. None of it is the way of an honest peer, except that [`Refusal::Unasked`] may be a late
/// answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// They break the form: counters, people, lengths.
    Malformed,
    /// Their author did not sign them.
    Forged,
    /// Somebody else's lines that we did not ask for.
    Unasked,
    /// There is no place for another author or run.
    NoPlace,
    /// More than the peer may send; what came in time was taken.
    Flood,
}

impl Chat {
    /// Lines came from a linked peer.
    pub fn on_lines(&mut self, now: Instant, from: LinkKey, lines: wire::Lines) -> Result<(), Refusal> {
        let run = (lines.author, lines.instance);
        let Some(link) = self.links.get_mut(&from.peer) else { return Err(Refusal::Malformed) };
        if !link.pages.take(now) {
            return self.over(now, from.peer, lines.lines.len().max(1));
        }
        if run == (self.me, self.instance) || !well_formed(&lines) {
            return Err(Refusal::Malformed);
        }
        let origin = if run == (from.peer, from.instance) { Origin::Direct } else { Origin::Passed(from.peer) };
        let result = match lines.people.as_deref().map(|people| self.people(&lines, people)) {
            Some(Some(people)) if origin == Origin::Direct => self.on_private(now, from, lines, people),
            Some(_) => Err(Refusal::Malformed),
            None => self.on_room(now, from, lines, origin),
        };
        self.pump(now);
        result
    }

    // Everybody of a private conversation, if it is one of the author and us.
    fn people(&self, lines: &wire::Lines, people: &[PeerId]) -> Option<BTreeSet<PeerId>> {
        let sorted = people.windows(2).all(|pair| pair[0] < pair[1]);
        let set: BTreeSet<PeerId> = people.iter().copied().collect();
        let ours = set.contains(&self.me) && set.contains(&lines.author);
        (sorted && ours && (2..=wire::MAX_PEOPLE).contains(&set.len())).then_some(set)
    }

    fn on_private(
        &mut self,
        now: Instant,
        from: LinkKey,
        lines: wire::Lines,
        people: BTreeSet<PeerId>,
    ) -> Result<(), Refusal> {
        let conversation = ConversationId::of(self.room, &people);
        let mut next = self.heard.next(lines.author, lines.instance, conversation);
        if first_after_gap(&lines, next) {
            // The author gave up what lies between, and has said so on its side.
            next = lines.base;
        }
        let (mut result, mut came) = (Ok(()), 0);
        for (i, line) in lines.lines.iter().enumerate() {
            if line.n != next {
                continue;
            }
            if !self.allow(now, from.peer) {
                result = self.over(now, from.peer, lines.lines.len() - i);
                break;
            }
            next += 1;
            self.show(&lines, line, conversation, Some(people.clone()), lines.late);
            came += 1;
        }
        if result.is_ok() {
            result = self.over(now, from.peer, lines.lines.len() - came);
        }
        let here = self.here();
        self.heard.set(now, lines.author, (lines.instance, conversation), next, &here);
        self.owe_confirmation(now, from, conversation);
        result
    }

    fn on_room(&mut self, now: Instant, from: LinkKey, lines: wire::Lines, origin: Origin) -> Result<(), Refusal> {
        let run = (lines.author, lines.instance);
        let key = lines.key.filter(|key| key.peer_id() == lines.author).ok_or(Refusal::Forged)?;
        let direct = origin == Origin::Direct;
        if !direct && !self.take_answer(now, from.peer, &lines)? {
            return Ok(());
        }
        let Some(first) = lines.lines.first() else { return Ok(()) };
        let next = self.history.next(run);
        let skips = first_after_gap(&lines, next);
        if first.n > next && !skips {
            // What lies between is still on its way; confirming what we have makes the author push it again.
            self.owe_confirmation(now, from, self.everybody);
            return if direct { self.over(now, from.peer, lines.lines.len()) } else { Ok(()) };
        }
        let here = self.here();
        let (mut result, mut checked, mut came) = (Ok(()), false, false);
        for (i, line) in lines.lines.iter().enumerate().filter(|(_, line)| line.n >= next) {
            if direct && !self.allow(now, from.peer) {
                result = self.over(now, from.peer, lines.lines.len() - i);
                break;
            }
            let signed = line::signed(self.room, run.0, run.1, line);
            if !line.signature.as_ref().is_some_and(|signature| key.verify(&signed, signature)) {
                result = Err(Refusal::Forged);
                break;
            }
            // Only a genuine line makes place for its author.
            match if checked { Place::Free } else { self.history.admit(now, run, key, origin, &here) } {
                Place::Free => {}
                Place::Of(gone) => self.forget_offers(gone),
                Place::None => {
                    result = Err(Refusal::NoPlace);
                    break;
                }
            }
            checked = true;
            if skips && !came {
                self.history.skip_to(run, line.n);
                if next > 1 {
                    let count = line.n - next;
                    self.out.push_back(Output::Warn { code: WarningCode::ChatGap, peer: run.0, count });
                }
            }
            came = true;
            self.history.push(now, run, line.clone());
            if run.0 != self.me {
                self.show(&lines, line, self.everybody, None, lines.late || !direct);
            }
        }
        if direct {
            let old = lines.lines.iter().filter(|line| line.n < next).count();
            if result.is_ok() {
                result = self.over(now, from.peer, old);
            }
            self.owe_confirmation(now, from, self.everybody);
        } else if came && let Some(offer) = self.links.get_mut(&from.peer).and_then(|link| link.offers.get_mut(&run)) {
            offer.fails = 0;
        } else if let Some(link) = self.links.get_mut(&from.peer) {
            // It has nothing for us after all.
            link.offers.remove(&run);
        }
        if came {
            self.spread(now, run, from.peer);
        }
        result
    }

    // What was forgotten for want of place is not asked for again at once.
    fn forget_offers(&mut self, author: PeerId) {
        self.links.values_mut().for_each(|link| link.offers.retain(|run, _| run.0 != author));
    }

    // The answer to our request; false when it is not to be used. What it says of what the peer has counts more than
    // what the peer said before: only when it is still the best offer is a gap in it taken.
    fn take_answer(&mut self, now: Instant, peer: PeerId, lines: &wire::Lines) -> Result<bool, Refusal> {
        let run = (lines.author, lines.instance);
        let ours = self.history.next(run);
        let link = self.links.get_mut(&peer).ok_or(Refusal::Unasked)?;
        if link.request.is_none_or(|request| request.run != run) {
            return Err(Refusal::Unasked);
        }
        link.request = None;
        self.pull_due = true;
        let claimed = link.offers.get(&run).map_or(lines.base, |offer| offer.base);
        match lines.lines.last() {
            None => drop(link.offers.remove(&run)),
            Some(_) if lines.base > claimed.max(ours) => {
                // Ask again, perhaps somebody else; who moves its base without end is not believed.
                if !link.haves.take(now) {
                    link.offers.remove(&run);
                } else if let Some(offer) = link.offers.get_mut(&run) {
                    offer.base = lines.base;
                }
                return Ok(false);
            }
            Some(_) => {}
        }
        Ok(true)
    }

    // Lines that were not taken: too many, or doubles, or after a gap.
    fn over(&mut self, now: Instant, peer: PeerId, lines: usize) -> Result<(), Refusal> {
        let flood = self.links.get_mut(&peer).is_some_and(|link| link.is_flood(now, lines));
        if flood { Err(Refusal::Flood) } else { Ok(()) }
    }

    fn allow(&mut self, now: Instant, peer: PeerId) -> bool {
        self.links.get_mut(&peer).is_some_and(|link| link.lines.take(now))
    }

    fn show(
        &mut self,
        lines: &wire::Lines,
        line: &wire::Line,
        conversation: ConversationId,
        people: Option<BTreeSet<PeerId>>,
        late: bool,
    ) {
        // What has nothing to show counts and is not shown.
        let Ok(text) = ChatText::new(&line.text) else { return };
        let id = MessageId { author: lines.author, instance: lines.instance, conversation, counter: line.n };
        let name = DisplayName::new(&line.name);
        self.out.push_back(Output::Line { id, name, text, people, sent_at: line.at, late });
    }

    fn owe_confirmation(&mut self, now: Instant, from: LinkKey, conversation: ConversationId) {
        if let Some(link) = self.links.get_mut(&from.peer) {
            link.confirm.insert((from.instance, conversation));
            link.confirm_at.get_or_insert(now + ACK_DELAY);
        }
    }

    // Tells the others, in a while, that we have this now.
    fn spread(&mut self, now: Instant, run: RunId, from: PeerId) {
        let next = self.history.next(run);
        let seed = self.seed;
        for (peer, link) in &mut self.links {
            let knows = link.offers.get(&run).is_some_and(|offer| offer.next >= next);
            if *peer != run.0 && *peer != from && !knows {
                link.gossip.insert(run);
                link.gossip_at.get_or_insert(now + super::sync::gossip_delay(seed, *peer));
            }
        }
    }
}

// The sender has nothing of what lies between: the first line is its first.
fn first_after_gap(lines: &wire::Lines, next: u64) -> bool {
    lines.lines.first().is_some_and(|first| first.n > next && lines.base == first.n)
}

fn well_formed(lines: &wire::Lines) -> bool {
    let ascending = lines.lines.windows(2).all(|pair| pair[1].n == pair[0].n + 1);
    let fits = |line: &wire::Line| {
        (1..=wire::MAX_COUNTER).contains(&line.n)
            && line.text.len() <= MAX_CHAT_BYTES
            && line.name.len() <= wire::MAX_NAME
    };
    lines.lines.len() <= wire::MAX_LINES && lines.lines.iter().all(fits) && ascending
}
