package spec

import (
	"bytes"
	"errors"
	"maps"
	"os"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/types"
)

// hasSealed says whether an env file of a service is encrypted.
func hasSealed(s types.ServiceConfig) bool {
	for _, f := range s.EnvFiles {
		if data, err := os.ReadFile(f.Path); err == nil && isSealed(data) {
			return true
		}
	}
	return false
}

// resolveSealed gives a service its environment as compose-go does, which
// knows no encrypted env files.
func (l *loading) resolveSealed(p *types.Project, name string) error {
	s := p.Services[name]
	own := s.Environment.Resolve(p.Environment.Resolve)
	all := own.ToMapping()
	get := func(name string) (string, bool) {
		if v, ok := p.Environment.Resolve(name); ok {
			return v, true
		}
		if v, ok := own[name]; ok && v != nil {
			return *v, true
		}
		return "", false
	}
	for _, f := range s.EnvFiles {
		data, err := l.access.read(f.Path)
		if errors.Is(err, os.ErrNotExist) && !bool(f.Required) {
			continue
		}
		if err != nil {
			return err
		}
		before := maps.Clone(all)
		if err := dotenv.ParseWithFormat(bytes.NewReader(data), f.Path, all, get, f.Format); err != nil {
			return err
		}
		for name, value := range all {
			if was, ok := before[name]; !ok || was != value {
				l.sealed.hide(name, value)
			}
		}
	}
	s.Environment = all.ToMappingWithEquals().OverrideBy(own)
	p.Services[name] = s
	return nil
}
