//! Every question a shell may ask.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

// Each comment names an answer, which is any of the other words.
use crate::*;

/// Every question a shell may ask: a name and its input.
///
/// The comment of each variant names the answer's type. On the wire:
/// `{"ask":"chat.send","input":{…}}`.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(tag = "ask", content = "input")]
pub enum Question {
    /// → [`AppState`]
    #[serde(rename = "app.state")]
    AppState,
    /// Opens the locked store. → [`AppState`]
    #[serde(rename = "app.unlock")]
    Unlock {
        /// What the person typed.
        passphrase: String,
    },
    /// Chooses how the keys on this device are kept, when there is no keyring. → [`AppState`]
    #[serde(rename = "app.protect")]
    Protect(Protect),
    /// Who could vouch for a person of this domain. → `IssuerCard[]`
    #[serde(rename = "issuer.list")]
    IssuerList {
        /// The provider the person wants an account at, such as `a.localhost`.
        domain: String,
    },
    /// Starts a sign-in in the system browser; progress comes as [`News::SignIn`]. → `null`
    #[serde(rename = "signin.start")]
    SignInStart {
        /// The provider of the account.
        domain: String,
        /// The issuer's URL.
        issuer: String,
    },
    /// Opens the browser again at the same place. → `null`
    #[serde(rename = "signin.again")]
    SignInAgain,
    /// Gives up. → `null`
    #[serde(rename = "signin.cancel")]
    SignInCancel,
    /// Takes the account `user` at its domain and finishes the first run. → [`Profile`]
    #[serde(rename = "profile.create")]
    ProfileCreate {
        /// How the person is called.
        name: String,
        /// The address, `name@domain`.
        user: String,
    },
    /// → `ChatSummary[]`, newest first
    #[serde(rename = "chat.list")]
    ChatList,
    /// → [`ChatView`]
    #[serde(rename = "chat.open")]
    ChatOpen {
        /// Which conversation.
        chat: String,
    },
    /// Older messages. → `ChatMessage[]`, oldest first
    #[serde(rename = "chat.older")]
    ChatOlder {
        /// Which conversation.
        chat: String,
        /// Give the ones before this ordinal.
        before: i32,
    },
    /// Says something; kept and sent when possible. → [`ChatMessage`]
    #[serde(rename = "chat.send")]
    ChatSend {
        /// Which conversation.
        chat: String,
        /// What is said.
        text: String,
        /// The link of the text whose card goes along, if it was made ([`Question::LinkPreview`]).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        preview: Option<String>,
    },
    /// Begins to hand over a file for a conversation; its parts follow. → [`FileTicket`]
    #[serde(rename = "file.begin")]
    FileBegin {
        /// Which conversation.
        chat: String,
        /// Its name.
        name: String,
        /// What it is said to be.
        media: String,
        /// Bytes.
        #[ts(type = "number")]
        size: u64,
    },
    /// Hands over the next part of a file. → `null`
    #[serde(rename = "file.part")]
    FilePart {
        /// Which file.
        file: String,
        /// The bytes, as base64.
        data: String,
    },
    /// Sends a file that was handed over; it becomes a message when the Node has it. → [`Upload`]
    #[serde(rename = "file.send")]
    FileSend {
        /// Which file.
        file: String,
        /// What is said with it; may be empty.
        text: String,
        /// Which message is answered.
        reply: Option<String>,
    },
    /// Gives up a file that is handed over or on its way out. → `null`
    #[serde(rename = "file.drop")]
    FileDrop {
        /// Which file.
        file: String,
    },
    /// Goes on with an upload that stopped. → `null`
    #[serde(rename = "file.resume")]
    FileResume {
        /// Which file.
        file: String,
    },
    /// What is on its way out of a conversation. → `Upload[]`
    #[serde(rename = "file.uploads")]
    FileUploads {
        /// Which conversation.
        chat: String,
    },
    /// How far a message's file is here. → [`FileState`]
    #[serde(rename = "file.look")]
    FileLook {
        /// Which message.
        message: String,
    },
    /// Fetches a message's file. → [`FileState`]
    #[serde(rename = "file.get")]
    FileGet {
        /// Which message.
        message: String,
    },
    /// Stops fetching; what is here stays. → [`FileState`]
    #[serde(rename = "file.stop")]
    FileStop {
        /// Which message.
        message: String,
    },
    /// A part of a file that is here. → [`FileBytes`]
    #[serde(rename = "file.read")]
    FileRead {
        /// Which message.
        message: String,
        /// Which part, from 0.
        part: u32,
    },
    /// Writes a file that is here where the person finds it. → [`SavedFile`]
    #[serde(rename = "file.save")]
    FileSave {
        /// Which message.
        message: String,
        /// Where to; the person's downloads if nothing is said.
        folder: Option<String>,
    },
    /// The files of a conversation, newest first. → [`Gallery`]
    #[serde(rename = "file.gallery")]
    FileGallery {
        /// Which conversation.
        chat: String,
        /// Those before this ordinal.
        before: Option<i32>,
    },
    /// Opens the microphone for a voice note. → [`VoiceState`]
    #[serde(rename = "voice.begin")]
    VoiceBegin {
        /// Which conversation it is for.
        chat: String,
    },
    /// How a voice note goes. → [`VoiceState`]
    #[serde(rename = "voice.look")]
    VoiceLook,
    /// Ends a voice note, and sends it if that is wanted. → [`Upload`] or `null`
    #[serde(rename = "voice.end")]
    VoiceEnd {
        /// Whether it is sent.
        send: bool,
        /// Which message is answered.
        reply: Option<String>,
    },
    /// The sound of a voice note that is here, as a WAV file. → [`FileBytes`]
    #[serde(rename = "voice.read")]
    VoiceRead {
        /// Which message.
        message: String,
        /// Which part, from 0.
        part: u32,
    },
    /// Answers a message. → [`ChatMessage`]
    #[serde(rename = "chat.reply")]
    ChatReply {
        /// Which conversation.
        chat: String,
        /// Which message is answered.
        message: String,
        /// What is said.
        text: String,
        /// The link of the text whose card goes along, if it was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        preview: Option<String>,
    },
    /// Says the words of an own message anew, for everybody. → [`ChatMessage`]
    #[serde(rename = "chat.edit")]
    ChatEdit {
        /// Which message.
        message: String,
        /// Its words from now on.
        text: String,
    },
    /// Reacts to a message with an emoji, or takes that back. → [`ChatMessage`]
    #[serde(rename = "chat.react")]
    ChatReact {
        /// Which message.
        message: String,
        /// One emoji.
        emoji: String,
        /// Whether it stands.
        on: bool,
    },
    /// Takes the words of an own message back, for everybody. → [`ChatMessage`]
    #[serde(rename = "chat.delete")]
    ChatDelete {
        /// Which message.
        message: String,
    },
    /// Says the words of a message in another conversation. → [`ChatMessage`]
    #[serde(rename = "chat.forward")]
    ChatForward {
        /// Which message.
        message: String,
        /// The other conversation.
        to: String,
    },
    /// Pins a message for everybody, or unpins it. → [`ChatMessage`]
    #[serde(rename = "chat.pin")]
    ChatPin {
        /// Which message.
        message: String,
        /// Whether it is pinned.
        on: bool,
    },
    /// Says that the person is typing; told to the other side now or not at all. → `null`
    #[serde(rename = "chat.typing")]
    ChatTyping {
        /// Which conversation.
        chat: String,
    },
    /// From now on messages of a conversation end after a time, on both sides. → `null`
    #[serde(rename = "chat.timer")]
    ChatTimer {
        /// Which conversation.
        chat: String,
        /// The time in seconds, from sending and from reading; 0 for ever.
        seconds: u32,
    },
    /// Looks for words. → [`SearchAnswer`]
    #[serde(rename = "chat.search")]
    ChatSearch {
        /// The words; each may be the beginning of one.
        text: String,
        /// In this conversation; in all without.
        chat: Option<String>,
        /// Give the ones before this ordinal.
        before: Option<i32>,
    },
    /// A message and what stands around it. → [`ChatPage`]
    #[serde(rename = "chat.around")]
    ChatAround {
        /// Which conversation.
        chat: String,
        /// Which message.
        message: String,
    },
    /// The first message from a moment on, and what stands around it. → [`ChatPage`]
    #[serde(rename = "chat.date")]
    ChatDate {
        /// Which conversation.
        chat: String,
        /// Unix milliseconds.
        #[ts(type = "number")]
        at: i64,
    },
    /// Newer messages. → `ChatMessage[]`, oldest first
    #[serde(rename = "chat.newer")]
    ChatNewer {
        /// Which conversation.
        chat: String,
        /// Give the ones after this ordinal.
        after: i32,
    },
    /// Opens a web or mail address outside of the app. → `null`
    #[serde(rename = "link.open")]
    LinkOpen {
        /// `https:`, `http:` or `mailto:`.
        url: String,
    },
    /// Makes the card of a link that one writes: this device visits the page, once. Refused as `previews-off`,
    /// `link-not-visited`, `link-private`, `site-unreachable`, `no-preview` or `too-many`. → [`LinkPreview`]
    #[serde(rename = "link.preview")]
    LinkPreview {
        /// The link, as it stands in the text.
        url: String,
    },
    /// Tries a failed message again. → `null`
    #[serde(rename = "chat.retry")]
    ChatRetry {
        /// Which message.
        message: String,
    },
    /// Removes a failed message. → `null`
    #[serde(rename = "chat.discard")]
    ChatDiscard {
        /// Which message.
        message: String,
    },
    /// Keeps what was typed and not sent. → `null`
    #[serde(rename = "chat.draft")]
    ChatDraft {
        /// Which conversation.
        chat: String,
        /// The draft.
        text: String,
    },
    /// Marks all of a conversation as read. → `null`
    #[serde(rename = "chat.read")]
    ChatRead {
        /// Which conversation.
        chat: String,
    },
    /// Makes a conversation quiet for a while, on all own devices. → [`ChatSummary`]
    #[serde(rename = "chat.mute")]
    ChatMute {
        /// Which conversation.
        chat: String,
        /// For how long, from now on.
        time: MuteTime,
    },
    /// Asks something with answers to choose from. → [`ChatMessage`]
    #[serde(rename = "poll.create")]
    PollCreate {
        /// Where.
        chat: String,
        /// What is asked; up to 300 characters.
        question: String,
        /// 2 to 12 answers of up to 100 characters, each once.
        options: Vec<String>,
        /// Whether one may choose more than one.
        several: bool,
        /// Whether apps do not show who chose what.
        hidden: bool,
    },
    /// Votes, votes otherwise, or takes the vote back. → [`ChatMessage`]
    #[serde(rename = "poll.vote")]
    PollVote {
        /// The message that asks.
        message: String,
        /// The answers, counted from 0; none takes a vote back.
        choices: Vec<u8>,
    },
    /// Takes no more votes; only who asked can. → [`ChatMessage`]
    #[serde(rename = "poll.close")]
    PollClose {
        /// The message that asks.
        message: String,
    },
    /// Begins a conversation of several people, all of them contacts. → [`ChatSummary`]
    #[serde(rename = "group.create")]
    GroupCreate {
        /// How it is called.
        name: String,
        /// Whom it is with, by address.
        people: Vec<String>,
    },
    /// Who is in a group. → [`GroupView`]
    #[serde(rename = "group.look")]
    GroupLook {
        /// Which conversation.
        chat: String,
    },
    /// Calls a group something else. → [`GroupDone`]
    #[serde(rename = "group.rename")]
    GroupRename {
        /// Which conversation.
        chat: String,
        /// How it is called from now on.
        name: String,
    },
    /// Takes contacts into a group; they read what follows. → [`GroupDone`]
    #[serde(rename = "group.add")]
    GroupAdd {
        /// Which conversation.
        chat: String,
        /// Who, by address.
        people: Vec<String>,
    },
    /// Takes somebody out of a group; they read nothing that follows. → [`GroupDone`]
    #[serde(rename = "group.remove")]
    GroupRemove {
        /// Which conversation.
        chat: String,
        /// Who, by address.
        user: String,
    },
    /// Makes a member an admin, or an admin a member. → [`GroupDone`]
    #[serde(rename = "group.role")]
    GroupRole {
        /// Which conversation.
        chat: String,
        /// Who, by address.
        user: String,
        /// What they may change from now on.
        role: crate::GroupRole,
    },
    /// Says yes to a group that a stranger added us to. → [`GroupView`]
    #[serde(rename = "group.join")]
    GroupJoin {
        /// Which conversation.
        chat: String,
    },
    /// Leaves a group, or says no to it. Its owner hands it over first, or ends it. → `null`
    #[serde(rename = "group.leave")]
    GroupLeave {
        /// Which conversation.
        chat: String,
    },
    /// Hands a group over to somebody in it; only its owner can. → [`GroupDone`]
    #[serde(rename = "group.hand-over")]
    GroupHandOver {
        /// Which conversation.
        chat: String,
        /// Who owns and writes it from now on, by address.
        user: String,
        /// Whether we leave it once that is done.
        leave: bool,
    },
    /// Ends a group for everybody; only its owner can. → `null`
    #[serde(rename = "group.end")]
    GroupEnd {
        /// Which conversation.
        chat: String,
    },
    /// Who has a message of ours, and who read it. → [`GroupReach`]
    #[serde(rename = "group.reach")]
    GroupReach {
        /// Which message.
        message: String,
    },
    /// Makes a link into a group; whoever has it may ask to be let in. → [`GroupInvite`]
    #[serde(rename = "group.invite.make")]
    GroupInviteMake {
        /// Which conversation.
        chat: String,
        /// For how many hours, 1 to 720.
        hours: u32,
        /// For how many people, 1 to 100; for as many as there is room for if nothing is said.
        uses: Option<u32>,
        /// Whether a person says yes to each who comes.
        approval: bool,
    },
    /// The links into a group that this device made, the newest first. → `GroupInvite[]`
    #[serde(rename = "group.invite.list")]
    GroupInviteList {
        /// Which conversation.
        chat: String,
    },
    /// Takes a link back: nobody comes by it any more. → [`GroupInvite`]
    #[serde(rename = "group.invite.revoke")]
    GroupInviteRevoke {
        /// Which link.
        id: String,
    },
    /// Says yes or no to somebody who came by a link. → [`GroupInvite`]
    #[serde(rename = "group.invite.answer")]
    GroupInviteAnswer {
        /// Which link.
        id: String,
        /// Who, by address.
        user: String,
        /// Whether they come in.
        yes: bool,
    },
    /// What a link into a group says; who made it does not hear of that. → [`GroupOffer`]
    #[serde(rename = "group.offer")]
    GroupOffer {
        /// The link, as it was pasted.
        link: String,
    },
    /// Asks whoever made a link to be let into the group; they learn who asks. → [`GroupJoining`]
    #[serde(rename = "group.ask")]
    GroupAsk {
        /// The link, as it was pasted.
        link: String,
    },
    /// The groups we asked to be let into and are not in yet. → `GroupJoining[]`
    #[serde(rename = "group.joining")]
    GroupJoining,
    /// Does not want into a group any more, or has read why not. → `null`
    #[serde(rename = "group.forget")]
    GroupForget {
        /// Which group.
        chat: String,
    },
    /// Looks a person up by address; may ask for consent first. → [`FoundPerson`]
    #[serde(rename = "person.find")]
    PersonFind {
        /// `name@domain` or `user://domain/name`.
        address: String,
    },
    /// Asks a found person for contact; the chat exists at once. → [`ChatSummary`]
    #[serde(rename = "person.request")]
    PersonRequest {
        /// The person's address.
        user: String,
    },
    /// Tells a contact whose keys another contact has, so that rules about whom contacts know let them in. → `null`
    #[serde(rename = "person.introduce")]
    PersonIntroduce {
        /// Who is introduced; a contact.
        user: String,
        /// To whom; a contact.
        to: String,
    },
    /// The own contact link; whoever has it may ask for contact, whatever the rules say of strangers. → [`ContactLink`]
    #[serde(rename = "contact.link")]
    ContactLink,
    /// A new contact link; the one before is worth nothing any more. → [`ContactLink`]
    #[serde(rename = "contact.link.renew")]
    ContactLinkRenew,
    /// Accepts a contact request. → `null`
    #[serde(rename = "person.accept")]
    PersonAccept {
        /// The person's address.
        user: String,
    },
    /// Blocks a person: nothing of them is shown any more. → `null`
    #[serde(rename = "person.block")]
    PersonBlock {
        /// The person's address.
        user: String,
    },
    /// Takes a block back: the person stands where they stood before, and what they wrote meanwhile comes. → `null`
    #[serde(rename = "person.unblock")]
    PersonUnblock {
        /// The person's address.
        user: String,
    },
    /// → [`PersonCard`]
    #[serde(rename = "person.card")]
    PersonCard {
        /// The person's address.
        user: String,
    },
    /// Everyone known. → `PersonCard[]`
    #[serde(rename = "person.list")]
    PersonList,
    /// Answers a [`Consent`]. → `null`
    #[serde(rename = "consent.answer")]
    ConsentAnswer {
        /// Which question.
        id: String,
        /// What the person decided.
        answer: ConsentChoice,
    },
    /// Consents that wait for an answer. → `Consent[]`
    #[serde(rename = "consent.list")]
    ConsentList,
    /// Calls a person. → [`CallView`]
    #[serde(rename = "call.start")]
    CallStart {
        /// The person's address.
        user: String,
    },
    /// Accepts an incoming call with audio. → `null`
    #[serde(rename = "call.accept")]
    CallAccept {
        /// Which call.
        call: String,
    },
    /// Declines an incoming call. → `null`
    #[serde(rename = "call.decline")]
    CallDecline {
        /// Which call.
        call: String,
    },
    /// Ends a call. → `null`
    #[serde(rename = "call.hangup")]
    CallHangup {
        /// Which call.
        call: String,
    },
    /// Turns the microphone off or on. → `null`
    #[serde(rename = "call.mute")]
    CallMute {
        /// Which call.
        call: String,
        /// Off.
        muted: bool,
    },
    /// Turns the camera on or off; before the other side answers, too. → `null`
    #[serde(rename = "call.camera")]
    CallCamera {
        /// Which call.
        call: String,
        /// On.
        on: bool,
    },
    /// Names what of this device's screens can be shown in a call, with small pictures to choose by. Only while one
    /// speaks with somebody. → list of [`ScreenSource`]
    #[serde(rename = "screen.sources")]
    ScreenSources,
    /// Shows a screen or a window in a call, to everybody in it. Only what the last list named. → `null`
    #[serde(rename = "call.share")]
    CallShare {
        /// Which call.
        call: String,
        /// Which source.
        source: String,
    },
    /// Shows nothing any more. → `null`
    #[serde(rename = "call.unshare")]
    CallUnshare {
        /// Which call.
        call: String,
    },
    /// Puts a call on hold, or goes on with it; another one is put on hold then. → `null`
    #[serde(rename = "call.hold")]
    CallHold {
        /// Which call.
        call: String,
        /// On hold.
        on: bool,
    },
    /// Asks one more person into a call, which becomes a joint one. → [`CallView`]
    #[serde(rename = "call.add")]
    CallAdd {
        /// Which call.
        call: String,
        /// The person's address.
        user: String,
    },
    /// Begins a joint call with everybody of a group whom one may call. → [`CallView`] of one of its calls
    #[serde(rename = "call.group")]
    CallGroup {
        /// The group's conversation.
        chat: String,
    },
    /// Calls the echo: a contact inside this app that says again what it hears. → [`CallView`]
    #[serde(rename = "call.echo")]
    CallEcho,
    /// How the media of a call do. → [`CallFigures`]
    #[serde(rename = "call.figures")]
    CallFigures {
        /// Which call.
        call: String,
    },
    /// Calls that are not over. → `CallView[]`
    #[serde(rename = "call.list")]
    CallList,
    /// Calls that are over, newest first. → [`PastCalls`]
    #[serde(rename = "call.book")]
    CallBook {
        /// Only missed ones.
        missed: bool,
        /// Those before the one with this id.
        before: Option<String>,
    },
    /// A call that is over, with its figures. → [`CallDetails`]
    #[serde(rename = "call.look")]
    CallLook {
        /// Which one.
        id: String,
    },
    /// Forgets a call that is over, on this device. → `null`
    #[serde(rename = "call.forget")]
    CallForget {
        /// Which one.
        id: String,
    },
    /// All missed calls were looked at; our other devices hear it. → `null`
    #[serde(rename = "call.seen")]
    CallSeen,
    /// Microphones, speakers and what is used of them. → [`SoundView`]
    #[serde(rename = "sound.get")]
    SoundGet,
    /// Chooses devices for as long as the same ones are there; a call goes over to them at once. → [`SoundView`]
    #[serde(rename = "sound.choose")]
    SoundChoose(SoundChoice),
    /// Sets what is done to one's voice, in a call too. → [`SoundView`]
    #[serde(rename = "sound.switch")]
    SoundSwitch(VoiceSwitches),
    /// Tries the devices without a call, until both are off; what comes of it is told as [`News::Sound`]. → `null`
    #[serde(rename = "sound.test")]
    SoundTest {
        /// Listens to the microphone.
        microphone: bool,
        /// Plays a tune.
        speaker: bool,
    },
    /// The guests: origin, version, rights, state. → `ModuleView[]`
    #[serde(rename = "module.list")]
    ModuleList,
    /// Takes a package's rights back and stops it. → `null`
    #[serde(rename = "module.revoke")]
    ModuleRevoke {
        /// `domain/kind/name`.
        module: String,
    },
    /// → [`Settings`]
    #[serde(rename = "settings.get")]
    SettingsGet,
    /// → [`Settings`]
    #[serde(rename = "settings.set")]
    SettingsSet(Settings),

