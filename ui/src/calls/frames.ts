/** Fetches the pictures of a call and draws them: always the newest, one after the other, so that none ever queue up. */
import type { PictureOf } from '../shell/shell';

/** A picture as it comes: brightness, then both colours at half the size (I420). */
export interface Frame {
  number: number;
  width: number;
  height: number;
  planes: Uint8Array;
}

/** Number, width and height before the planes. */
const HEAD = 8;
/** No side is longer; a picture that says so is not drawn. */
const LONGEST = 4_096;
/** How long to wait where there is no picture, or no answer. */
const PAUSE_MS = 250;
const COLOURS = { matrix: 'smpte170m', primaries: 'smpte170m', transfer: 'smpte170m', fullRange: false } as const;

/** Reads what the shell gave; nothing if that is no whole picture. */
export function readFrame(bytes: ArrayBuffer): Frame | null {
  if (bytes.byteLength <= HEAD) return null;
  const head = new DataView(bytes, 0, HEAD);
  const [number, width, height] = [head.getUint32(0, true), head.getUint16(4, true), head.getUint16(6, true)];
  const planes = new Uint8Array(bytes, HEAD);
  const fits = width > 0 && height > 0 && width <= LONGEST && height <= LONGEST && width % 2 === 0 && height % 2 === 0;
  return fits && planes.length === (width * height * 3) / 2 ? { number, width, height, planes } : null;
}

/** Turns a picture into red, green and blue (BT.601, as cameras and VP8 mean it). */
export function paint({ width, height, planes }: Frame, into: Uint8ClampedArray): void {
  const all = width * height;
  for (let row = 0, at = 0; row < height; row += 1) {
    const colours = all + (row >> 1) * (width >> 1);
    for (let column = 0; column < width; column += 1, at += 1) {
      const luma = 1.164 * (planes[at]! - 16);
      const blue = planes[colours + (column >> 1)]! - 128;
      const red = planes[colours + all / 4 + (column >> 1)]! - 128;
      into[at * 4] = luma + 1.596 * red;
      into[at * 4 + 1] = luma - 0.813 * red - 0.391 * blue;
      into[at * 4 + 2] = luma + 2.018 * blue;
      into[at * 4 + 3] = 255;
    }
  }
}

let native = typeof VideoFrame === 'function';

/** Draws a picture in one step, so that no half of it is ever seen. */
export function draw(canvas: HTMLCanvasElement, frame: Frame): void {
  const { width, height, planes } = frame;
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext('2d', { alpha: false });
  if (!pen) return;
  if (native) {
    try {
      const picture = new VideoFrame(planes, { format: 'I420', codedWidth: width, codedHeight: height, timestamp: 0, colorSpace: COLOURS });
      pen.drawImage(picture, 0, 0);
      return picture.close();
    } catch {
      // This web view knows the word but not the format.
      native = false;
    }
  }
  const image = pen.createImageData(width, height);
  paint(frame, image.data);
  pen.putImageData(image, 0, 0);
}

/** Draws the pictures of one side as they come, until the returned function is called. */
export function follow(fetch: (whose: PictureOf, after: number) => Promise<ArrayBuffer>, whose: PictureOf, take: (frame: Frame) => void): () => void {
  let going = true;
  const run = async () => {
    for (let after = 0; going; ) {
      const frame = await fetch(whose, after).then(readFrame, () => null);
      if (!going) return;
      if (frame) take(frame);
      else await new Promise((done) => setTimeout(done, PAUSE_MS));
      after = frame?.number ?? after;
    }
  };
  void run();
  return () => (going = false);
}
