// HTTP through wasi:http: a request as a whole, its answer as a whole. Whether it
// may leave, which redirects are followed and how long it may take is the host's business.

#include <string.h>
#include <strings.h>

#include "internal.h"
#include "sdk.h"

// More of an answer is not read: it has to fit into the plugin's memory.
#define BODY_BYTES_MAX (8u << 20)
// The most that is read at a time.
#define READ_BYTES (64u << 10)
// What one write may hand over, by the definition of wasi:io.
#define WRITE_BYTES 4096u

static sdk_string_t slice(const char *at, size_t size) { return (sdk_string_t){.ptr = (uint8_t *)at, .len = size}; }

// What the model should know and do about a request that failed. Each code asks the same of the caller in all SDKs.
static bool failed(const wasi_http_types_error_code_t *error, const char *url) {
  switch (error->tag) {
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_DENIED:
    case WASI_HTTP_TYPES_ERROR_CODE_DESTINATION_IP_PROHIBITED:
      wardian_fail(WARDIAN_UNAUTHORIZED, "the operator has not granted access to %s", url);
      return wardian_fail_code("not_granted");
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_METHOD_INVALID:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_URI_INVALID:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_URI_TOO_LONG:
      wardian_fail(WARDIAN_INVALID_INPUT, "%s cannot be requested; check the address", url);
      return wardian_fail_code("invalid_request");
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_RESPONSE_BODY_SIZE:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_RESPONSE_HEADER_SECTION_SIZE:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_RESPONSE_HEADER_SIZE:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_RESPONSE_TRAILER_SECTION_SIZE:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_RESPONSE_TRAILER_SIZE:
      wardian_fail(WARDIAN_REFUSED, "the answer of %s is larger than the operator permits", url);
      return wardian_fail_code("too_large");
    case WASI_HTTP_TYPES_ERROR_CODE_DNS_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_READ_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_WRITE_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_RESPONSE_TIMEOUT:
      wardian_fail(WARDIAN_UNAVAILABLE, "%s did not answer in time", url);
      return wardian_fail_code("timeout");
    case WASI_HTTP_TYPES_ERROR_CODE_DNS_ERROR:
    case WASI_HTTP_TYPES_ERROR_CODE_DESTINATION_NOT_FOUND:
      wardian_fail(WARDIAN_UNAVAILABLE, "there is no host for %s", url);
      return wardian_fail_code("no_such_host");
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_LENGTH_REQUIRED:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_BODY_SIZE:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_HEADER_SECTION_SIZE:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_HEADER_SIZE:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_TRAILER_SECTION_SIZE:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_TRAILER_SIZE:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_RESPONSE_TRANSFER_CODING:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_RESPONSE_CONTENT_CODING:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_UPGRADE_FAILED:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_PROTOCOL_ERROR:
    case WASI_HTTP_TYPES_ERROR_CODE_CONFIGURATION_ERROR:
    case WASI_HTTP_TYPES_ERROR_CODE_INTERNAL_ERROR:
      wardian_fail(WARDIAN_FAILED, "the request to %s failed", url);
      return wardian_fail_code("protocol");
    default:
      wardian_fail(WARDIAN_UNAVAILABLE, "%s cannot be reached just now", url);
      return wardian_fail_code("connection");
  }
}

static bool invalid(const char *what, const char *shown) {
  wardian_fail(WARDIAN_INVALID_INPUT, "%s is no %s that can be requested", shown, what);
  return wardian_fail_code("invalid_request");
}

static bool broken(const char *url) {
  wardian_fail(WARDIAN_UNAVAILABLE, "the connection to %s broke", url);
  return wardian_fail_code("connection");
}

// Puts scheme, authority and path of a URL into a request.
static bool address(wasi_http_types_borrow_outgoing_request_t request, const char *url) {
  bool secure = strncasecmp(url, "https://", 8) == 0;
  if (!secure && strncasecmp(url, "http://", 7) != 0) return invalid("http or https address", url);
  const char *authority = url + (secure ? 8 : 7);
  const char *path = authority + strcspn(authority, "/?#");
  size_t size = strcspn(path, "#");
  wasi_http_types_scheme_t scheme = {.tag = secure ? WASI_HTTP_TYPES_SCHEME_HTTPS : WASI_HTTP_TYPES_SCHEME_HTTP};
  sdk_string_t host = slice(authority, (size_t)(path - authority));
  const char *rest = wardian_copy(path, size);
  if (*rest != '/') rest = wardian_format("/%s", rest);
  sdk_string_t wanted = slice(rest, strlen(rest));
  return (wasi_http_types_method_outgoing_request_set_scheme(request, &scheme) &&
          wasi_http_types_method_outgoing_request_set_authority(request, &host) &&
          wasi_http_types_method_outgoing_request_set_path_with_query(request, &wanted)) ||
         invalid("address", url);
}

