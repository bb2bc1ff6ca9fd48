/** Tells that the table of test ids and the interface agree. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.svelte'));
const code = files.map((file) => readFileSync(`src/${file}`, 'utf8')).join('\n');
const table = readFileSync('TESTIDS.md', 'utf8');
const listed = new Set([...table.matchAll(/`([a-z][a-z0-9-]*)`/g)].map((found) => found[1]!));

it('every test id written in a component is in the table', () => {
  const used = [...code.matchAll(/(?:data-)?testid="([a-z0-9-]+)"/g)].map((found) => found[1]!);
  const missing = [...new Set(used)].filter((id) => !listed.has(id) && !/-trouble(-code)?$/.test(id));
  expect(missing).toEqual([]);
});
