//! Sans-IO. A small multicast DNS responder and browser for one interface and one service type.
//!
//! It announces twice, a second apart, asks at 0, 1 and 3 s and then every 20 s, answers questions at most every
//! 100 ms, and believes an answer for 75 s, so that three lost answers in a row end it. A goodbye (lifetime 0) ends it
//! at once. It departs from RFC 6762 where that guards a shared network: it does not delay answers, does not leave out
//! what the other side knows, and does not ask whether its name is free (the label holds a random instance).
//!
//! Bounds: [`super::MAX_KNOWN`] peers, and one packet of each kind waiting to be sent.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::id::PeerId;
use crate::sighting::{MAX_ADDRESSES, Sighting};

use super::dns::{Data, Message, Record};
use super::{Announcement, MAX_KNOWN, SERVICE, VERIFY_WITHIN, label, sighting, txt};

const ASK: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2)];
const ASK_EVERY: Duration = Duration::from_secs(20);
const ANNOUNCE_AGAIN: Duration = Duration::from_secs(1);
const ANSWER_EVERY: Duration = Duration::from_millis(100);
const BELIEVE: Duration = Duration::from_secs(75);
/// What the records say (RFC 6762, section 10): names of services 75 minutes, the rest 2 minutes.
const SERVICE_TTL: u32 = 4500;
const HOST_TTL: u32 = 120;

#[derive(Debug)]
struct Known {
    sighting: Sighting,
    until: Instant,
}

/// See the module.
#[derive(Debug)]
pub struct Responder {
    announcement: Option<Announcement>,
    known: BTreeMap<String, Known>,
    // Drained after each input; one input adds at most one per record of a packet.
    reports: VecDeque<Sighting>,
    ask: Option<Instant>,
    asked: usize,
    answer: Option<Instant>,
    answered: Option<Instant>,
    repeat: bool,
}

impl Responder {
    /// Announces and asks at once.
    pub fn new(now: Instant, announcement: Option<Announcement>) -> Self {
        let said = announcement.is_some();
        Self {
            announcement,
            known: BTreeMap::new(),
            reports: VecDeque::new(),
            ask: Some(now),
            asked: 0,
            answer: said.then_some(now),
            answered: None,
            repeat: said,
        }
    }

    /// Replaces what is announced.
    pub fn announce(&mut self, now: Instant, announcement: Announcement) {
        self.announcement = Some(announcement);
        self.answer = Some(now);
        self.repeat = true;
    }

    /// Asks whether a peer is still there; no answer within 3 s is a goodbye.
    pub fn verify(&mut self, now: Instant, peer: PeerId) {
        let mut asked = false;
        for known in self.known.values_mut().filter(|known| known.sighting.peer == Some(peer)) {
            known.until = known.until.min(now + VERIFY_WITHIN);
            asked = true;
        }
        if asked {
            self.ask = Some(now);
        }
    }

    /// The packet that takes the announcement back.
    pub fn goodbye(&self) -> Option<Vec<u8>> {
        self.announcement.as_ref().map(|announcement| records(announcement, Some(0)).encode())
    }

    /// A packet came in.
    pub fn on_packet(&mut self, now: Instant, packet: &[u8]) {
        let Some(message) = Message::decode(packet) else { return };
        if self.announcement.is_some() && message.questions.iter().any(|name| name == SERVICE) {
            let soonest = self.answered.map_or(now, |at| (at + ANSWER_EVERY).max(now));
            self.answer = Some(self.answer.map_or(soonest, |at| at.min(soonest)));
        }
        for record in &message.records {
            if let Data::Ptr(name) = &record.data
                && record.name == SERVICE
            {
                self.on_service(now, name, record.ttl, &message);
            }
        }
    }

    fn on_service(&mut self, now: Instant, name: &str, ttl: u32, message: &Message) {
        if ttl == 0 {
            if let Some(known) = self.known.remove(name) {
                self.reports.push_back(Sighting { gone: true, ..known.sighting });
            }
            return;
        }
        let Some(found) = resolve(name, message) else { return };
        let own = self.announcement.as_ref().map(|own| (Some(own.peer), Some(own.instance)));
        if own == Some((found.peer, found.instance)) {
            return;
        }
        let before = self.known.get(name).map(|known| &known.sighting);
        if before.is_none() && self.known.len() >= MAX_KNOWN {
            return;
        }
        if before != Some(&found) {
            self.reports.push_back(found.clone());
        }
        self.known.insert(name.to_owned(), Known { sighting: found, until: now + BELIEVE });
    }

