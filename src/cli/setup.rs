//! What every command starts from: the profile, its settings, the identity, the name of this run.

use std::path::Path;
use std::sync::Arc;

use super::args::Common;
use super::{Exit, Failure, code};
use crate::config::{Config, Profile};
use crate::endpoint;
use crate::identity::Identity;
use crate::share::DisplayName;

/// The loaded profile.
#[derive(Debug)]
pub struct Setup {
    /// The folder.
    pub profile: Profile,
    /// Its settings.
    pub config: Config,
    /// Who we are.
    pub identity: Arc<Identity>,
    /// The name of this run.
    pub name: DisplayName,
}

impl Setup {
    /// Opens the profile; a first start makes the identity. Errors are exit 8.
    pub fn load(common: &Common) -> Result<Self, Failure> {
        let state = |error: String| Failure::new(Exit::State, code::STATE, error);
        let profile = Profile::open(common.profile.clone()).map_err(|error| state(error.to_string()))?;
        let config = profile.config().map_err(|error| state(error.to_string()))?;
        let identity = Identity::load_or_create(profile.dir()).map_err(|error| state(error.to_string()))?;
        let name = common.name.as_deref().map_or_else(|| config.name.clone(), DisplayName::new);
        Ok(Self { profile, config, identity: Arc::new(identity), name })
    }
}

/// The endpoint's settings from the shared options.
pub fn endpoint_config(common: &Common) -> endpoint::Config {
    endpoint::Config { port: common.port, interfaces: common.interface.clone() }
}

/// A rendezvous service as typed: `HOST[:PORT][#FINGERPRINT]`.
pub fn service(text: &str) -> Result<crate::service::Service, Failure> {
    text.parse().map_err(|error| Failure::usage(format!("--rendezvous {text}: {error}.")))
}

/// Makes sure that files can be made in `folder`, which is made if need be. Known before anybody is met: a folder that
/// fails only when the file comes is too late.
pub fn writable(folder: &Path) -> Result<(), Failure> {
    let probe = || {
        std::fs::create_dir_all(folder)?;
        // Named like an unfinished drop: should this run end here, the next one removes it.
        let path = folder.join(format!(".lets-meet-{:016x}.part", rand::random::<u64>()));
        std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
        std::fs::remove_file(&path)
    };
    probe().map_err(|error: std::io::Error| {
        let folder = folder.display();
        let message = format!("Nothing can be written to the folder {folder}: {error}; choose another.");
        Failure::new(Exit::State, code::STATE, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_and_a_file_is_none() {
        let home = tempfile::tempdir().expect("folder");
        let folder = home.path().join("new/deep");
        assert_eq!(writable(&folder), Ok(()));
        assert_eq!(std::fs::read_dir(&folder).expect("made").count(), 0);
        let file = home.path().join("file");
        std::fs::write(&file, b"x").expect("written");
        assert_eq!(writable(&file).map_err(|failure| failure.exit), Err(Exit::State));
        assert_eq!(writable(&file.join("in")).map_err(|failure| failure.exit), Err(Exit::State));
    }
}
