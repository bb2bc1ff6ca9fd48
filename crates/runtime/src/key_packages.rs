//! The key packages with which strangers begin while we are away: published as they run out, forgotten when their time is over.
//!
//! The registry hands out the oldest first and never the last one, so the newest of what is
//! published is always the last resort. The ledger remembers whose private halves are here: one
//! that was used up is gone with its Welcome, one that nobody used is deleted when no Welcome made
//! with it can be on its way any more.

use message::{Address, MessageType, UserAddress};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Tx;

use crate::home::{Home, Ready, State, body, now_ms};
use crate::records::kind;
use crate::trouble::{Failure, Outcome};

/// Key packages at the registry, the last resort among them.
const TARGET: usize = 21;

/// Welcomes after which the registry is asked how many are left.
const REFILL_AFTER: u32 = 5;

/// What a registry keeps at most (docs/protocol); so many push out all older ones.
const REGISTRY_KEEPS: usize = 100;

/// Key packages that live no longer than this are replaced, in seconds.
const RENEW_BEFORE_S: i64 = 21 * 86_400;

/// A Welcome may lie in a mailbox so long after its key package ran out, in seconds.
const GRACE_S: i64 = 30 * 86_400;

/// Private halves kept at once; beyond that the oldest go, whoever drains the registry.
const LEDGER_LIMIT: usize = 400;

/// The one record of the ledger.
const LEDGER: &str = "ledger";

/// Key packages whose private halves are here, in the order in which they were published.
#[derive(Default, Serialize, Deserialize)]
struct Ledger {
    kept: Vec<Kept>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    /// The name of the private half in the vault.
    name: String,
    /// Unix seconds.
    not_after: i64,
    /// The package itself, until the registry is known to have it.
    unpublished: Option<String>,
}

impl Ledger {
    fn read(tx: &Tx<'_>) -> Outcome<Self> {
        Ok(tx.get(kind::KEY_PACKAGES, LEDGER)?.unwrap_or_default())
    }

    fn keep(&self, tx: &Tx<'_>) -> Outcome<()> {
        tx.put(kind::KEY_PACKAGES, LEDGER, self).map_err(Failure::store)
    }

    /// Deletes what nobody can use any more.
    fn tidy(&mut self, tx: &Tx<'_>, now_s: i64) -> Outcome<()> {
        let mut kept = Vec::with_capacity(self.kept.len());
        let beyond = self.kept.len().saturating_sub(LEDGER_LIMIT);
        for (at, one) in std::mem::take(&mut self.kept).into_iter().enumerate() {
            let name = one.vault_name()?;
            if at < beyond || one.not_after.saturating_add(GRACE_S) < now_s {
                seal::forget_key_package(tx, &name).map_err(Failure::store)?;
            } else if seal::has_key_package(tx, &name).map_err(Failure::store)? {
                kept.push(one);
            }
        }
        self.kept = kept;
        Ok(())
    }

    /// How many new ones the registry needs, which has `left`.
    fn lacking(&self, left: usize, now_s: i64) -> usize {
        let published: Vec<&Kept> = self.kept.iter().filter(|one| one.unpublished.is_none()).collect();
        // The registry has the newest of them. What is not in the ledger, or runs out, is of no use to anybody.
        let oldest = published.len().checked_sub(left).and_then(|at| published.get(at));
        match oldest {
            Some(oldest) if oldest.not_after > now_s + RENEW_BEFORE_S => TARGET.saturating_sub(left),
            _ if left == 0 => TARGET,
            _ => REGISTRY_KEEPS,
        }
    }

    /// What is to be published now: what may not have arrived the last time, or else what lacks.
    fn fill_up(&mut self, tx: &Tx<'_>, me: &seal::Device, left: usize, now_s: i64) -> Outcome<Vec<String>> {
        if self.unpublished().is_empty() {
            let lacking = self.lacking(left, now_s);
            for at in 1..=lacking {
                // The last one stays at the registry when the others are used up.
                let made = seal::make_key_package(tx, me, at == lacking)
                    .map_err(|error| Failure::new("sealing-failed", error))?;
                self.kept.push(Kept {
                    name: keys::b64url(&made.name),
                    not_after: made.not_after,
                    unpublished: Some(keys::b64url(&made.bytes)),
                });
            }
        }
        Ok(self.unpublished())
    }

    fn unpublished(&self) -> Vec<String> {
        self.kept.iter().filter_map(|one| one.unpublished.clone()).collect()
    }

    fn published(&mut self) {
        self.kept.iter_mut().for_each(|one| one.unpublished = None);
    }
}

impl Kept {
    fn vault_name(&self) -> Outcome<Vec<u8>> {
        keys::from_b64url(&self.name).map_err(|_| Failure::new("database-damaged", "the ledger of key packages"))
    }
}

