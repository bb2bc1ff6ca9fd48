//! A new device of somebody with a hundred conversations, until it is in all of them.

use std::time::Instant;

use seal::{Device, GroupId, Invitation, create, inspect_welcome, invite, key_package, open};

use super::ground::{Ground, NOW, device, ms_since, trusting};
use crate::Failed;

const GROUPS: usize = 100;
const ROUNDS: usize = 5;

/// Milliseconds, several times over.
pub(super) fn to_100_groups() -> Result<Vec<f64>, Failed> {
    (0..ROUNDS).map(|_| once()).collect()
}

fn once() -> Result<f64, Failed> {
    let [ana, ben, new] = [Ground::new()?, Ground::new()?, Ground::new()?];
    let [ana_is, ben_is, new_is] = [device(), device(), device()];
    let groups = (0..GROUPS).map(|number| GroupId::new(format!("comm://a.localhost/{number}")).ok_or("no group"));
    let groups = groups.collect::<Result<Vec<_>, _>>()?;
    let asked = packages(&ben, &ben_is)?;
    let welcomes = ana.write(|tx| {
        let begin = |(group, package): (&GroupId, &Vec<u8>)| {
            create(tx, &ana_is, group, NOW)?;
            Ok(invite(tx, &ana_is, group, package, &mut trusting())?.welcome)
        };
        groups.iter().zip(&asked).map(begin).collect::<Result<Vec<_>, Failed>>()
    })?;
    joins(&ben, &ben_is, welcomes.iter())?;
    let asked = packages(&new, &new_is)?;

    let begun = Instant::now();
    let invitations = ana.write(|tx| {
        let add = |(group, package): (&GroupId, &Vec<u8>)| Ok(invite(tx, &ana_is, group, package, &mut trusting())?);
        groups.iter().zip(&asked).map(add).collect::<Result<Vec<Invitation>, Failed>>()
    })?;
    // The new device and the contact are machines of their own.
    std::thread::scope(|scope| {
        let joining = scope.spawn(|| joins(&new, &new_is, invitations.iter().map(|one| &one.welcome)));
        let told = ben.write(|tx| {
            invitations.iter().try_for_each(|one| Ok(open(tx, &ben_is, &one.commit, &mut trusting()).map(drop)?))
        });
        told.and(joining.join().map_err(|_| "the new device gave up")?)
    })?;
    Ok(ms_since(begun))
}

fn packages(ground: &Ground, who: &Device) -> Result<Vec<Vec<u8>>, Failed> {
    ground.write(|tx| (0..GROUPS).map(|_| Ok(key_package(tx, who, false)?)).collect())
}

fn joins<'w>(ground: &Ground, who: &Device, welcomes: impl Iterator<Item = &'w Vec<u8>>) -> Result<(), Failed> {
    ground.write(|tx| {
        for welcome in welcomes {
            inspect_welcome(tx, who, welcome)?.join(tx, &mut trusting())?;
        }
        Ok(())
    })
}
