// kernels/calls/ is generated from the definitions: AssemblyScript and the wasm device agree about the words of a call.

import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { callSource, writeCalls } from "../build/calls.mjs";
import { kernels } from "./index.ts";
import { packCall, quantizeRowsCall, wordsOf } from "./matrix/packing-calls.ts";

/** The fields of a generated class, in order. */
const fieldsOf = (source: string) =>
  [...source.matchAll(/^ {2}(\w+): (\w+);$/gm)].map(([, name, type]) => [name, type]);

describe("the class of a call", () => {
  test("has an address a buffer, then the parameters with their types", () => {
    const source = callSource({
      name: "scale-rows",
      buffers: { x: "read", factors: "read optional", y: "write" },
      params: { rows: "u32", epsilon: "f32" },
    });
    expect(source).toContain("@unmanaged\nexport class ScaleRowsCall {");
    expect(fieldsOf(source)).toEqual([
      ["x", "usize"],
      ["factors", "usize"],
      ["y", "usize"],
      ["rows", "u32"],
      ["epsilon", "f32"],
    ]);
  });

  test("has the order in which packing calls are written", () => {
    const pack = { from: 11, to: 12, rows: 13, columns: 14, kind: 15 };
    expect(fieldsOf(callSource(packCall)).map(([name]) => pack[name as keyof typeof pack])).toEqual(
      wordsOf(packCall, pack),
    );
    const quantize = { stored: 25, columns: 24, rows: 23, to: 22, from: 21 };
    expect(fieldsOf(callSource(quantizeRowsCall)).map(([name]) => quantize[name as keyof typeof quantize])).toEqual(
      wordsOf(quantizeRowsCall, quantize),
    );
  });
});

test("a file stands in kernels/calls for every kernel, and none for one that is gone", async () => {
  const root = mkdtempSync(join(tmpdir(), "kedge-calls-"));
  try {
    const project = fileURLToPath(new URL("..", import.meta.url));
    mkdirSync(join(root, "kernels", "calls"), { recursive: true });
    for (const name of readdirSync(join(project, "kernels"))) {
      if (name !== "calls") symlinkSync(join(project, "kernels", name), join(root, "kernels", name));
    }
    writeFileSync(join(root, "kernels", "calls", "gone.as.ts"), "");
    await writeCalls(root);
    const written = readdirSync(join(root, "kernels", "calls"));
    expect(written).not.toContain("gone.as.ts");
    for (const kernel of kernels) {
      expect(readFileSync(join(root, "kernels", "calls", `${kernel.name}.as.ts`), "utf8")).toBe(callSource(kernel));
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
