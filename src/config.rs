//! The profile folder and the settings in it. A [`RawConfig`] is what the file says, a [`Config`] is what was checked.
//!
//! A file that cannot be read is an error that names it: settings that somebody wrote are never silently replaced.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use crate::share::DisplayName;

/// The settings file in the profile folder.
pub const FILE: &str = "config.json";

/// The folder with identity, settings and known peers of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    dir: PathBuf,
}

/// A profile that cannot be used (exit 8).
#[derive(Debug, Error)]
pub enum Error {
    /// The account has no home folder; name a folder with `--profile`.
    #[error("this account has no home folder; name a folder with --profile DIR")]
    NoHome,
    /// The folder cannot be made; make it or choose another.
    #[error("cannot make the profile folder {}: {source}; choose another with --profile DIR", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The settings file cannot be read; mend or move it.
    #[error("cannot read the settings in {}: {detail}; mend the file or move it away", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
}

impl Profile {
    /// Opens `dir`, or the platform's own folder; makes it (readable by its owner only) when missing.
    pub fn open(dir: Option<PathBuf>) -> Result<Self, Error> {
        let dir = dir.or_else(crate::platform::default_profile).ok_or(Error::NoHome)?;
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&dir).map_err(|source| Error::Folder { path: dir.clone(), source })?;
        Ok(Self { dir })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads the settings; a missing file gives the defaults.
    pub fn config(&self) -> Result<Config, Error> {
        let path = self.dir.join(FILE);
        let raw = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<RawConfig>(&bytes)
                .map_err(|error| Error::Settings { path: path.clone(), detail: error.to_string() })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => RawConfig::default(),
            Err(error) => return Err(Error::Settings { path, detail: error.to_string() }),
        };
        Config::check(raw).map_err(|detail| Error::Settings { path, detail })
    }
}

impl Profile {
    /// Writes the display name into the settings, for the next runs: whole or not at all, and nothing else changes.
    pub fn set_name(&self, name: &DisplayName) -> Result<(), Error> {
        use std::io::Write as _;
        // A file that cannot be read is not written over.
        self.config()?;
        let path = self.dir.join(FILE);
        let wrong = |error: &dyn std::fmt::Display| Error::Settings { path: path.clone(), detail: error.to_string() };
        let mut settings = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<serde_json::Map<_, _>>(&bytes).map_err(|error| wrong(&error))?,
            Err(_) => serde_json::Map::new(),
        };
        settings.insert("name".to_owned(), name.as_str().into());
        let text = serde_json::to_vec_pretty(&settings).map_err(|error| wrong(&error))?;
        let temporary = self.dir.join(format!(".{FILE}.{:016x}", rand::random::<u64>()));
        let written = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&temporary, &path));
        written.map_err(|error| {
            let _ = std::fs::remove_file(&temporary);
            wrong(&error)
        })
    }
}

/// The settings file as written; unknown keys are errors, so that a typing mistake is noticed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawConfig {
    /// Display name; default: the account's full name.
    pub name: Option<String>,
    /// Where drops land; default: the Downloads folder, so that people find them.
    pub download_dir: Option<PathBuf>,
    /// Most people in a room; default 50: above it a mesh of voices costs more than a home uplink has (a guess).
    pub seats: Option<usize>,
    /// Calls from keys that were never met do not ring; default: they do.
    pub silence_unknown: bool,
}

/// Checked settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Display name.
    pub name: DisplayName,
    /// Where drops land; `None` on an account without home and without a setting.
    pub download_dir: Option<PathBuf>,
    /// Most people in a room, oneself included.
    pub seats: usize,
    /// Calls from keys that were never met do not ring.
    pub silence_unknown: bool,
}

impl Config {
    fn check(raw: RawConfig) -> Result<Self, String> {
        let seats = raw.seats.unwrap_or(50);
        if !(2..=500).contains(&seats) {
            return Err(format!("seats is {seats}, it must be 2 to 500"));
        }
        Ok(Self {
            name: raw.name.as_deref().map_or_else(crate::platform::account_name, DisplayName::new),
            download_dir: raw.download_dir.or_else(crate::platform::default_downloads),
            seats,
            silence_unknown: raw.silence_unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_gives_the_defaults() {
        let folder = tempfile::tempdir().expect("folder");
        let profile = Profile::open(Some(folder.path().join("new"))).expect("made");
        assert_eq!(profile.config().expect("defaults").seats, 50);
    }

    #[test]
    fn a_new_name_changes_nothing_else() {
        let folder = tempfile::tempdir().expect("folder");
        let profile = Profile::open(Some(folder.path().to_owned())).expect("there");
        profile.set_name(&DisplayName::new("Mira")).expect("a new file");
        assert_eq!(profile.config().expect("read").name.as_str(), "Mira");
        std::fs::write(folder.path().join(FILE), r#"{"name":"Mira","seats":7}"#).expect("written");
        profile.set_name(&DisplayName::new("Mira K")).expect("changed");
        let config = profile.config().expect("read");
        assert_eq!((config.name.as_str(), config.seats), ("Mira K", 7));
        std::fs::write(folder.path().join(FILE), "{").expect("written");
        assert!(profile.set_name(&DisplayName::new("x")).is_err());
        assert_eq!(std::fs::read_to_string(folder.path().join(FILE)).expect("kept"), "{");
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
    }

    #[test]
    fn a_wrong_file_is_named_and_kept() {
        let folder = tempfile::tempdir().expect("folder");
        let profile = Profile::open(Some(folder.path().to_owned())).expect("there");
        for bad in ["{", r#"{"nmae":"x"}"#, r#"{"seats":1}"#] {
            std::fs::write(folder.path().join(FILE), bad).expect("written");
            let error = profile.config().expect_err("must not be accepted").to_string();
            assert!(error.contains(FILE), "{error}");
            assert_eq!(std::fs::read_to_string(folder.path().join(FILE)).expect("kept"), bad);
        }
    }
}
