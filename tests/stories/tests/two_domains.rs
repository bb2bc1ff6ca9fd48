//! Two people who share no provider, no protocol and no issuer write to each other.

use contract::ContactState;
use lab::person::Setup;
use lab::{Domain, Issuer, Person};
use node::Wire;

/// Ana at `a` (WebSocket, its own issuer), Ben at `b` (Server-Sent Events, an independent issuer).
async fn ana_and_ben() -> (Domain, Domain, Issuer, Person, Person) {
    let a = Domain::start("a.localhost", Wire::Ws).await;
    let b = Domain::start("b.localhost", Wire::Sse).await;
    let issuer = Issuer::start();
    let setup = Setup::with(&[&a, &b]).knowing(&issuer.url);
    let mut ana = Person::new("ana", setup.clone()).await;
    let mut ben = Person::new("ben", setup).await;
    ana.signs_up(&a, None).await;
    ben.signs_up(&b, Some(&issuer.url)).await;
    (a, b, issuer, ana, ben)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_with_nothing_in_common_write_to_each_other() {
    let log = tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).with_test_writer();
    let _ = log.try_init();
    let (a, b, _issuer, mut ana, mut ben) = ana_and_ben().await;

    let chat = ana.asks_for_contact("ben@b.localhost").await;
    ana.writes(&chat, "Hello Ben, this is the only secret of a whole night").await;
    assert_eq!(ben.accepts("ana@a.localhost").await, chat);
    ana.sees_contact("ben@b.localhost", ContactState::Accepted).await;
    ben.reads(&chat, &["Hello Ben, this is the only secret of a whole night"]).await;
    ben.writes(&chat, "And mine is that I was waiting for it").await;
    ana.reads(&chat, &["Hello Ben, this is the only secret of a whole night", "And mine is that I was waiting for it"]).await;
    ana.sees_all_delivered(&chat).await;
    ben.sees_all_delivered(&chat).await;

    for node in [&a, &b] {
        let routed = node.routed();
        assert!(routed.len() > 1000, "the node logged what it routed");
        for private in ["secret of a whole night", "waiting for it", "eyJ", "\"payload\""] {
            assert!(!routed.contains(private), "the node of {} saw {private:?}", node.name);
        }
    }
    ana.close().await;
    ben.close().await;
}
