//! The people and domains most stories begin with.

use contract::ContactState;
use lab::person::Setup;
use lab::{Domain, Issuer, Person};
use node::{Relays, Wire};
use policy::{Ceiling, Charter, OrgPolicy, PeopleRules};
use runtime::OrganisationSource;

/// Ana at `a` (WebSocket, its own issuer), Ben at `b` (Server-Sent Events, an independent issuer).
pub struct Stage {
    pub a: Domain,
    pub b: Domain,
    pub issuer: Issuer,
    pub ana: Person,
    pub ben: Person,
}

impl Stage {
    /// Both have an account; neither knows the other.
    pub async fn strangers() -> Self {
        Self::set(|setup| setup.clone(), |setup| setup.clone()).await
    }

    /// The same with other microphones and speakers.
    pub async fn set(ana: impl Fn(&Setup) -> Setup, ben: impl Fn(&Setup) -> Setup) -> Self {
        let a = Domain::start("a.localhost", Wire::Ws).await;
        let b = Domain::start("b.localhost", Wire::Sse).await;
        Self::at(a, b, ana, ben).await
    }

    /// The same, but neither shows an address of their own: each goes through the relay that their domain names.
    pub async fn relayed([anas, bens]: [Relays; 2]) -> Self {
        let a = Domain::with_relays("a.localhost", Wire::Ws, anas).await;
        let b = Domain::with_relays("b.localhost", Wire::Sse, bens).await;
        let hidden = |setup: &Setup| {
            let mut setup = setup.clone();
            setup.network.relay_only = true;
            setup
        };
        Self::at(a, b, hidden, hidden).await
    }

    async fn at(a: Domain, b: Domain, ana: impl Fn(&Setup) -> Setup, ben: impl Fn(&Setup) -> Setup) -> Self {
        logs();
        let issuer = Issuer::start();
        let setup = Setup::with(&[&a, &b]).knowing(&issuer.url);
        let mut ana = Person::new("ana", ana(&setup)).await;
        let mut ben = Person::new("ben", ben(&setup)).await;
        ana.signs_up(&a, None).await;
        ben.signs_up(&b, Some(&issuer.url)).await;
        Self { a, b, issuer, ana, ben }
    }

    /// Ana asks, Ben accepts; gives the conversation.
    pub async fn become_contacts(&mut self) -> String {
        let chat = self.ana.asks_for_contact("ben@b.localhost").await;
        assert_eq!(self.ben.accepts("ana@a.localhost").await, chat);
        self.ana.sees_contact("ben@b.localhost", ContactState::Accepted).await;
        chat
    }

    pub async fn close(mut self) {
        self.ana.close().await;
        self.ben.close().await;
        self.a.stop().await;
        self.b.stop().await;
    }
}

/// Acme's policy in a file.
pub struct Acme {
    folder: tempfile::TempDir,
    key: keys::SigningKey,
}

impl Acme {
    pub fn new() -> Self {
        Self { folder: tempfile::TempDir::new().unwrap(), key: keys::SigningKey::generate() }
    }

    /// One that asks this of people, locks nothing and says nothing else.
    pub fn asks(people: PeopleRules) -> Self {
        let acme = Self::new();
        acme.publish(&acme.signs(Self::charter(1), Ceiling { people, ..Ceiling::default() }));
        acme
    }

    pub fn source(&self) -> OrganisationSource {
        OrganisationSource { document: self.folder.path().join("policy"), key: self.key.verifying_key() }
    }

    /// What it says of itself.
    pub fn charter(version: u64) -> Charter {
        Charter {
            name: "Acme".into(),
            version,
            expires: 4_000_000_000,
            lock: Default::default(),
            forced_issuer: None,
            retention_days: None,
            escrow: None,
        }
    }

    pub fn signs(&self, charter: Charter, rules: Ceiling) -> String {
        OrgPolicy { charter, rules }.sign(&self.key).unwrap()
    }

    pub fn publish(&self, document: &str) {
        std::fs::write(self.folder.path().join("policy"), document).unwrap();
    }
}

/// Shows logs as `RUST_LOG` asks.
pub fn logs() {
    let log =
        tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).with_test_writer();
    let _ = log.try_init();
}

/// What stands unsealed before a sealed message (RFC 9420, section 6.3.1).
pub struct Header {
    /// The address of the object.
    pub group: String,
    pub epoch: u64,
    /// 1 is a text, 2 a proposal, 3 a commit.
    pub kind: u8,
}

/// The headers of the sealed messages in one of the wire, as far as they are of a group.
pub fn headers(message: &serde_json::Value) -> Vec<Header> {
    lab::parcels(&sealed(message)).into_iter().filter_map(header).collect()
}

/// Puts rubbish in place of the sealed messages of this kind, and leaves what travels with them; whether there were any.
pub fn spoils(message: &mut serde_json::Value, which: impl Fn(&Header) -> bool) -> bool {
    let bytes = sealed(message);
    let is_it = |parcel: &[u8]| header(parcel).is_some_and(|header| which(&header));
    let all = lab::parcels(&bytes);
    let spoilt = all.iter().any(|parcel| is_it(parcel));
    if spoilt {
        let left = |parcel: &[u8]| if is_it(parcel) { b"rubbish".to_vec() } else { parcel.to_vec() };
        let all: Vec<Vec<u8>> = all.into_iter().map(left).collect();
        message["body"]["sealed"] = keys::b64url(&lab::joined(&all)).into();
    }
    spoilt
}

fn sealed(message: &serde_json::Value) -> Vec<u8> {
    let text = message.pointer("/body/sealed").and_then(serde_json::Value::as_str).unwrap_or_default();
    keys::from_b64url(text).unwrap_or_default()
}

fn header(parcel: &[u8]) -> Option<Header> {
    let rest = lab::unpacked(parcel).strip_prefix(&[0, 1, 0, 2])?;
    // A length of one or two bytes (RFC 9420, section 2.1.2).
    let (length, rest) = match rest {
        [short @ 0..64, rest @ ..] => (usize::from(*short), rest),
        [long @ 64..128, low, rest @ ..] => (usize::from(long & 63) << 8 | usize::from(*low), rest),
        _ => return None,
    };
    let (group, rest) = rest.split_at_checked(length)?;
    // The epoch stands between.
    let (epoch, rest) = rest.split_first_chunk::<8>()?;
    let group = String::from_utf8(group.to_vec()).ok()?;
    Some(Header { group, epoch: u64::from_be_bytes(*epoch), kind: *rest.first()? })
}
