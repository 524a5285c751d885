package trigger

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Files watches what specs are read from. A file is watched where it is
// replaced, not only where it is written: in its folder, at each symbolic link
// on the way to it (mounted configs are swapped at one), and, as long as it is
// not there, where it would have to appear. A folder can be watched for
// whatever is in it. Its methods are safe for concurrent use.
type Files struct {
	Log     *slog.Logger
	watcher *fsnotify.Watcher

	mu      sync.Mutex
	keys    map[string]watched
	armed   map[string]bool // what fsnotify has
	refused bool            // that something cannot be watched has been told
}

// watched is what one key stands for.
type watched struct {
	paths  []string
	places []place
}

// place is a name in a folder; an empty one is whatever is in it. A file is
// there, and no link.
type place struct {
	dir, name string
	file      bool
}

// NewFiles begins to watch nothing. Run must be called.
func NewFiles(log *slog.Logger) (*Files, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	return &Files{Log: log, watcher: w, keys: map[string]watched{}, armed: map[string]bool{}}, nil
}

// gather is how long a change waits for more of its kind, such as the next
// block of a file that is written.
const gather = 50 * time.Millisecond

// Watch these absolute paths for the key, instead of what it had: a folder for
// whatever is in it. Watch reports whether it watches something new, which may
// have changed before it did.
func (f *Files) Watch(key string, paths []string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.Equal(f.keys[key].paths, paths) {
		return false
	}
	f.keys[key] = watched{paths: slices.Clone(paths)}
	return f.arm(map[string]bool{key: true})
}

// Forget what was watched for the key.
func (f *Files) Forget(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.keys, key)
	f.arm(nil)
}

// Run tells the keys of what has changed, each batch once, until ctx ends.
func (f *Files) Run(ctx context.Context, changed func(keys []string)) {
	defer f.watcher.Close()
	dirty := map[string]bool{}
	var due <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-f.watcher.Events:
			f.note(e.Name, dirty)
		case err := <-f.watcher.Errors:
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				f.noteAll(dirty)
			}
			f.Log.Debug("watching files", "error", err)
		case <-due:
			due = nil
			f.rearm(dirty)
			// What happens from here on is an event again.
			changed(slices.Sorted(maps.Keys(dirty)))
			clear(dirty)
		}
		if len(dirty) > 0 && due == nil {
			due = time.After(gather)
		}
	}
}

// note whose places the path is, or is the folder of.
func (f *Files) note(path string, dirty map[string]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, name := filepath.Split(path)
	dir = filepath.Clean(dir)
	for key, w := range f.keys {
		if slices.ContainsFunc(w.places, func(p place) bool {
			return p.dir == dir && (p.name == name || p.name == "") || p.dir == path
		}) {
			dirty[key] = true
		}
	}
}

func (f *Files) noteAll(dirty map[string]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key := range f.keys {
		dirty[key] = true
	}
}

// rearm watches what has moved, appeared or gone.
func (f *Files) rearm(dirty map[string]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// What is gone, fsnotify has forgotten.
	has := map[string]bool{}
	for _, path := range f.watcher.WatchList() {
		has[path] = true
	}
	maps.DeleteFunc(f.armed, func(path string, _ bool) bool { return !has[path] })
	f.arm(dirty)
}

// arm looks anew for the places of some keys, and watches those of all, and
// nothing else; with f.mu held. It reports whether it has begun to watch
// something.
func (f *Files) arm(dirty map[string]bool) (more bool) {
	// A link may move on before it is watched.
	for range 3 {
		want := map[string]bool{}
		for key, w := range f.keys {
			if dirty[key] {
				w.places = nil
				for _, path := range w.paths {
					w.places = append(w.places, places(path)...)
				}
				f.keys[key] = w
			}
			for _, p := range w.places {
				want[p.dir] = true
				// A file that is mounted by itself is written without its folder's knowledge.
				if p.file {
					want[filepath.Join(p.dir, p.name)] = true
				}
			}
		}
		if !f.swap(want) {
			return more
		}
		more = true
	}
	return more
}

// swap what is watched for what is wanted.
func (f *Files) swap(want map[string]bool) (begun bool) {
	for path := range f.armed {
		if !want[path] {
			_ = f.watcher.Remove(path)
			delete(f.armed, path)
		}
	}
	for path := range want {
		if f.armed[path] {
			continue
		}
		switch err := f.watcher.Add(path); {
		case err == nil:
			f.armed[path], begun = true, true
		case !errors.Is(err, os.ErrNotExist) && !f.refused:
			f.refused = true
			f.Log.Warn("a file cannot be watched: a change of it is noticed with the next pass that is due", "file", path, "error", err.Error(),
				"remedy", "where the system's limit is reached, raise fs.inotify.max_user_watches")
		}
	}
	return begun
}

// places are those that decide what a path leads to: the links on the way, and
// the file in its folder or the first thing that is missing.
func places(path string) []place {
	dir, rest := "/", strings.Split(path, string(filepath.Separator))
	var out []place
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			dir = filepath.Dir(dir)
			continue
		}
		full := filepath.Join(dir, name)
		info, err := os.Lstat(full)
		switch {
		case err != nil:
			return append(out, place{dir: dir, name: name})
		case info.Mode()&os.ModeSymlink != 0:
			out = append(out, place{dir: dir, name: name})
			to, err := os.Readlink(full)
			if links++; err != nil || links > 40 {
				return out
			}
			if filepath.IsAbs(to) {
				dir = "/"
			}
			rest = append(strings.Split(to, string(filepath.Separator)), rest...)
		case !info.IsDir():
			return append(out, place{dir: dir, name: name, file: true})
		default:
			dir = full
		}
	}
	return append(out, place{dir: dir})
}
