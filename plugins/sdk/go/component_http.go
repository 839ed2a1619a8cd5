//go:build wasip1

package plugin

import (
	"strings"

	"wardian.dev/plugin/internal/bindings/imports/wasi_http_outgoing_handler"
	"wardian.dev/plugin/internal/bindings/imports/wasi_http_types"
	"wardian.dev/plugin/internal/bindings/imports/wasi_io_streams"
	"wardian.dev/plugin/internal/bindings/wit/types"
)

const (
	// The most that is read at a time.
	readBytes = 64 << 10
	// What one write may hand over, by the definition of wasi:io.
	writeBytes = 4096
)

func hostRequest(request Request) (Response, error) {
	response, err := send(request)
	if err != nil {
		return Response{}, err
	}
	defer response.Drop()
	got := Response{Status: int(response.Status()), Headers: headersOf(response)}
	got.Body, err = bodyOf(response, request.URL)
	return got, err
}

func send(request Request) (*wasi_http_types.IncomingResponse, error) {
	out, err := outgoing(request)
	if err != nil {
		return nil, err
	}
	body := out.Body()
	if body.IsErr() {
		out.Drop()
		return nil, broken(request.URL)
	}
	handled := wasi_http_outgoing_handler.Handle(out, wit_types.None[*wasi_http_types.RequestOptions]())
	if handled.IsErr() {
		body.Ok().Drop()
		return nil, requestFailed(handled.Err(), request.URL)
	}
	// A server may answer before it has read everything: what counts is its answer.
	sendBody(body.Ok(), request.Body)
	return await(handled.Ok(), request.URL)
}

func outgoing(request Request) (*wasi_http_types.OutgoingRequest, error) {
	scheme, authority, path, ok := split(request.URL)
	if !ok {
		return nil, invalidURL(request.URL)
	}
	entries := make([]wit_types.Tuple2[string, []uint8], len(request.Headers))
	for i, header := range request.Headers {
		entries[i] = wit_types.Tuple2[string, []uint8]{F0: header.Name, F1: []byte(header.Value)}
	}
	fields := wasi_http_types.FieldsFromList(entries)
	if fields.IsErr() {
		return nil, InvalidInput("a header of the request to %s is not allowed", request.URL).WithCode("invalid_request")
	}
	out := wasi_http_types.MakeOutgoingRequest(fields.Ok())
	if out.SetMethod(method(request.Method)).IsErr() || out.SetScheme(wit_types.Some(scheme)).IsErr() ||
		out.SetAuthority(wit_types.Some(authority)).IsErr() || out.SetPathWithQuery(wit_types.Some(path)).IsErr() {
		out.Drop()
		return nil, invalidURL(request.URL)
	}
	return out, nil
}

func split(url string) (scheme wasi_http_types.Scheme, authority, path string, ok bool) {
	name, rest, found := strings.Cut(url, "://")
	switch {
	case found && strings.EqualFold(name, "https"):
		scheme = wasi_http_types.MakeSchemeHttps()
	case found && strings.EqualFold(name, "http"):
		scheme = wasi_http_types.MakeSchemeHttp()
	default:
		return scheme, "", "", false
	}
	rest, _, _ = strings.Cut(rest, "#")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		return scheme, rest, "/", true
	}
	authority, path = rest[:end], rest[end:]
	if path[0] == '?' {
		path = "/" + path
	}
	return scheme, authority, path, true
}

func method(name string) wasi_http_types.Method {
	switch name {
	case "GET":
		return wasi_http_types.MakeMethodGet()
	case "HEAD":
		return wasi_http_types.MakeMethodHead()
	case "POST":
		return wasi_http_types.MakeMethodPost()
	case "PUT":
		return wasi_http_types.MakeMethodPut()
	case "DELETE":
		return wasi_http_types.MakeMethodDelete()
	case "OPTIONS":
		return wasi_http_types.MakeMethodOptions()
	case "PATCH":
		return wasi_http_types.MakeMethodPatch()
	default:
		return wasi_http_types.MakeMethodOther(name)
	}
}

func sendBody(body *wasi_http_types.OutgoingBody, content []byte) {
	if len(content) > 0 {
		stream := body.Write()
		if stream.IsErr() || !writeAll(stream.Ok(), content) {
			body.Drop()
			return
		}
	}
	wasi_http_types.OutgoingBodyFinish(body, wit_types.None[*wasi_http_types.Fields]())
}

func writeAll(stream *wasi_io_streams.OutputStream, content []byte) bool {
	defer stream.Drop()
	for len(content) > 0 {
		size := min(len(content), writeBytes)
		if stream.BlockingWriteAndFlush(content[:size]).IsErr() {
			return false
		}
		content = content[size:]
	}
	return true
}

