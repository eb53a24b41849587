// Make dist/ of src/: `node build.mjs`. With --check make nothing, and fail where types are wrong
// (the console's, too), where the client has become too large, or where the console's copy of it is
// an old one.

import { execSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const HOME = dirname(fileURLToPath(import.meta.url));
const SERVED = join(HOME, "../../chalicelib/edge/pages/client.js");
const MOST = 6144; // bytes: gzipped, minified, all that is exported
const isCheck = process.argv.includes("--check");
const run = (command) => execSync(command, { cwd: HOME, stdio: ["ignore", "inherit", "inherit"] });

// `npm pack` in a fresh checkout has no tools yet.
if (!existsSync(join(HOME, "node_modules/esbuild"))) {
  try {
    run("npm ci --ignore-scripts --no-audit --no-fund --silent");
  } catch (error) {
    if (!isCheck) throw error;
    console.log("npm can't install here: the TypeScript client is not checked");
    process.exit(0);
  }
}
const { build } = await import("esbuild");

async function bundle(options) {
  const made = await build({
    absWorkingDir: HOME,
    entryPoints: ["src/waybill.ts"],
    bundle: true,
    format: "esm",
    target: "es2022",
    write: false,
    ...options,
  });
  return made.outputFiles[0].text;
}

run(`npx --no-install tsc${isCheck ? " --project tsconfig.check.json" : ""}`);
const readable = await bundle({});
const minified = await bundle({ minify: true });
const size = gzipSync(minified, { level: 9 }).length;
console.log(`waybill.min.js: ${minified.length} bytes, ${size} gzipped`);
if (size > MOST) throw new Error(`more than ${MOST}`);
if (isCheck) {
  if (existsSync(dirname(SERVED))) run("npx --no-install tsc --project tsconfig.console.json");
  if (existsSync(dirname(SERVED)) && readFileSync(SERVED, "utf8") !== readable) {
    throw new Error("chalicelib/edge/pages/client.js is not what src/ makes: node build.mjs");
  }
} else {
  writeFileSync(join(HOME, "dist/waybill.js"), readable);
  writeFileSync(join(HOME, "dist/waybill.min.js"), minified);
  if (existsSync(dirname(SERVED))) writeFileSync(SERVED, readable);
}
