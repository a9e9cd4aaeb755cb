// A program's time is that of its process's processors, so that an outcome does not depend on what else the machine does; the wall clock
// only ends what does not compute.

/** How much longer than its time a program may take by the wall clock. */
const WALL_TIMES = 4;

/** The wall-clock milliseconds within which a program with so much time must end. */
export function wallMs(timeMs: number): number {
  return WALL_TIMES * timeMs;
}
