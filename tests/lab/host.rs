//! Hosts on one machine: network namespaces on a bridge in a namespace of its own.
//!
//! Both ends of every cable are born inside, nothing touches the machine's own interfaces, and no host has a default
//! route or a name server. Names carry the id of the process that made them, so several labs run side by side, a lab
//! removes what it made when it is dropped (also by a panic), and removes what dead processes left behind.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

const PREFIX: &str = "lmlab";
/// Latencies are measured, so one lab at a time runs in a process, whatever the number of test threads.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Starts a lab of `$hosts` hosts, or gives `None` when the test already ran, as root, in a process of its own.
#[macro_export]
macro_rules! lab {
    ($hosts:expr) => {{
        fn here() {}
        let name = $crate::host::test_name(std::any::type_name_of_val(&here));
        match $crate::host::Lab::start(&name, $hosts) {
            Some(lab) => lab,
            None => return,
        }
    }};
}

/// The name under which libtest runs the test that holds the function `here`.
pub fn test_name(here: &str) -> String {
    here.trim_end_matches("::here").split_once("::").map_or(here, |(_, name)| name).to_owned()
}

/// Hosts `h1` to `hN` on one switch.
pub struct Lab {
    name: String,
    hosts: usize,
    folder: PathBuf,
    keep: Cell<bool>,
    _turn: MutexGuard<'static, ()>,
}

