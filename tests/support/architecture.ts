/**
 * The rules of who may import whom, as a pure function from sources to sentences: `violations(sources)`.
 *
 * Sources are parsed, not searched, so that comments and strings do not count. Paths are relative to the root of the
 * project, with forward slashes. Tests may import what they test, so the import rules hold for what ships only.
 */

import { posix } from "node:path";
import { parseSync } from "vite";

/** File contents by path, such as `{ "engine/index.ts": "export …" }`. */
export type Sources = Readonly<Record<string, string>>;

interface Import {
  /** As written. */
  readonly request: string;
  /** The path it leads to where it is relative, without a query. */
  readonly target: string | undefined;
  readonly isTypeOnly: boolean;
}

interface SourceFile {
  readonly path: string;
  readonly folder: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  readonly identifiers: ReadonlySet<string>;
  /** Imports and names count only in what ships: not in tests, AssemblyScript or bench/peers. */
  readonly isBound: boolean;
  /** Something that stands in an index file and is neither an import nor a named export. */
  readonly stray: string | undefined;
}

type Rule = (file: SourceFile, files: ReadonlyMap<string, SourceFile>) => readonly string[];

/** Lines beyond which a file is refused, and beyond which a kernel's implementation is mentioned. */
export const LINE_LIMIT = 400;
export const KERNEL_LINE_LIMIT = 150;
/** Files that a reader is to take in at once. */
const SHORTER = new Map([["engine/model/transformer.ts", 250]]);

const packageNames = new Set([
  "kedge",
  "kedge/anchoring",
  "kedge/attention",
  "kedge/devices",
  "kedge/kernels",
  "kedge/loaders",
  "kedge/policies",
  "kedge/timing",
]);
/** The files behind them in the engine: explicit named exports, nothing else. */
const engineEntries = [
  "engine/index.ts",
  "engine/anchoring.ts",
  "engine/attention.ts",
  "engine/devices.ts",
  "engine/policies.ts",
  "engine/timing.ts",
];
const outsideFolders = ["cli", "examples", "bench"];
const pureFolders = [
  "engine/attention/",
  "engine/cache/policies/",
  "engine/prompt-anchoring/contrast.ts",
  "engine/generate/sampler.ts",
];
const emptyNames = /^(utils?|common|misc|helpers?|managers?|.*-(utils?|helpers?|manager))$/;

const isBelow = (path: string | undefined, folder: string): boolean => path?.startsWith(`${folder}/`) === true;
const isOwnPackage = (request: string): boolean => request === "kedge" || request.startsWith("kedge/");

/** kernels/ and loaders/ can be used alone. */
const aloneRule: Rule = ({ path, folder, imports }) => {
  if (folder !== "kernels" && folder !== "loaders") return [];
  return imports
    .filter(({ request, target }) => (target === undefined ? isOwnPackage(request) : !isBelow(target, folder)))
    .map(({ request }) => `${path} imports "${request}": ${folder}/ imports nothing of ours outside itself`);
};

/** What besides the index files each folder of the engine knows of the other two: the kernels of its own device. */
const ownDoors: Readonly<Record<string, string>> = {
  "engine/devices/webgpu": "kernels/first-on-gpu.ts",
  "engine/devices/webgl": "kernels/every-on-webgl.ts",
  "engine/timing": "kernels/costs.ts",
};

/** What the build writes for a folder of the engine, and that folder alone imports. */
const builtFiles: Readonly<Record<string, RegExp>> = { "engine/devices/wasm": /^dist\/embedded-[a-z-]+\.js$/ };

/** engine/ knows the other two by their index files. */
const engineRule: Rule = ({ path, folder, imports }) => {
  if (folder !== "engine") return [];
  return imports
    .filter(({ request, target }) => {
      if (target === undefined) return isOwnPackage(request);
      const doors = ["kernels/index.ts", "loaders/index.ts", ownDoors[posix.dirname(path)]];
      const isBuilt = builtFiles[posix.dirname(path)]?.test(target) === true;
      return !isBelow(target, "engine") && !doors.includes(target) && !isBuilt;
    })
    .map(({ request }) => `${path} imports "${request}": engine/ imports kernels/index.ts and loaders/index.ts only`);
};

/** cli/, examples/ and bench/ (and the page, in examples/) use the package as its users do. */
const outsideRule: Rule = ({ path, folder, imports }) => {
  if (!outsideFolders.includes(folder)) return [];
  return imports
    .filter(({ request, target }) =>
      target === undefined
        ? isOwnPackage(request) && !packageNames.has(request)
        : !isBelow(target, folder) && target !== "package.json",
    )
    .map(({ request }) => `${path} imports "${request}": ${folder}/ imports "kedge" and its subpaths by name`);
};

