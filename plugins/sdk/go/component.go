//go:build wasip1

package plugin

import (
	"time"

	exports "wardian.dev/plugin/internal/bindings/exports/export_wardian_plugin_tools"
	_ "wardian.dev/plugin/internal/bindings/exports/wit_exports"
	"wardian.dev/plugin/internal/bindings/imports/wardian_plugin_cache"
	"wardian.dev/plugin/internal/bindings/imports/wardian_plugin_config"
	"wardian.dev/plugin/internal/bindings/imports/wardian_plugin_context"
	"wardian.dev/plugin/internal/bindings/imports/wardian_plugin_feedback"
	"wardian.dev/plugin/internal/bindings/imports/wardian_plugin_log"
	"wardian.dev/plugin/internal/bindings/imports/wardian_plugin_secrets"
	"wardian.dev/plugin/internal/bindings/imports/wardian_plugin_store"
	"wardian.dev/plugin/internal/bindings/imports/wardian_plugin_types"
	"wardian.dev/plugin/internal/bindings/wit/types"
)

func init() {
	exports.Describe = describeAll
	exports.Invoke = func(call wardian_plugin_types.Call) exports.Invoked {
		parts, failure := invoke(call.Tool, []byte(call.Input))
		if failure != nil {
			return wit_types.Err[[]wardian_plugin_types.Content](toolError(failure))
		}
		content := make([]wardian_plugin_types.Content, len(parts))
		for i, part := range parts {
			content[i] = contentOf(part)
		}
		return wit_types.Ok[[]wardian_plugin_types.Content, wardian_plugin_types.ToolError](content)
	}
}

func describeAll() []wardian_plugin_types.Tool {
	described := make([]wardian_plugin_types.Tool, len(registered))
	for i, tool := range registered {
		described[i] = wardian_plugin_types.Tool{
			Name:        tool.name,
			Description: tool.description,
			Input:       tool.input(),
			Output:      unlessEmpty(tool.output()),
			Traits:      uint8(tool.traits),
			Annotations: unlessEmpty(tool.annotations),
		}
	}
	return described
}

func toolError(failure *Error) wardian_plugin_types.ToolError {
	after := wit_types.None[uint64]()
	if failure.RetryAfter > 0 {
		after = wit_types.Some(uint64(failure.RetryAfter.Milliseconds()))
	}
	return wardian_plugin_types.ToolError{
		Reason: uint8(failure.Reason), Message: failure.Message, Code: unlessEmpty(failure.Code), RetryAfter: after,
	}
}

func contentOf(part Part) wardian_plugin_types.Content {
	switch part := part.(type) {
	case written:
		return wardian_plugin_types.MakeContentData(string(part))
	case Blob:
		blob := wardian_plugin_types.Blob{MediaType: part.MediaType, Name: unlessEmpty(part.Name), Bytes: part.Bytes}
		return wardian_plugin_types.MakeContentBlob(blob)
	case Text:
		return wardian_plugin_types.MakeContentText(string(part))
	default:
		panic("plugin: a part of an answer was not prepared")
	}
}

func unlessEmpty(text string) wit_types.Option[string] {
	if text == "" {
		return wit_types.None[string]()
	}
	return wit_types.Some(text)
}

func hostLog(level uint8, message string) { wardian_plugin_log.Write(level, message) }

func hostConfigGet(key string) (string, bool) {
	value := wardian_plugin_config.Get(key)
	return value.SomeOr(""), value.IsSome()
}

func hostConfigKeys() []string { return wardian_plugin_config.Keys() }

func hostReveal(name string) (string, error) {
	value := wardian_plugin_secrets.Reveal(name)
	if value.IsOk() {
		return value.Ok(), nil
	}
	why := "is not granted to this plugin"
	switch value.Err() {
	case wardian_plugin_secrets.Denial_Denied:
		why = "may be injected into requests, but not shown"
	case wardian_plugin_secrets.Denial_Missing:
		why = "is granted, but the operator has not set it"
	}
	return "", Unauthorized("the secret %s %s", name, why).WithCode("not_granted")
}

