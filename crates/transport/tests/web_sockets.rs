//! Opens WebSockets to servers of this machine.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]
#![allow(clippy::result_large_err, reason = "the shape of the library's callback")]

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use transport::tungstenite::Message as Frame;
use transport::{FetchError, Net, NetConfig, Reach};
use url::Url;

/// A WebSocket server that says everything back.
async fn echo() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let choose = |request: &Request, mut response: Response| {
                    if let Some(offer) = request.headers().get("sec-websocket-protocol") {
                        let first = offer.to_str().unwrap().split(',').next().unwrap().parse().unwrap();
                        response.headers_mut().insert("sec-websocket-protocol", first);
                    }
                    Ok(response)
                };
                let mut socket = tokio_tungstenite::accept_hdr_async(tcp, choose).await.unwrap();
                while let Some(Ok(frame)) = socket.next().await {
                    let reply = match frame {
                        Frame::Text(text) if text.as_str() == "flood" => Frame::text("x".repeat(3 * 1024 * 1024)),
                        other => other,
                    };
                    if socket.send(reply).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    Url::parse(&format!("ws://b.localhost:{port}/wire")).unwrap()
}

fn net() -> Net {
    Net::new(NetConfig::default()).unwrap()
}

#[tokio::test]
async fn a_socket_to_a_local_domain_carries_frames_both_ways() {
    let url = echo().await;
    let offer = ["parlance".to_owned(), "other".to_owned()];
    let mut socket = net().web_socket(&url, &offer, &Reach::Loopback).await.unwrap();
    assert_eq!(socket.protocol.as_deref(), Some("parlance"));
    socket.stream.send(Frame::text("hello")).await.unwrap();
    assert_eq!(socket.stream.next().await.unwrap().unwrap(), Frame::text("hello"));
}

#[tokio::test]
async fn a_frame_beyond_the_limit_ends_the_socket() {
    let mut socket = net().web_socket(&echo().await, &[], &Reach::Loopback).await.unwrap();
    socket.stream.send(Frame::text("flood")).await.unwrap();
    assert!(socket.stream.next().await.unwrap().is_err());
}

#[tokio::test]
async fn a_socket_never_enters_a_private_network() {
    for (url, reach) in [
        ("ws://10.0.0.1/", Reach::Loopback),
        ("wss://10.0.0.1/", Reach::Public),
        ("wss://localhost/", Reach::Public),
        ("wss://[::ffff:127.0.0.1]/", Reach::Public),
    ] {
        let outcome = net().web_socket(&Url::parse(url).unwrap(), &[], &reach).await.map(|_| ());
        assert!(matches!(outcome, Err(FetchError::PrivateAddress { .. })), "{url} {outcome:?}");
    }
}

#[tokio::test]
async fn what_is_no_web_socket_is_refused() {
    let http = Url::parse("http://b.localhost/").unwrap();
    assert_eq!(net().web_socket(&http, &[], &Reach::Loopback).await.map(|_| ()), Err(FetchError::BadUrl));
}

#[tokio::test]
async fn a_certificate_is_believed_only_from_a_trusted_authority() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["b.localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(tls) = acceptor.accept(tcp).await {
                    let mut socket = tokio_tungstenite::accept_async(tls).await.unwrap();
                    let _gone = socket.send(Frame::text("hello")).await;
                }
            });
        }
    });
    let trusting = Net::trusting(NetConfig::default(), vec![cert.der().to_vec()]).unwrap();
    let url = |host: &str| Url::parse(&format!("wss://{host}:{port}/")).unwrap();

    let mut socket = trusting.web_socket(&url("b.localhost"), &[], &Reach::Loopback).await.unwrap();
    assert_eq!(socket.stream.next().await.unwrap().unwrap(), Frame::text("hello"));
    let stranger = net().web_socket(&url("b.localhost"), &[], &Reach::Loopback).await.map(|_| ());
    assert!(matches!(stranger, Err(FetchError::Tls(_))), "{stranger:?}");
    let namesake = trusting.web_socket(&url("c.localhost"), &[], &Reach::Loopback).await.map(|_| ());
    assert!(matches!(namesake, Err(FetchError::Tls(_))), "{namesake:?}");
}
