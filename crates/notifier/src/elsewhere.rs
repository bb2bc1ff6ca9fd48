//! Systems whose notices are not spoken yet.

use notices::{Answer, Key, Notice};
use tokio::sync::mpsc;

use crate::NotifierError;

/// There is none.
pub struct Desktop(std::convert::Infallible);

impl Desktop {
    /// Says that there is none.
    pub async fn connect(_app: &str) -> Result<(Self, mpsc::Receiver<(Key, Answer)>), NotifierError> {
        Err(NotifierError::NoBus { source: None })
    }

    /// Never asked.
    pub async fn show(&self, _notice: &Notice) -> Result<(), NotifierError> {
        match self.0 {}
    }

    /// Never asked.
    pub async fn withdraw(&self, _key: &Key) -> Result<(), NotifierError> {
        match self.0 {}
    }
}
