//! Coming back on a new device with the recovery words, and replacing the root key.
//!
//! The words make the recovery key, which the beginning of the chain names: it may put a new root key in the
//! place of the lost one. The address stays. No device is revoked by this; the person does that, if one was stolen.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use contract::{AppState, News};
use identity::{EntryBody, NewPersona, Sigchain, Signer};
use keys::recovery::RecoveryWords;
use message::{Code, MessageType, Private, UserAddress};
use serde_json::{Value, json};
use store::{BackupProgress, Tx};
use zeroize::Zeroizing;

use crate::first_run::{FirstRun, ready};
use crate::home::{Home, body, now_ms};
use crate::linking::DEVICE_LIFE_S;
use crate::records::{Me, Recovery, kind};
use crate::recovery::{KINDS, backup_failure, fail_queued, running, words_of};
use crate::registry::Packages;
use crate::renewals::Renewing;
use crate::settling;
use crate::trouble::{Failure, Outcome};

/// Largest sheet that is read.
const SHEET_LIMIT: u64 = 16 * 1024;

/// Who vouches for somebody who came back.
struct Vouched {
    chain: Sigchain,
    tokens: Vec<String>,
    issuer: String,
    name: String,
    /// With which the issuer can be asked again without the person.
    refresh_token: Option<Private<String>>,
}

/// The words as they were typed, or from the sheet at this path.
fn read_words(text: &str) -> Outcome<RecoveryWords> {
    let path = Path::new(text.trim());
    if !path.is_absolute() || !path.is_file() {
        return words_of(text);
    }
    let unread = |error: std::io::Error| Failure::new("not-read", error.kind());
    let mut sheet = Zeroizing::new(String::new());
    std::fs::File::open(path).map_err(unread)?.take(SHEET_LIMIT).read_to_string(&mut sheet).map_err(unread)?;
    words_of(&sheet)
}

/// The chain goes on with a new root key and this device, if the words are those of its beginning.
fn come_back(
    chain: &mut Sigchain,
    words: &RecoveryWords,
    device: (&keys::VerifyingKey, &str),
    now_s: i64,
) -> Outcome<keys::SigningKey> {
    let rk = words.rk();
    let named = match chain.entries().first().map(|entry| entry.body()) {
        Some(EntryBody::Genesis(genesis)) => genesis.rk,
        _ => None,
    };
    if named != Some(rk.verifying_key()) {
        return Err(Failure::new("wrong-words", "these are the words of another identity"));
    }
    let irk = keys::SigningKey::generate();
    let refused = |e: identity::ChainError| Failure::new("bad-chain", e);
    chain.rotate_irk(&rk, Signer::Rk, irk.verifying_key(), now_s).map_err(refused)?;
    chain.add_device(&irk, *device.0, device.1, now_s + DEVICE_LIFE_S, now_s).map_err(refused)?;
    Ok(irk)
}

impl Home {
    /// Question `recovery.restore`.
    pub(crate) async fn restore(&self, user: &UserAddress, words: &str, backup: Option<&str>) -> Outcome<AppState> {
        let words = read_words(words)?;
        let dsk = keys::SigningKey::generate();
        {
            let mut state = self.state();
            let state = &mut *state;
            if state.me.is_some() {
                return Err(Failure::new("already-set-up", "this profile has an account already"));
            }
            state.nothing_restarts()?;
            state.set_home_domain(&user.domain())?;
            self.end_stub(state, &user.domain());
            state.first_run = FirstRun::for_restoring(user.domain());
        }
        let done = self.restore_as(user, &words, backup, &dsk).await;
        let mut state = self.state();
        state.first_run = FirstRun::default();
        if let Err(failure) = done {
            self.end_stub(&mut state, &user.domain());
            return Err(failure);
        }
        self.resume(&mut state);
        Ok(self.app_state(&state))
    }

