//! Refuses to build the media feature without nasm: openh264 would silently fall back to plain C, several times slower.

use std::env::var_os;
use std::process::{Command, Stdio, exit};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let media = var_os("CARGO_FEATURE_MEDIA").is_some();
    let x86 = var_os("CARGO_CFG_TARGET_ARCH").is_some_and(|arch| arch == "x86" || arch == "x86_64");
    if media && x86 && !nasm() {
        println!(
            "cargo::error=nasm is missing: install it (Debian, Ubuntu: sudo apt install nasm), or build without media \
             with --no-default-features."
        );
        exit(1);
    }
}

/// True when nasm starts.
fn nasm() -> bool {
    let status =
        Command::new("nasm").arg("-v").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
