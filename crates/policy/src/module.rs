//! Whether a package may run, and with which rights.

use message::{ConsentQuestion, Grants, Verdict};

use crate::ceiling::common;
use crate::explanation::{Explanation, Judgement, Layer, Step, Word};
use crate::policy::Policy;
use crate::reasons;
use crate::rules::{Consent, ModuleName};
use crate::side::Side;

/// A verified package that wants to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleWish {
    /// Who signed it, and its name.
    pub name: ModuleName,
    /// Its version.
    pub version: String,
    /// The rights in its descriptor.
    pub grants: Grants,
    /// Whether the user reaches for it now (looks up someone there), rather than
    /// somebody else's message: then a refusal of the past is asked about again,
    /// and questions are not counted.
    pub by_user: bool,
}

impl Policy {
    /// Whether a package may run. Own packages may; others once the user has
    /// granted all their rights. A person is asked again only when the rights grow.
    pub fn judge_module(&mut self, now_ms: u64, wish: &ModuleWish) -> Verdict {
        self.decide_module(now_ms, wish).verdict
    }

    /// Whether a package may run, and why.
    pub fn decide_module(&mut self, now_ms: u64, wish: &ModuleWish) -> Judgement {
        let heard = self.hear_module(wish);
        if wish.by_user && heard.outcome() == Word::Asks {
            return Judgement { verdict: Verdict::Ask { question: about(wish) }, explanation: heard };
        }
        self.conclude(now_ms, heard, || about(wish))
    }

    /// What every layer says of a package, without counting a question.
    pub fn explain_module(&self, now_ms: u64, wish: &ModuleWish) -> Explanation {
        let heard = self.hear_module(wish);
        if wish.by_user { heard } else { self.as_asked(now_ms, heard, &about(wish)) }
    }

    fn hear_module(&self, wish: &ModuleWish) -> Explanation {
        let [organisation, user] = self.sides();
        let denied = |side: Side<'_>| {
            let because = side.domain(&wish.name.domain)?;
            Some(Step { layer: side.layer, word: Word::Denies, because })
        };
        let consent = || match self.rules.modules.get(&wish.name) {
            _ if wish.name.domain == self.own => (reasons::OWN_PACKAGE, Word::Allows),
            Some(Consent::Granted { grants }) if wish.grants.is_within(grants) => {
                (reasons::MODULE_GRANTED, Word::Allows)
            }
            Some(Consent::Refused) if !wish.by_user => (reasons::MODULE_REFUSED, Word::Denies),
            _ => (reasons::ASK_ABOUT_MODULE, Word::Asks),
        };
        let organisation = denied(organisation)
            .unwrap_or_else(|| reasons::NO_OBJECTION.said(Layer::Organisation, Word::Passes, "modules"));
        let user = denied(user).unwrap_or_else(|| {
            let (reason, word) = consent();
            reason.said(Layer::User, word, "modules")
        });
        Explanation::new(vec![organisation, user])
    }

    /// The user has decided about a module: `None` forgets what was said before.
    pub fn set_module(&mut self, name: &ModuleName, consent: Option<Consent>) {
        self.prompts.answered(|question| {
            matches!(question, ConsentQuestion::Module { package, domain, .. }
                if *package == name.package && *domain == name.domain)
        });
        match consent {
            Some(consent) => self.rules.modules.insert(name.clone(), consent),
            None => self.rules.modules.remove(name),
        };
    }

    /// The rights a package gets: its own ∩ consent ∩ organisation ∩ user. Give
    /// these to the sandbox and to the bus.
    pub fn effective_grants(&self, name: &ModuleName, grants: &Grants) -> Grants {
        let consented = match self.rules.modules.get(name) {
            _ if name.domain == self.own => grants.clone(),
            Some(Consent::Granted { grants: granted }) => common(grants, granted),
            Some(Consent::Refused) | None => Grants::none(),
        };
        self.within_ceilings(&consented)
    }

    /// What the organisation and the user leave of rights, whoever gave them: for a package that
    /// was allowed to run this once.
    pub fn within_ceilings(&self, grants: &Grants) -> Grants {
        self.rules.user.of(&self.rules.organisation.of(grants))
    }
}

fn about(wish: &ModuleWish) -> ConsentQuestion {
    ConsentQuestion::Module {
        package: wish.name.package.clone(),
        domain: wish.name.domain.clone(),
        version: wish.version.clone(),
        grants: wish.grants.clone(),
    }
}
