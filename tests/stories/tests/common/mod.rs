//! The people and domains most stories begin with.
#![allow(dead_code, reason = "each story uses a part of it")]

use contract::ContactState;
use lab::person::Setup;
use lab::{Domain, Issuer, Person};
use node::Wire;

/// Ana at `a` (WebSocket, its own issuer), Ben at `b` (Server-Sent Events, an independent issuer).
pub struct Stage {
    pub a: Domain,
    pub b: Domain,
    pub issuer: Issuer,
    pub ana: Person,
    pub ben: Person,
}

impl Stage {
    /// Both have an account; neither knows the other.
    pub async fn strangers() -> Self {
        Self::set(|setup| setup.clone(), |setup| setup.clone()).await
    }

    /// The same with other microphones and speakers.
    pub async fn set(ana: impl Fn(&Setup) -> Setup, ben: impl Fn(&Setup) -> Setup) -> Self {
        let log = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer();
        let _ = log.try_init();
        let a = Domain::start("a.localhost", Wire::Ws).await;
        let b = Domain::start("b.localhost", Wire::Sse).await;
        let issuer = Issuer::start();
        let setup = Setup::with(&[&a, &b]).knowing(&issuer.url);
        let mut ana = Person::new("ana", ana(&setup)).await;
        let mut ben = Person::new("ben", ben(&setup)).await;
        ana.signs_up(&a, None).await;
        ben.signs_up(&b, Some(&issuer.url)).await;
        Self { a, b, issuer, ana, ben }
    }

    /// Ana asks, Ben accepts; gives the conversation.
    pub async fn become_contacts(&mut self) -> String {
        let chat = self.ana.asks_for_contact("ben@b.localhost").await;
        assert_eq!(self.ben.accepts("ana@a.localhost").await, chat);
        self.ana.sees_contact("ben@b.localhost", ContactState::Accepted).await;
        chat
    }

    pub async fn close(mut self) {
        self.ana.close().await;
        self.ben.close().await;
        self.a.stop().await;
        self.b.stop().await;
    }
}
