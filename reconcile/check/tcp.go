package check

import (
	"context"
	"fmt"

	"github.com/swarmward/swarmward/spec"
)

// tcp opens a connection and is content with that.
func (t *try) tcp(ctx context.Context, _ spec.TCPCheck) finding {
	if _, problem := t.connect(ctx, nil); problem != nil {
		return *problem
	}
	return passed(fmt.Sprintf("%s accepts connections.", t.way.Address))
}
