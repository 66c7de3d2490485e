package plan

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// chain is n times Half(x) + x.
func chain(b *onnx.Builder, x *onnx.Value, n int) *onnx.Value {
	for range n {
		x = op(b, "Plus", op(b, "Half", x), x)
	}
	return x
}

func TestRun_twoBatchSizes(t *testing.T) {
	b := builder("chain")
	x := b.Graph.Input("x", f32("N", 2))
	for _, keep := range []bool{false, true} {
		p := mustBuild(t, b, nil, Options{Keep: keep}, chain(b, x, 3))
		r := p.NewRunner()
		for _, n := range []int{2, 3, 2, 3, 2} {
			in := matrix(t, n, 2)
			got := results(t, r, in)[0].(*onnx.Tensor)
			require.Equal(t, []int{n, 2}, got.Shape)
			for i, v := range opdef.Of[float32](in) {
				require.Equal(t, v*1.5*1.5*1.5, data(got)[i])
			}
		}
		require.Equal(t, 2, p.binds)
	}
}

func TestRun_noAllocation(t *testing.T) {
	b := builder("chain")
	x := b.Graph.Input("x", f32("N", 4))
	y := chain(b, x, 5)
	pos := op(b, "Positive", op(b, "Scratch", y))
	rep := b.Sub("body")
	h := rep.Graph.Input("h", onnx.TensorOf(onnx.Float32, onnx.Unknown))
	rep.Graph.Outputs = vs{op(rep, "Plus", op(rep, "Half", h), pos)}
	n := b.Const(onnx.Scalar[int64](3))
	z := op(b, "Half", opWith(b, "Repeat", vs{n, pos}, rep.Graph))
	p := mustBuild(t, b, nil, Options{Threads: 2}, y, z)
	r := p.NewRunner()
	defer r.Close()
	out, err := onnx.Zeros(onnx.Float32, 3, 4)
	require.NoError(t, err)
	ins, outs := []opdef.View{matrix(t, 3, 4)}, []opdef.View{ViewOf(out), {}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, ctx := range []context.Context{context.Background(), ctx} {
		require.NoError(t, r.Run(ctx, ins, outs))
		require.Zero(t, testing.AllocsPerRun(20, func() {
			if err := r.Run(ctx, ins, outs); err != nil {
				panic(err)
			}
		}))
	}
	require.InDelta(t, 11*1.5*1.5*1.5*1.5*1.5, data(out)[11], 1e-3)
	require.Equal(t, []int{11}, r.Out(1).Shape)
}

func TestRun_reusesBuffers(t *testing.T) {
	b := builder("long")
	x := b.Graph.Input("x", f32(64))
	p := mustBuild(t, b, nil, Options{}, chain(b, x, 50))
	r := p.NewRunner()
	results(t, r, floats(make([]float32, 64)...))
	require.LessOrEqual(t, len(r.arena), 3*256, "100 values of 256 bytes, at most three alive")
	require.Equal(t, int64(len(r.arena)), r.Held())
}

func TestRun_keepsEveryValue(t *testing.T) {
	b := builder("keep")
	x := b.Graph.Input("x", f32(2))
	h := op(b, "Half", x)
	dead := op(b, "Plus", h, h)
	y := op(b, "Half", h)
	p := mustBuild(t, b, nil, Options{Keep: true, Generic: true}, y)
	r := p.NewRunner()
	results(t, r, floats(8, 16))
	for v, want := range map[*onnx.Value][]float32{x: {8, 16}, h: {4, 8}, dead: {8, 16}, y: {2, 4}} {
		got, ok := r.Value(v)
		require.True(t, ok)
		require.Equal(t, want, opdef.Of[float32](got), v.Name)
	}
	fast := mustBuild(t, b, nil, Options{}, y)
	require.Equal(t, 2, fast.Steps(), "the dead node is left out")
}

func TestRun_shapeChain(t *testing.T) {
	b := builder("shape")
	x, y := b.Graph.Input("x", f32("N", 3)), b.Graph.Input("y", f32("M"))
	v := op(b, "View", y, op(b, "ShapeOf", x))
	p := mustBuild(t, b, nil, Options{}, op(b, "Half", v))
	bind, err := p.Bind([][]int{{2, 3}, {6}}, nil)
	require.NoError(t, err)
	for k, s := range bind.steps {
		require.False(t, s.late, "step %d is bound early", k)
	}
	got := results(t, p.NewRunner(), matrix(t, 2, 3), floats(2, 4, 6, 8, 10, 12))[0].(*onnx.Tensor)
	require.Equal(t, []int{2, 3}, got.Shape)
	require.Equal(t, []float32{1, 2, 3, 4, 5, 6}, data(got))
}

func TestRun_sizesFromInputs(t *testing.T) {
	b := builder("late")
	x, s := b.Graph.Input("x", f32("N")), b.Graph.Input("s", onnx.TensorOf(onnx.Int64, onnx.Named("R")))
	p := mustBuild(t, b, nil, Options{}, op(b, "Half", op(b, "View", x, s)))
	r := p.NewRunner()
	for _, shape := range [][]int64{{2, 2}, {4, 1}, {1, 4}, {2, 2}} {
		got := results(t, r, floats(2, 4, 6, 8), ViewOf(onnx.Vector(shape...)))[0].(*onnx.Tensor)
		require.Equal(t, []int{int(shape[0]), int(shape[1])}, got.Shape)
		require.Equal(t, []float32{1, 2, 3, 4}, data(got))
	}
}

func TestRun_dataDependent(t *testing.T) {
	b := builder("data")
	x := b.Graph.Input("x", f32("N"))
	pos := op(b, "Positive", x)
	p := mustBuild(t, b, nil, Options{}, op(b, "Plus", op(b, "Half", pos), pos), op(b, "Half", x))
	r := p.NewRunner()
	for _, in := range [][]float32{{0, 2, -1, 4}, {0, 0, 0, 0}, {2, 2, 2, 2}, {-1, 2, -1, 4}} {
		var want []float32
		for _, v := range in {
			if v > 0 {
				want = append(want, v*1.5)
			}
		}
		got := results(t, r, floats(in...))
		require.Equal(t, len(want), len(data(got[0])))
		require.Equal(t, want, data(got[0]))
		require.Equal(t, in[3]/2, data(got[1])[3])
	}
}

// Late values share buffers as others do.
func TestRun_lateBuffers(t *testing.T) {
	b := builder("late chain")
	x := b.Graph.Input("x", f32("N"))
	p := mustBuild(t, b, nil, Options{}, chain(b, op(b, "Positive", x), 30))
	r := p.NewRunner()
	in := make([]float32, 1024)
	for i := range in {
		in[i] = 1
	}
	for range 2 {
		require.InEpsilon(t, 191751.06, data(results(t, r, floats(in...))[0])[1023], 1e-5)
		require.LessOrEqual(t, r.Held(), int64(4*4096), "61 values of 4096 bytes")
	}
	for n := 2; n <= 1024; n += 7 {
		results(t, r, floats(in[:n]...))
	}
	require.LessOrEqual(t, r.Held(), int64(61*4096))
}

// A branch may hand over a captured value itself; the buffer of that value is free once the branch is done.
func TestRun_branchReturnsCapture(t *testing.T) {
	b := builder("if")
	x, c := b.Graph.Input("x", f32("N")), b.Graph.Input("c", onnx.TensorOf(onnx.Bool))
	h := op(b, "Half", x)
	yes, no := b.Sub("then"), b.Sub("else")
	yes.Graph.Outputs = vs{h}
	no.Graph.Outputs = vs{op(no, "Half", h)}
	y := opWith(b, "Choose", vs{c}, yes.Graph, no.Graph)
	other := chain(b, x, 4)
	p := mustBuild(t, b, nil, Options{}, op(b, "Plus", y, other))
	r := p.NewRunner()
	for _, cond := range []bool{true, false, true} {
		want := float32(4) + 8*1.5*1.5*1.5*1.5
		if !cond {
			want -= 2
		}
		require.Equal(t, want, data(results(t, r, floats(8, 16), ViewOf(onnx.Scalar(cond)))[0])[0])
	}
}

// growing repeats Join(h, x) n times.
func growing(t *testing.T, o Options) *Plan {
	b := builder("grow")
	x, n := b.Graph.Input("x", f32("N")), b.Graph.Input("n", onnx.TensorOf(onnx.Int64))
	body := b.Sub("body")
	h := body.Graph.Input("h", onnx.TensorOf(onnx.Float32, onnx.Unknown))
	body.Graph.Outputs = vs{op(body, "Join", h, x)}
	return mustBuild(t, b, nil, o, op(b, "Half", opWith(b, "Repeat", vs{n, x}, body.Graph)))
}

func TestRun_growingLoop(t *testing.T) {
	r := growing(t, Options{}).NewRunner()
	for _, n := range []int64{0, 1, 40, 2, 40} {
		got := data(results(t, r, floats(2, 4), ViewOf(onnx.Scalar(n)))[0])
		require.Len(t, got, int(2*(n+1)))
		for i, v := range got {
			require.Equal(t, float32(1+i%2), v)
		}
	}
}

func TestRun_limits(t *testing.T) {
	var limit *onnx.LimitError
	ins := []opdef.View{floats(2, 4), ViewOf(onnx.Scalar[int64](1 << 40))}
	for _, o := range []Options{{Memory: 10_000}, {Nodes: 1000}} {
		_, err := growing(t, o).NewRunner().Results(t.Context(), ins)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorAs(t, err, &limit)
	}
	b := builder("big")
	x := b.Graph.Input("x", f32("N"))
	p := mustBuild(t, b, nil, Options{Memory: 4000}, chain(b, x, 2))
	r := p.NewRunner()
	_, err := r.Results(t.Context(), []opdef.View{floats(make([]float32, 1000)...)})
	require.ErrorAs(t, err, &limit)
	require.Equal(t, int64(4000), limit.Value)
	require.Zero(t, r.Held(), "charged before it is taken")
	results(t, r, floats(1, 2, 3))
}

// What earlier runs left must not make a run fail that fits by itself.
func TestRun_limitCountsOneRun(t *testing.T) {
	r := growing(t, Options{Memory: 45_000}).NewRunner()
	for _, x := range [][]float32{make([]float32, 1200), make([]float32, 3), make([]float32, 1300)} {
		_, err := r.Results(t.Context(), []opdef.View{floats(x...), ViewOf(onnx.Scalar[int64](1))})
		require.NoError(t, err)
	}
}

func TestRun_cancel(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	b := builder("endless")
	x, n := b.Graph.Input("x", f32("N")), b.Graph.Input("n", onnx.TensorOf(onnx.Int64))
	body := b.Sub("body")
	h := body.Graph.Input("h", onnx.TensorOf(onnx.Float32, onnx.Unknown))
	body.Graph.Outputs = vs{op(body, "Half", h)}
	p := mustBuild(t, b, nil, Options{}, opWith(b, "Repeat", vs{n, x}, body.Graph))
	start := time.Now()
	_, err := p.NewRunner().Results(ctx, []opdef.View{floats(2, 4), ViewOf(onnx.Scalar[int64](1 << 50))})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(start), time.Second)

	cause := errors.New("user went home")
	ctx2, stop := context.WithCancelCause(t.Context())
	stop(cause)
	_, err = p.NewRunner().Results(ctx2, []opdef.View{floats(2, 4), ViewOf(onnx.Scalar[int64](1))})
	require.ErrorIs(t, err, cause)
	require.ErrorIs(t, err, context.Canceled)
}

