import type { Plugin } from "vite";

/** WGSL without comments and needless spaces. */
export declare function compactWgsl(text: string): string;
/** A function for gpu.js without comments and needless spaces. Throws an Error where it is no JavaScript. */
export declare function compactGl(text: string): string;
/** Puts the compact text of a shader's file where a source imports it. */
export declare const compactShaders: Plugin;
