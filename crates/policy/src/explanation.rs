//! Why a verdict is what it is: what each layer of rules said, in order.

use message::{Reason, Verdict};
use serde::Serialize;

/// Whose rule it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Layer {
    /// A rule that nobody can change, or a default that nobody has changed.
    BuiltIn,
    /// The rights in a package's descriptor.
    Package,
    /// The organisation's policy.
    Organisation,
    /// The user's own settings.
    User,
    /// What the user said of this person.
    Contact,
}

impl Layer {
    /// The word that stands for it in the trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BuiltIn => "builtIn",
            Self::Package => "package",
            Self::Organisation => "organisation",
            Self::User => "user",
            Self::Contact => "contact",
        }
    }
}

/// Names one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RuleRef {
    /// Whose it is.
    pub layer: Layer,
    /// Which one; of a setting, its name in the organisation's document.
    pub item: &'static str,
}

/// As `user/whoMayCall`.
impl std::fmt::Display for RuleRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.layer.as_str(), self.item)
    }
}

/// A reason and the rule it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Because {
    /// A stable word that programs may act on.
    pub code: &'static str,
    /// A sentence for people.
    pub text: &'static str,
    /// The rule.
    pub rule: RuleRef,
}

/// What a layer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Word {
    /// It has no objection, which is not enough by itself.
    Passes,
    /// It may pass, unless another layer says less.
    Allows,
    /// A person decides, unless another layer denies.
    Asks,
    /// It may not pass, whatever the others say.
    Denies,
}

/// One layer's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Who speaks.
    pub layer: Layer,
    /// What it says.
    pub word: Word,
    /// Why; the rule may be a default where the layer has none of its own.
    pub because: Because,
}

/// What all layers said, in order. The verdict follows from it and from nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Explanation {
    steps: Vec<Step>,
}

const NOTHING_ALLOWS: Because = Because {
    code: "default-deny",
    text: "no rule allows it",
    rule: RuleRef { layer: Layer::BuiltIn, item: "defaultDeny" },
};

impl Explanation {
    pub(crate) fn new(steps: Vec<Step>) -> Self {
        Self { steps }
    }

    pub(crate) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Every layer's word.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// A denial anywhere wins, then a question, then permission; what no layer allows is denied.
    pub fn outcome(&self) -> Word {
        [Word::Denies, Word::Asks, Word::Allows]
            .into_iter()
            .find(|word| self.steps.iter().any(|step| step.word == *word))
            .unwrap_or(Word::Denies)
    }

    /// The reason that decided.
    pub fn because(&self) -> Because {
        let outcome = self.outcome();
        self.steps.iter().find(|step| step.word == outcome).map_or(NOTHING_ALLOWS, |step| step.because)
    }
}

/// A verdict and why it is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What every layer said.
    pub explanation: Explanation,
}

impl Judgement {
    /// The reason that decided.
    pub fn because(&self) -> Because {
        self.explanation.because()
    }
}

impl From<Because> for Reason {
    fn from(because: Because) -> Self {
        Reason::new(because.code, because.text)
    }
}
