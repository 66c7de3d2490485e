package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/gneiss-ml/gneiss/internal/wire"
)

// Limits bounds what reading a model may cost. A zero field means the default, a negative value lifts the limit. Exceeding
// one is a *LimitError.
type Limits struct {
	// Memory is for what is decoded beside the bytes of the message, in bytes. Default: 64 MiB and 8 for each byte read.
	Memory int64
	// Weights is for the bytes of external files, each tensor charged. Default: 64 GiB.
	Weights int64
	// Message is the size of one message, in bytes. Default: 2 GiB - 1, which is also protobuf's own limit.
	Message int64
	// Depth is how deep messages may nest. Default: 200.
	Depth int
	// Subgraphs is how deep graphs may nest. Default: 32.
	Subgraphs int
	// Functions is how many functions a model may have. Default: 10,000.
	Functions int
}

// limit is v or, when v is 0, def; a negative v is no limit.
func limit[T int | int64](v, def T) int64 {
	switch {
	case v < 0:
		return math.MaxInt64
	case v == 0:
		return int64(def)
	}
	return int64(v)
}

// Decode reads a model from the bytes of a ModelProto. The model refers to b, which must not change any more. Tensors with
// external data have no elements then (ReadFile reads them); using one is an error.
//
// An error is of the invalid or the unsupported kind and names the field; see also NameError and LimitError. IR versions 1,
// 2 and above 14 are unsupported.
func Decode(b []byte) (*Model, error) { return ReadOptions{}.Decode(b) }

// Decode is the function Decode under o.
func (o ReadOptions) Decode(b []byte) (*Model, error) {
	d, r, err := newDecoder(o.Limits, b)
	if err != nil {
		return nil, err
	}
	m, err := d.model(r)
	return m, prefixed(err)
}

// DecodeTensor reads a tensor from the bytes of a TensorProto. The tensor refers to b.
func DecodeTensor(b []byte) (*Tensor, error) {
	d, r, err := newDecoder(Limits{}, b)
	if err != nil {
		return nil, err
	}
	t, err := d.tensor(r)
	return t, prefixed(err)
}

// DecodeFunction reads a function from the bytes of a FunctionProto.
func DecodeFunction(b []byte) (*Function, error) {
	d, r, err := newDecoder(Limits{}, b)
	if err != nil {
		return nil, err
	}
	f, err := d.function(r)
	if err != nil {
		return nil, prefixed(err)
	}
	return f, nil
}

// prefixed puts the package's name before an error that leaves it.
func prefixed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("onnx: %w", err)
}

// fieldError places an error at a field: "graph.node[3].attribute[0]".
type fieldError struct {
	path string
	err  error
}

func (e *fieldError) Error() string { return e.path + ": " + e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }

// within places err inside the named field; i is the index in a repeated field, -1 otherwise.
func within(field string, i int, err error) error {
	if err == nil {
		return nil
	}
	if i >= 0 {
		field = fmt.Sprintf("%s[%d]", field, i)
	}
	if e, ok := errors.AsType[*fieldError](err); ok {
		return &fieldError{field + "." + e.path, e.err}
	}
	return &fieldError{field, err}
}

// decoder is what the messages of one file have in common: the budget and the limits.
type decoder struct {
	used, budget int64
	functions    int64
	subgraphs    int64
	sparse       *sparse // where the message is not whole
}

func newDecoder(l Limits, b []byte) (*decoder, *wire.Reader, error) {
	if most := limit(l.Message, math.MaxInt32); int64(len(b)) > most {
		return nil, nil, prefixed(&LimitError{Limit: "size of one message", Value: most, Asked: int64(len(b)), Unit: "bytes"})
	}
	d := &decoder{
		budget:    limit(l.Memory, 64<<20+8*int64(len(b))),
		functions: limit(l.Functions, 10_000),
		subgraphs: limit(l.Subgraphs, 32),
	}
	return d, wire.NewReader(b, int(min(limit(l.Depth, wire.MaxDepth), math.MaxInt32))), nil
}

// charge takes n bytes from the budget before they are allocated.
func (d *decoder) charge(n int64) error {
	if n > d.budget-d.used {
		asked := int64(math.MaxInt64)
		if n < math.MaxInt64-d.used {
			asked = d.used + n
		}
		return &LimitError{Limit: "memory for decoding, beside the file", Value: d.budget, Asked: asked, Unit: "bytes"}
	}
	d.used += n
	return nil
}

// sizeOf is the size of a T in bytes.
func sizeOf[T any]() int64 {
	var z T
	return int64(unsafe.Sizeof(z))
}

