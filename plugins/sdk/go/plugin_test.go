package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

type address struct {
	City string `json:"city"`
}

type everything struct {
	Name    string            `json:"name" doc:"Whom to \"greet\"."`
	Unit    string            `json:"unit,omitempty" enum:"metric,imperial"`
	Count   int               `json:"count" minimum:"1" maximum:"10"`
	Share   float64           `json:"share,omitzero"`
	Tags    []string          `json:"tags"`
	Labels  map[string]string `json:"labels"`
	Home    *address          `json:"home"`
	When    time.Time         `json:"when"`
	Any     any               `json:"any,omitempty"`
	Raw     json.RawMessage   `json:"raw,omitempty"`
	Hidden  string            `json:"-"`
	Plain   bool
	private int
	address
}

func TestTheSchemaSaysWhatTheStructSays(t *testing.T) {
	one := tool{name: "one", in: reflect.TypeFor[everything](), out: reflect.TypeFor[string]()}
	want := `{"type":"object","properties":{` +
		`"name":{"type":"string","description":"Whom to \"greet\"."},` +
		`"unit":{"type":"string","enum":["metric","imperial"]},` +
		`"count":{"type":"integer","minimum":1,"maximum":10},` +
		`"share":{"type":"number"},` +
		`"tags":{"type":"array","items":{"type":"string"}},` +
		`"labels":{"type":"object","additionalProperties":{"type":"string"}},` +
		`"home":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false},` +
		`"when":{"type":"string","format":"date-time"},` +
		`"any":{},"raw":{},"Plain":{"type":"boolean"},"city":{"type":"string"}},` +
		`"required":["name","count","tags","labels","when","Plain","city"],"additionalProperties":false}`
	if got := one.input(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !json.Valid([]byte(one.input())) {
		t.Error("it is no JSON")
	}
}

func TestAnAnswerMayHaveNullWhereGoHasNothing(t *testing.T) {
	type found struct {
		Rows []int    `json:"rows"`
		Best *float64 `json:"best"`
	}
	one := tool{name: "one", in: reflect.TypeFor[address](), out: reflect.TypeFor[found]()}
	want := `{"type":"object","properties":{"rows":{"type":["array","null"],"items":{"type":"integer"}},` +
		`"best":{"anyOf":[{"type":"number"},{"type":"null"}]}},"required":["rows"],"additionalProperties":false}`
	if got := one.output(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, out := range []tool{{out: reflect.TypeFor[string]()}, {out: reflect.TypeFor[[]Part]()}, {out: reflect.TypeFor[Blob]()}, {out: reflect.TypeFor[[]int]()}} {
		if got := out.output(); got != "" {
			t.Errorf("%v: %s", out.out, got)
		}
	}
}

func TestATypeThatContainsItselfIsRefused(t *testing.T) {
	type tree struct {
		Children []tree `json:"children"`
	}
	defer func() {
		if said := fmt.Sprint(recover()); !strings.Contains(said, "contains itself") {
			t.Errorf("got %s", said)
		}
	}()
	one := tool{name: "one", in: reflect.TypeFor[tree]()}
	one.input()
}

func with(t *testing.T, run func(address) (any, error)) {
	t.Helper()
	before := registered
	t.Cleanup(func() { registered = before; Testing.Reset() })
	Tool("look", "Looks.", run, ReadOnly, Idempotent, Annotations(`{"title":"Look"}`))
}

func TestEachKindOfAnswerBecomesItsPart(t *testing.T) {
	answers := map[string]struct {
		given any
		want  Part
	}{
		"a string": {"yes", Text("yes")},
		"a value":  {map[string]string{"text": "<b>"}, written(`{"text":"<b>"}`)},
		"data":     {Data{1}, written("1")},
		"a file":   {Blob{MediaType: "text/csv", Bytes: []byte("a,b")}, nil},
	}
	for name, answer := range answers {
		with(t, func(address) (any, error) { return answer.given, nil })
		parts, failure := invoke("look", []byte(`{"city":"Bern"}`))
		registered = nil
		if failure != nil || len(parts) != 1 {
			t.Fatalf("%s: %v, %v", name, parts, failure)
		}
		if _, blob := parts[0].(Blob); !blob && parts[0] != answer.want {
			t.Errorf("%s: %v", name, parts[0])
		}
	}
}

func TestWhateverGoesWrongBecomesAnError(t *testing.T) {
	gone := NotFound("there is no city %s", "Atlantis").WithCode("no_city").WithRetryAfter(time.Second)
	failures := map[string]struct {
		run    func(address) (any, error)
		input  string
		reason Reason
		says   string
	}{
		"its own error":      {func(address) (any, error) { return nil, gone }, `{"city":"x"}`, ReasonNotFound, "there is no city Atlantis"},
		"a wrapped one":      {func(address) (any, error) { return nil, fmt.Errorf("looking: %w", gone) }, `{"city":"x"}`, ReasonNotFound, "looking: there"},
		"any other":          {func(address) (any, error) { return nil, errors.New("disk on fire") }, `{"city":"x"}`, ReasonFailed, "disk on fire"},
		"a panic":            {func(address) (any, error) { var none []int; return none[3], nil }, `{"city":"x"}`, ReasonFailed, "panicked: runtime error: index"},
		"what JSON is not":   {func(address) (any, error) { return func() {}, nil }, `{"city":"x"}`, ReasonFailed, "cannot write the answer"},
		"an unknown member":  {func(address) (any, error) { return "", nil }, `{"town":"x"}`, ReasonInvalidInput, `unknown field "town"`},
		"what is behind it":  {func(address) (any, error) { return "", nil }, `{"city":"x"} {}`, ReasonInvalidInput, "behind the object"},
		"what is no JSON":    {func(address) (any, error) { return "", nil }, `{"city"`, ReasonInvalidInput, "cannot read the arguments"},
		"a member of a kind": {func(address) (any, error) { return "", nil }, `{"city":3}`, ReasonInvalidInput, "city"},
	}
	for name, one := range failures {
		with(t, one.run)
		parts, failure := invoke("look", []byte(one.input))
		registered = nil
		if parts != nil || failure == nil || failure.Reason != one.reason || !strings.Contains(failure.Message, one.says) {
			t.Errorf("%s: %v, %+v", name, parts, failure)
		}
	}
	if _, failure := invoke("other", nil); failure.Reason != ReasonNotFound {
		t.Errorf("an unknown tool: %+v", failure)
	}
	if gone.Message != "there is no city Atlantis" || asError(gone).Code != "no_city" {
		t.Errorf("the author's error changed: %+v", gone)
	}
}

func TestTheStandInsKeepWhatIsWritten(t *testing.T) {
	defer Testing.Reset()
	for _, key := range []string{"b", "a/2", "a/1", "a/3"} {
		if err := Store.SetJSON(key, map[string]string{"key": key}); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := Store.Keys("a/", "a/1", 1)
	if err != nil || !slices.Equal(keys, []string{"a/2"}) {
		t.Errorf("got %v, %v", keys, err)
	}
	var value map[string]string
	if found, err := Store.GetJSON("a/3", &value); !found || err != nil || value["key"] != "a/3" {
		t.Errorf("got %v, %v, %v", found, err, value)
	}
	if _, _, err := Store.Get("line\nfeed"); asError(err).Code != "invalid_key" {
		t.Errorf("got %v", err)
	}
	if err := Store.Set("big", make([]byte, valueBytesMax+1)); asError(err).Reason != ReasonRefused {
		t.Errorf("got %v", err)
	}
	if err := Cache.Write("index", []byte("content")); err != nil {
		t.Fatal(err)
	}
	if content, found, err := Cache.Read("index"); string(content) != "content" || !found || err != nil {
		t.Errorf("got %q, %v, %v", content, found, err)
	}
	if _, found, _ := Cache.Read("none"); found {
		t.Error("there is no such file")
	}
}

func TestWithoutAGrantARequestIsUnauthorized(t *testing.T) {
	defer Testing.Reset()
	if _, err := HTTP.Get("https://example.com/"); asError(err).Reason != ReasonUnauthorized {
		t.Errorf("got %v", err)
	}
	Testing.HTTP = func(request Request) (Response, error) {
		return Response{Status: 200, Headers: []Header{{"Content-Type", "application/json"}}, Body: []byte(`{"method":"` + request.Method + `"}`)}, nil
	}
	response, err := HTTP.Post("https://example.com/", "text/plain", []byte("hello"))
	var got struct{ Method string }
	if err != nil || response.JSON(&got) != nil || got.Method != "POST" || response.Header("content-type") != "application/json" {
		t.Errorf("got %+v, %v", response, err)
	}
}

func TestWhatIsSaidAndAskedIsWellFormed(t *testing.T) {
	defer Testing.Reset()
	const broken, whole = "caf\xe9", "caf\ufffd"
	var asked Request
	Testing.HTTP = func(request Request) (Response, error) {
		asked = request
		return Response{}, nil
	}
	headers := []Header{{broken, broken}}
	if _, err := HTTP.Do(Request{Method: broken, URL: broken, Headers: headers}); err != nil || headers[0].Name != broken {
		t.Errorf("got %v, %q", err, headers)
	}
	if asked.Method != whole || asked.URL != whole || asked.Headers[0] != (Header{whole, broken}) {
		t.Errorf("got %q", asked)
	}
	Log.Info("%s", broken)
	if err := Feedback.Emit(Text(broken)); err != nil || !slices.Equal(Testing.Emitted, []Part{Text(whole)}) || Testing.Logged[0] != "info: "+whole {
		t.Errorf("got %v, %q, %q", err, Testing.Emitted, Testing.Logged)
	}
	if err := Store.Set(broken, nil); err != nil {
		t.Fatal(err)
	}
	if keys, err := Store.Keys(broken, "", 9); err != nil || !slices.Equal(keys, []string{whole}) {
		t.Errorf("got %q, %v", keys, err)
	}
	if _, err := Secrets.Reveal(broken); !strings.Contains(err.Error(), whole) {
		t.Errorf("got %v", err)
	}
}

func TestAnAnswerIsWellFormedWhateverItIsMadeOf(t *testing.T) {
	const broken, whole = "caf\xe9", "caf\ufffd"
	answers := map[string]struct {
		given any
		want  Part
	}{
		"a string":  {broken, Text(whole)},
		"JSON":      {json.RawMessage(`"` + broken + `"`), written(`"` + whole + `"`)},
		"a half":    {json.RawMessage(`"\ud83d\n\uDe00 \\ud83d \ud83d\ude00"`), written(`"\ufffd\n\ufffd \\ud83d \ud83d\ude00"`)},
		"a pointer": {&Data{1}, written("1")},
	}
	for name, one := range answers {
		if parts, err := answer(one.given); err != nil || len(parts) != 1 || parts[0] != one.want {
			t.Errorf("%s: %q, %v", name, parts, err)
		}
	}
	file, err := prepared(&Blob{MediaType: broken, Name: broken})
	if blob, ok := file.(Blob); err != nil || !ok || blob.MediaType != whole || blob.Name != whole {
		t.Errorf("got %q, %v", file, err)
	}
	for _, part := range []Part{nil, (*Text)(nil), struct{ Text }{}} {
		if _, err := prepared(part); err == nil || !strings.Contains(err.Error(), "is nil or no Text") {
			t.Errorf("%T: %v", part, err)
		}
	}
}

func TestAnErrorIsToldWhateverHasBecomeOfIt(t *testing.T) {
	told := asError(fmt.Errorf("caf\xe9: %w", &Error{Reason: 9, Code: "\xe9"}))
	if *told != (Error{Reason: ReasonFailed, Message: "caf\ufffd: ", Code: "\ufffd"}) {
		t.Errorf("got %+v", told)
	}
	with(t, func(address) (any, error) { panic("caf\xe9") })
	if _, failure := invoke("look", []byte(`{"city":"x"}`)); failure.Message != "the tool panicked: caf\ufffd" {
		t.Errorf("got %+v", failure)
	}
	if _, failure := invoke("\xe9", nil); failure.Message != "there is no tool \ufffd" {
		t.Errorf("got %+v", failure)
	}
}
