//! The description of a file in a message, a chunk of it, and the head of a picture.
#![no_main]

use blob::{Descriptor, FileName, NAME_LIMIT, PREVIEW_LIMIT, Sealed, WAVE_LIMIT};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(seen) = pictures::look(data) {
        assert!(u64::from(seen.width) * u64::from(seen.height) <= pictures::PIXELS_LIMIT);
    }
    let Some(text) = fuzz::text(data) else { return };
    let name = FileName::of(text);
    assert!(name.as_str().len() <= NAME_LIMIT + 1 && !name.as_str().contains(['/', '\\']));
    let Ok(value) = serde_json::from_str(text) else { return };
    let Ok(file) = Descriptor::parse(&value) else { return };
    assert!(file.preview.len() <= PREVIEW_LIMIT && file.wave.len() <= WAVE_LIMIT);
    assert_eq!(Descriptor::parse(&file.to_value()).as_ref(), Ok(&file));
    // Nothing opens that was not sealed for its place.
    assert!(Sealed::new(&file.key, file.shape).open(0, data).is_err());
});
