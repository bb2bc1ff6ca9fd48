/** Judges a screen: takes its picture, lets axe look at it, and sees whether all of it fits. */
import { join } from 'node:path';
import { violations } from '../../../ui/e2e/axe.mjs';

export async function judge(page, screen, picture) {
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: picture });
  const faults = (await violations(page)).flatMap((one) => one.nodes.map((node) => `axe: ${one.id}: ${node.target.join(' ')}`));
  const { headings, wider } = await page.evaluate(() => ({
    headings: document.querySelectorAll('h1').length,
    wider: document.documentElement.scrollWidth - innerWidth,
  }));
  if (headings !== 1) faults.push(`${headings} h1`);
  if (wider > 1) faults.push(`${wider} px wider than the window`);
  if (faults.length > 0) throw new Error(`${screen}: ${faults.join('; ')}`);
}

export const pictureOf = (folder, screen, who) => join(folder, `${screen}.${who}.png`);
