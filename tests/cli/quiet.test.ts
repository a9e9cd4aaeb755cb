// Looking for a GPU writes nothing to the terminal, whatever Vulkan finds: Dawn has warnings of its own for each of these machines.

import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { spawned } from "../support/command.ts";
import { unpackedFolder } from "../../bench/software-gpu/unpacked.ts";

const swiftshader = await unpackedFolder("swiftshader", ["swiftshader"]);
const driver = (file: string) => ({ VK_ICD_FILENAMES: file, VK_DRIVER_FILES: file });
const none = driver(join("no", "driver.json"));

describe.each([
  ["whatever Vulkan this machine has, and no driver", { ...none, LD_LIBRARY_PATH: "" }],
  ["a Vulkan loader and no driver", { ...none, LD_LIBRARY_PATH: swiftshader }],
  [
    "a driver that computes on the CPU",
    { ...driver(join(swiftshader, "vk_swiftshader_icd.json")), LD_LIBRARY_PATH: swiftshader },
  ],
] as const)("on a machine with %s", (_, env) => {
  test("`run` prints its text alone", async () => {
    const { code, stdout, stderr } = await spawned(
      ["run", "models/kedge-js-5m", "const x = ", "--max-tokens", "4", "--quiet"],
      { env },
    );
    expect([stderr, code]).toEqual(["", 0]);
    expect(stdout.length).toBeGreaterThan(0);
  });

  // with a driver, doctor would run every kernel on it: that is slow, and Dawn may say something of the driver
  test.skipIf(env.VK_DRIVER_FILES.startsWith(swiftshader))("`doctor` says what there is on stdout alone", async () => {
    const { code, stdout, stderr } = await spawned(["doctor", "--json"], { env });
    expect([stderr, code]).toEqual(["", 0]);
    const { webgpu, auto } = JSON.parse(stdout) as { webgpu: { isAvailable: boolean }; auto: { name: string } };
    expect(webgpu.isAvailable).toBe(false);
    expect(auto.name).toBe("wasm");
  });
});
