// Why a command is ended from outside, and the exit code for it.

/** Aborts the signal of a command; its exit code is the command's. */
export class Interruption extends Error {
  override readonly name = "Interruption";
  readonly exitCode: number;
  /** nobody is there to read messages: the reader of stdout has left */
  readonly isSilent: boolean;

  constructor(message: string, exitCode: number, isSilent = false) {
    super(message);
    this.exitCode = exitCode;
    this.isSilent = isSilent;
  }
}

/** The exit code of a command whose signal was aborted: 128 and the signal's number, as shells have it. */
export function interruptedCode({ reason }: AbortSignal): number {
  return reason instanceof Interruption ? reason.exitCode : 130;
}
