/** Plays what people do with messages: answers, reactions, edits, search. */
import type { DemoWorld } from './demo-world';
import { samplePreview } from './demo-preview';
import type { ChatMessage, ChatPage, News, PollView, Question } from './shell';

const ME = 'ana@a.localhost';

/** What the demo needs from the rest of the world to answer. */
export interface ChatHost {
  world: DemoWorld;
  append(chat: string, words: string): ChatMessage;
  tell(news: News): void;
}

/** Answers a question about messages, or gives `undefined` when it is about something else. */
export function answerChat(host: ChatHost, question: Question): unknown {
  const all = () => Object.values(host.world.messages).flat();
  const message = (id: string): ChatMessage => {
    const found = all().find((one) => one.id === id);
    if (!found) throw { code: 'not-found', detail: 'no such message' };
    return found;
  };
  const changed = (id: string, part: Partial<ChatMessage>): ChatMessage => {
    const now = Object.assign(message(id), part);
    host.tell({ news: 'message', data: now });
    return now;
  };
  switch (question.ask) {
    case 'chat.reply': {
      const { id, author, mine, content } = message(question.input.message);
      const said = host.append(question.input.chat, question.input.text);
      return Object.assign(said, { reply: { id, author, mine, text: content.type === 'text' ? content.text : null }, ...carried(question.input.preview) });
    }
    case 'chat.send':
      return Object.assign(host.append(question.input.chat, question.input.text), carried(question.input.preview));
    case 'link.preview':
      return samplePreview(question.input.url);
    case 'chat.edit':
      return changed(question.input.message, { content: { type: 'text', text: question.input.text }, edited: true });
    case 'chat.delete':
      return changed(question.input.message, { content: { type: 'deleted' }, reactions: [], pinned: false, edited: false });
    case 'chat.pin':
      return changed(question.input.message, { pinned: question.input.on });
    case 'chat.react':
      return changed(question.input.message, { reactions: reacted(message(question.input.message), question.input.emoji, question.input.on) });
    case 'poll.create': {
      const { chat, question: asked, options, several, hidden } = question.input;
      const poll = { question: asked, several, hidden, closed: false, voters: 0, options: options.map((text) => ({ text, votes: 0, who: [], mine: false })) };
      const said = Object.assign(host.append(chat, ''), { content: { type: 'poll' as const, poll } });
      host.tell({ news: 'message', data: said });
      return said;
    }
    case 'poll.vote':
    case 'poll.close': {
      const { content } = message(question.input.message);
      if (content.type !== 'poll') throw { code: 'not-a-message', detail: 'no poll' };
      const poll = question.ask === 'poll.vote' ? voted(content.poll, question.input.choices) : { ...content.poll, closed: true };
      return changed(question.input.message, { content: { type: 'poll', poll } });
    }
    case 'chat.forward': {
      const { content } = message(question.input.message);
      return Object.assign(host.append(question.input.to, content.type === 'text' ? content.text : ''), { forwarded: true });
    }
    case 'chat.timer':
      host.world.timers[question.input.chat] = question.input.seconds;
      return null;
    case 'chat.search': {
      const words = question.input.text.toLowerCase().split(/\s+/).filter(Boolean);
      const { chat } = question.input;
      const has = ({ content }: ChatMessage) => content.type === 'text' && words.every((word) => content.text.toLowerCase().includes(word));
      const found = words.length === 0 ? [] : all().filter((one) => (chat === null || one.chat === chat) && has(one));
      return { found: found.toSorted((a, b) => b.at - a.at), more: false, complete: true };
    }
    case 'chat.around':
      return page(host.world.messages[question.input.chat]!, question.input.message);
    case 'chat.date': {
      const list = host.world.messages[question.input.chat]!;
      return page(list, (list.find((one) => one.at >= question.input.at) ?? list.at(-1)!).id);
    }
    case 'chat.newer':
      return [];
    case 'chat.typing':
    case 'link.open':
      return null;
    default:
      return undefined;
  }
}

/** The card of a link that a message carries. */
const carried = (url: string | undefined): Partial<ChatMessage> => (url === undefined ? {} : { preview: samplePreview(url) });

const page = (messages: ChatMessage[], found: string): ChatPage => ({ messages, found, older: false, newer: false });

function reacted(message: ChatMessage, emoji: string, on: boolean): ChatMessage['reactions'] {
  const others = message.reactions.map((one) => (one.emoji === emoji ? { ...one, mine: false, who: one.who.filter((who) => who !== ME) } : one));
  if (!on) return others.filter((one) => one.who.length > 0);
  const known = others.some((one) => one.emoji === emoji);
  const mine = { emoji, mine: true, who: [ME] };
  return known ? others.map((one) => (one.emoji === emoji ? { ...one, mine: true, who: [...one.who, ME] } : one)) : [...others, mine];
}

/** A poll after one's own vote. */
function voted(poll: PollView, choices: number[]): PollView {
  const before = poll.options.some((option) => option.mine) ? 1 : 0;
  const options = poll.options.map((option, at) => {
    const mine = choices.includes(at);
    return { ...option, mine, votes: option.votes - Number(option.mine) + Number(mine) };
  });
  return { ...poll, options, voters: poll.voters - before + (choices.length > 0 ? 1 : 0) };
}
