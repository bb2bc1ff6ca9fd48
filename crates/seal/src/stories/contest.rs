//! Two devices that take a lease at the same moment: whoever hears both says the same, in whatever order.

use super::people::*;
use crate::*;

/// Devices are of one persona if their credentials begin alike: "Ana's phone", "Ana's laptop".
fn same_persona(one: &Member, other: &Member) -> bool {
    let persona = |member: &Member| member.credential.split(|byte| *byte == b'\'').next().map(<[u8]>::to_vec);
    persona(one) == persona(other)
}

const OVER: i64 = NOW + LEASE_LIFE_S + LEASE_SKEW_S + 1;

fn hears(at: &Person, step: &LeaseMove, by: &Person, now: i64) -> Result<Moved, LeaseError> {
    let judge = LeaseJudge { same_persona: &same_persona, is_dead: &|_| false, now };
    move_lease(&at.vault, &chat(), step, &by.key(), &judge)
}

fn holder(at: &Person) -> keys::VerifyingKey {
    lease(&at.vault, &chat()).unwrap().holder
}

fn mark(at: &Person) -> Vec<u8> {
    epoch_authenticator(&at.vault, &chat()).unwrap()
}

/// Ana's desktop made the chat and is gone; the device with the lower key comes first of the two that are left.
struct Stage {
    desktop: Person,
    low: Person,
    high: Person,
    ben: Person,
}

impl Stage {
    fn new() -> Self {
        let [desktop, one, two] = ["Ana's desktop", "Ana's phone", "Ana's laptop"].map(Person::new);
        let ben = Person::new("Ben's phone");
        let (low, high) = if one.key().as_bytes() < two.key().as_bytes() { (one, two) } else { (two, one) };
        create(&desktop.vault, &desktop.device, &chat(), NOW).unwrap();
        let packages = [low.package(), high.package(), ben.package()];
        let packages: Vec<&[u8]> = packages.iter().map(Vec::as_slice).collect();
        let invited = invite_many(&desktop.vault, &desktop.device, &chat(), &packages, b"", &mut trusting()).unwrap();
        let said = lease(&desktop.vault, &chat()).unwrap();
        for joiner in [&low, &high, &ben] {
            joiner.joins(&invited.welcome);
            adopt_lease(&joiner.vault, &chat(), &said, NOW).unwrap();
        }
        Self { desktop, low, high, ben }
    }

    /// Takes the lease, and commits that the desktop is gone. What others get: the step, a text, and the commit.
    fn takes_and_commits(&self, device: &Person) -> Line {
        let step = next_step(&device.vault, &device.device, &chat(), OVER).unwrap();
        hears(device, &step, device, OVER).unwrap();
        let commit = device.removes(&[0]);
        Line { step, commit, word: device.writes("the desktop is gone") }
    }
}

/// What one device did, as it travels.
struct Line {
    step: LeaseMove,
    commit: Vec<u8>,
    word: Vec<u8>,
}

/// All ways to shuffle two sequences into one, each staying in its order.
fn shuffles(one: usize, other: usize) -> Vec<Vec<bool>> {
    if one + other == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (first, left) in [(true, (one.checked_sub(1), Some(other))), (false, (Some(one), other.checked_sub(1)))] {
        if let (Some(one), Some(other)) = left {
            all.extend(shuffles(one, other).into_iter().map(|rest| [vec![first], rest].concat()));
        }
    }
    all
}

#[test]
fn whoever_hears_both_follows_the_lower_key_in_every_order_of_arrival() {
    let stage = Stage::new();
    let (winning, losing) = (stage.takes_and_commits(&stage.low), stage.takes_and_commits(&stage.high));
    let orders = shuffles(3, 3);
    assert_eq!(orders.len(), 20);
    for order in orders {
        let ben = stage.ben.snapshot();
        let (mut at_low, mut at_high) = (0, 0);
        let mut waiting = Vec::new();
        for is_low in order {
            let (line, by, at) =
                if is_low { (&winning, &stage.low, &mut at_low) } else { (&losing, &stage.high, &mut at_high) };
            match *at {
                0 => drop(hears(&ben, &line.step, by, OVER).unwrap()),
                1 => drop(ben.opens(&line.commit)),
                _ => waiting.push(&line.word),
            }
            *at += 1;
        }
        assert_eq!(holder(&ben), stage.low.key());
        assert_eq!(mark(&ben), mark(&stage.low), "whatever came first, he is on the winner's branch");
        let read: Vec<_> = waiting.into_iter().filter_map(|word| ben.opens(word).ok()).collect();
        assert_eq!(read.len(), 1, "what was written on the other branch is not for this one");
        assert_eq!(stage.low.snapshot().reads(&ben.writes("with you")), "with you");
    }
}

