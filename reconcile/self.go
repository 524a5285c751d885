package reconcile

// selfLast has the update of the service that this process is a task of wait
// until everything else has ended, well or not: the process may be stopped for
// it, and what it has not begun by then is its successor's.
func selfLast(steps []step, self string) {
	own := changeID(KindService, self)
	later := map[string]bool{own: true}
	for grown := true; grown; {
		grown = false
		for _, s := range steps {
			for _, id := range s.needs {
				if later[id] && !later[s.id] {
					later[s.id], grown = true, true
				}
			}
		}
	}
	for i := range steps {
		if steps[i].id != own {
			continue
		}
		for _, s := range steps {
			if !later[s.id] {
				steps[i].after = append(steps[i].after, s.id)
			}
		}
	}
}
