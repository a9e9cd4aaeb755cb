// The expected numbers are what transformers 5.23's own modeling_rope_utils.py computes in float32.

import { describe, expect, it } from "vitest";
import { FormatError, UnsupportedError } from "./errors.ts";
import { inverseFrequencies, parseRotary, type RotaryShape } from "./rotary.ts";

const want = {
  linear: [0.25, 0.07905694, 0.025, 0.007905695, 0.0025, 0.00079056947, 0.00025, 7.905695e-5],
  dynamic1000: [1.0, 0.21555482, 0.046463877, 0.010015513, 0.002158892, 0.00046535963, 0.0001003105, 2.1622413e-5],
  dynamic: [1.0, 0.31622776, 0.1, 0.03162278, 0.01, 0.0031622779, 0.001, 0.0003162278],
  llama3: [
    1.0, 0.6636012, 0.44036663, 0.2922278, 0.19392276, 0.12868738, 0.0853971, 0.05666962, 0.03760603, 0.024955409,
    0.01656044, 0.010989529, 0.007292665, 0.0048394212, 0.003211446, 0.001290548, 0.0004295567, 9.708286e-5,
    1.9461639e-5, 1.2914768e-5, 8.570256e-6, 5.687232e-6, 3.7740544e-6, 2.504467e-6, 1.6619676e-6, 1.1028836e-6,
    7.3187493e-7, 4.856731e-7, 3.222933e-7, 2.1387423e-7, 1.419272e-7, 9.418307e-8,
  ],
  llama3small: [1.0, 0.07940301, 0.004700754, 0.00091158313, 0.00017677668, 3.4281024e-5, 6.6478706e-6, 1.2891732e-6],
  yarn: [
    1.0, 0.4216965, 0.17782794, 0.074989416, 0.03162278, 0.013335215, 0.0047799014, 0.0016599617, 0.00055,
    0.00016867861, 4.4456985e-5, 1.8747356e-5, 7.905694e-6, 3.333804e-6, 1.4058534e-6, 5.9284343e-7,
  ],
  yarnDeepseek: [
    1.0, 0.56234133, 0.31622776, 0.17782794, 0.1, 0.05623413, 0.027218176, 0.012829017, 0.0058214283, 0.0024903687,
    0.00095997716, 0.0002921459, 2.5e-5, 1.40585325e-5, 7.9056945e-6, 4.4456983e-6,
  ],
  yarnUntruncated: [
    1.0, 0.47478205, 0.225418, 0.107024424, 0.05081328, 0.023931952, 0.007387541, 0.0016202513, 8.0687154e-5,
    3.830881e-5, 1.8188337e-5, 8.635496e-6, 4.0999785e-6, 1.9465963e-6, 9.2420896e-7, 4.3879785e-7,
  ],
  default32: [
    1.0, 0.4216965, 0.17782794, 0.074989416, 0.03162278, 0.013335215, 0.0056234132, 0.0023713738, 0.001, 0.00042169655,
    0.00017782794, 7.4989424e-5, 3.1622774e-5, 1.3335216e-5, 5.6234135e-6, 2.3713737e-6,
  ],
} as const;

function frequencies(json: object, shape: RotaryShape, sequenceLength?: number): Float32Array {
  return inverseFrequencies(parseRotary(json, shape), sequenceLength);
}

/** Within two units of the last place: pow is not the same to the last bit everywhere. */
function expectClose(got: Float32Array, wanted: readonly number[]): void {
  expect(got.length).toBe(wanted.length);
  for (const [i, value] of wanted.entries()) {
    expect(Math.abs((got[i] ?? NaN) - value), `frequency ${i}: ${got[i]} against ${value}`).toBeLessThanOrEqual(
      2.4e-7 * value,
    );
  }
}

const small: RotaryShape = { headDim: 16, contextLength: 128 };

describe("inverse frequencies", () => {
  it("default: theta^(-2i/dims), by hand", () => {
    expectClose(frequencies({}, { headDim: 8, contextLength: 9 }), [1, 0.1, 0.01, 0.001]);
    expectClose(frequencies({ rope_theta: 1_000_000 }, { ...small, headDim: 32 }), want.default32);
  });

  it("default: rounds in float32 as torch does, not once at the end", () => {
    const [, , third] = frequencies({}, { headDim: 6, contextLength: 9 });
    const exponent = Math.fround(4 / 6);
    expect(third).toBe(Math.fround(1 / Math.fround(10_000 ** exponent)));
    expect(third).not.toBe(Math.fround(10_000 ** (-4 / 6)));
  });

  it("linear", () => {
    expectClose(frequencies({ rope_theta: 10_000, rope_scaling: { type: "linear", factor: 4 } }, small), want.linear);
  });

  it("dynamic: like default up to the trained length, stretched beyond it", () => {
    const json = { rope_parameters: { rope_type: "dynamic", rope_theta: 10_000, factor: 2 } };
    const plain = frequencies({}, small);
    expect(frequencies(json, small)).toEqual(plain);
    expect(frequencies(json, small, 100)).toEqual(plain);
    expect(frequencies(json, small, 128)).toEqual(plain);
    expectClose(plain, want.dynamic);
    expectClose(frequencies(json, small, 1000), want.dynamic1000);
  });

  it("llama3: short waves kept, long ones slowed, a blend between", () => {
    const settings = {
      rope_type: "llama3",
      factor: 32,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    };
    expectClose(
      frequencies({ rope_theta: 500_000, rope_scaling: settings }, { headDim: 64, contextLength: 131_072 }),
      want.llama3,
    );
    const tiny = { ...settings, factor: 8, original_max_position_embeddings: 64 };
    expectClose(frequencies({ rope_theta: 500_000, rope_scaling: tiny }, small), want.llama3small);
  });

  it("yarn: ramp, truncation, attention factor in all its spellings", () => {
    const shape = { headDim: 32, contextLength: 131_072 };
    const plain = { rope_type: "yarn", rope_theta: 1_000_000, factor: 4, original_max_position_embeddings: 32_768 };
    expectClose(frequencies({ rope_parameters: plain }, shape), want.yarn);
    expect(parseRotary({ rope_parameters: plain }, shape).attentionFactor).toBeCloseTo(1.138629436111989, 14);

    const deepseek = {
      type: "yarn",
      factor: 40,
      original_max_position_embeddings: 4096,
      mscale: 1,
      mscale_all_dim: 0.75,
      beta_fast: 32,
      beta_slow: 1,
    };
    const long = { headDim: 32, contextLength: 163_840 };
    expectClose(frequencies({ rope_scaling: deepseek }, long), want.yarnDeepseek);
    expect(parseRotary({ rope_scaling: deepseek }, long).attentionFactor).toBeCloseTo(1.0722365828731393, 14);

    const odd = {
      rope_type: "yarn",
      rope_theta: 150_000,
      original_max_position_embeddings: 4096,
      truncate: false,
      beta_fast: 16,
      beta_slow: 2,
      attention_factor: 1.25,
    };
    const rotary = parseRotary({ rope_parameters: odd }, shape);
    expect(rotary).toMatchObject({ factor: 32, attentionFactor: 1.25, truncate: false });
    expectClose(inverseFrequencies(rotary), want.yarnUntruncated);
  });
});

