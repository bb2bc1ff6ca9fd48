//! The web-like globals a guest finds.

use crate::support::{Actor, engine, on_message, spec, talkative};
use message::Grants;
use serde_json::{Value, json};

/// Starts a guest that answers with the value of an async expression.
async fn value_with(expression: &str, grants: Grants) -> Value {
    let source = on_message(&format!(
        "(async () => {expression})().then(
           (value) => reply({{code: 200, value}}),
           (error) => reply({{code: 500, value: String(error)}}))"
    ));
    let mut spec = spec(&source);
    spec.grants = grants;
    spec.location = "https://b.example/.well-known/protocolstub/default?x=1".parse().unwrap();
    Actor::ready_with(&engine(), spec).await.ask("{}").await["value"].clone()
}

async fn value(expression: &str) -> Value {
    value_with(expression, talkative()).await
}

#[tokio::test]
async fn dangerous_globals_are_gone() {
    assert_eq!(
        value("[typeof Atomics, typeof SharedArrayBuffer, typeof require, typeof process]").await,
        json!(["undefined", "undefined", "undefined", "undefined"])
    );
}

#[tokio::test]
async fn timers_fire_in_order_and_can_be_cleared() {
    let script = "new Promise((done) => {
        const seen = [];
        const begun = Date.now();
        setTimeout(() => seen.push('late'), 20);
        setTimeout(() => seen.push('soon', Date.now() >= begun + 5), 5);
        clearTimeout(setTimeout(() => seen.push('never'), 1));
        let count = 0;
        const every = setInterval(() => { if (++count === 3) { clearInterval(every); seen.push('thrice'); } }, 10);
        setTimeout(() => done(seen), 80);
    })";
    assert_eq!(value(script).await, json!(["soon", true, "late", "thrice"]));
}

#[tokio::test]
async fn timers_exist_only_when_granted() {
    let grants = Grants { timers: false, ..talkative() };
    assert_eq!(
        value_with("[typeof setTimeout, typeof setInterval, typeof queueMicrotask]", grants).await,
        json!(["undefined", "undefined", "function"])
    );
}

#[tokio::test]
async fn guests_do_not_share_their_randomness() {
    let script = "[Math.random(), crypto.randomUUID(), Array.from(crypto.getRandomValues(new Uint8Array(8)))]";
    let (one, two) = (value(script).await, value(script).await);
    for index in 0..3 {
        assert_ne!(one[index], two[index]);
    }
    let id = one[1].as_str().unwrap();
    assert_eq!((id.len(), &id[14..15]), (36, "4"));
}

#[tokio::test]
async fn the_clock_is_coarse() {
    assert_eq!(
        value("[Date.now() % 1, performance.now() % 1, performance.now() < 5000, Date.now() > 1.7e12]").await,
        json!([0, 0, true, true])
    );
}

#[tokio::test]
async fn digests_come_from_the_host() {
    let script = "Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode('abc'))).slice(0, 4))";
    assert_eq!(value(script).await, json!([0xba, 0x78, 0x16, 0xbf]));
    assert!(
        value("crypto.subtle.digest('SHA-1', new Uint8Array(1))").await.as_str().unwrap().contains("NotSupportedError")
    );
}

#[tokio::test]
async fn text_is_encoded_and_decoded() {
    let script = "[Array.from(new TextEncoder().encode('hé🙂')), new TextDecoder().decode(new Uint8Array([104, 195, 169])),
        (() => { const d = new TextDecoder(); return d.decode(new Uint8Array([240, 159]), {stream: true}) + d.decode(new Uint8Array([153, 130])) })(),
        (() => { try { new TextDecoder('utf-8', {fatal: true}).decode(new Uint8Array([255])) } catch (e) { return e.name } })(),
        new TextDecoder('latin1').decode(new Uint8Array([233])), btoa('hello'), atob('aGVsbG8=')]";
    let expected = json!([[104, 195, 169, 240, 159, 153, 130], "hé", "🙂", "TypeError", "é", "aGVsbG8=", "hello"]);
    assert_eq!(value(script).await, expected);
}

