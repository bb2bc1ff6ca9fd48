//! Checks that the crates stand on floors and depend downward only (docs/architecture.md).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::shell::{Failed, cargo, output};

/// Where a crate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Floor {
    At(u64),
    Beside,
}

/// Fails with every dependency that does not point downward.
pub fn check() -> Result<(), Failed> {
    let text = output(&mut cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&text).map_err(|error| Failed(format!("cargo metadata: {error}")))?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let mut floors = BTreeMap::new();
    let mut faults = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        let floor = &package["metadata"]["house"]["floor"];
        match (floor.as_u64(), floor.as_str()) {
            (Some(number), _) => drop(floors.insert(name.to_owned(), Floor::At(number))),
            (None, Some("beside")) => drop(floors.insert(name.to_owned(), Floor::Beside)),
            _ => faults.push(format!("{name} states no floor in [package.metadata.house]")),
        }
    }
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(own) = floors.get(name) else { continue };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let other = dependency["name"].as_str().unwrap_or_default();
            let for_tests = dependency["kind"].as_str() == Some("dev");
            let Some(floor) = floors.get(other).filter(|_| dependency["path"].is_string()) else { continue };
            let fine = match (own, floor) {
                (Floor::Beside, _) => true,
                // Tests may use the lab; nothing that ships may.
                (Floor::At(_), Floor::Beside) => for_tests,
                (Floor::At(own), Floor::At(other)) => other < own || for_tests,
            };
            if !fine {
                faults.push(format!("{name} ({own:?}) depends on {other} ({floor:?})"));
            }
        }
    }
    if faults.is_empty() {
        eprintln!("   {} crates, every dependency points downward", floors.len());
        Ok(())
    } else {
        Err(Failed(format!("floors:\n  {}", faults.join("\n  "))))
    }
}
