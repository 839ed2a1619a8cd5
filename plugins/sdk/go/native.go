//go:build !wasip1

package plugin

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Testing is the host outside of a component, for a plugin's own tests: it has
// what a test puts there, and keeps what the plugin writes. Without anything in
// it, it answers as if nothing had been granted but a store and a cache.
var Testing = &Host{}

// A Host for tests.
type Host struct {
	// Config are the settings.
	Config map[string]string
	// Secrets are those that may be revealed.
	Secrets map[string]string
	// Store and Cache are what was written so far.
	Store, Cache map[string][]byte
	// HTTP answers requests; without it they are not granted.
	HTTP func(Request) (Response, error)
	// Caller is who the call is for.
	Caller struct{ ID, Session, Agent, User string }
	// Cancelled is what the plugin hears when it asks.
	Cancelled bool
	// Emitted and Logged are what the plugin said.
	Emitted []Part
	Logged  []string

	lock sync.Mutex
}

// Reset forgets everything.
func (h *Host) Reset() {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.Config, h.Secrets, h.Store, h.Cache = nil, nil, nil, nil
	h.HTTP, h.Caller, h.Cancelled = nil, caller{}, false
	h.Emitted, h.Logged = nil, nil
}

func (h *Host) write(into *map[string][]byte, key string, value []byte) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if *into == nil {
		*into = map[string][]byte{}
	}
	(*into)[key] = slices.Clone(value)
}

func (h *Host) read(from map[string][]byte, key string) ([]byte, bool) {
	h.lock.Lock()
	defer h.lock.Unlock()
	value, found := from[key]
	return slices.Clone(value), found
}

func (h *Host) remove(from map[string][]byte, key string) {
	h.lock.Lock()
	defer h.lock.Unlock()
	delete(from, key)
}

func (h *Host) names(from map[string][]byte, keep func(string) bool) []string {
	h.lock.Lock()
	defer h.lock.Unlock()
	names := []string{}
	for name := range from {
		if keep(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func hostLog(level uint8, message string) {
	line := [...]string{"trace", "debug", "info", "warn", "error"}[level] + ": " + message
	Testing.lock.Lock()
	Testing.Logged = append(Testing.Logged, line)
	Testing.lock.Unlock()
	fmt.Fprintln(os.Stderr, line)
}

func hostConfigGet(key string) (string, bool) {
	value, found := Testing.Config[key]
	return value, found
}

func hostConfigKeys() []string {
	keys := []string{}
	for key := range Testing.Config {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func hostReveal(name string) (string, error) {
	if value, found := Testing.Secrets[name]; found {
		return value, nil
	}
	return "", Unauthorized("the secret %s is not granted to this plugin", name).WithCode("not_granted")
}

func hostReady(name string) bool {
	_, found := Testing.Secrets[name]
	return found
}

// The contract's bounds, so that a test meets them before a user does.
const (
	keyBytesMax   = 256
	valueBytesMax = 64 << 10
)

func checkKey(key string) error {
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	if key == "" || len(key) > keyBytesMax || strings.ContainsFunc(key, control) {
		return invalidKey()
	}
	return nil
}

func hostStoreGet(key string) ([]byte, bool, error) {
	if err := checkKey(key); err != nil {
		return nil, false, err
	}
	value, found := Testing.read(Testing.Store, key)
	return value, found, nil
}

func hostStoreSet(key string, value []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if len(value) > valueBytesMax {
		return full("store", valueBytesMax)
	}
	Testing.write(&Testing.Store, key, value)
	return nil
}

func hostStoreDelete(key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	Testing.remove(Testing.Store, key)
	return nil
}

func hostStoreKeys(prefix, after string, limit uint32) ([]string, error) {
	keys := Testing.names(Testing.Store, func(key string) bool { return strings.HasPrefix(key, prefix) && key > after })
	return keys[:min(len(keys), int(limit))], nil
}

func hostCacheSize(name string) (uint64, bool, error) {
	content, found := Testing.read(Testing.Cache, name)
	return uint64(len(content)), found, nil
}

func hostCacheRead(name string, offset uint64, length uint32) ([]byte, error) {
	content, _ := Testing.read(Testing.Cache, name)
	begin := min(offset, uint64(len(content)))
	end := min(begin+uint64(length), uint64(len(content)))
	return content[begin:end], nil
}

func hostCacheWrite(name string, content []byte) error {
	Testing.write(&Testing.Cache, name, content)
	return nil
}

func hostCacheDelete(name string) error {
	Testing.remove(Testing.Cache, name)
	return nil
}

func hostCacheNames() ([]string, error) {
	return Testing.names(Testing.Cache, func(string) bool { return true }), nil
}

func hostProgress(float32, string) {}

func hostEmit(part Part) {
	Testing.lock.Lock()
	defer Testing.lock.Unlock()
	Testing.Emitted = append(Testing.Emitted, part)
}

func hostCancelled() bool { return Testing.Cancelled }

func hostContext() caller { return Testing.Caller }

func hostTimeLeft() time.Duration { return time.Minute }

func hostRequest(request Request) (Response, error) {
	if Testing.HTTP == nil {
		return Response{}, notAllowed(request.URL)
	}
	return Testing.HTTP(request)
}
