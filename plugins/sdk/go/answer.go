package plugin

import (
	"bytes"
	"encoding/json"
)

// A Part is a piece of an answer: [Text], [Data] or [Blob]. A tool may return one
// Part, several as a []Part, a string, which is a text, or any other value, which
// is written as JSON.
type Part interface{ part() }

// Text is for the model to read.
type Text string

// Data is a value that is written as JSON.
type Data struct{ Value any }

// Blob is a file.
type Blob struct {
	// MediaType is for example "image/png".
	MediaType string
	// Name is a file name to show, where there is one.
	Name string
	// Bytes are the file's content.
	Bytes []byte
}

// written is a value that is JSON already.
type written string

func (Text) part()    {}
func (Data) part()    {}
func (Blob) part()    {}
func (written) part() {}

func answer(out any) ([]Part, error) {
	var parts []Part
	switch out := out.(type) {
	case []Part:
		parts = out
	case Part:
		parts = []Part{out}
	case string:
		parts = []Part{Text(out)}
	default:
		parts = []Part{Data{out}}
	}
	ready := make([]Part, len(parts))
	for i, part := range parts {
		var err error
		if ready[i], err = prepared(part); err != nil {
			return nil, err
		}
	}
	return ready, nil
}

// A part as the host takes it: a [Text], a [Blob] or what is JSON already.
func prepared(part Part) (Part, error) {
	switch part := part.(type) {
	case Text:
		return Text(wellFormed(string(part))), nil
	case Data:
		text, err := encode(part.Value)
		if err != nil {
			return nil, Failed("cannot write the answer as JSON: %v", err)
		}
		return written(text), nil
	case Blob:
		part.MediaType, part.Name = wellFormed(part.MediaType), wellFormed(part.Name)
		return part, nil
	case *Text:
		if part != nil {
			return prepared(*part)
		}
	case *Data:
		if part != nil {
			return prepared(*part)
		}
	case *Blob:
		if part != nil {
			return prepared(*part)
		}
	}
	return nil, Failed("a part of the answer, a %T, is nil or no Text, Data or Blob", part)
}

// JSON as it is meant: without the escapes that only HTML needs.
func encode(value any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", err
	}
	return wellFormedJSON(string(bytes.TrimSuffix(text.Bytes(), []byte("\n")))), nil
}
