import { defineConfig } from "vitest/config";

/**
 * Tests that a quick run leaves to the full extent: pages and commands that take long to start, and repetitions of what smaller tests
 * show. tests/README.md lists them.
 */
const ONLY_IN_FULL = [
  "bench/cost.test.ts",
  "cli/evaluation/python/hostile-programs.test.ts",
  "cli/evaluation/references.test.ts",
  "tests/cli/tune-kernels.test.ts",
  "tests/devices/memories.test.ts",
  "tests/package/webgl-bundle.test.ts",
  "tests/pages/bench-page.test.ts",
  "tests/pages/stored-models.test.ts",
];
const isFullExtent = process.env["KEDGE_TEST_EXTENT"] === "full";

/** Tests run on the sources; `kedge` and its subpaths resolve to them through the condition "kedge-source". */
export default defineConfig({
  resolve: { conditions: ["kedge-source"] },
  ssr: { resolve: { conditions: ["kedge-source"] } },
  test: {
    include: ["{engine,kernels,loaders,cli,examples,bench,tests}/**/*.test.ts"],
    exclude: ["bench/peers/**", "**/node_modules/**", ...(isFullExtent ? [] : ONLY_IN_FULL)],
    pool: "forks", // Dawn wants a main thread: its environment variables are those of the process
    maxWorkers: 2,
    reporters: ["default", "./tests/support/timings.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    env: { KEDGE_KERNEL_CHOICES: "off" }, // what was measured on this machine is no business of the tests
  },
});