    /// What was found or lost; drain it before the next input.
    pub fn poll_sighting(&mut self, now: Instant) -> Option<Sighting> {
        let late = self.known.iter().find(|(_, known)| known.until <= now).map(|(name, _)| name.clone());
        if let Some(known) = late.and_then(|name| self.known.remove(&name)) {
            self.reports.push_back(Sighting { gone: true, ..known.sighting });
        }
        self.reports.pop_front()
    }

    /// The next packet to multicast; drain it before the next input.
    pub fn poll_packet(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.answer.is_some_and(|at| at <= now)
            && let Some(announcement) = &self.announcement
        {
            self.answered = Some(now);
            self.answer = std::mem::take(&mut self.repeat).then_some(now + ANNOUNCE_AGAIN);
            return Some(records(announcement, None).encode());
        }
        if self.ask.is_some_and(|at| at <= now) {
            self.asked += 1;
            self.ask = Some(now + ASK.get(self.asked).copied().unwrap_or(ASK_EVERY));
            return Some(Message { questions: vec![SERVICE.to_owned()], records: Vec::new() }.encode());
        }
        None
    }

    /// When to poll again without an input.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let known = self.known.values().map(|known| known.until).min();
        [self.ask, self.answer, known].into_iter().flatten().min()
    }
}

fn records(announcement: &Announcement, ttl: Option<u32>) -> Message {
    let label = label(announcement.peer, announcement.instance);
    let (name, host) = (format!("{label}.{SERVICE}"), format!("{label}.local."));
    let strings = txt::encode(announcement);
    let strings = strings.iter().map(|(key, value)| format!("{key}={value}").into_bytes()).collect();
    let record = |name: &str, usual: u32, data: Data| Record { name: name.to_owned(), ttl: ttl.unwrap_or(usual), data };
    Message {
        questions: Vec::new(),
        records: vec![
            record(SERVICE, SERVICE_TTL, Data::Ptr(name.clone())),
            record(&name, HOST_TTL, Data::Srv { port: announcement.port, host: host.clone() }),
            record(&name, SERVICE_TTL, Data::Txt(strings)),
            record(&host, HOST_TTL, Data::A(Ipv4Addr::LOCALHOST)),
        ],
    }
}

fn of<'a>(message: &'a Message, name: &'a str) -> impl Iterator<Item = &'a Data> {
    message.records.iter().filter(move |record| record.name == name && record.ttl > 0).map(|record| &record.data)
}

