import { expect, test } from "vitest";
import { attendWithPattern } from "../attend-with-pattern/attend-with-pattern.ts";
import { attend } from "../attend/attend.ts";
import { makeTrial, seededRandom } from "../trial.ts";
import { attendPattern, PATTERN_KINDS } from "./attend-pattern.ts";

const samples = attend.samples.map((sample, index) => ({ sample, index }));

test.each(samples)("pattern · values is attention (sample $index)", ({ sample }) => {
  const { arrays, params } = makeTrial(attend, sample, seededRandom(5));
  const columns = params["entryCount"]!;
  const sourceColumns = arrays["sourceCache"] ? columns : 0;
  const [rows, heads, headDim] = [params["rows"]!, params["heads"]!, params["headDim"]!];
  const z = new Float64Array(rows * heads * headDim);
  const pattern = new Float64Array(rows * heads * (columns + sourceColumns));
  attend.reference({ ...arrays, z }, params);
  attendPattern.reference({ ...arrays, pattern }, { ...params, columns, sourceColumns, kind: PATTERN_KINDS.pattern });
  const width = columns + sourceColumns;
  for (let line = 0; line < rows * heads; line++) {
    const total = pattern.subarray(line * width, (line + 1) * width).reduce((sum, share) => sum + share, 0);
    expect(total).toBeCloseTo(1, 12);
  }
  const again = new Float64Array(z.length);
  attendWithPattern.reference({ ...arrays, pattern, z: again }, { ...params, columns, sourceColumns });
  for (const [i, value] of z.entries()) expect(again[i]).toBeCloseTo(value, 12);
});

test("scores of what is not visible are -Infinity", () => {
  const { arrays, params } = makeTrial(
    attend,
    { ...attend.samples[0]!, params: { ...attend.samples[0]!.params, window: 1 } },
    seededRandom(5),
  );
  const columns = params["entryCount"]!;
  const pattern = new Float64Array(params["rows"]! * params["heads"]! * columns);
  attendPattern.reference({ ...arrays, pattern }, { ...params, columns, sourceColumns: 0, kind: PATTERN_KINDS.scores });
  for (let line = 0; line < pattern.length; line += columns) {
    expect(pattern.subarray(line, line + columns).filter(Number.isFinite)).toHaveLength(1);
  }
});
