//! What a guest may reach over the network, against a real server on this machine.

use std::convert::Infallible;
use std::time::Duration;

use crate::support::{Actor, engine, on_message, spec, talkative};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::{Message as Frame, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Sse, sse::Event};
use axum::routing::{get, post};
use message::{Grants, Origin};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::IntervalStream;

async fn serve() -> u16 {
    let app = Router::new()
        .route("/hello", get(|| async { ([("x-test", "yes")], "hello") }))
        .route(
            "/echo",
            post(|headers: HeaderMap, body: Bytes| async move {
                let kind =
                    headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
                format!("{kind}|{}|{}", headers.contains_key("cookie"), String::from_utf8_lossy(&body))
            }),
        )
        .route("/missing", get(|| async { StatusCode::NOT_FOUND }))
        .route("/near", get(|| async { Redirect::to("/hello") }))
        .route("/far", get(|| async { Redirect::to("http://other.localhost:1/") }))
        .route("/endless", get(endless))
        .route("/events", get(events))
        .route("/socket", get(|upgrade: WebSocketUpgrade| async { upgrade.protocols(["parlance"]).on_upgrade(echo) }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, app).await });
    port
}

async fn endless() -> impl IntoResponse {
    let ticks = IntervalStream::new(tokio::time::interval(Duration::from_millis(1)));
    Body::from_stream(ticks.map(|_| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 10_000]))))
}

async fn events(headers: HeaderMap) -> impl IntoResponse {
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap().to_owned()).unwrap_or_default();
    let events = [
        Event::default().data("one\nline two").id("1").retry(Duration::from_millis(100)),
        Event::default().event("named").data(format!("after {last}")).id("2"),
    ];
    Sse::new(tokio_stream::iter(events).map(Ok::<_, Infallible>))
}

async fn echo(mut socket: axum::extract::ws::WebSocket) {
    while let Some(Ok(frame)) = socket.recv().await {
        match frame {
            Frame::Text(text) if text.as_str() == "bye" => break,
            Frame::Text(_) | Frame::Binary(_) => socket.send(frame).await.unwrap(),
            _ => {}
        }
    }
}

fn granted(port: u16) -> Grants {
    Grants {
        fetch: vec![Origin::parse(&format!("http://b.localhost:{port}")).unwrap()],
        web_socket: vec![Origin::parse(&format!("ws://b.localhost:{port}")).unwrap()],
        ..talkative()
    }
}

/// The value of an async function body in a guest with these grants; PORT stands for the server's port.
async fn value(port: u16, grants: Grants, body: &str) -> Value {
    let body = body.replace("PORT", &port.to_string());
    let source = on_message(&format!(
        "(async () => {{ {body} }})().then((value) => reply({{code: 200, value}}), (error) => reply({{code: 500, value: String(error)}}))"
    ));
    let mut spec = spec(&source);
    spec.grants = grants;
    Actor::ready_with(&engine(), spec).await.ask("{}").await["value"].clone()
}

#[tokio::test]
async fn without_a_grant_there_is_no_network() {
    let port = serve().await;
    for script in [
        "return (await fetch('http://b.localhost:PORT/hello')).status",
        "return new Promise((_, no) => { const s = new WebSocket('ws://b.localhost:PORT/socket'); s.onerror = (e) => no(e.message) })",
    ] {
        let refusal = value(port, talkative(), script).await;
        assert!(refusal.as_str().unwrap().contains("not granted"), "{refusal}");
    }
    // A grant is for one origin: another name, scheme or port is another origin.
    for url in [
        "http://c.localhost:PORT/hello",
        "http://b.localhost:1/hello",
        "https://b.localhost:PORT/hello",
        "file:///etc/passwd",
    ] {
        let refusal = value(port, granted(port), &format!("return (await fetch('{url}')).status")).await;
        assert!(refusal.as_str().unwrap().contains("not granted"), "{refusal}");
    }
}

#[tokio::test]
async fn a_public_guest_does_not_reach_this_machine() {
    let port = serve().await;
    let mut spec = spec(&on_message(
        &"fetch('http://127.0.0.1:PORT/hello').then((r) => reply({code: 200, value: r.status}), (e) => reply({code: 500, value: String(e)}))"
            .replace("PORT", &port.to_string()),
    ));
    spec.grants = Grants { fetch: vec![Origin::parse(&format!("http://127.0.0.1:{port}")).unwrap()], ..talkative() };
    spec.reach = transport::Reach::Public;
    let answer = Actor::ready_with(&engine(), spec).await.ask("{}").await;
    assert!(answer["value"].as_str().unwrap().contains("private network"), "{answer}");
}

#[tokio::test]
async fn a_granted_origin_is_fetched() {
    let port = serve().await;
    let script = "const r = await fetch('http://b.localhost:PORT/hello');
        const copy = r.clone();
        return [r.ok, r.status, r.headers.get('X-Test'), await r.text(), r.bodyUsed, await copy.text(), r.redirected]";
    assert_eq!(value(port, granted(port), script).await, json!([true, 200, "yes", "hello", true, "hello", false]));
    let script = "const r = await fetch('http://b.localhost:PORT/echo', { method: 'post', body: new URLSearchParams({a: 'b c'}), headers: {Cookie: 'x=1'} });
        return [await r.text(), (await fetch('http://b.localhost:PORT/missing')).status]";
    assert_eq!(
        value(port, granted(port), script).await,
        json!(["application/x-www-form-urlencoded;charset=UTF-8|false|a=b+c", 404])
    );
}

