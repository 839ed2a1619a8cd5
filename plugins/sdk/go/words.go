package plugin

import (
	"strconv"
	"strings"
)

// Text as the contract takes it: what is no UTF-8 would end a call as a crash.
func wellFormed(text string) string { return strings.ToValidUTF8(text, "\ufffd") }

// How an escape of four digits is written in JSON, and what stands for one that is half a letter.
const (
	escapeBytes = len(`\uffff`)
	replacement = `\ufffd`
)

// JSON in which each escape is a letter or one of its two halves beside the other. Values have no
// others, but what is JSON already, such as a [json.RawMessage], may have come from anywhere.
func wellFormedJSON(text string) string {
	text = wellFormed(text)
	if !strings.Contains(text, `\ud`) && !strings.Contains(text, `\uD`) {
		return text
	}
	var whole strings.Builder
	for len(text) > 0 {
		size := 1
		switch first, second := half(text), half(text[min(len(text), escapeBytes):]); {
		case first == high && second == low:
			size = 2 * escapeBytes
		case first != none:
			whole.WriteString(replacement)
			text = text[escapeBytes:]
			continue
		case text[0] == '\\':
			size = min(len(text), 2)
		}
		whole.WriteString(text[:size])
		text = text[size:]
	}
	return whole.String()
}

// Which half of a letter the escape at the beginning of a text is.
const (
	none = iota
	high
	low
)

func half(text string) int {
	if len(text) < escapeBytes || text[:2] != `\u` {
		return none
	}
	code, err := strconv.ParseUint(text[2:escapeBytes], 16, 16)
	switch {
	case err != nil || code < 0xd800 || code > 0xdfff:
		return none
	case code < 0xdc00:
		return high
	default:
		return low
	}
}
