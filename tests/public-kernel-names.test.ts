/** Everything that users can import of kernels, by name: see public-names.test.ts. */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { exportedNames } from "./support/architecture.ts";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const namesOf = (path: string): string => `\n${exportedNames(path, read(path), read).join("\n")}\n`;

it("kedge/kernels exports these names", () => {
  expect(namesOf("kernels/every-device.ts")).toMatchInlineSnapshot(`
    "
    ACTIVATIONS
    COMBINED_WORDS
    COMBINING_RULES
    DENSE
    GROUP_COLUMNS
    PATTERN_KINDS
    POISON
    SLACK
    STORED_CODES
    activate
    activation
    add
    addImplementations
    argmax
    attend
    attendPattern
    attendWithPattern
    boundOf
    bytesPerWeight
    cacheFormats
    cacheMove
    combineRows
    compare
    costOf
    decodeQuantizedRows
    decodeWeights
    defineKernel
    embed
    erf
    errorOf
    f16ToF32
    gatedLinear
    gpuImplementations
    headWords
    implementationsOf
    isQuantized
    isVisible
    kernels
    keyNorm
    layerNorm
    linear
    logSumExp
    makeTrial
    matrixByteLength
    multiplyAdd
    normalize
    packCall
    packHeads
    packRows
    paddedColumns
    planesOf
    quantizeRows
    quantizeRowsCall
    readThrough
    rmsNorm
    rotate
    rotateStore
    roundToFormat
    scaleShift
    seededRandom
    selectRows
    selectWords
    slotBytes
    softmax
    storedByteLength
    sumHeads
    tokenLogProb
    topK
    type ActivationName
    type Bound
    type BufferUse
    type CacheFormat
    type CachePacking
    type Cost
    type CostOfCall
    type CostSetting
    type Floats
    type Implementation
    type Inputs
    type Kernel
    type MatrixFormat
    type MatrixLayout
    type MatrixShape
    type ParamType
    type Planes
    type QuantizedFormat
    type Random
    type Sample
    type SecondPass
    type Setting
    type StoredFormat
    type Trial
    type TrialError
    type TrialMatrix
    type TypedKernel
    type Violation
    type VisibilityParams
    type WasmImplementation
    type WebGlFunction
    type WebGlImplementation
    type WebGlPass
    type WebGlPlan
    type WebGlRegion
    type WgslImplementation
    unpackHeads
    webglImplementations
    wordsOf
    "
  `);
});
