//! The identity module: proves sessions to nodes with the device's key, and nothing else.

use message::{Code, Domain, Message, MessageType, Response};
use serde::Deserialize;
use serde_json::json;

use crate::home::{Home, State};

/// Longest challenge a node may ask to be signed.
const CHALLENGE_LIMIT: usize = 256;

#[derive(Deserialize)]
struct Call {
    method: String,
    params: Prove,
}

#[derive(Deserialize)]
struct Prove {
    domain: Domain,
    challenge: String,
}

impl Home {
    /// A message to `runtime://D/idm`. Only the stub of a domain gets a proof, and only for that domain.
    pub(crate) fn on_identity_module(&self, state: &mut State, message: Message) {
        let response = prove(state, &message).unwrap_or_else(Response::code);
        self.answer(state, &message, &response);
    }
}

fn prove(state: &mut State, message: &Message) -> Result<Response, Code> {
    if message.kind != MessageType::Execute {
        return Err(Code::BAD_REQUEST);
    }
    let call: Call = message.body.parse().map_err(|_| Code::BAD_REQUEST)?;
    let stub_of = message.from.path().strip_prefix("protostub/").and_then(|domain| Domain::parse(domain).ok());
    if stub_of.as_ref() != Some(&call.params.domain) {
        return Err(Code::FORBIDDEN);
    }
    let plain = call.params.challenge.bytes().all(|byte| byte.is_ascii_graphic());
    if call.method != "proveSession" || call.params.challenge.len() > CHALLENGE_LIMIT || !plain {
        return Err(Code::BAD_REQUEST);
    }
    let (key, member) = state.session_key(&call.params.domain);
    let role = if member { "member" } else { "visitor" };
    // The first line keeps this signature from ever meaning something else.
    let signed = format!("parlance-session-v1\n{}\n{}\n{role}", call.params.domain, call.params.challenge);
    let user = state.me.as_ref().filter(|_| member).map(|me| me.record.user.clone());
    Ok(Response::ok(json!({
        "role": role,
        "key": key.verifying_key().to_string(),
        "signature": key.sign(signed.as_bytes()).to_string(),
        "user": user,
    })))
}
