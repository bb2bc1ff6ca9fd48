/** Tells how bytes travel and which of them are drawn. */
import { describe, expect, it } from 'vitest';
import { fromBase64, mayDraw, sniff, toBase64 } from './bytes';

describe('bytes', () => {
  it('come back as they went', () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, at) => (at * 7) % 256);
    expect(fromBase64(toBase64(bytes))).toEqual(bytes);
  });

  it('are drawn for what they are, never for what they are called', () => {
    const ascii = (text: string) => new TextEncoder().encode(text);
    expect(sniff(Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a))).toBe('image/png');
    expect(sniff(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0))).toBe('image/jpeg');
    expect(sniff(ascii('GIF89a'))).toBe('image/gif');
    expect(sniff(ascii('RIFF____WEBP'))).toBe('image/webp');
    for (const text of ['<svg onload="x">', '<!doctype html>', '', 'RIFF____WAVE', '%PDF-1.7']) expect(sniff(ascii(text))).toBeNull();
    for (const type of ['image/svg+xml', 'text/html', 'application/pdf', null]) expect(mayDraw(type)).toBe(false);
  });
});
