/** Says a message as one sentence: for the list, the reader and system lines. */
import type { ChatMessage } from '../shell/shell';
import { clock, say, sayIfKnown, stopwatch } from '../words/words.svelte';

export function textOf(message: ChatMessage): string {
  const { content } = message;
  if (content.type === 'text') return content.text;
  if (content.type === 'unsupported') return say('conversation.unsupported');
  return systemText(content.code, content.detail);
}

export function systemText(code: string, detail: string): string {
  const seconds = Number(detail);
  const length = stopwatch(Number.isFinite(seconds) ? seconds : 0);
  return sayIfKnown(`system.${code}`, { detail, length }) ?? (detail || say('system.unknown'));
}

/** As a screen reader says it: "Ana: text, 18:53, Delivered". */
export function spoken(message: ChatMessage, name: string): string {
  const text = textOf(message);
  const time = clock(message.at);
  if (message.content.type === 'system') return say('conversation.spoken', { said: text, time });
  const said = message.mine ? say('conversation.from-you', { text }) : say('conversation.from-them', { name, text });
  return message.mine
    ? say('conversation.spoken-state', { said, time, state: say(`state.${message.state}`) })
    : say('conversation.spoken', { said, time });
}
