//! Sign-in at issuers without OpenID Connect: a sandboxed package of their domain speaks their language.

use guests::{PackageKind, PackageRef};
use message::{Address, Body, MessageType};
use serde_json::{Value, json};
use signin::IssuerConfig;
use signin::proxy::{ProxyError, ProxySignIn, ProxyStep};
use tokio_util::sync::CancellationToken;

use crate::config::IssuerLanguage;
use crate::home::{Home, now_ms};
use crate::persons::host_of;
use crate::trouble::{Failure, Outcome};

/// Ends the proxy, however the sign-in ends.
struct Ending<'a> {
    home: &'a Home,
    proxy: Address,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.home.end_module_at(&self.proxy);
    }
}

impl Home {
    /// How an issuer is spoken with, as far as it is listed.
    pub(crate) fn language_of(&self, issuer: &str) -> IssuerLanguage {
        let listed = self.rooms.config.issuers.iter().find(|listed| listed.issuer == issuer);
        listed.map(|listed| listed.language.clone()).unwrap_or_default()
    }

    /// Leads the person to the issuer's page and back, through the proxy of its domain.
    ///
    /// The proxy learns the nonce and gives a token; it can refuse, and cannot forge.
    pub(crate) async fn sign_in_by_proxy(
        &self,
        package: &PackageRef,
        config: IssuerConfig,
        nonce: String,
        attempt: u64,
        cancel: CancellationToken,
    ) -> Outcome<signin::SignedIn> {
        let going = self.through_proxy(package, config, nonce, attempt);
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure::new("cancelled", "cancelled")),
            done = going => done,
        }
    }

    async fn through_proxy(
        &self,
        package: &PackageRef,
        config: IssuerConfig,
        nonce: String,
        attempt: u64,
    ) -> Outcome<signin::SignedIn> {
        let issuer = config.issuer.clone();
        let verified = self.fetch_package(package).await?;
        self.may_run(package, &verified, Some(host_of(&issuer))).await?;
        let (proxy, from) = {
            let mut state = self.state();
            let proxy = state.core_address(&format!("idp-proxy/{}/{}", package.domain, package.name))?;
            let config = json!({ "runtimeURL": state.core_address("core")? });
            self.run_proxy(&mut state, verified, proxy.clone(), config)?;
            (proxy, state.core_address("ua")?)
        };
        let _ending = Ending { home: self, proxy: proxy.clone() };
        let refused = |error: ProxyError| Failure::new(error.code(), error);
        let (mut sign_in, mut ask) = ProxySignIn::begin(config, nonce, None, now_ms() / 1000).map_err(refused)?;
        loop {
            let answer = self.ask_proxy(&from, &proxy, &ask).await?;
            ask = match sign_in.answered(&answer, now_ms() / 1000).map_err(refused)? {
                ProxyStep::Open { page, ask } => {
                    if let Some(page) = page {
                        self.lead_to(&page, attempt).await?;
                    }
                    ask
                }
                ProxyStep::Ask(ask) => ask,
                // A final answer is never one that says to wait.
                ProxyStep::Wait => return Err(Failure::new("proxy-failed", "the proxy ended without an answer")),
                ProxyStep::Check(token) => {
                    let keys = signin::fetch_jwks_of(&self.rooms.net, &issuer, signin::IssuerKind::Proxy).await;
                    let keys = keys.map_err(|error| Failure::new(error.code(), error))?;
                    return sign_in.check(token, &keys).map_err(refused);
                }
            };
        }
    }

    /// Asks the proxy and waits for its final answer.
    async fn ask_proxy(&self, from: &Address, proxy: &Address, ask: &Value) -> Outcome<String> {
        let body = Body::of(ask).map_err(|error| Failure::new("malformed", error))?;
        let answer = self.request(MessageType::Execute, from.clone(), proxy.clone(), body).await;
        Ok(json!({ "code": answer.code.0, "value": answer.value }).to_string())
    }
}

/// The package that speaks an issuer's language, if it takes one.
pub(crate) fn package_of(language: &IssuerLanguage) -> Option<PackageRef> {
    match language {
        IssuerLanguage::OpenId => None,
        IssuerLanguage::Proxy { domain, package } => {
            Some(PackageRef::new(domain.clone(), PackageKind::IdpProxy, package))
        }
    }
}
