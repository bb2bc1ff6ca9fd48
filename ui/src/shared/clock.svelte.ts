/** Tells the time to whatever shows it, once a second while something listens. */
import { createSubscriber } from 'svelte/reactivity';

const EACH_MS = 1_000;

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, EACH_MS);
  return () => clearInterval(timer);
});

/** Now in Unix milliseconds; inside a component it is read again each second. */
export function now(): number {
  subscribe();
  return Date.now();
}
