//! The story of two people whose apps and nodes are killed fifty times while they write to each other.
//!
//! All four are true programs in processes of their own. One app is killed with SIGKILL at a random moment of a
//! burst of messages, is started again on the same profile, unlocked, and goes on; every few times a node is killed
//! in the same burst, and an app once more while it starts. `PARLANCE_KILL_SEED` repeats the moments of a run as far
//! as a seed can: the machine decides what the programs are doing then.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::processes::app::{AppProcess, PASSPHRASE};
use crate::processes::node::NodeProcess;
use crate::processes::shell::Shell;
use contract::{ApiError, ChatMessage, ContactState, Content, DeliveryState, Question};

/// How often an app is killed in the middle of its messages, unless `PARLANCE_KILLS` says otherwise.
const KILLS: u32 = 50;

/// Every so many kills a node is killed as well.
const NODE_EVERY: u32 = 8;

/// Every so many kills the app is killed once more while it starts.
const START_EVERY: u32 = 10;

/// Messages one person writes in a burst, if nobody is killed.
const BURST: usize = 12;

/// Messages that are written in one moment, none waiting for the answer to another.
const MOMENT: usize = 4;

/// The latest moment of a kill after the begin of a burst: some hit the writing, some what follows from it.
const LATEST: Duration = Duration::from_millis(250);

/// The latest moment of a kill after the start of an app.
const LATEST_AT_START: Duration = Duration::from_millis(800);

/// How long a node is away while an app starts: longer than the first attempts to fetch a chat.
const NODE_AWAY: Duration = Duration::from_millis(1500);

