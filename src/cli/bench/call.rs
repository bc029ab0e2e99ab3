//! A call to measure: real processes of this program on the loopback interface, one of them reached through a [`Link`]
//! where the case asks for one.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::link::Link;
use super::machine::Moment;
use super::model::Shape;
use crate::cli::child::{Child, Folder};

/// How long processes may take to meet: three times what a busy two-core machine took.
const MEET: Duration = Duration::from_secs(30);
/// How long after its end a process may take to leave.
const LEAVE: Duration = Duration::from_secs(5);
const NAMES: [&str; 8] = ["Ada", "Bo", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana"];

/// What one of those in the call brings along: options of `join`.
#[derive(Debug, Clone, Default)]
pub struct Party {
    /// `--camera`.
    pub camera: Option<String>,
    /// `--mic`.
    pub mic: Option<&'static str>,
    /// `--view`.
    pub view: Option<&'static str>,
}

impl Party {
    /// A test card of this size at 30 pictures a second, and a tone.
    pub fn sender(width: u32, height: u32) -> Self {
        Self { camera: Some(format!("testcard:{width}x{height}@30")), mic: Some("tone"), view: None }
    }

    /// A tone alone.
    pub fn voice() -> Self {
        Self { mic: Some("tone"), ..Self::default() }
    }
}

/// A running call. Dropping it ends its processes and removes their files.
#[derive(Debug)]
pub struct Call {
    /// Those in it; the first is the one that the others connect to.
    pub children: Vec<Child>,
    /// Between the first and the second.
    pub link: Option<Link>,
    folder: Folder,
    room: String,
    program: PathBuf,
    port: u16,
    find: Find,
}

/// How those in a call find one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Find {
    /// The first one's address is known, and nobody is announced: nobody finds a way around the link.
    Address,
    /// By mDNS on the loopback interface.
    Mdns,
}

impl Call {
    /// Starts everybody and waits until all see each other. `shape` puts a link between the first and the others.
    pub fn start(parties: &[Party], shape: Option<Shape>, seed: u64) -> io::Result<Self> {
        Self::start_by(Find::Address, parties, shape, seed)
    }

    /// The same, with another way to find one another.
    pub fn start_by(find: Find, parties: &[Party], shape: Option<Shape>, seed: u64) -> io::Result<Self> {
        let folder = Folder::new("bench")?;
        let port = free_port()?;
        let room = format!("bench-{:08x}", rand::random::<u32>());
        let program = std::env::current_exe()?;
        let mut call = Self { children: Vec::new(), link: None, folder, room, program, port, find };
        for (i, party) in parties.iter().enumerate() {
            if i == 1
                && let Some(shape) = shape
            {
                call.link = Some(Link::start((Ipv4Addr::LOCALHOST, port).into(), shape, seed)?);
            }
            call.add(party)?;
        }
        let others = parties.len() - 1;
        for child in &mut call.children {
            if !child.wait(MEET, |child| child.of("joined").count() >= others) {
                return Err(io::Error::other(format!(
                    "{} did not meet the others within {} s",
                    child.name,
                    MEET.as_secs()
                )));
            }
        }
        Ok(call)
    }

    /// Starts one more, who connects to the first.
    pub fn add(&mut self, party: &Party) -> io::Result<()> {
        let index = self.children.len();
        let name = NAMES[index % NAMES.len()];
        let home = self.folder.path.join(index.to_string());
        std::fs::create_dir_all(home.join("downloads"))?;
        let path = |tail: &str| home.join(tail).to_string_lossy().into_owned();
        let mut arguments: Vec<String> =
            ["join", &self.room, "--json", "--interface", crate::platform::LOOPBACK, "--accept-files"]
                .map(str::to_owned)
                .to_vec();
        if self.find == Find::Address {
            arguments.push("--hidden".into());
        }
        arguments.extend(["--name".into(), format!("{name} {index}"), "--profile".into(), path("profile")]);
        arguments.extend(["--download-dir".into(), path("downloads")]);
        let port = if index == 0 { self.port } else { free_port()? };
        arguments.extend(["--port".into(), port.to_string()]);
        if index > 0 && self.find == Find::Address {
            let first = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
            let to = self.link.as_ref().map_or(first, Link::address);
            arguments.extend(["--connect".into(), to.to_string()]);
        }
        let options = [("--camera", party.camera.as_deref()), ("--mic", party.mic), ("--view", party.view)];
        for (option, value) in options {
            arguments.extend(value.iter().flat_map(|value| [option.to_owned(), (*value).to_owned()]));
        }
        let mut child = Child::start(name, &self.program, &arguments, &home.join("log"))?;
        if index == 0 && !child.wait(MEET, |child| child.of("ready").next().is_some()) {
            let log = std::fs::read_to_string(home.join("log")).unwrap_or_default();
            return Err(io::Error::other(format!("the first peer did not start: {}", log.trim())));
        }
        self.children.push(child);
        Ok(())
    }

    /// Where files of this call may lie.
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// Lets everybody go on for `time`, and reads what they print.
    pub fn run(&mut self, time: Duration) -> io::Result<()> {
        let end = crate::clock::now() + time;
        while crate::clock::now() < end {
            let slice = (crate::clock::now() + Duration::from_millis(100)).min(end);
            for child in &mut self.children {
                if !child.read_until(slice) {
                    return Err(io::Error::other(format!("{} ended in the middle of the call", child.name)));
                }
            }
        }
        Ok(())
    }

    /// Now, for [`Moment::others_since`].
    pub fn moment(&self) -> Option<Moment> {
        let ids: Vec<u32> = self.children.iter().map(Child::id).collect();
        Moment::now(&ids)
    }

    /// How many `stats` events each has printed.
    pub fn mark(&self) -> Vec<usize> {
        self.children.iter().map(|child| child.of("stats").count()).collect()
    }

    /// The `stats` events of one of them since the mark, with the last one before it.
    pub fn stats_since(&self, child: usize, mark: &[usize]) -> Vec<Value> {
        let from = mark.get(child).map_or(0, |mark| mark.saturating_sub(1));
        self.children.get(child).map(|child| child.of("stats").skip(from).cloned().collect()).unwrap_or_default()
    }

    /// An error when somebody found a way around the link: the figures would be of another one.
    pub fn check_path(&self) -> io::Result<()> {
        let Some(link) = &self.link else { return Ok(()) };
        let (first, address) = (&self.children[0].peer, link.address().to_string());
        for child in &self.children[1..] {
            let path = child.of("stats").next_back().map(|stats| stats["peers"][first]["path"].clone());
            if path.as_ref().and_then(Value::as_str) != Some(&address) {
                return Err(io::Error::other(format!(
                    "{} does not go through the link at {address}: {path:?}",
                    child.name
                )));
            }
        }
        Ok(())
    }

    /// Ends the call.
    pub fn end(mut self) {
        for child in &mut self.children {
            child.leave(LEAVE);
        }
    }
}

/// A port that nobody uses at this moment.
fn free_port() -> io::Result<u16> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
