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
    /// Loopback ports its registration lists, if it compares them; empty for any.
    pub redirect_ports: Vec<u16>,
    /// How it is spoken with.
    pub language: IssuerLanguage,
}

/// How an issuer is spoken with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum IssuerLanguage {
    /// OpenID Connect.
    #[default]
    OpenId,
    /// A language of its own, which a package of its domain speaks (`idp-proxy`).
    Proxy {
        /// Whose package it is.
        domain: Domain,
        /// Its name there.
        package: String,
    },
}

impl IssuerLanguage {
    /// The proxy of an issuer: the package `default` of the domain of its host.
    fn proxy_of(issuer: &str) -> Option<Self> {
        let host = url::Url::parse(issuer).ok()?.host_str()?.to_owned();
        Some(Self::Proxy { domain: Domain::parse(&host).ok()?, package: "default".into() })
    }

    /// `DOMAIN/NAME`.
    fn proxy_named(text: &str) -> Option<Self> {
        let (domain, package) = text.split_once('/')?;
        Some(Self::Proxy { domain: Domain::parse(domain).ok()?, package: package.to_owned() })
    }
}

impl ListedIssuer {
    /// Reads `PARLANCE_ISSUERS`: `URL=Name` pairs separated by commas. An issuer without OpenID Connect is written
    /// `proxy+URL=Name`, or `proxy:DOMAIN/PACKAGE+URL=Name` if its proxy is not the package `default` of its host.
    pub fn from_env() -> Vec<Self> {
        std::env::var("PARLANCE_ISSUERS").map(|text| Self::parse_list(&text)).unwrap_or_default()
    }

    fn parse_list(text: &str) -> Vec<Self> {
        text.split(',')
            .filter_map(|pair| pair.trim().split_once('='))
            .filter_map(|(issuer, name)| {
                let (issuer, language) = read_issuer(issuer.trim())?;
                Some(Self {
                    issuer,
                    name: name.trim().to_owned(),
                    client_id: "parlance".into(),
                    client_secret: None,
                    redirect_ports: Vec::new(),
                    language,
                })
            })
            .collect()
    }
}

/// An issuer's URL and how it is spoken with; none if it is not understood.
fn read_issuer(text: &str) -> Option<(String, IssuerLanguage)> {
    if let Some(url) = text.strip_prefix("proxy+") {
        return Some((url.to_owned(), IssuerLanguage::proxy_of(url)?));
    }
    if let Some(rest) = text.strip_prefix("proxy:") {
        let (package, url) = rest.split_once('+')?;
        return Some((url.to_owned(), IssuerLanguage::proxy_named(package)?));
    }
    Some((text.to_owned(), IssuerLanguage::OpenId))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_listed_by_url_and_name() {
        let listed = ListedIssuer::parse_list("http://127.0.0.1:9=Independent, broken ,https://x=Y");
        assert_eq!(listed.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["Independent", "Y"]);
    }

    #[test]
    fn an_issuer_without_openid_connect_names_who_speaks_its_language() {
        let listed = ListedIssuer::parse_list(
            "proxy+https://pass.example=Pass, proxy:b.example/pass-office+https://pass.b.example=Office,proxy:x+https://y=No",
        );
        let proxy = |domain: &str, package: &str| IssuerLanguage::Proxy {
            domain: Domain::parse(domain).unwrap(),
            package: package.into(),
        };
        let read: Vec<_> = listed.into_iter().map(|one| (one.issuer, one.language)).collect();
        let expected = [
            ("https://pass.example".to_owned(), proxy("pass.example", "default")),
            ("https://pass.b.example".to_owned(), proxy("b.example", "pass-office")),
        ];
        assert_eq!(read, expected);
    }
}
