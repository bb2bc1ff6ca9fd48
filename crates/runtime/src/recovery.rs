//! Being able to come back after the loss of every device: the sheet with the words, and backups that they open.

use std::ops::ControlFlow;

use contract::{BackupState, News, RecoveryState, SheetWord, Trouble, WrittenFile};
use keys::recovery::RecoveryWords;
use serde_json::Value;
use store::{BackupError, BackupPlan, BackupProgress, Keep, Tx};
use zeroize::Zeroizing;

use crate::documents;
use crate::home::{Home, Ready, State, now_ms};
use crate::records::{Me, Object, ObjectUse, Person, Recovery, Side, Standing, kind};
use crate::trouble::{Failure, Outcome};

/// How many words are asked for.
const ASKED: usize = 3;

/// The one record of which words are asked for.
const ASKED_KEY: &str = "recovery-asked";

/// From so many letters on the beginning of a word stands for the whole word.
const PREFIX: usize = 4;

/// What a backup holds; keys of this device, groups and what waits to be sent are never in it.
pub(crate) const KINDS: [&str; 9] = [
    kind::ME,
    kind::PERSON,
    kind::OBJECT,
    kind::CHAT,
    kind::RULES,
    kind::PINS,
    kind::ISSUER_KEYS,
    kind::SETTINGS,
    kind::ARCHIVE,
];

impl Ready {
    /// How this person comes back; only a full device knows.
    fn recovery(&self) -> Outcome<&Recovery> {
        self.irk()?;
        self.record.recovery.as_ref().ok_or_else(|| Failure::new("no-recovery", "this identity has no recovery key"))
    }

    fn words(&self) -> Outcome<RecoveryWords> {
        let words = self.recovery()?.words.as_deref();
        let words = words.ok_or_else(|| Failure::new("words-forgotten", "the words were kept, and forgotten here"))?;
        RecoveryWords::parse(words).map_err(|e| Failure::new("database-damaged", e))
    }
}

impl Home {
    /// Question `recovery.state`.
    pub(crate) fn recovery_state(&self) -> Outcome<RecoveryState> {
        let state = self.state();
        recovery_state(&state)
    }

    /// Question `recovery.sheet`.
    pub(crate) fn recovery_sheet(&self, folder: Option<&str>) -> Outcome<WrittenFile> {
        let mut state = self.state();
        let me = state.me()?;
        let user = me.record.user.handle();
        let text = Zeroizing::new(sheet(&user, &me.words()?.text()));
        let path = documents::folder(folder)?.join(format!("parlance-recovery-{user}.txt"));
        documents::write_private(&path, &text)?;
        let path = path.to_string_lossy().into_owned();
        let mut record: Me = me.record.clone();
        if let Some(recovery) = &mut record.recovery {
            recovery.sheet = Some(path.clone());
        }
        self.put_me(&mut state, record)?;
        Ok(WrittenFile { path })
    }

    /// Question `recovery.confirm`: after this the app has forgotten the words.
    pub(crate) fn recovery_confirm(&self, said: &[SheetWord]) -> Outcome<RecoveryState> {
        let mut state = self.state();
        let me = state.me()?;
        let words = me.words()?;
        let asked = asked(&state)?;
        if !are_right(&words.text(), &asked, said) {
            return Err(Failure::new("wrong-words", "these are not the words on the sheet"));
        }
        let mut record: Me = me.record.clone();
        if let Some(recovery) = &mut record.recovery {
            recovery.words = None;
            recovery.sheet = None;
        }
        // What it replaces leaves the disk at once.
        state.store()?.erase(|tx| {
            tx.put(kind::ME, "me", &record)?;
            tx.delete(kind::SETTINGS, ASKED_KEY).map_err(Failure::store)
        })?;
        self.put_me(&mut state, record)?;
        recovery_state(&state)
    }

    /// Question `backup.write`.
    pub(crate) async fn backup_write(&self, folder: Option<&str>) -> Outcome<WrittenFile> {
        let folder = documents::folder(folder)?;
        let home = self.clone();
        let written = tokio::task::spawn_blocking(move || home.write_backup(&folder)).await;
        let written = written.unwrap_or_else(|error| Err(Failure::new("not-written", error)));
        self.tell(News::Backup(match &written {
            Ok(file) => BackupState::Done { path: file.path.clone() },
            Err(failure) => BackupState::Failed { trouble: Trouble::from(failure) },
        }));
        written
    }

