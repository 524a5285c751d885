// Package standin behaves as Centrifugo 6.9 and 5.4 and as Traefik 3 do where
// swarmward looks: Centrifugo's websocket with its tokens, the server API,
// health, the admin page, and the Redis engine that joins several nodes into one;
// Traefik's routing with all that can be wrong about it. Centrifugo is built on
// the library that the real one is built on. It exists for tests on machines that
// cannot pull the real images.
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

// Version is the Centrifugo release that the stand-in claims to be; Version5
// the one of the generation before.
const (
	Version  = "6.9.1"
	Version5 = "5.4.9"
)

// Config is the part of Centrifugo's configuration that the stand-in follows;
// the zero value serves the websocket and refuses every API call. Keys that it
// does not know are ignored.
type Config struct {
	// Version that it claims to be; empty: Version, in the words of that one.
	Version    string `yaml:"-"`
	HTTPServer struct {
		Address string `yaml:"address"`
		Port    int    `yaml:"port"` // default 8000
	} `yaml:"http_server"`
	HTTPAPI struct {
		Key      string `yaml:"key"`
		Insecure bool   `yaml:"insecure"` // the API answers anybody
		Disabled bool   `yaml:"disabled"`
	} `yaml:"http_api"`
	Client struct {
		Token struct {
			HMACSecretKey string `yaml:"hmac_secret_key"`
		} `yaml:"token"`
		AllowedOrigins []string `yaml:"allowed_origins"`
		// Whoever signed a token, it is taken.
		SkipSignature bool `yaml:"insecure_skip_token_signature_verify"`
	} `yaml:"client"`
	WebSocket struct {
		Disabled bool `yaml:"disabled"`
	} `yaml:"websocket"`
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
	if err := c.set(c.names(), getenv); err != nil {
		return c, found, err
	}
	c.Fill()
	return c, found, nil
}

// Load5 is Load as Centrifugo 5.4 does it: the keys of its file are flat, and
// those of the environment are the same in capitals.
func Load5(file string, getenv func(string) string) (c Config, found bool, err error) {
	c.Version = Version5
	flat := map[string]any{}
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return c, false, fmt.Errorf("config %s: %w", file, err)
	default:
		found = true
		if err := yaml.Unmarshal(data, &flat); err != nil {
			return c, true, fmt.Errorf("config %s: %w", file, err)
		}
	}
	err = c.set(c.names5(), func(name string) string {
		if value := getenv(name); value != "" {
			return value
		}
		value, ok := flat[strings.ToLower(strings.TrimPrefix(name, "CENTRIFUGO_"))]
		if !ok {
			return ""
		}
		return strings.Trim(fmt.Sprint(value), "[]") // a list, with blanks between
	})
	c.Fill()
	return c, found, err
}

// Fill sets what Centrifugo does by default where it is not said.
func (c *Config) Fill() {
	if c.HTTPServer.Port == 0 {
		c.HTTPServer.Port = 8000
	}
	if c.Engine.Type == "" {
		c.Engine.Type = "memory"
	}
	if c.Engine.Redis.Address == "" {
		c.Engine.Redis.Address = "redis://127.0.0.1:6379"
	}
}

// names are the variables of the environment of Centrifugo 6.
func (c *Config) names() map[string]any {
	return map[string]any{
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
	}
}

// names5 are those of Centrifugo 5.
func (c *Config) names5() map[string]any {
	return map[string]any{
		"CENTRIFUGO_ADDRESS":               &c.HTTPServer.Address,
		"CENTRIFUGO_PORT":                  &c.HTTPServer.Port,
		"CENTRIFUGO_API_KEY":               &c.HTTPAPI.Key,
		"CENTRIFUGO_TOKEN_HMAC_SECRET_KEY": &c.Client.Token.HMACSecretKey,
		"CENTRIFUGO_ALLOWED_ORIGINS":       &c.Client.AllowedOrigins,
		"CENTRIFUGO_ADMIN":                 &c.Admin.Enabled,
		"CENTRIFUGO_ADMIN_HANDLER_PREFIX":  &c.Admin.HandlerPrefix,
		"CENTRIFUGO_ADMIN_PASSWORD":        &c.Admin.Password,
		"CENTRIFUGO_ADMIN_SECRET":          &c.Admin.Secret,
		"CENTRIFUGO_HEALTH":                &c.Health.Enabled,
		"CENTRIFUGO_ENGINE":                &c.Engine.Type,
		"CENTRIFUGO_REDIS_ADDRESS":         &c.Engine.Redis.Address,
		"CENTRIFUGO_REDIS_PASSWORD":        &c.Engine.Redis.Password,
	}
}

func (c *Config) set(fields map[string]any, getenv func(string) string) error {
	for name, field := range fields {
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
