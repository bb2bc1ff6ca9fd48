//! The stage on which two people use the true app: a screen, sound, two domains, an issuer and a browser.
//!
//! Nothing is simulated: windows are driven by WebDriver, sign-in happens in Chromium,
//! speech goes through virtual sound devices. Linux only.

mod browser;
mod check;
mod error;
pub mod hearing;
mod open;
mod pixels;
mod process;
mod programs;
mod screen;
mod sound;
mod stage;
pub mod story;
mod transcript;
mod window;
mod world;

pub use check::{first_half, keyboard};
pub use error::StageError;
pub use open::open;
pub use stage::{Person, Stage, Through};
pub use transcript::Transcript;
pub use window::Window;

/// What goes wrong on the stage.
pub type Outcome<T> = Result<T, StageError>;
