//! Writes the valid examples from which the fuzzers begin: `cargo run --example seeds` in tests/fuzz.

use std::fs;
use std::path::Path;

use catalogue::{Draft, PackageKind, PackageName, Publisher, paths};
use fuzz::{NOW, key};
use identity::{Attest, Cic, DeviceCredential, Digest, Evidence, PkToken, Renewal, Sigchain, Signer};
use keys::b64url;
use message::UserAddress;
use semver::Version;
use serde_json::json;

const DAY: i64 = 86_400;

fn main() {
    addresses();
    messages();
    identities();
    catalogues();
    objects();
    pages();
    calls();
    sign_in();
    nodes();
    profiles();
    guests();
}

fn seed(target: &str, name: &str, bytes: impl AsRef<[u8]>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&folder).expect("a folder for the seeds");
    fs::write(folder.join(name), bytes).expect("a seed");
}

fn addresses() {
    seed("address", "person", "ben@b.localhost");
    seed("address", "object", "comm://b.localhost/42/children/");
    seed("address", "user", "user://b.localhost/ben");
    seed("address", "pattern", "hyperty://b.localhost/*");
    seed("address", "origin", "wss://b.localhost:7102");
    seed("keys", "key", key(1).verifying_key().to_string());
    let signature = key(1).sign(b"hello");
    seed("keys", "key-and-signature", [key(1).verifying_key().as_bytes().as_slice(), signature.as_bytes()].concat());
    seed("keys", "base32", keys::base32(b"a name"));
    let params = json!({ "memory_kib": 64, "passes": 1, "lanes": 1, "salt": b64url(&[1; 16]) });
    seed("keys", "passphrase", params.to_string());
}

