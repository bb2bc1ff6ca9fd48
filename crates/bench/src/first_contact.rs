//! First contact of two people across two domains, from an unknown domain to the first message delivered.

use std::time::{Duration, Instant};

use contract::{ChatSummary, ConsentChoice, ContactState, FoundPerson, ModuleView, News, Question};
use lab::person::Setup;
use lab::{Domain, Person};
use node::Wire;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

use crate::report::{Figure, Goal, Report};
use crate::{Failed, wait_for};

/// First contacts, each of two people who are new and have new profiles.
const RUNS: usize = 21;

/// Longest any step is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

const NOTE: &str = "\
One process holds both nodes (a speaks over a WebSocket, b over Server-Sent Events, each with its own issuer),
both runtimes and both profiles, which are new for each run; everything goes over loopback sockets.
The clock runs from Ana's person.find of Ben, whose domain her profile has never heard of, until Ben's app
shows her request. Within it:
  stub_fetched       catalogue of b (keys, snapshot, descriptor) and stub fetched and verified, nothing cached
  stub_started       permission given by a standing answer, stub compiled and started in its sandbox
  domain_reached     session at b opened with a proof of the key, Ben looked up in b's registry by the stub
  message_delivered  Ana's person.request: conversation made, sealed, kept, sent; opened by Ben, Ana's identity
                     verified with keys fetched from her issuer, kept and shown
The four stages add up to the first row.";

/// When each stage of one first contact ended, in milliseconds of its own.
struct Contact {
    total: f64,
    stub_fetched: f64,
    stub_started: f64,
    domain_reached: f64,
    message_delivered: f64,
}

/// Measures.
pub(crate) fn run() -> Result<Report, Failed> {
    let contacts = wait_for(async {
        let mut a = Domain::start("a.localhost", Wire::Ws).await;
        let mut b = Domain::start("b.localhost", Wire::Sse).await;
        let mut contacts = Vec::with_capacity(RUNS);
        for run in 0..RUNS {
            contacts.push(two_strangers(&a, &b, run).await?);
        }
        a.stop().await;
        b.stop().await;
        Ok(contacts)
    })?;
    let all = |pick: fn(&Contact) -> f64| contacts.iter().map(pick).collect();
    Ok(Report::new(
        NOTE,
        vec![
            Figure::new("first_contact_ms", "ms", all(|c| c.total)).with_goal(
                Goal::AtMost(150.0),
                "budget of the design; deployment alone took 805 ms in the reference's own reports",
            ),
            Figure::new("stub_fetched_ms", "ms", all(|c| c.stub_fetched)),
            Figure::new("stub_started_ms", "ms", all(|c| c.stub_started)),
            Figure::new("domain_reached_ms", "ms", all(|c| c.domain_reached)),
            Figure::new("message_delivered_ms", "ms", all(|c| c.message_delivered)),
        ],
    ))
}

/// One first contact of two people nobody has met before.
async fn two_strangers(a: &Domain, b: &Domain, run: usize) -> Result<Contact, Failed> {
    let setup = Setup::with(&[a, b]);
    let mut ana = Person::new(&format!("ana{run}"), setup.clone()).await;
    let mut ben = Person::new(&format!("ben{run}"), setup).await;
    ana.signs_up(a, None).await;
    ben.signs_up(b, None).await;
    let contact = meet(&ana, &format!("ana{run}@a.localhost"), &ben, &format!("ben{run}@b.localhost")).await;
    ana.close().await;
    ben.close().await;
    contact
}

async fn meet(ana: &Person, ana_user: &str, ben: &Person, ben_user: &str) -> Result<Contact, Failed> {
    let stub = tokio::spawn(watch_stub(ana.app(), ana.app().hear()));
    let arrival = tokio::spawn(watch_arrival(ben.app().hear(), ana_user.to_owned()));
    let begun = Instant::now();
    let _: FoundPerson = ana.ask(Question::PersonFind { address: ben_user.to_owned() }).await?;
    let reached = Instant::now();
    let _: ChatSummary = ana.ask(Question::PersonRequest { user: ben_user.to_owned() }).await?;
    let delivered = timeout(PATIENCE, arrival).await???;
    let (fetched, started) = timeout(PATIENCE, stub).await???;
    let ms = |from: Instant, to: Instant| to.duration_since(from).as_secs_f64() * 1000.0;
    Ok(Contact {
        total: ms(begun, delivered),
        stub_fetched: ms(begun, fetched),
        stub_started: ms(fetched, started),
        domain_reached: ms(started, reached),
        message_delivered: ms(reached, delivered),
    })
}

/// Allows the stub at once; says when it was there to be allowed, and when it ran.
async fn watch_stub(app: api::Api, mut news: Receiver<News>) -> Result<(Instant, Instant), Failed> {
    let mut fetched = None;
    loop {
        match news.recv().await? {
            News::Consent(consent) => {
                fetched = Some(Instant::now());
                app.ask(Question::ConsentAnswer { id: consent.id, answer: ConsentChoice::Always }).await?;
            }
            News::Module(ModuleView { kind, domain, state, .. })
                if kind == "protocolstub" && domain == "b.localhost" && state == "running" =>
            {
                let fetched = fetched.ok_or("the stub ran without permission")?;
                return Ok((fetched, Instant::now()));
            }
            _ => {}
        }
    }
}

/// When the request of this person is shown.
async fn watch_arrival(mut news: Receiver<News>, user: String) -> Result<Instant, Failed> {
    loop {
        if let News::Chat(chat) = news.recv().await?
            && chat.user == user
            && chat.contact == ContactState::Request
        {
            return Ok(Instant::now());
        }
    }
}
