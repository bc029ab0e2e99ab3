//! Sans-IO. The little of DNS messages (RFC 1035, section 4) that finding peers on one machine takes: questions for
//! PTR records, and answers with PTR, SRV, TXT and A records.
//!
//! Written without name compression, read with it. A name is at most 255 bytes and a packet follows at most
//! [`MAX_JUMPS`] pointers, each of which must point backwards, so no packet keeps the reader busy.

use std::net::Ipv4Addr;

/// Longest packet that is read: RFC 6762, section 17.
pub const MAX_PACKET: usize = 9000;
/// Records of one packet that are looked at.
const MAX_RECORDS: usize = 256;
const MAX_JUMPS: usize = 32;
const MAX_NAME: usize = 255;

const A: u16 = 1;
const PTR: u16 = 12;
const TXT: u16 = 16;
const SRV: u16 = 33;
const ANY: u16 = 255;
const IN: u16 = 1;
/// "This is the only such record", set on records that one process owns (RFC 6762, section 10.2).
const UNIQUE: u16 = 0x8000;
/// An authoritative answer.
const ANSWER: u16 = 0x8400;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose, in lower case, with a dot at the end.
    pub name: String,
    /// Seconds it is good for; 0 is a goodbye.
    pub ttl: u32,
    /// What it says.
    pub data: Data,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// A service type has this instance.
    Ptr(String),
    /// An instance listens at this port of this host.
    Srv {
        /// UDP here.
        port: u16,
        /// The host.
        host: String,
    },
    /// Strings, each `key=value`.
    Txt(Vec<Vec<u8>>),
    /// The address of a host.
    A(Ipv4Addr),
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Names whose PTR records (or all) are asked for.
    pub questions: Vec<String>,
    /// Answers and additional records alike.
    pub records: Vec<Record>,
}

impl Message {
    /// The packet. Names that are not valid make an empty one; the names of this program are.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        let flags = if self.records.is_empty() { 0 } else { ANSWER };
        let count = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        for word in [0, flags, count(self.questions.len()), count(self.records.len()), 0, 0] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        for name in &self.questions {
            put_name(&mut out, name);
            out.extend_from_slice(&PTR.to_be_bytes());
            out.extend_from_slice(&IN.to_be_bytes());
        }
        for record in &self.records {
            put_record(&mut out, record);
        }
        out
    }

    /// Reads a packet. `None` if it is cut short or breaks the rules; records of other kinds are skipped.
    pub fn decode(packet: &[u8]) -> Option<Self> {
        if packet.len() > MAX_PACKET {
            return None;
        }
        let mut reader = Reader { packet, at: 0 };
        let _id = reader.u16()?;
        let flags = reader.u16()?;
        // Only plain queries and answers (RFC 6762, section 18).
        if flags & 0x780f != 0 {
            return None;
        }
        let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        let mut message = Self::default();
        for _ in 0..usize::from(counts[0]).min(MAX_RECORDS) {
            let name = reader.name()?;
            let (kind, _class) = (reader.u16()?, reader.u16()?);
            if kind == PTR || kind == ANY {
                message.questions.push(name);
            }
        }
        let records = counts[1..].iter().map(|n| usize::from(*n)).sum::<usize>();
        // The records of a query are what it knows already: nothing that anybody claims.
        if flags & 0x8000 == 0 || usize::from(counts[0]) > MAX_RECORDS {
            return Some(message);
        }
        for _ in 0..records.min(MAX_RECORDS) {
            message.records.extend(reader.record()?);
        }
        Some(message)
    }
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let bytes = &label.as_bytes()[..label.len().min(63)];
        out.push(u8::try_from(bytes.len()).unwrap_or(63));
        out.extend_from_slice(bytes);
    }
    out.push(0);
}

fn put_record(out: &mut Vec<u8>, record: &Record) {
    put_name(out, &record.name);
    let (kind, class) = match record.data {
        Data::Ptr(_) => (PTR, IN),
        Data::Srv { .. } => (SRV, IN | UNIQUE),
        Data::Txt(_) => (TXT, IN | UNIQUE),
        Data::A(_) => (A, IN | UNIQUE),
    };
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&class.to_be_bytes());
    out.extend_from_slice(&record.ttl.to_be_bytes());
    let mut data = Vec::new();
    match &record.data {
        Data::Ptr(name) => put_name(&mut data, name),
        Data::Srv { port, host } => {
            data.extend_from_slice(&[0; 4]);
            data.extend_from_slice(&port.to_be_bytes());
            put_name(&mut data, host);
        }
        Data::Txt(strings) => {
            for string in strings {
                let bytes = &string[..string.len().min(255)];
                data.push(u8::try_from(bytes.len()).unwrap_or(255));
                data.extend_from_slice(bytes);
            }
        }
        Data::A(ip) => data.extend_from_slice(&ip.octets()),
    }
    out.extend_from_slice(&u16::try_from(data.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&data);
}

