/** Chooses initials and a colour for a person, always the same for the same address. */

const N_FACES = 6;

export function face(user: string): number {
  let sum = 0;
  for (const char of user) sum = (sum * 31 + char.codePointAt(0)!) >>> 0;
  return (sum % N_FACES) + 1;
}

export function initials(name: string): string {
  const words = name.split('@')[0]!.split(/[\s._-]+/).filter(Boolean);
  const first = [...(words[0] ?? '?')][0]!;
  const last = words.length > 1 ? [...words.at(-1)!][0]! : '';
  return (first + last).toLocaleUpperCase();
}