// A long kernel stops between tiles, with one thread as with two, and its half result is not used.
func TestRun_cancelInsideKernel(t *testing.T) {
	for _, threads := range []int{1, 2} {
		b := builder("slow")
		x := b.Graph.Input("x", f32("N"))
		r := mustBuild(t, b, nil, Options{Threads: threads}, op(b, "Slow", x)).NewRunner()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := r.Results(ctx, []opdef.View{floats(1)})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(start), 2*time.Second)
	}
}

// A panic in a worker, inside a body, is an internal error at the body's node, and the run object stays usable.
func TestRun_panic(t *testing.T) {
	b := builder("panic")
	x, n := b.Graph.Input("x", f32("N")), b.Graph.Input("n", onnx.TensorOf(onnx.Int64))
	body := b.Sub("body")
	h := body.Graph.Input("h", onnx.TensorOf(onnx.Float32, onnx.Unknown))
	body.Graph.Outputs = vs{op(body, "Panic", h)}
	p := mustBuild(t, b, nil, Options{Threads: 2}, opWith(b, "Repeat", vs{n, x}, body.Graph))
	r := p.NewRunner()
	for range 2 {
		_, err := r.Results(t.Context(), []opdef.View{floats(2, 4), ViewOf(onnx.Scalar[int64](1))})
		require.ErrorIs(t, err, onnx.ErrInternal)
		require.ErrorContains(t, err, "two")
		var outer, inner *onnx.NodeError
		require.ErrorAs(t, err, &outer)
		require.Equal(t, "test.Repeat", outer.OpType)
		require.ErrorAs(t, outer.Err, &inner)
		require.Equal(t, "test.Panic", inner.OpType)
		require.Equal(t, []string{"float[2]"}, inner.Inputs)
	}
	results(t, r, floats(2, 4), ViewOf(onnx.Scalar[int64](0)))
}

