//! The life of one call as a machine: what happens goes in, what to do comes out.

use serde::{Deserialize, Serialize};

use crate::end::{ByeReason, EndReason, FailureCode};
use crate::fingerprint::Fingerprint;
use crate::stage::{CallState, Ended, Party, RECONNECT_LIMIT_MS, RINGING_LIMIT_MS, STAGE_LIMIT_MS, Stage};

/// Which end of the call this device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It called.
    Caller,
    /// It was called.
    Callee,
}

/// Everything that can happen to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The callee's address is known.
    Found,
    /// There is no such person.
    NotFound,
    /// A domain or the callee's policy refused the call.
    NotPermitted,
    /// The invitation is kept until a device of the callee comes; none is there now.
    Kept,
    /// The invitation reached a device (caller), or came to us (callee).
    Invited,
    /// Our offer is made.
    OfferMade,
    /// The callee's device rings.
    RemoteRinging,
    /// The person here (callee) or there (caller) accepted.
    Accepted,
    /// The callee's answer is here.
    AnswerReceived,
    /// A path between the devices exists.
    IceConnected,
    /// The media path shows the certificate the peer vouched for.
    FingerprintVerified(Fingerprint),
    /// It shows another one.
    FingerprintMismatch,
    /// The first sound of the peer was played.
    FirstAudio,
    /// The path is lost for now.
    Interrupted,
    /// The path is back.
    Resumed,
    /// The media engine, the description or the signalling failed.
    Failed(FailureCode),
    /// The peer ended the call.
    RemoteBye(ByeReason),
    /// The person here hung up.
    LocalHangup,
    /// The person here said no.
    Declined,
    /// The person here is in another call.
    Busy,
    /// Time passed.
    Tick,
}

/// Everything a call can ask of its home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Play this, instead of what plays now.
    Play(Tone),
    /// Stop the tone.
    Silence,
    /// Tell the peer that it is over.
    SendBye(ByeReason),
    /// Close the media of this call.
    CloseMedia,
    /// The state changed: show it.
    Show,
}

/// A sound that is not the peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tone {
    /// Somebody calls.
    Ring,
    /// It rings at the peer's.
    Ringback,
    /// The callee is busy.
    Busy,
    /// The call was lost.
    Dropped,
}

/// Why a call wants to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WakeReason {
    /// A stage's time is over.
    StageOver(Stage),
    /// The time to find a new path is over.
    ReconnectOver,
}

/// One call. Feed it with [`handle`](CallMachine::handle); show [`state`](CallMachine::state).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallMachine {
    role: Role,
    state: CallState,
}

impl CallMachine {
    /// A call we make.
    pub fn caller(now_ms: u64) -> Self {
        let state = CallState::Finding { since: now_ms, until: now_ms + STAGE_LIMIT_MS, found: false };
        Self { role: Role::Caller, state }
    }

    /// A call that came in: it rings here.
    pub fn callee(now_ms: u64) -> (Self, Vec<Action>) {
        let state = CallState::Ringing { since: now_ms, until: now_ms + RINGING_LIMIT_MS };
        (Self { role: Role::Callee, state }, vec![Action::Play(Tone::Ring), Action::Show])
    }

    /// Which end this device is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Where the call is.
    pub fn state(&self) -> &CallState {
        &self.state
    }

    /// When to send the next [`Input::Tick`], and what for.
    pub fn next_wake(&self) -> Option<(u64, WakeReason)> {
        let reason = match self.state.stage() {
            Stage::Connected => WakeReason::ReconnectOver,
            stage => WakeReason::StageOver(stage),
        };
        self.state.deadline().map(|at| (at, reason))
    }

    /// Takes in what happened; what came too late or makes no sense here changes nothing.
    pub fn handle(&mut self, now_ms: u64, input: Input) -> Vec<Action> {
        if self.state.is_over() {
            return Vec::new();
        }
        // A deadline that passed while we slept counts before what came after it.
        if self.state.deadline().is_some_and(|deadline| now_ms >= deadline) {
            return self.on_deadline(now_ms);
        }
        match input {
            Input::Tick => Vec::new(),
            Input::NotFound => self.fail(now_ms, FailureCode::NotFound),
            Input::NotPermitted => self.end(now_ms, EndReason::NotPermitted, Party::Them),
            Input::Kept => self.on_kept(now_ms),
            Input::Found | Input::Invited | Input::OfferMade => self.on_progress(now_ms),
            Input::RemoteRinging => self.on_remote_ringing(now_ms),
            Input::Accepted | Input::AnswerReceived => self.on_accepted(now_ms),
            Input::IceConnected => self.on_reachable(),
            Input::FingerprintVerified(fingerprint) => self.on_verified(now_ms, fingerprint),
            Input::FingerprintMismatch => self.end(now_ms, EndReason::FingerprintMismatch, Party::Us),
            Input::FirstAudio => self.on_first_audio(now_ms),
            Input::Interrupted => self.on_interrupted(now_ms),
            Input::Resumed => self.on_resumed(),
            Input::Failed(code) => self.fail(now_ms, code),
            Input::RemoteBye(bye) => self.end(now_ms, bye.ends(self.state.stage()), Party::Them),
            Input::LocalHangup => self.on_hangup(now_ms),
            Input::Declined => self.end(now_ms, EndReason::Declined, Party::Us),
            Input::Busy => self.end(now_ms, EndReason::Busy, Party::Us),
        }
    }

