//! Stories of calls.

use super::*;

const T0: u64 = 1_800_000_000_000;

fn certificate(byte: u8) -> Fingerprint {
    Fingerprint::from_digest([byte; 32])
}

/// A call and its clock.
struct Story {
    call: CallMachine,
    now: u64,
}

impl Story {
    fn ana_calls() -> Self {
        Self { call: CallMachine::caller(T0), now: T0 }
    }

    fn ben_is_called() -> Self {
        Self { call: CallMachine::callee(T0).0, now: T0 }
    }

    fn after(&mut self, ms: u64) -> &mut Self {
        self.now += ms;
        self
    }

    fn then(&mut self, input: Input) -> Vec<Action> {
        self.call.handle(self.now, input)
    }

    fn all(mut self, inputs: impl IntoIterator<Item = Input>) -> Self {
        for input in inputs {
            self.after(100).then(input);
        }
        self
    }

    fn stage(&self) -> Stage {
        self.call.state().stage()
    }

    fn ended(&self) -> &Ended {
        match self.call.state() {
            CallState::Ended(ended) => ended,
            other => panic!("the call is not over: {other:?}"),
        }
    }
}

fn to_ringing() -> Story {
    Story::ana_calls().all([Input::Found, Input::OfferMade, Input::Invited, Input::RemoteRinging])
}

fn to_connected() -> Story {
    to_ringing().all([
        Input::AnswerReceived,
        Input::IceConnected,
        Input::FingerprintVerified(certificate(1)),
        Input::FirstAudio,
    ])
}

#[test]
fn ana_calls_ben_and_they_speak() {
    let mut story = Story::ana_calls();
    assert_eq!(story.stage(), Stage::Finding);
    story.then(Input::Found);
    story.then(Input::OfferMade);
    assert_eq!(story.then(Input::RemoteRinging), [Action::Play(Tone::Ringback), Action::Show]);
    assert_eq!(story.stage(), Stage::Ringing);
    assert_eq!(story.after(4_000).then(Input::Accepted), [Action::Silence, Action::Show]);
    assert_eq!(story.stage(), Stage::Securing);
    story.then(Input::AnswerReceived);
    story.then(Input::IceConnected);
    assert_eq!(story.then(Input::FingerprintVerified(certificate(1))), [Action::Show]);
    assert_eq!(story.stage(), Stage::Connecting);
    story.then(Input::FirstAudio);
    assert_eq!(story.stage(), Stage::Connected);
    assert_eq!(story.call.next_wake(), None, "a good call is not woken");

    let actions = story.after(60_000).then(Input::LocalHangup);
    assert_eq!(actions, [Action::SendBye(ByeReason::HungUp), Action::CloseMedia, Action::Show]);
    let ended = story.ended();
    assert_eq!((ended.reason, ended.by, ended.spoke_ms), (EndReason::HungUp, Party::Us, Some(60_000)));
}

#[test]
fn ben_answers_and_they_speak() {
    let (mut call, actions) = CallMachine::callee(T0);
    assert_eq!(actions, [Action::Play(Tone::Ring), Action::Show]);
    assert_eq!(call.handle(T0 + 1, Input::Accepted), [Action::Silence, Action::Show]);
    call.handle(T0 + 2, Input::IceConnected);
    call.handle(T0 + 3, Input::FingerprintVerified(certificate(1)));
    call.handle(T0 + 4, Input::FirstAudio);
    assert_eq!(call.state().stage(), Stage::Connected);
    let actions = call.handle(T0 + 5, Input::RemoteBye(ByeReason::HungUp));
    assert_eq!(actions, [Action::CloseMedia, Action::Show], "who said bye needs no bye");
}

#[test]
fn nobody_hears_anything_before_the_certificate_is_verified() {
    let mut story = to_ringing().all([Input::AnswerReceived, Input::IceConnected, Input::FirstAudio]);
    assert_eq!(story.stage(), Stage::Securing);
    story.then(Input::FingerprintVerified(certificate(1)));
    assert_eq!(story.stage(), Stage::Connecting);
}

#[test]
fn a_wrong_certificate_ends_the_call_at_once() {
    let mut story = to_ringing().all([Input::AnswerReceived, Input::IceConnected]);
    let actions = story.then(Input::FingerprintMismatch);
    assert!(actions.contains(&Action::CloseMedia));
    assert!(actions.contains(&Action::SendBye(ByeReason::FingerprintMismatch)));
    assert_eq!(story.ended().code, "fingerprint-mismatch");
}

#[test]
fn a_certificate_never_changes_within_a_call() {
    let mut story = to_connected();
    assert_eq!(story.then(Input::FingerprintVerified(certificate(1))), []);
    story.then(Input::FingerprintVerified(certificate(2)));
    assert_eq!(story.ended().reason, EndReason::FingerprintMismatch);
}

#[test]
fn ben_declines() {
    let mut ben = Story::ben_is_called();
    let actions = ben.then(Input::Declined);
    assert_eq!(actions, [Action::Silence, Action::SendBye(ByeReason::Declined), Action::CloseMedia, Action::Show]);
    let mut ana = to_ringing();
    ana.then(Input::RemoteBye(ByeReason::parse("declined")));
    assert_eq!((ana.ended().reason, ana.ended().by), (EndReason::Declined, Party::Them));
}

#[test]
fn hanging_up_while_it_rings_here_means_no() {
    let mut ben = Story::ben_is_called();
    ben.then(Input::LocalHangup);
    assert_eq!(ben.ended().reason, EndReason::Declined);
    let mut ana = to_ringing();
    ana.then(Input::LocalHangup);
    assert_eq!(ana.ended().reason, EndReason::HungUp);
}