func TestRun_boxes(t *testing.T) {
	b := builder("boxes")
	s, x := b.Graph.Input("s", onnx.TensorOf(onnx.String, onnx.Named("N"))), b.Graph.Input("x", f32("N"))
	list := op(b, "List", x, op(b, "Half", x))
	seq := b.Graph.Input("seq", onnx.SequenceOf(onnx.Unranked(onnx.Float32)))
	p := mustBuild(t, b, nil, Options{}, op(b, "Upper", s), list, op(b, "Half", op(b, "Last", list)), op(b, "Last", seq), seq)
	r := p.NewRunner()
	strs, err := onnx.Strings([]string{"a", "b"}, 2)
	require.NoError(t, err)
	given := &onnx.Sequence{Items: []onnx.Object{onnx.Vector[float32](7)}}
	for range 2 {
		out := results(t, r, ViewOf(strs), floats(4, 8), ViewOf(given))
		require.Equal(t, []string{"A", "B"}, out[0].(*onnx.Tensor).StringData())
		require.Equal(t, []float32{2, 4}, data(out[1].(*onnx.Sequence).Items[1]))
		require.Equal(t, []float32{1, 2}, data(out[2]))
		require.Equal(t, []float32{7}, data(out[3]))
		require.Len(t, out[4].(*onnx.Sequence).Items, 1)
	}
	_, err = r.Results(t.Context(), []opdef.View{ViewOf(strs), floats(4, 8), ViewOf(&onnx.Sequence{Items: []onnx.Object{onnx.Vector[int64](7)}})})
	require.ErrorContains(t, err, `input "seq": expected seq(float), received seq(int64)`)
}

