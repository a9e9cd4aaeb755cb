// What a request is refused with: a status, and the error body that OpenAI's clients know.

import { DeviceError, FormatError, UnsupportedError } from "kedge";

/** Details of an {@link ApiError}. */
export interface ApiErrorDetails {
  /** OpenAI's kind of error; by the status if absent */
  readonly type?: string | undefined;
  /** for programs, such as `model_not_found` */
  readonly code?: string | undefined;
  /** the field of the request that is wrong */
  readonly param?: string | undefined;
  /** when to try again */
  readonly retryAfterSeconds?: number | undefined;
  readonly cause?: unknown;
}

/** The status of a request whose client has left; nobody reads it but the metrics. */
export const CLIENT_LEFT = 499;

/** A request that is not answered: its HTTP status, and one sentence. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly details: ApiErrorDetails;

  constructor(status: number, message: string, details: ApiErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.status = status;
    this.details = details;
  }

  /** OpenAI's body of an error. */
  get body(): object {
    const { type, code, param } = this.details;
    return {
      error: { message: this.message, type: type ?? typeOf(this.status), param: param ?? null, code: code ?? null },
    };
  }

  get headers(): Record<string, string> {
    const { retryAfterSeconds } = this.details;
    return retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
  }
}

function typeOf(status: number): string {
  if (status === 401) return "authentication_error";
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

/** A request that cannot be answered as it is; `param` is the field that is wrong. */
export function invalid(message: string, param?: string, code?: string): ApiError {
  return new ApiError(400, message, { param, code });
}

/** What the engine or the template throws, as an answer. `onUnexpected` is told what is nobody's request. */
export function asApiError(error: unknown, onUnexpected: (error: unknown) => void): ApiError {
  if (error instanceof ApiError) return error;
  const isOfRequest = error instanceof RangeError || error instanceof FormatError || error instanceof UnsupportedError;
  if (isOfRequest) return new ApiError(400, error.message, { cause: error });
  onUnexpected(error);
  const message = error instanceof DeviceError ? error.message : "the request failed in kedge itself: its log says why";
  return new ApiError(500, message, { cause: error });
}