func await(future *wasi_http_types.FutureIncomingResponse, url string) (*wasi_http_types.IncomingResponse, error) {
	defer future.Drop()
	ready := future.Subscribe()
	ready.Block()
	ready.Drop()
	got := future.Get()
	if got.IsNone() || got.Some().IsErr() {
		return nil, broken(url)
	}
	response := got.Some().Ok()
	if response.IsErr() {
		return nil, requestFailed(response.Err(), url)
	}
	return response.Ok(), nil
}

func headersOf(response *wasi_http_types.IncomingResponse) []Header {
	fields := response.Headers()
	defer fields.Drop()
	var headers []Header
	for _, entry := range fields.Entries() {
		headers = append(headers, Header{Name: entry.F0, Value: string(entry.F1)})
	}
	return headers
}

func bodyOf(response *wasi_http_types.IncomingResponse, url string) ([]byte, error) {
	body := response.Consume()
	if body.IsErr() {
		return nil, broken(url)
	}
	defer body.Ok().Drop()
	stream := body.Ok().Stream()
	if stream.IsErr() {
		return nil, broken(url)
	}
	defer stream.Ok().Drop()
	var content []byte
	for {
		piece := stream.Ok().BlockingRead(readBytes)
		if piece.IsErr() {
			return whole(content, piece.Err(), url)
		}
		if len(content)+len(piece.Ok()) > bodyBytesMax {
			return nil, Refused("the answer of %s has more than %d bytes", url, bodyBytesMax).WithCode("too_large")
		}
		content = append(content, piece.Ok()...)
	}
}

// The content, where the stream came to its end, or why it broke off.
func whole(content []byte, ended wasi_io_streams.StreamError, url string) ([]byte, error) {
	if ended.Tag() == wasi_io_streams.StreamError_Closed {
		return content, nil
	}
	why := ended.LastOperationFailed()
	defer why.Drop()
	if code := wasi_http_types.HttpErrorCode(why); code.IsSome() {
		return nil, requestFailed(code.Some(), url)
	}
	return nil, broken(url)
}

// What the model should know and do about a request that failed. Each code asks the same of the caller in all SDKs.
func requestFailed(code wasi_http_types.ErrorCode, url string) error {
	switch code.Tag() {
	case wasi_http_types.ErrorCode_HttpRequestDenied, wasi_http_types.ErrorCode_DestinationIpProhibited:
		return notAllowed(url)
	case wasi_http_types.ErrorCode_HttpRequestMethodInvalid, wasi_http_types.ErrorCode_HttpRequestUriInvalid,
		wasi_http_types.ErrorCode_HttpRequestUriTooLong:
		return invalidURL(url)
	case wasi_http_types.ErrorCode_HttpResponseBodySize, wasi_http_types.ErrorCode_HttpResponseHeaderSectionSize,
		wasi_http_types.ErrorCode_HttpResponseHeaderSize, wasi_http_types.ErrorCode_HttpResponseTrailerSectionSize,
		wasi_http_types.ErrorCode_HttpResponseTrailerSize:
		return Refused("the answer of %s is larger than the operator permits", url).WithCode("too_large")
	case wasi_http_types.ErrorCode_DnsTimeout, wasi_http_types.ErrorCode_ConnectionTimeout,
		wasi_http_types.ErrorCode_ConnectionReadTimeout, wasi_http_types.ErrorCode_ConnectionWriteTimeout,
		wasi_http_types.ErrorCode_HttpResponseTimeout:
		return Unavailable("%s did not answer in time", url).WithCode("timeout")
	case wasi_http_types.ErrorCode_DnsError, wasi_http_types.ErrorCode_DestinationNotFound:
		return Unavailable("there is no host for %s", url).WithCode("no_such_host")
	case wasi_http_types.ErrorCode_HttpRequestLengthRequired, wasi_http_types.ErrorCode_HttpRequestBodySize,
		wasi_http_types.ErrorCode_HttpRequestHeaderSectionSize, wasi_http_types.ErrorCode_HttpRequestHeaderSize,
		wasi_http_types.ErrorCode_HttpRequestTrailerSectionSize, wasi_http_types.ErrorCode_HttpRequestTrailerSize,
		wasi_http_types.ErrorCode_HttpResponseTransferCoding, wasi_http_types.ErrorCode_HttpResponseContentCoding,
		wasi_http_types.ErrorCode_HttpUpgradeFailed, wasi_http_types.ErrorCode_HttpProtocolError,
		wasi_http_types.ErrorCode_ConfigurationError, wasi_http_types.ErrorCode_InternalError:
		return Failed("the request to %s failed", url).WithCode("protocol")
	default:
		return broken(url)
	}
}

func invalidURL(url string) *Error {
	return InvalidInput("%s cannot be requested; check the address", url).WithCode("invalid_request")
}

func broken(url string) *Error {
	return Unavailable("%s cannot be reached just now", url).WithCode("connection")
}