    fn write_backup(&self, folder: &std::path::Path) -> Outcome<WrittenFile> {
        let mut state = self.state();
        let me = state.me()?;
        let to = me.recovery()?.backup;
        let now = now_ms();
        let path = folder.join(format!("parlance-backup-{}.parlance", me.record.user.handle()));
        let mut record = |kind: &str, key: &str, text: &str| kept(kind, key, text);
        let plan = BackupPlan { made_at: now, kinds: &KINDS, record: &mut record };
        let mut progress = |at: BackupProgress| {
            self.tell(News::Backup(running(at)));
            ControlFlow::Continue(())
        };
        state.store()?.backup_to_file(&to, plan, &path, &mut progress).map_err(backup_failure)?;
        let mut record: Me = me.record.clone();
        if let Some(recovery) = &mut record.recovery {
            recovery.backup_at = Some(now);
        }
        self.put_me(&mut state, record)?;
        Ok(WrittenFile { path: path.to_string_lossy().into_owned() })
    }
}

pub(crate) fn running(at: BackupProgress) -> BackupState {
    let count = |rows: u64| u32::try_from(rows).unwrap_or(u32::MAX);
    BackupState::Running { done: count(at.done), total: count(at.of) }
}

pub(crate) fn backup_failure(error: BackupError) -> Failure {
    let code = match &error {
        BackupError::NotABackup => "no-backup",
        BackupError::Newer { .. } => "newer-version",
        BackupError::WrongWords => "wrong-words",
        BackupError::Damaged => "backup-damaged",
        BackupError::NotEmpty => "already-set-up",
        BackupError::DiskFull => "disk-full",
        BackupError::Unwritable(_) => "not-written",
        BackupError::Unreadable(_) => "not-read",
        BackupError::Stopped => "cancelled",
        BackupError::Store(_) => "store-failed",
    };
    Failure::new(code, error)
}

fn recovery_state(state: &State) -> Outcome<RecoveryState> {
    let me = state.me()?;
    // A device that may not add others has no words to keep, and nothing to ask for.
    let Some(recovery) = &me.record.recovery else {
        return Ok(RecoveryState { kept: true, sheet: None, asked: Vec::new(), backup_at: None });
    };
    let kept = recovery.words.is_none();
    Ok(RecoveryState {
        kept,
        sheet: recovery.sheet.clone(),
        asked: if kept { Vec::new() } else { asked(state)? },
        backup_at: recovery.backup_at,
    })
}

/// The places of the words that are asked for: chosen once, until they are told.
fn asked(state: &State) -> Outcome<Vec<u8>> {
    let store = state.store()?;
    let known: Option<Vec<u8>> = store.read(|tx| tx.get(kind::SETTINGS, ASKED_KEY)).map_err(Failure::store)?;
    match known {
        Some(known) => Ok(known),
        None => {
            let chosen = places(&keys::random());
            store.write(|tx| tx.put(kind::SETTINGS, ASKED_KEY, &chosen)).map_err(Failure::store)?;
            Ok(chosen)
        }
    }
}

/// Three different places, from 1 to 24.
fn places(dice: &[u8; 32]) -> Vec<u8> {
    let mut left: Vec<u8> = (1..=24).collect();
    let chosen = dice.iter().take(ASKED).map(|die| left.remove(usize::from(*die) % left.len()));
    let mut chosen: Vec<u8> = chosen.collect();
    chosen.sort_unstable();
    chosen
}

/// Whether all that was asked for was told, and rightly.
fn are_right(words: &str, asked: &[u8], said: &[SheetWord]) -> bool {
    let is_right = |place: &u8| {
        let word = words.split(' ').nth(usize::from(*place).saturating_sub(1)).unwrap_or_default();
        said.iter().filter(|one| one.place == *place).any(|one| {
            let typed = one.word.trim().to_lowercase();
            typed == word || (typed.chars().count() >= PREFIX && word.starts_with(&typed))
        })
    };
    !asked.is_empty() && asked.iter().all(is_right)
}

/// The sheet: what it is for, and the words by their numbers.
fn sheet(user: &str, words: &str) -> String {
    let mut text = format!(
        "Recovery words of {user}\n\n\
         With these 24 words you come back to your address after you lost every device: choose \"Restore\" on a\n\
         new one. Print this sheet or copy the words into a password manager, then delete this file. Whoever has\n\
         the words can become you, so show them to nobody; nobody from Parlance will ever ask for them.\n\n"
    );
    for (word, place) in words.split(' ').zip(1..) {
        text.push_str(&format!("{place:>2}. {word}\n"));
    }
    text
}

/// The words of a sheet, or as they were typed.
pub(crate) fn words_of(text: &str) -> Outcome<RecoveryWords> {
    let mut numbered: Vec<&str> = Vec::new();
    let mut parts = text.split_whitespace().peekable();
    while let Some(part) = parts.next() {
        let place = part.strip_suffix('.').and_then(|number| number.parse::<usize>().ok());
        if place == Some(numbered.len() + 1)
            && let Some(word) = parts.peek()
        {
            numbered.push(word);
        }
    }
    let typed = if numbered.len() == keys::recovery::WORDS { numbered.join(" ") } else { text.to_owned() };
    RecoveryWords::parse(&Zeroizing::new(typed)).map_err(|e| Failure::new("wrong-words", e))
}

