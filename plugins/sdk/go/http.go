package plugin

import (
	"encoding/json"
	"slices"
	"strings"
)

// HTTP sends requests to where the operator allows it.
var HTTP client

type client struct{}

// More of an answer is not read: it has to fit into the plugin's memory.
const bodyBytesMax = 8 << 20

// A Header is one line of a request's or a response's head.
type Header struct{ Name, Value string }

// A Request to a server.
type Request struct {
	// Method is "GET" where it is empty.
	Method string
	// URL begins with http:// or https://.
	URL string
	// Headers are sent as they are; the host may add secrets.
	Headers []Header
	// Body is what is sent behind them.
	Body []byte
}

// A Response as a whole, whatever its status.
type Response struct {
	// Status is its code, such as 200.
	Status int
	// Headers are in the order in which they came.
	Headers []Header
	// Body is what came behind them.
	Body []byte
}

// Header is the first value of a header, whatever the case of its name, or empty.
func (r Response) Header(name string) string {
	for _, header := range r.Headers {
		if strings.EqualFold(header.Name, name) {
			return header.Value
		}
	}
	return ""
}

// JSON reads the body.
func (r Response) JSON(into any) error {
	if err := json.Unmarshal(r.Body, into); err != nil {
		return Unavailable("the server's answer is not the JSON that was expected: %v", err)
	}
	return nil
}

// Do sends a request and reads the whole answer. Its error is an [Error]: what
// is not granted is unauthorized, what cannot be reached is unavailable.
func (client) Do(request Request) (Response, error) {
	if request.Method == "" {
		request.Method = "GET"
	}
	request.Method, request.URL = wellFormed(request.Method), wellFormed(request.URL)
	request.Headers = slices.Clone(request.Headers)
	for i := range request.Headers {
		request.Headers[i].Name = wellFormed(request.Headers[i].Name)
	}
	return hostRequest(request)
}

// Get asks for what is at an address.
func (c client) Get(url string) (Response, error) { return c.Do(Request{URL: url}) }

// Post sends a body to an address.
func (c client) Post(url, contentType string, body []byte) (Response, error) {
	return c.Do(Request{Method: "POST", URL: url, Headers: []Header{{"content-type", contentType}}, Body: body})
}

func notAllowed(url string) *Error {
	return Unauthorized("the operator has not granted access to %s", url).WithCode("not_granted")
}
