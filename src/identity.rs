//! The key that a peer is: an Ed25519 pair (RFC 8032), made at the first start and kept in the profile.
//!
//! The key lives in `identity.pem` (PKCS #8), readable by its owner only. It is written to a temporary file, synced
//! and renamed, under a file lock, so that several processes may start on one new profile at once and all get the
//! same key. A file that cannot be read as a key is reported and never replaced: losing a key is losing the identity.
//!
//! Certificates are made anew by each process: what peers pin is the key, so names and dates in a certificate mean
//! nothing. A [`PeerId`] is the SHA-256 of the key's SubjectPublicKeyInfo.
//!
//! Signatures made by [`Identity::sign`] are over exactly the bytes given. Every caller starts them with words that
//! say what is signed, so that no signature can be used for another purpose.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::{PeerId, to_hex};

/// What stands before the 32 key bytes in the SubjectPublicKeyInfo of an Ed25519 key (RFC 8410, 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const KEY_FILE: &str = "identity.pem";
const LOCK_FILE: &str = "identity.lock";
/// Longest key file that is read; an honest one has about 200 bytes.
const MAX_KEY_FILE: u64 = 16 * 1024;

/// Why there is no identity.
#[derive(Debug, Error)]
pub enum Error {
    /// The profile's folder or key file cannot be read or written. Choose another `--profile`, or free the disk.
    #[error("the identity key in {path} cannot be read or written: {source}")]
    Storage {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The key file exists and holds no key. It is left as it is: restore it from a copy, or move it away.
    #[error("the identity key in {path} is damaged; restore it from a copy, or move it away to start as somebody new")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The system's source of randomness failed.
    #[error("the system gives no randomness, so no key can be made")]
    Randomness,
}

/// An Ed25519 public key: what a [`PeerId`] is the digest of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublicKey(#[serde(with = "serde_bytes")] [u8; 32]);

impl PublicKey {
    /// From its 32 bytes. Bytes that are no point on the curve verify nothing.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From a SubjectPublicKeyInfo; `None` when that holds no Ed25519 key.
    pub fn from_spki(spki: &[u8]) -> Option<Self> {
        spki.strip_prefix(&SPKI_PREFIX)?.try_into().ok().map(Self)
    }

    /// The identity of whoever holds this key.
    pub fn peer_id(&self) -> PeerId {
        let mut spki = [0; SPKI_PREFIX.len() + 32];
        spki[..SPKI_PREFIX.len()].copy_from_slice(&SPKI_PREFIX);
        spki[SPKI_PREFIX.len()..].copy_from_slice(&self.0);
        let digest = ring::digest::digest(&ring::digest::SHA256, &spki);
        PeerId::from_bytes(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// True when `signature` was made over exactly `message` by this key's holder.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, &signature.0).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", to_hex(&self.0[..4]))
    }
}

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signature(#[serde(with = "serde_bytes")] [u8; 64]);

impl Signature {
    /// From its 64 bytes; whether it is genuine is what [`PublicKey::verify`] tells.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// Its 64 bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}..)", to_hex(&self.0[..4]))
    }
}

/// This peer's key pair, with a certificate for it.
pub struct Identity {
    pair: Ed25519KeyPair,
    public: PublicKey,
    pkcs8: Vec<u8>,
    certificate: CertificateDer<'static>,
}

impl fmt::Debug for Identity {
    // Never shows the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.peer_id().short())
    }
}

impl Identity {
    /// A new identity that is stored nowhere.
    ///
    /// # Panics
    /// When the system gives no randomness.
    pub fn generate() -> Self {
        Self::from_pkcs8(&new_pkcs8().expect("the system gives randomness")).expect("a key just made is valid")
    }

    /// The identity of the profile in `dir`, made and stored there if the profile has none.
    pub fn load_or_create(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(KEY_FILE);
        // A key that is there is read without the lock: it was renamed into place whole, and the profile may be
        // read-only.
        if let Some(identity) = load(&path)? {
            return Ok(identity);
        }
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Storage { path, source }
        };
        create_private_dir(dir).map_err(failed(dir))?;
        let lock_path = dir.join(LOCK_FILE);
        let lock = private_file(fs::OpenOptions::new().create(true).truncate(false), &lock_path);
        let lock = lock.map_err(failed(&lock_path))?;
        lock.lock().map_err(failed(&lock_path))?;
        // Another process may have made it while this one waited for the lock.
        if let Some(identity) = load(&path)? {
            return Ok(identity);
        }
        let pkcs8 = new_pkcs8()?;
        let identity = Self::from_pkcs8(&pkcs8).ok_or(Error::Randomness)?;
        store(dir, &path, &pkcs8).map_err(failed(&path))?;
        tracing::info!(peer = %identity.peer_id().short(), "made a new identity");
        Ok(identity)
    }

    fn from_pkcs8(pkcs8: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).ok()?;
        let public = PublicKey(pair.public_key().as_ref().try_into().ok()?);
        let certificate = certificate(pkcs8)?;
        Some(Self { pair, public, pkcs8: pkcs8.to_vec(), certificate })
    }

    /// Who this is.
    pub fn peer_id(&self) -> PeerId {
        self.public.peer_id()
    }

    /// The key that others verify with.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Signs exactly `message`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.pair.sign(message).as_ref().try_into().expect("an Ed25519 signature has 64 bytes"))
    }

    /// The self-signed certificate that shows the key in TLS.
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// The private key, for TLS.
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pkcs8.clone()).into()
    }
}

fn new_pkcs8() -> Result<Vec<u8>, Error> {
    let random = ring::rand::SystemRandom::new();
    let document = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| Error::Randomness)?;
    Ok(document.as_ref().to_vec())
}

