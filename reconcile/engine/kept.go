package engine

import (
	"context"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
)

// Kept makes one call: unlike some other lists, that of configs is the Swarm's or
// an error.
func (e *Engine) Kept(ctx context.Context, prefix string) ([]swarm.Config, error) {
	ctx, cancel := context.WithTimeout(ctx, e.timeout())
	defer cancel()
	list, err := e.api.ConfigList(ctx, swarm.ConfigListOptions{Filters: filters.NewArgs(filters.Arg("name", prefix))})
	return list, e.explain("configs", err)
}
