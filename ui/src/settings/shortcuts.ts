/** Lists the keys as they are shown; `views/keys.ts` acts on them. */
import type { Key } from '../words/words.svelte';

export interface Shortcut {
  words: Key;
  keys: string[];
}

export const GROUPS: { words: Key; shortcuts: Shortcut[] }[] = [
  {
    words: 'shortcuts.group-everywhere',
    shortcuts: [
      { words: 'shortcuts.palette', keys: ['Ctrl K'] },
      { words: 'shortcuts.settings', keys: ['Ctrl ,'] },
      { words: 'shortcuts.lock', keys: ['Ctrl L'] },
      { words: 'shortcuts.help', keys: ['Ctrl /'] },
      { words: 'shortcuts.regions', keys: ['F6', 'Shift F6'] },
      { words: 'shortcuts.escape', keys: ['Esc'] },
    ],
  },
  {
    words: 'shortcuts.group-chats',
    shortcuts: [
      { words: 'shortcuts.new', keys: ['Ctrl N'] },
      { words: 'shortcuts.filter', keys: ['Ctrl F'] },
      { words: 'shortcuts.search', keys: ['Ctrl Shift F'] },
      { words: 'shortcuts.next', keys: ['Alt ↑', 'Alt ↓'] },
      { words: 'shortcuts.next-unread', keys: ['Alt Shift ↑', 'Alt Shift ↓'] },
      { words: 'shortcuts.place', keys: ['Ctrl 1…9'] },
      { words: 'shortcuts.send', keys: ['Enter'] },
      { words: 'shortcuts.newline', keys: ['Shift Enter'] },
      { words: 'shortcuts.messages', keys: ['↑', '↓'] },
      { words: 'shortcuts.actions', keys: ['Enter'] },
      { words: 'shortcuts.react', keys: ['+'] },
      { words: 'shortcuts.reply', keys: ['R'] },
      { words: 'shortcuts.edit', keys: ['E'] },
      { words: 'shortcuts.edit-last', keys: ['↑'] },
      { words: 'shortcuts.take-back', keys: ['Delete'] },
    ],
  },
  {
    words: 'shortcuts.group-calls',
    shortcuts: [
      { words: 'shortcuts.call', keys: ['Alt Shift C'] },
      { words: 'shortcuts.call-seen', keys: ['Alt Shift Y'] },
      { words: 'shortcuts.accept', keys: ['Alt Shift A'] },
      { words: 'shortcuts.decline', keys: ['Alt Shift D'] },
      { words: 'shortcuts.hangup', keys: ['Alt Shift E'] },
      { words: 'shortcuts.mute', keys: ['M'] },
      { words: 'shortcuts.talk', keys: ['Space'] },
      { words: 'shortcuts.camera', keys: ['V'] },
      { words: 'shortcuts.full-screen', keys: ['F11'] },
      { words: 'shortcuts.hold', keys: ['H'] },
      { words: 'shortcuts.layout', keys: ['G'] },
      { words: 'shortcuts.share', keys: ['S'] },
    ],
  },
];
