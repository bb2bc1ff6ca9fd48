//! Fetches from servers that are plain, slow, endless, lying or hostile.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::time::Duration;

use message::Domain;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use transport::{FetchError, GetLimits, Net, NetConfig, Reach, Redirect, Request};
use url::Url;

fn net() -> Net {
    Net::new(NetConfig::default()).unwrap()
}

fn limits() -> GetLimits {
    GetLimits::of_bytes(1000).within(Duration::from_secs(5))
}

/// A server that hands every connection, its request head read, to `act`.
async fn server<F, A>(act: F) -> Url
where
    F: Fn(TcpStream, String) -> A + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match tcp.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            tokio::spawn(act(tcp, String::from_utf8_lossy(&head).into_owned()));
        }
    });
    Url::parse(&format!("http://a.localhost:{port}/")).unwrap()
}

/// A server that answers everything with this text.
async fn answering(text: String) -> Url {
    server(move |mut tcp, _| {
        let text = text.clone();
        async move {
            let _gone = tcp.write_all(text.as_bytes()).await;
        }
    })
    .await
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}

async fn get(url: &Url, limits: &GetLimits) -> Result<String, FetchError> {
    let fetched = net().get(url, limits, &Reach::Loopback).await?;
    Ok(String::from_utf8(fetched.bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_plain_document_is_fetched() {
    let url = answering(ok("hello")).await;
    let fetched = net().get(&url, &limits(), &Reach::Loopback).await.unwrap();
    assert_eq!(&fetched.bytes[..], b"hello");
    assert_eq!(fetched.content_type.as_deref(), Some("text/plain"));
    assert_eq!(fetched.final_url, url);
}

#[tokio::test]
async fn the_port_of_a_local_domain_comes_from_the_table() {
    let url = answering(ok("hello")).await;
    let config = NetConfig::parse(&format!("b.localhost={}", url.port().unwrap())).unwrap();
    let origin = Net::new(config).unwrap().origin(&Domain::parse("b.localhost").unwrap());
    assert_eq!(get(&origin, &limits()).await.unwrap(), "hello");
    assert_eq!(net().origin(&Domain::parse("b.example").unwrap()).as_str(), "https://b.example/");
}

#[tokio::test]
async fn a_host_name_that_is_a_broken_address_goes_nowhere() {
    for name in ["1.2.3.999", "xn--a.example"] {
        let origin = net().origin(&Domain::parse(name).unwrap());
        assert_eq!(origin.host_str(), Some("no-such-domain.invalid"), "{name}");
    }
}

#[tokio::test]
async fn the_program_says_its_name_and_nothing_else() {
    let url = server(|mut tcp, head| async move {
        let _gone = tcp.write_all(ok(&head.to_ascii_lowercase()).as_bytes()).await;
    })
    .await;
    let head = get(&url, &limits()).await.unwrap();
    assert!(head.contains("user-agent: parlance/"), "{head}");
    assert!(!head.contains("cookie") && !head.contains("referer") && !head.contains("accept-language"), "{head}");
}

#[tokio::test]
async fn an_oversized_answer_is_not_read() {
    let url = answering(ok(&"x".repeat(1001))).await;
    assert_eq!(get(&url, &limits()).await, Err(FetchError::TooLarge { limit: 1000 }));
    let url = answering(ok(&"x".repeat(1000))).await;
    assert_eq!(get(&url, &limits()).await.unwrap().len(), 1000);
}

#[tokio::test]
async fn an_endless_answer_ends_at_the_limit() {
    let url = server(|mut tcp, _| async move {
        let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while tcp.write_all(&[b'x'; 256]).await.is_ok() {}
    })
    .await;
    assert_eq!(get(&url, &limits()).await, Err(FetchError::TooLarge { limit: 1000 }));
}

#[tokio::test]
async fn an_answer_in_drops_ends_at_the_deadline() {
    let url = server(|mut tcp, _| async move {
        let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while tcp.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let outcome = get(&url, &limits().within(Duration::from_millis(300))).await;
    assert_eq!(outcome, Err(FetchError::TooSlow { after_ms: 300 }));
}

#[tokio::test]
async fn a_head_in_drops_ends_at_the_deadline() {
    let url = server(|mut tcp, _| async move {
        let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\nx: ").await;
        while tcp.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let outcome = get(&url, &limits().within(Duration::from_millis(300))).await;
    assert_eq!(outcome, Err(FetchError::TooSlow { after_ms: 300 }));
}

#[tokio::test]
async fn a_silent_server_is_left_before_the_total_deadline() {
    let url = server(|tcp, _| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(tcp);
    })
    .await;
    let outcome = get(&url, &limits().silent_for(Duration::from_millis(200))).await;
    assert_eq!(outcome, Err(FetchError::TooSlow { after_ms: 200 }));
}

#[tokio::test]
async fn a_shortened_answer_is_no_answer() {
    let url = answering("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".into()).await;
    // The server closes after four of ten bytes.
    assert!(matches!(get(&url, &limits()).await, Err(FetchError::Unreachable(_))));
}

#[tokio::test]
async fn a_refusal_is_told_by_its_status() {
    let url = answering("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into()).await;
    assert_eq!(get(&url, &limits()).await, Err(FetchError::Status(404)));
}

#[tokio::test]
async fn a_redirect_into_a_private_network_is_not_followed() {
    for target in ["http://10.0.0.1/", "http://169.254.169.254/latest/meta-data", "http://[fd00::1]/", "//192.168.1.1/"]
    {
        let url = answering(redirect(target)).await;
        for policy in [Redirect::None, Redirect::SameHost, Redirect::Checked] {
            let outcome = get(&url, &limits().following(policy)).await;
            assert!(matches!(outcome, Err(FetchError::PrivateAddress { .. })), "{target} {policy:?} {outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_redirect_from_this_machine_to_the_internet_is_not_followed() {
    let url = answering(redirect("https://b.example/")).await;
    let outcome = get(&url, &limits().following(Redirect::Checked)).await;
    assert_eq!(outcome, Err(FetchError::Redirect { from: "a.localhost".into(), to: "b.example".into() }));
}

#[tokio::test]
async fn a_redirect_within_the_host_is_followed_when_told_so() {
    let url = server(|mut tcp, head| async move {
        let answer = if head.starts_with("GET / ") { redirect("/there") } else { ok("found") };
        let _gone = tcp.write_all(answer.as_bytes()).await;
    })
    .await;
    assert_eq!(get(&url, &limits().following(Redirect::SameHost)).await.unwrap(), "found");
    assert!(matches!(get(&url, &limits()).await, Err(FetchError::Redirect { .. })));
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let url = answering(redirect("/")).await;
    let outcome = get(&url, &limits().following(Redirect::SameHost)).await;
    assert!(matches!(outcome, Err(FetchError::Redirect { .. })));
}

#[tokio::test]
async fn a_form_is_posted_and_never_redirected() {
    let url = server(|mut tcp, head| async move {
        let mut body = vec![0; "a=1+%26&b=".len()];
        tcp.read_exact(&mut body).await.unwrap();
        let form = head.to_ascii_lowercase().contains("application/x-www-form-urlencoded");
        let answer = if head.starts_with("POST /moved ") {
            redirect("/")
        } else {
            ok(&format!("{form} {}", String::from_utf8_lossy(&body)))
        };
        let _gone = tcp.write_all(answer.as_bytes()).await;
    })
    .await;
    let form = [("a", "1 &"), ("b", "")];
    let limits = limits().following(Redirect::Checked);
    let fetched = net().post_form(&url, &form, &limits, &Reach::Loopback).await.unwrap();
    assert_eq!(&fetched.bytes[..], b"true a=1+%26&b=");
    let moved = net().post_form(&url.join("moved").unwrap(), &form, &limits, &Reach::Loopback).await;
    assert!(matches!(moved, Err(FetchError::Redirect { .. })));
}

#[tokio::test]
async fn the_public_reach_does_not_find_this_machine() {
    let url = answering(ok("secret")).await;
    let mut literal = url.clone();
    literal.set_host(Some("127.0.0.1")).unwrap();
    for url in [url, literal] {
        let outcome = net().get(&url, &limits(), &Reach::Public).await.map(|_| ());
        assert!(matches!(outcome, Err(FetchError::PrivateAddress { .. })), "{outcome:?}");
        let outcome = net().open(Request::get(url.clone()), &Reach::Public).await.map(|_| ());
        assert!(matches!(outcome, Err(FetchError::PrivateAddress { .. })), "{outcome:?}");
        assert_eq!(Reach::for_url(&url), Reach::Loopback);
    }
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let url = Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
    assert_eq!(get(&url, &limits()).await, Err(FetchError::Unreachable("connection refused".into())));
}

#[tokio::test]
async fn a_stream_is_handed_out_piece_by_piece() {
    use futures_util::StreamExt;
    let (go, gate) = tokio::sync::oneshot::channel::<()>();
    let gate = std::sync::Arc::new(tokio::sync::Mutex::new(Some(gate)));
    let url = server(move |mut tcp, _| {
        let gate = gate.clone();
        async move {
            let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\none").await;
            let gate = gate.lock().await.take().unwrap();
            gate.await.unwrap();
            let _ = tcp.write_all(b"two").await;
        }
    })
    .await;
    let mut answer = net().open(Request::get(url), &Reach::Loopback).await.unwrap();
    assert_eq!(&answer.body.next().await.unwrap().unwrap()[..], b"one");
    go.send(()).unwrap();
    assert_eq!(&answer.body.next().await.unwrap().unwrap()[..], b"two");
    assert!(answer.body.next().await.is_none());
}

#[tokio::test]
async fn a_stream_hands_out_redirects_instead_of_following_them() {
    let url = answering(redirect("/there")).await;
    let answer = net().open(Request::get(url), &Reach::Loopback).await.unwrap();
    assert_eq!(answer.status.as_u16(), 302);
}
