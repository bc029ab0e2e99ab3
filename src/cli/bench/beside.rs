//! Another program in the same call, through the same link, in the same run: a driver that prints JSON lines.
//!
//! It is started as `COMMAND --width W --height H --seconds N --settle N` and first prints
//! `{"listen": [A, B]}`, the addresses of its two peers; it is told `{"link": [A, B]}`, the addresses to use for them,
//! and at the end prints `{"figures": {...}}` of what B got of A, named as in [`Figures`].

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::figures::Figures;
use super::link::Link;
use super::model::Shape;
use crate::cli::child::{Child, Folder};

/// How long a browser may take to start or to end, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// Of the picture; `None` is sound alone.
    pub size: Option<(u32, u32)>,
    /// Between the two.
    pub shape: Option<Shape>,
    /// Of the measurement.
    pub time: Duration,
    /// Before it.
    pub settle: Duration,
    /// Of the link's losses.
    pub seed: u64,
}

/// Runs it once.
pub fn run(command: &Path, ask: Ask) -> io::Result<Figures> {
    let folder = Folder::new("beside")?;
    let log = folder.path.join("log");
    let said = |what: &str| {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(3).collect();
        io::Error::other(format!(
            "{} {what}: {}",
            command.display(),
            tail.into_iter().rev().collect::<Vec<_>>().join(" | ")
        ))
    };
    let (width, height) = ask.size.unwrap_or((0, 0));
    let numbers = [
        ("--width", u64::from(width)),
        ("--height", u64::from(height)),
        ("--seconds", ask.time.as_secs()),
        ("--settle", ask.settle.as_secs()),
    ];
    let arguments: Vec<String> =
        numbers.iter().flat_map(|(name, value)| [(*name).to_owned(), value.to_string()]).collect();
    let mut child = Child::start("beside", command, &arguments, &log)?;
    let find = |child: &Child, key: &str| child.events.iter().find(|event| !event[key].is_null()).cloned();
    if !child.wait(PATIENCE, |child| find(child, "listen").is_some()) {
        return Err(said("did not start"));
    }
    let listen = find(&child, "listen").unwrap_or_default();
    let address = |i: usize| listen["listen"][i].as_str().and_then(|text| text.parse::<SocketAddr>().ok());
    let (Some(a), Some(b)) = (address(0), address(1)) else { return Err(said("has no addresses")) };
    let link = ask.shape.map(|shape| Link::between(a, Some(b), shape, ask.seed)).transpose()?;
    let (a, b) = link.as_ref().map_or((a, b), |link| (link.address(), link.back()));
    child.command(&json!({ "link": [a.to_string(), b.to_string()] }))?;
    if !child.wait(ask.time + ask.settle + PATIENCE, |child| find(child, "figures").is_some()) {
        return Err(said("measured nothing"));
    }
    let figures = find(&child, "figures").unwrap_or_default();
    let figures = serde_json::from_value(figures["figures"].clone()).map_err(|_| said("prints other figures"))?;
    child.read_until(crate::clock::now() + Duration::from_secs(2));
    Ok(figures)
}
