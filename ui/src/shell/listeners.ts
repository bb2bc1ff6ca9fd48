/** Keeps the listeners of a shell and tells them the news. */
import type { News } from './shell';

export class Listeners {
  #all = new Set<(news: News) => void>();

  add(listener: (news: News) => void): () => void {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  tell(news: News): void {
    for (const listener of [...this.#all]) listener(news);
  }
}
