package reltest

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/gneiss-ml/gneiss/onnx"
)

// bomb is a model that asks for much or is wrong.
type bomb struct {
	name  string
	want  []string                                         // kinds of answer that are right
	make  func() (file []byte, in map[string]*onnx.Tensor) // the file and what it is fed
	check func(out map[string]*onnx.Tensor) error          // nil: any result is right
}

func (b *bomb) judge(out map[string]*onnx.Tensor) error {
	if b.check == nil {
		return nil
	}
	return b.check(out)
}

var (
	limited = []string{"limit"}
	invalid = []string{"invalid"}
	refused = []string{"invalid", "unsupported", "limit"} // by whom does not matter
	runs    = []string{"result"}
)

// text is a bomb in text syntax, opset 21, whose input x, if it has one, is a float [1].
func text(name string, want []string, model string) bomb {
	return bomb{name: name, want: want, make: func() ([]byte, map[string]*onnx.Tensor) {
		m, err := onnx.ParseText(`<ir_version: 10, opset_import: ["" : 21, "f" : 1]> ` + model)
		if err != nil {
			panic(name + ": " + err.Error())
		}
		return encoded(m), fed(m)
	}}
}

// fed gives values to the inputs of m: ones.
func fed(m *onnx.Model) map[string]*onnx.Tensor {
	in := map[string]*onnx.Tensor{}
	for _, v := range m.Graph.Inputs {
		if v.IsInitializer() {
			continue
		}
		if v.Type.Elem == onnx.Bool {
			in[v.Name] = onnx.Scalar(true)
			continue
		}
		in[v.Name] = onnx.Vector[float32](1)
	}
	return in
}

func encoded(m *onnx.Model) []byte {
	b, err := m.Encode()
	if err != nil {
		panic(err)
	}
	return b
}

func (b bomb) checked(check func(map[string]*onnx.Tensor) error) bomb {
	b.check = check
	return b
}

// bombs lists all of them.
func bombs() []bomb {
	return slicesOf(sizeBombs(), loopBombs(), functionBombs(), numberBombs(), graphBombs(), byteBombs())
}

