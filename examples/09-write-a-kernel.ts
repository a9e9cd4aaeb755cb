// Defines a kernel, runs it through a recorded program, and holds it against its f64 reference. The reference is the
// definition, and all that the reference device needs; other devices need an implementation, here a shader.

import { type Device } from "kedge";
import { chooseDevice, openDevice, ProgramBuilder, variable } from "kedge/devices";
import { compare, defineKernel, makeTrial, seededRandom, type Setting, type Violation } from "kedge/kernels";

/** y = x · sigmoid(gate), one lane an element. The device declares x, gate, y [rows, dim] and `params` from the definition. */
const wgsl = /* wgsl */ `
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < params.rows * params.dim) { y[id.x] = x[id.x] / (1.0 + exp(-gate[id.x])); }
}`;

const workgroups = ({ params: { rows, dim } }: Setting) => [Math.ceil((rows! * dim!) / 64)];

const gateBySigmoid = defineKernel({
  name: "gate-by-sigmoid",
  buffers: { x: "read", gate: "read", y: "write" },
  params: { rows: "u32", dim: "u32" },
  sizes: ({ rows, dim }) => ({ x: rows * dim, gate: rows * dim, y: rows * dim }),
  reference({ x, gate, y }, { rows, dim }) {
    for (let i = 0; i < rows * dim; i++) y[i] = x[i]! / (1 + Math.exp(-gate[i]!));
  },
  bound: () => ({ absolute: 1e-6, relative: 1e-5 }), // exp in f32
  samples: [{ params: { rows: 2, dim: 37 } }],
  implementations: [{ name: "gate-by-sigmoid", wgsl, requires: [], workgroups }],
});

/** Runs one sample of the kernel on a device: null if it is right, else the first number that is not. */
export async function check(device: Device): Promise<Violation | null> {
  const trial = makeTrial(gateBySigmoid, gateBySigmoid.samples[0]!, seededRandom(1));
  const { arrays, params } = trial;
  const tensor = (name: string) => device.createTensor(name, "f32", arrays[name]!.length, "activations");
  const [x, gate, y] = [tensor("x"), tensor("gate"), tensor("y")];

  const builder = new ProgramBuilder("example");
  builder.call(gateBySigmoid, "gate", { x, gate, y }, { rows: variable("rows"), dim: params["dim"]! });
  const executable = await device.prepare(builder.build());

  // A step gives the variables their values: replaying with other counts of rows needs no new recording.
  const [got] = await device.run(executable, {
    variables: { rows: params["rows"]! },
    writes: [x, gate, y].map((one) => ({ tensor: one, data: arrays[one.label]! })),
    reads: [{ tensor: y, begin: 0, end: y.length }],
  });
  executable.dispose(); // the tensors go with their device
  return compare(trial, { y: got! }, gateBySigmoid.bound(trial.params as { rows: number; dim: number }));
}

const { name } = await chooseDevice();
const device = await openDevice(name === "webgpu" ? name : "reference"); // there is no wasm implementation of it
console.log(device.description);
const wrong = await check(device);
console.log(wrong === null ? "within its bound" : `${wrong.buffer}[${wrong.index}] is ${wrong.got}, not ${wrong.want}`);
await device.dispose();
