package spec

import (
	"fmt"
	"log/slog"
)

// Sensitive is content that must never be printed: formatting, logging and
// marshalling it give a placeholder. Convert it to []byte to use it.
type Sensitive []byte

const sensitiveText = "(sensitive)"

// String is a placeholder.
func (Sensitive) String() string { return sensitiveText }

// Format writes a placeholder for every verb.
func (Sensitive) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(sensitiveText)) }

// MarshalText gives a placeholder.
func (Sensitive) MarshalText() ([]byte, error) { return []byte(sensitiveText), nil }

// LogValue gives a placeholder.
func (Sensitive) LogValue() slog.Value { return slog.StringValue(sensitiveText) }
