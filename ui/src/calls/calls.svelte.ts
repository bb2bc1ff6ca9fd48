/** Keeps the calls that go on, the one that rings and the one that just ended. */
import type { CallFigures, CallStage, CallView, PictureOf, ScreenSource, Shell, Trouble } from '../shell/shell';
import { troubleOf } from '../shell/shell';
import type { Announcer } from '../shared/announcer.svelte';
import type { Toasts } from '../shared/toasts.svelte';
import { say } from '../words/words.svelte';

export type StageName = CallStage['at'];

/** How long each stage may take, in seconds (ux, rule 2). */
export const LIMITS: Record<Exclude<StageName, 'connected' | 'reconnecting' | 'ended'>, number> = {
  finding: 10,
  ringing: 45,
  securing: 10,
  connecting: 10,
};

/** Whether the two have begun to speak: what was lost for a moment is looked for meanwhile. */
export const isSpeaking = (stage: CallStage): boolean => stage.at === 'connected' || stage.at === 'reconnecting';

/** What a call is a part of: all calls of a joint one are one talk. */
export const talkOf = (call: CallView): string => call.joint?.id ?? call.call;

/** Whether the person here put it on hold. */
export const restsHere = ({ hold }: CallView): boolean => hold === 'us' || hold === 'both';

/** The address of a call that has been asked for and has none yet. */
export const STARTING = 'starting';

/** Whether the camera is on, or is to be. */
export const isFilming = ({ pictures: { camera } }: CallView): boolean => camera.at === 'on' || camera.at === 'opening';

/** Whether there is a picture to show, of either side. */
export const isSeen = (call: CallView): boolean => isFilming(call) || call.pictures.theirs !== 'off' || call.pictures.screen;

/** Whether something of our screen is shown in it. */
export const isSharing = ({ pictures: { share } }: CallView): boolean => share.at === 'on';

/** The contact inside the app that says again what it hears. */
export const ECHO = 'echo@echo.invalid';

export class Calls {
  all = $state<CallView[]>([]);
  startTrouble = $state<{ trouble: Trouble; user: string; name: string } | null>(null);
  actTrouble = $state<Trouble | null>(null);
  /** In a call of several: who speaks is shown large, or all alike. */
  spotlight = $state(false);
  /** Somebody chooses what of their screen is to be shown. */
  choosing = $state(false);
  #since = $state<Record<string, number>>({});
  #dismissed = new Set<string>();
  #givenUp = false;
  #declined = new Set<string>();
  #accepted = new Set<string>();

  constructor(
    private readonly shell: Shell,
    private readonly announcer: Announcer,
    private readonly toasts: Toasts,
  ) {}

  /** The call that rings here. */
  ringing = $derived.by(() => this.all.find((call) => call.incoming && call.stage.at === 'ringing') ?? null);

  /** The call the person is in, makes, or has just left. */
  active = $derived.by(() => {
    const mine = this.all.filter((call) => !(call.incoming && call.stage.at === 'ringing'));
    const going = mine.filter((call) => call.stage.at !== 'ended');
    const here = going.filter((call) => !restsHere(call));
    return here.find((call) => isSpeaking(call.stage)) ?? here[0] ?? going[0] ?? mine.at(-1) ?? null;
  });

  /** Another call, which rests while one speaks in the active one. */
  resting = $derived.by(() => {
    const { active } = this;
    const others = this.all.filter((call) => call.stage.at !== 'ended' && restsHere(call));
    return others.find((call) => !active || talkOf(call) !== talkOf(active)) ?? null;
  });

  /** The call in which something of our screen is shown, wherever one is in the app. */
  sharing = $derived.by(() => this.all.find((call) => call.stage.at !== 'ended' && isSharing(call)) ?? null);

  /** Whether one more call may begin: the one there is can rest meanwhile. */
  free = $derived.by(() => this.going === null || (isSpeaking(this.going.stage) && this.going.user !== ECHO && this.resting === null));

  /** A call that is not over. */
  going = $derived.by(() => (this.active && this.active.stage.at !== 'ended' ? this.active : null));

  /** The calls of a joint one, and those of it that were lost. */
  legs(call: CallView): CallView[] {
    return this.all.filter((one) => talkOf(one) === talkOf(call));
  }

  find(call: string): CallView | undefined {
    return this.all.find((one) => one.call === call);
  }

  /** When the present stage of a call began, by this device's clock. */
  since(call: string): number {
    return this.#since[call] ?? Date.now();
  }

  async load(): Promise<void> {
    try {
      for (const call of await this.shell.ask({ ask: 'call.list' })) this.take(call);
    } catch {
      // Each call is also told as news when it changes.
    }
  }

