//! An emulated link on the loopback interface: a relay of datagrams between two programs, of which one answers at a
//! known address and the other connects to the relay. What it does to them decides [`Model`].
//!
//! Each direction has a thread that reads and one that waits for the moment of each datagram: a condition variable is
//! woken within a tenth of a millisecond, a socket's own time-out is not. It needs no privileges and no kernel module, on
//! any system; its costs are those of a program in between, some 0.1 ms a datagram and half a core at 100 Mbit/s.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::model::{Model, Shape};
use crate::{clock, task};

/// Of each socket: a second of 30 Mbit/s.
const BUFFER: usize = 4 << 20;
/// How often a thread that waits for a datagram looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);
/// The largest datagram.
const LARGEST: usize = 65_535;
/// Datagrams on their way in one direction: 200 ms of 1 Gbit/s. Overflow: the newest is lost, as on any link.
const MOST: usize = 20_000;

/// One direction.
#[derive(Debug)]
struct Direction {
    shape: Mutex<Shape>,
    waiting: Mutex<VecDeque<(Instant, Vec<u8>)>>,
    arrived: Condvar,
    stop: Arc<AtomicBool>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running link. Dropping it ends it.
#[derive(Debug)]
pub struct Link {
    front: SocketAddr,
    back: SocketAddr,
    directions: [Arc<Direction>; 2],
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Link {
    /// A link to who listens at `to`, of this shape in both directions. `seed` draws the losses.
    pub fn start(to: SocketAddr, shape: Shape, seed: u64) -> io::Result<Self> {
        Self::between(to, None, shape, seed)
    }

    /// A link between who listens at `to` and who listens at `from`; what others send to it is lost. Without `from`,
    /// whoever sends first is taken for it.
    pub fn between(to: SocketAddr, from: Option<SocketAddr>, shape: Shape, seed: u64) -> io::Result<Self> {
        let (front, back) = (socket()?, socket()?);
        back.connect(to)?;
        let (address, other) = (front.local_addr()?, back.local_addr()?);
        if let Some(from) = from {
            front.connect(from)?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let direction = || {
            Arc::new(Direction {
                shape: Mutex::new(shape),
                waiting: Mutex::default(),
                arrived: Condvar::new(),
                stop: Arc::clone(&stop),
            })
        };
        let (there, here) = (direction(), direction());
        // Whom the front was connected to is the only one that it hears and answers.
        let caller: Arc<Mutex<Option<SocketAddr>>> = Arc::default();
        let known = from.is_some();
        let mut threads = Vec::new();
        {
            let (direction, socket, heard) = (Arc::clone(&there), front.try_clone()?, Arc::clone(&caller));
            threads.push(task::thread("link-in", move || {
                direction.read(&socket, seed, |from| *lock(&heard) = Some(from));
            })?);
            let (direction, socket) = (Arc::clone(&there), back.try_clone()?);
            threads.push(task::thread("link-out", move || {
                direction.deliver(|datagram| drop(socket.send(datagram)));
            })?);
            let (direction, socket) = (Arc::clone(&here), back);
            threads.push(task::thread("link-back-in", move || {
                direction.read(&socket, seed.wrapping_add(1), |_| {});
            })?);
            let direction = Arc::clone(&here);
            threads.push(task::thread("link-back", move || {
                direction.deliver(|datagram| {
                    let to = *lock(&caller);
                    // What cannot be sent is lost.
                    if known {
                        drop(front.send(datagram));
                    } else if let Some(to) = to {
                        drop(front.send_to(datagram, to));
                    }
                });
            })?);
        }
        Ok(Self { front: address, back: other, directions: [there, here], stop, threads })
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.front
    }

    /// Where what comes through the link seems to come from, for who listens at `to`.
    pub fn back(&self) -> SocketAddr {
        self.back
    }

    /// Changes both directions; what is on its way stays so.
    pub fn set(&self, shape: Shape) {
        for direction in &self.directions {
            *lock(&direction.shape) = shape;
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for direction in &self.directions {
            // Under its lock, so that no thread looks before and waits after.
            let waiting = lock(&direction.waiting);
            direction.arrived.notify_all();
            drop(waiting);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let options = SockRef::from(&socket);
    // As much as the system gives.
    let _ = options.set_recv_buffer_size(BUFFER);
    let _ = options.set_send_buffer_size(BUFFER);
    socket.set_read_timeout(Some(LOOK))?;
    Ok(socket)
}

impl Direction {
    /// Takes what comes in until the end.
    fn read(&self, socket: &UdpSocket, seed: u64, mut from: impl FnMut(SocketAddr)) {
        let mut model = Model::new(seed);
        let mut buffer = vec![0; LARGEST];
        while !self.stop.load(Ordering::Relaxed) {
            // Errors: nothing came, or nobody listens yet.
            let Ok((size, sender)) = socket.recv_from(&mut buffer) else { continue };
            from(sender);
            let shape = *lock(&self.shape);
            let Some(due) = model.carry(&shape, clock::now(), size) else { continue };
            let mut waiting = lock(&self.waiting);
            if waiting.len() < MOST {
                waiting.push_back((due, buffer.get(..size).unwrap_or_default().to_vec()));
                self.arrived.notify_one();
            }
        }
    }

    /// Gives each datagram on at its moment.
    fn deliver(&self, mut send: impl FnMut(&[u8])) {
        let mut waiting = lock(&self.waiting);
        while !self.stop.load(Ordering::Relaxed) {
            let now = clock::now();
            match waiting.front() {
                Some((due, _)) if *due <= now => {
                    let Some((_, datagram)) = waiting.pop_front() else { continue };
                    drop(waiting);
                    send(&datagram);
                    waiting = lock(&self.waiting);
                }
                Some((due, _)) => {
                    let wait = *due - now;
                    waiting = self.arrived.wait_timeout(waiting, wait).unwrap_or_else(PoisonError::into_inner).0;
                }
                None => waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_pass_both_ways_after_the_delay() {
        let server = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let client = UdpSocket::bind("127.0.0.1:0").expect("a port");
        for socket in [&server, &client] {
            socket.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
        }
        let delay = Duration::from_millis(30);
        let shape = Shape { delay, ..Shape::default() };
        let link = Link::start(server.local_addr().expect("bound"), shape, 1).expect("started");
        let start = clock::now();
        client.send_to(b"there", link.address()).expect("sent");
        let mut buffer = [0; 16];
        let (size, from) = server.recv_from(&mut buffer).expect("came");
        assert_eq!(&buffer[..size], b"there");
        assert!(clock::now() - start >= delay);
        server.send_to(b"back", from).expect("sent");
        let (size, from) = client.recv_from(&mut buffer).expect("came");
        assert_eq!((&buffer[..size], from), (&b"back"[..], link.address()));
        assert!(clock::now() - start >= delay * 2);
    }
}