#[test]
fn the_loser_takes_its_commit_back_and_what_it_was_for_is_done_by_the_winner() {
    let stage = Stage::new();
    let (winning, losing) = (stage.takes_and_commits(&stage.low), stage.takes_and_commits(&stage.high));
    let lost = hears(&stage.low, &losing.step, &stage.high, OVER).unwrap();
    assert!(lost.outranked && lost.lease.holder == stage.low.key());
    let refused = stage.low.opens(&losing.commit).unwrap_err();
    assert_ne!(refused.code(), "commit-from-observer", "an honest loser alarms nobody");

    let moved = hears(&stage.high, &winning.step, &stage.low, OVER).unwrap();
    assert_eq!((moved.undone, moved.outranked), (1, false));
    assert_eq!(members(&stage.high.vault, &chat()).unwrap().len(), 4, "the desktop is there again");
    assert!(!stage.high.may_commit());
    // It knows that it lost, so it does not go on from the claim that did.
    let again = next_step(&stage.high.vault, &stage.high.device, &chat(), OVER).unwrap();
    let until = OVER + LEASE_LIFE_S;
    assert_eq!(hears(&stage.high, &again, &stage.high, OVER), Err(LeaseError::StillHeld { until }));
    assert_eq!(holder(&stage.high), stage.low.key());
    stage.high.opens(&winning.commit).unwrap();
    assert_eq!(members(&stage.high.vault, &chat()).unwrap().len(), 3);
    assert_eq!(mark(&stage.high), mark(&stage.low));
    assert_eq!(stage.high.reads(&winning.word), "the desktop is gone");
    assert_eq!(stage.low.reads(&stage.high.writes("agreed")), "agreed");
}

#[test]
fn a_loser_whose_commit_came_before_any_claim_is_known_for_what_it_is() {
    let stage = Stage::new();
    let (winning, losing) = (stage.takes_and_commits(&stage.low), stage.takes_and_commits(&stage.high));
    hears(&stage.ben, &winning.step, &stage.low, OVER).unwrap();
    assert_eq!(
        stage.ben.opens(&losing.commit).unwrap_err(),
        OpenError::CommitFromObserver { leaf: leaf_of(&stage.high) }
    );
    hears(&stage.ben, &losing.step, &stage.high, OVER).unwrap();
    assert_eq!(stage.ben.opens(&losing.commit).unwrap_err(), OpenError::Outranked { leaf: leaf_of(&stage.high) });
}

fn leaf_of(person: &Person) -> u32 {
    members(&person.vault, &chat()).unwrap().iter().find(|member| member.dsk == person.key()).unwrap().leaf
}

#[test]
fn what_the_holder_does_in_time_goes_before_every_claim() {
    let stage = Stage::new();
    let taken = stage.takes_and_commits(&stage.low);
    // The desktop was only slow: it renewed in time, and nobody had heard of it.
    let renewed = renew(&stage.desktop.vault, &stage.desktop.device, &chat(), NOW + LEASE_LIFE_S).unwrap();
    for order in [[0, 1], [1, 0]] {
        let ben = stage.ben.snapshot();
        for which in order {
            let (step, by) = [(&renewed, &stage.desktop), (&taken.step, &stage.low)][which];
            hears(&ben, step, by, OVER).unwrap();
            if which == 1 {
                let _ = ben.opens(&taken.commit);
            }
        }
        assert_eq!(holder(&ben), stage.desktop.key());
        assert_eq!(mark(&ben), mark(&stage.desktop));
    }
    assert_eq!(hears(&stage.low, &renewed, &stage.desktop, OVER).unwrap().undone, 1);
    assert_eq!(mark(&stage.low), mark(&stage.desktop));
    // One that comes back late is a claimant like the others.
    let stage = Stage::new();
    let late = renew(&stage.desktop.vault, &stage.desktop.device, &chat(), OVER).unwrap();
    let taken = stage.takes_and_commits(&stage.low);
    let first = if stage.desktop.key().as_bytes() < stage.low.key().as_bytes() { &stage.desktop } else { &stage.low };
    for order in [[0, 1], [1, 0]] {
        let ben = stage.ben.snapshot();
        for which in order {
            let (step, by) = [(&late, &stage.desktop), (&taken.step, &stage.low)][which];
            hears(&ben, step, by, OVER).unwrap();
        }
        assert_eq!(holder(&ben), first.key());
    }
}

