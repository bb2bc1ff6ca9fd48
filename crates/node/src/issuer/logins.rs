//! Logins under way: what the client asked for, until its code is redeemed.

use std::collections::HashMap;

use message::Private;

use crate::limits::{CODE_MS, LOGIN_MS, LOGINS};

/// What a client asked for, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    /// Where to come back.
    pub(super) redirect_uri: String,
    /// The client's own mark, given back untouched.
    pub(super) state: Private<String>,
    /// What the id_token will hold.
    pub(super) nonce: Private<String>,
    /// SHA-256 of the verifier, base64url.
    pub(super) challenge: String,
    /// The name to begin with.
    pub(super) hint: Private<String>,
}

/// A page that was shown.
pub(super) struct Page {
    pub(super) wish: Wish,
    /// Stands in the form.
    pub(super) csrf: String,
    /// Hash of the browser's cookie.
    pub(super) browser: [u8; 32],
    until_ms: i64,
}

/// A code that was given out.
pub(super) struct Grant {
    pub(super) wish: Wish,
    pub(super) name: String,
    pub(super) auth_time_s: i64,
    until_ms: i64,
}

/// All logins under way.
#[derive(Default)]
pub(super) struct Logins {
    pages: HashMap<String, Page>,
    grants: HashMap<[u8; 32], Grant>,
}

impl Logins {
    /// Remembers a page; gives its name and the mark of its form, unless there are too many.
    pub(super) fn show(&mut self, wish: Wish, browser: [u8; 32], now_ms: i64) -> Option<(String, String)> {
        self.forget_old(now_ms);
        if self.pages.len() >= LOGINS {
            return None;
        }
        let (page, csrf) = (keys::b64url(&keys::random::<16>()), keys::b64url(&keys::random::<16>()));
        self.pages.insert(page.clone(), Page { wish, csrf: csrf.clone(), browser, until_ms: now_ms + LOGIN_MS });
        Some((page, csrf))
    }

    /// A page that is still valid.
    pub(super) fn page(&self, name: &str, now_ms: i64) -> Option<&Page> {
        self.pages.get(name).filter(|page| page.until_ms > now_ms)
    }

    /// Ends a page and gives a code for it.
    pub(super) fn grant(&mut self, page: &str, name: String, now_ms: i64) -> Option<(String, Wish)> {
        let page = self.pages.remove(page)?;
        let code = keys::b64url(&keys::random::<32>());
        let wish = page.wish.clone();
        let grant = Grant { wish: page.wish, name, auth_time_s: now_ms / 1000, until_ms: now_ms + CODE_MS };
        // Only the hash is kept, so that a look into memory gives no code.
        self.grants.insert(keys::sha256(code.as_bytes()), grant);
        Some((code, wish))
    }

    /// Takes what a code stands for; a code works once.
    pub(super) fn redeem(&mut self, code: &str, now_ms: i64) -> Option<Grant> {
        self.grants.remove(&keys::sha256(code.as_bytes())).filter(|grant| grant.until_ms > now_ms)
    }

    fn forget_old(&mut self, now_ms: i64) {
        self.pages.retain(|_, page| page.until_ms > now_ms);
        self.grants.retain(|_, grant| grant.until_ms > now_ms);
    }
}
