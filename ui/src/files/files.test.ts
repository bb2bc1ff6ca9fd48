/** Tells how files are handed over, followed and drawn. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { DemoShell, sampleWorld } from '../shell/demo';
import type { FileState, Upload } from '../shell/shell';
import { Files, LARGEST, MOST_FILES } from './files.svelte';

const CHAT = 'comm://studio.example/chiara.conti';
const PNG = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0);

// jsdom's files cannot be read in the way that every window can.
Blob.prototype.arrayBuffer ??= function (this: Blob) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as ArrayBuffer);
    reader.readAsArrayBuffer(this);
  });
};

let shell: DemoShell;
let files: Files;
const asked = (ask: string) => shell.asked.filter((one) => one.ask === ask);
const carries = (kind: string) => shell.world.messages[CHAT]!.find((one) => one.content.type === 'file' && one.content.file.kind === kind)!;

beforeEach(async () => {
  let made = 0;
  vi.stubGlobal('URL', Object.assign(URL, { createObjectURL: vi.fn(() => `blob:${(made += 1)}`), revokeObjectURL: vi.fn() }));
  shell = new DemoShell(sampleWorld());
  files = new Files(shell);
  await files.open(CHAT);
});

describe('a file that is picked', () => {
  it('is shown before it is sent, and drawn only if its bytes are a picture', async () => {
    await files.pick([new File([PNG], 'river.png'), new File(['<svg onload="x">'], 'evil.png', { type: 'image/png' })]);
    expect(files.picked.map((one) => one.url !== null)).toEqual([true, false]);
    expect(asked('file.begin')).toEqual([]);
    files.unpick(files.picked[0]!.key);
    expect(URL.revokeObjectURL).toHaveBeenCalledWith('blob:1');
    expect(files.picked.map((one) => one.name)).toEqual(['evil.png']);
  });

  it('goes over in parts, with the words and the answer', async () => {
    await files.pick([new File([new Uint8Array(300_000)], 'tender.pdf')]);
    expect(await files.send(CHAT, '  Here it is ', 'm1')).toBe(true);
    expect(asked('file.part')).toHaveLength(3);
    expect(asked('file.send')[0]).toMatchObject({ input: { text: 'Here it is', reply: 'm1' } });
    expect(files.picked).toEqual([]);
  });

  it('says its words with the first only', async () => {
    await files.pick([new File(['a'], 'a'), new File(['b'], 'b')]);
    await files.send(CHAT, 'Both', null);
    expect(asked('file.send').map((one) => (one as { input: { text: string } }).input.text)).toEqual(['Both', '']);
  });

  it('stays where it is when it could not be handed over', async () => {
    shell.world.refuse['file.send'] = { code: 'picture-damaged', detail: '' };
    await files.pick([new File(['a'], 'a')]);
    expect(await files.send(CHAT, '', null)).toBe(false);
    expect(files.handover.trouble?.code).toBe('picture-damaged');
    expect(files.picked).toHaveLength(1);
    expect(asked('file.drop')).toHaveLength(1);
  });

  it('is one of not too many', async () => {
    await files.pick(Array.from({ length: MOST_FILES + 2 }, (_, at) => new File(['x'], `${at}`)));
    expect(files.picked).toHaveLength(MOST_FILES);
    expect(files.tooMany).toBe(true);
    expect(LARGEST).toBe(64 * 1024 * 1024);
  });
});

describe('the file of a message', () => {
  it('is drawn only as what the app says its bytes are', async () => {
    const { id } = carries('picture');
    expect(await files.picture(id)).toBeNull();
    for (const [state, drawn] of [
      [{ stage: 'here', shown: 'image/svg+xml' }, false],
      [{ stage: 'here', shown: null }, false],
      [{ stage: 'coming', done: 5, directly: true }, false],
      [{ stage: 'waiting', done: 5 }, false],
      [{ stage: 'here', shown: 'image/png' }, true],
    ] as [FileState, boolean][]) {
      files.take({ chat: CHAT, message: id, state });
      expect((await files.picture(id)) !== null, JSON.stringify(state)).toBe(drawn);
    }
  });

  it('is asked for once, and forgotten with the conversation', async () => {
    const { id } = carries('voice');
    files.look(id);
    files.look(id);
    await vi.waitFor(() => expect(files.state(id)).toMatchObject({ stage: 'here' }));
    expect(asked('file.look')).toHaveLength(1);
    const url = await files.sound(id);
    expect(await files.sound(id)).toBe(url);
    expect(asked('voice.read')).toHaveLength(1);
    files.clear();
    expect(URL.revokeObjectURL).toHaveBeenCalledWith(url);
    expect(files.state(id)).toBeNull();
  });

  it('of another conversation is left aside', () => {
    files.take({ chat: 'comm://b.localhost/ben', message: 'm', state: { stage: 'away' } });
    expect(files.state('m')).toBeNull();
  });
});

describe('an upload', () => {
  const upload = (part: Partial<Upload> = {}): Upload => ({ file: 'u', chat: CHAT, view: { kind: 'other', name: 'a', size: 9, width: null, height: null, durationMs: null, wave: [], preview: null }, text: '', done: 0, trouble: null, at: 1, ...part });

  it('is followed until it is a message', () => {
    files.takeUpload(upload());
    files.takeUpload(upload({ done: 9 }));
    expect(files.uploads.map((one) => one.done)).toEqual([9]);
    files.uploadGone(CHAT, 'u');
    expect(files.uploads).toEqual([]);
  });
});
