package spec_test

import (
	"testing"

	"github.com/swarmward/swarmward/spec"
)

func TestHideURLPasswords(t *testing.T) {
	for text, want := range map[string]string{
		"redis://:hunter2@redis:6379/0":       "redis://:(sensitive)@redis:6379/0",
		"a=amqp://u:p@a/v b=amqp://u:q@b/v":   "a=amqp://u:(sensitive)@a/v b=amqp://u:(sensitive)@b/v",
		"https://u@host:8080/x, http://h:80/": "",
		`redis://:{{secret "p"}}@redis`:       "",
		"ann:bob@example.com":                 "",
	} {
		hidden, found := spec.HideURLPasswords(text)
		if found != (want != "") || found && hidden != want || !found && hidden != text {
			t.Errorf("%s: %q %v", text, hidden, found)
		}
	}
}

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