#[tokio::test]
async fn redirects_are_followed_only_to_granted_origins() {
    let port = serve().await;
    let script = "const r = await fetch('http://b.localhost:PORT/near'); return [r.redirected, new URL(r.url).pathname, await r.text()]";
    assert_eq!(value(port, granted(port), script).await, json!([true, "/hello", "hello"]));
    let refusal = value(port, granted(port), "return (await fetch('http://b.localhost:PORT/far')).status").await;
    assert!(refusal.as_str().unwrap().contains("not granted"), "{refusal}");
}

#[tokio::test]
async fn a_body_is_read_while_it_arrives_and_can_be_left() {
    let port = serve().await;
    let script = "const r = await fetch('http://b.localhost:PORT/endless');
        let bytes = 0; let pieces = 0;
        for await (const piece of r.body) { bytes += piece.length; if (++pieces === 20) break; }
        const stop = new AbortController();
        const second = await fetch('http://b.localhost:PORT/endless', { signal: stop.signal });
        const reader = second.body.getReader();
        const first = await reader.read();
        stop.abort();
        let name; try { for (;;) await reader.read() } catch (e) { name = e.name }
        return [bytes > 0, first.done, name]";
    assert_eq!(value(port, granted(port), script).await, json!([true, false, "AbortError"]));
}

#[tokio::test]
async fn a_guest_that_does_not_read_holds_the_server_back() {
    let port = serve().await;
    let script = "const r = await fetch('http://b.localhost:PORT/endless');
        await new Promise((done) => setTimeout(done, 300));
        const reader = r.body.getReader();
        // What is here already comes without the host having a turn; a timer would give it as many as the machine is slow.
        const idle = async () => { for (let turn = 0; turn < 50; turn++) await null; return 'idle'; };
        let pieces = 0;
        for (;;) { const next = await Promise.race([reader.read(), idle()]); if (next === 'idle') break; pieces++; }
        return [pieces > 0, pieces <= 6]";
    assert_eq!(value(port, granted(port), script).await, json!([true, true]));
}

#[tokio::test]
async fn fetches_are_bounded_in_number() {
    let port = serve().await;
    let script = "const all = await Promise.allSettled(Array.from({length: 20}, () => fetch('http://b.localhost:PORT/endless')));
        return all.filter((one) => one.status === 'fulfilled').length";
    assert_eq!(value(port, granted(port), script).await, json!(16));
}

#[tokio::test]
async fn server_sent_events_arrive_and_the_source_comes_back() {
    let port = serve().await;
    let script = "return new Promise((done) => {
        const seen = []; const source = new EventSource('http://b.localhost:PORT/events');
        source.onopen = () => seen.push('open');
        source.onmessage = (event) => seen.push(event.data);
        source.addEventListener('named', (event) => {
            seen.push(event.data, event.lastEventId);
            if (seen.filter((one) => one === 'open').length === 2) { source.close(); done(seen); }
        });
    })";
    assert_eq!(
        value(port, granted(port), script).await,
        json!(["open", "one\nline two", "after ", "2", "open", "one\nline two", "after 2", "2"])
    );
}

#[tokio::test]
async fn a_web_socket_echoes_text_and_bytes() {
    let port = serve().await;
    let script = "return new Promise((done) => {
        const seen = []; const socket = new WebSocket('ws://b.localhost:PORT/socket', ['parlance']);
        socket.binaryType = 'arraybuffer';
        socket.onopen = () => { seen.push(socket.protocol, socket.readyState); socket.send('hé🙂'); socket.send(new Uint8Array([1, 2, 3])); };
        socket.onmessage = ({ data }) => {
            if (typeof data === 'string') return seen.push(data);
            seen.push(Array.from(new Uint8Array(data)));
            socket.close(1000, 'done');
        };
        socket.onclose = (event) => done([...seen, event.code, event.wasClean, socket.bufferedAmount, socket.readyState]);
    })";
    assert_eq!(value(port, granted(port), script).await, json!(["parlance", 1, "hé🙂", [1, 2, 3], 1000, true, 0, 3]));
}

#[tokio::test]
async fn a_web_socket_carries_many_and_large_frames() {
    let port = serve().await;
    let script = "return new Promise((done, fail) => {
        let count = 0; let bytes = 0; const socket = new WebSocket('ws://b.localhost:PORT/socket');
        socket.onopen = () => { for (let i = 0; i < 300; i++) socket.send('x'.repeat(i === 299 ? 1000000 : 100)); };
        socket.onmessage = ({ data }) => { bytes += data.length; if (++count === 300) done(bytes); };
        socket.onclose = (event) => fail(event.reason);
    })";
    assert_eq!(value(port, granted(port), script).await, json!(1_029_900));
}

#[tokio::test]
async fn a_lost_web_socket_is_told() {
    let port = serve().await;
    let script = "return new Promise((done) => {
        const seen = []; const socket = new WebSocket('ws://b.localhost:PORT/socket');
        socket.onopen = () => socket.send('bye');
        socket.onclose = (event) => done(socket.readyState);
    })";
    assert_eq!(value(port, granted(port), script).await, json!(3));
}
