//! How often a person may be asked, so that no domain can nag.

use std::collections::VecDeque;

use message::{ConsentQuestion, Domain, Verdict};

use crate::reasons;

/// The time within which questions are counted.
pub const PROMPT_WINDOW_MS: u64 = 3_600_000;

/// Strangers of one domain about whom a person is asked within the window.
pub const CONTACT_PROMPTS_PER_DOMAIN: usize = 10;

/// Questions about modules of one domain within the window.
pub const MODULE_PROMPTS_PER_DOMAIN: usize = 3;

/// Questions in all within the window.
pub const PROMPTS_IN_ALL: usize = 40;

/// The questions of the last hour.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prompts {
    /// Oldest first.
    asked: VecDeque<Asked>,
}

#[derive(Debug, Clone)]
struct Asked {
    at: u64,
    question: ConsentQuestion,
    /// Not answered yet: asking the same once more is not another question.
    open: bool,
}

impl Prompts {
    /// Asks a person, unless there were too many questions on behalf of the domain, or in all.
    pub fn ask(&mut self, now: u64, question: ConsentQuestion) -> Verdict {
        while self.asked.front().is_some_and(|asked| asked.at.saturating_add(PROMPT_WINDOW_MS) <= now) {
            self.asked.pop_front();
        }
        if self.asked.iter().any(|asked| asked.open && asked.question == question) {
            return Verdict::Ask { question };
        }
        let alike = self.asked.iter().filter(|asked| is_alike(&asked.question, &question)).count();
        if alike >= limit(&question) || self.asked.len() >= PROMPTS_IN_ALL {
            return reasons::too_many_questions();
        }
        self.asked.push_back(Asked { at: now, question: question.clone(), open: true });
        Verdict::Ask { question }
    }

    /// The questions that satisfy a test were answered; should one come up again, it counts anew.
    pub fn answered(&mut self, test: impl Fn(&ConsentQuestion) -> bool) {
        for asked in self.asked.iter_mut().filter(|asked| test(&asked.question)) {
            asked.open = false;
        }
    }
}

fn limit(question: &ConsentQuestion) -> usize {
    match question {
        ConsentQuestion::Contact { .. } => CONTACT_PROMPTS_PER_DOMAIN,
        ConsentQuestion::Module { .. } => MODULE_PROMPTS_PER_DOMAIN,
    }
}

/// Of the same kind and about the same domain.
fn is_alike(one: &ConsentQuestion, other: &ConsentQuestion) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other) && domain(one) == domain(other)
}

fn domain(question: &ConsentQuestion) -> Domain {
    match question {
        ConsentQuestion::Contact { user } => user.domain(),
        ConsentQuestion::Module { domain, .. } => domain.clone(),
    }
}
