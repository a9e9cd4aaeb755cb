import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import { exactPreludes, gpuFormats } from "../matrix/webgpu/formats/preludes.ts";
import code from "./embed.wgsl?raw";

/** Four columns a lane, one implementation for each format of the table. */
export const gpu: readonly WgslImplementation[] = gpuFormats.map((format) => ({
  name: `embed.${format}`,
  wgsl: exactPreludes[format] + code,
  elements: { table: "Packed4" },
  requires: [],
  formats: [format],
  constants: ({ present }) => ({ HAS_POSITIONS: present.has("positionTable"), HAS_VECTORS: present.has("vectors") }),
  workgroups: ({ params }) => spreadLanes(params["rows"]! * Math.ceil(params["dim"]! / 4)),
}));
