//! How often a person may be asked, so that no domain can nag.

use std::collections::VecDeque;

use message::{ConsentQuestion, Domain};

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
    /// Whether a person may be asked now: not if there were too many questions on behalf of the
    /// domain, or in all.
    pub fn has_room(&self, now: u64, question: &ConsentQuestion) -> bool {
        let recent = || self.asked.iter().filter(|asked| is_recent(asked, now));
        let alike = recent().filter(|asked| is_alike(&asked.question, question)).count();
        recent().any(|asked| asked.open && asked.question == *question)
            || (alike < limit(question) && recent().count() < PROMPTS_IN_ALL)
    }

    /// Counts a question; says whether it may be asked.
    pub fn ask(&mut self, now: u64, question: &ConsentQuestion) -> bool {
        while self.asked.front().is_some_and(|asked| !is_recent(asked, now)) {
            self.asked.pop_front();
        }
        let room = self.has_room(now, question);
        if room && !self.asked.iter().any(|asked| asked.open && asked.question == *question) {
            self.asked.push_back(Asked { at: now, question: question.clone(), open: true });
        }
        room
    }

    /// The questions that satisfy a test were answered; should one come up again, it counts anew.
    pub fn answered(&mut self, test: impl Fn(&ConsentQuestion) -> bool) {
        for asked in self.asked.iter_mut().filter(|asked| test(&asked.question)) {
            asked.open = false;
        }
    }
}

fn is_recent(asked: &Asked, now: u64) -> bool {
    asked.at.saturating_add(PROMPT_WINDOW_MS) > now
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
