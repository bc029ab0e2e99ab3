//! What the tests show and say: a real clip and real words, made once by `tests/media/make.sh`.

use std::path::{Path, PathBuf};
use std::process::Command;

fn made(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder").join("media");
    let path = folder.join(name);
    if !path.exists() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media/make.sh");
        let out = Command::new(script).arg(&folder).output().expect("tests/media/make.sh runs");
        let said = String::from_utf8_lossy(&out.stdout);
        assert!(path.exists(), "{name} is missing, without which this test shows nothing: {said}");
    }
    path
}

/// 640x360 at 30 pictures a second, 10 s: somebody talks in a moving car.
pub fn talk() -> PathBuf {
    made("talk.y4m")
}

/// 48 kHz mono: read sentences.
pub fn speech() -> PathBuf {
    made("speech.wav")
}

/// 48 kHz mono: other sentences in another voice.
pub fn other() -> PathBuf {
    made("other.wav")
}

/// Where Python finds the package pystoi.
#[cfg(feature = "devices")]
pub fn pystoi() -> PathBuf {
    made("pystoi")
}

/// `file:PATH`, as sources are given.
pub fn source(path: &Path) -> String {
    format!("file:{}", path.display())
}