func TestRun_emptyTensors(t *testing.T) {
	b := builder("empty")
	x := b.Graph.Input("x", f32("N", 3))
	p := mustBuild(t, b, nil, Options{}, chain(b, x, 2), op(b, "ShapeOf", x))
	r := p.NewRunner()
	for _, n := range []int{0, 2, 0} {
		got := results(t, r, matrix(t, n, 3))
		require.Equal(t, []int{n, 3}, got[0].(*onnx.Tensor).Shape)
		require.Equal(t, []int64{int64(n), 3}, onnx.Data[int64](got[1].(*onnx.Tensor)))
	}
}

func TestRun_defaults(t *testing.T) {
	b := builder("defaults")
	x := b.Graph.Input("x", f32(2))
	w := b.Graph.Initializer("w", f32(2), onnx.Vector[float32](10, 20))
	b.Graph.Inputs = append(b.Graph.Inputs, w)
	r := mustBuild(t, b, nil, Options{}, op(b, "Plus", x, w)).NewRunner()
	require.Equal(t, []float32{11, 22}, data(results(t, r, floats(1, 2), opdef.View{})[0]))
	require.Equal(t, []float32{6, 7}, data(results(t, r, floats(1, 2), floats(5, 5))[0]))
	require.Equal(t, []float32{11, 22}, data(results(t, r, floats(1, 2), opdef.View{})[0]))
	_, err := r.Results(t.Context(), []opdef.View{{}, {}})
	require.ErrorContains(t, err, `input "x" is missing`)
}

func TestRun_inputErrors(t *testing.T) {
	b := builder("inputs")
	x, y := b.Graph.Input("x", f32("N", 3)), b.Graph.Input("y", f32("N"))
	r := mustBuild(t, b, nil, Options{}, op(b, "Half", x), op(b, "Half", y)).NewRunner()
	fails := func(text string, ins ...opdef.View) {
		t.Helper()
		_, err := r.Results(t.Context(), ins)
		require.ErrorIs(t, err, onnx.ErrInvalid)
		require.ErrorContains(t, err, text)
	}
	fails(`input "y": axis 0 ("N") is 5, but it is 2 at axis 0 of input "x"`, matrix(t, 2, 3), floats(1, 2, 3, 4, 5))
	fails(`input "x": expected rank 2 (float[N,3]), received rank 1 [1]`, floats(1), floats(1))
	fails("axis 1 is 4, not 3", matrix(t, 2, 4), floats(1, 2))
	fails(`input "x": expected float[N,3], received int64[2]`, ViewOf(onnx.Vector[int64](1, 2)), floats(1))
	fails("expected 24 bytes, received 8", opdef.View{Elem: onnx.Float32, Shape: []int{2, 3}, Data: floats(1, 2).Data}, floats(1, 2))
	fails("no tensor has type", opdef.View{Elem: onnx.Float32, Shape: []int{-2, 3}}, floats(1, 2))
}

