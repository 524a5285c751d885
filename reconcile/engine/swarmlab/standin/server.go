package standin

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/centrifugal/centrifuge"
	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
)

// Server is one node. It is an http.Handler for everything that Centrifugo
// serves on its one port.
type Server struct {
	config Config
	node   *centrifuge.Node
	mux    *http.ServeMux
}

// New starts a node. With the Redis engine it connects first, and fails at once
// when Redis cannot be reached or refuses the password, as Centrifugo does.
func New(c Config, log *slog.Logger) (*Server, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("hostname: %w", err)
	}
	node, err := centrifuge.New(centrifuge.Config{
		Name:       fmt.Sprintf("%s_%d", host, c.HTTPServer.Port),
		Version:    cmp.Or(c.Version, Version+" OSS"), // as 6 tells which edition it is
		LogLevel:   centrifuge.LogLevelInfo,
		LogHandler: func(e centrifuge.LogEntry) { logEntry(log, e) },
		// A registry of its own, so that several nodes fit into one process.
		Metrics: centrifuge.MetricsConfig{RegistererGatherer: prometheus.NewRegistry()},
	})
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	s := &Server{config: c, node: node}
	if err := s.useEngine(); err != nil {
		return nil, err
	}
	node.OnConnecting(s.connecting)
	if err := node.Run(); err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	s.route()
	return s, nil
}

func logEntry(log *slog.Logger, e centrifuge.LogEntry) {
	level := slog.LevelInfo
	switch e.Level {
	case centrifuge.LogLevelWarn:
		level = slog.LevelWarn
	case centrifuge.LogLevelError:
		level = slog.LevelError
	}
	var attrs []any
	for k, v := range e.Fields {
		attrs = append(attrs, k, v)
	}
	log.Log(context.Background(), level, e.Message, attrs...)
}

func (s *Server) useEngine() error {
	switch s.config.Engine.Type {
	case "", "memory":
		return nil
	case "redis":
	default:
		return fmt.Errorf("engine %s: unknown type", s.config.Engine.Type)
	}
	shard, err := centrifuge.NewRedisShard(s.node, centrifuge.RedisShardConfig{
		Address:  s.config.Engine.Redis.Address,
		Password: s.config.Engine.Redis.Password,
	})
	if err != nil {
		return fmt.Errorf("redis engine: %w", err)
	}
	broker, err := centrifuge.NewRedisBroker(s.node, centrifuge.RedisBrokerConfig{
		Prefix: "centrifugo",
		Shards: []*centrifuge.RedisShard{shard},
	})
	if err != nil {
		return fmt.Errorf("redis engine: %w", err)
	}
	s.node.SetBroker(broker)
	s.node.SetController(broker) // nodes learn of one another through it
	return nil
}

// Close disconnects the clients and leaves the other nodes.
func (s *Server) Close(ctx context.Context) error { return s.node.Shutdown(ctx) }

// ServeHTTP answers as Centrifugo does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) route() {
	s.mux = http.NewServeMux()
	if !s.config.WebSocket.Disabled {
		s.mux.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(s.node,
			centrifuge.WebsocketConfig{CheckOrigin: s.originAllowed}))
	}
	if !s.config.HTTPAPI.Disabled {
		s.mux.Handle("/api", s.api(s.batch))
		s.mux.Handle("/api/info", s.api(s.info))
		s.mux.Handle("/api/publish", s.api(s.publish))
	}
	if s.config.Health.Enabled {
		s.mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, struct{}{}) })
	}
	if s.config.Admin.Enabled {
		s.mux.HandleFunc(strings.TrimRight(s.config.Admin.HandlerPrefix, "/")+"/", s.admin)
	}
}

// originAllowed lets pages of the allowed origins in, and clients that are no
// browser: they send none.
func (s *Server) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	allowed := s.config.Client.AllowedOrigins
	return origin == "" || slices.Contains(allowed, "*") || slices.ContainsFunc(allowed, func(a string) bool {
		return strings.EqualFold(a, origin)
	})
}

type claims struct {
	jwt.RegisteredClaims
	Channels []string `json:"channels"`
}

