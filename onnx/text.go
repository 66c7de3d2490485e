package onnx

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// attrWords are the words for kinds of attribute in the text form.
var attrWords = [...]string{
	AttrFloat: "float", AttrInt: "int", AttrString: "string", AttrTensor: "tensor", AttrGraph: "graph", AttrFloats: "floats",
	AttrInts: "ints", AttrStrings: "strings", AttrTensors: "tensors", AttrGraphs: "graphs", AttrSparseTensor: "sparse_tensor",
	AttrSparseTensors: "sparse_tensors", AttrType: "type_proto", AttrTypes: "type_protos",
}

// Text is m in the standard's text syntax, contents of initializers included. ParseText reads it back. The syntax has no
// place for doc strings and metadata of graphs, nodes and values, for training recipes, denotations and unknown fields;
// sparse tensors are left out with a comment.
//
// Source: docs/Syntax.md of onnx 1.23.
func (m *Model) Text() string {
	p := printer{}
	p.header(m)
	p.graph(m.Graph)
	p.b.WriteByte('\n')
	for _, f := range m.Functions {
		p.function(f)
	}
	return p.b.String()
}

// Text is g in the standard's text syntax; see Model.Text.
func (g *Graph) Text() string {
	p := printer{}
	p.graph(g)
	return p.b.String() + "\n"
}

// Text is n in the standard's text syntax, on one line unless it holds graphs.
func (n *Node) Text() string {
	p := printer{}
	p.node(n)
	return p.b.String()
}

type printer struct {
	b      strings.Builder
	indent int
}

func (p *printer) f(format string, args ...any) { fmt.Fprintf(&p.b, format, args...) }

// line starts a new line at the present depth.
func (p *printer) line() {
	p.b.WriteByte('\n')
	p.b.WriteString(strings.Repeat("   ", p.indent))
}

// list prints n items between open and end.
func (p *printer) list(open, sep, end string, n int, item func(i int)) {
	p.b.WriteString(open)
	for i := range n {
		if i > 0 {
			p.b.WriteString(sep)
		}
		item(i)
	}
	p.b.WriteString(end)
}

func (p *printer) names(open, end string, list []*Value) {
	p.list(open, ", ", end, len(list), func(i int) {
		name := ""
		if list[i] != nil {
			name = list[i].Name
		}
		p.b.WriteString(textName(name))
	})
}

func (p *printer) header(m *Model) {
	p.f("<\n   ir_version: %d,\n   opset_import: ", m.IRVersion)
	p.opsets(m.Graph)
	for _, s := range []struct{ key, value string }{
		{"producer_name", m.Producer}, {"producer_version", m.ProducerVersion}, {"domain", m.Domain},
	} {
		if s.value != "" {
			p.f(",\n   %s: %s", s.key, textString(s.value))
		}
	}
	if m.ModelVersion != 0 {
		p.f(",\n   model_version: %d", m.ModelVersion)
	}
	if m.Doc != "" {
		p.f(",\n   doc_string: %s", textString(m.Doc))
	}
	if len(m.Metadata) > 0 {
		p.f(",\n   metadata_props: ")
		p.entries(m.Metadata)
	}
	p.f("\n>\n")
}

func (p *printer) opsets(g *Graph) {
	p.list("[", ", ", "]", len(g.Opsets), func(i int) {
		p.f("%s : %d", textString(g.Opsets[i].Domain), g.Opsets[i].Version)
	})
}

func (p *printer) entries(list []Entry) {
	p.list("[", ", ", "]", len(list), func(i int) {
		p.f("%s: %s", textString(list[i].Key), textString(list[i].Value))
	})
}

func (p *printer) function(f *Function) {
	p.f("<\n   domain: %s,\n", textString(f.Domain))
	if f.Overload != "" {
		p.f("   overload: %s,\n", textString(f.Overload))
	}
	if f.Doc != "" {
		p.f("   doc_string: %s,\n", textString(f.Doc))
	}
	p.f("   opset_import: ")
	p.opsets(f.Body)
	p.f("\n>\n%s ", textName(f.Name))
	if n := len(f.Attributes); n+len(f.Defaults) > 0 {
		p.list("<", ", ", "> ", n+len(f.Defaults), func(i int) {
			if i < n {
				p.b.WriteString(textName(f.Attributes[i]))
				return
			}
			p.attribute(&f.Defaults[i-n])
		})
	}
	p.names("(", ")", f.Body.Inputs)
	p.names(" => (", ")", f.Body.Outputs)
	p.contents(f.Body)
	p.nodes(f.Body)
	p.b.WriteByte('\n')
}

