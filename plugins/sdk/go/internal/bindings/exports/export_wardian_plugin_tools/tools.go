//go:build wasip1

// Package export_wardian_plugin_tools is where generated code looks for what the
// component exports; the SDK puts it here. The name is the generator's.
package export_wardian_plugin_tools

import (
	"wardian.dev/plugin/internal/bindings/imports/wardian_plugin_types"
	"wardian.dev/plugin/internal/bindings/wit/types"
)

// Invoked is what a call gives.
type Invoked = wit_types.Result[[]wardian_plugin_types.Content, wardian_plugin_types.ToolError]

// Describe lists the plugin's tools.
var Describe func() []wardian_plugin_types.Tool

// Invoke runs one tool.
var Invoke func(wardian_plugin_types.Call) Invoked
