/** Moves the keyboard focus: roving tab stops, regions, the first thing of a screen. */

export interface Roving {
  /** Which elements take part. */
  items: string;
  /** Called when an item becomes the tab stop by keyboard. */
  onmove?: (item: HTMLElement) => void;
  /** Which item has the tab stop at first. */
  start?: 'first' | 'last';
}

/** One tab stop for a whole list; arrows, Home and End move inside it. */
export function roving(list: HTMLElement, options: Roving) {
  let now = options;
  const items = () => [...list.querySelectorAll<HTMLElement>(now.items)];

  const keepOneStop = () => {
    const all = items();
    if (all.length === 0) return;
    const held = all.filter((item) => item.tabIndex === 0);
    const marked = all.find((item) => item.getAttribute('aria-current') === 'true');
    const stop = held.at(-1) ?? marked ?? (now.start === 'last' ? all.at(-1) : all[0]);
    for (const item of all) item.tabIndex = item === stop ? 0 : -1;
  };

  const stopAt = (item: HTMLElement) => {
    for (const other of items()) other.tabIndex = other === item ? 0 : -1;
  };

  const onkeydown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const all = items();
    const at = all.indexOf((event.target as HTMLElement).closest<HTMLElement>(now.items)!);
    if (at < 0 || event.target !== all[at]) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    const next = to === undefined ? undefined : all[to];
    if (!next) return;
    event.preventDefault();
    stopAt(next);
    next.focus();
    next.scrollIntoView?.({ block: 'nearest' });
    now.onmove?.(next);
  };

  const onfocusin = (event: FocusEvent) => {
    const item = (event.target as HTMLElement).closest<HTMLElement>(now.items);
    if (item && list.contains(item)) stopAt(item);
  };

  keepOneStop();
  const watcher = new MutationObserver(keepOneStop);
  watcher.observe(list, { childList: true, subtree: true });
  list.addEventListener('keydown', onkeydown);
  list.addEventListener('focusin', onfocusin);
  return {
    update(next: Roving) {
      now = next;
      keepOneStop();
    },
    destroy() {
      watcher.disconnect();
      list.removeEventListener('keydown', onkeydown);
      list.removeEventListener('focusin', onfocusin);
    },
  };
}

const FOCUSABLE =
  'button:not([disabled]), a[href], input:not([disabled]), textarea:not([disabled]), select:not([disabled]), [tabindex="0"]';

/** The first thing inside that takes the focus. */
export const firstFocusable = (inside: HTMLElement): HTMLElement | null =>
  inside.querySelector<HTMLElement>(FOCUSABLE);

/** F6 and Shift F6: to the next or previous region that is shown. */
export function walkRegions(step: 1 | -1): void {
  const regions = [...document.querySelectorAll<HTMLElement>('[data-region]')].filter(
    (region) => region.offsetParent !== null || region.getClientRects().length > 0,
  );
  if (regions.length === 0) return;
  const here = regions.findIndex((region) => region.contains(document.activeElement));
  const next = regions[(here + step + regions.length) % regions.length]!;
  const preferred = next.querySelector<HTMLElement>('[data-region-focus]');
  (preferred ?? firstFocusable(next) ?? next).focus();
}

/** Focuses an element when it appears. */
export function focusFirst(element: HTMLElement, when: boolean = true) {
  if (when) queueMicrotask(() => element.focus({ preventScroll: true }));
}

/** Whether Space presses it. */
export const takesSpace = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest('button, a, summary, [role="button"], [role="switch"], [role="slider"], [role="tab"]') !== null;

/** Whether keys typed here belong to the place itself. */
export function takesText(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
