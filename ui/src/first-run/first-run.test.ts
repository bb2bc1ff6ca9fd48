/** Tells the way from the welcome to an account. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { AppState } from '../shell/shell';
import { DemoShell, sceneOf } from '../shell/demo';
import { CUSTOM } from './chooses-issuer.svelte';
import { FirstRun } from './first-run.svelte';

let shell: DemoShell;
let run: FirstRun;
let states: AppState[];

beforeEach(() => {
  shell = new DemoShell(sceneOf('welcome'));
  states = [];
  run = new FirstRun(shell, (state) => states.push(state));
  shell.hear((news) => {
    if (news.news === 'signin') run.takeSignIn(news.data);
  });
  run.follow(shell.world.app);
});

async function signedIn() {
  await run.begin();
  await run.startSignIn();
  shell.signIn({ state: 'done', name: 'Ana Silva', suggested: 'ana' });
}

describe('a newcomer', () => {
  it('is shown who could vouch at the suggested domain', async () => {
    await run.begin();
    expect(run.asked).toBe('a.localhost');
    expect(run.issuers.map((card) => card.kind)).toEqual(['managed', 'domain', 'listed', 'proxy']);
    expect(run.chosen).toBe('https://login.acme.example');
  });

  it('is told when a domain is not one, before anything is asked', async () => {
    run.domain = 'not a domain';
    await run.listIssuers();
    expect(run.domainFault).not.toBeNull();
    expect(shell.times('issuer.list')).toBe(0);
  });

  it('is told when the domain cannot be reached', async () => {
    run.domain = 'down.example';
    await run.listIssuers();
    expect(run.listing.trouble?.code).toBe('domain-unreachable');
  });

  it('may bring an issuer of their own, if its address is safe', async () => {
    await run.begin();
    run.chosen = CUSTOM;
    run.custom = 'http://plain.example';
    await run.startSignIn();
    expect(run.customFault).not.toBeNull();
    run.custom = 'https://id.example.org';
    await run.startSignIn();
    expect(shell.asked).toContainEqual({ ask: 'signin.start', input: { domain: 'a.localhost', issuer: 'https://id.example.org' } });
    expect(run.signIn.state).toBe('waiting');
  });

  it('may sign in with any issuer the provider offers, also with one on this machine', async () => {
    await run.begin();
    run.issuers = [{ issuer: 'http://127.0.0.1:8123', name: 'Independent issuer', kind: 'listed' }];
    run.chosen = 'http://127.0.0.1:8123';
    await run.startSignIn();
    expect(shell.asked).toContainEqual({
      ask: 'signin.start',
      input: { domain: 'a.localhost', issuer: 'http://127.0.0.1:8123' },
    });
  });

  it('who cancelled is not moved on by the old sign-in', async () => {
    await run.begin();
    await run.startSignIn();
    await run.cancelSignIn();
    shell.signIn({ state: 'done', name: null, suggested: null });
    expect(run.step).toBe('issuer');
  });

  it('finds name and address filled in from the issuer', async () => {
    await signedIn();
    expect(run.step).toBe('profile');
    expect([run.name, run.address]).toEqual(['Ana Silva', 'ana@a.localhost']);
  });

  it('sees the last screen although the app is ready already', async () => {
    await signedIn();
    await run.create();
    expect(run.step).toBe('ready');
    expect(run.showing).toBe(true);
    run.finish();
    expect(run.showing).toBe(false);
  });

  it('stays at the form when the name is taken', async () => {
    await signedIn();
    shell.world.refuse['profile.create'] = { code: 'name-taken', detail: '' };
    await run.create();
    expect(run.step).toBe('profile');
    expect(run.creating.trouble?.code).toBe('name-taken');
  });

  it('is not let through without a name or with a wrong address', async () => {
    await signedIn();
    run.name = ' ';
    run.localPart = 'Ana Silva!';
    await run.create();
    expect([run.nameFault, run.addressFault]).not.toContain(null);
    expect(shell.times('profile.create')).toBe(0);
  });

  it('who was interrupted after signing in may type the whole address', async () => {
    const late = new FirstRun(shell, () => {});
    late.follow({ ...shell.world.app, stage: 'profile', suggestedDomain: null });
    late.fullAddress = 'ana@a.localhost';
    expect(late.step).toBe('profile');
    expect(late.address).toBe('ana@a.localhost');
  });
});

describe('keys', () => {
  it('are protected by a passphrase or, if one insists, not at all', async () => {
    await run.protect('four random words here');
    expect(shell.world.app.protection).toBe('passphrase');
    await run.protect(null);
    expect(states.at(-1)?.protection).toBe('unprotected');
  });

  it('stay locked by a wrong passphrase', async () => {
    expect(await run.unlock('wrong')).toBe(false);
    expect(run.opening.trouble?.code).toBe('wrong-passphrase');
    expect(await run.unlock('correct horse')).toBe(true);
  });
});
