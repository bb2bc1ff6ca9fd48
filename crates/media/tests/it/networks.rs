//! Stories of calls, and of files from device to device, through networks that do not want them: made of namespaces and
//! nftables.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::{Person, connect, files, introduce, read, seconds_of, tone};
use crate::coturn::{Coturn, PORT, TLS_PORT};
use crate::netns::{Home, INTERNET, Router, World};
use media::{
    AudioConfig, DirectAnswer, DirectError, DirectOffer, FailReason, Frame, MediaEngine, MediaEvent, NetworkConfig,
    Pieces, parts,
};
use tokio::runtime::Runtime;

/// Longer than anything is waited for on a channel, even where every packet goes round over a stream.
const PATIENCE: Duration = Duration::from_secs(25);

/// Two homes with people in them, and a relay on the internet.
struct Neighbourhood {
    // Fields drop in this order: people, relay, network.
    homes: [Runtime; 2],
    relay: Coturn,
    world: World,
    folder: tempfile::TempDir,
}

impl Neighbourhood {
    fn new(router: Router) -> Option<Self> {
        let world = World::new(router)?;
        let relay = Coturn::start(world.on_internet("turnserver"), INTERNET.into(), PORT, TLS_PORT);
        world.on_the_internet(|| relay.until_ready());
        let homes = [world.runtime(Home::Ana), world.runtime(Home::Ben)];
        Some(Self { homes, relay, world, folder: tempfile::tempdir().unwrap() })
    }

    /// Somebody at home who says `hz`, and who knows the relay in these ways.
    fn person(&self, home: Home, hz: f32, relays: &[&str]) -> Person {
        let mut config = files(&tone(self.folder.path(), hz), &self.heard_by(home));
        config.network = self.network(relays);
        self.at(home, config)
    }

    fn network(&self, relays: &[&str]) -> NetworkConfig {
        NetworkConfig {
            stun: vec![format!("stun:{}:{PORT}", self.relay.ip)],
            relays: relays.iter().map(|how| self.relay.server(how)).collect(),
            net: Some(self.relay.net()),
            ..NetworkConfig::default()
        }
    }

    /// Two devices that describe themselves to each other for a file: one that asks, and one that answered.
    fn two_ends(&self, relays: &[&str]) -> (DirectOffer, DirectAnswer, String) {
        let engine = || MediaEngine::new(AudioConfig { network: self.network(relays), ..AudioConfig::default() });
        let (ana, ben) = (engine(), engine());
        let (offer, description) = self.does(Home::Ana, async move { ana.offer_direct().await }).unwrap();
        let (answered, answer) = self.does(Home::Ben, async move { ben.answer_direct(&description).await }).unwrap();
        (offer, answered, answer)
    }

    fn does<T: Send + 'static>(&self, home: Home, work: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = &self.homes[home as usize];
        runtime.block_on(runtime.spawn(work)).unwrap()
    }

    fn at(&self, home: Home, config: AudioConfig) -> Person {
        let runtime = &self.homes[home as usize];
        runtime.block_on(runtime.spawn(Person::with(config))).unwrap()
    }

    fn heard_by(&self, home: Home) -> std::path::PathBuf {
        self.folder.path().join(format!("{home:?}.wav"))
    }

    fn two_people(&self, relays: &[&str]) -> (Person, Person) {
        (self.person(Home::Ana, 440.0, relays), self.person(Home::Ben, 1_000.0, relays))
    }
}

fn world_runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn heard(file: &Path, hz: f32) -> f32 {
    seconds_of(&read(file), hz)
}

