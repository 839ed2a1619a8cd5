// Package export_wardian_plugin_tools is a plugin as a stranger writes it in Go:
// `compute` works, `reach` tries what nobody granted. The name is the generator's.
package export_wardian_plugin_tools

import (
	"encoding/json"
	"fmt"
	"stranger/bindings/imports/wardian_plugin_types"

	. "stranger/bindings/wit/types"
)

func Describe() []wardian_plugin_types.Tool {
	return []wardian_plugin_types.Tool{
		tool("compute", "Counts the primes below a number and adds them up.", "below", 2, 1_000_000),
		tool("reach", "Tries everything that the language offers to reach the outside.", "port", 1, 65_535),
	}
}

func Invoke(call wardian_plugin_types.Call) Result[[]wardian_plugin_types.Content, wardian_plugin_types.ToolError] {
	var given struct{ Below, Port int }
	if err := json.Unmarshal([]byte(call.Input), &given); err != nil {
		return failed(wardian_plugin_types.Reason_InvalidInput, err.Error())
	}
	var answer any
	switch call.Tool {
	case "compute":
		answer = compute(given.Below)
	case "reach":
		answer = everything(given.Port)
	default:
		return failed(wardian_plugin_types.Reason_NotFound, call.Tool)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return failed(wardian_plugin_types.Reason_Failed, err.Error())
	}
	parts := []wardian_plugin_types.Content{wardian_plugin_types.MakeContentData(string(text))}
	return Ok[[]wardian_plugin_types.Content, wardian_plugin_types.ToolError](parts)
}

func tool(name, description, key string, least, most int) wardian_plugin_types.Tool {
	input := fmt.Sprintf(`{"type": "object", "properties": {%q: {"type": "integer", "minimum": %d, "maximum": %d}}, "required": [%q], "additionalProperties": false}`,
		key, least, most, key)
	return wardian_plugin_types.Tool{Name: name, Description: description, Input: input, Output: None[string](), Annotations: None[string]()}
}

func failed(reason wardian_plugin_types.Reason, message string) Result[[]wardian_plugin_types.Content, wardian_plugin_types.ToolError] {
	problem := wardian_plugin_types.ToolError{Reason: reason, Message: message, Code: None[string](), RetryAfter: None[uint64]()}
	return Err[[]wardian_plugin_types.Content, wardian_plugin_types.ToolError](problem)
}

func compute(below int) map[string]int {
	composite := make([]bool, below)
	primes, sum := 0, 0
	for n := 2; n < below; n++ {
		if composite[n] {
			continue
		}
		primes++
		sum += n
		for multiple := n * n; multiple < below; multiple += n {
			composite[multiple] = true
		}
	}
	return map[string]int{"primes": primes, "sum": sum}
}