func TestRun_buffers(t *testing.T) {
	b := builder("buffers")
	x := b.Graph.Input("x", f32("N"))
	h := op(b, "Half", x)
	k := b.Const(onnx.Vector[float32](7))
	p := mustBuild(t, b, nil, Options{}, h, h, x, k)
	r := p.NewRunner()
	outs := []opdef.View{floats(0, 0), floats(0, 0), floats(0, 0), floats(0)}
	require.NoError(t, r.Run(t.Context(), []opdef.View{floats(2, 4)}, outs))
	require.Equal(t, []float32{1, 2}, opdef.Of[float32](outs[0]))
	require.Equal(t, []float32{1, 2}, opdef.Of[float32](outs[1]))
	require.Equal(t, []float32{2, 4}, opdef.Of[float32](outs[2]))
	require.Equal(t, []float32{7}, opdef.Of[float32](outs[3]))

	in := floats(2, 4)
	require.NoError(t, r.Run(t.Context(), []opdef.View{in}, []opdef.View{{}, {}, in, {}}), "a result may lie over itself")
	err := r.Run(t.Context(), []opdef.View{in}, []opdef.View{in, {}, outs[2], {}})
	require.ErrorContains(t, err, "which is an output as well")
	err = r.Run(t.Context(), []opdef.View{in}, []opdef.View{outs[0], outs[0], {}, {}})
	require.ErrorContains(t, err, "overlap")
	err = r.Run(t.Context(), []opdef.View{in}, []opdef.View{floats(1, 2, 3), {}, {}, {}})
	require.ErrorContains(t, err, "the result is float[2], the buffer given is float[3]")

	p2 := mustBuild(t, b, nil, Options{}, op(b, "Plus", h, x))
	in = floats(2, 4)
	require.NoError(t, p2.NewRunner().Run(t.Context(), []opdef.View{in}, []opdef.View{in}), "over an input")
	require.Equal(t, []float32{3, 6}, opdef.Of[float32](in))
}

func TestRun_nodeErrors(t *testing.T) {
	b := builder("fail")
	x := b.Graph.Input("x", f32("N"))
	r := mustBuild(t, b, nil, Options{}, op(b, "Fail", op(b, "Half", x))).NewRunner()
	_, err := r.Results(t.Context(), []opdef.View{floats(1)})
	require.EqualError(t, err, `node "fail", test.Fail on (float[1]): no luck`)
	b = builder("join")
	x, y := b.Graph.Input("x", f32("N")), b.Graph.Input("y", onnx.Unranked(onnx.Float32))
	r = mustBuild(t, b, nil, Options{}, op(b, "Join", x, y)).NewRunner()
	_, err = r.Results(t.Context(), []opdef.View{floats(1), ViewOf(onnx.Scalar[float32](1))})
	require.ErrorIs(t, err, onnx.ErrInternal, "an Infer that panics")
}

func TestBuild_errors(t *testing.T) {
	fails := func(b *onnx.Builder, text string) {
		t.Helper()
		_, err := Build(b.Graph, NewVars(), Options{Set: testSet})
		require.ErrorContains(t, err, text)
	}
	b := builder("unknown")
	b.Infer = nil
	b.Graph.Outputs = vs{op(b, "Nothing")}
	fails(b, `operator "test.Nothing" is not supported`)
	b = builder("cycle")
	h := op(b, "Half", b.Graph.Input("x", f32(1)))
	h.Node().SetIn(0, h)
	b.Graph.Outputs = vs{h}
	fails(b, "cycle")
	b = builder("drawn later")
	b.Graph.Outputs = vs{op(b, "Half", b.Graph.Initializer("w", f32(1), nil))}
	fails(b, `initializer "w" has no contents`)
	b = builder("foreign")
	b.Graph.Outputs = vs{op(b, "Half", builder("other").Graph.Input("x", f32(1)))}
	fails(b, "is made by no node")
}

