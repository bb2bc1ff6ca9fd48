/** Answers about histories in the demo, and the imported conversation of its scenes. */
import { plainMessage, type DemoWorld } from './demo-world';
import type { ChatMessage, ChatSummary, News, Question } from './shell';

export const IMPORTED = 'archive://a.localhost/mfrggzdfmztwq2lkmfrggzdfmz';
const WEEK = 7 * 24 * 60 * 60_000;

/** A conversation that was read from a file. */
export function addImported(world: DemoWorld): ChatSummary {
  const from = 'ana@old.example';
  const lines: [string, ChatMessage['content']][] = [
    ['nadia@old.example', { type: 'text', text: 'Are you still coming to Porto in May?' }],
    [from, { type: 'text', text: 'Yes! Three days, with the night train.' }],
    ['nadia@old.example', { type: 'deleted' }],
    ['nadia@old.example', { type: 'text', text: 'Bring the red umbrella. You know why.' }],
    [from, { type: 'text', text: 'How could I forget.' }],
  ];
  const messages = lines.map(([author, content], at): ChatMessage => ({
    id: `${IMPORTED}#${at + 1}`, chat: IMPORTED, ordinal: at + 1, mine: author === from, author, content, at: Date.now() - 60 * WEEK + at * 90_000,
    state: author === from ? 'delivered' : 'received', ...plainMessage, mark: 'imported', edited: at === 1,
  }));
  const last = messages.at(-1)!;
  const summary: ChatSummary = {
    chat: IMPORTED, user: 'nadia@old.example', name: 'Nadia Haddad', domain: 'a.localhost', contact: 'met', last, unread: 0, draft: '', change: null, mark: 'imported',
    at: last.at, mutedUntil: null, group: null, mentionsMe: false, imported: { from, madeAt: Date.now() - 2 * WEEK, importedAt: Date.now() - 60_000 },
  };
  world.messages[IMPORTED] = messages;
  world.chats = [...world.chats.filter(({ chat }) => chat !== IMPORTED), summary];
  return summary;
}

/** `undefined` when the question is about something else. */
export function answerHistory(host: { world: DemoWorld; tell: (news: News) => void }, question: Question): unknown {
  switch (question.ask) {
    case 'history.export': {
      const name = `parlance-history-ana@a.localhost.${question.input.passphrase === null ? 'tar' : 'age'}`;
      host.tell({ news: 'history', data: { state: 'exporting', done: 1200, total: 1200 } });
      host.tell({ news: 'history', data: { state: 'idle' } });
      return { path: `${question.input.folder ?? '/home/ana/Documents'}/${name}` };
    }
    case 'history.import': {
      const { path, passphrase } = question.input;
      if (path.endsWith('.age') && passphrase === null) throw { code: 'history-sealed', detail: 'the file is sealed' };
      if (passphrase === 'wrong') throw { code: 'history-passphrase', detail: 'not the passphrase' };
      const known = host.world.chats.some(({ chat }) => chat === IMPORTED);
      const summary = addImported(host.world);
      host.tell({ news: 'chat', data: summary });
      return { messages: known ? 0 : 5, known: known ? 5 : 0, files: 0, chats: [IMPORTED] };
    }
    case 'history.stop':
      host.tell({ news: 'history', data: { state: 'idle' } });
      return null;
    case 'history.forget': {
      const { chat } = question.input;
      host.world.chats = host.world.chats.filter((one) => one.chat !== chat);
      host.tell({ news: 'chat-gone', data: { chat } });
      return null;
    }
    default:
      return undefined;
  }
}
