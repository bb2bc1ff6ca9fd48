//! Whether a package may run, and with which rights.

use message::{ConsentQuestion, Grants, Verdict};

use crate::ceiling::common;
use crate::policy::Policy;
use crate::reasons;
use crate::rules::{Consent, ModuleName};

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
        if let Some(denied) = self.judge_domain(&wish.name.domain) {
            return denied;
        }
        if wish.name.domain == self.own {
            return Verdict::Allow;
        }
        let question = || ConsentQuestion::Module {
            package: wish.name.package.clone(),
            domain: wish.name.domain.clone(),
            version: wish.version.clone(),
            grants: wish.grants.clone(),
        };
        match self.rules.modules.get(&wish.name) {
            Some(Consent::Granted { grants }) if wish.grants.is_within(grants) => Verdict::Allow,
            Some(Consent::Refused) if !wish.by_user => reasons::module_refused(),
            _ if wish.by_user => Verdict::Ask { question: question() },
            _ => self.prompts.ask(now_ms, question()),
        }
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
