/** Speaks to the desktop app; the only file that knows Tauri. */
import { invoke, isTauri } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import { Listeners } from './listeners';
import type { Answers, News, Question, Shell } from './shell';

/** Whether the page is shown by the desktop app. */
export const inDesktopApp = (): boolean => isTauri();

/** Connects to the desktop app. Resolves once news can be heard, so that none is missed. */
export async function tauriShell(): Promise<Shell> {
  const listeners = new Listeners();
  await listen<News>('news', (event) => listeners.tell(event.payload));
  // The app leads to a place of the interface, as when a notice is pressed.
  await listen<string>('go', ({ payload }) => {
    if (payload.startsWith('#/')) location.hash = payload;
  });
  return {
    ask: <Q extends Question>(question: Q) => invoke<Answers[Q['ask']]>('ask', { question }),
    picture: (wish) => invoke<ArrayBuffer>('picture', { wish }),
    hear: (listener) => listeners.add(listener),
    front: () => void invoke('front'),
  };
}
