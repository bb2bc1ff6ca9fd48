/** Says things to a screen reader without moving the focus. */

export class Announcer {
  polite = $state('');
  urgent = $state('');

  /** Said when the reader has finished. */
  say(text: string): void {
    // The same sentence twice is told apart by a space that no reader speaks.
    this.polite = this.polite === text ? `${text}\u00a0` : text;
  }

  clear(): void {
    this.polite = this.urgent = '';
  }

  /** Said at once. */
  call(text: string): void {
    this.urgent = this.urgent === text ? `${text}\u00a0` : text;
  }
}