func slicesOf(lists ...[]bomb) (all []bomb) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// sizeBombs make tensors of 2²⁸ elements and more out of a few bytes.
func sizeBombs() []bomb {
	return []bomb{
		text("ConstantOfShape", limited, `g () => (float["N"] y) <int64[1] s = {268435456}> { y = ConstantOfShape(s) }`),
		text("ConstantOfShape product", refused, `g () => (float["N"] y) <int64[3] s = {4294967296,4294967296,4294967296}> { y = ConstantOfShape(s) }`),
		text("ConstantOfShape negative", refused, `g () => (float["N"] y) <int64[1] s = {-1}> { y = ConstantOfShape(s) }`),
		text("ConstantOfShape bits", limited, `g () => (int4["N"] y) <int64[1] s = {1073741824}> { y = ConstantOfShape <value: tensor = int4[1] {1}> (s) }`),
		text("Range", limited, `g () => (float["N"] y) <float a = {0}, float b = {268435456}, float d = {1}> { y = Range(a, b, d) }`),
		text("Range tiny step", refused, `g () => (float["N"] y) <float a = {0}, float b = {1}, float d = {1e-30}> { y = Range(a, b, d) }`),
		text("Range no step", refused, `g () => (int64["N"] y) <int64 a = {0}, int64 b = {1}, int64 d = {0}> { y = Range(a, b, d) }`),
		text("Range wraps", refused, `g () => (int64["N"] y) <int64 a = {-9223372036854775807}, int64 b = {9223372036854775807}, int64 d = {1}> { y = Range(a, b, d) }`),
		text("Expand", limited, `g (float[1] x) => (float["N"] y) <int64[1] s = {268435456}> { y = Expand(x, s) }`),
		text("Expand product", refused, `g (float[1] x) => (float["N"] y) <int64[2] s = {4611686018427387904,4}> { y = Expand(x, s) }`),
		text("Tile", limited, `g (float[1] x) => (float["N"] y) <int64[1] s = {268435456}> { y = Tile(x, s) }`),
		text("Tile wraps", refused, `g () => (float["N"] y) <float[2] x = {1,2}, int64[1] s = {9223372036854775807}> { y = Tile(x, s) }`),
		text("Pad", limited, `g (float[1] x) => (float["N"] y) <int64[2] s = {0,268435455}> { y = Pad(x, s) }`),
		text("Pad wraps", refused, `g (float[1] x) => (float["N"] y) <int64[2] s = {9223372036854775807,9223372036854775807}> { y = Pad(x, s) }`),
		text("Pad negative", refused, `g (float[1] x) => (float["N"] y) <int64[2] s = {-9223372036854775808,-1}> { y = Pad(x, s) }`),
		text("OneHot", limited, `g () => (float["N"] y) <int64[1] i = {0}, int64 d = {268435456}, float[2] v = {0,1}> { y = OneHot(i, d, v) }`),
		text("OneHot negative", refused, `g () => (float["N"] y) <int64[1] i = {0}, int64 d = {-1}, float[2] v = {0,1}> { y = OneHot(i, d, v) }`),
		text("Resize", refused, `g () => (float["N"] y) <float[1,1,1,1] x = {1}, int64[4] s = {1,1,16384,16384}> { y = Resize(x, "", "", s) }`),
		text("RandomNormal", refused, `g () => (float["N"] y) { y = RandomNormal <shape = [268435456]> () }`),
		text("Einsum", refused, `g () => (float["N"] y) <int64[1] s = {16384}> { a = ConstantOfShape(s) y = Einsum <equation = "i,j->ij"> (a, a) }`),
		text("EyeLike", limited, `g () => (float["N"] y) <int64[2] s = {8,16777216}> { a = ConstantOfShape(s) b = Transpose(a) y = MatMul(b, a) }`),
		text("Concat doubling", limited, "g (float[1] x) => (float[\"N\"] y) { "+doubling("Concat <axis = 0> (%s, %s)", 28)+" }"),
		text("string doubling", refused, `g () => (string["N"] y) <string[1] x = {"0123456789abcdef"}> { `+doubling("StringConcat (%s, %s)", 40)+" }"),
		text("outer products", limited, `g () => (float["N"] y) <int64[2] s = {1,65536}> { a = ConstantOfShape(s) b = Transpose(a) y = Add(a, b) }`),
		text("MatMul outer", limited, `g () => (float["N"] y) <int64[2] s = {1,65536}> { a = ConstantOfShape(s) b = Transpose(a) y = MatMul(b, a) }`),
		text("Gather", limited, `g () => (float["N"] y) <int64[1] s = {65536}> { i = ConstantOfShape <value: tensor = int64[1] {0}> (s) a = ConstantOfShape(two) y = Gather(a, i) two = Constant <value_ints = [2,65536]> () }`),
		text("Conv pads", refused, `g () => (float["N"] y) <float[1,1,1,1] x = {1}, float[1,1,1,1] w = {1}> { y = Conv <pads = [8192,8192,8192,8192]> (x, w) }`),
		text("Conv pads wrap", refused, `g () => (float["N"] y) <float[1,1,1,1] x = {1}, float[1,1,1,1] w = {1}> { y = Conv <pads = [9223372036854775807,1,9223372036854775807,1]> (x, w) }`),
		text("MaxPool pads", refused, `g () => (float["N"] y) <float[1,1,1,1] x = {1}> { y = MaxPool <kernel_shape = [1,1], pads = [9223372036854775807,0,9223372036854775807,0]> (x) }`),
		text("ConvTranspose pads", refused, `g () => (float["N"] y) <float[1,1,1,1] x = {1}, float[1,1,1,1] w = {1}> { y = ConvTranspose <output_shape = [16384,16384]> (x, w) }`),
		{name: "sparse initializer", want: limited, make: sparseBomb},
		{name: "sparse Constant", want: limited, make: sparseConstant},
	}
}

// doubling chains n nodes that read x twice; the last gives y.
func doubling(node string, n int) string {
	var b strings.Builder
	last := "x"
	for i := range n {
		next := fmt.Sprintf("d%d", i)
		if i == n-1 {
			next = "y"
		}
		fmt.Fprintf(&b, "%s = "+node+"\n", next, last, last)
		last = next
	}
	return b.String()
}