#[tokio::test]
async fn urls_are_read_as_the_standard_says() {
    for (input, base, expected) in [
        ("https://User:pw@B.Example:443/a/../b/./c?q=1#f", "", "https://User:pw@b.example/b/c?q=1#f"),
        ("HTTP://b.example", "", "http://b.example/"),
        ("ws://b.example:80/x", "", "ws://b.example/x"),
        ("wss://b.example:7443/x y", "", "wss://b.example:7443/x%20y"),
        ("hyperty://b.example/1/2", "", "hyperty://b.example/1/2"),
        ("../x?y", "https://b.example/a/b/c", "https://b.example/a/x?y"),
        ("/x", "https://b.example/a/b", "https://b.example/x"),
        ("//c.example/x", "https://b.example/a", "https://c.example/x"),
        ("?q", "https://b.example/a/b", "https://b.example/a/b?q"),
        ("#h", "https://b.example/a?b", "https://b.example/a?b#h"),
        ("", "https://b.example/a?b#c", "https://b.example/a?b"),
        ("sip:ben@b.example", "", "sip:ben@b.example"),
        ("https:\\\\b.example\\a", "", "https://b.example/a"),
        ("https://[::1]:8080/", "", "https://[::1]:8080/"),
        ("file:///etc/passwd", "", "file:///etc/passwd"),
        ("data:text/plain,a b", "", "data:text/plain,a b"),
        ("https://127.0.0.1/%zz", "", "https://127.0.0.1/%zz"),
    ] {
        let base = if base.is_empty() { "undefined".into() } else { format!("'{base}'") };
        let input = input.replace('\\', "\\\\");
        assert_eq!(value(&format!("new URL('{input}', {base}).href")).await, expected, "{input}");
    }
    for bad in ["", "nothing", "https://", "https://a b/", "http://1.2.3/", "https://x:99999/"] {
        assert_eq!(value(&format!("[URL.canParse('{bad}')]")).await, json!([false]), "{bad}");
    }
    let script = "(() => { const u = new URL('https://b.example:8443/p?a=1&b=x+y');
        u.searchParams.append('c', 'ü&='); u.hash = 'top'; u.port = '443'; u.pathname = 'q/r';
        return [u.href, u.origin, u.searchParams.get('b'), [...new URLSearchParams({k: 'v w'})].flat(), u.host] })()";
    assert_eq!(
        value(script).await,
        json!([
            "https://b.example/q/r?a=1&b=x+y&c=%C3%BC%26%3D#top",
            "https://b.example",
            "x y",
            ["k", "v w"],
            "b.example"
        ])
    );
}

#[tokio::test]
async fn events_reach_their_listeners() {
    let script = "(() => { const seen = []; const target = new EventTarget();
        target.onping = (event) => seen.push('attribute', event.detail);
        target.addEventListener('ping', { handleEvent: () => seen.push('object') });
        target.addEventListener('ping', () => seen.push('once'), { once: true });
        target.dispatchEvent(new CustomEvent('ping', { detail: 7 }));
        target.dispatchEvent(new CustomEvent('ping', { detail: 8 }));
        const stop = new AbortController();
        stop.signal.addEventListener('abort', () => seen.push(stop.signal.reason.name));
        stop.abort();
        return seen })()";
    assert_eq!(value(script).await, json!(["attribute", 7, "object", "once", "attribute", 8, "object", "AbortError"]));
}

#[tokio::test]
async fn plain_data_is_cloned() {
    let script =
        "(() => { const a = { m: new Map([[1, new Set([2])]]), d: new Date(5), b: new Uint8Array([1, 2]), r: /x/g };
        a.self = a; const c = structuredClone(a);
        let name; try { structuredClone(() => 1) } catch (e) { name = e.name }
        return [c !== a, c.self === c, [...c.m.get(1)], c.d.getTime(), Array.from(c.b), String(c.r), name] })()";
    assert_eq!(value(script).await, json!([true, true, [2], 5, [1, 2], "/x/g", "DataCloneError"]));
}

