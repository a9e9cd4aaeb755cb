// `npm run example -- 01`: runs an example by its number or name against the built package, whatever the Node version
// (Node 22.18 and later run `node examples/01-generate.ts` by themselves).

import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, "examples");
const names = readdirSync(folder).filter((file) => /^\d\d-.*\.ts$/.test(file));
const wanted = process.argv[2] ?? "";
const found = names.find((file) => wanted !== "" && (file.startsWith(wanted) || join("examples", file) === wanted));

if (found === undefined) {
  console.error(`there is no example "${wanted}": use one of ${names.map((file) => file.slice(0, -3)).join(", ")}`);
  process.exitCode = 2;
} else if (!existsSync(join(root, "dist", "index.js"))) {
  console.error("the package is not built: npm run build");
  process.exitCode = 1;
} else {
  process.chdir(root);
  await runnerImport(join(folder, found), { root, configFile: false, logLevel: "error" });
}
