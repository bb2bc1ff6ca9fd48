//! Part of step 12: which of a chain's resets count for this verifier now.

use crate::chain::{ResetRecord, ResetStanding, Sigchain};
use crate::cic::Cic;
use crate::context::Context;
use crate::digest::{Digest, PersonaId};
use crate::error::{PendingReset, VerifyError};
use crate::evidence::Evidence;
use crate::verified::Attested;

use super::Admitted;

/// What this verifier knows of the resets of one chain.
pub(super) struct Resets<'a> {
    context: &'a Context<'a>,
    persona: PersonaId,
    /// Those an issuer of the evidence stands behind, and when they were first seen.
    pub backed: Vec<(Digest, i64)>,
}

impl<'a> Resets<'a> {
    /// Looks which resets the tokens of the evidence stand behind: their issuer must have vouched for the
    /// same subject before the reset, and the owner of before must not have taken that word back.
    pub fn read(
        chain: &Sigchain,
        evidence: &Evidence,
        tokens: &[(&Admitted<'_>, &Attested, Cic)],
        context: &'a Context<'a>,
    ) -> Self {
        let persona = chain.persona();
        let stranger = context.pins.head(&persona).is_none()
            && context.pins.address(&evidence.user).is_none()
            && tokens.iter().all(|(_, word, _)| context.pins.subject(&word.subject).is_none());
        let mut backed: Vec<(Digest, i64)> = Vec::new();
        for (one, word, cic) in tokens {
            for (reset, before) in chain.resets_backed_by(&word.pkt_hash, cic.upk()) {
                let same_person = before.iter().any(|known| {
                    !known.withdrawn && one.admission.entry.answers_to(&known.iss) && known.sub == word.subject.subject
                });
                if same_person && !backed.iter().any(|(hash, _)| *hash == reset.hash) {
                    // Strangers have nothing to lose but the issuer's word, which is all they go by: the
                    // date in the entry will do. Everybody else waits from when they saw it.
                    let first_seen = if stranger { reset.iat } else { context.now };
                    let known = context.pins.reset_seen(&persona, &reset.hash);
                    backed.push((reset.hash, known.unwrap_or(first_seen)));
                }
            }
        }
        Self { context, persona, backed }
    }

    /// A reset that was seen before had an issuer behind it then.
    pub fn first_seen(&self, reset: &ResetRecord) -> Option<i64> {
        let backed = self.backed.iter().find(|(hash, _)| *hash == reset.hash).map(|(_, at)| *at);
        backed.or_else(|| self.context.pins.reset_seen(&self.persona, &reset.hash))
    }

    fn standing(&self, reset: &ResetRecord) -> ResetStanding {
        reset.standing(self.context.now, self.first_seen(reset))
    }

    /// Why a token that is not on the line that counts is refused, if a reset is the reason.
    pub fn refusal(&self, chain: &Sigchain, word: &Attested, cic: &Cic) -> Option<VerifyError> {
        let lines = chain.resets_backed_by(&word.pkt_hash, cic.upk());
        for (reset, _) in lines.iter().rev() {
            match self.standing(reset) {
                ResetStanding::Effective { .. } => {}
                ResetStanding::Unfounded => return Some(VerifyError::ResetUnfounded),
                ResetStanding::Vetoed => return Some(VerifyError::ResetVetoed),
                ResetStanding::Pending { .. } => {
                    return self
                        .pending_of(reset, &word.subject.issuer)
                        .map(|one| VerifyError::ResetPending(Box::new(one)));
                }
            }
        }
        chain.is_from_before_reset(&word.pkt_hash).then_some(VerifyError::BeforeReset)
    }

    /// The reset that waits beside the line that counts.
    pub fn pending(&self, chain: &Sigchain) -> Option<PendingReset> {
        chain.resets().find_map(|reset| {
            let issuer = chain.reset_issuer(reset)?;
            self.pending_of(reset, issuer)
        })
    }

    fn pending_of(&self, reset: &ResetRecord, issuer: &str) -> Option<PendingReset> {
        let ResetStanding::Pending { until } = self.standing(reset) else { return None };
        Some(PendingReset {
            persona: self.persona,
            reset: reset.hash,
            issuer: issuer.to_owned(),
            asked_at: reset.iat,
            first_seen: self.first_seen(reset).unwrap_or(self.context.now),
            until,
        })
    }
}
