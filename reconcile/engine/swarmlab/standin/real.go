package standin

import (
	"os"
	"path/filepath"
)

// TraefikVersion is the Traefik release whose answers the stand-in gives.
const TraefikVersion = "3.7.13"

// Real is the folder of the real programs that a test uses instead of the
// stand-ins; empty, as it nearly always is: the stand-ins. `make reality` builds
// them and sets SWARMWARD_REALITY.
func Real() string { return os.Getenv("SWARMWARD_REALITY") }

// RealProgram is the path of a program that `make reality` has built.
func RealProgram(name, version string) string { return filepath.Join(Real(), name+"-"+version) }
