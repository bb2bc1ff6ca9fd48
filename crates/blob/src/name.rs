//! The name of a file, fit to be shown and to be saved under: no path, no direction tricks, bounded.

use std::fmt;

use crate::limits::NAME_LIMIT;

/// What a file is called when nothing is left of its name.
const NAMELESS: &str = "file";

/// Names that are devices on Windows, whatever follows the first dot.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2",
    "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// The name of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// Makes any text a name: what could lead elsewhere, hide an ending or confuse a file system is taken out.
    pub fn of(text: &str) -> Self {
        // Whatever stands before the last separator is a path of somebody else's disk.
        let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
        let kept: String = plain::letters(last).filter(|c| !is_reserved(*c)).collect();
        let kept = shortened(kept.trim_matches(|c: char| c == '.' || c.is_whitespace()));
        let kept = kept.trim_matches(|c: char| c == '.' || c.is_whitespace());
        let stem = kept.split('.').next().unwrap_or_default().trim();
        if kept.is_empty() {
            Self(NAMELESS.to_owned())
        } else if DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device)) {
            Self(format!("_{kept}"))
        } else {
            Self(kept.to_owned())
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same with a number before its ending, for a folder that has the name already.
    pub fn numbered(&self, number: u32) -> String {
        match self.0.rsplit_once('.') {
            Some((stem, ending)) if !stem.is_empty() => format!("{stem} ({number}).{ending}"),
            _ => format!("{} ({number})", self.0),
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What file systems reserve.
fn is_reserved(c: char) -> bool {
    matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*' | '/' | '\\')
}

/// Cuts a long name before its ending.
fn shortened(text: &str) -> String {
    if text.len() <= NAME_LIMIT {
        return text.to_owned();
    }
    let (stem, ending) = match text.rsplit_once('.') {
        Some((stem, ending)) if ending.len() <= 16 && !stem.is_empty() => (stem, format!(".{ending}")),
        _ => (text, String::new()),
    };
    let mut room = NAME_LIMIT - ending.len();
    while !stem.is_char_boundary(room.min(stem.len())) {
        room -= 1;
    }
    format!("{}{ending}", &stem[..room.min(stem.len())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_is_no_name() {
        for (text, name) in [
            ("../../.ssh/authorized_keys", "authorized_keys"),
            ("..\\..\\evil.exe", "evil.exe"),
            ("C:\\Windows\\a.dll", "a.dll"),
            ("/etc/passwd", "passwd"),
            ("..", "file"),
            ("", "file"),
            ("a/..", "file"),
            (".bashrc", "bashrc"),
            ("nul.txt", "_nul.txt"),
            ("CON", "_CON"),
            ("x.txt. . ", "x.txt"),
            ("a\u{0}b\nc.txt", "ab c.txt"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("صورة.png", "صورة.png"),
        ] {
            assert_eq!(FileName::of(text).as_str(), name, "{text:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let name = FileName::of(&format!("{}.jpeg", "ä".repeat(400)));
        assert!(name.as_str().len() <= NAME_LIMIT && name.as_str().ends_with("ä.jpeg"));
        assert_eq!(FileName::of("a.tar.gz").numbered(2), "a.tar (2).gz");
        assert_eq!(FileName::of("Makefile").numbered(2), "Makefile (2)");
    }

    proptest! {
        #[test]
        fn whatever_it_was_a_name_is_one_part_of_a_path(text in "\\PC{0,300}|[./\\\\a\u{202e}\u{0}]{0,40}") {
            let name = FileName::of(&text);
            prop_assert!(!name.as_str().is_empty() && name.as_str().len() <= NAME_LIMIT + 1);
            prop_assert!(!name.as_str().contains(['/', '\\', '\0']) && !name.as_str().starts_with('.'));
            let path = std::path::Path::new(name.as_str());
            prop_assert_eq!(path.components().count(), 1);
            prop_assert_eq!(FileName::of(name.as_str()), name, "it stays what it is");
        }
    }
}
