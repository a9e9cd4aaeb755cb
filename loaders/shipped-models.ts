// The models that come with this package.

const SHIPPED = /^(?:models\/)?(kedge-js-5m(?:-anchor)?)$/;

/** The name of a model that comes with this package, for its name or `models/` and its name. Undefined for other names. */
export function shippedName(source: string): string | undefined {
  return SHIPPED.exec(source)?.[1];
}

/**
 * Where a model is in this package as it is installed: a file URL in Node, an address beside the scripts in a page. Undefined in bundles
 * that do not know where they are. Whether it is there is not asked.
 */
export function shippedFolder(name: string): URL | undefined {
  // A bundler takes `new URL("…", import.meta.url)` for a file to put into a page, which a model should be by the user's own wish.
  const here: string | undefined = import.meta.url;
  return here ? new URL(`../models/${name}`, here) : undefined;
}