func (p *printer) graph(g *Graph) {
	p.f("%s ", textName(g.Name))
	p.values("(", ")", g.Inputs)
	p.values(" => (", ")", g.Outputs)
	p.contents(g)
	p.nodes(g)
}

func (p *printer) value(v *Value) {
	if t := textType(v.Type); t != "" {
		p.f("%s ", t)
	}
	p.b.WriteString(textName(v.Name))
}

func (p *printer) values(open, end string, list []*Value) {
	p.list(open, ", ", end, len(list), func(i int) { p.value(list[i]) })
}

// contents prints initializers and the declared types of other values.
func (p *printer) contents(g *Graph) {
	inits, infos := g.declared()
	if len(inits)+len(infos) == 0 {
		return
	}
	p.indent++
	p.line()
	p.list("<", ", ", ">", len(inits)+len(infos), func(i int) {
		if i > 0 {
			p.line()
		}
		if i < len(inits) {
			p.tensor(inits[i].Init, inits[i].Name, " = ")
			return
		}
		p.value(infos[i-len(inits)])
	})
	p.indent--
	for _, v := range g.Initializers {
		if v.Init == nil {
			p.f(" # initializer %q has no dense contents and is left out", v.Name)
			p.line()
		}
	}
	p.line()
}

// declared lists the initializers that can be printed and the values that value_info declares.
func (g *Graph) declared() (inits, infos []*Value) {
	for _, v := range g.Initializers {
		if v.Init != nil {
			inits = append(inits, v)
		}
	}
	byName := map[string]*Value{}
	g.eachValue(func(v *Value) { byName[v.Name] = v })
	for _, d := range g.info.valueInfo {
		if v := byName[d.name]; v != nil {
			infos = append(infos, v)
		}
	}
	return inits, infos
}

func (p *printer) nodes(g *Graph) {
	p.b.WriteString(" {")
	p.indent++
	for _, n := range g.Nodes {
		p.line()
		p.node(n)
	}
	p.indent--
	p.line()
	p.b.WriteString("}")
}

func (p *printer) node(n *Node) {
	if n.Name != "" {
		p.f("[%s] ", textName(n.Name))
	}
	p.names("", " = ", n.Outputs())
	if n.Domain != "" {
		for part := range strings.SplitSeq(n.Domain, ".") {
			p.f("%s.", textName(part))
		}
	}
	p.b.WriteString(textName(n.OpType))
	if n.Overload != "" {
		p.f(":%s", textName(n.Overload))
	}
	p.b.WriteByte(' ')
	if len(n.Subgraphs()) == 0 {
		p.attributes(n)
		p.names("(", ")", n.Inputs())
		return
	}
	p.names("(", ") ", n.Inputs())
	p.attributes(n)
}

// attributes prints what the syntax can say of n's attributes.
func (p *printer) attributes(n *Node) {
	var list []*Attribute
	for i := range n.Attrs {
		if a := &n.Attrs[i]; a.Kind != AttrSparseTensor && a.Kind != AttrSparseTensors {
			list = append(list, a)
		}
	}
	if len(list) > 0 {
		p.list("<", ", ", "> ", len(list), func(i int) { p.attribute(list[i]) })
	}
	if len(list) < len(n.Attrs) {
		p.f("# %d attributes of sparse tensors are left out", len(n.Attrs)-len(list))
		p.line()
	}
}

func (p *printer) attribute(a *Attribute) {
	p.b.WriteString(textName(a.Name))
	if a.Kind > AttrUndefined && int(a.Kind) < len(attrWords) {
		p.f(": %s", attrWords[a.Kind])
	}
	p.b.WriteString(" = ")
	if a.Ref != "" {
		p.f("@%s", textName(a.Ref))
		return
	}
	p.indent++
	p.attrValue(a)
	p.indent--
}

func (p *printer) attrValue(a *Attribute) {
	list := func(n int, item func(i int)) { p.list("[", ", ", "]", n, item) }
	switch a.Kind {
	case AttrFloat:
		p.b.WriteString(textFloat(float64(a.F), 32))
	case AttrInt:
		p.f("%d", a.I)
	case AttrString:
		p.b.WriteString(textString(a.S))
	case AttrTensor:
		p.tensor(a.T, a.T.Name, " ")
	case AttrGraph:
		p.graph(a.G)
	case AttrType:
		p.b.WriteString(textType(*a.Type))
	case AttrFloats:
		list(len(a.Floats), func(i int) { p.b.WriteString(textFloat(float64(a.Floats[i]), 32)) })
	case AttrInts:
		list(len(a.Ints), func(i int) { p.f("%d", a.Ints[i]) })
	case AttrStrings:
		list(len(a.Strings), func(i int) { p.b.WriteString(textString(a.Strings[i])) })
	case AttrTensors:
		list(len(a.Tensors), func(i int) { p.tensor(a.Tensors[i], a.Tensors[i].Name, " ") })
	case AttrGraphs:
		list(len(a.Graphs), func(i int) { p.graph(a.Graphs[i]) })
	case AttrTypes:
		list(len(a.Types), func(i int) { p.b.WriteString(textType(a.Types[i])) })
	}
}

