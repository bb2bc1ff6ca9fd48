//! A file with a history that somebody made, unsealed.
#![no_main]

use std::io::Read;

use archive::{ArchiveError, Attachment, Language, Manifest, Message, Visitor, Writer};
use libfuzzer_sys::fuzz_target;

/// All that was heard, in order.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    manifest: Option<Manifest>,
    files: Vec<(String, Vec<u8>)>,
    parts: Vec<(usize, Vec<Message>)>,
}

impl Visitor<ArchiveError> for Heard {
    fn manifest(&mut self, manifest: &Manifest) -> Result<(), ArchiveError> {
        self.manifest = Some(manifest.clone());
        Ok(())
    }

    fn file(&mut self, path: &str, size: u64, bytes: &mut dyn Read) -> Result<(), ArchiveError> {
        let mut all = Vec::new();
        bytes.read_to_end(&mut all).map_err(ArchiveError::Io)?;
        assert!(all.len() as u64 <= size && !path.contains(".."));
        self.files.push((path.to_owned(), all));
        Ok(())
    }

    fn part(&mut self, chat: usize, messages: Vec<Message>) -> Result<(), ArchiveError> {
        assert!(messages.len() <= archive::PART_MESSAGES);
        self.parts.push((chat, messages));
        Ok(())
    }
}

fuzz_target!(|data: &[u8]| {
    let mut heard = Heard::default();
    if archive::read::<ArchiveError>(data, None, &mut heard).is_err() {
        return;
    }
    // What was accepted is written, with all its pages, and accepted again.
    let manifest = heard.manifest.clone().expect("it is first");
    let mut writer = Writer::begin(Vec::new(), None, manifest, Language::English).expect("it was read");
    let mut at = 0;
    for (chat, messages) in &heard.parts {
        while at <= *chat {
            writer.next_chat();
            at += 1;
        }
        let mut messages = messages.clone();
        for file in messages.iter_mut().filter_map(|message| message.file.as_mut()) {
            if let Some(path) = &file.path {
                let bytes = &heard.files.iter().find(|(name, _)| name == path).expect("it was heard").1;
                let told = Attachment { path: None, ..file.clone() };
                file.path = Some(writer.file(&told, bytes.as_slice()).expect("it is as long as was said"));
            }
        }
        writer.part(&messages, false).expect("it was read");
    }
    let (bytes, _) = writer.end().expect("all is written");
    let mut again = Heard::default();
    archive::read::<ArchiveError>(bytes.as_slice(), None, &mut again).expect("what was written is read");
    assert_eq!(again.files.len(), heard.files.len());
    assert_eq!(again.parts.len(), heard.parts.len());
});
