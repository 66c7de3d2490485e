package onnx

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/gneiss-ml/gneiss/internal/wire"
)

// SyntaxError says where a text is not in the standard's syntax. It is of the invalid kind.
type SyntaxError struct {
	Line, Column int // from 1, columns in bytes
	Text         string
}

// Error gives place and text.
func (e *SyntaxError) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Text) }

// Unwrap says that the error is of the invalid kind.
func (e *SyntaxError) Unwrap() error { return ErrInvalid }

// textDepth is how deep graphs and types may nest in a text.
const textDepth = 64

// ParseText reads a model in the standard's text syntax. Where the text says no ir_version it is the newest known.
//
// Errors are *SyntaxError, or those of Decode for what is well-formed but wrong.
func ParseText(text string) (*Model, error) {
	p := &parser{src: text}
	p.model()
	if !p.ok() {
		return nil, prefixed(p.err)
	}
	return Decode(p.AppendTo(nil))
}

// ParseGraphText reads a graph in the standard's text syntax.
func ParseGraphText(text string) (*Graph, error) {
	p := &parser{src: text}
	p.graph()
	p.space()
	if p.ok() && p.pos < len(p.src) {
		p.fail("expected the end of the graph")
	}
	if !p.ok() {
		return nil, prefixed(p.err)
	}
	d, r, err := newDecoder(Limits{}, p.AppendTo(nil))
	if err != nil {
		return nil, err
	}
	g, err := d.graph(r, nil, nil, nil, nil)
	return g, prefixed(err)
}

// parser turns a text into a message, which the decoder then links: one place knows the rules of names. After its first
// error it consumes nothing more.
type parser struct {
	encoder
	src   string
	pos   int
	depth int
}

func (p *parser) ok() bool { return p.err == nil }

func (p *parser) fail(format string, args ...any) {
	if p.err != nil {
		return
	}
	before := p.src[:p.pos]
	line := strings.Count(before, "\n") + 1
	p.err = &SyntaxError{line, p.pos - strings.LastIndexByte(before, '\n'), fmt.Sprintf(format, args...)}
}

// enter counts a level of nesting; false when there are too many.
func (p *parser) enter() bool {
	if p.depth++; p.depth > textDepth {
		p.fail("nested deeper than %d", textDepth)
	}
	return p.ok()
}

func (p *parser) leave() { p.depth-- }

// space skips blanks and comments.
func (p *parser) space() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\t', '\n', '\v', '\f', '\r':
			p.pos++
		case '#':
			if i := strings.IndexByte(p.src[p.pos:], '\n'); i >= 0 {
				p.pos += i
			} else {
				p.pos = len(p.src)
			}
		default:
			return
		}
	}
}

// peek is the next byte that is not blank; 0 at the end and after an error.
func (p *parser) peek() byte {
	if !p.ok() {
		return 0
	}
	p.space()
	if p.pos >= len(p.src) {
		return 0
	}
	return p.src[p.pos]
}

// got consumes c if it is next.
func (p *parser) got(c byte) bool {
	if c != p.peek() || p.pos >= len(p.src) {
		return false
	}
	p.pos++
	return true
}

func (p *parser) want(s string) {
	for i := range len(s) {
		if p.ok() && !p.got(s[i]) {
			p.fail("expected %q", s)
		}
	}
}

// word is the next identifier; empty when there is none. It is consumed only if take says so.
func (p *parser) word(take bool) string {
	if !isLetter(p.peek()) {
		return ""
	}
	end := p.pos
	for end < len(p.src) && (isLetter(p.src[end]) || isDigit(p.src[end])) {
		end++
	}
	w := p.src[p.pos:end]
	if take {
		p.pos = end
	}
	return w
}

func (p *parser) identifier() string {
	w := p.word(true)
	if w == "" {
		p.fail("expected an identifier")
	}
	return w
}

// name is an identifier or a quoted string.
func (p *parser) name() string {
	if p.peek() == '"' {
		return p.quoted()
	}
	return p.identifier()
}

