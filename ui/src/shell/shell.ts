/** States what the interface may ask of its shell and how it is told of news. */
import type { ApiError } from './generated/ApiError';
import type { AppState } from './generated/AppState';
import type { BackupState } from './generated/BackupState';
import type { CallFigures } from './generated/CallFigures';
import type { CallView } from './generated/CallView';
import type { ChatMessage } from './generated/ChatMessage';
import type { ChatPage } from './generated/ChatPage';
import type { ChatSummary } from './generated/ChatSummary';
import type { ChatView } from './generated/ChatView';
import type { Consent } from './generated/Consent';
import type { ContactLink } from './generated/ContactLink';
import type { DeviceView } from './generated/DeviceView';
import type { FileBytes } from './generated/FileBytes';
import type { FileState } from './generated/FileState';
import type { FileTicket } from './generated/FileTicket';
import type { FoundPerson } from './generated/FoundPerson';
import type { Gallery } from './generated/Gallery';
import type { GroupDone } from './generated/GroupDone';
import type { GroupReach } from './generated/GroupReach';
import type { GroupView } from './generated/GroupView';
import type { IssuerCard } from './generated/IssuerCard';
import type { LinkCode } from './generated/LinkCode';
import type { LinkState } from './generated/LinkState';
import type { ModuleView } from './generated/ModuleView';
import type { MyIssuer } from './generated/MyIssuer';
import type { News } from './generated/News';
import type { PersonaView } from './generated/PersonaView';
import type { PersonCard } from './generated/PersonCard';
import type { PictureWish } from './generated/PictureWish';
import type { PolicyView } from './generated/PolicyView';
import type { Profile } from './generated/Profile';
import type { Question } from './generated/Question';
import type { RecoveryState } from './generated/RecoveryState';
import type { SafetyCode } from './generated/SafetyCode';
import type { ScanOutcome } from './generated/ScanOutcome';
import type { SavedFile } from './generated/SavedFile';
import type { SearchAnswer } from './generated/SearchAnswer';
import type { Settings } from './generated/Settings';
import type { SoundView } from './generated/SoundView';
import type { TrailLine } from './generated/TrailLine';
import type { Trouble } from './generated/Trouble';
import type { Upload } from './generated/Upload';
import type { VoiceState } from './generated/VoiceState';
import type { WrittenFile } from './generated/WrittenFile';

export type { ApiError, AppState, BackupState, CallFigures, CallView, ChatMessage, ChatPage, ChatSummary, ChatView, Consent, DeviceView, FoundPerson };
export type { IssuerCard, LinkCode, LinkState, ModuleView, MyIssuer, News, PersonaView, PersonCard, PolicyView, Profile, Question };
export type { RecoveryState, SafetyCode, ScanOutcome, SearchAnswer, Settings, SoundView, TrailLine, Trouble, WrittenFile };
export type { FileBytes, FileState, FileTicket, Gallery, GroupDone, GroupReach, GroupView, SavedFile, Upload, VoiceState };
export type { FileNews } from './generated/FileNews';
export type { FileView } from './generated/FileView';
export type { CallPictures } from './generated/CallPictures';
export type { CallStage } from './generated/CallStage';
export type { PictureOf } from './generated/PictureOf';
export type { PictureWish };
export type { ChatDevice } from './generated/ChatDevice';
export type { ConsentChoice } from './generated/ConsentChoice';
export type { ContactState } from './generated/ContactState';
export type { DeliveryState } from './generated/DeliveryState';
export type { DeviceState } from './generated/DeviceState';
export type { GroupLine } from './generated/GroupLine';
export type { GroupMember } from './generated/GroupMember';
export type { GroupRole } from './generated/GroupRole';
export type { GroupStanding } from './generated/GroupStanding';
export type { IdentityLine } from './generated/IdentityLine';
export type { Keep } from './generated/Keep';
export type { KeyChange } from './generated/KeyChange';
export type { KeyChangeKind } from './generated/KeyChangeKind';
export type { OrganisationView } from './generated/OrganisationView';
export type { PersonDevice } from './generated/PersonDevice';
export type { PolicySettings } from './generated/PolicySettings';
export type { Protect } from './generated/Protect';
export type { Protection } from './generated/Protection';
export type { RestartView } from './generated/RestartView';
export type { ResetAsked } from './generated/ResetAsked';
export type { Quote } from './generated/Quote';
export type { Reaction } from './generated/Reaction';
export type { Refusal } from './generated/Refusal';
export type { SheetWord } from './generated/SheetWord';
export type { SignInState } from './generated/SignInState';
export type { SoundChoice } from './generated/SoundChoice';
export type { SoundDevice } from './generated/SoundDevice';
export type { SoundTest } from './generated/SoundTest';
export type { SpokenCode } from './generated/SpokenCode';
export type { Stage } from './generated/Stage';
export type { TriedDevice } from './generated/TriedDevice';
export type { TrustMark } from './generated/TrustMark';
export type { TrustState } from './generated/TrustState';
export type { VoiceSwitches } from './generated/VoiceSwitches';
export type { WhoMay } from './generated/WhoMay';

