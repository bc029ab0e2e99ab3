//! Logs: to stderr, so that stdout stays for answers. Names, chat and file names appear only at `trace`, keys never.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// The filter without `--log`: our warnings, others' errors. mDNS daemons on other machines are noisy at `warn`.
pub const DEFAULT_FILTER: &str = "error,lets_meet=warn";

/// Starts logging by `filter` (`debug`, or `lets_meet::mesh=debug,quinn=info`, the `tracing` syntax). A single level
/// counts for this program alone. Starting twice keeps the first.
pub fn start(filter: Option<&str>) -> Result<(), ParseError> {
    let filter = filter.unwrap_or(DEFAULT_FILTER);
    let filter = match filter {
        "off" | "error" | "warn" | "info" | "debug" | "trace" => format!("error,lets_meet={filter}"),
        other => other.to_owned(),
    };
    let filter = EnvFilter::try_new(filter)?;
    let started = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let _ = started.try_init();
    Ok(())
}
