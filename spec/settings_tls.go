package spec

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"
)

// maxMaterial bounds a file of certificates.
const maxMaterial = 1 << 20

// tls decodes true, false or a mapping of options.
func (d *decoder) tls(into **TLS) decode {
	return func(s *setting, path string) {
		if s.node.Kind != yaml.MappingNode {
			d.single("true, false or a mapping", func(text string) bool {
				on, err := strconv.ParseBool(text)
				if on {
					*into = &TLS{}
				}
				return err == nil
			})(s, path)
			return
		}
		t := TLS{}
		d.mapping(s, path, fields{
			"ca":          d.material(&t.CA, "secret", "config", "file"),
			"cert":        d.material(&t.Cert, "secret", "config", "file"),
			"key":         d.material(&t.Key, "secret", "file"),
			"server_name": d.text(&t.ServerName),
			"insecure":    d.boolean(&t.Insecure),
		})
		if (s.field("cert") == nil) != (s.field("key") == nil) {
			d.fail(s, path, "one of cert: and key: is missing", "give both, or neither")
		}
		if t.Insecure && s.field("ca") != nil {
			d.fail(s, path, "insecure: true trusts everybody, and ca: somebody", "keep one of them")
		}
		*into = &t
	}
}

// material decodes {secret: NAME}, {config: NAME} or {file: PATH}.
func (d *decoder) material(into *Material, from ...string) decode {
	return func(s *setting, path string) {
		if s.node.Kind != yaml.MappingNode {
			d.fail(s, path, "expected where the PEM is", "write {"+from[len(from)-1]+": …} or {secret: NAME}")
			return
		}
		known := fields{"secret": d.text(&into.Secret), "file": d.text(&into.File)}
		if slices.Contains(from, "config") {
			known["config"] = d.text(&into.Config)
		}
		d.mapping(s, path, known)
		if len(s.names) != 1 {
			d.fail(s, path, "expected one place where the PEM is", "write one of "+oneOf(from))
		}
	}
}

// probe checks what a check names outside of itself, and reads its files.
func (v validator) probe(c Check, at []string) {
	below := func(names ...string) []string { return append(slices.Clone(at), names...) }
	if c.Redis != nil && c.Redis.Sentinel != nil {
		v.credential(c.Redis.Sentinel.Password, below("sentinel_password", "secret"))
	}
	if c.HTTP != nil {
		for _, h := range c.HTTP.Headers {
			v.credential(h.Secret, below("headers", h.Name, "secret"))
		}
	}
	v.tls(c.tls(), below("tls"))
}

func (v validator) tls(t *TLS, at []string) {
	if t == nil {
		return
	}
	v.authority(&t.CA, at)
	cert, key := v.material(&t.Cert, at, "cert"), v.material(&t.Key, at, "key")
	if cert == nil || key == nil {
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		v.fail("settings", "certificate and key are not a pair in PEM", "give the certificate, followed by those that signed it, and its own key", append(at, "cert")...)
	}
}

// authority reads the certificates of whom a check trusts.
func (v validator) authority(ca *Material, at []string) {
	if data := v.material(ca, at, "ca"); data != nil && !x509.NewCertPool().AppendCertsFromPEM(data) {
		v.fail("settings", "there is no certificate in it", "give it a PEM file that begins with -----BEGIN CERTIFICATE-----", append(slices.Clone(at), "ca")...)
	}
}

// material is the content of m where the spec holds it, otherwise nil.
func (v validator) material(m *Material, at []string, name string) []byte {
	at = append(slices.Clone(at), name)
	switch {
	case v.l.condemned(at...):
	case m.Secret != "":
		v.credential(Credential{m.Secret}, append(at, "secret"))
		return v.l.contents["secrets."+m.Secret]
	case m.Config != "":
		if !v.l.index.has("configs", m.Config) {
			v.fail("unknown-config", "there is no config "+m.Config+" in the spec",
				didYouMean(m.Config, slices.Sorted(maps.Keys(v.project.Configs)), "declare it under `configs:` at the top level"), append(at, "config")...)
		}
		return v.l.contents["configs."+m.Config]
	case m.File != "":
		path := m.File
		if !filepath.IsAbs(path) {
			path = filepath.Join(v.l.main[0].dir, path)
		}
		v.l.files = append(v.l.files, path)
		info, err := v.l.access.stat(path)
		if err == nil && info.Size() <= maxMaterial {
			m.Data, err = v.l.access.read(path)
		}
		if errors.Is(err, errUnread) {
			v.unread("the file "+m.File, append(at, "file")...)
			return nil
		}
		if err != nil || len(m.Data) == 0 {
			rule, message, remedy := refusal(err, "missing-file", "cannot be read, is empty or is no file of certificates", "correct the path; it is relative to the spec's folder")
			v.fail(rule, "the file "+m.File+" "+message, remedy, append(at, "file")...)
			return nil
		}
		return m.Data
	}
	return nil
}
