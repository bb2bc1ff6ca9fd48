//! An issuer as a person's settings know it: its name, this app's client there, and what to ask for.

use message::Private;

use crate::proof::RootKey;

/// An issuer and this app's client there.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// The issuer's name, as `https://accounts.google.com`.
    pub issuer: String,
    /// The client id; [`identity::CLIENT_ID`] unless the issuer assigns one.
    pub client_id: String,
    /// Some issuers want a secret from native clients, though it is none.
    pub client_secret: Option<Private<String>>,
    /// Scopes beside `openid`.
    pub scopes: Vec<String>,
    /// Loopback ports of which one is the redirect address's, in order of preference; any free port if there
    /// are none. Only for issuers that compare the address byte for byte, against RFC 8252, section 7.3.
    pub redirect_ports: Vec<u16>,
    /// Whether the person wants renewal without a login: then a refresh token is asked for, and kept.
    pub silent_renewal: bool,
    /// How this issuer is asked for a refresh token.
    pub offline_by: OfflineBy,
    /// The root key the token is bound to where the issuer can bind keys.
    pub root_key: Option<RootKey>,
}

/// How an issuer is asked for a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OfflineBy {
    /// By the scope `offline_access`, if the issuer lists it (OpenID Connect Core, section 11).
    #[default]
    Scope,
    /// By the parameter `access_type=offline`, as Google does it.
    AccessType,
}

impl IssuerConfig {
    /// An issuer that knows this app by its own client id; asks for the subject only.
    pub fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            client_id: identity::CLIENT_ID.to_owned(),
            client_secret: None,
            scopes: Vec::new(),
            redirect_ports: Vec::new(),
            silent_renewal: false,
            offline_by: OfflineBy::default(),
            root_key: None,
        }
    }
}
