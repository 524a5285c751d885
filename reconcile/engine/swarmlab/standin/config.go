// Package standin behaves as Centrifugo 6.9 does where swarmward looks: the
// websocket with its tokens, the server API, health, the admin page, and the
// Redis engine that joins several nodes into one. It is built on the library
// that Centrifugo itself is built on, and exists for tests on machines that
// cannot pull the real image.
package standin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Version is the Centrifugo release that the stand-in claims to be.
const Version = "6.9.1"

// Config is the part of Centrifugo's configuration that the stand-in follows;
// the zero value serves the websocket and refuses every API call. Keys that it
// does not know are ignored.
type Config struct {
	HTTPServer struct {
		Address string `yaml:"address"`
		Port    int    `yaml:"port"` // default 8000
	} `yaml:"http_server"`
	HTTPAPI struct {
		Key string `yaml:"key"`
	} `yaml:"http_api"`
	Client struct {
		Token struct {
			HMACSecretKey string `yaml:"hmac_secret_key"`
		} `yaml:"token"`
		AllowedOrigins []string `yaml:"allowed_origins"`
	} `yaml:"client"`
	Admin struct {
		Enabled       bool   `yaml:"enabled"`
		HandlerPrefix string `yaml:"handler_prefix"`
		Password      string `yaml:"password"`
		Secret        string `yaml:"secret"`
	} `yaml:"admin"`
	Health struct {
		Enabled bool `yaml:"enabled"`
	} `yaml:"health"`
	Engine struct {
		Type  string `yaml:"type"` // memory (default) or redis
		Redis struct {
			Address  string `yaml:"address"` // default redis://127.0.0.1:6379
			Password string `yaml:"password"`
		} `yaml:"redis"`
	} `yaml:"engine"`
}

// Load reads a JSON or YAML file and lets the environment override it, under
// the names of Centrifugo 6 alone. A file that is missing is as good as empty,
// which found tells; a file that cannot be read or parsed is an error.
func Load(file string, getenv func(string) string) (c Config, found bool, err error) {
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return c, false, fmt.Errorf("config %s: %w", file, err)
	default:
		found = true
		// JSON is read as the YAML that it also is.
		if err := yaml.Unmarshal(data, &c); err != nil {
			return c, true, fmt.Errorf("config %s: %w", file, err)
		}
	}
	if err := c.override(getenv); err != nil {
		return c, found, err
	}
	if c.HTTPServer.Port == 0 {
		c.HTTPServer.Port = 8000
	}
	if c.Engine.Type == "" {
		c.Engine.Type = "memory"
	}
	if c.Engine.Redis.Address == "" {
		c.Engine.Redis.Address = "redis://127.0.0.1:6379"
	}
	return c, found, nil
}

func (c *Config) override(getenv func(string) string) error {
	for name, field := range map[string]any{
		"CENTRIFUGO_HTTP_SERVER_ADDRESS":          &c.HTTPServer.Address,
		"CENTRIFUGO_HTTP_SERVER_PORT":             &c.HTTPServer.Port,
		"CENTRIFUGO_HTTP_API_KEY":                 &c.HTTPAPI.Key,
		"CENTRIFUGO_CLIENT_TOKEN_HMAC_SECRET_KEY": &c.Client.Token.HMACSecretKey,
		"CENTRIFUGO_CLIENT_ALLOWED_ORIGINS":       &c.Client.AllowedOrigins,
		"CENTRIFUGO_ADMIN_ENABLED":                &c.Admin.Enabled,
		"CENTRIFUGO_ADMIN_HANDLER_PREFIX":         &c.Admin.HandlerPrefix,
		"CENTRIFUGO_ADMIN_PASSWORD":               &c.Admin.Password,
		"CENTRIFUGO_ADMIN_SECRET":                 &c.Admin.Secret,
		"CENTRIFUGO_HEALTH_ENABLED":               &c.Health.Enabled,
		"CENTRIFUGO_ENGINE_TYPE":                  &c.Engine.Type,
		"CENTRIFUGO_ENGINE_REDIS_ADDRESS":         &c.Engine.Redis.Address,
		"CENTRIFUGO_ENGINE_REDIS_PASSWORD":        &c.Engine.Redis.Password,
	} {
		value := getenv(name)
		if value == "" {
			continue
		}
		var err error
		switch f := field.(type) {
		case *string:
			*f = value
		case *[]string:
			*f = strings.Fields(value)
		case *bool:
			*f, err = strconv.ParseBool(value)
		case *int:
			*f, err = strconv.Atoi(value)
		}
		if err != nil {
			return fmt.Errorf("environment %s: %w", name, err)
		}
	}
	return nil
}
