package standin_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab/standin"
)

// exampleConfig is the config file that Swarm makes from desired-state.yaml,
// every secret being its own name.
func exampleConfig(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../../../desired-state.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var stack struct {
		Configs map[string]struct{ Content string }
	}
	if err := yaml.Unmarshal(data, &stack); err != nil {
		t.Fatal(err)
	}
	content := strings.ReplaceAll(stack.Configs["centrifugo_json"].Content,
		"${CENTRIFUGO_ORIGIN:-https://whatrack.com}", "https://whatrack.com")
	var out bytes.Buffer
	err = template.Must(template.New("").Funcs(template.FuncMap{
		"secret": func(name string) string { return name },
	}).Parse(content)).Execute(&out, nil)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "config.json", out.String())
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLoadTheExample(t *testing.T) {
	got, found, err := standin.Load(exampleConfig(t), func(string) string { return "" })
	if err != nil || !found {
		t.Fatal(found, err)
	}
	want := full()
	want.HTTPServer.Port = 8000
	want.HTTPAPI.Key = "centrifugo_api_key"
	want.Client.Token.HMACSecretKey = "centrifugo_token_secret"
	want.Admin.Password, want.Admin.Secret = "centrifugo_admin_password", "centrifugo_admin_secret"
	want.Engine.Type = "redis"
	want.Engine.Redis.Address, want.Engine.Redis.Password = "redis:6379", "redis_password"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEnvironmentOverridesTheFile(t *testing.T) {
	file := write(t, "config.json", `{"http_api": {"key": "from-file"}, "health": {"enabled": true}, "http_server": {"port": 9000}}`)
	for _, tt := range []struct {
		name    string
		env     map[string]string
		key     string
		health  bool
		port    int
		failure string
	}{
		{"nothing", nil, "from-file", true, 9000, ""},
		{"generation 6", map[string]string{"CENTRIFUGO_HTTP_API_KEY": "k", "CENTRIFUGO_HEALTH_ENABLED": "false", "CENTRIFUGO_HTTP_SERVER_PORT": "1"}, "k", false, 1, ""},
		{"generation 5 is ignored", map[string]string{"CENTRIFUGO_API_KEY": "k", "CENTRIFUGO_HEALTH": "false", "CENTRIFUGO_PORT": "1"}, "from-file", true, 9000, ""},
		{"no number", map[string]string{"CENTRIFUGO_HTTP_SERVER_PORT": "x"}, "", false, 0, "CENTRIFUGO_HTTP_SERVER_PORT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := standin.Load(file, func(name string) string { return tt.env[name] })
			if tt.failure != "" {
				if err == nil || !strings.Contains(err.Error(), tt.failure) {
					t.Fatalf("error %v, want one naming %s", err, tt.failure)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.HTTPAPI.Key != tt.key || got.Health.Enabled != tt.health || got.HTTPServer.Port != tt.port {
				t.Errorf("got key %q, health %v, port %d", got.HTTPAPI.Key, got.Health.Enabled, got.HTTPServer.Port)
			}
		})
	}
}

// Generation 5 has flat keys, and ignores those of generation 6.
func TestLoad5(t *testing.T) {
	file := write(t, "config.json", `{"api_key": "from-file", "token_hmac_secret_key": "t", "allowed_origins": ["https://a", "https://b"],
		"health": true, "admin": true, "engine": "redis", "redis_address": "redis:6379", "port": 9000, "http_api": {"key": "other"}}`)
	env := map[string]string{"CENTRIFUGO_API_KEY": "from-environment", "CENTRIFUGO_HEALTH_ENABLED": "false", "CENTRIFUGO_HTTP_SERVER_PORT": "1"}
	got, found, err := standin.Load5(file, func(name string) string { return env[name] })
	if err != nil || !found {
		t.Fatal(found, err)
	}
	var want standin.Config
	want.Version = standin.Version5
	want.HTTPServer.Port = 9000
	want.HTTPAPI.Key = "from-environment"
	want.Client.Token.HMACSecretKey = "t"
	want.Client.AllowedOrigins = []string{"https://a", "https://b"}
	want.Health.Enabled, want.Admin.Enabled = true, true
	want.Engine.Type, want.Engine.Redis.Address = "redis", "redis:6379"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	none := func(string) string { return "" }
	if _, found, err := standin.Load5(filepath.Join(t.TempDir(), "config.json"), none); err != nil || found {
		t.Errorf("a missing file: found %v, error %v", found, err)
	}
	if _, _, err := standin.Load5(write(t, "config.json", `{"port": "x"}`), none); err == nil {
		t.Error("a port that is no number was taken")
	}
}

func TestLoadBadFiles(t *testing.T) {
	none := func(string) string { return "" }
	if _, found, err := standin.Load(filepath.Join(t.TempDir(), "config.json"), none); err != nil || found {
		t.Errorf("a missing file: found %v, error %v", found, err)
	}
	if _, _, err := standin.Load(write(t, "config.json", `{"http_api": {`), none); err == nil {
		t.Error("broken JSON was taken")
	}
}
