// Removes comments and needless spaces from shaders in dist/. Names stay: they appear in compilers' messages, and gpu.js finds
// arguments by them.

import { readFile } from "node:fs/promises";
import { minifySync } from "vite";

/** Shader files as sources import them: WGSL, and the functions of the WebGL device. */
const SHADER = /^(?<path>.*\.(?<kind>wgsl|gl\.js))\?raw$/;
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

/**
 * A function for gpu.js without comments and spaces. Names stay: gpu.js finds arguments by them, and takes variables of one name in
 * neighboring scopes for one variable.
 */
export function compactGl(text) {
  const { code, errors } = minifySync("shader.js", text, { module: false, compress: false, mangle: false });
  if (errors.length > 0) throw new Error(`${errors[0].message} in ${text}`);
  return `${code}\n`;
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
