//! All a shell can ask, in one place.

use std::sync::atomic::Ordering;

use contract::{AppState, News, Question, Settings, Stage};
use message::UserAddress;
use serde::Serialize;
use serde_json::Value;

use crate::chat::{Poll, Words};
use crate::chats::address;
use crate::doors::Wish as InviteWish;
use crate::home::{Home, State, now_ms};
use crate::records::kind;
use crate::trouble::{Failure, Outcome};

impl Home {
    /// Answers a question of a shell.
    pub(crate) async fn ask(&self, question: Question) -> Outcome<Value> {
        // Of a locked profile nothing is known but that it is locked.
        let without_key = matches!(
            question,
            Question::AppState
                | Question::Unlock { .. }
                | Question::Lock
                | Question::Present
                | Question::SettingsGet
                | Question::SettingsSet(_)
        );
        if !without_key && self.state().locked() {
            return Err(Failure::new("locked", "a passphrase is needed first"));
        }
        let without_passphrase = without_key
            || matches!(
                question,
                Question::Keep(_) | Question::Protect(_) | Question::Erase { .. } | Question::PolicyGet
            );
        if !without_passphrase && self.state().lacks_passphrase() {
            return Err(Failure::new("passphrase-required", "the organisation wants a passphrase first"));
        }
        match question {
            // Where the app stands.
            Question::AppState => {
                self.open_again().await;
                let state = self.state();
                json(self.app_state(&state))
            }
            Question::Unlock { passphrase } => json(self.unlock(passphrase).await?),
            Question::Protect(how) => json(self.protect(how).await?),

            // The first run: one thing after the other.
            Question::IssuerList { domain } => json(self.issuer_list(&domain)?),
            Question::SignInStart { domain, issuer } => json(self.sign_in_start(&domain, &issuer)?),
            Question::SignInAgain => json(self.sign_in_again().await?),
            Question::SignInCancel => {
                self.sign_in_cancel();
                json(())
            }
            Question::ProfileCreate { name, user } => json(self.profile_create(&name, &user).await?),

            // Conversations. What goes out is a request to the chat Hyperty.
            Question::ChatList => json(self.chat_list()?),
            Question::ChatOpen { chat } => json(self.chat_open(&address(&chat)?)?),
            Question::ChatOlder { chat, before } => json(self.chat_older(&address(&chat)?, i64::from(before))?),
            Question::ChatSend { chat, text, preview } => {
                let card = preview.and_then(|url| self.card_of(&url));
                json(self.say(&address(&chat)?, Words { text: &text, card, ..Words::default() }).await?)
            }
            Question::FileBegin { chat, name, media, size } => {
                json(self.file_begin(&address(&chat)?, &name, &media, size)?)
            }
            Question::FilePart { file, data } => json(self.file_part(&file, &data)?),
            Question::FileSend { file, text, reply } => json(self.file_send(&file, &text, reply.as_deref()).await?),
            Question::FileDrop { file } => json(self.file_drop(&file)?),
            Question::FileResume { file } => json(self.file_resume(&file)?),
            Question::FileUploads { chat } => json(self.file_uploads(&address(&chat)?)?),
            Question::FileLook { message } => json(self.file_look(&message)?),
            Question::FileGet { message } => json(self.file_get(&message)?),
            Question::FileStop { message } => json(self.file_stop(&message)?),
            Question::FileRead { message, part } => json(self.file_read(&message, part)?),
            Question::FileSave { message, folder } => json(self.file_save(&message, folder).await?),
            Question::FileGallery { chat, before } => json(self.file_gallery(&address(&chat)?, before.map(i64::from))?),
            Question::VoiceBegin { chat } => json(self.voice_begin(&address(&chat)?)?),
            Question::VoiceLook => json(self.voice_look()?),
            Question::VoiceEnd { send, reply } => json(self.voice_end(send, reply.as_deref()).await?),
            Question::VoiceRead { message, part } => json(self.voice_read(&message, part).await?),
            Question::ChatReply { chat, message, text, preview } => {
                let card = preview.and_then(|url| self.card_of(&url));
                let words = Words { text: &text, reply: Some(&message), card, ..Words::default() };
                json(self.say(&address(&chat)?, words).await?)
            }
            Question::LinkPreview { url } => json(self.link_preview(&url).await?),
            Question::ChatEdit { message, text } => json(self.chat_edit(&message, &text).await?),
            Question::ChatReact { message, emoji, on } => json(self.chat_react(&message, &emoji, on).await?),
            Question::ChatDelete { message } => json(self.chat_delete(&message).await?),
            Question::ChatForward { message, to } => json(self.chat_forward(&message, &address(&to)?).await?),
            Question::ChatPin { message, on } => json(self.chat_pin(&message, on).await?),
            Question::ChatTyping { chat } => json(self.chat_typing(&address(&chat)?)?),
            Question::ChatTimer { chat, seconds } => json(self.chat_timer(&address(&chat)?, seconds).await?),
            Question::ChatSearch { text, chat, before } => {
                let chat = chat.as_deref().map(address).transpose()?;
                json(self.chat_search(&text, chat.as_ref(), before.map(i64::from))?)
            }
            Question::ChatAround { chat, message } => json(self.chat_around(&address(&chat)?, &message)?),
            Question::ChatDate { chat, at } => json(self.chat_date(&address(&chat)?, at)?),
            Question::ChatNewer { chat, after } => json(self.chat_newer(&address(&chat)?, i64::from(after))?),
            Question::LinkOpen { url } => json(self.link_open(&url).await?),
            Question::ChatRetry { message } => json(self.chat_retry(&message).await?),
            Question::ChatDiscard { message } => json(self.chat_discard(&message)?),
            Question::ChatDraft { chat, text } => json(self.chat_draft(&address(&chat)?, &text)?),
            Question::ChatRead { chat } => json(self.chat_read(&address(&chat)?)?),
            Question::ChatMute { chat, time } => json(self.chat_mute(&address(&chat)?, time)?),

            Question::PollCreate { chat, question, options, several, hidden } => {
                let poll = Poll { question, options, several, hidden };
                json(self.poll_create(&address(&chat)?, &poll).await?)
            }
            Question::PollVote { message, choices } => json(self.poll_vote(&message, &choices).await?),
            Question::PollClose { message } => json(self.poll_close(&message).await?),

            // Groups.
            Question::GroupCreate { name, people } => json(self.group_create(&name, &people).await?),
            Question::GroupLook { chat } => json(self.group_look(&address(&chat)?)?),
            Question::GroupRename { chat, name } => json(self.group_rename(&address(&chat)?, &name)?),
            Question::GroupAdd { chat, people } => json(self.group_add(&address(&chat)?, &people)?),
            Question::GroupRemove { chat, user } => json(self.group_remove(&address(&chat)?, &person(&user)?)?),
            Question::GroupRole { chat, user, role } => {
                json(self.group_role(&address(&chat)?, &person(&user)?, role)?)
            }
            Question::GroupJoin { chat } => json(self.group_join(&address(&chat)?)?),
            Question::GroupLeave { chat } => json(self.group_leave(&address(&chat)?)?),
            Question::GroupHandOver { chat, user, leave } => {
                json(self.group_hand_over(&address(&chat)?, &person(&user)?, leave)?)
            }
            Question::GroupEnd { chat } => json(self.group_end(&address(&chat)?)?),
            Question::GroupInviteMake { chat, hours, uses, approval } => {
                json(self.group_invite_make(&address(&chat)?, &InviteWish { hours, uses, approval })?)
            }
            Question::GroupInviteList { chat } => json(self.group_invite_list(&address(&chat)?)?),
            Question::GroupInviteRevoke { id } => json(self.group_invite_revoke(&id)?),
            Question::GroupInviteAnswer { id, user, yes } => {
                json(self.group_invite_answer(&id, &person(&user)?, yes)?)
            }
            Question::GroupOffer { link } => json(self.group_offer(&link).await?),
            Question::GroupAsk { link } => json(self.group_ask(&link).await?),
            Question::GroupJoining => json(self.group_joining()?),
            Question::GroupForget { chat } => json(self.group_forget(&address(&chat)?)?),
            Question::GroupReach { message } => json(self.group_reach(&message)?),

            // People. Finding may wait for a person's consent.
            Question::PersonFind { address } => json(self.find(&address).await?),
            Question::PersonRequest { user } => {
                let chat = self.request_contact(&person(&user)?).await?;
                json(self.chat_of(&chat)?)
            }
            Question::PersonIntroduce { user, to } => json(self.introduce(&person(&user)?, &person(&to)?)?),
            Question::ContactLink => json(self.contact_link(false)?),
            Question::ContactLinkRenew => json(self.contact_link(true)?),
            Question::PersonAccept { user } => json(self.accept(&person(&user)?).await?),
            Question::PersonBlock { user } => json(self.block(&person(&user)?)?),
            Question::PersonUnblock { user } => json(self.unblock(&person(&user)?)?),
            Question::PersonCard { user } => {
                let state = self.state();
                json(self.person_card(&state, &person(&user)?)?)
            }
            Question::PersonList => json(self.person_list()?),
            Question::ConsentAnswer { id, answer } => json(self.answer_consent(&id, answer)?),
            Question::ConsentList => json(self.state().open_consents()),

            // Calls. The connector Hyperty negotiates; media is ours.
            Question::CallStart { user } => json(self.call_start(&person(&user)?).await?),
            Question::CallAccept { call } => json(self.call_accept(&address(&call)?).await?),
            Question::CallDecline { call } => json(self.call_decline(&address(&call)?)?),
            Question::CallHangup { call } => json(self.call_hangup(&address(&call)?)?),
            Question::CallHold { call, on } => json(self.call_hold(&address(&call)?, on)?),
            Question::CallAdd { call, user } => json(self.call_add(&address(&call)?, &person(&user)?)?),
            Question::CallGroup { chat } => json(self.call_group(&address(&chat)?)?),
            Question::CallMute { call, muted } => json(self.call_mute(&address(&call)?, muted)?),
            Question::CallCamera { call, on } => json(self.call_camera(&address(&call)?, on)?),
            Question::ScreenSources => json(self.screen_sources().await?),
            Question::CallShare { call, source } => json(self.call_share(&address(&call)?, &source).await?),
            Question::CallUnshare { call } => json(self.call_unshare(&address(&call)?)?),
            Question::CallList => json(self.call_list()),
            Question::CallBook { missed, before } => json(self.call_book(missed, before.as_deref())?),
            Question::CallLook { id } => json(self.call_look(&id)?),
            Question::CallForget { id } => json(self.call_forget(&id)?),
            Question::CallSeen => json(self.call_seen()?),
            Question::CallEcho => json(self.call_echo().await?),
            Question::CallFigures { call } => json(self.call_figures(&address(&call)?)?),

            // Sound.
            Question::SoundGet => json(self.sound_get().await?),
            Question::SoundChoose(choice) => json(self.sound_choose(choice).await?),
            Question::SoundSwitch(switches) => json(self.sound_switch(switches).await?),
            Question::SoundTest { microphone, speaker } => json(self.sound_test(microphone, speaker)?),

            // Guests and their rights.
            Question::ModuleList => json(self.module_list()),
            Question::ModuleRevoke { module } => json(self.module_revoke(&module)?),

            // What a person set.
            Question::SettingsGet => json(self.settings()),
            Question::SettingsSet(settings) => json(self.set_settings(settings)?),

            // Own devices.
            Question::DeviceList => json(self.device_list()?),
            Question::DeviceOffer => json(self.device_offer()?),
            Question::DeviceWithdraw => {
                self.device_withdraw();
                json(())
            }
            Question::DeviceAdmit { full } => json(self.device_admit(full).await?),
            Question::DeviceRevoke { device } => json(self.device_revoke(&device).await?),
            Question::LinkJoin { code, name } => json(self.link_join(&code, name.as_deref())?),
            Question::LinkCancel => {
                self.link_cancel();
                json(())
            }

            // Who vouches for the person.
            Question::IdentityIssuers => json(self.identity_issuers()?),
            Question::IdentityLink { issuer } => json(self.identity_link(&issuer)?),
            Question::IdentityUnlink { issuer } => json(self.identity_unlink(&issuer).await?),

            // The lock, and what protects the keys.
            Question::Lock => json(self.lock().await?),
            Question::Present => {
                self.state().presence.seen(now_ms());
                json(())
            }
            Question::Keep(how) => json(self.keep(how).await?),
            Question::Erase { user } => json(self.erase(&user).await?),

            // The rules, and what was decided by them.
            Question::PolicyGet => {
                let state = self.state();
                state.store()?;
                json(self.policy_view(&state))
            }
            Question::PolicySet(settings) => json(self.policy_set(&settings)?),
            Question::TrailList => json(self.trail_list()?),
            Question::TrailExport { folder } => json(self.trail_export(folder).await?),
            Question::PersonaList => json(self.persona_list()?),

            // How sure we are of people.
            Question::VerifyCode { user } => json(self.verify_code(&person(&user)?)?),
            Question::VerifyScanned { user, text } => json(self.verify_scanned(&person(&user)?, &text)?),
            Question::VerifyCompared { user, same } => json(self.verify_compared(&person(&user)?, same)?),
            Question::VerifyForget { user } => json(self.verify_forget(&person(&user)?)?),
            Question::KeyChangeAccept { user } => json(self.key_change_accept(&person(&user)?)?),

            // Coming back after the loss of every device.
            Question::RecoveryState => json(self.recovery_state()?),
            Question::RecoverySheet { folder } => json(self.recovery_sheet(folder.as_deref())?),
            Question::RecoveryConfirm { words } => json(self.recovery_confirm(&words)?),
            Question::BackupWrite { folder } => json(self.backup_write(folder.as_deref()).await?),
            Question::HistoryExport { chat, folder, passphrase, language } => {
                let chat = chat.as_deref().map(address).transpose()?;
                json(self.history_export(chat, folder.as_deref(), passphrase, &language).await?)
            }
            Question::HistoryImport { path, passphrase } => json(self.history_import(&path, passphrase).await?),
            Question::HistoryStop => {
                self.state().moving.stop();
                json(())
            }
            Question::HistoryForget { chat } => json(self.history_forget(&address(&chat)?)?),
            Question::RecoveryRestore { user, words, backup } => {
                json(self.restore(&person(&user)?, &words, backup.as_deref()).await?)
            }
            Question::IdentityRotate => json(self.identity_rotate().await?),
            Question::IdentityRestart { user, issuer } => json(self.identity_restart(&person(&user)?, &issuer)?),
            Question::IdentityAnswer { mine } => json(self.identity_answer(mine).await?),
            Question::IdentityGiveUp => json(self.identity_give_up()?),
        }
    }

