//! The command line: parses words, calls the engine or a one-shot, prints lines, returns an exit code.
//!
//! The contract is `docs/cli.md`. Answers go to stdout (with `--json` one object a line), everything else to stderr. An
//! error is one sentence that says what happened and what to do.

pub mod args;
mod bench;
mod call;
mod child;
mod code;
mod demo;
mod devices;
mod doctor;
mod drop;
mod id;
mod join;
mod name;
mod nearby;
mod open;
pub mod output;
mod quarters;
mod receive;
mod rendezvous;
pub mod setup;
mod trust;
#[cfg(feature = "gui")]
mod window;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command, Common};
use output::Output;

/// What a run came to, as scripts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// A check failed, or an unexpected error.
    Failed = 1,
    /// Wrong usage.
    Usage = 2,
    /// Nobody or nothing found in time.
    NotFound = 3,
    /// Refused.
    Refused = 4,
    /// A transfer is incomplete.
    Incomplete = 5,
    /// Device or display.
    Device = 6,
    /// Network.
    Network = 7,
    /// State on disk.
    State = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended early: the exit code, a word for scripts, and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// From the closed list in `docs/protocol.md`.
    pub code: code::Word,
    /// One sentence: what happened and what to do.
    pub message: String,
    /// What to do alone, where the sentence has it apart.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure with its words. What stands after a semicolon is the hint.
    pub fn new(exit: Exit, code: code::Word, message: impl Into<String>) -> Self {
        let message = message.into();
        let hint = message.split_once("; ").map(|(_, hint)| {
            let mut characters = hint.chars();
            let first = characters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            first + characters.as_str()
        });
        Self { exit, code, message, hint }
    }

    /// The same with this hint; an empty one is none.
    #[must_use]
    pub fn with_hint(self, hint: &str) -> Self {
        Self { hint: (!hint.is_empty()).then(|| hint.to_owned()), ..self }
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, code::USAGE, message)
    }

    /// A word that a later version brings.
    pub fn later(what: &str) -> Self {
        Self::new(Exit::Usage, code::NOT_YET, format!("{what} is not available yet."))
    }
}

/// Runs the program on the process's own arguments.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let output = Output::new(cli.common.json);
    match run(cli, &output) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

fn run(cli: Cli, output: &Output) -> Result<Exit, Failure> {
    crate::telemetry::start(cli.common.log.as_deref())
        .map_err(|error| Failure::usage(format!("--log cannot be read: {error}; use a level such as debug.")))?;
    let common = cli.common;
    let command = cli.command.unwrap_or_else(|| Command::Window(Box::default()));
    if let Some(option) = unsupported(&command, &common) {
        return Err(Failure::usage(format!("{option} means nothing to this command; leave it out.")));
    }
    match command {
        Command::Id => id::run(&common, output),
        Command::Join(join) => join::run(&common, &join, output),
        Command::Nearby(nearby) => nearby::run(&common, &nearby, output),
        Command::Drop(drop) => drop::run(&common, &drop, output),
        Command::Receive(receive) => receive::run(&common, &receive, output),
        Command::Name(name) => name::run(&common, &name, output),
        Command::Doctor(trials) => doctor::run(&common, &trials, output),
        Command::Demo(demo) => demo::run(&demo, output),
        Command::Rendezvous(rendezvous) => rendezvous::run(&common, &rendezvous, output),
        #[cfg(feature = "gui")]
        Command::Window(window) => window::run(&common, &window, output),
        #[cfg(not(feature = "gui"))]
        Command::Window(_) => Err(Failure::new(
            Exit::Device,
            code::DISPLAY,
            "This build has no window. Use lets-meet join ROOM, or lets-meet --help.",
        )),
        Command::Call(call) => call::run(&common, &call, output),
        Command::Trust(trust) => trust::run(&common, &trust, output),
        Command::Open(open) => open::run(&common, &open, output),
        Command::Devices => devices::run(output),
        Command::Bench(bench) => bench::run(&bench, output),
    }
}

/// The first shared option that was given and that this command would ignore. What only says how little to show of
/// oneself (`--name`, `--hidden`) is kept by a command that shows nothing.
fn unsupported(command: &Command, common: &Common) -> Option<&'static str> {
    let given = [
        ("--profile", common.profile.is_some()),
        ("--name", common.name.is_some()),
        ("--interface", !common.interface.is_empty()),
        ("--port", common.port.is_some()),
        ("--hidden", common.hidden),
        ("--rendezvous", common.rendezvous.is_some()),
        ("--connect", !common.connect.is_empty()),
    ];
    let ignored: &[&str] = match command {
        Command::Demo(_) | Command::Devices | Command::Bench(_) => {
            &["--profile", "--name", "--interface", "--port", "--hidden", "--rendezvous", "--connect"]
        }
        Command::Id | Command::Trust(_) => &["--interface", "--port", "--rendezvous", "--connect"],
        Command::Nearby(_) => &["--port", "--rendezvous", "--connect"],
        Command::Doctor(_) | Command::Rendezvous(_) => &["--rendezvous", "--connect"],
        Command::Name(_) => &["--connect"],
        _ => &[],
    };
    given.into_iter().find_map(|(option, given)| (given && ignored.contains(&option)).then_some(option))
}

/// The runtime of a command: two workers for the network, as `ARCHITECTURE.md` says.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("lets-meet-net")
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, code::INTERNAL, format!("The system gave no threads: {error}.")))
}

/// Runs `work` on a runtime of its own. Tasks that did not end by themselves are given half a second.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = runtime()?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    result
}

/// Resolves on the first SIGINT or SIGTERM (Ctrl-C elsewhere). A second signal ends the process at once.
pub async fn interrupted() {
    one_signal().await;
    #[expect(clippy::disallowed_methods, reason = "lives until the process ends, which is what it waits for")]
    tokio::spawn(async {
        one_signal().await;
        std::process::exit(i32::from(Exit::Done as u8));
    });
}

#[cfg(unix)]
async fn one_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn one_signal() {
    let _ = tokio::signal::ctrl_c().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_options_without_effect_are_refused() {
        let check = |words: &[&str], expect: Option<&str>| {
            let cli = Cli::try_parse_from([&["lets-meet"], words].concat()).expect("parsed");
            assert_eq!(unsupported(&cli.command.expect("a command"), &cli.common), expect, "{words:?}");
        };
        check(&["nearby", "--interface", "lo", "--hidden", "--json"], None);
        check(&["nearby", "--connect", "10.0.0.1"], Some("--connect"));
        check(&["nearby", "--rendezvous", "r"], Some("--rendezvous"));
        check(&["nearby", "--port", "5"], Some("--port"));
        check(&["demo", "--json", "--log", "debug"], None);
        check(&["demo", "--interface", "lo"], Some("--interface"));
        check(&["demo", "--profile", "x"], Some("--profile"));
        check(&["devices", "--name", "x"], Some("--name"));
        check(&["join", "room", "--connect", "10.0.0.1", "--rendezvous", "r", "--port", "5", "--hidden"], None);
    }

    #[test]
    fn an_interface_that_does_not_exist_is_exit_seven_also_without_a_socket() {
        let cli = Cli::try_parse_from(["lets-meet", "nearby", "--interface", "nope0"]).expect("parsed");
        assert_eq!(run(cli, &Output::new(false)).map_err(|failure| failure.exit), Err(Exit::Network));
    }
}
