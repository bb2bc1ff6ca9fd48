//! Who vouches for the person: further issuers are linked and unlinked.

use contract::{MyIssuer, News, SignInState, Trouble};
use identity::{Cic, Enrolled, Evidence, IdpLink, PkToken};
use message::Private;
use signin::{RootKey, SignIn};
use tokio_util::sync::CancellationToken;

use crate::first_run::ready;
use crate::home::{Home, Ready, State, now_ms};
use crate::objects::Follow;
use crate::own::OwnStep;
use crate::persons::host_of;
use crate::proxies::package_of;
use crate::records::{Me, Object, ObjectUse, Side, Standing, kind};
use crate::renewals::Renewing;
use crate::sending::{introduction_message, pumps, seal_and_queue};
use crate::trouble::{Failure, Outcome};

/// A token of ours with what is said about it.
pub(crate) struct Mine {
    pub(crate) token: PkToken,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// Unix seconds of the issuer's last word.
    pub(crate) attested_at: i64,
    /// Unix seconds until when it introduces us to strangers.
    until: i64,
}

/// Our tokens, those that cannot be read left out.
pub(crate) fn mine(me: &Ready) -> Vec<Mine> {
    let of = |text: &String| {
        let token = PkToken::parse(text).ok()?;
        let (issuer, subject) = (token.claimed_issuer()?.to_owned(), token.claimed_subject()?.to_owned());
        let renewed = me.record.renewals.iter().filter_map(|text| renewed_at(text));
        let renewed = renewed.filter(|(hash, _)| *hash == token.hash().to_string()).map(|(_, at)| at).max();
        let attested_at = token.claimed_time()?.max(renewed.unwrap_or(0));
        let records = me.chain.attestations().iter().filter(|record| record.pkt_hash == token.hash());
        let until = records.map(|record| record.until).max().unwrap_or(0);
        Some(Mine { token, issuer, subject, attested_at, until })
    };
    me.record.tokens.iter().filter_map(of).collect()
}

/// Which token a renewal of ours renews, and when the issuer spoke.
fn renewed_at(renewal: &str) -> Option<(String, i64)> {
    let mut parts = renewal.split('.');
    let (hash, _, claims) = (parts.next()?, parts.next()?, parts.next()?);
    let claims: serde_json::Value = serde_json::from_slice(&keys::from_b64url(claims).ok()?).ok()?;
    Some((hash.to_owned(), claims.get("iat")?.as_f64()? as i64))
}

impl Home {
    /// Question `identity.issuers`.
    pub(crate) fn identity_issuers(&self) -> Outcome<Vec<MyIssuer>> {
        let state = self.state();
        let shown = |one: Mine| {
            let renewing = state.renewing(&one.issuer)?;
            let trouble = renewing.trouble.map(|(code, detail)| Trouble { code, detail });
            Ok(MyIssuer {
                vouched_by: host_of(&one.issuer),
                attested_at: one.attested_at * 1000,
                until: one.until * 1000,
                silent: renewing.refresh_token.is_some(),
                trouble,
                issuer: one.issuer,
            })
        };
        mine(state.me()?).into_iter().map(shown).collect()
    }

    /// Question `identity.link`.
    pub(crate) fn identity_link(&self, issuer: &str) -> Outcome<()> {
        let issuer = issuer.trim().trim_end_matches('/').to_owned();
        let mut state = self.state();
        self.may_sign_in_at(&state, &issuer)?;
        let me = state.me()?;
        me.irk()?;
        let known = mine(me).iter().any(|one| one.issuer == issuer);
        if !known && me.record.tokens.len() >= identity::TOKENS_LIMIT {
            return Err(Failure::new("too-many", "four issuers vouch already"));
        }
        let (attempt, cancel) = state.first_run.begin_attempt();
        drop(state);
        let home = self.clone();
        self.rooms.tasks.start("link issuer", async move {
            home.tell(News::SignIn(SignInState::Finding));
            let news = match home.link_issuer(&issuer, attempt, cancel).await {
                Ok(name) => SignInState::Done { name, suggested: None },
                Err(failure) => SignInState::Failed { trouble: Trouble::from(&failure) },
            };
            home.tell(News::SignIn(news));
        });
        Ok(())
    }

    async fn link_issuer(&self, issuer: &str, attempt: u64, cancel: CancellationToken) -> Outcome<Option<String>> {
        let (irk, genesis) = {
            let state = self.state();
            let me = state.me()?;
            (me.irk()?, me.chain.genesis_hash())
        };
        let cic = Cic::new(irk.verifying_key(), genesis);
        let signed_in = self.sign_in_with(issuer, &cic.nonce(), &irk, attempt, cancel).await?;
        let (record, token) = self.state().me()?.linked(&cic, &signed_in.id_token, now_ms() / 1000)?;
        let name = self.check_new_token(&record, &token, issuer).await?;
        {
            let mut state = self.state();
            // The history may have grown meanwhile, so it goes on from where it is now.
            let (record, _) = state.me()?.linked(&cic, &signed_in.id_token, now_ms() / 1000)?;
            state.keep_renewing(issuer, &Renewing::with(signed_in.refresh_token))?;
            self.put_me(&mut state, record)?;
            self.tell_of_myself(&mut state)?;
        }
        self.publish_chain_soon().await;
        Ok(name)
    }