  /** Shows the call at once, before the app has answered. */
  async start(user: string, name: string, seen = false): Promise<void> {
    if (!this.free) return;
    this.all = this.all.filter((call) => call.stage.at !== 'ended');
    this.startTrouble = null;
    this.#givenUp = false;
    this.#keep(blank(user, name));
    try {
      const call = await this.shell.ask(user === ECHO ? { ask: 'call.echo' } : { ask: 'call.start', input: { user } });
      this.#drop(STARTING);
      this.take(call);
      if (this.#givenUp) return await this.hangup(call.call);
      if (seen) await this.camera(call.call, true);
    } catch (error) {
      this.#drop(STARTING);
      if (!this.#givenUp) this.startTrouble = { trouble: troubleOf(error), user, name };
    }
  }

  /** The app puts the other call on hold, unless it is to end. */
  async accept(call: string, seen = false, ending = false): Promise<void> {
    const other = ending ? this.going : null;
    const view = this.find(call);
    // Shown at once; the app's own word about the stage follows.
    this.#accepted.add(call);
    if (view) this.#keep({ ...view, stage: { at: 'securing' } });
    if (other && other.call !== call) await this.hangup(other.call);
    this.all = this.all.filter((one) => one.call === call || one.stage.at !== 'ended');
    // Before they hear us they see us, if they are to.
    if (seen) await this.camera(call, true);
    await this.#act(() => this.shell.ask({ ask: 'call.accept', input: { call } }));
    if (!this.actTrouble) return;
    this.#accepted.delete(call);
    if (view) this.#keep(view);
  }

  async decline(call: string): Promise<void> {
    this.#declined.add(call);
    this.#drop(call);
    await this.#act(() => this.shell.ask({ ask: 'call.decline', input: { call } }));
  }

  async hangup(call: string): Promise<void> {
    if (call === STARTING) {
      this.#givenUp = true;
      this.#drop(STARTING);
      return;
    }
    await this.#act(() => this.shell.ask({ ask: 'call.hangup', input: { call } }));
  }

  async mute(call: string, muted: boolean): Promise<void> {
    const view = this.find(call);
    if (!view || call === STARTING) return;
    view.muted = muted;
    await this.#act(() => this.shell.ask({ ask: 'call.mute', input: { call, muted } }));
    if (this.actTrouble) view.muted = !muted;
  }

  /** The muted call in which one speaks as long as a key is held. */
  #talking: string | null = null;
  #spoken: Promise<void> = Promise.resolve();

  /** Lets a muted microphone be heard until [`hush`]. Returns whether it was muted. */
  talk(call: string): boolean {
    if (this.#talking === call) return true;
    const view = this.find(call);
    if (!view?.muted || !isSpeaking(view.stage)) return false;
    this.#talking = call;
    // One after the other, so that a quick press ends muted.
    this.#spoken = this.#spoken.then(() => this.mute(call, false));
    return true;
  }

  /** The key was let go, or the window lost it. */
  hush(): void {
    const call = this.#talking;
    if (call === null) return;
    this.#talking = null;
    this.#spoken = this.#spoken.then(() => this.mute(call, true));
  }

  /** Switches the camera; what comes of it is told as news. */
  async camera(call: string, on: boolean): Promise<void> {
    if (!this.find(call) || call === STARTING) return;
    await this.#act(() => this.shell.ask({ ask: 'call.camera', input: { call, on } }));
  }

  /** What of our screen can be shown, with small pictures. */
  sources(): Promise<ScreenSource[]> {
    return this.shell.ask({ ask: 'screen.sources' });
  }

  /** Shows a screen or a window. */
  share(call: string, source: string): Promise<null> {
    return this.shell.ask({ ask: 'call.share', input: { call, source } });
  }

  async unshare(call: string): Promise<void> {
    await this.#act(() => this.shell.ask({ ask: 'call.unshare', input: { call } }));
  }

  /** Puts a call on hold, or goes on with it; the app lets the other one rest then. */
  async hold(call: string, on: boolean): Promise<void> {
    if (!this.find(call)) return;
    await this.#act(() => this.shell.ask({ ask: 'call.hold', input: { call, on } }));
  }

  /** Asks somebody into a call. */
  async add(call: string, user: string): Promise<void> {
    await this.#act(async () => this.take(await this.shell.ask({ ask: 'call.add', input: { call, user } })));
  }

  /** Calls everybody of a group. */
  async startGroup(chat: string, name: string): Promise<void> {
    if (!this.free) return;
    this.all = this.all.filter((call) => call.stage.at !== 'ended');
    this.startTrouble = null;
    try {
      this.take(await this.shell.ask({ ask: 'call.group', input: { chat } }));
    } catch (error) {
      this.startTrouble = { trouble: troubleOf(error), user: '', name };
    }
  }

  /** The newest picture of a call. */
  picture(call: string, whose: PictureOf, after: number): Promise<ArrayBuffer> {
    return this.shell.picture({ call, whose, after });
  }

  /** Puts the end of a call away. */
  dismiss(call: string): void {
    this.#dismissed.add(call);
    this.#drop(call);
    this.startTrouble = null;
  }

  clear(): void {
    this.all = [];
    this.startTrouble = null;
    this.actTrouble = null;
    this.choosing = false;
    this.#since = {};
    for (const known of [this.#dismissed, this.#declined, this.#accepted]) known.clear();
    this.#givenUp = false;
  }

  /** How the media of a call do; nothing while there are none. */
  async figures(call: string): Promise<CallFigures | null> {
    if (call === STARTING) return null;
    try {
      return await this.shell.ask({ ask: 'call.figures', input: { call } });
    } catch {
      return null;
    }
  }

  take(told: CallView): void {
    const call = told.user === ECHO ? { ...told, name: say('echo.name') } : told;
    const before = this.find(call.call);
    const starting = this.find(STARTING);
    if (starting && !call.incoming && starting.user === call.user) this.#drop(STARTING);
    if (call.stage.at === 'ended') return this.#takeEnd(call, before);
    if (this.#declined.has(call.call)) return;
    // Who comes again was lost before.
    if (call.joint) this.all = this.all.filter((one) => !(one.stage.at === 'ended' && one.user === call.user && talkOf(one) === talkOf(call)));
    if (call.stage.at === 'ringing' && this.#accepted.has(call.call)) return;
    this.#keep(call);
    if (before?.stage.at !== call.stage.at) this.#tell(call);
    if (before && before.pictures.screen !== call.pictures.screen) this.announcer.say(say(call.pictures.screen ? 'share.theirs' : 'share.theirs-over', { name: call.name }));
  }

  #takeEnd(call: CallView, before: CallView | undefined): void {
    if (this.#declined.has(call.call) || this.#dismissed.has(call.call) || !before) return this.#drop(call.call);
    const neverTaken = before.incoming && before.stage.at === 'ringing';
    if (neverTaken) {
      this.#drop(call.call);
      const elsewhere = call.stage.at === 'ended' && call.stage.reason === 'elsewhere';
      this.toasts.say(elsewhere ? say('end.elsewhere') : say('end.missed', { name: call.name }));
      return;
    }
    const others = this.legs(call).some((one) => one.call !== call.call && one.stage.at !== 'ended');
    if (call.joint && others) return this.#takeLeft(call, before);
    if (before.stage.at !== 'ended') this.#tell(call);
    this.all = this.all.filter((one) => one.call === call.call || talkOf(one) !== talkOf(call));
    this.#keep(call);
  }

  /** One of several is gone. Whoever was lost stays to be seen, so that they can be asked again. */
  #takeLeft(call: CallView, before: CallView): void {
    const spoke = isSpeaking(before.stage);
    if (spoke) this.announcer.say(say('call.left', { name: call.name }));
    const reason = call.stage.at === 'ended' ? endOf(call.stage.reason) : 'failed';
    if (LOST.has(reason)) this.#keep(call);
    else this.#drop(call.call);
  }

  #keep(call: CallView): void {
    const at = this.all.findIndex((one) => one.call === call.call);
    if (at < 0 || this.all[at]!.stage.at !== call.stage.at) this.#since[call.call] = Date.now();
    if (at < 0) this.all = [...this.all, call];
    else this.all[at] = call;
  }

  #drop(call: string): void {
    this.all = this.all.filter((one) => one.call !== call);
  }

  #tell(call: CallView): void {
    const { name, stage } = call;
    if (stage.at === 'ended') this.announcer.call(endTitle(stage.reason, name));
    else if (call.incoming && stage.at === 'ringing') this.announcer.call(say(call.joint ? 'call.incoming-group' : 'call.incoming', { name }));
    else if (call.joint && stage.at === 'connected') this.announcer.say(say('call.joined', { name }));
    else this.announcer.say(say(`call.stage-${stage.at}`));
  }

  async #act(question: () => Promise<unknown>): Promise<void> {
    this.actTrouble = null;
    try {
      await question();
    } catch (error) {
      this.actTrouble = troubleOf(error);
    }
  }
}

const KNOWN_ENDS = [
  'hung-up', 'declined', 'busy', 'no-answer', 'offline', 'not-permitted', 'fingerprint-mismatch', 'dropped', 'elsewhere',
  'failed-finding', 'failed-ringing', 'failed-securing', 'failed-connecting',
] as const;
type End = (typeof KNOWN_ENDS)[number];

/** The path to them is lost, and they may still be there for others. */
const LOST = new Set<End | 'failed'>(['dropped', 'fingerprint-mismatch', 'failed', 'failed-finding', 'failed-ringing', 'failed-securing', 'failed-connecting', 'not-permitted', 'offline']);

/** The reason as the catalogue knows it; `failed-<stage>-<why>` is known by its stage. */
export const endOf = (reason: string): End | 'failed' => {
  const exact = KNOWN_ENDS.find((known) => known === reason);
  return exact ?? KNOWN_ENDS.find((known) => known.startsWith('failed-') && reason.startsWith(`${known}-`)) ?? 'failed';
};

export const endTitle = (reason: string, name: string): string => say(`end.${endOf(reason)}`, { name });

export function endHint(reason: string, name: string): string | null {
  const end = endOf(reason);
  return end === 'hung-up' ? null : say(`end.${end}-hint`, { name });
}

function blank(user: string, name: string): CallView {
  return {
    call: STARTING, user, name, identity: null, code: null, incoming: false, stage: { at: 'finding' },
    connectedAt: null, muted: false, theirMuted: false, inputLevel: 0, outputLevel: 0, microphone: '',
    pictures: { camera: { at: 'off' }, theirs: 'off', share: { at: 'off' }, screen: false }, hold: 'no', joint: null,
  };
}
