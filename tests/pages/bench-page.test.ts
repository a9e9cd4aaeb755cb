// The kernel bench in a page, as its visitors have it: built, in headless Chromium, on the CPU, and on the software GPU through
// WebGPU and WebGL2. And the page that the command line writes.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { htmlOf } from "../../bench/kernels/html.ts";
import type { KernelResults } from "../../bench/kernels/results.ts";
import type { ModelRow } from "../../bench/model-speed.ts";
import { launchBrowser, servePage, type PageServer } from "../support/browser.ts";

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

/** The page in a tab of its own, ready to be asked. */
async function open(): Promise<{ page: Page; errors: Error[] }> {
  const page = await browser.newPage({ viewport: { width: 1100, height: 900 } });
  const errors: Error[] = [];
  page.on("pageerror", (error) => errors.push(error));
  await page.goto(server.url);
  await page.waitForSelector('main[data-state="ready"]', { state: "attached" });
  return { page, errors };
}

/** Sends a form, waits until its output says that it is done, and gives the page's JSON. */
async function run(page: Page, form: string, output: string): Promise<KernelResults & { models: readonly ModelRow[] }> {
  await page.click(`${form} button:not([type])`);
  const ended = `${output}[data-state="done"], ${output}[data-state="failed"]`;
  await page.waitForSelector(ended, { state: "attached", timeout: 170_000 });
  const status = (await page.textContent(`${form} .status`)) ?? "";
  expect(await page.getAttribute(output, "data-state"), status).toBe("done");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
  return JSON.parse(readFileSync(await download.path(), "utf8")) as KernelResults & { models: readonly ModelRow[] };
}

const DEVICES = ["wasm", "webgpu", "webgl"];

test.each(DEVICES)("times kernels on %s and gives what it found", { timeout: 180_000 }, async (device) => {
  const { page, errors } = await open();
  try {
    await choose(page, { device, kernel: "linear", format: "f32", shapes: "tiny" });
    await page.fill("#ask input[name=rounds]", "2");
    found = await run(page, "#ask", "main");
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

/** A rival of `add` on webgpu, as a file. */
function rivalFile(name: string, operator: string) {
  const wgsl = `@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < params.rows * params.dim) { y[id.x] = a[id.x] ${operator} b[id.x]; }
  }`;
  const source = `export default { kernel: "add", implementation: { name: "${name}", requires: [], wgsl: ${JSON.stringify(wgsl)},
    workgroups: ({ params }) => [Math.ceil((params.rows * params.dim) / 64)] } };`;
  return { name: `${name}.js`, mimeType: "text/javascript", buffer: Buffer.from(source) };
}

test("times a visitor's rival beside ours, and says that a wrong one is wrong", { timeout: 180_000 }, async () => {
  const { page, errors } = await open();
  try {
    await choose(page, { device: "webgpu", kernel: "add", shapes: "tiny" });
    await page.fill("#ask input[name=rounds]", "1");
    await page.setInputFiles("#ask input[name=rivals]", rivalFile("add.mine", "+"));
    const { rows, commit } = await run(page, "#ask", "main");
    expect(rows.map(({ implementation, isRival }) => [implementation, isRival])).toContainEqual(["add.mine", true]);
    expect(commit).toMatch(/^[0-9a-f]{12}/);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download-csv")]);
    expect(readFileSync(await download.path(), "utf8")).toContain("webgpu,add,add.mine,true,");
    await page.setInputFiles("#ask input[name=rivals]", rivalFile("add.wrong", "-"));
    await page.click("#ask button:not([type])");
    await page.waitForSelector('main[data-state="failed"]', { state: "attached", timeout: 100_000 });
    expect(await page.textContent("#ask .status")).toBe("add.wrong is wrong");
    expect(errors).toEqual([]);
  } finally {
    await page.close();
  }
});

test("shows the devices of this browser side by side, and says what one cannot run", { timeout: 180_000 }, async () => {
  const { page, errors } = await open();
  try {
    await choose(page, { device: "all", kernel: "linear", format: "int8", shapes: "tiny" });
    await page.fill("#ask input[name=rounds]", "1");
    const { devices, rows } = await run(page, "#ask", "main");
    expect(devices.map(({ id }) => id)).toEqual(DEVICES);
    const refused = rows.filter(({ device }) => device === "webgl");
    expect(refused.length).toBeGreaterThan(0);
    for (const row of refused) {
      expect(row).toMatchObject({ implementation: "none", cannot: "no implementation takes int8" });
      expect(row).not.toHaveProperty("seconds");
    }
    expect(await page.textContent("main section h3")).toBe("Devices side by side");
    const lines = page.locator(".pairs tbody tr");
    expect(await lines.count()).toBe(refused.length);
    expect(await lines.first().textContent()).toMatch(/int8.*s1\.00×.*s[\d.]+×cannot$/);
    expect(await page.textContent("p.cannot")).toBe("webgl cannot: no implementation takes int8: linear");
    expect(errors).toEqual([]);
  } finally {
    await page.close();
  }
});

test("times a whole model on the devices in turns", { timeout: 180_000 }, async () => {
  const { page, errors } = await open();
  try {
    for (const [name, value] of [
      ["promptTokens", "12"],
      ["tokens", "4"],
      ["rounds", "2"],
    ] as const)
      await page.fill(`#ask-model input[name=${name}]`, value);
    const { models } = await run(page, "#ask-model", "#models");
    expect(models.map(({ device }) => device)).toEqual(DEVICES);
    for (const { model, promptTokens, tokens, promptTokensPerSecond, tokensPerSecond, weightBytes } of models) {
      expect({ model, promptTokens, tokens }).toEqual({ model: "kedge-js-5m", promptTokens: 12, tokens: 4 });
      for (const { least, median, most } of [promptTokensPerSecond, tokensPerSecond]) {
        expect(least).toBeGreaterThan(0);
        expect(median).toBeGreaterThanOrEqual(least);
        expect(most).toBeGreaterThanOrEqual(median);
      }
      expect(weightBytes).toBeGreaterThan(9e6);
    }
    expect(await page.locator(".models tbody tr").count()).toBe(DEVICES.length);
    expect(await page.locator("#models svg").count()).toBe(2);
    expect(errors).toEqual([]);
    const screenshot = process.env["KEDGE_SCREENSHOT"];
    if (screenshot !== undefined) await page.screenshot({ path: screenshot, fullPage: true });
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
