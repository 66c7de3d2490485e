package schema

import (
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCounts(t *testing.T) {
	type count struct{ operators, versions int }
	got := map[string]count{}
	functions, context, marked := 0, 0, 0
	for _, d := range slices.Collect(Domains()) {
		c := count{}
		for name := range Names(d) {
			c.operators++
			c.versions += len(Versions(d, name))
			s, ok := Newest(d, name)
			require.True(t, ok)
			require.False(t, s.Function && s.ContextFunction, name)
			functions += one(s.Function)
			context += one(s.ContextFunction)
			marked += one(s.Differentiable())
		}
		got[d] = c
	}
	require.Equal(t, map[string]count{
		"":                         {203, 629},
		"ai.onnx.ml":               {19, 25},
		"ai.onnx.preview":          {1, 1},
		"ai.onnx.preview.training": {4, 4},
	}, got)
	require.Len(t, slices.Collect(All()), 659)
	require.Equal(t, 28, functions)
	require.Equal(t, 21, context)
	require.Equal(t, 122, marked)
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestTableIsSorted(t *testing.T) {
	require.True(t, slices.IsSortedFunc(table, func(a, b *Schema) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Since, b.Since))
	}))
	for s := range All() {
		require.True(t, slices.IsSortedFunc(s.Attributes, func(a, b Attribute) int { return cmp.Compare(a.Name, b.Name) }), s.Name)
		require.True(t, slices.IsSortedFunc(s.Bodies, func(a, b Body) int { return cmp.Compare(a.Opset, b.Opset) }), s.Name)
		for _, c := range s.Types {
			require.True(t, slices.IsSorted(c.Types), s.Name)
			require.NotEmpty(t, c.Types, s.Name)
		}
	}
}

func TestEntriesAreSound(t *testing.T) {
	for s := range All() {
		require.LessOrEqual(t, s.Since, MaxOpset(s.Domain), s.Name)
		require.LessOrEqual(t, s.MinIn, s.MaxIn, s.Name)
		require.LessOrEqual(t, s.MinOut, s.MaxOut, s.Name)
		require.Equal(t, s.Function, len(s.Bodies) > 0, s.Name)
		require.Equal(t, s.ContextFunction, len(s.ContextBodies) > 0, s.Name)
		for _, b := range s.Bodies {
			require.LessOrEqual(t, b.Opset, MaxOpset(s.Domain), s.Name)
			require.NotEmpty(t, b.Proto, s.Name)
		}
		soundParams(t, s, s.Inputs, s.MaxIn)
		soundParams(t, s, s.Outputs, s.MaxOut)
		for i := range s.Attributes {
			a := &s.Attributes[i]
			require.Same(t, a, s.Attribute(a.Name))
			require.False(t, a.Required && a.HasDefault, "%s of %s", a.Name, s.Name)
		}
	}
}

// soundParams checks that every type is known and that only the last Param is
// variadic.
func soundParams(t *testing.T, s *Schema, params []Param, most int) {
	t.Helper()
	for i, p := range params {
		require.NotEmpty(t, s.Constraint(p.Type), "%s of %s", p.Name, s.Name)
		require.False(t, p.Option == Variadic && i < len(params)-1, "%s of %s", p.Name, s.Name)
		require.Equal(t, p.Option == Variadic && most == Unlimited, i == len(params)-1 && most == Unlimited, s.Name)
	}
	if most != Unlimited {
		require.Equal(t, most, len(params), s.Name)
	}
}

func TestLookup(t *testing.T) {
	since := func(domain, name string, opset int) int {
		s, ok := Lookup(domain, name, opset)
		if !ok {
			return 0
		}
		return s.Since
	}
	require.Equal(t, 11, since("", "Softmax", 12))
	require.Equal(t, 13, since("ai.onnx", "Softmax", 13))
	require.Equal(t, 13, since("", "Softmax", 1000))
	require.Equal(t, 0, since("", "Softmax", 0))
	require.Equal(t, 0, since("", "SwiGLU", 27))
	require.Equal(t, 28, since("", "SwiGLU", 28))
	require.Equal(t, 25, since("", "Attention", 28))
	require.Equal(t, 5, since("ai.onnx.ml", "TreeEnsemble", 5))
	require.Equal(t, 0, since("ai.onnx.ml", "Softmax", 13))
	require.Equal(t, 0, since("com.example", "Softmax", 13))
	require.Empty(t, Versions("", "Zzz"))
	require.Empty(t, slices.Collect(Names("zzz")))
}