fn messages() {
    let body = r#"{"value":"hello","n":[1,2.5,{"a":null}]}"#;
    let json = format!(
        r#"{{"id":7,"type":"create","from":"hyperty://a.localhost/1","to":"comm://b.localhost/2","body":{body}}}"#
    );
    seed("message", "json", &json);
    seed("message", "frame", format!("7\nupdate\nhyperty://a.localhost/1\ncomm://b.localhost/2/changes\n{body}"));
    // As deep as a body may be.
    let deep = format!("{}{}", "[".repeat(message::DEPTH_LIMIT), "]".repeat(message::DEPTH_LIMIT));
    seed("message", "deep", format!("1\nread\na://b\nc://d\n{deep}"));
    seed("wires", "message", &json);
    seed("wires", "batch", format!(r#"[[7,"create","hyperty://a.localhost/1","comm://b.localhost/2",{body}]]"#));
    seed("wires", "malformed", r#"{"id":7,"type":"greet","from":"hyperty://a.localhost/1"}"#);
    seed("question", "send", r#"{"ask":"chat.send","input":{"chat":"comm://b.localhost/1","text":"hi"}}"#);
    seed("question", "state", r#"{"ask":"app.state"}"#);
    seed("question", "older", r#"{"ask":"chat.older","input":{"chat":"comm://b.localhost/1","before":9}}"#);
    seed("question", "consent", r#"{"ask":"consent.answer","input":{"id":"1","answer":"always"}}"#);
    seed("question", "choice", r#""once""#);
    let bus = [
        "0read\nruntime://a.example/sm\nhyperty://a.example/1\n{}".replacen('0', "01\n", 1),
        "11\nresponse\nhyperty://a.example/1\nruntime://a.example/sm\n{\"code\":200}".into(),
        "22\ncreate\ncomm://a.example/9\nhyperty://b.example/7\n{\"v\":1}".into(),
        "33\nevent\nhyperty://b.example/7\ncomm://a.example/9/children/\n{}".into(),
        "z".into(),
    ];
    seed("bus", "talk", bus.join("\0"));
}

fn identities() {
    let (irk, device) = (key(1), key(3));
    let rk = key(2).verifying_key();
    let mut chain = Sigchain::create(&irk, Some(rk), NOW - DAY);
    chain.add_device(&irk, device.verifying_key(), "laptop", NOW + 200 * DAY, NOW - DAY).expect("a device");
    let cic = Cic::new(irk.verifying_key(), chain.genesis_hash());
    let issuer = key(8);
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": issuer.verifying_key(), "kid": "k1", "use": "sig" });
    let header = b64url(br#"{"alg":"EdDSA","kid":"k1","typ":"JWT"}"#);
    let claims = json!({
        "iss": "https://issuer.example", "sub": "ben-7", "aud": "parlance",
        "iat": NOW - 3600, "exp": NOW, "nonce": cic.nonce(),
    });
    let signed = format!("{header}.{}", b64url(claims.to_string().as_bytes()));
    let id_token = format!("{signed}.{}", issuer.sign(signed.as_bytes()));
    let token = PkToken::assemble(&id_token, &cic, &irk).expect("a token");
    let (iss, sub) = ("https://issuer.example".to_owned(), "ben-7".to_owned());
    let attest = Attest { pkt_hash: token.hash(), iss, sub, until: NOW + 80 * DAY };
    chain.attest(&irk, attest, NOW - 3600).expect("an attestation");
    let later = json!({
        "iss": "https://issuer.example", "sub": "ben-7", "aud": "parlance", "iat": NOW - 60, "exp": NOW,
    });
    let signed = format!("{header}.{}", b64url(later.to_string().as_bytes()));
    let id_token_later = format!("{signed}.{}", issuer.sign(signed.as_bytes()));
    let renewal = Renewal::sign(&token, &id_token_later, &irk).expect("a renewal");
    let evidence = Evidence {
        user: UserAddress::parse("ben@b.localhost").expect("a name"),
        inbox: None,
        tokens: vec![token.text().to_owned()],
        renewals: vec![renewal.text().to_owned()],
        chain: chain.texts(),
        device: device.verifying_key(),
    };
    let jwks = json!({ "keys": [jwk] });
    seed("evidence", "ben", format!("{jwks}\n{}", evidence.to_value()));
    let n = b64url(&[0xa5; 256]);
    let rsa = json!({ "kty": "RSA", "n": n, "e": "AQAB", "kid": "k2", "alg": "RS256" });
    let point = json!({ "kty": "EC", "crv": "P-256", "x": b64url(&[1; 32]), "y": b64url(&[2; 32]), "kid": "k3" });
    let all = json!({ "keys": [jwk, rsa, point] });
    seed("jwks", "all", all.to_string());
    let forged = evidence.to_value().to_string().replace(&header, &b64url(br#"{"alg":"RS256","kid":"k2"}"#));
    seed("evidence", "forged", format!("{all}\n{}", forged));
    seed("pk_token", "token", token.text());
    seed("pk_token", "claims", cic.text());
    seed("pk_token", "id-token", &id_token);
    seed("pk_token", "digest", Digest::of(b"x").to_string());
    seed("sigchain", "chain", chain.texts().join("\n"));
    let entry = |kind: &str, body: serde_json::Value| json!({ "type": kind, "iat": NOW, "body": body }).to_string();
    let dsk = key(4).verifying_key();
    let payloads = [
        entry("add_device", json!({ "dsk": dsk, "name": "phone", "expires": NOW + DAY })),
        entry("attest", json!({ "pkt_hash": token.hash(), "iss": "https://i", "sub": "ben", "until": NOW })),
        entry("link_idp", json!({ "iss": "https://i", "sub": "ben" })),
        entry("unlink_idp", json!({ "iss": "https://i", "sub": "ben" })),
        json!({ "type": "revoke_device", "by": "rk", "iat": NOW, "body": { "dsk": dsk } }).to_string(),
        entry("rotate_irk", json!({ "irk": dsk })),
        entry("attest", json!({ "pkt_hash": token.hash(), "iss": "https://i", "sub": "ben", "until": NOW })),
        entry("reset", json!({ "irk": key(5).verifying_key(), "old": dsk, "pkt_hash": token.hash() })),
        entry("veto", json!({ "reset": token.hash() })),
    ];
    seed("sigchain", "payloads", payloads.join("\n"));
    let mut reset = chain.clone();
    let hash = reset.reset(&key(5), token.hash(), NOW).expect("a reset").hash();
    reset.veto(&device, Signer::Device(device.verifying_key()), hash, NOW).expect("a veto");
    seed("sigchain", "reset", reset.texts().join("\n"));
    seed("pk_token", "renewal", renewal.text());
    let credential = DeviceCredential::of(&chain, &device.verifying_key(), &[token.hash()], NOW).expect("a credential");
    seed("credential", "laptop", credential.encode());
}

fn catalogues() {
    let domain = message::Domain::parse("b.localhost").expect("a host name");
    let now_ms = NOW.unsigned_abs() * 1000 - 1000;
    let mut publisher = Publisher::new(domain, key(1), now_ms);
    let stub = include_str!("../../../hyperties/protostubs/a-ws.json");
    let places = node::Places { domain: publisher.domain().clone(), origin: "http://b.localhost:7102".into() };
    let package = node::Package::new(stub, "function activate() {}").expect("a package");
    let draft: Draft = package.draft(&places).expect("a draft");
    publisher.publish(draft, "function activate() {}", now_ms).expect("a published package");
    let name = PackageName::default_stub();
    let files = [
        ("root", 'r', paths::root()),
        ("snapshot", 's', paths::snapshot()),
        ("descriptor", 'd', paths::descriptor(&name)),
    ];
    for (target, letter, path) in files {
        let bytes = publisher.file(&path).expect("it is published").bytes;
        let envelope: serde_json::Value = serde_json::from_slice(&bytes).expect("an envelope");
        let payload = envelope["payload"].as_str().and_then(|text| keys::from_b64url(text).ok()).expect("a payload");
        seed("catalogue", target, [&[letter as u8], payload.as_slice()].concat());
        seed(
            "catalogue",
            &format!("{target}-signed"),
            [&[letter.to_ascii_uppercase() as u8], bytes.as_slice()].concat(),
        );
    }
    seed("catalogue", "name", "nprotocolstub/default");
    seed("package", "stub", stub);
    let chat = Draft::new(PackageKind::Hyperty, "chat", Version::new(1, 2, 3));
    seed("package", "chat", serde_json::to_string(&chat).expect("plain data"));
}

/// A history with a file in it.
fn history() -> Vec<u8> {
    let person = || "ana@a.localhost".to_owned();
    let chat = archive::Chat {
        chat: "comm://a.localhost/one".into(),
        name: "Ben".into(),
        user: "ben@b.localhost".into(),
        group: false,
        messages: 2,
    };
    let manifest = archive::Manifest {
        format: "parlance-history".into(),
        version: archive::VERSION,
        made_at: 1,
        user: person(),
        name: "Ana".into(),
        chats: vec![chat],
    };
    let mut writer =
        archive::Writer::begin(Vec::new(), None, manifest, archive::Language::English).expect("it is small");
    writer.next_chat();
    let mut file = archive::Attachment {
        name: "a.txt".into(),
        size: 2,
        digest: b64url(&keys::sha256(b"hi")),
        ..archive::Attachment::default()
    };
    file.path = Some(writer.file(&file, &b"hi"[..]).expect("two bytes"));
    let one = archive::Message { id: "1".into(), author: person(), at: 1, text: "hello".into(), ..Default::default() };
    let other = archive::Message { id: "2".into(), file: Some(file), reply: Some("1".into()), ..one.clone() };
    writer.part(&[one, other], true).expect("two messages");
    writer.end().expect("it is in memory").0
}

fn objects() {
    let file = json!({
        "v": 1, "key": b64url(&[1; 32]), "size": 300_000, "digest": b64url(&[2; 32]), "type": "image/png", "name": "cat.png",
        "pixels": [640, 480], "preview": b64url(&[7; 20]), "at": [{ "node": "a.localhost", "blob": b64url(&[3; 32]) }],
    });
    seed("file", "picture", file.to_string());
    seed("archive", "two-messages", history());
    let lines = [
        r#"{"name":"chat","members":[{"n":1}],"text":{"a":"b"}}"#,
        r#"{"attribute":"members","value":{"n":2},"operation":"add"}"#,
        r#"{"attribute":"members","value":{"n":1},"operation":"remove"}"#,
        r#"{"attribute":"members.0.n","value":-7}"#,
        r#"{"attribute":"text.a"}"#,
        r#"{"attribute":"new.place.here","value":[1,true,null,"é"]}"#,
    ];
    seed("object", "chat", lines.join("\n"));
    seed("object", "resync", r#"{"version":3,"have":{"user://a.localhost/ana":2}}"#);
    let arrivals: Vec<u8> = [(1u8, 1u64), (1, 3), (1, 2), (2, 66), (2, 1)]
        .iter()
        .flat_map(|(author, seq)| [&[*author][..], &seq.to_le_bytes()].concat())
        .collect();
    seed("children", "arrivals", arrivals);
    groups();
}

/// What members and strangers seal; the first bytes choose what the target does with the rest.
fn groups() {
    let person = |number: u8| (seal::MemoryVault::new(), seal::Device::new(&key(number), vec![number; 64]));
    let ((ana, ana_device), (ben, ben_device)) = (person(1), person(2));
    let group = seal::GroupId::new("comm://a.localhost/one").expect("a short name");
    seal::create(&ana, &ana_device, &group, 0).expect("a group");
    let package = seal::key_package(&ben, &ben_device, false).expect("a key package");
    let invitation = seal::invite(&ana, &ana_device, &group, &package, &mut |_| Ok(())).expect("an invitation");
    let text = seal::seal(&ana, &ana_device, &group, b"hello").expect("a text");
    // `arbitrary` maps the first four bytes onto the kinds of input.
    let kind = |number: u32| (number * (u32::MAX / 7) + 1000).to_le_bytes().to_vec();
    seed("mls", "peek-text", [kind(0), text.clone()].concat());
    seed("mls", "peek-welcome", [kind(0), invitation.welcome.clone()].concat());
    seed("mls", "key-package", [kind(1), package].concat());
    seed("mls", "welcome", [kind(2), invitation.welcome].concat());
    seed("mls", "open", [kind(3), text.clone()].concat());
    let parcels = [seal::parcel::pack(&text, Some(b"here")), text.clone(), text];
    let inner = |number: u8| {
        let place = r#""from":"user://a.localhost/ana","to":"comm://a.localhost/one/children/""#;
        format!(r#"{{"id":0,"type":"create",{place},"body":{number}}}"#)
    };
    // Of four kinds of input the first and the last.
    seed("parcels", "together", [vec![0; 4], seal::parcel::join(&parcels)].concat());
    seed("parcels", "changed", [vec![0, 0, 0, 0xA0], vec![1, 40, 0, 3, 1, 90, 0, 255]].concat());
    seed("parcels", "one", [vec![0xFF; 4], inner(1).into_bytes()].concat());
    seed("parcels", "bundle", [vec![0xFF; 4], format!("[{},{}]", inner(1), inner(2)).into_bytes()].concat());
    for number in 4..7 {
        seed("mls", &format!("changed-{number}"), [kind(number), vec![1, 40, 0, 3, 1, 90, 0, 255]].concat());
    }
}

fn pages() {
    let head =
        r#"<!doctype html><meta charset=utf-8><title>Tea &amp; time</title><meta property="og:title" content="Tea">"#;
    let more = r#"<meta name=description content='How long?'><meta property=og:image content="/tea.png"></head><body>"#;
    seed("page", "page", format!("utf-8\n{head}{more}"));
    seed("page", "latin", b"iso-8859-1\n<title>Th\xe9</title>");
    seed("page", "card", r#"{"url":"https://b.org/tea","title":"Tea","description":"How long?","picture":""}"#);
    seed("page", "text", "text\nsee https://b.org/tea, (HTTPS://a.org) or http://c.org/");
}

fn calls() {
    let fingerprint = vec!["AB"; 32].join(":");
    let candidate = "candidate:1 1 udp 2130706431 10.1.2.3 50000 typ host";
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=msid-semantic:WMS *\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n\
         a=setup:actpass\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\na={candidate}\r\n\
         a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=ssrc:1 cname:x\r\n\
         b=AS:64\r\na=fingerprint:sha-256 {fingerprint}\r\n"
    );
    seed("sdp", "offer", &sdp);
    let video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\na=mid:1\r\n";
    seed("sdp", "video", format!("{sdp}{video}"));
    let parameters = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
    let h264 = format!("m=video 9 UDP/TLS/RTP/SAVPF 102\r\na=rtpmap:102 H264/90000\r\na=fmtp:102 {parameters}\r\n");
    seed("sdp", "h264", format!("{sdp}{h264}"));
    seed("sdp", "screen", format!("{sdp}{video}{h264}a=ssrc:7 cname:x\r\n"));
    seed("screen", "bytes", [[2, 9, 0].as_slice(), &[1, 96, 1, 102, 0], &[255; 24], sdp.as_bytes()].concat());
    h264_packets();
    seed("candidate", "line", candidate);
    let json = json!({ "candidate": candidate, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "abcd" });
    seed("candidate", "json", json.to_string());
    seed("candidate", "tcp", "candidate:1 1 tcp 1 2001:db8::7 9 typ host tcptype active generation 0");
    seed("candidate", "fingerprint", format!("sha-256 {fingerprint}"));
    seed("candidate", "bye", "fingerprint-mismatch");
    direct_files(&fingerprint, candidate);
    seed("jitter", "packets", [vec![0; 64], vec![90; 64], vec![200; 64], vec![255; 64]].concat());
}

/// A description of a connection for a file, and what is said on one: parts and a refusal, and questions for pieces.
fn direct_files(fingerprint: &str, candidate: &str) {
    let description = format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         a=fingerprint:sha-256 {fingerprint}\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
         c=IN IP4 0.0.0.0\r\na=setup:active\r\na=mid:0\r\na=sendrecv\r\na=sctp-port:5000\r\n\
         a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\na={candidate}\r\n"
    );
    let frame = |kind: u8, numbers: &[u32], rest: &[u8]| {
        let numbers = numbers.iter().flat_map(|number| number.to_be_bytes());
        let message: Vec<u8> = std::iter::once(kind).chain(numbers).chain(rest.iter().copied()).collect();
        [&(message.len() as u16).to_be_bytes(), message.as_slice()].concat()
    };
    let part = |piece, offset, length| frame(2, &[piece, offset], &vec![7; length]);
    // The first pieces that the target asks for have 40 bytes, 1 and 7.
    let given = [part(0, 0, 30), part(0, 30, 10), part(1, 0, 1), frame(3, &[2], &[1])];
    let asked = [0, 1, 70_000].map(|piece| frame(1, &[piece], &[]));
    seed("direct", "description", [&[0], description.as_bytes()].concat());
    seed("direct", "given", [&[1], given.concat().as_slice()].concat());
    seed("direct", "asked", [&[2], asked.concat().as_slice()].concat());
    seed("direct", "ready", [1, 0, 1, 4]);
}

/// A key frame of 320 x 180: its parameters together, a slice in two parts, then a slice by itself.
fn h264_packets() {
    let sequence: &[u8] = &[0x67, 0x42, 0xc0, 0x0d, 0x8c, 0x8d, 0x40, 0xa0, 0xcf, 0x90, 0x0f, 0x08, 0x84, 0x6a];
    let picture: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
    let unit = |unit: &[u8]| [&(unit.len() as u16).to_be_bytes(), unit].concat();
    let together = [vec![0x78], unit(sequence), unit(picture)].concat();
    let packets: [&[u8]; 4] = [&together, &[0x7c, 0x85, 0x88, 1, 2], &[0x7c, 0x45, 3, 4], &[0x41, 0x9a, 5, 6]];
    let packet = |packet: &&[u8]| [&[packet.len() as u8], *packet].concat();
    seed("h264", "packets", packets.iter().flat_map(packet).collect::<Vec<u8>>());
    let frame = [sequence, picture, &[0x65, 0x88, 1, 2, 3, 4]].map(|unit| [&[0, 0, 0, 1], unit].concat());
    seed("h264", "frame", frame.concat());
}

fn sign_in() {
    let request = "GET /cb?code=c%201&state=s&iss=https%3A%2F%2Fi HTTP/1.1\r\nHost: 127.0.0.1:7\r\nX: y\r\n\r\n";
    seed("callback", "code", request);
    seed("callback", "error", request.replace("code=c%201", "error=access_denied"));
    let description = json!({
        "issuer": "https://i.example",
        "authorization_endpoint": "https://i.example/auth",
        "token_endpoint": "https://tokens.example/token",
        "jwks_uri": "https://keys.example/jwks",
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["select_account"],
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "authorization_response_iss_parameter_supported": true,
    });
    let local = description.to_string().replace("https://i.example", "http://b.localhost:7102");
    seed("discovery", "public", format!("https://i.example\n{description}"));
    seed("discovery", "local", format!("http://b.localhost:7102\n{local}"));
    seed("reach", "public", "https://b.example/here/now\n../there");
    seed("reach", "local", "http://a.localhost:7101/\nhttp://127.0.0.1:7101/x");
    seed("reach", "numbers", "wss://[64:ff9b::101:101]:9/\n//[::ffff:10.0.0.1]/");
    seed("reach", "table", "a.localhost=7101,b.localhost=7102");
    let query = "client_id=parlance&redirect_uri=http://127.0.0.1:7/cb&response_type=code&scope=openid&state=s&nonce=n\
                 &code_challenge_method=S256&code_challenge=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&login_hint=ben@b";
    seed("issuer_pages", "authorize", format!("a\n{query}"));
    seed("issuer_pages", "create", format!("aparlance-login=x\n{query}&prompt=create"));
    seed("issuer_pages", "login", "lparlance-login=x\npage=p&csrf=c&action=create&name=ben&password=correct+horse");
    let token =
        "t\ngrant_type=authorization_code&code=c&redirect_uri=http://127.0.0.1:7/cb&client_id=parlance&code_verifier=v";
    seed("issuer_pages", "token", token);
}

fn nodes() {
    let line = |who: &str, kind: &str, from: &str, to: &str, body: &str| {
        format!(r#"{who}{{"id":1,"type":"{kind}","from":"{from}","to":"{to}","body":{body}}}"#)
    };
    let (allocation, registry) = ("domain://msg-node.a.localhost/address-allocation", "domain://registry.a.localhost");
    let (session, sm) = ("domain://msg-node.a.localhost/session", "domain://msg-node.a.localhost/sm");
    let wish = r#"{"scheme":"comm","value":{"number":2,"allocationKey":"k"}}"#;
    let addresses = [
        line("a", "create", "{a}", allocation, wish),
        line("a", "create", "{a}", allocation, r#"{"scheme":"hyperty","value":{"number":3,"allocationKey":"inbox"}}"#),
        line("a", "delete", "{a}", allocation, r#"{"resources":["{i}"]}"#),
        line("a", "create", "{a}", allocation, r#"{"scheme":"hyperty","value":{"number":3,"allocationKey":"inbox"}}"#),
    ];
    seed("exchange", "addresses", addresses.join("\n"));
    let sealed = r#"{"v":1,"sealed":"aGVsbG8"}"#;
    let mail = [
        line(
            "a",
            "update",
            "{a}",
            registry,
            r#"{"value":{"user":"alice@a.localhost","inbox":"{i}","keyPackages":["AAAA"]}}"#,
        ),
        line("v", "read", "{v}", registry, r#"{"resource":"alice@a.localhost"}"#),
        line("v", "create", "{v}", "{i}", sealed),
        line("a", "response", "{i}", "{v}", r#"{"code":200}"#),
        "a".into(),
        line("v", "create", "{v}", "{i}", sealed),
        "t 30000".into(),
        line("v", "close", "{v}", session, "{}"),
    ];
    seed("exchange", "mail", mail.join("\n"));
    let (linking, own) = ("domain://linking.a.localhost", "domain://account.a.localhost");
    let devices = [
        line("a", "update", "{a}", registry, r#"{"value":{"user":"alice@a.localhost","inbox":"{i}"}}"#),
        line("n", "read", "{n}", own, "{}"),
        line("n", "create", "{n}", linking, r#"{"to":"{i}","sealed":"aGVsbG8"}"#),
        line("a", "response", "{i}", "{n}", r#"{"code":200}"#),
        line("n", "update", "{n}", own, r#"{"user":"alice@a.localhost","chain":["a.b"],"cic":"e30"}"#),
        line("v", "read", "{v}", registry, r#"{"resource":"alice@a.localhost","packages":false,"only":["AA"]}"#),
    ];
    seed("exchange", "devices", devices.join("\n"));
    let follow = [
        line("a", "subscribe", "{a}", sm, r#"{"resources":["{i}/changes"],"allow":["{v}"]}"#),
        line("v", "subscribe", "{v}", sm, r#"{"resources":["{i}/changes"]}"#),
        line("a", "update", "{i}", "{i}/changes", r#"{"version":1}"#),
        line("v", "unsubscribe", "{v}", sm, r#"{"resources":["{i}/changes"]}"#),
    ];
    seed("exchange", "follow", follow.join("\n"));
    let mut chain = Sigchain::create(&key(7), None, NOW);
    chain.add_device(&key(7), key(2).verifying_key(), "phone", NOW + DAY, NOW).expect("a device");
    let claim = json!({ "user": "user://a.localhost/ben", "chain": chain.texts(), "invite": "x" });
    let account = [
        line("n", "create", "{n}", "domain://registry.a.localhost/account", &claim.to_string()),
        line("n", "create", "{n}", allocation, wish),
        line("u", "open", "runtime://b.localhost/x", session, r#"{"role":"visitor","key":"AA","signature":"AA"}"#),
    ];
    seed("exchange", "account", account.join("\n"));
}

fn profiles() {
    let salt = b64url(&[1; 16]);
    let params = json!({ "memory_kib": 65536, "passes": 3, "lanes": 1, "salt": salt });
    let headers = [
        ("open", json!({ "v": 1, "kept": { "in": "unprotected" }, "check": b64url(&[1; 16]) })),
        ("keyring", json!({ "v": 1, "kept": { "in": "keyring", "service": "parlance", "entry": "e" }, "check": "x" })),
        (
            "passphrase",
            json!({ "v": 1, "kept": { "in": "passphrase", "params": params, "wrapped": "AAAA" }, "check": "x" }),
        ),
    ];
    for (name, header) in headers {
        seed("key_file", name, format!("0{header}"));
    }
    seed("key_file", "key", format!("1{}", b64url(&[7; 32])));
    seed("sealed_rows", "changed", [0, 0, 0, 1, 0, 9]);
    seed("sealed_rows", "short", [1, 1, 2, 3]);
}

fn guests() {
    let frame = |kind: u8, payload: &str| {
        let length = u32::try_from(payload.len()).expect("a short payload").to_le_bytes();
        [&length[..], &[kind], payload.as_bytes()].concat()
    };
    let frames = [
        frame(b'm', "7\nresponse\nhyperty://a.localhost/1\nruntime://a.localhost/ua\n{\"code\":200}"),
        frame(b'm', "8\ncreate\nhyperty://a.localhost/1/below\ncomm://a.localhost/4\n{}"),
        frame(b'm', "9\nread\ncomm://a.localhost/17\nuser://b.localhost/ben\n"),
        frame(
            b'c',
            "{\"op\":\"fetch\",\"id\":1,\"url\":\"https://b\",\"method\":\"GET\",\"headers\":[[\"a\",\"b\"]]}\n",
        ),
        frame(b'c', "{\"op\":\"wake\",\"after\":1e3}\nx"),
        frame(b't', ""),
    ];
    seed("guest_frames", "talk", frames.concat());
}
