// How a tool says that it has no result: one class for each reason of the contract. Choose by what the
// caller should do next. The message is for the model: what was wrong, and what would help.

export class ToolError extends Error {
  reason = "failed";

  // `code` is for programs: short and stable. `retryAfter` is in seconds.
  constructor(message, { code, retryAfter, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
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
