/** Draws what the demo's cameras see. */
import type { PictureOf } from './shell';

const [WIDTH, HEIGHT] = [320, 180];

/** A page of a table with a head, as somebody might show it. */
function samplePage(number: number): ArrayBuffer {
  const [width, height] = [960, 540];
  const bytes = new ArrayBuffer(8 + (width * height * 3) / 2);
  const head = new DataView(bytes);
  head.setUint32(0, number, true);
  head.setUint16(4, width, true);
  head.setUint16(6, height, true);
  const planes = new Uint8Array(bytes, 8);
  planes.fill(128, width * height);
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const line = row % 30 === 0 || column % 160 === 0;
      const letter = row % 30 > 10 && row % 30 < 20 && column % 160 > 12 && column % 160 < 30 + ((column - (column % 160)) * 7 + (row - (row % 30)) * 13) % 100 && column % 7 < 5;
      planes[row * width + column] = row < 30 ? (letter ? 235 : 90) : letter ? 50 : line ? 190 : 232;
    }
  }
  return bytes;
}

/** A picture as shells give it: its number, its size, its planes. */
export function samplePicture(whose: PictureOf, number: number): ArrayBuffer {
  if (whose === 'screen') return samplePage(number);
  const bytes = new ArrayBuffer(8 + (WIDTH * HEIGHT * 3) / 2);
  const head = new DataView(bytes);
  head.setUint32(0, number, true);
  head.setUint16(4, WIDTH, true);
  head.setUint16(6, HEIGHT, true);
  const planes = new Uint8Array(bytes, 8);
  const [wide, high] = [WIDTH / 2, HEIGHT / 2];
  for (let row = 0; row < HEIGHT; row += 1) {
    for (let column = 0; column < WIDTH; column += 1) {
      // A face-like oval before a sky.
      const inside = ((column - wide) / 50) ** 2 + ((row - 100) / 65) ** 2 < 1;
      planes[row * WIDTH + column] = inside ? 175 : 70 + (row * 90) / HEIGHT + 12 * Math.sin((column + number * 4) / 24);
    }
  }
  const colours = WIDTH * HEIGHT;
  planes.fill(whose === 'own' ? 120 : 142, colours, colours + wide * high);
  planes.fill(whose === 'own' ? 140 : 132, colours + wide * high);
  return bytes;
}
