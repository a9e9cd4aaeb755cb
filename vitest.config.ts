import { defineConfig } from "vitest/config";

/** Tests run on the sources; `kedge` and its subpaths resolve to them through the condition "kedge-source". */
export default defineConfig({
  resolve: { conditions: ["kedge-source"] },
  ssr: { resolve: { conditions: ["kedge-source"] } },
  test: {
    include: ["{engine,kernels,loaders,cli,examples,bench,tests}/**/*.test.ts"],
    exclude: ["bench/peers/**", "**/node_modules/**"],
    pool: "forks", // Dawn wants a main thread: its environment variables are those of the process
    maxWorkers: 2,
    reporters: ["default", "./tests/support/timings.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    env: { KEDGE_KERNEL_CHOICES: "off" }, // what was measured on this machine is no business of the tests
  },
});