/** WebGPU's types stay in one folder, so that the rest of the engine runs where there is no WebGPU. */
const gpuRule: Rule = ({ path, folder, identifiers }) => {
  if (folder !== "engine" || isBelow(path, "engine/devices/webgpu")) return [];
  const names = [...identifiers].filter((name) => /^GPU[A-Z]/.test(name));
  return names.map((name) => `${path} mentions ${name}: only engine/devices/webgpu/ mentions GPU… types`);
};

/** WebGL's types and gpu.js stay in one folder, which is loaded only when it is asked for. */
const webglRule: Rule = ({ path, identifiers, imports }) => {
  if (isBelow(path, "engine/devices/webgl")) return [];
  const names = [...identifiers].filter((name) => /^WebGL[A-Z0-9]/.test(name));
  const requests = imports.map(({ request }) => request).filter((request) => /^gpu\.js(\/|$)/.test(request));
  return [...names, ...requests].map(
    (name) => `${path} mentions ${name}: only engine/devices/webgl/ mentions WebGL… types and gpu.js`,
  );
};

/** Pure parts name no device themselves, and reach none through the values that they import. */
const pureRule: Rule = (file, files) => {
  if (!pureFolders.some((start) => file.path.startsWith(start))) return [];
  const reached = new Map<string, readonly string[]>([[file.path, [file.path]]]);
  for (const [path, way] of reached) {
    for (const { target, isTypeOnly } of files.get(path)?.imports ?? []) {
      if (target === undefined || reached.has(target)) continue;
      if (isTypeOnly && !(path === file.path && isBelow(target, "engine/devices"))) continue;
      reached.set(target, [...way, target]);
    }
  }
  return [...reached.values()]
    .filter(
      (way) =>
        isBelow(way.at(-1), "engine/devices") && !way.slice(1, -1).some((step) => isBelow(step, "engine/devices")),
    )
    .map((way) => `${way.join(" -> ")}: ${file.path} is a pure function on plain arrays and imports no device`);
};

/** A file has one subject, and its name says which. */
const sizeRule: Rule = ({ path, lines }) => {
  const limit = SHORTER.get(path) ?? LINE_LIMIT;
  return lines > limit ? [`${path} has ${lines} lines: ${limit} at most, split it by subject`] : [];
};
const nameRule: Rule = ({ path }) => {
  const name = posix.basename(path).split(".")[0] ?? "";
  if (emptyNames.test(name)) return [`${path} is named for no concept`];
  return /^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) ? [] : [`${path} is not in kebab-case`];
};

/** The public names are written out one by one. */
const indexRule: Rule = ({ path, stray }) =>
  engineEntries.includes(path) && stray !== undefined
    ? [`${path} has "${stray}": it is explicit named exports, nothing else`]
    : [];

const boundRules = [aloneRule, engineRule, outsideRule, gpuRule, webglRule, pureRule, indexRule];
const rules = [sizeRule, nameRule];

/**
 * The names that a module exports, sorted, types with "type " before them. `read` gives the text of a module by its path: with it
 * `export * from` is followed.
 *
 * @throws Error where the module exports names that are not written out (a default, `export *` without `read`).
 */
export function exportedNames(path: string, text: string, read?: (path: string) => string): readonly string[] {
  const { module, errors } = parseSync(path, text);
  const [error] = errors;
  if (error !== undefined) throw new Error(`${path} does not parse: ${error.message}`);
  const entries = module.staticExports.flatMap((statement) => statement.entries);
  return entries
    .flatMap(({ exportName, importName, isType, moduleRequest }) => {
      if (read && importName.kind === "AllButDefault" && moduleRequest) {
        const { target } = resolved(path, moduleRequest.value);
        if (target !== undefined) return exportedNames(target, read(target), read);
      }
      if (exportName.kind !== "Name") throw new Error(`${path} has an export whose name is not written out`);
      return `${isType ? "type " : ""}${exportName.name}`;
    })
    .sort();
}

/**
 * Every circle of files that import each other, types and tests included, as its files in sorted order; none where all is well.
 * Imports without an extension are AssemblyScript's.
 */
export function importCycles(sources: Sources): readonly (readonly string[])[] {
  const graph = new Map(
    Object.entries(sources)
      .filter(([path]) => path.endsWith(".ts"))
      .map(([path, text]) => [path, importedFiles(path, text, sources)]),
  );
  // Tarjan: a file whose `low` is its own number is the first one found of a strongly connected component
  const numbers = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const cycles: (readonly string[])[] = [];
  const visit = (path: string): void => {
    numbers.set(path, numbers.size);
    low.set(path, numbers.get(path)!);
    open.push(path);
    for (const next of graph.get(path) ?? []) {
      if (!numbers.has(next)) visit(next);
      if (open.includes(next)) low.set(path, Math.min(low.get(path)!, low.get(next)!));
    }
    if (low.get(path) !== numbers.get(path)) return;
    const component = open.splice(open.indexOf(path));
    if (component.length > 1 || graph.get(path)!.includes(path)) cycles.push(component.sort());
  };
  for (const path of graph.keys()) if (!numbers.has(path)) visit(path);
  return cycles;
}

