// The progress of an evaluation as one line of text, for a terminal that writes it over itself.

import type { EvaluationProgress } from "./run.ts";

/**
 * Such as `[#########-----------] 45/100, 30 passed, 1m05s left`, no longer than `width`.
 *
 * @param elapsedMs since this run began; what an earlier run had done does not count into the estimate
 */
export function progressLine(progress: EvaluationProgress, elapsedMs: number, width = 80): string {
  const { done, total, passed, resumed } = progress;
  const fresh = done - resumed;
  const left = done < total && fresh > 0 ? `, ${duration((elapsedMs / fresh) * (total - done))} left` : "";
  const text = `${done}/${total}, ${passed} passed${left}`;
  const room = Math.min(30, width - text.length - 3);
  if (room < 5) return text.slice(0, width);
  const filled = Math.floor((done / total) * room);
  return `[${"#".repeat(filled)}${"-".repeat(room - filled)}] ${text}`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}

function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) return `${seconds}s`;
  return minutes < 60 ? `${minutes}m${pad(seconds % 60)}s` : `${Math.floor(minutes / 60)}h${pad(minutes % 60)}m`;
}
