//! The authorization endpoint and the form behind it.

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{ConnectInfo, Form, Query, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use keys::constant_time_eq;
use message::Private;
use serde::Deserialize;
use std::net::SocketAddr;
use url::Url;

use super::logins::Wish;
use super::page::{self, View};
use super::people::{AddPersonError, SignIn};
use super::{CLIENT_ID, Issuer};
use crate::config::Registration;
use clock::now_ms;

const COOKIE: &str = "parlance-login";

/// Longest `state`, `nonce` and hint that are carried along.
const CARRIED: usize = 1024;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Request {
    client_id: String,
    redirect_uri: String,
    response_type: String,
    scope: String,
    state: String,
    nonce: String,
    code_challenge: String,
    code_challenge_method: String,
    prompt: String,
    login_hint: String,
    view: String,
}

/// Shows the login page (OpenID Connect Core, 3.1.2; RFC 7636).
pub(super) async fn show(
    State(issuer): State<Issuer>,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    query: Result<Query<Request>, QueryRejection>,
) -> Response {
    let Ok(Query(request)) = query else { return page::refusal("The request cannot be read.") };
    // Nothing is ever sent to an address that is not the client's own (RFC 6749, 4.1.2.1).
    if request.client_id != CLIENT_ID {
        return page::refusal("This domain does not know the app that sent you here.");
    }
    if !is_own_redirect(&request.redirect_uri) {
        return page::refusal("The app that sent you here asked to send you somewhere that is not this computer.");
    }
    let wants_new = request.prompt == "create" || request.view == "create";
    let wish = match request.check() {
        Ok(wish) => wish,
        Err(error) => return go_back(&issuer, &request.redirect_uri, &request.state, &[("error", error)]),
    };
    let (cookie, is_new) = browser(&headers);
    let shown = issuer.logins().show(wish.clone(), keys::sha256(cookie.as_bytes()), now_ms());
    let Some((name, csrf)) = shown else {
        return go_back(&issuer, &wish.redirect_uri, &wish.state.0, &[("error", "temporarily_unavailable")]);
    };
    let is_open = issuer.0.registration == Registration::Open;
    let view = View {
        domain: issuer.0.domain.as_str(),
        shown: &issuer.0.shown_name,
        page: &name,
        csrf: &csrf,
        creates: wants_new && is_open,
        other: is_open.then(|| other_view(raw.as_deref().unwrap_or_default(), wants_new)),
        name: &wish.hint.0,
        fault: None,
    };
    let mut response = page::login(StatusCode::OK, &view);
    if is_new {
        let secure = if issuer.is_secure() { "; Secure" } else { "" };
        let value = format!("{COOKIE}={cookie}; Path=/oidc; HttpOnly; SameSite=Strict{secure}");
        if let Ok(value) = value.parse() {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

impl Request {
    /// Checks what the client asked for; an error is a word of RFC 6749 or OpenID Connect.
    fn check(&self) -> Result<Wish, &'static str> {
        if self.response_type != "code" {
            return Err("unsupported_response_type");
        }
        if !self.scope.split(' ').any(|scope| scope == "openid") {
            return Err("invalid_scope");
        }
        if self.prompt.split(' ').any(|prompt| prompt == "none") {
            return Err("login_required"); // this issuer keeps nobody signed in
        }
        let carried = [&self.state, &self.nonce];
        let is_challenge = self.code_challenge.len() == 43 && keys::from_b64url(&self.code_challenge).is_ok();
        if self.code_challenge_method != "S256"
            || !is_challenge
            || carried.iter().any(|text| text.is_empty() || text.len() > CARRIED)
            || self.login_hint.len() > CARRIED
        {
            return Err("invalid_request");
        }
        Ok(Wish {
            redirect_uri: self.redirect_uri.clone(),
            state: Private(self.state.clone()),
            nonce: Private(self.nonce.clone()),
            challenge: self.code_challenge.clone(),
            hint: Private(self.login_hint.split('@').next().unwrap_or_default().to_owned()),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct Filled {
    page: String,
    csrf: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
}

/// Takes the filled form.
pub(super) async fn submit(
    State(issuer): State<Issuer>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    form: Result<Form<Filled>, FormRejection>,
) -> Response {
    let Ok(Form(filled)) = form else { return page::refusal("The form cannot be read.") };
    if !is_own_form(&issuer, &headers, &filled) {
        return page::refusal(
            "This page is too old, or was not opened in this browser. Go back to the app and sign in again.",
        );
    }
    let password = Private(filled.password.clone());
    let creates = filled.action == "create" && issuer.0.registration == Registration::Open;
    let outcome = if creates {
        issuer.sign_up(&filled.name, password, peer.ip()).await.map(SignIn::Welcome)
    } else {
        issuer.sign_in(&filled.name, password, peer.ip()).await
    };
    match outcome {
        Ok(SignIn::Welcome(name)) => welcome(&issuer, &filled.page, name),
        Ok(SignIn::Wrong) => {
            again(&issuer, &filled, creates, StatusCode::UNAUTHORIZED, "That name and password do not belong together.")
        }
        Ok(SignIn::TooOften) => again(
            &issuer,
            &filled,
            creates,
            StatusCode::TOO_MANY_REQUESTS,
            "Too many attempts. Wait a quarter of an hour, then try again.",
        ),
        Err(AddPersonError::Records(error)) => {
            tracing::error!(%error, "nobody can sign in");
            again(
                &issuer,
                &filled,
                creates,
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something failed here. Try again later.",
            )
        }
        Err(error) => {
            let (status, text) = explain(&error);
            again(&issuer, &filled, creates, status, text)
        }
    }
}

fn explain(error: &AddPersonError) -> (StatusCode, &'static str) {
    match error {
        AddPersonError::Name => {
            (StatusCode::BAD_REQUEST, "A name has up to 64 small letters, digits, dots, hyphens or underscores.")
        }
        AddPersonError::Password => (StatusCode::BAD_REQUEST, "Choose a password of at least 8 characters."),
        AddPersonError::Taken => {
            (StatusCode::CONFLICT, "That name is taken. Choose another, or sign in if it is yours.")
        }
        AddPersonError::Busy | AddPersonError::Records(_) => {
            (StatusCode::TOO_MANY_REQUESTS, "Too many people are signing up right now. Try again later.")
        }
    }
}

/// The form must come from a page we showed to this very browser.
fn is_own_form(issuer: &Issuer, headers: &HeaderMap, filled: &Filled) -> bool {
    let own_origin =
        headers.get(header::ORIGIN).is_none_or(|origin| origin.as_bytes() == issuer.identifier().as_bytes());
    let logins = issuer.logins();
    let Some(page) = logins.page(&filled.page, now_ms()) else { return false };
    let browser = cookie(headers).map(|value| keys::sha256(value.as_bytes()));
    own_origin
        && constant_time_eq(page.csrf.as_bytes(), filled.csrf.as_bytes())
        && browser.is_some_and(|browser| constant_time_eq(&browser, &page.browser))
}

fn welcome(issuer: &Issuer, page: &str, name: String) -> Response {
    let granted = issuer.logins().grant(page, name, now_ms());
    match granted {
        Some((code, wish)) => go_back(issuer, &wish.redirect_uri, &wish.state.0, &[("code", &code)]),
        None => page::refusal("This page was used already. Go back to the app and sign in again."),
    }
}

fn again(issuer: &Issuer, filled: &Filled, creates: bool, status: StatusCode, fault: &str) -> Response {
    let view = View {
        domain: issuer.0.domain.as_str(),
        shown: &issuer.0.shown_name,
        page: &filled.page,
        csrf: &filled.csrf,
        creates,
        other: None,
        name: &filled.name.chars().take(64).collect::<String>(),
        fault: Some(fault),
    };
    page::login(status, &view)
}

/// Sends the browser back to the app, saying who we are (RFC 9207).
fn go_back(issuer: &Issuer, redirect_uri: &str, state: &str, parameters: &[(&str, &str)]) -> Response {
    let Ok(mut url) = Url::parse(redirect_uri) else { return page::refusal("The request cannot be read.") };
    {
        let mut query = url.query_pairs_mut();
        query.extend_pairs(parameters);
        if !state.is_empty() && state.len() <= CARRIED {
            query.append_pair("state", state);
        }
        query.append_pair("iss", issuer.identifier());
    }
    let headers = [
        (header::LOCATION, url.as_str()),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// Exactly `http://127.0.0.1:PORT/cb`, any port (RFC 8252, 7.3).
fn is_own_redirect(uri: &str) -> bool {
    let port = uri.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.strip_suffix("/cb"));
    port.is_some_and(|port| port.parse::<u16>().is_ok_and(|number| number != 0 && number.to_string() == port))
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// This browser's mark: the one it has, or a new one.
fn browser(headers: &HeaderMap) -> (String, bool) {
    match cookie(headers).filter(|value| value.len() == 43 && keys::from_b64url(value).is_ok()) {
        Some(value) => (value.to_owned(), false),
        None => (keys::b64url(&keys::random::<32>()), true),
    }
}

/// The same page for the other wish: to sign in, or to create an account.
fn other_view(raw: &str, wants_new: bool) -> String {
    let kept = url::form_urlencoded::parse(raw.as_bytes()).filter(|(key, _)| key != "view" && key != "prompt");
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(kept);
    query.append_pair("view", if wants_new { "sign-in" } else { "create" });
    format!("/oidc/authorize?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_is_sent_to_the_own_computer_only() {
        assert!(is_own_redirect("http://127.0.0.1:49152/cb"));
        for bad in [
            "http://127.0.0.1/cb",
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:080/cb",
            "http://127.0.0.1:80@evil.example/cb",
            "http://127.0.0.1:8080/cb/../x",
            "http://127.0.0.1:8080/other",
            "https://127.0.0.1:8080/cb",
            "http://localhost:8080/cb",
            "http://127.0.0.1.evil.example:8080/cb",
            "http://127.0.0.1:8080/cb?x=1",
        ] {
            assert!(!is_own_redirect(bad), "{bad}");
        }
    }
}
