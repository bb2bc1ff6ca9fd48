/** Tells how a call begins, goes on and ends. */
import en from '../words/en.json';
import { pictureOf } from './emoji';
import { beforeEach, describe, expect, it } from 'vitest';
import { Announcer } from '../shared/announcer.svelte';
import { Toasts } from '../shared/toasts.svelte';
import { DemoShell, sampleCall } from '../shell/demo';
import { Calls, endHint, endOf, endTitle } from './calls.svelte';

let shell: DemoShell;
let calls: Calls;
let toasts: Toasts;

beforeEach(() => {
  shell = new DemoShell();
  toasts = new Toasts();
  calls = new Calls(shell, new Announcer(), toasts);
  shell.hear((news) => {
    if (news.news === 'call') calls.take(news.data);
  });
});

const ring = (call = 'in') => shell.callGoes(call, { ...sampleCall({ incoming: true, stage: { at: 'ringing' } }), call });

describe('a call to somebody', () => {
  it('is shown before the app has answered', () => {
    void calls.start('ben@b.localhost', 'Ben');
    expect(calls.active?.stage.at).toBe('finding');
    expect(calls.active?.user).toBe('ben@b.localhost');
  });

  it('goes through its stages', async () => {
    await calls.start('ben@b.localhost', 'Ben');
    const { call } = calls.active!;
    for (const at of ['ringing', 'securing', 'connecting'] as const) {
      shell.callGoes(call, { stage: { at } });
      expect(calls.active?.stage.at).toBe(at);
    }
    shell.callGoes(call, { stage: { at: 'connected' }, connectedAt: 1 });
    expect(calls.going?.connectedAt).toBe(1);
  });

  it('says why it could not even begin', async () => {
    shell.world.refuse['call.start'] = { code: 'not-permitted', detail: '' };
    await calls.start('ben@b.localhost', 'Ben');
    expect(calls.active).toBeNull();
    expect(calls.startTrouble?.trouble.code).toBe('not-permitted');
  });

  it('given up before the app answered is hung up as soon as it does', async () => {
    const started = calls.start('ben@b.localhost', 'Ben');
    await calls.hangup(calls.active!.call);
    await started;
    expect(shell.times('call.hangup')).toBe(1);
    expect(calls.going).toBeNull();
  });

  it('keeps its end on the screen until it is put away', async () => {
    await calls.start('ben@b.localhost', 'Ben');
    const { call } = calls.active!;
    shell.callGoes(call, { stage: { at: 'ended', reason: 'busy', seconds: 0 } });
    expect(calls.active?.stage).toMatchObject({ reason: 'busy' });
    calls.dismiss(call);
    expect(calls.active).toBeNull();
  });

  it('is not started twice', async () => {
    await calls.start('ben@b.localhost', 'Ben');
    await calls.start('ben@b.localhost', 'Ben');
    expect(shell.times('call.start')).toBe(1);
  });
});

describe('a call from somebody', () => {
  it('rings until it is accepted', async () => {
    ring();
    expect(calls.ringing?.user).toBe('ben@b.localhost');
    await calls.accept('in');
    expect(calls.ringing).toBeNull();
    expect(calls.going?.stage.at).toBe('connected');
  });

  it('rings on when accepting it did not work', async () => {
    ring();
    shell.world.refuse['call.accept'] = { code: 'microphone-in-use', detail: '' };
    await calls.accept('in');
    expect(calls.ringing?.call).toBe('in');
    expect(calls.actTrouble?.code).toBe('microphone-in-use');
  });

  it('declined is gone at once and leaves no end behind', async () => {
    ring();
    await calls.decline('in');
    expect(calls.ringing).toBeNull();
    expect(calls.active).toBeNull();
    expect(shell.times('call.decline')).toBe(1);
  });

  it('that nobody took is told as missed', () => {
    ring();
    shell.callGoes('in', { stage: { at: 'ended', reason: 'no-answer', seconds: 0 } });
    expect(calls.active).toBeNull();
    expect(toasts.shown[0]?.text).toBe('Missed call from Ben Okafor');
  });

  it('accepted in the place of another ends that one', async () => {
    shell.callGoes('first', { stage: { at: 'connected' }, connectedAt: 1 });
    ring('second');
    expect(calls.going?.call).toBe('first');
    await calls.accept('second', false, true);
    expect(shell.asked).toContainEqual({ ask: 'call.hangup', input: { call: 'first' } });
    expect(calls.going?.call).toBe('second');
  });
});

describe('in a call', () => {
  it('the microphone that could not be muted is shown as on', async () => {
    shell.callGoes('now', { stage: { at: 'connected' }, connectedAt: 1 });
    shell.world.refuse['call.mute'] = { code: 'internal', detail: '' };
    await calls.mute('now', true);
    expect(calls.find('now')?.muted).toBe(false);
    expect(calls.actTrouble?.code).toBe('internal');
  });
});

describe('the camera', () => {
  it('is switched on with the call that was started with it', async () => {
    await calls.start('ben@b.localhost', 'Ben', true);
    expect(shell.asked).toContainEqual({ ask: 'call.camera', input: { call: calls.active!.call, on: true } });
    expect(calls.active?.pictures.camera.at).toBe('on');
  });

  it('is on before a call is accepted with it', async () => {
    ring();
    await calls.accept('in', true);
    const asked = shell.asked.map((question) => question.ask).filter((ask) => ask.startsWith('call.'));
    expect(asked).toEqual(['call.camera', 'call.accept']);
  });
});

describe('the end of a call', () => {
  it('has a sentence for every reason, and one for those not known', () => {
    expect(endTitle('busy', 'Ben')).toBe('Ben is in another call');
    expect(endOf('failed-connecting-no-route')).toBe('failed-connecting');
    expect(endOf('failed-finding')).toBe('failed-finding');
    expect(endOf('struck-by-lightning')).toBe('failed');
    expect(endHint('failed-connecting', 'Ben')).toMatch(/firewall/);
    expect(endHint('hung-up', 'Ben')).toBeNull();
  });
});

describe('the pictures of a spoken code', () => {
  it('all have a name to say, and every name a picture', () => {
    const names = Object.keys(en).filter((key) => key.startsWith('emoji.')).map((key) => key.slice('emoji.'.length));
    expect(names).toHaveLength(64);
    expect(names.filter((name) => pictureOf(name) === null)).toEqual([]);
    expect(pictureOf('Thumbs Up')).toBe('👍');
    expect(pictureOf('never heard of')).toBeNull();
  });
});