fn certificate(pkcs8: &[u8]) -> Option<CertificateDer<'static>> {
    let key = PrivatePkcs8KeyDer::from(pkcs8);
    let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&key, &rcgen::PKCS_ED25519).ok()?;
    let mut params = rcgen::CertificateParams::new(vec![crate::tls::SERVER_NAME.to_owned()]).ok()?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, crate::tls::SERVER_NAME);
    Some(params.self_signed(&key).ok()?.der().clone())
}

/// The identity in `path`, `None` when there is no such file.
fn load(path: &Path) -> Result<Option<Identity>, Error> {
    use io::Read as _;
    let failed = |source| Error::Storage { path: path.to_owned(), source };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    tighten(&file);
    let damaged = || Error::Damaged { path: path.to_owned() };
    let mut text = String::new();
    match file.take(MAX_KEY_FILE).read_to_string(&mut text) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(damaged()),
        Err(error) => return Err(failed(error)),
    }
    let key = rcgen::KeyPair::from_pkcs8_pem_and_sign_algo(&text, &rcgen::PKCS_ED25519).map_err(|_| damaged())?;
    Identity::from_pkcs8(key.serialized_der()).map(Some).ok_or_else(damaged)
}

/// Writes the key so that `path` holds either nothing or all of it, whenever the power fails.
fn store(dir: &Path, path: &Path, pkcs8: &[u8]) -> io::Result<()> {
    let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pkcs8), &rcgen::PKCS_ED25519)
        .map_err(io::Error::other)?;
    let temporary = dir.join(format!(".{KEY_FILE}.{:016x}", rand::random::<u64>()));
    let written = (|| {
        let mut file = private_file(fs::OpenOptions::new().create_new(true), &temporary)?;
        file.write_all(key.serialize_pem().as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
        return written;
    }
    // Not every system can sync a folder; the key itself is safe by then.
    if let Ok(folder) = fs::File::open(dir) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Opens a file of the profile for writing; one that is made now is for its owner only.
pub(crate) fn private_file(options: &mut fs::OpenOptions, path: &Path) -> io::Result<fs::File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.write(true).open(path)
}

/// Makes a folder for its owner only, with those above it.
pub(crate) fn create_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(dir)
}

/// Takes the key file away from everybody but its owner, when a copy or an archive opened it up.
fn tighten(file: &fs::File) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let Ok(metadata) = file.metadata() else { return };
        if metadata.permissions().mode() & 0o077 != 0 {
            tracing::warn!("the identity key was readable by others; its mode is set to 0600");
            let _ = file.set_permissions(fs::Permissions::from_mode(0o600));
        }
    }
    #[cfg(not(unix))]
    let _ = file;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_keeps_its_identity() {
        let dir = tempfile::tempdir().expect("temp dir");
        let profile = dir.path().join("new/profile");
        let first = Identity::load_or_create(&profile).expect("created");
        let second = Identity::load_or_create(&profile).expect("loaded");
        assert_eq!(first.peer_id(), second.peer_id());
        assert_ne!(first.peer_id(), Identity::generate().peer_id());
        let names: Vec<_> = fs::read_dir(&profile).expect("dir").map(|e| e.expect("entry").file_name()).collect();
        assert_eq!(names.len(), 2, "only the key and its lock: {names:?}");
    }

    #[cfg(unix)]
    #[test]
    fn the_key_file_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("temp dir");
        Identity::load_or_create(dir.path()).expect("created");
        let path = dir.path().join(KEY_FILE);
        let mode = || fs::metadata(&path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
        Identity::load_or_create(dir.path()).expect("loaded");
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn a_damaged_key_is_reported_and_never_replaced() {
        for content in [&b""[..], b"not a key", &[0xff; 50]] {
            let dir = tempfile::tempdir().expect("temp dir");
            let path = dir.path().join(KEY_FILE);
            fs::write(&path, content).expect("write");
            assert!(matches!(Identity::load_or_create(dir.path()), Err(Error::Damaged { .. })));
            assert_eq!(fs::read(&path).expect("read"), content);
        }
    }

    #[test]
    fn processes_that_start_at_once_get_one_identity() {
        let dir = tempfile::tempdir().expect("temp dir");
        let starts: Vec<_> = (0..8)
            .map(|_| {
                let path = dir.path().to_owned();
                crate::task::thread("start", move || Identity::load_or_create(&path).expect("an identity").peer_id())
                    .expect("thread")
            })
            .collect();
        let ids: Vec<PeerId> = starts.into_iter().map(|t| t.join().expect("no panic")).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }

    #[test]
    fn signatures_hold_for_their_message_and_key_only() {
        let identity = Identity::generate();
        let signature = identity.sign(b"hello");
        assert!(identity.public_key().verify(b"hello", &signature));
        assert!(!identity.public_key().verify(b"hellp", &signature));
        assert!(!Identity::generate().public_key().verify(b"hello", &signature));
    }

    #[test]
    fn the_peer_id_is_the_digest_of_the_certificates_key() {
        let identity = Identity::generate();
        let certificate = identity.certificate();
        assert_eq!(crate::tls::key_of(&certificate), Some(identity.public_key()));
        let spki = [&SPKI_PREFIX[..], identity.public_key().as_bytes()].concat();
        let digest = ring::digest::digest(&ring::digest::SHA256, &spki);
        assert_eq!(identity.peer_id().as_bytes(), digest.as_ref());
        assert_eq!(PublicKey::from_spki(&spki), Some(identity.public_key()));
        assert_eq!(PublicKey::from_spki(&spki[1..]), None);
    }
}