// tensor prints type, name and elements: numbers as typed fields store them, so float16 and smaller types as bit patterns.
func (p *printer) tensor(t *Tensor, name, eq string) {
	p.b.WriteString(textType(t.Type()))
	if name != "" {
		p.f(" %s", textName(name))
	}
	p.b.WriteString(eq)
	if t.External != nil {
		p.entries(t.External.list())
		return
	}
	n, item := t.textItems()
	p.list("{", ", ", "}", n, func(i int) { p.b.WriteString(item(i)) })
}

func (t *Tensor) textItems() (n int, item func(i int) string) {
	data := t.Bytes()
	switch t.Elem {
	case String:
		return len(t.strings), func(i int) string { return textString(t.strings[i]) }
	case Float32, Complex64:
		return len(data) / 4, func(i int) string { return textFloat(float64(float32frombytes(data[4*i:])), 32) }
	case Float64, Complex128:
		return len(data) / 8, func(i int) string {
			return textFloat(math.Float64frombits(Float64.varintBits(data, i)), 64)
		}
	case Uint32, Uint64:
		return len(data) / t.Elem.Size(), func(i int) string { return strconv.FormatUint(t.Elem.varint(data, i), 10) }
	}
	n = len(data)
	switch {
	case t.Elem.Bits() == 6:
		n = t.Len()
	case t.Elem.Size() > 0:
		n /= t.Elem.Size()
	}
	return n, func(i int) string { return strconv.FormatInt(int64(t.Elem.varint(data, i)), 10) }
}

// varintBits is the 64 bits of element i.
func (e ElemType) varintBits(data []byte, i int) uint64 { return Uint64.varint(data, i) }

func textFloat(v float64, bits int) string {
	switch {
	case math.IsNaN(v):
		return "nan"
	case math.IsInf(v, 1):
		return "inf"
	case math.IsInf(v, -1):
		return "-inf"
	}
	return strconv.FormatFloat(v, 'g', -1, bits)
}

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func textString(s string) string { return `"` + escapes.Replace(s) + `"` }

// textName is a name as an identifier, quoted where it is none or could be taken for a word of the syntax.
func textName(s string) string {
	if s == "" || isTypeWord(s) || isFloatWord(s) {
		return textString(s)
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && (i == 0 || !isDigit(c)) {
			return textString(s)
		}
	}
	return s
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// isTypeWord reports whether a type can start with s.
func isTypeWord(s string) bool {
	switch s {
	case "seq", "map", "optional", "sparse_tensor", "opaque", "undefined":
		return true
	}
	_, ok := ParseElemType(s)
	return ok
}

func isFloatWord(s string) bool {
	s = strings.ToLower(s)
	return s == "inf" || s == "infinity" || s == "nan"
}

// textType is a type in the standard's syntax, in which float is a scalar and float[] a tensor of unknown rank; empty for an
// unknown type.
func textType(t Type) string {
	switch t.Kind {
	case KindTensor:
		return t.Elem.String() + textShape(t)
	case KindSparseTensor:
		return "sparse_tensor(" + t.Elem.String() + textShape(t) + ")"
	case KindSequence:
		return "seq(" + textType(*t.of()) + ")"
	case KindOptional:
		return "optional(" + textType(*t.of()) + ")"
	case KindMap:
		return "map(" + t.Key.String() + ", " + textType(*t.of()) + ")"
	case KindOpaque:
		return "opaque()"
	}
	return ""
}

func textShape(t Type) string {
	if t.Ranked && len(t.Shape) == 0 {
		return ""
	}
	dims := make([]string, len(t.Shape))
	for i, d := range t.Shape {
		switch {
		case d.Name != "":
			dims[i] = textName(d.Name)
		case d.N == math.MinInt64:
			dims[i] = "?"
		default:
			dims[i] = strconv.FormatInt(d.N, 10)
		}
	}
	return "[" + strings.Join(dims, ",") + "]"
}
