/**
 * What axe finds wrong with a page. It is called in the page itself: its wrapper for Playwright opens a second page for
 * each look at one, which takes four times as long.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Where axe-core lies, for servers that give it to their pages: what comes by an address is compiled once. */
export const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const COLOURS = ['color-contrast', 'link-in-text-block'];
let source;

/**
 * The rules that the page breaks. `url` is where its own server has axe-core, if it has it; `judge` says what is judged:
 * `all`, `colours` alone, or `structure`, which is all but colours. Colours are half of the work.
 */
export async function violations(page, { url, judge = 'all' } = {}) {
  if (!(await page.evaluate(() => 'axe' in window))) {
    if (url) await page.addScriptTag({ url });
    else await page.evaluate((source ??= readFileSync(AXE, 'utf8')));
  }
  const options = { resultTypes: ['violations'] };
  if (judge === 'colours') options.runOnly = COLOURS;
  if (judge === 'structure') options.rules = Object.fromEntries(COLOURS.map((rule) => [rule, { enabled: false }]));
  const found = await page.evaluate((options) => window.axe.run(document, options), options);
  return found.violations;
}
