/**
 * Makes every icon file from `parlance.svg`: `npm run icons` in `ui/`.
 *
 * An .ico and an .icns are only lists of PNG files with a small head, so both are written here.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const ui = join(here, '../ui');
const { Resvg } = createRequire(join(ui, 'package.json'))('@resvg/resvg-js');
const drawing = readFileSync(join(here, 'parlance.svg'), 'utf8');

/** Draws the icon as a PNG of `size` by `size` pixels. */
const png = (size) => new Resvg(drawing, { fitTo: { mode: 'width', value: size } }).render().asPng();

/** A Windows icon: a head of 6 bytes, 16 bytes for each picture, then the pictures. */
function ico(sizes) {
  const pictures = sizes.map(png);
  const head = Buffer.alloc(6 + 16 * sizes.length);
  head.writeUInt16LE(1, 2);
  head.writeUInt16LE(sizes.length, 4);
  let at = head.length;
  sizes.forEach((size, n) => {
    const entry = 6 + 16 * n;
    head.writeUInt8(size % 256, entry);
    head.writeUInt8(size % 256, entry + 1);
    head.writeUInt16LE(1, entry + 4);
    head.writeUInt16LE(32, entry + 6);
    head.writeUInt32LE(pictures[n].length, entry + 8);
    head.writeUInt32LE(at, entry + 12);
    at += pictures[n].length;
  });
  return Buffer.concat([head, ...pictures]);
}

/** A macOS icon: `icns`, the length, then a type, a length and a PNG for each size. */
function icns(types) {
  const parts = Object.entries(types).map(([type, size]) => {
    const picture = png(size);
    const head = Buffer.alloc(8);
    head.write(type, 'ascii');
    head.writeUInt32BE(picture.length + 8, 4);
    return Buffer.concat([head, picture]);
  });
  const head = Buffer.alloc(8);
  head.write('icns', 'ascii');
  head.writeUInt32BE(8 + parts.reduce((sum, part) => sum + part.length, 0), 4);
  return Buffer.concat([head, ...parts]);
}

const write = (name, bytes) => writeFileSync(join(here, name), bytes);
write('32x32.png', png(32));
write('128x128.png', png(128));
write('128x128@2x.png', png(256));
write('256x256.png', png(256));
write('512x512.png', png(512));
write('icon.png', png(512));
write('icon.ico', ico([16, 24, 32, 48, 64, 128, 256]));
write('icon.icns', icns({ icp4: 16, icp5: 32, ic07: 128, ic08: 256, ic09: 512, ic11: 32, ic12: 64, ic13: 256, ic14: 512 }));
copyFileSync(join(here, 'parlance.svg'), join(ui, 'public/parlance.svg'));
