// Shaders are written for readers and shipped for machines: comments and spaces stay out of dist/, and variables inside the
// WebGL device's functions get short names. WGSL keeps its names, since people read its compilers' messages.

import { readFile } from "node:fs/promises";
import { minifySync } from "vite";

/** Shader files as sources import them: WGSL, and the functions of the WebGL device. */
const SHADER = /^(?<path>.*\.(?<kind>wgsl|gl\.js))\?raw$/;
/** The one function of a file of the WebGL device, behind its comments. */
const FUNCTION = /^function (?<name>\w+)\((?<parameters>[\w,\s]*)\) (?<body>\{[\s\S]*\})\s*$/m;

const isWord = (character) => /[\w.]/.test(character);
/** True for what might make another token of its neighbor: `a - -b`. */
const mayJoin = (character) => /[-+*/%=<>!&|^]/.test(character);

const isSpaceNeeded = (before, after) => (isWord(before) && isWord(after)) || (mayJoin(before) && mayJoin(after));

/** WGSL without comments and needless spaces. It has no strings, so that `//` always begins a comment. */
export function compactWgsl(text) {
  const tokens = text.replace(/\/\/.*$/gm, "").match(/[\w.]+|[^\s\w.]+/g) ?? [];
  return tokens
    .reduce((whole, token) => whole + (isSpaceNeeded(whole.at(-1) ?? "", token[0]) ? " " : "") + token, "")
    .concat("\n");
}

/** A function for gpu.js, which finds arguments by their names: only variables inside get other ones. */
export function compactGl(text) {
  const { name, parameters, body } = FUNCTION.exec(text)?.groups ?? {};
  if (name === undefined) throw new Error(`wanted one function, not ${text.slice(0, 80)}`);
  // as free variables the arguments keep their names, and no variable takes one of them
  const names = parameters.replace(/\s|,\s*$/g, "");
  const { code, errors } = minifySync(`${name}.js`, `function ${name}() {[${names}];${body.slice(1)}`, {
    module: false,
    compress: false,
  });
  const [head, rest] = code.split(`(){[${names}];`);
  if (errors.length > 0 || rest === undefined)
    throw new Error(`${name} cannot be made short: ${errors[0]?.message ?? code}`);
  return `${head}(${names}){${rest}\n`;
}

/** A plugin for vite and rolldown that puts the compact text of a shader's file where a source imports it. */
export const compactShaders = {
  name: "kedge:shader-text",
  enforce: "pre",
  async load(id) {
    const { path, kind } = SHADER.exec(id)?.groups ?? {};
    if (path === undefined) return null;
    const compact = kind === "wgsl" ? compactWgsl : compactGl;
    return `export default ${JSON.stringify(compact(await readFile(path, "utf8")))};`;
  },
};
