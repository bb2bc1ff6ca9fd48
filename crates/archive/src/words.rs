//! The few words that stand in the pages of an archive, in the languages of the app.

/// In which language the pages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Left to right.
    #[default]
    English,
    /// Right to left.
    Arabic,
}

/// What a page says besides what people wrote.
pub(crate) struct Words {
    pub(crate) tag: &'static str,
    pub(crate) direction: &'static str,
    pub(crate) title: &'static str,
    pub(crate) of: &'static str,
    pub(crate) unsigned: &'static str,
    pub(crate) answers: &'static str,
    pub(crate) edited: &'static str,
    pub(crate) forwarded: &'static str,
    pub(crate) deleted: &'static str,
    pub(crate) not_here: &'static str,
    pub(crate) poll: &'static str,
    pub(crate) closed: &'static str,
    pub(crate) older: &'static str,
    pub(crate) newer: &'static str,
    pub(crate) all: &'static str,
}

impl Language {
    /// The language of a tag; English where it is another one.
    pub fn of(tag: &str) -> Self {
        if tag.split('-').next() == Some("ar") { Self::Arabic } else { Self::English }
    }

    pub(crate) fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::Arabic => &ARABIC,
        }
    }
}

const ENGLISH: Words = Words {
    tag: "en",
    direction: "ltr",
    title: "History",
    of: "Exported by",
    unsigned: "This file cannot prove who wrote a message: it can be changed like any other file.",
    answers: "Replying to a message",
    edited: "edited",
    forwarded: "Forwarded",
    deleted: "This message was deleted.",
    not_here: "not on this device",
    poll: "Poll",
    closed: "closed",
    older: "Older messages",
    newer: "Newer messages",
    all: "All conversations",
};

const ARABIC: Words = Words {
    tag: "ar",
    direction: "rtl",
    title: "السجل",
    of: "صدّره",
    unsigned: "لا يثبت هذا الملف من كتب رسالة: يمكن تغييره مثل أي ملف آخر.",
    answers: "رد على رسالة",
    edited: "معدّلة",
    forwarded: "معاد توجيهها",
    deleted: "حُذفت هذه الرسالة.",
    not_here: "ليس على هذا الجهاز",
    poll: "تصويت",
    closed: "مغلق",
    older: "رسائل أقدم",
    newer: "رسائل أحدث",
    all: "كل المحادثات",
};
