/** Tells who is shown in a call of several, how, and how one call rests while another goes on. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Announcer } from '../shared/announcer.svelte';
import { Toasts } from '../shared/toasts.svelte';
import { DemoShell, sampleCall } from '../shell/demo';
import type { CallView, JointPerson } from '../shell/shell';
import { Calls } from './calls.svelte';
import { cellsOf, columnsOf, largeOf, type Cell } from './joint';
import { titleOf } from './titles';

const BEN = 'ben@b.localhost';
const CLEO = 'cleo@c.localhost';

const person = (user: string, part: Partial<JointPerson> = {}): JointPerson => ({ user, name: user.split('@')[0]!, place: 'here', blocked: false, known: true, ...part });
const leg = (user: string, people: JointPerson[], part: Partial<CallView> = {}): CallView =>
  sampleCall({ call: `leg-${user}`, user, name: user.split('@')[0]!, stage: { at: 'connected' }, outputLevel: 0, joint: { id: 'j', people }, ...part });

describe('somebody in a call of several', () => {
  const standing = (...legs: CallView[]) => Object.fromEntries(cellsOf(legs).map((cell) => [cell.user, cell.standing])) as Record<string, string>;

  it('speaks, or is only there', () => {
    const people = [person(BEN), person(CLEO)];
    expect(standing(leg(BEN, people, { outputLevel: 60 }), leg(CLEO, people))).toEqual({ [BEN]: 'speaking', [CLEO]: 'here' });
  });

  it('is asked, is being connected, or has left and is not shown', () => {
    const people = [person(BEN), person(CLEO, { place: 'asked' }), person('dan@a', { place: 'gone' }), person('eve@a')];
    expect(standing(leg(BEN, people), leg(CLEO, people, { stage: { at: 'ringing' } }))).toEqual({ [BEN]: 'here', [CLEO]: 'asked', 'eve@a': 'coming' });
  });

  it('whom the path was lost to is shown, since others may hear them', () => {
    const people = [person(BEN), person(CLEO)];
    expect(standing(leg(BEN, people), leg(CLEO, people, { stage: { at: 'ended', reason: 'dropped', seconds: 3 } }))[CLEO]).toBe('lost');
  });

  it('whom one blocked is named and not heard', () => {
    const people = [person(BEN), person('mallory@a', { blocked: true })];
    expect(standing(leg(BEN, people))['mallory@a']).toBe('blocked');
  });

  it('on hold does not seem to speak', () => {
    const people = [person(BEN)];
    expect(standing(leg(BEN, people, { outputLevel: 80, hold: 'them' }))[BEN]).toBe('here');
  });
});

describe('the places', () => {
  it('are as near to a square as can be, up to nine', () => expect([1, 2, 3, 4, 5, 6, 9].map(columnsOf)).toEqual([1, 2, 2, 2, 3, 3, 3]));

  const cell = (user: string, level: number): Cell => ({ user, name: user, known: true, standing: level > 15 ? 'speaking' : 'here', leg: leg(user, [], { outputLevel: level }) });

  it('show large who speaks, and whom one chose before anybody', () => {
    const cells = [cell(BEN, 0), cell(CLEO, 40)];
    expect(largeOf(cells, null, null)?.user).toBe(CLEO);
    expect(largeOf(cells, BEN, null)?.user).toBe(BEN);
  });

  it('keep who was large while nobody speaks, and do not follow a cough', () => {
    expect(largeOf([cell(BEN, 0), cell(CLEO, 0)], null, CLEO)?.user).toBe(CLEO);
    expect(largeOf([cell(BEN, 90), cell(CLEO, 40)], null, CLEO)?.user).toBe(CLEO);
  });
});

describe('a second call', () => {
  let shell: DemoShell;
  let calls: Calls;

  beforeEach(async () => {
    shell = new DemoShell();
    calls = new Calls(shell, new Announcer(), new Toasts());
    shell.hear((news) => {
      if (news.news === 'call') calls.take(news.data);
    });
    await calls.start(BEN, 'Ben');
    shell.callGoes(calls.active!.call, { stage: { at: 'connected' }, connectedAt: 1 });
  });

  const cleoRings = () => shell.callGoes('in', { ...sampleCall({ user: CLEO, name: 'Cleo', incoming: true, stage: { at: 'ringing' } }), call: 'in' });

  it('is taken while the first one rests', async () => {
    const first = calls.active!.call;
    cleoRings();
    await calls.accept('in');
    shell.callGoes(first, { hold: 'us' });
    expect(shell.times('call.hangup')).toBe(0);
    expect(calls.active?.user).toBe(CLEO);
    expect(calls.resting?.user).toBe(BEN);
    expect(calls.free).toBe(false);
  });

  it('ends the first one if the person wants that', async () => {
    cleoRings();
    await calls.accept('in', false, true);
    expect(shell.times('call.hangup')).toBe(1);
    expect(calls.resting).toBeNull();
  });

  it('one goes back and forth between both', async () => {
    const first = calls.active!.call;
    cleoRings();
    await calls.accept('in');
    await calls.hold(first, false);
    expect(calls.active?.user).toBe(BEN);
    expect(calls.resting?.user).toBe(CLEO);
  });

  it('what rests alone is what is shown, and can go on', async () => {
    const { call } = calls.active!;
    await calls.hold(call, true);
    expect(calls.active?.hold).toBe('us');
    expect(calls.resting).toBeNull();
    await calls.hold(call, false);
    expect(calls.active?.hold).toBe('no');
  });

  it('may be begun while one speaks, and not while one is only being called', async () => {
    expect(calls.free).toBe(true);
    shell.callGoes(calls.active!.call, { stage: { at: 'ringing' } });
    expect(calls.free).toBe(false);
  });

  it('becomes one with the first when somebody is asked in, and each leg is its own', async () => {
    await calls.add(calls.active!.call, CLEO);
    const { active } = calls;
    expect(active?.joint?.people.map(({ user, place }) => [user, place])).toEqual([[BEN, 'here'], [CLEO, 'asked']]);
    expect(calls.legs(active!).map(({ user }) => user)).toEqual([BEN, CLEO]);
    expect(titleOf(calls.legs(active!))).toContain(' and ');
    expect(calls.resting).toBeNull();
  });

  it('of several who leave, the last one ends it; who was lost stays to be asked again', async () => {
    await calls.add(calls.active!.call, CLEO);
    const [ben, cleo] = calls.legs(calls.active!) as [CallView, CallView];
    shell.callGoes(cleo.call, { stage: { at: 'connected' } });
    shell.callGoes(cleo.call, { stage: { at: 'ended', reason: 'dropped', seconds: 5 } });
    expect(calls.going?.user).toBe(BEN);
    expect(cellsOf(calls.legs(ben)).find(({ user }) => user === CLEO)?.standing).toBe('lost');
    shell.callGoes(ben.call, { stage: { at: 'ended', reason: 'hung-up', seconds: 9 } });
    expect(calls.going).toBeNull();
    expect(calls.all.map(({ user }) => user)).toEqual([BEN]);
  });
});
