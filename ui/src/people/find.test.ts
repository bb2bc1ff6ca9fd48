/** Tells how a person is found and asked for contact. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Consents } from '../consent/consents.svelte';
import { readAddress } from '../shared/address';
import { DemoShell } from '../shell/demo';
import { Find } from './find.svelte';

let shell: DemoShell;
let consents: Consents;
let find: Find;

beforeEach(() => {
  shell = new DemoShell();
  consents = new Consents(shell);
  find = new Find(shell, consents, () => 'ana@a.localhost');
  shell.hear((news) => {
    if (news.news === 'consent') consents.take(news.data);
    if (news.news === 'consent-closed') consents.closed(news.data.id);
  });
  find.open('chat');
});

const search = async (address: string) => {
  find.address = address;
  await find.search();
};

describe('an address', () => {
  it('is read the way people paste it', () => {
    expect(readAddress(' Ben@B.localhost ')).toBe('ben@b.localhost');
    expect(readAddress('user://b.localhost/ben')).toBe('ben@b.localhost');
    for (const wrong of ['ben', 'ben@', '@b.localhost', 'ben@b', 'ben@b.localhost@c.d', 'ben b@c.d', 'ben@b..c']) {
      expect(readAddress(wrong), wrong).toBeNull();
    }
  });

  it('that is none is not looked for', async () => {
    await search('nonsense');
    expect(find.fault).not.toBeNull();
    expect(shell.times('person.find')).toBe(0);
  });

  it('of one’s own is not looked for either', async () => {
    await search('ana@a.localhost');
    expect(find.fault).toBe('This is your own address.');
  });
});

describe('looking for a person', () => {
  it('finds them and says what reaches them', async () => {
    await search('hana@d.example');
    expect(find.found).toEqual({ user: 'hana@d.example', reachedBy: 'd.example 1.0.0', chat: null });
  });

  it('says when there is nobody, or nobody answers', async () => {
    await search('nobody@b.localhost');
    expect(find.searching.trouble?.code).toBe('not-found');
    await search('ben@down.example');
    expect(find.searching.trouble?.code).toBe('domain-unreachable');
  });

  it('waits for the permission it needs, and goes on with it', async () => {
    find.address = 'ask@b.localhost';
    const searching = find.search();
    await Promise.resolve();
    await Promise.resolve();
    expect(find.needsConsent).toBe(true);
    await consents.answer(consents.current!.id, 'once');
    await searching;
    expect(find.found?.user).toBe('ask@b.localhost');
  });

  it('stops when the permission is denied', async () => {
    find.address = 'ask@b.localhost';
    const searching = find.search();
    await Promise.resolve();
    await Promise.resolve();
    await consents.answer(consents.current!.id, 'deny');
    await searching;
    expect(find.searching.trouble?.code).toBe('denied');
  });

  it('asks them for contact', async () => {
    await search('hana@d.example');
    expect((await find.request())?.contact).toBe('asked');
  });
});

describe('a question about a permission', () => {
  it('can be put off without being answered', async () => {
    find.address = 'ask@b.localhost';
    void find.search();
    await Promise.resolve();
    await Promise.resolve();
    consents.later(consents.current!.id);
    expect(consents.current).toBeNull();
    expect(consents.putOff).toBe(1);
    consents.review();
    expect(consents.current).not.toBeNull();
    expect(shell.times('consent.answer')).toBe(0);
  });
});

describe('a contact link', () => {
  it('is handed on whole, with the code in it', async () => {
    await search(' parlance:hana@d.example?code=nYkW3xV1qT8bZ5LrC0aGdg ');
    expect(find.sought).toBe('hana@d.example');
    expect(shell.asked).toContainEqual({ ask: 'person.find', input: { address: 'parlance:hana@d.example?code=nYkW3xV1qT8bZ5LrC0aGdg' } });
    expect(find.found?.user).toBe('hana@d.example');
  });

  it('with a broken code is no address', async () => {
    await search('parlance:hana@d.example?code=');
    expect(find.fault).not.toBeNull();
  });
});
