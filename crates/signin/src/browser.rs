//! Opens the person's own browser.

use std::process::{Command, Stdio};

use url::Url;

/// Names a command that is run with the address instead of the system's browser.
pub const BROWSER_VARIABLE: &str = "PARLANCE_BROWSER";

/// Why no browser opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrowserError {
    /// Only web addresses are opened.
    #[error("only a web address is opened in the browser")]
    NotWeb,
    /// There is no browser, or it would not start.
    #[error("no browser could be started: {0}")]
    NoBrowser(std::io::ErrorKind),
}

/// Opens an address in the person's browser, or with the command in [`BROWSER_VARIABLE`].
pub async fn open_in_browser(url: &Url) -> Result<(), BrowserError> {
    if !matches!(url.scheme(), "https" | "http") {
        return Err(BrowserError::NotWeb);
    }
    let (url, command) = (url.to_string(), std::env::var_os(BROWSER_VARIABLE).filter(|command| !command.is_empty()));
    let open = move || match command {
        Some(command) => run(Command::new(command).arg(url)),
        None => webbrowser::open(&url),
    };
    let opened = tokio::task::spawn_blocking(open).await;
    opened
        .unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into()))
        .map_err(|error| BrowserError::NoBrowser(error.kind()))
}

fn run(command: &mut Command) -> std::io::Result<()> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    // Somebody must ask how it ended, or it stays as a zombie.
    std::thread::spawn(move || child.wait());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_web_addresses_are_opened() {
        for text in ["file:///etc/passwd", "javascript:alert(1)", "mailto:x@y"] {
            assert_eq!(open_in_browser(&Url::parse(text).unwrap()).await, Err(BrowserError::NotWeb), "{text}");
        }
    }
}
