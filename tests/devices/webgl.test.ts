// The webgl device in headless Chromium: every family's goldens, text, and a device that leaks nothing.
// WebGL2 is SwiftShader's here, which `auto` would not take.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { loadModel } from "kedge";
import { parsePolicy } from "kedge/policies";
import { kernels } from "kedge/kernels";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CONTROL, expectNoLongWait } from "../support/event-loop.ts";
import { distance, golden, goldenPath, openGoldens, rowOf, TINY_MODELS } from "../support/goldens.ts";
import { hasShared, shared } from "../support/shared.ts";
import { openScriptPage, type ScriptPage } from "../support/webgl-page.ts";

const folders: readonly (readonly [name: string, folder: string])[] = [
  ...TINY_MODELS.map((name) => [name, goldenPath(name)] as const),
  ["kedge-js-5m-anchor", "models/kedge-js-5m-anchor"],
];
/** Of the largest magnitude of the tensor, as on the other devices that compute in f32; attention is absolute. */
const BOUND = 1e-4;

const script = /* js */ `
  import { loadModel } from "/engine/index.ts";
  import { parsePolicy } from "/engine/policies.ts";
  import { openDevice, selfTest } from "/engine/devices.ts";
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("webgl2");
  const alive = new Set();
  const { createTexture, deleteTexture, bindTexture, texStorage2D } = WebGL2RenderingContext.prototype;
  let bound = null;
  context.createTexture = () => {
    const texture = createTexture.call(context);
    alive.add(texture);
    return texture;
  };
  context.bindTexture = (target, texture) => {
    bound = texture;
    bindTexture.call(context, target, texture);
  };
  context.texStorage2D = (target, levels, format, width, height) => {
    bound.bytes = width * height * (format === context.RGBA16F ? 8 : 16);
    texStorage2D.call(context, target, levels, format, width, height);
  };
  context.deleteTexture = (texture) => {
    alive.delete(texture);
    deleteTexture.call(context, texture);
  };
  Object.assign(globalThis, { parsePolicy, context, alive, openDevice, loadModel, selfTest });
  globalThis.device = await openDevice("webgl", { webgl: { context } });
  globalThis.bytesAlive = () => [...alive].reduce((sum, { bytes }) => sum + bytes, 0);
  globalThis.bytesCounted = () => Object.values(device.memory()).reduce((sum, bytes) => sum + bytes, 0);
  globalThis.load = async (name, options = {}) => {
    await globalThis.model?.dispose();
    globalThis.model = undefined;
    globalThis.model = await loadModel(new URL("/" + name + "/", document.baseURI), { device: globalThis.device, ...options });
    return globalThis.model.notes;
  };
  globalThis.forward = async (tokens, capture) => {
    const { captured, logits } = await model.forward(tokens, { capture });
    const plain = await model.forward(tokens);
    return {
      captured: Object.fromEntries(Object.entries(captured).map(([name, { data }]) => [name, [...data]])),
      logits: [...logits.data],
      fused: [...plain.logits.data],
    };
  };
  globalThis.greedy = async (prompt, count, options = {}) => {
    const tokens = [];
    let text = "";
    for await (const piece of model.generate(prompt, { maxTokens: count, ignoreEndTokens: true, ...options })) {
      tokens.push(...piece.tokens);
      text += piece.text;
    }
    return { tokens, text };
  };`;

/** Everything that a page may load, by the path it is served at. */
function served(): Record<string, Uint8Array> {
  const all = [
    ...folders,
    ["kedge-js-5m", "models/kedge-js-5m"],
    ["stories", `${shared("models")}/stories260K`],
  ] as const;
  return Object.fromEntries(
    all.flatMap(([name, folder]) =>
      existsSync(folder)
        ? readdirSync(folder).map((file) => [`/${name}/${file}`, readFileSync(`${folder}/${file}`)] as const)
        : [],
    ),
  );
}

let page: ScriptPage;
beforeAll(async () => {
  page = await openScriptPage(script, served());
});
afterAll(() => page?.close());

const json = JSON.stringify;

