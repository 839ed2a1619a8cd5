package nethttp

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"wardian.dev/plugin"
)

func TestAnOrdinaryClientSendsThroughTheHost(t *testing.T) {
	defer plugin.Testing.Reset()
	plugin.Testing.HTTP = func(request plugin.Request) (plugin.Response, error) {
		said := request.Method + " " + request.URL + " " + string(request.Body)
		return plugin.Response{Status: 201, Headers: []plugin.Header{{Name: "x-one", Value: "1"}}, Body: []byte(said)}, nil
	}
	client := http.Client{Transport: Transport{}}
	response, err := client.Post("https://example.com/a?b=c", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != "POST https://example.com/a?b=c hello" || response.StatusCode != 201 || response.Header.Get("X-One") != "1" {
		t.Errorf("got %s, %v, %+v", body, err, response)
	}
}

func TestWhatIsNotGrantedKeepsItsReason(t *testing.T) {
	client := http.Client{Transport: Transport{}}
	_, err := client.Get("https://example.com/")
	var failure *plugin.Error
	if !errors.As(err, &failure) || failure.Reason != plugin.ReasonUnauthorized {
		t.Errorf("got %v", err)
	}
}