func sparse() *onnx.SparseTensor {
	values := onnx.Vector[float32](1)
	values.Name = "x"
	return &onnx.SparseTensor{Values: values, Indices: onnx.Vector[int64](5), Dims: []int{1 << 28}}
}

func sparseBomb() ([]byte, map[string]*onnx.Tensor) {
	g := onnx.NewGraph("g", nil)
	g.SetOpset("", 21)
	v := g.Initializer("x", onnx.TensorOf(onnx.Float32, onnx.Fixed(1<<28)), nil)
	v.Sparse = sparse()
	g.Outputs = append(g.Outputs, g.Add("", "Neg", 1, []*onnx.Value{v}).Out(0))
	return encoded(onnx.NewModel(g)), nil
}

func sparseConstant() ([]byte, map[string]*onnx.Tensor) {
	g := onnx.NewGraph("g", nil)
	g.SetOpset("", 21)
	c := g.Add("", "Constant", 1, nil, onnx.Attribute{Name: "sparse_value", Kind: onnx.AttrSparseTensor, Sparse: sparse()})
	g.Outputs = append(g.Outputs, g.Add("", "Neg", 1, c.Outputs()).Out(0))
	return encoded(onnx.NewModel(g)), nil
}

// loopBombs run long.
func loopBombs() []bomb {
	loop := func(trips, body string) string {
		return `g (float[1] x) => (float["N"] y) <int64 n = {` + trips + `}> { y = Loop (n, "", x) <body = b (int64 i, bool c, float["M"] s) => (bool k, float["M"] t) { k = Identity(c) ` + body + ` }> }`
	}
	return []bomb{
		text("Loop 10^8", limited, loop("100000000", "t = Neg(s)")),
		text("Loop without bound", limited, strings.Replace(loop("1", "t = Neg(s)"), "(n,", `("",`, 1)),
		text("Loop of Loops", limited, loop("1000000", `t = Loop (n, "", s) <body = b2 (int64 i2, bool c2, float["M"] s2) => (bool k2, float["M"] t2) { k2 = Identity(c2) t2 = Neg(s2) }>`)),
		text("Loop that doubles", limited, loop("40", "t = Concat <axis = 0> (s, s)")),
		text("Loop scan outputs", append(limited, "result"), `g (float[1] x) => (float["N"] y) <int64 n = {10000000}> {
			y = Loop (n, "") <body = b (int64 i, bool c) => (bool k, float[1] t) { k = Identity(c) t = Neg(x) }> }`),
		text("Loop sequence", limited, `g (float[1] x) => (int64 y) <int64 n = {10000000}> { e = SequenceEmpty() q = Loop (n, "", e) <body = b (int64 i, bool c, seq(float) s) => (bool k, seq(float) t) { k = Identity(c) t = SequenceInsert(s, x) }> y = SequenceLength(q) }`),
		text("Loop negative", runs, loop("-5", "t = Neg(s)")),
		text("Scan", limited, `g (float[1] x) => (float["N"] y) <int64[1] n = {30000000}> { a = ConstantOfShape(n)
			y = Scan <num_scan_inputs = 1, body = b (float e) => (float f) { f = Neg(e) }> (a) }`),
		{name: "If nested 30", want: runs, make: func() ([]byte, map[string]*onnx.Tensor) { return nested(30) }},
		{name: "If nested 40", want: refused, make: func() ([]byte, map[string]*onnx.Tensor) { return nested(40) }},
		{name: "If nested 4000", want: refused, make: func() ([]byte, map[string]*onnx.Tensor) { return nested(4000) }},
	}
}