describe.each(folders)("%s", (name, folder) => {
  test("meets its goldens, inside and out, and its greedy tokens", async () => {
    await page.run(`load(${json(name)})`);
    const file = await openGoldens(`${folder}/golden.safetensors`);
    const ids = await golden(file, "input_ids");
    const layers = await page.run<number>("model.config.layers");
    const taps = new Map<string, string>();
    for (let i = 0; i < layers; i++) {
      taps.set(`hidden.${i}`, `blocks.${i}.hook_resid_pre`);
      taps.set(`attention.${i}`, `blocks.${i}.attn.hook_pattern`);
    }
    taps.set(`hidden.${layers}`, "ln_final.hook_out");
    const held = [...taps].filter(([tensor]) => file.tensors.has(tensor));
    const greedy = await golden(file, "greedy");
    for (let row = 0; row < ids.shape[0]!; row++) {
      const tokens = [...rowOf(ids, row)];
      const got = await page.run<{ captured: Record<string, number[]>; logits: number[]; fused: number[] }>(
        `forward(${json(tokens)}, ${json(held.map(([, tap]) => tap))})`,
      );
      for (const [tensor, tap] of held) {
        const { largest, scale } = distance(got.captured[tap]!, rowOf(await golden(file, tensor), row));
        const allowed = tensor.startsWith("attention") ? BOUND : BOUND * scale;
        expect(largest, `${tensor} of row ${row}`).toBeLessThanOrEqual(allowed);
      }
      const logits = rowOf(await golden(file, "logits"), row);
      for (const values of [got.logits, got.fused]) {
        const { largest, scale } = distance(values, logits);
        expect(largest, `logits of row ${row}`).toBeLessThanOrEqual(BOUND * scale);
      }
      const want = [...rowOf(greedy, row).subarray(tokens.length)];
      const { tokens: written } = await page.run<{ tokens: number[] }>(`greedy(${json(tokens)}, ${want.length})`);
      expect(written).toEqual(want);
    }
  }, 60_000);
});

test("writes the text of stories260K", async (context) => {
  if (!hasShared("models")) context.skip();
  const story = JSON.parse(readFileSync(`${shared("models")}/stories260K/greedy.json`, "utf8")) as Story;
  const want = story.ids.slice(story.prompt_ids.length);
  await page.run(`load("stories")`);
  const { tokens } = await page.run<{ tokens: number[] }>(`greedy(${json(story.prompt_ids)}, ${want.length})`);
  expect(tokens).toEqual(want);
}, 60_000);

interface Story {
  readonly prompt_ids: readonly number[];
  /** the prompt's, then those written */
  readonly ids: readonly number[];
}

const PROMPT = "function sum(xs) {\n";

describe("over 200 tokens", () => {
  test("makes no texture that it does not delete, and counts the rest to the byte", async () => {
    await page.run(`load("kedge-js-5m")`);
    await page.run(`greedy(${json(PROMPT)}, 200)`);
    const before = await page.run<number>("alive.size");
    await page.run(`greedy(${json(PROMPT)}, 200)`);
    expect(await page.run("alive.size")).toBe(before);
    const absentTexel = 16;
    expect(await page.run("bytesAlive()")).toBe(absentTexel + (await page.run<number>("bytesCounted()")));
    await page.run(`model.dispose().then(() => (model = undefined))`);
    expect(await page.run("device.memory()")).toMatchObject({ weights: 0, cache: 0 });
  }, 60_000);

  test("leaves the page its turns", async () => {
    await page.run(`load("kedge-js-5m")`);
    await page.run(`greedy(${json(PROMPT)}, 4)`);
    await page.run(`
      control = new Worker(URL.createObjectURL(new Blob([${json(CONTROL)}])));
      controlWait = () => new Promise((resolve) => {
        control.onmessage = ({ data }) => resolve(data);
        control.postMessage("");
      });`);
    await expectNoLongWait(async () => {
      const ticks = await page.run<{ ticks: number[]; control: number }>(`(async () => {
        await controlWait();
        const ticks = [performance.now()];
        const timer = setInterval(() => ticks.push(performance.now()), 10);
        await greedy(${json(PROMPT)}, 30);
        clearInterval(timer);
        return { ticks, control: await controlWait() };
      })()`);
      expect(ticks.ticks.length, "it takes long enough to be seen").toBeGreaterThan(5);
      return {
        wait: Math.max(...ticks.ticks.slice(1).map((tick, i) => tick - ticks.ticks[i]!)),
        control: ticks.control,
      };
    });
  }, 60_000);
});

test("samples what wasm samples, from whole rows", async () => {
  await page.run(`load("kedge-js-5m")`);
  const options = { temperature: 0.7, topK: 20, seed: 5 };
  const got = await page.run<{ tokens: number[] }>(`greedy(${json(PROMPT)}, 24, ${json(options)})`);
  const onWasm = await loadModel("models/kedge-js-5m", { device: "wasm" });
  const want: number[] = [];
  for await (const piece of onWasm.generate(PROMPT, { maxTokens: 24, ignoreEndTokens: true, ...options })) {
    want.push(...piece.tokens);
  }
  await onWasm.dispose();
  expect(got.tokens).toEqual(want);
}, 60_000);