func TestDefaults(t *testing.T) {
	axis := func(name string, opset int) *Attribute {
		s, ok := Lookup("", name, opset)
		require.True(t, ok)
		return s.Attribute("axis")
	}
	require.Equal(t, &Attribute{Name: "axis", Kind: Int, HasDefault: true, I: 1}, axis("Softmax", 12))
	require.Equal(t, &Attribute{Name: "axis", Kind: Int, HasDefault: true, I: -1}, axis("Softmax", 13))
	require.Equal(t, &Attribute{Name: "axis", Kind: Int, Required: true}, axis("Concat", 13))
	require.Nil(t, axis("Relu", 14))

	selu, _ := Newest("", "Selu")
	require.Equal(t, float32(1.67326319217681884765625), selu.Attribute("alpha").F)
	conv, _ := Newest("", "Conv")
	require.Equal(t, "NOTSET", conv.Attribute("auto_pad").S)
	lstm, _ := Newest("", "LSTM")
	require.False(t, lstm.Attribute("activations").HasDefault)
	tfidf, _ := Newest("", "TfIdfVectorizer")
	require.Equal(t, Floats, tfidf.Attribute("weights").Kind)
}

func TestParams(t *testing.T) {
	conv, _ := Newest("", "Conv")
	require.Equal(t, []Param{
		{Name: "X", Type: "T", Homogeneous: true, MinArity: 1, Diff: DiffYes},
		{Name: "W", Type: "T", Homogeneous: true, MinArity: 1, Diff: DiffYes},
		{Name: "B", Type: "T", Option: Optional, Homogeneous: true, MinArity: 1, Diff: DiffYes},
	}, conv.Inputs)
	require.Equal(t, [4]int{2, 3, 1, 1}, [4]int{conv.MinIn, conv.MaxIn, conv.MinOut, conv.MaxOut})
	require.Nil(t, conv.Input(3))
	require.Nil(t, conv.Input(-1))

	loop, _ := Newest("", "Loop")
	require.Equal(t, Unlimited, loop.MaxIn)
	require.Equal(t, "v_initial", loop.Input(7).Name)
	require.False(t, loop.Input(7).Homogeneous)
	require.Equal(t, "v_final_and_scan_outputs", loop.Output(2).Name)
	require.Equal(t, Graph, loop.Attribute("body").Kind)
}

func TestTypes(t *testing.T) {
	conv, _ := Newest("", "Conv")
	require.Equal(t, TypeSet{"tensor(bfloat16)", "tensor(double)", "tensor(float)", "tensor(float16)"}, conv.Constraint("T"))
	require.True(t, conv.Constraint("T").Allows("tensor(float)"))
	require.False(t, conv.Constraint("T").Allows("tensor(int64)"))
	require.Equal(t, TypeSet{"tensor(int64)"}, conv.Constraint("tensor(int64)"))

	zip, _ := Newest("ai.onnx.ml", "ZipMap")
	require.True(t, zip.Constraint("T").Allows("seq(map(string,tensor(float)))"))
	cast, _ := Newest("", "Cast")
	require.True(t, cast.Constraint("T2").Allows("tensor(float6e3m2)"))
}

func TestBody(t *testing.T) {
	relu, _ := Newest("", "Relu")
	_, ok := relu.Body(17)
	require.False(t, ok)
	body, ok := relu.Body(28)
	require.True(t, ok)
	require.Contains(t, string(body), "Relu")

	mvn, _ := Newest("", "MeanVarianceNormalization")
	old, ok := mvn.Body(17)
	require.True(t, ok)
	newer, ok := mvn.Body(18)
	require.True(t, ok)
	require.NotEqual(t, old, newer)

	softmax, _ := Newest("", "Softmax")
	require.Equal(t, []int{13, 18}, softmax.ContextBodies)
	_, ok = softmax.Body(28)
	require.False(t, ok)
}

func TestVersionsOfTheFormat(t *testing.T) {
	require.Equal(t, 28, MaxOpset(""))
	require.Equal(t, 28, MaxOpset("ai.onnx"))
	require.Equal(t, 5, MaxOpset("ai.onnx.ml"))
	require.Equal(t, 1, MaxOpset("ai.onnx.preview.training"))
	require.Equal(t, 1, MaxOpset("ai.onnx.preview"))
	require.Equal(t, 0, MaxOpset("com.microsoft"))
	for opset, ir := range map[int]int{-1: 3, 1: 3, 8: 3, 9: 4, 10: 5, 11: 6, 12: 7, 14: 7, 15: 8, 19: 9, 21: 10, 23: 11, 24: 12, 27: 13, 28: 14, 99: 14} {
		require.Equal(t, ir, MinIR(opset), "opset %d", opset)
	}
}

func TestDeprecated(t *testing.T) {
	for name, since := range map[string]int{"Upsample": 10, "Scatter": 11} {
		s, _ := Newest("", name)
		require.True(t, s.Deprecated, name)
		require.Equal(t, since, s.Since, name)
	}
	old, _ := Lookup("", "GroupNormalization", 20)
	require.True(t, old.Deprecated)
}

func TestLookupDoesNotAllocate(t *testing.T) {
	require.Zero(t, testing.AllocsPerRun(100, func() { Lookup("", "Conv", 17) }))
}
