//! The echo: a contact inside the app that says again what it hears, without a network or another person.

use call::{CallMachine, FailureCode, Input};
use contract::{CallStage, CallView, News};
use media::CallMedia;
use message::{Address, UserAddress};

use crate::calls::{Call, MEDIA_EVENTS_LIMIT, blank_view, media_failure};
use crate::home::{Home, State, now_u64};
use crate::trouble::{Failure, Outcome};

/// Who answers. No domain has this name (RFC 2606), so nobody else can be meant.
const ECHO: &str = "user://echo.invalid/echo";

impl Home {
    /// Question `call.echo`.
    pub(crate) async fn call_echo(&self) -> Outcome<CallView> {
        let user = UserAddress::parse(ECHO).map_err(|error| Failure::new("bad-address", error))?;
        let (name, view) = {
            let mut state = self.state();
            state.store()?;
            if state.calls.is_busy() {
                return Err(Failure::new("already-in-a-call", "there is a call already"));
            }
            self.end_sound_test(&mut state);
            let name = state.next_call()?;
            // Shells have a word for its name.
            let view = blank_view(&name, &user, CallStage::Finding);
            let mut call = Call::new(view.clone(), &user, None, CallMachine::caller(now_u64()));
            call.echo = true;
            state.calls.list.push(call);
            (name, view)
        };
        self.tell(News::Call(view.clone()));
        let home = self.clone();
        self.rooms.tasks.start("echo", async move {
            if let Err(failure) = home.open_echo(&name).await {
                tracing::info!(code = failure.code, "the echo does not answer");
                home.drive(&mut home.state(), &name, Input::Failed(FailureCode::Media));
            }
        });
        Ok(view)
    }

    async fn open_echo(&self, name: &Address) -> Outcome<()> {
        self.use_sound().await;
        let (sender, receiver) = tokio::sync::mpsc::channel(MEDIA_EVENTS_LIMIT);
        let media = self.rooms.media.open_echo_test(name.to_string(), sender).await.map_err(media_failure)?;
        let Some(round) = self.echo_answers(name, &media) else {
            // Hung up meanwhile.
            media.close().await;
            return Ok(());
        };
        self.hear_media(name.clone(), round, receiver);
        Ok(())
    }

    fn echo_answers(&self, name: &Address, media: &CallMedia) -> Option<u32> {
        let mut state = self.state();
        let call = state.calls.find(name)?;
        self.take_switches(call, media);
        call.media = Some(media.clone());
        let round = call.round;
        for input in [Input::Invited, Input::RemoteRinging, Input::AnswerReceived] {
            self.drive(&mut state, name, input);
        }
        Some(round)
    }

    /// Whoever tries the echo is not busy for people.
    pub(crate) fn end_echo(&self, state: &mut State) {
        for name in state.calls.names(|call| call.echo) {
            self.drive(state, &name, Input::LocalHangup);
        }
    }
}
