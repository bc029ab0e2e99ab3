//! What the operating system is asked outside of networks, clocks and devices: who is logged in, what this process
//! costs. Each answer is optional; the program works without it.

use std::path::PathBuf;

use crate::share::DisplayName;
use crate::stats::Process;

/// The loopback interface's name.
pub const LOOPBACK: &str = if cfg!(target_os = "macos") { "lo0" } else { "lo" };

/// The account's full name, else its login, else "Someone".
pub fn account_name() -> DisplayName {
    #[cfg(unix)]
    if let Ok(Some(account)) = nix::unistd::User::from_uid(nix::unistd::getuid()) {
        let full = account.gecos.to_string_lossy();
        let full = full.split(',').next().unwrap_or_default();
        let clean = crate::share::visible(full);
        return DisplayName::new(if clean.is_empty() { &account.name } else { &clean });
    }
    let login = std::env::vars().find(|(key, _)| key == "USERNAME" || key == "USER").map(|(_, value)| value);
    DisplayName::new(&login.unwrap_or_default())
}

/// CPU seconds and resident memory of this process.
pub fn process() -> Process {
    Process { cpu_s: cpu_seconds(), rss_bytes: resident_bytes() }
}

#[cfg(unix)]
fn cpu_seconds() -> Option<f64> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    u64::try_from(micros).ok().map(|micros| std::time::Duration::from_micros(micros).as_secs_f64())
}

#[cfg(not(unix))]
fn cpu_seconds() -> Option<f64> {
    None
}

#[cfg(target_os = "linux")]
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kb| kb * 1024)
}

#[cfg(not(target_os = "linux"))]
fn resident_bytes() -> Option<u64> {
    None
}

/// The folder for this program's own files: the platform's data folder. `None` for an account without a home.
pub fn default_profile() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "lets-meet").map(|dirs| dirs.data_dir().to_owned())
}

/// Where drops land: the Downloads folder, else the home folder. Never the current folder.
pub fn default_downloads() -> Option<PathBuf> {
    let dirs = directories::UserDirs::new()?;
    match dirs.download_dir() {
        Some(folder) if folder.is_dir() => Some(folder.to_owned()),
        _ => Some(dirs.home_dir().to_owned()),
    }
}

/// The firewall that is switched on here, as far as an ordinary account can see.
pub fn firewall() -> Option<&'static str> {
    let ufw = std::fs::read_to_string("/etc/ufw/ufw.conf").unwrap_or_default();
    if ufw.lines().any(|line| line.trim().eq_ignore_ascii_case("enabled=yes")) {
        return Some("ufw");
    }
    ["/run/firewalld", "/run/firewalld.pid"]
        .iter()
        .any(|path| std::path::Path::new(path).exists())
        .then_some("firewalld")
}

/// Shows a file or folder with the program that the desktop has for it. Blocks until that program was started.
pub fn open(path: &std::path::Path) -> std::io::Result<()> {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(target_os = "windows") {
        "explorer"
    } else {
        "xdg-open"
    };
    let mut child = std::process::Command::new(program)
        .arg(path)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()?;
    // Waited for by a thread of its own, or it would stay as a zombie.
    crate::task::thread("open", move || {
        let _ = child.wait();
    })?;
    Ok(())
}

/// True where a window can be shown, as far as can be told without opening one.
pub fn has_display() -> bool {
    if cfg!(any(target_os = "macos", target_os = "windows")) {
        return true;
    }
    let names = ["WAYLAND_DISPLAY", "WAYLAND_SOCKET", "DISPLAY"];
    std::env::vars_os().any(|(key, value)| names.iter().any(|name| key == *name) && !value.is_empty())
}

/// True where the desktop is a Wayland one: what X11 shows of it is a part, or black.
pub fn is_wayland() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    set("WAYLAND_DISPLAY") || set("WAYLAND_SOCKET")
}

/// False where there is certainly no GPU: on Linux drivers make a file for each that can draw.
pub fn may_have_gpu() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    let Ok(files) = std::fs::read_dir("/dev/dri") else { return false };
    files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("renderD"))
}

/// Starts this program again in its own place, same arguments, same process id, with one more word in its environment.
/// Comes back only when that failed.
pub fn start_again(name: &str, value: &str) -> std::io::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let mut command = std::process::Command::new(program);
    command.args(std::env::args_os().skip(1)).env(name, value);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        command.exec()
    }
    #[cfg(not(unix))]
    {
        std::io::Error::from(std::io::ErrorKind::Unsupported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_costs_something() {
        let process = process();
        assert!(process.cpu_s.is_some_and(|s| s >= 0.0));
        assert!(process.rss_bytes.is_some_and(|b| b > 100_000));
    }

    #[test]
    fn somebody_is_logged_in() {
        assert!(!account_name().as_str().is_empty());
    }
}
