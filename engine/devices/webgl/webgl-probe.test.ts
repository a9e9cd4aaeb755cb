// What `auto` makes of a browser's WebGL2, with contexts that say what real ones say.

import { describe, expect, test } from "vitest";
import { chooseWithoutWebGpu, openDevice } from "../open.ts";
import type { WebGl, WebGlCanvas } from "./gl.ts";
import { probeWebGl } from "./webgl-probe.ts";

interface Fake {
  readonly renderer: string;
  /** hides the renderer's own name, as some browsers do */
  readonly isMasked?: boolean;
  /** refuses contexts that must not be slow */
  readonly isSlow?: boolean;
  readonly hasFloats?: boolean;
}

/** A canvas that gives contexts like the fake; counts those that were not given back. */
function fakeCanvas({ renderer, isMasked = false, isSlow = false, hasFloats = true }: Fake, alive = { count: 0 }) {
  const unmasked = { UNMASKED_RENDERER_WEBGL: 2 };
  const context = {
    RENDERER: 1,
    getParameter: (name: number) => (name === 1 ? "WebKit WebGL" : renderer),
    getExtension: (name: string) => {
      if (name === "WEBGL_debug_renderer_info") return isMasked ? null : unmasked;
      if (name === "WEBGL_lose_context") return { loseContext: () => void alive.count-- };
      return hasFloats ? {} : null;
    },
  } as unknown as WebGl;
  return (): WebGlCanvas => ({
    width: 1,
    height: 1,
    getContext: (_kind, attributes) => {
      if (isSlow && attributes?.["failIfMajorPerformanceCaveat"] === true) return null;
      alive.count++;
      return context;
    },
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  });
}

const LACK = "this browser has no WebGPU";
const choose = (fake: Fake) => chooseWithoutWebGpu(LACK, probeWebGl(fakeCanvas(fake)));

describe("without a hardware WebGPU, auto", () => {
  test.each(["ANGLE (Intel, Intel(R) Iris(R) Xe Graphics, D3D11)", "Apple M1", "Adreno (TM) 640", "Mali-G78"])(
    "takes WebGL2 on %s",
    (renderer) => {
      expect(choose({ renderer })).toEqual({
        name: "webgl",
        reason: `there is a GPU through WebGL2: ${renderer}; ${LACK}`,
      });
    },
  );

  test.each([
    "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver)",
    "llvmpipe (LLVM 15.0.7, 256 bits)",
    "ANGLE (Microsoft, Microsoft Basic Render Driver Direct3D11 vs_5_0 ps_5_0)",
    "Apple Software Renderer",
  ])("takes wasm on %s", (renderer) => {
    const { name, reason } = choose({ renderer });
    expect(name).toBe("wasm");
    expect(reason).toContain(renderer);
  });

  test("asks for a fast context where the renderer's name is hidden", () => {
    expect(choose({ renderer: "hidden", isMasked: true }).name).toBe("webgl");
    expect(choose({ renderer: "hidden", isMasked: true, isSlow: true }).name).toBe("wasm");
  });

  test("takes wasm where f32 textures cannot be drawn to, and where there is no WebGL2 at all", () => {
    expect(choose({ renderer: "Mali-400", hasFloats: false })).toEqual({ name: "wasm", reason: LACK });
    expect(
      chooseWithoutWebGpu(
        LACK,
        probeWebGl(() => undefined),
      ),
    ).toEqual({ name: "wasm", reason: LACK });
  });

  test("gives every context back", () => {
    const alive = { count: 0 };
    probeWebGl(fakeCanvas({ renderer: "Apple M1" }, alive));
    probeWebGl(fakeCanvas({ renderer: "llvmpipe" }, alive));
    expect(alive.count).toBe(0);
  });
});

test("in Node the device says that it needs a browser", async () => {
  await expect(openDevice("webgl")).rejects.toThrow(
    /^device "webgl" needs a browser: use "webgpu", "wasm" or "auto" here$/,
  );
});