// nested is n Ifs inside one another.
func nested(n int) ([]byte, map[string]*onnx.Tensor) {
	node := func(op string, out string, attrs ...[]byte) []byte {
		b := append(message(1, []byte("c")), message(2, []byte(out))...)
		b = append(b, message(4, []byte(op))...)
		for _, a := range attrs {
			b = append(b, message(5, a)...)
		}
		return message(1, b)
	}
	graph := func(body []byte, out string) []byte { return append(body, message(12, message(1, []byte(out)))...) }
	b := node("Not", fmt.Sprint("y", n))
	for i := n - 1; i >= 0; i-- {
		branch := func(name string, body []byte, out string) []byte {
			a := append(message(1, []byte(name)), message(6, graph(body, out))...)
			return append(a, varint(20, int64(onnx.AttrGraph))...)
		}
		other := fmt.Sprint("z", i)
		b = node("If", fmt.Sprint("y", i), branch("then_branch", b, fmt.Sprint("y", i+1)), branch("else_branch", node("Not", other), other))
	}
	tensor := message(1, append(varint(1, int64(onnx.Bool)), message(2, nil)...))
	g := append(graph(b, "y0"), message(11, append(message(1, []byte("c")), message(2, tensor)...))...)
	return model(g), map[string]*onnx.Tensor{"c": onnx.Scalar(true)}
}

// functionBombs are model-local functions.
func functionBombs() []bomb {
	return []bomb{
		text("functions 12 levels", runs, functions(12, 2)),
		text("functions 16 levels", limited, functions(16, 2)),
		text("functions 20 levels", limited, functions(20, 2)),
		text("functions 24 levels", limited, functions(24, 2)),
		text("function chain 3000", refused, functions(3000, 1)),
		text("function calls itself", refused, `g (float[1] x) => (float[1] y) { y = f.a(x) } <domain: "f", opset_import: ["" : 21, "f" : 1]> a (x) => (y) { y = f.a(x) }`),
		text("functions call each other", refused, `g (float[1] x) => (float[1] y) { y = f.a(x) }
			<domain: "f", opset_import: ["" : 21, "f" : 1]> a (x) => (y) { y = f.b(x) }
			<domain: "f", opset_import: ["" : 21, "f" : 1]> b (x) => (y) { y = f.a(x) }`),
		text("function calls itself in a branch", refused, `g (float[1] x) => (float[1] y) { y = f.a(x) } <domain: "f", opset_import: ["" : 21, "f" : 1]>
			a (x) => (y) { c = Constant <value: tensor = bool {1}> () y = If (c) <then_branch = t () => (p) { p = f.a(x) }, else_branch = e () => (q) { q = Identity(x) }> }`),
	}
}

// functions is a chain of functions that call the next one some times; the last one adds.
func functions(levels, calls int) string {
	var b strings.Builder
	b.WriteString(`g (float[1] x) => (float[1] y) { y = f.a0(x) }`)
	for i := range levels {
		fmt.Fprintf(&b, "\n<domain: \"f\", opset_import: [\"\" : 21, \"f\" : 1]> a%d (x) => (y%d) { y0 = Identity(x) ", i, calls)
		for c := range calls {
			op := fmt.Sprintf("f.a%d", i+1)
			if i == levels-1 {
				op = "Neg"
			}
			fmt.Fprintf(&b, "y%d = %s(y%d) ", c+1, op, c)
		}
		b.WriteString("}")
	}
	return b.String()
}

