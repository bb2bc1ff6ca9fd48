//! Where a profile lives and what its environment says.

use std::path::PathBuf;

use runtime::{ListedIssuer, OrganisationSource, RuntimeConfig};

/// A profile to open.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Its name; several profiles can run side by side.
    pub name: String,
}

/// Why a profile cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Not a name, or the system has no place for data of programs.
    #[error("no directory for the profile: {0}")]
    NoDirectory(String),
    /// An environment variable does not say what it should.
    #[error("{variable} is not understood: {reason}")]
    BadVariable {
        /// Which.
        variable: &'static str,
        /// Why.
        reason: String,
    },
}

/// Where a profile of this name keeps its files (the store says what a name is): `PARLANCE_HOME`, or the system's place for data of programs.
pub fn profile_dir(name: &str) -> Result<PathBuf, ProfileError> {
    runtime::profile_dir(name).map_err(|failure| ProfileError::NoDirectory(failure.detail))
}

impl Profile {
    /// Reads the environment:
    ///
    /// - `PARLANCE_LOCALHOST` ports of `*.localhost` domains
    /// - `PARLANCE_DOMAIN` domain suggested at the first run
    /// - `PARLANCE_ISSUERS` issuers offered besides the domain's own, `URL=Name,…`
    /// - `PARLANCE_MICROPHONE`, `PARLANCE_SPEAKER`, `PARLANCE_RECORD` audio devices or files
    /// - `PARLANCE_H264`, `PARLANCE_OPENH264` how H.264 stands beside VP8, and where Cisco's library is
    /// - `PARLANCE_CAMERA` a camera, a file or pictures that count
    /// - `PARLANCE_POLICY`, `PARLANCE_POLICY_KEY` an organisation's signed policy, and the key it must be signed with
    /// - `PARLANCE_KEYRING=off` leaves the system keyring alone
    pub(crate) fn into_config(self) -> Result<RuntimeConfig, ProfileError> {
        let bad = |variable: &'static str| move |reason: String| ProfileError::BadVariable { variable, reason };
        let net = runtime::NetConfig::from_env().map_err(|e| bad("PARLANCE_LOCALHOST")(e.to_string()))?;
        let suggested_domain = std::env::var("PARLANCE_DOMAIN")
            .ok()
            .map(|text| message::Domain::parse(&text))
            .transpose()
            .map_err(|e| bad("PARLANCE_DOMAIN")(e.to_string()))?;
        let mut audio = runtime::AudioConfig::from_env().map_err(|e| bad("PARLANCE_MICROPHONE")(e.to_string()))?;
        let profile_dir = profile_dir(&self.name)?;
        if audio.openh264.is_empty() {
            // Beside the folder of all profiles: one person's own place, before those for everybody.
            let own = profile_dir.ancestors().nth(2).map(|home| home.join("codecs"));
            audio.openh264 = own.into_iter().chain(runtime::openh264_places()).collect();
        }
        Ok(RuntimeConfig {
            profile_dir,
            net,
            suggested_domain,
            issuers: ListedIssuer::from_env(),
            audio,
            use_keyring: std::env::var("PARLANCE_KEYRING").as_deref() != Ok("off"),
            device_name: device_name(),
            organisation: organisation()?,
            browser: None,
        })
    }
}

/// An organisation's policy: the file and the key, both or none.
fn organisation() -> Result<Option<OrganisationSource>, ProfileError> {
    let set = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    organisation_of(set("PARLANCE_POLICY"), set("PARLANCE_POLICY_KEY"))
}

fn organisation_of(document: Option<String>, key: Option<String>) -> Result<Option<OrganisationSource>, ProfileError> {
    let bad = |variable: &'static str, reason: &dyn std::fmt::Display| ProfileError::BadVariable {
        variable,
        reason: reason.to_string(),
    };
    match (document, key) {
        (None, None) => Ok(None),
        (Some(document), Some(key)) => {
            let key = keys::VerifyingKey::parse(key.trim()).map_err(|error| bad("PARLANCE_POLICY_KEY", &error))?;
            Ok(Some(OrganisationSource { document: PathBuf::from(document), key }))
        }
        // A policy that anybody could replace is none, and a key without a policy is a mistake.
        (Some(_), None) => Err(bad("PARLANCE_POLICY_KEY", &"PARLANCE_POLICY needs the key it is signed with")),
        (None, Some(_)) => Err(bad("PARLANCE_POLICY", &"PARLANCE_POLICY_KEY needs the policy it signs")),
    }
}

/// The name of this computer, for the list of a person's devices.
fn device_name() -> String {
    let set = |name: &str| std::env::var(name).ok();
    // Shells keep HOSTNAME to themselves, so that on Linux the kernel is asked.
    let kernel = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = set("HOSTNAME").or_else(|| set("COMPUTERNAME")).or_else(kernel).unwrap_or_default();
    match name.trim() {
        "" => "Computer".into(),
        name => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisation_is_a_document_and_a_key_or_nobody() {
        let key = || Some(keys::SigningKey::from_bytes(&[7; 32]).verifying_key().to_string());
        let document = || Some("/etc/parlance/policy".to_owned());
        assert!(organisation_of(None, None).unwrap().is_none());
        assert!(organisation_of(document(), key()).unwrap().is_some());
        for (document, key) in [(document(), None), (None, key()), (document(), Some("x".into()))] {
            assert!(organisation_of(document, key).is_err());
        }
    }

    #[test]
    fn what_a_profile_may_be_called_is_said_in_one_place() {
        let long = "a".repeat(40);
        for name in ["ana", "ana-2", "a_b", long.as_str(), "", "Ana", "a.b", "../ana", "a b", &"a".repeat(65)] {
            assert_eq!(profile_dir(name).is_ok(), runtime::profile_dir(name).is_ok(), "{name}");
        }
        // Two names that differ in the size of their letters would be one folder on some systems.
        assert!(profile_dir("Ana").is_err());
        let why = profile_dir("../ana").unwrap_err().to_string();
        assert!(why.contains("small letters"), "{why}");
    }
}
