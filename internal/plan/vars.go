package plan

import (
	"slices"
	"sync"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Vars holds variables by name: weights that are trained, running statistics, optimizer slots. Plans share it. The main
// section of a run reads under the read lock; only the commit section and Write write.
//
// A variable must be defined before any plan is built that reads it: a plan takes an initializer without a variable of its
// name for a constant.
type Vars struct {
	mu   sync.RWMutex
	m    map[string]*Var
	torn error // why a commit stopped half way; no run may read the variables then
}

// Var is one variable.
type Var struct {
	name    string
	t       *onnx.Tensor
	version uint64
}

// NewVars makes an empty collection.
func NewVars() *Vars { return &Vars{m: map[string]*Var{}} }

// Define adds a variable with a copy of t for contents, unless there is one of that name already: then type and shape must
// agree and the contents stay.
func (s *Vars) Define(name string, t *onnx.Tensor) error {
	_, err := s.define(name, t)
	return err
}

func (s *Vars) define(name string, t *onnx.Tensor) (*Var, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.m[name]; v != nil {
		if t != nil && (t.Elem != v.t.Elem || !slices.Equal(t.Shape, v.t.Shape)) {
			return nil, onnx.Invalidf("variable %.128q: expected %v, received %v", name, v.t.Type(), t.Type())
		}
		return v, nil
	}
	if t == nil {
		return nil, onnx.Invalidf("variable %.128q has no contents", name)
	}
	if t.Elem.Bits() == 0 {
		return nil, onnx.Unsupportedf("variable %.128q: a variable of type %v", name, t.Elem)
	}
	v := &Var{name: name, t: t.Clone(), version: 1}
	s.m[name] = v
	return v, nil
}

// Has reports whether there is a variable called name.
func (s *Vars) Has(name string) bool { return s.find(name) != nil }

func (s *Vars) find(name string) *Var {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.m[name]
}

// Names lists the variables in alphabetical order.
func (s *Vars) Names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	names := make([]string, 0, len(s.m))
	for n := range s.m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Version counts the changes of a variable; 0 when there is none of that name.
func (s *Vars) Version(name string) uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if v := s.m[name]; v != nil {
		return v.version
	}
	return 0
}

// Read copies a variable as the last finished step left it.
func (s *Vars) Read(name string) (*onnx.Tensor, error) {
	ts, err := s.ReadAll([]string{name})
	if err != nil {
		return nil, err
	}
	return ts[0], nil
}

// ReadAll copies several variables as one finished step left them.
func (s *Vars) ReadAll(names []string) ([]*onnx.Tensor, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.torn != nil {
		return nil, s.torn
	}
	ts := make([]*onnx.Tensor, len(names))
	for i, n := range names {
		v := s.m[n]
		if v == nil {
			return nil, onnx.Invalidf("no variable is called %.128q", n)
		}
		ts[i] = v.t.Clone()
	}
	return ts, nil
}

// Write replaces the contents of a variable by a copy of t's, which must have its type and shape.
func (s *Vars) Write(name string, t *onnx.Tensor) error {
	return s.WriteAll([]string{name}, []*onnx.Tensor{t})
}

// WriteAll replaces the contents of several variables at once: no run sees some of them old and some new. It mends what a
// commit that stopped half way left, if it writes every variable.
func (s *Vars) WriteAll(names []string, ts []*onnx.Tensor) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, n := range names {
		v := s.m[n]
		switch {
		case v == nil:
			return onnx.Invalidf("no variable is called %.128q", n)
		case ts[i].Elem != v.t.Elem || !slices.Equal(ts[i].Shape, v.t.Shape) || len(ts[i].Bytes()) != len(v.t.Bytes()):
			return onnx.Invalidf("variable %.128q: expected %v, received %v", n, v.t.Type(), ts[i].Type())
		}
	}
	for i, n := range names {
		copy(s.m[n].t.Mutable(), ts[i].Bytes())
		s.m[n].version++
	}
	if len(names) == len(s.m) {
		s.torn = nil
	}
	return nil
}

// Bytes is the size of all variables.
func (s *Vars) Bytes() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var n int64
	for _, v := range s.m {
		n += int64(len(v.t.Bytes()))
	}
	return n
}

// view is the contents, valid under the lock. The bytes never move.
func (v *Var) view() opdef.View {
	return opdef.View{Elem: v.t.Elem, Shape: v.t.Shape, Data: v.t.Mutable()}
}
