/**
 * A GPU for tests on machines that have none: `softwareGpu()` is Dawn (npm `webgpu`) on SwiftShader, from npm alone, or with
 * KEDGE_TEST_ADAPTER=lavapipe on Mesa's lavapipe. A missing driver is an error and never a skipped test.
 */

import { openSoftwareGpu, type SoftwareDriver } from "../../bench/software-gpu/software-gpu.ts";

export { lavapipeManifest } from "../../bench/software-gpu/software-gpu.ts";

/** The adapter that KEDGE_TEST_ADAPTER names; SwiftShader where it names none. Throws on a name it does not know. */
export function testAdapterName(): SoftwareDriver {
  const name = process.env["KEDGE_TEST_ADAPTER"] ?? "swiftshader";
  if (name === "swiftshader" || name === "lavapipe") return name;
  throw new Error(`KEDGE_TEST_ADAPTER is "${name}": use "swiftshader" or "lavapipe"`);
}

/**
 * The software adapter's GPU object, the same for every call in a process.
 *
 * Create one device per test file and `destroy()` it in `afterAll`.
 */
export function softwareGpu(): Promise<GPU> {
  return openSoftwareGpu(testAdapterName());
}
