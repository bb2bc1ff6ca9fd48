/** Finds the shell this page runs in and shows the app. */
import '@fontsource-variable/inter/wght.css';
import './design/tokens.css';
import './design/base.css';
import { mount } from 'svelte';
import { BrowserShell, keyless, takeToken } from './shell/browser';
import type { Shell } from './shell/shell';
import { inDesktopApp, tauriShell } from './shell/tauri';
import Root from './views/Root.svelte';

async function chooseShell(): Promise<Shell> {
  const asked = new URLSearchParams(location.search).get('demo');
  if ((import.meta.env.DEV || import.meta.env.MODE === 'demo') && asked !== null) {
    const { DemoShell } = await import('./shell/demo');
    return DemoShell.forPage(asked);
  }
  if (inDesktopApp()) return tauriShell();
  const token = takeToken(location, history, sessionStorage);
  if (token === null) return keyless;
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  return new BrowserShell(`${scheme}://${location.host}/shell?token=${encodeURIComponent(token)}`);
}

mount(Root, { target: document.getElementById('app')!, props: { shell: await chooseShell() } });