static bool method(wasi_http_types_borrow_outgoing_request_t request, const char *name) {
  static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  wasi_http_types_method_t wanted = {.tag = WASI_HTTP_TYPES_METHOD_OTHER, .val.other = slice(name, strlen(name))};
  for (uint8_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(known[i], name) == 0) wanted.tag = i;
  return wasi_http_types_method_outgoing_request_set_method(request, &wanted) || invalid("method", name);
}

// The request's headers, its own resource.
static bool fields(const wardian_request *from, wasi_http_types_own_fields_t *made) {
  wasi_http_types_list_tuple2_field_name_field_value_t list = {
      .ptr = wardian_alloc((from->header_count + 1) * sizeof *list.ptr), .len = from->header_count};
  for (size_t i = 0; i < list.len; i++) {
    list.ptr[i].f0 = slice(from->headers[i].name, strlen(from->headers[i].name));
    list.ptr[i].f1.ptr = (uint8_t *)from->headers[i].value;
    list.ptr[i].f1.len = strlen(from->headers[i].value);
  }
  wasi_http_types_header_error_t error;
  if (wasi_http_types_static_fields_from_list(&list, made, &error)) return true;
  wardian_fail(WARDIAN_INVALID_INPUT, "a header of the request to %s is not allowed", from->url);
  return wardian_fail_code("invalid_request");
}

static bool write_all(wasi_io_streams_borrow_output_stream_t stream, wardian_bytes body) {
  while (body.size > 0) {
    size_t size = body.size < WRITE_BYTES ? body.size : WRITE_BYTES;
    sdk_list_u8_t piece = {.ptr = (uint8_t *)body.data, .len = size};
    wasi_io_streams_stream_error_t error;
    if (!wasi_io_streams_method_output_stream_blocking_write_and_flush(stream, &piece, &error)) {
      wasi_io_streams_stream_error_free(&error);
      return false;
    }
    body.data += size;
    body.size -= size;
  }
  return true;
}

// Writes the body after the request was handed over: the host reads along.
static bool send_body(wasi_http_types_own_outgoing_body_t out, wardian_bytes body) {
  bool written = true;
  if (body.size > 0) {
    wasi_http_types_own_output_stream_t stream;
    written = wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(out), &stream);
    if (written) {
      written = write_all(wasi_io_streams_borrow_output_stream(stream), body);
      wasi_io_streams_output_stream_drop_own(stream);
    }
  }
  if (!written) {
    wasi_http_types_outgoing_body_drop_own(out);
    return false;
  }
  wasi_http_types_error_code_t error;
  if (wasi_http_types_static_outgoing_body_finish(out, NULL, &error)) return true;
  wasi_http_types_error_code_free(&error);
  return false;
}

static bool await_response(wasi_http_types_own_future_incoming_response_t future, const char *url,
                           wasi_http_types_own_incoming_response_t *response) {
  wasi_http_types_borrow_future_incoming_response_t waiting = wasi_http_types_borrow_future_incoming_response(future);
  wasi_io_poll_own_pollable_t ready = wasi_http_types_method_future_incoming_response_subscribe(waiting);
  wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(ready));
  wasi_io_poll_pollable_drop_own(ready);
  wasi_http_types_result_result_own_incoming_response_error_code_void_t got;
  bool there = wasi_http_types_method_future_incoming_response_get(waiting, &got);
  wasi_http_types_future_incoming_response_drop_own(future);
  if (!there || got.is_err) return broken(url);
  if (got.val.ok.is_err) {
    bool answer = failed(&got.val.ok.val.err, url);
    wasi_http_types_error_code_free(&got.val.ok.val.err);
    return answer;
  }
  *response = got.val.ok.val.ok;
  return true;
}

static bool send(const wardian_request *from, wasi_http_types_own_incoming_response_t *response) {
  wasi_http_types_own_fields_t headers;
  if (!fields(from, &headers)) return false;
  wasi_http_types_own_outgoing_request_t request = wasi_http_types_constructor_outgoing_request(headers);
  wasi_http_types_borrow_outgoing_request_t described = wasi_http_types_borrow_outgoing_request(request);
  wasi_http_types_own_outgoing_body_t body;
  if (!address(described, from->url) || !method(described, from->method ? from->method : "GET") ||
      !wasi_http_types_method_outgoing_request_body(described, &body)) {
    wasi_http_types_outgoing_request_drop_own(request);
    return false;
  }
  wasi_http_types_own_future_incoming_response_t future;
  wasi_http_types_error_code_t error;
  if (!wasi_http_outgoing_handler_handle(request, NULL, &future, &error)) {
    wasi_http_types_outgoing_body_drop_own(body);
    bool answer = failed(&error, from->url);
    wasi_http_types_error_code_free(&error);
    return answer;
  }
  // A server may answer before it has read everything: what counts is its answer.
  (void)send_body(body, from->body);
  return await_response(future, from->url, response);
}