struct Reader<'a> {
    packet: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let bytes = self.packet.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    fn u8(&mut self) -> Option<u8> {
        self.bytes(1).map(|b| b[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.bytes(2).map(|b| u16::from_be_bytes([b[0], b[1]]))
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut after = None;
        let mut jumps = 0;
        loop {
            let start = self.at;
            let length = self.u8()?;
            match length {
                0 => break,
                1..=63 => {
                    let label = self.bytes(usize::from(length))?;
                    // Lower case, as names compare; the rest need not be text.
                    name.push_str(&String::from_utf8_lossy(label).to_ascii_lowercase());
                    name.push('.');
                    if name.len() > MAX_NAME {
                        return None;
                    }
                }
                0xc0..=0xff => {
                    let low = self.u8()?;
                    let target = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    jumps += 1;
                    if target >= start || jumps > MAX_JUMPS {
                        return None;
                    }
                    after.get_or_insert(self.at);
                    self.at = target;
                }
                _ => return None,
            }
        }
        if let Some(after) = after {
            self.at = after;
        }
        Some(name)
    }

    // `Some(None)` for a record of another kind.
    fn record(&mut self) -> Option<Option<Record>> {
        let name = self.name()?;
        let (kind, class, ttl) = (self.u16()?, self.u16()?, self.u32()?);
        let length = usize::from(self.u16()?);
        let end = self.at.checked_add(length).filter(|end| *end <= self.packet.len())?;
        let data = if class & !UNIQUE == IN { self.data(kind, end)? } else { None };
        self.at = end;
        Some(data.map(|data| Record { name, ttl, data }))
    }

    fn data(&mut self, kind: u16, end: usize) -> Option<Option<Data>> {
        let data = match kind {
            PTR => Data::Ptr(self.name()?),
            SRV => {
                self.bytes(4)?;
                Data::Srv { port: self.u16()?, host: self.name()? }
            }
            A => {
                let b = self.bytes(4)?;
                Data::A(Ipv4Addr::new(b[0], b[1], b[2], b[3]))
            }
            TXT => {
                let mut strings = Vec::new();
                while self.at < end {
                    let length = usize::from(self.u8()?);
                    strings.push(self.bytes(length)?.to_vec());
                }
                Data::Txt(strings)
            }
            _ => return Some(None),
        };
        (self.at <= end).then_some(Some(data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message() -> Message {
        let name = "a-1._lets-meet._udp.local.".to_owned();
        let record = |data| Record { name: name.clone(), ttl: 120, data };
        Message {
            questions: Vec::new(),
            records: vec![
                Record { name: "_lets-meet._udp.local.".into(), ttl: 4500, data: Data::Ptr(name.clone()) },
                record(Data::Srv { port: 48190, host: "a-1.local.".into() }),
                record(Data::Txt(vec![b"v=1".to_vec(), b"n=Bo".to_vec()])),
                Record { name: "a-1.local.".into(), ttl: 0, data: Data::A(Ipv4Addr::LOCALHOST) },
            ],
        }
    }

    #[test]
    fn messages_read_back_what_they_say() {
        assert_eq!(Message::decode(&message().encode()), Some(message()));
        let question = Message { questions: vec!["_lets-meet._udp.local.".into()], records: Vec::new() };
        assert_eq!(Message::decode(&question.encode()), Some(question));
    }

    #[test]
    fn compressed_names_are_read_and_loops_refused() {
        let mut packet = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        packet.extend_from_slice(b"\x01x\x05local\x00");
        packet.extend_from_slice(&[0, 12, 0, 1, 0, 0, 0, 9, 0, 4, 1, b'y', 0xc0, 14]);
        let read = Message::decode(&packet).expect("valid");
        let data = Data::Ptr("y.local.".into());
        assert_eq!(read.records, [Record { name: "x.local.".into(), ttl: 9, data }]);
        for target in [12, 34, 33, 200] {
            let mut bad = packet.clone();
            *bad.last_mut().expect("not empty") = target;
            let _ = Message::decode(&bad);
        }
        let itself = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 12, 0, 1];
        assert_eq!(Message::decode(&itself), None);
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Message::decode(&bytes);
        }

        #[test]
        fn damaged_messages_never_panic(at in 0..200_usize, value in any::<u8>(), cut in 0..300_usize) {
            let mut bytes = message().encode();
            let at = at % bytes.len();
            bytes[at] = value;
            bytes.truncate(cut.max(1));
            let _ = Message::decode(&bytes);
        }
    }
}
