//! Room on a disk. The standard library does not tell, so the POSIX tool `df` is asked (portable output, IEEE 1003.1).

use std::path::Path;
use std::process::{Command, Stdio};

/// Bytes that can be written below `folder`; `None` where the system does not tell. Blocks.
pub(super) fn available(folder: &Path) -> Option<u64> {
    // An absolute path cannot be taken for an option.
    let folder = std::path::absolute(folder).ok()?;
    let df = Command::new("df").arg("-Pk").arg(folder).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    df.status.success().then(|| parse(&String::from_utf8_lossy(&df.stdout))).flatten()
}

// The device's name and the mount point may hold spaces; the figures stand together before the percent sign.
fn parse(text: &str) -> Option<u64> {
    let words: Vec<&str> = text.lines().nth(1)?.split_whitespace().collect();
    let percent = words.iter().position(|word| word.ends_with('%'))?;
    let kib: u64 = words.get(percent.checked_sub(1)?)?.parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fourth_figure_is_what_is_available() {
        let head = "Filesystem 1024-blocks Used Available Capacity Mounted on\n";
        let check = |line: &str, expect| assert_eq!(parse(&format!("{head}{line}\n")), expect, "{line}");
        check("/dev/sda1 1000 400 600 40% /", Some(614_400));
        check("my share:/a b 1000 400 600 40% /mnt/my share", Some(614_400));
        check("nothing", None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn this_machine_has_some_room() {
        assert!(available(&std::env::temp_dir()).is_some_and(|bytes| bytes > 0));
    }
}
