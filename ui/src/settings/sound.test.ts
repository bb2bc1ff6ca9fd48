/** Tells how devices are chosen, tried and listened through. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Announcer } from '../shared/announcer.svelte';
import { Toasts } from '../shared/toasts.svelte';
import { Calls, ECHO } from '../calls/calls.svelte';
import { DemoShell } from '../shell/demo';
import { Sound } from './sound.svelte';

let shell: DemoShell;
let sound: Sound;

beforeEach(async () => {
  shell = new DemoShell();
  sound = new Sound(shell);
  shell.hear((news) => {
    if (news.news === 'sound') sound.take(news.data);
  });
  await sound.load();
});

describe('a choice of devices', () => {
  it('keeps the others as they were', async () => {
    await sound.choose({ microphone: null });
    expect(shell.world.sound.choice).toEqual({ microphone: null, speaker: 'usb', ring: null, camera: null });
  });

  it('is taken back when it could not be kept', async () => {
    shell.world.refuse['sound.choose'] = { code: 'no-such-device', detail: '' };
    await sound.choose({ microphone: 'mic' });
    expect(sound.view?.choice.microphone).toBe('usb-mic');
    expect(sound.changing.trouble?.code).toBe('no-such-device');
  });

  it('does not touch what is done to the voice', async () => {
    await sound.switch({ noiseSuppression: false });
    expect(sound.view?.switches).toEqual({ echoCancellation: true, noiseSuppression: false, gainControl: true });
    expect(sound.view?.choice.microphone).toBe('usb-mic');
  });
});

describe('trying a device', () => {
  it('begins and ends each by itself', async () => {
    await sound.toggle('microphone');
    expect([sound.test.microphone?.state, sound.test.speaker, sound.test.level]).toEqual(['working', null, 58]);
    await sound.toggle('speaker');
    expect([sound.test.microphone?.state, sound.test.speaker?.state]).toEqual(['working', 'working']);
    await sound.toggle('microphone');
    expect([sound.test.microphone, sound.test.speaker?.state]).toEqual([null, 'working']);
  });

  it('ends when nobody looks any more', async () => {
    const leave = sound.watch();
    await sound.toggle('microphone');
    leave();
    await Promise.resolve();
    expect(sound.test.microphone).toBeNull();
  });

  it('that the app refuses is not shown as if it went on', async () => {
    shell.world.refuse['sound.test'] = { code: 'locked', detail: '' };
    await sound.toggle('speaker');
    expect(sound.test.speaker).toBeNull();
  });
});

describe('the echo', () => {
  it('is called like a person, has a name, and tells its figures', async () => {
    const calls = new Calls(shell, new Announcer(), new Toasts());
    await calls.start(ECHO, 'Echo');
    expect(calls.going).toMatchObject({ user: ECHO, name: 'Echo', stage: { at: 'connected' } });
    expect((await calls.figures(calls.going!.call))?.delayMs).toBeGreaterThan(0);
    shell.world.refuse['call.figures'] = { code: 'not-ready', detail: '' };
    expect(await calls.figures(calls.going!.call)).toBeNull();
  });
});