// numberBombs are attributes, indices and divisors out of range.
func numberBombs() []bomb {
	image := func(name string, want []string, node string) bomb {
		return text(name, want, `g () => (float["N"] y) <float[1,4,2,2] x = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}, float[4,4,1,1] w = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}> { y = `+node+` }`)
	}
	vector := func(name string, want []string, node string) bomb {
		return text(name, want, `g (float[1] x) => (float["N"] y) <float[3] v = {1,2,3}, int64[1] big = {1099511627776}, int64 one = {1}, int64[1] minus = {-9223372036854775808}, int64[1] zero = {0}> { y = `+node+` }`)
	}
	return []bomb{
		image("DepthToSpace blocksize 2^32", refused, "DepthToSpace <blocksize = 4294967296> (x)"),
		image("DepthToSpace blocksize 0", refused, "DepthToSpace <blocksize = 0> (x)"),
		image("SpaceToDepth blocksize 2^32", refused, "SpaceToDepth <blocksize = 4294967296> (x)"),
		image("SpaceToDepth blocksize -1", refused, "SpaceToDepth <blocksize = -1> (x)"),
		image("Conv stride 0", refused, "Conv <strides = [0,1]> (x, w)"),
		image("Conv group 0", refused, "Conv <group = 0> (x, w)"),
		image("Conv group -1", refused, "Conv <group = -1> (x, w)"),
		image("Conv group 3", refused, "Conv <group = 3> (x, w)"),
		image("Conv dilation 2^40", refused, "Conv <dilations = [1099511627776,1099511627776], kernel_shape = [2,2]> (x, w)"),
		image("MaxPool kernel 0", refused, "MaxPool <kernel_shape = [0,0]> (x)"),
		image("MaxPool kernel 2^40", refused, "MaxPool <kernel_shape = [1099511627776,1]> (x)"),
		image("AveragePool stride 0", refused, "AveragePool <kernel_shape = [1,1], strides = [0,0]> (x)"),
		image("AveragePool padded away", append(refused, "result"), "AveragePool <kernel_shape = [1,1], pads = [5,5,5,5]> (x)"),
		image("LRN size 0", append(refused, "result"), "LRN <size = 0> (x)"),
		image("GroupNormalization 3 groups", refused, "GroupNormalization <num_groups = 3> (x, v, v) v = Constant <value_floats = [1.0,1.0,1.0,1.0]> ()"),
		image("GroupNormalization 0 groups", refused, "GroupNormalization <num_groups = 0> (x, v, v) v = Constant <value_floats = [1.0,1.0,1.0,1.0]> ()"),
		vector("Gather index 2^40", invalid, "Gather(x, big)"),
		vector("Gather axis", invalid, "Gather <axis = 9223372036854775807> (v, zero)"),
		vector("GatherElements index", invalid, "GatherElements(x, big)"),
		vector("GatherND index", invalid, "GatherND(x, big)"),
		vector("ScatterElements index", invalid, "ScatterElements(x, big, x)"),
		vector("ScatterND index", invalid, "ScatterND(x, i, x) i = Constant <value: tensor = int64[1,1] {-9223372036854775808}> ()"),
		vector("Slice step 0", invalid, "Slice(v, zero, big, zero, zero)"),
		vector("Slice step least", runs, "Slice(v, big, minus, zero, minus)"),
		vector("TopK 2^40", invalid, "TopK(v, big)"),
		vector("TopK negative", invalid, "TopK(v, minus)"),
		vector("Reshape wraps", invalid, "Reshape(v, s) s = Constant <value_ints = [4294967296,4294967296]> ()"),
		vector("Reshape -1 twice", invalid, "Reshape(v, s) s = Constant <value_ints = [-1,-1]> ()"),
		vector("Reshape 0 and -1", invalid, `Reshape <allowzero = 1> (v, s) s = Constant <value_ints = [0,-1]> ()`),
		vector("Transpose twice", invalid, "Transpose <perm = [0,0]> (m) m = Unsqueeze(v, zero)"),
		vector("Transpose far", invalid, "Transpose <perm = [1099511627776]> (v)"),
		vector("Unsqueeze far", invalid, "Unsqueeze(v, big)"),
		vector("Squeeze far", invalid, "Squeeze(v, minus)"),
		vector("Concat axis", invalid, "Concat <axis = -9223372036854775808> (v, v)"),
		vector("Split 2^40", refused, "Split <num_outputs = 1099511627776> (v)"),
		vector("Split sizes wrap", invalid, "Split(v, s) s = Constant <value_ints = [-9223372036854775808]> ()"),
		vector("Softmax axis", invalid, "Softmax <axis = 9> (v)"),
		vector("ReduceSum axis", invalid, "ReduceSum(v, big)"),
		vector("Flatten axis", invalid, "Flatten <axis = -9223372036854775808> (v)"),
		vector("CumSum axis", invalid, "CumSum(v, big)"),
		vector("Cast type", refused, "Cast <to = 99> (v)"),
		vector("Cast type wraps", refused, "Cast <to = 4294967297> (v)"),
		vector("LpNormalization p", refused, "LpNormalization <p = 0> (v)"),
		vector("wrong attribute kind", refused, `Softmax <axis = "1"> (v)`),
		vector("unknown attribute", refused, "Neg <no_such = 1> (v)"),
		vector("Einsum equation", refused, `Einsum <equation = "->->,,...."> (v, v)`),
		text("Div MinInt -1", runs, `g () => (int32[1] y) <int32[1] a = {-2147483648}, int32[1] b = {-1}> { y = Div(a, b) }`).checked(ints[int32](minInt32)),
		text("Div MinInt64 -1", runs, `g () => (int64[1] y) <int64[1] a = {-9223372036854775808}, int64[1] b = {-1}> { y = Div(a, b) }`).checked(ints[int64](minInt64)),
		text("Mod MinInt64 -1", runs, `g () => (int64[1] y) <int64[1] a = {-9223372036854775808}, int64[1] b = {-1}> { y = Mod(a, b) }`).checked(ints[int64](0)),
		text("Abs MinInt64", runs, `g () => (int64[1] y) <int64[1] a = {-9223372036854775808}> { y = Abs(a) }`).checked(ints[int64](minInt64)),
		text("Div 0", invalid, `g () => (int32[1] y) <int32[1] a = {1}, int32[1] b = {0}> { y = Div(a, b) }`),
		text("Div 0 many", invalid, `g () => (int32["N"] y) <int32[1] a = {0}, int64[1] n = {1000}> { z = ConstantOfShape <value: tensor = int32[1] {0}> (n) y = Div(z, z) }`),
		text("Mod 0", invalid, `g () => (int64[1] y) <int64[1] a = {1}, int64[1] b = {0}> { y = Mod(a, b) }`),
		text("Shift far", append(refused, "result"), `g () => (uint8[1] y) <uint8[1] a = {1}, uint8[1] b = {255}> { y = BitShift <direction = "LEFT"> (a, b) }`),
		text("Pow integers", append(refused, "result"), `g () => (int64[1] y) <int64[1] a = {2}, int64[1] b = {-9223372036854775808}> { y = Pow(a, b) }`),
		text("wrong operand types", refused, `g () => (float[1] y) <float[1] a = {1}, int64[1] b = {1}> { y = Add(a, b) }`),
		text("wrong branch types", append(refused, "result"), `g (float[1] x, bool c) => (float[1] y) { y = If (c) <then_branch = t () => (float[1] p) { p = Neg(x) }, else_branch = e () => (int64[1] q) { q = Shape(x) }> }`),
		text("operands that do not broadcast", invalid, `g () => (float["N"] y) <float[2] a = {1,2}, float[3] b = {1,2,3}> { y = Add(a, b) }`),
	}
}

