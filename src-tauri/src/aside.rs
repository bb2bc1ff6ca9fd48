//! Decides when a call has a small window above all others: while the person works elsewhere.

use std::collections::HashMap;

use api::contract::{CallStage, CallView};

/// What is known of the calls and of where the person looks.
#[derive(Debug, Default)]
pub struct Aside {
    /// The person wants no small window.
    off: bool,
    /// The main window has the focus.
    looks: bool,
    /// The calls that go on, by address, and the talk that each is a part of.
    going: HashMap<String, String>,
    /// The talk that was lost with nobody looking; it is to be seen until somebody does.
    lost: Option<String>,
    /// The talk whose small window was closed by hand.
    closed: Option<String>,
}

impl Aside {
    /// A call changed. Calls that ring here have a window of their own.
    pub fn hear(&mut self, call: &CallView) {
        let talk = call.joint.as_ref().map_or(&call.call, |joint| &joint.id).clone();
        match &call.stage {
            CallStage::Ringing if call.incoming => {}
            CallStage::Ended { reason, .. } => {
                let known = self.going.remove(&call.call).is_some();
                if known && reason == "dropped" && !self.looks && self.going.is_empty() {
                    self.lost = Some(talk);
                }
            }
            _ => {
                self.lost = None;
                self.going.insert(call.call.clone(), talk);
            }
        }
        if self.going.is_empty() && self.lost.is_none() {
            self.closed = None;
        }
    }

    /// The main window got the focus, or lost it.
    pub fn look(&mut self, looks: bool) {
        self.looks = looks;
        if looks {
            self.lost = None;
        }
    }

    /// The person closed the small window: it does not come again for this talk.
    pub fn closed(&mut self) {
        self.closed = self.talk().cloned();
        self.lost = None;
    }

    /// The person set whether there is a small window at all.
    pub fn set(&mut self, on: bool) {
        self.off = !on;
    }

    /// Nothing is known any more, as after news were missed.
    pub fn forget(&mut self) {
        self.going.clear();
        self.lost = None;
    }

    /// Whether the small window is to be there.
    pub fn wanted(&self) -> bool {
        !self.off && !self.looks && self.talk().is_some_and(|talk| self.closed.as_ref() != Some(talk))
    }

    fn talk(&self) -> Option<&String> {
        self.going.values().min().or(self.lost.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, incoming: bool, stage: CallStage) -> CallView {
        let view = serde_json::json!({
            "call": name, "user": "ben@b.localhost", "name": "Ben", "identity": null, "code": null, "incoming": incoming,
            "stage": stage, "connectedAt": null, "muted": false, "theirMuted": false, "inputLevel": 0, "outputLevel": 0,
            "microphone": null, "pictures": { "camera": { "at": "off" }, "theirs": "off", "share": { "at": "off" }, "screen": false }, "hold": "no", "joint": null,
        });
        serde_json::from_value(view).unwrap()
    }

    fn ended(reason: &str) -> CallStage {
        serde_json::from_value(serde_json::json!({ "at": "ended", "reason": reason, "seconds": 3 })).unwrap()
    }

    #[test]
    fn who_looks_at_the_app_sees_no_second_window() {
        let mut aside = Aside::default();
        aside.look(true);
        aside.hear(&call("a", false, CallStage::Connected));
        assert!(!aside.wanted());
        aside.look(false);
        assert!(aside.wanted());
        aside.look(true);
        assert!(!aside.wanted());
    }

    #[test]
    fn a_call_that_rings_here_has_another_window() {
        let mut aside = Aside::default();
        aside.hear(&call("a", true, CallStage::Ringing));
        assert!(!aside.wanted());
        aside.hear(&call("a", true, CallStage::Securing));
        assert!(aside.wanted());
    }

    #[test]
    fn closed_by_hand_it_stays_away_until_the_next_call() {
        let mut aside = Aside::default();
        aside.hear(&call("a", false, CallStage::Connected));
        aside.closed();
        assert!(!aside.wanted());
        aside.hear(&call("a", false, CallStage::Reconnecting));
        assert!(!aside.wanted());
        aside.hear(&call("a", false, ended("hung-up")));
        aside.hear(&call("b", false, CallStage::Connected));
        assert!(aside.wanted());
    }

    #[test]
    fn who_wants_none_gets_none_and_may_change_their_mind_in_a_call() {
        let mut aside = Aside::default();
        aside.set(false);
        aside.hear(&call("a", false, CallStage::Connected));
        assert!(!aside.wanted());
        aside.forget();
        aside.hear(&call("b", false, CallStage::Connected));
        assert!(!aside.wanted(), "what was set is not forgotten with the calls");
        aside.set(true);
        assert!(aside.wanted());
        aside.set(false);
        assert!(!aside.wanted());
    }

    #[test]
    fn a_call_that_is_over_needs_none_and_a_lost_one_is_told_of() {
        let mut aside = Aside::default();
        aside.hear(&call("a", false, CallStage::Connected));
        aside.hear(&call("a", false, ended("hung-up")));
        assert!(!aside.wanted());
        aside.hear(&call("b", false, CallStage::Connected));
        aside.hear(&call("b", false, ended("dropped")));
        assert!(aside.wanted());
        aside.look(true);
        aside.look(false);
        assert!(!aside.wanted(), "it was seen");
    }

    #[test]
    fn one_that_was_not_known_is_not_lost() {
        let mut aside = Aside::default();
        aside.hear(&call("a", true, ended("dropped")));
        assert!(!aside.wanted());
    }
}
