/** Tells that nothing of people and conversations stays in the page once the app is locked. */
import { beforeEach, describe, expect, it } from 'vitest';
import { DemoShell, sampleCall, sampleConsent, sceneOf } from '../shell/demo';
import { PRESENT_EVERY_MS, Lock } from '../settings/lock.svelte';
import { Toasts } from '../shared/toasts.svelte';
import { App } from './app.svelte';

let shell: DemoShell;
let app: App;

beforeEach(() => {
  history.replaceState(null, '', '#/');
  shell = new DemoShell(sceneOf('protection:passphrase'));
  app = new App(shell);
});

/** Every text that can be reached from the app, but not what the shell itself keeps. */
function textsOf(root: object): string[] {
  const seen = new Set<object>([shell]);
  const texts: string[] = [];
  const visit = (value: unknown): void => {
    if (typeof value === 'string') texts.push(value);
    if (typeof value !== 'object' || value === null || seen.has(value)) return;
    seen.add(value);
    const names = new Set<string>(Object.keys(value));
    for (let at = Object.getPrototypeOf(value) as object | null; at && at !== Object.prototype && at !== Array.prototype; at = Object.getPrototypeOf(at) as object | null) {
      for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(at))) if (property.get) names.add(name);
    }
    for (const name of names) visit((value as Record<string, unknown>)[name]);
  };
  visit(root);
  return texts;
}

const PRIVATE = /ben@|Ben Okafor|chiara|tender|photos|Living room|harbour|Documents|secret draft/i;
const left = () => textsOf(app).filter((text) => PRIVATE.test(text));

async function live() {
  const stop = app.start();
  await app.load();
  await app.chats.load();
  await app.people.load();
  await app.conversation.open('comm://b.localhost/ben');
  app.conversation.type('secret draft');
  await app.people.open('ben@b.localhost');
  await app.verify.open('ben@b.localhost', 'Ben Okafor');
  await app.devices.load();
  await app.devices.offer();
  await app.identities.load();
  await app.policies.load();
  await app.policies.loadTrail();
  await app.policies.exportTrail();
  await app.recovery.load();
  await app.recovery.writeSheet();
  await app.modules.load();
  app.find.open('chat', 'ben@b.localhost');
  app.toasts.say('Ben Okafor is blocked');
  app.announcer.say('Ben Okafor: photos');
  app.announcer.call('Ben Okafor is calling');
  app.chats.filter = 'ben@';
  shell.tell({ news: 'consent', data: sampleConsent });
  shell.tell({ news: 'call', data: sampleCall({ stage: { at: 'connected' } }) });
  app.openChat('comm://b.localhost/ben@');
  return stop;
}

describe('a locked page', () => {
  it('knows nobody and nothing any more', async () => {
    const stop = await live();
    expect(left()).not.toEqual([]);
    shell.tell({ news: 'app', data: { ...shell.world.app, stage: 'locked' } });
    expect(left()).toEqual([]);
    expect(location.hash).toBe('#/chats');
    stop();
  });

  it('does not learn anything new', async () => {
    const stop = await live();
    shell.tell({ news: 'app', data: { ...shell.world.app, stage: 'locked' } });
    shell.receive('comm://b.localhost/ben', 'the tender again');
    shell.tell({ news: 'person', data: shell.world.people[0]! });
    shell.tell({ news: 'call', data: sampleCall() });
    expect(left()).toEqual([]);
    stop();
  });

  it('takes no answer that was on its way', async () => {
    const stop = await live();
    const late = [app.chats.load(), app.people.load(), app.conversation.load(), app.devices.load(), app.policies.loadTrail()];
    shell.tell({ news: 'app', data: { ...shell.world.app, stage: 'locked' } });
    await Promise.all(late);
    expect(left()).toEqual([]);
    stop();
  });
});

describe('somebody who is there', () => {
  it('is told of at most once a minute', () => {
    let now = 1_000_000;
    const lock = new Lock(shell, new Toasts(), () => {}, () => now);
    for (let touch = 0; touch < 50; touch++) lock.present();
    expect(shell.times('app.present')).toBe(1);
    now += PRESENT_EVERY_MS - 1;
    lock.present();
    expect(shell.times('app.present')).toBe(1);
    now += 1;
    lock.present();
    expect(shell.times('app.present')).toBe(2);
  });
});
