import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rewriteDistUrls } from "../../build/javascript.mjs";
import { compactGl, compactWgsl } from "../../build/shader-text.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));

const rewrite = (code: string): string => rewriteDistUrls(code, "/p/engine/devices/wasm/modules.ts", "/p/dist");

describe("rewriteDistUrls", () => {
  it.each([
    [`new URL("../../../dist/a.wasm", import.meta.url)`, `new URL("./a.wasm", import.meta.url)`],
    [`new Worker(new URL('../../../dist/w.js', import.meta.url))`, `new Worker(new URL('./w.js', import.meta.url))`],
    [`new URL(\n  "../../../dist/a.wasm",\n  import.meta.url,\n)`, `new URL(\n  "./a.wasm",\n  import.meta.url,\n)`],
  ])("makes %s right in dist/", (code, expected) => expect(rewrite(code)).toBe(expected));

  it.each([
    `new URL("../../dist/a.wasm", import.meta.url)`, // another folder called dist
    `new URL("../../../dist/deep/a.wasm", import.meta.url)`, // dist/ is flat
    `new URL("./a.wasm", import.meta.url)`,
    `new URL("../../../dist/a.wasm", base)`,
    `"../../../dist/a.wasm"`,
  ])("leaves %s alone", (code) => expect(rewrite(code)).toBe(code));
});

describe("shaders as they ship", () => {
  it("are WGSL without comments and needless spaces", () => {
    const shader = "// Adds.\n\n/// The sum.\nfn sum(a: f32) -> f32 {\n  return a / 2.0 - -a; // half\n}\n";
    expect(compactWgsl(shader)).toBe("fn sum(a:f32)->f32{return a/2.0- -a;}\n");
    const call = "@compute @workgroup_size(64)\nfn main() { var x = array<vec4<f32>, 2>(); }";
    expect(compactWgsl(call)).toBe("@compute@workgroup_size(64)fn main(){var x=array<vec4<f32>,2>();}\n");
  });

  it("are functions for gpu.js without comments and needless spaces, whose names stay", () => {
    const text = `// Doubles.\n\nfunction twice(x, rows) {\n  const t = x[this.thread.x];\n  return [t * this.constants.scale, 0.5, 0.0, 0.0];\n}\n`;
    expect(compactGl(text)).toBe(
      "function twice(x,rows){const t=x[this.thread.x];return[t*this.constants.scale,.5,0,0]}\n",
    );
    expect(() => compactGl("function twice(x) {")).toThrow("twice(x)");
  });
});

/** A project of the same build with a few sources of its own: what the steps do when sources change or are wrong. */
describe("npm run build", () => {
  let project: string;
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), text);
  };
  const build = (): { status: number | null; printed: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["build/build.mjs"], {
      cwd: project,
      encoding: "utf8",
    });
    return { status, printed: stdout + stderr };
  };
  const shader = '// "quotes", `ticks` and ${x}\n@compute @workgroup_size(1) fn main() {}\n';
  const shipped = "@compute@workgroup_size(1)fn main(){}\n";

  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), "kedge-build-"));
    cpSync(join(root, "build"), join(project, "build"), { recursive: true });
    for (const file of ["package.json", "tsconfig.json"]) cpSync(join(root, file), join(project, file));
    symlinkSync(join(root, "node_modules"), join(project, "node_modules"));
    write("kernels/a/a.wgsl", shader);
    write(
      "kernels/every-device.ts",
      `import code from "./a/a.wgsl?raw";\nexport const a: { readonly code: string } = { code };`,
    );
    write("cli/index.ts", `import { a } from "kedge/kernels";\nconsole.log(JSON.stringify(a.code));`);
  });
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  it("builds what is there, names what is not, and ships shaders without their comments", () => {
    const { status, printed } = build();
    expect(printed).toContain("engine/index.ts");
    expect(status).toBe(0);
    const run = spawnSync(join(project, "dist", "cli.js"), { encoding: "utf8" });
    expect(JSON.parse(run.stdout)).toBe(shipped);
    expect(readFileSync(join(project, "dist", "types", "kernels", "every-device.d.ts"), "utf8")).toContain(
      "code: string",
    );
  });

  it("does nothing when nothing changed, and takes a change of a shader for one", () => {
    expect(build().printed).toContain("JavaScript and declarations: fresh");
    write("kernels/a/a.wgsl", "fn other() {}\n");
    expect(build().printed).not.toContain("fresh");
    expect(spawnSync(join(project, "dist", "cli.js"), { encoding: "utf8" }).stdout).toContain("fn other()");
  });

  it("removes chunks that no build makes any more", () => {
    write("dist/chunk-old.js", "");
    write("kernels/a/a.wgsl", shader);
    expect(build().status).toBe(0);
    expect(existsSync(join(project, "dist", "chunk-old.js"))).toBe(false);
  });

  it("ends with the file and the name where an import leads nowhere, and leaves what was built before", () => {
    const before = readdirSync(join(project, "dist")).sort();
    write("cli/index.ts", `import { gone } from "./gone.ts";\ngone();`);
    const { status, printed } = build();
    expect(status).toBe(1);
    expect(printed).toMatch(/build failed: [^]*\.\/gone\.ts/);
    expect(readdirSync(join(project, "dist")).sort()).toEqual(before);
    write("cli/index.ts", `import { b } from "kedge/kernels";\nb();`);
    expect(build()).toMatchObject({ status: 1, printed: expect.stringMatching(/build failed: [^]*\bb\b/) });
    expect(readdirSync(join(project, ".cache")).filter((name) => /^(javascript|types)-/.test(name))).toEqual([]);
  });
});
