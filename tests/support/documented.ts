/**
 * Which exported names have no doc comment: `undocumented(entry, read)` follows every name that a module exports through lists
 * and re-exports to its declaration, and looks whether a doc
 * comment stands right before the declaration. Sources are parsed, not searched. A name that leads out of the project (`node:fs`) is somebody else's to document.
 */

import { posix } from "node:path";
import { parseSync } from "vite";

type Node = Readonly<Record<string, unknown>>;

interface Module {
  readonly path: string;
  /** Names declared here: whether one of the declarations (overloads have several) has a doc comment. */
  readonly declared: ReadonlyMap<string, boolean>;
  /** Names that come from elsewhere, as exports or imports: where to look, and by which name. */
  readonly passed: ReadonlyMap<string, { readonly target: string | undefined; readonly name: string }>;
  /** Names exported, as they are called outside, and what they are called inside. */
  readonly exported: ReadonlyMap<string, string>;
  /** Targets of `export * from`. */
  readonly stars: readonly (string | undefined)[];
}

/**
 * Exported names without a doc comment, each as "path: name", sorted.
 *
 * @param entry - Path of a module; its exports are looked at.
 * @param read - The text of a module by path, with forward slashes.
 * @throws Error where a name leads to a module that does not declare it.
 */
export function undocumented(entry: string, read: (path: string) => string): string[] {
  const modules = new Map<string, Module>();
  const open = (path: string): Module => {
    const module = modules.get(path) ?? readModule(path, read(path));
    modules.set(path, module);
    return module;
  };

  /** "path: name" where the declaration is bare, null where it is documented, undefined where the module has no such name. */
  const find = (path: string, exportedName: string): string | null | undefined => {
    const module = open(path);
    const name = module.exported.get(exportedName);
    if (name === undefined) {
      for (const target of module.stars) {
        const found = target === undefined ? undefined : find(target, exportedName);
        if (found !== undefined) return found;
      }
      return undefined;
    }
    const isDocumented = module.declared.get(name);
    if (isDocumented !== undefined) return isDocumented ? null : `${path}: ${name}`;
    const passed = module.passed.get(name);
    if (passed === undefined) throw new Error(`${path} exports ${name}, which it neither declares nor imports`);
    if (passed.target === undefined) return null;
    const found = find(passed.target, passed.name);
    if (found === undefined)
      throw new Error(`${path} takes ${passed.name} from ${passed.target}, which has no such export`);
    return found;
  };

  const names = (path: string): string[] => {
    const { exported, stars } = open(path);
    return [...exported.keys(), ...stars.flatMap((target) => (target === undefined ? [] : names(target)))];
  };
  const bare = new Set(names(entry).map((name) => find(entry, name)));
  return [...bare].filter((one) => typeof one === "string").sort();
}

function readModule(path: string, text: string): Module {
  const { program, comments, errors } = parseSync(path, text);
  const [error] = errors;
  if (error !== undefined) throw new Error(`${path} does not parse: ${error.message}`);
  const docs = comments.filter(({ type, value }) => type === "Block" && value.startsWith("*"));
  const hasDoc = (node: Node) =>
    docs.some(({ end }) => end <= Number(node["start"]) && text.slice(end, Number(node["start"])).trim() === "");
  const targetOf = (node: Node) => {
    const request = String((node["source"] as Node)["value"]);
    return request.startsWith(".") ? posix.join(posix.dirname(path), request) : undefined;
  };

  const declared = new Map<string, boolean>();
  const passed = new Map<string, { target: string | undefined; name: string }>();
  const exported = new Map<string, string>();
  const stars: (string | undefined)[] = [];
  for (const statement of program.body as unknown as Node[]) {
    const specifiers = (statement["specifiers"] ?? []) as Node[];
    switch (statement["type"]) {
      case "ImportDeclaration":
        for (const one of specifiers) {
          if (one["type"] !== "ImportSpecifier") continue;
          passed.set(nameOf(one["local"]), { target: targetOf(statement), name: nameOf(one["imported"]) });
        }
        break;
      case "ExportAllDeclaration":
        stars.push(targetOf(statement));
        break;
      case "ExportNamedDeclaration": {
        const isPassed = statement["source"] !== null;
        for (const one of specifiers) {
          const [inside, outside] = [nameOf(one["local"]), nameOf(one["exported"])];
          // A name that is passed on without being known here may also be a name of this module: keep the two apart.
          const key = isPassed ? `${outside} from ${nameOf(statement["source"])}` : inside;
          exported.set(outside, key);
          if (isPassed) passed.set(key, { target: targetOf(statement), name: inside });
        }
        const declaration = statement["declaration"] as Node | null;
        for (const name of declaration === null ? [] : declaredNames(declaration)) {
          exported.set(name, name);
          declared.set(name, declared.get(name) === true || hasDoc(statement));
        }
        break;
      }
      default:
        for (const name of declaredNames(statement)) {
          declared.set(name, declared.get(name) === true || hasDoc(statement));
        }
    }
  }
  return { path, declared, passed, exported, stars };
}

/** The text of an identifier, or of a string. */
function nameOf(node: unknown): string {
  const { name, value } = node as Node;
  return String(name ?? value);
}

/** The names that a declaration makes; none of a statement that is no declaration. */
function declaredNames(node: Node): string[] {
  if (node["type"] === "VariableDeclaration") {
    return (node["declarations"] as Node[]).map(({ id }) => nameOf(id));
  }
  return "id" in node && node["id"] !== null ? [nameOf(node["id"])] : [];
}
