//! The identities on this computer: each profile beside this one keeps one, with keys of its own.

use std::path::Path;

use contract::PersonaView;

use crate::home::Home;
use crate::trouble::Outcome;

/// Profiles that are shown.
const SHOWN: usize = 64;

/// What lies in the folder of every profile that has keys.
const MARK: &str = "key.json";

impl Home {
    /// Question `persona.list`: names only; each profile is opened by itself.
    pub(crate) fn persona_list(&self) -> Outcome<Vec<PersonaView>> {
        Ok(beside(&self.rooms.config.profile_dir))
    }
}

/// This profile, and those in the same folder.
fn beside(this: &Path) -> Vec<PersonaView> {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let others = this.parent().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten();
    let mut names: Vec<String> = others
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path != this && path.join(MARK).is_file())
        .map(|path| name(&path))
        .filter(|name| store::profile_dir(name).is_ok())
        .take(SHOWN)
        .collect();
    names.sort();
    let this = PersonaView { profile: name(this), this: true };
    std::iter::once(this).chain(names.into_iter().map(|profile| PersonaView { profile, this: false })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profiles_beside_this_one_are_known_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for (name, file) in [("private", MARK), ("work", MARK), ("empty", "x"), ("No Profile", MARK)] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join(file), "{}").unwrap();
        }
        let shown = beside(&folder.path().join("private"));
        let shown: Vec<_> = shown.iter().map(|view| (view.profile.as_str(), view.this)).collect();
        assert_eq!(shown, [("private", true), ("work", false)]);
    }
}
