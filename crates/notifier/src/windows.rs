//! Notices of Windows: toasts by WinRT, under the id of the app that its installer writes into the start menu.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use notices::{Answer, Key, Notice};
use tokio::sync::mpsc;
use windows::Data::Xml::Dom::XmlDocument;
use windows::Foundation::{IPropertyValue, TypedEventHandler};
use windows::UI::Notifications::{
    NotificationMirroring, NotificationSetting, ToastActivatedEventArgs, ToastDismissalReason, ToastDismissedEventArgs,
    ToastNotification, ToastNotificationManager, ToastNotifier,
};
use windows::core::{Error, HRESULT, HSTRING, IInspectable, Interface, Result};

use crate::NotifierError;
use crate::action::DEFAULT;
use crate::center::{Answers, Center};
use crate::toast::{REPLY_FIELD, toast};

/// All toasts of the app are of one group; the system finds one by tag, group and app.
const GROUP: &str = "notices";

/// `ERROR_NOT_FOUND` as an `HRESULT`: no app, or no toast, has that name.
const NOT_FOUND: HRESULT = HRESULT(0x8007_0490_u32.cast_signed());

/// The toasts of this app.
pub type Desktop = crate::center::Desktop<Toasts>;

impl Desktop {
    /// Begins; `app` is the app's id (AppUserModelID). What people do with notices comes out of the receiver.
    pub async fn connect(app: &str) -> std::result::Result<(Self, mpsc::Receiver<(Key, Answer)>), NotifierError> {
        let app = HSTRING::from(app);
        let notifier = ToastNotificationManager::CreateToastNotifierWithId(&app).map_err(refused)?;
        Self::on(Toasts { app, notifier, answers: OnceLock::new(), shown: Mutex::default() })
    }
}

/// The system's own part.
pub struct Toasts {
    app: HSTRING,
    notifier: ToastNotifier,
    answers: OnceLock<Answers>,
    /// What is shown, by its tag: its handlers are heard only as long as somebody holds it.
    shown: Mutex<HashMap<String, ToastNotification>>,
}

impl Center for Toasts {
    fn begin(&self, answers: Answers) -> std::result::Result<(), NotifierError> {
        // Only the first is kept, and there is one.
        let _ = self.answers.set(answers);
        // An app that was never shown has no history.
        if let Err(error) = ToastNotificationManager::History().and_then(|history| history.ClearWithId(&self.app)) {
            tracing::debug!(code = error.code().0, "no notices of an earlier run were taken away");
        }
        Ok(())
    }

    async fn post(&self, id: &str, notice: &Notice) -> std::result::Result<(), NotifierError> {
        self.allowed()?;
        let made = self.made(id, notice).map_err(refused)?;
        self.notifier.Show(&made).map_err(refused)?;
        let mut shown = self.shown();
        // What people put away is held by nobody else.
        shown.retain(|id, _| self.answers.get().is_some_and(|answers| answers.knows(id)));
        shown.insert(id.to_owned(), made);
        Ok(())
    }

    fn remove(&self, id: &str) -> std::result::Result<(), NotifierError> {
        self.shown().remove(id);
        let history = ToastNotificationManager::History().map_err(refused)?;
        match history.RemoveGroupedTagWithId(&HSTRING::from(id), &HSTRING::from(GROUP), &self.app) {
            Err(error) if error.code() != NOT_FOUND => Err(refused(error)),
            _ => Ok(()),
        }
    }
}

impl Toasts {
    /// Whether the person, or who keeps this computer, lets the app show any. The system takes toasts of an app that
    /// it does not know, and drops them without a word.
    fn allowed(&self) -> std::result::Result<(), NotifierError> {
        match self.notifier.Setting() {
            Ok(NotificationSetting::Enabled) => Ok(()),
            Ok(_) => Err(NotifierError::NotAllowed),
            Err(error) => Err(refused(error)),
        }
    }

    fn made(&self, id: &str, notice: &Notice) -> Result<ToastNotification> {
        let document = XmlDocument::new()?;
        document.LoadXml(&HSTRING::from(toast(notice)))?;
        let made = ToastNotification::CreateToastNotification(&document)?;
        made.SetTag(&HSTRING::from(id))?;
        made.SetGroup(&HSTRING::from(GROUP))?;
        // Nobody could answer it afterwards.
        made.SetExpiresOnReboot(true)?;
        // What this device may tell, another may not.
        made.SetNotificationMirroring(NotificationMirroring::Disabled)?;
        if let Some(answers) = self.answers.get() {
            listen(&made, id, answers)?;
        }
        Ok(made)
    }

    fn shown(&self) -> MutexGuard<'_, HashMap<String, ToastNotification>> {
        // Whoever panicked with the lock left whole entries behind.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears what a person does with a toast.
fn listen(made: &ToastNotification, id: &str, answers: &Answers) -> Result<()> {
    let (to, of) = (answers.clone(), id.to_owned());
    made.Activated(&TypedEventHandler::<ToastNotification, IInspectable>::new(move |_, pressed| {
        let (action, text) = pressed.as_ref().and_then(|pressed| pressed_of(pressed).ok()).unwrap_or_default();
        to.chose(&of, if action.is_empty() { DEFAULT } else { &action }, text.as_deref());
        Ok(())
    }))?;
    let (to, of) = (answers.clone(), id.to_owned());
    made.Dismissed(&TypedEventHandler::<ToastNotification, ToastDismissedEventArgs>::new(move |_, why| {
        if is_put_away(why.as_ref()) {
            to.closed(&of);
        }
        Ok(())
    }))?;
    let (to, of) = (answers.clone(), id.to_owned());
    made.Failed(&TypedEventHandler::new(move |_, _| {
        to.closed(&of);
        Ok(())
    }))?;
    Ok(())
}

/// A toast that timed out goes to the list of the system, where it can still be answered.
fn is_put_away(why: Option<&ToastDismissedEventArgs>) -> bool {
    why.and_then(|why| why.Reason().ok()) == Some(ToastDismissalReason::UserCanceled)
}

/// What was pressed, and what was written.
fn pressed_of(pressed: &IInspectable) -> Result<(String, Option<String>)> {
    let pressed: ToastActivatedEventArgs = pressed.cast()?;
    let action = pressed.Arguments()?.to_string_lossy();
    let written = pressed.UserInput().and_then(|fields| fields.Lookup(&HSTRING::from(REPLY_FIELD)));
    let text = written.and_then(|text| text.cast::<IPropertyValue>()?.GetString());
    Ok((action, text.ok().map(|text| text.to_string_lossy())))
}

fn refused(error: Error) -> NotifierError {
    if error.code() == NOT_FOUND { NotifierError::NotInstalled } else { NotifierError::Server(error.into()) }
}
