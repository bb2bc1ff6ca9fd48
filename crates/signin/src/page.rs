//! The page the browser shows when the person comes back from the issuer.

/// What the page tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// Signed in.
    Done,
    /// Not signed in.
    Failed,
    /// Nothing to see.
    NotFound,
}

impl Page {
    fn status(self) -> &'static str {
        match self {
            Self::Done => "200 OK",
            Self::Failed => "400 Bad Request",
            Self::NotFound => "404 Not Found",
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Done => ("You are signed in", "You can close this window and go back to Parlance."),
            Self::Failed => ("You are not signed in", "You can close this window. Parlance tells you what went wrong."),
            Self::NotFound => ("Nothing here", "You can close this window."),
        }
    }

    /// The whole HTTP answer. A tiny script takes the one-time code out of the address bar.
    pub fn answer(self) -> String {
        let (title, text) = self.words();
        let nonce = keys::b64url(&keys::random::<16>());
        let body = format!(
            r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – Parlance</title>
<style nonce="{nonce}">
:root {{ color-scheme: light dark; --paper: #f6f5f1; --ink: #1d1c1a; --quiet: #5c5952; }}
@media (prefers-color-scheme: dark) {{ :root {{ --paper: #191816; --ink: #f1efe9; --quiet: #a9a59b; }} }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.5 system-ui, sans-serif; }}
main {{ max-width: 28rem; padding: 2rem; }}
h1 {{ font-size: 1.5rem; line-height: 1.25; margin: 0 0 .75rem; }}
p {{ margin: 0 0 .75rem; }}
.quiet {{ color: var(--quiet); }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
<p class="quiet">Never copy this address, and give it to nobody who asks for it.</p>
</main>
<script nonce="{nonce}">history.replaceState(null, "", "/");</script>
</body>
</html>
"##
        );
        format!(
            "HTTP/1.1 {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; frame-ancestors 'none'\r\n\
             Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{body}",
            self.status(),
            body.len(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_tells_people_to_keep_the_address_to_themselves() {
        for page in [Page::Done, Page::Failed] {
            let answer = page.answer();
            assert!(answer.contains("You can close this window") && answer.contains("Never copy this address"));
            assert!(answer.contains("prefers-color-scheme: dark"));
        }
    }

    #[test]
    fn the_page_says_its_length_and_is_kept_nowhere() {
        let answer = Page::Done.answer();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())));
        assert!(head.contains("no-store") && head.contains("no-referrer"));
    }
}