// quoted is a string in quotes, in which a backslash stands for the byte after it.
func (p *parser) quoted() string {
	if !p.got('"') {
		p.fail("expected a string in quotes")
		return ""
	}
	var b strings.Builder
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		p.pos++
		switch {
		case c == '"':
			return b.String()
		case c == '\\' && p.pos < len(p.src):
			c = p.src[p.pos]
			p.pos++
		}
		b.WriteByte(c)
	}
	p.fail("the string does not end")
	return ""
}

// number is the text of the next number, and whether it is an integer.
func (p *parser) number() (text string, integer bool) {
	p.peek()
	start := p.pos
	if p.got('-') || p.got('+') {
		p.peek()
	}
	if w := p.word(false); isFloatWord(w) {
		p.word(true)
		return strings.ReplaceAll(p.src[start:p.pos], " ", ""), false
	}
	digits := p.pos
	integer = true
scan:
	for ; p.pos < len(p.src); p.pos++ {
		switch c := p.src[p.pos]; {
		case isDigit(c):
		case c == '.', c == 'e', c == 'E':
			integer = false
		case (c == '+' || c == '-') && p.src[p.pos-1]|0x20 == 'e':
		default:
			break scan
		}
	}
	if p.ok() && (digits == p.pos || !isDigit(p.src[digits])) {
		p.fail("expected a number")
	}
	return p.src[start:p.pos], integer
}

func (p *parser) int64() int64 {
	s, _ := p.number()
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		p.fail("%.128q is not an integer of 64 bits", s)
	}
	return v
}

func (p *parser) float(s string, bits int) float64 {
	if strings.EqualFold(s, "-nan") {
		return math.NaN()
	}
	v, err := strconv.ParseFloat(s, bits)
	if err != nil && !math.IsInf(v, 0) {
		p.fail("%.128q is not a number", s)
	}
	return v
}

// items parses items between commas up to end, which is consumed. There may be none.
func (p *parser) items(end byte, item func()) {
	if p.got(end) {
		return
	}
	for p.ok() {
		item()
		if !p.got(',') {
			break
		}
	}
	p.want(string(end))
}

func (p *parser) model() {
	ir := false
	if p.got('<') {
		p.items('>', func() {
			key := p.identifier()
			p.want(":")
			ir = ir || key == "ir_version"
			p.modelField(key)
		})
	}
	if !ir {
		p.Varint(1, MaxIR)
	}
	p.Message(7, p.graph)
	for p.ok() {
		if p.space(); p.pos == len(p.src) {
			return
		}
		p.Message(25, p.function)
	}
}

func (p *parser) modelField(key string) {
	switch key {
	case "ir_version":
		p.Varint(1, p.int64())
	case "opset_import":
		p.imports(8)
	case "producer_name":
		p.Str(2, p.quoted())
	case "producer_version":
		p.Str(3, p.quoted())
	case "domain":
		p.Str(4, p.quoted())
	case "model_version":
		p.Varint(5, p.int64())
	case "doc_string":
		p.Str(6, p.quoted())
	case "metadata_props":
		p.want("[")
		p.pairs(14)
	default:
		p.fail("a model has no field %.128q", key)
	}
}

func (p *parser) imports(num protowire.Number) {
	p.want("[")
	p.items(']', func() {
		p.Message(num, func() {
			p.Str(1, p.quoted())
			p.want(":")
			p.Varint(2, p.int64())
		})
	})
}

// pairs parses "key": "value" up to the closing bracket.
func (p *parser) pairs(num protowire.Number) {
	p.items(']', func() {
		p.Message(num, func() {
			p.Str(1, p.quoted())
			p.want(":")
			p.Str(2, p.quoted())
		})
	})
}

func (p *parser) function() {
	if p.got('<') {
		p.items('>', func() {
			key := p.identifier()
			p.want(":")
			switch key {
			case "opset_import":
				p.imports(9)
			case "doc_string":
				p.Str(8, p.quoted())
			case "domain":
				p.Str(10, p.quoted())
			case "overload":
				p.Str(13, p.quoted())
			default:
				p.fail("a function has no field %.128q", key)
			}
		})
	}
	p.Str(1, p.name())
	if p.got('<') {
		p.items('>', p.functionAttr)
	}
	p.functionPorts(4)
	p.want("=>")
	p.functionPorts(5)
	if p.got('<') {
		p.items('>', func() { p.Message(12, func() { p.valueInfo() }) })
	}
	p.nodes(7)
}

