package reconcile

import (
	"reflect"

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
)

// sameOnWire says whether the Engine makes one and the same thing of two specs,
// or parts of one. That is finer than what Diff finds equal: a nil pointer is
// not the default it stands for, and order counts, because swarmkit compares
// what it stores and replaces tasks for any difference.
func sameOnWire[T any](a, b T) bool {
	return wireEqual("", reflect.ValueOf(&a).Elem(), reflect.ValueOf(&b).Elem())
}

func wireEqual(name string, a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Pointer:
		a, b = stored(name, a), stored(name, b)
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return wireEqual(name, a.Elem(), b.Elem())
	case reflect.Struct:
		for i := range a.NumField() {
			f := a.Type().Field(i)
			if !notStored[f.Name] && !wireEqual(f.Name, a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice, reflect.Map: // nil and empty are one
		if a.Len() != b.Len() {
			return false
		}
	}
	switch a.Kind() {
	case reflect.Slice:
		for i := range a.Len() {
			if !wireEqual(name, a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		for _, k := range a.MapKeys() {
			if v := b.MapIndex(k); !v.IsValid() || !wireEqual("", a.MapIndex(k), v) {
				return false
			}
		}
		return true
	case reflect.String:
		return wireText(name, a) == wireText(name, b)
	}
	return a.Equal(b)
}

// notStored are the fields that the Engine drops, and the ids behind names.
var notStored = map[string]bool{
	"Consistency": true, "CreateMountpoint": true, "ReadOnlyNonRecursive": true, "ReadOnlyForceRecursive": true,
	"SecretID": true, "ConfigID": true,
}

// stored is the pointer as the Engine keeps it: without options of a bind that
// say nothing, and with a count of attempts, which it does not keep as unset.
func stored(name string, p reflect.Value) reflect.Value {
	switch v := p.Interface().(type) {
	case *mount.BindOptions:
		if v != nil && v.Propagation == "" && !v.NonRecursive {
			return reflect.Zero(p.Type())
		}
	case *uint64:
		if v == nil && name == "MaxAttempts" {
			return reflect.ValueOf(new(uint64))
		}
	}
	return p
}

// wireText is a text with the default that the Engine puts in its place.
func wireText(name string, v reflect.Value) string {
	if v.Len() > 0 {
		return v.String()
	}
	switch v.Interface().(type) {
	case swarm.RuntimeType:
		return string(swarm.RuntimeContainer)
	case swarm.RestartPolicyCondition:
		return string(swarm.RestartPolicyConditionAny)
	case swarm.ResolutionMode:
		return string(swarm.ResolutionModeVIP)
	case swarm.PortConfigProtocol:
		return string(swarm.PortConfigProtocolTCP)
	case swarm.PortConfigPublishMode:
		return string(swarm.PortConfigPublishModeIngress)
	case mount.Type:
		return string(mount.TypeBind)
	case mount.Propagation:
		return string(mount.PropagationRPrivate)
	}
	if name == "Isolation" {
		return "default"
	}
	return ""
}
