//! What a runtime is told before it starts.

use std::path::PathBuf;
use std::sync::Arc;

use message::Domain;

/// Settings of one runtime, that is of one profile on one device.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// Where the profile keeps its files.
    pub profile_dir: PathBuf,
    /// Ports of `*.localhost` domains.
    pub net: transport::NetConfig,
    /// A domain to suggest at the first run.
    pub suggested_domain: Option<Domain>,
    /// Issuers offered besides the domain's own, and admitted for strangers too.
    pub issuers: Vec<ListedIssuer>,
    /// How the microphone and the speaker are found.
    pub audio: media::AudioConfig,
    /// Whether the system keyring may be used (tests say no).
    pub use_keyring: bool,
    /// Name of this device, shown to contacts.
    pub device_name: String,
    /// The organisation that has a say on this device.
    pub organisation: Option<OrganisationSource>,
    /// What opens the sign-in page instead of the system's browser (tests).
    pub browser: Option<Browser>,
}

/// Where an organisation's policy stands, and whose it must be; set when the app is installed.
#[derive(Debug, Clone)]
pub struct OrganisationSource {
    /// The signed document.
    pub document: PathBuf,
    /// The key it must be signed with.
    pub key: keys::VerifyingKey,
}

/// Something that opens a page in place of the system's browser.
#[derive(Clone)]
pub struct Browser(Arc<dyn Fn(&url::Url) + Send + Sync>);

impl Browser {
    /// Opens pages by calling this.
    pub fn new(open: impl Fn(&url::Url) + Send + Sync + 'static) -> Self {
        Self(Arc::new(open))
    }

    pub(crate) fn open(&self, url: &url::Url) {
        (self.0)(url);
    }
}

impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Browser")
    }
}

/// An issuer that is known by name.
#[derive(Debug, Clone)]
pub struct ListedIssuer {
    /// Its URL, exactly as it stands in its tokens.
    pub issuer: String,
    /// Its name for people.
    pub name: String,
    /// The client id of this app there.
    pub client_id: String,
    /// Some issuers want a (non-secret) secret of native apps too.
    pub client_secret: Option<String>,
}

impl ListedIssuer {
    /// Reads `PARLANCE_ISSUERS`: `URL=Name` pairs separated by commas.
    pub fn from_env() -> Vec<Self> {
        std::env::var("PARLANCE_ISSUERS").map(|text| Self::parse_list(&text)).unwrap_or_default()
    }

    fn parse_list(text: &str) -> Vec<Self> {
        text.split(',')
            .filter_map(|pair| pair.trim().split_once('='))
            .map(|(issuer, name)| Self {
                issuer: issuer.trim().to_owned(),
                name: name.trim().to_owned(),
                client_id: "parlance".into(),
                client_secret: None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_listed_by_url_and_name() {
        let listed = ListedIssuer::parse_list("http://127.0.0.1:9=Independent, broken ,https://x=Y");
        assert_eq!(listed.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["Independent", "Y"]);
    }
}
