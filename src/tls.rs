//! TLS 1.3 between peers: both show a self-signed certificate, and only its key means anything.
//!
//! A certificate is accepted for the Ed25519 key in it. Names and dates in it are not looked at; that the other side
//! holds the key is what the handshake's own signature proves. A dial with a known [`PeerId`] pins it
//! ([`Pin::Exact`]): any other key ends the handshake before a byte of ours is sent. There is no resumption and no
//! 0-RTT, so nothing can be replayed. The cryptography is ring, given explicitly; no process-wide default is used.
//!
//! The protocol and its version are in the ALPN name (RFC 7301), so peers of different versions part at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};

use crate::id::PeerId;
use crate::identity::{Identity, PublicKey};

/// The TLS server name of every peer: names mean nothing here, the key is the identity.
pub const SERVER_NAME: &str = "lets-meet";

/// What is spoken over a connection, and in which version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alpn {
    /// Peer to peer.
    Mesh,
    /// Peer to rendezvous service.
    Rendezvous,
}

impl Alpn {
    /// Every protocol of this version.
    pub const ALL: [Self; 2] = [Self::Mesh, Self::Rendezvous];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mesh => "lets-meet/1",
            Self::Rendezvous => "lets-meet-rendezvous/1",
        }
    }

    /// Reads the name on the wire.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|alpn| alpn.name().as_bytes() == name)
    }
}

/// Whose key must answer a dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// This peer's, and nobody else's.
    Exact(PeerId),
    /// Anybody's: the key is learned, and unverified until somebody compares it.
    Learn,
}

/// The Ed25519 key in a certificate; `None` when it holds another kind of key, or is none.
pub fn key_of(certificate: &CertificateDer<'_>) -> Option<PublicKey> {
    let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
    PublicKey::from_spki(&parsed.subject_public_key_info())
}

/// Checks certificates on both sides of a connection.
#[derive(Debug)]
pub struct Verifier {
    pin: Pin,
    mismatch: AtomicBool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn new(pin: Pin) -> Self {
        Self { pin, mismatch: AtomicBool::new(false), algorithms: provider().signature_verification_algorithms }
    }

    /// True after another key than the pinned one was shown.
    pub fn saw_wrong_key(&self) -> bool {
        self.mismatch.load(Ordering::Relaxed)
    }

    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        let key = key_of(certificate).ok_or(CertificateError::BadEncoding)?;
        match self.pin {
            Pin::Exact(peer) if key.peer_id() != peer => {
                self.mismatch.store(true, Ordering::Relaxed);
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(()),
        }
    }

    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }
}

fn no_tls12() -> rustls::Error {
    rustls::Error::General("TLS 1.2 is not spoken here".to_owned())
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.check_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.check(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.check_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// For dialing: shows `identity`, speaks `alpn` (a name, so that tests can ask for one from the future), accepts by
/// `pin`. The verifier tells afterwards whether another key answered.
pub fn dialer(
    identity: &Identity,
    alpn: &[u8],
    pin: Pin,
) -> Result<(rustls::ClientConfig, Arc<Verifier>), rustls::Error> {
    let verifier = Arc::new(Verifier::new(pin));
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
        .with_client_auth_cert(vec![identity.certificate()], identity.private_key())?;
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_early_data = false;
    Ok((config, verifier))
}

/// For accepting: shows `identity`, asks the other side for its certificate, speaks the protocols in `alpn`.
pub fn acceptor(identity: &Identity, alpn: &[Alpn]) -> Result<rustls::ServerConfig, rustls::Error> {
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(Verifier::new(Pin::Learn)))
        .with_single_cert(vec![identity.certificate()], identity.private_key())?;
    config.alpn_protocols = alpn.iter().map(|alpn| alpn.name().as_bytes().to_vec()).collect();
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_accepts_its_own_key_only() {
        let (right, wrong) = (Identity::generate(), Identity::generate());
        let verifier = Verifier::new(Pin::Exact(right.peer_id()));
        assert!(verifier.check(&right.certificate()).is_ok());
        assert!(!verifier.saw_wrong_key());
        assert!(verifier.check(&wrong.certificate()).is_err());
        assert!(verifier.saw_wrong_key());
        assert!(Verifier::new(Pin::Learn).check(&wrong.certificate()).is_ok());
    }

    #[test]
    fn bytes_that_are_no_certificate_are_refused() {
        for bytes in [&[][..], &[0x30, 0x82, 0xff, 0xff], &[0; 300]] {
            let certificate = CertificateDer::from(bytes.to_vec());
            assert_eq!(key_of(&certificate), None);
            assert!(Verifier::new(Pin::Learn).check(&certificate).is_err());
        }
    }

    #[test]
    fn protocol_names_carry_their_version() {
        assert_eq!(Alpn::from_name(b"lets-meet/1"), Some(Alpn::Mesh));
        assert_eq!(Alpn::from_name(b"lets-meet-rendezvous/1"), Some(Alpn::Rendezvous));
        assert_eq!(Alpn::from_name(b"lets-meet/2"), None);
    }
}
