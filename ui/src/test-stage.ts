/** Shows the whole interface to a test, with the demo behind it. */
import { render, screen, waitFor } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect } from 'vitest';
import { DemoShell, sceneOf } from './shell/demo';
import Root from './views/Root.svelte';

export const BEN = 'comm://b.localhost/ben';
export const CHIARA = 'comm://studio.example/chiara.conti';
export const DMITRI = 'comm://uni.example/dmitri';
export const chat = (at: string): string => `#/chats/${encodeURIComponent(at)}`;
export const person = (user: string): string => `#/people/${encodeURIComponent(user)}`;

/** Opens a scene at a place, in a window with room for every pane. */
export async function show(scene = '', hash = '#/') {
  Object.defineProperty(window, 'innerWidth', { value: 1280, configurable: true });
  history.replaceState(null, '', hash);
  const shell = new DemoShell(sceneOf(scene));
  const user = userEvent.setup({ delay: null });
  render(Root, { shell });
  return { shell, user };
}

export const shown = (testid: string): Promise<HTMLElement> => screen.findByTestId(testid);
export const gone = (testid: string): Promise<void> => waitFor(() => expect(screen.queryByTestId(testid)).toBeNull());
