//! The login page: plain HTML without a script, readable by everyone, in light and in dark.

use std::sync::OnceLock;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;

use crate::limits::{PASSWORD_MAX, PASSWORD_MIN};

const STYLE: &str = include_str!("page.css");

/// What the page shows.
pub(super) struct View<'a> {
    /// The name space of the names.
    pub(super) domain: &'a str,
    /// What the domain calls itself.
    pub(super) shown: &'a str,
    pub(super) page: &'a str,
    pub(super) csrf: &'a str,
    /// Whether it is for a new account.
    pub(super) creates: bool,
    /// The same page for the other wish.
    pub(super) other: Option<String>,
    pub(super) name: &'a str,
    pub(super) fault: Option<&'a str>,
}

/// The page with its form.
pub(super) fn login(status: StatusCode, view: &View<'_>) -> Response {
    let (domain, shown) = (escape(view.domain), escape(view.shown));
    let (title, action, button) = if view.creates {
        ("Create your account", "create", "Create account")
    } else {
        ("Sign in", "sign-in", "Sign in")
    };
    let fault = view
        .fault
        .map_or_else(String::new, |text| format!(r#"<p class="fault" id="fault" role="alert">{}</p>"#, escape(text)));
    let described = if view.fault.is_some() { r#" aria-invalid="true" aria-describedby="fault""# } else { "" };
    let (autocomplete, hint, length) = if view.creates {
        (
            "new-password",
            format!(
                r#"<p class="hint" id="hint">At least {PASSWORD_MIN} characters. A few words in a row are easy to remember and hard to guess.</p>"#
            ),
            format!(r#" minlength="{PASSWORD_MIN}" maxlength="{PASSWORD_MAX}" aria-describedby="hint""#),
        )
    } else {
        ("current-password", String::new(), String::new())
    };
    let other = match &view.other {
        Some(link) if view.creates => {
            format!(r#"<p class="other">You have an account? <a href="{}">Sign in</a></p>"#, escape(link))
        }
        Some(link) => format!(r#"<p class="other">New here? <a href="{}">Create an account</a></p>"#, escape(link)),
        None => String::new(),
    };
    let (name, page, csrf) = (escape(view.name), escape(view.page), escape(view.csrf));
    let (focus_name, focus_password) = if view.name.is_empty() { (" autofocus", "") } else { ("", " autofocus") };
    let body = format!(
        r#"<main><p class="domain">{shown}</p><h1>{title}</h1>{fault}
<form method="post" action="/oidc/login">
<input type="hidden" name="page" value="{page}"><input type="hidden" name="csrf" value="{csrf}"><input type="hidden" name="action" value="{action}">
<label for="name">Name</label>
<div class="field"><input id="name" name="name" value="{name}" required maxlength="64" autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false"{described}{focus_name}><span aria-hidden="true">@{domain}</span></div>
<label for="password">Password</label>
<div class="field"><input id="password" name="password" type="password" required autocomplete="{autocomplete}"{length}{described}{focus_password}></div>{hint}
<button type="submit">{button}</button>
</form>{other}
<p class="small">Your password stays with {shown}. The app learns your name and that you signed in, nothing more.</p></main>"#
    );
    document(status, &format!("{title} – {shown}"), &body)
}

/// A page that says why nothing more happens.
pub(super) fn refusal(text: &str) -> Response {
    let body = format!(r#"<main><h1>This did not work</h1><p class="fault" role="alert">{}</p></main>"#, escape(text));
    document(StatusCode::BAD_REQUEST, "This did not work", &body)
}

fn document(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark"><title>{title}</title><style>{STYLE}</style></head><body>{body}</body></html>"#
    );
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    let mut set = |name: header::HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_SECURITY_POLICY, policy());
    set(header::CACHE_CONTROL, "no-store");
    // Not `no-referrer`: with that, browsers send the form with `Origin: null`, which we must refuse.
    set(header::REFERRER_POLICY, "same-origin");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    response
}

/// Nothing but our own style; the form goes to us, and from us back to the app on this computer
/// (browsers apply `form-action` to redirects, too).
fn policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        let style = base64::engine::general_purpose::STANDARD.encode(keys::sha256(STYLE.as_bytes()));
        format!(
            "default-src 'none'; style-src 'sha256-{style}'; form-action 'self' http://127.0.0.1:*; frame-ancestors 'none'; base-uri 'none'"
        )
    })
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_typed_stays_text() {
        assert_eq!(escape(r#"<a href="x">'&"#), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    }
}
