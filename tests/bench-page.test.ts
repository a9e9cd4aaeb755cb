// The kernel bench in a page, as its visitors have it: built, in headless Chromium, on the CPU and on the software GPU. And the
// page that the command line writes.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { htmlOf } from "../bench/kernels/html.ts";
import type { KernelResults } from "../bench/kernels/results.ts";
import { launchBrowser, servePage, type PageServer } from "./support/browser.ts";

let folder: string;
let browser: Browser;
let server: PageServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kedge-bench-page-"));
  const configFile = "bench/page/vite.config.ts";
  await build({ root: "bench/page", configFile, logLevel: "error", build: { outDir: folder } });
  server = await servePage(folder, { isolated: true });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function choose(page: Page, choices: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, value] of Object.entries(choices)) await page.selectOption(`#ask select[name=${name}]`, value);
}

let found: KernelResults;

test.each(["wasm", "webgpu"])("times kernels on %s and gives what it found", { timeout: 120_000 }, async (device) => {
  const page = await browser.newPage({ viewport: { width: 1100, height: 900 } });
  const errors: Error[] = [];
  page.on("pageerror", (error) => errors.push(error));
  try {
    await page.goto(server.url);
    await page.waitForSelector('main[data-state="ready"]', { state: "attached" });
    await choose(page, { device, kernel: "linear", format: "f32", shapes: "tiny" });
    await page.fill("#ask input[name=rounds]", "2");
    await page.click("#ask button");
    const ended = 'main[data-state="done"], main[data-state="failed"]';
    await page.waitForSelector(ended, { state: "attached", timeout: 100_000 });
    expect(await page.getAttribute("main", "data-state"), (await page.textContent("#status")) ?? "").toBe("done");
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
    found = JSON.parse(readFileSync(await download.path(), "utf8")) as KernelResults;
    expect(found.devices).toMatchObject([{ id: device, peak: { flopsPerSecond: expect.any(Number) as number } }]);
    expect(found.rows.length).toBeGreaterThan(3);
    for (const row of found.rows) {
      expect(row).toMatchObject({ kernel: "linear", format: "f32", list: "tiny", device });
      expect(row.errorOfBound).toBeLessThanOrEqual(1);
      expect(row.samples).toHaveLength(2);
    }
    expect(await page.locator("main section").count()).toBe(4);
    expect(await page.locator("tbody tr").count()).toBe(found.rows.length);
    expect(errors).toEqual([]);
  } finally {
    await page.close();
  }
});

test(
  "the page that the command line writes needs nothing else, and shows the rows that are chosen",
  { timeout: 60_000 },
  async () => {
    const wrong = {
      ...found.rows[0]!,
      implementation: "linear.<b>mine</b>",
      isRival: true,
      failure: "y[0] is 1, not 2",
    };
    const { seconds: _seconds, ...untimed } = wrong;
    const other = { ...found.rows[1]!, kernel: "add" };
    const rows = [...found.rows, untimed, other];
    const path = join(folder, "report.html");
    writeFileSync(path, await htmlOf({ ...found, rows }));
    const page = await browser.newPage({ viewport: { width: 1100, height: 900 }, colorScheme: "dark" });
    const errors: Error[] = [];
    page.on("pageerror", (error) => errors.push(error));
    try {
      await page.goto(`file://${path}`);
      await page.waitForSelector("main svg");
      expect(await page.locator("tbody tr").count()).toBe(rows.length);
      expect(await page.textContent("tr.wrong")).toContain("linear.<b>mine</b> (rival)wrong");
      await page.selectOption(".filters select[name=kernel]", "add");
      expect(await page.locator("tbody tr").count()).toBe(1);
      expect(await page.locator(".bars svg").count()).toBe(1);
      expect(errors).toEqual([]);
    } finally {
      await page.close();
    }
  },
);
