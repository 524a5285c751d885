package engine

import (
	"context"
	"fmt"
	"os"
)

// labelTask is Swarm's own label on the container of a task.
const labelTask = "com.docker.swarm.task.name"

// Holder says which process this is, for people: the Swarm task that it is, or
// the machine and the process id.
func (e *Engine) Holder(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, e.timeout())
	defer cancel()
	for _, id := range ownContainers() {
		if c, err := e.api.ContainerInspect(ctx, id); err == nil && c.Config != nil && c.Config.Labels[labelTask] != "" {
			return c.Config.Labels[labelTask]
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s, process %d", host, os.Getpid())
}