    pub(crate) fn app_state(&self, state: &State) -> AppState {
        let stage = if state.damaged.is_some() {
            Stage::Damaged
        } else if state.store.is_none() {
            if state.locked() { Stage::Locked } else { Stage::Protect }
        } else if state.lacks_passphrase() {
            Stage::Protect
        } else if state.me.is_some() {
            Stage::Ready
        } else if state.first_run.is_signed_in() {
            Stage::Profile
        } else {
            Stage::Welcome
        };
        let online = state.home_domain().is_some_and(|domain| state.links.session(&domain).is_some());
        AppState {
            // Nobody else counts meanwhile: the state is held.
            turn: self.rooms.turns.fetch_add(1, Ordering::Relaxed),
            stage,
            profile: state.me.as_ref().map(|me| crate::first_run::profile_of(&me.record)),
            protection: state.protection,
            keyring_trouble: state.keyring_trouble.clone(),
            open_trouble: state.damaged.as_ref().map(contract::Trouble::from),
            suggested_domain: self.rooms.config.suggested_domain.as_ref().map(ToString::to_string),
            version: env!("CARGO_PKG_VERSION").into(),
            online,
            restart: state.restart_view(),
            reset_asked: state.reset_asked(),
            passphrase_required: state.lacks_passphrase(),
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        let state = self.state();
        let kept = state.store.as_ref().and_then(|store| store.read(|tx| tx.recall(kind::SETTINGS, "settings")).ok());
        kept.flatten().unwrap_or_default()
    }

    fn set_settings(&self, settings: Settings) -> Outcome<Settings> {
        let settings = Settings { text_percent: settings.text_percent.clamp(100, 200), ..settings };
        let state = self.state();
        if let Some(store) = &state.store {
            store.write(|tx| tx.put(kind::SETTINGS, "settings", &settings)).map_err(Failure::store)?;
        }
        drop(state);
        self.tell(News::Settings(settings.clone()));
        Ok(settings)
    }
}

fn json<T: Serialize>(value: T) -> Outcome<Value> {
    serde_json::to_value(value).map_err(|error| Failure::new("malformed", error))
}

fn person(text: &str) -> Outcome<UserAddress> {
    UserAddress::parse(text).map_err(|error| Failure::new("bad-address", error))
}
