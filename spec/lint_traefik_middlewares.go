package spec

import ptypes "github.com/traefik/paerser/types"

// traefikMiddleware has a field for each kind of middleware that Traefik 3
// reads from labels.
type traefikMiddleware struct {
	AddPrefix   *struct{ Prefix string }
	StripPrefix *struct {
		Prefixes   []string
		ForceSlash *bool
	}
	StripPrefixRegex         *struct{ Regex []string }
	ReplacePath              *struct{ Path string }
	ReplacePathRegex         *struct{ Regex, Replacement string }
	Chain                    *struct{ Middlewares []string }
	IPWhiteList, IPAllowList *struct {
		SourceRange      []string
		IPStrategy       *traefikIPStrategy `label:"allowEmpty"`
		RejectStatusCode int
	}
	Headers           *traefikHeaders
	EncodedCharacters *struct {
		AllowEncodedSlash, AllowEncodedBackSlash, AllowEncodedNullCharacter, AllowEncodedSemicolon,
		AllowEncodedPercent, AllowEncodedQuestionMark, AllowEncodedHash bool
	}
	Errors *struct {
		Status, ErrorRequestHeaders []string
		StatusRewrites              map[string]int
		Service, Query              string
	}
	RateLimit *struct {
		Average, Burst  int64
		Period          ptypes.Duration
		SourceCriterion *traefikSource
		Redis           *struct {
			Endpoints                                  []string
			TLS                                        *traefikClientTLS
			Username, Password                         string
			DB, PoolSize, MinIdleConns, MaxActiveConns int
			ReadTimeout, WriteTimeout, DialTimeout     *ptypes.Duration
		}
	}
	RedirectRegex *struct {
		Regex, Replacement string
		Permanent          bool
	}
	RedirectScheme *struct {
		Scheme, Port string
		Permanent    bool
	}
	BasicAuth, DigestAuth *struct {
		Users                         []string
		UsersFile, Realm, HeaderField string
		RemoveHeader                  bool
	}
	ForwardAuth *traefikForwardAuth
	InFlightReq *struct {
		Amount          int64
		SourceCriterion *traefikSource
	}
	Buffering *struct {
		MaxRequestBodyBytes, MemRequestBodyBytes, MaxResponseBodyBytes, MemResponseBodyBytes int64
		RetryExpression                                                                      string
	}
	CircuitBreaker *struct {
		Expression                                      string
		CheckPeriod, FallbackDuration, RecoveryDuration ptypes.Duration
		ResponseCode                                    int
	}
	Compress *struct {
		ExcludedContentTypes, IncludedContentTypes, Encodings []string
		MinResponseBodyBytes                                  int
		DefaultEncoding                                       string
	} `label:"allowEmpty"`
	PassTLSClientCert *struct {
		PEM  bool
		Info *struct {
			NotAfter, NotBefore, Sans, SerialNumber bool
			Subject, Issuer                         *traefikDN
		}
	}
	Retry *struct {
		Attempts                                             int
		Timeout, InitialInterval                             ptypes.Duration
		MaxRequestBodyBytes                                  *int64
		Status                                               []string
		DisableRetryOnNetworkError, RetryNonIdempotentMethod bool
	}
	ContentType *struct{ AutoDetect *bool } `label:"allowEmpty"`
	GrpcWeb     *struct{ AllowOrigins []string }
	Plugin      map[string]map[string]any
}

type traefikIPStrategy struct {
	Depth       int
	ExcludedIPs []string
	IPv6Subnet  *int
}

type traefikSource struct {
	IPStrategy        *traefikIPStrategy
	RequestHeaderName string
	RequestHost       bool
}

type traefikClientTLS struct {
	CA, Cert, Key      string
	InsecureSkipVerify bool
	CAOptional         *bool
}

type traefikForwardAuth struct {
	Address, AuthResponseHeadersRegex, HeaderField, AuthSigninURL     string
	TLS                                                               *traefikClientTLS
	TrustForwardHeader                                                *bool
	AuthResponseHeaders, AuthRequestHeaders, AddAuthCookiesToResponse []string
	MaxResponseBodySize, MaxBodySize                                  *int64
	ForwardBody, PreserveLocationHeader, PreserveRequestMethod        bool
}

type traefikDN struct {
	Country, Province, Locality, Organization, OrganizationalUnit, CommonName, SerialNumber, DomainComponent bool
}

type traefikHeaders struct {
	CustomRequestHeaders, CustomResponseHeaders, SSLProxyHeaders map[string]string

	AccessControlAllowHeaders, AccessControlAllowMethods, AccessControlAllowOriginList,
	AccessControlAllowOriginListRegex, AccessControlExposeHeaders, AllowedHosts, HostsProxyHeaders []string

	AccessControlMaxAge, STSSeconds *int64

	AccessControlAllowCredentials, AddVaryHeader, STSIncludeSubdomains, STSPreload, ForceSTSHeader, FrameDeny,
	ContentTypeNosniff, BrowserXSSFilter, IsDevelopment bool

	CustomFrameOptionsValue, CustomBrowserXSSValue, ContentSecurityPolicy, ContentSecurityPolicyReportOnly,
	PublicKey, ReferrerPolicy, PermissionsPolicy string

	FeaturePolicy, SSLHost *string

	SSLRedirect, SSLTemporaryRedirect, SSLForceHost *bool
}
