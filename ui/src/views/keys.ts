/** Acts on the keys that hold everywhere. */
import { ECHO, isFilming, isSpeaking, restsHere } from '../calls/calls.svelte';
import { toggleFullScreen } from '../calls/full-screen';
import type { CallView } from '../shell/shell';
import { takesSpace, takesText, walkRegions } from '../shared/focus';
import type { App } from './app.svelte';

const MAC = /Mac/.test(navigator.platform);

const main = (event: KeyboardEvent): boolean => (MAC ? event.metaKey : event.ctrlKey);

/** Returns whether the key was taken. */
export function takeKey(app: App, event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.isComposing) return false;
  if (event.key === 'F6') {
    walkRegions(event.shiftKey ? -1 : 1);
    return true;
  }
  if (app.state?.stage !== 'ready') return false;
  if (event.key === 'F11' && app.route.place.section === 'call') {
    toggleFullScreen();
    return true;
  }
  // Whoever leaves the computer must not have to close a dialog first.
  if (main(event) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === 'l') {
    void app.lockNow();
    return true;
  }
  // A dialog keeps all keys to itself but those of a call.
  if (document.querySelector('dialog[open]')) {
    return event.altKey && event.shiftKey && !main(event) && callKey(app, event);
  }
  if (event.altKey && event.shiftKey && !main(event)) return callKey(app, event) || unreadKey(app, event);
  if (event.altKey && !main(event)) return chatKey(app, event, false);
  if (main(event) && !event.altKey) return mainKey(app, event);
  if (event.key === 'Escape') return closeLayer(app);
  return plainKey(app, event);
}

function mainKey(app: App, event: KeyboardEvent): boolean {
  if (/^[1-9]$/.test(event.key) && !event.shiftKey) {
    const chat = app.chats.shown[Number(event.key) - 1];
    if (chat) app.openChat(chat.chat);
    return chat !== undefined;
  }
  switch (event.key.toLowerCase()) {
    case 'k':
      app.layer = 'palette';
      return true;
    case 'n':
      app.find.open('chat');
      return true;
    case 'f':
      if (!event.shiftKey) return filterKey(app);
      app.openSearch();
      return true;
    case ',':
      app.route.go('settings', 'appearance');
      return true;
    case '/':
      app.layer = 'shortcuts';
      return true;
    default:
      return false;
  }
}

function filterKey(app: App): boolean {
  if (app.route.place.section === 'settings') app.route.go('chats');
  const field = document.querySelector<HTMLInputElement>('[data-list-filter]');
  field?.focus();
  field?.select();
  return field !== null;
}

function callKey(app: App, event: KeyboardEvent): boolean {
  const { ringing, going } = app.calls;
  switch (event.code) {
    case 'KeyC': {
      const chat = app.conversation.summary;
      if (chat?.contact !== 'accepted' || !app.calls.free) return false;
      if (chat.group) void app.callGroup(chat.chat, chat.name);
      else void app.call(chat.user, chat.name);
      return true;
    }
    case 'KeyY': {
      const chat = app.conversation.summary;
      if (chat?.contact !== 'accepted' || chat.group || !app.calls.free) return false;
      void app.call(chat.user, chat.name, true);
      return true;
    }
    case 'KeyA':
      if (ringing) void app.accept(ringing.call);
      return ringing !== null;
    case 'KeyD':
      if (ringing) void app.calls.decline(ringing.call);
      return ringing !== null;
    case 'KeyE':
      if (going) void app.calls.hangup(going.call);
      return going !== null;
    default:
      return false;
  }
}

const unreadKey = (app: App, event: KeyboardEvent): boolean => chatKey(app, event, true);

function chatKey(app: App, event: KeyboardEvent, unreadOnly: boolean): boolean {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
  if (step === 0) return false;
  const open = app.route.place.section === 'chats' ? app.route.place.id : null;
  const next = app.chats.neighbour(open, step, unreadOnly);
  if (next) app.openChat(next);
  return true;
}

/** Esc closes one layer: filter, context, then, where there is one pane, the pane. */
function closeLayer(app: App): boolean {
  if (app.context && app.route.place.section === 'chats') {
    app.context = false;
    return true;
  }
  if (app.route.place.section === 'call') {
    app.leaveCall();
    return true;
  }
  if (app.narrow && app.route.place.id !== null) {
    app.route.go(app.route.place.section);
    return true;
  }
  return false;
}

/** H goes back to who waits, or lets the call rest, or goes on with it. */
function holdKey(app: App, going: CallView): Promise<void> {
  const { resting } = app.calls;
  return resting ? app.calls.hold(resting.call, false) : app.calls.hold(going.call, !restsHere(going));
}

/** A key was let go. */
export function releaseKey(app: App, event: KeyboardEvent): void {
  if (event.key === ' ') app.calls.hush();
}

/** S chooses what of the screen is shown, or ends it. */
function shareKey(app: App, going: CallView): void {
  const { sharing } = app.calls;
  if (sharing) void app.calls.unshare(sharing.call);
  else app.calls.choosing = going.user !== ECHO;
}

function plainKey(app: App, event: KeyboardEvent): boolean {
  if (takesText(event.target) || event.key.length !== 1) return false;
  const { going } = app.calls;
  if (app.route.place.section === 'call') {
    // A button that has the focus takes Space for itself.
    if (event.key === ' ') return going !== null && !takesSpace(event.target) && app.calls.talk(going.call);
    const key = event.key.toLowerCase();
    if (!going || (key !== 'v' && !isSpeaking(going.stage)) || !['m', 'v', 'h', 'g', 's'].includes(key)) return false;
    if (key === 'h') void holdKey(app, going);
    else if (key === 's') shareKey(app, going);
    else if (key === 'g') app.calls.spotlight = !app.calls.spotlight;
    else if (key === 'm') void app.calls.mute(going.call, !going.muted);
    else void app.calls.camera(going.call, !isFilming(going));
    return true;
  }
  // Typing anywhere goes to the composer; the letter itself lands there by the focus.
  if (event.key !== ' ' && app.route.place.section === 'chats') {
    document.querySelector<HTMLTextAreaElement>('[data-composer]')?.focus();
  }
  return false;
}
