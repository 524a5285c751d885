// Swarmsim is a Docker Swarm in one process: the Engine's own HTTP routers over
// Swarm's own control plane, with an agent that starts no containers. It is for
// trying things out and for tests.
//
//	swarmsim [flags] -- COMMAND…   run COMMAND with DOCKER_HOST pointing at a throwaway Swarm
//	swarmsim [flags]               print DOCKER_HOST and stay
//	swarmsim ctl …                 make something happen in the Swarm at DOCKER_HOST
//
// Services get tasks, updates roll, conflicts are refused and nodes are chosen
// by the code that does so in a real Swarm. What a task runs is simulated: it
// goes through accepted, preparing, starting and running in some 50 ms, and
// then stays. Redis (and Valkey) and Centrifugo are really served, with what
// their command line and their templated configs say, on addresses of the
// loopback network: every node and every container has one of its own, so that
// several swarmsims can run at once without root. It needs Linux.
//
// How a container behaves is told by labels of the container, by its
// environment (SWARMSIM_EXIT_CODE for swarmsim.exit-code) or by `swarmsim ctl
// service set`; the usage text has them all.
package main

// usage is what --help prints.
const usage = `swarmsim is a Docker Swarm in one process, for trying things out and for tests.

Usage:
  swarmsim [flags] -- COMMAND...   run COMMAND with DOCKER_HOST pointing at a
                                   throwaway Swarm, and exit with its exit code
  swarmsim [flags]                 print DOCKER_HOST=... and stay until SIGINT
  swarmsim ctl ORDER...            make something happen in a running swarmsim
  swarmsim demo SWARMWARD SPEC     show swarmward's main job on the Swarm at
                                   DOCKER_HOST; make demo does all of it

Flags:
  --nodes N           nodes of the Swarm, named node-1 (the manager), node-2, ...
                      (default 1)
  --listen ADDRESS    unix:///path or tcp://127.0.0.1:0 (default: a unix socket in
                      a directory of its own)
  --image NAME:TAG    one more image that the registry has; may be repeated
  --log-level LEVEL   fatal, error, warn, info or debug, on stderr (default fatal)

What containers do:
  Images of redis and valkey are served as Redis, those of centrifugo as
  Centrifugo. Of other programs only echo, sleep, true, false and exit are
  understood, alone or in "sh -c"; any other runs until it is stopped, and one
  whose name begins with "nosuch" does not exist. An image that the registry does
  not have is rejected with "No such image".

  Container labels steer a container; SWARMSIM_START_DELAY=2s in its environment
  is as good as swarmsim.start-delay=2s:
    swarmsim.start-delay=2s   starts only after a while
    swarmsim.run-for=1m       exits by itself after a while
    swarmsim.exit-code=3      exits with this code
    swarmsim.unhealthy=true   its health check fails while it starts
    swarmsim.oom=true         is killed for want of memory
    swarmsim.fail=2           does so (or exits with 1) twice, then runs well;
                              counted for each slot and each version of the service
    swarmsim.stop-delay=2s    takes its time to stop

Orders (DOCKER_HOST says to which swarmsim):
  ctl state                           what is where, as JSON
  ctl node down|up HOSTNAME           a node fails, or comes back
  ctl registry away|back              the registry cannot be reached, or can again
  ctl registry add NAME:TAG           the registry has one more image
  ctl service stop|start NAME         what is served stops answering, or answers again
  ctl service fault NAME [TEXT]       its Redis answers every command with this error
  ctl service kill|oom|unhealthy NAME its running containers end
  ctl service set NAME [KEY=VALUE...] how its next containers behave, with the keys
                                      of the labels; no keys take back earlier ones
`