fn they_hear_each_other(router: Router, relays: &[&str]) {
    let Some(place) = Neighbourhood::new(router) else { return };
    let (mut ana, mut ben) = place.two_people(relays);
    world_runtime().block_on(async {
        connect(&mut ana, &mut ben).await;
        println!("first audio: ana {} ms, ben {} ms", ana.until_heard().await, ben.until_heard().await);
        // Four seconds of it, of which a machine that is busy plays less.
        ana.until_received(200).await;
        ben.until_received(200).await;
        ana.media.close().await;
        ben.media.close().await;
    });
    let (at_ana, at_ben) = (heard(&place.heard_by(Home::Ana), 1_000.0), heard(&place.heard_by(Home::Ben), 440.0));
    assert!(at_ana >= 1.2 && at_ben >= 1.2, "heard {at_ana} s and {at_ben} s");
}

#[test]
fn two_people_behind_symmetric_nat_hear_each_other_through_the_relay() {
    they_hear_each_other(Router::Symmetric, &["turn?transport=udp"]);
}

#[test]
fn two_people_whose_networks_block_udp_hear_each_other_over_tcp() {
    they_hear_each_other(Router::NoUdp, &["turn?transport=udp", "turn?transport=tcp"]);
}

#[test]
fn two_people_whose_networks_block_udp_hear_each_other_over_tls() {
    they_hear_each_other(Router::NoUdp, &["turns"]);
}

#[test]
fn without_a_relay_these_networks_let_nobody_through() {
    let Some(place) = Neighbourhood::new(Router::Symmetric) else { return };
    let (mut ana, mut ben) = place.two_people(&[]);
    world_runtime().block_on(async {
        introduce(&mut ana, &mut ben, |offer| offer, |answer| answer).await;
        let failed = ana.until(|event| matches!(event, MediaEvent::Failed { .. })).await;
        assert_eq!(failed, MediaEvent::Failed { reason: FailReason::NoRoute });
        let reflexive = ana.candidates_told().into_iter().any(|candidate| candidate.contains("srflx"));
        assert!(reflexive, "STUN was heard, and was of no use");
    });
}

/// Bytes of a piece, as a sealed chunk has them.
const PIECE: usize = 131_088;

fn piece(number: u32) -> Vec<u8> {
    vec![number as u8; PIECE]
}

/// Gives what is asked for until nobody asks any more.
async fn gives(answered: DirectAnswer) -> DirectError {
    let mut channel = match answered.settle().await {
        Ok(channel) => channel,
        Err(error) => return error,
    };
    loop {
        let number = match channel.hear(PATIENCE).await {
            Ok(Frame::Ask { piece }) => piece,
            Ok(other) => panic!("who asks says {other:?}"),
            Err(error) => return error,
        };
        for part in parts(number, piece(number)) {
            channel.say(&part).await.unwrap();
        }
    }
}

/// Asks for so many pieces, as far ahead as may be.
async fn gets(offer: DirectOffer, answer: String, count: u32) -> Result<(), DirectError> {
    let mut channel = offer.settle(&answer).await?;
    let (mut pieces, mut asked, mut came) = (Pieces::default(), 0, 0);
    while came < count {
        while asked < count && pieces.has_room() {
            channel.say(&pieces.ask(asked, PIECE)?).await?;
            asked += 1;
        }
        if let Some((number, bytes)) = pieces.take(channel.hear(PATIENCE).await?)? {
            assert!(number == came && bytes == piece(number), "piece {number} is not what was given");
            came += 1;
        }
    }
    Ok(())
}

#[test]
fn a_file_comes_from_device_to_device_behind_symmetric_nat_through_the_relay() {
    let Some(place) = Neighbourhood::new(Router::Symmetric) else { return };
    let (offer, answered, answer) = place.two_ends(&["turn?transport=udp"]);
    let giving = place.homes[Home::Ben as usize].spawn(gives(answered));
    assert_eq!(place.does(Home::Ana, gets(offer, answer, 40)), Ok(()));
    assert_eq!(world_runtime().block_on(giving).unwrap(), DirectError::Lost, "who has all of it leaves");
}

