//! Messages on reliable streams: a length, a kind, a CBOR body (RFC 8949).
//!
//! ```text
//! u32 big-endian length of what follows | u16 big-endian kind | CBOR body
//! ```
//!
//! The kind stands outside the body, so that a message from the future is skipped without being understood. A body is
//! one CBOR map with text keys; unknown keys are ignored by serde, missing optional ones take their default. Length
//! and nesting are limited before anything is allocated.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// Longest message, kind included. The longest honest one is a chat sync page.
pub const MAX_MESSAGE: usize = 256 * 1024;
/// Deepest nesting of a body. The deepest honest one has five levels.
const MAX_DEPTH: usize = 16;
const LENGTH: usize = 4;
const KIND: usize = 2;

/// Bytes that are not a message. The stream they came from cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// The length field promises more than [`MAX_MESSAGE`].
    #[error("a message of {0} bytes is over the limit of {MAX_MESSAGE}")]
    TooLong(u64),
    /// Shorter than its kind field.
    #[error("a message without a kind")]
    NoKind,
    /// The body is not the CBOR that its kind promises.
    #[error("a message body that cannot be read: {0}")]
    Body(String),
}

/// One message as it travels: its kind and its undecoded body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: u16,
    /// CBOR.
    pub body: Bytes,
}

impl Message {
    /// Encodes `body` under `kind`.
    ///
    /// # Panics
    /// Never for the message types of this crate: writing CBOR to memory fails only for types that refuse to serialize.
    pub fn new<T: Serialize>(kind: u16, body: &T) -> Self {
        Self { kind, body: to_bytes(body) }
    }

    /// Decodes the body.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        from_bytes(&self.body)
    }

    /// The bytes for the stream.
    pub fn encode(&self) -> Bytes {
        let length = KIND + self.body.len();
        let mut out = BytesMut::with_capacity(LENGTH + length);
        out.put_u32(u32::try_from(length).expect("bodies are limited far below 4 GiB"));
        out.put_u16(self.kind);
        out.extend_from_slice(&self.body);
        out.freeze()
    }
}

/// CBOR of `value`.
///
/// # Panics
/// Never for the types of this crate, see [`Message::new`].
pub fn to_bytes<T: Serialize>(value: &T) -> Bytes {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("writing to memory, of types that serialize");
    Bytes::from(out)
}

/// Reads one CBOR value with the nesting limit; bytes after it are an error.
pub fn from_bytes<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<T, Error> {
    let value = ciborium::de::from_reader_with_recursion_limit(&mut bytes, MAX_DEPTH)
        .map_err(|error| Error::Body(short(&error.to_string())))?;
    if bytes.is_empty() { Ok(value) } else { Err(Error::Body("bytes after the body".to_owned())) }
}

// What serde says may quote the input.
fn short(text: &str) -> String {
    crate::share::visible(text).chars().take(120).collect()
}

/// Cuts a byte stream into messages. Feed it what arrives, in pieces of any size.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
}

impl Decoder {
    /// An empty decoder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes. Memory is bounded by [`MAX_MESSAGE`] plus one piece, if `poll` is drained after each piece.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, `None` when more bytes are needed. After an error the stream is of no use.
    pub fn poll(&mut self) -> Result<Option<Message>, Error> {
        let Some(head) = self.buffer.get(..LENGTH) else { return Ok(None) };
        let length = u32::from_be_bytes(head.try_into().expect("four bytes"));
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_MESSAGE {
            return Err(Error::TooLong(length as u64));
        }
        if length < KIND {
            return Err(Error::NoKind);
        }
        if self.buffer.len() < LENGTH + length {
            return Ok(None);
        }
        let mut whole = self.buffer.split_to(LENGTH + length).freeze().split_off(LENGTH);
        let body = whole.split_off(KIND);
        Ok(Some(Message { kind: u16::from_be_bytes([whole[0], whole[1]]), body }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Body {
        a: u32,
        #[serde(default)]
        b: Option<String>,
    }

    #[test]
    fn messages_survive_any_cut() {
        let sent = [Message::new(7, &Body { a: 1, b: None }), Message::new(8, &Body { a: 2, b: Some("x".into()) })];
        let bytes: Vec<u8> = sent.iter().flat_map(|m| m.encode().to_vec()).collect();
        for size in 1..bytes.len() {
            let mut decoder = Decoder::new();
            let mut got = Vec::new();
            for piece in bytes.chunks(size) {
                decoder.push(piece);
                while let Some(message) = decoder.poll().expect("valid") {
                    got.push(message);
                }
            }
            assert_eq!(got, sent);
        }
    }

    #[test]
    fn a_gigabyte_by_its_length_field_is_refused_at_once() {
        let mut decoder = Decoder::new();
        decoder.push(&(1_u32 << 30).to_be_bytes());
        assert_eq!(decoder.poll(), Err(Error::TooLong(1 << 30)));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let mut body = vec![0x81; 100_000];
        body.push(0x00);
        assert!(from_bytes::<ciborium::Value>(&body).is_err());
    }

    #[test]
    fn a_key_from_the_future_is_ignored() {
        #[derive(Serialize)]
        struct Future {
            a: u32,
            zz: &'static str,
        }
        let message = Message::new(7, &Future { a: 3, zz: "new" });
        assert_eq!(message.decode(), Ok(Body { a: 3, b: None }));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let mut decoder = Decoder::new();
            decoder.push(&bytes);
            while let Ok(Some(message)) = decoder.poll() {
                let _ = message.decode::<Body>();
            }
        }
    }
}
