//! A guest and the bus: who it is, to whom it may speak, and what it hears.

use crate::support::{APP, Actor, GUEST, address, engine, on_message, request, spec, talkative};
use message::{AddressPattern, Body, Code, Grants, Message, MessageType};
use sandbox::{Budget, GuestEvent, GuestSpec, PostError, StopCause};
use serde_json::json;

#[tokio::test]
async fn a_guest_answers_a_request() {
    let mut guest = Actor::ready(&engine(), &on_message("reply({code: 200, value: message.body.n + 1})")).await;
    assert_eq!(guest.ask(r#"{"n":41}"#).await, json!({"code": 200, "value": 42}));
    assert_eq!(guest.guest.stats().delivered, 1);
}

#[tokio::test]
async fn a_body_nobody_touches_is_passed_on_as_it_is() {
    let source = on_message("message.to = 'comm://a.localhost/1'; message.from = undefined; bus.postMessage(message)");
    let mut guest = Actor::ready(&engine(), &source).await;
    // The spaces would be lost if the body had been parsed and written again.
    guest.post(r#"{ "text" : "hé🙂llo" }"#);
    let passed = guest.message().await;
    assert_eq!(passed.body.as_str(), r#"{ "text" : "hé🙂llo" }"#);
    assert_eq!((passed.id, passed.from, passed.to), (1, address(GUEST), address("comm://a.localhost/1")));
}

#[tokio::test]
async fn a_message_looks_like_a_plain_object() {
    let source = on_message(
        "const copy = JSON.parse(JSON.stringify(message));
         const spread = { ...message };
         message.body.changed = true;
         reply({ code: 200, value: [Object.keys(message), copy.body.a, spread.body.a, message.body.changed, copy.type] })",
    );
    let mut guest = Actor::ready(&engine(), &source).await;
    let value = json!([["id", "type", "from", "to", "body"], 1, 1, true, "execute"]);
    assert_eq!(guest.ask(r#"{"a":1}"#).await, json!({"code": 200, "value": value}));
}

#[tokio::test]
async fn a_guest_cannot_speak_as_another() {
    let source = on_message(
        "bus.postMessage({type: 'event', from: 'user://b.localhost/ben', to: 'comm://a.localhost/1', body: {}})",
    );
    let mut guest = Actor::ready(&engine(), &source).await;
    guest.post("{}");
    assert_eq!(guest.message().await.from, address(GUEST));
}

#[tokio::test]
async fn a_stub_speaks_as_its_domain() {
    let source = on_message(
        "bus.postMessage({type: 'event', from: 'user://b.localhost/ben', to: 'comm://a.localhost/1', body: {}})",
    );
    let mut spec = spec(&source);
    spec.speak_as = vec![AddressPattern::parse("user://b.localhost/*").unwrap()];
    let mut guest = Actor::ready_with(&engine(), spec).await;
    guest.post("{}");
    assert_eq!(guest.message().await.from, address("user://b.localhost/ben"));
}

#[tokio::test]
async fn a_guest_without_a_grant_is_refused_and_told() {
    let source = on_message(
        "bus.postMessage({type: 'create', to: 'comm://b.localhost/1', body: {}},
                         (answer) => reply({code: 200, value: answer.body.code}))",
    );
    let mut guest = Actor::ready_with(&engine(), GuestSpec::new("test", address(GUEST), source)).await;
    // The answer itself passes: whoever asked may hear it.
    assert_eq!(guest.ask("{}").await, json!({"code": 200, "value": 403}));
    assert_eq!(guest.guest.stats().refused, 1);
}

#[tokio::test]
async fn answers_find_their_requests_and_provisional_ones_keep_them_open() {
    let source = on_message(
        "const codes = [];
         bus.postMessage({type: 'create', to: 'comm://a.localhost/1', body: {}}, (answer) => {
           codes.push(answer.body.code);
           if (answer.body.code >= 200) reply({code: 200, value: codes});
         })",
    );
    let mut guest = Actor::ready(&engine(), &source).await;
    guest.post("{}");
    let asked = guest.message().await;
    for code in [100, 180, 201] {
        let response = message::Response::code(Code(code));
        guest.guest.post(asked.response(&response)).unwrap();
    }
    assert_eq!(guest.answer().await, json!({"code": 200, "value": [100, 180, 201]}));
}

#[tokio::test]
async fn silence_is_answered_with_408_in_the_guest() {
    let source = on_message(
        "bus.postMessage({type: 'create', to: 'comm://a.localhost/1', body: {}},
                         (answer) => reply(answer.body), 50)",
    );
    let mut guest = Actor::ready(&engine(), &source).await;
    guest.post("{}");
    guest.message().await;
    assert_eq!(guest.answer().await["code"], 408);
}

#[tokio::test]
async fn a_message_for_nobody_is_answered_with_404() {
    let mut guest = Actor::ready(&engine(), "function activate() { return {}; }").await;
    assert_eq!(guest.ask("{}").await["code"], 404);
}

#[tokio::test]
async fn a_star_listener_hears_what_no_other_hears_and_a_removed_one_nothing() {
    let source = "function activate(url, bus) {
        bus.addListener('*', (message, reply) => reply({code: 200, value: '*'}));
        const exact = bus.addListener(url, (message, reply) => { exact.remove(); reply({code: 200, value: exact.url}); });
        return {};
    }";
    let mut guest = Actor::ready(&engine(), source).await;
    assert_eq!(guest.ask("{}").await["value"], GUEST);
    assert_eq!(guest.ask("{}").await["value"], "*");
}

#[tokio::test]
async fn messages_inside_one_sandbox_stay_there() {
    let source = format!(
        "function activate(url, bus) {{
            bus.addListener(url + '/inner', (message, reply) => {{
                if (message.from !== url) throw new Error('from ' + message.from);
                reply({{code: 200, value: message.body.n * 2}});
            }});
            bus.addListener(url, (message, outer) =>
                bus.postMessage({{type: 'execute', to: '{GUEST}/inner', body: {{n: 21}}}}, (answer) => outer(answer.body)));
            return {{}};
        }}"
    );
    let mut guest = Actor::ready(&engine(), &source).await;
    assert_eq!(guest.ask("{}").await["value"], 42);
    assert_eq!(guest.guest.stats().sent, 1, "only the last answer left the sandbox");
}

#[tokio::test]
async fn a_flood_is_cut_off() {
    let source = on_message(
        "for (let i = 0; i < 50; i++) bus.postMessage({type: 'event', to: 'comm://a.localhost/1', body: {i}})",
    );
    let mut spec = spec(&source);
    spec.budget = Budget { messages_per_second: 10, ..Budget::default() };
    let mut guest = Actor::ready_with(&engine(), spec).await;
    guest.post("{}");
    for _ in 0..10 {
        guest.message().await;
    }
    guest.guest.stop();
    assert_eq!(guest.stopped().await, StopCause::Asked);
    assert!(guest.guest.stats().refused >= 39);
}

#[tokio::test]
async fn an_inbox_is_bounded_and_an_unread_guest_is_slowed_down() {
    let source = on_message("bus.postMessage({type: 'event', to: 'comm://a.localhost/1', body: {}})");
    let mut spec = spec(&source);
    spec.budget = Budget { unread_limit: 8, ..Budget::default() };
    let mut guest = Actor::ready_with(&engine(), spec).await;
    let mut posted = 0;
    let refused = loop {
        match guest.guest.post(request(1, "{}")) {
            Ok(()) => posted += 1,
            Err(PostError::Full(message)) => break message,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(refused, request(1, "{}"), "the message comes back");
    assert!(posted >= 8);
    for _ in 0..posted {
        guest.message().await;
    }
    guest.guest.post(refused).unwrap();
    guest.message().await;
}

#[tokio::test]
async fn a_stopped_guest_takes_no_messages() {
    let mut guest = Actor::ready(&engine(), &on_message("")).await;
    guest.guest.stop();
    assert_eq!(guest.stopped().await, StopCause::Asked);
    assert_eq!(guest.guest.post(request(1, "{}")), Err(PostError::Stopped));
}

#[tokio::test]
async fn an_error_in_a_listener_is_logged_and_the_guest_lives_on() {
    let source = on_message("if (message.body.bad) throw new Error('oh dear'); reply({code: 200})");
    let mut guest = Actor::ready(&engine(), &source).await;
    guest.post(r#"{"bad":true}"#);
    assert_eq!(guest.ask("{}").await["code"], 200);
    assert!(guest.logs.iter().any(|line| line.contains("oh dear")), "{:?}", guest.logs);
}

#[tokio::test]
async fn a_guest_that_cannot_start_says_why() {
    for (source, word) in [
        ("this is not JavaScript", "SyntaxError"),
        ("const nothing = 1;", "activate"),
        ("function activate() { throw new RangeError('no'); }", "RangeError: no"),
        ("", "activate"),
    ] {
        let mut guest = Actor::start(&engine(), spec(source));
        match guest.next().await {
            GuestEvent::Stopped(StopCause::Crash(text)) => assert!(text.contains(word), "{text}"),
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn large_messages_cross_both_ways() {
    let mut guest = Actor::ready(&engine(), &on_message("reply({code: 200, value: message.body.text})")).await;
    let text = "ä".repeat(500_000);
    let answer = guest.ask(&json!({ "text": text }).to_string()).await;
    assert_eq!(answer["value"].as_str().unwrap().len(), text.len());
    // Larger than a message may be: the guest gets an error, and nothing leaves.
    let source = on_message(
        "try { reply({code: 200, value: 'x'.repeat(2 << 20)}) } catch (e) { reply({code: 413, value: e.name}) }",
    );
    let mut guest = Actor::ready(&engine(), &source).await;
    assert_eq!(guest.ask("{}").await["value"], "RangeError");
}

#[tokio::test]
async fn two_guests_talk_to_each_other() {
    let engine = engine();
    let mut ana = Actor::ready(&engine, &on_message("reply({code: 200, value: 'ana'})")).await;
    let mut other = spec(&on_message("reply({code: 200, value: 'ben'})"));
    other.grants = Grants { speak_to: vec![AddressPattern::parse(APP).unwrap()], ..talkative() };
    let mut ben = Actor::ready_with(&engine, other).await;
    assert_eq!(
        (ana.ask("{}").await["value"].clone(), ben.ask("{}").await["value"].clone()),
        (json!("ana"), json!("ben"))
    );
    assert_eq!(engine.running(), 2);
}

#[tokio::test]
async fn frames_of_a_hostile_guest_are_refused_without_harm() {
    let source = on_message(
        "for (const bad of [{to: 'nowhere'}, {to: 'comm://A/1'}, {to: 'comm://a/1', type: 'dance'}, {to: 'comm://a/1', id: -1},
                            {to: 'comm://a/1', id: 2 ** 60}, {to: 'comm://a/1', from: '\\ud800'}, {to: 'comm://a/1', id: 'x'},
                            {to: 'comm://a/1\\n{}'}, {to: 'comm://a/1', body: () => 1}, {to: 'comm://a/1', id: 1.5}]) {
           try { bus.postMessage({type: 'event', body: {}, ...bad}); } catch (error) {}
         }
         reply({code: 200})",
    );
    let mut guest = Actor::ready(&engine(), &source).await;
    guest.post("{}");
    let mut last = guest.message().await;
    while last.kind != MessageType::Response {
        last = guest.message().await;
    }
    assert_eq!(
        last,
        Message {
            body: Body::from_json(r#"{"code":200}"#).unwrap(),
            ..request(1, "{}").response(&message::Response::code(Code::OK))
        }
    );
}
