/** Cards of links as the demo makes them. */
import type { DemoWorld } from './demo-world';
import type { LinkPreview } from './shell';

/** A small picture: hills in the evening. */
const PICTURE =
  '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2' +
  'NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/wAARCAB4AHgDASIAAhEBAxEB/8QAGgABAQADAQEAAAAAAAAAAAAAAAIEBQYDAf/EADEQAAICAgAEAwUHBQAAAAAA' +
  'AAARAQIDBAUxQVESISITFDJhkQYjUnGBwdFCcqHh8f/EABkBAQADAQEAAAAAAAAAAAAAAAACAwQBBf/EABwRAQEBAQEBAQEBAAAAAAAAAAARAQIDIRIxBP/aAAwDAQACEQMRAD8Aw0EUgjRWeJQRSC' +
  'FIlBFIIUiUEUghSJQRSCFIlBFIIUiUEUghSJQKQFIpBFIIrqyJQRSCFIlBFIIUiUEUghSJQRSKpjvktFaVm1p5REORSPNBGdHCt2a+L3ey+cw/oY2XDkw28OWlqW7WhD9Yfl5IIpBCkSgUgKRSCKQR' +
  'XU4lBFIIUiUEUghSJQRSCFIvW17bOemKnxWn6HVaeni08UUxV8+tusmp+z2OJzZsnWtYiP1/4b4r76vxZzgeWxr4tnFOPLSLVn/H5HqCCTkd7Ttp7M4p8451nvBjI6D7Q44nBiydYt4frH+jQou56u' +
  'Ktz6lApA7XItBFIIrqyJQRSCFIlBFIIUiUEUghSM7gmaMW5NLSoyQv16HRHHx5S4k3Olxevhim03H9cRz/ADI67jbgx43dWa+L2+Nf3ef0MPa4xjpWa6/rv+KYUQcdeHHs0WvjwVn4fVb9jUIu9rXv' +
  'NrzM2mXMyfETzYjEoFICkUgikEV1OJQRSMfd2I1sLj47eVYO5d2Yb8yvSt6XtatbRM1lTHYpHP4s18WX2lLT4ur6m71NqmzRx5WjnXsWd8bz9Q47zp6oIpBFVTiUEUghSJQRSIx5ceSbRS8WmsqV0O' +
  '0j6gikEcpEoFICkUgikEV1ZEXtWlJvaVWIcyc9tbFtnNN58o5VjtBmcW2/Hb3ek+ms+qY6z2NabPHiZ+tZfXu7MCseS2K8XpaYtHUkF6pvtLcrtUUquSOde/zgykcxS9qXi1JmLRymDeaO/TYr4ckx' +
  'XJEfpJk9fP8AP3P40+fpfmstHlnz4teniyWXaOsmJt8UrR011a34ukfyanJkvkvNr2m1p6yOPHd+6d+uZ8xk7e/k2HWvox9o5z+Zj4st8OSL45VoIBqznMyYz71u7W+0tym1VfDkjnX+DKRzFbWpaL' +
  'VmYtHKYN1ocQjOseVVy9J6WMvp5fn7n8aPP0vzWagUgZ6uikYnEdr3XB6Z+8v5V+XzMvLeuLHbJeVWsOZOZ2ti2zntkt18ojtBPw4/e3f4j69/nJn9eMy5c8wAegwgAAAAAAAAAAAADb8P4k1i2bef' +
  'Kt5/cGoBn6/z87tz4v59tzJrZ8Z3Pa5Pd8c+ik+qe8msALfPnOeczFfp1u9bugAJoAAAAAAAAAAAAAAAAP/Z';

/** The card of any link. */
export function samplePreview(url: string): LinkPreview {
  const { href, host } = new URL(url);
  return { url: href, host, title: 'Evening walks along the river', description: 'Nine ways home that are longer than they need to be, with a map, and benches to sit on.', picture: PICTURE };
}

/** Ben and the person send links that have cards, one without a picture. */
export function addPreviews(world: DemoWorld): void {
  const messages = world.messages['comm://b.localhost/ben']!;
  const [theirs, mine] = [messages.findLast((one) => !one.mine)!, messages.findLast((one) => one.mine)!];
  const walks = 'https://walks.example.org/river';
  Object.assign(theirs, { content: { type: 'text', text: `Perfect 👍 And for the evening: ${walks}` }, preview: samplePreview(walks), reactions: [] });
  const talk = 'https://xn--mnchen-3ya.example/2026/talks';
  const bare = { ...samplePreview(talk), title: 'A rather long title of a talk that does not fit into one line of a card and is cut', description: '', picture: null };
  Object.assign(mine, { content: { type: 'text', text: `Sending it now, and here is the talk: ${talk}` }, preview: bare });
}