// str is the field at hand as a string; it is charged.
func (d *decoder) str(r *wire.Reader) string {
	b := r.Bytes()
	if err := d.charge(int64(len(b)) + 16); err != nil {
		r.Stop(err)
		return ""
	}
	return string(b)
}

// keep appends the field at hand, which is unknown, to those of its message.
func (d *decoder) keep(unknown *[]byte, r *wire.Reader) {
	if err := d.charge(2 * int64(len(r.Raw()))); err != nil {
		r.Stop(err)
		return
	}
	*unknown = append(*unknown, r.Raw()...)
}

// later is a Reader of the message at hand, to be read when its turn comes.
func (d *decoder) later(r *wire.Reader) *wire.Reader {
	if err := d.charge(sizeOf[wire.Reader]() + sizeOf[pending]()); err != nil {
		r.Stop(err)
	}
	return r.Message()
}

// finish is the error of a message that was gone through.
func finish(r *wire.Reader) error {
	var e *wire.Error
	if err := r.Err(); !errors.As(err, &e) {
		return err
	}
	return &kindError{ErrInvalid, e}
}

func (d *decoder) entry(r *wire.Reader) (Entry, error) {
	var e Entry
	for r.Next() {
		switch r.Num {
		case 1:
			e.Key = d.str(r)
		case 2:
			e.Value = d.str(r)
		}
	}
	return e, finish(r)
}

// entries appends the entry at hand to list.
func (d *decoder) entries(list *[]Entry, r *wire.Reader) error {
	if err := d.charge(sizeOf[Entry]()); err != nil {
		return err
	}
	e, err := d.entry(r.Message())
	*list = append(*list, e)
	return err
}

func (d *decoder) model(r *wire.Reader) (*Model, error) {
	m := &Model{}
	var graph *wire.Reader
	var training, functions []*wire.Reader
	var opsets []Opset
	var forms []opsetForm
	var ir int64
	for r.Next() {
		var err error
		switch r.Num {
		case 1:
			ir = r.Int64()
		case 2:
			m.Producer = d.str(r)
		case 3:
			m.ProducerVersion = d.str(r)
		case 4:
			m.Domain = d.str(r)
		case 5:
			m.ModelVersion = r.Int64()
		case 6:
			m.Doc = d.str(r)
		case 7:
			graph = r.Message()
		case 8:
			err = within("opset_import", len(opsets), d.opset(r.Message(), &opsets, &forms))
		case 14:
			err = within("metadata_props", len(m.Metadata), d.entries(&m.Metadata, r))
		case 20:
			training = append(training, d.later(r))
		case 25:
			functions = append(functions, d.later(r))
		case 26:
			err = d.charge(2 * sizeOf[[]byte]())
			m.info.configuration = append(m.info.configuration, r.Bytes())
		default:
			d.keep(&m.info.unknown, r)
		}
		if err != nil {
			return nil, err
		}
		m.info.present.see(r)
	}
	if err := finish(r); err != nil {
		return nil, err
	}
	if err := d.version(m, ir); err != nil {
		return nil, err
	}
	if graph == nil {
		return nil, Invalidf("the model has no graph")
	}
	m.info.present |= fromFile
	var err error
	if m.Graph, err = d.graph(graph, nil, nil, opsets, forms); err != nil {
		return nil, within("graph", -1, err)
	}
	if n := int64(len(functions)); n > d.functions {
		return nil, &LimitError{Limit: "functions of a model", Value: d.functions, Asked: n, Unit: "functions"}
	}
	for i, f := range functions {
		fn, err := d.function(f)
		if err != nil {
			return nil, within("functions", i, err)
		}
		m.Functions = append(m.Functions, fn)
	}
	for i, t := range training {
		info, err := d.training(t, opsets)
		if err != nil {
			return nil, within("training_info", i, err)
		}
		m.Training = append(m.Training, info)
	}
	return m, nil
}

// see notes that the field at hand stood in the file. Fields above 31 are unknown and kept as bytes.
func (p *present) see(r *wire.Reader) {
	if r.Num < 32 {
		*p |= 1 << r.Num
	}
}

// version checks the IR version: what is older than 3 has no opset imports, what is newer than 14 is not known here.
func (d *decoder) version(m *Model, ir int64) error {
	switch {
	case ir <= 0:
		return Invalidf("ir_version: expected 3 to %d, received %d", MaxIR, ir)
	case ir < MinIR:
		return Unsupportedf("ir_version %d is older than %d, the first with opset imports", ir, MinIR)
	case ir > MaxIR:
		return Unsupportedf("ir_version %d is newer than %d, the newest known", ir, MaxIR)
	}
	m.IRVersion = int(ir)
	return nil
}

