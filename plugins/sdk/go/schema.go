package plugin

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Nested deeper than this a type contains itself, which no schema here can say.
const depthMax = 32

var (
	timeType      = reflect.TypeFor[time.Time]()
	bytesType     = reflect.TypeFor[[]byte]()
	partType      = reflect.TypeFor[Part]()
	partsType     = reflect.TypeFor[[]Part]()
	marshalerType = reflect.TypeFor[json.Marshaler]()
	textType      = reflect.TypeFor[encoding.TextMarshaler]()
)

// The schema of a tool's arguments, from its struct. A field is required unless
// it is a pointer or its json tag says omitempty or omitzero. Tags: `doc` describes it,
// `enum:"a,b"` lists what it may be, `minimum` and `maximum` bound a number.
func (t *tool) input() string { return schema{tool: t.name}.of(t.in, 0) }

// The schema of a tool's answer where that is an object, otherwise nothing.
func (t *tool) output() string {
	out := t.out
	for out.Kind() == reflect.Pointer {
		out = out.Elem()
	}
	object := out.Kind() == reflect.Struct || out.Kind() == reflect.Map
	if !object || out == partsType || t.out.Implements(partType) || t.out.Implements(marshalerType) || t.out.Implements(textType) {
		return ""
	}
	return schema{tool: t.name, answer: true}.of(out, 0)
}

type schema struct {
	tool string
	// An answer may have null where Go has nothing: an empty slice, map or pointer.
	answer bool
}

func (s schema) of(t reflect.Type, depth int) string {
	if depth > depthMax {
		panic(fmt.Sprintf("plugin: a type of tool %s contains itself: use json.RawMessage there", s.tool))
	}
	switch {
	case t == timeType:
		return `{"type":"string","format":"date-time"}`
	case t == bytesType:
		return `{"type":` + s.nullable("string") + `,"contentEncoding":"base64"}`
	case t.Kind() != reflect.Struct && t.Kind() != reflect.Pointer && t.Implements(textType):
		return `{"type":"string"}`
	case t.Implements(marshalerType):
		return `{}`
	case t.Implements(textType):
		return `{"type":"string"}`
	}
	switch t.Kind() {
	case reflect.Bool:
		return `{"type":"boolean"}`
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return `{"type":"integer"}`
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return `{"type":"integer","minimum":0}`
	case reflect.Float32, reflect.Float64:
		return `{"type":"number"}`
	case reflect.String:
		return `{"type":"string"}`
	case reflect.Slice:
		return `{"type":` + s.nullable("array") + `,"items":` + s.of(t.Elem(), depth+1) + `}`
	case reflect.Array:
		return fmt.Sprintf(`{"type":"array","items":%s,"minItems":%d,"maxItems":%d}`, s.of(t.Elem(), depth+1), t.Len(), t.Len())
	case reflect.Map:
		kind := s.nullable("object")
		if depth == 0 {
			kind = `"object"`
		}
		return `{"type":` + kind + `,"additionalProperties":` + s.of(t.Elem(), depth+1) + `}`
	case reflect.Pointer:
		if s.answer {
			return `{"anyOf":[` + s.of(t.Elem(), depth+1) + `,{"type":"null"}]}`
		}
		return s.of(t.Elem(), depth+1)
	case reflect.Struct:
		return s.object(t, depth)
	case reflect.Interface:
		return `{}`
	default:
		panic(fmt.Sprintf("plugin: tool %s: a %v cannot be written as JSON", s.tool, t))
	}
}

func (s schema) nullable(kind string) string {
	if s.answer {
		return `["` + kind + `","null"]`
	}
	return `"` + kind + `"`
}

func (s schema) object(t reflect.Type, depth int) string {
	var properties, required []string
	for _, field := range reflect.VisibleFields(t) {
		name, optional, shown := named(t, field)
		if !shown {
			continue
		}
		properties = append(properties, quote(name)+":"+s.property(field, depth))
		if !optional {
			required = append(required, quote(name))
		}
	}
	text := `{"type":"object","properties":{` + strings.Join(properties, ",") + `}`
	if len(required) > 0 {
		text += `,"required":[` + strings.Join(required, ",") + `]`
	}
	return text + `,"additionalProperties":false}`
}

// A field's name in JSON, whether it may be missing, and whether it is there at all.
func named(t reflect.Type, field reflect.StructField) (name string, optional, shown bool) {
	name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
	if !field.IsExported() || field.Tag.Get("json") == "-" || field.Anonymous && name == "" && structure(field.Type) {
		return "", false, false
	}
	// What is embedded under a name of its own shows up as that.
	for at := 1; at < len(field.Index); at++ {
		outer := t.FieldByIndex(field.Index[:at])
		if given, _, _ := strings.Cut(outer.Tag.Get("json"), ","); given != "" {
			return "", false, false
		}
	}
	if name == "" {
		name = field.Name
	}
	optional = field.Type.Kind() == reflect.Pointer
	for _, option := range strings.Split(options, ",") {
		optional = optional || option == "omitempty" || option == "omitzero"
	}
	return name, optional, true
}

func structure(t reflect.Type) bool {
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct
}

func (s schema) property(field reflect.StructField, depth int) string {
	text := s.of(field.Type, depth+1)
	var more []string
	if doc := field.Tag.Get("doc"); doc != "" {
		more = append(more, `"description":`+quote(doc))
	}
	if enum := field.Tag.Get("enum"); enum != "" {
		more = append(more, `"enum":[`+strings.Join(s.values(field, enum), ",")+`]`)
	}
	for _, bound := range []string{"minimum", "maximum"} {
		if value := field.Tag.Get(bound); value != "" {
			more = append(more, quote(bound)+":"+s.number(field, value))
		}
	}
	if len(more) == 0 {
		return text
	}
	inside := strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
	if inside != "" {
		more = append([]string{inside}, more...)
	}
	return "{" + strings.Join(more, ",") + "}"
}

func (s schema) values(field reflect.StructField, enum string) []string {
	var values []string
	for _, value := range strings.Split(enum, ",") {
		if field.Type.Kind() == reflect.String {
			values = append(values, quote(value))
		} else {
			values = append(values, s.number(field, value))
		}
	}
	return values
}

func (s schema) number(field reflect.StructField, value string) string {
	var number json.Number
	if json.Unmarshal([]byte(value), &number) != nil || number == "" {
		panic(fmt.Sprintf("plugin: tool %s: the tag of field %s says %q, which is no number", s.tool, field.Name, value))
	}
	return number.String()
}

func quote(text string) string {
	quoted, err := encode(text)
	if err != nil {
		panic("plugin: a text cannot be written as JSON: " + err.Error())
	}
	return quoted
}
