package check

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// renaming is what to call a variable of Centrifugo in this generation.
type renaming struct{ from, to string }

// misnamed lists the variables in env that the image's generation of Centrifugo
// does not know but the other one does. An image whose tag tells no generation
// has none.
func misnamed(image string, env []string) (major int, wrong []renaming) {
	major = imageMajor(image)
	if major == 0 {
		return 0, nil
	}
	set := map[string]bool{}
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		set[name] = true
	}
	for _, names := range spec.CentrifugoNames {
		r := renaming{names.V5, names.V6}
		if major < 6 {
			r.from, r.to = r.to, r.from
		}
		if set[r.from] {
			wrong = append(wrong, r)
		}
	}
	return major, wrong
}

// imageMajor is the major version that the image's tag names, or 0.
func imageMajor(image string) int {
	match := regexp.MustCompile(`:v?(\d{1,4})(?:[.-][^/:@]*)?(?:@.*)?$`).FindStringSubmatch(image)
	if match == nil {
		return 0
	}
	major, _ := strconv.Atoi(match[1])
	return major
}

// givenKey tells whether the spec gives a service an API key for Centrifugo,
// as far as can be seen: what it mounts or what its image has may do so too.
func (t *try) givenKey(service spec.Service) bool {
	container := service.Spec.TaskTemplate.ContainerSpec
	if container == nil || len(container.Mounts) > 0 {
		return true
	}
	says := func(text string) bool {
		text = strings.ToLower(text)
		return strings.Contains(text, "api_key") || strings.Contains(text, "http_api")
	}
	if slices.ContainsFunc(slices.Concat(container.Env, container.Command, container.Args), says) {
		return true
	}
	for _, ref := range container.Configs {
		i := slices.IndexFunc(t.stack.Configs, func(c spec.Config) bool { return c.Name == ref.ConfigName })
		if i < 0 || t.stack.Configs[i].External || says(string(t.stack.Configs[i].Spec.Data)) {
			return true
		}
	}
	// A secret can be the whole config file, at whatever path.
	return slices.ContainsFunc(container.Secrets, func(ref *swarm.SecretReference) bool {
		i := slices.IndexFunc(t.stack.Secrets, func(s spec.Secret) bool { return s.Name == ref.SecretName })
		return i < 0 || t.stack.Secrets[i].External || says(string([]byte(t.stack.Secrets[i].Data)))
	})
}

func namesOf(wrong []renaming) []string {
	var names []string
	for _, r := range wrong {
		names = append(names, r.from)
	}
	return names
}

func renamings(wrong []renaming) []string {
	var list []string
	for _, r := range wrong {
		list = append(list, r.from+" to "+r.to)
	}
	return list
}