    fn on_kept(&mut self, now_ms: u64) -> Vec<Action> {
        match self.state {
            CallState::Finding { .. } => self.end(now_ms, EndReason::Offline, Party::Nobody),
            _ => Vec::new(),
        }
    }

    /// Each step of finding may take its time again, but only the first of its kind.
    fn on_progress(&mut self, now_ms: u64) -> Vec<Action> {
        match &mut self.state {
            CallState::Finding { until, found, .. } if !*found => {
                *found = true;
                *until = now_ms + STAGE_LIMIT_MS;
                vec![Action::Show]
            }
            _ => Vec::new(),
        }
    }

    fn on_remote_ringing(&mut self, now_ms: u64) -> Vec<Action> {
        match self.state {
            CallState::Finding { .. } => {
                self.state = CallState::Ringing { since: now_ms, until: now_ms + RINGING_LIMIT_MS };
                vec![Action::Play(Tone::Ringback), Action::Show]
            }
            _ => Vec::new(),
        }
    }

    fn on_accepted(&mut self, now_ms: u64) -> Vec<Action> {
        let rang = match self.state {
            CallState::Finding { .. } => false,
            CallState::Ringing { .. } => true,
            _ => return Vec::new(),
        };
        let until = now_ms + STAGE_LIMIT_MS;
        self.state = CallState::Securing { since: now_ms, until, reachable: false };
        let mut actions = vec![Action::Show];
        if rang {
            actions.insert(0, Action::Silence);
        }
        actions
    }

    fn on_reachable(&mut self) -> Vec<Action> {
        match &mut self.state {
            CallState::Securing { reachable, .. } if !*reachable => {
                *reachable = true;
                vec![Action::Show]
            }
            CallState::Connected { .. } => self.on_resumed(),
            _ => Vec::new(),
        }
    }

    fn on_verified(&mut self, now_ms: u64, fingerprint: Fingerprint) -> Vec<Action> {
        match &self.state {
            CallState::Securing { .. } => {
                let until = now_ms + STAGE_LIMIT_MS;
                self.state = CallState::Connecting { since: now_ms, until, fingerprint };
                vec![Action::Show]
            }
            // A certificate never changes within a call.
            CallState::Connecting { fingerprint: known, .. } | CallState::Connected { fingerprint: known, .. }
                if *known != fingerprint =>
            {
                self.end(now_ms, EndReason::FingerprintMismatch, Party::Us)
            }
            _ => Vec::new(),
        }
    }

    fn on_first_audio(&mut self, now_ms: u64) -> Vec<Action> {
        match self.state {
            CallState::Connecting { fingerprint, .. } => {
                self.state = CallState::Connected { since: now_ms, fingerprint, reconnecting_until: None };
                vec![Action::Show]
            }
            _ => Vec::new(),
        }
    }

    fn on_interrupted(&mut self, now_ms: u64) -> Vec<Action> {
        match &mut self.state {
            CallState::Connected { reconnecting_until: until @ None, .. } => {
                *until = Some(now_ms + RECONNECT_LIMIT_MS);
                vec![Action::Show]
            }
            _ => Vec::new(),
        }
    }

    fn on_resumed(&mut self) -> Vec<Action> {
        match &mut self.state {
            CallState::Connected { reconnecting_until, .. } if reconnecting_until.is_some() => {
                *reconnecting_until = None;
                vec![Action::Show]
            }
            _ => Vec::new(),
        }
    }

    fn on_hangup(&mut self, now_ms: u64) -> Vec<Action> {
        let ringing_here = self.role == Role::Callee && self.state.stage() == Stage::Ringing;
        let reason = if ringing_here { EndReason::Declined } else { EndReason::HungUp };
        self.end(now_ms, reason, Party::Us)
    }

    fn on_deadline(&mut self, now_ms: u64) -> Vec<Action> {
        let reason = match &self.state {
            CallState::Finding { found: true, .. } => EndReason::Offline,
            CallState::Ringing { .. } => EndReason::NoAnswer,
            CallState::Connected { .. } => EndReason::Dropped,
            CallState::Securing { reachable: false, .. } => {
                EndReason::Failed { stage: Stage::Securing, code: FailureCode::NoRoute }
            }
            state => EndReason::Failed { stage: state.stage(), code: FailureCode::TimedOut },
        };
        self.end(now_ms, reason, Party::Nobody)
    }

    fn fail(&mut self, now_ms: u64, code: FailureCode) -> Vec<Action> {
        let reason = match self.state.stage() {
            Stage::Connected => EndReason::Dropped,
            stage => EndReason::Failed { stage, code },
        };
        self.end(now_ms, reason, Party::Nobody)
    }

    fn end(&mut self, now_ms: u64, reason: EndReason, by: Party) -> Vec<Action> {
        let spoke_ms = match self.state {
            CallState::Connected { since, .. } => Some(now_ms.saturating_sub(since)),
            _ => None,
        };
        let rang = self.state.stage() == Stage::Ringing;
        let code = reason.code().into_owned();
        self.state = CallState::Ended(Ended { reason, code, by, at: now_ms, spoke_ms });

        let mut actions = Vec::with_capacity(4);
        if reason == EndReason::Busy && self.role == Role::Caller {
            actions.push(Action::Play(Tone::Busy));
        } else if reason == EndReason::Dropped {
            actions.push(Action::Play(Tone::Dropped));
        } else if rang {
            actions.push(Action::Silence);
        }
        if by != Party::Them {
            actions.push(Action::SendBye(reason.to_bye()));
        }
        actions.extend([Action::CloseMedia, Action::Show]);
        actions
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