#[test]
fn ben_is_busy() {
    let mut ana = Story::ana_calls();
    let actions = ana.then(Input::RemoteBye(ByeReason::Busy));
    assert_eq!(actions[0], Action::Play(Tone::Busy));
    let mut ben = Story::ben_is_called();
    assert!(ben.then(Input::Busy).contains(&Action::SendBye(ByeReason::Busy)));
}

#[test]
fn nobody_answers_for_forty_five_seconds() {
    let mut story = to_ringing();
    assert_eq!(story.call.next_wake(), Some((story.now + 45_000, WakeReason::StageOver(Stage::Ringing))));
    story.after(44_999).then(Input::Tick);
    assert_eq!(story.stage(), Stage::Ringing);
    let actions = story.after(1).then(Input::Tick);
    assert_eq!(story.ended().reason, EndReason::NoAnswer);
    assert!(actions.contains(&Action::SendBye(ByeReason::NoAnswer)));
}

#[test]
fn every_wait_has_an_end() {
    let stories: [(&str, Story, EndReason); 5] = [
        (
            "nothing is found out",
            Story::ana_calls(),
            EndReason::Failed { stage: Stage::Finding, code: FailureCode::TimedOut },
        ),
        ("no device speaks", Story::ana_calls().all([Input::Found]), EndReason::Offline),
        (
            "no path is found",
            to_ringing().all([Input::AnswerReceived]),
            EndReason::Failed { stage: Stage::Securing, code: FailureCode::NoRoute },
        ),
        (
            "the handshake stops",
            to_ringing().all([Input::AnswerReceived, Input::IceConnected]),
            EndReason::Failed { stage: Stage::Securing, code: FailureCode::TimedOut },
        ),
        (
            "no sound comes",
            to_ringing().all([Input::AnswerReceived, Input::FingerprintVerified(certificate(1))]),
            EndReason::Failed { stage: Stage::Connecting, code: FailureCode::TimedOut },
        ),
    ];
    for (name, mut story, reason) in stories {
        let (at, _) = story.call.next_wake().unwrap();
        assert!(at <= story.now + STAGE_LIMIT_MS, "{name}");
        story.now = at;
        story.then(Input::Tick);
        assert_eq!(story.ended().reason, reason, "{name}");
        assert_eq!(story.call.next_wake(), None, "{name}");
    }
}

#[test]
fn a_late_answer_does_not_wake_the_dead() {
    let mut story = to_ringing();
    story.after(50_000).then(Input::AnswerReceived);
    assert_eq!(story.ended().reason, EndReason::NoAnswer);
    assert_eq!(story.then(Input::RemoteBye(ByeReason::HungUp)), []);
    assert_eq!(story.ended().reason, EndReason::NoAnswer);
}

#[test]
fn repeated_news_do_not_stretch_a_stage() {
    let mut story = Story::ana_calls().all([Input::Found]);
    let wake = story.call.next_wake();
    story.after(5_000).then(Input::Found);
    story.then(Input::OfferMade);
    assert_eq!(story.call.next_wake(), wake);
}

#[test]
fn ben_has_no_device_on_line() {
    let mut story = Story::ana_calls().all([Input::Found]);
    story.then(Input::Kept);
    assert_eq!(story.ended().code, "offline");
}

#[test]
fn ben_does_not_exist() {
    let mut story = Story::ana_calls();
    story.then(Input::NotFound);
    assert_eq!(story.ended().code, "failed-finding-not-found");
}

#[test]
fn a_lost_path_that_comes_back_keeps_the_call() {
    let mut story = to_connected();
    assert_eq!(story.then(Input::Interrupted), [Action::Show]);
    assert_eq!(story.call.next_wake(), Some((story.now + 10_000, WakeReason::ReconnectOver)));
    story.after(9_000).then(Input::Resumed);
    assert_eq!(story.call.next_wake(), None);
    assert_eq!(story.stage(), Stage::Connected);
}

#[test]
fn a_lost_path_that_stays_lost_drops_the_call() {
    let mut story = to_connected();
    story.then(Input::Interrupted);
    let actions = story.after(10_000).then(Input::Tick);
    assert!(actions.contains(&Action::Play(Tone::Dropped)), "it is heard");
    assert_eq!(story.ended().reason, EndReason::Dropped);
    assert_eq!(story.ended().spoke_ms, Some(10_000));
}

#[test]
fn the_answer_may_come_before_the_ringing() {
    let mut story = Story::ana_calls().all([Input::Found]);
    assert_eq!(story.then(Input::AnswerReceived), [Action::Show]);
    assert_eq!(story.then(Input::RemoteRinging), []);
    assert_eq!(story.stage(), Stage::Securing);
}

#[test]
fn the_view_reads_as_one_flat_object() {
    let story = to_connected();
    let view = serde_json::to_value(story.call.state()).unwrap();
    assert_eq!(view["stage"], "connected");
    assert_eq!(view["reconnectingUntil"], serde_json::Value::Null);
    assert!(view["fingerprint"].as_str().unwrap().starts_with("01:01"));
    let mut over = to_ringing();
    over.then(Input::Failed(FailureCode::Media));
    let view = serde_json::to_value(over.call.state()).unwrap();
    assert_eq!(view["code"], "failed-ringing-media");
    assert_eq!(serde_json::from_value::<CallState>(view).unwrap(), *over.call.state());
}

#[test]
fn an_unknown_bye_is_a_failure_at_the_peer() {
    let mut story = to_connected();
    story.then(Input::RemoteBye(ByeReason::parse("\u{0}strange")));
    assert_eq!(story.ended().code, "failed-connected-at-peer");
}
