/** Plays the book of calls that are over. */
import type { DemoWorld } from './demo-world';
import type { CallDetails, CallSample, News, PastCall, Question } from './shell';

const MINUTE = 60_000;

const good: PastCall['verdict'] = { grade: 'good', seconds: 0, cause: null };
const unknown: PastCall['verdict'] = { grade: 'unknown', seconds: 0, cause: null };

/** A call in which voice was lost for a while, in the middle. */
const samples = (count: number, worse: boolean): CallSample[] =>
  Array.from({ length: count }, (_, at) => {
    const bad = worse && at > count / 3 && at < count / 2;
    const wave = Math.sin(at / 4);
    return { at: (at + 1) * 5, roundTripMs: 42 + 6 * wave + (bad ? 90 : 0), lossPercent: bad ? 14 + 3 * wave : 0.2, jitterMs: bad ? 38 : 6 + wave, kbpsIn: bad ? 22 : 31 + wave, kbpsOut: 32 };
  });

export function sampleBook(now: number): CallDetails[] {
  const past = (part: Partial<PastCall> & Pick<PastCall, 'id'>): PastCall => ({
    user: 'ben@b.localhost', name: 'Ben Okafor', incoming: true, begunAt: now - 10 * MINUTE, seconds: 0, outcome: 'missed', reason: 'no-answer', seen: false, verdict: unknown, ...part,
  });
  const details = (call: PastCall, figures: CallSample[] = [], path: CallDetails['path'] = null, pictureCodecs: string[] = []): CallDetails => ({
    call, codec: figures.length > 0 ? 'Opus' : null, pictureCodecs, path, every: 5, samples: figures,
  });
  const chiara = { user: 'chiara.conti@studio.example', name: 'Chiara Conti' };
  const dmitri = { user: 'dmitri@uni.example', name: 'Dmitri Volkov' };
  return [
    details(past({ id: 'past-1' })),
    details(past({ id: 'past-2', ...chiara, incoming: false, begunAt: now - 90 * MINUTE, seconds: 754, outcome: 'answered', reason: 'hung-up', seen: true, verdict: { grade: 'poor', seconds: 40, cause: 'loss' } }), samples(120, true), 'relayed', ['VP8']),
    details(past({ id: 'past-3', begunAt: now - 26 * 60 * MINUTE, seconds: 187, outcome: 'answered', reason: 'hung-up', seen: true, verdict: good }), samples(37, false), 'direct'),
    details(past({ id: 'past-4', ...dmitri, incoming: false, begunAt: now - 50 * 60 * MINUTE, outcome: 'failed', reason: 'failed-connecting-no-route', seen: true })),
    details(past({ id: 'past-5', ...dmitri, begunAt: now - 74 * 60 * MINUTE, outcome: 'elsewhere', reason: 'elsewhere', seen: true })),
    details(past({ id: 'past-6', ...chiara, incoming: false, begunAt: now - 98 * 60 * MINUTE, outcome: 'unanswered', seen: true })),
  ];
}

interface BookHost {
  world: DemoWorld;
  tell: (news: News) => void;
}

/** Answers what is about the book; nothing for another question. */
export function answerBook({ world, tell }: BookHost, question: Question): unknown {
  const missed = () => world.book.filter(({ call }) => call.outcome === 'missed' && !call.seen).length;
  const find = (id: string) => {
    const found = world.book.find(({ call }) => call.id === id);
    if (!found) throw { code: 'unknown-call', detail: 'no such call' };
    return found;
  };
  switch (question.ask) {
    case 'call.book': {
      const all = world.book.map(({ call }) => call).filter((call) => !question.input.missed || call.outcome === 'missed');
      const after = question.input.before === null ? 0 : all.findIndex((call) => call.id === question.input.before) + 1;
      return { calls: all.slice(after), more: false, missed: missed() };
    }
    case 'call.look':
      return find(question.input.id);
    case 'call.forget': {
      const { call } = find(question.input.id);
      world.book = world.book.filter((one) => one.call.id !== call.id);
      tell({ news: 'past-call-gone', data: { id: call.id } });
      tell({ news: 'calls-missed', data: { count: missed() } });
      return null;
    }
    case 'call.seen':
      for (const one of world.book) one.call = { ...one.call, seen: true };
      tell({ news: 'calls-missed', data: { count: 0 } });
      return null;
    case 'chat.mute': {
      const chat = world.chats.find((one) => one.chat === question.input.chat)!;
      const hours = { off: 0, hour: 1, 'eight-hours': 8, week: 168, always: Infinity }[question.input.time];
      const until = hours === Infinity ? 8_640_000_000_000_000 : Date.now() + hours * 60 * MINUTE;
      chat.mutedUntil = hours === 0 ? null : until;
      return { ...chat };
    }
    default:
      return undefined;
  }
}
