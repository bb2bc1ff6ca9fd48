//! Writes a notice as the XML of a Windows toast (Microsoft, "Toast schema"), with nothing of others in it that is markup.

use std::fmt::Write;

use notices::{Button, Notice};

use crate::action::{DEFAULT, word_of};

/// The field that a reply is written into.
pub(crate) const REPLY_FIELD: &str = "text";

/// The toast of a notice.
pub(crate) fn toast(notice: &Notice) -> String {
    let mut xml = format!("<toast launch=\"{DEFAULT}\"><visual><binding template=\"ToastGeneric\">");
    for text in [&notice.title, &notice.body].into_iter().filter(|text| !text.is_empty()) {
        // Writing into a string cannot fail, here and below.
        let _ = write!(xml, "<text>{}</text>", escaped(text));
    }
    xml.push_str("</binding></visual>");
    actions(&mut xml, &notice.buttons);
    // Without this the system sounds.
    let sound = if notice.sounds { "src=\"ms-winsoundevent:Notification.IM\"" } else { "silent=\"true\"" };
    let _ = write!(xml, "<audio {sound}/></toast>");
    xml
}

/// The buttons; the schema wants fields before them.
fn actions(xml: &mut String, buttons: &[(Button, String)]) {
    if buttons.is_empty() {
        return;
    }
    xml.push_str("<actions>");
    for (_, label) in buttons.iter().filter(|(button, _)| *button == Button::Reply) {
        let label = escaped(label);
        let _ = write!(xml, "<input id=\"{REPLY_FIELD}\" type=\"text\" placeHolderContent=\"{label}\"/>");
    }
    for (button, label) in buttons {
        let field = if *button == Button::Reply { format!(" hint-inputId=\"{REPLY_FIELD}\"") } else { String::new() };
        let (label, word) = (escaped(label), word_of(*button));
        let _ = write!(xml, "<action content=\"{label}\" arguments=\"{word}\" activationType=\"foreground\"{field}/>");
    }
    xml.push_str("</actions>");
}

/// Text as XML 1.0 carries it; what it cannot carry is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => out.push(' '),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            one => out.push(one),
        }
    }
    out
}
