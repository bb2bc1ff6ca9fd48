//! The relays of calls: our Node gives short-lived credentials for them, to its own people alone.

use std::time::Duration;

use media::{RelayServer, RelayUri};
use message::{Code, Domain, MessageType};
use serde::Deserialize;
use serde_json::{Value, json};
use transport::Reach;

use crate::home::{Home, body, now_ms};

/// How long a call waits for the Node's word; without it, it goes on with the relays that are known.
const ASKING: Duration = Duration::from_secs(2);
/// How long it is believed that there are none.
const NONE_FOR_MS: i64 = 600_000;
/// The longest life of a credential that is believed, in seconds.
const LIFE_S: i64 = 24 * 3_600;
/// The longest user name or password.
const WORD_BYTES: usize = 512;

#[derive(Deserialize)]
struct Given {
    uris: Vec<String>,
    username: String,
    credential: String,
    ttl: i64,
}

impl Home {
    /// Asks our Node for credentials if the last ones are half spent.
    pub(crate) async fn renew_relays(&self) {
        let domain = {
            let state = self.state();
            match &state.me {
                Some(me) if state.calls.relays_until <= now_ms() => me.domain(),
                _ => return,
            }
        };
        let relay = format!("domain://relay.{domain}");
        let asked = self.ask_node(&domain, MessageType::Read, &relay, body(&json!({})));
        let Ok(Ok(answer)) = tokio::time::timeout(ASKING, asked).await else { return };
        let (relays, for_ms) = match answer.code {
            Code::OK => read(answer.value, &domain),
            Code::NOT_FOUND => (Vec::new(), NONE_FOR_MS),
            _ => return,
        };
        self.rooms.media.set_relays(relays);
        self.state().calls.relays_until = now_ms() + for_ms;
    }
}

/// The relays, and for how many milliseconds they are not asked for again.
///
/// What a domain names must not lead into the networks this device happens to be in.
fn read(value: Value, domain: &Domain) -> (Vec<RelayServer>, i64) {
    let Ok(given) = serde_json::from_value::<Given>(value) else { return (Vec::new(), NONE_FOR_MS) };
    if given.username.len() > WORD_BYTES || given.credential.len() > WORD_BYTES {
        return (Vec::new(), NONE_FOR_MS);
    }
    let server = |uri: &String| {
        let (username, credential) = (given.username.clone(), given.credential.clone());
        let reach = Some(Reach::for_domain(domain));
        Some(RelayServer { uri: RelayUri::parse(uri).ok()?, username, credential, reach })
    };
    let relays = given.uris.iter().filter_map(server).take(media::RELAYS).collect();
    (relays, given.ttl.clamp(0, LIFE_S) * 1_000 / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_node_gives_is_read_within_bounds() {
        let domain = Domain::parse("a.example").unwrap();
        let given = |uris: &[&str], ttl: i64| json!({ "uris": uris, "username": "1:x", "credential": "y", "ttl": ttl });
        let (relays, for_ms) = read(given(&["turns:turn.a.example", "http://x", "turn:t.a.example"], 3_600), &domain);
        assert_eq!((relays.len(), for_ms), (2, 1_800_000));
        assert!(relays.iter().all(|relay| relay.reach == Some(Reach::Public)));
        assert_eq!(read(given(&["turn:t.a.example"; 50], i64::MAX), &domain).0.len(), media::RELAYS);
        assert_eq!(read(given(&[], i64::MIN), &domain).1, 0);
        assert!(read(json!("nonsense"), &domain).0.is_empty());
        let long = json!({ "uris": ["turn:t.a.example"], "username": "x".repeat(600), "credential": "y", "ttl": 60 });
        assert!(read(long, &domain).0.is_empty());
    }
}
