import { shapes as attention } from "../attend/attend.shapes.ts";
import type { SampleOf } from "../kernel.ts";
import type { attendPattern } from "./attend-pattern.ts";

/** Where `attend-pattern` is tested: in the shapes of `attend`, alternately as scores and as a softmax. */
export const shapes: readonly SampleOf<typeof attendPattern>[] = attention
  .filter(({ params }) => params.rows * params.heads < 100)
  .map(({ params, absent = [] }, i) => {
    const columns = params.entryCount + (i % 3);
    const sourceColumns = absent.includes("sourceCache") ? 0 : columns;
    return {
      params: { ...params, columns, sourceColumns, kind: Number(i % 4 !== 0) },
      absent: absent.filter((name) => name !== "z"),
    };
  });
