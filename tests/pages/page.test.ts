// The playground as its visitors have it: built, loaded over HTTP, in headless Chromium, on the CPU and on the GPU.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadModel, type Model } from "kedge";
import type { Browser, Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, servePage, type PageServer } from "../support/browser.ts";
import { CONTROL, expectNoLongWait, longPrompt, promptTokens } from "../support/event-loop.ts";

const MODEL = "models/kedge-js-5m";
const PROMPT = "/**\n * Find the longest word.\n */\nfunction pick(words) {\n";
const DEVICES = [
  ["wasm", /^wasm, \d+ threads, relaxed SIMD$/],
  ["webgpu", /^webgpu, .*swiftshader \(software\), subgroups of 4$/i],
] as const;

let folder: string;
let browser: Browser;
let isolated: PageServer;
let plain: PageServer;
let model: Model;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kedge-playground-"));
  const configFile = "examples/playground/vite.config.ts";
  await build({ root: "examples/playground", configFile, logLevel: "error", build: { outDir: folder } });
  isolated = await servePage(folder, { isolated: true });
  plain = await servePage(folder);
  browser = await launchBrowser();
  model = await loadModel(MODEL, { device: "wasm" });
});
afterAll(async () => {
  await browser?.close();
  await isolated?.close();
  await plain?.close();
  await model?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** The page with its model loaded; fails with what the page says if it cannot be. */
async function open(url: string, viewport = { width: 1100, height: 800 }): Promise<Page> {
  const page = await browser.newPage({ viewport });
  page.on("pageerror", (error) => console.error("the page:", error));
  await page.goto(url);
  await page.waitForSelector('main[data-state="ready"], main[data-state="failed"]', { timeout: 60_000 });
  expect(await page.getAttribute("main", "data-state"), await status(page)).toBe("ready");
  return page;
}

async function status(page: Page): Promise<string> {
  return (await page.textContent("#status")) ?? "";
}

/** Writes a prompt, generates, and waits until all is shown. */
async function generate(page: Page, prompt: string): Promise<string> {
  await page.fill("#prompt", prompt);
  await page.click("#generate");
  await page.waitForSelector("#attention:not([hidden])", { timeout: 60_000 });
  await page.waitForSelector('main[data-state="ready"]');
  return (await page.textContent("#generated")) ?? "";
}

/** What Node makes of the prompt, up to the end of the function. */
async function textInNode(prompt: string): Promise<string> {
  let whole = "";
  for await (const { text } of model.generate(prompt, { maxTokens: 120 })) whole += text;
  return whole.slice(0, whole.search(/^\}\n/m) + 2);
}

describe.each(DEVICES)("the page on %s", (device, description) => {
  test("writes the text that Node writes, and shows the attention it was written with", async () => {
    const page = await open(`${isolated.url}?device=${device}`);
    expect(await status(page)).toMatch(description);
    expect(await page.evaluate("crossOriginIsolated")).toBe(true);
    const text = await generate(page, PROMPT);
    expect(text).toBe(await textInNode(PROMPT));
    expect(text).toMatch(/^ {2}return words\.reduce\(.*\n\}\n$/s);
    expect(await page.textContent("#facts")).toMatch(/Prompt\d+ tokens, \d+ tokens\/s.*Weights9\.4 MB/);

    // The last query of the first head, cell by cell with the keyboard, against Node's pattern.
    const tokens = [...model.tokenize(PROMPT), ...model.tokenize(PROMPT + text).slice(model.tokenize(PROMPT).length)];
    const { captured } = await model.forward(tokens, { capture: ["blocks.0.attn.hook_pattern"], logits: "none" });
    const { data, shape } = captured["blocks.0.attn.hook_pattern"]!;
    const [heads, queries, keys] = shape as [number, number, number];
    await page.click('#heads button[aria-label="layer 0, head 2"]');
    expect(await page.locator("#heads button").count()).toBe(heads * model.config.layers);
    await page.focus("#map");
    const [query, key] = [queries - 1, keys - 1 - 3];
    for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowLeft");
    const weight = data[(2 * queries + query) * keys + key]!;
    const cell = /^token (\d+) .* gives ([\d.]+) % to token (\d+) /.exec((await page.textContent("#cell")) ?? "");
    expect([Number(cell?.[1]), Number(cell?.[3])]).toEqual([query, key]);
    expect(Math.abs(Number(cell?.[2]) - weight * 100)).toBeLessThan(0.051);
    await page.close();
  }, 60_000);

  test.runIf(device === "wasm")(
    "shows the figures of a run, and not of the runs before it",
    async () => {
      const page = await open(`${isolated.url}?device=${device}`);
      const cacheAfter = async (prompt: string): Promise<number> => {
        await generate(page, prompt);
        const [, size, unit] = /Cache([\d.]+) ([kM]B) at its peak/.exec((await page.textContent("#facts")) ?? "") ?? [];
        return Number(size) * (unit === "MB" ? 1000 : 1);
      };
      await page.fill("#max-tokens", "8");
      const [long, short] = [await cacheAfter(PROMPT.repeat(3)), await cacheAfter("function")];
      expect(short).toBeGreaterThan(0);
      expect(long).toBeGreaterThan(3 * short);
      await page.close();
    },
    60_000,
  );

  test(`stays free while ${promptTokens(device)} tokens go through`, async () => {
    const page = await open(`${isolated.url}?device=${device}`);
    await page.fill("#max-tokens", "1");
    const prompt = longPrompt(model, promptTokens(device));
    await page.evaluate(`
      control = new Worker(URL.createObjectURL(new Blob([${JSON.stringify(CONTROL)}])));
      controlWait = () => new Promise((resolve) => {
        control.onmessage = ({ data }) => resolve(data);
        control.postMessage("");
      });`);
    await expectNoLongWait(async () => {
      // Ticks until the first token is there.
      await page.evaluate(`(async () => {
        document.querySelector("#facts").replaceChildren();
        await controlWait();
        ticks = [performance.now()];
        const timer = setInterval(async () => {
          ticks.push(performance.now());
          if (document.querySelector("#facts").childElementCount === 0) return;
          clearInterval(timer);
          control.wait = await controlWait();
        }, 10);
      })()`);
      await generate(page, prompt);
      const ticks = (await page.evaluate("ticks")) as number[];
      expect(ticks.length, "the prefill is long enough to be seen").toBeGreaterThan(5);
      const wait = Math.max(...ticks.slice(1).map((tick, i) => tick - ticks[i]!));
      return { wait, control: Number(await page.evaluate("control.wait")) };
    });
    expect(await page.textContent("#facts")).toContain(`Prompt${model.tokenize(prompt).length} tokens`);
    await page.close();
  }, 180_000);
});

test("without isolation wasm runs on one thread, says so, and writes the same", async () => {
  const page = await open(`${plain.url}?device=wasm`);
  expect(await status(page)).toMatch(/^wasm, 1 thread\b.*because this page is not cross-origin isolated$/);
  expect(await generate(page, PROMPT)).toBe(await textInNode(PROMPT));
  await page.close();
});

test("writes the same on webgl, and keeps in the address what was chosen", async () => {
  const page = await open(`${isolated.url}?device=wasm`);
  await page.selectOption("#device", "webgl");
  await page.waitForFunction("document.querySelector('#status').textContent.startsWith('webgl, ')");
  expect(new URL(page.url()).search).toBe("?model=kedge-js-5m&device=webgl");
  await page.waitForSelector('main[data-state="ready"]');
  expect(await generate(page, PROMPT)).toBe(await textInNode(PROMPT));
  await page.close();
}, 60_000);

test("stops when asked, and can go on", async () => {
  const page = await open(`${isolated.url}?device=wasm`);
  await page.fill("#max-tokens", "900");
  await page.fill("#prompt", "// no function begins here\n".repeat(3));
  await page.evaluate(`new MutationObserver((_, observer) => {
    observer.disconnect();
    document.querySelector("#stop").click();
  }).observe(document.querySelector("#generated"), { childList: true })`);
  await page.click("#generate");
  await page.waitForSelector('main[data-state="generating"]', { state: "detached" });
  await page.waitForSelector('main[data-state="ready"]');
  expect(await status(page)).toBe("Stopped");
  expect(await generate(page, PROMPT)).toBe(await textInNode(PROMPT));
  await page.close();
});

test("says what is wrong with a temperature, and goes on", async () => {
  const page = await open(`${isolated.url}?device=wasm`);
  await page.fill("#temperature", "-1");
  await page.evaluate("document.querySelector('#form').noValidate = true");
  await page.click("#generate");
  await page.waitForFunction("document.querySelector('#status.wrong')?.textContent.startsWith('temperature is -1')");
  await page.fill("#temperature", "0");
  expect(await generate(page, PROMPT)).toBe(await textInNode(PROMPT));
  await page.close();
});

test("fits a phone: nothing is wider than the screen", async () => {
  const page = await open(`${isolated.url}?device=wasm`, { width: 360, height: 740 });
  await generate(page, PROMPT);
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
  const screenshot = process.env["KEDGE_SCREENSHOT"] ?? join(folder, "phone.png");
  await page.screenshot({ path: screenshot, fullPage: true });
  expect(readFileSync(screenshot).subarray(1, 4).toString()).toBe("PNG");
  await page.close();
});

test("its sources are typed against the package's own declarations", () => {
  const { stdout } = spawnSync("npx", ["tsc", "-p", "examples/playground"], { encoding: "utf8" });
  expect(stdout).toBe("");
});
