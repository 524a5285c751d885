package engine

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// However a body arrives, it is told from another one, and read whole.
func TestCompare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.SampledFrom([]byte("ab")), 0, 6)
		was, now := text.Draw(t, "was"), text.Draw(t, "now")
		// Longer than what is read at a time.
		if rapid.Bool().Draw(t, "long") {
			start := bytes.Repeat([]byte("x"), 70_000)
			was, now = append(bytes.Clone(start), was...), append(start, now...)
		}
		kept := bytes.Clone(was)
		reader := rapid.SampledFrom([]func(io.Reader) io.Reader{
			func(r io.Reader) io.Reader { return r }, iotest.HalfReader, iotest.DataErrReader,
		}).Draw(t, "reader")
		body, same, err := compare(reader(bytes.NewReader(now)), was)
		if err != nil || same != bytes.Equal(was, now) || !same && !bytes.Equal(body, now) || !bytes.Equal(was, kept) {
			t.Fatalf("same %v, %v, read %d of %d bytes", same, err, len(body), len(now))
		}
		broken := errors.New("broken")
		if _, same, err := compare(io.MultiReader(bytes.NewReader(now), iotest.ErrReader(broken)), was); !errors.Is(err, broken) || same {
			t.Fatalf("cut off: same %v, %v", same, err)
		}
	})
}
