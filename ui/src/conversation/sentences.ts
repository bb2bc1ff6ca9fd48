/** Says a message as one sentence: for the list, the reader and system lines. */
import type { ChatMessage, FileView, TrustMark } from '../shell/shell';
import { plainOf } from './markdown';
import { isNotVerified } from '../shared/trouble';
import { clock, say, sayIfKnown, span, stopwatch } from '../words/words.svelte';

/** `name` is how the other side is called. */
export function textOf(message: ChatMessage, name: string): string {
  const { content } = message;
  if (content.type === 'text') return plainOf(content.text);
  if (content.type === 'file') return fileText(content.file, content.text);
  if (content.type === 'poll') return say('poll.sentence', { question: content.poll.question });
  if (content.type === 'unsupported') return say('conversation.unsupported');
  if (content.type === 'deleted') return say(message.mine ? 'conversation.you-deleted' : 'conversation.they-deleted', { name });
  if (content.code === 'timer-set') return timerText(Number(content.detail), message.mine, name);
  return systemText(content.code, content.detail, name, content.by);
}

/** What kind of file it is, and what was said with it. */
function fileText(file: FileView, text: string): string {
  const what =
    file.kind === 'voice' ? say('voice.note', { length: stopwatch((file.durationMs ?? 0) / 1000) })
    : file.kind === 'picture' ? say('file.picture', { name: file.name })
    : say('file.other', { name: file.name });
  return text === '' ? what : say('file.with-text', { what, text: plainOf(text) });
}

/** Who set how long messages stay. */
function timerText(seconds: number, mine: boolean, name: string): string {
  const who = mine ? 'you' : 'they';
  return seconds === 0 ? say(`conversation.timer-off-${who}`, { name }) : say(`conversation.timer-${who}`, { name, time: span(seconds) });
}

/** As a screen reader says what belongs to a message besides its words. */
function besides(message: ChatMessage, name: string): string[] {
  const { reply, forwarded, edited, pinned, reactions } = message;
  const told: string[] = [];
  if (reply) told.push(say('conversation.answers', { who: reply.mine ? say('conversation.you') : name, text: reply.text ?? say('conversation.quote-gone') }));
  if (forwarded) told.push(say('conversation.is-forwarded'));
  if (message.preview) told.push(say('preview.told', { host: message.preview.host, title: message.preview.title }));
  if (edited) told.push(say('conversation.edited'));
  if (pinned) told.push(say('conversation.is-pinned'));
  if (message.mentionsMe) told.push(say('mention.me'));
  if (reactions.length > 0) told.push(say('conversation.reactions', { all: reactions.map((one) => one.emoji).join(' ') }));
  return told;
}

/** `by` is who did it, in a group; nobody if it was the person. */
export function systemText(code: string, detail: string, name: string, by: string | null = null): string {
  const seconds = Number(detail);
  const length = stopwatch(Number.isFinite(seconds) ? seconds : 0);
  // Some sentences need the detail and have a second form for when there is none.
  const bare = detail === '' ? sayIfKnown(`system.${code}-bare`, { name }) : null;
  const mine = by === null ? sayIfKnown(`system.${code}-mine`, { detail }) : null;
  return bare ?? mine ?? sayIfKnown(`system.${code}`, { detail, length, name, by: by ?? '' }) ?? (detail || say('system.unknown'));
}

/** Words of the sealing that mean the same to a person. */
const SAME: Record<string, string> = {
  'unverified-leaf': 'unverified',
  'bad-chain': 'unverified',
  'not-the-leaf': 'unverified',
  'wrong-person': 'wrong-author',
  'invalid-message': 'tampered',
  'too-far-ahead': 'from-the-future',
  'own-message': 'replayed',
};

/** Why something of a conversation was refused. */
export function refusalText(code: string): string {
  const known = code.startsWith('lease-') || code === 'not-holder' ? 'lease' : (SAME[code] ?? code);
  return sayIfKnown(`refusal.${known}`) ?? say(isNotVerified(code) ? 'refusal.unverified' : 'refusal.other');
}

const TONES: Record<string, 'warn' | 'bad'> = {
  'key-recovered': 'warn',
  'key-reset': 'warn',
  'key-unexplained': 'bad',
  'key-mismatch': 'bad',
  'identity-changed': 'warn',
  'messages-unreadable': 'warn',
  'device-refused': 'warn',
};

/** How much a line about what happened asks to be seen. */
export const toneOf = (code: string | undefined): 'quiet' | 'warn' | 'bad' => TONES[code ?? ''] ?? 'quiet';

/** As a screen reader says it: "Ana: text, 18:53, Delivered". */
export function spoken(message: ChatMessage, name: string, mark: TrustMark = message.mark): string {
  const text = textOf(message, name);
  const time = clock(message.at);
  if (message.content.type === 'system') return say('conversation.spoken', { said: text, time });
  const plain = message.mine ? say('conversation.from-you', { text }) : say('conversation.from-them', { name, text });
  const whole = besides(message, name).reduce((said, more) => say('conversation.spoken-mark', { said, mark: more }), plain);
  const said = mark === 'introduced' ? whole : say('conversation.spoken-mark', { said: whole, mark: say(`mark.${mark}`) });
  // How far it came is not known of what a file tells.
  return message.mine && mark !== 'imported'
    ? say('conversation.spoken-state', { said, time, state: say(`state.${message.state}`) })
    : say('conversation.spoken', { said, time });
}
