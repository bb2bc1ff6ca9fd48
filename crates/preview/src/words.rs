//! Makes strangers' words one plain line: no breaks, nothing that turns or hides text, bounded.

/// The words of a text in one line of at most so many characters; what is cut off is told by an ellipsis.
pub(crate) fn line(text: &str, most: usize) -> String {
    let fit = |c: char| if c.is_whitespace() { Some(' ') } else { (!is_unfit(c)).then_some(c) };
    let mut out = String::new();
    let mut count = 0;
    for c in text.chars().filter_map(fit) {
        if c == ' ' && (out.is_empty() || out.ends_with(' ')) {
            continue;
        }
        if count == most {
            out.pop();
            out.truncate(out.trim_end().len());
            out.push('…');
            return out;
        }
        out.push(c);
        count += 1;
    }
    out.truncate(out.trim_end().len());
    out
}

/// Control characters, and what turns or hides text. The two joiners stay: Persian, Indic scripts and emoji need them.
fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_one_plain_line() {
        for (text, plain) in [
            ("  A\n\ttitle  with   room ", "A title with room"),
            ("x\u{202e}gnp.exe\u{0}\u{1b}[31m", "xgnp.exe[31m"),
            ("\u{200b}\u{feff}", ""),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("12345678", "12345678"),
            ("123456789", "1234567…"),
            ("123456 89", "123456…"),
        ] {
            assert_eq!(line(text, if text.starts_with('1') { 8 } else { 40 }), plain, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_it_was_a_line_is_bounded_and_stays_what_it_is(text in "\\PC{0,60}|[ \n\u{202e}a…]{0,30}", most in 1usize..40) {
            let once = line(&text, most);
            prop_assert!(once.chars().count() <= most, "{once:?}");
            prop_assert_eq!(line(&once, most), once);
        }
    }
}