static void read_headers(wasi_http_types_borrow_incoming_response_t from, wardian_response *response) {
  wasi_http_types_own_headers_t headers = wasi_http_types_method_incoming_response_headers(from);
  wasi_http_types_list_tuple2_field_name_field_value_t list;
  wasi_http_types_method_fields_entries(wasi_http_types_borrow_fields(headers), &list);
  wardian_header *copies = wardian_alloc((list.len + 1) * sizeof *copies);
  for (size_t i = 0; i < list.len; i++) {
    copies[i].name = wardian_copy(list.ptr[i].f0.ptr, list.ptr[i].f0.len);
    copies[i].value = wardian_copy(list.ptr[i].f1.ptr, list.ptr[i].f1.len);
  }
  response->headers = copies;
  response->header_count = list.len;
  wasi_http_types_list_tuple2_field_name_field_value_free(&list);
  wasi_http_types_fields_drop_own(headers);
}

// Why a stream ended before its end: a limit is told as one, and is no broken connection.
static bool broke_off(wasi_io_streams_own_error_t why, const char *url) {
  wasi_http_types_error_code_t code;
  if (!wasi_http_types_http_error_code(wasi_io_error_borrow_error(why), &code)) return broken(url);
  bool answer = failed(&code, url);
  wasi_http_types_error_code_free(&code);
  return answer;
}

// Reads a stream to its end; each time the room runs out it doubles.
static bool read_stream(wasi_io_streams_borrow_input_stream_t stream, const char *url, wardian_bytes *whole) {
  char *room = wardian_alloc(READ_BYTES + 1);
  size_t used = 0, size = READ_BYTES;
  sdk_list_u8_t piece;
  wasi_io_streams_stream_error_t error;
  while (wasi_io_streams_method_input_stream_blocking_read(stream, READ_BYTES, &piece, &error)) {
    if (piece.len > BODY_BYTES_MAX - used) {
      sdk_list_u8_free(&piece);
      wardian_fail(WARDIAN_REFUSED, "the answer of %s has more than %u bytes", url, BODY_BYTES_MAX);
      return wardian_fail_code("too_large");
    }
    if (piece.len > size - used) {
      size = size * 2 + piece.len;
      char *larger = wardian_alloc(size + 1);
      memcpy(larger, room, used);
      room = larger;
    }
    if (piece.len > 0) memcpy(room + used, piece.ptr, piece.len);
    used += piece.len;
    sdk_list_u8_free(&piece);
  }
  bool closed = error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED;
  if (!closed) broke_off(error.val.last_operation_failed, url);
  wasi_io_streams_stream_error_free(&error);
  room[used] = '\0';
  *whole = (wardian_bytes){.data = room, .size = used};
  return closed;
}

static bool read_body(wasi_http_types_borrow_incoming_response_t from, const char *url, wardian_bytes *whole) {
  wasi_http_types_own_incoming_body_t body;
  wasi_http_types_own_input_stream_t stream;
  if (!wasi_http_types_method_incoming_response_consume(from, &body)) return broken(url);
  bool done = false;
  if (wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body), &stream)) {
    done = read_stream(wasi_io_streams_borrow_input_stream(stream), url, whole);
    wasi_io_streams_input_stream_drop_own(stream);
  } else {
    broken(url);
  }
  wasi_http_types_incoming_body_drop_own(body);
  return done;
}

bool wardian_http_request(const wardian_request *request, wardian_response *response) {
  wasi_http_types_own_incoming_response_t answer;
  *response = (wardian_response){0};
  if (!send(request, &answer)) return false;
  wasi_http_types_borrow_incoming_response_t from = wasi_http_types_borrow_incoming_response(answer);
  response->status = wasi_http_types_method_incoming_response_status(from);
  read_headers(from, response);
  bool done = read_body(from, request->url, &response->body);
  wasi_http_types_incoming_response_drop_own(answer);
  return done;
}

bool wardian_http_get(const char *url, wardian_response *response) {
  return wardian_http_request(&(wardian_request){.url = url}, response);
}

bool wardian_http_post(const char *url, const char *content_type, wardian_bytes body, wardian_response *response) {
  wardian_header header = {.name = "content-type", .value = content_type};
  wardian_request request = {.method = "POST", .url = url, .headers = &header, .header_count = 1, .body = body};
  return wardian_http_request(&request, response);
}

const char *wardian_http_header(const wardian_response *response, const char *name) {
  for (size_t i = 0; i < response->header_count; i++)
    if (strcasecmp(response->headers[i].name, name) == 0) return response->headers[i].value;
  return NULL;
}
