//! Writes down every routed message as the node sees it, for the test that looks for plain text.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use message::Message;

/// One JSON line per message: `{"way":"in"|"out","message":{…}}`.
pub struct RoutedLog {
    file: BufWriter<File>,
}

impl RoutedLog {
    /// Appends to a file.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self { file: BufWriter::new(file) })
    }

    /// Writes one message.
    pub fn write(&mut self, way: &str, message: &Message) {
        let line = format!(r#"{{"way":"{way}","message":{}}}"#, message.to_json());
        let written = writeln!(self.file, "{line}").and_then(|()| self.file.flush());
        if let Err(error) = written {
            tracing::warn!(%error, "the log of routed messages cannot be written");
        }
    }
}