    /// Own devices, revoked ones too. → `DeviceView[]`
    #[serde(rename = "device.list")]
    DeviceList,
    /// Makes a code with which a new device can ask to be linked; an older code ends. → [`LinkCode`]
    #[serde(rename = "device.offer")]
    DeviceOffer,
    /// Takes the code back, or says no to the device that used it. → `null`
    #[serde(rename = "device.withdraw")]
    DeviceWithdraw,
    /// Lets the device in that used the code; progress comes as [`News::Link`]. → `null`
    #[serde(rename = "device.admit")]
    DeviceAdmit {
        /// Whether it may itself add and revoke devices.
        full: bool,
    },
    /// Takes a device out of every conversation. → `null`
    #[serde(rename = "device.revoke")]
    DeviceRevoke {
        /// Which.
        device: String,
    },
    /// On a new device: asks the one that shows the code to be linked; progress comes as [`News::Link`]. → `null`
    #[serde(rename = "link.join")]
    LinkJoin {
        /// What the other device shows.
        code: String,
        /// What the person calls this device; its own name if nothing was typed.
        #[serde(default)]
        name: Option<String>,
    },
    /// On a new device: gives up. → `null`
    #[serde(rename = "link.cancel")]
    LinkCancel,

    /// What to compare with a person. → [`SafetyCode`]
    #[serde(rename = "verify.code")]
    VerifyCode {
        /// The person's address.
        user: String,
    },
    /// Compares what was scanned or pasted; a match counts as compared. → [`ScanOutcome`]
    #[serde(rename = "verify.scanned")]
    VerifyScanned {
        /// The person's address.
        user: String,
        /// What the code held.
        text: String,
    },
    /// The person compared and says whether it was the same. → [`PersonCard`]
    #[serde(rename = "verify.compared")]
    VerifyCompared {
        /// The person's address.
        user: String,
        /// Whether it was.
        same: bool,
    },
    /// Takes a comparison back. → [`PersonCard`]
    #[serde(rename = "verify.forget")]
    VerifyForget {
        /// The person's address.
        user: String,
    },
    /// Goes on with somebody whose keys changed, without comparing. → [`PersonCard`]
    #[serde(rename = "keychange.accept")]
    KeyChangeAccept {
        /// The person's address.
        user: String,
    },