/** The name of a question. */
export type Ask = Question['ask'];

/** What each question is answered with; the Rust side says it in its comments. */
export interface Answers {
  'app.state': AppState;
  'app.unlock': AppState;
  'app.protect': AppState;
  'issuer.list': IssuerCard[];
  'signin.start': null;
  'signin.again': null;
  'signin.cancel': null;
  'profile.create': Profile;
  'chat.list': ChatSummary[];
  'chat.open': ChatView;
  'chat.older': ChatMessage[];
  'chat.send': ChatMessage;
  'chat.reply': ChatMessage;
  'file.begin': FileTicket;
  'file.part': null;
  'file.send': Upload;
  'file.drop': null;
  'file.resume': null;
  'file.uploads': Upload[];
  'file.look': FileState;
  'file.get': FileState;
  'file.stop': FileState;
  'file.read': FileBytes;
  'file.save': SavedFile;
  'file.gallery': Gallery;
  'voice.begin': VoiceState;
  'voice.look': VoiceState;
  'voice.end': Upload | null;
  'voice.read': FileBytes;
  'chat.edit': ChatMessage;
  'chat.react': ChatMessage;
  'chat.delete': ChatMessage;
  'chat.forward': ChatMessage;
  'chat.pin': ChatMessage;
  'chat.typing': null;
  'chat.timer': null;
  'chat.search': SearchAnswer;
  'chat.around': ChatPage;
  'chat.date': ChatPage;
  'chat.newer': ChatMessage[];
  'link.open': null;
  'chat.retry': null;
  'chat.discard': null;
  'chat.draft': null;
  'chat.read': null;
  'group.create': ChatSummary;
  'group.look': GroupView;
  'group.rename': GroupDone;
  'group.add': GroupDone;
  'group.remove': GroupDone;
  'group.role': GroupDone;
  'group.join': GroupView;
  'group.leave': null;
  'group.end': null;
  'group.reach': GroupReach;
  'person.find': FoundPerson;
  'person.request': ChatSummary;
  'person.introduce': null;
  'contact.link': ContactLink;
  'contact.link.renew': ContactLink;
  'person.accept': null;
  'person.block': null;
  'person.unblock': null;
  'person.card': PersonCard;
  'person.list': PersonCard[];
  'consent.answer': null;
  'consent.list': Consent[];
  'call.start': CallView;
  'call.accept': null;
  'call.decline': null;
  'call.hangup': null;
  'call.mute': null;
  'call.camera': null;
  'call.echo': CallView;
  'call.figures': CallFigures;
  'call.list': CallView[];
  'sound.get': SoundView;
  'sound.choose': SoundView;
  'sound.switch': SoundView;
  'sound.test': null;
  'module.list': ModuleView[];
  'module.revoke': null;
  'settings.get': Settings;
  'settings.set': Settings;
  'device.list': DeviceView[];
  'device.offer': LinkCode;
  'device.withdraw': null;
  'device.admit': null;
  'device.revoke': null;
  'link.join': null;
  'link.cancel': null;
  'verify.code': SafetyCode;
  'verify.scanned': ScanOutcome;
  'verify.compared': PersonCard;
  'verify.forget': PersonCard;
  'keychange.accept': PersonCard;
  'recovery.state': RecoveryState;
  'recovery.sheet': WrittenFile;
  'recovery.confirm': RecoveryState;
  'recovery.restore': AppState;
  'backup.write': WrittenFile;
  'identity.rotate': null;
  'identity.restart': null;
  'identity.answer': AppState;
  'identity.give-up': AppState;
  'identity.issuers': MyIssuer[];
  'identity.link': null;
  'identity.unlink': MyIssuer[];
  'persona.list': PersonaView[];
  'app.lock': AppState;
  'app.present': null;
  'app.keep': AppState;
  'app.erase': AppState;
  'policy.get': PolicyView;
  'policy.set': PolicyView;
  'trail.list': TrailLine[];
  'trail.export': WrittenFile;
}

// Fails to compile when the Rust side gains a question that has no answer here, or loses one.
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;
const everyQuestionHasAnAnswer: Same<Ask, keyof Answers> = true;
void everyQuestionHasAnAnswer;

/** What shows the app: the desktop window, the browser edition or the demo. */
export interface Shell {
  /** Asks one question. Rejects with an [`ApiError`] object. */
  ask<Q extends Question>(question: Q): Promise<Answers[Q['ask']]>;
  /** The newest picture of a call, or no bytes if none came within a second. */
  picture(wish: PictureWish): Promise<ArrayBuffer>;
  /** Hears everything told unasked, until the returned function is called. */
  hear(listener: (news: News) => void): () => void;
}

/** Makes a trouble of whatever a shell rejected with. */
export function troubleOf(error: unknown): Trouble {
  if (typeof error === 'object' && error !== null && 'code' in error) {
    const { code, detail } = error as Partial<ApiError>;
    return { code: String(code), detail: String(detail ?? '') };
  }
  return { code: 'internal', detail: error instanceof Error ? error.message : String(error) };
}