/// What a record is in a backup.
fn kept(kind: &str, key: &str, text: &str) -> Keep {
    match kind {
        kind::ME => without_secrets(text),
        kind::PERSON => match serde_json::from_str::<Person>(text) {
            // Who asks is not in the backup, so nobody can be answered.
            Ok(person) if person.contact == contract::ContactState::Request => Keep::LeaveOut,
            Ok(person) => as_text(&Person { next: None, ..person }),
            Err(_) => Keep::LeaveOut,
        },
        kind::OBJECT => skeleton(text),
        kind::SETTINGS if key != "settings" => Keep::LeaveOut,
        _ => Keep::AsItIs,
    }
}

fn as_text<T: serde::Serialize>(value: &T) -> Keep {
    serde_json::to_string(value).map_or(Keep::LeaveOut, Keep::As)
}

/// Who we are without the keys of this device, the root key and the words.
fn without_secrets(text: &str) -> Keep {
    let Ok(record) = serde_json::from_str::<Me>(text) else { return Keep::LeaveOut };
    let recovery = record.recovery.clone().map(|recovery| Recovery { words: None, sheet: None, ..recovery });
    as_text(&Me { irk: None, dsk: String::new(), own: None, recovery, ..record })
}

/// A conversation without its group.
fn skeleton(text: &str) -> Keep {
    let Ok(object) = serde_json::from_str::<Object>(text) else { return Keep::LeaveOut };
    let standing = match object.standing {
        Standing::Closed { reason } => Standing::Closed { reason },
        Standing::Open | Standing::Invited | Standing::Copied => Standing::Copied,
        Standing::Verifying { .. } | Standing::Request => return Keep::LeaveOut,
    };
    let side = match object.side {
        Side::Reporter(reporter) => {
            match sync::Observer::new(object.url.clone(), &object.schema, reporter.snapshot()) {
                Ok(observer) => Side::Standby(observer),
                Err(_) => return Keep::LeaveOut,
            }
        }
        side => side,
    };
    if object.purpose != ObjectUse::Chat {
        return Keep::LeaveOut;
    }
    let (url, schema, peer) = (object.url.clone(), object.schema.clone(), object.peer.clone());
    let bare = Object::new(url, ObjectUse::Chat, schema, peer, standing, side, object.at);
    as_text(&Object {
        children: object.children,
        system_lines: object.system_lines,
        peer_persona: object.peer_persona,
        circle: object.circle,
        draft: object.draft,
        ..bare
    })
}

/// What was still to be sent when a backup was made is shown as not sent.
pub(crate) fn fail_queued(tx: &Tx<'_>) -> Outcome<()> {
    let objects: Vec<(String, Value)> = tx.list(kind::OBJECT).map_err(Failure::store)?;
    for (url, _) in objects {
        for row in tx.children_in(&url, store::ChildState::Queued)? {
            tx.set_child_state(&row.id, store::ChildState::Failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_is_read_back_whole_and_as_bare_words() {
        let words = RecoveryWords::generate();
        let text = sheet("ana@a.localhost", &words.text());
        for said in [text.as_str(), &words.text(), &text.replace('\n', "\r\n")] {
            assert_eq!(words_of(said).unwrap().text(), words.text());
        }
        assert_eq!(words_of(&text.replacen(" 7. ", " 7. xyzzy ", 1)).unwrap_err().code, "wrong-words");
    }

    #[test]
    fn three_different_words_are_asked_for() {
        for die in 0..=255 {
            let places = places(&[die; 32]);
            assert_eq!(places.len(), ASKED);
            assert!(places.windows(2).all(|two| two[0] < two[1]) && places[0] >= 1 && places[2] <= 24);
        }
    }

    #[test]
    fn all_that_was_asked_for_must_be_right() {
        let words = RecoveryWords::generate().text().to_string();
        let word = |place: u8| words.split(' ').nth(usize::from(place) - 1).unwrap().to_owned();
        let said = |places: &[u8]| places.iter().map(|place| SheetWord { place: *place, word: word(*place) }).collect();
        let right: Vec<SheetWord> = said(&[2, 9, 24]);
        assert!(are_right(&words, &[2, 9, 24], &right));
        assert!(!are_right(&words, &[2, 9, 23], &right), "another place");
        assert!(!are_right(&words, &[2, 9, 24], &right[..2]), "one is missing");
        assert!(!are_right(&words, &[], &[]), "nothing proves nothing");
        let shouted: Vec<SheetWord> = right
            .iter()
            .map(|one| SheetWord { place: one.place, word: format!(" {} ", one.word.to_uppercase()) })
            .collect();
        assert!(are_right(&words, &[2, 9, 24], &shouted));
    }
}
