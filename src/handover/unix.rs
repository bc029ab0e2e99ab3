//! Handover by a Unix socket in the profile folder, mode 0600, and a lock beside it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Error, MAX_MESSAGE, Message, PATIENCE, WAITING};
use crate::clock;
use crate::slot::Ring;

const SOCKET: &str = "window.sock";
const LOCK: &str = "window.lock";
/// Longest path of a socket that every system takes (macOS has 104 bytes, with the zero).
const MAX_PATH: usize = 100;
/// Pause after a failed accept, so that a lasting failure does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The window's ear. Dropping it lets the next window be it.
#[derive(Debug)]
pub struct Listener {
    messages: Ring<Message>,
    ends: Arc<AtomicBool>,
    profile: PathBuf,
    // Held as long as this lives.
    _lock: File,
}

impl Listener {
    /// The next message. May be dropped at any moment without losing one.
    pub async fn next(&self) -> Option<Message> {
        self.messages.recv().await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Release);
        self.messages.close();
        // Wakes the thread, which then ends. The socket goes first: who comes now finds nobody.
        let wake = Place::of(&self.profile).and_then(|place| UnixStream::connect(place.path(SOCKET)));
        let _ = fs::remove_file(self.profile.join(SOCKET));
        drop(wake);
    }
}

/// Becomes the window of the profile in `profile`.
pub fn listen(profile: &Path) -> Result<Listener, Error> {
    let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(profile.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::Taken),
        // A file system without locks: whoever answers is the window.
        Err(TryLockError::Error(error)) => {
            tracing::debug!(%error, "no lock in the profile");
            if connect(profile).is_ok() {
                return Err(Error::Taken);
            }
        }
    }
    let place = Place::of(profile)?;
    // Nobody can open it before its mode is right: it gets its name last. A socket that a killed window left goes.
    let temporary = format!(".{SOCKET}.{:08x}", rand::random::<u32>());
    let listener = UnixListener::bind(place.path(&temporary))?;
    let named = fs::set_permissions(profile.join(&temporary), fs::Permissions::from_mode(0o600))
        .and_then(|()| fs::rename(profile.join(&temporary), profile.join(SOCKET)));
    if let Err(error) = named {
        let _ = fs::remove_file(profile.join(&temporary));
        return Err(error.into());
    }
    let (messages, ends) = (Ring::new(WAITING), Arc::new(AtomicBool::new(false)));
    let (ring, end) = (messages.clone(), Arc::clone(&ends));
    crate::task::thread("handover", move || serve(&listener, &ring, &end))?;
    Ok(Listener { messages, ends, profile: profile.to_owned(), _lock: lock })
}

