package swarmlab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// runDir holds locks and sockets. It is not below os.TempDir: a unix socket's
// path has at most 107 characters, and labs of processes with different
// TMPDIRs must see each other's locks.
const runDir = "/run/swarmlab"

// slots is the number of labs that one machine can run at once.
const slots = 256

// slot is a machine-wide number from which every name and address of a lab
// follows, so that a later process can remove what a dead one left behind.
type slot struct {
	number int
	lock   *os.File
}

// takeSlot takes the lowest free slot and removes the remains of every lab
// whose process is gone.
func takeSlot() (*slot, error) {
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		return nil, err
	}
	var mine *slot
	var errs []error
	for number := range slots {
		s := &slot{number: number}
		_, err := os.Lstat(s.run())
		stale := err == nil
		if mine != nil && !stale {
			continue
		}
		free, err := s.tryLock()
		if err != nil {
			return nil, errors.Join(err, mine.unlock())
		}
		if !free {
			continue
		}
		if stale {
			if err := s.clear(); err != nil {
				errs = append(errs, fmt.Errorf("remains of lab %d: %w", number, err), s.unlock())
				continue
			}
		}
		if mine == nil {
			mine = s
		} else if err := s.unlock(); err != nil {
			return nil, errors.Join(err, mine.unlock())
		}
	}
	if mine == nil {
		return nil, errors.Join(append(errs, fmt.Errorf("all %d slots in %s are taken", slots, runDir))...)
	}
	// Remains that cannot be removed hurt nobody who has another slot.
	return mine, nil
}

// tryLock reports whether the slot was free. The kernel drops the lock when
// the process that holds it dies, however it dies.
func (s *slot) tryLock() (bool, error) {
	f, err := os.OpenFile(s.run()+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return false, nil
		}
		return false, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	s.lock = f
	return true, nil
}

func (s *slot) unlock() error {
	if s == nil || s.lock == nil {
		return nil
	}
	err := s.lock.Close()
	s.lock = nil
	return err
}

// prepare makes the slot's folders, the one for data below dir, and returns
// that one. The run folder links to it, so that clear finds it later.
func (s *slot) prepare(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	data := filepath.Join(dir, fmt.Sprintf("swarmlab-%d", s.number))
	if err := os.Mkdir(s.run(), 0o700); err != nil {
		return "", err
	}
	if err := os.Symlink(data, s.dataLink()); err != nil {
		return "", err
	}
	// Not private: an image's user must be able to walk to its files.
	return data, os.MkdirAll(data, 0o711)
}

// release removes all that belongs to the slot and gives it back.
func (s *slot) release() error {
	if s.lock == nil {
		return nil
	}
	return errors.Join(s.clear(), s.unlock())
}

// clear ends the processes of the slot's lab, then removes its links,
// namespaces, cgroups and folders. Mounts need no removal: they belong to mount
// namespaces that end with their processes.
func (s *slot) clear() error {
	if err := s.endProcesses(); err != nil {
		return err
	}
	err := errors.Join(s.disconnect(), removeCgroups(s.cgroup()))
	if data, linkErr := os.Readlink(s.dataLink()); linkErr == nil {
		err = errors.Join(err, os.RemoveAll(data))
	}
	if err != nil {
		return err // the run folder stays: it is what the next attempt goes by
	}
	return os.RemoveAll(s.run())
}

func (s *slot) run() string      { return filepath.Join(runDir, strconv.Itoa(s.number)) }
func (s *slot) dataLink() string { return filepath.Join(s.run(), "data") }
func (s *slot) cgroup() string   { return "swarmlab-" + strconv.Itoa(s.number) }

// name is the name of the lab's switch: its namespace and its link in the root
// namespace. The kernel allows 15 characters.
func (s *slot) name() string { return "swl" + strconv.Itoa(s.number) }

// netns is the name of the network namespace of node i.
func (s *slot) netns(i int) string { return fmt.Sprintf("%sn%d", s.name(), i) }

// owns reports whether a network namespace of that name is the slot's.
func (s *slot) owns(netns string) bool {
	rest, ok := strings.CutPrefix(netns, s.name())
	return ok && (rest == "" || rest[0] == 'n')
}

// addr is an address of the lab: 1 is the root namespace's, node i has i+1.
// 198.18.0.0/15 is set aside for tests of networks; Docker's own pools, for
// bridges and for overlays, are elsewhere.
func (s *slot) addr(host int) string { return fmt.Sprintf("198.19.%d.%d", s.number, host) }
