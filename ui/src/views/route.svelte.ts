/** Keeps the place the person is at in the address: `#/chats/<chat>`, `#/people/<user>`, `#/ring/<call>` …. */

export type Section = 'chats' | 'people' | 'calls' | 'settings' | 'call' | 'ring' | 'small';

const SECTIONS: readonly string[] = ['chats', 'people', 'calls', 'settings', 'call', 'ring', 'small'];

export interface Place {
  section: Section;
  /** The chat, person, settings page or call; `null` for the bare section. */
  id: string | null;
}

export function readPlace(hash: string): Place {
  const [section = '', id = ''] = hash.replace(/^#?\/?/, '').split('/');
  if (!SECTIONS.includes(section)) return { section: 'chats', id: null };
  let decoded: string;
  try {
    decoded = decodeURIComponent(id);
  } catch {
    decoded = '';
  }
  return { section: section as Section, id: decoded || null };
}

export const writePlace = ({ section, id }: Place): string =>
  `#/${section}${id === null ? '' : `/${encodeURIComponent(id)}`}`;

export class Route {
  place = $state<Place>(readPlace(location.hash));

  /** Follows the address until the returned function is called. */
  follow(): () => void {
    const read = () => (this.place = readPlace(location.hash));
    window.addEventListener('hashchange', read);
    return () => window.removeEventListener('hashchange', read);
  }

  /** Takes whom one was with out of the address; a window that only rings, or is small, stays one. */
  forget(): void {
    if (this.place.section === 'ring' || this.place.section === 'small' || (this.place.section !== 'settings' && this.place.id === null)) return;
    this.place = { section: 'chats', id: null };
    history.replaceState(null, '', writePlace(this.place));
  }

  go(section: Section, id: string | null = null): void {
    this.place = { section, id };
    const hash = writePlace(this.place);
    if (location.hash !== hash) location.hash = hash;
  }
}
