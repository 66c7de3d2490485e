package ops

import (
	"math"
	"slices"
	"strings"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// msDomain is the domain of the operators that ONNX Runtime adds to the standard and that its optimizer and quantizer write
// into files. They are written as nodes of the standard, whose kernels, fusions and gradients are theirs too.
const msDomain = "com.microsoft"

// Types that several operators of msDomain allow.
const (
	msFloats = "T=float,float16,bfloat16"
	msReals  = "T=float,double,float16,bfloat16"
	msBytes  = "T=uint8,int8"
	msAny    = "T=uint8,uint16,uint32,uint64,int8,int16,int32,int64,float16,float,double,string,bool,complex64,complex128"
)

// contrib is a schema of version 1, written briefly. Parameters are name:type, where the name may end in ? (optional) or *
// (variadic) and the type is an element type or one of types, which are name=elements. Attributes are name:kind; a name that
// ends in ! is required.
func contrib(name, ins, outs, types, attrs string) *schema.Schema {
	s := &schema.Schema{Domain: msDomain, Name: name, Since: 1}
	for t := range strings.FieldsSeq(types) {
		word, list, _ := strings.Cut(t, "=")
		c := schema.TypeConstraint{Name: word}
		for e := range strings.SplitSeq(list, ",") {
			c.Types = append(c.Types, "tensor("+e+")")
		}
		slices.Sort(c.Types)
		s.Types = append(s.Types, c)
	}
	s.Inputs, s.MinIn, s.MaxIn = contribParams(s, ins)
	s.Outputs, s.MinOut, s.MaxOut = contribParams(s, outs)
	for a := range strings.FieldsSeq(attrs) {
		word, kind, _ := strings.Cut(a, ":")
		name, required := strings.CutSuffix(word, "!")
		s.Attributes = append(s.Attributes, schema.Attribute{Name: name, Kind: contribKinds[kind], Required: required})
	}
	slices.SortFunc(s.Attributes, func(a, b schema.Attribute) int { return strings.Compare(a.Name, b.Name) })
	return s
}

var contribKinds = map[string]schema.Kind{
	"float": schema.Float, "int": schema.Int, "string": schema.String, "floats": schema.Floats, "ints": schema.Ints, "strings": schema.Strings,
}

// contribParams reads parameters; least and most are how many there may be.
func contribParams(s *schema.Schema, text string) (params []schema.Param, least, most int) {
	for i, f := range strings.Fields(text) {
		name, typ, _ := strings.Cut(f, ":")
		p := schema.Param{Name: strings.TrimRight(name, "?*"), Type: typ}
		if !slices.ContainsFunc(s.Types, func(c schema.TypeConstraint) bool { return c.Name == typ }) {
			p.Type = "tensor(" + typ + ")"
		}
		most = i + 1
		switch name[len(name)-1] {
		case '?':
			p.Option = schema.Optional
		case '*':
			p.Option, p.MinArity = schema.Variadic, 1
			least, most = i+1, schema.Unlimited
		default:
			least = i + 1
		}
		params = append(params, p)
	}
	return params, least, most
}

// lowering writes briefly the nodes that stand for an operator of msDomain.
type lowering struct{ recipe }

// lowered is the Body of an operator that write expresses in nodes of the standard.
func lowered(write func(b lowering) error) func(*opdef.Rewrite) error {
	return func(c *opdef.Rewrite) error { return write(lowering{recipe{c}}) }
}

// rank is the rank of v, which must be known.
func (b lowering) rank(v *onnx.Value) (int, error) {
	if v == nil || !v.Type.Ranked {
		return 0, onnx.Unsupportedf("the rank of an input is not known")
	}
	return len(v.Type.Shape), nil
}

// fixed is size i of v, which must be known; i may count from the end.
func (b lowering) fixed(v *onnx.Value, i int) (int64, error) {
	r, err := b.rank(v)
	if err != nil {
		return 0, err
	}
	if i < 0 {
		i += r
	}
	if i < 0 || i >= r {
		return 0, onnx.Invalidf("received an input of rank %d, whose size %d is needed", r, i)
	}
	if d := v.Type.Shape[i]; d.IsFixed() {
		return d.N, nil
	}
	return 0, onnx.Unsupportedf("size %d of an input is not known", i)
}

// refuse is an error for the first of the attributes that does not have the value that is supported.
func (b lowering) refuse(value int64, names ...string) error {
	for _, name := range names {
		if v := b.Node.Int(name, value); v != value {
			return onnx.Unsupportedf("attribute %s: %d is not supported", name, v)
		}
	}
	return nil
}

// absent is an error for the first of the inputs that is present.
func (b lowering) absent(s *schema.Schema, ins ...int) error {
	for _, i := range ins {
		if b.in(i) != nil {
			return onnx.Unsupportedf("input %d (%s) is not supported", i, s.Input(i).Name)
		}
	}
	return nil
}

// split cuts v along an axis into parts of the given sizes.
func (b lowering) split(v *onnx.Value, axis int64, sizes ...int64) values {
	return b.Builder.Node("", "Split", len(sizes), values{v, b.ints(sizes...)}, onnx.Int("axis", axis)).Outputs()
}

// part is entry i of v along an axis, which goes.
func (b lowering) part(v *onnx.Value, axis, i int64) *onnx.Value {
	return b.Op("Gather", values{v, b.int(i)}, onnx.Int("axis", axis))
}

// sized gives v the shape of sizes, where 0 keeps a size and -1 is what remains.
func (b lowering) sized(v *onnx.Value, sizes ...int64) *onnx.Value {
	return b.do("Reshape", v, b.ints(sizes...))
}

// unsqueezed is v with axes of size 1 put in.
func (b lowering) unsqueezed(v *onnx.Value, axes ...int64) *onnx.Value {
	return b.do("Unsqueeze", v, b.ints(axes...))
}

// count is 0, 1, ... up to n, which has one element of type int64.
func (b lowering) count(n *onnx.Value) *onnx.Value {
	return b.do("Range", b.int(0), b.do("Squeeze", n), b.int(1))
}

// sum adds the values that are present.
func (b lowering) sum(vs ...*onnx.Value) *onnx.Value {
	var s *onnx.Value
	for _, v := range vs {
		switch {
		case s == nil:
			s = v
		case v != nil:
			s = b.do("Add", s, v)
		}
	}
	return s
}

// activated is the activation called name of v; number gives its parameter i or, where that is absent, def.
func (b lowering) activated(v *onnx.Value, name string, number func(i int, def float32) float32) (*onnx.Value, error) {
	switch name {
	case "", "Identity":
		return v, nil
	case "Relu", "Tanh", "Sigmoid", "HardSwish":
		return b.do(name, v), nil
	case "LeakyRelu", "Elu":
		def := float32(0.01)
		if name == "Elu" {
			def = 1
		}
		return b.Op(name, values{v}, onnx.Float("alpha", number(0, def))), nil
	case "HardSigmoid":
		return b.Op(name, values{v}, onnx.Float("alpha", number(0, 0.2)), onnx.Float("beta", number(1, 0.5))), nil
	case "Clip":
		e := v.Type.Elem
		return b.do("Clip", v, b.num(e, number(0, -3.4028234663852886e38)), b.num(e, number(1, 3.4028234663852886e38))), nil
	case "Silu":
		return b.Op("Swish", values{v}, onnx.Float("alpha", 1)), nil
	}
	return nil, onnx.Unsupportedf("attribute activation: %.128q is not supported", name)
}

// channelsLast runs between on x with the channels, the last axis, moved behind the first, and moves them back.
func (b lowering) channelsLast(x *onnx.Value, on bool, between func(x *onnx.Value) (*onnx.Value, error)) (*onnx.Value, error) {
	if !on {
		return between(x)
	}
	r, err := b.rank(x)
	if err != nil {
		return nil, err
	}
	if r < 3 {
		return nil, onnx.Invalidf("expected an input of rank 3 or more, received %v", x.Type)
	}
	in, out := []int64{0, int64(r) - 1}, []int64{0}
	for i := 1; i < r-1; i++ {
		in, out = append(in, int64(i)), append(out, int64(i)+1)
	}
	y, err := between(b.transpose(x, in...))
	if err != nil {
		return nil, err
	}
	return b.transpose(y, append(out, 1)...), nil
}

// kept are the node's attributes of the given names.
func (b lowering) kept(names ...string) []onnx.Attribute {
	var as []onnx.Attribute
	for _, a := range b.Node.Attrs {
		if slices.Contains(names, a.Name) {
			as = append(as, a)
		}
	}
	return as
}

// windowAttrs are the attributes of Conv and of the pools.
var windowAttrs = []string{"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides", "ceil_mode", "count_include_pad"}

// negativeInfinity is added to scores that must not count.
var negativeInfinity = float32(math.Inf(-1))
