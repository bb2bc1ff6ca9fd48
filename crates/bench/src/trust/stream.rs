//! One conversation at full speed, both sides on disk.

use std::sync::mpsc;
use std::time::Instant;

use seal::{Device, GroupId, Kept, Vault, What, create, inspect_welcome, invite, key_package};

use super::ground::{Ground, NOW, TEXT, device, trusting};
use crate::Failed;

/// Texts of one transaction.
pub(super) const BATCH: usize = 64;

/// Transactions of one round.
pub(super) const BATCHES: usize = 100;

pub(super) const ROUNDS: usize = 5;

struct Side {
    ground: Ground,
    device: Device,
    kept: Kept,
}

/// Texts a second, several times over.
pub(super) fn sealed_per_s() -> Result<Vec<f64>, Failed> {
    let (mut ana, mut ben) = conversation()?;
    (0..ROUNDS).map(|_| round(&mut ana, &mut ben)).collect()
}

fn conversation() -> Result<(Side, Side), Failed> {
    let group = GroupId::new("comm://a.localhost/one").ok_or("no group")?;
    let [ana, ben] = [Ground::new()?, Ground::new()?];
    let [ana_is, ben_is] = [device(), device()];
    let package = ben.write(|tx| Ok(key_package(tx, &ben_is, false)?))?;
    let (welcome, ana_keeps) = ana.write(|tx| {
        create(tx, &ana_is, &group, NOW)?;
        Ok((invite(tx, &ana_is, &group, &package, &mut trusting())?.welcome, Kept::load(tx, &group)?))
    })?;
    let ben_keeps = ben.write(|tx| Ok(inspect_welcome(tx, &ben_is, &welcome)?.join_and_keep(tx, &mut trusting())?))?;
    Ok((Side { ground: ana, device: ana_is, kept: ana_keeps }, Side { ground: ben, device: ben_is, kept: ben_keeps }))
}

fn round(ana: &mut Side, ben: &mut Side) -> Result<f64, Failed> {
    let (way, arrives) = mpsc::sync_channel::<Vec<Vec<u8>>>(2);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || (0..BATCHES).try_for_each(|at| Ok(way.send(ana.writes(at)?)?)));
        for (at, sealed) in arrives.iter().enumerate() {
            ben.reads(at, &sealed)?;
        }
        writing.join().map_err(|_| "the writer gave up")?
    })
    .map_err(|error: Failed| error)?;
    Ok((BATCH * BATCHES) as f64 / begun.elapsed().as_secs_f64())
}

impl Side {
    fn writes(&mut self, batch: usize) -> Result<Vec<Vec<u8>>, Failed> {
        self.ground.write(|tx| {
            let sealed = self.kept.seal_many(tx, &self.device, &[TEXT.as_slice(); BATCH])?;
            for (at, one) in sealed.iter().enumerate() {
                Vault::put(tx, "outbox", &(batch * BATCH + at).to_be_bytes(), one)?;
            }
            Ok(sealed)
        })
    }

    fn reads(&mut self, batch: usize, sealed: &[Vec<u8>]) -> Result<(), Failed> {
        let sealed: Vec<&[u8]> = sealed.iter().map(Vec::as_slice).collect();
        self.ground.write(|tx| {
            let opened = self.kept.open_many(tx, &self.device, &sealed, &mut trusting())?;
            for (at, one) in opened.into_iter().enumerate() {
                let What::Application(text) = one?.what else { return Err("not a text".into()) };
                Vault::put(tx, "history", &(batch * BATCH + at).to_be_bytes(), &text)?;
            }
            Ok(())
        })
    }
}