    /// Leads the person to an issuer's page and back, for a token that commits to this nonce.
    pub(crate) async fn sign_in_with(
        &self,
        issuer: &str,
        nonce: &str,
        irk: &keys::SigningKey,
        attempt: u64,
        cancel: CancellationToken,
    ) -> Outcome<signin::SignedIn> {
        let mut config = self.issuer_config(issuer);
        if let Some(package) = package_of(&self.language_of(issuer)) {
            return self.sign_in_by_proxy(&package, config, nonce.to_owned(), attempt, cancel).await;
        }
        config.silent_renewal = true;
        let signer = irk.clone();
        config.root_key = Some(RootKey::new(irk.verifying_key(), move |text| signer.sign(text)));
        let begun = SignIn::begin(&self.rooms.net, config, nonce.to_owned()).await;
        let pending = begun.map_err(|e| Failure::new(e.code(), e))?;
        self.lead_to(pending.authorize_url(), attempt).await?;
        pending.finish(cancel).await.map_err(|e| Failure::new(e.code(), e))
    }

    /// Checks a further token as a stranger would.
    async fn check_new_token(&self, record: &Me, token: &PkToken, issuer: &str) -> Outcome<Option<String>> {
        let evidence = Evidence {
            user: record.user.clone(),
            inbox: None,
            tokens: vec![token.text().to_owned()],
            chain: record.chain.clone(),
            device: ready(record.clone())?.dsk.verifying_key(),
            renewals: Vec::new(),
        };
        let mut table = self.issuer_table();
        let own = self.own_issuer(&record.user.domain());
        if issuer != own && !table.entries().iter().any(|entry| entry.issuer == issuer) {
            // The person chose this issuer for themselves; contacts decide for themselves.
            table.add(identity::IssuerEntry::new(issuer)).map_err(|e| Failure::new("bad-issuer", e))?;
        }
        let pins = identity::PinBook::new();
        let verified = self.verify_evidence(&evidence, &table, None, &pins, None).await?;
        Ok(verified.display().name.clone())
    }

    /// Question `identity.unlink`.
    pub(crate) async fn identity_unlink(&self, issuer: &str) -> Outcome<Vec<MyIssuer>> {
        let forgotten = {
            let mut state = self.state();
            let record = state.me()?.unlinked(issuer, now_ms() / 1000)?;
            let renewing = state.renewing(issuer)?;
            state.store()?.erase(|tx| tx.delete(kind::RENEWING, issuer)).map_err(Failure::store)?;
            self.put_me(&mut state, record)?;
            self.tell_of_myself(&mut state)?;
            renewing.refresh_token
        };
        self.publish_chain_soon().await;
        if let Some(token) = forgotten {
            let (home, config) = (self.clone(), self.issuer_config(issuer));
            self.rooms.tasks.start("forget", async move {
                if let Err(error) = signin::forget(&home.rooms.net, &config, &Private(token)).await {
                    tracing::info!(code = error.code(), "the issuer did not take its refresh token back");
                }
            });
        }
        self.identity_issuers()
    }

    /// Contacts and our other devices hear how our history goes on. Whoever has not answered us yet may have
    /// refused us for lack of what we can show now: we introduce ourselves once more.
    pub(crate) fn tell_of_myself(&self, state: &mut State) -> Outcome<()> {
        self.tell_everybody(state)?;
        let follow = {
            let (me, store) = (state.me()?, state.store()?);
            store.write(|tx| {
                let objects: Vec<(String, Object)> = tx.list(kind::OBJECT).map_err(Failure::store)?;
                let mut follow = Vec::new();
                for (_, object) in objects.into_iter().filter(|(_, object)| waits_for_an_answer(object)) {
                    seal_and_queue(tx, me, &object, &introduction_message(tx, me, &object)?, None)?;
                    follow.extend(pumps(&object));
                }
                Ok::<_, Failure>(follow)
            })?
        };
        self.follow_up(state, follow);
        self.follow_up(state, vec![Follow::Own(OwnStep::Joined)]);
        Ok(())
    }

    /// The domain hears how our history goes on, now or with the next session.
    pub(crate) async fn publish_chain_soon(&self) {
        if let Err(failure) = self.publish_chain().await {
            tracing::info!(code = failure.code, "the domain hears of the new history later");
        }
    }
}

