/** Reads out of a page's pixels what the test camera counts, as `video::read_counter` does. */
const COLUMNS = 8;
const ROWS = 4;

/** The number in the canvas with this test id; nothing while it shows none, or two pictures torn into one. */
export async function counted(page, testid) {
  const bits = await page.evaluate(([testid, columns, rows]) => {
    const canvas = document.querySelector(`[data-testid="${testid}"]`);
    if (!canvas || canvas.width < 100) return null;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const luma = (x, y) => {
      const at = (Math.floor(y * canvas.height) * canvas.width + Math.floor(x * canvas.width)) * 4;
      return 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
    };
    let bits = 0;
    for (let block = 0; block < columns * rows; block += 1) {
      const [column, row] = [block % columns, Math.floor(block / columns)];
      const values = [[0.5, 0.5], [0.35, 0.35], [0.65, 0.35], [0.35, 0.65], [0.65, 0.65]].map(([x, y]) => luma((column + x) / columns, (row + y) / rows / 2));
      const white = values.every((value) => value > 160);
      if (white === values.every((value) => value < 95)) return null;
      bits = (bits | (Number(white) << block)) >>> 0;
    }
    return bits;
  }, [testid, COLUMNS, ROWS]);
  if (bits === null) return null;
  const number = bits & 0xffffff;
  const check = Math.imul(number ^ 0x5a, 0x9e3779b1) >>> 24;
  return bits >>> 24 === check ? number : null;
}

/** So many different numbers, in the order they were seen. */
export async function countedUpTo(page, testid, count, patienceMs) {
  const seen = [];
  for (const until = Date.now() + patienceMs; seen.length < count; ) {
    if (Date.now() > until) throw new Error(`only these numbers were seen: ${seen}`);
    const number = await counted(page, testid);
    if (number !== null && number !== seen.at(-1)) seen.push(number);
    await page.waitForTimeout(20);
  }
  return seen;
}
