// `npm run bench:peers`: compares kedge with its peers (bench/comparison, bench/peers). Installs the peers where they are
// missing, in bench/peers alone, then runs the TypeScript sources against the built package, whatever the Node version.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const peers = join(root, "bench", "peers");
const isHost = process.argv[2] === "--host";

/** Puts the pinned peers into bench/peers/node_modules, without their install scripts: nothing is compiled or downloaded. */
function install() {
  const { status } = spawnSync("npm", ["ci", "--ignore-scripts"], { cwd: peers, stdio: "inherit" });
  if (status !== 0) throw new Error(`npm ci in ${peers} ended with ${status}`);
}

if (!existsSync(join(root, "dist", "index.js"))) {
  console.error("the package is not built: npm run build");
  process.exitCode = 1;
} else {
  process.chdir(root);
  if (!isHost && !process.argv.includes("--help") && !existsSync(join(peers, "node_modules", ".package-lock.json")))
    install();
  const entry = join(root, "bench", "comparison", isHost ? "host.ts" : "index.ts");
  await runnerImport(entry, { root, configFile: false, logLevel: "error" });
}