#[test]
fn what_was_given_to_somebody_else_is_not_taken_back_by_a_late_claim() {
    let stage = Stage::new();
    let given = LeaseMove { holder: stage.ben.key(), seq: 1, until: NOW + LEASE_LIFE_S, hand_over: true };
    for person in [&stage.desktop, &stage.ben] {
        hears(person, &given, &stage.desktop, NOW).unwrap();
    }
    // Unaware of it, another device of Ana claims what the desktop had.
    let taken = stage.takes_and_commits(&stage.low);
    assert!(hears(&stage.ben, &taken.step, &stage.low, OVER).unwrap().outranked);
    let dead = |member: &Member| member.dsk == stage.desktop.key();
    let judge = LeaseJudge { same_persona: &same_persona, is_dead: &dead, now: OVER };
    let again = LeaseMove { until: OVER + 1, ..taken.step.clone() };
    let lost = move_lease(&stage.ben.vault, &chat(), &again, &stage.low.key(), &judge).unwrap();
    assert!(lost.outranked, "not even if the desktop is put out");
    assert_eq!(holder(&stage.ben), stage.ben.key());
    assert!(matches!(hears(&stage.low, &given, &stage.desktop, OVER), Ok(Moved { undone: 1, .. })));
}

#[test]
fn a_claim_that_nobody_could_make_wins_nothing() {
    let stage = Stage::new();
    let taken = stage.takes_and_commits(&stage.high);
    hears(&stage.ben, &taken.step, &stage.high, OVER).unwrap();
    let by_ben = LeaseMove { holder: stage.ben.key(), ..taken.step.clone() };
    assert_eq!(hears(&stage.high, &by_ben, &stage.ben, OVER), Err(LeaseError::OtherPersona));
    let in_time = LeaseMove { holder: stage.low.key(), until: NOW + 1, ..taken.step.clone() };
    assert_eq!(hears(&stage.ben, &in_time, &stage.low, NOW), Err(LeaseError::StillHeld { until: NOW + LEASE_LIFE_S }));
    let endless = LeaseMove { holder: stage.low.key(), until: i64::MAX, ..taken.step.clone() };
    assert_eq!(hears(&stage.ben, &endless, &stage.low, OVER), Err(LeaseError::TooLong));
    assert_eq!(hears(&stage.ben, &taken.step, &stage.high, OVER), Err(LeaseError::Stale { seq: 1, ours: 1 }));
    assert_eq!(holder(&stage.ben), stage.high.key());
}

#[test]
fn once_the_holder_renewed_or_more_followed_than_can_be_taken_back_a_claim_is_too_late() {
    let stage = Stage::new();
    let (winning, losing) = (stage.takes_and_commits(&stage.low), stage.takes_and_commits(&stage.high));
    hears(&stage.ben, &losing.step, &stage.high, OVER).unwrap();
    stage.ben.opens(&losing.commit).unwrap();
    let renewed = stage.ben.snapshot();
    let step = renew(&stage.high.snapshot().vault, &stage.high.device, &chat(), OVER).unwrap();
    hears(&renewed, &step, &stage.high, OVER).unwrap();
    assert_eq!(hears(&renewed, &winning.step, &stage.low, OVER), Err(LeaseError::Stale { seq: 1, ours: 2 }));
    assert!(!is_contested(&renewed.vault, &chat()).unwrap());
    // The winner itself hears that the other went on, and follows: a longer line counts.
    hears(&stage.low, &losing.step, &stage.high, OVER).unwrap();
    assert_eq!(hears(&stage.low, &step, &stage.high, OVER).unwrap().undone, 1);
    stage.low.opens(&losing.commit).unwrap();
    assert_eq!(mark(&stage.low), mark(&renewed));

    let before = stage.ben.vault.len();
    for commits in 2..=5 {
        assert!(is_contested(&stage.ben.vault, &chat()).unwrap(), "{commits}");
        stage.ben.opens(&stage.high.invites(&Person::new("Carl's phone").package()).commit).unwrap();
    }
    assert!(!is_contested(&stage.ben.vault, &chat()).unwrap());
    assert!(stage.ben.vault.len() <= before + 1, "the keys to go back with are gone");
    assert_eq!(hears(&stage.ben, &winning.step, &stage.low, OVER), Err(LeaseError::Stale { seq: 1, ours: 1 }));
    assert_eq!(stage.ben.reads(&stage.high.writes("too late")), "too late");
}
