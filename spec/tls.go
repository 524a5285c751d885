package spec

// TLS says how a check speaks TLS and whom it trusts.
type TLS struct {
	CA         Material // zero: the machine's roots
	Cert, Key  Material // for a server that asks for a client certificate
	ServerName string   // in SNI and certificate; default the host that is connected to
	Insecure   bool     // trust any certificate
}

// Material is PEM for TLS, from one of three places. The zero value means none.
type Material struct {
	Secret, Config string    // key of a top-level object
	File           string    // as written, relative to the spec
	Data           Sensitive `json:"-"` // the content of File; nil where it is not known
}

// IsZero tells whether there is none.
func (m Material) IsZero() bool { return m.Secret == "" && m.Config == "" && m.File == "" }

// MaterialData is what m stands for; false when the spec does not hold it
// (external, of a record, or no such key).
func (s *Stack) MaterialData(m Material) ([]byte, bool) {
	if m.Secret != "" {
		return s.SecretData(m.Secret)
	}
	if m.File != "" {
		return m.Data, m.Data != nil
	}
	for _, x := range s.Configs {
		if x.Key == m.Config && !x.External {
			return x.Spec.Data, true
		}
	}
	return nil, false
}

// tls is how the check speaks TLS; nil when it does not, or by default.
func (c Check) tls() *TLS {
	switch {
	case c.Redis != nil:
		return c.Redis.TLS
	case c.HTTP != nil:
		return c.HTTP.TLS
	case c.TCP != nil:
		return c.TCP.TLS
	}
	return nil
}
