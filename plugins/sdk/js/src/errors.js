// How a tool says that it has no result: one class for each reason of the contract. Choose by what the
// caller should do next. The message is for the model: what was wrong, and what would help.

import { optional, told, wellFormed } from "./words.js";

const REASONS = ["invalid_input", "not_found", "unauthorized", "refused", "unavailable", "failed"];

// The longest wait that is told, a century: more is as good as never, and the contract's number ends.
const WAIT_MS_MAX = 100 * 365 * 24 * 3_600_000;

export class ToolError extends Error {
  reason = "failed";

  // `code` is for programs: short and stable. `retryAfter` is in seconds.
  constructor(message, { code, retryAfter, cause } = {}) {
    super(wellFormed(message), cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = optional(code);
    this.retryAfter = retryAfter;
  }
}

export class InvalidInput extends ToolError {
  reason = "invalid_input";
}

export class NotFound extends ToolError {
  reason = "not_found";
}

export class Unauthorized extends ToolError {
  reason = "unauthorized";
}

export class Refused extends ToolError {
  reason = "refused";
}

export class Unavailable extends ToolError {
  reason = "unavailable";
}

export class Failed extends ToolError {
  reason = "failed";
}

// What the host is told of an error, whatever its class or whoever threw it has put there.
export function asTold({ name, reason, message, code, retryAfter }) {
  return {
    reason: REASONS.includes(reason) ? reason : "failed",
    message: told(message) || told(name),
    code: code === undefined || code === null ? undefined : told(code),
    waitMs: Number.isFinite(retryAfter) ? Math.round(Math.min(Math.max(retryAfter * 1000, 0), WAIT_MS_MAX)) : undefined,
  };
}