/// Takes one message after the other until the listener is dropped.
fn serve(listener: &UnixListener, messages: &Ring<Message>, ends: &AtomicBool) {
    while !ends.load(Ordering::Acquire) {
        match listener.accept() {
            Ok((stream, _)) if !ends.load(Ordering::Acquire) => {
                if let Err(error) = take(stream, messages) {
                    tracing::debug!(%error, "a handover failed");
                }
            }
            Ok(_) => break,
            Err(error) => {
                tracing::debug!(%error, "no handover");
                std::thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}

fn take(mut stream: UnixStream, messages: &Ring<Message>) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let bytes = read_line(&mut stream, MAX_MESSAGE)?;
    match Message::read(&bytes) {
        Some(message) => {
            messages.push(message);
            stream.write_all(b"ok\n")
        }
        None => stream.write_all(b"no\n"),
    }
}

/// Reads up to and with a line break, at most `limit` bytes and within [`PATIENCE`].
fn read_line(stream: &mut UnixStream, limit: usize) -> io::Result<Vec<u8>> {
    let until = clock::now() + PATIENCE;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 1024]);
    while bytes.len() <= limit && bytes.last() != Some(&b'\n') {
        let left = until.saturating_duration_since(clock::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer)? {
            0 => break,
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(bytes)
}

/// Hands `message` to the window of the profile in `profile`.
pub fn send(profile: &Path, message: &Message) -> Result<(), Error> {
    let line = message.line()?;
    let mut stream = connect(profile).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::Nobody,
        _ => Error::System(error),
    })?;
    let answer = (|| {
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(line.as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        read_line(&mut stream, 8)
    })();
    match answer {
        Ok(answer) if answer == b"ok\n" => Ok(()),
        _ => Err(Error::Silent),
    }
}

fn connect(profile: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(Place::of(profile)?.path(SOCKET))
}

/// The profile folder by a path that is short enough for a socket.
struct Place {
    path: PathBuf,
    // Its number stands in `path`.
    _folder: Option<File>,
}

impl Place {
    fn of(profile: &Path) -> io::Result<Self> {
        if profile.as_os_str().len() + SOCKET.len() + 12 <= MAX_PATH {
            return Ok(Self { path: profile.to_owned(), _folder: None });
        }
        // Linux names open folders by number, whatever they are called.
        let folder = File::open(profile)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
        Ok(Self { path, _folder: Some(folder) })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileTypeExt as _;

    use super::*;

    fn link() -> Message {
        Message::Open(format!("letsmeet://join?room=r&by={}", "ab".repeat(32)))
    }

    fn listening(profile: &Path) -> Listener {
        listen(profile).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn the_window_gets_what_a_second_start_says() {
        let home = tempfile::tempdir().expect("folder");
        assert!(matches!(send(home.path(), &Message::Raise), Err(Error::Nobody)));
        let window = listening(home.path());
        assert!(matches!(listen(home.path()), Err(Error::Taken)));
        for message in [Message::Raise, link()] {
            send(home.path(), &message).expect("taken");
            assert_eq!(window.messages.recv_timeout(PATIENCE), Ok(message));
        }
        let found = fs::symlink_metadata(home.path().join(SOCKET)).expect("there");
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        drop(window);
        assert!(matches!(send(home.path(), &Message::Raise), Err(Error::Nobody)));
        drop(listening(home.path()));
        let left: Vec<_> = fs::read_dir(home.path()).expect("folder").map(|e| e.expect("entry").file_name()).collect();
        assert_eq!(left, [LOCK]);
    }

    #[test]
    fn a_socket_that_a_killed_window_left_is_taken_over() {
        let home = tempfile::tempdir().expect("folder");
        // What is left of a process that had no time to clean up: the socket, and a lock that nobody holds.
        drop(UnixListener::bind(home.path().join(SOCKET)).expect("bound"));
        fs::write(home.path().join(LOCK), b"").expect("written");
        assert!(matches!(send(home.path(), &Message::Raise), Err(Error::Nobody)));
        let window = listening(home.path());
        send(home.path(), &Message::Raise).expect("taken");
        assert_eq!(window.messages.recv_timeout(PATIENCE), Ok(Message::Raise));
    }

    #[test]
    fn hostile_bytes_are_bounded_and_the_next_is_served() {
        let home = tempfile::tempdir().expect("folder");
        let window = listening(home.path());
        let say = |bytes: &[u8]| {
            let mut stream = connect(home.path()).expect("open");
            let _ = stream.write_all(bytes);
            let _ = stream.shutdown(Shutdown::Write);
            read_line(&mut stream, 8).unwrap_or_default()
        };
        let endless = vec![b'x'; 4 << 20];
        let lines = b"lets-meet 1 raise\n".repeat(1000);
        for bytes in [&b""[..], b"\n", b"\0\xff\xfe\n", b"GET / HTTP/1.1\r\n\r\n", b"lets-meet 1 raise", &endless] {
            assert_ne!(say(bytes), b"ok\n");
        }
        assert_ne!(say(&lines), b"ok\n", "one message a connection");
        // One who says nothing is waited for no longer than our patience.
        let silent = connect(home.path()).expect("open");
        send(home.path(), &Message::Raise).err().into_iter().for_each(|error| assert!(matches!(error, Error::Silent)));
        drop(silent);
        send(home.path(), &link()).expect("served after it");
        let mut last = None;
        while let Ok(message) = window.messages.recv_timeout(Duration::from_millis(10)) {
            last = Some(message);
        }
        assert_eq!(last, Some(link()));
    }

    #[test]
    fn more_messages_than_fit_cost_the_oldest_only() {
        let home = tempfile::tempdir().expect("folder");
        let window = listening(home.path());
        for _ in 0..2 * WAITING {
            send(home.path(), &Message::Raise).expect("taken");
        }
        assert_eq!(window.messages.len(), WAITING);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_profile_with_a_long_path_has_a_socket_too() {
        let home = tempfile::tempdir().expect("folder");
        let profile = home.path().join("x".repeat(120)).join("y".repeat(120));
        fs::create_dir_all(&profile).expect("made");
        let window = listening(&profile);
        send(&profile, &Message::Raise).expect("taken");
        assert_eq!(window.messages.recv_timeout(PATIENCE), Ok(Message::Raise));
        drop(window);
        assert!(!profile.join(SOCKET).exists());
    }
}