/** The files among `sources` that a file imports in any way. */
function importedFiles(path: string, text: string, sources: Sources): readonly string[] {
  const { program, errors } = parseSync(path, text);
  const [error] = errors;
  // decorators before functions are AssemblyScript's own
  if (error !== undefined && !isAssembly(path)) throw new Error(`${path} does not parse: ${error.message}`);
  const requests: string[] = [];
  if (error !== undefined) {
    for (const [, request] of text.matchAll(/^(?:import|export) [^"']*["']([^"']+)["']/gm)) requests.push(request!);
  } else {
    walk(program, (node) => {
      const request = (node["source"] as Node | null | undefined)?.["value"];
      if (typeof request === "string") requests.push(request);
    });
  }
  return requests.flatMap((request) => {
    const { target } = resolved(path, request);
    if (target === undefined) return [];
    return [target, `${target}.ts`].filter((one) => one in sources && one.endsWith(".ts"));
  });
}

/** Every breach of the rules, as sentences that begin with the file; none where all is well. */
export function violations(sources: Sources): readonly string[] {
  const files = new Map(Object.entries(sources).map(([path, text]) => [path, readSource(path, text)]));
  return [...files.values()]
    .flatMap((file) => [...rules, ...(file.isBound ? boundRules : [])].flatMap((rule) => rule(file, files)))
    .sort();
}

/** Kernel implementations that are longer than they should be, longest first: worth a look, not a failure. */
export function longKernels(sources: Sources): readonly string[] {
  return Object.entries(sources)
    .filter(([path]) => /^kernels\/[^/]+\/.*\.(wgsl|as\.ts|gl\.js)$/.test(path))
    .map(([path, text]) => ({ path, lines: countLines(text) }))
    .filter(({ lines }) => lines > KERNEL_LINE_LIMIT)
    .sort((a, b) => b.lines - a.lines)
    .map(({ path, lines }) => `${path} has ${lines} lines, a kernel file should have ${KERNEL_LINE_LIMIT} at most`);
}

const isAssembly = (path: string): boolean =>
  path.endsWith(".as.ts") || path.startsWith("engine/devices/wasm/assembly/");

const countLines = (text: string): number => text.split("\n").length - (text.endsWith("\n") ? 1 : 0);

function readSource(path: string, text: string): SourceFile {
  const isTest = path.endsWith(".test.ts");
  const isBound = path.endsWith(".ts") && !isTest && !isAssembly(path) && !path.startsWith("bench/peers/");
  const base = { path, folder: path.split("/")[0] ?? "", lines: countLines(text), isBound };
  if (!isBound) return { ...base, imports: [], identifiers: new Set(), stray: undefined };

  const { program, errors } = parseSync(path, text);
  const [error] = errors;
  if (error !== undefined) throw new Error(`${path} does not parse: ${error.message}`);
  const imports: Import[] = [];
  const identifiers = new Set<string>();
  walk(program, (node) => {
    if (node["type"] === "Identifier" && typeof node["name"] === "string") identifiers.add(node["name"]);
    const request = (node["source"] as Node | null | undefined)?.["value"];
    if (typeof request === "string") imports.push({ ...resolved(path, request), isTypeOnly: isErased(node) });
  });
  const stray = (program.body as unknown as Node[]).find(
    (node) => node["type"] !== "ExportNamedDeclaration" || node["source"] === null,
  );
  const strayText = stray === undefined ? undefined : text.slice(Number(stray["start"]), Number(stray["end"]));
  return { ...base, imports, identifiers, stray: strayText?.split("\n")[0] };
}

function resolved(path: string, request: string): Pick<Import, "request" | "target"> {
  const isRelative = request.startsWith(".") || request.startsWith("/");
  const target = isRelative ? posix.join(posix.dirname(path), request.replace(/\?.*$/, "")) : undefined;
  return { request, target };
}

type Node = Readonly<Record<string, unknown>>;

/** Whether an import, an export or an `import("…")` type disappears when types are stripped. */
function isErased(node: Node): boolean {
  if (node["type"] === "TSImportType" || node["importKind"] === "type" || node["exportKind"] === "type") return true;
  const specifiers = (node["specifiers"] ?? []) as readonly Node[];
  return (
    specifiers.length > 0 && specifiers.every((one) => one["importKind"] === "type" || one["exportKind"] === "type")
  );
}

function walk(value: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) walk(item, visit);
  } else if (typeof value === "object" && value !== null) {
    const node = value as Node;
    if (typeof node["type"] === "string") visit(node);
    for (const child of Object.values(node)) walk(child, visit);
  }
}