func hostReady(name string) bool { return wardian_plugin_secrets.Ready(name) }

func storeError(err wardian_plugin_store.Error) error {
	switch err.Tag() {
	case wardian_plugin_store.Error_Denied:
		return notGranted("store")
	case wardian_plugin_store.Error_Quota:
		return full("store", err.Quota())
	case wardian_plugin_store.Error_InvalidKey:
		return invalidKey()
	default:
		return Unavailable("the store cannot be reached just now")
	}
}

func storeDone(result wit_types.Result[wit_types.Unit, wardian_plugin_store.Error]) error {
	if result.IsErr() {
		return storeError(result.Err())
	}
	return nil
}

func hostStoreGet(key string) ([]byte, bool, error) {
	result := wardian_plugin_store.Get(key)
	if result.IsErr() {
		return nil, false, storeError(result.Err())
	}
	return result.Ok().SomeOr(nil), result.Ok().IsSome(), nil
}

func hostStoreSet(key string, value []byte) error {
	return storeDone(wardian_plugin_store.Set(key, value))
}

func hostStoreDelete(key string) error { return storeDone(wardian_plugin_store.Delete(key)) }

func hostStoreKeys(prefix, after string, limit uint32) ([]string, error) {
	result := wardian_plugin_store.Keys(prefix, unlessEmpty(after), limit)
	if result.IsErr() {
		return nil, storeError(result.Err())
	}
	return result.Ok(), nil
}

func cacheError(err wardian_plugin_cache.Error) error {
	switch err.Tag() {
	case wardian_plugin_cache.Error_Denied:
		return notGranted("cache")
	case wardian_plugin_cache.Error_Quota:
		return full("cache", err.Quota())
	case wardian_plugin_cache.Error_InvalidName:
		return Failed("the plugin used an invalid cache name")
	default:
		return Unavailable("the cache cannot be reached just now")
	}
}

func cacheDone(result wit_types.Result[wit_types.Unit, wardian_plugin_cache.Error]) error {
	if result.IsErr() {
		return cacheError(result.Err())
	}
	return nil
}

func hostCacheSize(name string) (uint64, bool, error) {
	result := wardian_plugin_cache.Size(name)
	if result.IsErr() {
		return 0, false, cacheError(result.Err())
	}
	return result.Ok().SomeOr(0), result.Ok().IsSome(), nil
}

func hostCacheRead(name string, offset uint64, length uint32) ([]byte, error) {
	result := wardian_plugin_cache.Read(name, offset, length)
	if result.IsErr() {
		return nil, cacheError(result.Err())
	}
	return result.Ok().SomeOr(nil), nil
}

func hostCacheWrite(name string, content []byte) error {
	return cacheDone(wardian_plugin_cache.Write(name, content))
}

func hostCacheDelete(name string) error { return cacheDone(wardian_plugin_cache.Delete(name)) }

func hostCacheNames() ([]string, error) {
	result := wardian_plugin_cache.Names()
	if result.IsErr() {
		return nil, cacheError(result.Err())
	}
	return result.Ok(), nil
}

func hostProgress(share float32, note string) {
	known := wit_types.None[float32]()
	if share >= 0 {
		known = wit_types.Some(share)
	}
	wardian_plugin_feedback.Progress(known, note)
}

func hostEmit(part Part) { wardian_plugin_feedback.Emit(contentOf(part)) }

func hostCancelled() bool { return wardian_plugin_feedback.Cancelled() }

func hostContext() caller {
	return caller{
		ID:      wardian_plugin_context.Id(),
		Session: wardian_plugin_context.Session(),
		Agent:   wardian_plugin_context.Agent(),
		User:    wardian_plugin_context.User().SomeOr(""),
	}
}

func hostTimeLeft() time.Duration {
	return time.Duration(wardian_plugin_context.TimeLeft()) * time.Millisecond
}