    async fn restore_as(
        &self,
        user: &UserAddress,
        words: &RecoveryWords,
        backup: Option<&str>,
        dsk: &keys::SigningKey,
    ) -> Outcome<()> {
        let domain = user.domain();
        // Whoever has no account yet is told of the history as a stranger is.
        let mut chain = self.look_up(user, &Packages::None).await?.chain;
        let name = self.rooms.config.device_name.clone();
        let irk = come_back(&mut chain, words, (&dsk.verifying_key(), &name), now_ms() / 1000)?;
        {
            let mut state = self.state();
            state.first_run.restoring = Some(dsk.clone());
            self.end_stub(&mut state, &domain);
        }
        // A backup that does not open must not cost an entry of the chain.
        let from_backup = backup.map(|path| self.peek_backup(path, words, user, &chain)).transpose()?;
        let vouched = match from_backup {
            Some(Me { tokens, issuer, name, .. }) => Vouched { chain, tokens, issuer, name, refresh_token: None },
            // Nobody keeps the issuer's word for us, so it is asked for again.
            None => self.sign_in_again_as(user, chain, &irk, dsk).await?,
        };
        let Vouched { chain, tokens, issuer, name: called, refresh_token } = vouched;
        self.open_restored_account(user, &chain).await?;
        let mut addresses = Vec::new();
        for part in ["inbox", "chat", "connector"] {
            addresses.push(self.allocate(&domain, part).await?);
        }
        let [inbox, chat, connector] = addresses.try_into().map_err(|_| Failure::not_ready())?;
        let record = Me {
            user: user.clone(),
            name: called,
            issuer,
            irk: Some(keys::b64url(irk.to_bytes().as_ref())),
            dsk: keys::b64url(dsk.to_bytes().as_ref()),
            chain: chain.texts(),
            resets: settling::dated(&chain),
            tokens,
            renewals: Vec::new(),
            recovery: Some(Recovery { words: None, ..Recovery::new(words) }),
            own: None,
            inbox,
            chat,
            connector,
        };
        let me = ready(record)?;
        {
            let mut state = self.state();
            state.store()?.write(|tx| {
                if let Some(path) = backup {
                    self.take_backup(tx, path, words)?;
                    fail_queued(tx)?;
                }
                if refresh_token.is_some() {
                    tx.put(kind::RENEWING, &me.record.issuer, &Renewing::with(refresh_token))?;
                }
                tx.put(kind::ME, "me", &me.record).map_err(Failure::store)
            })?;
            state.me = Some(me);
            let rules: Option<policy::Rules> =
                state.store()?.read(|tx| tx.get(kind::RULES, "rules")).map_err(Failure::store)?;
            state.take_rules_of_ours(rules.unwrap_or_default())?;
        }
        if let Err(failure) = self.publish_key_packages().await {
            tracing::info!(code = failure.code, "key packages are published later");
        }
        Ok(())
    }

    /// The account goes on with the longer chain, which names this device.
    async fn open_restored_account(&self, user: &UserAddress, chain: &Sigchain) -> Outcome<()> {
        let domain = user.domain();
        let account = json!({ "user": user, "chain": chain.texts() });
        let to = format!("domain://registry.{domain}/account");
        let answer = self.ask_node(&domain, MessageType::Create, &to, body(&account)).await?;
        match answer.code {
            code if code.is_success() => Ok(()),
            Code::CONFLICT => Err(Failure::new("name-taken", "the domain knows another history of this address")),
            code => Err(Failure::new(format!("node-{}", code.0), "the domain did not take the recovery")),
        }
    }

    /// Lets the issuer of before vouch for the new root key.
    async fn sign_in_again_as(
        &self,
        user: &UserAddress,
        chain: Sigchain,
        irk: &keys::SigningKey,
        dsk: &keys::SigningKey,
    ) -> Outcome<Vouched> {
        let before = chain.attestations().iter().rev().find(|one| !one.withdrawn);
        let issuer = before.map_or_else(|| self.own_issuer(&user.domain()), |one| one.iss.clone());
        let cic = identity::Cic::new(irk.verifying_key(), chain.genesis_hash());
        let persona = NewPersona { irk: irk.clone(), device: dsk.clone(), chain, cic };
        let (attempt, cancel) = self.state().first_run.begin_attempt();
        let signed_in = self.sign_in_with(&issuer, &persona.nonce(), irk, attempt, cancel).await?;
        let enrolled =
            persona.finish(&signed_in.id_token, now_ms() / 1000).map_err(|e| Failure::new("bad-token", e))?;
        let tokens = vec![enrolled.token.text().to_owned()];
        let (name, refresh_token) = (user.name().to_owned(), signed_in.refresh_token);
        Ok(Vouched { chain: enrolled.chain, tokens, issuer, name, refresh_token })
    }

