package conformance

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/docker/docker/api/types/swarm"
)

// edit sets one field of a service's spec: the path names it as JSON does, and
// the value is JSON. In the value {name} is what begins this trial's names and
// {port} the beginning of its ports, whose last digit follows.
type edit struct{ path, value string }

func at(path, value string) edit { return edit{path, value} }

// Shorter names for what most rows are about.
const (
	inTask      = "TaskTemplate."
	inContainer = "TaskTemplate.ContainerSpec."
)

// edit applies edits in turn. Decoding into what is there leaves everything
// else as it was; only a map would be added to, so it is emptied first.
func (t *trial) edit(s *swarm.ServiceSpec, edits ...edit) {
	t.Helper()
	for _, e := range edits {
		value := t.fill(e.value)
		if value != "null" {
			t.decode(s, e.path, "null")
		}
		t.decode(s, e.path, value)
	}
}

func (t *trial) decode(s *swarm.ServiceSpec, path, value string) {
	t.Helper()
	keys := strings.Split(path, ".")
	text := `{"` + strings.Join(keys, `":{"`) + `":` + value + strings.Repeat("}", len(keys))
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		t.Fatalf("edit %s: %v", path, err)
	}
}

func (t *trial) fill(text string) string {
	text = strings.ReplaceAll(text, "{name}", t.key+"-")
	return strings.ReplaceAll(text, "{port}", count(int(t.port/10)))
}

// field is the JSON at a path in an object's JSON, with sorted keys; "absent"
// when it is not there.
func (t *trial) field(raw []byte, path string) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		t.Fatal(err)
	}
	for key := range strings.SplitSeq(path, ".") {
		object, ok := value.(map[string]any)
		if ok {
			value, ok = object[key]
		}
		if !ok {
			return "absent"
		}
	}
	return compact(value)
}

func compact(value any) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(out.String())
}
