//! Resets with the clock in the hand.

use std::collections::BTreeMap;

use identity::{Attest, DeviceError, Signer};
use message::{Address, UserAddress};
use store::{KeySource, MasterKey, Store};

use super::*;
use crate::home::Ready;
use crate::members::Chains;
use crate::persons::{PINS, get_or_new};

const DAY: i64 = 86_400;

/// Ana's history: a laptop, and a reset by somebody who signed in at her issuer.
struct Ana {
    laptop: keys::SigningKey,
    restarting: Restarting,
    before: Sigchain,
    chain: Sigchain,
    reset: Digest,
    /// When it was asked for.
    at: i64,
}

fn ana() -> Ana {
    let at = now_ms() / 1000 - 10 * DAY;
    let [irk, laptop, new, dsk] = std::array::from_fn(|_| keys::SigningKey::generate());
    let word = |byte: u8| Attest {
        pkt_hash: Digest([byte; 32]),
        iss: "https://idp.example".into(),
        sub: "ana".into(),
        until: at + 90 * DAY,
    };
    let mut chain = Sigchain::create(&irk, None, at);
    chain.add_device(&irk, laptop.verifying_key(), "laptop", at + 300 * DAY, at).unwrap();
    chain.attest(&irk, word(1), at).unwrap();
    let before = chain.clone();
    let reset = chain.reset(&new, Digest([2; 32]), at).unwrap().hash();
    chain.add_device(&new, dsk.verifying_key(), "new laptop", at + 300 * DAY, at).unwrap();
    chain.attest(&new, word(2), at).unwrap();
    let restarting = Restarting {
        user: user(),
        issuer: "https://idp.example".into(),
        irk: keys::b64url(new.to_bytes().as_ref()),
        dsk: keys::b64url(dsk.to_bytes().as_ref()),
        token: String::new(),
        chain: chain.texts(),
        cic: String::new(),
        reset,
        until: at + RESET_DELAY_S,
        announced: true,
        refresh_token: None,
    };
    Ana { laptop, restarting, before, chain, reset, at }
}

fn user() -> UserAddress {
    UserAddress::parse("ana@a.localhost").unwrap()
}

/// Somebody with a device.
fn me(user: &UserAddress, dsk: &keys::SigningKey, chain: &Sigchain, resets: BTreeMap<Digest, i64>) -> Outcome<Ready> {
    let address = |part: &str| Address::new("hyperty", &user.domain(), part).unwrap();
    ready(Me {
        user: user.clone(),
        name: "Somebody".into(),
        issuer: "https://idp.example".into(),
        irk: None,
        dsk: keys::b64url(dsk.to_bytes().as_ref()),
        chain: chain.texts(),
        resets,
        tokens: Vec::new(),
        renewals: Vec::new(),
        recovery: None,
        own: None,
        inbox: address("inbox"),
        chat: address("chat"),
        connector: address("connector"),
    })
}

fn store(folder: &tempfile::TempDir) -> Store {
    let key = MasterKey::open(folder.path(), KeySource::Unprotected).unwrap();
    Store::open(&folder.path().join("parlance.db"), &key).unwrap()
}

#[test]
fn for_a_contact_the_devices_of_before_count_until_three_days_after_the_reset_was_seen() {
    let (ana, folder) = (ana(), tempfile::TempDir::new().unwrap());
    let store = store(&folder);
    let now = now_ms() / 1000;
    let (ben_irk, ben_dsk) = (keys::SigningKey::generate(), keys::SigningKey::generate());
    let mut ben_chain = Sigchain::create(&ben_irk, None, now);
    ben_chain.add_device(&ben_irk, ben_dsk.verifying_key(), "phone", now + 300 * DAY, now).unwrap();
    let ben = me(&UserAddress::parse("ben@b.localhost").unwrap(), &ben_dsk, &ben_chain, BTreeMap::new()).unwrap();
    let (old, new) = (ana.laptop.verifying_key().to_string(), ana.restarting.keys().unwrap().1.verifying_key());
    // Ben saw it five days after the date it bears.
    let seen = ana.at + 5 * DAY;
    let live = |at: i64| {
        store.read(|tx| {
            let chains = Chains::at(tx, &ben, &user(), at)?;
            Ok::<_, Failure>(chains.live_devices(at)[1].1.clone())
        })
    };
    store
        .write(|tx| {
            let mut person = get_or_new(tx, &user())?;
            person.chain = ana.chain.texts();
            crate::sending::put_person(tx, &person)
        })
        .unwrap();
    assert_eq!(live(seen + 30 * DAY).unwrap(), std::slice::from_ref(&old), "no issuer was seen behind it");
    store
        .write(|tx| {
            let mut pins = crate::settling::pins(tx)?;
            pins.saw_reset(ana.chain.persona(), ana.reset, seen);
            tx.put(kind::PINS, PINS, &pins).map_err(Failure::store)
        })
        .unwrap();
    assert_eq!(live(seen + RESET_DELAY_S - 1).unwrap(), [old]);
    assert_eq!(live(seen + RESET_DELAY_S).unwrap(), [new.to_string()]);
}