impl Ready {
    /// Our record with a further issuer, or with a new word of a known one.
    fn linked(&self, cic: &Cic, id_token: &str, now_s: i64) -> Outcome<(Me, PkToken)> {
        let irk = self.irk()?;
        let first = self.record.tokens.first().ok_or_else(|| Failure::new("database-damaged", "there is no token"))?;
        let first = PkToken::parse(first).map_err(|e| Failure::new("database-damaged", e))?;
        let token = PkToken::assemble(id_token, cic, &irk).map_err(|e| Failure::new("bad-token", e))?;
        let (issuer, subject) =
            (token.claimed_issuer().unwrap_or_default(), token.claimed_subject().unwrap_or_default());
        let known: Vec<Mine> = mine(self).into_iter().filter(|one| one.issuer == issuer).collect();
        if known.iter().any(|one| one.subject != subject) {
            return Err(Failure::new("other-account", "the issuer vouches for another account of yours already"));
        }
        let mut chain = self.chain.clone();
        if known.is_empty() {
            let link = IdpLink { iss: issuer.to_owned(), sub: subject.to_owned() };
            chain.link_idp(&irk, link, now_s).map_err(|e| Failure::new("bad-chain", e))?;
        }
        let mut enrolled = Enrolled { irk, device: self.dsk.clone(), chain, token: first };
        let token = enrolled.renew(cic, id_token, now_s).map_err(|e| Failure::new("bad-token", e))?;
        let mut record = self.record.clone();
        record.chain = enrolled.chain.texts();
        let place = known.first().and_then(|one| record.tokens.iter().position(|text| *text == one.token.text()));
        match place {
            Some(place) => record.tokens[place] = token.text().to_owned(),
            None => record.tokens.push(token.text().to_owned()),
        }
        for one in &known {
            forget_renewals(&mut record, &one.token);
        }
        if record.tokens.len() > identity::TOKENS_LIMIT {
            return Err(Failure::new("too-many", "four issuers vouch already"));
        }
        Ok((record, token))
    }

    /// Our record without an issuer.
    fn unlinked(&self, issuer: &str, now_s: i64) -> Outcome<Me> {
        let irk = self.irk()?;
        let all = mine(self);
        let one = all.iter().find(|one| one.issuer == issuer).ok_or_else(|| Failure::unknown("issuer"))?;
        let Some(other) = all.iter().find(|other| other.issuer != issuer) else {
            return Err(Failure::new("last-issuer", "nobody else vouches for you"));
        };
        let mut chain = self.chain.clone();
        let link = IdpLink { iss: issuer.to_owned(), sub: one.subject.clone() };
        chain.unlink_idp(&irk, link, now_s).map_err(|e| Failure::new("bad-chain", e))?;
        let mut record = self.record.clone();
        record.chain = chain.texts();
        record.tokens.retain(|text| *text != one.token.text());
        forget_renewals(&mut record, &one.token);
        if record.issuer == issuer {
            record.issuer.clone_from(&other.issuer);
        }
        Ok(record)
    }

    /// Our record with a later word of the issuer of `token`.
    pub(crate) fn renewed(&self, token: &PkToken, id_token: &str, now_s: i64) -> Outcome<Me> {
        let irk = self.irk()?;
        let renewal = identity::Renewal::sign(token, id_token, &irk).map_err(|e| Failure::new(e.code(), e))?;
        let (_, at) = renewed_at(renewal.text()).ok_or_else(|| Failure::new("bad-token", "it has no time"))?;
        let (iss, sub) = (token.claimed_issuer().unwrap_or_default(), token.claimed_subject().unwrap_or_default());
        let attest = identity::Attest {
            pkt_hash: token.hash(),
            iss: iss.to_owned(),
            sub: sub.to_owned(),
            until: at.saturating_add(identity::ATTESTATION_LIFE_S),
        };
        let mut chain = self.chain.clone();
        chain.attest(&irk, attest, now_s).map_err(|e| Failure::new("bad-chain", e))?;
        let mut record = self.record.clone();
        record.chain = chain.texts();
        forget_renewals(&mut record, token);
        record.renewals.push(renewal.text().to_owned());
        Ok(record)
    }
}

fn waits_for_an_answer(object: &Object) -> bool {
    object.purpose == ObjectUse::Chat
        && matches!(object.standing, Standing::Invited)
        && matches!(object.side, Side::Reporter(_))
}

fn forget_renewals(record: &mut Me, token: &PkToken) {
    let hash = token.hash().to_string();
    record.renewals.retain(|text| text.split('.').next() != Some(hash.as_str()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_says_what_it_renews_and_when() {
        let claims = keys::b64url(br#"{"iat":7}"#);
        assert_eq!(renewed_at(&format!("hash.header.{claims}.sig.own")), Some(("hash".into(), 7)));
        for bad in ["", "a.b", "a.b.%.c", "a.b.e30.c.d"] {
            assert_eq!(renewed_at(bad), None, "{bad}");
        }
    }
}
