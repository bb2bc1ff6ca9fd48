//! The registries of domains: which devices a person has, where they receive, and with what they are invited.

use message::{Address, Code, MessageType, UserAddress};
use serde::Deserialize;
use serde_json::json;

use crate::home::{Home, body, now_ms};
use crate::settling;
use crate::trouble::{Failure, Outcome};

/// Devices of one person that are dealt with; more are not invited.
pub(crate) const DEVICES_LIMIT: usize = 32;

/// What a registry says of a person.
pub(crate) struct RegistryEntry {
    pub(crate) persona: String,
    pub(crate) chain: identity::Sigchain,
    pub(crate) devices: Vec<RegistryDevice>,
}

/// What a registry says of one device.
pub(crate) struct RegistryDevice {
    /// Its key, as text.
    pub(crate) device: String,
    pub(crate) key: keys::VerifyingKey,
    pub(crate) inbox: Address,
    /// With what it can be invited, if that was asked for.
    pub(crate) key_package: Option<Vec<u8>>,
}

/// Which key packages are taken from a registry; each is taken once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Packages {
    /// None: it is only looked.
    None,
    /// One of each device.
    All,
    /// One of each of these devices.
    Of(Vec<String>),
}

#[derive(Deserialize)]
struct Entry {
    user: UserAddress,
    persona: String,
    chain: Vec<String>,
    devices: Vec<Device>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    device: String,
    inbox: Address,
    #[serde(default)]
    key_package: Option<String>,
}

impl Home {
    /// Looks a person up in their domain's registry, through their domain's stub.
    pub(crate) async fn look_up(&self, user: &UserAddress, packages: &Packages) -> Outcome<RegistryEntry> {
        let domain = user.domain();
        let from = self.domain_ready(&domain, Some(user.handle())).await?;
        let registry =
            Address::parse(&format!("domain://registry.{domain}")).map_err(|e| Failure::new("bad-address", e))?;
        let wish = match packages {
            Packages::None => json!({ "resource": user, "packages": false }),
            Packages::All => json!({ "resource": user }),
            Packages::Of(devices) => json!({ "resource": user, "only": devices }),
        };
        let answer = self.request(MessageType::Read, from, registry, body(&wish)).await;
        match answer.code {
            Code::OK => {}
            Code::NOT_FOUND => return Err(Failure::new("not-found", "nobody has this address")),
            code => return Err(Failure::new("domain-unreachable", format!("the registry answered {}", code.0))),
        }
        let entry: Entry = serde_json::from_value(answer.value).map_err(|e| Failure::new("malformed", e))?;
        if entry.user != *user || entry.devices.iter().any(|device| device.inbox.domain() != domain) {
            return Err(Failure::new("malformed", "the registry answered for somebody else"));
        }
        let mut chain = identity::Sigchain::parse(&entry.chain).map_err(|e| Failure::new("bad-chain", e))?;
        if chain.persona().to_string() != entry.persona {
            return Err(Failure::new("bad-chain", "the registry names another persona than its chain"));
        }
        self.settle_found(user, &mut chain)?;
        let devices = entry.devices.into_iter().take(DEVICES_LIMIT).map(Device::read);
        let mut devices = devices.collect::<Outcome<Vec<RegistryDevice>>>()?;
        // What the person's own history does not name is nobody's device.
        devices.retain(|one| chain.device(&one.key, now_ms() / 1000).is_ok());
        Ok(RegistryEntry { persona: entry.persona, chain, devices })
    }
}

impl Home {
    /// What a registry says is settled by what was seen here.
    fn settle_found(&self, user: &UserAddress, chain: &mut identity::Sigchain) -> Outcome<()> {
        let now_s = now_ms() / 1000;
        let state = self.state();
        match &state.me {
            Some(me) if me.record.user == *user => settling::settle_own(chain, &me.record.resets, now_s),
            Some(_) => settling::settle(chain, &state.store()?.read(settling::pins)?, now_s),
            // Who has no account yet looks at nobody but themselves.
            None => {
                let seen = settling::dated(chain);
                settling::settle_own(chain, &seen, now_s);
            }
        }
        Ok(())
    }
}

impl Device {
    fn read(self) -> Outcome<RegistryDevice> {
        let malformed = |error: &dyn std::fmt::Display| Failure::new("malformed", error);
        let key = keys::VerifyingKey::parse(&self.device).map_err(|error| malformed(&error))?;
        let key_package = self.key_package.map(|text| keys::from_b64url(&text));
        let key_package = key_package.transpose().map_err(|error| malformed(&error))?;
        Ok(RegistryDevice { device: key.to_string(), key, inbox: self.inbox, key_package })
    }
}
