//! Says how a verified package is to run.

use std::sync::Arc;

use catalogue::{PackageKind, paths};
use message::{Address, AddressPattern, Grants};
use sandbox::{Budget, GuestSpec, Shelf};
use serde_json::Value;
use transport::{Net, Reach};

use crate::error::StartGuestError;
use crate::package::VerifiedPackage;

/// How a verified package is to run.
#[derive(Clone)]
pub struct GuestPlan {
    pub(crate) package: VerifiedPackage,
    address: Address,
    grants: Grants,
    config: Value,
    speak_as: Vec<AddressPattern>,
    budget: Budget,
    shelf: Option<Arc<dyn Shelf>>,
}

impl GuestPlan {
    /// A package at an address, with no rights yet.
    pub fn new(package: VerifiedPackage, address: Address) -> Self {
        Self {
            package,
            address,
            grants: Grants::none(),
            config: Value::Null,
            speak_as: Vec::new(),
            budget: Budget::default(),
            shelf: None,
        }
    }

    /// An IdP proxy at an address: it may fetch from the origins its descriptor names, and wait. Whatever
    /// else it asks for it does not get: it answers the core, and has nothing to say to anybody.
    pub fn idp_proxy(package: VerifiedPackage, address: Address) -> Result<Self, StartGuestError> {
        if package.reference.kind != PackageKind::IdpProxy {
            let reason = "it is no IdP proxy".into();
            return Err(StartGuestError::NotStarted { package: package.reference, reason });
        }
        let grants = proxy_grants(package.grants());
        Ok(Self::new(package, address).with_grants(grants))
    }

    /// Gives it rights: those a person agreed to, at most those its descriptor asks for.
    pub fn with_grants(mut self, grants: Grants) -> Self {
        self.grants = grants;
        self
    }

    /// Tells it something at its start, above what its descriptor's configuration says.
    pub fn with_config(mut self, config: Value) -> Self {
        self.config = config;
        self
    }

    /// Lets it speak with further addresses, as a stub does for its domain.
    pub fn speaking_as(mut self, patterns: Vec<AddressPattern>) -> Self {
        self.speak_as = patterns;
        self
    }

    /// Bounds it otherwise than by default.
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Gives it a place to keep things, which stays its own over restarts and versions.
    pub fn with_shelf(mut self, shelf: Arc<dyn Shelf>) -> Self {
        self.shelf = Some(shelf);
        self
    }

    /// The same seat for another version.
    pub(crate) fn for_version(&self, package: VerifiedPackage, grants: Grants) -> Self {
        Self { package, grants, ..self.clone() }
    }

    pub(crate) fn spec(&self, net: &Net) -> Result<GuestSpec, StartGuestError> {
        let (reference, descriptor) = (&self.package.reference, &self.package.descriptor);
        if !self.grants.is_within(&descriptor.grants) {
            let grant = "it was given more than it asked for".into();
            return Err(StartGuestError::GrantBeyond { package: reference.clone(), grant });
        }
        let not_started = |reason: String| StartGuestError::NotStarted { package: reference.clone(), reason };
        let name = reference.package().map_err(|error| not_started(error.to_string()))?;
        let origin = net.origin(&reference.domain);
        let location = origin.join(&paths::source(&name)).map_err(|error| not_started(error.to_string()))?;
        let mut spec = GuestSpec::new(reference.to_string(), self.address.clone(), self.package.source.clone());
        spec.speak_as = self.speak_as.clone();
        spec.entry = entry(descriptor.entry);
        spec.config = merged(&descriptor.configuration, &self.config);
        spec.grants = self.grants.clone();
        // Not the address's domain: a stub of b lives at an address of ours and reaches out to b.
        spec.reach = Reach::for_domain(&reference.domain);
        spec.budget = self.budget.clone();
        spec.location = location;
        if let Some(shelf) = &self.shelf {
            spec.shelf = shelf.clone();
        }
        Ok(spec)
    }
}

fn entry(entry: catalogue::Entry) -> sandbox::Entry {
    match entry {
        catalogue::Entry::Auto => sandbox::Entry::Auto,
        catalogue::Entry::Umd => sandbox::Entry::Umd,
        catalogue::Entry::Class => sandbox::Entry::Class,
        catalogue::Entry::SystemJs => sandbox::Entry::SystemJs,
    }
}

/// What an IdP proxy gets of what it asks for.
fn proxy_grants(wanted: &Grants) -> Grants {
    Grants { fetch: wanted.fetch.clone(), timers: wanted.timers, ..Grants::none() }
}

/// The maker's configuration, with the home's above it.
fn merged(maker: &Value, home: &Value) -> Value {
    let mut both = maker.as_object().cloned().unwrap_or_default();
    both.extend(home.as_object().cloned().unwrap_or_default());
    Value::Object(both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_home_has_the_last_word_on_the_configuration() {
        let both = merged(&json!({ "url": "theirs", "room": 1 }), &json!({ "url": "ours" }));
        assert_eq!(both, json!({ "url": "ours", "room": 1 }));
        assert_eq!(merged(&Value::Null, &Value::Null), json!({}));
    }
}
