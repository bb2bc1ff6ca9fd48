/** Keeps what is known of files: those picked, those on their way out, and how far those of messages are. */
import { SvelteMap } from 'svelte/reactivity';
import type { ChatMessage, FileBytes, FileNews, FileState, Question, Shell, Trouble, Upload } from '../shell/shell';
import { troubleOf } from '../shell/shell';
import { Waiting } from '../shared/waiting.svelte';
import { fromBase64, mayDraw, sniff, toBase64 } from './bytes';

/** The largest file that goes through a Node; a larger one comes from this device itself. */
export const LARGEST = 64 * 1024 * 1024;
/** Files that are sent at once. */
export const MOST_FILES = 10;

/** A file that was picked, dropped or pasted, before it is sent. */
export interface Picked {
  key: number;
  name: string;
  size: number;
  file: File;
  /** Where its picture is, if it is one that is drawn. */
  url: string | null;
}

export class Files {
  /** What was picked for the open conversation. */
  picked = $state<Picked[]>([]);
  /** More were picked than are sent at once. */
  tooMany = $state(false);
  uploads = $state<Upload[]>([]);
  /** The picture that is shown large. */
  viewing = $state<ChatMessage | null>(null);
  /** What is shown of all files of the conversation. */
  gallery = $state<ChatMessage[] | null>(null);
  galleryBefore = $state<number | null>(null);
  /** How many bytes of a file were handed over, of how many. */
  handing = $state<{ done: number; size: number } | null>(null);
  handover = new Waiting();
  acting = new Waiting();
  looking = new Waiting();
  /** Where the last file was saved. */
  saved = $state<string | null>(null);
  #states = new SvelteMap<string, FileState>();
  #urls = new SvelteMap<string, string>();
  #asked = new Set<string>();
  #chat: string | null = null;
  #next = 0;

  constructor(private readonly shell: Shell) {}