    /// → [`RecoveryState`]
    #[serde(rename = "recovery.state")]
    RecoveryState,
    /// Writes the sheet with the 24 words, for the person to print or keep. → [`WrittenFile`]
    #[serde(rename = "recovery.sheet")]
    RecoverySheet {
        /// The folder; the person's documents if none is named.
        folder: Option<String>,
    },
    /// Shows that the words were kept; after this the app forgets them. → [`RecoveryState`]
    #[serde(rename = "recovery.confirm")]
    RecoveryConfirm {
        /// The words asked for.
        words: Vec<SheetWord>,
    },
    /// Writes a backup that only the recovery words open; progress comes as [`News::Backup`]. → [`WrittenFile`]
    #[serde(rename = "backup.write")]
    BackupWrite {
        /// The folder; the person's documents if none is named.
        folder: Option<String>,
    },
    /// Writes what was said in one conversation, or in all, into a file that one takes along; progress comes as
    /// [`News::History`]. → [`WrittenFile`]
    #[serde(rename = "history.export")]
    HistoryExport {
        /// Which conversation; all if none is named.
        chat: Option<String>,
        /// The folder; the person's documents if none is named.
        folder: Option<String>,
        /// What seals the file; without one everybody who gets it can read it.
        passphrase: Option<String>,
        /// The language of its pages, as a tag.
        language: String,
    },
    /// Reads such a file. Its conversations are shown as what they are: imported, read-only, and with no proof of who
    /// wrote them. What is here already stays once. Progress comes as [`News::History`]. → [`HistoryImported`]
    #[serde(rename = "history.import")]
    HistoryImport {
        /// Its path.
        path: String,
        /// What opens it, if it is sealed.
        passphrase: Option<String>,
    },
    /// Stops the export or the import that goes on. → `null`
    #[serde(rename = "history.stop")]
    HistoryStop,
    /// Deletes an imported conversation with its files, on this device. → `null`
    #[serde(rename = "history.forget")]
    HistoryForget {
        /// Which one.
        chat: String,
    },
    /// On a new device: comes back with the recovery words, and with a backup if there is one. → [`AppState`]
    #[serde(rename = "recovery.restore")]
    RecoveryRestore {
        /// The address, `name@domain`.
        user: String,
        /// The 24 words, or the path of the sheet.
        words: String,
        /// Path of a backup.
        backup: Option<String>,
    },
    /// Replaces the root key, as after a theft; devices that stay are kept. → `null`
    #[serde(rename = "identity.rotate")]
    IdentityRotate,
    /// When every device and the words are lost: signs in at the issuer that vouched before and asks for the address
    /// back. It comes after three days, unless a device of before says no; [`AppState::restart`] shows it.
    /// Progress comes as [`News::SignIn`]. → `null`
    #[serde(rename = "identity.restart")]
    IdentityRestart {
        /// The address, `name@domain`.
        user: String,
        /// The issuer's URL.
        issuer: String,
    },
    /// On a device that is alive, when somebody asks for our address back ([`AppState::reset_asked`]): says no, or that
    /// it is the person themselves. → [`AppState`]
    #[serde(rename = "identity.answer")]
    IdentityAnswer {
        /// Whether it is the person.
        mine: bool,
    },
    /// On the new device: gives up what waits. Nobody else is told; it comes to nothing. → [`AppState`]
    #[serde(rename = "identity.give-up")]
    IdentityGiveUp,

