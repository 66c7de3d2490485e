package plan

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// training is y = x + w; w -= g if apply; m is w's half, an update that is copied.
func training(t *testing.T, o Options) (*Plan, *Vars) {
	b := builder("train")
	x, g, apply := b.Graph.Input("x", f32(2)), b.Graph.Input("g", f32(2)), b.Graph.Input("apply", onnx.TensorOf(onnx.Bool))
	w := b.Graph.Initializer("w", f32(2), onnx.Vector[float32](10, 20))
	m := b.Graph.Initializer("m", f32(2), onnx.Vector[float32](0, 0))
	next := op(b, "Descend", w, g, apply) // stands before a reader of the old w on purpose
	half := op(b, "Half", w)
	b.Graph.Updates = []onnx.Update{{Var: w, New: next}, {Var: m, New: half}}
	vars := NewVars()
	return mustBuild(t, b, vars, o, op(b, "Plus", x, w), w), vars
}

func readVar(t *testing.T, vars *Vars, name string) []float32 {
	t.Helper()
	v, err := vars.Read(name)
	require.NoError(t, err)
	return onnx.Data[float32](v)
}

func TestUpdate(t *testing.T) {
	for _, keep := range []bool{false, true} {
		p, vars := training(t, Options{Keep: keep})
		require.Equal(t, 3, p.Steps())
		require.Equal(t, 1, p.commit, "both updates are in the commit section")
		require.Equal(t, !keep, p.updates[0].inPlace)
		r := p.NewRunner()
		yes, no := ViewOf(onnx.Scalar(true)), ViewOf(onnx.Scalar(false))
		out := results(t, r, floats(1, 1), floats(1, 2), yes)
		require.Equal(t, []float32{11, 21}, data(out[0]), "the old value is read")
		require.Equal(t, []float32{10, 20}, data(out[1]))
		require.Equal(t, []float32{9, 18}, readVar(t, vars, "w"))
		require.Equal(t, []float32{5, 10}, readVar(t, vars, "m"))
		require.Equal(t, uint64(2), vars.Version("w"))

		results(t, r, floats(1, 1), floats(1, 2), no)
		require.Equal(t, []float32{9, 18}, readVar(t, vars, "w"))
		require.Equal(t, uint64(2), vars.Version("w"), "apply is false")
		require.Equal(t, uint64(3), vars.Version("m"))

		require.NoError(t, vars.Write("w", onnx.Vector[float32](1, 2)))
		out = results(t, r, floats(1, 1), floats(1, 2), yes)
		require.Equal(t, []float32{2, 3}, data(out[0]))
	}
}

func TestUpdate_noAllocation(t *testing.T) {
	p, _ := training(t, Options{})
	r := p.NewRunner()
	ins := []opdef.View{floats(1, 1), floats(1, 2), ViewOf(onnx.Scalar(true))}
	outs := []opdef.View{floats(0, 0), floats(0, 0)}
	require.Zero(t, testing.AllocsPerRun(20, func() {
		if err := r.Run(context.Background(), ins, outs); err != nil {
			panic(err)
		}
	}))
}

// A node that reads both the old and the new value: the new one cannot be written over the old one.
func TestUpdate_readerOfBoth(t *testing.T) {
	b := builder("both")
	g, apply := b.Graph.Input("g", f32(2)), b.Graph.Input("apply", onnx.TensorOf(onnx.Bool))
	w := b.Graph.Initializer("w", f32(2), onnx.Vector[float32](10, 20))
	v := b.Graph.Initializer("v", f32(2), onnx.Vector[float32](0, 0))
	next := op(b, "Descend", w, g, apply)
	b.Graph.Updates = []onnx.Update{{Var: w, New: next}, {Var: v, New: op(b, "Plus", next, w)}}
	vars := NewVars()
	p := mustBuild(t, b, vars, Options{}, op(b, "Half", g))
	require.False(t, p.updates[0].inPlace)
	require.Equal(t, 1, p.commit)
	require.NoError(t, p.NewRunner().Run(t.Context(), []opdef.View{floats(1, 2), ViewOf(onnx.Scalar(true))}, nil))
	require.Equal(t, []float32{9, 18}, readVar(t, vars, "w"))
	require.Equal(t, []float32{19, 38}, readVar(t, vars, "v"))
}

// Two updates whose readers wait for each other are sorted without a cycle.
func TestUpdate_crossed(t *testing.T) {
	b := builder("crossed")
	apply := b.Graph.Input("apply", onnx.TensorOf(onnx.Bool))
	u := b.Graph.Initializer("u", f32(1), onnx.Vector[float32](1))
	w := b.Graph.Initializer("w", f32(1), onnx.Vector[float32](2))
	nu := op(b, "Descend", u, w, apply) // reads w
	nw := op(b, "Descend", w, u, apply) // reads u
	b.Graph.Updates = []onnx.Update{{Var: u, New: nu}, {Var: w, New: nw}}
	vars := NewVars()
	p := mustBuild(t, b, vars, Options{}, op(b, "Half", u))
	require.NoError(t, p.NewRunner().Run(t.Context(), []opdef.View{ViewOf(onnx.Scalar(true))}, nil))
	require.Equal(t, []float32{-1}, readVar(t, vars, "u"))
	require.Equal(t, []float32{1}, readVar(t, vars, "w"))
}

