package reconcile

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/docker/docker/api/types/swarm"
)

// Labels of the objects that a record is kept in, beside those of all kept
// objects.
const (
	LabelRecord   = "swarmward.record"   // its number
	LabelPart     = "swarmward.part"     // 2/3: the second of three
	LabelChecksum = "swarmward.checksum" // SHA-256 over all parts
)

// recordSchema is the version that this program writes.
const recordSchema = 1

// partSize is what one part holds at most. Swarm takes configs below 1000 KiB,
// versions before 20.10 below 500.
const partSize = 480 << 10

// digest fills in Digest, and returns the rest of the record as it is kept.
func (r *Record) digest() ([]byte, error) {
	rest, err := json.Marshal(r.RecordedSpec)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(rest)
	r.Digest = hex.EncodeToString(sum[:16])
	return rest, nil
}

// encode is the record as the configs to keep it in, at most size bytes each, in
// the order in which to create them: the first part comes last, so that a record
// without it was never complete.
func (r Record) encode(size int) ([]swarm.ConfigSpec, error) {
	rest, err := r.digest()
	if err != nil {
		return nil, err
	}
	head, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // a level that there is
	_, err = z.Write(append(append(head, '\n'), rest...))
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	data := b.Bytes()
	sum := sha256.Sum256(data)
	total := (len(data) + size - 1) / size
	out := make([]swarm.ConfigSpec, 0, total)
	for part := total; part > 0; part-- {
		c := swarm.ConfigSpec{Data: data[(part-1)*size : min(part*size, len(data))]}
		c.Name = partName(r.Of, r.Number, part, total)
		c.Labels = map[string]string{
			LabelStack: r.Of, LabelKept: keptRecord, LabelSchema: fmt.Sprint(r.Schema),
			LabelRecord: fmt.Sprint(r.Number), LabelPart: fmt.Sprintf("%d/%d", part, total),
			LabelChecksum: hex.EncodeToString(sum[:]),
		}
		out = append(out, c)
	}
	return out, nil
}

func partName(stack string, number, part, total int) string {
	if total == 1 {
		return keptName(stack, fmt.Sprint(number))
	}
	return keptName(stack, fmt.Sprintf("%d.%d", number, part))
}

// whole is the record with its specs and settings.
func (r Record) whole() (Record, error) {
	if r.packed == nil {
		return r, nil
	}
	err := readRest(r.packed, &r)
	r.packed = nil
	return r, err
}

// readHead reads a record without its specs and settings, and readRest those.
func readHead(data []byte) (Record, error) {
	r, _, err := openRecord(data)
	return r, err
}

func readRest(data []byte, r *Record) error {
	head, d, err := openRecord(data)
	if err != nil {
		return err
	}
	var rest json.RawMessage
	if err := d.Decode(&rest); err != nil {
		return err
	}
	if sum := sha256.Sum256(rest); hex.EncodeToString(sum[:16]) != head.Digest {
		return errors.New("its two halves do not belong together")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its end")
	}
	return json.Unmarshal(rest, &r.RecordedSpec)
}

func openRecord(data []byte) (r Record, d *json.Decoder, err error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return r, nil, err
	}
	d = json.NewDecoder(z)
	return r, d, d.Decode(&r)
}
