/** Sources of the files in dist/ by name. */
export declare const entries: Readonly<Record<string, string>>;
/** Rewrites `new URL("<up>/dist/name", import.meta.url)` in the source `id` so that it is right in `distFolder` itself. */
export declare function rewriteDistUrls(code: string, id: string, distFolder: string): string;
/** Bundles the entries that exist into `<root>/dist`; returns the sources that do not exist. */
export declare function buildJavaScript(root: string): Promise<readonly string[]>;
