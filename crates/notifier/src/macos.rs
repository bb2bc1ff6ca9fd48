//! Notices of macOS: `UNUserNotificationCenter`, for an app that runs out of its bundle.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use block2::{DynBlock, RcBlock};
use notices::{Answer, Button, Key, Notice, Urgency};
use objc2::rc::Retained;
use objc2::runtime::{Bool, NSObjectProtocol, ProtocolObject};
use objc2::{AnyThread, DefinedClass, define_class, msg_send, sel};
use objc2_foundation::{NSArray, NSBundle, NSError, NSObject, NSSet, NSString};
use objc2_user_notifications::{
    UNAuthorizationOptions, UNErrorCode, UNErrorDomain, UNMutableNotificationContent, UNNotification,
    UNNotificationAction, UNNotificationActionOptions, UNNotificationCategory, UNNotificationCategoryOptions,
    UNNotificationDefaultActionIdentifier, UNNotificationDismissActionIdentifier, UNNotificationInterruptionLevel,
    UNNotificationPresentationOptions, UNNotificationRequest, UNNotificationResponse, UNNotificationSound,
    UNTextInputNotificationAction, UNTextInputNotificationResponse, UNUserNotificationCenter,
    UNUserNotificationCenterDelegate,
};
use tokio::sync::{mpsc, oneshot};

use crate::NotifierError;
use crate::action::{DEFAULT, word_of};
use crate::center::{Answers, Center};

/// The notification centre, for this app.
pub type Desktop = crate::center::Desktop<Notifications>;

impl Desktop {
    /// Begins; `app` is the identifier of the app's bundle. What people do with notices comes out of the receiver.
    pub async fn connect(app: &str) -> Result<(Self, mpsc::Receiver<(Key, Answer)>), NotifierError> {
        // Without a bundle the system ends the process that asks for its centre, and under that of another program
        // the notices would be somebody else's.
        let bundle = NSBundle::mainBundle().bundleIdentifier();
        if bundle.is_none_or(|bundle| bundle.to_string() != app) {
            return Err(NotifierError::NotInstalled);
        }
        Self::on(Notifications::default())
    }
}

/// The system's own part.
#[derive(Default)]
pub struct Notifications {
    /// The centre itself holds it weakly.
    delegate: OnceLock<Retained<Delegate>>,
    /// The sets of buttons that were declared, by their names.
    sets: Mutex<BTreeMap<String, Vec<(Button, String)>>>,
}

impl Center for Notifications {
    fn begin(&self, answers: Answers) -> Result<(), NotifierError> {
        let center = center();
        let delegate = self.delegate.get_or_init(|| Delegate::new(answers));
        center.setDelegate(Some(ProtocolObject::from_ref(&**delegate)));
        center.removeAllDeliveredNotifications();
        let options = UNAuthorizationOptions::Alert | UNAuthorizationOptions::Sound | UNAuthorizationOptions::Badge;
        // The system asks the person once in the life of the app; what they said is heard with each notice.
        let asked = RcBlock::new(|_allowed: Bool, _error: *mut NSError| {});
        center.requestAuthorizationWithOptions_completionHandler(options, &asked);
        Ok(())
    }

    async fn post(&self, id: &str, notice: &Notice) -> Result<(), NotifierError> {
        let posted = self.hand_over(id, notice);
        // The block is dropped without a word when the app is torn down.
        posted.await.unwrap_or_else(|gone| Err(NotifierError::Server(gone.into())))
    }

    fn remove(&self, id: &str) -> Result<(), NotifierError> {
        let ids = NSArray::from_retained_slice(&[NSString::from_str(id)]);
        let center = center();
        center.removePendingNotificationRequestsWithIdentifiers(&ids);
        center.removeDeliveredNotificationsWithIdentifiers(&ids);
        Ok(())
    }
}

impl Notifications {
    /// Gives a notice to the system; what it says comes later. Nothing of Objective-C is held while one waits.
    fn hand_over(&self, id: &str, notice: &Notice) -> oneshot::Receiver<Result<(), NotifierError>> {
        let content = content(notice);
        if !notice.buttons.is_empty() {
            content.setCategoryIdentifier(&NSString::from_str(&self.declare(&notice.buttons)));
        }
        let id = NSString::from_str(id);
        let request = UNNotificationRequest::requestWithIdentifier_content_trigger(&id, &content, None);
        let (sender, posted) = oneshot::channel();
        let sender = Mutex::new(Some(sender));
        let done = RcBlock::new(move |error: *mut NSError| {
            let sender = sender.lock().unwrap_or_else(PoisonError::into_inner).take();
            // SAFETY: the system hands over an error that lives as long as this call, or null.
            let error = unsafe { error.as_ref() };
            // Whoever waited too long is gone.
            let _ = sender.map(|sender| sender.send(error.map_or(Ok(()), |error| Err(refused(error)))));
        });
        center().addNotificationRequest_withCompletionHandler(&request, Some(&done));
        posted
    }

    /// Tells the system a set of buttons, which it knows by name. There are few: one for each kind of notice and
    /// language.
    fn declare(&self, buttons: &[(Button, String)]) -> String {
        let words = buttons.iter().flat_map(|(button, label)| [word_of(*button), label.as_str()]);
        let name = words.collect::<Vec<_>>().join("\n");
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if !sets.contains_key(&name) {
            sets.insert(name.clone(), buttons.to_vec());
            let all: Vec<_> = sets.iter().map(|(name, buttons)| category(name, buttons)).collect();
            center().setNotificationCategories(&NSSet::from_retained_slice(&all));
        }
        name
    }
}

