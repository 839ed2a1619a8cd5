// Package plugin is for writing Wardian plugins: tools for agents, each a Go
// function with a struct for its arguments.
//
//	type Greet struct {
//		Name    string `json:"name" doc:"Whom to greet."`
//		Excited bool   `json:"excited,omitempty" doc:"Whether to end with an exclamation mark."`
//	}
//
//	type Greeting struct {
//		Text string `json:"text"`
//	}
//
//	func greet(in Greet) (Greeting, error) {
//		if in.Name == "" {
//			return Greeting{}, plugin.InvalidInput("the name is empty: say whom to greet")
//		}
//		return Greeting{Text: "Hello, " + in.Name + "."}, nil
//	}
//
//	func init() { plugin.Tool("greet", "Greets a person by name.", greet, plugin.Pure) }
//	func main() {}
//
// The schema of the arguments comes from the struct. What the host offers to a
// running call is in [Log], [Config], [Secrets], [Store], [Cache], [HTTP],
// [Feedback] and [Context]; outside of a component, in the plugin's own tests,
// stand-ins answer, which [Testing] fills.
package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime/debug"
)

// A Trait is a promise about a tool. A tool that promises nothing is taken to
// destroy things and to reach anybody; promises let the host ask less.
type Trait uint8

const (
	// ReadOnly says that the tool changes nothing outside the call.
	ReadOnly Trait = 1 << iota
	// Idempotent says that doing it twice with the same call id is doing it once.
	Idempotent
	// Additive says that it only adds, and never overwrites or removes.
	Additive
	// ClosedWorld says that it touches only what the operator granted.
	ClosedWorld
	// Pure is all of it: the tool only computes, or only reads what it was granted.
	Pure = ReadOnly | Idempotent | Additive | ClosedWorld
)

// An Option says more about a tool.
type Option interface{ apply(*tool) }

func (t Trait) apply(to *tool) { to.traits |= t }

// Annotations is a JSON object for people and models: "title", "examples".
type Annotations string

func (a Annotations) apply(to *tool) { to.annotations = string(a) }

type tool struct {
	name, description, annotations string
	in, out                        reflect.Type
	traits                         Trait
	run                            func(input []byte) ([]Part, error)
}

var registered []*tool

// Tool adds a tool. It is to be called from an init function: a plugin's tools do
// not depend on anything outside. In is a struct; what Out may be, see [Part].
func Tool[In, Out any](name, description string, run func(In) (Out, error), options ...Option) {
	added := &tool{name: name, description: wellFormed(description), in: reflect.TypeFor[In](), out: reflect.TypeFor[Out]()}
	if added.in.Kind() != reflect.Struct {
		panic(fmt.Sprintf("plugin: the arguments of tool %s are a %v, and have to be a struct", name, added.in))
	}
	added.run = func(input []byte) ([]Part, error) {
		var in In
		if err := decode(input, &in); err != nil {
			return nil, InvalidInput("cannot read the arguments of %s: %v", name, err)
		}
		out, err := run(in)
		if err != nil {
			return nil, err
		}
		return answer(out)
	}
	for _, option := range options {
		option.apply(added)
	}
	registered = append(registered, added)
}

func decode(input []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(input))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("something stands behind the object")
	}
	return nil
}

// One call, from its arguments to the parts of its answer. Whatever goes wrong
// becomes an [Error].
func invoke(name string, input []byte) (parts []Part, failure *Error) {
	defer func() {
		if wrong := recover(); wrong != nil {
			Log.Error("tool %s panicked: %v\n%s", name, wrong, debug.Stack())
			parts, failure = nil, asError(Failed("the tool panicked: %v", wrong))
		}
	}()
	for _, tool := range registered {
		if tool.name == name {
			parts, err := tool.run(input)
			if err != nil {
				return nil, asError(err)
			}
			return parts, nil
		}
	}
	return nil, asError(NotFound("there is no tool %s", name))
}