// graphBombs are graphs that hang together wrongly.
func graphBombs() []bomb {
	raw := func(name string, want []string, change func(m *onnx.Model)) bomb {
		b := text(name, want, `g (float[1] x) => (float[1] y) { a = Neg(x) y = Exp(a) }`)
		inner := b.make
		b.make = func() ([]byte, map[string]*onnx.Tensor) {
			file, in := inner()
			m, err := onnx.Decode(file)
			if err != nil {
				panic(err)
			}
			change(m)
			return encoded(m), in
		}
		return b
	}
	renamed := func(name, from, to string) bomb { // names of values are looked up when the file is read
		b := text(name, refused, `g (float[1] x) => (float[1] y) { a_ = Neg(x) b_ = Exp(a_) y = Log(b_) }`)
		inner := b.make
		b.make = func() ([]byte, map[string]*onnx.Tensor) {
			file, in := inner()
			return []byte(strings.Replace(string(file), from, to, 1)), in
		}
		return b
	}
	return []bomb{
		renamed("cycle", "\x01x", "\x01y"),
		renamed("undefined input", "\x01x", "\x01?"),
		renamed("duplicate name", "\x12\x02b_", "\x12\x02a_"),
		raw("no operator", refused, func(m *onnx.Model) { m.Graph.Nodes[0].OpType = "" }),
		raw("unknown operator", refused, func(m *onnx.Model) { m.Graph.Nodes[0].OpType = "NoSuch" }),
		raw("unknown domain", refused, func(m *onnx.Model) { m.Graph.Nodes[0].Domain = "no.such" }),
		raw("private domain", refused, func(m *onnx.Model) { m.Graph.Nodes[0].Domain = onnx.Private }),
		raw("unknown version", refused, func(m *onnx.Model) { m.Graph.SetOpset("", 9999) }),
		raw("version 0", refused, func(m *onnx.Model) { m.Graph.SetOpset("", 0) }),
		raw("negative version", refused, func(m *onnx.Model) { m.Graph.SetOpset("", -1) }),
		raw("missing type", refused, func(m *onnx.Model) { m.Graph.Inputs[0].Type = onnx.Type{} }),
		raw("unknown type", refused, func(m *onnx.Model) { m.Graph.Inputs[0].Type.Elem = 77 }),
		raw("large declared shape", refused, func(m *onnx.Model) {
			m.Graph.Inputs[0].Type = onnx.TensorOf(onnx.Float32, onnx.Dim{N: 1 << 40}, onnx.Dim{N: 1 << 40})
		}),
		raw("large declared inner shape", runs, func(m *onnx.Model) {
			m.Graph.Nodes[0].Out(0).Type = onnx.TensorOf(onnx.Float32, onnx.Dim{N: 1 << 40}, onnx.Dim{N: 1 << 40})
		}),
		raw("too many inputs", refused, func(m *onnx.Model) {
			for range 1000 {
				m.Graph.Nodes[0].AddIn(m.Graph.Inputs[0])
			}
		}),
		raw("no input", refused, func(m *onnx.Model) { m.Graph.Nodes[0].SetIn(0, nil) }),
	}
}

