//! Reads the attacks out of the sources of their tests, and writes the table of the threat model.
//!
//! An attack is a test whose comment has four lines, in this order:
//!
//! ```text
//! /// Attack: T-01
//! /// By: who attacks
//! /// Does: what they do
//! /// Holds: what must be true all the same
//! ```
//!
//! Every test of this package is one. [`attacks`] refuses a test without these lines, so the table never leaves one out.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Where the sources of the attacks are, below the root of the checkout.
pub const SOURCES: &str = "tests/hostile/trust/tests";
/// The page with the table.
pub const PAGE: &str = "docs/threat-model.md";
/// Writes the table anew.
pub const COMMAND: &str = "cargo run -p hostile --bin table";

const BEGIN: &str = "<!-- attacks -->";
const END: &str = "<!-- /attacks -->";

/// One executed attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attack {
    /// A letter for the group, and a number.
    pub id: String,
    /// Who attacks.
    pub by: String,
    /// What they do.
    pub does: String,
    /// What must be true all the same.
    pub holds: String,
    /// The name of the test.
    pub test: String,
}

/// The groups in the order of the table: letter and heading.
const GROUPS: [(&str, &str); 8] = [
    ("T", "Tokens and sigchains"),
    ("N", "Message Nodes"),
    ("P", "People with a program of their own"),
    ("G", "Groups"),
    ("M", "Media"),
    ("H", "Guests"),
    ("S", "Sign-in and consent"),
    ("L", "The device"),
];

/// All attacks of the checkout at `root`, by id; or what is wrong with their sources.
pub fn attacks(root: &Path) -> Result<Vec<Attack>, String> {
    let mut files = Vec::new();
    sources(&root.join(SOURCES), &mut files)?;
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        found.extend(read(&text).map_err(|fault| format!("{}: {fault}", file.display()))?);
    }
    let group = |id: &str| GROUPS.iter().position(|(letter, _)| id.split('-').next() == Some(*letter));
    if let Some(odd) = found.iter().find(|attack| group(&attack.id).is_none()) {
        return Err(format!("{} is of no group", odd.id));
    }
    found.sort_by_key(|attack| (group(&attack.id), attack.id.clone()));
    match found.windows(2).find(|pair| pair[0].id == pair[1].id) {
        Some(pair) => Err(format!("{} is both {} and {}", pair[0].id, pair[0].test, pair[1].test)),
        None => Ok(found),
    }
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    for entry in std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            sources(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The attacks of one source.
fn read(text: &str) -> Result<Vec<Attack>, String> {
    let (mut found, mut comment, mut is_test) = (Vec::new(), Vec::new(), false);
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("/// ") {
            comment.push(words.to_owned());
        } else if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if line.starts_with("#[") {
            // Another attribute of the same test.
        } else {
            if is_test {
                found.push(attack(&comment, line)?);
            }
            (comment, is_test) = (Vec::new(), false);
        }
    }
    Ok(found)
}

fn attack(comment: &[String], line: &str) -> Result<Attack, String> {
    let name = line.split("fn ").nth(1).and_then(|rest| rest.split('(').next());
    let test = name.ok_or_else(|| format!("no test in: {line}"))?.to_owned();
    let mut said = comment.iter();
    let mut next = |label: &str| {
        let words = said.next().and_then(|words| words.strip_prefix(label)).map(str::trim);
        let words = words.filter(|words| !words.is_empty() && !words.contains('|'));
        words.map(str::to_owned).ok_or_else(|| format!("{test} has no line `/// {label} …` in its place"))
    };
    let (id, by, does, holds) = (next("Attack:")?, next("By:")?, next("Does:")?, next("Holds:")?);
    Ok(Attack { id, by, does, holds, test })
}

/// The table, as it stands between the marks of the page.
pub fn table(attacks: &[Attack]) -> String {
    let mut out = format!("{} attacks.\n", attacks.len());
    for (letter, heading) in GROUPS {
        let mut mine = attacks.iter().filter(|attack| attack.id.split('-').next() == Some(letter)).peekable();
        if mine.peek().is_none() {
            continue;
        }
        let _ = write!(out, "\n### {heading}\n\n| | Who | Does | What holds | Test |\n|---|---|---|---|---|\n");
        for Attack { id, by, does, holds, test } in mine {
            let _ = writeln!(out, "| {id} | {by} | {does} | {holds} | `{test}` |");
        }
    }
    out
}

/// The page of the checkout at `root`, as it is and as it should be.
pub fn page(root: &Path) -> Result<(String, String), String> {
    let is = std::fs::read_to_string(root.join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    let parts = is.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| format!("{PAGE} has no {BEGIN} … {END}"))?;
    let should = format!("{before}{BEGIN}\n\n{}\n{END}{after}", table(&attacks(root)?));
    Ok((is, should))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "/// Attack: T-01\n/// By: a thief\n/// Does: steals\n/// Holds: it is noticed\n#[test]\nfn a_theft() {\n}\n";

    #[test]
    fn an_attack_is_read_from_its_comment() {
        let found = read(GOOD).unwrap_or_default();
        assert_eq!(table(&found).lines().last(), Some("| T-01 | a thief | steals | it is noticed | `a_theft` |"));
        let waiting = GOOD.replace("#[test]\nfn", "#[tokio::test(flavor = \"multi_thread\")]\nasync fn");
        assert_eq!(read(&waiting), Ok(found));
    }

    #[test]
    fn a_test_that_says_no_attack_is_refused() {
        for wrong in ["#[test]\nfn x() {}\n".to_owned(), GOOD.replace("/// Holds: it is noticed\n", "")] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }
}