// The sighting that the records of one message make of a service instance. Only loopback addresses count here.
fn resolve(name: &str, message: &Message) -> Option<Sighting> {
    let (port, host) = of(message, name).find_map(|data| match data {
        Data::Srv { port, host } => Some((*port, host.as_str())),
        _ => None,
    })?;
    let strings = of(message, name).find_map(|data| match data {
        Data::Txt(strings) => Some(strings),
        _ => None,
    })?;
    let split = |string: &'_ Vec<u8>| -> Option<(String, Vec<u8>)> {
        let end = string.iter().position(|b| *b == b'=')?;
        Some((String::from_utf8(string[..end].to_vec()).ok()?, string[end + 1..].to_vec()))
    };
    let pairs: Vec<(String, Vec<u8>)> = strings.iter().filter_map(split).collect();
    let record = txt::parse(pairs.iter().map(|(key, value)| (key.as_str(), value.as_slice())))?;
    let ip = |data: &Data| match data {
        Data::A(ip) if ip.is_loopback() => Some(SocketAddr::from((*ip, port))),
        _ => None,
    };
    let mut addresses: Vec<SocketAddr> = of(message, host).filter_map(ip).take(MAX_ADDRESSES).collect();
    if addresses.is_empty() {
        addresses.push(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    (port != 0).then(|| sighting(&record, addresses))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Instance, RoomName};
    use crate::share::DisplayName;
    use proptest::prelude::*;

    fn announcement(number: u8) -> Announcement {
        Announcement {
            peer: PeerId::from_bytes([number; 32]),
            instance: Instance::from_u64(u64::from(number)),
            name: DisplayName::new("Bo"),
            port: 48190 + u16::from(number),
            rooms: vec![RoomName::new("tea").expect("valid")],
        }
    }

    // Everybody hears every packet, the sender too.
    fn exchange(now: Instant, all: &mut [Responder]) -> Vec<Vec<Sighting>> {
        loop {
            let packets: Vec<Vec<u8>> =
                all.iter_mut().flat_map(|r| std::iter::from_fn(|| r.poll_packet(now)).collect::<Vec<_>>()).collect();
            if packets.is_empty() {
                break;
            }
            for packet in packets {
                all.iter_mut().for_each(|r| r.on_packet(now, &packet));
            }
        }
        all.iter_mut().map(|r| std::iter::from_fn(|| r.poll_sighting(now)).collect()).collect()
    }

    #[test]
    fn two_find_each_other_at_once_and_a_hidden_one_only_looks() {
        let now = crate::clock::now();
        let mut all = [
            Responder::new(now, Some(announcement(1))),
            Responder::new(now, Some(announcement(2))),
            Responder::new(now, None),
        ];
        let seen = exchange(now, &mut all);
        let peers = |n: usize| seen[n].iter().map(|s| s.peer.expect("known").as_bytes()[0]).collect::<Vec<_>>();
        assert_eq!((peers(0), peers(1), peers(2)), (vec![2], vec![1], vec![1, 2]));
        assert_eq!(seen[0][0].addresses, [SocketAddr::from(([127, 0, 0, 1], 48192))]);
        assert_eq!(seen[0][0].rooms, announcement(2).rooms);
    }

    #[test]
    fn a_goodbye_is_told_at_once_and_silence_after_a_question() {
        let start = crate::clock::now();
        let mut all = [Responder::new(start, Some(announcement(1))), Responder::new(start, None)];
        exchange(start, &mut all);
        let bye = all[0].goodbye().expect("announced");
        all[1].on_packet(start, &bye);
        assert!(all[1].poll_sighting(start).is_some_and(|s| s.gone));
        let packet = records(&announcement(3), None).encode();
        all[1].on_packet(start, &packet);
        assert!(all[1].poll_sighting(start).is_some_and(|s| !s.gone));
        all[1].verify(start, announcement(3).peer);
        assert_eq!(all[1].poll_sighting(start + VERIFY_WITHIN / 2), None);
        assert!(all[1].poll_sighting(start + VERIFY_WITHIN).is_some_and(|s| s.gone));
    }

    #[test]
    fn a_flood_of_questions_gets_ten_answers_a_second() {
        let start = crate::clock::now();
        let mut one = Responder::new(start, Some(announcement(1)));
        let question = Message { questions: vec![SERVICE.to_owned()], records: Vec::new() }.encode();
        let mut answers = 0;
        for ms in 0..1000 {
            let now = start + Duration::from_millis(ms);
            (0..10).for_each(|_| one.on_packet(now, &question));
            while let Some(packet) = one.poll_packet(now) {
                answers += usize::from(!Message::decode(&packet).expect("own").records.is_empty());
            }
        }
        assert!(answers <= 11, "{answers}");
    }

    #[test]
    fn a_flood_of_peers_stays_within_the_cap() {
        let now = crate::clock::now();
        let mut one = Responder::new(now, None);
        for number in 0..5000_u64 {
            let said = Announcement { instance: Instance::from_u64(number), ..announcement(1) };
            one.on_packet(now, &records(&said, None).encode());
            while one.poll_sighting(now).is_some() {}
        }
        assert_eq!(one.known.len(), MAX_KNOWN);
    }

    proptest! {
        #[test]
        fn any_packets_never_panic(at in 0..500_usize, value in any::<u8>(), cut in 0..600_usize) {
            let now = crate::clock::now();
            let mut one = Responder::new(now, Some(announcement(1)));
            let mut packet = records(&announcement(2), None).encode();
            let at = at % packet.len();
            packet[at] = value;
            packet.truncate(cut.max(1));
            one.on_packet(now, &packet);
            while one.poll_sighting(now).is_some() {}
        }
    }
}
