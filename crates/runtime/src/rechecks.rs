//! A contact shows later words of their issuers: they are checked as at the first time, and the newest is shown.

use identity::{Evidence, PinBook};

use crate::home::{Home, now_ms};
use crate::objects::Follow;
use crate::persons::{PINS, identity_line, trust_state};
use crate::records::kind;
use crate::sending::{find_person, put_person};
use crate::trouble::{Failure, Outcome};

impl Home {
    /// Checks what a contact shows in a task of its own. Whatever comes of it, the conversation goes on.
    pub(crate) fn recheck_later(&self, evidence: Evidence) {
        let home = self.clone();
        self.rooms.tasks.start("recheck", async move {
            if let Err(failure) = home.recheck(&evidence).await {
                tracing::info!(code = failure.code, "a later word about a contact does not count");
            }
        });
    }

    async fn recheck(&self, evidence: &Evidence) -> Outcome<()> {
        let pins: PinBook = self.state().store()?.read(crate::settling::pins).map_err(Failure::store)?;
        let (table, domain) = (self.issuer_table(), evidence.user.domain());
        let leaf = Some(&evidence.device);
        let verified = self.verify_evidence(evidence, &table, leaf, &pins, Some(&domain)).await?;
        let now = now_ms();
        let mut state = self.state();
        let done = state.store()?.write(|tx| {
            let person = find_person(tx, &evidence.user)?;
            let Some(mut person) = person.filter(|one| one.persona == Some(verified.persona().to_string())) else {
                return Err(Failure::new("wrong-person", "another persona than the one we know"));
            };
            let mut pins = crate::settling::pins(tx)?;
            pins.remember(&verified, now / 1000);
            tx.put(kind::PINS, PINS, &pins)?;
            let sure = trust_state(&verified);
            person.identity = Some(identity_line(verified.primary(), &verified, sure, now));
            person.issuers = verified.attested().iter().map(|one| identity_line(one, &verified, sure, now)).collect();
            put_person(tx, &person)
        });
        done?;
        self.follow_up(&mut state, vec![Follow::PersonShown(evidence.user.clone())]);
        Ok(())
    }
}
