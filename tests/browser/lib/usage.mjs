// What a browser uses, by its profile.
import { readFileSync, readdirSync } from 'node:fs';

/** Seconds of a core that all processes of a browser used so far. */
export function cpu(profile) {
  let ticks = 0;
  for (const pid of family(profile)) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(')').at(-1).trim().split(/\s+/);
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch { /* it ended meanwhile */ }
  }
  return ticks / 100;
}

/** A renderer's command line does not name the profile; its ancestors' do. */
function family(profile) {
  const parents = new Map(), named = new Set();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      parents.set(pid, readFileSync(`/proc/${pid}/stat`, 'utf8').split(')').at(-1).trim().split(/\s+/)[1]);
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(profile)) named.add(pid);
    } catch { /* it ended meanwhile */ }
  }
  const descends = (pid) => named.has(pid) || (parents.has(pid) && pid !== '1' && descends(parents.get(pid)));
  return new Set([...parents.keys()].filter(descends));
}
