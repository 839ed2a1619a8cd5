// Package nethttp lets libraries that speak net/http send their requests through
// the host: http.Client{Transport: nethttp.Transport{}}. It brings net/http along,
// which is about seven megabytes of component; plugin.HTTP needs none of it.
package nethttp

import (
	"bytes"
	"io"
	"net/http"
	"strconv"

	"wardian.dev/plugin"
)

// More of a request's body is not read: it is sent as a whole.
const bodyBytesMax = 8 << 20

// Transport sends requests with plugin.HTTP. What the operator has not granted
// is an error whose reason is unauthorized.
type Transport struct{}

// RoundTrip sends one request.
func (Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	out := plugin.Request{Method: request.Method, URL: request.URL.String()}
	for name, values := range request.Header {
		for _, value := range values {
			out.Headers = append(out.Headers, plugin.Header{Name: name, Value: value})
		}
	}
	if request.Body != nil {
		defer request.Body.Close()
		body, err := io.ReadAll(io.LimitReader(request.Body, bodyBytesMax+1))
		if err != nil {
			return nil, err
		}
		if len(body) > bodyBytesMax {
			return nil, plugin.Refused("the body of the request to %s has more than %d bytes", out.URL, bodyBytesMax)
		}
		out.Body = body
	}
	in, err := plugin.HTTP.Do(out)
	if err != nil {
		return nil, err
	}
	return response(request, in), nil
}

func response(request *http.Request, in plugin.Response) *http.Response {
	header := http.Header{}
	for _, one := range in.Headers {
		header.Add(one.Name, one.Value)
	}
	return &http.Response{
		Status: strconv.Itoa(in.Status) + " " + http.StatusText(in.Status), StatusCode: in.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(in.Body)), ContentLength: int64(len(in.Body)), Request: request,
	}
}