// byteBombs are files that the format forbids.
func byteBombs() []bomb {
	file := func(name string, want []string, b []byte) bomb {
		return bomb{name: name, want: want, make: func() ([]byte, map[string]*onnx.Tensor) { return b, nil }}
	}
	deep := func() ([]byte, map[string]*onnx.Tensor) { return deepType(10_000), nil }
	return []bomb{
		file("dims that wrap", refused, withTensor(1, nil, 1<<32, 1<<32)),
		file("dims that wrap in bytes", refused, withTensor(1, nil, 1<<61)),
		file("dims times 0 that wrap", append(refused, "result"), withTensor(1, nil, 1<<62, 1<<62, 0)),
		file("dim -1", refused, withTensor(1, nil, -1)),
		file("dim -1 twice", refused, withTensor(1, []byte{0, 0, 0, 0}, -1, -1)),
		file("raw_data too short", refused, withTensor(1, make([]byte, 4), 2)),
		file("raw_data too long", refused, withTensor(1, make([]byte, 12), 2)),
		file("packed too short", refused, withTensor(22, make([]byte, 1), 3)),
		file("no data", refused, withTensor(1, nil, 1<<28)),
		file("raw strings", refused, withTensor(8, make([]byte, 4), 4)),
		file("type 99", refused, withTensor(99, make([]byte, 4), 4)),
		file("empty", refused, nil),
		file("length beyond the end", refused, []byte{0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f}),
		file("negative length", refused, []byte{0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}),
		file("groups", refused, append([]byte{0x08, 0x08}, []byte(strings.Repeat("\x3b", 100_000))...)),
		file("varint without end", refused, []byte(strings.Repeat("\xff", 1000))),
		{name: "types 10,000 deep", want: refused, make: deep},
		file("repeated fields", runs, []byte("\x08\x08"+strings.Repeat("\x3a\x00", 100_000))),
	}
}

func message(num protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), b)
}

func varint(num protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), uint64(v))
}

// model is a file around the fields of a graph.
func model(graph []byte) []byte {
	b := varint(1, 8)
	b = append(b, message(7, graph)...)
	return append(b, message(8, append(message(1, nil), varint(2, 13)...))...)
}

// withTensor is a model that negates an initializer with the given type, data and dims.
func withTensor(elem int64, raw []byte, dims ...int64) []byte {
	var x []byte
	for _, d := range dims {
		x = append(x, varint(1, d)...)
	}
	x = append(x, varint(2, elem)...)
	x = append(x, message(8, []byte("x"))...)
	if raw != nil {
		x = append(x, message(9, raw)...)
	}
	node := append(message(1, []byte("x")), message(2, []byte("y"))...)
	node = append(node, message(4, []byte("Neg"))...)
	g := message(1, node)
	g = append(g, message(5, x)...)
	return model(append(g, message(12, message(1, []byte("y")))...))
}

// deepType is a model with an input that is a sequence of sequences.
func deepType(n int) []byte {
	t := message(1, varint(1, 1))
	for range n {
		t = message(4, message(1, t))
	}
	return model(message(11, append(message(1, []byte("x")), message(2, t)...)))
}
