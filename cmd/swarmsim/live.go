package main

import (
	"fmt"
	"time"

	"github.com/moby/swarmkit/v2/api"
)

// live is the container's life, from its start to its exit. What keeps it from
// starting at all goes to ready as an error; nil says that it runs.
func (c *simulated) live(b behavior, files fileset, ready chan<- error) {
	c.engine.logContainer(c, "start", nil)
	if b.failing {
		c.openPorts(nil)
		ready <- nil
		c.exit(c.fail(b))
		return
	}
	argv := words(c.spec)
	s, err := c.serve(argv, files)
	if err != nil {
		c.logs.add("stderr", err.Error())
		c.exit(1)
		return
	}
	c.openPorts(s)
	steps, err := script(repository(c.spec.Image), argv)
	if s == nil && err != nil {
		ready <- err
		c.exit(127)
		return
	}
	ready <- nil
	if s == nil {
		c.exit(c.perform(steps, b))
		return
	}
	<-c.ctx.Done()
	c.pause(b.stopDelay)
	c.closePorts()
	s.close()
	c.exit(0)
}

// pause waits, whatever happens.
func (c *simulated) pause(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

// fail lives as it was told to and tells the exit code.
func (c *simulated) fail(b behavior) int {
	select {
	case <-c.ctx.Done():
		c.pause(b.stopDelay)
		return 0
	case <-time.After(max(b.runFor, failAfter)):
	}
	switch {
	case b.unhealthy:
		c.logs.add("stderr", "health check failed: exit code 1")
		c.killUnhealthy()
		return 137
	case b.oom:
		c.killOOM()
		return 137
	case b.exitCode != 0:
		c.logs.add("stderr", fmt.Sprintf("fatal: told to exit with code %d", b.exitCode))
	}
	return b.exitCode
}

// perform does what a script says and tells its exit code.
func (c *simulated) perform(steps []step, b behavior) int {
	code := 0
	for _, s := range steps {
		if s.output != "" {
			c.logs.add("stdout", s.output)
		}
		code = s.code
		if s.forever {
			<-c.ctx.Done()
		} else if s.sleep > 0 {
			select {
			case <-time.After(s.sleep):
			case <-c.ctx.Done():
			}
		}
		if c.ctx.Err() != nil {
			c.pause(b.stopDelay)
			return 0
		}
		if s.exits {
			break
		}
	}
	return code
}

// openPorts opens what the task publishes. A container in which nothing answers
// has its ports reported but not opened.
func (c *simulated) openPorts(s *served) {
	var ports []*api.PortConfig
	if c.task.Endpoint != nil {
		for _, p := range c.task.Endpoint.Ports {
			if p.PublishMode != api.PublishModeHost {
				continue
			}
			port := p.Copy()
			port.Name = ""
			if port.PublishedPort == 0 {
				port.PublishedPort = c.engine.dynamicPort()
			}
			ports = append(ports, port)
		}
	}
	c.mu.Lock()
	c.ports, c.served = ports, s
	c.mu.Unlock()
	if s == nil {
		return
	}
	s.front(c.ip, s.port)
	for _, p := range ports {
		if p.Protocol == api.ProtocolTCP && int(p.TargetPort) == s.port {
			s.front(c.node.addr, int(p.PublishedPort))
		}
	}
	if err := s.resume(); err != nil {
		c.engine.log.Warn("a port is not served", "container", c.name(), "err", err)
	}
	c.engine.mesh.join(c)
}

func (c *simulated) closePorts() {
	c.engine.mesh.leave(c)
	c.mu.Lock()
	s := c.served
	c.served = nil
	c.mu.Unlock()
	s.pause()
}

// serving is what answers in the container; nil when nothing does.
func (c *simulated) serving() *served {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.served
}
