//! Writes the table of attacks into the threat model.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let done = hostile::page(&root).and_then(|(is, should)| {
        if is == should {
            return Ok(());
        }
        std::fs::write(root.join(hostile::PAGE), should).map_err(|error| error.to_string())
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}
