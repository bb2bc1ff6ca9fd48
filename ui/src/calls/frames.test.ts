/** Tells how pictures come, are read and are painted. */
import { describe, expect, it, vi } from 'vitest';
import { samplePicture } from '../shell/demo-picture';
import { follow, paint, readFrame, type Frame } from './frames';

/** A picture of one colour, as a shell gives it. */
function plain(width: number, height: number, [luma, blue, red]: [number, number, number], bytes = (width * height * 3) / 2): ArrayBuffer {
  const buffer = new ArrayBuffer(8 + bytes);
  const head = new DataView(buffer);
  head.setUint32(0, 7, true);
  head.setUint16(4, width, true);
  head.setUint16(6, height, true);
  const planes = new Uint8Array(buffer, 8);
  planes.fill(luma);
  planes.fill(blue, width * height);
  planes.fill(red, (width * height * 5) / 4);
  return buffer;
}

describe('a picture', () => {
  it('is read with its number and its size', () => {
    expect(readFrame(samplePicture('theirs', 3))).toMatchObject({ number: 3, width: 320, height: 180 });
  });

  it('that is not whole, or not of a size that is drawn, is none', () => {
    expect(readFrame(new ArrayBuffer(0))).toBeNull();
    expect(readFrame(new ArrayBuffer(8))).toBeNull();
    expect(readFrame(plain(4, 2, [0, 0, 0], 11))).toBeNull();
    expect(readFrame(plain(0, 2, [0, 0, 0], 4))).toBeNull();
    expect(readFrame(plain(65_534, 2, [0, 0, 0]))).toBeNull();
  });

  it('has the colours it was taken in', () => {
    const colour = (luma: number, blue: number, red: number): number[] => {
      const pixels = new Uint8ClampedArray(4 * 2 * 4);
      paint(readFrame(plain(4, 2, [luma, blue, red]))!, pixels);
      return [...pixels.slice(-4)];
    };
    expect(colour(16, 128, 128)).toEqual([0, 0, 0, 255]);
    expect(colour(235, 128, 128)).toEqual([255, 255, 255, 255]);
    const [red, green, blue] = colour(81, 90, 240);
    expect([red! > 250, green! < 5, blue! < 5]).toEqual([true, true, true]);
  });
});

describe('following a side of a call', () => {
  it('asks for the next picture only after one came, and stops when it is told to', async () => {
    const asked: number[] = [];
    let answer: (bytes: ArrayBuffer) => void = () => {};
    const fetch = (_: string, after: number) => {
      asked.push(after);
      return new Promise<ArrayBuffer>((resolve) => (answer = resolve));
    };
    const seen: Frame[] = [];
    const stop = follow(fetch, 'theirs', (frame) => seen.push(frame));
    answer(samplePicture('theirs', 1));
    await vi.waitFor(() => expect(asked).toEqual([0, 1]));
    stop();
    answer(samplePicture('theirs', 2));
    await Promise.resolve();
    expect(seen.map((frame) => frame.number)).toEqual([1]);
    expect(asked).toEqual([0, 1]);
  });

  it('goes on after a shell that did not answer', async () => {
    vi.useFakeTimers();
    let asked = 0;
    const fetch = () => (++asked === 1 ? Promise.reject(new Error('lost')) : Promise.resolve(samplePicture('own', asked)));
    const seen: number[] = [];
    const stop = follow(fetch, 'own', (frame) => {
      seen.push(frame.number);
      stop();
    });
    await vi.advanceTimersByTimeAsync(300);
    vi.useRealTimers();
    expect(seen).toEqual([2]);
  });
});
