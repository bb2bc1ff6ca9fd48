/** Names the pages of the settings. */
export const PAGES = ['you', 'identities', 'devices', 'privacy', 'security', 'history', 'notices', 'sound', 'appearance', 'modules', 'shortcuts', 'about'] as const;
export type Page = (typeof PAGES)[number];
export const pageOf = (id: string | null): Page | null => PAGES.find((page) => page === id) ?? null;
