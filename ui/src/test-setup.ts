/** Gives jsdom the few things of a browser that the interface needs. */
import '@testing-library/jest-dom/vitest';
import { configure } from '@testing-library/svelte';

// Long enough for a busy machine; what is there is found at once.
configure({ asyncUtilTimeout: 15_000 });

// jsdom has the element but not the methods that show it.
HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) {
  this.setAttribute('open', '');
};
HTMLDialogElement.prototype.close ??= function (this: HTMLDialogElement) {
  this.removeAttribute('open');
};
Element.prototype.scrollIntoView ??= () => {};
window.matchMedia ??= ((query: string) => ({
  matches: false, media: query, onchange: null,
  addEventListener: () => {}, removeEventListener: () => {}, addListener: () => {}, removeListener: () => {}, dispatchEvent: () => false,
})) as typeof window.matchMedia;