func (p *parser) functionAttr() {
	name := p.name()
	if c := p.peek(); c == ':' || c == '=' {
		p.Message(11, func() { p.attribute(name) })
		return
	}
	p.Str(6, name)
}

// functionPorts parses inputs or outputs, names with a type or without.
func (p *parser) functionPorts(num protowire.Number) {
	p.want("(")
	p.items(')', func() {
		if !isTypeWord(p.word(false)) {
			p.Str(num, p.name())
			return
		}
		name := ""
		p.Message(12, func() { name, _ = p.valueInfo() })
		p.Str(num, name)
	})
}

func (p *parser) graph() {
	if !p.enter() {
		return
	}
	defer p.leave()
	p.Str(2, p.name())
	p.want("(")
	p.items(')', func() { p.port(11) })
	p.want("=>(")
	p.items(')', func() { p.port(12) })
	if p.got('<') {
		p.items('>', p.content)
	}
	p.nodes(1)
}

// port parses an input or output of a graph; inputs may have a default.
func (p *parser) port(num protowire.Number) {
	var name string
	var t Type
	p.Message(num, func() { name, t = p.valueInfo() })
	if num == 11 && p.got('=') {
		p.Message(5, func() { p.constant(name, t) })
	}
}

func (p *parser) valueInfo() (name string, t Type) {
	if isTypeWord(p.word(false)) {
		t = p.typ()
		p.encoder.typ(2, t)
	}
	name = p.name()
	p.Str(1, name)
	return name, t
}

// content parses an initializer or a declaration.
func (p *parser) content() {
	var w wire.Writer
	p.Writer, w = w, p.Writer
	name, t := p.valueInfo()
	p.Writer, w = w, p.Writer
	if p.got('=') {
		p.Message(5, func() { p.constant(name, t) })
		return
	}
	p.Bytes(13, w.AppendTo(nil))
}

func (p *parser) nodes(num protowire.Number) {
	p.want("{")
	for p.ok() && !p.got('}') {
		p.Message(num, p.node)
	}
}

func (p *parser) node() {
	if p.got('[') {
		p.Str(3, p.name())
		p.want("]")
	}
	p.valueNames(2, '=')
	p.operator()
	attrs := p.got('<')
	if attrs {
		p.nodeAttrs()
	}
	p.want("(")
	p.valueNames(1, ')')
	if !attrs && p.got('<') {
		p.nodeAttrs()
	}
}

// valueNames parses names up to end; an absent one is "" or nothing before a comma.
func (p *parser) valueNames(num protowire.Number, end byte) {
	for p.ok() && !p.got(end) {
		if p.peek() == ',' {
			p.Str(num, "")
		} else {
			p.Str(num, p.name())
		}
		if !p.got(',') {
			p.want(string(end))
			return
		}
	}
}

// operator parses domain.and.OpType:overload.
func (p *parser) operator() {
	op := p.name()
	var domain strings.Builder
	for p.got('.') {
		domain.WriteString("." + op)
		op = p.name()
	}
	if domain.String() != "" {
		p.Str(7, domain.String()[1:])
	}
	p.Str(4, op)
	if p.got(':') {
		p.Str(8, p.name())
	}
}

func (p *parser) nodeAttrs() {
	p.items('>', func() {
		p.Message(5, func() { p.attribute(p.name()) })
	})
}

// typ parses a type.
func (p *parser) typ() (t Type) {
	if !p.enter() {
		return t
	}
	defer p.leave()
	if p.peek() == ')' {
		return t // seq() holds what is not known
	}
	w := p.identifier()
	if e, ok := ParseElemType(w); ok || w == "undefined" {
		t = Type{Kind: KindTensor, Elem: e}
		p.shape(&t)
		return t
	}
	p.want("(")
	switch w {
	case "seq":
		t = SequenceOf(p.typ())
	case "optional":
		t = OptionalOf(p.typ())
	case "map":
		key, _ := ParseElemType(p.identifier())
		p.want(",")
		t = MapOf(key, p.typ())
	case "sparse_tensor":
		if t = p.typ(); t.Kind != KindTensor {
			p.fail("expected a tensor type")
		}
		t.Kind = KindSparseTensor
	case "opaque":
		t = Type{Kind: KindOpaque}
		for p.ok() && p.peek() != ')' {
			p.identifier()
			_ = p.got('.') || p.got(',')
		}
	default:
		p.fail("%.128q is not a type", w)
	}
	p.want(")")
	return t
}

