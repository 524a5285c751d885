package check

import "testing"

func TestImageMajor(t *testing.T) {
	for image, want := range map[string]int{
		"centrifugo/centrifugo:v6.9.1":                            6,
		"centrifugo/centrifugo:v5":                                5,
		"centrifugo/centrifugo:6.9-alpine":                        6,
		"centrifugo/centrifugo:v6.9.1@sha256:" + digest():         6,
		"registry.example:5000/centrifugo/centrifugo:v5.4.9":      5,
		"registry.example:5000/centrifugo/centrifugo":             0,
		"centrifugo/centrifugo@sha256:" + digest():                0,
		"centrifugo/centrifugo:latest":                            0,
		"centrifugo/centrifugo":                                   0,
		"":                                                        0,
		"centrifugo/centrifugo:20260101120000":                    0,
		"registry.example:5000/centrifugo@sha256:" + digest()[1:]: 0,
	} {
		if got := imageMajor(image); got != want {
			t.Errorf("%s: %d, want %d", image, got, want)
		}
	}
}

// digest is one of digits alone.
func digest() string {
	return "1234567890123456789012345678901234567890123456789012345678901234"
}
