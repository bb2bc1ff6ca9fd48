/** Keeps the card of the link that is being written: offered, on its way, or going along with the message. */
import type { LinkPreview, Settings, Shell } from '../shell/shell';
import { troubleOf } from '../shell/shell';
import { linksOf } from './markdown';

/** What stands above the field. */
export type Stage =
  | { is: 'offered' | 'loading'; url: string; host: string }
  | { is: 'there'; url: string; card: LinkPreview };

/** A link that something follows is written; one at the end may still grow. */
const WRITTEN_PAUSE_MS = 300;
const GROWING_PAUSE_MS = 1_200;
/** Links that are refused in one draft; of more the oldest is offered again. */
const MOST_REFUSED = 32;

/** Whether a link may have a card; the app looks more closely and refuses the rest. */
export function mayHaveCard(url: string): boolean {
  const { protocol, port, hostname } = new URL(url);
  return protocol === 'https:' && port === '' && hostname.includes('.') && !/^[\d.]+$/.test(hostname);
}

export class Previews {
  stage = $state<Stage | null>(null);
  /** Links whose card was taken away or could not be made. */
  #refused: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly shell: Shell,
    private readonly wish: () => Settings['linkPreviews'],
  ) {}

  /** The link whose card goes along with these words. */
  along(text: string): string | null {
    return this.stage?.is === 'there' && linksOf(text).includes(this.stage.url) ? this.stage.url : null;
  }

  /** Looks at what is written. */
  look(text: string): void {
    clearTimeout(this.#timer);
    const links = this.wish() === 'never' ? [] : linksOf(text);
    if (this.stage && links.includes(this.stage.url)) return;
    this.stage = null;
    const url = links.find((one) => mayHaveCard(one) && !this.#refused.includes(one));
    if (url === undefined) return;
    const growing = /\S$/.test(text) && links.at(-1) === url;
    this.#timer = setTimeout(() => this.#found(url), growing ? GROWING_PAUSE_MS : WRITTEN_PAUSE_MS);
  }

  #found(url: string): void {
    this.stage = { is: 'offered', url, host: new URL(url).host };
    if (this.wish() === 'always') void this.make();
  }

  /** Asks the app to visit the page. What fails is a message without a card. */
  async make(): Promise<void> {
    if (this.stage?.is !== 'offered') return;
    const { url, host } = this.stage;
    this.stage = { is: 'loading', url, host };
    const mine = () => this.stage?.is === 'loading' && this.stage.url === url;
    try {
      const card = await this.shell.ask({ ask: 'link.preview', input: { url } });
      if (mine()) this.stage = { is: 'there', url, card };
    } catch (error) {
      if (!mine()) return;
      // Nobody is asked twice for what they do not give; one who was too busy may be.
      if (troubleOf(error).code !== 'too-many') this.#refuse(url);
      this.stage = null;
    }
  }

  /** The message goes without a card. */
  takeAway(): void {
    if (this.stage) this.#refuse(this.stage.url);
    this.stage = null;
  }

  /** The draft is gone. */
  clear(): void {
    clearTimeout(this.#timer);
    this.stage = null;
    this.#refused = [];
  }

  #refuse(url: string): void {
    this.#refused = [...this.#refused, url].slice(-MOST_REFUSED);
  }
}