// connecting lets in who has a token signed with the secret key and subscribes
// it to the channels that the token names.
func (s *Server) connecting(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
	secret := s.config.Client.Token.HMACSecretKey
	if e.Token == "" {
		return centrifuge.ConnectReply{}, centrifuge.DisconnectBadRequest
	}
	var c claims
	parse := jwt.ParseWithClaims
	if s.config.Client.SkipSignature {
		parse = unverified
	}
	_, err := parse(e.Token, &c, func(*jwt.Token) (any, error) {
		if secret == "" {
			return nil, errors.New("no secret key")
		}
		return []byte(secret), nil
	}, jwt.WithValidMethods([]string{"HS256"}))
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return centrifuge.ConnectReply{}, centrifuge.ErrorTokenExpired
	case err != nil:
		return centrifuge.ConnectReply{}, centrifuge.DisconnectInvalidToken
	}
	reply := centrifuge.ConnectReply{
		Credentials:   &centrifuge.Credentials{UserID: c.Subject},
		Subscriptions: map[string]centrifuge.SubscribeOptions{},
	}
	for _, ch := range c.Channels {
		reply.Subscriptions[ch] = centrifuge.SubscribeOptions{}
	}
	return reply, nil
}

// unverified reads a token without a look at its signature.
func unverified(token string, c jwt.Claims, _ jwt.Keyfunc, options ...jwt.ParserOption) (*jwt.Token, error) {
	parser := jwt.NewParser(options...)
	parsed, _, err := parser.ParseUnverified(token, c)
	if err != nil {
		return nil, err
	}
	return parsed, jwt.NewValidator().Validate(c)
}

// api guards a call of the server API. Without a configured key nobody may.
func (s *Server) api(call http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		key := r.Header.Get("X-API-Key")
		if fields := strings.Fields(r.Header.Get("Authorization")); key == "" && len(fields) == 2 &&
			strings.EqualFold(fields[0], "apikey") {
			key = fields[1]
		}
		want := s.config.HTTPAPI.Key
		if !s.config.HTTPAPI.Insecure && (want == "" || subtle.ConstantTimeCompare([]byte(key), []byte(want)) != 1) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		call(w, r)
	})
}

type nodeInfo struct {
	UID         string `json:"uid"`
	Name        string `json:"name"`
	Version     string `json:"version"`
	NumClients  uint32 `json:"num_clients"`
	NumUsers    uint32 `json:"num_users"`
	NumSubs     uint32 `json:"num_subs"`
	NumChannels uint32 `json:"num_channels"`
	Uptime      uint32 `json:"uptime"`
}

func (s *Server) info(w http.ResponseWriter, _ *http.Request) {
	info, err := s.node.Info()
	if err != nil {
		writeError(w, false)
		return
	}
	var nodes []nodeInfo
	for _, n := range info.Nodes {
		nodes = append(nodes, nodeInfo{n.UID, n.Name, n.Version, n.NumClients, n.NumUsers, n.NumSubs, n.NumChannels, n.Uptime})
	}
	writeJSON(w, http.StatusOK, map[string]any{"result": map[string]any{"nodes": nodes}})
}

// batch takes many commands at once. The stand-in takes none.
func (s *Server) batch(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "Bad Request", http.StatusBadRequest)
}

func (s *Server) publish(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Channel string          `json:"channel"`
		Data    json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}
	if request.Channel == "" || len(request.Data) == 0 {
		writeJSON(w, http.StatusOK, map[string]any{"error": map[string]any{"code": 107, "message": "bad request"}})
		return
	}
	if _, err := s.node.Publish(request.Channel, request.Data); err != nil {
		writeError(w, r.Header.Get("X-Centrifugo-Error-Mode") == "transport")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"result": struct{}{}})
}

// writeError is the internal error: an error object, or a status in transport
// error mode.
func writeError(w http.ResponseWriter, transport bool) {
	internal := map[string]any{"code": centrifuge.ErrorInternal.Code, "message": centrifuge.ErrorInternal.Message}
	if transport {
		writeJSON(w, http.StatusInternalServerError, internal)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"error": internal})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

func (s *Server) admin(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != strings.TrimRight(s.config.Admin.HandlerPrefix, "/")+"/" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprint(w, "<!doctype html><title>Centrifugo</title><h1>Centrifugo admin</h1>\n")
}
