/** Finds people by what is typed of their name or address. */
export function matching(typed: string): (one: { name: string; user: string }) => boolean {
  const wanted = typed.trim().toLocaleLowerCase();
  return ({ name, user }) => `${name} ${user}`.toLocaleLowerCase().includes(wanted);
}
