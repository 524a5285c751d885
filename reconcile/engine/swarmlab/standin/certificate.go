package standin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"
)

// Authority signs certificates that its own vouches for.
type Authority struct {
	Certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority makes an authority of that name.
func NewAuthority(name string) (*Authority, error) {
	c, err := certificate(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
	if err != nil {
		return nil, err
	}
	return &Authority{c.Leaf, c.PrivateKey.(*ecdsa.PrivateKey)}, nil
}

// PEM is the authority's certificate, as a file has it.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate.Raw})
}

// Issue makes a certificate for a name of the DNS that ends at a time.
func (a *Authority) Issue(name string, until time.Time) (tls.Certificate, error) {
	return certificate(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: until,
	}, a)
}

// TraefikDefault is the name in the certificate that Traefik makes for itself.
const TraefikDefault = "TRAEFIK DEFAULT CERT"

// DefaultCertificate is the one that Traefik makes for itself.
func DefaultCertificate() (tls.Certificate, error) {
	return certificate(&x509.Certificate{
		Subject: pkix.Name{CommonName: TraefikDefault}, DNSNames: []string{"5c.traefik.default"}, NotAfter: time.Now().AddDate(1, 0, 0),
	}, nil)
}

// certificate completes and signs one; without an authority it does so itself.
func certificate(template *x509.Certificate, by *Authority) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template.SerialNumber = new(big.Int).SetBytes([]byte(rand.Text()[:16]))
	template.NotBefore = time.Now().AddDate(-2, 0, 0)
	if by == nil {
		by = &Authority{template, key}
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, by.Certificate, key.Public(), by.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(raw)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}, err
}