/// What is to be published when the registry has `left`; kept in the ledger before anybody sees it.
fn prepare(tx: &Tx<'_>, device: &seal::Device, left: usize, now_s: i64) -> Outcome<Vec<String>> {
    let mut ledger = Ledger::read(tx)?;
    ledger.tidy(tx, now_s)?;
    let packages = ledger.fill_up(tx, device, left, now_s)?;
    ledger.keep(tx)?;
    Ok(packages)
}

/// The registry has what was prepared.
fn arrived(tx: &Tx<'_>) -> Outcome<()> {
    let mut ledger = Ledger::read(tx)?;
    ledger.published();
    ledger.keep(tx)
}

/// What a registry is told of this device.
pub(crate) struct Publisher {
    pub(crate) user: UserAddress,
    pub(crate) inbox: Address,
    pub(crate) chain: Vec<String>,
    pub(crate) device: seal::Device,
}

impl Publisher {
    fn of(me: &Ready) -> Self {
        let record = &me.record;
        Self {
            user: record.user.clone(),
            inbox: record.inbox.clone(),
            chain: record.chain.clone(),
            device: me.device.clone(),
        }
    }
}

impl Home {
    /// Tells the registry where we are, and gives it the key packages it lacks.
    pub(crate) async fn publish_key_packages(&self) -> Outcome<()> {
        let publisher = Publisher::of(self.state().me()?);
        self.publish_as(&publisher).await
    }

    /// Tells the registry how our chain goes on, and nothing else.
    pub(crate) async fn publish_chain(&self) -> Outcome<()> {
        let publisher = Publisher::of(self.state().me()?);
        self.update_registry(&publisher, &[]).await.map(|_| ())
    }

    /// Tells it how our chain would go on; it may know another way already.
    pub(crate) async fn publish_as_ours(&self, chain: &identity::Sigchain) -> Outcome<()> {
        let publisher = Publisher { chain: chain.texts(), ..Publisher::of(self.state().me()?) };
        self.update_registry(&publisher, &[]).await.map(|_| ())
    }

    /// Does so for a device that may not know yet who its person is.
    pub(crate) async fn publish_as(&self, publisher: &Publisher) -> Outcome<()> {
        let _one_at_a_time = self.rooms.publishing.lock().await;
        let left = self.update_registry(publisher, &[]).await?;
        let packages = {
            let state = self.state();
            state.store()?.write(|tx| prepare(tx, &publisher.device, left, now_ms() / 1000))?
        };
        if packages.is_empty() {
            return Ok(());
        }
        tracing::debug!(left, new = packages.len(), "key packages are published");
        self.update_registry(publisher, &packages).await?;
        self.state().store()?.write(arrived)
    }

    /// After some Welcomes the registry is looked after, without waiting for the next session.
    pub(crate) fn key_package_used(&self, state: &mut State) {
        state.joins += 1;
        if state.joins >= REFILL_AFTER {
            state.joins = 0;
            self.publish_later();
        }
    }

    /// Publishes in a task of its own.
    pub(crate) fn publish_later(&self) {
        let home = self.clone();
        self.rooms.tasks.start("registration", async move {
            if let Err(failure) = home.publish_key_packages().await {
                tracing::info!(code = failure.code, "key packages were not published");
            }
        });
    }

