//! The same by a key for each pair: agreed once, and ratcheted with each message.

use std::sync::mpsc;
use std::time::Instant;

use keys::SealKey;
use ring::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey, X25519};
use ring::rand::SystemRandom;
use seal::Vault;

use super::ground::{Ground, TEXT, ms_since, ring};
use super::stream::{BATCH, BATCHES, ROUNDS};
use super::update::on_threads;
use crate::{Failed, THREADS};

/// One end of a pair: the key the next message is sealed with.
struct End {
    number: u32,
    key: SealKey,
}

impl End {
    /// Both ends of a new pair.
    fn pair(number: u32) -> Result<(Self, Self), Failed> {
        let random = SystemRandom::new();
        let fresh = || ring(EphemeralPrivateKey::generate(&X25519, &random));
        let (one, other) = (fresh()?, fresh()?);
        let (one_public, other_public) = (ring(one.compute_public_key())?, ring(other.compute_public_key())?);
        let agree = |own, public: &agreement::PublicKey| {
            let agreed = agreement::agree_ephemeral(own, &UnparsedPublicKey::new(&X25519, public), |secret| {
                <[u8; 32]>::try_from(secret).map(|bytes| SealKey::from_bytes(&bytes).derive("pair"))
            });
            ring(ring(agreed)?)
        };
        Ok((Self { number, key: agree(one, &other_public)? }, Self { number, key: agree(other, &one_public)? }))
    }

    fn seal(&mut self, text: &[u8]) -> Result<Vec<u8>, Failed> {
        let sealed = self.key.derive("message").seal(text, b"")?;
        self.key = self.key.derive("next");
        Ok(sealed)
    }

    fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, Failed> {
        let text = self.key.derive("message").open(sealed, b"")?.to_vec();
        self.key = self.key.derive("next");
        Ok(text)
    }

    fn keep(&self, vault: &dyn Vault) -> Result<(), Failed> {
        Ok(vault.put("pair", &self.number.to_be_bytes(), self.key.as_bytes())?)
    }
}

/// Milliseconds until a new device shares a key with each of a hundred contacts.
pub(super) fn device_to_100_contacts_ms() -> Result<Vec<f64>, Failed> {
    let once = |_| {
        let [new, contacts] = [Ground::new()?, Ground::new()?];
        let begun = Instant::now();
        let pairs = (0..100).map(End::pair).collect::<Result<Vec<_>, _>>()?;
        new.write(|tx| pairs.iter().try_for_each(|(end, _)| end.keep(tx)))?;
        contacts.write(|tx| pairs.iter().try_for_each(|(_, end)| end.keep(tx)))?;
        Ok(ms_since(begun))
    };
    (0..ROUNDS).map(once).collect()
}

/// Texts a second in one conversation.
pub(super) fn sealed_per_s() -> Result<Vec<f64>, Failed> {
    let [writer, reader] = [Ground::new()?, Ground::new()?];
    let (mut one, mut other) = End::pair(0)?;
    (0..ROUNDS).map(|_| round(&writer, &mut one, &reader, &mut other)).collect()
}

fn round(writer: &Ground, one: &mut End, reader: &Ground, other: &mut End) -> Result<f64, Failed> {
    let (way, arrives) = mpsc::sync_channel::<Vec<Vec<u8>>>(2);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || {
            (0..BATCHES).try_for_each(|batch| {
                let sealed = writer.write(|tx| {
                    let sealed = (0..BATCH).map(|_| one.seal(&TEXT)).collect::<Result<Vec<_>, _>>()?;
                    for (at, text) in sealed.iter().enumerate() {
                        Vault::put(tx, "outbox", &(batch * BATCH + at).to_be_bytes(), text)?;
                    }
                    one.keep(tx)?;
                    Ok(sealed)
                })?;
                Ok(way.send(sealed)?)
            })
        });
        for (batch, sealed) in arrives.iter().enumerate() {
            reader.write(|tx| {
                for (at, text) in sealed.iter().enumerate() {
                    Vault::put(tx, "history", &(batch * BATCH + at).to_be_bytes(), &other.open(text)?)?;
                }
                other.keep(tx)
            })?;
        }
        writing.join().map_err(|_| "the writer gave up")?
    })
    .map_err(|error: Failed| error)?;
    Ok((BATCH * BATCHES) as f64 / begun.elapsed().as_secs_f64())
}

/// Milliseconds for one update at so many observers.
pub(super) fn update_ms(observers: u32) -> Result<Vec<f64>, Failed> {
    let reporter = Ground::new()?;
    let (mut ours, theirs): (Vec<End>, Vec<End>) =
        (0..observers).map(End::pair).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    let mut theirs = theirs.into_iter().peekable();
    let mut shares = Vec::with_capacity(THREADS);
    while theirs.peek().is_some() {
        let each = ours.len().div_ceil(THREADS);
        shares.push((Ground::new()?, theirs.by_ref().take(each).collect::<Vec<_>>()));
    }
    let mut once = || {
        let begun = Instant::now();
        let sealed = reporter.write(|tx| {
            let seal = |end: &mut End| {
                let sealed = end.seal(&TEXT)?;
                end.keep(tx)?;
                Ok(sealed)
            };
            ours.iter_mut().map(seal).collect::<Result<Vec<_>, Failed>>()
        })?;
        on_threads(&mut shares, |(ground, ends)| {
            ground.write(|tx| {
                for end in ends {
                    let text = end.open(sealed.get(end.number as usize).ok_or("nothing for this one")?)?;
                    if text != TEXT {
                        return Err("another text was opened".into());
                    }
                    end.keep(tx)?;
                }
                Ok(())
            })
        })?;
        Ok(ms_since(begun))
    };
    (0..ROUNDS).map(|_| once()).collect()
}