// countdown is a context that is cancelled at its nth look.
type countdown struct {
	context.Context
	n int
}

func (c *countdown) Err() error {
	if c.n--; c.n < 0 {
		return context.Canceled
	}
	return nil
}

// A run cancelled anywhere changes all variables or none.
func TestUpdate_cancelled(t *testing.T) {
	p, vars := training(t, Options{})
	ins := []opdef.View{floats(1, 1), floats(1, 2), ViewOf(onnx.Scalar(true))}
	for n := 0; ; n++ {
		err := p.NewRunner().Run(&countdown{t.Context(), n}, ins, nil)
		if err == nil {
			require.Equal(t, []float32{9, 18}, readVar(t, vars, "w"))
			require.Equal(t, []float32{5, 10}, readVar(t, vars, "m"))
			break
		}
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, []float32{10, 20}, readVar(t, vars, "w"))
		require.Equal(t, []float32{0, 0}, readVar(t, vars, "m"))
		require.Less(t, n, 100)
	}
}

// An update that fails half way leaves variables that nobody may read until all have been written.
func TestUpdate_torn(t *testing.T) {
	b := builder("torn")
	g, apply := b.Graph.Input("g", f32(1)), b.Graph.Input("apply", onnx.TensorOf(onnx.Bool))
	u := b.Graph.Initializer("u", f32(1), onnx.Vector[float32](1))
	w := b.Graph.Initializer("w", f32(1), onnx.Vector[float32](2))
	b.Graph.Updates = []onnx.Update{{Var: u, New: op(b, "Descend", u, g, apply)}, {Var: w, New: op(b, "Fail", w)}}
	vars := NewVars()
	p := mustBuild(t, b, vars, Options{}, op(b, "Plus", g, u))
	ins := []opdef.View{floats(1), ViewOf(onnx.Scalar(true))}
	require.ErrorContains(t, p.NewRunner().Run(t.Context(), ins, nil), "no luck")
	require.ErrorIs(t, p.NewRunner().Run(t.Context(), ins, nil), onnx.ErrInternal)
	_, err := vars.Read("u")
	require.ErrorContains(t, err, "half written")
	require.NoError(t, vars.WriteAll([]string{"u", "w"}, []*onnx.Tensor{onnx.Vector[float32](1), onnx.Vector[float32](2)}))
	require.Equal(t, []float32{1}, readVar(t, vars, "u"))
}

// Predictions during updates belong to a finished step.
func TestUpdate_concurrentReaders(t *testing.T) {
	p, vars := training(t, Options{})
	b := builder("predict")
	x := b.Graph.Input("x", f32(2))
	w := b.Graph.Initializer("w", f32(2), onnx.Vector[float32](0, 0))
	predict := mustBuild(t, b, vars, Options{}, op(b, "Plus", x, w))
	var wg sync.WaitGroup
	stop, errs := make(chan struct{}), make(chan error, 2)
	for range 2 {
		wg.Go(func() {
			r := predict.NewRunner()
			for {
				select {
				case <-stop:
					return
				default:
				}
				out, err := r.Results(t.Context(), []opdef.View{floats(0, 0)})
				if err == nil && data(out[0])[1]-20 != 2*(data(out[0])[0]-10) {
					err = errors.New("torn")
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	r := p.NewRunner()
	for range 500 {
		require.NoError(t, r.Run(t.Context(), []opdef.View{floats(1, 1), floats(1, 2), ViewOf(onnx.Scalar(true))}, nil))
	}
	close(stop)
	wg.Wait()
	close(errs)
	require.NoError(t, <-errs)
}

func TestVars(t *testing.T) {
	vars := NewVars()
	require.NoError(t, vars.Define("w", onnx.Vector[float32](1)))
	require.NoError(t, vars.Define("w", onnx.Vector[float32](5)), "defined already: the contents stay")
	require.Equal(t, []float32{1}, readVar(t, vars, "w"))
	require.ErrorContains(t, vars.Define("w", onnx.Vector[int64](5)), `variable "w": expected float[1], received int64[1]`)
	require.ErrorContains(t, vars.Define("v", nil), "has no contents")
	require.ErrorContains(t, vars.Write("w", onnx.Vector[float32](1, 2)), "expected float[1], received float[2]")
	require.ErrorContains(t, vars.Write("v", onnx.Vector[float32](1)), `no variable is called "v"`)
	require.True(t, vars.Has("w"))
	require.False(t, vars.Has("v"))
	require.Equal(t, []string{"w"}, vars.Names())
	require.Equal(t, int64(4), vars.Bytes())
}