    /// Who vouches for us. → `MyIssuer[]`
    #[serde(rename = "identity.issuers")]
    IdentityIssuers,
    /// Signs in with one more issuer, or with a known one again; progress comes as [`News::SignIn`]. → `null`
    #[serde(rename = "identity.link")]
    IdentityLink {
        /// The issuer's URL.
        issuer: String,
    },
    /// Takes an issuer's word back. → `MyIssuer[]`
    #[serde(rename = "identity.unlink")]
    IdentityUnlink {
        /// The issuer's URL.
        issuer: String,
    },
    /// The identities on this computer. → `PersonaView[]`
    #[serde(rename = "persona.list")]
    PersonaList,

    /// Locks the app now. → [`AppState`]
    #[serde(rename = "app.lock")]
    Lock,
    /// Says that the person is there, so that the app does not lock. → `null`
    #[serde(rename = "app.present")]
    Present,
    /// Keeps the keys in another way from now on. → [`AppState`]
    #[serde(rename = "app.keep")]
    Keep(Keep),
    /// Erases this profile from this device, after the device is revoked if it can be. → [`AppState`]
    #[serde(rename = "app.erase")]
    Erase {
        /// The own address, typed by the person.
        user: String,
    },

    /// → [`PolicyView`]
    #[serde(rename = "policy.get")]
    PolicyGet,
    /// → [`PolicyView`]
    #[serde(rename = "policy.set")]
    PolicySet(PolicySettings),
    /// The newest verdicts, newest first. → `TrailLine[]`
    #[serde(rename = "trail.list")]
    TrailList,
    /// Writes the signed trail. → [`WrittenFile`]
    #[serde(rename = "trail.export")]
    TrailExport {
        /// The folder; the person's documents if none is named.
        folder: Option<String>,
    },
}
