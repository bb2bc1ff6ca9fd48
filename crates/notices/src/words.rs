//! The words of notices and of the tray, in the languages of the interface.

/// A language that there are words in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Arabic.
    Arabic,
}

impl Language {
    /// What the person set (`system` or a language tag), else what the system speaks.
    pub fn of(wish: &str, system: &str) -> Self {
        let tag = if wish == "system" { system } else { wish };
        let base = tag.split(['-', '_', '.']).next().unwrap_or_default();
        if base.eq_ignore_ascii_case("ar") { Self::Arabic } else { Self::English }
    }
}

/// The words in one language.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Words(pub Language);

/// How Arabic counts (Unicode CLDR, plural rules), as far as the forms differ; English knows the first and the last.
enum Count {
    One,
    Two,
    Few,
    Other,
}

fn count(n: u32) -> Count {
    match (n, n % 100) {
        (1, _) => Count::One,
        (2, _) => Count::Two,
        (_, 3..=10) => Count::Few,
        _ => Count::Other,
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $english:literal, $arabic:literal;)*) => {
        impl Words {
            $($(#[$doc])* pub fn $name(self) -> &'static str {
                match self.0 { Language::English => $english, Language::Arabic => $arabic }
            })*
        }
    };
}

words! {
    /// The app.
    app: "Parlance", "Parlance";
    /// One message came.
    new_message: "New message", "رسالة جديدة";
    /// A file came, without words.
    file: "File", "ملف";
    /// A picture came, without words.
    picture: "Picture", "صورة";
    /// A voice note came.
    voice: "Voice note", "رسالة صوتية";
    /// The message was taken back by who wrote it.
    deleted: "Message deleted", "حُذفت الرسالة";
    /// Something this version cannot show.
    unsupported: "A message this version cannot show", "رسالة لا يمكن لهذا الإصدار عرضها";
    /// Somebody unknown asks.
    request: "Contact request", "طلب تواصل";
    /// Somebody called in vain.
    missed_call: "Missed call", "مكالمة فائتة";
    /// Somebody waits at a group's door, of whom no more is told.
    waits: "Somebody waits to come into a group", "هناك من ينتظر الدخول إلى مجموعة";
    /// Answers in words.
    reply: "Reply", "رد";
    /// Counts as read.
    read: "Mark as read", "تعليم كمقروءة";
    /// Calls back.
    call_back: "Call back", "معاودة الاتصال";
    /// Shows the window.
    open: "Open Parlance", "فتح Parlance";
    /// Ends the app.
    quit: "Quit", "إنهاء";
    /// Turns the microphone off.
    mute: "Mute microphone", "كتم الميكروفون";
    /// Turns it on.
    unmute: "Unmute microphone", "إلغاء كتم الميكروفون";
    /// Ends the call.
    hang_up: "Hang up", "إنهاء المكالمة";
    /// A call goes on.
    in_call: "In a call", "في مكالمة";
    /// A call goes on and the microphone is off.
    in_call_muted: "In a call, microphone off", "في مكالمة، الميكروفون مكتوم";
}

impl Words {
    /// So many messages came.
    pub fn new_messages(self, n: u32) -> String {
        match (self.0, count(n)) {
            (_, Count::One) => self.new_message().to_owned(),
            (Language::English, _) => format!("{n} new messages"),
            (Language::Arabic, Count::Two) => "رسالتان جديدتان".to_owned(),
            (Language::Arabic, Count::Few) => format!("{n} رسائل جديدة"),
            (Language::Arabic, _) => format!("{n} رسالة جديدة"),
        }
    }

    /// Who waits to come into a group, of so many.
    pub fn waiting(self, n: u32, name: &str) -> String {
        match (self.0, count(n)) {
            (Language::English, Count::One) => format!("{name} waits for your yes"),
            (Language::Arabic, Count::One) => format!("ينتظر {name} موافقتك"),
            (Language::English, _) => format!("{n} people wait for your yes"),
            (Language::Arabic, Count::Two) => "ينتظر شخصان موافقتك".to_owned(),
            (Language::Arabic, Count::Few) => format!("ينتظر {n} أشخاص موافقتك"),
            (Language::Arabic, _) => format!("ينتظر {n} شخصًا موافقتك"),
        }
    }

    /// So many calls were missed.
    pub fn missed_calls(self, n: u32) -> String {
        match (self.0, count(n)) {
            (_, Count::One) => self.missed_call().to_owned(),
            (Language::English, _) => format!("{n} missed calls"),
            (Language::Arabic, Count::Two) => "مكالمتان فائتتان".to_owned(),
            (Language::Arabic, Count::Few) => format!("{n} مكالمات فائتة"),
            (Language::Arabic, _) => format!("{n} مكالمة فائتة"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_person_set_counts_before_what_the_system_speaks() {
        assert_eq!(Language::of("system", "ar_EG.UTF-8"), Language::Arabic);
        assert_eq!(Language::of("en", "ar_EG.UTF-8"), Language::English);
        assert_eq!(Language::of("ar", "C"), Language::Arabic);
        assert_eq!(Language::of("system", "tlh"), Language::English, "a language without words speaks English");
    }

    #[test]
    fn arabic_counts_as_arabic_does() {
        let arabic = Words(Language::Arabic);
        assert_eq!(arabic.new_messages(1), "رسالة جديدة");
        assert_eq!(arabic.new_messages(2), "رسالتان جديدتان");
        assert_eq!(arabic.new_messages(3), "3 رسائل جديدة");
        assert_eq!(arabic.new_messages(11), "11 رسالة جديدة");
        assert_eq!(Words(Language::English).new_messages(2), "2 new messages");
        assert_eq!(arabic.waiting(1, "إيفا"), "ينتظر إيفا موافقتك");
        assert_eq!(arabic.waiting(4, "إيفا"), "ينتظر 4 أشخاص موافقتك");
    }
}
