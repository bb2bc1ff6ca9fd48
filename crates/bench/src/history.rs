//! What 100,000 messages of one conversation cost: opening it, looking further back, searching, jumping.

use std::time::{Duration, Instant};

use contract::{ChatMessage, ChatPage, ChatView, ContactState, Question, SearchAnswer};
use lab::person::Setup;
use lab::{Domain, Person};
use node::Wire;
use serde_json::json;
use store::{ChildRow, ChildState, KeySource, MasterKey, Store};

use crate::report::{Figure, Goal, Report};
use crate::{Failed, wait_for};

const MESSAGES: usize = 100_000;
const ROUNDS: usize = 51;

/// Rows written in one transaction.
const AT_ONCE: usize = 5_000;

const NOTE: &str = "\
A true app with one conversation of 100,000 messages of about 12 words each, sealed row by row in its store; the
words are drawn from 5,000 (a few of them often, most of them seldom, as in speech). Each figure is one question of
the interface, asked of the app in this process.
  open          chat.open: the newest 60 messages and all that stands around them
  older, date   chat.older: 60 messages before one in the middle; chat.date: a day in the middle and 60 around it
  search_*      chat.search for two words: a rare one and the beginning of a frequent one; in this conversation, in
                all, and for the most frequent word of all
  index         from the start of the app until a search looks through all messages; the index is in memory only and
                is made anew at each start, while the app is used";

struct Figures {
    open: Vec<f64>,
    older: Vec<f64>,
    date: Vec<f64>,
    here: Vec<f64>,
    all: Vec<f64>,
    frequent: Vec<f64>,
    index: Vec<f64>,
    index_mb: Vec<f64>,
}

/// Measures.
pub(crate) fn run() -> Result<Report, Failed> {
    let figures = wait_for(measured())?;
    let issue = "an interface that waits for nothing";
    let quick = |key, values| Figure::new(key, "ms", values).with_goal(Goal::AtMost(100.0), issue);
    Ok(Report::new(
        NOTE,
        vec![
            quick("open_100k_ms", figures.open),
            quick("older_100k_ms", figures.older),
            quick("date_100k_ms", figures.date),
            quick("search_here_100k_ms", figures.here),
            quick("search_all_100k_ms", figures.all),
            quick("search_frequent_100k_ms", figures.frequent),
            Figure::new("index_100k_ms", "ms", figures.index),
            Figure::new("index_100k_mb", "MB", figures.index_mb),
        ],
    ))
}

async fn measured() -> Result<Figures, Failed> {
    let mut a = Domain::start("a.localhost", Wire::Ws).await;
    let mut b = Domain::start("b.localhost", Wire::Sse).await;
    let setup = Setup::with(&[&a, &b]);
    let (mut ana, mut ben) = (Person::new("ana", setup.clone()).await, Person::new("ben", setup).await);
    ana.signs_up(&a, None).await;
    ben.signs_up(&b, None).await;
    let chat = ana.asks_for_contact("ben@b.localhost").await;
    ben.accepts("ana@a.localhost").await;
    ana.sees_contact("ben@b.localhost", ContactState::Accepted).await;
    ana.close().await;
    let begin = fill(&ana, &chat)?;

    let before = resident_mb();
    let started = Instant::now();
    ana.open().await;
    let search = |text: &str, chat: Option<&str>| Question::ChatSearch {
        text: text.to_owned(),
        chat: chat.map(str::to_owned),
        before: None,
    };
    loop {
        let answer: SearchAnswer = ana.ask(search("zebra", None)).await?;
        if answer.complete {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let index = vec![started.elapsed().as_secs_f64() * 1000.0];
    let index_mb = vec![resident_mb() - before];

    let open = Question::ChatOpen { chat: chat.clone() };
    let view: ChatView = ana.ask(open.clone()).await?;
    let last = view.messages.last().map_or(0, |message| message.ordinal);
    let half = i32::try_from(MESSAGES / 2).unwrap_or(0);
    let older = Question::ChatOlder { chat: chat.clone(), before: last - half };
    let date = Question::ChatDate { chat: chat.clone(), at: begin + i64::from(half) * 1000 };
    let figures = Figures {
        open: timed::<ChatView>(&ana, open, |view| view.messages.len() == 60).await?,
        older: timed::<Vec<ChatMessage>>(&ana, older, |page| page.len() == 60).await?,
        date: timed::<ChatPage>(&ana, date, |page| page.messages.len() > 60).await?,
        here: timed::<SearchAnswer>(&ana, search("w4321 w1", Some(&chat)), |answer| answer.complete).await?,
        all: timed::<SearchAnswer>(&ana, search("w4321 w1", None), |answer| answer.complete).await?,
        frequent: timed::<SearchAnswer>(&ana, search("w0", Some(&chat)), |answer| answer.found.len() == 50).await?,
        index,
        index_mb,
    };
    ana.close().await;
    ben.close().await;
    a.stop().await;
    b.stop().await;
    Ok(figures)
}

async fn timed<T: serde::de::DeserializeOwned>(
    ana: &Person,
    question: Question,
    is_right: impl Fn(&T) -> bool,
) -> Result<Vec<f64>, Failed> {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let answer: T = ana.ask(question.clone()).await?;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        if !is_right(&answer) {
            return Err(format!("the answer to {question:?} is not what was measured for").into());
        }
    }
    Ok(times)
}

/// Writes the history into the closed profile; gives when it begins.
fn fill(ana: &Person, chat: &str) -> Result<i64, Failed> {
    let key = MasterKey::open(ana.folder(), KeySource::Unprotected)?;
    let store = Store::open(&ana.folder().join("parlance.db"), &key)?;
    let begin = 1_700_000_000_000;
    let mut chance = 88_172_645_463_325_252_u64;
    for first in (0..MESSAGES).step_by(AT_ONCE) {
        store.write(|tx| {
            for at in first..first + AT_ONCE {
                let words: Vec<String> = (0..12).map(|_| format!("w{}", word(&mut chance))).collect();
                tx.add_child(&ChildRow {
                    id: format!("{chat}/children/history-{at}"),
                    object: chat.to_owned(),
                    author: "user://b.localhost/ben history".into(),
                    seq: i64::try_from(at).unwrap_or(0),
                    at: begin + i64::try_from(at).unwrap_or(0) * 1000,
                    state: ChildState::Received,
                    value: json!({ "value": { "type": "text", "text": words.join(" ") } }).to_string(),
                    ..ChildRow::default()
                })?;
            }
            Ok::<_, store::StoreError>(())
        })?;
    }
    store.close();
    Ok(begin)
}

/// A number below 5,000, small ones far more often (xorshift; the same words in each run).
fn word(chance: &mut u64) -> u64 {
    *chance ^= *chance << 13;
    *chance ^= *chance >> 7;
    *chance ^= *chance << 17;
    let part = (*chance >> 11) as f64 / (1_u64 << 53) as f64;
    (part * part * part * 5_000.0) as u64
}

/// What this process holds in memory.
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
