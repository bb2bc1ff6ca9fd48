/** Gives a call the whole screen, and takes it away again. */

/** The whole interface, so that a second call that rings is seen as well. */
export function toggleFullScreen(): void {
  const done = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen?.();
  // A web view may refuse; the window is as it was then.
  done?.catch(() => undefined);
}