  async open(chat: string): Promise<void> {
    this.clear();
    this.#chat = chat;
    try {
      const uploads = await this.shell.ask({ ask: 'file.uploads', input: { chat } });
      if (this.#chat === chat) this.uploads = uploads;
    } catch {
      // News of each upload comes as it goes on.
    }
  }

  clear(): void {
    this.unpick();
    for (const url of this.#urls.values()) URL.revokeObjectURL(url);
    this.#urls.clear();
    this.#states.clear();
    this.#asked.clear();
    this.#chat = null;
    this.uploads = [];
    this.viewing = null;
    this.gallery = null;
    this.galleryBefore = null;
    this.handing = null;
    this.saved = null;
    for (const waiting of [this.handover, this.acting, this.looking]) waiting.reset();
  }

  /** Takes files to look at before they are sent. */
  async pick(files: Iterable<File>): Promise<void> {
    const all = [...files];
    this.tooMany = this.picked.length + all.length > MOST_FILES;
    for (const file of all.slice(0, MOST_FILES - this.picked.length)) {
      const type = sniff(new Uint8Array(await file.slice(0, 16).arrayBuffer()));
      const url = type && file.size <= LARGEST ? URL.createObjectURL(new Blob([file], { type })) : null;
      this.picked = [...this.picked, { key: (this.#next += 1), name: file.name, size: file.size, file, url }];
    }
  }

  /** Leaves one out, or all. */
  unpick(key?: number): void {
    for (const one of this.picked) if ((key === undefined || one.key === key) && one.url) URL.revokeObjectURL(one.url);
    this.picked = key === undefined ? [] : this.picked.filter((one) => one.key !== key);
    this.tooMany = false;
    if (this.picked.length === 0) this.handover.reset();
  }

  /** Hands the picked files over and sends them; the words go with the first. Says whether all went. */
  async send(chat: string, text: string, reply: string | null): Promise<boolean> {
    let words = text.trim();
    while (this.picked[0]) {
      const one = this.picked[0];
      const upload = await this.handover.run(() => this.#handOver(chat, one, words, reply));
      this.handing = null;
      if (!upload) return false;
      this.takeUpload(upload);
      this.unpick(one.key);
      words = '';
    }
    return true;
  }

  async #handOver(chat: string, one: Picked, text: string, reply: string | null): Promise<Upload> {
    const { file, name, size } = one;
    this.handing = { done: 0, size };
    const ticket = await this.shell.ask({ ask: 'file.begin', input: { chat, name, media: file.type, size } });
    try {
      for (let at = 0; at < size; at += ticket.partBytes) {
        const part = new Uint8Array(await file.slice(at, at + ticket.partBytes).arrayBuffer());
        await this.shell.ask({ ask: 'file.part', input: { file: ticket.file, data: toBase64(part) } });
        this.handing = { done: Math.min(size, at + part.length), size };
      }
      return await this.shell.ask({ ask: 'file.send', input: { file: ticket.file, text, reply } });
    } catch (error) {
      this.shell.ask({ ask: 'file.drop', input: { file: ticket.file } }).catch(() => {
        // It went already.
      });
      throw error;
    }
  }

  /** How far a message's file is; asked for when it is first looked at. */
  state(message: string): FileState | null {
    return this.#states.get(message) ?? null;
  }

  look(message: string): void {
    if (this.#asked.has(message)) return;
    this.#asked.add(message);
    void this.#ask({ ask: 'file.look', input: { message } });
  }

  get(message: string): Promise<void> {
    return this.#ask({ ask: 'file.get', input: { message } });
  }

  stop(message: string): Promise<void> {
    return this.#ask({ ask: 'file.stop', input: { message } });
  }

  async #ask(question: Extract<Question, { ask: 'file.look' | 'file.get' | 'file.stop' }>): Promise<void> {
    const { message } = question.input;
    try {
      this.#states.set(message, (await this.shell.ask(question)) as FileState);
    } catch (error) {
      this.#states.set(message, { stage: 'failed', code: troubleOf(error).code });
    }
  }

  /** Where a picture that is here can be drawn from; nothing that is not on the list. */
  async picture(message: string): Promise<string | null> {
    const state = this.#states.get(message);
    if (state?.stage !== 'here' || !mayDraw(state.shown)) return null;
    return this.#url(message, state.shown, (part) => this.shell.ask({ ask: 'file.read', input: { message, part } }));
  }

  /** Where a voice note that is here can be heard from. */
  sound(message: string): Promise<string | null> {
    return this.#url(message, 'audio/wav', (part) => this.shell.ask({ ask: 'voice.read', input: { message, part } }));
  }

  async #url(message: string, type: string, read: (part: number) => Promise<FileBytes>): Promise<string | null> {
    const known = this.#urls.get(message);
    if (known) return known;
    const chat = this.#chat;
    try {
      const parts: Uint8Array<ArrayBuffer>[] = [];
      for (let part = 0, all = 1; part < all; part += 1) {
        const bytes = await read(part);
        all = bytes.parts;
        parts.push(fromBase64(bytes.data));
      }
      if (this.#chat !== chat) return null;
      const url = this.#urls.get(message) ?? URL.createObjectURL(new Blob(parts, { type }));
      this.#urls.set(message, url);
      return url;
    } catch (error) {
      this.#states.set(message, { stage: 'failed', code: troubleOf(error).code });
      return null;
    }
  }

  async save(message: string): Promise<void> {
    const written = await this.acting.run(() => this.shell.ask({ ask: 'file.save', input: { message, folder: null } }));
    if (written) this.saved = written.path;
  }

  async drop(file: string): Promise<void> {
    await this.acting.run(() => this.shell.ask({ ask: 'file.drop', input: { file } }));
  }

  async resume(file: string): Promise<void> {
    await this.acting.run(() => this.shell.ask({ ask: 'file.resume', input: { file } }));
  }

  /** Shows the files of the conversation, the newest first. */
  async openGallery(): Promise<void> {
    const chat = this.#chat;
    if (chat === null) return;
    const before = this.gallery === null ? null : this.galleryBefore;
    const page = await this.looking.run(() => this.shell.ask({ ask: 'file.gallery', input: { chat, before } }));
    if (!page || this.#chat !== chat) return;
    this.gallery = [...(this.gallery ?? []), ...page.messages];
    this.galleryBefore = page.before;
  }

  closeGallery(): void {
    this.gallery = null;
    this.galleryBefore = null;
  }

  take(news: FileNews): void {
    if (news.chat === this.#chat) this.#states.set(news.message, news.state);
  }

  takeUpload(upload: Upload): void {
    if (upload.chat !== this.#chat) return;
    const at = this.uploads.findIndex((one) => one.file === upload.file);
    if (at >= 0) this.uploads[at] = upload;
    else this.uploads = [...this.uploads, upload];
  }

  uploadGone(chat: string, file: string): void {
    if (chat === this.#chat) this.uploads = this.uploads.filter((one) => one.file !== file);
  }
}

/** A code as a trouble, for its sentence. */
export const troubleFor = (code: string): Trouble => ({ code, detail: code });