#[tokio::test]
async fn a_guest_has_a_place_and_a_window() {
    let script = "[self === window, window === globalThis, location.href, location.host, navigator.userAgent, new URL('x', location.href).href]";
    assert_eq!(
        value(script).await,
        json!([
            true,
            true,
            "https://b.example/.well-known/protocolstub/default?x=1",
            "b.example",
            "Parlance",
            "https://b.example/.well-known/protocolstub/x"
        ])
    );
}

#[tokio::test]
async fn storage_keeps_what_was_granted() {
    let grants = Grants { storage: 100, ..talkative() };
    let script = "(async () => { await storage.set('k', 'v'); const got = await storage.get('k'); const keys = await storage.keys();
        let name; try { await storage.set('big', 'x'.repeat(100)) } catch (e) { name = e.name }
        await storage.delete('k'); return [got, keys, name, await storage.get('k')] })()";
    assert_eq!(value_with(script, grants).await, json!(["v", ["k"], "QuotaExceededError", null]));
    assert!(value("storage.get('k')").await.as_str().unwrap().contains("not granted"));
}

#[tokio::test]
async fn the_console_is_bounded() {
    let source = on_message(
        "const loop = {}; loop.loop = loop; console.log('say', 1, {a: [1, 'b']}, loop, null); console.warn('x'.repeat(1e6));
         for (let i = 0; i < 1e4; i++) console.debug(i); reply({code: 200})",
    );
    let mut guest = Actor::ready(&engine(), &source).await;
    guest.ask("{}").await;
    assert_eq!(guest.logs[0], r#"say 1 {a: [1, "b"]} {loop: [circular]} null"#);
    assert_eq!(guest.logs[1].len(), 2000);
    assert!(guest.logs.len() <= 100);
}

#[tokio::test]
async fn an_unhandled_rejection_is_logged() {
    let source =
        on_message("Promise.reject(new Error('forgotten')); Promise.reject(1).catch(() => {}); reply({code: 200})");
    let mut guest = Actor::ready(&engine(), &source).await;
    guest.ask("{}").await;
    assert!(guest.logs[0].contains("forgotten"), "{:?}", guest.logs);
    assert!(!guest.logs.contains(&"1".to_string()));
}

#[tokio::test]
async fn a_body_is_read_whole_or_as_a_stream_and_only_once() {
    let script = "(async () => {
        const request = (body) => new Request('/send', { method: 'POST', body });
        const whole = request('h\u{e9}llo');
        const text = await whole.text();
        const twice = await whole.text().catch((error) => error.name);
        let parts = 0;
        for await (const part of request('stream').body) parts += part.length;
        const read = request('locked');
        read.body.getReader();
        const copied = request('copied');
        const copy = copied.clone();
        return [text, whole.bodyUsed, twice, parts, read.bodyUsed, await copied.text(), await copy.text(),
            request(undefined).body, await request(undefined).text(), await request('').text()];
    })()";
    assert_eq!(
        value(script).await,
        json!(["h\u{e9}llo", true, "TypeError", 6, true, "copied", "copied", null, "", ""])
    );
}

#[tokio::test]
async fn what_is_read_of_a_body_is_a_copy_of_its_own() {
    let script = "(async () => {
        const blob = new Blob(['blob']);
        new Uint8Array(await new Response(blob).arrayBuffer()).fill(88);
        return [await blob.text(), await new Response(blob).text()];
    })()";
    assert_eq!(value(script).await, json!(["blob", "blob"]));
}

#[tokio::test]
async fn an_address_is_read_beside_where_the_guest_is_now() {
    let script = "(async () => {
        const at = (place) => { globalThis.location = { href: place }; return new Request('x').url; };
        return [at('https://b.example/a/'), at('https://c.example/b/'), at('https://b.example/a/'), new Request('https://B.example').url];
    })()";
    let first = value(script).await;
    assert_eq!(
        first,
        json!(["https://b.example/a/x", "https://c.example/b/x", "https://b.example/a/x", "https://b.example/"])
    );
}