// shape parses dims: none at all is a scalar, empty brackets are an unknown rank.
func (p *parser) shape(t *Type) {
	t.Ranked = true
	if !p.got('[') {
		t.Shape = []Dim{}
		return
	}
	if p.got(']') {
		t.Ranked = false
		return
	}
	p.items(']', func() {
		switch c := p.peek(); {
		case c == '?':
			p.pos++
			t.Shape = append(t.Shape, Unknown)
		case c == '"' || isLetter(c):
			t.Shape = append(t.Shape, Named(p.name()))
		default:
			t.Shape = append(t.Shape, Dim{N: p.int64()})
		}
	})
}

// constant parses the elements of a tensor of type t and writes the tensor.
func (p *parser) constant(name string, t Type) {
	x := &Tensor{Elem: t.Elem, form: form{typed: true}}
	dims := make([]int64, len(t.Shape))
	for i, d := range t.Shape {
		if dims[i] = d.N; !d.IsFixed() {
			p.fail("expected a size in the shape of a constant, received %v", d)
		}
	}
	if t.Kind != KindTensor || !t.Ranked || t.Elem == Undefined {
		p.fail("expected a tensor type with a shape, received %v", t)
	}
	n, err := x.setDims(dims)
	if err != nil {
		p.fail("%v", err)
	}
	if p.got('[') {
		p.external(x, name)
		return
	}
	p.want("{")
	p.elements(x, n)
	if p.ok() {
		p.tensor(x, name)
	}
}

// external writes a tensor whose elements are in a file.
func (p *parser) external(x *Tensor, name string) {
	for _, d := range x.Shape {
		p.Varint(1, int64(d))
	}
	p.Varint(2, int64(x.Elem))
	p.str(8, name, 0)
	p.pairs(13)
	p.Varint(14, 1)
}

// elements parses numbers or strings up to the closing brace; n of them make a tensor of x's shape, where complex numbers
// count twice and a byte of 2- or 4-bit numbers once.
func (p *parser) elements(x *Tensor, n int) {
	var entries []uint64
	p.items('}', func() {
		switch e := x.Elem; e {
		case String:
			x.strings = append(x.strings, p.quoted())
		case Float32, Complex64:
			s, _ := p.number()
			entries = append(entries, uint64(math.Float32bits(float32(p.float(s, 32)))))
		case Float64, Complex128:
			s, _ := p.number()
			entries = append(entries, math.Float64bits(p.float(s, 64)))
		default:
			entries = append(entries, p.entry(e))
		}
	})
	want, size := n, 0
	ok := true
	if x.Elem != String {
		size, ok = x.Elem.NumBytes(n)
	}
	part := x.Elem // what one entry holds
	switch {
	case x.Elem == Complex64, x.Elem == Complex128:
		want = 2 * n
		part = map[ElemType]ElemType{Complex64: Float32, Complex128: Float64}[x.Elem]
	case x.Elem.Packed() && x.Elem.Bits() != 6:
		want, part = size, Uint8
	}
	if have := len(entries) + len(x.strings); p.ok() && (!ok || have != want) {
		p.fail("%v of shape %v: expected %d entries, received %d", x.Elem, x.Shape, want, have)
	}
	if !p.ok() {
		return
	}
	x.data = Bytes(size)
	for i, v := range entries {
		part.put(x.data, i, v)
	}
}

// entry parses an integer and checks that a field of e holds it.
func (p *parser) entry(e ElemType) uint64 {
	s, _ := p.number()
	if e == Uint64 {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			p.fail("%.128q is not a uint64", s)
		}
		return v
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		p.fail("%.128q is not an integer", s)
	}
	part := e
	if e.Packed() && e.Bits() != 6 {
		part = Uint8
	}
	var b [8]byte
	part.put(b[:], 0, uint64(v))
	if p.ok() && part.varint(b[:], 0) != uint64(v) {
		p.fail("%d does not fit %v", v, e)
	}
	return uint64(v)
}