// The IR versions that are read. Version 14 belongs to onnx 1.23.
const (
	MinIR = 3
	MaxIR = 14
)

func (d *decoder) opset(r *wire.Reader, list *[]Opset, forms *[]opsetForm) error {
	if err := d.charge(4 * (sizeOf[Opset]() + sizeOf[opsetForm]())); err != nil {
		return err
	}
	var o Opset
	form := opsetForm{present: fromFile}
	for r.Next() {
		switch r.Num {
		case 1:
			o.Domain = d.str(r)
		case 2:
			v := r.Int64()
			if v < 0 || v > math.MaxInt32 {
				return Invalidf("version: expected 0 to %d, received %d", math.MaxInt32, v)
			}
			o.Version = int(v)
		default:
			d.keep(&form.unknown, r)
		}
		form.present.see(r)
	}
	*list, *forms = append(*list, o), append(*forms, form)
	return finish(r)
}

func (d *decoder) function(r *wire.Reader) (*Function, error) {
	f := &Function{present: fromFile}
	g := d.newGraph("", nil)
	l := linker{decoder: d, g: g, scope: newScope(g, nil)}
	var inputs, outputs []string
	for r.Next() {
		var err error
		switch r.Num {
		case 1:
			f.Name = d.str(r)
		case 4:
			inputs = append(inputs, d.str(r))
		case 5:
			outputs = append(outputs, d.str(r))
		case 6:
			f.Attributes = append(f.Attributes, d.str(r))
		case 7:
			l.nodes = append(l.nodes, pending{r: d.later(r)})
		case 8:
			f.Doc = d.str(r)
		case 9:
			err = within("opset_import", len(g.Opsets), d.opset(r.Message(), &g.Opsets, &g.info.opsets))
		case 10:
			f.Domain = d.str(r)
		case 11:
			l.defaults = append(l.defaults, d.later(r))
		case 12:
			l.infos = append(l.infos, d.later(r))
		case 13:
			f.Overload = d.str(r)
		case 14:
			err = within("metadata_props", len(f.Metadata), d.entries(&f.Metadata, r))
		default:
			d.keep(&f.unknown, r)
		}
		if err != nil {
			return nil, err
		}
		f.present.see(r)
	}
	if err := finish(r); err != nil {
		return nil, err
	}
	f.Body, g.Name = g, f.Name
	return f, l.body(f, inputs, outputs)
}

// body links a function: its inputs and outputs are names alone.
func (l *linker) body(f *Function, inputs, outputs []string) error {
	g := l.g
	for i, name := range inputs {
		v, err := l.define(name, -1)
		if err != nil {
			return within("input", i, err)
		}
		g.Inputs = append(g.Inputs, v)
	}
	if err := l.link(); err != nil {
		return err
	}
	for i, name := range outputs {
		v, err := l.output(name)
		if err != nil {
			return within("output", i, err)
		}
		g.Outputs = append(g.Outputs, v)
	}
	for i, r := range l.defaults {
		a, err := l.attribute(r, l.scope)
		if err != nil {
			return within("attribute_proto", i, err)
		}
		f.Defaults = append(f.Defaults, a)
	}
	return l.valueInfos()
}

func (d *decoder) training(r *wire.Reader, opsets []Opset) (*TrainingInfo, error) {
	t := &TrainingInfo{}
	for r.Next() {
		var err error
		switch r.Num {
		case 1:
			t.Initialization, err = d.recipe(r, opsets)
			err = within("initialization", -1, err)
		case 2:
			t.Algorithm, err = d.recipe(r, opsets)
			err = within("algorithm", -1, err)
		case 3:
			err = within("initialization_binding", len(t.InitializationBinding), d.entries(&t.InitializationBinding, r))
		case 4:
			err = within("update_binding", len(t.UpdateBinding), d.entries(&t.UpdateBinding, r))
		default:
			d.keep(&t.unknown, r)
		}
		if err != nil {
			return nil, err
		}
	}
	return t, finish(r)
}

// recipe reads a graph that is appended to the model's and may name its values: what it does not define itself becomes a
// value that nothing makes.
func (d *decoder) recipe(r *wire.Reader, opsets []Opset) (*Graph, error) {
	sc := &scope{open: true}
	g, err := d.graph(r.Message(), nil, sc, nil, nil)
	if err == nil {
		g.Opsets = slices.Clone(opsets)
	}
	return g, err
}
