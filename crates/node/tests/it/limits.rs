//! The table of limits in the manual is the one in the code.
//!
//! `BLESS=1 cargo test -p node --test it limits` writes it anew.

use std::fmt::Write;
use std::path::Path;

const BEGIN: &str = "<!-- limits: written by crates/node/tests/it/limits.rs -->\n";
const END: &str = "<!-- end of limits -->\n";

/// `(name, value, what)` of each constant of a source file, and of each field with a default.
fn limits(source: &str) -> Vec<(String, String, String)> {
    let mut rows = Vec::new();
    let mut what = String::new();
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut in_defaults = false;
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            if !what.is_empty() {
                what.push(' ');
            }
            what.push_str(text);
            continue;
        }
        if let Some((name, rest)) = line.strip_prefix("pub const ").and_then(|line| line.split_once(": ")) {
            let value = rest.split_once(" = ").unwrap().1.trim_end_matches(';');
            rows.push((name.to_owned(), value.to_owned(), std::mem::take(&mut what)));
        } else if let Some((name, _)) = line.strip_prefix("pub ").and_then(|line| line.split_once(": ")) {
            fields.push((name.to_owned(), std::mem::take(&mut what)));
        } else if line.starts_with("impl Default for Limits") {
            in_defaults = true;
        } else if in_defaults && line == "}" {
            in_defaults = false;
        } else if in_defaults
            && let Some((name, value)) = line.trim_end_matches(',').split_once(": ")
            && let Some((_, text)) = fields.iter().find(|(field, _)| field == name)
        {
            rows.push((name.replace('_', "-"), value.to_owned(), text.clone()));
        }
        what.clear();
    }
    rows
}

fn table() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut out = String::from("| Limit | Value | Of what |\n|---|---|---|\n");
    for file in ["message/src/limits.rs", "message/src/envelope.rs", "node/src/limits.rs"] {
        let source = std::fs::read_to_string(root.join(file)).unwrap();
        for (name, value, what) in limits(&source) {
            writeln!(out, "| `{name}` | {} | {} |", value.replace('|', "\\|"), what.replace(['[', ']'], "")).unwrap();
        }
    }
    out
}

#[test]
fn every_limit_stands_in_the_manual_with_its_value() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating.md");
    let manual = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = manual.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    let expected = table();
    assert!(expected.lines().count() > 40, "the limits were not found in the code");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(written, expected, "run: BLESS=1 cargo test -p node --test it limits");
}