fn center() -> Retained<UNUserNotificationCenter> {
    UNUserNotificationCenter::currentNotificationCenter()
}

/// What a notice tells.
fn content(notice: &Notice) -> Retained<UNMutableNotificationContent> {
    let content = UNMutableNotificationContent::new();
    content.setTitle(&NSString::from_str(&notice.title));
    content.setBody(&NSString::from_str(&notice.body));
    if notice.sounds {
        content.setSound(Some(&UNNotificationSound::defaultSound()));
    }
    // macOS 12 and later.
    if notice.urgency == Urgency::Low && content.respondsToSelector(sel!(setInterruptionLevel:)) {
        content.setInterruptionLevel(UNNotificationInterruptionLevel::Passive);
    }
    content
}

fn category(name: &str, buttons: &[(Button, String)]) -> Retained<UNNotificationCategory> {
    let actions: Vec<_> = buttons.iter().map(|(button, label)| action(*button, label)).collect();
    UNNotificationCategory::categoryWithIdentifier_actions_intentIdentifiers_options(
        &NSString::from_str(name),
        &NSArray::from_retained_slice(&actions),
        &NSArray::new(),
        // Else nobody tells when a notice is put away.
        UNNotificationCategoryOptions::CustomDismissAction,
    )
}

fn action(button: Button, label: &str) -> Retained<UNNotificationAction> {
    let (word, label) = (NSString::from_str(word_of(button)), NSString::from_str(label));
    // Whoever stands before a locked screen neither answers nor reads in the person's name.
    let locked = UNNotificationActionOptions::AuthenticationRequired;
    match button {
        Button::Reply => {
            UNTextInputNotificationAction::actionWithIdentifier_title_options_textInputButtonTitle_textInputPlaceholder(
                &word, &label, locked, &label, &label,
            )
            .into_super()
        }
        Button::Read => UNNotificationAction::actionWithIdentifier_title_options(&word, &label, locked),
        Button::CallBack => {
            let shown = locked | UNNotificationActionOptions::Foreground;
            UNNotificationAction::actionWithIdentifier_title_options(&word, &label, shown)
        }
    }
}

/// What the system says of a notice; its own words are not kept, for they may hold what the notice told.
fn refused(error: &NSError) -> NotifierError {
    let domain = error.domain();
    // SAFETY: a constant of the system's library, which is loaded.
    let ours = unsafe { UNErrorDomain }.is_some_and(|ours| domain.isEqualToString(ours));
    if ours && error.code() == UNErrorCode::NotificationsNotAllowed.0 {
        return NotifierError::NotAllowed;
    }
    NotifierError::Server(format!("{domain} {}", error.code()).into())
}

define_class!(
    /// Hears what people do with notices.
    // SAFETY: NSObject wants nothing of who inherits from it, and this does not implement `Drop`.
    #[unsafe(super(NSObject))]
    #[name = "ParlanceNoticesDelegate"]
    #[ivars = Answers]
    struct Delegate;

    // SAFETY: inherited whole.
    unsafe impl NSObjectProtocol for Delegate {}

    // SAFETY: the methods have the types of the protocol.
    unsafe impl UNUserNotificationCenterDelegate for Delegate {
        #[unsafe(method(userNotificationCenter:willPresentNotification:withCompletionHandler:))]
        fn will_present(
            &self,
            _center: &UNUserNotificationCenter,
            _notification: &UNNotification,
            done: &DynBlock<dyn Fn(UNNotificationPresentationOptions)>,
        ) {
            // The system would show nothing while a window of the app is in front; whether somebody looks at it was
            // judged before.
            let shown = UNNotificationPresentationOptions::Banner | UNNotificationPresentationOptions::List;
            done.call((shown | UNNotificationPresentationOptions::Sound,));
        }

        #[unsafe(method(userNotificationCenter:didReceiveNotificationResponse:withCompletionHandler:))]
        fn did_receive(
            &self,
            _center: &UNUserNotificationCenter,
            response: &UNNotificationResponse,
            done: &DynBlock<dyn Fn()>,
        ) {
            hear(self.ivars(), response);
            done.call(());
        }
    }
);

// SAFETY: it holds nothing but its answers, which any thread may use, and its count of owners is atomic.
unsafe impl Send for Delegate {}
// SAFETY: as above.
unsafe impl Sync for Delegate {}

impl Delegate {
    fn new(answers: Answers) -> Retained<Self> {
        let this = Self::alloc().set_ivars(answers);
        // SAFETY: `init` of NSObject has this type.
        unsafe { msg_send![super(this), init] }
    }
}

fn hear(answers: &Answers, response: &UNNotificationResponse) {
    let id = response.notification().request().identifier().to_string();
    let action = response.actionIdentifier();
    // SAFETY: constants of the system's library, which is loaded.
    let (opened, put_away) = unsafe { (UNNotificationDefaultActionIdentifier, UNNotificationDismissActionIdentifier) };
    if action.isEqualToString(put_away) {
        answers.closed(&id);
    } else if action.isEqualToString(opened) {
        answers.chose(&id, DEFAULT, None);
    } else {
        let written = response.downcast_ref::<UNTextInputNotificationResponse>();
        let text = written.map(|written| written.userText().to_string());
        answers.chose(&id, &action.to_string(), text.as_deref());
    }
}
