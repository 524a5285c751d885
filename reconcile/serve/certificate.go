package serve

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Certificate is a certificate and its key in files, in PEM. It is read again
// when one of them changes; a new one that cannot be used does not replace the
// one before.
type Certificate struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex
	have   *tls.Certificate
	stamps [2]stamp // of the files that have was made from, or that could not be used
}

// stamp tells whether a file is another than before.
type stamp struct {
	at   time.Time
	size int64
}

// NewCertificate reads the files. The error says what is wrong with them.
func NewCertificate(cert, key string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key, log: log}
	c.stamps = c.look()
	have, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", cert, key, err)
	}
	c.have = &have
	return c, nil
}

func (c *Certificate) look() (out [2]stamp) {
	for i, file := range []string{c.cert, c.key} {
		if info, err := os.Stat(file); err == nil {
			out[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return out
}

// now is the certificate as the files have it.
func (c *Certificate) now(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stamps := c.look()
	if stamps == c.stamps {
		return c.have, nil
	}
	c.stamps = stamps
	next, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		c.log.Error("the certificate has changed and cannot be used; the one before holds", "certificate", c.cert, "error", err.Error())
		return c.have, nil
	}
	c.have = &next
	c.log.Info("the certificate has been read again", "certificate", c.cert, "expires", next.Leaf.NotAfter)
	return c.have, nil
}

func (c *Certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.now}
}
