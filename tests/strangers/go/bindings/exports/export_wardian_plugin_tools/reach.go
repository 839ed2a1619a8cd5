package export_wardian_plugin_tools

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"stranger/bindings/imports/wardian_plugin_cache"
	"stranger/bindings/imports/wardian_plugin_config"
	"stranger/bindings/imports/wardian_plugin_secrets"
	"stranger/bindings/imports/wardian_plugin_store"
	"strings"
	"time"

	. "stranger/bindings/wit/types"
)

type attempt struct {
	name string
	try  func() error
}

// Everything a Go program can try. An attempt that finds nothing failed, too.
func attempts(port int) []attempt {
	local := fmt.Sprintf("127.0.0.1:%d", port)
	return []attempt{
		{"read_file", func() error { _, err := os.ReadFile("/etc/passwd"); return err }},
		{"read_root", func() error { _, err := os.ReadDir("/"); return err }},
		{"list_directory", func() error { _, err := os.ReadDir("."); return err }},
		{"write_file", func() error { return os.WriteFile("stranger.txt", []byte("here"), 0o600) }},
		{"environment", func() error { return nonempty(len(os.Environ())) }},
		{"arguments", func() error { return nonempty(len(strings.Join(os.Args, ""))) }},
		{"stdin", func() error { n, err := os.Stdin.Read(make([]byte, 1)); return errors.Join(err, nonempty(n)) }},
		{"run_program", func() error { return exec.Command("/bin/true").Run() }},
		{"tcp_connect", func() error { _, err := net.DialTimeout("tcp", local, 2*time.Second); return err }},
		{"tcp_listen", listen},
		{"resolve_name", func() error { _, err := net.LookupHost("wardian.example"); return err }},
		{"http_get", func() error { _, err := (&http.Client{Timeout: 2 * time.Second}).Get("http://" + local); return err }},
		{"secret", func() error { return told(wardian_plugin_secrets.Reveal("weather-key")) }},
		{"secret_ready", func() error { return found(wardian_plugin_secrets.Ready("weather-key")) }},
		{"config", func() error {
			return found(len(wardian_plugin_config.Keys()) > 0 || wardian_plugin_config.Get("units").IsSome())
		}},
		{"store", func() error { return told(wardian_plugin_store.Set("stranger", []byte("here"))) }},
		{"cache", func() error { return told(wardian_plugin_cache.Write("stranger", []byte("here"))) }},
	}
}

func everything(port int) map[string]any {
	succeeded, refused := []string{}, map[string]string{}
	for _, one := range attempts(port) {
		if err := one.try(); err != nil {
			refused[one.name] = err.Error()
		} else {
			succeeded = append(succeeded, one.name)
		}
	}
	return map[string]any{"succeeded": succeeded, "refused": refused}
}

// Go makes up a network inside the module where the machine has none: a listener
// there has reached the outside only if the outside can see it, which nobody can
// tell from in here. What counts is a connection that comes from elsewhere.
func listen() error {
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer door.Close()
	_ = door.(*net.TCPListener).SetDeadline(time.Now().Add(100 * time.Millisecond))
	_, err = door.Accept()
	return err
}

func nonempty(size int) error { return found(size > 0) }

func found(it bool) error {
	if it {
		return nil
	}
	return errors.New("there is none")
}

func told[T, E any](result Result[T, E]) error {
	if result.IsErr() {
		return fmt.Errorf("refused: case %v", result.Err())
	}
	return nil
}