    /// Renews our entry; answers how many key packages the registry has.
    async fn update_registry(&self, publisher: &Publisher, packages: &[String]) -> Outcome<usize> {
        let domain = publisher.user.domain();
        let entry = json!({ "value": {
            "user": publisher.user, "inbox": publisher.inbox, "keyPackages": packages, "chain": publisher.chain,
        } });
        let to = format!("domain://registry.{domain}");
        let answer = self.ask_node(&domain, MessageType::Update, &to, body(&entry)).await?;
        if !answer.code.is_success() {
            return Err(Failure::new(format!("node-{}", answer.code.0), "the registry did not take the entry"));
        }
        let left = answer.value.get("keyPackages").and_then(Value::as_u64).unwrap_or(0);
        Ok(usize::try_from(left).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{KeySource, MasterKey, Store};

    const DAY_S: i64 = 86_400;

    /// A registry as the protocol describes it, by what it holds.
    struct Registry {
        _folder: tempfile::TempDir,
        store: Store,
        device: seal::Device,
        has: Vec<String>,
        now_s: i64,
    }

    impl Registry {
        fn new() -> Self {
            let folder = tempfile::TempDir::new().unwrap();
            let key = MasterKey::open(folder.path(), KeySource::Unprotected).unwrap();
            let store = Store::open(&folder.path().join("parlance.db"), &key).unwrap();
            let device = seal::Device::new(&keys::SigningKey::generate(), b"credential".to_vec());
            Self { _folder: folder, store, device, has: Vec::new(), now_s: now_ms() / 1000 }
        }

        fn prepared(&self) -> Vec<String> {
            self.store.write(|tx| prepare(tx, &self.device, self.has.len(), self.now_s)).unwrap()
        }

        /// A session at home; gives how many packages were published.
        fn session(&mut self) -> usize {
            let packages = self.prepared();
            self.store.write(arrived).unwrap();
            let new = packages.len();
            self.has.extend(packages);
            let beyond = self.has.len().saturating_sub(REGISTRY_KEEPS);
            self.has.drain(..beyond);
            new
        }

        fn ledger(&self) -> Ledger {
            self.store.read(Ledger::read).unwrap()
        }

        fn is_last_resort(&self, package: &str) -> bool {
            let device = seal::Device::new(&keys::SigningKey::generate(), b"other".to_vec());
            let bytes = keys::from_b64url(package).unwrap();
            let group = |name| seal::GroupId::new(name).unwrap();
            // Only the last resort opens two Welcomes.
            ["comm://a.localhost/1", "comm://a.localhost/2"].into_iter().all(|name| {
                let vault = seal::MemoryVault::new();
                seal::create(&vault, &device, &group(name), now_ms() / 1000).unwrap();
                let welcome = seal::invite(&vault, &device, &group(name), &bytes, &mut |_| Ok(())).unwrap().welcome;
                self.store
                    .write(|tx| {
                        let joined = seal::inspect_welcome(tx, &self.device, &welcome).is_ok();
                        Ok::<_, Failure>(joined)
                    })
                    .unwrap()
            })
        }
    }

    #[test]
    fn a_second_session_publishes_nothing() {
        let mut registry = Registry::new();
        assert_eq!(registry.session(), TARGET);
        for _ in 0..5 {
            assert_eq!(registry.session(), 0);
        }
        assert_eq!(registry.ledger().kept.len(), TARGET);
    }

    #[test]
    fn what_was_handed_out_is_replaced_and_the_last_is_always_the_last_resort() {
        let mut registry = Registry::new();
        registry.session();
        registry.has.drain(..7);
        assert_eq!(registry.session(), 7);
        assert_eq!(registry.has.len(), TARGET);
        let last = registry.has.last().unwrap().clone();
        assert!(registry.is_last_resort(&last));
        let first = registry.has.first().unwrap().clone();
        assert!(!registry.is_last_resort(&first));
        // It was used up by the Welcome above.
        registry.session();
        assert_eq!(registry.ledger().kept.len(), TARGET + 7 - 1);
    }

    #[test]
    fn what_may_have_been_lost_on_the_way_is_sent_again_and_not_made_anew() {
        let mut registry = Registry::new();
        let lost = registry.prepared();
        assert_eq!(registry.prepared(), lost);
        registry.session();
        assert_eq!(registry.has, lost);
        assert_eq!(registry.ledger().kept.len(), TARGET);
    }

    #[test]
    fn what_runs_out_is_pushed_out_of_the_registry_and_deleted_after_its_grace() {
        let mut registry = Registry::new();
        registry.session();
        let life = registry.ledger().kept[0].not_after - registry.now_s;
        let old = registry.ledger().kept[0].vault_name().unwrap();
        registry.now_s += life - DAY_S;
        assert_eq!(registry.session(), REGISTRY_KEEPS);
        let has = |registry: &Registry| registry.store.read(|tx| seal::has_key_package(tx, &old)).unwrap();
        registry.now_s += 10 * DAY_S;
        registry.session();
        assert!(has(&registry), "a Welcome may still be on its way");
        registry.now_s += 30 * DAY_S;
        registry.session();
        assert!(!has(&registry), "nobody can use it any more");
    }

    #[test]
    fn who_drains_the_registry_does_not_fill_the_disk() {
        let mut registry = Registry::new();
        registry.session();
        let before = registry.ledger().kept;
        let handed_out = |at: usize| Kept {
            name: keys::b64url(format!("handed out {at}").as_bytes()),
            not_after: before[0].not_after,
            unpublished: None,
        };
        let mut ledger = Ledger { kept: (0..2 * LEDGER_LIMIT).map(handed_out).collect() };
        let names: Vec<Vec<u8>> = ledger.kept.iter().map(|one| one.vault_name().unwrap()).collect();
        ledger.kept.extend(before);
        registry
            .store
            .write(|tx| {
                names.iter().try_for_each(|name| seal::Vault::put(tx, "key_package", name, b"x")).unwrap();
                ledger.keep(tx)
            })
            .unwrap();
        assert_eq!(registry.session(), 0);
        assert_eq!(registry.ledger().kept.len(), LEDGER_LIMIT);
        let has = |name: &[u8]| registry.store.read(|tx| seal::has_key_package(tx, name)).unwrap();
        assert!(!has(&names[0]) && has(names.last().unwrap()), "the oldest went");
    }
}