func TestBind_growing(t *testing.T) {
	b := builder("decoder")
	past, x := b.Graph.Input("past", f32("P", 8)), b.Graph.Input("x", f32(1, 8))
	h := op(b, "Join", past, x)
	p := mustBuild(t, b, nil, Options{}, h, op(b, "Half", chain(b, h, 20)), chain(b, x, 20))
	var prev *Binding
	arenas := map[int]bool{}
	for n := 1; n < 100; n++ {
		next, err := p.Bind([][]int{{n, 8}, {1, 8}}, prev)
		require.NoError(t, err)
		prev = next
		arenas[next.ArenaBytes()] = true
	}
	require.Equal(t, 99, p.binds)
	require.Less(t, p.infers, 99*43+42, "what does not depend on the past is not inferred again")
	require.Less(t, len(arenas), 20, "buffers have room to grow")
	require.Len(t, p.cache, maxBindings)
}

// A binding owns its shapes: a caller that rewrites its slice must not change what the binding says.
func TestBind_ownsShapes(t *testing.T) {
	b := builder("own")
	x := b.Graph.Input("x", f32("N"))
	p := mustBuild(t, b, nil, Options{}, op(b, "Half", x))
	r := p.NewRunner()
	in := floats(2, 4)
	require.NoError(t, r.Run(t.Context(), []opdef.View{in}, nil))
	in.Shape[0] = 1
	in.Data = in.Data[:4]
	require.NoError(t, r.Run(t.Context(), []opdef.View{in}, nil))
	require.Equal(t, []int{1}, r.Out(0).Shape)
	require.Equal(t, 2, p.binds)
}

func TestRun_trace(t *testing.T) {
	b := builder("trace")
	x := b.Graph.Input("x", f32("N"))
	r := mustBuild(t, b, nil, Options{}, op(b, "Half", op(b, "Half", x))).NewRunner()
	var names []string
	r.Trace = func(e Event) {
		names = append(names, e.Node.OpType)
		require.Equal(t, int64(16), e.Cost.Bytes)
		require.Equal(t, []string{"float[2]"}, e.Outputs)
	}
	results(t, r, floats(1, 2))
	require.Equal(t, []string{"Half", "Half"}, names)
}

func TestRun_concurrent(t *testing.T) {
	p := growing(t, Options{Threads: 2})
	var wg sync.WaitGroup
	errs := make(chan error, 4)
	for i := range 4 {
		wg.Go(func() {
			r := p.NewRunner()
			for n := range 20 {
				out, err := r.Results(t.Context(), []opdef.View{floats(float32(2*i), 4), ViewOf(onnx.Scalar(int64(n)))})
				if err == nil && (len(data(out[0])) != 2*(n+1) || data(out[0])[2*n] != float32(i)) {
					err = errors.New("wrong result")
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	require.NoError(t, <-errs)
}

func TestEval(t *testing.T) {
	b := builder("eval")
	n := op(b, "Plus", b.Const(onnx.Vector[float32](1, 2)), b.Const(onnx.Vector[float32](3))).Node()
	out, err := Eval(t.Context(), Options{Set: testSet}, n, []*onnx.Tensor{onnx.Vector[float32](1, 2), onnx.Vector[float32](3)})
	require.NoError(t, err)
	require.Equal(t, []float32{4, 5}, onnx.Data[float32](out[0]))
	_, err = Eval(t.Context(), Options{Set: testSet, Memory: 1}, n, []*onnx.Tensor{onnx.Vector[float32](1, 2), onnx.Vector[float32](3)})
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

func TestCheck(t *testing.T) {
	short := onnx.Vector[float32](1)
	short.Shape = []int{2}
	for _, o := range []onnx.Object{
		nil, (*onnx.Tensor)(nil), short, &onnx.Sequence{Items: []onnx.Object{nil}}, &onnx.Optional{Item: short}, &onnx.Map{},
		&onnx.Map{Keys: onnx.Vector[int64](1), Values: short}, &onnx.SparseTensor{}, (*onnx.Sequence)(nil),
	} {
		require.ErrorIs(t, Check(o), onnx.ErrInvalid)
	}
	require.NoError(t, Check(&onnx.Optional{Item: onnx.Vector[float32](1)}))
	require.NoError(t, Check(&onnx.Map{Keys: onnx.Vector[int64](1), Values: onnx.Vector[float32](1)}))
}
