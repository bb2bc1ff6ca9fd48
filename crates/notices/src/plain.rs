//! Makes a line of plain text of what somebody else wrote.

/// A text as one line of at most `limit` characters, without what would steer the desktop's own words: control
/// characters, and the marks that turn the direction of what follows (Unicode Bidirectional Algorithm, section 2).
pub(crate) fn line(text: &str, limit: usize) -> String {
    let mut line = String::new();
    let mut gap = false;
    let mut left = limit;
    for c in text.chars() {
        if turns(c) {
            continue;
        }
        if c.is_whitespace() || c.is_control() {
            gap = !line.is_empty();
            continue;
        }
        let wants = 1 + usize::from(gap);
        if left < wants {
            line.push('…');
            return line;
        }
        if gap {
            line.push(' ');
        }
        line.push(c);
        left -= wants;
        gap = false;
    }
    line
}

/// Marks that embed, override or isolate a direction.
fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_text_of_several_lines_becomes_one() {
        assert_eq!(line("  one\n\n two\tthree\u{7}! ", 100), "one two three !");
    }

    #[test]
    fn nobody_turns_the_words_around_that_follow_their_name() {
        assert_eq!(line("Ben\u{202e}gnp.exe", 100), "Bengnp.exe");
    }

    #[test]
    fn a_long_text_ends_with_a_sign_that_it_goes_on() {
        assert_eq!(line("abcdef", 6), "abcdef");
        assert_eq!(line("abcdefg", 6), "abcdef…");
        assert_eq!(line(&"x".repeat(100_000), 240).chars().count(), 241);
    }
}