test("keeps what a policy by attention keeps on wasm, and what anchors keep", async () => {
  await page.run(`load("kedge-js-5m-anchor")`);
  const onWasm = await loadModel("models/kedge-js-5m-anchor", { device: "wasm" });
  try {
    for (const text of ["heavy-hitters:24", "key-norm:24", "anchors"]) {
      const got = await page.run<{ tokens: number[] }>(
        `greedy(${json(PROMPT.repeat(3))}, 24, { cache: parsePolicy(${json(text)}) })`,
      );
      const want: number[] = [];
      for await (const { tokens } of onWasm.generate(PROMPT.repeat(3), {
        maxTokens: 24,
        ignoreEndTokens: true,
        cache: parsePolicy(text),
      })) {
        want.push(...tokens);
      }
      expect(got.tokens, text).toEqual(want);
    }
  } finally {
    await onWasm.dispose();
  }
}, 60_000);

test("splits matrices that are larger than a texture", async () => {
  const ids = await golden(await openGoldens(goldenPath("llama/golden.safetensors")), "input_ids");
  const tokens = [...rowOf(ids, 0)];
  await page.run(`load("llama")`);
  const want = await page.run<{ tokens: number[] }>(`greedy(${json(tokens)}, 12)`);
  const got = await page.run<{ tokens: number[]; most: number }>(`(async () => {
    const small = await openDevice("webgl", { webgl: { maxTextureSize: 48 } });
    const whole = globalThis.model;
    globalThis.model = await loadModel(new URL("/llama/", document.baseURI), { device: small, chunkRows: 8 });
    try {
      return await greedy(${json(tokens)}, 12);
    } finally {
      await model.dispose();
      await small.dispose();
      globalThis.model = whole;
    }
  })()`);
  expect(got.tokens).toEqual(want.tokens);
}, 60_000);

test("refuses what it does not support by name, before more than the first part of the weights is asked for", async () => {
  const count = page.requests.length;
  const message = (options: string) =>
    page.run<string>(`loadModel(new URL("/kedge-js-5m/", document.baseURI), { device, ...${options} })
      .then(() => "loaded", (error) => error.name + ": " + error.message)`);
  expect(await message(`{ quantize: "int8" }`)).toBe(
    'UnsupportedError: device "webgl" cannot run this model: it does not read weights in int8 (embed, embed)',
  );
  const asked = page.requests.slice(count).filter((line) => line.includes("model.safetensors"));
  // The header, and the first part of the file, which the page stores.
  expect(asked.filter((line) => line.includes("bytes=")).length).toBeLessThanOrEqual(2);
  const unknown = await page.run<string>(`device.refusal({ label: "p", calls: [
    { kernel: { name: "top-k", buffers: {}, params: {}, implementations: [] }, label: "head.top", buffers: {}, params: {} },
  ] })`);
  expect(unknown).toBe("kernel top-k (head.top) is not written for it");
});

test("says that its context is lost, frees nothing twice, and another one can be opened", async () => {
  const outcome = await page.run<{ kind: string; message: string; again: string }>(`(async () => {
    const canvas = new OffscreenCanvas(1, 1);
    const losing = canvas.getContext("webgl2");
    const own = await openDevice("webgl", { webgl: { context: losing } });
    const held = globalThis.model;
    globalThis.model = await loadModel(new URL("/kedge-js-5m/", document.baseURI), { device: own });
    const writing = greedy(${json(PROMPT)}, 100).catch((error) => error);
    await new Promise((resolve) => setTimeout(resolve, 50));
    losing.getExtension("WEBGL_lose_context").loseContext();
    const error = await writing;
    const later = await own.read({ tensor: { label: "any" }, begin: 0, end: 1 }).catch((caught) => caught);
    await model.dispose();
    await own.dispose();
    globalThis.model = held;
    const next = await openDevice("webgl");
    await next.dispose();
    return { kind: error.kind, message: error.message, again: later.kind };
  })()`);
  expect(outcome).toEqual({
    kind: "lost",
    message: "the WebGL context is lost: the browser or the driver took it away",
    again: "lost",
  });
}, 60_000);

test("is right on every kernel's samples, and nothing was demoted on the way", async () => {
  const results = await page.run<{ kernel: string; right: number; wrong: string[] }[]>("selfTest(device)");
  expect(results.filter(({ wrong }) => wrong.length > 0)).toEqual([]);
  const right = new Set(results.filter((result) => result.right > 0).map(({ kernel }) => kernel));
  expect(kernels.map(({ name }) => name).filter((name) => !right.has(name))).toEqual([
    "top-k",
    "log-sum-exp",
    "combine-rows",
    "select-words",
  ]);
  expect(page.warnings.filter((text) => !text.includes("404"))).toEqual([]); // files that a folder may have, and these have not
});

test("frees every texture when it is disposed of", async () => {
  await page.run(`Promise.resolve(model?.dispose()).then(() => device.dispose())`);
  expect(await page.run("alive.size")).toBe(0);
  const refused = await page.run<string>(
    `Promise.resolve().then(() => device.createTensor("x", "f32", 4, "cache")).catch((e) => e.kind)`,
  );
  expect(refused).toBe("disposed");
});
