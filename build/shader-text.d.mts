import type { Plugin } from "vite";

/** A shader's text without comments and indentation. */
export declare function compactShader(text: string): string;
/** Puts `compactShader` of a shader's file where a source imports its text. */
export declare const compactShaders: Plugin;
