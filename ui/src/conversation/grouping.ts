/** Puts messages into days and runs of one author. */
import type { ChatMessage } from '../shell/shell';
import { daysApart } from '../words/words.svelte';

/** Messages of one author closer than this look like one run. */
const RUN_MS = 5 * 60_000;

export type Line =
  | { kind: 'day'; key: string; at: number }
  | { kind: 'message'; key: string; message: ChatMessage; first: boolean; last: boolean }
  | { kind: 'system'; key: string; message: ChatMessage };

const sameRun = (a: ChatMessage | undefined, b: ChatMessage | undefined): boolean =>
  a !== undefined &&
  b !== undefined &&
  a.content.type !== 'system' &&
  b.content.type !== 'system' &&
  a.author === b.author &&
  a.mine === b.mine &&
  Math.abs(b.at - a.at) < RUN_MS &&
  daysApart(a.at, b.at) === 0;

export function linesOf(messages: readonly ChatMessage[]): Line[] {
  const lines: Line[] = [];
  messages.forEach((message, at) => {
    const before = messages[at - 1];
    if (!before || daysApart(before.at, message.at) !== 0) {
      lines.push({ kind: 'day', key: `day-${message.id}`, at: message.at });
    }
    if (message.content.type === 'system') {
      lines.push({ kind: 'system', key: message.id, message });
    } else {
      const first = !sameRun(before, message);
      const last = !sameRun(message, messages[at + 1]);
      lines.push({ kind: 'message', key: message.id, message, first, last });
    }
  });
  return lines;
}
