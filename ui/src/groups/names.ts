/** How people are called in a conversation, of two or of several. */
import type { ChatSummary } from '../shell/shell';

/** Of a conversation of two it is the other's name; in a group whoever is or was in it. */
export function nameIn(summary: ChatSummary | null | undefined, user: string): string {
  if (!summary) return user;
  return summary.group ? (summary.group.names[user] ?? user) : summary.name;
}
