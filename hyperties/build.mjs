// Bundles the Hyperties and IdP proxies into dist/, and the kit into the sandbox's prelude.
//
//   node build.mjs                  writes dist/*.js, dist/*.json, dist/idp-proxies/* and the factory
//   node build.mjs --check-factory  only checks that the committed factory is what the kit gives

import { readFile, writeFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const factoryFile = join(here, "../crates/sandbox/prelude/factory.js");
const hyperties = ["chat", "connector"];
// In a folder of their own: whoever publishes one first puts the issuer in place of {issuer}.
const idpProxies = ["pass-office"];
const common = { bundle: true, write: false, target: "es2022", charset: "utf8", legalComments: "none", absWorkingDir: here };

async function bundle(entry, options) {
  const result = await build({ ...common, entryPoints: [entry], ...options });
  return result.outputFiles[0].text;
}

async function factory() {
  const source = await bundle("kit/src/factory.ts", { format: "iife", globalName: "kit" });
  return `// The factory that Hyperties of the second and third generation are given.
// Generated from hyperties/kit by "npm run build" there: change it there.
internal.define('__factory', (() => {
${source}
return kit.factory;
})());
`;
}

if (process.argv.includes("--check-factory")) {
  if ((await readFile(factoryFile, "utf8")) !== (await factory())) {
    console.error("crates/sandbox/prelude/factory.js is not what hyperties/kit gives: run npm run build in hyperties/");
    process.exit(1);
  }
} else {
  await mkdir(join(here, "dist"), { recursive: true });
  for (const name of hyperties) {
    await writeFile(join(here, `dist/${name}.js`), await bundle(`${name}/src/index.ts`, { format: "esm" }));
    await writeFile(join(here, `dist/${name}.json`), await readFile(join(here, `${name}/descriptor.json`)));
  }
  await mkdir(join(here, "dist/idp-proxies"), { recursive: true });
  for (const name of idpProxies) {
    await writeFile(join(here, `dist/idp-proxies/${name}.js`), await bundle(`idp-proxies/${name}.ts`, { format: "esm" }));
    await writeFile(join(here, `dist/idp-proxies/${name}.json`), await readFile(join(here, `idp-proxies/${name}.json`)));
  }
  await writeFile(factoryFile, await factory());
}
