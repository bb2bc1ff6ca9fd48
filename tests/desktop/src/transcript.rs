//! Tells the story as it happens: times, words and pictures.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::hearing::Recording;
use crate::stage::Stage;
use crate::window::Window;
use crate::{Outcome, StageError};

/// What happened so far.
pub struct Transcript {
    began: Instant,
    folder: PathBuf,
    steps: usize,
}

impl Transcript {
    /// A transcript whose pictures go into this folder.
    pub fn new(folder: &Path) -> Outcome<Self> {
        std::fs::create_dir_all(folder).map_err(StageError::file(folder))?;
        Ok(Self { began: Instant::now(), folder: folder.to_owned(), steps: 0 })
    }

    /// Something happened.
    pub fn tell(&self, words: &str) {
        println!("[{:6.1} s] {words}", self.began.elapsed().as_secs_f64());
    }

    /// Something happened that can be seen in these windows.
    pub async fn step(&mut self, words: &str, windows: &[&Window]) -> Outcome<()> {
        self.tell(words);
        self.steps += 1;
        for window in windows {
            window.picture(&self.path(words, window.who())).await?;
        }
        Ok(())
    }

    /// Something happened that can be seen only on the whole screen.
    pub fn step_on_screen(&mut self, words: &str, stage: &Stage) -> Outcome<()> {
        self.tell(words);
        self.steps += 1;
        stage.screen.picture(&self.path(words, "screen"))
    }

    /// Keeps what somebody said or heard.
    pub(crate) fn keep(&self, name: &str, sound: &Recording) -> Outcome<()> {
        sound.write_wav(&self.folder.join(format!("{name}.wav")))
    }

    /// The story broke: keeps pictures of what is there.
    pub async fn broke(&self, error: &StageError, stage: &Stage, windows: &[&Window]) {
        self.tell(&format!("FAILED: {error}"));
        let folder = self.folder.join("failure");
        if std::fs::create_dir_all(&folder).is_err() {
            return;
        }
        for window in windows {
            // A window that does not answer has no picture; the screen below still shows it.
            let _ = window.picture(&folder.join(format!("{}.png", window.who()))).await;
        }
        let _ = stage.screen.picture(&folder.join("screen.png"));
        self.tell(&format!("pictures are in {}, logs in {}", folder.display(), stage.crew.logs().display()));
    }

    fn path(&self, words: &str, who: &str) -> PathBuf {
        let letters = words.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' });
        let slug: String = letters.collect::<String>().split_whitespace().take(7).collect::<Vec<_>>().join("-");
        let who = who.replace([' ', '\''], "-");
        self.folder.join(format!("{:02}-{slug}.{who}.png", self.steps))
    }
}
