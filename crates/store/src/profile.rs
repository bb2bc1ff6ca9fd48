//! Where the profiles of this user live on each platform.

use std::path::{Path, PathBuf};

use directories::ProjectDirs;

/// Environment variable that moves all profiles elsewhere.
pub const HOME_VARIABLE: &str = "PARLANCE_HOME";

/// Longest name of a profile.
const NAME_LIMIT: usize = 64;

/// Why a profile has no folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Not 1 to 64 of a-z, 0-9, '-' and '_'.
    #[error("a profile is named with small letters, digits, '-' and '_'")]
    BadName,
    /// The system names no folder for the data of programs.
    #[error("this user has no home folder")]
    NoHome,
}

/// The folder of a profile; it need not exist yet.
///
/// In [`HOME_VARIABLE`] if that is set, else where the platform wants it: `~/.local/share`,
/// `~/Library/Application Support`, `%APPDATA%`.
pub fn profile_dir(name: &str) -> Result<PathBuf, ProfileError> {
    let home = std::env::var_os(HOME_VARIABLE).filter(|home| !home.is_empty()).map(PathBuf::from);
    profile_in(home, name)
}

fn profile_in(home: Option<PathBuf>, name: &str) -> Result<PathBuf, ProfileError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.is_empty() || name.len() > NAME_LIMIT || !name.chars().all(fits) {
        return Err(ProfileError::BadName);
    }
    let home = match home {
        Some(home) => home,
        None => ProjectDirs::from("", "", "Parlance").ok_or(ProfileError::NoHome)?.data_dir().to_owned(),
    };
    Ok(home.join("profiles").join(name))
}

/// Makes a folder, and those above it, that only the user can read.
pub fn create_private_dir(dir: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_has_its_folder_below_home() {
        let home = Some(PathBuf::from("/somewhere"));
        assert_eq!(profile_in(home, "ana").unwrap(), Path::new("/somewhere/profiles/ana"));
        assert!(profile_in(None, "ana").is_err() || profile_in(None, "ana").unwrap().ends_with("profiles/ana"));
    }

    #[test]
    fn a_name_cannot_lead_out_of_the_folder() {
        for name in ["", "..", "a/b", "Ana", "a.b", &"a".repeat(65)] {
            assert_eq!(profile_in(None, name), Err(ProfileError::BadName), "{name}");
        }
    }
}