/// The seed, unless the environment names one.
const SEED: u64 = 20_251_122;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_lose_no_message_and_double_none() {
    let mut chance = Chance::from_env();
    println!("PARLANCE_KILL_SEED={}", chance.0);
    let mut story = Story::begin().await;
    let begin = Instant::now();
    let kills = std::env::var("PARLANCE_KILLS").map_or(KILLS, |text| text.parse().expect("PARLANCE_KILLS is a number"));
    for kill in 1..=kills {
        let is_ana = chance.below(2) == 0;
        if kill.is_multiple_of(NODE_EVERY) {
            story.burst_without_a_node(is_ana, &mut chance).await;
        } else {
            story.burst(is_ana, chance.moment(LATEST)).await;
        }
        let victim = if is_ana { &mut story.ana } else { &mut story.ben };
        if kill.is_multiple_of(START_EVERY) {
            victim.app.resume_in_vain(chance.moment(LATEST_AT_START)).await;
        }
        victim.app.resume().await;
    }
    println!("{kills} kills in {:.1} s", begin.elapsed().as_secs_f32());
    for writer in [&story.ana, &story.ben] {
        assert!(writer.book.acknowledged.len() >= 20, "{} was killed before they wrote anything", writer.app.name);
    }
    story.settles().await;
    println!("all delivered after {:.1} s", begin.elapsed().as_secs_f32());
    story.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_before_the_chat_runs_never_leaves_unsealed() {
    let mut story = Story::begin().await;
    story.ana.app.kill().await;
    // Without the own domain there is no catalogue, and without a catalogue no chat.
    story.a.kill().await;
    story.ana.app.unlock().await;
    let (shell, over) = (story.ana.app.shell(), AtomicBool::new(false));
    tokio::time::sleep(NODE_AWAY).await;
    story.a.resume().await;
    // The stub and the chat are fetched apart from each other; whichever comes first, nothing may slip out.
    story.ana.app.is_online().await;
    story.ana.book.burst(&shell, &story.chat, &over).await;
    story.settles().await;
    story.ends().await;
}

struct Story {
    a: NodeProcess,
    b: NodeProcess,
    ana: Writer,
    ben: Writer,
    chat: String,
}

impl Story {
    /// Two people at two domains become contacts.
    async fn begin() -> Self {
        let a = NodeProcess::start("a.localhost", "ws").await;
        let b = NodeProcess::start("b.localhost", "sse").await;
        let ana = AppProcess::sign_up("ana", &a, &[&a, &b]).await;
        let ben = AppProcess::sign_up("ben", &b, &[&a, &b]).await;
        let chat = ana.asks_for_contact("ben@b.localhost").await;
        assert_eq!(ben.accepts("ana@a.localhost").await, chat);
        ana.sees_contact("ben@b.localhost", ContactState::Accepted).await;
        Self { a, b, ana: Writer::new(ana), ben: Writer::new(ben), chat }
    }

    /// Both write, and one app is killed at that moment.
    async fn burst(&mut self, is_ana: bool, moment: Duration) {
        let (victim, other) = if is_ana { (&mut self.ana, &mut self.ben) } else { (&mut self.ben, &mut self.ana) };
        let over = AtomicBool::new(false);
        let (hers, his) = (victim.app.shell(), other.app.shell());
        let killing = async {
            tokio::time::sleep(moment).await;
            victim.app.kill().await;
            over.store(true, Ordering::Relaxed);
        };
        let writing = victim.book.burst(&hers, &self.chat, &over);
        tokio::join!(killing, writing, other.book.burst(&his, &self.chat, &over));
    }

    /// The same, and a node is killed in the same burst and comes back when its operator has noticed.
    async fn burst_without_a_node(&mut self, is_ana: bool, chance: &mut Chance) {
        let (victim, other) = if is_ana { (&mut self.ana, &mut self.ben) } else { (&mut self.ben, &mut self.ana) };
        let node = if chance.below(2) == 0 { &mut self.a } else { &mut self.b };
        let moments = (chance.moment(LATEST), chance.moment(LATEST));
        let over = AtomicBool::new(false);
        let (hers, his) = (victim.app.shell(), other.app.shell());
        let killing = async {
            tokio::time::sleep(moments.0).await;
            victim.app.kill().await;
            over.store(true, Ordering::Relaxed);
        };
        let failing = async {
            tokio::time::sleep(moments.1).await;
            node.kill().await;
            node.resume().await;
        };
        let writing = victim.book.burst(&hers, &self.chat, &over);
        tokio::join!(killing, failing, writing, other.book.burst(&his, &self.chat, &over));
    }

    /// Waits until nothing is under way any more.
    async fn settles(&self) {
        for writer in [&self.ana, &self.ben] {
            let shell = writer.app.shell();
            let look = async || {
                let history = writer.app.history(&self.chat).await;
                let waits = history.iter().filter(|message| message.mine && is_under_way(message)).count();
                (waits == 0).then_some(())
            };
            writer.app.patiently("all to be delivered", shell.until(look)).await;
        }
    }

    /// What both keep is one conversation, and everything opens.
    async fn ends(mut self) {
        let at_ana = self.ana.app.history(&self.chat).await;
        let at_ben = self.ben.app.history(&self.chat).await;
        for node in [&self.a, &self.b] {
            assert!(!node.routed().contains("says no "), "the node of {} reads along", node.domain);
        }
        self.ana.book.holds(&at_ana, &at_ben);
        self.ben.book.holds(&at_ben, &at_ana);
        for writer in [&mut self.ana, &mut self.ben] {
            writer.app.kill().await;
            let key = store::MasterKey::open(&writer.app.profile(), store::KeySource::Passphrase(PASSPHRASE)).unwrap();
            store::Store::open(&writer.app.profile().join("parlance.db"), &key).unwrap().check().unwrap();
            assert!(!writer.app.said().contains("panicked"), "{}", writer.app.said());
        }
        for node in [&self.a, &self.b] {
            assert!(!node.said().contains("panicked"), "{}", node.said());
        }
    }
}

/// A person who numbers what they write.
struct Writer {
    app: AppProcess,
    book: Book,
}

impl Writer {
    fn new(app: AppProcess) -> Self {
        Self { book: Book { name: app.name, ..Book::default() }, app }
    }
}

/// What became of each number, as the person saw it.
#[derive(Default)]
struct Book {
    name: &'static str,
    last: usize,
    acknowledged: BTreeSet<usize>,
    /// The app said that it could not.
    refused: Vec<(usize, ApiError)>,
    /// The app was killed before it answered.
    unanswered: BTreeSet<usize>,
}

impl Book {
    /// Writes a few messages at a time until the burst is over or the app is gone.
    async fn burst(&mut self, shell: &Shell, chat: &str, over: &AtomicBool) {
        for _ in 0..BURST / MOMENT {
            if over.load(Ordering::Relaxed) {
                return;
            }
            let numbers = self.last + 1..=self.last + MOMENT;
            self.last += MOMENT;
            let answers = join_all(numbers.map(async |number| {
                let text = format!("{} says no {number}", self.name);
                (
                    number,
                    shell
                        .try_ask::<ChatMessage>(Question::ChatSend { chat: chat.to_owned(), text, preview: None })
                        .await,
                )
            }));
            for (number, answer) in answers.await {
                match answer {
                    Ok(Ok(_)) => drop(self.acknowledged.insert(number)),
                    Ok(Err(error)) => self.refused.push((number, error)),
                    Err(_) => drop(self.unanswered.insert(number)),
                }
            }
            if self.unanswered.contains(&self.last) {
                return;
            }
        }
    }

    /// Everything acknowledged is at the other side exactly once, in order, and nothing is there that was not written.
    fn holds(&self, here: &[ChatMessage], there: &[ChatMessage]) {
        let kept: Vec<&ChatMessage> = here.iter().filter(|message| message.mine).collect();
        let delivered: Vec<usize> = kept
            .iter()
            .filter(|m| matches!(m.state, DeliveryState::Delivered | DeliveryState::Read))
            .filter_map(|m| self.number(m))
            .collect();
        let failed: BTreeSet<usize> =
            kept.iter().filter(|m| m.state == DeliveryState::Failed).filter_map(|m| self.number(m)).collect();
        let arrived: Vec<usize> = there.iter().filter(|m| !m.mine).filter_map(|m| self.number(m)).collect();
        println!(
            "{}: {} acknowledged, {} unanswered ({} of them delivered), {} refused, {} failed",
            self.name,
            self.acknowledged.len(),
            self.unanswered.len(),
            delivered.iter().filter(|number| self.unanswered.contains(number)).count(),
            self.refused.len(),
            failed.len(),
        );
        // Which of those of one moment is first is the app's to say; both sides say the same.
        assert_eq!(arrived, delivered, "{} believes something else than the other side", self.name);
        let moments = arrived.iter().map(|number| (number - 1) / MOMENT);
        assert!(moments.is_sorted(), "{}'s words are out of order: {arrived:?}", self.name);
        let count = arrived.len();
        let arrived: BTreeSet<usize> = arrived.into_iter().collect();
        assert_eq!(arrived.len(), count, "{}'s words are doubled", self.name);
        let lost: Vec<&usize> = self.acknowledged.difference(&arrived).collect();
        assert!(lost.is_empty(), "{}'s words were lost: {lost:?}", self.name);
        assert!(failed.is_empty(), "nothing stood in the way of {}'s words {failed:?}", self.name);
        assert!(self.refused.is_empty(), "{} could not write: {:?}", self.name, self.refused);
    }

    fn number(&self, message: &ChatMessage) -> Option<usize> {
        let Content::Text { text } = &message.content else { return None };
        let number = text.strip_prefix(self.name).and_then(|text| text.strip_prefix(" says no "));
        Some(number.unwrap_or_else(|| panic!("{} never wrote {text:?}", self.name)).parse().unwrap())
    }
}

fn is_under_way(message: &ChatMessage) -> bool {
    matches!(message.state, DeliveryState::Queued | DeliveryState::Sent)
}

/// A small generator of random numbers (SplitMix64), the same for the same seed.
struct Chance(u64);

impl Chance {
    fn from_env() -> Self {
        let seed =
            std::env::var("PARLANCE_KILL_SEED").map(|text| text.parse().expect("PARLANCE_KILL_SEED is a number"));
        Self(seed.unwrap_or(SEED))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn moment(&mut self, latest: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(latest.as_micros()).unwrap()))
    }
}
