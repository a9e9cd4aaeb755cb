// Every WebGL implementation of every kernel, in every shape of its table and every format that it reads, against the f64
// reference in headless Chromium (SwiftShader). The page is minified, as users' pages are. Nothing beyond the outputs may be
// written, and NaN must come out. Short of the full extent an implementation takes one shape in three, and the next implementation the next ones.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { webglImplementations } from "../../../kernels/every-on-webgl.ts";
import { openScriptPage, type ScriptPage } from "../../../tests/support/webgl-page.ts";
import { isFullExtent } from "../../../tests/support/extent.ts";
import { PLAIN_TRAITS, trialsFor } from "../choose.ts";

const script = /* js */ `
  import { webglImplementations } from "/kernels/every-on-webgl.ts";
  import { kernelShapes } from "/kernels/shapes.ts";
  import { trialsWithNaN } from "/kernels/not-numbers.ts";
  import { makeTrial, multiplyAdd, readThrough, seededRandom } from "/kernels/index.ts";
  import { runTrial } from "/engine/devices/self-test.ts";
  import { openWebGl } from "/engine/devices/webgl/webgl-device.ts";
  const device = await openWebGl();
  globalThis.device = device;
  globalThis.runPeaks = () =>
    Promise.all(
      [multiplyAdd, readThrough].map((kernel) => {
        const trial = makeTrial(kernel, kernel.samples[0], seededRandom(1));
        return runTrial(device, trial, kernel.implementations.find((one) => "webgl" in one));
      }),
    );
  globalThis.runShapes = async (kernelName, name, stride, offset) => {
    const { kernel, shapes } = kernelShapes.find(({ kernel }) => kernel.name === kernelName);
    const implementation = webglImplementations.get(kernel).find((one) => one.name === name);
    const wrong = [];
    let right = 0;
    for (const format of implementation.formats ?? ["f32"]) {
      for (const [index, sample] of shapes.entries()) {
        if (format !== "f32" && index % 7 > 0) continue;
        if (Math.floor(format === "f32" ? index : index / 7) % stride !== offset % stride) continue;
        const trial = makeTrial(kernel, sample, seededRandom(index), { format });
        const outcome = await runTrial(device, trial, implementation);
        if (outcome === null) right++;
        else if (outcome !== "not made for this") wrong.push(JSON.stringify([format, sample, outcome]));
      }
    }
    if (right === 0 && stride > 1) return runShapes(kernelName, name, 1, 0); // it fits few shapes
    for (const trial of trialsWithNaN(kernel, { ...implementation, formats: ["f32"] })) {
      const outcome = await runTrial(device, trial, implementation);
      if (outcome !== null && outcome !== "not made for this") wrong.push(JSON.stringify(["NaN", outcome]));
    }
    return { right, wrong, demotions: device.demotions.filter(({ implementation }) => implementation === name) };
  };`;

const cases = [...webglImplementations].flatMap(([kernel, implementations]) =>
  implementations.map((implementation) => ({ kernel, implementation })),
);

describe("in Chromium", () => {
  let page: ScriptPage;
  beforeAll(async () => {
    page = await openScriptPage(script);
  });
  afterAll(() => page?.close());

  test.each(cases.map(({ kernel, implementation }, place) => [implementation.name, kernel.name, place] as const))(
    "%s agrees with the reference",
    async (name, kernel, place) => {
      const call = `runShapes(${JSON.stringify(kernel)}, ${JSON.stringify(name)}, ${isFullExtent ? 1 : 6}, ${place})`;
      const { right, wrong, demotions } = await page.run<{ right: number; wrong: string[]; demotions: unknown[] }>(
        call,
      );
      expect(demotions).toEqual([]);
      expect(wrong.slice(0, 5)).toEqual([]);
      expect(right).toBeGreaterThan(0);
    },
    60_000,
  );

  test("the kernels of the peaks agree with theirs", async () => {
    expect(await page.run("runPeaks()")).toEqual([null, null]);
  });
});

test("every implementation has a known-answer test", () => {
  const untried = cases.filter(
    ({ kernel, implementation }) =>
      trialsFor(kernel, implementation, PLAIN_TRAITS, implementation.formats?.[0] ?? "f32").length === 0,
  );
  expect(untried.map(({ implementation }) => implementation.name)).toEqual([]);
});
