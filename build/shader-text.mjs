// Shaders are written for readers and shipped for machines: comments, indentation and empty lines stay out of dist/.

import { readFile } from "node:fs/promises";

/** Shader files as sources import them: WGSL, and the functions of the WebGL device. */
const SHADER = /^(?<path>.*\.(?:wgsl|gl\.js))\?raw$/;

/** A shader's text without comments and indentation. Neither language has strings here, so that `//` always begins a comment. */
export function compactShader(text) {
  return text
    .split("\n")
    .map((line) => line.replace(/\/\/.*$/, "").trim())
    .filter((line) => line !== "")
    .join("\n")
    .concat("\n");
}

/** A plugin for vite and rolldown that puts `compactShader` of a file where a source imports its text. */
export const compactShaders = {
  name: "kedge:shader-text",
  enforce: "pre",
  async load(id) {
    const path = SHADER.exec(id)?.groups.path;
    return path === undefined ? null : `export default ${JSON.stringify(compactShader(await readFile(path, "utf8")))};`;
  },
};