#[test]
fn a_reset_with_an_old_date_ends_no_device_that_hears_of_it_only_now() {
    let (ana, folder) = (ana(), tempfile::TempDir::new().unwrap());
    let store = store(&folder);
    let before = me(&user(), &ana.laptop, &ana.before, BTreeMap::new()).unwrap();
    let heard = store.write(|tx| {
        tx.put(kind::ME, "me", &before.record).map_err(Failure::store)?;
        crate::histories::on_own_chain(tx, &before, &ana.chain.texts())?;
        tx.get::<Me>(kind::ME, "me").map_err(Failure::store)
    });
    let heard = heard.unwrap().unwrap();
    assert_eq!(heard.chain, ana.chain.texts());
    let after = ready(heard).unwrap();
    assert_eq!(after.chain.irk(), ana.before.irk(), "the wait begins when it was heard of");
    // It is alive, so it says no, and nothing comes of the reset.
    let now = now_ms() / 1000;
    let mut refused =
        crate::refusing::with_vetoes(after.chain.clone(), &ana.laptop, &std::collections::BTreeSet::new(), now);
    settling::settle_own(&mut refused, &after.record.resets, now + 30 * DAY);
    assert_eq!(refused.irk(), ana.before.irk());
    assert_eq!(was_refused(&refused, &ana.reset), Some(true));
    assert_eq!((was_refused(&ana.chain, &ana.reset), was_refused(&ana.before, &ana.reset)), (Some(false), None));
}

#[test]
fn a_device_that_heard_of_a_reset_three_days_ago_counts_no_more() {
    let ana = ana();
    let seen = |at: i64| BTreeMap::from([(ana.reset, at)]);
    let now = now_ms() / 1000;
    assert!(me(&user(), &ana.laptop, &ana.chain, seen(now - RESET_DELAY_S + 60)).is_ok());
    assert!(me(&user(), &ana.laptop, &ana.chain, seen(now - RESET_DELAY_S)).is_err());
}

#[test]
fn the_new_device_comes_back_when_the_days_are_over_and_closes_them() {
    let ana = ana();
    let (irk, dsk) = ana.restarting.keys().unwrap();
    let early = ana.restarting.come_back(ana.chain.clone(), "new laptop", ana.at + RESET_DELAY_S - 1);
    assert_eq!(early.unwrap_err().code, "not-yet");
    let now = now_ms() / 1000;
    let back = ana.restarting.come_back(ana.chain.clone(), "new laptop", now).unwrap();
    assert_eq!((back.irk(), back.persona()), (irk.verifying_key(), ana.before.persona()));
    assert_eq!(back.device(&ana.laptop.verifying_key(), now), Err(DeviceError::BeforeReset));
    let first = me(&user(), &dsk, &back, settling::dated(&back)).unwrap();
    assert_eq!(first.chain.irk(), irk.verifying_key());
    // A no after that is too late for everybody who waited with her.
    let mut late = back.clone();
    late.veto(&ana.laptop, Signer::Device(ana.laptop.verifying_key()), ana.reset, ana.at + DAY).unwrap();
    settling::settle_own(&mut late, &first.record.resets, now);
    assert_eq!(late.irk(), irk.verifying_key());
}

#[test]
fn what_waits_is_kept_until_it_cannot_come_any_more() {
    let text = serde_json::to_string(&ana().restarting).unwrap();
    let read: Restarting = serde_json::from_str(&text).unwrap();
    assert!(read.keys().is_ok() && read.announced);
    for (code, ends) in
        [("reset-vetoed", true), ("reset-refused", true), ("domain-unreachable", false), ("not-yet", false)]
    {
        assert_eq!(is_final(&Failure::new(code, "")), ends, "{code}");
    }
}
