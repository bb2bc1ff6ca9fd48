//! Makes a stranger's words plain: one line, bounded, with nothing in it that hides, turns or steers what is beside it.
//!
//! What this room does *not* know: whose words they are, and where they are shown.

/// From here on letters are of scripts and signs that joiners are made for (Hebrew, Arabic and what follows; emoji). Between
/// Latin, Greek or Cyrillic letters a joiner is only there to make one name look like another (Unicode UTS 39, section 3.1.1).
const JOINED_FROM: char = '\u{590}';

/// The words in one line of at most so many characters; what is cut off is told by an ellipsis, which counts.
pub fn line(text: &str, most: usize) -> String {
    let (mut line, is_cut) = cut(text, most);
    if is_cut {
        if line.chars().count() == most {
            line.pop();
        }
        line.truncate(line.trim_end().len());
        line.push('…');
    }
    line
}

/// A name in one line, cut after so many characters; none if nothing of it is left.
pub fn name(text: &str, most: usize) -> Option<String> {
    let (mut name, _) = cut(text, most);
    name.truncate(name.trim_end_matches(is_joiner).len());
    (!name.is_empty()).then_some(name)
}

/// The characters of a text that are plain: each space and break is a space, and a joiner stays only where it joins.
pub fn letters(text: &str) -> impl Iterator<Item = char> {
    let (mut before, mut joiner) = ('\0', None);
    text.chars()
        .flat_map(move |c| {
            if is_joiner(c) {
                joiner = Some(c).filter(|_| before >= JOINED_FROM);
                return [None, None];
            }
            if hides(c) && !c.is_whitespace() {
                return [None, None];
            }
            let c = if is_room(c) { ' ' } else { c };
            before = c;
            [joiner.take().filter(|_| c >= JOINED_FROM), Some(c)]
        })
        .flatten()
}

/// Whether a character steers what shows it, turns the direction of text, or takes no room: control characters, those of
/// the Unicode Bidirectional Algorithm (UAX 9, section 2), and what is ignorable by default (DerivedCoreProperties) but the
/// signs that shape a letter before them.
pub fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The two joiners, which Persian, the scripts of India and emoji need.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// A space or a break of any kind, or the empty pattern of Braille, which looks like one.
fn is_room(c: char) -> bool {
    c.is_whitespace() || c == '\u{2800}'
}

/// The first characters of the line that a text makes, and whether there are more.
fn cut(text: &str, most: usize) -> (String, bool) {
    let (mut line, mut count, mut gap) = (String::new(), 0, false);
    for c in letters(text) {
        if c == ' ' {
            gap = count > 0;
            continue;
        }
        let needs = 1 + usize::from(gap);
        if count + needs > most {
            return (line, true);
        }
        if std::mem::take(&mut gap) {
            line.push(' ');
        }
        line.push(c);
        count += needs;
    }
    (line, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_one_plain_line() {
        for (text, plain) in [
            ("  A\n\ttitle  with   room ", "A title with room"),
            ("one\u{2028}two\u{2800}three", "one two three"),
            ("Ben\u{202e}gnp.exe\u{0}\u{1b}[31m", "Bengnp.exe[31m"),
            ("\u{200b}\u{feff}\u{3164}", ""),
        ] {
            assert_eq!(line(text, 40), plain, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_ends_with_a_sign_that_it_goes_on_and_a_long_name_does_not() {
        for (text, short) in [("12345678", "12345678"), ("123456789", "1234567…"), ("123456 89", "123456…")] {
            assert_eq!(line(text, 8), short);
        }
        assert_eq!(name("1234567 89", 8).as_deref(), Some("1234567"));
        assert_eq!(name(&"x".repeat(100_000), 64).unwrap().len(), 64);
        assert_eq!(name(" \n\u{202e}", 64), None);
    }

    #[test]
    fn joiners_stay_where_a_script_needs_them_and_imitate_no_name() {
        for kept in ["می\u{200c}خواهم", "क्\u{200d}ष", "👩\u{200d}👩\u{200d}👧", "❤\u{fe0f}\u{200d}🔥"]
        {
            assert_eq!(name(kept, 64).as_deref(), Some(kept));
        }
        for (text, plain) in [
            ("An\u{200d}a", "Ana"),
            ("Ana\u{200c}", "Ana"),
            ("Ана\u{200d}", "Ана"),
            ("ب\u{200d}", "ب"),
            ("ب\u{200d} ب", "ب ب"),
        ] {
            assert_eq!(name(text, 64).as_deref(), Some(plain), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_it_was_it_is_bounded_and_stays_what_it_is(
            text in "\\PC{0,60}|[ \n\u{202e}a…]{0,30}|[aب\u{200c}\u{200d}\u{200b} ]{0,30}",
            most in 1usize..40,
        ) {
            let (once, named) = (line(&text, most), name(&text, most).unwrap_or_default());
            for (words, again) in [(&once, line(&once, most)), (&named, name(&named, most).unwrap_or_default())] {
                prop_assert!(words.chars().count() <= most && !words.chars().any(hides), "{words:?}");
                prop_assert_eq!(words, &again);
            }
        }
    }
}
