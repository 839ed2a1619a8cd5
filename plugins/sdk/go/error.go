package plugin

import (
	"errors"
	"fmt"
	"time"
)

// A Reason says what the caller should do about a failure.
type Reason uint8

// The reasons of the contract, in its order.
const (
	ReasonInvalidInput Reason = iota
	ReasonNotFound
	ReasonUnauthorized
	ReasonRefused
	ReasonUnavailable
	ReasonFailed
)

// An Error says that a call has no result, and what would help. Any other error
// that a tool returns becomes one with [ReasonFailed]; one that wraps an Error
// keeps its reason.
type Error struct {
	// Reason says what the caller should do.
	Reason Reason
	// Message is for the model: one or two sentences.
	Message string
	// Code is for programs: stable and short, the author's own vocabulary.
	Code string
	// RetryAfter says when a retry makes sense, where it does.
	RetryAfter time.Duration
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// WithCode adds a code for programs.
func (e *Error) WithCode(code string) *Error {
	e.Code = code
	return e
}

// WithRetryAfter says when a retry makes sense.
func (e *Error) WithRetryAfter(after time.Duration) *Error {
	e.RetryAfter = after
	return e
}

// InvalidInput says that the model should correct its arguments.
func InvalidInput(format string, values ...any) *Error {
	return &Error{Reason: ReasonInvalidInput, Message: fmt.Sprintf(format, values...)}
}

// NotFound says that the thing named does not exist: choose another.
func NotFound(format string, values ...any) *Error {
	return &Error{Reason: ReasonNotFound, Message: fmt.Sprintf(format, values...)}
}

// Unauthorized says that a credential or a grant is missing: the operator must act.
func Unauthorized(format string, values ...any) *Error {
	return &Error{Reason: ReasonUnauthorized, Message: fmt.Sprintf(format, values...)}
}

// Refused says that the request was understood and refused: do not retry.
func Refused(format string, values ...any) *Error {
	return &Error{Reason: ReasonRefused, Message: fmt.Sprintf(format, values...)}
}

// Unavailable says that there is passing trouble: it may be retried.
func Unavailable(format string, values ...any) *Error {
	return &Error{Reason: ReasonUnavailable, Message: fmt.Sprintf(format, values...)}
}

// Failed is for anything else.
func Failed(format string, values ...any) *Error {
	return &Error{Reason: ReasonFailed, Message: fmt.Sprintf(format, values...)}
}

// An error as the contract has it, whatever the author's has become.
func asError(err error) *Error {
	var known *Error
	if !errors.As(err, &known) || known == nil {
		return &Error{Reason: ReasonFailed, Message: wellFormed(fmt.Sprint(err))}
	}
	copied := *known
	copied.Message, copied.Code = wellFormed(err.Error()), wellFormed(known.Code)
	copied.Reason = min(known.Reason, ReasonFailed)
	return &copied
}