describe("settings", () => {
  it("has two spellings that mean the same", () => {
    const older = { rope_theta: 5e5, rope_scaling: { type: "linear", factor: 2 } };
    const newer = { rope_parameters: { rope_type: "linear", rope_theta: 5e5, factor: 2 } };
    expect(parseRotary(older, small)).toEqual(parseRotary(newer, small));
    expect(parseRotary({ rope_theta: 1e4, rope_scaling: null, rope_parameters: null }, small).kind).toBe("default");
  });

  it("prefers what is inside the object, and rope_scaling to rope_parameters, as transformers does", () => {
    expect(parseRotary({ rope_theta: 7, rope_parameters: { rope_theta: 8 } }, small).theta).toBe(8);
    const both = {
      rope_scaling: { type: "linear", factor: 2 },
      rope_parameters: { rope_type: "default", rope_theta: 9 },
    };
    expect(parseRotary(both, small)).toMatchObject({ kind: "linear", theta: 10_000 });
  });

  it("rotates part of a head where the family does", () => {
    expect(parseRotary({ partial_rotary_factor: 0.4 }, { headDim: 80, contextLength: 9, defaultPart: 0.5 }).dims).toBe(
      32,
    );
    expect(parseRotary({}, { headDim: 80, contextLength: 9, defaultPart: 0.5 }).dims).toBe(40);
    expect(() => parseRotary({ partial_rotary_factor: 0.5 }, small)).toThrow(UnsupportedError);
    expect(() => parseRotary({ partial_rotary_factor: 0.2 }, { ...small, defaultPart: 1 })).toThrow(
      "which makes 3; wanted an even number in 2..16",
    );
  });

  it("takes one rotation said twice, refuses two", () => {
    const one = { rope_type: "default", rope_theta: 20_000 };
    const same = { rope_parameters: { full_attention: one, sliding_attention: one } };
    expect(parseRotary(same, small).theta).toBe(20_000);
    const two = { rope_parameters: { full_attention: one, sliding_attention: { ...one, rope_theta: 10_000 } } };
    expect(() => parseRotary(two, small)).toThrow(UnsupportedError);
  });

  const refused: [string, object, typeof UnsupportedError | typeof FormatError, string][] = [
    [
      "longrope",
      { rope_scaling: { type: "longrope", short_factor: [1], long_factor: [1] } },
      UnsupportedError,
      '"longrope" is not supported; supported are default, linear, dynamic, llama3, yarn',
    ],
    ["su", { rope_scaling: { type: "su" } }, UnsupportedError, '"su" is not supported'],
    ["mrope", { rope_scaling: { type: "mrope", mrope_section: [1, 2] } }, UnsupportedError, '"mrope" is not supported'],
    [
      "mrope in default's clothes",
      { rope_scaling: { type: "default", mrope_section: [1, 2] } },
      UnsupportedError,
      '"mrope_section" is [1,2]',
    ],
    [
      "a factor that is missing",
      { rope_scaling: { type: "linear" } },
      FormatError,
      '"factor" is missing; wanted a number above 0',
    ],
    ["a factor that is text", { rope_scaling: { type: "linear", factor: "4" } }, FormatError, '"factor" is "4"'],
    ["a factor of 0", { rope_scaling: { type: "dynamic", factor: 0 } }, FormatError, '"factor" is 0'],
    ["theta 1", { rope_theta: 1 }, FormatError, "wanted a number above 1"],
    ["theta below 0", { rope_theta: -1 }, FormatError, '"rope_theta" is -1'],
    [
      "frequency factors in the wrong order",
      { rope_scaling: { rope_type: "llama3", factor: 8, low_freq_factor: 4, high_freq_factor: 4 } },
      FormatError,
      "wanted more than low_freq_factor, which is 4",
    ],
    ["a list", { rope_scaling: [1] }, FormatError, "wanted an object"],
  ];
  it.each(refused)("refuses %s", (_name, json, kind, message) => {
    expect(() => parseRotary(json, small)).toThrow(kind);
    expect(() => parseRotary(json, small)).toThrow(message);
  });
});
