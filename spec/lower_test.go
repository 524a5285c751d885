package spec_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/spec"
)

// exampleEnv is what desired-state.yaml needs.
var exampleEnv = []string{
	"REDIS_NODE=node-1", "REDIS_PASSWORD=hunter2-redis", "CENTRIFUGO_API_KEY=hunter2-key", "CENTRIFUGO_TOKEN_SECRET=hunter2-token",
	"CENTRIFUGO_ADMIN_PASSWORD=hunter2-admin", "CENTRIFUGO_ADMIN_SECRET=hunter2-adminsecret",
}

// TestLower compares whole stacks with pictures that were checked by hand
// against docker/cli's convert.
func TestLower(t *testing.T) {
	tests := []struct {
		file   string
		golden string
		env    []string
	}{
		{"../desired-state.yaml", "desired-state", exampleEnv},
		{"testdata/lower/everything.yaml", "everything", []string{"HOME=/root"}},
		{"testdata/lower/beyond.yaml", "beyond", []string{"HOST=h"}},
	}
	for _, tt := range tests {
		t.Run(tt.golden, func(t *testing.T) {
			stack, err := spec.Load(t.Context(), spec.Options{Files: []string{tt.file}, Environ: tt.env})
			if err != nil {
				t.Fatal(err)
			}
			got := picture(t, stack)
			path := filepath.Join("testdata/lower", tt.golden+".json")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("lowered (-want +got):\n%s", diff)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("a secret is in the picture")
			}
		})
	}
}

// picture is a stack as JSON, with the data of configs as text.
func picture(t *testing.T, stack *spec.Stack) string {
	t.Helper()
	data := map[string]string{}
	for i := range stack.Configs {
		data[stack.Configs[i].Key] = string(stack.Configs[i].Spec.Data)
		stack.Configs[i].Spec.Data = nil
	}
	stack.Revision, stack.Hash = "", ""
	out, err := json.MarshalIndent(struct {
		*spec.Stack
		ConfigData map[string]string
	}{stack, data}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out) + "\n"
}

// TestLowerPointers pins what JSON cannot show: which parts are nil. Both
// directions restart tasks.
func TestLowerPointers(t *testing.T) {
	stack := load(t, "name: a\nservices: {web: {image: nginx}}\n")
	s := stack.Services[0].Spec
	if s.TaskTemplate.Placement == nil || s.TaskTemplate.Resources == nil || s.EndpointSpec == nil || s.TaskTemplate.ContainerSpec.Privileges == nil {
		t.Error("placement, resources, endpoint and privileges must never be nil")
	}
	if s.TaskTemplate.RestartPolicy != nil || s.UpdateConfig != nil || s.RollbackConfig != nil || s.TaskTemplate.LogDriver != nil ||
		s.TaskTemplate.ContainerSpec.Healthcheck != nil || s.TaskTemplate.ContainerSpec.DNSConfig != nil ||
		s.TaskTemplate.Resources.Limits != nil || s.TaskTemplate.Resources.Reservations != nil ||
		s.TaskTemplate.ContainerSpec.Init != nil || s.TaskTemplate.ContainerSpec.StopGracePeriod != nil || s.Mode.Replicated.Replicas != nil {
		t.Errorf("what the spec does not say must stay nil: %+v", s)
	}
}

func TestSecretData(t *testing.T) {
	stack, err := spec.Load(t.Context(), spec.Options{Files: []string{"../desired-state.yaml"}, Environ: exampleEnv})
	if err != nil {
		t.Fatal(err)
	}
	if data, ok := stack.SecretData("redis_password"); !ok || string(data) != "hunter2-redis" {
		t.Errorf("the secret's content is not what the variable holds (found: %v)", ok)
	}
}
