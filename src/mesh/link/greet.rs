//! The first words on a connection. The dialer says its hello at once; the acceptor reads it, asks the roster, and
//! answers with its own hello or a refusal. Everything here has [`HANDSHAKE_LIMIT`](endpoint::HANDSHAKE_LIMIT).

use std::net::SocketAddr;
use std::time::Duration;

use quinn::{ConnectionError, VarInt};

use super::control::write_control;
use crate::endpoint::{self, ConnectError, Endpoint};
use crate::framing::{Decoder, Message};
use crate::identity::PublicKey;
use crate::mesh::roster::{Closed, Refusal};
use crate::mesh::wire::{Control, Hello, refusal_code};
use crate::tls::{Alpn, Pin};

/// Codes of closed connections. 0 is a handle that was dropped: as good as lost.
pub(in crate::mesh) const CLOSE_GOODBYE: u32 = 1;
/// The stream could not be read on.
pub(in crate::mesh) const CLOSE_PROTOCOL: u32 = 2;
/// Of no use any more, for a reason that is none of the peer's business.
pub(in crate::mesh) const CLOSE_ENDED: u32 = 3;
/// From here on a [`Refusal`].
const CLOSE_REFUSED: u32 = 16;
const REFUSED: [Refusal; 8] = [
    Refusal::RoomFull,
    Refusal::OtherRoom,
    Refusal::Version,
    Refusal::Replaced,
    Refusal::Duplicate,
    Refusal::Removed,
    Refusal::Myself,
    Refusal::Busy,
];

/// The code that tells `refusal`.
pub(in crate::mesh) fn close_code(refusal: Refusal) -> u32 {
    let index = REFUSED.iter().position(|known| *known == refusal).unwrap_or(REFUSED.len() - 1);
    CLOSE_REFUSED + u32::try_from(index).unwrap_or(0)
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mesh) enum Ended {
    /// The peer said goodbye by closing.
    Goodbye,
    /// Something for the roster.
    Closed(Closed),
}

/// Reads the end of a connection.
pub(in crate::mesh) fn ended(error: &ConnectionError) -> Ended {
    let ConnectionError::ApplicationClosed(close) = error else { return Ended::Closed(Closed::Lost) };
    let code = u32::try_from(close.error_code.into_inner()).unwrap_or(0);
    if code == CLOSE_GOODBYE {
        return Ended::Goodbye;
    }
    let index = code.checked_sub(CLOSE_REFUSED).and_then(|index| usize::try_from(index).ok());
    let refusal = index.and_then(|index| REFUSED.get(index));
    Ended::Closed(refusal.map_or(Closed::Lost, |refusal| Closed::Refused(*refusal)))
}

/// A connection on which the other side's hello was read.
#[derive(Debug)]
pub(in crate::mesh) struct Greeting {
    pub connection: quinn::Connection,
    pub send: quinn::SendStream,
    pub recv: quinn::RecvStream,
    /// May hold the start of what follows the hello.
    pub decoder: Decoder,
    pub public_key: PublicKey,
    pub theirs: Hello,
    /// What this side said; the acceptor says it after the roster's verdict.
    pub ours: Option<Hello>,
}

/// Why there is no greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::mesh) enum GreetError {
    /// No connection.
    Connect(ConnectError),
    /// The other side said no.
    Refused(Refusal),
    /// It said nothing in time.
    Silent,
    /// It said something else than hello.
    Nonsense,
}

impl From<ConnectionError> for GreetError {
    fn from(error: ConnectionError) -> Self {
        match ended(&error) {
            Ended::Closed(Closed::Refused(refusal)) => Self::Refused(refusal),
            _ => Self::Connect(ConnectError::Timeout),
        }
    }
}

/// Dials `address` and exchanges hellos. `hello` is made when the peer's key is known.
pub(in crate::mesh) async fn dial(
    endpoint: Endpoint,
    address: SocketAddr,
    pin: Pin,
    hello: impl FnOnce(PublicKey) -> Hello,
) -> Result<Greeting, GreetError> {
    let connection = endpoint.connect(address, pin, Alpn::Mesh).await.map_err(GreetError::Connect)?;
    let greeting = async {
        let public_key = endpoint::public_key(&connection).ok_or(GreetError::Nonsense)?;
        let (mut send, mut recv) = connection.open_bi().await?;
        let ours = hello(public_key);
        let mut decoder = Decoder::new();
        // When this fails, the answer tells why.
        let _ = write_control(&mut send, &Control::Hello(ours.clone())).await;
        let answer = first_message(&connection, &mut recv, &mut decoder).await?;
        match Control::decode(&answer) {
            Ok(Control::Hello(theirs)) => Ok((send, recv, decoder, public_key, theirs, ours)),
            Ok(Control::Refuse(refusal)) => Err(GreetError::Refused(refusal)),
            _ => Err(GreetError::Nonsense),
        }
    };
    let result = tokio::time::timeout(endpoint::HANDSHAKE_LIMIT, greeting).await;
    let (send, recv, decoder, public_key, theirs, ours) = result.map_err(|_| GreetError::Silent)??;
    Ok(Greeting { connection, send, recv, decoder, public_key, theirs, ours: Some(ours) })
}

/// Reads the dialer's hello on a connection that came in.
pub(in crate::mesh) async fn accept(connection: quinn::Connection) -> Result<Greeting, GreetError> {
    let greeting = async {
        let public_key = endpoint::public_key(&connection).ok_or(GreetError::Nonsense)?;
        let (send, mut recv) = connection.accept_bi().await?;
        let mut decoder = Decoder::new();
        let message = first_message(&connection, &mut recv, &mut decoder).await?;
        match Control::decode(&message) {
            Ok(Control::Hello(theirs)) => Ok((send, recv, decoder, public_key, theirs)),
            _ => Err(GreetError::Nonsense),
        }
    };
    let result = tokio::time::timeout(endpoint::HANDSHAKE_LIMIT, greeting).await;
    match result.unwrap_or(Err(GreetError::Silent)) {
        Ok((send, recv, decoder, public_key, theirs)) => {
            Ok(Greeting { connection, send, recv, decoder, public_key, theirs, ours: None })
        }
        Err(error) => {
            connection.close(VarInt::from_u32(CLOSE_PROTOCOL), b"no hello");
            Err(error)
        }
    }
}

/// Says no, makes sure that it is heard, and closes.
pub(in crate::mesh) async fn refuse(mut greeting: Greeting, refusal: Refusal) {
    let said = async {
        write_control(&mut greeting.send, &Control::Refuse(refusal)).await?;
        let _ = greeting.send.finish();
        let _ = greeting.send.stopped().await;
        Ok::<_, quinn::WriteError>(())
    };
    let _ = tokio::time::timeout(Duration::from_millis(500), said).await;
    let code = VarInt::from_u32(close_code(refusal));
    greeting.connection.close(code, refusal_code(refusal).as_bytes());
}

async fn first_message(
    connection: &quinn::Connection,
    recv: &mut quinn::RecvStream,
    decoder: &mut Decoder,
) -> Result<Message, GreetError> {
    loop {
        if let Some(message) = decoder.poll().map_err(|_| GreetError::Nonsense)? {
            return Ok(message);
        }
        match recv.read_chunk(16 * 1024, true).await {
            Ok(Some(chunk)) => decoder.push(&chunk.bytes),
            // Closed, perhaps with a reason that has overtaken the answer.
            Ok(None) | Err(_) => return Err(connection.close_reason().map_or(GreetError::Nonsense, GreetError::from)),
        }
    }
}
