// Loads a shader of shaders-on-demand.ts.

type Shaders = typeof import("./shaders-on-demand.ts");

/** The text of a shader, or its texts by format. All are loaded with the first that is asked for. */
export async function shaderOnDemand<Name extends keyof Shaders>(name: Name): Promise<Shaders[Name]> {
  return (await import("./shaders-on-demand.ts"))[name];
}