#[test]
fn without_a_relay_no_file_comes_through_these_networks_and_both_sides_say_so() {
    let Some(place) = Neighbourhood::new(Router::Symmetric) else { return };
    let (offer, answered, answer) = place.two_ends(&[]);
    let giving = place.homes[Home::Ben as usize].spawn(gives(answered));
    assert_eq!(place.does(Home::Ana, gets(offer, answer, 1)), Err(DirectError::NoPath));
    assert_eq!(world_runtime().block_on(giving).unwrap(), DirectError::NoPath);
}

/// Lets whoever wants another path have one, as the signalling of the two would.
fn watch_paths(ana: &Person, ben: &Person) -> impl Future<Output = ()> + use<> {
    let (ana_media, ben_media) = (ana.media.clone(), ben.media.clone());
    let (mut anas, mut bens) = (ana.wishes_for_a_path(), ben.wishes_for_a_path());
    async move {
        loop {
            tokio::select! {
                wish = anas.changed() => if wish.is_err() { return },
                wish = bens.changed() => if wish.is_err() { return },
            }
            let Ok(offer) = ana_media.restart().await else { return };
            let Ok(answer) = ben_media.accept_offer(&offer).await else { return };
            let _ = ana_media.accept_answer(&answer).await;
        }
    }
}

/// Waits until voice comes both ways again; gives how long that took.
async fn until_heard_again(ana: &Person, ben: &Person) -> Duration {
    let begun = Instant::now();
    let before = (ana.media.stats().received, ben.media.stats().received);
    // More than what was under way.
    while ana.media.stats().received < before.0 + 5 || ben.media.stats().received < before.1 + 5 {
        assert!(begun.elapsed() < Duration::from_secs(9), "voice did not come back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    begun.elapsed()
}

async fn until_silent(ana: &Person, ben: &Person) {
    loop {
        let before = (ana.media.stats().received, ben.media.stats().received);
        tokio::time::sleep(Duration::from_millis(300)).await;
        if before == (ana.media.stats().received, ben.media.stats().received) {
            return;
        }
    }
}

#[test]
fn a_path_that_was_cut_carries_the_call_on_when_it_is_restored() {
    let Some(place) = Neighbourhood::new(Router::Symmetric) else { return };
    let (mut ana, mut ben) = place.two_people(&["turn?transport=udp"]);
    world_runtime().block_on(async {
        connect(&mut ana, &mut ben).await;
        ana.until_heard().await;
        ben.until_heard().await;
        place.world.cut(Home::Ana, true);
        until_silent(&ana, &ben).await;
        ana.until(|event| *event == MediaEvent::Interrupted).await;
        place.world.cut(Home::Ana, false);
        println!("heard again {} ms after the path was back", until_heard_again(&ana, &ben).await.as_millis());
        ana.until(|event| *event == MediaEvent::Resumed).await;
    });
}

#[test]
fn a_call_moves_to_another_network_without_being_dialled_again() {
    let Some(place) = Neighbourhood::new(Router::Symmetric) else { return };
    let (mut ana, mut ben) = place.two_people(&["turn?transport=udp", "turns"]);
    world_runtime().block_on(async {
        connect(&mut ana, &mut ben).await;
        tokio::spawn(watch_paths(&ana, &ben));
        ana.until_heard().await;
        ben.until_heard().await;
        place.world.unplug(Home::Ana);
        until_silent(&ana, &ben).await;
        place.world.bring_up_another_way(Home::Ana);
        println!("heard again {} ms after the other network came", until_heard_again(&ana, &ben).await.as_millis());
        tokio::time::sleep(Duration::from_secs(1)).await;
        place.world.unplug(Home::Ben);
        until_silent(&ana, &ben).await;
        place.world.bring_up_another_way(Home::Ben);
        println!("and {} ms after the other one's", until_heard_again(&ana, &ben).await.as_millis());
        assert!(!ana.events().iter().any(|event| matches!(event, MediaEvent::Failed { .. })));
    });
}
