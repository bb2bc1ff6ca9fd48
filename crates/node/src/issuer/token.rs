//! Exchanges a code for an id_token.

use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use keys::constant_time_eq;
use serde::Deserialize;
use serde_json::json;

use super::logins::Grant;
use super::{CLIENT_ID, Issuer, IssuerError};
use crate::limits::TOKEN_SECONDS;
use clock::now_ms;

#[derive(Deserialize)]
pub(super) struct Redemption {
    grant_type: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    code_verifier: String,
}

/// Answers the token endpoint (RFC 6749, 4.1.3; RFC 7636, 4.6).
pub(super) async fn redeem(State(issuer): State<Issuer>, form: Result<Form<Redemption>, FormRejection>) -> Response {
    let Ok(Form(asked)) = form else { return refuse("invalid_request") };
    if asked.grant_type != "authorization_code" {
        return refuse("unsupported_grant_type");
    }
    if asked.client_id != CLIENT_ID {
        return refuse("invalid_client");
    }
    // Taken whatever follows: a code that was shown with a wrong verifier is burnt.
    let grant = issuer.logins().redeem(&asked.code, now_ms());
    let Some(grant) = grant.filter(|grant| fits(grant, &asked)) else { return refuse("invalid_grant") };
    match give(&issuer, &grant) {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "no token was signed");
            (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": "server_error" }))).into_response()
        }
    }
}

fn fits(grant: &Grant, asked: &Redemption) -> bool {
    let length_is_right = (43..=128).contains(&asked.code_verifier.len());
    let challenge = keys::b64url(&keys::sha256(asked.code_verifier.as_bytes()));
    length_is_right
        && constant_time_eq(challenge.as_bytes(), grant.wish.challenge.as_bytes())
        && asked.redirect_uri == grant.wish.redirect_uri
}

fn give(issuer: &Issuer, grant: &Grant) -> Result<Response, IssuerError> {
    let now = now_ms();
    let nonce = &grant.wish.nonce.0;
    let shown = {
        let records = issuer.records();
        // Before the token exists: a token whose nonce nobody remembers would be a name lost.
        records.signed_nonce(&grant.name, nonce, now)?;
        records.person(&grant.name)?.map_or_else(|| grant.name.clone(), |person| person.shown)
    };
    let iat = now / 1000;
    let claims = json!({
        "iss": issuer.identifier(),
        "sub": grant.name,
        "aud": CLIENT_ID,
        "iat": iat,
        "exp": iat + TOKEN_SECONDS,
        "auth_time": grant.auth_time_s,
        "nonce": nonce,
        "name": shown,
    });
    let body = json!({
        "id_token": issuer.0.key.sign(&claims)?,
        // OAuth wants one; nothing here accepts it.
        "access_token": keys::b64url(&keys::random::<32>()),
        "token_type": "Bearer",
        "expires_in": TOKEN_SECONDS,
        "scope": "openid",
    });
    Ok(([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(body)).into_response())
}

fn refuse(error: &str) -> Response {
    let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(json!({ "error": error }))).into_response()
}
