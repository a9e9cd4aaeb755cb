import { spread, spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import weight from "../softmax/weight.wgsl?raw";
import total from "./total.wgsl?raw";
import plain from "./top-k.wgsl?raw";
import workgroup from "./top-k.workgroup.wgsl?raw";

/** A workgroup per row, which finds the smallest that belongs to them digit by digit; else a lane per row. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "top-k.workgroup",
    wgsl: weight + total + workgroup,
    requires: [],
    workgroups: ({ params }) => spread(params["rows"]!),
  },
  {
    name: "top-k",
    wgsl: weight + total + plain,
    requires: [],
    workgroups: ({ params }) => spreadLanes(params["rows"]!),
  },
];