    /// Who a backup is of; it is read whole, so that a broken one is refused before anything happens.
    fn peek_backup(&self, path: &str, words: &RecoveryWords, user: &UserAddress, chain: &Sigchain) -> Outcome<Me> {
        let state = self.state();
        let mut found: Option<Me> = None;
        let looked: Outcome<()> = state.store()?.write(|tx| {
            self.take_backup(tx, path, words)?;
            found = tx.get(kind::ME, "me").map_err(Failure::store)?;
            // Only looked at: nothing of it stays.
            Err(Failure::new("looked", "nothing is kept"))
        });
        match looked {
            Err(failure) if failure.code != "looked" => return Err(failure),
            _ => {}
        }
        let me = found.ok_or_else(|| Failure::new("backup-damaged", "the backup does not say whose it is"))?;
        let before = Sigchain::parse(&me.chain).map_err(|e| Failure::new("backup-damaged", e))?;
        if me.user != *user || before.persona() != chain.persona() {
            return Err(Failure::new("wrong-backup", "this is the backup of another identity"));
        }
        Ok(me)
    }

    /// Restores a backup beside what a new profile has learned of its domain already.
    fn take_backup(&self, tx: &Tx<'_>, path: &str, words: &RecoveryWords) -> Outcome<()> {
        let mut input = std::fs::File::open(path).map_err(|error| Failure::new("not-read", error.kind()))?;
        let mut before: Vec<(&str, String, Value)> = Vec::new();
        for one in KINDS.into_iter().chain([kind::CATALOGUE]) {
            for (key, value) in tx.list::<Value>(one).map_err(Failure::store)? {
                tx.delete(one, &key).map_err(Failure::store)?;
                before.push((one, key, value));
            }
        }
        let mut progress = |at: BackupProgress| {
            self.tell(News::Backup(running(at)));
            ControlFlow::Continue(())
        };
        let restored = tx.restore(&mut std::io::BufReader::new(&mut input), words, &KINDS, &mut progress);
        let restored = restored.map_err(backup_failure)?;
        tracing::info!(records = restored.records, rows = restored.children, "a backup was read");
        for (one, key, value) in before {
            if tx.get::<Value>(one, &key).map_err(Failure::store)?.is_none() {
                tx.put(one, &key, &value).map_err(Failure::store)?;
            }
        }
        Ok(())
    }

    /// Question `identity.rotate`.
    pub(crate) async fn identity_rotate(&self) -> Outcome<()> {
        {
            let mut state = self.state();
            let state = &mut *state;
            let me = state.me()?;
            let (irk, next) = (me.irk()?, keys::SigningKey::generate());
            let mut chain = me.chain.clone();
            chain
                .rotate_irk(&irk, Signer::Irk, next.verifying_key(), now_ms() / 1000)
                .map_err(|e| Failure::new("bad-chain", e))?;
            let irk = Some(keys::b64url(next.to_bytes().as_ref()));
            // What the key of before signed counts no more; the next renewal is signed anew.
            let record = Me { irk, chain: chain.texts(), renewals: Vec::new(), ..me.record.clone() };
            // The key of before is worth nothing to us, and much to a thief.
            state.store()?.erase(|tx| tx.put(kind::ME, "me", &record)).map_err(Failure::store)?;
            self.put_me(state, record)?;
            self.tell_everybody(state)?;
        }
        if let Err(failure) = self.publish_chain().await {
            tracing::info!(code = failure.code, "the domain hears of the new root key later");
            self.publish_later();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_of_the_beginning_bring_an_identity_back() {
        let (words, other) = (RecoveryWords::generate(), RecoveryWords::generate());
        let lost = keys::SigningKey::generate();
        let mut chain = Sigchain::create(&lost, Some(words.rk().verifying_key()), 0);
        let persona = chain.persona();
        let dsk = keys::SigningKey::generate().verifying_key();
        let wrong = come_back(&mut chain, &other, (&dsk, "new"), 10).err().unwrap();
        assert_eq!((wrong.code.as_str(), chain.entries().len()), ("wrong-words", 1));
        let irk = come_back(&mut chain, &words, (&dsk, "new"), 10).unwrap();
        assert_eq!((chain.irk(), chain.persona()), (irk.verifying_key(), persona));
        assert!(chain.device(&dsk, 20).is_ok());
    }
}
