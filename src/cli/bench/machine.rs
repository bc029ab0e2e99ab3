//! What a bench runs on, and how much of it others use meanwhile.

use serde_json::{Value, json};

/// Above this share of the machine used by others a figure proves nothing.
pub const BUSY: f64 = 0.1;

/// CPU time of the whole machine and of some processes at one moment, in the kernel's ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    all: u64,
    idle: u64,
    ours: u64,
}

impl Moment {
    /// Now; `ours` are this process and those of these ids. `None` where the system does not tell.
    pub fn now(ours: &[u32]) -> Option<Self> {
        let (all, idle) = machine(&std::fs::read_to_string("/proc/stat").ok()?)?;
        let own = std::iter::once(std::process::id()).chain(ours.iter().copied());
        let ticks = own.filter_map(|id| process(&std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?));
        Some(Self { all, idle, ours: ticks.sum() })
    }

    /// The share of the machine that others used since `before`, 0 to 1.
    pub fn others_since(&self, before: &Self) -> Option<f64> {
        let grown =
            |now: u64, then: u64| u32::try_from(now.saturating_sub(then)).map_or(f64::from(u32::MAX), f64::from);
        let all = grown(self.all, before.all);
        let busy = all - grown(self.idle, before.idle);
        (all > 0.0).then(|| ((busy - grown(self.ours, before.ours)) / all).clamp(0.0, 1.0))
    }
}

/// All ticks and the idle ones of the first line of `/proc/stat`.
fn machine(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are counted in user already.
    let ticks: Vec<u64> = line.split_whitespace().take(8).map_while(|word| word.parse().ok()).collect();
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some((ticks.iter().sum(), idle))
}

/// User and system ticks of `/proc/PID/stat`, with those of children that have ended.
fn process(stat: &str) -> Option<u64> {
    // The name, in brackets, may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().skip(11).take(4).map_while(|word| word.parse::<u64>().ok()).sum())
}

/// What it runs on, for people and scripts.
pub fn describe() -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        text.lines().find_map(|line| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().to_owned()))
    });
    let load = std::fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok()));
    json!({
        "cores": std::thread::available_parallelism().ok().map(std::num::NonZero::get),
        "cpu": cpu,
        "load": load,
        "system": std::env::consts::OS,
        "optimised": !cfg!(debug_assertions),
        "version": env!("CARGO_PKG_VERSION"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_all_that_is_not_idle_and_not_ours() {
        let then = Moment { all: 1000, idle: 500, ours: 100 };
        let now = Moment { all: 1200, idle: 580, ours: 180 };
        let others = now.others_since(&then).expect("time passed");
        assert!((others - 0.2).abs() < 1e-9, "{others}");
        assert_eq!(now.others_since(&now), None);
    }

    #[test]
    fn the_kernels_lines_are_read() {
        assert_eq!(machine("cpu  10 1 5 80 4 0 0 0 7 7\ncpu0 1"), Some((100, 84)));
        assert_eq!(machine("intr 1"), None);
        let line = "12 (a ) b) S 1 1 1 0 -1 4194304 100 0 0 0 7 3 2 1 20 0 1 0 5 6";
        assert_eq!(process(line), Some(13));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_tells() {
        assert!(Moment::now(&[]).is_some());
        assert!(describe()["cores"].as_u64() >= Some(1));
    }
}