impl Lab {
    /// Builds it. `None` when this process may not and the test was run again as root and passed.
    ///
    /// # Panics
    /// With one sentence, when neither root nor `sudo -n` nor a user namespace is to be had.
    pub fn start(test: &str, hosts: usize) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            run_as_root(test);
            return None;
        }
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        remove_stale();
        let name = format!("{PREFIX}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lab").join(test.replace("::", "."));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("the target folder can be written");
        let lab = Self { name, hosts, folder, keep: Cell::new(false), _turn: turn };
        lab.build();
        Some(lab)
    }

    fn build(&self) {
        let switch = self.switch();
        new_namespace(&switch);
        ip(&[
            "-n",
            &switch,
            "link",
            "add",
            "br0",
            "type",
            "bridge",
            "stp_state",
            "0",
            "forward_delay",
            "0",
            "mcast_snooping",
            "0",
        ]);
        ip(&["-n", &switch, "link", "set", "br0", "up"]);
        for host in 1..=self.hosts {
            let (space, port) = (self.namespace(host), format!("p{host}"));
            new_namespace(&space);
            ip(&["-n", &switch, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &space]);
            ip(&["-n", &switch, "link", "set", &port, "master", "br0", "up"]);
            ip(&["-n", &space, "link", "set", "eth0", "up"]);
            ip(&["-n", &space, "addr", "add", &format!("{}/24", self.address(host)), "dev", "eth0"]);
            ip(&["-n", &space, "route", "add", "224.0.0.0/4", "dev", "eth0"]);
        }
    }

    fn switch(&self) -> String {
        format!("{}-sw", self.name)
    }

    fn namespace(&self, host: usize) -> String {
        assert!((1..=self.hosts).contains(&host), "the lab has hosts 1 to {}", self.hosts);
        format!("{}-h{host}", self.name)
    }

    /// The IPv4 address of a host.
    pub fn address(&self, host: usize) -> String {
        format!("10.77.0.{host}")
    }

    /// Where this test may write. Removed when it passed, kept with all logs when it failed.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `program`, to be run on `host`. The process that runs has the id of the child.
    pub fn command(&self, host: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(host), program]).stdin(Stdio::null());
        command
    }

    /// Cuts the cable of `host` in silence: both ends still see a carrier and nothing passes.
    pub fn cut(&self, host: usize) {
        self.drop_frames(host, "drop");
    }

    /// Loses one frame in a hundred times `percent`, each way, at random.
    pub fn lose(&self, host: usize, percent: u32) {
        self.drop_frames(host, &format!("numgen random mod 100 lt {percent} drop"));
    }

    fn drop_frames(&self, host: usize, rule: &str) {
        let port = format!("p{host}");
        for (space, device) in [(self.namespace(host), "eth0"), (self.switch(), port.as_str())] {
            let rules = format!(
                "table netdev lab_{device} {{\nchain c {{\ntype filter hook ingress device {device} priority 0\n{rule}\n}}\n}}"
            );
            run(Command::new("ip").args(["netns", "exec", &space, "nft", &rules]));
        }
    }

    /// A perfect cable again.
    pub fn heal(&self, host: usize) {
        let port = format!("p{host}");
        for (space, device) in [(self.namespace(host), "eth0"), (self.switch(), port.as_str())] {
            run(Command::new("ip").args([
                "netns",
                "exec",
                &space,
                "nft",
                &format!("delete table netdev lab_{device}"),
            ]));
        }
    }

    /// Takes its IPv4 address from `host`: what is left is IPv6 on one link.
    pub fn only_ipv6(&self, host: usize) {
        ip(&["-n", &self.namespace(host), "-4", "addr", "flush", "dev", "eth0"]);
    }

    /// Bytes that left and reached `host` so far, with all headers.
    #[cfg(feature = "media")]
    pub fn wire_bytes(&self, host: usize) -> (u64, u64) {
        let read = |what: &str| {
            let path = format!("/sys/class/net/eth0/statistics/{what}");
            let out = run(Command::new("ip").args(["netns", "exec", &self.namespace(host), "cat", &path]));
            out.trim().parse().expect("a number of bytes")
        };
        (read("tx_bytes"), read("rx_bytes"))
    }

    /// What `ip route` says on `host`.
    pub fn routes(&self, host: usize) -> String {
        run(Command::new("ip").args(["-n", &self.namespace(host), "route"]))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        remove(&format!("{}-", self.name));
        if std::thread::panicking() || self.keep.get() {
            eprintln!("The lab's logs are in {}", self.folder.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn new_namespace(name: &str) {
    ip(&["netns", "add", name]);
    // Addresses are usable at once: there are no others to collide with.
    let now = "for f in default all; do echo 0 > /proc/sys/net/ipv6/conf/$f/accept_dad; done";
    run(Command::new("ip").args(["netns", "exec", name, "sh", "-c", now]));
    ip(&["-n", name, "link", "set", "lo", "up"]);
}

fn ip(args: &[&str]) {
    run(Command::new("ip").args(args));
}

/// Runs a command that must succeed; gives what it printed.
fn run(command: &mut Command) -> String {
    let out = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
        panic!("{:?} cannot be run ({error}): install what scripts/packages.txt lists", command.get_program())
    });
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Removes namespaces whose names begin with `prefix`, and ends what still runs in them.
fn remove(prefix: &str) {
    let list = Command::new("ip").args(["netns", "list"]).output().map(|out| out.stdout).unwrap_or_default();
    for name in String::from_utf8_lossy(&list).lines().filter_map(|line| line.split(' ').next()) {
        if !name.starts_with(prefix) {
            continue;
        }
        let pids = Command::new("ip").args(["netns", "pids", name]).output().map(|out| out.stdout).unwrap_or_default();
        for pid in String::from_utf8_lossy(&pids).split_whitespace().filter_map(|pid| pid.parse().ok()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        let _ = Command::new("ip").args(["netns", "del", name]).status();
    }
}

fn remove_stale() {
    let list = Command::new("ip").args(["netns", "list"]).output().map(|out| out.stdout).unwrap_or_default();
    for name in String::from_utf8_lossy(&list).lines().filter_map(|line| line.split(' ').next()) {
        let Some(owner) = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').nth(1)) else { continue };
        if !Path::new("/proc").join(owner).exists() {
            remove(&format!("{PREFIX}-{owner}-"));
        }
    }
}

/// Runs `test` again in a process that may make namespaces: by sudo, else in a user namespace of its own.
fn run_as_root(test: &str) {
    let program = std::env::current_exe().expect("the test knows its own file");
    let again = |mut command: Command| {
        command.arg(&program).args(["--exact", test, "--include-ignored", "--nocapture", "--test-threads=1"]);
        command.stdin(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let works = |program: &str, args: &[&str]| {
        let quiet =
            Command::new(program).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        quiet.is_ok_and(|status| status.success())
    };
    if works("sudo", &["-n", "true"]) {
        let mut command = Command::new("sudo");
        command.args(["-n", "--"]);
        assert!(again(command), "{test} failed as root, see above");
        return;
    }
    let enter = "mount -t tmpfs tmpfs /run && exec \"$0\" \"$@\"";
    if works("unshare", &["-Urnm", "sh", "-c", "mount -t tmpfs tmpfs /run"]) {
        let mut command = Command::new("unshare");
        command.args(["-Urnm", "sh", "-c", enter]);
        assert!(again(command), "{test} failed in its user namespace, see above");
        return;
    }
    panic!("The lab makes network namespaces: run it as root, or allow sudo without a password, or user namespaces.");
}
