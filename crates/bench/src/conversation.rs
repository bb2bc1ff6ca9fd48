//! Two people of two domains who know each other, and a thread pool of its own for each program of theirs.

use contract::ContactState;
use lab::person::Setup;
use lab::{Domain, Person};
use tokio::runtime::{Builder, Runtime};

use crate::{Failed, THREADS};

/// Two people, and the conversation they have.
pub(crate) struct Conversation {
    pub(crate) ana: Person,
    pub(crate) ben: Person,
    pub(crate) chat: String,
}

/// The threads of each program: who waits for a lock in one of them holds up no other, as between processes.
pub(crate) struct Programs {
    pub(crate) a: Runtime,
    pub(crate) b: Runtime,
    ana: Runtime,
    ben: Runtime,
}

impl Programs {
    pub(crate) fn new() -> std::io::Result<Self> {
        let threads =
            |name: &str| Builder::new_multi_thread().worker_threads(THREADS).thread_name(name).enable_all().build();
        Ok(Self { a: threads("node a")?, b: threads("node b")?, ana: threads("ana")?, ben: threads("ben")? })
    }
}

impl Conversation {
    /// Both sign up, Ana asks, Ben accepts.
    pub(crate) async fn begin(programs: &Programs, a: &Domain, b: &Domain) -> Result<Self, Failed> {
        let setup = Setup::with(&[a, b]);
        let mut ana = programs.ana.spawn(Person::new("ana", setup.clone())).await?;
        let mut ben = programs.ben.spawn(Person::new("ben", setup)).await?;
        ana.signs_up(a, None).await;
        ben.signs_up(b, None).await;
        let chat = ana.asks_for_contact("ben@b.localhost").await;
        ben.accepts("ana@a.localhost").await;
        ana.sees_contact("ben@b.localhost", ContactState::Accepted).await;
        Ok(Self { ana, ben, chat })
    }
}
