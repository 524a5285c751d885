package spec_test

import (
	"testing"

	"github.com/swarmward/swarmward/spec"
)

func TestSoundsSecret(t *testing.T) {
	for name, want := range map[string]bool{
		"DB_PASSWORD": true, "API_KEY": true, "apikey": true, "TOKEN": true, "GITHUB_AUTH": true, "KEY": true, "DB_PW": true, "MYSQL_PWD": true,
		"traefik.http.middlewares.a.basicauth.users": true,
		"LOG_LEVEL": false, "traefik.http.routers.centrifugo-private.rule": false, "KEYBOARD": false, "AUTHOR": false, "PWM_PIN": false,
	} {
		if spec.SoundsSecret(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
