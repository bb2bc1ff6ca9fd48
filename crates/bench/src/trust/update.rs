//! One update of a Reporter, until every observer has it.

use std::thread::{Scope, ScopedJoinHandle};
use std::time::Instant;

use seal::{Device, GroupId, Kept, MemoryVault, What, create, inspect_welcome, invite_many, key_package};

use super::ground::{Ground, NOW, Of, TEXT, device, ms_since, trusting};
use crate::{Failed, THREADS};

const ROUNDS: usize = 9;

/// One who watches, with the group in memory.
struct Observer {
    number: u32,
    device: Device,
    kept: Kept,
}

/// The observers one thread cares for, and the store they share.
struct Share {
    ground: Ground,
    observers: Vec<Observer>,
}

/// Milliseconds, several times over.
pub(super) fn update_ms(observers: usize) -> Result<Vec<f64>, Failed> {
    let group = GroupId::new("comm://a.localhost/one").ok_or("no group")?;
    let (reporter, reporter_is) = (Ground::new()?, device());
    let arriving: Vec<(Device, MemoryVault)> = (0..observers).map(|_| (device(), MemoryVault::new())).collect();
    let packages = arriving.iter().map(|(device, vault)| key_package(vault, device, false));
    let packages = packages.collect::<Result<Vec<_>, _>>()?;
    let packages: Vec<&[u8]> = packages.iter().map(Vec::as_slice).collect();
    let (welcome, mut kept) = reporter.write(|tx| {
        create(tx, &reporter_is, &group, NOW)?;
        let invited = invite_many(tx, &reporter_is, &group, &packages, b"", &mut trusting())?;
        Ok((invited.welcome, Kept::load(tx, &group)?))
    })?;
    let mut shares = all_join(arriving, &welcome)?;
    let mut once = || {
        let begun = Instant::now();
        let sealed = reporter.write(|tx| Ok(kept.seal_many(tx, &reporter_is, &[TEXT.as_slice()])?))?;
        let sealed = sealed.first().ok_or("nothing was sealed")?;
        on_threads(&mut shares, |share| share.reads(sealed))?;
        Ok(ms_since(begun))
    };
    (0..ROUNDS).map(|_| once()).collect()
}

/// Everybody joins; what it takes is not measured, and is not kept on disk.
fn all_join(arriving: Vec<(Device, MemoryVault)>, welcome: &[u8]) -> Result<Vec<Share>, Failed> {
    let each = arriving.len().div_ceil(THREADS);
    let mut shares = Vec::with_capacity(THREADS);
    let mut numbered = (0..).zip(arriving).peekable();
    while numbered.peek().is_some() {
        shares.push((
            numbered.by_ref().take(each).collect::<Vec<_>>(),
            Share { ground: Ground::new()?, observers: Vec::new() },
        ));
    }
    on_threads(&mut shares, |(arriving, share)| {
        for (number, (device, vault)) in arriving.drain(..) {
            let kept = inspect_welcome(&vault, &device, welcome)?.join_and_keep(&vault, &mut trusting())?;
            share.observers.push(Observer { number, device, kept });
        }
        Ok(())
    })?;
    Ok(shares.into_iter().map(|(_, share)| share).collect())
}

impl Share {
    fn reads(&mut self, sealed: &[u8]) -> Result<(), Failed> {
        let Self { ground, observers } = self;
        ground.write(|tx| {
            for observer in observers {
                let vault = Of { vault: tx, number: observer.number };
                let mut opened = observer.kept.open_many(&vault, &observer.device, &[sealed], &mut trusting())?;
                match opened.pop().ok_or("nothing was opened")??.what {
                    What::Application(text) if text == TEXT => {}
                    _ => return Err("another text was opened".into()),
                }
            }
            Ok(())
        })
    }
}

/// Does `work` on every item, each on a thread of its own.
pub(crate) fn on_threads<T: Send>(
    items: &mut [T],
    work: impl Fn(&mut T) -> Result<(), Failed> + Sync,
) -> Result<(), Failed> {
    let work = &work;
    std::thread::scope(|scope: &Scope<'_, '_>| {
        let running: Vec<ScopedJoinHandle<'_, _>> =
            items.iter_mut().map(|item| scope.spawn(move || work(item))).collect();
        running.into_iter().try_for_each(|one| one.join().map_err(|_| "a thread gave up")?)
    })
}
