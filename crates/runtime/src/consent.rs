//! Questions only a person can answer, and who waits for the answer.

use std::collections::BTreeMap;

use contract::{Consent, ConsentChoice, News};
use message::{Domain, Grants};
use tokio::sync::oneshot;

use crate::home::{Home, State};
use crate::trouble::{Failure, Outcome};

/// Questions that may wait at once; more are refused unasked, so that nobody can
/// bury a person under dialogs.
const CONSENTS_LIMIT: usize = 8;

/// The questions that are open.
#[derive(Default)]
pub(crate) struct Consents {
    next: u64,
    open: BTreeMap<String, Open>,
}

struct Open {
    consent: Consent,
    answer: oneshot::Sender<ConsentChoice>,
}

impl Consents {
    pub(crate) fn list(&self) -> Vec<Consent> {
        self.open.values().map(|open| open.consent.clone()).collect()
    }
}

/// What is asked about a package.
pub(crate) struct ModuleQuestion<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) package: &'a str,
    pub(crate) version: String,
    pub(crate) grants: &'a Grants,
    pub(crate) for_whom: Option<String>,
}

impl Home {
    /// Asks whether a package may run with its rights, and waits for the person (screen S10).
    pub(crate) async fn ask_about_module(&self, question: ModuleQuestion<'_>) -> Outcome<ConsentChoice> {
        let (sender, receiver) = oneshot::channel();
        let consent = {
            let mut state = self.state();
            let consents = &mut state.consents;
            if consents.open.len() >= CONSENTS_LIMIT {
                return Err(Failure::new("too-many-questions", "too many questions are open already"));
            }
            consents.next += 1;
            let consent = Consent {
                id: consents.next.to_string(),
                for_whom: question.for_whom,
                domain: question.domain.to_string(),
                package: question.package.to_owned(),
                version: question.version,
                may_talk_to: hosts(question.grants),
                media: question.grants.media,
                storage: question.grants.storage,
            };
            consents.open.insert(consent.id.clone(), Open { consent: consent.clone(), answer: sender });
            consent
        };
        self.tell(News::Consent(consent));
        receiver.await.map_err(|_| Failure::new("denied", "the question was withdrawn"))
    }

    /// A person decided.
    pub(crate) fn answer_consent(&self, id: &str, choice: ConsentChoice) -> Outcome<()> {
        let open = self.state().consents.open.remove(id).ok_or_else(|| Failure::unknown("question"))?;
        self.tell(News::ConsentClosed { id: id.to_owned() });
        // The flow that asked may have given up meanwhile.
        let _ = open.answer.send(choice);
        Ok(())
    }
}

impl State {
    pub(crate) fn open_consents(&self) -> Vec<Consent> {
        self.consents.list()
    }
}

/// The hosts a package may talk to, each once, for people to read.
pub(crate) fn hosts(grants: &Grants) -> Vec<String> {
    let origins = grants.fetch.iter().chain(&grants.web_socket);
    let mut hosts: Vec<String> = origins.map(|origin| catalogue::origin_host(origin).to_owned()).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}
