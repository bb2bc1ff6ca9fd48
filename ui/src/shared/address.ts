/** Reads addresses that people type: `name@domain` and domains. */

const NAME = /^[a-z0-9](?:[a-z0-9.\-_]{0,62}[a-z0-9])?$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const LONGEST_DOMAIN = 253;

export function isDomain(text: string): boolean {
  const labels = text.split('.');
  return text.length <= LONGEST_DOMAIN && labels.every((label) => LABEL.test(label)) && labels.length > 1;
}

export const isLocalName = (text: string): boolean => NAME.test(text);

/** `name@domain` in lower case from what was typed or pasted, or `null`. */
export function readAddress(typed: string): string | null {
  const text = typed.trim().toLowerCase();
  const asUrl = /^user:\/\/([^/]+)\/(.+)$/.exec(text);
  const [name, domain, rest] = asUrl ? [asUrl[2], asUrl[1]] : text.split('@');
  if (rest !== undefined || !name || !domain) return null;
  return isLocalName(name) && isDomain(domain) ? `${name}@${domain}` : null;
}

/** A contact link: `parlance:name@domain?code=…`. */
const LINK = /^parlance:([^?]+)\?code=([A-Za-z0-9_-]+)$/;

export const isLink = (typed: string): boolean => LINK.test(typed.trim());

/** A link into a group: `parlance:name@domain?group=…`. Whether it is a true one, the core says. */
export const isGroupLink = (typed: string): boolean => /^parlance:[^?\s]+\?group=\S+$/.test(typed.trim());

/** Whom an address or a contact link is of, or `null`. */
export function readContact(typed: string): string | null {
  const link = LINK.exec(typed.trim());
  return readAddress(link ? link[1]! : typed);
}

export const domainOf = (user: string): string => user.slice(user.lastIndexOf('@') + 1);

export const localPartOf = (user: string): string => user.slice(0, Math.max(0, user.lastIndexOf('@')));

/** Host of an issuer's URL, or the text itself. */
export function hostOf(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

/** Hosts that never leave this machine, as a URL writes them. */
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** Whether an issuer may be asked: https, or http on this very machine. */
export function isIssuerUrl(text: string): boolean {
  try {
    const url = new URL(text.trim());
    const here = LOOPBACK.includes(url.hostname) || url.hostname.endsWith('.localhost');
    return url.protocol === 'https:' || (url.protocol === 'http:' && here);
  } catch {
    return false;
  }
}
