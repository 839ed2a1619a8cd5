package plugin

import (
	"encoding/json"
	"fmt"
	"time"
)

// What the host offers to a running call. Denials are answers: an [Error] with
// [ReasonUnauthorized] says what the operator would have to grant.
var (
	// Log writes lines to the operator's log.
	Log logger
	// Config has the settings from the operator's file.
	Config config
	// Secrets has credentials, for the rare plugin that must hold one itself.
	Secrets secrets
	// Store is a small durable key-value store. What a call writes is kept once it succeeds.
	Store store
	// Cache has files that can be made again. They lie on the host's machine and may vanish.
	Cache cache
	// Feedback is what a tool can say while it runs.
	Feedback feedback
	// Context is what is known about the running call.
	Context call
)

type (
	logger   struct{}
	config   struct{}
	secrets  struct{}
	store    struct{}
	cache    struct{}
	feedback struct{}
	call     struct{}
)

// Debug writes a line for whoever looks for a fault.
func (logger) Debug(format string, values ...any) {
	hostLog(levelDebug, wellFormed(fmt.Sprintf(format, values...)))
}

// Info writes a line of the ordinary story.
func (logger) Info(format string, values ...any) {
	hostLog(levelInfo, wellFormed(fmt.Sprintf(format, values...)))
}

// Warn writes a line that the operator should see even in a quiet log.
func (logger) Warn(format string, values ...any) {
	hostLog(levelWarn, wellFormed(fmt.Sprintf(format, values...)))
}

// Error writes a line that wants a human.
func (logger) Error(format string, values ...any) {
	hostLog(levelError, wellFormed(fmt.Sprintf(format, values...)))
}

// The levels as the contract numbers them; there is one below them.
const (
	levelDebug uint8 = iota + 1
	levelInfo
	levelWarn
	levelError
)

// Get is a setting, and whether there is one: also where no settings were granted.
func (config) Get(key string) (value string, found bool) { return hostConfigGet(wellFormed(key)) }

// Keys are the names of all settings, sorted.
func (config) Keys() []string { return hostConfigKeys() }

// Reveal is the value of a secret that the operator chose to show to the plugin.
func (secrets) Reveal(name string) (string, error) { return hostReveal(wellFormed(name)) }

// Ready says whether a call that needs the secret could succeed.
func (secrets) Ready(name string) bool { return hostReady(wellFormed(name)) }

// Get is a value, and whether there is one.
func (store) Get(key string) (value []byte, found bool, err error) {
	return hostStoreGet(wellFormed(key))
}

// Set writes or replaces a value of at most 64 KiB.
func (store) Set(key string, value []byte) error { return hostStoreSet(wellFormed(key), value) }

// Delete removes a value; removing what is not there is no error.
func (store) Delete(key string) error { return hostStoreDelete(wellFormed(key)) }

// Keys are the sorted keys that begin with prefix and come after another ("" for
// all), at most limit of them and never more than 1,000.
func (store) Keys(prefix, after string, limit int) ([]string, error) {
	return hostStoreKeys(wellFormed(prefix), wellFormed(after), uint32(min(max(limit, 0), 1000)))
}

// GetJSON reads a value that SetJSON wrote, and says whether there is one.
func (store) GetJSON(key string, into any) (found bool, err error) {
	value, found, err := hostStoreGet(wellFormed(key))
	if err != nil || !found {
		return false, err
	}
	if err := json.Unmarshal(value, into); err != nil {
		return false, Failed("what the store holds under %s cannot be read: %v", key, err)
	}
	return true, nil
}

// SetJSON writes a value as JSON.
func (store) SetJSON(key string, value any) error {
	text, err := encode(value)
	if err != nil {
		return Failed("cannot write a value as JSON: %v", err)
	}
	return hostStoreSet(wellFormed(key), []byte(text))
}

// The most that is read of a cached file at a time.
const cacheReadBytes = 1 << 20

// Read is a whole file, and whether it is there.
func (c cache) Read(name string) (content []byte, found bool, err error) {
	size, found, err := hostCacheSize(wellFormed(name))
	if err != nil || !found {
		return nil, false, err
	}
	for uint64(len(content)) < size {
		piece, err := c.ReadAt(name, uint64(len(content)), cacheReadBytes)
		if err != nil {
			return nil, false, err
		}
		if len(piece) == 0 {
			break // it shrank meanwhile
		}
		content = append(content, piece...)
	}
	return content, true, nil
}

// ReadAt is a piece of a file: fewer bytes at its end, none behind it.
func (cache) ReadAt(name string, offset uint64, length uint32) ([]byte, error) {
	return hostCacheRead(wellFormed(name), offset, length)
}

// Write replaces a file as a whole.
func (cache) Write(name string, content []byte) error {
	return hostCacheWrite(wellFormed(name), content)
}

// Delete removes a file; removing what is not there is no error.
func (cache) Delete(name string) error { return hostCacheDelete(wellFormed(name)) }

// Names are the names of all files, sorted.
func (cache) Names() ([]string, error) { return hostCacheNames() }

// Progress tells how far the call is, between 0 and 1, with a short note for
// people. A negative share is an unknown one.
func (feedback) Progress(share float64, note string) {
	hostProgress(float32(share), wellFormed(note))
}

// Emit hands over a part of the answer now. It is kept even if the call fails later.
func (feedback) Emit(part Part) error {
	ready, err := answer(part)
	if err != nil {
		return err
	}
	hostEmit(ready[0])
	return nil
}

// Cancelled says that the caller has lost interest: clean up and return.
func (feedback) Cancelled() bool { return hostCancelled() }

// ID is the call's id: the same when the host repeats a call, unique otherwise.
func (call) ID() string { return hostContext().ID }

// Session is the session on whose behalf the call runs.
func (call) Session() string { return hostContext().Session }

// Agent is the key of the agent that asked.
func (call) Agent() string { return hostContext().Agent }

// User is the end user, or empty where the client named none.
func (call) User() string { return hostContext().User }

// TimeLeft is the time until the host ends the call.
func (call) TimeLeft() time.Duration { return hostTimeLeft() }

// caller is who a call is for.
type caller struct{ ID, Session, Agent, User string }

func notGranted(what string) *Error {
	return Unauthorized("this plugin was granted no %s; the operator can grant one", what).WithCode("not_granted")
}

func full(what string, quota uint64) *Error {
	return Refused("the %s is full: its quota is %d bytes; delete something first", what, quota).WithCode("quota")
}

func invalidKey() *Error {
	return InvalidInput("the key must have 1 to 256 bytes and no control characters").WithCode("invalid_key")
}
