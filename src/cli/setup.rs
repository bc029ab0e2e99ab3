//! What every command starts from: the profile, its settings, the identity, the name of this run.

use std::sync::Arc;

use super::args::Common;
use super::{Exit, Failure};
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
        let state = |error: String| Failure::new(Exit::State, "state", error);
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
pub fn service(text: &str) -> Result<crate::rendezvous::service::Service, Failure> {
    text.parse().map_err(|error| Failure::usage(format!("--rendezvous {text}: {error}.")))
}
